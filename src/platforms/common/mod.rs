//! What several platform files share: reading links, JSON and text. Knows no platform.

pub mod link;
