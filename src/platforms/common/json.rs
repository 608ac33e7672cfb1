//! Reading other people's JSON: everything may be missing, null, or a number in quotes.

use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

/// A text at a JSON pointer, if there is one that is not empty.
pub fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// A whole number at a JSON pointer, also when it is written as text or with a fraction.
pub fn int(value: &Value, pointer: &str) -> Option<i64> {
    match value.pointer(pointer)? {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?;
            // The bounds within which every whole number has a double of its own.
            (float.abs() < 9e15).then_some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number of pixels, bytes or bits at a JSON pointer: positive, or nothing.
pub fn positive<T: TryFrom<i64> + PartialOrd + Default>(value: &Value, pointer: &str) -> Option<T> {
    int(value, pointer).and_then(|number| T::try_from(number).ok()).filter(|number| *number > T::default())
}

/// A number at a JSON pointer, also when it is written as text.
pub fn float(value: &Value, pointer: &str) -> Option<f64> {
    let number = match value.pointer(pointer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// A moment at a JSON pointer, written as RFC 3339 (`2026-01-05T12:00:00.000Z`).
pub fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text(value, pointer)?).ok().map(|moment| moment.to_utc())
}

/// Whether a JSON pointer leads to `true`.
pub fn is(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The elements of a list at a JSON pointer; none if there is no list.
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An http(s) link at a JSON pointer. `&amp;` is undone: some APIs escape links as if for HTML.
pub fn link(value: &Value, pointer: &str) -> Option<Url> {
    web_link(text(value, pointer)?)
}

/// An http(s) link. `&amp;` is undone.
pub fn web_link(text: &str) -> Option<Url> {
    Url::parse(&text.replace("&amp;", "&")).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_written() {
        let value = json!({"a": 3, "b": "4", "c": 5.9, "d": "x", "e": null, "f": -1, "g": 0, "h": "2.5", "i": 1e300});
        let read: Vec<_> = ["a", "b", "c", "d", "e", "f", "i"].iter().map(|k| int(&value, &format!("/{k}"))).collect();
        assert_eq!(read, [Some(3), Some(4), Some(5), None, None, Some(-1), None]);
        assert_eq!(positive::<u32>(&value, "/a"), Some(3));
        assert_eq!(positive::<u32>(&value, "/f"), None);
        assert_eq!(positive::<u32>(&value, "/g"), None);
        assert_eq!(float(&value, "/h"), Some(2.5));
    }

    #[test]
    fn only_web_links_count() {
        let value = json!({"a": "https://a.example/x?b=1&amp;c=2", "b": "ftp://a.example/", "c": "x", "d": ""});
        assert_eq!(link(&value, "/a").unwrap().as_str(), "https://a.example/x?b=1&c=2");
        assert!(["/b", "/c", "/d", "/e"].iter().all(|p| link(&value, p).is_none()));
    }
}
