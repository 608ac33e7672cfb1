//! `make demo`: the main job, shown. The real bot, yt-dlp, gallery-dl and ffmpeg against a stand-in Discord and a
//! stand-in web; no token, no internet. Prints the conversation and, for each link, the route, the attempts with their
//! times, and what Discord received as ffprobe reads it back. Ends by itself; the files stay in the folder it names.

#[path = "../../tests/world/mod.rs"]
mod world;

mod show;

use std::{path::Path, process::ExitCode, time::Instant};

use serde_json::{Value, json};
use show::{BY_TOOLS, first_line, names, seconds};
use world::{
    discord::Channel,
    samples::{Sample, Samples},
    stage::World,
};

/// One link tried: what should have come of it, and what did.
struct Shown {
    name: &'static str,
    expected: usize,
    delivered: usize,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(demo())
}

async fn demo() -> ExitCode {
    let begun = Instant::now();
    let out = show::fresh("target/demo");

    println!("Making the sample media (about a minute the first time) …");
    let world = World::start().await;
    let samples = Samples::install(&world.web);
    let guild = world.discord.guild("Harbour Cats", 0);
    let channel = guild.channel("general");
    println!("Starting the real bot against the stand-in Discord …");
    let mut bot = world.bot(&[&[("LOG_LEVEL", "info"), ("LOG_FORMAT", "json")], BY_TOOLS].concat()).await;
    println!("\n#general in Harbour Cats · no boosts · files up to 10 MiB\n");

    let mut shown = Vec::new();
    for (turn, sample) in samples.all().into_iter().enumerate() {
        let log = bot.log().clone();
        let one = show(&world, &channel, turn, sample, &log, &out);
        shown.push(bot.during(one).await);
    }
    let (status, took) = bot.stop().await;
    println!("The bot stopped {} after SIGTERM, {status}.", seconds(took));

    let failed: Vec<&Shown> = shown.iter().filter(|one| one.delivered != one.expected).collect();
    for one in &failed {
        println!("NOT AS EXPECTED: {}: {} files instead of {}", one.name, one.delivered, one.expected);
    }
    let files: usize = shown.iter().map(|one| one.delivered).sum();
    println!("\n{} links, {files} files in {}. They are in {}/", shown.len(), seconds(begun.elapsed()), out.display());
    if failed.is_empty() && status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Types one link, waits for the answer, and prints all of it.
async fn show(
    world: &World,
    channel: &Channel,
    turn: usize,
    sample: Sample<'_>,
    log: &world::bot::Log,
    out: &Path,
) -> Shown {
    let nadia = world.discord.user("nadia");
    let typed = Instant::now();
    // Every second link by prefix: both doors lead to the same place.
    let call = if turn.is_multiple_of(2) {
        println!("nadia  /download url:{}", sample.link);
        nadia.slash(channel, "download", json!({"url": sample.link})).await
    } else {
        println!("nadia  $download {}", sample.link);
        nadia.says(channel, &format!("$download {}", sample.link)).await
    };
    let acknowledged = call.acknowledged().await;
    let messages = show::answers(&call, sample.files).await;
    let took = typed.elapsed();

    for revision in call.history().iter().filter(|revision| !revision.content.is_empty()) {
        show::print_revision(revision);
    }
    for extra in messages.iter().skip(1) {
        println!("  Boss  {} [{}]", first_line(&extra.content), names(extra).join(", "));
    }
    println!(
        "        {} · {} · acknowledged after {}, done after {}",
        sample.name,
        show::route(sample.link).await,
        seconds(acknowledged),
        seconds(took)
    );
    if let Some(attempts) = attempts(log, sample.link).await {
        println!("        attempts: {attempts}");
    }
    let files = show::keep(&messages, out, turn);
    for file in &files {
        println!("        {file}");
    }
    println!();
    Shown { name: sample.name, expected: sample.files, delivered: files.len() }
}

/// What the bot's own log says of the attempts.
async fn attempts(log: &world::bot::Log, link: &str) -> Option<String> {
    let plain = link.split(['?', '#']).next().unwrap_or(link).split("://").last().unwrap_or(link).to_owned();
    let line = log
        .line("the outcome", |line| line.contains("delivered") && line.contains(&plain) && line.contains("attempts"))
        .await;
    let told: Value = serde_json::from_str(&line).ok()?;
    let attempts = told["fields"]["attempts"].as_str().or_else(|| told["attempts"].as_str())?;
    Some(if attempts.is_empty() { "none".to_owned() } else { attempts.to_owned() })
}
