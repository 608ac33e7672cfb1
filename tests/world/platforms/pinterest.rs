//! The model of Pinterest: `PinResource` as the tools and our extractor ask it, short links, and files.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{LOWER, MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, HLS_MASTER, Hls, Media},
    web::{Plain, lock},
};

const SITE: &str = "www.pinterest.com";

/// The model.
#[derive(Clone, Default)]
pub struct Pinterest {
    placed: Arc<Plain>,
    /// Status and answer, by pin.
    pins: Arc<Mutex<Vec<(String, u16, Value)>>>,
}

/// What a pin holds.
#[derive(Debug, Clone)]
pub enum PinContent {
    /// A picture.
    Image(Media),
    /// A video as files.
    Video(Media),
    /// A video as a stream only.
    Stream,
    /// Several pictures.
    Carousel(Vec<Media>),
    /// An idea pin with a page for each.
    Pages(Vec<Media>),
    /// A video of another site.
    Embed(String),
}

impl Pinterest {
    /// Places a pin and returns its public link.
    pub fn pin(&self, title: &str, content: &PinContent) -> String {
        let id = new_id();
        let mut pin = json!({
            "id": id, "type": "pin", "title": title, "grid_title": title, "description": "Folded", "alt_text": "a box",
            "created_at": posted().format("%a, %d %b %Y %H:%M:%S +0000").to_string(), "domain": "Uploaded by user",
            "closeup_attribution": {"id": "77", "username": "ann_b", "full_name": "Ann B"},
            "reaction_counts": {"1": 10}, "repin_count": 3, "comment_count": 1, "embed": null, "videos": null,
            "carousel_data": null, "story_pin_data": null, "hashtags": [], "images": self.images(&media::jpg(340)),
        });
        match content {
            PinContent::Image(picture) => pin["images"] = self.images(picture),
            PinContent::Video(video) => pin["videos"] = self.video(video),
            PinContent::Stream => pin["videos"] = self.stream(&id),
            PinContent::Carousel(pictures) => {
                let slot = |picture: &Media| {
                    let versions = self.images(picture);
                    json!({"id": new_id(), "images": {"736x": versions["736x"]}})
                };
                pin["carousel_data"] = json!({"carousel_slots": pictures.iter().map(slot).collect::<Vec<_>>()});
            }
            PinContent::Pages(pages) => {
                let page = |media: &Media| {
                    let block = if media.seconds > 0 {
                        json!({"type": "story_pin_video_block", "video": self.video(media)})
                    } else {
                        let original = self.images(media)["orig"].clone();
                        json!({"type": "story_pin_image_block", "image": {"images": {"originals": original}},
                               "image_signature": "00112233445566778899aabbccddeeff"})
                    };
                    json!({"id": new_id(), "blocks": [block]})
                };
                pin["story_pin_data"] = json!({"id": new_id(), "pages": pages.iter().map(page).collect::<Vec<_>>()});
            }
            PinContent::Embed(link) => {
                pin["domain"] = "elsewhere.example".into();
                pin["embed"] = json!({"src": link, "type": "iframe"});
            }
        }
        let body = json!({"resource_response": {"status": "success", "code": 0, "data": pin}});
        lock(&self.pins).push((id.clone(), 200, body));
        format!("https://{SITE}/pin/{id}/")
    }

    /// A link to a pin that the API refuses.
    pub fn refused(&self, status: u16, words: &str) -> String {
        let id = new_id();
        let error = json!({"http_status": status, "code": 50, "message": words});
        let body = json!({"resource_response": {"status": "failure", "data": null, "error": error}});
        lock(&self.pins).push((id.clone(), status, body));
        format!("https://{SITE}/pin/{id}/")
    }

    /// A short link to another.
    pub fn short(&self, link: &str) -> String {
        let token = name_of(next(), 7, &MIXED[..62]);
        let hop = self.placed.put(
            "api.pinterest.com",
            &format!("/url_shortener/{token}/redirect/"),
            Reply::redirect(&format!("{link}sent/?invite_code=abc")),
        );
        let short = self.placed.put("pin.it", &format!("/{token}"), Reply::redirect(&hop));
        let path = link.trim_start_matches("https://").trim_start_matches(SITE);
        self.placed.put(SITE, &format!("{path}sent/"), Reply::html("<title>Pinterest</title>"));
        short
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        if request.host == SITE && request.path == "/resource/PinResource/get/" {
            let data: Value = serde_json::from_str(&request.param("data")?).ok()?;
            let id = data["options"]["id"].as_str()?;
            let pins = lock(&self.pins);
            let (_, status, body) = pins.iter().find(|(pin, ..)| pin == id)?;
            return Some(Reply::json_status(*status, body));
        }
        self.placed.answer(request)
    }

    /// The versions of a picture.
    fn images(&self, picture: &Media) -> Value {
        let name = name_of(next(), 32, &LOWER[..6]);
        let extension = if picture.mime == "image/png" { "png" } else { "jpg" };
        let version = |size: &str| {
            let path = format!("/{size}/{}/{}/{}/{name}.{extension}", &name[..2], &name[2..4], &name[4..6]);
            let url = self.placed.put("i.pinimg.com", &path, Reply::file(&picture.path, picture.mime));
            json!({"url": url, "width": picture.width, "height": picture.height})
        };
        json!({"736x": version("736x"), "orig": version("originals")})
    }

    fn video(&self, video: &Media) -> Value {
        let name = name_of(next(), 32, &LOWER[..6]);
        let path = format!("/videos/mc/720p/{name}.mp4");
        let url = self.placed.put("v1.pinimg.com", &path, Reply::file(&video.path, video.mime));
        let told = json!({"url": url, "width": video.width, "height": video.height, "duration": video.seconds * 1000});
        json!({"id": name, "video_list": {"V_720P": told}})
    }

    fn stream(&self, id: &str) -> Value {
        let base = format!("/videos/iht/hls/{id}");
        let url = self.placed.put_folder("v1.pinimg.com", &base, media::hls(&Hls::seed(341)));
        let told = json!({"url": format!("{url}/{HLS_MASTER}"), "width": 640, "height": 360, "duration": 6000});
        json!({"id": id, "video_list": {"V_HLSV4": told}})
    }
}

fn new_id() -> String {
    (664_281_013_778_000_000 + next()).to_string()
}
