//! The signature that Bilibili's web interface wants ("WBI"): a day's keys stand in the names of two pictures, and a
//! question carries the MD5 sum of its sorted parameters and the mixed keys. It proves nothing but that the asker knows how.

use md5::{Digest, Md5};
use serde_json::Value;

use crate::{
    model::{Error, Result},
    platforms::common::json::text,
};

/// Which letters of both keys make the mixed one, as the site's script has it.
const MIX: [usize; 32] = [
    46, 47, 18, 2, 53, 8, 23, 32, 15, 50, 10, 31, 58, 3, 45, 35, 27, 43, 5, 49, 33, 9, 42, 19, 29, 28, 14, 39, 12, 38,
    41, 13,
];

/// The mixed key out of the answer of `/x/web-interface/nav`, which tells it to visitors without an account too.
///
/// # Errors
/// `platform_changed` when the keys are not where they were.
pub fn key(nav: &Value) -> Result<String> {
    let name = |pointer: &str| {
        let file = text(nav, pointer)?.rsplit('/').next()?;
        file.split('.').next()
    };
    let (Some(picture), Some(other)) = (name("/data/wbi_img/img_url"), name("/data/wbi_img/sub_url")) else {
        return Err(Error::platform_changed("no /data/wbi_img"));
    };
    let letters: Vec<char> = picture.chars().chain(other.chars()).collect();
    MIX.iter()
        .map(|place| letters.get(*place))
        .collect::<Option<String>>()
        .ok_or_else(|| Error::platform_changed("the keys in /data/wbi_img are too short"))
}

/// The query of a question with its signature. `at`: seconds since 1970.
pub fn signed(parameters: &[(&str, &str)], key: &str, at: i64) -> String {
    let at = at.to_string();
    let mut parameters: Vec<(&str, &str)> = parameters.iter().copied().chain([("wts", at.as_str())]).collect();
    parameters.sort_unstable();
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let sum = Md5::digest(format!("{query}{key}"));
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{query}&w_rid={sum}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_question_is_signed_as_the_site_does() {
        let nav = json!({"code": -101, "data": {"wbi_img": {
            "img_url": "https://i0.hdslb.com/bfs/wbi/7cd084941338484aae1ad9425b84077c.png",
            "sub_url": "https://i0.hdslb.com/bfs/wbi/4932caff0ff746eab6f01bf08b70ac45.png",
        }}});
        let key = key(&nav).unwrap();
        assert_eq!(key, "ea1db124af3c7062474693fa704f4ff8");
        let parameters = [("fnval", "4048"), ("bvid", "BV1xx411c7mD"), ("cid", "62131"), ("try_look", "1")];
        let query = signed(&parameters, &key, 1_767_614_400);
        assert_eq!(
            query,
            "bvid=BV1xx411c7mD&cid=62131&fnval=4048&try_look=1&wts=1767614400&w_rid=336ee7cee14911a4a46d5c3a4f925e0a"
        );
    }

    #[test]
    fn keys_that_are_not_there_are_a_change_of_the_site() {
        for nav in [json!({}), json!({"data": {"wbi_img": {"img_url": "a/b.png", "sub_url": "a/c.png"}}})] {
            assert_eq!(key(&nav).unwrap_err().code(), "platform_changed");
        }
    }
}
