//! Rate limits: buckets by route and major parameter, their headers, and 429.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::Utc;

/// Requests a second for the whole bot, interactions and webhooks aside.
const GLOBAL: u32 = 50;

/// All buckets.
#[derive(Debug, Default)]
pub struct Buckets {
    by_name: HashMap<String, Bucket>,
    global: Option<Bucket>,
    /// How often 429 was answered.
    pub refused: usize,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    ends: Instant,
}

/// How a request stands with its bucket.
#[derive(Debug)]
pub struct Verdict {
    /// `X-RateLimit-*`.
    pub headers: Vec<(&'static str, String)>,
    /// Refused: seconds to wait, and whether for the whole bot.
    pub refused: Option<(f64, bool)>,
}

/// The bucket of a route: its name, how many requests it takes, in how long. None for routes without one.
fn bucket(method: &str, path: &[&str]) -> Option<(String, u32, Duration)> {
    let five = Duration::from_secs(5);
    Some(match (method, path) {
        ("POST", ["channels", channel, "messages"]) => (format!("create {channel}"), 5, five),
        ("PATCH", ["channels", channel, "messages", _]) => (format!("edit {channel}"), 5, five),
        ("DELETE", ["channels", channel, "messages", _]) => (format!("delete {channel}"), 5, Duration::from_secs(1)),
        ("GET", ["channels", channel, "messages", ..]) => (format!("read {channel}"), 5, Duration::from_secs(1)),
        ("POST", ["channels", channel, "typing"]) => (format!("typing {channel}"), 5, five),
        ("PUT" | "DELETE", ["channels", channel, "messages", _, "reactions", ..]) => {
            (format!("react {channel}"), 1, Duration::from_millis(250))
        }
        (_, ["channels", channel]) => (format!("channel {channel}"), 5, five),
        ("POST", ["webhooks", webhook, token]) => (format!("follow up {webhook} {token}"), 5, five),
        ("GET" | "PATCH" | "DELETE", ["webhooks", webhook, token, ..]) => {
            (format!("{method} {webhook} {token}"), 5, five)
        }
        (_, ["guilds", guild, ..]) => (format!("guild {guild}"), 10, Duration::from_secs(10)),
        ("PUT", ["applications", _, "commands"]) => ("commands".to_owned(), 2, five),
        _ => return None,
    })
}

impl Buckets {
    /// Counts a request. With `enforce` a spent bucket refuses.
    pub fn count(&mut self, method: &str, path: &[&str], enforce: bool) -> Verdict {
        let now = Instant::now();
        let outside_global = matches!(path.first(), Some(&("interactions" | "webhooks")));
        if enforce && !outside_global {
            let global = self.global.get_or_insert(Bucket { left: GLOBAL, ends: now + Duration::from_secs(1) });
            if global.ends <= now {
                *global = Bucket { left: GLOBAL, ends: now + Duration::from_secs(1) };
            }
            if global.left == 0 {
                self.refused += 1;
                let wait = (global.ends - now).as_secs_f64();
                let headers = vec![("x-ratelimit-global", "true".into()), ("x-ratelimit-scope", "global".into())];
                return Verdict { headers, refused: Some((wait, true)) };
            }
            global.left -= 1;
        }
        let Some((name, most, window)) = bucket(method, path) else {
            return Verdict { headers: Vec::new(), refused: None };
        };
        let id =
            name.split(' ').next().map_or(0, |word| word.bytes().fold(7u64, |sum, byte| sum * 31 + u64::from(byte)));
        let bucket = self.by_name.entry(name).or_insert(Bucket { left: most, ends: now + window });
        if bucket.ends <= now {
            *bucket = Bucket { left: most, ends: now + window };
        }
        let refused = bucket.left == 0 && enforce;
        bucket.left = bucket.left.saturating_sub(1);
        let after = (bucket.ends - now).as_secs_f64();
        let reset = Utc::now().timestamp_millis() as f64 / 1000.0 + after;
        let mut headers = vec![
            ("x-ratelimit-bucket", format!("{id:016x}")),
            ("x-ratelimit-limit", most.to_string()),
            ("x-ratelimit-remaining", bucket.left.to_string()),
            ("x-ratelimit-reset", format!("{reset:.3}")),
            ("x-ratelimit-reset-after", format!("{after:.3}")),
        ];
        if refused {
            self.refused += 1;
            headers.push(("x-ratelimit-scope", "user".to_owned()));
        }
        Verdict { headers, refused: refused.then_some((after, false)) }
    }
}
