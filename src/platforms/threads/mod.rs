//! Threads: the pictures and videos of posts.
//!
//! In process the page of a post is read: its scripts carry the thread in the record's shape of Instagram. Neither yt-dlp
//! nor gallery-dl knows Threads, so there is no tool behind it. A post's canonical link is `https://www.threads.com/t/CODE`,
//! because any handle in a link leads to the same post.

mod parse;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        html::Page,
        http,
        link::{Link, canonical, is_word},
        meta,
    },
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result},
    net::Client,
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("threads");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("threads")]) }

/// The site under its two names, and hosts that mirror its paths to make previews.
const HOSTS: &[&str] = &[
    "threads.com",
    "www.threads.com",
    "threads.net",
    "www.threads.net",
    "fixthreads.net",
    "www.fixthreads.net",
    "vxthreads.net",
    "www.vxthreads.net",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.threads.com/@tea.baker/post/DCSi_Fz-AAB", POST),
    ("https://www.threads.net/@tea.baker/post/DCSi_Fz-AAB", POST),
    ("https://threads.net/@tea.baker/post/DCSi_Fz-AAB/?xmt=AQGz&slof=1", POST),
    ("https://threads.com/@tea.baker/post/DCSi_Fz-AAB/media", POST),
    ("https://www.threads.com/@tea.baker/post/DCSi_Fz-AAB/embed", POST),
    ("https://www.threads.com/t/DCSi_Fz-AAB", POST),
    ("http://threads.net/t/DCSi_Fz-AAB/embed/", POST),
    ("https://WWW.THREADS.NET./t/DCSi_Fz-AAB#x", POST),
    ("https://www.fixthreads.net/@tea.baker/post/DCSi_Fz-AAB", POST),
    ("https://vxthreads.net/t/DCSi_Fz-AAB", POST),
    ("https://www.threads.com/@Tea.Baker", "profile tea.baker https://www.threads.com/@tea.baker"),
    ("https://www.threads.net/@tea.baker/replies", "profile tea.baker https://www.threads.com/@tea.baker"),
    ("https://www.threads.net/@tea.baker/media", "profile tea.baker https://www.threads.com/@tea.baker"),
    ("https://www.threads.com/", "generic"),
    ("https://www.threads.com/login", "generic"),
    ("https://www.threads.com/search?q=tea", "generic"),
    ("https://www.threads.com/t/", "generic"),
    ("https://www.threads.com/t/a%2Fb", "generic"),
    ("https://www.threads.com/t/no code", "generic"),
    ("https://www.threads.com/tea.baker/post/DCSi_Fz-AAB", "generic"),
    ("https://www.threads.com/@tea/baker/post/DCSi_Fz-AAB", "generic"),
    ("https://www.threads.com/@tea.baker/post/", "generic"),
    ("https://www.threads.com:8443/t/DCSi_Fz-AAB", "generic"),
    ("https://www.threads.com.evil.example/t/DCSi_Fz-AAB", "generic"),
    ("https://evilthreads.net/t/DCSi_Fz-AAB", "generic"),
    ("https://evil.threads.net/t/DCSi_Fz-AAB", "generic"),
    ("https://www.threads.org/t/DCSi_Fz-AAB", "generic"),
    ("https://www.threads.com@evil.example/t/DCSi_Fz-AAB", "nothing"),
];

#[cfg(test)]
const POST: &str = "post DCSi_Fz-AAB https://www.threads.com/t/DCSi_Fz-AAB";

/// The platform.
pub struct Threads;

#[async_trait]
impl Extractor for Threads {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Post {
            return Err(Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is somebody's page"));
        }
        match (ask(resource, cx.client).await, cx.session) {
            (Err(error), Some(session)) if *error.kind() == Kind::LoginRequired => {
                tracing::debug!(reason = error.operator_text(), "asking Threads again with the session");
                ask(resource, session.client()).await
            }
            (result, _) => result,
        }
    }
}

async fn ask(resource: &Resource, client: &Client) -> Result<MediaMetadata> {
    let answer = http::ask(client, meta::visit(client.get(&resource.canonical)?)).await?;
    // A post that is gone leads to the front page, which says so in its address.
    if answer.url.query_pairs().any(|(key, value)| key == "error" && value.starts_with("invalid")) {
        return Err(Error::new(Kind::NotFound, "Threads knows no such post"));
    }
    if meta::is_login(&answer.url) {
        return Err(Error::new(Kind::LoginRequired, "Threads leads to its login page"));
    }
    let mut metadata = parse::page(resource, &Page::of(answer.text()?))?;
    meta::learn_sizes(client, &mut metadata.items).await;
    Ok(metadata)
}

impl Platform for Threads {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Threads"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["threads.com", "threads.net", "fixthreads.net", "vxthreads.net"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if !HOSTS.contains(&link.host()) {
            return None;
        }
        match link.segments() {
            ["t", code] | ["t", code, "embed" | "media"] => post(code),
            [user, "post", code] | [user, "post", code, "embed" | "media"] if handle(user).is_some() => post(code),
            [user] | [user, "replies" | "media" | "reposts"] => {
                let user = handle(user)?;
                let canonical = canonical("https://www.threads.com/@", &user)?;
                Some(Resource::new(ID, ResourceKind::Profile, user, canonical))
            }
            _ => None,
        }
    }

    fn cli(&self, _resource: &Resource) -> Vec<CliTool> {
        Vec::new()
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }
}

fn handle(part: &str) -> Option<String> {
    let handle = part.strip_prefix('@')?;
    is_word(handle, "._", 1..=30).then(|| handle.to_ascii_lowercase())
}

fn post(code: &str) -> Option<Resource> {
    is_word(code, "_-", 5..=48).then_some(())?;
    let canonical = canonical("https://www.threads.com/t/", code)?;
    Some(Resource::new(ID, ResourceKind::Post, code, canonical))
}
