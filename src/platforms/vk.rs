//! VK.

use url::Url;

use super::{CliTool, Platform};
use crate::{
    model::{PlatformId, Resource},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("vk");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::tools_only("vk")]) }

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[];

/// The platform.
pub struct Vk;

impl Platform for Vk {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "VK"
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
