//! Facebook: public videos and reels, and the videos of public posts.
//!
//! In process the page of a video is read: its scripts carry the addresses of the files, and a manifest of picture and sound
//! apart. Most of what people share is shown to signed-in people only; then the operator's session is tried, if there is
//! one. Photos are gallery-dl's.
//!
//! A video has one canonical link, `https://www.facebook.com/watch/?v=ID`, under whatever page a link shows it; a reel keeps
//! its own. Share links (`/share/v/…`, `fb.watch/…`) lead to one of them.

mod page;
mod parse;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        json::text,
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Error, FileType, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("facebook");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("facebook")]) }

/// The site and its other spellings; besides them `xx-yy.facebook.com` for each language.
const HOSTS: &[&str] = &[
    "facebook.com",
    "www.facebook.com",
    "m.facebook.com",
    "mbasic.facebook.com",
    "mobile.facebook.com",
    "touch.facebook.com",
    "web.facebook.com",
    "fb.com",
    "www.fb.com",
    "m.fb.com",
    "facebed.com",
    "www.facebed.com",
];

/// First path parts that are pages of the site rather than people.
const RESERVED: &[&str] = &[
    "ads",
    "business",
    "checkpoint",
    "dialog",
    "events",
    "flx",
    "friends",
    "gaming",
    "groups",
    "hashtag",
    "help",
    "home.php",
    "l.php",
    "legal",
    "login",
    "login.php",
    "marketplace",
    "media",
    "messages",
    "notifications",
    "pages",
    "people",
    "permalink.php",
    "photo",
    "photo.php",
    "photos",
    "plugins",
    "policies",
    "privacy",
    "profile.php",
    "public",
    "recover",
    "reel",
    "reels",
    "search",
    "settings",
    "share",
    "share.php",
    "sharer",
    "sharer.php",
    "stories",
    "story.php",
    "terms",
    "video",
    "video.php",
    "videos",
    "watch",
    "watchparty",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.facebook.com/watch/?v=647537299265662", WATCH),
    ("https://www.facebook.com/watch?v=647537299265662&ref=sharing", WATCH),
    ("https://facebook.com/watch/live/?ref=watch_permalink&v=647537299265662", WATCH),
    ("https://m.facebook.com/watch/?v=647537299265662&_rdr", WATCH),
    ("https://www.facebook.com/video.php?v=647537299265662&fref=nf", WATCH),
    ("https://www.facebook.com/video/video.php?v=647537299265662", WATCH),
    ("https://www.facebook.com/video/embed?video_id=647537299265662", WATCH),
    ("https://www.facebook.com/photo.php?v=647537299265662", WATCH),
    ("https://www.facebook.com/radiokicksfm/videos/647537299265662/", WATCH),
    ("https://www.facebook.com/100033620354545/videos/647537299265662/?mibextid=x", WATCH),
    ("https://www.facebook.com/WatchESLOne/videos/a-long-title/647537299265662/", WATCH),
    ("https://www.facebook.com/ChristyClarkForBC/videos/vb.22819070941/647537299265662/?type=2&theater", WATCH),
    ("https://www.facebook.com/videos/647537299265662", WATCH),
    ("https://zh-hk.facebook.com/peoplespower/videos/647537299265662/", WATCH),
    ("https://es-la.facebook.com/watch/?v=647537299265662", WATCH),
    ("https://mbasic.facebook.com/watch/?v=647537299265662", WATCH),
    ("https://WEB.facebook.com./watch/?v=647537299265662#x", WATCH),
    ("https://fb.com/watch/?v=647537299265662", WATCH),
    ("https://www.facebed.com/watch/?v=647537299265662", WATCH),
    (
        "https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Fwww.facebook.com%2Fgov.sg%2Fvideos%2F647537299265662%2F&width=560",
        WATCH,
    ),
    (
        "https://www.facebook.com/reel/1195289147628387",
        "video 1195289147628387 https://www.facebook.com/reel/1195289147628387",
    ),
    (
        "https://m.facebook.com/reel/1195289147628387/?s=single_unit&__cft__[0]=x",
        "video 1195289147628387 https://www.facebook.com/reel/1195289147628387",
    ),
    ("https://fb.watch/8bX3yZ_1-a/", "short_link 8bX3yZ_1-a https://fb.watch/8bX3yZ_1-a/"),
    (
        "https://www.facebook.com/share/v/15pyXz9abc/",
        "short_link 15pyXz9abc https://www.facebook.com/share/v/15pyXz9abc/",
    ),
    (
        "https://www.facebook.com/share/r/15pyXz9abc/?mibextid=x",
        "short_link 15pyXz9abc https://www.facebook.com/share/r/15pyXz9abc/",
    ),
    ("https://m.facebook.com/share/p/15pyXz9abc", "short_link 15pyXz9abc https://www.facebook.com/share/p/15pyXz9abc/"),
    ("https://www.facebook.com/share/15pyXz9abc/", "short_link 15pyXz9abc https://www.facebook.com/share/15pyXz9abc/"),
    (
        "https://m.facebook.com/story.php?story_fbid=1035862816472149&id=116132035111903",
        "post 1035862816472149 https://www.facebook.com/permalink.php?story_fbid=1035862816472149&id=116132035111903",
    ),
    (
        "https://www.facebook.com/permalink.php?id=100068861234290&story_fbid=pfbid0fqQuVEQyXRa9Dp4RcaTR14KHU3&__tn__=x",
        "post pfbid0fqQuVEQyXRa9Dp4RcaTR14KHU3 https://www.facebook.com/permalink.php?story_fbid=pfbid0fqQuVEQyXRa9Dp4RcaTR14KHU3&id=100068861234290",
    ),
    (
        "https://www.facebook.com/maxlayn/posts/10153807558977570",
        "post 10153807558977570 https://www.facebook.com/maxlayn/posts/10153807558977570",
    ),
    (
        "https://www.facebook.com/attn/posts/some-words/pfbid0j1Czf2gGDVqeQ8KiMLFm3pWN8GxsQ?rdid=x",
        "post pfbid0j1Czf2gGDVqeQ8KiMLFm3pWN8GxsQ https://www.facebook.com/attn/posts/pfbid0j1Czf2gGDVqeQ8KiMLFm3pWN8GxsQ",
    ),
    (
        "https://www.facebook.com/groups/1024490957622648/permalink/1396382447100162/",
        "post 1396382447100162 https://www.facebook.com/groups/1024490957622648/posts/1396382447100162",
    ),
    (
        "https://www.facebook.com/groups/tea.lovers/posts/d41d8cd9/2013209885760000/?app=fbl",
        "post 2013209885760000 https://www.facebook.com/groups/tea.lovers/posts/2013209885760000",
    ),
    (
        "https://www.facebook.com/photo/?fbid=10152716010956729&set=gm.1",
        "post photo/10152716010956729 https://www.facebook.com/photo/?fbid=10152716010956729",
    ),
    (
        "https://www.facebook.com/photo.php?fbid=10152716010956729",
        "post photo/10152716010956729 https://www.facebook.com/photo/?fbid=10152716010956729",
    ),
    (
        "https://es-la.facebook.com/ads/library/?active_status=all&id=901230958115569",
        "post ads/901230958115569 https://www.facebook.com/ads/library/?id=901230958115569",
    ),
    ("https://www.facebook.com/NASA/videos/", "profile nasa https://www.facebook.com/nasa"),
    ("https://www.facebook.com/ads/library/?q=tea", "generic"),
    ("https://www.facebook.com/NASA", "profile nasa https://www.facebook.com/nasa"),
    (
        "https://www.facebook.com/profile.php?id=100068861234290&sk=about",
        "profile 100068861234290 https://www.facebook.com/profile.php?id=100068861234290",
    ),
    ("https://www.facebook.com/", "generic"),
    ("https://www.facebook.com/watch/", "generic"),
    ("https://www.facebook.com/watch/?v=abc", "generic"),
    ("https://www.facebook.com/watch/?v=", "generic"),
    ("https://www.facebook.com/login", "generic"),
    ("https://www.facebook.com/marketplace/item/1234", "generic"),
    ("https://www.facebook.com/reel/", "generic"),
    ("https://www.facebook.com/reel/abc", "generic"),
    ("https://www.facebook.com/share/v/", "generic"),
    ("https://www.facebook.com/story.php?story_fbid=1035862816472149", "generic"),
    ("https://www.facebook.com/permalink.php?story_fbid=a%2Fb&id=1", "generic"),
    ("https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Fevil.example%2Fvideos%2F1", "generic"),
    ("https://www.facebook.com/sharer/sharer.php?u=https://evil.example/", "generic"),
    ("https://fb.watch/", "generic"),
    ("https://fb.watch/a/b", "generic"),
    ("https://evil.fb.watch/8bX3yZ_1-a/", "generic"),
    ("https://www.facebook.com:8443/watch/?v=647537299265662", "generic"),
    ("https://www.facebook.com.evil.example/watch/?v=647537299265662", "generic"),
    ("https://evilfacebook.com/watch/?v=647537299265662", "generic"),
    ("https://evil.facebook.com/watch/?v=647537299265662", "generic"),
    ("https://www.faceb00k.com/watch/?v=647537299265662", "generic"),
    ("https://www.facebook.com@evil.example/watch/?v=647537299265662", "nothing"),
    ("https://user:pw@www.facebook.com/watch/?v=647537299265662", "nothing"),
];

#[cfg(test)]
const WATCH: &str = "video 647537299265662 https://www.facebook.com/watch/?v=647537299265662";

/// The platform.
pub struct Facebook;

#[async_trait]
impl Extractor for Facebook {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Video => page::video(resource, cx).await,
            ResourceKind::Post if !is_for_tools(resource) => page::video(resource, cx).await,
            ResourceKind::Post => Err(Error::new(Kind::UnsupportedUrl, "photos and advertisements are for the tools")),
            _ => Err(Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is somebody's page")),
        }
    }
}

impl Platform for Facebook {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Facebook"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["facebook.com", "fb.com", "fb.watch", "facebed.com"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if link.host() == "fb.watch" {
            let [token] = link.segments() else { return None };
            return short("https://fb.watch/", token);
        }
        if !is_host(link.host()) {
            return None;
        }
        if let ["plugins", "video.php" | "post.php"] = link.segments() {
            let inner = Url::parse(&link.query("href")?).ok()?;
            // One embed deep, so that no link can hold itself.
            let of_site = Link::of(&inner).is_some_and(|link| is_host(link.host()));
            return (of_site && !inner.path().starts_with("/plugins/")).then(|| self.route(&inner)).flatten();
        }
        match link.segments() {
            ["watch"] | ["watch", "live"] | ["video.php"] | ["video", "video.php"] => watch(&link.query("v")?),
            ["photo.php"] if link.query("v").is_some() => watch(&link.query("v")?),
            ["video", "embed"] => watch(&link.query("video_id")?),
            ["videos", id] | [_, "videos", id] | [_, "videos", _, id] => watch(id),
            ["reel" | "reels", id] => {
                let canonical = canonical("https://www.facebook.com/reel/", number(id)?)?;
                Some(Resource::new(ID, ResourceKind::Video, *id, canonical))
            }
            ["share", kind @ ("v" | "r" | "p"), token] => {
                short(&format!("https://www.facebook.com/share/{kind}/"), token)
            }
            ["share", token] => short("https://www.facebook.com/share/", token),
            ["story.php" | "permalink.php"] => {
                let (id, owner) = (link.query("story_fbid")?, link.query("id")?);
                let rest = format!("{}&id={}", story(&id)?, number(&owner)?);
                post(&id, canonical("https://www.facebook.com/permalink.php?story_fbid=", &rest)?)
            }
            ["groups", group, "permalink" | "posts", id] | ["groups", group, "permalink" | "posts", _, id] => {
                let path = format!("{}/posts/{}", vanity(group)?, story(id)?);
                post(id, canonical("https://www.facebook.com/groups/", &path)?)
            }
            [user, "posts", id] | [user, "posts", _, id] => {
                let path = format!("{}/posts/{}", vanity(user)?, story(id)?);
                post(id, canonical("https://www.facebook.com/", &path)?)
            }
            ["photo" | "photo.php"] => {
                let id = link.query("fbid")?;
                post(&format!("{PHOTO}{id}"), canonical("https://www.facebook.com/photo/?fbid=", number(&id)?)?)
            }
            ["profile.php"] => {
                let id = link.query("id")?;
                let canonical = canonical("https://www.facebook.com/profile.php?id=", number(&id)?)?;
                Some(Resource::new(ID, ResourceKind::Profile, id, canonical))
            }
            ["ads", "library"] => {
                let id = link.query("id")?;
                post(
                    &format!("{ADVERTISEMENT}{id}"),
                    canonical("https://www.facebook.com/ads/library/?id=", number(&id)?)?,
                )
            }
            [user] | [user, "videos" | "reels" | "photos"] => {
                let user = vanity(user)?;
                let canonical = canonical("https://www.facebook.com/", &user)?;
                Some(Resource::new(ID, ResourceKind::Profile, user, canonical))
            }
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["facebook", "facebook:reel", "facebook:ads"],
            args: Vec::new(),
            why: "knows videos, reels, and the videos of posts and advertisements",
        };
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "knows photos",
        };
        match resource.kind {
            ResourceKind::Video => vec![yt_dlp],
            ResourceKind::Post if resource.id.starts_with(PHOTO) => vec![gallery_dl],
            ResourceKind::Post if resource.id.starts_with(ADVERTISEMENT) => vec![yt_dlp],
            ResourceKind::Post => vec![yt_dlp, gallery_dl],
            _ => Vec::new(),
        }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        let Some(first) = raw.first().filter(|_| tool == Tool::YtDlp) else { return };
        metadata.title = metadata.title.as_deref().and_then(parse::title);
        if let Some(id) = text(first, "/uploader_id") {
            // On pages that it does not know well yt-dlp takes the page's title for the owner's name.
            let name = text(first, "/uploader").filter(|name| !name.ends_with("| Facebook"));
            metadata.author = Some(parse::author(id, name));
        }
        for (item, entry) in metadata.items.iter_mut().zip(raw) {
            item.kind = FileType::Video;
            item.id = text(entry, "/id").map(str::to_owned).or_else(|| Some(resource.id.clone()));
        }
    }
}

/// Whether a host is the site: one of its names, or that of a language.
fn is_host(host: &str) -> bool {
    let of_language = host.strip_suffix(".facebook.com").is_some_and(|name| {
        let parts = name.split_once('-');
        parts.is_some_and(|(language, country)| is_word(language, "", 2..=2) && is_word(country, "", 2..=2))
    });
    of_language || HOSTS.contains(&host)
}

/// What stands before the number of a photo in its id.
const PHOTO: &str = "photo/";

/// What stands before the number of an advertisement in its id.
const ADVERTISEMENT: &str = "ads/";

/// Whether it is a kind of post that only the tools read.
fn is_for_tools(resource: &Resource) -> bool {
    [PHOTO, ADVERTISEMENT].iter().any(|start| resource.id.starts_with(start))
}

fn watch(id: &str) -> Option<Resource> {
    let canonical = canonical("https://www.facebook.com/watch/?v=", number(id)?)?;
    Some(Resource::new(ID, ResourceKind::Video, id, canonical))
}

fn post(id: &str, canonical: Url) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::Post, id, canonical))
}

fn short(start: &str, token: &str) -> Option<Resource> {
    is_word(token, "_-", 5..=32).then_some(())?;
    let canonical = canonical(start, &format!("{token}/"))?;
    Some(Resource::new(ID, ResourceKind::ShortLink, token, canonical))
}

/// Ids are 64-bit numbers.
fn number(id: &str) -> Option<&str> {
    let plain = is_word(id, "", 1..=20) && !id.starts_with('0');
    plain.then(|| id.parse::<u64>().ok()).flatten().map(|_| id)
}

/// The id of a story: a number, or `pfbid…`.
fn story(id: &str) -> Option<&str> {
    number(id).or_else(|| (id.starts_with("pfbid") && is_word(id, "", 10..=120)).then_some(id))
}

/// The name of a person, page or group in a link, in lower case.
fn vanity(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    (is_word(&name, "._-", 1..=80) && !RESERVED.contains(&name.as_str())).then_some(name)
}
