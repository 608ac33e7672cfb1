//! What the demos print: shapes of messages, the way of a link, and files as ffprobe reads them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::world::{
    bot::binary,
    discord::{Conversation, Message, Revision},
};

/// The bot asks these platforms itself; here the real tools shall be seen at work, too.
pub const BY_TOOLS: &[(&str, &str)] = &[("YOUTUBE_USE_API_CLIENT", "false"), ("INSTAGRAM_USE_API_CLIENT", "false")];

/// A fresh folder a run, so that what lies in it is what this run delivered.
pub fn fresh(out: &str) -> PathBuf {
    let out = PathBuf::from(out);
    let _ = std::fs::remove_dir_all(&out);
    std::fs::create_dir_all(&out).expect("a folder in target");
    out
}

/// The bot's answers once they are whole: all files, or a sentence that says why there are none.
pub async fn answers(call: &Conversation, files: usize) -> Vec<Message> {
    if files > 0 {
        return call.with_files(files).await;
    }
    vec![call.until("a sentence that says why", |message| message.content.starts_with('❌')).await]
}

/// Keeps copies of the files on these messages, and says what each is.
pub fn keep(messages: &[Message], out: &Path, turn: usize) -> Vec<String> {
    let files = messages.iter().flat_map(|message| &message.attachments);
    files
        .enumerate()
        .map(|(index, file)| {
            let kept = out.join(format!("{:02}-{}-{}", turn + 1, index + 1, file.filename));
            std::fs::copy(file.path(), &kept).expect("a copy");
            format!("{} · {:.2} MiB · {}", file.filename, file.size as f64 / 1_048_576.0, probe(&kept))
        })
        .collect()
}

/// Prints a shape that a message had.
pub fn print_revision(revision: &Revision) {
    let files = if revision.files.is_empty() { String::new() } else { format!(" [{}]", revision.files.join(", ")) };
    // As people see it: Discord takes the escapes away.
    for (index, line) in revision.content.replace("\\", "").lines().enumerate() {
        println!("  {}  {line}{}", if index == 0 { "Boss" } else { "    " }, if index == 0 { &files } else { "" });
    }
}

/// The first line of a text.
pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The names of the files on a message.
pub fn names(message: &Message) -> Vec<String> {
    message.attachments.iter().map(|file| file.filename.clone()).collect()
}

/// `1.23 s`.
pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// Which platform and paths, as `boss-bot explain` tells it.
pub async fn route(link: &str) -> String {
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
