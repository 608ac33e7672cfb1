//! Where settings come from: files and the environment, read into flat lists of `(place, text)` and laid over one another
//! with figment, which remembers which source won.

use std::{collections::BTreeMap, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{
    load::Problem,
    table::{COOKIES_FILE, COOKIES_FROM_BROWSER, PLATFORM_SPECS, SPECS, platforms},
};

/// One value from one source, still text.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// Its place: `discord.token`.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Where it was written: `environment`, `.env line 3`, a file's name.
    pub source: String,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = nest(&self.path, Value::from(self.text.clone())).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// Lays values over one another, later ones on top, and gives back what is left of each place, with its source.
pub(super) fn overlay(layers: impl IntoIterator<Item = Given>) -> BTreeMap<String, (String, String)> {
    let layers: Vec<Given> = layers.into_iter().collect();
    let figment = layers.iter().fold(Figment::new(), |figment, given| figment.merge(given));
    let mut won = BTreeMap::new();
    for given in layers {
        if let Ok(value) = figment.find_value(&given.path) {
            let source = figment.get_metadata(value.tag()).map_or_else(String::new, |found| found.name.to_string());
            if let Some(text) = value.into_string() {
                won.insert(given.path, (text, source));
            }
        }
    }
    won
}

/// Reads TOML. Unknown keys become warnings.
pub(super) fn toml(text: &str, source: &str, warnings: &mut Vec<String>) -> Result<Vec<Given>, Problem> {
    let data = Toml::string(text).data().map_err(|error| {
        // The parser quotes the offending line, which may hold a secret: keep its position and its reason.
        let told = error.to_string();
        let quoted = |line: &&str| {
            !line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
        };
        let what: Vec<&str> = told.lines().filter(quoted).map(str::trim).filter(|line| !line.is_empty()).collect();
        Problem::of_source(source, what.join(": "))
    })?;
    let mut given = Vec::new();
    for (_, dict) in data {
        flatten("", &Value::from(dict), source, &mut given);
    }
    given.retain(|value| {
        let known = is_known(&value.path);
        if !known {
            let hint = nearest(&value.path, known_paths()).map(|near| format!(", did you mean `{near}`?"));
            warnings.push(format!("{source}: unknown setting `{}`{}", value.path, hint.unwrap_or_default()));
        }
        known && !value.text.is_empty()
    });
    Ok(given)
}

fn flatten(path: &str, value: &Value, source: &str, given: &mut Vec<Given>) {
    if let Value::Dict(_, dict) = value {
        for (key, value) in dict {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            flatten(&path, value, source, given);
        }
    } else {
        given.push(Given { path: path.to_owned(), text: as_text(value), source: source.to_owned() });
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.trim().to_owned(),
        Value::Bool(_, on) => on.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) => number.to_string(),
            (None, None, None) => String::new(),
        },
        Value::Array(_, values) => values.iter().map(as_text).collect::<Vec<_>>().join(","),
        Value::Char(_, c) => c.to_string(),
        Value::Dict(..) | Value::Empty(..) => String::new(),
    }
}

/// Reads a `.env` file. Names that are not settings become warnings.
pub(super) fn dot_env(text: &str, source: &str, warnings: &mut Vec<String>, problems: &mut Vec<Problem>) -> Vec<Given> {
    let text = text.trim_start_matches('\u{feff}');
    let mut given = Vec::new();
    // A line that does not parse is reported by its number alone: what stands there may be a token.
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        match line {
            Ok((name, value)) => {
                let source = match line_of(text, &name) {
                    Some(line) => format!("{source} line {line}"),
                    None => source.to_owned(),
                };
                match path_of(&name) {
                    Some(path) => given.push(Given { path, text: value.trim().to_owned(), source }),
                    None => {
                        let hint = near_name(&name).map(|near| format!(", did you mean {near}?"));
                        warnings.push(format!("{source}: unknown setting {name}{}", hint.unwrap_or_default()));
                    }
                }
            }
            Err(dotenvy::Error::LineParse(line, _)) => {
                let number = text.lines().position(|candidate| candidate.trim_end().ends_with(line.trim_end()));
                let place = number.map_or_else(|| source.to_owned(), |number| format!("{source} line {}", number + 1));
                problems
                    .push(Problem::of_source(place, "expected NAME=value; put values with spaces in single quotes"));
            }
            Err(_) => problems.push(Problem::of_source(source, "could not be read")),
        }
    }
    given.retain(|value| !value.text.is_empty());
    given
}

fn line_of(text: &str, name: &str) -> Option<usize> {
    let defines = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().rposition(|line| defines(line)).map(|index| index + 1)
}

/// Picks settings from the environment. Names that look like misspelt ones become warnings; all others are none of our
/// business.
pub(super) fn environment(env: &[(String, String)], warnings: &mut Vec<String>) -> Vec<Given> {
    let mut given = Vec::new();
    for (name, text) in env {
        match path_of(name) {
            Some(path) if !text.trim().is_empty() => {
                given.push(Given { path, text: text.trim().to_owned(), source: "environment".to_owned() });
            }
            Some(_) => {}
            None => {
                if let Some(near) = near_name(name) {
                    warnings.push(format!("environment: unknown setting {name}, did you mean {near}?"));
                }
            }
        }
    }
    given
}

/// The place in TOML of an environment name, if it is one of ours.
pub(super) fn path_of(name: &str) -> Option<String> {
    if let Some(spec) = SPECS.iter().find(|spec| spec.name == name) {
        return Some(spec.path.to_owned());
    }
    platforms().find_map(|platform| {
        let key = name.strip_prefix(platform.to_ascii_uppercase().as_str())?.strip_prefix('_')?;
        (!key.is_empty() && key == key.to_ascii_uppercase())
            .then(|| format!("platforms.{platform}.{}", key.to_ascii_lowercase()))
    })
}

/// The environment name of a place in TOML.
pub(super) fn name_of(path: &str) -> String {
    match SPECS.iter().find(|spec| spec.path == path) {
        Some(spec) => spec.name.to_owned(),
        None => path.trim_start_matches("platforms.").replace('.', "_").to_ascii_uppercase(),
    }
}

fn is_known(path: &str) -> bool {
    match path.strip_prefix("platforms.").and_then(|rest| rest.split_once('.')) {
        Some((platform, key)) => !key.contains('.') && platforms().any(|known| known == platform),
        None => SPECS.iter().any(|spec| spec.path == path),
    }
}

fn known_paths() -> impl Iterator<Item = String> {
    let platforms = PLATFORM_SPECS.iter().map(|spec| format!("platforms.{}.{}", spec.platform, spec.key));
    SPECS.iter().map(|spec| spec.path.to_owned()).chain(platforms)
}

fn near_name(name: &str) -> Option<String> {
    let platforms = PLATFORM_SPECS.iter().map(super::table::PlatformSpec::name);
    nearest(name, SPECS.iter().map(|spec| spec.name.to_owned()).chain(platforms))
}

/// For a key of a known platform: the documented key it may have been meant for.
pub(super) fn near_platform_key(platform: &str, key: &str) -> Option<String> {
    let own = PLATFORM_SPECS.iter().filter(|spec| spec.platform == platform).map(|spec| spec.key);
    let rates = super::resilience::PLATFORM_KEYS.iter().map(|general| general.key);
    nearest(key, own.chain(rates).chain([COOKIES_FILE, COOKIES_FROM_BROWSER]).map(str::to_owned))
}

/// The candidate that is at most two slips of the finger away; short names allow one slip only.
fn nearest(word: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .filter_map(|candidate| {
            let far = slips(word, &candidate);
            let allowed = if candidate.len() < 10 { 1 } else { 2 };
            (far > 0 && far <= allowed).then_some((far, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped, changed or swapped with their neighbour (optimal string alignment).
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Reads a text file; `Ok(None)` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Problem> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::of_source(path.display().to_string(), format!("could not be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_counted() {
        assert_eq!(slips("DISCORD_TOKN", "DISCORD_TOKEN"), 1);
        assert_eq!(slips("DISCORD_TOEKN", "DISCORD_TOKEN"), 1, "swapped neighbours are one slip");
        assert_eq!(slips("DISCORD_TOKEN", "DISCORD_TOKEN"), 0);
        assert_eq!(slips("", "ab"), 2);
        assert_eq!(nearest("PATH", ["PREFIX".to_owned()].into_iter()), None);
    }

    #[test]
    fn names_and_places_belong_together() {
        for spec in SPECS.iter() {
            assert_eq!(path_of(spec.name).as_deref(), Some(spec.path));
            assert_eq!(name_of(spec.path), spec.name);
        }
        assert_eq!(path_of("REDDIT_CLIENT_SECRET").as_deref(), Some("platforms.reddit.client_secret"));
        assert_eq!(name_of("platforms.reddit.client_secret"), "REDDIT_CLIENT_SECRET");
        assert_eq!(path_of("TWITTER_"), None);
        assert_eq!(path_of("HOME"), None);
    }
}
