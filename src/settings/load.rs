//! Loads the settings: lays the sources over one another, checks every value, and remembers where each came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::{
    parse,
    resilience::PLATFORM_KEYS,
    schema::{DatabaseUrl, PlatformSettings, Settings},
    sources::{self, Given},
    table::{COOKIES_FILE, COOKIES_FROM_BROWSER, PLATFORM_SPECS, SPECS, USE_API_CLIENT},
};

/// The first makes no sense without the second.
const TOGETHER: [(&str, &str); 8] = [
    ("STORE_DIR", "STORE_URL"),
    ("STORE_URL", "STORE_DIR"),
    ("S3_BUCKET", "S3_URL"),
    ("S3_BUCKET", "S3_ACCESS_KEY_ID"),
    ("S3_BUCKET", "S3_SECRET_ACCESS_KEY"),
    ("S3_URL", "S3_BUCKET"),
    ("S3_PUBLIC_URL", "S3_BUCKET"),
    ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"),
];

/// `config/default.toml` as it was when this was built.
pub(super) const DEFAULT_TOML: &str = include_str!("../../config/default.toml");

/// The word that stands for a secret's value wherever values are shown.
const MASK: &str = "[masked]";

/// What the settings are loaded from, beyond what is built in.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The folder with `config/local.toml` and `.env`.
    pub dir: PathBuf,
    /// `--config`: a TOML file to read instead of `config/local.toml`. It must exist.
    pub config: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Settings given on the command line, by environment name. They win over everything.
    pub set: Vec<(String, String)>,
}

impl Overrides {
    /// The working directory and this process's environment. Values that are no UTF-8 lose what is not.
    pub fn process() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { env, ..Self::default() }
    }
}

/// The settings, with where each came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Every setting as `config show` prints it.
    pub entries: Vec<Entry>,
    /// What looks like a mistake and is none for sure, for example a misspelt name.
    pub warnings: Vec<String>,
}

/// One setting, fit to be shown: the value of a secret is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its environment name.
    pub name: String,
    /// Its place in TOML.
    pub path: String,
    /// Its value as it was written; `None` when it is unset.
    pub value: Option<String>,
    /// Where it came from: `default`, a file, `.env line 3`, `environment`, `command line`.
    pub source: String,
    /// Whether it is a secret.
    pub secret: bool,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The setting's environment name; empty when a whole source cannot be read.
    pub name: String,
    /// Its value, masked when it is a secret.
    pub value: String,
    /// Where it was written.
    pub source: String,
    /// What was expected.
    pub expected: String,
}

impl Problem {
    pub(super) fn of_source(source: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { name: String::new(), value: String::new(), source: source.into(), expected: expected.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "{}: {}", self.source, self.expected)
        } else {
            write!(f, "{} = {:?} ({}): {}", self.name, self.value, self.source, self.expected)
        }
    }
}

/// Everything that is wrong with the settings, at once.
#[derive(Debug, thiserror::Error)]
#[error("the settings can't be used:{}", problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
pub struct SettingsError {
    /// What is wrong, in the order of the table.
    pub problems: Vec<Problem>,
    /// What looks wrong besides.
    pub warnings: Vec<String>,
}

/// Loads the settings. Later sources win: built-in defaults (`config/default.toml` as compiled in), `config/local.toml` or
/// `--config`, `.env`, the environment, the command line. An empty text counts as not written.
///
/// # Errors
/// Every value that cannot be used, with its name, its source and what was expected.
pub fn load(overrides: &Overrides) -> Result<Loaded, SettingsError> {
    let (mut warnings, mut problems) = (Vec::new(), Vec::new());
    let mut layers = Vec::new();
    match sources::toml(DEFAULT_TOML, "default", &mut warnings) {
        Ok(given) => layers.extend(given),
        Err(problem) => problems.push(problem),
    }
    layers.extend(config_file(overrides, &mut warnings, &mut problems));
    match sources::read(&overrides.dir.join(".env")) {
        Ok(text) => {
            layers.extend(sources::dot_env(text.as_deref().unwrap_or_default(), ".env", &mut warnings, &mut problems));
        }
        Err(problem) => problems.push(problem),
    }
    layers.extend(sources::environment(&overrides.env, &mut warnings));
    let line = overrides.set.iter().filter_map(|(name, text)| {
        let path = sources::path_of(name)?;
        Some(Given { path, text: text.trim().to_owned(), source: "command line".to_owned() })
    });
    layers.extend(line);

    let won = sources::overlay(layers);
    let (settings, entries) = apply(&won, &mut warnings, &mut problems);
    if problems.is_empty() {
        Ok(Loaded { settings, entries, warnings })
    } else {
        Err(SettingsError { problems, warnings })
    }
}

fn config_file(overrides: &Overrides, warnings: &mut Vec<String>, problems: &mut Vec<Problem>) -> Vec<Given> {
    let local = Path::new("config").join("local.toml");
    let (path, shown) = match &overrides.config {
        Some(path) => (path.clone(), path.display().to_string()),
        None => (overrides.dir.join(&local), local.display().to_string()),
    };
    let given = sources::read(&path).and_then(|text| match text {
        Some(text) => sources::toml(&text, &shown, warnings),
        None if overrides.config.is_some() => Err(Problem::of_source(&shown, "there is no such file")),
        None => Ok(Vec::new()),
    });
    given.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    })
}

/// Puts every text in its place.
fn apply(
    won: &BTreeMap<String, (String, String)>,
    warnings: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> (Settings, Vec<Entry>) {
    let mut settings = Settings::default();
    let mut entries = Vec::new();
    for spec in SPECS.iter() {
        let mut entry = Entry {
            name: spec.name.to_owned(),
            path: spec.path.to_owned(),
            value: None,
            source: "default".to_owned(),
            secret: spec.secret,
        };
        if let Some((text, source)) = won.get(spec.path) {
            let shown = if spec.secret { MASK.to_owned() } else { without_credentials(text) };
            if let Err(expected) = (spec.apply)(&mut settings, text) {
                problems.push(Problem {
                    name: entry.name.clone(),
                    value: shown.clone(),
                    source: source.clone(),
                    expected,
                });
            }
            entry.value = Some(shown);
            entry.source.clone_from(source);
        }
        entries.push(entry);
    }
    for (set, unset) in TOGETHER {
        let value = |name: &str| entries.iter().find(|entry| entry.name == name && entry.value.is_some());
        let wrong = problems.iter().any(|problem| problem.name == set);
        if let (Some(entry), None, false) = (value(set), value(unset), wrong) {
            problems.push(Problem {
                name: set.to_owned(),
                value: entry.value.clone().unwrap_or_default(),
                source: entry.source.clone(),
                expected: format!("{unset} belongs to it and is not set"),
            });
        }
    }
    if !won.contains_key("tools.dir") {
        settings.tools.dir = settings.tools.data_dir.join("tools");
    }
    if !won.contains_key("database.url") {
        settings.database.url = DatabaseUrl::Sqlite(settings.tools.data_dir.join("boss-bot.db"));
    }
    entries.extend(PLATFORM_SPECS.iter().filter_map(|spec| {
        let path = format!("platforms.{}.{}", spec.platform, spec.key);
        (!won.contains_key(&path)).then(|| Entry {
            name: spec.name(),
            path,
            value: None,
            source: "default".to_owned(),
            secret: spec.secret,
        })
    }));
    for (path, (text, source)) in won {
        let Some((platform, key)) = path.strip_prefix("platforms.").and_then(|rest| rest.split_once('.')) else {
            continue;
        };
        let spec = PLATFORM_SPECS.iter().find(|spec| spec.platform == platform && spec.key == key);
        // A key that nobody documented may be anything: treat it as a secret.
        let general = PLATFORM_KEYS.iter().find(|general| general.key == key);
        let common = general.is_some() || matches!(key, COOKIES_FILE | COOKIES_FROM_BROWSER);
        let secret = !common && spec.is_none_or(|spec| spec.secret);
        let name = sources::name_of(path);
        if let (None, false, Some(near)) = (spec, common, sources::near_platform_key(platform, key)) {
            let near = sources::name_of(&format!("platforms.{platform}.{near}"));
            warnings.push(format!("{source}: unknown setting {name}, did you mean {near}?"));
        }
        let shown = if secret { MASK.to_owned() } else { text.clone() };
        entries.push(Entry {
            name: name.clone(),
            path: path.clone(),
            value: Some(shown.clone()),
            source: source.clone(),
            secret,
        });
        if source == "default" {
            // Platforms find these in the table; `params` holds what the operator said.
            continue;
        }
        let platform = settings.platforms.entry(platform.to_owned()).or_insert_with(PlatformSettings::default);
        let read = match key {
            _ if general.is_some() => general.map_or(Ok(()), |general| (general.apply)(platform, text)),
            USE_API_CLIENT => parse::boolean(text).map(|on| platform.use_api_client = Some(on)),
            COOKIES_FILE => parse::file(text).map(|path| platform.cookies_file = Some(path)),
            COOKIES_FROM_BROWSER => parse::browser(text).map(|browser| platform.cookies_from_browser = Some(browser)),
            _ => {
                platform.params.insert(key.to_owned(), SecretString::from(text.clone()));
                Ok(())
            }
        };
        if let Err(expected) = read {
            problems.push(Problem { name, value: shown, source: source.clone(), expected });
        }
    }
    (settings, entries)
}

/// Addresses may carry a user name and password.
fn without_credentials(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // Both only fail for URLs that cannot have user information.
            let _ = url.set_username("masked");
            let _ = url.set_password(None);
            url.into()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Overrides {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Overrides { dir: "/nonexistent".into(), env, ..Overrides::default() }
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn entry<'a>(loaded: &'a Loaded, name: &str) -> &'a Entry {
        loaded.entries.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn without_any_source_the_defaults_of_the_table_are_those_of_the_program() {
        let loaded = load(&env(&[])).unwrap();
        let mut expected = Settings::default();
        for path in [&mut expected.downloads.dir, &mut expected.tools.data_dir, &mut expected.tools.dir] {
            *path = std::path::absolute(&*path).unwrap();
        }
        expected.database.url = DatabaseUrl::Sqlite(std::path::absolute("data/boss-bot.db").unwrap());
        assert_eq!(format!("{:#?}", loaded.settings), format!("{expected:#?}"));
        assert_eq!(loaded.warnings, Vec::<String>::new());
        assert!(loaded.entries.iter().all(|entry| entry.source == "default"));
    }

    #[test]
    fn later_sources_win_and_are_remembered() {
        let dir = folder(&[
            (
                "config/local.toml",
                "[downloads]\nmax_concurrent = 2\nmax_file_size = \"1GB\"\n[log]\nlevel = \"debug\"\n[network]\nallow_private = [\"10.0.0.5:8080\", \"nas.lan:80\"]\n",
            ),
            (".env", "# a comment\nMAX_CONCURRENT_DOWNLOADS=3\nexport LOG_LEVEL=trace\nPREFIX='!'\n"),
        ]);
        let overrides = Overrides { dir: dir.path().into(), ..env(&[("LOG_LEVEL", "warn"), ("PREFIX", "")]) };
        let loaded = load(&overrides).unwrap();
        assert_eq!(loaded.settings.downloads.max_file_bytes, 1 << 30);
        assert_eq!(loaded.settings.downloads.max_concurrent, 3);
        assert_eq!(loaded.settings.log.level, "warn");
        assert_eq!(loaded.settings.discord.prefix, "!", "an empty variable counts as not set");
        assert_eq!(loaded.settings.network.allow_private.len(), 2);
        assert_eq!(entry(&loaded, "MAX_FILE_SIZE").source, "config/local.toml");
        assert_eq!(entry(&loaded, "MAX_CONCURRENT_DOWNLOADS").source, ".env line 2");
        assert_eq!(entry(&loaded, "PREFIX").source, ".env line 4");
        assert_eq!(entry(&loaded, "LOG_LEVEL").source, "environment");
        assert_eq!(entry(&loaded, "UPLOAD_BATCH_SIZE_MB").source, "default");
        let overrides = Overrides { set: vec![("LOG_LEVEL".into(), "error".into())], ..overrides };
        assert_eq!(load(&overrides).unwrap().settings.log.level, "error");
    }

    #[test]
    fn every_problem_is_told_at_once_with_name_value_and_source() {
        let dir = folder(&[(".env", "UPLOAD_MAX_FILES_PER_BATCH=11\nDISCORD_TOKEN='two words'\n")]);
        let overrides = Overrides { dir: dir.path().into(), ..env(&[("MAX_CONCURRENT_DOWNLOADS", "many")]) };
        let told = load(&overrides).unwrap_err().to_string();
        for part in [
            "MAX_CONCURRENT_DOWNLOADS = \"many\" (environment): expected a whole number from 1 to 64",
            "UPLOAD_MAX_FILES_PER_BATCH = \"11\" (.env line 1): expected a whole number from 1 to 10",
            "DISCORD_TOKEN = \"[masked]\" (.env line 2)",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("two words"), "{told}");
    }

    #[test]
    fn every_setting_of_the_table_refuses_nonsense_or_takes_any_text() {
        let free = ["DOWNLOAD_DIR", "DATA_DIR", "TOOLS_DIR"];
        for spec in SPECS.iter().filter(|spec| !free.contains(&spec.name)) {
            let error = load(&env(&[(spec.name, "never \u{1F4A9} valid")])).map(|_| spec.name).unwrap_err();
            assert_eq!(error.problems.iter().map(|problem| problem.name.as_str()).collect::<Vec<_>>(), [spec.name]);
        }
    }

    #[test]
    fn broken_files_are_named_without_quoting_them() {
        let dir = folder(&[
            ("config/local.toml", "[discord]\ntoken = \"hunter2\n"),
            (".env", "X=1\nDISCORD_TOKEN=hun ter2\n"),
        ]);
        let told = load(&Overrides { dir: dir.path().into(), ..env(&[]) }).unwrap_err().to_string();
        assert!(told.contains("config/local.toml: TOML parse error at line 2"), "{told}");
        assert!(told.contains(".env line 2"), "{told}");
        assert!(!told.contains("hunter2") && !told.contains("ter2"), "{told}");
        let told = load(&Overrides { config: Some("/nonexistent.toml".into()), ..env(&[]) }).unwrap_err().to_string();
        assert!(told.contains("/nonexistent.toml: there is no such file"), "{told}");
    }

    #[test]
    fn misspelt_names_are_pointed_out_and_strangers_left_alone() {
        let dir = folder(&[
            ("config/local.toml", "[downloads]\nmax_concurent = 2\n[nonsense]\nx = 1\n"),
            (".env", "NOT_OURS=1\n"),
        ]);
        let loaded = load(&Overrides {
            dir: dir.path().into(),
            ..env(&[("DISCORD_TOKN", "hunter2"), ("REDDIT_CLIENT_SECRT", "hunter2"), ("HOME", "/"), ("PREFIXES", "a")])
        })
        .unwrap();
        let told = loaded.warnings.join("\n");
        for part in [
            "unknown setting `downloads.max_concurent`, did you mean `downloads.max_concurrent`?",
            "unknown setting `nonsense.x`",
            ".env line 1: unknown setting NOT_OURS",
            "environment: unknown setting DISCORD_TOKN, did you mean DISCORD_TOKEN?",
            "environment: unknown setting REDDIT_CLIENT_SECRT, did you mean REDDIT_CLIENT_SECRET?",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert_eq!(loaded.warnings.len(), 5, "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn platforms_get_their_flags_and_parameters() {
        let dir = folder(&[(
            "config/local.toml",
            "[platforms.youtube]\nuse_api_client = false\nplayer_client = \"visionos\"\n",
        )]);
        let loaded = load(&Overrides {
            dir: dir.path().into(),
            ..env(&[("TWITTER_USE_API_CLIENT", "no"), ("REDDIT_CLIENT_SECRET", "hunter2")])
        })
        .unwrap();
        let platforms = &loaded.settings.platforms;
        assert_eq!(platforms["twitter"].use_api_client, Some(false));
        assert_eq!(platforms["youtube"].use_api_client, Some(false));
        assert_eq!(platforms["youtube"].params["player_client"].expose_secret(), "visionos");
        assert_eq!(platforms["reddit"].params["client_secret"].expose_secret(), "hunter2");
        assert_eq!(entry(&loaded, "REDDIT_CLIENT_SECRET").value.as_deref(), Some("[masked]"));
        assert!(!format!("{loaded:?}").contains("hunter2"));
        let error = load(&env(&[("REDDIT_USE_API_CLIENT", "perhaps")])).unwrap_err();
        assert_eq!(error.problems[0].name, "REDDIT_USE_API_CLIENT");
    }

    #[test]
    fn the_tools_live_in_the_data_folder_unless_told_otherwise() {
        let loaded = load(&env(&[("DATA_DIR", "/var/lib/boss")])).unwrap();
        assert_eq!(loaded.settings.tools.dir, Path::new("/var/lib/boss/tools"));
        let loaded = load(&env(&[("DATA_DIR", "/var/lib/boss"), ("TOOLS_DIR", "/opt/tools")])).unwrap();
        assert_eq!(loaded.settings.tools.dir, Path::new("/opt/tools"));
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let loaded = load(&env(&[("NETWORK_PROXY", "http://ann:hunter2@proxy.lan:3128")])).unwrap();
        assert_eq!(entry(&loaded, "NETWORK_PROXY").value.as_deref(), Some("http://masked@proxy.lan:3128/"));
    }
}
