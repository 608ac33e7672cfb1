//! What five large uploads at once cost in memory.

use crate::{
    Line,
    world::{media, stage::World},
};

const FILE_BYTES: u64 = 99 * 1024 * 1024;
const AT_ONCE: u32 = 5;

/// Five members ask for files of 100 MB at once, in a guild that takes them whole.
pub async fn measure() -> Vec<Line> {
    let world = World::start().await;
    let channel = world.discord.guild("boosted", 3).channel("general");
    let mut bot = world.bot(&[("LOG_LEVEL", "info"), ("MAX_CONCURRENT_DOWNLOADS", "5")]).await;
    let ann = world.discord.user("ann");

    // One small delivery first, so that what every first delivery costs once is not counted as the uploads' cost.
    let warm = world.web.file("files.example", "/warm.mp4", &media::small_video(99));
    bot.during(async { ann.slash(&channel, "download", serde_json::json!({"url": warm})).await.with_files(1).await })
        .await;
    let (before, _) = bot.memory();

    let links: Vec<String> = (0..AT_ONCE)
        .map(|seed| world.web.file("files.example", &format!("/{seed}.mp4"), &media::padded_video(FILE_BYTES, seed)))
        .collect();
    bot.during(async {
        let mut calls = Vec::new();
        for link in &links {
            calls.push(ann.slash(&channel, "download", serde_json::json!({"url": link})).await);
        }
        for call in calls {
            call.with_files(1).await;
        }
    })
    .await;
    let (_, peak) = bot.memory();
    let risen = peak.saturating_sub(before) as f64;
    bot.stop().await;
    vec![Line {
        what: "five uploads of 99 MiB at once: rise of the peak memory",
        measured: format!("{:.1} MB", risen / 1e6),
        goal: "< 40 MB",
        holds: Some(risen < 40e6),
    }]
}
