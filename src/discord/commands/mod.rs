//! The commands, one a file. Each is a slash command and a prefix command in one function.

mod download;
mod download_only;
mod help;
mod info;
mod metadata;
mod queue;
mod stats;
mod status;
mod strategies;
mod yt_download;

use std::time::Duration;

use super::types::{Context, Data, Error};
use crate::jobs::store;

/// How long the database may take: Discord waits three seconds for the answer.
const ASK: Duration = Duration::from_millis(1500);

/// All of them, in the order `help` shows them.
pub fn all() -> Vec<poise::Command<Data, Error>> {
    vec![
        download::download(),
        yt_download::yt_download(),
        download_only::download_only(),
        metadata::metadata(),
        queue::queue(),
        status::status(),
        stats::stats(),
        stats::yt_stats(),
        strategies::strategies(),
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
        "queue" if slash => return "/queue list".to_owned(),
        "queue remove" | "queue pause" | "queue resume" => {
            return format!("{prefix}{command} {}3f9a1c", if slash { "job:" } else { "" });
        }
        _ => return format!("{prefix}{command}"),
    };
    format!("{prefix}{command} {}{link}", if slash { "url:" } else { "" })
}

/// What the database says, if it says so in time. `what` is for the log.
async fn told<T>(what: &str, asked: impl Future<Output = store::Result<T>>) -> Option<T> {
    match tokio::time::timeout(ASK, asked).await {
        Ok(Ok(told)) => return Some(told),
        Ok(Err(error)) => tracing::warn!(%error, what, "the database could not be asked"),
        Err(_) => tracing::warn!(what, "the database did not answer in time"),
    }
    None
}

/// Answers so that only who asked sees it, where Discord can do that.
async fn answer(ctx: Context<'_>, text: &str) -> Result<(), Error> {
    ctx.send(poise::CreateReply::default().content(text).reply(true).ephemeral(true)).await?;
    Ok(())
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
            for sub in &command.subcommands {
                assert!(sub.prefix_action.is_some() && sub.slash_action.is_some(), "{name} {}", sub.name);
                assert!(sub.description.as_ref().is_some_and(|text| text.len() <= 100), "{name} {}", sub.name);
            }
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
