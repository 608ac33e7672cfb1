//! How soon the bot is there, and what it costs while nobody asks for anything.

use std::time::Instant;

use crate::{
    Line, median,
    world::{bot::Bot, stage::World},
};

const MIB: f64 = 1024.0 * 1024.0;

/// Starts the bot several times against the stand-in: process start → READY answered with registered commands.
pub async fn measure() -> Vec<Line> {
    let mut resident = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..5 {
        let world = World::start().await;
        let begun = Instant::now();
        let mut bot = Bot::start(world.dir(), world.env(&[("LOG_LEVEL", "info")]));
        let identified = world.discord.wait_for("READY", |state| state.gateway.ready_at.map(|_| ()));
        bot.during(identified).await;
        starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        bot.during(world.discord.ready()).await;
        resident.push(bot.memory().0 as f64 / MIB);
        bot.stop().await;
    }
    let (start, rss) = (median(starts), median(resident));
    vec![
        Line {
            what: "start to READY, median of 5",
            measured: format!("{start:.0} ms"),
            goal: "< 300 ms",
            holds: Some(start < 300.0),
        },
        Line {
            what: "idle resident memory, median of 5",
            measured: format!("{rss:.1} MiB"),
            goal: "< 40 MB",
            holds: Some(rss * MIB < 40e6),
        },
    ]
}
