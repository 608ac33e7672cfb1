//! What a link points to, as the registry understood it.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Items of a list that are loaded at the most, whichever path loads them: as many as one message may carry.
pub const ITEMS_OF_A_LIST: usize = 10;

/// A platform's short name, for example `twitter`: stable, used in settings, statistics and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PlatformId(pub &'static str);

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What kind of thing a link points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A post that may hold pictures, videos or both.
    Post,
    /// A single video.
    Video,
    /// A list of videos.
    Playlist,
    /// Somebody's page.
    Profile,
    /// A story that vanishes after a day.
    Story,
    /// A media file itself.
    File,
    /// A short or share link: where it leads is only known after asking (see `Platform::is_short_link`).
    ShortLink,
    /// Anything a tool may know better than we do.
    Unknown,
}

impl ResourceKind {
    /// Whether it holds the same from one day to the next, but for what is edited or deleted: lists and pages grow.
    pub fn is_lasting(self) -> bool {
        matches!(self, Self::Post | Self::Video | Self::Story)
    }
}

/// A routed link: which platform, what kind, which id, and the one canonical spelling that cache and logs use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Resource {
    /// The platform whose file recognised the link.
    pub platform: PlatformId,
    /// What it points to.
    pub kind: ResourceKind,
    /// The platform's own id of it. For [`ResourceKind::Unknown`] and [`ResourceKind::File`] the canonical link.
    pub id: String,
    /// The link in its canonical spelling, without tracking parameters.
    pub canonical: Url,
    /// For links to one item of a post (`/photo/2`): its place, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

impl Resource {
    /// The one key of what is asked for: cache, single flight and duplicates go by it.
    pub fn key(&self) -> String {
        let item = self.item.map(|number| format!("#{number}")).unwrap_or_default();
        let kind = serde_json::to_value(self.kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()));
        format!("{}:{}:{}{item}", self.platform, kind.unwrap_or_default(), self.id)
    }

    /// A resource without an item number.
    pub fn new(platform: PlatformId, kind: ResourceKind, id: impl Into<String>, canonical: Url) -> Self {
        Self { platform, kind, id: id.into(), canonical, item: None }
    }
}
