//! Faults on demand: what Discord and the way to it do on bad days.

use std::time::Duration;

/// Breaks requests that match.
#[derive(Debug, Clone)]
pub struct Fault {
    /// `GET`, `POST` …; empty for any.
    pub method: &'static str,
    /// What the path below `/api/v10` contains; empty for any.
    pub path_contains: String,
    /// What happens instead.
    pub answer: FaultAnswer,
    /// How many requests it breaks; `None`: all from now on.
    pub times: Option<usize>,
}

/// What a fault answers.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultAnswer {
    /// This status, with an HTML page as Discord's edge sends for 5xx, else with a JSON error.
    Status(u16),
    /// 413 with code 40005.
    TooLarge,
    /// 429, to be tried again after this long.
    RateLimit {
        /// How long to wait.
        retry_after: Duration,
        /// For the whole bot rather than one bucket.
        global: bool,
    },
    /// Cuts the line before anything was done.
    Reset,
    /// Does it, then cuts the line: the answer is lost.
    LoseAnswer,
    /// Does it, and never answers.
    KeepAnswer,
    /// Waits this long, then answers as ever.
    Slow(Duration),
    /// Never answers.
    Hang,
}

impl Fault {
    /// Any request whose path contains this.
    pub fn on(path_contains: &str, answer: FaultAnswer) -> Self {
        Self { method: "", path_contains: path_contains.to_owned(), answer, times: None }
    }

    /// Only by this method.
    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// Only so many times.
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method == method) && path.contains(&self.path_contains)
    }
}

/// Takes the first fault that matches, counting it down.
pub(super) fn take(faults: &mut Vec<Fault>, method: &str, path: &str) -> Option<FaultAnswer> {
    let at = faults.iter().position(|fault| fault.matches(method, path))?;
    let fault = &mut faults[at];
    let answer = fault.answer.clone();
    if let Some(times) = &mut fault.times {
        *times = times.saturating_sub(1);
        if *times == 0 {
            faults.remove(at);
        }
    }
    Some(answer)
}
