//! Streamable.

use url::Url;

use super::{CliTool, Platform};
use crate::{
    model::{PlatformId, Resource},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("streamable");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::tools_only("streamable")]) }

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[];

/// The platform.
pub struct Streamable;

impl Platform for Streamable {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Streamable"
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
