//! What a job saves when the tool is forked from a process that has it loaded, with proxy, folders and all.

use std::time::{Duration, Instant};

use boss_bot::{model::Tool, settings::Settings};

use crate::{
    Line, median,
    resolve::Bench,
    world::{media, platforms::Tweet},
};

/// Calls of each kind; fresh and warm by turns, so that a slow moment of the machine meets both.
const TURNS: usize = 15;

/// Looks at the same X post by either tool, fresh and warm by turns.
pub async fn measure() -> Vec<Line> {
    let bench = Bench::start().await;
    let link = bench.web.x().post(Tweet::video(&media::small_video(1)).by("ann", "Ann").text("look"));
    let tools = |warm| bench.tools(|settings: &mut Settings| settings.tools.warm = warm);
    let (fresh, warm) = (tools(false), tools(true));
    let mut lines = Vec::new();
    for (tool, what, goal) in [
        (Tool::YtDlp, "look at an X post by yt-dlp, warm against fresh, median", "≥ 4× faster"),
        (Tool::GalleryDl, "the same by gallery-dl", ""),
    ] {
        // What the first calls cost once: starting, and preparing between them.
        let first = Instant::now();
        bench.look(&warm, tool, &link).await;
        let first = first.elapsed();
        let settled = Instant::now();
        while settled.elapsed() < Duration::from_secs(2) {
            bench.look(&warm, tool, &link).await;
        }
        let (mut of_fresh, mut of_warm) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            for (tools, results) in [(&fresh, &mut of_fresh), (&warm, &mut of_warm)] {
                let begun = Instant::now();
                bench.look(tools, tool, &link).await;
                results.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
        let (of_fresh, of_warm) = (median(of_fresh), median(of_warm));
        let ratio = of_fresh / of_warm;
        lines.push(Line {
            what,
            measured: format!("{of_warm:.0} / {of_fresh:.0} ms: {ratio:.1}×"),
            goal,
            holds: (!goal.is_empty()).then_some(ratio >= 4.0),
        });
        lines.push(Line {
            what: "  its first call, which starts the process that waits",
            measured: format!("{:.0} ms", first.as_secs_f64() * 1000.0),
            goal: "",
            holds: None,
        });
    }
    lines
}
