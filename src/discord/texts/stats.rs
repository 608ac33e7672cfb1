//! What `stats` and `yt-stats` say.

use std::{fmt::Write, time::Duration};

use super::{cut, number, size};
use crate::{
    deliver::escape,
    jobs::store::{Extreme, Stats, StatsFilter, Tally},
    model::took,
};

/// Platforms, and kinds of failures, that are shown.
const SHOWN: usize = 10;

/// What came of all requests. `name`: how a platform is called.
pub fn stats(stats: &Stats, of: &StatsFilter, days: Option<u16>, name: impl Fn(&str) -> String) -> String {
    let name = |id: &str| escape(&name(id));
    let mut text = "📈 **Statistics".to_owned();
    if let Some(platform) = &of.platform {
        let _ = write!(text, " of {}", name(platform));
    }
    text.push_str(if of.guild.is_some() { " in this server" } else { " of all servers and people" });
    match days {
        Some(0 | 1) => text.push_str(", today (UTC)"),
        Some(days) => text.push_str(&format!(", the last {days} days (UTC)")),
        None => {}
    }
    text.push_str("**");
    let total = &stats.total;
    if total.jobs == 0 {
        text.push_str("\nNothing has been asked for yet.");
        return text;
    }
    let _ = write!(text, "\n- Requests: {}, {} of them delivered", number(total.jobs), number(total.done));
    for (count, what) in
        [(total.failed, "failed"), (total.cancelled, "called off"), (total.needs_attention, "broken off by crashes")]
    {
        if count > 0 {
            let _ = write!(text, ", {} {what}", number(count));
        }
    }
    if let Some(rate) = total.success_rate() {
        let _ = write!(text, " ({:.0} % success)", rate * 100.0);
    }
    let _ = write!(text, "\n- Files: {}, together {}", number(total.files), size(total.bytes));
    if let Some(times) = total.times {
        let _ = write!(text, "\n- Time: half within {}, 95 of 100 within {}", told(times.p50_ms), told(times.p95_ms));
    }
    if let (Some(fastest), Some(slowest)) = (&stats.fastest, &stats.slowest) {
        let one = |one: &Extreme| format!("{} ({}{})", told(one.took_ms), name(&one.platform), by(&one.method));
        let _ = write!(text, "\n- Fastest: {}; slowest: {}", one(fastest), one(slowest));
    }
    if of.platform.is_none() {
        let mut platforms: Vec<_> = stats.platforms.iter().collect();
        platforms.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.jobs));
        text.push_str("\n**By platform**");
        for (id, tally) in platforms.iter().take(SHOWN) {
            let _ = write!(text, "\n- {}: {}", name(id), line(tally));
        }
        if platforms.len() > SHOWN {
            let _ = write!(text, "\n- … and {} more", platforms.len() - SHOWN);
        }
    }
    let methods: Vec<_> =
        stats.methods.iter().filter(|(method, tally)| !by(method).is_empty() && tally.jobs > 0).collect();
    if !methods.is_empty() {
        text.push_str("\n**By way**");
        for (method, tally) in methods {
            let _ = write!(text, "\n- {}: {}", way(method), line(tally));
        }
    }
    let mut errors: Vec<_> = stats.errors.iter().collect();
    errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    if !errors.is_empty() {
        let errors: Vec<_> =
            errors.iter().take(SHOWN).map(|(code, count)| format!("`{code}` {}", number(**count))).collect();
        let _ = write!(text, "\n**Failures**: {}", errors.join(", "));
    }
    cut(&text)
}

/// One platform, or one way.
fn line(tally: &Tally) -> String {
    let mut text = number(tally.jobs);
    if let Some(rate) = tally.success_rate() {
        let _ = write!(text, ", {:.0} % success", rate * 100.0);
    }
    if let Some(times) = tally.times {
        let _ = write!(text, ", half within {}, 95 % within {}", told(times.p50_ms), told(times.p95_ms));
    }
    let _ = write!(text, ", {}", size(tally.bytes));
    text
}

/// The ways of getting media, as the database calls them.
fn way(method: &str) -> &'static str {
    match method {
        "api" => "Asked directly",
        "cli" => "By the tools",
        "fallback" => "By a second way, when the first failed",
        _ => "",
    }
}

fn by(method: &str) -> &'static str {
    match method {
        "api" => ", asked directly",
        "cli" => ", by the tools",
        "fallback" => ", by a second way",
        _ => "",
    }
}

fn told(ms: u64) -> String {
    took(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::jobs::store::Times;

    fn tally(jobs: u64, done: u64) -> Tally {
        let times = Times { jobs: done, fastest_ms: 400, p50_ms: 4200, p95_ms: 31_000, slowest_ms: 252_000 };
        Tally {
            jobs,
            done,
            failed: jobs - done,
            files: done * 2,
            bytes: done << 20,
            times: Some(times),
            ..Tally::default()
        }
    }

    #[test]
    fn statistics_are_told_most_asked_first() {
        let extreme =
            |platform: &str, took_ms| Some(Extreme { platform: platform.into(), method: "api".into(), took_ms });
        let told = stats(
            &Stats {
                total: tally(1250, 1000),
                platforms: BTreeMap::from([("bluesky".into(), tally(250, 200)), ("twitter".into(), tally(1000, 800))]),
                methods: BTreeMap::from([("api".into(), tally(1000, 1000)), (String::new(), tally(250, 0))]),
                errors: BTreeMap::from([("network".into(), 50), ("not_found".into(), 200)]),
                fastest: extreme("bluesky", 400),
                slowest: extreme("twitter", 252_000),
            },
            &StatsFilter { guild: Some(1), ..StatsFilter::default() },
            Some(7),
            |id| id.to_uppercase(),
        );
        for words in [
            "**Statistics in this server, the last 7 days (UTC)**",
            "Requests: 1,250, 1,000 of them delivered, 250 failed (80 % success)",
            "Files: 2,000, together 1000.0 MB",
            "half within 4.2 s, 95 of 100 within 31 s",
            "Fastest: 0.4 s (BLUESKY, asked directly); slowest: 4:12 min (TWITTER, asked directly)",
            "- Asked directly: 1,000, 100 % success",
            "**Failures**: `not_found` 200, `network` 50",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(told.find("TWITTER: 1,000") < told.find("BLUESKY: 250"), "{told}");
    }

    #[test]
    fn what_nobody_asked_for_is_told_in_one_sentence() {
        let of = StatsFilter { platform: Some("youtube".into()), ..StatsFilter::default() };
        let told = stats(&Stats::default(), &of, None, |_| "YouTube".to_owned());
        assert_eq!(told, "📈 **Statistics of YouTube of all servers and people**\nNothing has been asked for yet.");
    }

    #[test]
    fn statistics_of_everything_fit_a_message() {
        let platforms = (0..60).map(|n| (format!("platform number {n}"), tally(u64::MAX >> 12, 1 << 40))).collect();
        let told =
            stats(&Stats { total: tally(5, 4), platforms, ..Stats::default() }, &StatsFilter::default(), None, |id| {
                format!("_{id}_")
            });
        assert!(told.encode_utf16().count() < 2000, "{told}");
    }
}
