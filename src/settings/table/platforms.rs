//! The settings that platforms bring along.

use std::sync::LazyLock;

/// A setting of one platform.
#[derive(Debug, Clone, Copy)]
pub struct PlatformSpec {
    /// The platform's short name.
    pub platform: &'static str,
    /// The parameter's name in TOML; `<PLATFORM>_<KEY>` in the environment.
    pub key: &'static str,
    /// What holds when nobody says otherwise. Public keys, query ids and client versions stand here, because platforms
    /// change them and a setting is quicker than a release.
    pub default: Option<&'static str>,
    /// A value to show when there is no default.
    pub example: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it does.
    pub doc: &'static str,
}

impl PlatformSpec {
    /// The flag of a platform that can be asked in process.
    pub const fn flag(platform: &'static str) -> Self {
        Self {
            platform,
            key: USE_API_CLIENT,
            default: None,
            example: "true",
            secret: false,
            doc: "Whether the platform is asked in process first. Unset: whenever this build can.",
        }
    }

    /// The flag of a platform that this build can only ask by tools. Setting it is pointed out at start.
    pub const fn tools_only(platform: &'static str) -> Self {
        Self {
            example: "false",
            doc: "Whether the platform is asked in process first. This build cannot: tools are used whatever stands here.",
            ..Self::flag(platform)
        }
    }

    /// Something that may be shown.
    pub const fn param(
        platform: &'static str,
        key: &'static str,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        Self { platform, key, default, example: "", secret: false, doc }
    }

    /// Something that must never be shown. It has no default: what is in a public repository is no secret.
    pub const fn secret(platform: &'static str, key: &'static str, doc: &'static str) -> Self {
        Self { platform, key, default: None, example: "", secret: true, doc }
    }

    /// Its name in the environment.
    pub fn name(&self) -> String {
        format!("{}_{}", self.platform, self.key).to_ascii_uppercase()
    }
}

/// The key of the flag that every platform has.
pub const USE_API_CLIENT: &str = "use_api_client";

/// The keys that every platform takes without telling so: none of them is a secret itself.
pub const COOKIES_FILE: &str = "cookies_file";
/// See [`COOKIES_FILE`].
pub const COOKIES_FROM_BROWSER: &str = "cookies_from_browser";

/// The settings of one platform, told by its own file: `inventory::submit! { PlatformSettingsOf(&[…]) }`. So the table
/// knows them without importing platforms, and a new platform needs no line here.
#[derive(Debug)]
pub struct PlatformSettingsOf(pub &'static [PlatformSpec]);

inventory::collect!(PlatformSettingsOf);

/// Settings of platforms, with those that are documented, by platform. Any other `<PLATFORM>_<KEY>` of a platform named
/// here is handed to it as well.
pub static PLATFORM_SPECS: LazyLock<Vec<PlatformSpec>> = LazyLock::new(|| {
    let mut specs: Vec<PlatformSpec> = inventory::iter::<PlatformSettingsOf>().flat_map(|of| of.0).copied().collect();
    // The linker's order is not ours. Stable, so each platform's own order stays.
    specs.sort_by_key(|spec| spec.platform);
    specs
});

/// The short names of the platforms that take settings, each once.
pub fn platforms() -> impl Iterator<Item = &'static str> {
    PLATFORM_SPECS.iter().filter(|spec| spec.key == USE_API_CLIENT).map(|spec| spec.platform)
}
