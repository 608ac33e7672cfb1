//! A post of Instagram to place, in the shapes that its APIs tell it in.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{FILES, code_of, number_of};
use crate::world::{
    media::{self, Media},
    platforms::{MIXED, name_of, next, posted},
};

/// A post to place. `InstagramPost::carousel(vec![…]).by("dan", "Dan Example")`.
#[derive(Debug, Clone)]
pub struct InstagramPost {
    /// Its number; given at placing when 0.
    pub pk: u64,
    /// The account.
    pub username: String,
    /// The account's display name.
    pub full_name: String,
    /// The text below it.
    pub caption: String,
    /// When it was posted.
    pub taken_at: DateTime<Utc>,
    /// Likes.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// What it holds; more than one: a carousel.
    pub items: Vec<InstagramItem>,
    /// Its address is `/reel/`.
    pub reel: bool,
    /// Whether it can be seen.
    pub access: Access,
}

/// Whether a post can be seen without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Public,
    /// A private account.
    Private,
    /// Restricted by age.
    Restricted,
    /// Never was, or deleted.
    Missing,
}

/// One image or video of a post.
#[derive(Debug, Clone)]
pub struct InstagramItem {
    pub(super) media: Media,
    pub(super) pk: u64,
    name: String,
}

impl InstagramItem {
    /// An image or a video, as its type says.
    pub fn of(media: &Media) -> Self {
        let number = next();
        Self { media: media.clone(), pk: number_of(number), name: format!("{number}_{}_n", name_of(number, 12, MIXED)) }
    }

    pub(super) fn is_video(&self) -> bool {
        self.media.mime.starts_with("video/")
    }

    pub(super) fn image_path(&self) -> String {
        let extension = if self.media.mime == "image/webp" { "webp" } else { "jpg" };
        format!("/v/t51.2885-15/{}.{extension}", self.name)
    }

    pub(super) fn video_path(&self) -> String {
        format!("/o1/v/t16/f2/m86/{}.mp4", self.name)
    }

    /// The media object, as it stands alone or in a carousel.
    pub(super) fn object(&self) -> Value {
        let Media { width, height, seconds, .. } = self.media;
        let mut object = json!({
            "pk": self.pk.to_string(),
            "id": format!("{}_1234", self.pk),
            "code": code_of(self.pk),
            "media_type": if self.is_video() { 2 } else { 1 },
            "original_width": width,
            "original_height": height,
            "accessibility_caption": null,
            "image_versions2": {"candidates": [
                {"url": format!("https://{FILES}{}?stp=dst-jpg_e35&oh=00_world&oe=70000000", self.image_path()),
                 "width": width, "height": height},
                {"url": format!("https://{FILES}{}?stp=dst-jpg_s150x150&oh=00_world&oe=70000000", self.image_path()),
                 "width": width / 2, "height": height / 2},
            ]},
        });
        if self.is_video() {
            object["video_versions"] = json!([{
                "type": 101, "id": format!("{}v", self.pk), "width": width, "height": height,
                "url": format!("https://{FILES}{}?efg=e30&oh=00_world&oe=70000000", self.video_path()),
            }]);
            object["video_duration"] = json!(f64::from(seconds));
            object["has_audio"] = json!(true);
        }
        object
    }
}

impl InstagramPost {
    fn new(items: Vec<InstagramItem>) -> Self {
        Self {
            pk: 0,
            username: "dan".into(),
            full_name: "Dan Example".into(),
            caption: "A day out".into(),
            taken_at: posted(),
            likes: 77,
            comments: 8,
            items,
            reel: false,
            access: Access::Public,
        }
    }

    /// A post with one image or video.
    pub fn single(media: &Media) -> Self {
        Self::new(vec![InstagramItem::of(media)])
    }

    /// A reel.
    pub fn reel(media: &Media) -> Self {
        Self { reel: true, ..Self::single(media) }
    }

    /// A carousel of images and videos, in this order.
    pub fn carousel(media: &[Media]) -> Self {
        Self::new(media.iter().map(InstagramItem::of).collect())
    }

    /// A post that cannot be seen.
    pub fn gone(access: Access) -> Self {
        Self { access, ..Self::single(&media::jpg(97)) }
    }

    /// Whose it is.
    pub fn by(mut self, username: &str, full_name: &str) -> Self {
        self.username = username.into();
        self.full_name = full_name.into();
        self
    }

    /// Its text.
    pub fn caption(mut self, text: &str) -> Self {
        self.caption = text.into();
        self
    }

    /// The media object of the API.
    pub(super) fn object(&self) -> Value {
        let user = json!({
            "pk": "1234", "id": "1234", "username": self.username, "full_name": self.full_name,
            "is_private": self.access == Access::Private,
            "profile_pic_url": format!("https://{FILES}/v/t51.2885-19/face.jpg"),
        });
        let mut object = if let [only] = &self.items[..] { only.object() } else { json!({}) };
        let parts = json!({
            "pk": self.pk.to_string(),
            "id": format!("{}_1234", self.pk),
            "code": code_of(self.pk),
            "taken_at": self.taken_at.timestamp(),
            "user": user,
            "owner": user,
            "caption": {"pk": "1", "text": self.caption},
            "like_count": self.likes,
            "comment_count": self.comments,
            "product_type": if self.reel { "clips" } else { "feed" },
        });
        for (name, value) in parts.as_object().expect("an object") {
            object[name] = value.clone();
        }
        if self.items.len() > 1 {
            object["media_type"] = json!(8);
            object["carousel_media_count"] = json!(self.items.len());
            object["image_versions2"] = self.items[0].object()["image_versions2"].clone();
            object["carousel_media"] = self.items.iter().map(InstagramItem::object).collect();
        }
        object
    }
}

/// The first web API's names for what [`InstagramItem::object`] and [`InstagramPost::object`] tell.
fn first_shape_of(object: &Value) -> Value {
    let candidate = &object["image_versions2"]["candidates"][0];
    json!({
        "id": object["pk"], "shortcode": object["code"],
        "dimensions": {"width": object["original_width"], "height": object["original_height"]},
        "display_url": candidate["url"], "is_video": object["video_versions"].is_array(),
        "video_url": object["video_versions"][0]["url"], "video_duration": object["video_duration"],
        "accessibility_caption": object["accessibility_caption"],
    })
}

impl InstagramPost {
    /// The post in the shape of the first web API.
    pub(super) fn first_shape(&self) -> Value {
        let object = self.object();
        let mut shape = first_shape_of(&object);
        shape["owner"] = json!({"username": self.username, "full_name": self.full_name});
        shape["edge_media_to_caption"] = json!({"edges": [{"node": {"text": self.caption}}]});
        shape["edge_media_preview_like"] = json!({"count": self.likes});
        shape["edge_media_to_comment"] = json!({"count": self.comments});
        shape["taken_at_timestamp"] = json!(self.taken_at.timestamp());
        if let Some(parts) = object["carousel_media"].as_array() {
            let edges: Vec<Value> = parts.iter().map(|part| json!({"node": first_shape_of(part)})).collect();
            shape["edge_sidecar_to_children"] = json!({"edges": edges});
        }
        shape
    }
}
