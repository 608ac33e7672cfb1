//! YouTube: the player API, the page, stills, and the hosts of its streams.

mod lists;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::lists::{List, channel_id};
use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, DASH_SOUND, Dash, Media},
    web::{broadcast_part, lock},
};

/// Where the streams are.
const STREAMS: &str = "rr3---sn-world.googlevideo.com";

/// The model.
#[derive(Clone, Default)]
pub struct YouTube {
    state: Arc<Mutex<State>>,
}

struct State {
    videos: HashMap<String, YouTubeVideo>,
    /// Playlists by id.
    playlists: HashMap<String, List>,
    /// The videos of channels, by handle.
    channels: HashMap<String, List>,
    /// When every broadcast began.
    started: Instant,
}

impl Default for State {
    fn default() -> Self {
        Self { videos: HashMap::new(), playlists: HashMap::new(), channels: HashMap::new(), started: Instant::now() }
    }
}

/// A video to place. `YouTubeVideo::of(Dash::seed(3)).titled("A song")`.
#[derive(Debug, Clone)]
pub struct YouTubeVideo {
    /// Its id of eleven letters; given at placing when empty.
    pub id: String,
    /// The title.
    pub title: String,
    /// The channel's name.
    pub author: String,
    /// The channel's id: `UC` and 22 letters.
    pub channel_id: String,
    /// The text below it.
    pub description: String,
    /// When it was published.
    pub published: DateTime<Utc>,
    /// Views.
    pub views: u64,
    /// Tags.
    pub keywords: Vec<String>,
    /// Picture and sound apart.
    pub streams: Dash,
    /// Picture and sound in one, at low quality (itag 18), if there is one.
    pub combined: Option<Media>,
    /// Whether it can be played.
    pub playability: Playability,
    /// People who like it.
    pub likes: u64,
    /// The client (`VISIONOS`) that only gets addresses which the player's script must sign first.
    pub ciphered_for: Option<&'static str>,
    /// Whether the clients of devices are told that there is no such video, as of those made for children.
    pub only_on_the_web: bool,
}

/// Whether a video can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playability {
    /// Yes.
    Ok,
    /// It never was, or was deleted.
    Unavailable,
    /// Its owner keeps it.
    Private,
    /// With an account that says its age.
    Age,
    /// Not in this country.
    Geo,
    /// For members of the channel.
    Members,
    /// It is being broadcast now.
    Live,
    /// It will be broadcast in two hours.
    Upcoming,
    /// YouTube takes the visitor for a machine.
    Bot,
}

impl YouTubeVideo {
    /// A public video of these streams; a combined one besides.
    pub fn of(streams: Dash) -> Self {
        let combined = media::video(media::Video { seconds: streams.seconds, ..media::Video::seed(streams.seed) });
        Self {
            id: String::new(),
            title: "A video".into(),
            author: "Cara's Channel".into(),
            channel_id: "UCabcdefghijklmnopqrstuv".into(),
            description: "What it is about".into(),
            published: posted(),
            views: 1234,
            keywords: vec!["test".into()],
            streams,
            combined: Some(combined),
            playability: Playability::Ok,
            likes: 4321,
            ciphered_for: None,
            only_on_the_web: false,
        }
    }

    /// A video that cannot be played.
    pub fn gone(why: Playability) -> Self {
        Self { playability: why, ..Self::of(Dash::seed(1)) }
    }

    /// Its title.
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.into();
        self
    }

    /// Its channel's name.
    pub fn by(mut self, author: &str) -> Self {
        self.author = author.into();
        self
    }

    fn status(&self) -> Value {
        let status = |status: &str, reason: &str| json!({"status": status, "reason": reason, "playableInEmbed": false, "contextParams": "Q0FF"});
        match self.playability {
            Playability::Ok | Playability::Live => json!({"status": "OK", "playableInEmbed": true}),
            Playability::Unavailable => status("ERROR", "Video unavailable"),
            Playability::Private => {
                status("LOGIN_REQUIRED", "Private video. Please sign in if you've been granted access")
            }
            Playability::Age => {
                let mut age = status("LOGIN_REQUIRED", "Sign in to confirm your age");
                age["desktopLegacyAgeGateReason"] = json!(1);
                age
            }
            Playability::Geo => {
                let mut geo = status("UNPLAYABLE", "Video unavailable");
                let subreason = "The uploader has not made this video available in your country";
                geo["errorScreen"] = json!({"playerErrorMessageRenderer": {
                    "reason": {"simpleText": "Video unavailable"}, "subreason": {"simpleText": subreason},
                }});
                geo
            }
            Playability::Members => status(
                "UNPLAYABLE",
                "Join this channel to get access to members-only content like this video, and other exclusive perks.",
            ),
            Playability::Upcoming => {
                let mut later = status("LIVE_STREAM_OFFLINE", "This live event will begin in 2 hours.");
                let start = (self.published + chrono::Duration::hours(2)).timestamp().to_string();
                later["liveStreamability"] = json!({"liveStreamabilityRenderer": {
                    "videoId": self.id,
                    "offlineSlate": {"liveStreamOfflineSlateRenderer": {"scheduledStartTime": start}},
                }});
                later
            }
            Playability::Bot => status("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot"),
        }
    }

    fn stream_url(&self, itag: u32, mime: &str) -> String {
        let mime = mime.replace('/', "%2F");
        format!(
            "https://{STREAMS}/videoplayback?expire=1893456000&ei=world&id={}&itag={itag}&source=youtube&mime={mime}&sig=AOq0",
            self.id
        )
    }

    fn stream(&self, itag: u32, bytes: u64, mime: &str, codecs: &str, extra: Value) -> Value {
        let seconds = u64::from(self.streams.seconds);
        let mut stream = json!({
            "itag": itag,
            "url": self.stream_url(itag, mime),
            "mimeType": format!("{mime}; codecs=\"{codecs}\""),
            "bitrate": bytes * 8 / seconds,
            "averageBitrate": bytes * 8 / seconds,
            "contentLength": bytes.to_string(),
            "lastModified": "1767614400000000",
            "approxDurationMs": (seconds * 1000).to_string(),
            "projectionType": "RECTANGULAR",
        });
        for (name, value) in extra.as_object().expect("an object") {
            stream[name] = value.clone();
        }
        if self.ciphered_for.is_some()
            && let Some(address) = stream.as_object_mut().and_then(|stream| stream.remove("url"))
        {
            let address = address.as_str().unwrap_or_default().replace('&', "%26");
            stream["signatureCipher"] = format!("s=AbCdEf&sp=sig&url={address}").into();
        }
        stream
    }

    fn picture(&self, itag: u32, name: &str, halved: u32, quality: &str) -> Value {
        let (width, height) = (self.streams.width / halved, self.streams.height / halved);
        let bytes = std::fs::metadata(media::dash(&self.streams).join(name)).expect("the stream").len();
        let extra = json!({
            "width": width, "height": height, "fps": 25, "quality": quality, "qualityLabel": format!("{height}p"),
        });
        self.stream(itag, bytes, "video/mp4", "avc1.64001f", extra)
    }

    /// The file behind an itag.
    fn file(&self, itag: &str) -> Option<(std::path::PathBuf, &'static str)> {
        let folder = media::dash(&self.streams);
        Some(match itag {
            "18" => (self.combined.as_ref()?.path.clone(), "video/mp4"),
            "134" => (folder.join(self.streams.best()), "video/mp4"),
            "160" => (folder.join(self.streams.lower()), "video/mp4"),
            "140" if self.streams.sound => (folder.join(DASH_SOUND), "audio/mp4"),
            _ => return None,
        })
    }

    fn streaming_data(&self) -> Value {
        if self.playability == Playability::Live {
            let manifest =
                format!("https://manifest.googlevideo.com/api/manifest/hls_variant/id/{}/index.m3u8", self.id);
            return json!({"expiresInSeconds": "21540", "hlsManifestUrl": manifest, "adaptiveFormats": []});
        }
        let mut formats = Vec::new();
        if let Some(combined) = &self.combined {
            formats.push(self.stream(
                18,
                combined.bytes(),
                "video/mp4",
                "avc1.42001E, mp4a.40.2",
                json!({
                    "width": combined.width, "height": combined.height, "fps": 25, "quality": "small",
                    "qualityLabel": format!("{}p", combined.height), "audioQuality": "AUDIO_QUALITY_LOW",
                    "audioSampleRate": "44100", "audioChannels": 1,
                }),
            ));
        }
        let mut adaptive = vec![
            self.picture(134, &self.streams.best(), 1, "medium"),
            self.picture(160, &self.streams.lower(), 2, "tiny"),
        ];
        if self.streams.sound {
            let bytes = std::fs::metadata(media::dash(&self.streams).join(DASH_SOUND)).expect("the stream").len();
            adaptive.push(self.stream(140, bytes, "audio/mp4", "mp4a.40.2", json!({
                "quality": "tiny", "audioQuality": "AUDIO_QUALITY_MEDIUM", "audioSampleRate": "44100", "audioChannels": 1,
            })));
        }
        json!({"expiresInSeconds": "21540", "formats": formats, "adaptiveFormats": adaptive})
    }

    /// What the player API answers.
    fn player(&self) -> Value {
        let playability = self.status();
        let mut answer = json!({
            "responseContext": {"visitorData": "CgtXb3JsZFZpc2l0"},
            "playabilityStatus": playability,
        });
        let hidden = matches!(self.playability, Playability::Unavailable | Playability::Private | Playability::Bot);
        if hidden {
            return answer;
        }
        let live = self.playability == Playability::Live;
        let upcoming = self.playability == Playability::Upcoming;
        let still = |name: &str, width: u32, height: u32| json!({"url": format!("https://i.ytimg.com/vi/{}/{name}.jpg", self.id), "width": width, "height": height});
        let published = self.published.format("%Y-%m-%dT%H:%M:%S-08:00").to_string();
        answer["videoDetails"] = json!({
            "videoId": self.id,
            "title": self.title,
            "lengthSeconds": if live || upcoming { "0".to_owned() } else { self.streams.seconds.to_string() },
            "keywords": self.keywords,
            "channelId": self.channel_id,
            "isOwnerViewing": false,
            "shortDescription": self.description,
            "isCrawlable": true,
            "thumbnail": {"thumbnails": [still("default", 120, 90), still("hqdefault", 480, 360)]},
            "viewCount": self.views.to_string(),
            "author": self.author,
            "isPrivate": false,
            "isUnpluggedCorpus": false,
            "isLiveContent": live || upcoming,
            "isLive": live,
            "isUpcoming": upcoming,
        });
        answer["microformat"] = json!({"playerMicroformatRenderer": {
            "title": {"simpleText": self.title},
            "category": "People & Blogs",
            "externalChannelId": self.channel_id,
            "ownerChannelName": self.author,
            "ownerProfileUrl": "http://www.youtube.com/@cara",
            "lengthSeconds": self.streams.seconds.to_string(),
            "viewCount": self.views.to_string(),
            "isFamilySafe": self.playability != Playability::Age,
            "publishDate": published,
            "uploadDate": published,
        }});
        if matches!(self.playability, Playability::Ok | Playability::Live) {
            answer["streamingData"] = self.streaming_data();
        }
        answer
    }

    /// What the site shows around the player: owner, date, likes, comments.
    fn around(&self) -> Value {
        let endpoint = json!({"browseEndpoint": {"browseId": self.channel_id, "canonicalBaseUrl": "/@cara"}});
        let like = format!("like this video along with {} other people", self.likes);
        let like = json!({"defaultButtonViewModel": {"buttonViewModel": {"accessibilityText": like}}});
        let like = json!({"toggleButtonViewModel": {"toggleButtonViewModel": like}});
        let like = json!({"likeButtonViewModel": {"likeButtonViewModel": like}});
        let buttons = json!([{"segmentedLikeDislikeButtonViewModel": like}]);
        json!({
            "contents": {"twoColumnWatchNextResults": {"results": {"results": {"contents": [
                {"videoPrimaryInfoRenderer": {
                    "title": {"runs": [{"text": self.title}]},
                    "dateText": {"simpleText": self.published.format("%b %-d, %Y").to_string()},
                    "videoActions": {"menuRenderer": {"topLevelButtons": buttons}},
                }},
                {"videoSecondaryInfoRenderer": {"owner": {"videoOwnerRenderer": {
                    "title": {"runs": [{"text": self.author, "navigationEndpoint": endpoint}]},
                    "navigationEndpoint": endpoint,
                }}}},
            ]}}}},
            "engagementPanels": [{"engagementPanelSectionListRenderer": {
                "panelIdentifier": "engagement-panel-comments-section",
                "header": {"engagementPanelTitleHeaderRenderer": {"contextualInfo": {"runs": [{"text": "12"}]}}},
            }}],
        })
    }
}

impl YouTube {
    /// Places a video and returns its public link.
    pub fn video(&self, mut video: YouTubeVideo) -> String {
        if video.id.is_empty() {
            // The last of the eleven letters only has four bits: A, E, I … are the real ones.
            video.id = name_of(next(), 10, MIXED) + "E";
        }
        let link = format!("https://www.youtube.com/watch?v={}", video.id);
        lock(&self.state).videos.insert(video.id.clone(), video);
        link
    }

    /// Answers what is asked of YouTube's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "www.youtube.com" | "youtubei.googleapis.com" | "m.youtube.com" | "music.youtube.com" => self.site(request),
            "youtube.com" => {
                let mut to = request.url.clone();
                to.set_host(Some("www.youtube.com")).ok()?;
                Some(Reply::redirect(to.as_str()))
            }
            "youtu.be" => {
                let id = *request.segments().first()?;
                Some(Reply::redirect(&format!("https://www.youtube.com/watch?v={id}&feature=youtu.be")))
            }
            "i.ytimg.com" => self.still(request),
            "manifest.googlevideo.com" => self.broadcast(request),
            host if host.ends_with(".googlevideo.com") => self.stream(request),
            _ => None,
        }
    }

    fn site(&self, request: &Request) -> Option<Reply> {
        match request.segments()[..] {
            ["youtubei", "v1", "player"] => Some(self.player(request)),
            ["youtubei", "v1", "next"] => {
                let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                Some(Reply::json(&self.around(asked["videoId"].as_str().unwrap_or_default())))
            }
            ["youtubei", "v1", "browse"] => Some(self.browse(request)),
            ["youtubei", "v1", "navigation", "resolve_url"] => Some(self.resolve(request)),
            ["playlist"] => Some(Self::data_page(&self.list(&format!("VL{}", request.param("list")?))?)),
            [handle, "videos"] if handle.starts_with('@') => {
                Some(Self::data_page(&self.list(&channel_id(&handle[1..]))?))
            }
            ["watch"] => Some(self.watch_page(&request.param("v")?)),
            ["shorts" | "live" | "embed" | "v", id] => Some(self.watch_page(id)),
            _ => None,
        }
    }

    fn player(&self, request: &Request) -> Reply {
        let refused = |status: u16, message: &str| {
            Reply::json_status(status, &json!({"error": {"code": status, "message": message, "errors": []}}))
        };
        if request.method != hyper::Method::POST {
            return refused(404, "Not Found");
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let client = &asked["context"]["client"];
        let (Some(id), Some(_), Some(_)) =
            (asked["videoId"].as_str(), client["clientName"].as_str(), client["clientVersion"].as_str())
        else {
            return refused(400, "Request contains an invalid argument.");
        };
        let name = client["clientName"].as_str();
        let mut video = lock(&self.state).videos.get(id).cloned();
        if let Some(video) = &mut video {
            video.ciphered_for = video.ciphered_for.filter(|whom| name == Some(*whom));
        }
        let shown = video.filter(|video| name == Some("WEB") || !video.only_on_the_web);
        Reply::json(&shown.map_or_else(|| Self::unknown(id), |video| video.player()))
    }

    fn unknown(id: &str) -> Value {
        YouTubeVideo { id: id.to_owned(), ..YouTubeVideo::gone(Playability::Unavailable) }.player()
    }

    /// What stands around the player of a video: as the site's application asks for it, and on the page itself.
    fn around(&self, id: &str) -> Value {
        lock(&self.state).videos.get(id).map_or_else(|| json!({"contents": {}}), YouTubeVideo::around)
    }

    /// The page for people: an application that says little without JavaScript, and no streams.
    fn watch_page(&self, id: &str) -> Reply {
        let settings = json!({
            "INNERTUBE_API_KEY": "AIzaSyWorldWorldWorldWorldWorldWorldWor",
            "INNERTUBE_CLIENT_NAME": "WEB",
            "INNERTUBE_CLIENT_VERSION": "2.20260105.01.00",
            "INNERTUBE_CONTEXT":
                {"client": {"clientName": "WEB", "clientVersion": "2.20260105.01.00", "hl": "en", "gl": "US"}},
            "VISITOR_DATA": "CgtXb3JsZFZpc2l0",
        });
        let around = self.around(id);
        let mut player = self.told(id);
        if let Some(parts) = player.as_object_mut() {
            parts.remove("streamingData");
        }
        Reply::html(&format!(
            "<!DOCTYPE html><html><head><link rel=\"canonical\" href=\"https://www.youtube.com/watch?v={id}\"><script>\
             ytcfg.set({settings});</script></head><body><script>var ytInitialPlayerResponse = {player};</script>\
             <script>var ytInitialData = {around};</script></body></html>"
        ))
        .with_header("set-cookie", "VISITOR_INFO1_LIVE=world; Domain=.youtube.com; Path=/; Secure")
    }

    /// What is told about an id, placed or not.
    fn told(&self, id: &str) -> Value {
        lock(&self.state).videos.get(id).map_or_else(|| Self::unknown(id), YouTubeVideo::player)
    }

    fn stream(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let video = state.videos.get(&request.param("id")?)?;
        let (path, mime) = video.file(&request.param("itag")?)?;
        Some(Reply::file(path, mime))
    }

    /// The playlist and segments of a video that is being broadcast.
    fn broadcast(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let ["api", "manifest", "hls_variant", "id", id, name] = request.segments()[..] else { return None };
        let live = state.videos.get(id).is_some_and(|video| video.playability == Playability::Live);
        if !live {
            return None;
        }
        if name == "index.m3u8" {
            let playlist = "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n\
                #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=320x180\nlive.m3u8\n";
            return Some(Reply::new(200, "application/vnd.apple.mpegurl", playlist));
        }
        broadcast_part(name, state.started)
    }

    fn still(&self, request: &Request) -> Option<Reply> {
        match request.segments()[..] {
            ["vi", _, name] if name.ends_with(".jpg") => Some(Reply::file(media::jpg(98).path, "image/jpeg")),
            ["vi_webp", ..] => Some(Reply::status(404)),
            _ => None,
        }
    }
}
