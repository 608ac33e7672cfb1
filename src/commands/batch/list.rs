//! The list of links that `batch` works through: reading it and finding everything that is wrong with it.
//!
//! Two spellings are known. A link a line, with `#` for comments; or YAML: a list whose entries are links, or mappings with a
//! `url` and wishes. JSON is YAML, so one parser reads both, and knows the line of each thing. Nothing of a list is used
//! before all of it is right: hours of work should not end at a typing error on the last line.

use std::{collections::HashMap, path::Path};

use saphyr_parser::{Event, Parser};
use sha2::{Digest, Sha256};
use url::Url;

use super::super::wishes::{Wishes, yes_or_no};
use crate::{
    jobs::lister,
    model::{ITEMS_OF_A_LIST, Options, PlatformId, Resource, ResourceKind},
    platforms::parse_link,
    settings,
    strategy::Strategy,
    tools::{Listed, Listing},
};

/// Bytes that a list may have.
pub(super) const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Links that a list may have.
const MOST_LINKS: usize = 10_000;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl Problem {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// What is wanted of a link, as long as it is not known whether that makes sense.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// What is to be made of the files.
    pub wishes: Wishes,
    /// Bytes a file may have.
    pub max_size: Option<u64>,
    /// With the earlier posts of the same thread.
    pub thread: bool,
    /// Ask the platform anew.
    pub force: bool,
    /// Of a list: how many of its entries.
    pub max_items: usize,
    /// Of a list: its last entries, from the last one on.
    pub oldest_first: bool,
}

/// Entries of one list that may be wanted.
pub(super) const MOST_ITEMS: usize = 1000;

impl Wanted {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "max_size" => settings::parse_size(value).map(|bytes| self.max_size = Some(bytes)),
            "thread" => yes_or_no(value).map(|yes| self.thread = yes),
            "force" => yes_or_no(value).map(|yes| self.force = yes),
            "max_items" => match value.parse() {
                Ok(items @ 1..=MOST_ITEMS) => {
                    self.max_items = items;
                    Ok(())
                }
                _ => Err(format!("{value:?} is no number from 1 to {MOST_ITEMS}")),
            },
            "oldest_first" => yes_or_no(value).map(|yes| self.oldest_first = yes),
            other => self.wishes.set(other, value).unwrap_or_else(|| {
                let known = Wishes::NAMES.join(", ");
                Err(format!(
                    "there is no such option: use url, {known}, max_size, thread, force, max_items or oldest_first"
                ))
            }),
        }
        .map_err(|told| format!("{name}: {told}"))
    }

    fn options(&self) -> Result<Options, String> {
        Ok(Options { thread: self.thread, force: self.force, ..self.wishes.options()? })
    }
}

/// A link of the list, with everything that is wanted of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it stands, counted from 1.
    pub line: usize,
    /// As it stands there.
    pub link: String,
    /// The same, read.
    pub url: Url,
    /// Whose it is.
    pub platform: PlatformId,
    /// What it points to.
    pub kind: ResourceKind,
    /// In its canonical spelling.
    pub canonical: Url,
    /// What is wanted of it.
    pub options: Options,
    /// Bytes a file may have.
    pub max_size: Option<u64>,
    /// What tells it from all other work: the same post with the same wishes has the same key, in every list. A hash,
    /// because addresses of files may be signed.
    pub key: String,
    /// The line of an earlier entry that asks for the same.
    pub same_as: Option<usize>,
    /// Which of its entries are wanted, if it is a list that can be taken apart.
    pub listing: Option<Listing>,
    /// Which entry of the list in that line it is, counted from 1.
    pub item: Option<usize>,
}

impl Entry {
    /// Where it stands, for people: `4`, or `4.2` for the second entry of a list.
    pub fn place(&self) -> String {
        self.item.map_or_else(|| self.line.to_string(), |item| format!("{}.{item}", self.line))
    }

    /// What people should know of a link that stands for many.
    pub fn note(&self) -> Option<String> {
        match self.listing {
            Some(Listing { most, from_end }) => {
                let which = if from_end { "last" } else { "first" };
                Some(format!("a list: its {which} {most} entries, each as a link of its own, looked up when it begins"))
            }
            None => matches!(self.kind, ResourceKind::Playlist | ResourceKind::Profile)
                .then(|| format!("a list: its first {ITEMS_OF_A_LIST} entries, as one piece of work")),
        }
    }

    /// The entries of this list, each with the wishes of the list. What no platform knows is left out.
    pub fn taken_apart(&self, listed: Vec<Listed>, strategy: &Strategy) -> Vec<Self> {
        let known = listed.into_iter().filter_map(|one| Some((strategy.route(&one.url).ok()?.resource, one.url)));
        let entry = |(index, (resource, url)): (usize, (Resource, Url))| Self {
            link: url.to_string(),
            key: key(&resource.key(), &self.options, self.max_size),
            url,
            platform: resource.platform,
            kind: resource.kind,
            canonical: resource.canonical,
            listing: None,
            item: Some(index + 1),
            same_as: None,
            ..self.clone()
        };
        known.enumerate().map(entry).collect()
    }
}

/// An entry as it was read.
#[derive(Debug)]
struct Raw {
    line: usize,
    link: String,
    wanted: Wanted,
}

/// Reads a list. `file`: its name, if it has one.
///
/// # Errors
/// Everything that is wrong with it, in the order of the lines.
pub(super) fn read(
    bytes: &[u8],
    file: Option<&Path>,
    usual: &Wanted,
    strategy: &Strategy,
) -> Result<Vec<Entry>, Vec<Problem>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}'),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            return Err(vec![Problem::new(line, "this is no UTF-8 text")]);
        }
    };
    let mut problems = Vec::new();
    let raw = if is_yaml(text, file) { of_yaml(text, usual, &mut problems) } else { of_lines(text, usual) };
    if raw.is_empty() && problems.is_empty() {
        problems.push(Problem::new(1, "there is no link in it"));
    }
    let entries = understood(raw, strategy, &mut problems);
    if problems.is_empty() {
        return Ok(entries);
    }
    problems.sort_by_key(|problem| problem.line);
    Err(problems)
}

/// Whether it is YAML: by its name, or because its first line begins as a list of YAML or JSON does and as no link does.
fn is_yaml(text: &str, file: Option<&Path>) -> bool {
    let ending = file.and_then(Path::extension).unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    matches!(ending.as_str(), "yaml" | "yml" | "json")
        || first.is_some_and(|line| {
            line.starts_with(['[', '{', '%']) || line == "-" || line.starts_with("- ") || line.starts_with("---")
        })
}

fn of_lines(text: &str, usual: &Wanted) -> Vec<Raw> {
    let lines = text.lines().enumerate().map(|(index, line)| {
        // A `#` inside of a link has no space before it.
        let link = line.split(" #").next().unwrap_or_default().split("\t#").next().unwrap_or_default().trim();
        (index + 1, link)
    });
    lines
        .filter(|(_, link)| !link.is_empty() && !link.starts_with('#'))
        .map(|(line, link)| Raw { line, link: link.to_owned(), wanted: usual.clone() })
        .collect()
}

/// Reads the events of the parser. What a list may not hold is named and passed over, so that the next mistake is found,
/// too. No aliases: a few lines of them can stand for millions of links.
fn of_yaml(text: &str, usual: &Wanted, problems: &mut Vec<Problem>) -> Vec<Raw> {
    const SHAPE: &str = "a list was expected here: links, or mappings with `url` and options";
    let mut raw = Vec::new();
    let mut reader = Reader { events: Parser::new_from_str(text), line: 1 };
    let told = loop {
        match reader.next() {
            Ok(Some(Event::SequenceStart(..))) => break reader.entries(usual, &mut raw, problems),
            Ok(Some(Event::StreamStart | Event::DocumentStart(_) | Event::Nothing)) => {}
            // A file of comments only.
            Ok(Some(Event::StreamEnd | Event::DocumentEnd) | None) => return raw,
            Ok(Some(_)) => break Err(Problem::new(reader.line, SHAPE)),
            Err(problem) => break Err(problem),
        }
    };
    let end = told.and_then(|()| {
        loop {
            match reader.next()? {
                None => break Ok(()),
                Some(Event::DocumentStart(_)) => break Err(Problem::new(reader.line, "a second list begins here")),
                Some(_) => {}
            }
        }
    });
    problems.extend(end.err());
    raw
}

/// The events, and the line of the latest.
struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Option<Event<'a>>, Problem> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(Some(event))
            }
            Some(Err(error)) => Err(Problem::new(error.marker().line(), format!("no list: {}", error.info()))),
            None => Ok(None),
        }
    }

    /// The entries of a list, up to its end.
    fn entries(&mut self, usual: &Wanted, raw: &mut Vec<Raw>, problems: &mut Vec<Problem>) -> Result<(), Problem> {
        loop {
            let event = self.next()?;
            let line = self.line;
            match event {
                None | Some(Event::SequenceEnd) => return Ok(()),
                Some(Event::Scalar(link, ..)) => {
                    raw.push(Raw { line, link: link.trim().to_owned(), wanted: usual.clone() });
                }
                Some(Event::MappingStart(..)) => raw.extend(self.entry(usual, problems)?),
                Some(Event::Alias(_)) => {
                    problems.push(Problem::new(line, "aliases are not followed in a list of links"))
                }
                Some(other) => {
                    problems.push(Problem::new(line, "a link or a mapping was expected here"));
                    self.pass_over(&other)?;
                }
            }
        }
    }

    /// One mapping, up to its end. `None`: it names no link.
    fn entry(&mut self, usual: &Wanted, problems: &mut Vec<Problem>) -> Result<Option<Raw>, Problem> {
        let begun = self.line;
        let (mut link, mut wanted, mut seen) = (None, usual.clone(), Vec::new());
        loop {
            let name = match self.next()? {
                None | Some(Event::MappingEnd) => break,
                Some(Event::Scalar(name, ..)) => Some(name.into_owned()),
                Some(other) => {
                    problems.push(Problem::new(self.line, "the name of an option was expected here"));
                    self.pass_over(&other)?;
                    None
                }
            };
            let line = self.line;
            let value = match self.next()? {
                Some(Event::Scalar(value, ..)) => Some(value.trim().to_owned()),
                None => break,
                Some(other) => {
                    problems.push(Problem::new(line, "one value was expected here"));
                    self.pass_over(&other)?;
                    None
                }
            };
            let (Some(name), Some(value)) = (name, value) else { continue };
            if seen.contains(&name) {
                problems.push(Problem::new(line, format!("{name} stands here twice")));
            } else if name == "url" {
                link = Some((line, value));
            } else if let Err(told) = wanted.set(&name, &value) {
                problems.push(Problem::new(line, told));
            }
            seen.push(name);
        }
        if link.is_none() {
            problems.push(Problem::new(begun, "this entry has no url"));
        }
        Ok(link.map(|(line, link)| Raw { line, link, wanted }))
    }

    /// Goes on behind what has just begun.
    fn pass_over(&mut self, begun: &Event<'_>) -> Result<(), Problem> {
        let mut depth = step(begun);
        while depth > 0 {
            match self.next()? {
                Some(event) => depth += step(&event),
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

/// How much deeper an event leads.
fn step(event: &Event<'_>) -> i32 {
    match event {
        Event::SequenceStart(..) | Event::MappingStart(..) => 1,
        Event::SequenceEnd | Event::MappingEnd => -1,
        _ => 0,
    }
}

/// Reads every link and its wishes, and finds what is asked for twice.
fn understood(raw: Vec<Raw>, strategy: &Strategy, problems: &mut Vec<Problem>) -> Vec<Entry> {
    if let Some(extra) = raw.get(MOST_LINKS) {
        let told = format!("a list has at most {MOST_LINKS} links: make two of it");
        problems.push(Problem::new(extra.line, told));
        return Vec::new();
    }
    let mut entries = Vec::with_capacity(raw.len());
    for Raw { line, link, wanted } in raw {
        let routed = parse_link(&link).and_then(|url| {
            let routed = strategy.route(&url)?;
            let can_be_listed = lister(&routed).is_some();
            Ok((routed.resource, can_be_listed, url))
        });
        let options = wanted.options();
        match (routed, options) {
            (Ok((resource, can_be_listed, url)), Ok(options)) => {
                let listing =
                    can_be_listed.then_some(Listing { most: wanted.max_items, from_end: wanted.oldest_first });
                // More of the same list is other work.
                let whose = match &listing {
                    Some(Listing { most, from_end }) => format!("{} {most} {from_end}", resource.key()),
                    None => resource.key(),
                };
                let key = key(&whose, &options, wanted.max_size);
                let (platform, kind, canonical) = (resource.platform, resource.kind, resource.canonical);
                let (max_size, same_as, item) = (wanted.max_size, None, None);
                let entry = Entry {
                    line,
                    link,
                    url,
                    platform,
                    kind,
                    canonical,
                    options,
                    max_size,
                    key,
                    same_as,
                    listing,
                    item,
                };
                entries.push(entry);
            }
            (routed, options) => {
                // For operators, because it says more; it holds no more of the link than its host and path.
                problems.extend(routed.err().map(|error| Problem::new(line, error.operator_text())));
                problems.extend(options.err().map(|told| Problem::new(line, told)));
            }
        }
    }
    find_same(&mut entries);
    entries
}

/// Notes of each entry that an earlier one asks for the same. What was known of a list stays: the earlier one may be taken
/// apart by now.
pub(super) fn find_same(entries: &mut [Entry]) {
    let mut first: HashMap<(String, bool), usize> = HashMap::new();
    for entry in entries.iter_mut().filter(|entry| entry.listing.is_none() || entry.same_as.is_none()) {
        let place = (entry.key.clone(), entry.options.force);
        entry.same_as = first.get(&place).copied();
        first.entry(place).or_insert(entry.line);
    }
}

/// Whether the platform shall be asked anew does not change what comes of it.
fn key(resource: &str, options: &Options, max_size: Option<u64>) -> String {
    let wishes = serde_json::json!([resource, Options { force: false, ..options.clone() }, max_size]);
    hex::encode(Sha256::digest(wishes.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser as _;

    use super::*;
    use crate::{model::Quality, platforms::Registry, settings::Settings};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        wishes: Wishes,
    }

    fn usual(wishes: Wishes) -> Wanted {
        Wanted { wishes, max_size: None, thread: false, force: false, max_items: 10, oldest_first: false }
    }

    fn list(text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
        named(text, "list.txt")
    }

    fn named(text: &str, name: &str) -> Result<Vec<Entry>, Vec<Problem>> {
        let settings = Arc::new(Settings::default());
        let strategy = Strategy::new(settings.clone(), Arc::new(Registry::standard(&settings)));
        let wishes = Line::parse_from(["batch"]).wishes;
        let usual = usual(wishes);
        read(text.as_bytes(), Some(Path::new(name)), &usual, &strategy)
    }

    /// The lines with what is wrong there.
    fn wrong(text: &str) -> Vec<(usize, String)> {
        list(text).unwrap_err().into_iter().map(|problem| (problem.line, problem.message)).collect()
    }

    #[test]
    fn lines_are_links_and_comments_are_none() {
        let text = "\u{feff}# mine\r\n\r\nhttps://x.com/a/status/1\r\n  x.com/a/status/2 # later\n#x\nhttps://e.org/a.mp4#t=3\n";
        let entries = list(text).unwrap();
        let told: Vec<_> = entries.iter().map(|entry| (entry.line, entry.link.as_str())).collect();
        assert_eq!(told, [(3, "https://x.com/a/status/1"), (4, "x.com/a/status/2"), (6, "https://e.org/a.mp4#t=3")]);
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml = "\
# of this week
- https://x.com/a/status/1
- url: https://x.com/a/status/2
  quality: 720p
  start: 1:30
  end: 105
  max_size: 8MB
- {url: 'https://x.com/a/status/3', audio_format: mp3, force: true}
";
        let json = "[\n\t\"https:\\/\\/x.com/a/status/1\",\n\t{\"url\": \"https://x.com/a/status/2\", \"quality\": \"720p\",\n\
            \"start\": \"1:30\", \"end\": 105, \"max_size\": 8388608},\n\
            {\"url\": \"https://x.com/a/status/3\", \"audio_format\": \"mp3\", \"force\": true}]";
        for text in [yaml, json] {
            let entries = list(text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
            let [one, two, three] = entries.as_slice() else { panic!("{entries:?}") };
            assert_eq!((one.line, &one.options), (2, &Options::default()));
            assert_eq!((two.line, two.options.quality, two.max_size), (3, Quality::Height(720), Some(8 << 20)));
            let trim = two.options.fit.trim.unwrap();
            assert_eq!((trim.start_ms, trim.end_ms), (90_000, Some(105_000)));
            assert!(three.options.audio_only && three.options.force, "{three:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line() {
        let told = wrong("https://x.com/a/status/1\nnonsense\nftp://x.com/a\nhttps://x.com/a b\n");
        assert_eq!(told.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 3, 4], "{told:?}");
        assert!(told[1].1.contains("only http and https links work"), "{told:?}");
        let told = wrong(
            "- url: https://x.com/a/status/1\n  quality: 8K\n  colour: red\n- quality: 720p\n- url: x\n  mute: maybe\n\
             - url: https://x.com/a/status/2\n  gif: true\n  split: true\n- [deep, [er]]\n- url: [a]\n  mute: true\n\
             - &a https://x.com/a/status/3\n- *a\n- url: https://x.com/a/status/4\n  mute: true\n  mute: false\n  speed:\n",
        );
        let expected = [
            (2, "quality: unknown quality \"8K\""),
            (3, "colour: there is no such option"),
            (4, "this entry has no url"),
            (5, "that is not a link"),
            (6, "mute: \"maybe\" is neither true nor false"),
            (7, "a GIF and several parts don't go together"),
            (10, "a link or a mapping was expected here"),
            (11, "one value was expected"),
            (11, "this entry has no url"),
            (14, "aliases are not followed"),
            (17, "mute stands here twice"),
            (18, "speed: there is no value"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (line, part) in expected {
            assert!(told.iter().any(|(at, text)| *at == line && text.contains(part)), "{line} {part}: {told:#?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        for (text, line, part) in [
            ("", 1, "there is no link in it"),
            ("# nothing\n", 1, "there is no link in it"),
            ("[]", 1, "there is no link in it"),
            ("\n{\"urls\": []}", 2, "a list was expected"),
            ("- https://x.com/a/status/1\n- \"open\n", 2, "no list"),
            ("- https://x.com/a/status/1\n---\n- https://x.com/a/status/2\n", 2, "a second list begins here"),
        ] {
            let told = wrong(text);
            assert!(told.len() == 1 && told[0].0 >= line && told[0].1.contains(part), "{text:?}: {told:?}");
        }
        assert!(named("urls: [a]", "list.yaml").unwrap_err()[0].message.contains("a list was expected"));
        let strategy = Strategy::new(Arc::default(), Arc::new(Registry::standard(&Settings::default())));
        let wishes = Line::parse_from(["batch"]).wishes;
        let usual = usual(wishes);
        let told = read(b"https://x.com/a/status/1\n\xff\xfe\n", None, &usual, &strategy).unwrap_err();
        assert_eq!((told[0].line, told[0].message.as_str()), (2, "this is no UTF-8 text"));
        let many = "https://x.com/a/status/1\n".repeat(MOST_LINKS + 1);
        assert_eq!(wrong(&many)[0].0, MOST_LINKS + 1);
    }

    #[test]
    fn the_same_post_with_the_same_wishes_is_found_however_it_is_spelt() {
        let entries = list(
            "- https://x.com/a/status/1?s=20\n- https://twitter.com/a/status/1\n\
             - {url: 'https://fxtwitter.com/a/status/1', quality: 720p}\n- {url: 'https://x.com/a/status/1', force: true}\n",
        )
        .unwrap();
        let same: Vec<_> = entries.iter().map(|entry| entry.same_as).collect();
        assert_eq!(same, [None, Some(1), None, None]);
        assert_eq!(entries[0].key, entries[3].key, "asking anew gives the same");
        assert_ne!(entries[0].key, entries[2].key);
    }

    #[test]
    fn a_link_that_stands_for_many_says_so() {
        let entries = list(
            "https://www.youtube.com/playlist?list=PLFgquLnL59alCl_2TQvOiD5Vgm1hCaGSI\nhttps://x.com/a/status/1\n",
        );
        let notes: Vec<_> = entries.unwrap().iter().map(Entry::note).collect();
        assert!(notes[0].as_deref().is_some_and(|note| note.contains("first 10 entries")), "{notes:?}");
        assert_eq!(notes[1], None);
        let text = "- {url: 'https://www.youtube.com/@cara', max_items: 50, oldest_first: true}\n- https://x.com/ann\n";
        let notes: Vec<_> = list(text).unwrap().iter().map(Entry::note).collect();
        assert!(notes[0].as_deref().is_some_and(|note| note.contains("last 50 entries, each")), "{notes:?}");
        assert!(notes[1].as_deref().is_some_and(|note| note.contains("as one piece of work")), "{notes:?}");
        for wrong in ["0", "1001", "many", "-3"] {
            let text = format!("- url: https://www.youtube.com/@cara\n  max_items: {wrong}\n");
            assert!(super::tests::wrong(&text)[0].1.contains("number from 1 to 1000"), "{wrong}");
        }
    }

    #[test]
    fn the_entries_of_a_list_have_its_wishes_and_are_known_among_all() {
        let list = list(
            "- url: https://www.youtube.com/playlist?list=PLFgquLnL59alCl_2TQvOiD5Vgm1hCaGSI\n  quality: 720p\n\
             - {url: 'https://youtu.be/dQw4w9WgXcQ', quality: 720p}\n",
        )
        .unwrap();
        let settings = Arc::new(Settings::default());
        let strategy = Strategy::new(settings.clone(), Arc::new(Registry::standard(&settings)));
        let listed = [
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "ftp://no.example/",
            "https://www.youtube.com/watch?v=abcdefghijk",
        ]
        .map(|url| Listed { url: Url::parse(url).unwrap(), title: None });
        let mut entries = list[0].taken_apart(listed.to_vec(), &strategy);
        let places: Vec<_> = entries.iter().map(Entry::place).collect();
        assert_eq!(places, ["1.1", "1.2"], "what nobody knows is no entry");
        assert!(entries.iter().all(|entry| entry.options == list[0].options && entry.listing.is_none()));
        entries.push(list[1].clone());
        find_same(&mut entries);
        assert_eq!(entries.iter().map(|entry| entry.same_as).collect::<Vec<_>>(), [None, None, Some(1)]);
    }
}
