//! What people type after a command: a link, and wishes in any order.
//!
//! Slash commands have fields for everything, so only the link is typed there. After a prefix all stands in one line, and
//! this module reads it: `https://… 720p --audio`, `<https://…>`, `quality:720p audio_only:true` (copied from a slash
//! command) all do what they look like.

use poise::serenity_prelude as serenity;
use url::Url;

use crate::model::Quality;

/// What is wrong with what was typed. The sentences are for users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// Nothing that looks like a link.
    #[error("I need a link to a post or a video.")]
    NoLink,
    /// Not a link I can open.
    #[error("That doesn't look like a web link. It should start with `https://`.")]
    NotALink,
    /// More than one link.
    #[error("One link at a time, please.")]
    TwoLinks,
    /// A word that means nothing here.
    #[error("I don't know what `{0}` means here.")]
    Unknown(String),
    /// A quality that doesn't exist.
    #[error("I don't know the quality `{0}`. Choose one of {names}.", names = Quality::NAMES.join(", "))]
    Quality(String),
}

/// What somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The link.
    pub url: Url,
    /// The quality, if one was named.
    pub quality: Option<Quality>,
    /// Whether only sound is wanted, if that was said.
    pub audio_only: Option<bool>,
    /// Whether to upload, if that was said.
    pub upload: Option<bool>,
    /// Whether the thread's earlier posts are wanted, if that was said.
    pub thread: Option<bool>,
    /// Whether the platform is to be asked anew, if that was said.
    pub force: Option<bool>,
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Wish, ArgumentError> {
    let (mut url, mut quality, mut audio_only, mut upload) = (None, None, None, None);
    let (mut thread, mut force) = (None, None);
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if let Some(link) = as_link(word) {
            if url.replace(link?).is_some() {
                return Err(ArgumentError::TwoLinks);
            }
            continue;
        }
        // `--name=value`, `name:value`, `--name value`, `--name`
        let dashed = word.starts_with("--");
        let (name, value) = match word.trim_start_matches('-').split_once(['=', ':']) {
            Some((name, value)) => (name, Some(value)),
            None => (word.trim_start_matches('-'), None),
        };
        match name.to_ascii_lowercase().replace('-', "_").as_str() {
            "audio" | "audio_only" | "a" => audio_only = Some(yes(value)),
            "upload" => upload = Some(yes(value)),
            "no_upload" | "keep" => upload = Some(!yes(value)),
            "thread" => thread = Some(yes(value)),
            "force" => force = Some(yes(value)),
            "quality" | "q" => {
                let value = value.or_else(|| words.next()).unwrap_or_default();
                quality = Some(read_quality(value)?);
            }
            "url" | "link" => match value.and_then(as_link) {
                Some(link) if url.is_none() => url = Some(link?),
                Some(_) => return Err(ArgumentError::TwoLinks),
                None => return Err(ArgumentError::NotALink),
            },
            _ if !dashed && value.is_none() && word.parse::<Quality>().is_ok() => {
                quality = Some(read_quality(word)?);
            }
            _ if url.is_none() && quality.is_none() && !dashed => return Err(ArgumentError::NotALink),
            _ => return Err(ArgumentError::Unknown(shown(word))),
        }
    }
    Ok(Wish { url: url.ok_or(ArgumentError::NoLink)?, quality, audio_only, upload, thread, force })
}

fn read_quality(text: &str) -> Result<Quality, ArgumentError> {
    text.parse().map_err(|_| ArgumentError::Quality(shown(text)))
}

fn yes(value: Option<&str>) -> bool {
    !matches!(value.map(str::to_ascii_lowercase).as_deref(), Some("false" | "no" | "off" | "0"))
}

/// A word as it may be shown back: short, and without what would end the code span around it.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '`' | '@') && !c.is_control()).take(40).collect()
}

/// Whether a word is meant as a link, and the link if it is one. `<…>` and `||…||` around it are what people write to
/// keep Discord from showing a preview.
fn as_link(word: &str) -> Option<Result<Url, ArgumentError>> {
    let bare = word.trim_matches('|');
    let bare = bare.strip_prefix('<').and_then(|bare| bare.strip_suffix('>')).unwrap_or(bare);
    let scheme = bare.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => Some(web_link(bare)),
        // `url:https://…` is an option, not a scheme.
        Some(scheme) if scheme.contains([':', '=']) => None,
        Some(_) => Some(Err(ArgumentError::NotALink)),
        // Copied from an address bar that hides the scheme.
        None => {
            let host = bare.split('/').next().unwrap_or_default();
            let looks =
                bare.contains('/') && host.contains('.') && !host.contains(['=', '@']) && !host.starts_with('.');
            looks.then(|| web_link(&format!("https://{bare}")))
        }
    }
}

fn web_link(text: &str) -> Result<Url, ArgumentError> {
    Url::parse(text).ok().filter(|url| url.host().is_some()).ok_or(ArgumentError::NotALink)
}

/// The `url` parameter of every command: in a slash command the field, after a prefix the whole line. Reading it never
/// fails here, so that the command itself can answer in its own words.
#[derive(Debug)]
pub struct Ask(pub Result<Wish, ArgumentError>);

#[poise::async_trait]
impl poise::SlashArgument for Ask {
    async fn extract(
        _: &serenity::Context,
        _: &serenity::CommandInteraction,
        value: &serenity::ResolvedValue<'_>,
    ) -> Result<Self, poise::SlashArgError> {
        match value {
            serenity::ResolvedValue::String(text) => Ok(Self(parse(text))),
            _ => Err(poise::SlashArgError::new_command_structure_mismatch("expected a string")),
        }
    }

    fn create(builder: serenity::CreateCommandOption) -> serenity::CreateCommandOption {
        builder.kind(serenity::CommandOptionType::String)
    }
}

#[poise::async_trait]
impl<'a> poise::PopArgument<'a> for Ask {
    async fn pop_from(
        args: &'a str,
        attachment: usize,
        _: &serenity::Context,
        _: &serenity::Message,
    ) -> Result<(&'a str, usize, Self), (Box<dyn std::error::Error + Send + Sync>, Option<String>)> {
        Ok(("", attachment, Self(parse(args))))
    }
}

/// The `quality` field of slash commands: a fixed choice of names. After a prefix, [`Ask`] has read it already.
#[derive(Debug, Clone, Copy)]
pub struct QualityChoice(pub Quality);

#[poise::async_trait]
impl poise::SlashArgument for QualityChoice {
    async fn extract(
        _: &serenity::Context,
        _: &serenity::CommandInteraction,
        value: &serenity::ResolvedValue<'_>,
    ) -> Result<Self, poise::SlashArgError> {
        match value {
            serenity::ResolvedValue::String(text) => read_quality(text)
                .map(Self)
                .map_err(|error| poise::SlashArgError::new_parse(error.into(), (*text).to_owned())),
            _ => Err(poise::SlashArgError::new_command_structure_mismatch("expected a string")),
        }
    }

    fn create(builder: serenity::CreateCommandOption) -> serenity::CreateCommandOption {
        let builder = builder.kind(serenity::CommandOptionType::String);
        Quality::NAMES.iter().fold(builder, |builder, name| builder.add_string_choice(*name, *name))
    }
}

#[poise::async_trait]
impl<'a> poise::PopArgument<'a> for QualityChoice {
    async fn pop_from(
        args: &'a str,
        _: usize,
        _: &serenity::Context,
        _: &serenity::Message,
    ) -> Result<(&'a str, usize, Self), (Box<dyn std::error::Error + Send + Sync>, Option<String>)> {
        Err((ArgumentError::Unknown(shown(args)).into(), Some(args.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(url: &str, quality: Option<Quality>, audio_only: Option<bool>, upload: Option<bool>) -> Wish {
        Wish { url: Url::parse(url).unwrap(), quality, audio_only, upload, thread: None, force: None }
    }

    #[test]
    fn links_and_wishes_are_read_in_any_order() {
        let link = "https://x.com/a/status/1";
        let (hd, none) = (Some(Quality::Height(720)), None);
        for (line, expected) in [
            ("https://x.com/a/status/1", wish(link, none, None, None)),
            ("  <https://x.com/a/status/1>  ", wish(link, none, None, None)),
            ("||https://x.com/a/status/1||", wish(link, none, None, None)),
            ("x.com/a/status/1", wish(link, none, None, None)),
            ("https://x.com/a/status/1 720p --audio", wish(link, hd, Some(true), None)),
            ("--audio-only 720p https://x.com/a/status/1", wish(link, hd, Some(true), None)),
            ("https://x.com/a/status/1 --quality 720p --no-upload", wish(link, hd, None, Some(false))),
            ("https://x.com/a/status/1 --quality=HD --keep", wish(link, hd, None, Some(false))),
            ("url:https://x.com/a/status/1 quality:720p audio_only:false upload:true", {
                wish(link, hd, Some(false), Some(true))
            }),
            ("https://x.com/a/status/1 audio worst", wish(link, Some(Quality::Worst), Some(true), None)),
        ] {
            assert_eq!(parse(line), Ok(expected), "{line}");
        }
        let told = parse("https://x.com/a/status/1 --thread --force").map(|wish| (wish.thread, wish.force));
        assert_eq!(told, Ok((Some(true), Some(true))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, expected) in [
            ("", ArgumentError::NoLink),
            ("720p", ArgumentError::NoLink),
            ("hello", ArgumentError::NotALink),
            ("ftp://example.org/a", ArgumentError::NotALink),
            ("file:///etc/passwd", ArgumentError::NotALink),
            ("https://", ArgumentError::NotALink),
            ("https://a.example/1 https://b.example/2", ArgumentError::TwoLinks),
            ("https://a.example/1 --wat`@x", ArgumentError::Unknown("--watx".into())),
            ("https://a.example/1 thanks", ArgumentError::Unknown("thanks".into())),
            ("https://a.example/1 --quality 8k", ArgumentError::Quality("8k".into())),
        ] {
            assert_eq!(parse(line), Err(expected), "{line}");
        }
    }
}
