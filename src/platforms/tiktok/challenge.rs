//! The work that TikTok's gate asks of a new visitor: a number whose hash, behind a given start, is the one told.
//!
//! A page of the gate carries the task in the class name of `#cs`, as base64 of
//! `{"v": {"a": start, "c": SHA-256 of start and number}, …}` (both base64 again). The answer is the same JSON with the
//! number under `d`, sent back as the cookie that `#wci` names; `#rci` names one that repeats the class name of `#rs`.
//! yt-dlp and gallery-dl answer alike.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    model::{Error, Result},
    platforms::common::{html::Page, json::text},
};

/// The gate never asks for a larger number.
const MOST: u32 = 1_000_000;

/// Reads base64 with and without its padding, and writes it with.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A task, and the names of the cookies that its answer goes into.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    task: Value,
    start: Vec<u8>,
    digest: Vec<u8>,
    cookie: String,
    repeated: Option<(String, String)>,
}

impl Challenge {
    /// The task of a page, if it is one of the gate's.
    pub fn of(page: &Page) -> Option<Self> {
        let class = |id: &str| page.attribute(id, "class").filter(|name| is_cookie_text(name));
        let task: Value = serde_json::from_slice(&BASE64.decode(class("#cs")?).ok()?).ok()?;
        let bytes = |pointer: &str| BASE64.decode(text(&task, pointer)?).ok();
        Some(Self {
            start: bytes("/v/a")?,
            digest: bytes("/v/c")?,
            cookie: class("#wci")?,
            repeated: class("#rci").zip(class("#rs")),
            task,
        })
    }

    /// Does the work and returns the `Cookie` header that shows it. Takes up to a second of one core.
    ///
    /// # Errors
    /// `platform_changed` when no number of the usual size will do.
    pub fn answer(mut self) -> Result<String> {
        let base = Sha256::new_with_prefix(&self.start);
        let fits = |number: &u32| base.clone().chain_update(number.to_string()).finalize().as_slice() == self.digest;
        let number = (0..=MOST)
            .find(fits)
            .ok_or_else(|| Error::platform_changed("TikTok's gate asks for more work than it used to"))?;
        if let Some(task) = self.task.as_object_mut() {
            task.insert("d".into(), BASE64.encode(number.to_string()).into());
        }
        let mut cookies = format!("{}={}", self.cookie, BASE64.encode(self.task.to_string()));
        if let Some((name, value)) = self.repeated {
            cookies += &format!("; {name}={value}");
        }
        Ok(cookies)
    }
}

/// Whether a stranger's text may stand in a cookie.
fn is_cookie_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+/=.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(task: &str, cookie: &str) -> Page {
        let task = BASE64.encode(task);
        Page::of(&format!("<p id=\"cs\" class=\"{}\"><p id=\"wci\" class=\"{cookie}\">", task.trim_end_matches('=')))
    }

    #[test]
    fn the_number_is_found_and_goes_into_the_named_cookie() {
        let digest = BASE64.encode(Sha256::digest(b"start4711"));
        let task = format!(r#"{{"v":{{"a":"{}","b":1,"c":"{digest}"}},"s":"x"}}"#, BASE64.encode("start"));
        let cookie = Challenge::of(&gate(&task, "_wafchallengeid")).unwrap().answer().unwrap();
        let (name, value) = cookie.split_once('=').unwrap();
        assert_eq!(name, "_wafchallengeid");
        let told: Value = serde_json::from_slice(&BASE64.decode(value).unwrap()).unwrap();
        assert_eq!(BASE64.decode(told["d"].as_str().unwrap()).unwrap(), b"4711");
        assert_eq!((&told["s"], &told["v"]["b"]), (&"x".into(), &1.into()), "the task goes back whole");
    }

    #[test]
    fn what_is_no_task_is_left_alone() {
        let good = r#"{"v":{"a":"YQ==","c":"YQ=="}}"#;
        assert!(Challenge::of(&gate(good, "name")).is_some());
        for page in [gate(good, "odd name; x=y"), gate("{}", "name"), gate("no json", "name"), Page::of("<p id=cs>")] {
            assert_eq!(Challenge::of(&page), None);
        }
    }
}
