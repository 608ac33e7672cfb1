//! What several platform files share: reading links, JSON and text. Knows no platform.

pub mod dash;
pub mod expiry;
pub mod hls;
pub mod html;
pub mod http;
pub mod json;
pub mod link;
pub mod meta;
pub mod text;

#[cfg(test)]
pub mod testing;
