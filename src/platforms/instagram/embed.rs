//! The page that other sites embed: it carries the post in the shape of Instagram's first web API, which is turned into
//! the shape of today's.

use serde_json::{Value, json};

use crate::{
    model::{Error, Result},
    platforms::common::{
        html,
        json::{is, list, text},
    },
};

/// The post in an embedded page, as a record of today's API.
///
/// # Errors
/// `platform_changed` when the page carries none: some posts are shown without their data.
pub fn page(html: &str) -> Result<Value> {
    let context = html::json_after(html, "\"contextJSON\":")
        .and_then(|context| serde_json::from_str::<Value>(context.as_str()?).ok())
        .ok_or_else(|| Error::platform_changed("an embedded page without its context"))?;
    let post = ["shortcode_media", "xdt_shortcode_media"]
        .iter()
        .find_map(|name| context.pointer(&format!("/gql_data/{name}")).filter(|post| post.is_object()))
        .ok_or_else(|| Error::platform_changed("an embedded page without a post"))?;
    Ok(modern(post))
}

fn modern(post: &Value) -> Value {
    let mut record = media(post);
    record["user"] =
        json!({"username": post.pointer("/owner/username"), "full_name": post.pointer("/owner/full_name")});
    record["caption"] = json!({"text": post.pointer("/edge_media_to_caption/edges/0/node/text")});
    record["taken_at"] = json!(post.get("taken_at_timestamp"));
    let count = |names: &[&str]| names.iter().find_map(|name| post.pointer(&format!("/{name}/count")).cloned());
    record["like_count"] = json!(count(&["edge_media_preview_like", "edge_liked_by"]));
    record["comment_count"] = json!(count(&["edge_media_to_parent_comment", "edge_media_to_comment"]));
    let children = list(post, "/edge_sidecar_to_children/edges").iter().filter_map(|edge| edge.get("node"));
    let children: Vec<Value> = children.map(media).collect();
    if !children.is_empty() {
        record["carousel_media"] = children.into();
    }
    record
}

/// One picture or video.
fn media(node: &Value) -> Value {
    let candidates = list(node, "/display_resources").iter().map(|version| {
        json!({"url": version.get("src"), "width": version.get("config_width"), "height": version.get("config_height")})
    });
    let mut candidates: Vec<Value> = candidates.collect();
    if let Some(url) = text(node, "/display_url")
        && candidates.iter().all(|candidate| text(candidate, "/url") != Some(url))
    {
        let (width, height) = (node.pointer("/dimensions/width"), node.pointer("/dimensions/height"));
        candidates.push(json!({"url": url, "width": width, "height": height}));
    }
    let mut record = json!({
        "pk": node.get("id"),
        "accessibility_caption": node.get("accessibility_caption"),
        "image_versions2": {"candidates": candidates},
        "media_overlay_info": node.get("media_overlay_info"),
        "sensitivity_friction_info": node.get("sensitivity_friction_info"),
    });
    if is(node, "/is_video") {
        record["video_versions"] = json!([{
            "url": node.get("video_url"),
            "width": node.pointer("/dimensions/width"), "height": node.pointer("/dimensions/height"),
        }]);
        record["video_duration"] = json!(node.get("video_duration"));
        record["video_dash_manifest"] = json!(node.pointer("/dash_info/video_dash_manifest"));
    }
    record
}
