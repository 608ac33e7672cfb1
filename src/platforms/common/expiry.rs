//! Until when a signed address works, where the address itself tells.

use chrono::{DateTime, Utc};
use url::Url;

/// The moment that a query parameter names in seconds since 1970, written in this radix (10 or 16).
pub fn told_by(url: &Url, parameter: &str, radix: u32) -> Option<DateTime<Utc>> {
    let (_, value) = url.query_pairs().find(|(key, _)| key == parameter)?;
    let seconds = i64::from_str_radix(&value, radix).ok().filter(|seconds| *seconds > 0)?;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_its_radix_or_not_at_all() {
        let url = Url::parse("https://cdn.example/a.mp4?expire=1767614400&oe=695BA7C0&x=soon&y=-5&z=").unwrap();
        let noon = DateTime::from_timestamp(1_767_614_400, 0);
        assert_eq!(told_by(&url, "expire", 10), noon);
        assert_eq!(told_by(&url, "oe", 16), noon);
        assert!(["x", "y", "z", "none"].iter().all(|name| told_by(&url, name, 10).is_none()));
    }
}
