//! Reading HLS playlists (RFC 8216): which variants a master playlist offers, which segments a media playlist lists.
//!
//! Pure. A reader of our own, because a file without gaps depends on its strictness: the parsers there are skip what they
//! cannot read, and forget `METHOD=NONE`, the order of keys and maps, or a second key for the same segment.

use std::collections::HashMap;

use url::Url;

use super::pieces::{Key, Part, Piece, Span};
use crate::model::{Error, Kind, Result};

/// What a playlist is.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// It names other playlists.
    Master(Master),
    /// It names segments.
    Media(MediaPlaylist),
}

/// A master playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Master {
    /// The variants, in the playlist's order.
    pub variants: Vec<Variant>,
    /// Sound that has a playlist of its own, in the playlist's order.
    pub sounds: Vec<Sound>,
}

/// One variant: picture and sound, picture alone when its sound comes apart, or sound alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Its media playlist.
    pub url: Url,
    /// Bits a second at most, sound that comes apart included.
    pub bandwidth: Option<u64>,
    /// Bits a second on average, where told.
    pub average_bandwidth: Option<u64>,
    /// RFC 6381 names.
    pub codecs: Vec<String>,
    /// Pixels: width and height.
    pub resolution: Option<(u32, u32)>,
    /// Frames a second.
    pub frame_rate: Option<f64>,
    /// The group of sounds that belongs to it.
    pub audio: Option<String>,
}

/// Sound with a playlist of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its media playlist.
    pub url: Url,
    /// Variants name this.
    pub group: String,
    /// BCP 47, where told.
    pub language: Option<String>,
    /// Whether it is the one to play when nobody chose.
    pub default: bool,
}

/// A media playlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MediaPlaylist {
    /// The segments, in order.
    pub segments: Vec<Segment>,
    /// Whether no segments will be added: it says that it ends, or that it is video on demand.
    pub ended: bool,
}

/// A segment of a media playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Where it is, and how it is encrypted.
    pub part: Part,
    /// What must stand before it: the header of fragmented MP4.
    pub map: Option<Part>,
    /// How long it plays.
    pub seconds: f64,
    /// Whether its timestamps or its encoding differ from the previous segment's.
    pub discontinuity: bool,
}

impl Master {
    /// The sound that belongs to a variant, if it comes apart: the one that a player takes when nobody chose.
    pub fn sound_of(&self, variant: &Variant) -> Option<&Sound> {
        let of_group = self.sounds.iter().filter(|sound| Some(&sound.group) == variant.audio.as_ref());
        // The first of several that are as good.
        of_group.min_by_key(|sound| !sound.default)
    }
}

impl MediaPlaylist {
    /// Seconds in all.
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    /// What is to be loaded, in order: each map before the segments that it belongs to.
    ///
    /// # Errors
    /// `live` when segments will be added; `platform_changed` when there are none.
    pub fn pieces(self) -> Result<Vec<Piece>> {
        self.check()?;
        let mut pieces = Vec::with_capacity(self.segments.len() + 1);
        let mut current: Option<Part> = None;
        for (index, segment) in self.segments.into_iter().enumerate() {
            let mut starts = segment.discontinuity && index > 0;
            if let Some(map) = segment.map
                && (starts || current.as_ref() != Some(&map))
            {
                // Fragments are read by the header before them: another one starts another file.
                starts |= current.is_some();
                pieces.push(Piece { starts, ..Piece::header(map.clone()) });
                starts = false;
                current = Some(map);
            }
            pieces.push(Piece { part: segment.part, seconds: segment.seconds, header: false, starts });
        }
        Ok(pieces)
    }

    /// Whether all of it can be loaded.
    ///
    /// # Errors
    /// As for [`MediaPlaylist::pieces`].
    pub fn check(&self) -> Result<()> {
        if !self.ended {
            return Err(Error::new(Kind::Live, "an HLS playlist without an end"));
        }
        if self.segments.is_empty() {
            return Err(Error::platform_changed("an HLS playlist without segments"));
        }
        Ok(())
    }
}

/// Reads a playlist. `base`: where it came from.
///
/// # Errors
/// `platform_changed` for what is no playlist, and for what this does not know how to load whole: encryption other than
/// AES-128 (that is DRM), segments that the server says are missing.
pub fn parse(text: &str, base: &Url) -> Result<Playlist> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
    if lines.next() != Some("#EXTM3U") {
        return Err(odd("does not start as one"));
    }
    let mut reader = Reader::new(base);
    for line in lines {
        match line.strip_prefix('#') {
            Some(tag) => reader.tag(tag)?,
            None => reader.uri(line)?,
        }
    }
    reader.end()
}

fn odd(what: &str) -> Error {
    Error::platform_changed(format!("an HLS playlist {what}"))
}

/// What the lines so far amount to.
struct Reader<'a> {
    base: &'a Url,
    master: Master,
    media: MediaPlaylist,
    is_media: bool,
    /// A variant that waits for its address.
    variant: Option<Attributes<'a>>,
    /// A segment that waits for its address.
    seconds: Option<f64>,
    discontinuity: bool,
    range: Option<(u64, Option<u64>)>,
    /// Where the previous segment's range ended, and in which file.
    end: Option<(Url, u64)>,
    map: Option<Part>,
    /// The keys in force: the same one may be told in several formats.
    keys: Vec<KeyTag>,
    sequence: u64,
    /// How the master playlist says its variants are encrypted, if it does.
    session_keys: Vec<bool>,
}

#[derive(Clone)]
struct KeyTag {
    format: String,
    /// The address and the initialisation vector, if it is a key that we can use.
    usable: Option<(Url, Option<[u8; 16]>)>,
}

impl<'a> Reader<'a> {
    fn new(base: &'a Url) -> Self {
        Self {
            base,
            master: Master::default(),
            media: MediaPlaylist::default(),
            is_media: false,
            variant: None,
            seconds: None,
            discontinuity: false,
            range: None,
            end: None,
            map: None,
            keys: Vec::new(),
            sequence: 0,
            session_keys: Vec::new(),
        }
    }

    fn tag(&mut self, tag: &'a str) -> Result<()> {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name {
            "EXT-X-STREAM-INF" => self.variant = Some(Attributes::read(value)),
            "EXT-X-MEDIA" => self.sound(&Attributes::read(value))?,
            "EXT-X-SESSION-KEY" => {
                let key = self.key(&Attributes::read(value))?;
                self.session_keys.push(key.is_some_and(|key| key.usable.is_some()));
            }
            "EXTINF" => {
                let seconds = value.split(',').next().unwrap_or_default().trim().parse::<f64>();
                let seconds = seconds.ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
                self.seconds = Some(seconds.ok_or_else(|| odd("with a duration that is no number"))?);
            }
            "EXT-X-BYTERANGE" => self.range = Some(byte_range(value)?),
            "EXT-X-DISCONTINUITY" => self.discontinuity = true,
            "EXT-X-KEY" => match self.key(&Attributes::read(value))? {
                None => self.keys.clear(),
                Some(key) => {
                    self.keys.retain(|other| other.format != key.format);
                    self.keys.push(key);
                }
            },
            "EXT-X-MAP" => self.map = Some(self.read_map(&Attributes::read(value))?),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.is_media = true;
                self.sequence = value.trim().parse().map_err(|_| odd("with a sequence number that is none"))?;
            }
            "EXT-X-TARGETDURATION" => self.is_media = true,
            "EXT-X-ENDLIST" => self.media.ended = true,
            "EXT-X-PLAYLIST-TYPE" => self.media.ended |= value.trim() == "VOD",
            "EXT-X-GAP" => return Err(odd("that says a segment is missing")),
            "EXT-X-I-FRAMES-ONLY" => return Err(odd("of still pictures only")),
            "EXT-X-SKIP" | "EXT-X-DEFINE" => return Err(odd("that leaves out what it told before")),
            // Everything else describes, and changes nothing about what is to be loaded.
            _ => {}
        }
        Ok(())
    }

    fn uri(&mut self, line: &str) -> Result<()> {
        let url = join(self.base, line)?;
        if let Some(attributes) = self.variant.take() {
            self.master.variants.push(variant(url, &attributes));
            return Ok(());
        }
        let seconds = self.seconds.take().ok_or_else(|| odd("with an address that no tag explains"))?;
        let span = self.range.take().map(|(length, offset)| self.span(&url, length, offset)).transpose()?;
        let key = self.key_for(self.sequence)?;
        self.media.segments.push(Segment {
            part: Part { url, span, key },
            map: self.map.clone(),
            seconds,
            discontinuity: std::mem::take(&mut self.discontinuity),
        });
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    /// A range without a start follows the previous one.
    fn span(&mut self, url: &Url, length: u64, offset: Option<u64>) -> Result<Span> {
        let previous = self.end.as_ref().filter(|(of, _)| of == url).map(|(_, end)| *end);
        let start = offset.or(previous).ok_or_else(|| odd("with a byte range that starts nowhere"))?;
        let span = Span::new(start, length).ok_or_else(|| odd("with an impossible byte range"))?;
        self.end = Some((url.clone(), span.end()));
        Ok(span)
    }

    fn read_map(&self, attributes: &Attributes<'_>) -> Result<Part> {
        let url = join(self.base, attributes.get("URI").ok_or_else(|| odd("with a map without an address"))?)?;
        let span = match attributes.get("BYTERANGE") {
            None => None,
            Some(range) => {
                let (length, offset) = byte_range(range)?;
                Some(Span::new(offset.unwrap_or(0), length).ok_or_else(|| odd("with an impossible byte range"))?)
            }
        };
        Ok(Part { url, span, key: self.key_for(self.sequence)? })
    }

    /// The key in force. Its vector is the segment's number unless told (RFC 8216, 5.2).
    fn key_for(&self, sequence: u64) -> Result<Option<Key>> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let usable = self.keys.iter().find_map(|key| key.usable.clone());
        let (url, iv) = usable.ok_or_else(protected)?;
        Ok(Some(Key { url, iv: iv.unwrap_or_else(|| u128::from(sequence).to_be_bytes()) }))
    }

    /// `None`: no encryption from here on.
    fn key(&self, attributes: &Attributes<'_>) -> Result<Option<KeyTag>> {
        let format = attributes.get("KEYFORMAT").unwrap_or("identity").to_owned();
        let usable = match attributes.get("METHOD") {
            Some("NONE") => return Ok(None),
            Some("AES-128") if format == "identity" => {
                let address = attributes.get("URI").ok_or_else(|| odd("with a key without an address"))?;
                let iv = attributes.get("IV").map(vector).transpose()?;
                Some((join(self.base, address)?, iv))
            }
            Some(_) => None,
            None => return Err(odd("with a key without a method")),
        };
        Ok(Some(KeyTag { format, usable }))
    }

    fn sound(&mut self, attributes: &Attributes<'_>) -> Result<()> {
        // Without an address the sound is in the variants themselves.
        if let ("AUDIO", Some(uri), Some(group)) =
            (attributes.get("TYPE").unwrap_or_default(), attributes.get("URI"), attributes.get("GROUP-ID"))
        {
            self.master.sounds.push(Sound {
                url: join(self.base, uri)?,
                group: group.to_owned(),
                language: attributes.get("LANGUAGE").map(str::to_owned),
                default: attributes.get("DEFAULT") == Some("YES"),
            });
        }
        Ok(())
    }

    fn end(self) -> Result<Playlist> {
        if !self.master.variants.is_empty() {
            if !self.session_keys.is_empty() && !self.session_keys.contains(&true) {
                return Err(protected());
            }
            return Ok(Playlist::Master(self.master));
        }
        if !self.is_media && self.media.segments.is_empty() {
            return Err(odd("that lists nothing"));
        }
        Ok(Playlist::Media(self.media))
    }
}

fn protected() -> Error {
    Error::platform_changed("a stream that is protected by DRM")
}

fn join(base: &Url, address: &str) -> Result<Url> {
    let url = base.join(address).map_err(|_| odd("with an address that is none"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(odd("with an address that is not the web's"));
    }
    Ok(url)
}

fn variant(url: Url, attributes: &Attributes<'_>) -> Variant {
    let number = |name| attributes.get(name).and_then(|value| value.parse().ok()).filter(|bits| *bits > 0);
    let resolution = attributes.get("RESOLUTION").and_then(|value| value.split_once(['x', 'X']));
    Variant {
        url,
        bandwidth: number("BANDWIDTH"),
        average_bandwidth: number("AVERAGE-BANDWIDTH"),
        codecs: attributes
            .get("CODECS")
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(|codec| codec.trim().to_owned())
            .filter(|codec| !codec.is_empty())
            .collect(),
        resolution: resolution.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?))),
        frame_rate: attributes
            .get("FRAME-RATE")
            .and_then(|value| value.parse().ok())
            .filter(|rate: &f64| rate.is_finite() && *rate > 0.0),
        audio: attributes.get("AUDIO").map(str::to_owned),
    }
}

/// `n` or `n@o`: length, and start where told.
fn byte_range(text: &str) -> Result<(u64, Option<u64>)> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| odd("with a byte range that is none"));
    match text.split_once('@') {
        Some((length, offset)) => Ok((number(length)?, Some(number(offset)?))),
        None => Ok((number(text)?, None)),
    }
}

/// `0x` and up to 32 hexadecimal digits.
fn vector(text: &str) -> Result<[u8; 16]> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    number.map(u128::to_be_bytes).ok_or_else(|| odd("with an initialisation vector that is none"))
}

/// An attribute list: `A=1,B="x,y"`.
struct Attributes<'a>(HashMap<&'a str, &'a str>);

impl<'a> Attributes<'a> {
    fn read(mut text: &'a str) -> Self {
        let mut all = HashMap::new();
        while let Some((name, rest)) = text.split_once('=') {
            let (value, rest) = match rest.trim_start().strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                    (value, after.split_once(',').map_or("", |(_, rest)| rest))
                }
                None => rest.split_once(',').unwrap_or((rest, "")),
            };
            all.insert(name.trim(), value.trim());
            text = rest;
        }
        Self(all)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }
}

#[cfg(test)]
mod tests;
