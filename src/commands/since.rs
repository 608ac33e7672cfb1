//! A time in the past, as people type it.

use std::str::FromStr;

use chrono::DateTime;

use crate::jobs::store::{Moment, now};

/// The beginning of a time until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(pub(super) Moment);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let text = text.trim();
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(time.timestamp_millis()));
        }
        let wrong = || format!("{text:?} is no time: write 90m, 2h, 3d, 1w, or 2026-11-21T18:00:00Z");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: i64 = match text.get(digits.len()..) {
            Some("s") => 1,
            Some("m" | "min") => 60,
            Some("h") => 60 * 60,
            Some("d") => 24 * 60 * 60,
            Some("w") => 7 * 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let count: u32 = digits.parse().map_err(|_| wrong())?;
        Ok(Self(now().saturating_sub(i64::from(count).saturating_mul(unit * 1000))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_say_them() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("5min", 300), ("2h", 7200), ("3d", 259_200), ("1w", 604_800)]
        {
            let before = now() - seconds * 1000;
            let Since(since) = text.parse().unwrap();
            assert!((before..before + 60_000).contains(&since), "{text}");
        }
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Since(1000)));
        for text in ["", "2", "h", "-2h", "2 h", "2y", "yesterday", "1.5h", "99999999999h"] {
            assert!(text.parse::<Since>().is_err(), "{text}");
        }
    }
}
