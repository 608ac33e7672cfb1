//! Every sentence the bot says in Discord, apart from those about a failed link (`model`'s) and those about a mistyped
//! command (`link.rs`). Plain English, short; no paths, no tokens, no internals.

pub mod queue;
pub mod stats;

use std::{fmt::Write, time::Duration};

use bytesize::ByteSize;
use poise::serenity_prelude as serenity;

use crate::{
    deliver::{MAX_CAPTION, Part, caption, escape},
    fetch::Plan,
    jobs::{JobsStatus, store},
    media::Outlook,
    model::{Counts, Error, FileType, Kind, MediaMetadata, Outcome, Phase, about},
    net::SessionState,
    strategy::{PathHealth, PlatformHealth},
};

/// Where a request stands; `left`: how long it will still take, if that can be told. `None`: nothing worth showing.
pub fn phase(phase: &Phase, left: Option<Duration>) -> Option<String> {
    Some(match phase {
        Phase::Queued { ahead: 0 } => "⏳ Queued: you are next.".to_owned(),
        Phase::Queued { ahead } => format!("⏳ Queued: {ahead} ahead of you."),
        Phase::Waiting { seconds } => format!("⏳ Waiting {seconds} s, then trying again…"),
        Phase::Resolving => "🔎 Resolving the link…".to_owned(),
        Phase::Downloading { done, total: Some(total) } if *total > 0 => {
            let percent = (done.min(total) * 100) / total;
            format!("⬇️ Downloading {percent} % of {}…", size(*total))
        }
        Phase::Downloading { done: 0, .. } => "⬇️ Downloading…".to_owned(),
        Phase::Downloading { done, .. } => format!("⬇️ Downloading, {} so far…", size(*done)),
        Phase::Compressing { file, of, fraction } => {
            let percent = (fraction.clamp(0.0, 1.0) * 100.0) as u32;
            let left = left.map(|left| format!(", {} left", about(left))).unwrap_or_default();
            match of {
                1 => format!("🎞️ Compressing {percent} %{left}…"),
                _ => format!("🎞️ Compressing {percent} % (file {file} of {of}){left}…"),
            }
        }
        Phase::Uploading { part, of } => format!("⬆️ Uploading {part}/{of}…"),
        Phase::Done => return None,
    })
}

/// A place in a queue that nobody works on.
pub fn unattended() -> String {
    "⏳ Queued: none of my workers is running at the moment. This starts by itself when one is back.".to_owned()
}

/// The same, below the status.
pub fn nobody_works() -> String {
    "\n- ⚠️ None of my workers is running: what is queued waits for one".to_owned()
}

/// A failure that passes: when it is tried again (milliseconds since 1970), in the reader's own time.
pub fn later(error: &Error, at: i64) -> String {
    let why = match error.kind() {
        Kind::RateLimited { .. } => "The platform asks me to slow down.",
        Kind::Timeout => "The platform takes too long to answer.",
        _ => "I can't reach the platform at the moment.",
    };
    format!("⏳ {why} I'll try again by myself <t:{}:R>.", at.div_euclid(1000))
}

/// The first text of a live message.
pub fn begin() -> String {
    phase(&Phase::Resolving, None).unwrap_or_default()
}

/// On a message whose files are on their way.
pub fn follows(part: &Part<'_>) -> String {
    phase(&Phase::Uploading { part: part.index + 1, of: part.of }, None).unwrap_or_default()
}

/// The failure as its requester reads it.
pub fn failure(outcome: &Outcome, error: &Error) -> String {
    let mut text = format!("❌ {}", error.user_text());
    if !outcome.posted.places.is_empty() {
        text.push_str(" What came before it has been posted.");
    }
    if outcome.kept.is_some() {
        let _ = write!(text, " The files are kept on the server; its operator finds them as `{}`.", outcome.request);
    }
    text
}

/// A failure without a job.
pub fn failed(error: &Error) -> String {
    format!("❌ {}", error.user_text())
}

/// The bot goes away in the middle of a request.
pub fn stopped() -> String {
    "⏹️ I was stopped before this was finished. Please try again in a moment.".to_owned()
}

/// The bot goes away in the middle of a request that it will take up again.
pub fn paused() -> String {
    "⏸️ I'm being restarted. This goes on by itself when I'm back.".to_owned()
}

/// Every attempt at a request was broken off by a crash.
pub fn given_up() -> String {
    "⚠️ I broke off in the middle of this several times and won't try again. Please ask again.".to_owned()
}

/// The request cannot be written down, so it would be lost by the next restart.
pub fn not_recorded() -> String {
    "❌ I can't take requests at the moment: my notes can't be written. Please try again in a minute.".to_owned()
}

/// The link is in this channel already; `again`: how it is asked for all the same.
pub fn posted_already(link: &str, again: &str) -> String {
    format!("🔁 Posted already: {link}\n-# With `{again}` I load it anew and post it again.")
}

/// On the message of an interaction that took too long.
pub fn continued() -> String {
    "⤵️ This took a while: the answer is below.".to_owned()
}

/// Files that stay on the server, by their names.
pub fn kept(names: &[String]) -> String {
    let mut text = match names.len() {
        1 => "💾 Saved on the server:".to_owned(),
        count => format!("💾 {count} files saved on the server:"),
    };
    for (index, name) in names.iter().enumerate() {
        let line = format!("\n- `{}`", name.replace('`', "'"));
        if text.len() + line.len() > 1800 {
            let _ = write!(text, "\n- … and {} more", names.len() - index);
            break;
        }
        text.push_str(&line);
    }
    text
}

/// What is known about a post.
pub fn metadata(metadata: &MediaMetadata, plans: &[Option<Plan>]) -> String {
    let mut facts = Vec::new();
    if let Some(date) = metadata.created_at {
        facts.push(format!("Posted <t:{}:f>", date.timestamp()));
    }
    if let Some(seconds) = metadata.duration.filter(|seconds| seconds.is_finite() && *seconds >= 1.0) {
        facts.push(format!("Length {}", clock(seconds)));
    }
    let media = items(metadata);
    if !media.is_empty() {
        facts.push(media);
    }
    let Counts { like_count, retweet_count, view_count, comment_count } = metadata.counts;
    for (count, name) in
        [(view_count, "views"), (like_count, "likes"), (retweet_count, "shares"), (comment_count, "comments")]
    {
        if let Some(count) = count {
            facts.push(format!("{} {name}", thousands(count)));
        }
    }
    if metadata.sensitive {
        facts.push("marked as sensitive".to_owned());
    }
    let head = format!("📄 Platform: **{}**", escape(&metadata.platform));
    let facts = if facts.is_empty() { String::new() } else { format!("{}\n", facts.join(" · ")) };
    cut(&format!("{head}\n{facts}{}{}", planned(plans), caption(metadata)))
}

/// Plans that are shown; posts with more are mostly pictures.
const PLANS: usize = 4;

/// What a download would give here.
fn planned(plans: &[Option<Plan>]) -> String {
    // Of pictures that stay as they are there is nothing to say.
    let known = plans.iter().enumerate().filter_map(|(index, plan)| Some((index, plan.as_ref()?)));
    let known = known.filter(|(_, plan)| !plan.is_still() || plan.outlook != Outlook::Copy);
    let number = |index| if plans.len() > 1 { format!("{}: ", index + 1) } else { String::new() };
    known.take(PLANS).map(|(index, plan)| format!("-# {}{plan}\n", number(index))).collect()
}

fn items(metadata: &MediaMetadata) -> String {
    let count = |kind| metadata.items.iter().filter(|item| item.kind == kind).count();
    let kinds = [
        (FileType::Video, "video"),
        (FileType::Image, "picture"),
        (FileType::Gif, "GIF"),
        (FileType::Audio, "sound"),
        (FileType::Other, "file"),
    ];
    let parts: Vec<_> = kinds
        .into_iter()
        .filter_map(|(kind, name)| match count(kind) {
            0 => None,
            1 => Some(format!("1 {name}")),
            many => Some(format!("{many} {name}s")),
        })
        .collect();
    let best = metadata.items.iter().flat_map(|item| &item.renditions).filter_map(|r| r.short_side()).max();
    match (parts.is_empty(), best) {
        (true, _) => String::new(),
        (false, Some(lines)) => format!("{} (up to {lines}p)", parts.join(", ")),
        (false, None) => parts.join(", "),
    }
}

/// The platforms, how they are asked, and how they fare. Those that something has happened on come first.
pub fn strategies(health: &[PlatformHealth]) -> String {
    let mut text = "🧭 **How I ask each platform**".to_owned();
    let mut health: Vec<_> = health.iter().collect();
    health.sort_by_key(|platform| platform.paths.is_empty());
    for platform in health {
        let way = match (platform.has_api, platform.api_enabled, platform.fallback) {
            (true, true, true) => "directly, with the tools (yt-dlp, gallery-dl) as fallback",
            (true, true, false) => "directly only",
            (true, false, _) => "with the tools only (asking directly is switched off)",
            (false, ..) => "with the tools (yt-dlp, gallery-dl)",
        };
        let _ = write!(text, "\n- **{}**: {way}", escape(&platform.name));
        match platform.session {
            Some(state) if state.is_over() => {
                text.push_str("; ⚠️ its session is over: the operator must sign in again")
            }
            Some(SessionState::EndsSoon { .. }) => text.push_str("; its session ends soon"),
            Some(SessionState::Good) => text.push_str("; signed in"),
            _ => {}
        }
        for path in &platform.paths {
            let _ = write!(text, "\n  - {}", path_health(path));
        }
        let allowance = &platform.allowance;
        if allowance.tokens_left < allowance.pace.burst || allowance.waiting > 0 {
            let (left, rate) = (allowance.tokens_left, allowance.pace.requests_per_minute);
            let _ = write!(text, "\n  - {left} requests left now, {rate} more a minute");
            if let Some(most) = allowance.pace.daily_units {
                let _ = write!(text, "; {} of {most} today", allowance.units_today);
            }
        }
    }
    cut(&text)
}

/// One path: what came of it, and whether it is paused.
fn path_health(path: &PathHealth) -> String {
    let by = if path.by == "api" { "directly" } else { &path.by };
    let mut text = format!("{by}: {} ok, {} failed", path.succeeded, path.failed);
    if let (Some(rate), Some(seconds)) = (path.success_rate, path.seconds) {
        let _ = write!(text, ", lately {:.0} % in {seconds:.1} s", rate * 100.0);
    }
    if let Some(code) = &path.last_error {
        let _ = write!(text, ", last failure `{code}`");
    }
    if let Some(why) = &path.why {
        let _ = write!(text, "; ⏸️ {why}");
    }
    text
}

/// What is going on. `jobs`: what the database counts; without it what this process knows.
pub fn status(
    jobs: Option<store::Counts>,
    here: JobsStatus,
    uptime: Duration,
    ping: Option<Duration>,
    limit: u64,
) -> String {
    let ping = ping.map_or_else(|| "not measured yet".to_owned(), |ping| format!("{} ms", ping.as_millis()));
    let counted = match jobs {
        Some(jobs) => {
            let (delivered, failed) = (jobs.done, jobs.failed.saturating_add(jobs.needs_attention));
            let paused = if jobs.paused > 0 { format!(" (and {} paused)", number(jobs.paused)) } else { String::new() };
            format!(
                "- Running: {}\n- Queued: {}{paused}\n- Delivered so far: {}\n- Failed so far: {}",
                number(jobs.running),
                number(jobs.queued),
                number(delivered),
                number(failed),
            )
        }
        None => format!(
            "- Running: {}\n- Queued: {}\n- Delivered since the start: {}\n- Failed since the start: {}",
            here.running, here.queued, here.succeeded, here.failed,
        ),
    };
    format!(
        "📊 **Status**\n{counted}\n- Up for: {}\n- Connection to Discord: {ping}\n- Upload limit here: {} a file",
        clock(uptime.as_secs_f64()),
        size(limit),
    )
}

/// What this bot is.
pub fn info(prefix: &str, platforms: &[&str], reads_messages: bool, kept: Option<Duration>) -> String {
    let kept = match kept.map(|kept| kept.as_secs() / 3600) {
        None => "no media once they are delivered".to_owned(),
        Some(1) => "media for an hour, so that a link asked for twice is loaded once".to_owned(),
        Some(hours) => format!("media for {hours} hours, so that a link asked for twice is loaded once"),
    };
    let prefix_note = if reads_messages {
        format!("Slash commands, `{prefix}download <link>`, or mention me")
    } else {
        format!("Slash commands, or mention me (`{prefix}` works only in direct messages here)")
    };
    cut(&format!(
        "🤖 **boss-bot {}**\nGive me a link and I post its media as files that play right here, in the order of the \
         post, made to fit this server's upload limit.\n- Platforms: {}\n- {prefix_note}; see `/help`\n- I keep no \
         messages, and {kept}.",
        env!("CARGO_PKG_VERSION"),
        platforms.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", "),
    ))
}

/// The link is not YouTube's.
pub fn not_youtube() -> String {
    "❌ That isn't a YouTube link. For other sites use `download`.".to_owned()
}

/// The bot lacks permissions in this channel.
pub fn missing_permissions(missing: serenity::Permissions) -> String {
    let names = missing.get_permission_names().join("**, **");
    format!("❌ I can't do that here: I need the permission **{names}** in this channel.")
}

/// A command that doesn't exist.
pub fn unknown_command(near: Option<&str>, prefix: &str) -> String {
    match near {
        Some(name) => format!("❓ I don't know that command. Did you mean `{prefix}{name}`?"),
        None => format!("❓ I don't know that command. `{prefix}help` lists what I can do."),
    }
}

/// A command that was typed wrongly, with how it is used.
pub fn usage(what: &str, example: &str) -> String {
    format!("❌ {what} For example: `{example}`")
}

/// Something broke in a command.
pub fn broken() -> String {
    failed(&Error::internal("")).replace("❌ ", "💥 ")
}

/// Discord still shows an older version of a command.
pub fn outdated() -> String {
    "❌ Discord still shows an old version of this command. Reload Discord (Ctrl+R) and try again.".to_owned()
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string().replace("iB", "B")
}

/// `1:02:03`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// `1,234,567`.
fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// The same of what is never negative.
fn number(number: u64) -> String {
    thousands(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The database cannot be asked.
pub fn not_known() -> String {
    "❌ I can't look at my notes at the moment. Please try again in a minute.".to_owned()
}

/// At most one message long, whole lines.
pub fn cut(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        if out.encode_utf16().count() + line.encode_utf16().count() > MAX_CAPTION - 2 {
            out.push('…');
            break;
        }
        out.push_str(line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_says_what_happens() {
        let mib = 1024 * 1024;
        for (state, expected) in [
            (Phase::Queued { ahead: 2 }, Some("⏳ Queued: 2 ahead of you.")),
            (Phase::Downloading { done: 42 * mib, total: Some(100 * mib) }, Some("⬇️ Downloading 42 % of 100.0 MB…")),
            (Phase::Downloading { done: 9, total: Some(0) }, Some("⬇️ Downloading, 9 B so far…")),
            (Phase::Downloading { done: 12 * mib, total: Some(10 * mib) }, Some("⬇️ Downloading 100 % of 10.0 MB…")),
            (Phase::Compressing { file: 1, of: 1, fraction: 0.5 }, Some("🎞️ Compressing 50 %…")),
            (Phase::Compressing { file: 2, of: 3, fraction: 7.0 }, Some("🎞️ Compressing 100 % (file 2 of 3)…")),
            (Phase::Uploading { part: 1, of: 2 }, Some("⬆️ Uploading 1/2…")),
            (Phase::Waiting { seconds: 4 }, Some("⏳ Waiting 4 s, then trying again…")),
            (Phase::Done, None),
        ] {
            assert_eq!(phase(&state, None).as_deref(), expected);
        }
    }

    #[test]
    fn the_time_left_is_said_when_it_is_known() {
        let left = Some(Duration::from_secs(21));
        let said = |of| phase(&Phase::Compressing { file: 1, of, fraction: 0.44 }, left);
        assert_eq!(said(1).as_deref(), Some("🎞️ Compressing 44 %, about 20 s left…"));
        assert_eq!(said(2).as_deref(), Some("🎞️ Compressing 44 % (file 1 of 2), about 20 s left…"));
    }

    #[test]
    fn the_status_is_the_databases_or_says_since_when_it_counts() {
        let here = JobsStatus { running: 1, queued: 2, succeeded: 3, failed: 4 };
        let counts =
            store::Counts { queued: 1200, paused: 2, running: 5, done: 6, failed: 7, ..store::Counts::default() };
        let told = status(Some(counts), here, Duration::from_secs(3600), None, 10 << 20);
        assert!(told.contains("Running: 5\n- Queued: 1,200 (and 2 paused)\n- Delivered so far: 6"), "{told}");
        let told = status(None, here, Duration::from_secs(3600), None, 10 << 20);
        assert!(told.contains("Running: 1\n- Queued: 2\n- Delivered since the start: 3"), "{told}");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(-12), "-12");
        assert_eq!(clock(3723.4), "1:02:03");
        assert_eq!(clock(59.6), "1:00");
    }

    #[test]
    fn long_answers_are_cut_at_a_line() {
        let cut = cut(&"a line\n".repeat(1000));
        assert!(cut.encode_utf16().count() <= MAX_CAPTION && cut.ends_with("line\n…"));
        let names: Vec<_> = (0..500).map(|number| format!("{number}`.jpg")).collect();
        let kept = kept(&names);
        assert!(kept.len() < 2000 && kept.ends_with("more") && !kept.contains("`."), "{kept}");
    }
}
