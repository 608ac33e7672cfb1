//! What the doctor looks at.

use std::{
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use nix::sys::statvfs::statvfs;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::{super::Exit, super::output::size, Finding};
use crate::{
    app::App,
    jobs::store::{JobStore, StoreError, care},
    model::{Result, Tool},
    net::SessionState,
    platforms,
    settings::{DatabaseUrl, Settings},
    tools::{
        process::{self, Limits, Line, Spawn},
        provision,
    },
};

/// How long a program may take to tell its version. A cold start on a slow disk takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long Discord may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Below this the disk is as good as full: a few large videos at once, with their encodes.
const SPACE_TIGHT: u64 = 2 << 30;
/// Below this not even one video has room.
const SPACE_NONE: u64 = 256 << 20;

/// The oldest deno that yt-dlp takes (its own `MIN_SUPPORTED_VERSION`). It is the one JavaScript runtime that yt-dlp uses
/// without being told to.
const OLDEST_DENO: (u32, u32) = (2, 3);

/// The permissions a bot needs: view channels, send messages (in threads too), embed links, attach files, read history.
const PERMISSIONS: u64 = (1 << 10) | (1 << 11) | (1 << 38) | (1 << 14) | (1 << 15) | (1 << 16);

/// `GATEWAY_MESSAGE_CONTENT` and its `_LIMITED` form among an application's flags.
const MESSAGE_CONTENT: u64 = (1 << 18) | (1 << 19);

const TOOLS_ADVICE: &str = "run `boss-bot doctor --fix`";
const FFMPEG_ADVICE: &str = "install ffmpeg (Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg) or set FFMPEG_PATH and FFPROBE_PATH";

/// Everything, in the order a person would look.
pub(super) async fn all(app: &App) -> Vec<Finding> {
    let settings = &app.settings;
    let (yt_dlp, gallery_dl, ffmpeg, ffprobe, hardware, runtime, database, bucket, store, token) = tokio::join!(
        extractor(app, Tool::YtDlp),
        extractor(app, Tool::GalleryDl),
        ffmpeg(app),
        ffprobe(app),
        hardware(app),
        javascript(),
        database(&settings.database.url),
        bucket(app),
        store(app),
        token(app),
    );
    let mut found = vec![yt_dlp, gallery_dl, ffmpeg, ffprobe];
    found.extend(hardware);
    found.push(runtime);
    found.push(folder("downloads", "DOWNLOAD_DIR", &settings.downloads.dir));
    found.push(folder("data", "DATA_DIR", &settings.tools.data_dir));
    found.push(space(settings));
    found.push(database);
    found.extend(bucket);
    found.extend(store);
    found.extend(app.strategy.sessions().files().into_iter().map(|(_, path)| cookies(path)));
    found.extend(sessions(app));
    found.push(token);
    found
}

async fn extractor(app: &App, tool: Tool) -> Finding {
    let name = tool.name();
    match app.tools.version(tool).await {
        Ok(version) if provision::is_current(&app.settings.tools.dir) => {
            Finding::ok(name, format!("{version}, as pinned"))
        }
        Ok(version) if pinned(name) == Some(plain(&version)) => Finding::ok(name, version),
        Ok(version) => {
            let pinned = pinned(name).unwrap_or_default();
            Finding::warn(name, format!("{version}; this build was tried with {pinned}"), TOOLS_ADVICE)
        }
        Err(error) => Finding::fail(name, Exit::Missing, error.operator_text(), TOOLS_ADVICE),
    }
}

/// The version in the list of what is installed, as dotted numbers without leading zeros.
fn pinned(tool: &str) -> Option<String> {
    let prefix = format!("{tool}==");
    let line = provision::REQUIREMENTS.lines().find_map(|line| line.strip_prefix(&prefix))?;
    line.split_whitespace().next().map(plain)
}

fn plain(version: &str) -> String {
    let part = |part: &str| part.parse::<u64>().map_or_else(|_| part.to_owned(), |number| number.to_string());
    version.split('.').map(part).collect::<Vec<_>>().join(".")
}

async fn ffmpeg(app: &App) -> Finding {
    let program = match app.tools.ffmpeg() {
        Ok(program) => program,
        Err(error) => return Finding::fail("ffmpeg", Exit::Missing, error.operator_text(), FFMPEG_ADVICE),
    };
    let (version, encoders) = tokio::join!(
        output("ffmpeg", program, &["-hide_banner", "-version"]),
        output("ffmpeg", program, &["-hide_banner", "-encoders"]),
    );
    match (version, encoders) {
        (Ok(version), Ok(encoders)) => {
            let lacks: Vec<&str> = ["libx264", "aac"]
                .into_iter()
                .filter(|name| !encoders.split_whitespace().any(|word| word == *name))
                .collect();
            if lacks.is_empty() {
                Finding::ok("ffmpeg", format!("{}, with libx264 and aac", first_version(&version)))
            } else {
                let found = format!("{} lacks the encoders {}", first_version(&version), lacks.join(" and "));
                Finding::fail("ffmpeg", Exit::Missing, found, FFMPEG_ADVICE)
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            Finding::fail("ffmpeg", Exit::Missing, error.operator_text(), FFMPEG_ADVICE)
        }
    }
}

async fn ffprobe(app: &App) -> Finding {
    let version = match app.tools.ffprobe() {
        Ok(program) => output("ffprobe", program, &["-hide_banner", "-version"]).await,
        Err(error) => Err(error),
    };
    match version {
        Ok(version) => Finding::ok("ffprobe", first_version(&version)),
        Err(error) => Finding::fail("ffprobe", Exit::Missing, error.operator_text(), FFMPEG_ADVICE),
    }
}

/// The hardware encoders that the operator allows, if any.
async fn hardware(app: &App) -> Option<Finding> {
    const NAME: &str = "hardware";
    let checks = app.media.hardware().await;
    if let Some(works) = checks.iter().find(|check| check.fault.is_none()) {
        return Some(Finding::ok(NAME, format!("{} works", works.encoder)));
    }
    let faults: Vec<_> =
        checks.iter().filter_map(|check| Some(format!("{}: {}", check.encoder, check.fault.as_deref()?))).collect();
    let advice = "videos are encoded in software; set COMPRESSION_HARDWARE to off, or install the driver and let the bot's \
                  user open the device";
    (!faults.is_empty()).then(|| Finding::warn(NAME, faults.join("; "), advice))
}

/// `ffmpeg version 5.1.9-0+deb12u1 Copyright …` → `5.1.9-0+deb12u1`.
fn first_version(text: &str) -> String {
    let mut words = text.split_whitespace().skip_while(|word| *word != "version");
    words.nth(1).unwrap_or("of unknown version").to_owned()
}

/// yt-dlp asks a JavaScript runtime to solve YouTube's riddles; without one some formats are missing.
async fn javascript() -> Finding {
    const NAME: &str = "JavaScript";
    let (oldest, minor) = OLDEST_DENO;
    let lacking = |found: String| {
        let found = format!("{found}: YouTube works, with fewer formats");
        Finding::warn(NAME, found, format!("install deno {oldest}.{minor} or later (https://deno.com)"))
    };
    let Some(program) = in_path("deno") else { return lacking("no deno in PATH".into()) };
    match output("deno", &program, &["--version"]).await {
        Ok(text) if deno_version(&text) >= Some(OLDEST_DENO) => {
            let version = text.split_whitespace().nth(1).unwrap_or_default();
            Finding::ok(NAME, format!("deno {version}"))
        }
        Ok(text) => lacking(format!("{} is too old", text.lines().next().unwrap_or("deno"))),
        Err(error) => lacking(error.operator_text().to_owned()),
    }
}

/// `deno 2.5.1 (stable, …)` → `(2, 5)`.
fn deno_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|candidate| {
        candidate.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

/// Runs a program in the sandbox and gives back what it printed.
async fn output(tool: &'static str, program: &Path, args: &[&str]) -> Result<String> {
    let home = tempfile::tempdir()?;
    let spawn = Spawn {
        tool,
        program: program.to_owned(),
        args: args.iter().map(OsString::from).collect(),
        env: Vec::new(),
        dir: home.path().to_owned(),
        limits: Limits { deadline: PATIENCE, file_bytes: None, memory_bytes: None, nice: 0 },
    };
    let mut text = String::new();
    process::run(spawn, &CancellationToken::new(), &mut |line| {
        if let Line::Out(line) = line {
            text.push_str(line);
            text.push('\n');
        }
    })
    .await?;
    Ok(text)
}

/// Whether files can be made there. A folder that is missing is made when it is needed, so its parent is asked.
fn folder(name: &'static str, setting: &str, dir: &Path) -> Finding {
    let there = dir.ancestors().find(|candidate| candidate.exists()).unwrap_or(dir);
    match tempfile::tempfile_in(there) {
        Ok(_) => Finding::ok(name, dir.display().to_string()),
        Err(error) => {
            let found = format!("{} cannot be written to: {error}", there.display());
            Finding::fail(
                name,
                Exit::Settings,
                found,
                format!("give the bot's user the right to write there, or change {setting}"),
            )
        }
    }
}

fn space(settings: &Settings) -> Finding {
    let dir = &settings.downloads.dir;
    let there = dir.ancestors().find(|candidate| candidate.exists()).unwrap_or(dir);
    let free = match statvfs(there) {
        // Both are 32 or 64 bits wide depending on the system.
        Ok(stat) => {
            let bytes = u128::from(stat.blocks_available()) * u128::from(stat.fragment_size());
            u64::try_from(bytes).unwrap_or(u64::MAX)
        }
        Err(error) => return Finding::warn("disk", format!("free space is unknown: {error}"), "look yourself"),
    };
    let found = format!("{} free for downloads", size(free));
    let advice = "free some space, or move DOWNLOAD_DIR to a larger disk";
    match free {
        _ if free < SPACE_NONE => Finding::fail("disk", Exit::Settings, found, advice),
        _ if free < SPACE_TIGHT => Finding::warn("disk", found, advice),
        _ => Finding::ok("disk", found),
    }
}

async fn database(url: &DatabaseUrl) -> Finding {
    match care::check(url).await {
        Ok(checked) => {
            let found = format!("{}: {}", checked.place, size(checked.bytes));
            // Looking must not change the tables.
            let waiting = if checked.version == checked.known { unattended(url).await } else { 0 };
            let advice = "start `boss-bot run`, or `boss-bot worker` where a gateway runs";
            match waiting {
                0 => Finding::ok("database", found),
                jobs => {
                    Finding::warn("database", format!("{found}; {jobs} jobs wait and nobody works on them"), advice)
                }
            }
        }
        // No fault before the first start.
        Err(StoreError::Missing(path)) => {
            Finding::ok("database", format!("{} comes with the first start", path.display()))
        }
        Err(StoreError::Fresh) => Finding::ok("database", "empty; its tables come with the first start"),
        Err(error) => {
            let advice = "`boss-bot db check` looks at it alone; docs/operating.md says more";
            Finding::fail("database", Exit::Settings, error.to_string(), advice)
        }
    }
}

/// Jobs that wait while nobody works; none where that cannot be told.
async fn unattended(url: &DatabaseUrl) -> usize {
    let Ok(store) = JobStore::open(url).await else { return 0 };
    let waiting = store.unattended().await;
    store.close().await;
    waiting.unwrap_or_default()
}

/// The bucket that several machines share.
async fn bucket(app: &App) -> Option<Finding> {
    let checked = app.bucket.as_ref()?.check().await;
    Some(match checked {
        Ok(()) => {
            Finding::ok("bucket", format!("{} takes and gives", app.settings.bucket.name.as_deref().unwrap_or("S3")))
        }
        Err(error) => Finding::fail(
            "bucket",
            Exit::Settings,
            error.operator_text(),
            "look at S3_URL, S3_BUCKET and the keys; the bot must be allowed to put, get, list and delete objects",
        ),
    })
}

/// Where files go that are too large to be sent. Whether members reach it cannot be seen from here.
async fn store(app: &App) -> Option<Finding> {
    let (store, settings) = (app.store.as_ref()?, &app.settings.store);
    let contents = match store.check().await {
        Ok(()) => store.contents().await,
        Err(error) => Err(error),
    };
    Some(match contents {
        Ok(held) => {
            let url = store.name();
            let (hours, most) = (settings.keep.as_secs() / 3600, size(settings.max_bytes));
            Finding::ok("store", format!("{url} for {hours} h: {} files, {} of {most}", held.files, size(held.bytes)))
        }
        Err(error) => Finding::fail(
            "store",
            Exit::Settings,
            error.operator_text(),
            "give the bot the right to write there, or change STORE_DIR or the S3 settings",
        ),
    })
}

/// Cookies are as good as passwords.
fn cookies(path: &Path) -> Finding {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.strip_prefix("#HttpOnly_").unwrap_or(line));
    let count = lines.filter(|line| !line.starts_with('#') && line.split('\t').count() >= 7).count();
    let open = path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0);
    match (count, open) {
        (0, _) => Finding::warn(
            "cookies",
            format!("{} holds no cookies in Netscape format", path.display()),
            "export them with a browser extension that writes cookies.txt",
        ),
        (_, true) => Finding::warn(
            "cookies",
            format!("{count} cookies that other users of this machine can read"),
            format!("chmod 600 {}", path.display()),
        ),
        (_, false) => Finding::ok("cookies", format!("{count} cookies")),
    }
}

/// The sessions that the cookies hold, as far as their dates tell. Platforms without one are left out.
fn sessions(app: &App) -> Vec<Finding> {
    const ADVICE: &str = "sign in again with a browser and export the cookies anew";
    let now = Utc::now();
    let states = app.registry.iter().filter_map(|platform| {
        let scope = platforms::scope(platform, None);
        Some((platform.name(), app.strategy.sessions().state(scope, now)?))
    });
    let finding = |(name, state)| match state {
        SessionState::Good => Finding::ok("session", format!("{name}: signed in")),
        SessionState::Browser => Finding::ok("session", format!("{name}: by a browser's cookies (the tools only)")),
        SessionState::EndsSoon { at } => Finding::warn("session", format!("{name}: ends on {}", day(at)), ADVICE),
        SessionState::Expired { at } => Finding::warn("session", format!("{name}: ended on {}", day(at)), ADVICE),
        SessionState::Refused { .. } => Finding::warn("session", format!("{name}: refused"), ADVICE),
        SessionState::Unreadable => Finding::warn(
            "session",
            format!("{name}: the cookies file cannot be read"),
            "check its path and its permissions",
        ),
    };
    states.map(finding).collect()
}

fn day(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d")
}

/// Asks Discord whose token it is.
async fn token(app: &App) -> Finding {
    const NAME: &str = "Discord";
    let Some(token) = &app.settings.discord.token else {
        let advice = "`boss-bot run` needs one: https://discord.com/developers/applications → your application → Bot → Reset Token";
        return Finding::warn(NAME, "DISCORD_TOKEN is not set", advice);
    };
    let client = match app.egress.discord(app.settings.discord.api_address) {
        Ok(client) => client,
        Err(error) => return Finding::fail(NAME, Exit::Settings, error.operator_text(), "look at NETWORK_CA_FILE"),
    };
    let asked = client
        .get("https://discord.com/api/v10/oauth2/applications/@me")
        .header("Authorization", format!("Bot {}", token.expose_secret()))
        .timeout(ANSWER)
        .send()
        .await;
    let offline = |why: String| Finding::warn(NAME, why, "try again when this machine is online");
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return offline("Discord did not answer".into()),
        Err(_) => return offline("Discord cannot be reached from here, so the token was not checked".into()),
    };
    match answer.status().as_u16() {
        200 => {}
        401 => {
            let advice = "make a new one (Bot → Reset Token) and put it into DISCORD_TOKEN";
            return Finding::fail(NAME, Exit::Settings, "Discord does not know this token", advice);
        }
        status => return offline(format!("Discord answered {status}, so the token was not checked")),
    }
    let application: serde_json::Value = answer.json().await.unwrap_or_default();
    let name = application["name"].as_str().unwrap_or("an application");
    let id = application["id"].as_str().unwrap_or_default();
    let invite = format!(
        "to add it to a server: https://discord.com/oauth2/authorize?client_id={id}&scope=bot+applications.commands&permissions={PERMISSIONS}"
    );
    let flags = application["flags"].as_u64().unwrap_or(MESSAGE_CONTENT);
    if flags & MESSAGE_CONTENT == 0 {
        let advice = format!(
            "switch on MESSAGE CONTENT INTENT on the application's Bot page, or use slash commands and mentions only; {invite}"
        );
        return Finding::warn(
            NAME,
            format!("the token is {name}'s, which may not read messages: text commands won't work"),
            advice,
        );
    }
    Finding { advice: Some(invite), ..Finding::ok(NAME, format!("the token is {name}'s")) }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(plain("2026.01.09"), "2026.1.9");
        assert!(pinned("yt-dlp").is_some_and(|version| version.starts_with("20")));
        assert!(pinned("gallery-dl").is_some());
        assert_eq!(pinned("no-such-tool"), None);
        assert!(deno_version("deno 2.5.1 (stable, release)") >= Some(OLDEST_DENO));
        assert!(deno_version("deno 2.1.0") < Some(OLDEST_DENO) && deno_version("what") < Some(OLDEST_DENO));
        assert_eq!(first_version("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)"), "5.1.9-0+deb12u1");
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_found_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("a/b");
        assert_eq!(folder("downloads", "DOWNLOAD_DIR", &missing).state, State::Ok);
        assert!(!dir.path().join("a").exists());
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(folder("downloads", "DOWNLOAD_DIR", &file.join("b")).state, State::Fail);
    }

    #[test]
    fn cookies_that_everybody_can_read_are_pointed_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookies.txt");
        std::fs::write(&path, ".x.com\tTRUE\t/\tTRUE\t0\tname\tvalue\n").unwrap();
        for (mode, state) in [(0o600, State::Ok), (0o644, State::Warn)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(cookies(&path).state, state, "{mode:o}");
        }
        std::fs::write(&path, "nothing").unwrap();
        assert_eq!(cookies(&path).state, State::Warn);
    }
}
