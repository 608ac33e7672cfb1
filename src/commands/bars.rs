//! Progress bars on standard error, one a link under way. Without a terminal there are none.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::model::{Phase, ProgressReceiver, TimeLeft, about};

/// How often a bar moves by itself, so that people see that work goes on.
const TICK: Duration = Duration::from_millis(120);

/// All bars. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bars(MultiProgress);

impl Bars {
    pub(super) fn new() -> Self {
        Self(MultiProgress::new())
    }

    /// A bar for all links together, which stands above the others.
    pub(super) fn whole(&self, links: usize) -> Whole {
        let bar = self.0.insert(0, ProgressBar::new(u64::try_from(links).unwrap_or(u64::MAX)));
        // The templates are constants that a test tries.
        if let Ok(style) = ProgressStyle::with_template(WHOLE) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.tick();
        Whole(bar)
    }

    /// Takes what is left of them off the screen.
    pub(super) fn clear(&self) {
        // Only fails when the terminal has gone, and then there is nothing to clear.
        let _ = self.0.clear();
    }

    /// Shows one job until its end.
    pub(super) async fn follow(self, link: String, mut progress: ProgressReceiver) {
        let mut bar: Option<ProgressBar> = None;
        let (begun, mut left) = (Instant::now(), TimeLeft::default());
        loop {
            let phase = progress.borrow_and_update().clone();
            match phase {
                Phase::Done => break,
                // A hundred waiting links would push the working ones off the screen.
                Phase::Queued { .. } if bar.is_none() => {}
                phase => {
                    let left = left.hear(begun.elapsed(), &phase);
                    show(bar.get_or_insert_with(|| self.start(&link)), &phase, left);
                }
            }
            if progress.changed().await.is_err() {
                break;
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
    }

    fn start(&self, link: &str) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new_spinner());
        bar.set_prefix(shorten(link, 48));
        bar.enable_steady_tick(TICK);
        bar
    }
}

/// How far many links have come together.
pub(super) struct Whole(ProgressBar);

impl Whole {
    /// One link has ended; so many have failed by now.
    pub(super) fn step(&self, failed: usize) {
        if failed > 0 {
            self.0.set_message(format!(", {failed} failed"));
        }
        self.0.inc(1);
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn show(bar: &ProgressBar, phase: &Phase, left: Option<Duration>) {
    let (template, position, length, message) = match phase {
        Phase::Queued { ahead } => (SPINNER, 0, None, format!("waiting, {ahead} ahead")),
        Phase::Resolving | Phase::Done => (SPINNER, 0, None, "looking at the post".to_owned()),
        Phase::Waiting { seconds } => (SPINNER, 0, None, format!("waiting {seconds} s, then trying again")),
        Phase::Downloading { done, total: Some(total) } => (BYTES, *done, Some(*total), "downloading".to_owned()),
        Phase::Downloading { done, total: None } => (GROWING, *done, None, "downloading".to_owned()),
        Phase::Compressing { file, of, fraction } => {
            let position = (fraction.clamp(0.0, 1.0) * 1000.0) as u64;
            let left = left.map(|left| format!(", {} left", about(left))).unwrap_or_default();
            (SHARE, position, Some(1000), format!("compressing {file}/{of}{left}"))
        }
        Phase::Uploading { .. } => (SPINNER, 0, None, "saving".to_owned()),
    };
    // The templates are constants that a test tries.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    if let Some(length) = length {
        bar.set_length(length);
    }
    bar.set_position(position);
    bar.set_message(message);
}

const SPINNER: &str = "{spinner} {prefix:.dim}  {msg}";
const BYTES: &str = "{spinner} {prefix:.dim}  {bar:24} {percent:>3} %  {binary_bytes_per_sec}  {msg}";
const GROWING: &str = "{spinner} {prefix:.dim}  {binary_bytes}  {binary_bytes_per_sec}  {msg}";
const WHOLE: &str = "  {bar:24} {pos} of {len} links{msg}, {elapsed}";
const SHARE: &str = "{spinner} {prefix:.dim}  {bar:24} {percent:>3} %  {msg}";

/// The end of a link tells more than its beginning.
pub(super) fn shorten(link: &str, most: usize) -> String {
    let link = link.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    let count = link.chars().count();
    if count <= most {
        return link.to_owned();
    }
    let host: String = link.chars().take(most / 3).collect();
    let end: String = link.chars().skip(count - (most - most / 3 - 1)).collect();
    format!("{host}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [SPINNER, BYTES, GROWING, SHARE, WHOLE] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn long_links_keep_both_ends() {
        assert_eq!(shorten("https://www.x.com/a", 20), "x.com/a");
        let short = shorten(&format!("https://example.org/{}/end", "x".repeat(90)), 30);
        assert_eq!(short.chars().count(), 30);
        assert!(short.starts_with("example.or…") && short.ends_with("/end"), "{short}");
    }
}
