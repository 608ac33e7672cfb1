//! `boss-bot new-platform`: the files a new platform starts from.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Exit, output};
use crate::{
    model::{Error, Result},
    net::cassette::{self, Body, Exchange},
};

/// What every platform's file looks like before it knows anything.
const TEMPLATE: &str = include_str!("new_platform/platform.rs.in");

/// What stands in for an answer until there is one.
const NO_ANSWER: &str = "{\n  \"title\": \"A title\",\n  \"url\": \"https://cdn.example/video.mp4\"\n}\n";

/// Write the files that a new platform starts from: in a copy of the source code
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot new-platform peertube
  boss-bot fetch --record rec https://video.example/w/abc; boss-bot new-platform peertube --from-cassette rec

docs/adding-a-platform.md tells what comes next.")]
pub(super) struct Args {
    /// Its short name: lower-case letters and digits
    #[arg(value_name = "NAME")]
    name: String,

    /// A recording (`fetch --record`): its hosts and its first answer in JSON are filled in
    #[arg(long, value_name = "DIR")]
    from_cassette: Option<PathBuf>,
}

/// What a recording tells.
struct Known {
    hosts: Vec<String>,
    api: String,
    answer: String,
}

pub(super) fn execute(args: &Args) -> Exit {
    match write(args, Path::new(".")) {
        Ok(told) => output::print(|out| out.write_all(told.as_bytes())),
        Err(error) => {
            eprintln!("boss-bot: {}", error.operator_text());
            Exit::Usage
        }
    }
}

/// Writes the files below `root`, and says what is left to do.
fn write(args: &Args, root: &Path) -> Result<String> {
    let name = args.name.as_str();
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !letters || !name.starts_with(|first: char| first.is_ascii_lowercase()) || name.len() > 32 {
        return Err(Error::internal("a platform's name has lower-case letters and digits only"));
    }
    let platforms = root.join("src/platforms");
    if !platforms.join("mod.rs").is_file() {
        return Err(Error::internal("src/platforms/mod.rs is not here: run it in a copy of the source code"));
    }
    let known = match &args.from_cassette {
        Some(dir) => known(name, &cassette::exchanges(dir)?),
        None => Known {
            hosts: vec![format!("{name}.example")],
            api: format!("https://api.{name}.example/posts/"),
            answer: NO_ANSWER.to_owned(),
        },
    };
    let Some(host) = known.hosts.first() else { return Err(Error::internal("the recording holds no host")) };
    let kind = kind(name);
    let hosts = known.hosts.iter().map(|host| format!("{host:?}")).collect::<Vec<_>>().join(", ");
    let text = TEMPLATE
        .replace("@NAME@", name)
        .replace("@TYPE@", &kind)
        .replace("@HOSTS@", &hosts)
        .replace("@HOST@", host)
        .replace("@DOMAIN@", host.strip_prefix("www.").unwrap_or(host))
        .replace("@API@", &known.api);
    let (file, fixture) = (platforms.join(format!("{name}.rs")), format!("fixtures/platforms/{name}/post.json"));
    create(&file, &text)?;
    create(&root.join(&fixture), &known.answer)?;
    Ok(format!(
        "src/platforms/{name}.rs and {fixture} are written.\n\n\
         Two lines are left to write, in src/platforms/mod.rs:\n\n    \
         mod {name};\n                Box::new({name}::{kind}),\n\n\
         the second into `Registry::standard`, before `mastodon`. Then:\n\n    \
         cargo fmt && cargo test --lib {name}\n    \
         UPDATE=1 cargo test --lib documents\n    \
         cargo run -- explain https://{host}/p/1\n\n\
         Each line with TODO goes when it is done. docs/adding-a-platform.md tells the rest.\n"
    ))
}

/// The hosts of a recording, the one with the first answer in JSON last, and that answer.
fn known(name: &str, exchanges: &[Exchange]) -> Known {
    let host = |exchange: &Exchange| exchange.request.url.host_str().map(str::to_owned);
    let json = exchanges
        .iter()
        .find(|exchange| exchange.response.status == 200 && matches!(exchange.response.body, Body::Json(_)));
    let pages = exchanges.iter().filter(|exchange| matches!(exchange.response.body, Body::Text(_)));
    let hosts: BTreeSet<String> = pages.filter_map(host).collect();
    let own = || json.and_then(host).unwrap_or_else(|| format!("{name}.example"));
    let hosts = if hosts.is_empty() { vec![own()] } else { hosts.into_iter().collect() };
    let answer = json.and_then(|exchange| match &exchange.response.body {
        Body::Json(value) => serde_json::to_string_pretty(value).ok(),
        _ => None,
    });
    // The id is what comes last in most addresses of one post.
    let api = json.map(|exchange| {
        let mut url = exchange.request.url.clone();
        url.set_query(None);
        let text = url.to_string();
        text.rfind('/').and_then(|at| text.get(..=at)).unwrap_or(&text).to_owned()
    });
    Known {
        hosts,
        api: api.unwrap_or_else(|| format!("https://api.{name}.example/posts/")),
        answer: answer.map_or_else(|| NO_ANSWER.to_owned(), |text| text + "\n"),
    }
}

/// `peertube` → `Peertube`.
fn kind(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Writes a file that must not be there yet.
fn create(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::internal(format!("{} cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        create(&root.path().join("src/platforms/mod.rs"), "").unwrap();
        root
    }

    fn args(name: &str) -> Args {
        Args { name: name.to_owned(), from_cassette: None }
    }

    #[test]
    fn the_files_are_written_once_and_the_rest_is_said() {
        let root = root();
        let said = write(&args("peertube"), root.path()).unwrap();
        assert!(said.contains("mod peertube;") && said.contains("Box::new(peertube::Peertube),"), "{said}");
        let file = fs::read_to_string(root.path().join("src/platforms/peertube.rs")).unwrap();
        assert!(file.contains("\"peertube.example\""), "{file}");
        for placeholder in ["@NAME@", "@TYPE@", "@HOST@", "@HOSTS@", "@DOMAIN@", "@API@"] {
            assert!(TEMPLATE.contains(placeholder) && !file.contains(placeholder), "{placeholder}: {file}");
        }
        assert!(root.path().join("fixtures/platforms/peertube/post.json").is_file());
        assert!(write(&args("peertube"), root.path()).is_err(), "nothing is overwritten");
    }

    /// Every file below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn no_platform_has_anything_left_to_do_that_the_template_left() {
        let left: Vec<&str> = TEMPLATE.lines().map(str::trim).filter(|line| line.contains("TODO")).collect();
        assert!(left.len() > 3 && left.iter().all(|line| line.starts_with("// TODO ")), "lines of their own: {left:?}");
        for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/platforms")) {
            let text = fs::read_to_string(&path).unwrap();
            let left = text.lines().find(|line| line.contains("TODO"));
            assert_eq!(left, None, "{}: do it, then take the line out", path.display());
        }
    }

    #[test]
    fn odd_names_and_other_folders_are_refused() {
        let root = root();
        for name in ["", "../x", "Peer", "9gag", "a b", "a_b"] {
            assert!(write(&args(name), root.path()).is_err(), "{name}");
        }
        assert!(write(&args("peertube"), Path::new("/nonexistent")).is_err());
    }
}
