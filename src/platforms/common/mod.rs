//! What several platform files share: reading links, JSON and text. Knows no platform.

pub mod http;
pub mod json;
pub mod link;
pub mod text;
