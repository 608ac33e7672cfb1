//! `make demo`: the main job, shown. The real bot, yt-dlp, gallery-dl and ffmpeg against a stand-in Discord and a
//! stand-in web; no token, no internet. Prints the conversation and, for each link, the route, the attempts with their
//! times, and what Discord received as ffprobe reads it back. Ends by itself; the files stay in the folder it names.

#[path = "../../tests/world/mod.rs"]
mod world;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use world::{
    bot::binary,
    discord::{Channel, Conversation, Message, Revision},
    samples::{Sample, Samples},
    stage::World,
};

/// The bot asks these platforms itself; here the real tools shall be seen at work, too.
const BY_TOOLS: &[(&str, &str)] = &[("YOUTUBE_USE_API_CLIENT", "false"), ("INSTAGRAM_USE_API_CLIENT", "false")];

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
    let out = PathBuf::from("target/demo");
    // A fresh folder a run, so that what lies in it is what this run delivered.
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir_all(&out).expect("target/demo");

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
    let messages = answers(&call, sample.files).await;
    let took = typed.elapsed();

    for revision in call.history().iter().filter(|revision| !revision.content.is_empty()) {
        print_revision(revision);
    }
    for extra in messages.iter().skip(1) {
        println!("  Boss  {} [{}]", first_line(&extra.content), names(extra).join(", "));
    }
    println!(
        "        {} · {} · acknowledged after {}, done after {}",
        sample.name,
        route(sample.link).await,
        seconds(acknowledged),
        seconds(took)
    );
    if let Some(attempts) = attempts(log, sample.link).await {
        println!("        attempts: {attempts}");
    }
    let mut delivered = 0;
    for file in messages.iter().flat_map(|message| &message.attachments) {
        delivered += 1;
        let kept = out.join(format!("{:02}-{delivered}-{}", turn + 1, file.filename));
        std::fs::copy(file.path(), &kept).expect("a copy in target/demo");
        println!("        {} · {:.2} MiB · {}", file.filename, file.size as f64 / 1_048_576.0, probe(&kept));
    }
    println!();
    Shown { name: sample.name, expected: sample.files, delivered }
}

/// The bot's answers once they are whole: all files, or a sentence that is no progress any more.
async fn answers(call: &Conversation, files: usize) -> Vec<Message> {
    if files > 0 {
        return call.with_files(files).await;
    }
    let is_verdict = |message: &Message| {
        !message.is_loading() && message.content.ends_with(['.', ')']) && message.attachments.is_empty()
    };
    vec![call.until("a sentence that says why", is_verdict).await]
}

fn print_revision(revision: &Revision) {
    let files = if revision.files.is_empty() { String::new() } else { format!(" [{}]", revision.files.join(", ")) };
    // As people see it: Discord takes the escapes away.
    for (index, line) in revision.content.replace("\\", "").lines().enumerate() {
        println!("  {}  {line}{}", if index == 0 { "Boss" } else { "    " }, if index == 0 { &files } else { "" });
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn names(message: &Message) -> Vec<String> {
    message.attachments.iter().map(|file| file.filename.clone()).collect()
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// Which platform and paths, as `boss-bot explain` tells it.
async fn route(link: &str) -> String {
    let run = tokio::process::Command::new(binary())
        .args(["explain", "--json", link])
        .envs(BY_TOOLS.iter().copied())
        .output()
        .await;
    let told = run.ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok());
    let Some(told) = told else { return "no route".to_owned() };
    let paths: Vec<&str> = told["attempts"]
        .as_array()
        .map(|attempts| attempts.iter().filter_map(|attempt| attempt["by"].as_str()).collect())
        .unwrap_or_default();
    match told["platform"].as_str() {
        Some(platform) => format!("route: {platform} {} → {}", told["kind"].as_str().unwrap_or(""), paths.join(", ")),
        None => "no route".to_owned(),
    }
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

/// Codec, size and duration as ffprobe reads them from what Discord received.
fn probe(file: &Path) -> String {
    let run = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,codec_type,width,height:format=duration",
            "-of",
            "json",
        ])
        .arg(file)
        .output();
    let Some(told) = run.ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok()) else {
        return "ffprobe cannot read it".to_owned();
    };
    let mut facts: Vec<String> = Vec::new();
    for stream in told["streams"].as_array().into_iter().flatten() {
        let codec = stream["codec_name"].as_str().unwrap_or("?");
        facts.push(match (stream["width"].as_u64(), stream["height"].as_u64()) {
            (Some(width), Some(height)) => format!("{codec} {width}×{height}"),
            _ => codec.to_owned(),
        });
    }
    let duration = told["format"]["duration"].as_str().and_then(|text| text.parse::<f64>().ok());
    // A still picture lasts as long as one frame.
    if let Some(duration) = duration.filter(|duration| *duration > 0.1) {
        facts.push(format!("{duration:.1} s"));
    }
    facts.join(" · ")
}
