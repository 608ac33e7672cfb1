//! How the text of a setting becomes its value. Every function here is pure; its error says what was expected, and never
//! repeats the value: whoever reports it knows whether the value is a secret.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::schema::DatabaseUrl;

/// What was expected instead.
pub(super) type Parsed<T> = Result<T, String>;

/// Bytes of a mebibyte. Discord says "MB" and counts 1024 × 1024 bytes; so does this program.
pub(super) const MIB: u64 = 1024 * 1024;

/// What a size looks like.
const SIZE_EXPECTED: &str =
    "expected a size such as 10, 10MB, 9.5MB, 512KB or 1GB (a bare number counts MB of 1024 × 1024 bytes)";

/// Characters of an address that messages repeat.
const MAX_ADDRESS: usize = 200;

/// The x264 presets, fastest first.
pub(super) const PRESETS: &[&str] =
    &["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"];

/// The browsers that yt-dlp and gallery-dl can both read cookies from.
pub(super) const BROWSERS: &[&str] =
    &["brave", "chrome", "chromium", "edge", "firefox", "opera", "safari", "vivaldi", "whale"];

/// `true`, `1`, `yes`, `on` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("expected true or false (1/0, yes/no and on/off do as well)".into()),
    }
}

/// A whole number within bounds.
pub(super) fn number<T>(text: &str, min: T, max: T) -> Parsed<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match text.parse::<T>() {
        Ok(value) if value >= min && value <= max => Ok(value),
        _ => Err(format!("expected a whole number from {min} to {max}")),
    }
}

/// A size of at least one byte. A bare number counts MiB; `KB`, `MB`, `GB` (or `KiB` …, `k`, `m`, `g`) count in steps of
/// 1024 as Discord does; `B` counts bytes.
pub(super) fn size(text: &str) -> Parsed<u64> {
    let (number, unit) = split_unit(text);
    if unit.is_empty() && number.parse::<f64>().is_ok_and(|number| number >= 1_048_576.0) {
        return Err(format!("expected MB, and this looks like bytes: write {number}B"));
    }
    scaled(number, unit, MIB).filter(|bytes| *bytes > 0).ok_or_else(|| SIZE_EXPECTED.into())
}

/// A [`size`], or a bare count of bytes: nobody means 10,000 MB by a bare number where one file is talked about.
pub(super) fn size_or_bytes(text: &str) -> Parsed<u64> {
    match text.parse::<u64>() {
        Ok(bytes) if bytes >= 10_000 => scaled(text, "b", 1).ok_or_else(|| SIZE_EXPECTED.into()),
        _ => size(text),
    }
}

/// Bytes a second, as both tools spell it: `500k`, `2.5M`, or a bare number of bytes.
pub(super) fn rate(text: &str) -> Parsed<u64> {
    let text = text.strip_suffix("/s").unwrap_or(text);
    let (number, unit) = split_unit(text);
    scaled(number, unit, 1)
        .filter(|rate| *rate >= 1024)
        .ok_or_else(|| "expected bytes a second such as 500k or 2.5M, at least 1k".into())
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
}

fn scaled(number: &str, unit: &str, bare: u64) -> Option<u64> {
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => bare,
        "b" => 1,
        "k" | "kb" | "kib" => 1024,
        "m" | "mb" | "mib" => MIB,
        "g" | "gb" | "gib" => 1024 * MIB,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    // 1 PiB is beyond anything this program handles and well within what an f64 counts exactly.
    (bytes.is_finite() && bytes <= (1u64 << 50) as f64).then_some(bytes as u64)
}

/// Whole seconds, at least one and at most a day; `90`, `90s`, `5m`.
pub(super) fn seconds(text: &str) -> Parsed<Duration> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" | "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    factor
        .and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor))
        .filter(|seconds| (1..=86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "expected seconds from 1 to 86400 (90, 90s and 5m do)".into())
}

/// So many minutes.
pub(super) const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// So many hours.
pub(super) const fn hours(count: u64) -> Duration {
    minutes(count * 60)
}

/// A wait from 10 ms to a day: `2`, `0.5`, `200ms`, `5m`. A bare number counts seconds.
pub(super) fn wait(text: &str) -> Parsed<Duration> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    factor
        .and_then(|factor| Some(number.parse::<f64>().ok()? * factor))
        .filter(|seconds| (0.01..=86_400.0).contains(seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected seconds from 0.01 to 86400 (2, 0.5, 200ms and 5m do)".into())
}

/// A path, made absolute so that children with other working directories find it; `~/` is the home folder.
pub(super) fn path(text: &str) -> Parsed<PathBuf> {
    let path = match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    };
    std::path::absolute(path).map_err(|error| format!("expected a path: {error}"))
}

/// A [`path`] to a file that can be read.
pub(super) fn file(text: &str) -> Parsed<PathBuf> {
    let path = path(text)?;
    match std::fs::File::open(&path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err("expected a file, and this is none".into()),
        Err(error) => Err(format!("expected a readable file: {error}")),
    }
}

/// A [`path`] to a folder that is there.
pub(super) fn folder(text: &str) -> Parsed<PathBuf> {
    let path = path(text)?;
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err("expected a folder, and this is none".into()),
        Err(error) => Err(format!("expected a folder: {error}")),
    }
}

/// The public address of a folder, given back with a `/` at its end.
pub(super) fn address_of_folder(text: &str) -> Parsed<Url> {
    let expected = || {
        format!(
            "expected an http or https address of at most {MAX_ADDRESS} characters such as https://media.example.org/"
        )
    };
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/'))).map_err(|_| expected())?;
    if is_plain(&url) && url.as_str().len() <= MAX_ADDRESS { Ok(url) } else { Err(expected()) }
}

/// Whether an address is a place on a web server, with nothing else in it.
fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// The address of a server, without a user.
pub(super) fn server(text: &str) -> Parsed<Url> {
    let expected = || "expected an http or https address such as https://s3.example.org".to_owned();
    Url::parse(text).ok().filter(is_plain).ok_or_else(expected)
}

/// The name of a bucket. What stores take as one is narrower and their business; it must make one part of an address.
pub(super) fn bucket(text: &str) -> Parsed<String> {
    let fine = (3..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fine { Ok(text.to_owned()) } else { Err("expected a bucket's name: 3 to 63 letters, digits, - and .".into()) }
}

/// Something that is sent in a header or an address: without spaces.
pub(super) fn word(text: &str) -> Parsed<String> {
    let fine = !text.is_empty() && text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fine { Ok(text.to_owned()) } else { Err("expected letters, digits and signs, without spaces".into()) }
}

/// What names in a bucket begin with, given back with a `/` at its end.
pub(super) fn object_prefix(text: &str) -> Parsed<String> {
    let parts = text.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
    let fine = parts.len() <= 200
        && parts.bytes().all(plain)
        && parts.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if fine { Ok(format!("{parts}/")) } else { Err("expected a folder's name such as boss-bot/".into()) }
}

/// One of a few words, in any case; given back as listed.
pub(super) fn one_of(text: &str, words: &[&'static str]) -> Parsed<&'static str> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| format!("expected one of {}", words.join(", ")))
}

/// A prefix for commands: short, without white space, and not the start of a word or of Discord's own commands.
pub(super) fn prefix(text: &str) -> Parsed<String> {
    let fine = text.chars().count() <= 5
        && !text.starts_with('/')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
        && text.chars().last().is_some_and(|c| !c.is_alphanumeric());
    if fine {
        Ok(text.to_owned())
    } else {
        Err("expected up to 5 characters that end in a sign, such as $ or !bb!".into())
    }
}

/// A Discord token. Its shape is Discord's business; what cannot be sent in a header is an error.
pub(super) fn token(text: &str) -> Parsed<String> {
    let token = text.strip_prefix("Bot ").unwrap_or(text).trim();
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("expected the bot's token as the developer portal shows it, without spaces".into());
    }
    Ok(token.to_owned())
}

/// An http proxy.
pub(super) fn proxy(text: &str) -> Parsed<Url> {
    let expected = || "expected the address of an HTTP proxy such as http://127.0.0.1:3128".to_owned();
    let url = Url::parse(text).map_err(|_| expected())?;
    if url.scheme() != "http" || url.host().is_none() || url.path() != "/" || url.query().is_some() {
        return Err(expected());
    }
    Ok(url)
}

/// A database: `sqlite:PATH`, or the address of a PostgreSQL server.
pub(super) fn database(text: &str) -> Parsed<DatabaseUrl> {
    let expected = || "expected sqlite:PATH, or postgres://user:password@host/database".to_owned();
    if let Some(file) = text.strip_prefix("sqlite:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        // SQLite would keep these in memory, where a restart loses them.
        return match file {
            "" | ":memory:" => Err(expected()),
            _ => path(file).map(DatabaseUrl::Sqlite),
        };
    }
    let server = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    match PgConnectOptions::from_str(text) {
        Ok(_) if server => Ok(DatabaseUrl::Postgres(SecretString::from(text))),
        _ => Err(expected()),
    }
}

/// `host:port` to connect to. A name is looked up once, at start.
pub(super) fn address(text: &str) -> Parsed<SocketAddr> {
    let expected = || "expected host:port such as 127.0.0.1:8443".to_owned();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    host_port(text).map_err(|_| expected())?;
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| format!("{}; this name has no address", expected()))
}

/// `host:port` pairs, separated by commas or white space.
pub(super) fn host_ports(text: &str) -> Parsed<Vec<(String, u16)>> {
    text.split([',', ' ', '\t']).filter(|part| !part.is_empty()).map(host_port).collect()
}

fn host_port(text: &str) -> Parsed<(String, u16)> {
    let parse = || {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
        let fine = !host.is_empty() && !host.contains(['/', '@', '?', '#']) && !host.contains(char::is_whitespace);
        fine.then_some((host, port))
    };
    parse().ok_or_else(|| "expected host:port pairs separated by commas, such as 10.0.0.5:8080,nas.lan:80".into())
}

/// What both tools take as `--cookies-from-browser`: `BROWSER[+KEYRING][:PROFILE][::CONTAINER]`.
pub(super) fn browser(text: &str) -> Parsed<String> {
    let name = text.split(['+', ':']).next().unwrap_or_default();
    one_of(name, BROWSERS).map_err(|expected| format!("{expected}, optionally followed by :PROFILE"))?;
    Ok(text.to_owned())
}

/// What may stand in an HTTP header.
pub(super) fn header(text: &str) -> Parsed<String> {
    if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && text.len() <= 512 {
        Ok(text.to_owned())
    } else {
        Err("expected plain ASCII, as it goes into an HTTP header".into())
    }
}

/// A level or a filter of tracing's (`info,boss_bot=debug`).
pub(super) fn log_level(text: &str) -> Parsed<String> {
    // tracing takes a bare word for a target's name: a misspelt level would silence everything.
    let bare = !text.contains(['=', ',', '[']);
    let known = ["off", "error", "warn", "warning", "info", "debug", "trace"];
    let lower = text.to_ascii_lowercase();
    if bare && !known.contains(&lower.as_str()) {
        return Err("expected error, warn, info, debug or trace, or a filter such as info,boss_bot=debug".into());
    }
    if bare {
        return Ok(if lower == "warning" { "warn".into() } else { lower });
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| format!("expected a level or a filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_count_as_discord_counts() {
        for (text, bytes) in [
            ("10", 10 * MIB),
            ("10MB", 10 * MIB),
            ("25 MiB", 25 * MIB),
            ("9.5m", 9 * MIB + MIB / 2),
            ("512KB", 512 * 1024),
            ("1GB", 1024 * MIB),
            ("52428800B", 50 * MIB),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "-1", "ten", "10 parsecs", "1e30", "99999999GB", "."] {
            assert!(size(text).is_err(), "{text}");
        }
        assert!(size("52428800").unwrap_err().contains("write 52428800B"), "bytes given where MB are expected");
    }

    #[test]
    fn a_large_bare_number_is_a_count_of_bytes_where_people_type_it() {
        for (text, bytes) in [("524288", 524_288), ("10000", 10_000), ("10", 10 * MIB), ("9.5MB", 9 * MIB + MIB / 2)] {
            assert_eq!(size_or_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["0", "99999999999999999", "12345.6789e9", "-5"] {
            assert!(size_or_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn waits_may_be_shorter_than_a_second() {
        for (text, milliseconds) in [("2", 2000), ("0.5", 500), ("200ms", 200), ("5m", 300_000), ("24h", 86_400_000)] {
            assert_eq!(wait(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0", "5ms", "-1", "soon", "25h", "1e9", "NaN"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_spelt_as_the_tools_spell_them() {
        assert_eq!(rate("500k"), Ok(500 * 1024));
        assert_eq!(rate("2.5M"), Ok(2 * MIB + MIB / 2));
        assert_eq!(rate("1048576"), Ok(MIB));
        assert_eq!(rate("1MB/s"), Ok(MIB));
        assert!(rate("5").is_err() && rate("fast").is_err());
    }

    #[test]
    fn booleans_take_the_usual_spellings() {
        for text in ["true", "1", "Yes", "ON"] {
            assert_eq!(boolean(text), Ok(true));
        }
        for text in ["false", "0", "No", "OFF"] {
            assert_eq!(boolean(text), Ok(false));
        }
        assert!(boolean("maybe").is_err());
    }

    #[test]
    fn addresses_pairs_and_proxies_are_checked() {
        assert_eq!(address("127.0.0.1:8443"), Ok(([127, 0, 0, 1], 8443).into()));
        assert_eq!(
            host_ports("10.0.0.5:8080, NAS.lan:80 [::1]:443").unwrap(),
            [("10.0.0.5".to_owned(), 8080), ("nas.lan".to_owned(), 80), ("::1".to_owned(), 443)]
        );
        for text in ["localhost", "localhost:0", ":80", "http://a:80", "a:99999"] {
            assert!(host_ports(text).is_err(), "{text}");
            assert!(address(text).is_err(), "{text}");
        }
        assert!(proxy("http://127.0.0.1:3128").is_ok() && proxy("http://user:pw@proxy.lan:8080/").is_ok());
        for text in ["127.0.0.1:3128", "socks5://a:1", "http://a/b", "http://a/?q"] {
            assert!(proxy(text).is_err(), "{text}");
        }
    }

    #[test]
    fn buckets_and_what_their_names_begin_with_make_one_address() {
        assert_eq!(object_prefix("boss-bot").unwrap(), "boss-bot/");
        assert_eq!(object_prefix("a/b/").unwrap(), "a/b/");
        for wrong in ["", "/", "/a", "a//b", "../a", "a b", "ä"] {
            assert!(object_prefix(wrong).is_err(), "{wrong}");
        }
        assert!(bucket("my.bucket-1").is_ok());
        for wrong in ["ab", "a/b/c", "-abc", "a b c", "../abc"] {
            assert!(bucket(wrong).is_err(), "{wrong}");
        }
        assert!(server("http://127.0.0.1:9000").is_ok());
        for wrong in ["s3.example.org", "ftp://s3.example.org", "https://me:secret@s3.example.org", "https://a.b/?c=d"]
        {
            assert!(server(wrong).is_err(), "{wrong}");
        }
        assert!(word("AKIA+/=x").is_ok() && word("a b").is_err() && word("").is_err());
    }

    #[test]
    fn databases_are_files_that_last_or_servers() {
        for (text, file) in [("sqlite:/var/a b.db", "/var/a b.db"), ("sqlite:///var/a.db", "/var/a.db")] {
            let DatabaseUrl::Sqlite(path) = database(text).unwrap() else { panic!("{text}") };
            assert_eq!(path, PathBuf::from(file));
        }
        let url = database("postgres://bot:p%40ss-word@db.lan/jobs?sslmode=require").unwrap();
        assert_eq!(url.password().as_deref(), Some("p@ss-word"));
        assert!(!format!("{url:?}").contains("ss-word"), "{url:?}");
        assert_eq!(database("postgresql:///jobs?host=/run&password=hidden").unwrap().password().unwrap(), "hidden");
        for text in ["boss-bot.db", "sqlite:", "sqlite::memory:", "mysql://a/b", "postgres:", "postgres://a:x"] {
            assert!(database(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_log_level_is_an_error_and_a_filter_is_not() {
        assert_eq!(log_level("DEBUG").as_deref(), Ok("debug"));
        assert_eq!(log_level("warning").as_deref(), Ok("warn"));
        assert!(log_level("info,boss_bot=debug").is_ok());
        assert!(log_level("verbos").is_err() && log_level("a=nonsense").is_err());
    }

    #[test]
    fn prefixes_and_tokens_that_cannot_work_are_refused() {
        assert!(prefix("$").is_ok() && prefix("!bb!").is_ok() && prefix("bb.").is_ok());
        assert!(prefix("/").is_err() && prefix("a b!").is_err() && prefix("abc").is_err() && prefix("!!!!!!").is_err());
        assert_eq!(token("Bot abc.def").as_deref(), Ok("abc.def"));
        assert!(token("abc def").is_err());
    }

    #[test]
    fn browsers_are_those_both_tools_know() {
        assert!(browser("firefox").is_ok() && browser("chrome:Profile 1").is_ok() && browser("netscape").is_err());
    }

    #[test]
    fn seconds_have_bounds_and_units() {
        assert_eq!(seconds("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(seconds("90"), Ok(Duration::from_secs(90)));
        assert!(seconds("0").is_err() && seconds("25h").is_err() && seconds("1.5").is_err());
    }
}
