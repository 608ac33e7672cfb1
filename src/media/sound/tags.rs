//! What a sound file says about itself: kept from the source, or written from what the post says.

use crate::model::{Author, MediaMetadata, redact};

/// Characters of one tag.
const MAX_CHARS: usize = 200;

/// The tags that are kept. Everything else (comments, encoders, places, links) stays behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// What it is called.
    pub title: Option<String>,
    /// Who made it.
    pub artist: Option<String>,
    /// What it belongs to.
    pub album: Option<String>,
    /// When it was made: a year, or `2024-05-17`.
    pub date: Option<String>,
    /// Its kind of music.
    pub genre: Option<String>,
}

impl Tags {
    /// What a post says about the file of its item `item`.
    pub fn of(metadata: &MediaMetadata, item: usize) -> Self {
        let own = metadata.items.get(item).and_then(|item| item.title.as_deref());
        let name = |author: &Author| author.name.clone().unwrap_or_else(|| author.handle.clone());
        Self {
            title: own.or(metadata.title.as_deref()).and_then(clean),
            artist: metadata.author.as_ref().and_then(|author| clean(&name(author))),
            date: metadata.created_at.map(|at| at.format("%Y-%m-%d").to_string()),
            ..Self::default()
        }
    }

    /// What a file says itself; `get` finds a tag by its name in ffmpeg.
    pub(in crate::media) fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|name| get(name).and_then(clean));
        Self {
            title: first(&["title"]),
            artist: first(&["artist", "album_artist"]),
            album: first(&["album"]),
            date: first(&["date", "year"]),
            genre: first(&["genre"]),
        }
    }

    /// Each tag of these, and where there is none that of the others.
    pub(super) fn or(self, others: &Tags) -> Self {
        Self {
            title: self.title.or_else(|| others.title.clone()),
            artist: self.artist.or_else(|| others.artist.clone()),
            album: self.album.or_else(|| others.album.clone()),
            date: self.date.or_else(|| others.date.clone()),
            genre: self.genre.or_else(|| others.genre.clone()),
        }
    }

    /// The lines of ffmpeg's own format for metadata, without its head.
    pub(super) fn ffmetadata(&self) -> String {
        let all = [
            ("title", &self.title),
            ("artist", &self.artist),
            ("album", &self.album),
            ("date", &self.date),
            ("genre", &self.genre),
        ];
        let mut text = String::new();
        for (name, value) in all {
            let Some(value) = value else { continue };
            text.push_str(name);
            text.push('=');
            for c in value.chars() {
                if matches!(c, '=' | ';' | '#' | '\\' | '\n') {
                    text.push('\\');
                }
                text.push(c);
            }
            text.push('\n');
        }
        text
    }
}

/// One line without control characters and secrets, if there is anything in it.
fn clean(text: &str) -> Option<String> {
    let line = redact::text(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    (!short.is_empty()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileType, Item};

    #[test]
    fn a_post_names_its_files() {
        let author = Author { handle: "ann".into(), name: Some("Ann  Lee\n".into()), url: None };
        let mut second = Item::new(FileType::Audio, Vec::new());
        second.title = Some("The second".into());
        let metadata = MediaMetadata {
            title: Some("All of them".into()),
            author: Some(author),
            items: vec![Item::new(FileType::Audio, Vec::new()), second],
            ..MediaMetadata::default()
        };
        let tags = Tags::of(&metadata, 0);
        assert_eq!((tags.title.as_deref(), tags.artist.as_deref()), (Some("All of them"), Some("Ann Lee")));
        assert_eq!(Tags::of(&metadata, 1).title.as_deref(), Some("The second"));
        assert_eq!(Tags::of(&metadata, 9).title.as_deref(), Some("All of them"));
    }

    #[test]
    fn secrets_and_control_characters_stay_behind() {
        let tags = Tags::read(|name| match name {
            "title" => Some("a\0b https://cdn.example/x.mp3?sig=secret\tc"),
            "artist" => Some(" \n "),
            "album_artist" => Some("Ann"),
            "genre" => Some("Jazz"),
            _ => None,
        });
        assert_eq!(tags.title.as_deref(), Some("ab https://cdn.example/… c"));
        assert_eq!(tags.artist.as_deref(), Some("Ann"));
        let long = "é".repeat(1000);
        assert_eq!(clean(&long).unwrap().chars().count(), 200);
    }

    #[test]
    fn what_a_file_says_itself_comes_first() {
        let own = Tags { title: Some("own".into()), ..Tags::default() };
        let post = Tags { title: Some("post".into()), artist: Some("ann".into()), ..Tags::default() };
        let both = own.or(&post);
        assert_eq!((both.title.as_deref(), both.artist.as_deref()), (Some("own"), Some("ann")));
    }

    #[test]
    fn nothing_in_a_tag_can_be_another_tag() {
        let tags = Tags { title: Some("a=b;c#d\\e".into()), ..Tags::default() };
        assert_eq!(tags.ffmetadata(), "title=a\\=b\\;c\\#d\\\\e\n");
    }
}
