//! The claims about speed and memory, each measured against the stand-ins in one run and printed beside its goal.
//!
//! `cargo bench` runs all; `cargo bench -- idle` those whose name contains `idle`. Numbers depend on the machine, so the
//! ones that matter are differences and ratios within a run: what the bot adds to the time the bytes take anyway.

#[path = "../../tests/world/mod.rs"]
mod world;

mod fetch;
mod idle;
mod link;
mod picture;
mod queue;
mod resolve;
mod upload;
mod warm;

/// One measured claim.
struct Line {
    what: &'static str,
    measured: String,
    goal: &'static str,
    holds: Option<bool>,
}

/// The middle of several results.
fn median(mut results: Vec<f64>) -> f64 {
    results.sort_by(f64::total_cmp);
    results[results.len() / 2]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut lines = Vec::new();
    runtime.block_on(async {
        if is_wanted("fetch") {
            lines.extend(fetch::measure().await);
        }
        if is_wanted("idle") {
            lines.extend(idle::measure().await);
        }
        if is_wanted("link") {
            lines.extend(link::measure().await);
        }
        if is_wanted("picture") {
            lines.extend(picture::measure().await);
        }
        if is_wanted("queue") {
            lines.extend(queue::measure().await);
        }
        if is_wanted("upload") {
            lines.extend(upload::measure().await);
        }
        if is_wanted("resolve") {
            lines.extend(resolve::measure().await);
        }
        if is_wanted("warm") {
            lines.extend(warm::measure().await);
        }
    });
    println!("\n{:<58} {:>22}  {:<34}", "claim", "measured", "goal");
    for line in &lines {
        let verdict = match line.holds {
            Some(true) => "holds",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{:<58} {:>22}  {:<34} {verdict}", line.what, line.measured, line.goal);
    }
    if lines.iter().any(|line| line.holds == Some(false)) {
        std::process::exit(1);
    }
}
