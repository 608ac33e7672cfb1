//! What `queue` says, and what live messages say because of it.

use std::fmt::Write;

use super::{cut, number};
use crate::{
    deliver::escape,
    jobs::store::{InLine, Line, State},
    model::redact,
};

/// Letters of a sign, at least: the ends of ids are random.
pub const SIGN: usize = 6;

/// Jobs on a page.
const PAGE: usize = 10;

/// Letters of a link that are shown.
const LINK: usize = 60;

/// Who looks at the queue.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    /// The person.
    pub user: u64,
    /// The server.
    pub guild: Option<u64>,
    /// The channel: links of other ones, which not everybody may see, are not shown.
    pub channel: u64,
    /// Whether the person may deal with everybody's requests here.
    pub moderates: bool,
}

/// Why a sign means no job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfound {
    /// It cannot be one.
    NoSign,
    /// There is no such job here, or none any more.
    Gone,
    /// There are several.
    Several,
    /// It is somebody else's.
    NotYours,
}

/// How long signs must be so that no two are the same.
pub fn sign_length(line: &Line) -> usize {
    let differ = |long: &usize| {
        let mut signs: Vec<String> = line.jobs.iter().map(|one| sign(&one.row.id, *long)).collect();
        signs.sort_unstable();
        signs.windows(2).all(|two| two.first() != two.last())
    };
    (SIGN..=32).find(differ).unwrap_or(32)
}

/// The sign of a job.
pub fn sign(id: &str, long: usize) -> String {
    id.get(id.len().saturating_sub(long)..).unwrap_or(id).to_owned()
}

/// A page of the queue, counted from 0. A page that is not there is the last one.
pub fn list(line: &Line, paused: bool, page: usize, viewer: Viewer) -> String {
    let (nothing, whose) = if viewer.guild.is_some() { ("here", "Queue here") } else { ("of yours", "Your queue") };
    let running = line.jobs.iter().filter(|one| one.row.state == State::Running).count();
    let waiting = line.total.saturating_sub(running);
    let count = |count: usize| number(u64::try_from(count).unwrap_or(u64::MAX));
    let mut text = match line.total {
        0 => format!("📋 Nothing {nothing} is running or waiting."),
        _ => format!("📋 **{whose}**: {} running, {} waiting", count(running), count(waiting)),
    };
    if paused {
        text.push_str("\n⏸️ Paused: nothing new begins until a moderator uses `queue resume`.");
    }
    let (pages, long) = (line.jobs.len().div_ceil(PAGE).max(1), sign_length(line));
    let page = page.min(pages - 1);
    for one in line.jobs.iter().skip(page * PAGE).take(PAGE) {
        let who = one.row.user.map(|user| format!(" · <@{user}>")).unwrap_or_default();
        let _ = write!(text, "\n`{}` {} · {}{who}", sign(&one.row.id, long), standing(one), what(one, viewer));
    }
    if pages > 1 {
        let _ = write!(text, "\n-# Page {} of {pages}", page + 1);
    }
    cut(&text)
}

/// Where a job stands.
fn standing(one: &InLine) -> String {
    match (one.row.state, one.ahead) {
        (State::Running, _) if one.row.cancel_asked => "⏹️ being stopped".to_owned(),
        (State::Running, _) => match one.row.fraction {
            Some(fraction) => format!("▶️ {:.0} %", fraction.clamp(0.0, 1.0) * 100.0),
            None => "▶️ running".to_owned(),
        },
        (_, Some(0)) => "⏳ next".to_owned(),
        (_, Some(ahead)) => format!("⏳ {ahead} ahead"),
        (_, None) if one.held => "⏸️ paused".to_owned(),
        (_, None) => format!("🕒 <t:{}:R>", one.row.run_at.div_euclid(1000)),
    }
}

/// What a job is about, as far as whoever looks may know it.
fn what(one: &InLine, viewer: Viewer) -> String {
    let link = one.row.request.get("url").and_then(|url| url::Url::parse(url.as_str()?).ok());
    match link {
        Some(link) if one.row.channel == Some(viewer.channel) => {
            let link = redact::link(&link).replace('`', "'");
            let short: String = link.chars().take(LINK).collect();
            if short.len() < link.len() { format!("`{short}…`") } else { format!("`{short}`") }
        }
        _ => format!("{} in another channel", escape(&one.row.platform)),
    }
}

/// A job to choose, in plain text: Discord takes a hundred letters.
pub fn choice(one: &InLine, long: usize) -> String {
    let standing = match (one.row.state, one.ahead) {
        (State::Running, _) => "running".to_owned(),
        (_, Some(ahead)) => format!("{ahead} ahead"),
        (_, None) if one.held => "paused".to_owned(),
        (_, None) => "later".to_owned(),
    };
    let text = format!("{} · {} · {standing}", sign(&one.row.id, long), one.row.platform);
    text.chars().take(100).collect()
}

/// A sign that means no job that may be changed.
pub fn unfound(why: Unfound, sign: &str) -> String {
    let sign: String = sign.replace('`', "'").chars().take(40).collect();
    match why {
        Unfound::NoSign => format!("❌ `{sign}` isn't the sign of a request. `queue` shows them: `3f9a1c`, for example."),
        Unfound::Gone => format!("❌ There is no request `{sign}` running or waiting here, or not any more."),
        Unfound::Several => format!("❌ `{sign}` could mean several requests. `queue` shows signs that tell them apart."),
        Unfound::NotYours => {
            "❌ That is somebody else's request. Only they and moderators (Manage Messages or Manage Server) can change it."
                .to_owned()
        }
    }
}

/// A request was called off.
pub fn removed(ran: bool) -> String {
    if ran { "⏹️ It is being stopped.".to_owned() } else { called_off() }
}

/// Waiting requests were called off. `more`: there are more than were looked at.
pub fn cleared(count: usize, more: bool) -> String {
    let text = match count {
        0 => "📋 There was nothing waiting to be called off.".to_owned(),
        1 => "🗑️ One waiting request was called off.".to_owned(),
        _ => format!("🗑️ {count} waiting requests were called off."),
    };
    if more { text + " There may be more: use it again." } else { text }
}

/// What only moderators can do.
pub fn moderators_only() -> String {
    "❌ Only moderators (Manage Messages or Manage Server) can do that to everybody's requests. For one of yours give its sign, \
     as `queue` shows it."
        .to_owned()
}

/// One request was paused or resumed. `all_held`: its server is paused besides.
pub fn held_one(pause: bool, changed: bool, all_held: bool) -> String {
    match (pause, changed) {
        (true, true) => "⏸️ Paused. `queue resume` with its sign lets it begin.",
        (true, false) => "⏸️ It is paused already, or has just begun.",
        (false, _) if all_held => {
            "⏸️ It isn't paused itself: everything here is, until a moderator uses `queue resume`."
        }
        (false, true) => "▶️ It may begin again.",
        (false, false) => "▶️ It wasn't paused.",
    }
    .to_owned()
}

/// A whole server was paused or resumed.
pub fn held_all(pause: bool, changed: bool) -> String {
    match (pause, changed) {
        (true, true) => "⏸️ Nothing new begins in this server until `queue resume`. What runs goes on.",
        (true, false) => "⏸️ This server is paused already.",
        (false, true) => "▶️ Requests in this server begin again.",
        (false, false) => "▶️ This server wasn't paused.",
    }
    .to_owned()
}

/// All waiting requests of a person were paused or resumed, in a direct message.
pub fn held_own(pause: bool, count: usize) -> String {
    match (pause, count) {
        (_, 0) => "📋 There was nothing to change.".to_owned(),
        (true, _) => format!("⏸️ Waiting requests paused: {count}. `queue resume` lets them begin."),
        (false, _) => format!("▶️ Requests that may begin again: {count}."),
    }
}

/// What runs cannot be paused.
pub fn runs_already() -> String {
    "▶️ It runs already. `queue remove` with its sign stops it.".to_owned()
}

/// On the live message of a request that waits and may not begin.
pub fn held() -> String {
    "⏸️ Paused: this begins after `queue resume`.".to_owned()
}

/// On the live message of a request that was called off before it began.
pub fn called_off() -> String {
    "🗑️ Called off before it began.".to_owned()
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;
    use crate::jobs::store::JobRow;

    /// A job of a person that waits.
    pub fn waiting(id: &str, user: u64) -> InLine {
        let row = JobRow {
            id: id.to_owned(),
            state: State::Queued,
            paused: false,
            cancel_asked: false,
            group: "guild:9".to_owned(),
            user: Some(user),
            guild: Some(9),
            channel: Some(5),
            platform: "twitter".to_owned(),
            priority: 20,
            created_at: 0,
            run_at: 1_763_000_000_000,
            started_at: None,
            finished_at: None,
            attempts: 0,
            max_attempts: 3,
            lease_until: None,
            worker: None,
            phase: None,
            fraction: None,
            request: json!({"url": "https://x.com/ann/status/1?token=secret`"}),
            address: json!({}),
            method: None,
            error_code: None,
            error_text: None,
            outcome: None,
            files: 0,
            bytes: 0,
            took_ms: 0,
        };
        InLine { row, ahead: Some(0), held: false }
    }

    const ANN: Viewer = Viewer { user: 1, guild: Some(9), channel: 5, moderates: false };

    fn shown(one: InLine) -> String {
        list(&Line { jobs: vec![one], total: 1 }, false, 0, ANN)
    }

    #[test]
    fn each_request_tells_where_it_stands() {
        let one = waiting("0000000000abcdef", 7);
        let running = |fraction, cancel_asked| {
            let row = JobRow { state: State::Running, fraction, cancel_asked, ..one.row.clone() };
            InLine { row, ahead: None, held: false }
        };
        for (one, words) in [
            (one.clone(), "`abcdef` ⏳ next · `x.com/ann/status/1` · <@7>"),
            (InLine { ahead: Some(3), ..one.clone() }, "⏳ 3 ahead"),
            (InLine { ahead: None, held: true, ..one.clone() }, "⏸️ paused"),
            (InLine { ahead: None, ..one.clone() }, "🕒 <t:1763000000:R>"),
            (running(None, false), "▶️ running"),
            (running(Some(0.423), false), "▶️ 42 %"),
            (running(Some(0.423), true), "⏹️ being stopped"),
        ] {
            let text = shown(one);
            assert!(text.contains(words), "{words}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn links_of_other_channels_are_not_shown() {
        let mut one = waiting("abcdef", 7);
        one.row.channel = Some(6);
        let text = shown(one);
        assert!(text.contains("twitter in another channel") && !text.contains("x.com"), "{text}");
    }

    #[test]
    fn long_queues_come_in_pages() {
        let jobs: Vec<InLine> = (0..34).map(|n| waiting(&format!("0123456789{n:06}"), 7)).collect();
        let line = Line { jobs, total: 34 };
        let first = list(&line, true, 0, ANN);
        assert!(first.contains("Queue here**: 0 running, 34 waiting") && first.contains("Page 1 of 4"), "{first}");
        assert!(first.contains("until a moderator uses"), "{first}");
        assert!(first.contains("`000009`") && !first.contains("`000010`"), "{first}");
        let last = list(&line, false, 3, ANN);
        assert!(last.contains("`000033`") && last.contains("Page 4 of 4"), "{last}");
        assert_eq!(list(&line, false, 99, ANN), last, "there is no further page");
        assert!(first.encode_utf16().count() < 2000);
        let nothing = list(&Line::default(), false, 5, ANN);
        assert_eq!(nothing, "📋 Nothing here is running or waiting.");
    }
}
