//! Pinterest.

use url::Url;

use super::{CliTool, Platform};
use crate::{
    model::{PlatformId, Resource},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("pinterest");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::tools_only("pinterest")]) }

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[];

/// The platform.
pub struct Pinterest;

impl Platform for Pinterest {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Pinterest"
    }

    fn domains(&self) -> &'static [&'static str] {
        &[]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, _url: &Url) -> Option<Resource> {
        None
    }

    fn cli(&self, _resource: &Resource) -> Vec<CliTool> {
        Vec::new()
    }
}
