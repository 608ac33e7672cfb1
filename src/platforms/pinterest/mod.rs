//! Pinterest: pins with a picture, a video, a carousel, or the pages of an idea pin.
//!
//! The web client asks `PinResource` for a pin; so do the tools, and so do we. Every country has a domain of its own that
//! shows the same pins: `www.pinterest.com` is asked for all.

mod parse;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        hls, http,
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("pinterest");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("pinterest")]) }

const DOMAINS: &[&str] = &[
    "pin.it",
    "pinterest.at",
    "pinterest.be",
    "pinterest.ca",
    "pinterest.ch",
    "pinterest.cl",
    "pinterest.co",
    "pinterest.co.at",
    "pinterest.co.in",
    "pinterest.co.kr",
    "pinterest.co.nz",
    "pinterest.co.uk",
    "pinterest.com",
    "pinterest.com.au",
    "pinterest.com.bo",
    "pinterest.com.ec",
    "pinterest.com.mx",
    "pinterest.com.pe",
    "pinterest.com.py",
    "pinterest.com.uy",
    "pinterest.com.vn",
    "pinterest.de",
    "pinterest.dk",
    "pinterest.ec",
    "pinterest.es",
    "pinterest.fr",
    "pinterest.hu",
    "pinterest.id",
    "pinterest.ie",
    "pinterest.in",
    "pinterest.info",
    "pinterest.it",
    "pinterest.jp",
    "pinterest.kr",
    "pinterest.mx",
    "pinterest.nl",
    "pinterest.nz",
    "pinterest.pe",
    "pinterest.ph",
    "pinterest.pt",
    "pinterest.ru",
    "pinterest.se",
    "pinterest.th",
    "pinterest.tw",
    "pinterest.uk",
    "pinterest.vn",
];

/// First path parts that are pages of the site, not people.
const RESERVED: &[&str] = &[
    "_",
    "about",
    "business",
    "categories",
    "discover",
    "explore",
    "ideas",
    "login",
    "news_hub",
    "oauth",
    "password",
    "pin",
    "pin-builder",
    "pin-creation-tool",
    "resource",
    "search",
    "settings",
    "shop",
    "shopping",
    "signup",
    "today",
    "topics",
    "tv",
    "videos",
];

const API: &str = "https://www.pinterest.com/resource/PinResource/get/";

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://www.pinterest.com/pin/664281013778109217/",
        "post 664281013778109217 https://www.pinterest.com/pin/664281013778109217/",
    ),
    (
        "https://pinterest.com/pin/664281013778109217?mt=login#related",
        "post 664281013778109217 https://www.pinterest.com/pin/664281013778109217/",
    ),
    (
        "https://www.pinterest.ca/pin/441282463481903715/",
        "post 441282463481903715 https://www.pinterest.com/pin/441282463481903715/",
    ),
    (
        "https://co.pinterest.com/pin/824721750502199491/",
        "post 824721750502199491 https://www.pinterest.com/pin/824721750502199491/",
    ),
    (
        "http://www.pinterest.co.uk/pin/824721750502199491/sent/?invite_code=x",
        "post 824721750502199491 https://www.pinterest.com/pin/824721750502199491/",
    ),
    (
        "https://pinterest.com/pin/dive-into-serenity-blue-lagoon-2024--2885187256207927",
        "post 2885187256207927 https://www.pinterest.com/pin/2885187256207927/",
    ),
    (
        "https://www.pinterest.com.mx/pin/2885187256207927/visual-search/?x=1",
        "post 2885187256207927 https://www.pinterest.com/pin/2885187256207927/",
    ),
    ("https://pin.it/5bXq2aB", "short_link 5bXq2aB https://pin.it/5bXq2aB"),
    ("https://www.pinterest.com/ann_b/", "profile ann_b https://www.pinterest.com/ann_b/"),
    ("https://www.pinterest.de/ann_b/_created/", "profile ann_b https://www.pinterest.com/ann_b/"),
    (
        "https://www.pinterest.ca/mashal0407/cool-diys/",
        "playlist mashal0407/cool-diys https://www.pinterest.com/mashal0407/cool-diys/",
    ),
    (
        "https://www.pinterest.com/ann_b/cool-diys/wood/",
        "playlist ann_b/cool-diys/wood https://www.pinterest.com/ann_b/cool-diys/wood/",
    ),
    ("https://www.pinterest.com/", "generic"),
    ("https://www.pinterest.com/pin/", "generic"),
    ("https://www.pinterest.com/pin/abc/", "generic"),
    ("https://www.pinterest.com/pin/12%2F3/", "generic"),
    ("https://www.pinterest.com/ideas/cats/899/", "generic"),
    ("https://www.pinterest.com/search/pins/?q=cats", "generic"),
    ("https://www.pinterest.com/login/", "generic"),
    ("https://pin.it/", "generic"),
    ("https://pin.it/a/b", "generic"),
    ("https://pinterest.evil.example/pin/664281013778109217/", "generic"),
    ("https://www.pinterest.com.evil.example/pin/664281013778109217/", "generic"),
    ("https://evil-pinterest.com/pin/664281013778109217/", "generic"),
    ("https://a.b.pinterest.com/pin/664281013778109217/", "generic"),
    ("https://developers.pinterest.com/docs/", "generic"),
    ("https://www.pinterest.com:444/pin/664281013778109217/", "generic"),
    ("https://www.pinterest.com@evil.example/pin/664281013778109217/", "nothing"),
];

/// The platform.
pub struct Pinterest;

impl Platform for Pinterest {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Pinterest"
    }

    fn domains(&self) -> &'static [&'static str] {
        DOMAINS
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if matches!(link.host(), "pin.it" | "www.pin.it") {
            let [token] = link.segments() else { return None };
            is_word(token, "", 4..=32).then_some(())?;
            return Some(Resource::new(ID, ResourceKind::ShortLink, *token, canonical("https://pin.it/", token)?));
        }
        if !is_site(link.host()) {
            return None;
        }
        match link.segments() {
            ["pin", name, ..] => {
                // `title-in-words--ID`.
                let id = name.rsplit("--").next()?;
                (id.bytes().all(|b| b.is_ascii_digit()) && is_word(id, "", 5..=24)).then_some(())?;
                resource(ResourceKind::Post, id, &format!("pin/{id}/"))
            }
            [first, ..] if RESERVED.contains(first) => None,
            [name] | [name, "_created" | "_saved" | "pins" | "boards"] if is_name(name) => {
                resource(ResourceKind::Profile, name, &format!("{name}/"))
            }
            [name, board] if is_name(name) && is_name(board) => {
                let id = format!("{name}/{board}");
                resource(ResourceKind::Playlist, &id, &format!("{id}/"))
            }
            [name, board, section] if is_name(name) && is_name(board) && is_name(section) => {
                let id = format!("{name}/{board}/{section}");
                resource(ResourceKind::Playlist, &id, &format!("{id}/"))
            }
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads pictures, carousels and boards in order",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["pinterest", "youtube", "vimeo"],
            args: Vec::new(),
            why: "loads videos, also those of sites that a pin shows",
        };
        if resource.kind == ResourceKind::Post { vec![yt_dlp, gallery_dl] } else { vec![gallery_dl] }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        if resource.kind == ResourceKind::Post {
            parse::refine(resource, tool, raw, metadata);
        }
    }
}

#[async_trait]
impl Extractor for Pinterest {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Post {
            return Err(Error::new(Kind::UnsupportedUrl, "not a link to a pin")
                .with_detail("this is a whole board or somebody's page"));
        }
        let mut url = canonical(API, "").ok_or_else(|| Error::internal("the API's address"))?;
        // The set of fields that visitors' pages ask for.
        let data = json!({"options": {"field_set_key": "unauth_react_main_pin", "id": resource.id}});
        url.query_pairs_mut().append_pair("data", &data.to_string());
        let request = cx.client.get(&url)?.header("X-Pinterest-PWS-Handler", "www/[username].js");
        let answer = http::ask(cx.client, request).await?;
        let body = match answer.refusal {
            None => answer.json()?,
            Some(ref refusal) => {
                let body = answer.json().unwrap_or_default();
                return Err(parse::refused(&body).unwrap_or_else(|| refusal.clone()));
            }
        };
        let mut metadata = parse::pin(&body, resource)?;
        for item in &mut metadata.items {
            // A stream is only read where there is no file.
            if let [only] = item.renditions.as_slice()
                && !only.protocol.is_file()
                && let Some(playlist) = &only.url
            {
                item.renditions = hls::variants(cx.client, playlist, &only.headers).await?;
            }
        }
        http::sizes(cx.client, &mut metadata.items).await;
        Ok(metadata)
    }
}

fn resource(kind: ResourceKind, id: &str, path: &str) -> Option<Resource> {
    Some(Resource::new(ID, kind, id, canonical("https://www.pinterest.com/", path)?))
}

/// A name of a person, a board or a section.
fn is_name(text: &str) -> bool {
    is_word(text, "_-", 2..=100) && !text.starts_with('_')
}

/// One of the domains, or one label below it (`co.pinterest.com` is Colombia's).
fn is_site(host: &str) -> bool {
    let own = |name: &str| name != "pin.it" && DOMAINS.contains(&name);
    own(host) || host.split_once('.').is_some_and(|(label, rest)| own(rest) && (label == "www" || label.len() <= 2))
}
