//! The commands, one a file. Each is a slash command and a prefix command in one function.

mod download;
mod download_only;
mod help;
mod info;
mod metadata;
mod status;
mod strategies;
mod yt_download;

use super::types::{Data, Error};

/// All of them, in the order `help` shows them.
pub fn all() -> Vec<poise::Command<Data, Error>> {
    vec![
        download::download(),
        yt_download::yt_download(),
        download_only::download_only(),
        metadata::metadata(),
        strategies::strategies(),
        status::status(),
        info::info(),
        help::help(),
    ]
}

/// How a command is used, by example. `prefix`: `/` or what text commands begin with.
pub fn example(prefix: &str, command: &str) -> String {
    let slash = prefix == "/";
    let link = match command {
        "yt-download" => "https://youtu.be/dQw4w9WgXcQ",
        "download" | "download-only" | "metadata" => "https://x.com/user/status/123",
        "help" => return format!("{prefix}help{}download", if slash { " command:" } else { " " }),
        _ => return format!("{prefix}{command}"),
    };
    format!("{prefix}{command} {}{link}", if slash { "url:" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_described_categorised_and_available_everywhere() {
        for command in all() {
            let name = &command.name;
            assert!(command.prefix_action.is_some() && command.slash_action.is_some(), "{name}");
            assert!(command.description.as_ref().is_some_and(|text| (1..=100).contains(&text.len())), "{name}");
            assert!(command.category.is_some(), "{name}");
            assert_eq!(command.install_context.as_ref().map(Vec::len), Some(2), "{name}");
            assert_eq!(command.interaction_context.as_ref().map(Vec::len), Some(3), "{name}");
            for parameter in &command.parameters {
                let described = parameter.description.as_ref().is_some_and(|text| (1..=100).contains(&text.len()));
                assert!(described, "{name} {}", parameter.name);
            }
            assert!(command.create_as_slash_command().is_some(), "{name}");
        }
    }

    #[test]
    fn examples_of_link_commands_can_be_read_back() {
        for command in ["download", "download-only", "metadata", "yt-download"] {
            let example = example("$", command);
            let (_, arguments) = example.split_once(' ').unwrap();
            assert!(super::super::link::parse(arguments).is_ok(), "{example}");
        }
    }
}
