//! Every other site: yt-dlp knows well over a thousand, gallery-dl some hundred more with pictures. Must be the last of
//! the registry, because it knows every link.

use url::Url;

use super::{CliTool, Platform, common::link};
use crate::model::{PlatformId, Resource, ResourceKind, Tool};

/// The short name.
pub const ID: PlatformId = PlatformId("generic");

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.ted.com/talks/a_talk", "generic"),
    ("http://10.0.0.1/admin", "generic"),
    ("https://[::1]/x", "generic"),
    ("https://example.org/video?id=3&utm_source=x#top", "generic"),
    ("data:text/html,x", "nothing"),
    ("file:///etc/passwd", "nothing"),
    ("javascript:alert(1)", "nothing"),
];

/// The platform.
pub struct Generic {
    /// Whether yt-dlp's generic extractor, which follows whatever a page embeds, may be used.
    allow_generic: bool,
}

impl Generic {
    /// With or without yt-dlp's generic extractor.
    pub fn new(allow_generic: bool) -> Self {
        Self { allow_generic }
    }
}

impl Platform for Generic {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Other sites"
    }

    fn domains(&self) -> &'static [&'static str] {
        &[]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        link::is_routable(url).then_some(())?;
        let mut canonical = link::without_tracking(url);
        // Some sites keep the whole address behind the `#`.
        canonical.set_fragment(url.fragment());
        Some(Resource::new(ID, ResourceKind::Unknown, canonical.as_str(), canonical.clone()))
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let (extractors, why) = if self.allow_generic {
            (vec!["default"], "knows most sites, and looks for embedded media on others")
        } else {
            (Vec::new(), "knows most sites")
        };
        vec![
            CliTool { tool: Tool::YtDlp, url: resource.canonical.clone(), extractors, args: Vec::new(), why },
            CliTool {
                tool: Tool::GalleryDl,
                url: resource.canonical.clone(),
                extractors: Vec::new(),
                args: Vec::new(),
                why: "knows picture sites that yt-dlp does not",
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generic_extractor_is_used_only_when_the_operator_allows_it() {
        let url = Url::parse("https://example.org/v").unwrap();
        for (allowed, extractors) in [(false, vec![]), (true, vec!["default"])] {
            let generic = Generic::new(allowed);
            let plan = generic.cli(&generic.route(&url).unwrap());
            assert_eq!(plan[0].tool, Tool::YtDlp);
            assert_eq!(plan[0].extractors, extractors);
        }
    }
}
