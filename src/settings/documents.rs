//! The documents that are written from the table: `.env.example`, `config/default.toml` and `docs/configuration.md`.
//! A test checks that the files in the repository are what these functions give; `UPDATE=1` makes it write them.

use super::{
    resilience::PLATFORM_KEYS,
    table::{PLATFORM_SPECS, SECTIONS, SPECS, Spec, USE_API_CLIENT, platforms},
};

/// How wide comments are, in characters.
const WIDTH: usize = 110;

/// `.env.example`: every setting, commented out, with what it means.
pub fn dot_env_example() -> String {
    let mut out = comment(
        "Copy this file to `.env` and take away the `#` in front of what you want to change. Only DISCORD_TOKEN is needed. \
         The environment wins over this file, this file over config/local.toml. An empty value counts as not set. \
         `boss-bot config show` prints what holds and where it came from.",
    );
    for (section, title) in SECTIONS {
        out.push_str(&format!("\n# ---- {title} ----\n"));
        for spec in of_section(section) {
            out.push_str(&format!("\n{}", comment(&meaning(spec))));
            let value = spec.default.unwrap_or(spec.example);
            let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "./:,-_".contains(c));
            let value = if plain { value.to_owned() } else { format!("'{value}'") };
            // The one line that everybody needs stands open.
            let hash = if spec.name == "DISCORD_TOKEN" { "" } else { "#" };
            let value = if spec.name == "DISCORD_TOKEN" { String::new() } else { value };
            out.push_str(&format!("{hash}{}={value}\n", spec.name));
        }
    }
    out.push_str("\n# ---- Platforms ----\n\n");
    out.push_str(&comment("How often a platform may be asked, for each of them; it has defaults of its own:"));
    for key in PLATFORM_KEYS {
        let told = format!("<PLATFORM>_{}: {} Takes: {}.", key.key.to_ascii_uppercase(), key.doc, key.takes);
        out.push_str(&comment(&told));
    }
    for spec in PLATFORM_SPECS.iter() {
        let value = spec.default.unwrap_or(spec.example);
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "./:,-_".contains(c));
        let value = if plain { value.to_owned() } else { format!("'{value}'") };
        out.push_str(&format!("\n{}#{}={value}\n", comment(spec.doc), spec.name()));
    }
    out
}

/// `config/default.toml`: every default with its comment; what has no default is commented out.
pub fn default_toml() -> String {
    let mut out = comment(
        "Every setting with its default. This file is compiled into the program and documents it: put your changes into \
         config/local.toml (same shape, only what differs), into .env or into the environment, which wins. Sizes are in MB \
         of 1024 × 1024 bytes, as Discord counts; a unit may be given in quotes: \"512KB\", \"1GB\".",
    );
    for (section, title) in SECTIONS {
        out.push_str(&format!("\n# {title}\n[{section}]\n"));
        for spec in of_section(section) {
            let key = spec.path.rsplit('.').next().unwrap_or(spec.path);
            let value = spec.default.unwrap_or(spec.example);
            let value = if spec.bare { value.to_owned() } else { format!("{value:?}") };
            let hash = if spec.default.is_none() { "# " } else { "" };
            let told = format!("{} ({})", meaning(spec), spec.name);
            out.push_str(&format!("\n{}{hash}{key} = {value}\n", comment(&told)));
        }
    }
    out.push_str("\n# Platforms: `use_api_client` and what else a platform takes.\n");
    let keys: Vec<&str> = PLATFORM_KEYS.iter().map(|key| key.key).collect();
    out.push_str(&comment(&format!("Each takes {} as well: see docs/configuration.md.", keys.join(", "))));
    for platform in platforms() {
        out.push_str(&format!("\n[platforms.{platform}]\n"));
        for spec in PLATFORM_SPECS.iter().filter(|spec| spec.platform == platform) {
            let value = spec.default.unwrap_or(spec.example);
            let value = if spec.key == USE_API_CLIENT { value.to_owned() } else { format!("{value:?}") };
            let hash = if spec.default.is_none() { "# " } else { "" };
            let told = format!("{} ({})", spec.doc, spec.name());
            out.push_str(&format!("{}{hash}{} = {value}\n", comment(&told), spec.key));
        }
    }
    out
}

/// `docs/configuration.md`.
pub fn configuration_md() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         Generated from the table in `src/settings/table/`: `UPDATE=1 cargo test --lib documents` writes it anew.\n\n\
         Later sources win:\n\n\
         1. the defaults below (`config/default.toml`, compiled in)\n\
         2. `config/local.toml`, or the file given with `--config`\n\
         3. `.env` in the working directory\n\
         4. the environment\n\n\
         `boss-bot config show` prints every value with where it came from, secrets masked. `boss-bot config check` tells \
         everything that is wrong at once.\n\n\
         - **Sizes** are in MB of 1024 × 1024 bytes, as Discord counts. `10`, `10MB` and `10MiB` are the same; `512KB`, `1GB` \
         and `9.5MB` work too, and `B` counts bytes.\n\
         - **Switches** take `true`/`false`, `1`/`0`, `yes`/`no`, `on`/`off`.\n\
         - **An empty value** counts as not set: the next lower source holds.\n\
         - **Paths** are relative to the working directory; `~/` is the home folder.\n\
         - Misspelt names are pointed out at start.\n",
    );
    for (section, title) in SECTIONS {
        out.push_str(&format!(
            "\n## {title}\n\n| Name | In TOML | Takes | Default | Meaning |\n|---|---|---|---|---|\n"
        ));
        for spec in of_section(section) {
            let default = spec.default.map_or_else(|| "–".to_owned(), |value| format!("`{value}`"));
            let doc = spec.doc.replace('|', "\\|");
            out.push_str(&format!("| `{}` | `{}` | {} | {default} | {doc} |\n", spec.name, spec.path, spec.takes));
        }
    }
    out.push_str(
        "\n## Platforms\n\nEvery platform listed here takes `<PLATFORM>_USE_API_CLIENT` and how often it may be asked, \
         for which it has defaults of its own (`boss-bot strategies` shows them):\n\n| Name | In TOML | Takes | Meaning |\n\
         |---|---|---|---|\n",
    );
    for key in PLATFORM_KEYS {
        let (name, path) = (key.key.to_ascii_uppercase(), format!("platforms.<platform>.{}", key.key));
        out.push_str(&format!("| `<PLATFORM>_{name}` | `{path}` | {} | {} |\n", key.takes, key.doc));
    }
    out.push_str(
        "\nAny other `<PLATFORM>_<KEY>` is handed to its code as well. These are known:\n\n\
         | Name | In TOML | Default | Meaning |\n|---|---|---|---|\n",
    );
    for spec in PLATFORM_SPECS.iter() {
        let path = format!("platforms.{}.{}", spec.platform, spec.key);
        let default = spec.default.map_or_else(|| "–".to_owned(), |value| format!("`{value}`"));
        out.push_str(&format!("| `{}` | `{path}` | {default} | {} |\n", spec.name(), spec.doc));
    }
    out
}

fn of_section(section: &str) -> impl Iterator<Item = &'static Spec> {
    SPECS.iter().filter(move |spec| spec.path.split('.').next() == Some(section))
}

fn meaning(spec: &Spec) -> String {
    match spec.takes {
        "text" => spec.doc.to_owned(),
        takes => format!("{} Takes: {takes}.", spec.doc),
    }
}

/// Wraps text into comment lines.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= WIDTH) {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("# {word}"));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{super::Overrides, *};

    #[test]
    fn the_documents_are_in_step_with_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = [
            (".env.example", dot_env_example()),
            ("config/default.toml", default_toml()),
            ("docs/configuration.md", configuration_md()),
        ];
        for (name, text) in files {
            let path = root.join(name);
            if std::env::var_os("UPDATE").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{name} is not what the table says: run `UPDATE=1 cargo test --lib documents`");
        }
    }

    #[test]
    fn the_example_loads_as_it_is_and_with_every_line_taken_in() {
        let dir = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            std::fs::write(dir.path().join(".env"), text).unwrap();
            super::super::load(&Overrides { dir: dir.path().into(), ..Overrides::default() })
        };
        let example = dot_env_example();
        let loaded = load(&example).unwrap();
        assert_eq!(loaded.warnings, Vec::<String>::new());
        // Files and folders the example names do not exist here; every other value must be right as it stands.
        let opened = example.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_uppercase()) => rest,
            _ => line,
        });
        let opened: Vec<&str> = opened
            .filter(|line| !line.contains("_FILE="))
            .filter(|line| !["FFMPEG", "FFPROBE", "STORE_DIR", "STORE_URL"].iter().any(|name| line.starts_with(name)))
            .collect();
        let loaded = load(&opened.join("\n")).unwrap();
        assert_eq!(loaded.warnings, Vec::<String>::new());
        assert_eq!(loaded.settings.discord.prefix, "$");
        assert_eq!(loaded.settings.network.allow_private.len(), 2);
    }

    #[test]
    fn every_setting_has_a_section_and_an_example() {
        for spec in SPECS.iter() {
            assert!(SECTIONS.iter().any(|(section, _)| spec.path.starts_with(&format!("{section}."))), "{}", spec.path);
            assert_eq!(spec.default.is_some(), spec.example.is_empty(), "{}: a default or an example", spec.name);
            assert!(spec.doc.ends_with('.'), "{}", spec.name);
        }
    }
}
