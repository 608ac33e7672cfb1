//! The model of Mastodon servers, of any host that a story names: NodeInfo, the client API, and files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Reply, Request, next, posted};
use crate::world::{media::Media, web::Plain};

/// The model.
#[derive(Clone, Default)]
pub struct Mastodon {
    placed: Arc<Plain>,
}

/// A post to place.
#[derive(Debug, Clone)]
pub struct MastodonPost {
    host: String,
    media: Vec<(Media, Option<String>)>,
    boosts: bool,
    sensitive: bool,
}

impl MastodonPost {
    /// With media, on mastodon.social.
    pub fn of(media: &[Media]) -> Self {
        let media = media.iter().map(|media| (media.clone(), None)).collect();
        Self { host: "mastodon.social".into(), media, boosts: false, sensitive: false }
    }

    /// On another server.
    pub fn on(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// With a description of one of its media, counted from 0.
    pub fn alt(mut self, index: usize, text: &str) -> Self {
        self.media[index].1 = Some(text.into());
        self
    }

    /// Somebody else's, that its author only repeats.
    pub fn boosted(mut self) -> Self {
        self.boosts = true;
        self
    }

    /// Behind a warning.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }
}

impl Mastodon {
    /// Places a post and returns its public link.
    pub fn post(&self, post: MastodonPost) -> String {
        let MastodonPost { host, media, boosts, sensitive } = post;
        let id = (109_876_543_210_000_000 + next()).to_string();
        let attachments: Vec<_> =
            media.iter().map(|(media, alt)| self.attachment(&host, media, alt.as_deref())).collect();
        let mut status = status(&host, &id, sensitive);
        if boosts {
            status["reblog"] = json!({"id": "1", "sensitive": false, "media_attachments": attachments});
        } else {
            status["media_attachments"] = attachments.into();
        }
        self.placed.put(&host, &format!("/api/v1/statuses/{id}"), Reply::json(&status));
        format!("https://{host}/@ann/{id}")
    }

    /// A link to a post whose server answers with a status and an error.
    pub fn refused(&self, status: u16, error: &str) -> String {
        let id = (109_876_543_210_000_000 + next()).to_string();
        let body = json!({"error": error});
        self.placed.put("mastodon.social", &format!("/api/v1/statuses/{id}"), Reply::json_status(status, &body));
        format!("https://mastodon.social/@ann/{id}")
    }

    /// Makes a host say what software it runs.
    pub fn server(&self, host: &str, software: &str) {
        self.says(host, software, host);
    }

    /// Makes a host say what software it runs in a document of another host.
    pub fn says(&self, host: &str, software: &str, document: &str) {
        let of = |version: &str| {
            json!({"rel": format!("http://nodeinfo.diaspora.software/ns/schema/{version}"),
                   "href": format!("https://{document}/nodeinfo/{version}")})
        };
        let index = json!({"links": [of("2.0"), of("2.1")]});
        self.placed.put(host, "/.well-known/nodeinfo", Reply::json(&index));
        let told = json!({"version": "2.1", "software": {"name": software, "version": "4.5.0"}});
        self.placed.put(document, "/nodeinfo/2.1", Reply::json(&told));
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        self.placed.answer(request)
    }

    fn attachment(&self, host: &str, media: &Media, alt: Option<&str>) -> Value {
        let id = next().to_string();
        let (kind, extension) = match media.mime {
            "video/mp4" => ("video", "mp4"),
            "audio/mpeg" => ("audio", "mp3"),
            "image/png" => ("image", "png"),
            _ => ("image", "jpg"),
        };
        let files = format!("files.{host}");
        let path = |size: &str, extension: &str| format!("/media_attachments/files/{id}/{size}/a.{extension}");
        let url = self.placed.put(&files, &path("original", extension), Reply::file(&media.path, media.mime));
        let mut original = json!({"width": media.width, "height": media.height});
        if media.seconds > 0 {
            original["duration"] = f64::from(media.seconds).into();
            original["bitrate"] = 400_000.into();
        }
        json!({
            "id": id, "type": kind, "url": url, "preview_url": format!("https://{files}{}", path("small", "jpg")),
            "remote_url": null, "description": alt, "blurhash": null, "meta": {"original": original},
        })
    }
}

fn status(host: &str, id: &str, sensitive: bool) -> Value {
    json!({
        "id": id, "created_at": posted().format("%Y-%m-%dT%H:%M:%S.000Z").to_string(), "in_reply_to_id": null,
        "sensitive": sensitive, "spoiler_text": if sensitive { "boxes" } else { "" }, "visibility": "public",
        "uri": format!("https://{host}/users/ann/statuses/{id}"), "url": format!("https://{host}/@ann/{id}"),
        "replies_count": 1, "reblogs_count": 2, "favourites_count": 3, "content": "<p>Look<br>here &amp; there</p>",
        "reblog": null, "media_attachments": [], "tags": [], "card": null,
        "account": {"id": "1", "username": "ann", "acct": "ann", "display_name": "Ann Example",
                    "url": format!("https://{host}/@ann")},
    })
}
