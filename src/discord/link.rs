//! What people type after a command: a link, and wishes in any order.
//!
//! Slash commands have fields for everything, so only the link is typed there. After a prefix all stands in one line, and
//! this module reads it: `https://… 720p --audio`, `<https://…>`, `quality:720p audio_only:true` (copied from a slash
//! command) all do what they look like.

use poise::serenity_prelude as serenity;
use url::Url;

use crate::{
    model::{AudioFormat, FitWish, Moment, Options, Quality, Speed, Trim},
    settings,
};

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
    /// A kind of sound file that I don't make.
    #[error("I don't know the sound format `{0}`. Choose one of {names}.", names = AudioFormat::NAMES.join(", "))]
    AudioFormat(String),
    /// A speed that doesn't exist.
    #[error("I don't know the speed `{0}`. Choose one of {names}.", names = Speed::NAMES.join(", "))]
    Speed(String),
    /// Not a time.
    #[error("I don't understand the time `{0}`. Write it as `90`, `1:30`, `1:02:03.5` or `1m30s`.")]
    Time(String),
    /// Not a size.
    #[error("I don't understand the size `{0}`. Write it as `8MB` or `512KB`.")]
    Size(String),
    /// Wishes that make no sense together; the reason in words of the model's.
    #[error("That doesn't work: {0}.")]
    Senseless(String),
}

/// What somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The link.
    pub url: Url,
    /// What is to be made of its media.
    pub wishes: Wishes,
    /// Whether to upload, if that was said.
    pub upload: Option<bool>,
    /// Whether the thread's earlier posts are wanted, if that was said.
    pub thread: Option<bool>,
    /// Whether the platform is to be asked anew, if that was said.
    pub force: Option<bool>,
}

/// What is to be made of the media, as far as it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The quality.
    pub quality: Option<Quality>,
    /// Whether only sound is wanted.
    pub audio_only: Option<bool>,
    /// As which kind of file.
    pub audio_format: Option<AudioFormat>,
    /// Without sound.
    pub mute: Option<bool>,
    /// Where to begin.
    pub start: Option<Moment>,
    /// Where to end.
    pub end: Option<Moment>,
    /// A GIF.
    pub gif: Option<bool>,
    /// Parts instead of loss.
    pub split: Option<bool>,
    /// How long encoding may take.
    pub speed: Option<Speed>,
    /// Bytes a file may have.
    pub max_bytes: Option<u64>,
}

impl Wishes {
    /// These, or those of `other` where nothing was said.
    pub fn or(self, other: Self) -> Self {
        Self {
            quality: self.quality.or(other.quality),
            audio_only: self.audio_only.or(other.audio_only),
            audio_format: self.audio_format.or(other.audio_format),
            mute: self.mute.or(other.mute),
            start: self.start.or(other.start),
            end: self.end.or(other.end),
            gif: self.gif.or(other.gif),
            split: self.split.or(other.split),
            speed: self.speed.or(other.speed),
            max_bytes: self.max_bytes.or(other.max_bytes),
        }
    }

    /// As the rooms below know them.
    ///
    /// # Errors
    /// What makes no sense together.
    pub fn options(&self) -> Result<Options, ArgumentError> {
        let senseless = |text: String| ArgumentError::Senseless(text);
        let fit = FitWish {
            audio_format: self.audio_format.unwrap_or_default(),
            mute: self.mute.unwrap_or_default(),
            trim: Trim::between(self.start, self.end).map_err(|error| senseless(error.to_string()))?,
            gif: self.gif.unwrap_or_default(),
            split: self.split.unwrap_or_default(),
            speed: self.speed.unwrap_or_default(),
            max_bytes: self.max_bytes,
        };
        // Who names a kind of sound file wants sound.
        let audio_only = self.audio_only.unwrap_or(self.audio_format.is_some());
        match fit.contradiction(audio_only) {
            Some(contradiction) => Err(senseless(contradiction.to_string())),
            None => Ok(Options { quality: self.quality.unwrap_or_default(), audio_only, fit, ..Options::default() }),
        }
    }
}

/// The fields of a slash command that are about what is made of the media, as Discord hands them over.
#[derive(Debug, Default)]
pub struct Fields {
    /// `quality`.
    pub quality: Option<Choice<Quality>>,
    /// `audio_only`.
    pub audio_only: Option<bool>,
    /// `audio_format`.
    pub audio_format: Option<Choice<AudioFormat>>,
    /// `mute`.
    pub mute: Option<bool>,
    /// `start`.
    pub start: Option<String>,
    /// `end`.
    pub end: Option<String>,
    /// `gif`.
    pub gif: Option<bool>,
    /// `split`.
    pub split: Option<bool>,
    /// `speed`.
    pub speed: Option<Choice<Speed>>,
    /// `size`.
    pub size: Option<String>,
}

impl Fields {
    /// The options of a request, from the fields and from what was typed after the link.
    ///
    /// # Errors
    /// What cannot be read or makes no sense together.
    pub fn options(self, typed: Wishes) -> Result<Options, ArgumentError> {
        let wishes = Wishes {
            quality: self.quality.map(|choice| choice.0),
            audio_only: self.audio_only,
            audio_format: self.audio_format.map(|choice| choice.0),
            mute: self.mute,
            start: self.start.as_deref().map(read_time).transpose()?,
            end: self.end.as_deref().map(read_time).transpose()?,
            gif: self.gif,
            split: self.split,
            speed: self.speed.map(|choice| choice.0),
            max_bytes: self.size.as_deref().map(read_size).transpose()?,
        };
        wishes.or(typed).options()
    }
}

/// Reads a line.
pub fn parse(line: &str) -> Result<Wish, ArgumentError> {
    let (mut url, mut upload, mut thread, mut force) = (None, None, None, None);
    let mut wishes = Wishes::default();
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
        let mut given = || value.or_else(|| words.next()).unwrap_or_default();
        match name.to_ascii_lowercase().replace('-', "_").as_str() {
            "audio" | "audio_only" | "a" => wishes.audio_only = Some(yes(value)),
            "mute" | "muted" => wishes.mute = Some(yes(value)),
            "gif" => wishes.gif = Some(yes(value)),
            "split" => wishes.split = Some(yes(value)),
            "upload" => upload = Some(yes(value)),
            "no_upload" | "keep" => upload = Some(!yes(value)),
            "thread" => thread = Some(yes(value)),
            "force" => force = Some(yes(value)),
            "quality" | "q" => wishes.quality = Some(Named::read(given())?),
            "audio_format" => wishes.audio_format = Some(Named::read(given())?),
            "speed" => wishes.speed = Some(Named::read(given())?),
            "start" | "from" => wishes.start = Some(read_time(given())?),
            "end" | "to" => wishes.end = Some(read_time(given())?),
            "size" | "max_size" => wishes.max_bytes = Some(read_size(given())?),
            name @ ("mp3" | "m4a" | "opus") if value.is_none() => wishes.audio_format = Some(Named::read(name)?),
            // Without dashes, `best` is the quality.
            name @ ("fast" | "best") if dashed && value.is_none() => wishes.speed = Some(Named::read(name)?),
            "url" | "link" => match value.and_then(as_link) {
                Some(link) if url.is_none() => url = Some(link?),
                Some(_) => return Err(ArgumentError::TwoLinks),
                None => return Err(ArgumentError::NotALink),
            },
            _ if !dashed && value.is_none() && word.parse::<Quality>().is_ok() => {
                wishes.quality = Some(Named::read(word)?);
            }
            _ if url.is_none() && wishes == Wishes::default() && !dashed => return Err(ArgumentError::NotALink),
            _ => return Err(ArgumentError::Unknown(shown(word))),
        }
    }
    Ok(Wish { url: url.ok_or(ArgumentError::NoLink)?, wishes, upload, thread, force })
}

fn read_time(text: &str) -> Result<Moment, ArgumentError> {
    text.parse().map_err(|_| ArgumentError::Time(shown(text)))
}

fn read_size(text: &str) -> Result<u64, ArgumentError> {
    settings::parse_size(text).map_err(|_| ArgumentError::Size(shown(text)))
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

/// A value that is chosen from a few names.
pub trait Named: Sized + Send {
    /// The names.
    const NAMES: &'static [&'static str];

    /// The value of a name.
    ///
    /// # Errors
    /// When it is none of them.
    fn read(text: &str) -> Result<Self, ArgumentError>;
}

impl Named for Quality {
    const NAMES: &'static [&'static str] = Quality::NAMES;

    fn read(text: &str) -> Result<Self, ArgumentError> {
        text.parse().map_err(|_| ArgumentError::Quality(shown(text)))
    }
}

impl Named for AudioFormat {
    const NAMES: &'static [&'static str] = AudioFormat::NAMES;

    fn read(text: &str) -> Result<Self, ArgumentError> {
        text.parse().map_err(|_| ArgumentError::AudioFormat(shown(text)))
    }
}

impl Named for Speed {
    const NAMES: &'static [&'static str] = Speed::NAMES;

    fn read(text: &str) -> Result<Self, ArgumentError> {
        text.parse().map_err(|_| ArgumentError::Speed(shown(text)))
    }
}

/// A field of slash commands with a fixed choice of names. After a prefix, [`Ask`] has read it already.
#[derive(Debug, Clone, Copy)]
pub struct Choice<T>(pub T);

#[poise::async_trait]
impl<T: Named> poise::SlashArgument for Choice<T> {
    async fn extract(
        _: &serenity::Context,
        _: &serenity::CommandInteraction,
        value: &serenity::ResolvedValue<'_>,
    ) -> Result<Self, poise::SlashArgError> {
        match value {
            serenity::ResolvedValue::String(text) => T::read(text)
                .map(Self)
                .map_err(|error| poise::SlashArgError::new_parse(error.into(), (*text).to_owned())),
            _ => Err(poise::SlashArgError::new_command_structure_mismatch("expected a string")),
        }
    }

    fn create(builder: serenity::CreateCommandOption) -> serenity::CreateCommandOption {
        let builder = builder.kind(serenity::CommandOptionType::String);
        T::NAMES.iter().fold(builder, |builder, name| builder.add_string_choice(*name, *name))
    }
}

#[poise::async_trait]
impl<'a, T: Named> poise::PopArgument<'a> for Choice<T> {
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
        let wishes = Wishes { quality, audio_only, ..Wishes::default() };
        Wish { url: Url::parse(url).unwrap(), wishes, upload, thread: None, force: None }
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
    fn what_is_to_be_made_of_the_media_is_read_too() {
        let link = "https://x.com/a/status/1";
        let line = "--mute --start 0:10 --end=1m5s --gif split:false --m4a --best --size 5MB best";
        let wishes = parse(&format!("{link} {line}")).unwrap().wishes;
        let expected = Wishes {
            quality: Some(Quality::Best),
            audio_only: None,
            audio_format: Some(AudioFormat::M4a),
            mute: Some(true),
            start: Some(Moment(10_000)),
            end: Some(Moment(65_000)),
            gif: Some(true),
            split: Some(false),
            speed: Some(Speed::Best),
            max_bytes: Some(5 << 20),
        };
        assert_eq!(wishes, expected);
        let options = |line: &str| parse(&format!("{line} {link}")).and_then(|wish| wish.wishes.options());
        let sound = options("mp3 start:1:30 end:2:00 --fast").unwrap();
        assert!(sound.audio_only && sound.fit.audio_format == AudioFormat::Mp3 && sound.fit.speed == Speed::Fast);
        assert_eq!(sound.fit.trim, Some(Trim { start_ms: 90_000, end_ms: Some(120_000) }));
        for (line, told) in [
            ("--start soon", "the time `soon`"),
            ("--start", "the time `"),
            ("--size huge", "the size `huge`"),
            ("--speed turbo", "fast, balanced, best"),
            ("--audio-format wav", "auto, mp3, m4a, opus"),
            ("--start 20 --end 10", "the end (0:10) must be after the start (0:20)"),
            ("--gif --mp3", "only the sound and a GIF don't go together"),
        ] {
            let error = options(line).unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn fields_win_over_what_was_typed() {
        let typed = Wishes { quality: Some(Quality::Worst), mute: Some(true), ..Wishes::default() };
        let fields = Fields {
            quality: Some(Choice(Quality::Height(720))),
            start: Some("1:00".into()),
            size: Some("8".into()),
            ..Fields::default()
        };
        let options = fields.options(typed).unwrap();
        assert_eq!((options.quality, options.fit.mute), (Quality::Height(720), true));
        assert_eq!((options.fit.trim.unwrap().start_ms, options.fit.max_bytes), (60_000, Some(8 << 20)));
        assert!(matches!(
            Fields { end: Some("?".into()), ..Fields::default() }.options(Wishes::default()),
            Err(ArgumentError::Time(_))
        ));
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
