//! The whole world in one hand: both stand-ins, the certificate that joins them, and a folder for the bot.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use boss_bot::settings::Settings;

use super::{
    bot::{Bot, tools_dir},
    discord::Discord,
    tls::Authority,
    web::Web,
};

/// What the stand-in YouTube speaks: the client that needs no page and no script.
pub const YOUTUBE: [(&str, &str); 2] =
    [("YOUTUBE_PLAYER_CLIENT", "visionos"), ("YOUTUBE_PLAYER_SKIP", "webpage,configs,js,initial_data")];

/// Settings that lead the library's own services into a stand-in web. `dir`: a folder for everything they write.
pub fn settings(authority: &Authority, web: &Web, dir: &Path) -> Settings {
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("the certificate");
    let mut settings = Settings::default();
    settings.network.proxy = Some(web.proxy_url().parse().expect("an address"));
    settings.network.ca_file = Some(ca);
    settings.downloads.dir = dir.join("downloads");
    settings.tools.data_dir = dir.join("data");
    settings.tools.dir = tools_dir();
    settings
}

/// Discord, the web and a place for one bot. Everything ends and vanishes with it.
pub struct World {
    /// The certificate authority that both stand-ins are signed by.
    pub authority: Authority,
    /// The stand-in Discord.
    pub discord: Discord,
    /// The stand-in web.
    pub web: Web,
    dir: tempfile::TempDir,
}

impl World {
    /// Starts both stand-ins.
    pub async fn start() -> Self {
        let authority = Authority::new();
        let discord = Discord::start(&authority).await;
        let web = Web::start(&authority).await;
        let dir = tempfile::Builder::new().prefix("boss-bot-world-").tempdir().expect("a folder");
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).expect("the certificate");
        Self { authority, discord, web, dir }
    }

    /// The bot's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the bot keeps downloads.
    pub fn downloads(&self) -> PathBuf {
        self.dir().join("downloads")
    }

    /// The environment that leads the real binary into this world. Later pairs win.
    pub fn env(&self, more: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let own = |path: PathBuf| path.into_os_string();
        let mut env: Vec<(OsString, OsString)> = vec![
            ("DISCORD_TOKEN".into(), self.discord.token().into()),
            ("DISCORD_API_ADDRESS".into(), self.discord.address().to_string().into()),
            ("NETWORK_PROXY".into(), self.web.proxy_url().into()),
            ("NETWORK_CA_FILE".into(), own(self.dir().join("ca.pem"))),
            ("DATA_DIR".into(), own(self.dir().join("data"))),
            ("DOWNLOAD_DIR".into(), own(self.downloads())),
            ("TOOLS_DIR".into(), own(tools_dir())),
            ("LOG_LEVEL".into(), "debug".into()),
            // Stories ask for a link as often as they like.
            ("POSTED_ALREADY_HOURS".into(), "0".into()),
        ];
        env.extend(YOUTUBE.iter().chain(more).map(|(name, value)| (name.into(), value.into())));
        env
    }

    /// Starts the real bot and waits until it serves commands.
    pub async fn bot(&self, more: &[(&str, &str)]) -> Bot {
        self.discord.expect_another_bot();
        let mut bot = Bot::start(self.dir(), self.env(more));
        bot.during(self.discord.ready()).await;
        bot
    }

    /// Starts a process of a bot that has several, in a folder of its own as on a machine of its own. `more` must name the
    /// database that they share.
    fn part(&self, name: &str, args: &[&str], more: &[(&str, &str)]) -> Bot {
        let dir = self.dir().join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut env = self.env(&[]);
        env.extend(
            [("DATA_DIR", "data"), ("DOWNLOAD_DIR", "downloads")]
                .map(|(name, folder)| (name.into(), dir.join(folder).into())),
        );
        env.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
        Bot::start_with(&dir, args.iter().copied(), env)
    }

    /// Starts a process that only listens to Discord, and waits until it does.
    pub async fn gateway(&self, more: &[(&str, &str)]) -> Bot {
        self.discord.expect_another_bot();
        let mut gateway = self.part("gateway", &["run", "--role", "gateway"], more);
        gateway.during(self.discord.ready()).await;
        gateway
    }

    /// Starts a process that only works, and waits until it takes jobs. `name`: of its folder.
    pub async fn worker(&self, name: &str, more: &[(&str, &str)]) -> Bot {
        let mut worker = self.part(name, &["worker"], more);
        let log = worker.log().clone();
        worker.during(log.line("that it takes jobs", |line| line.contains("taking jobs"))).await;
        worker
    }

    /// Everything that is left in the download folder: half files, job folders, kept files.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        left_in(&self.downloads())
    }

    /// Kept files that no note names, and notes that were never finished.
    pub fn unreferenced(&self) -> Vec<PathBuf> {
        let (mut found, artifacts) = (Vec::new(), self.downloads().join(".artifacts"));
        walk(&artifacts, &mut found);
        found.retain(|path| *path != artifacts.join("lock"));
        let (notes, mut others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|path| path.extension().is_some_and(|extension| extension == "json"));
        let notes: String = notes.iter().filter_map(|note| std::fs::read_to_string(note).ok()).collect();
        others.retain(|path| !path.file_name().is_some_and(|name| notes.contains(&*name.to_string_lossy())));
        others
    }
}

/// The files in a download folder, apart from those that are kept on purpose for whoever asks for the same.
pub fn left_in(downloads: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(downloads, &mut found);
    found.retain(|path| !path.starts_with(downloads.join(".artifacts")));
    found.sort();
    found
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            _ => found.push(entry.path()),
        }
    }
}
