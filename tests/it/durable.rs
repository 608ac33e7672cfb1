//! Jobs outlive the process: kills, stops, several bots, a frozen one, one gateway and many workers, a database that goes away or
//! is restarted, a full disk. What every story asks in the end is the same: each file exactly once, by its hash, and a live
//! message that ends well.

mod cluster;
mod crash;
mod disk;
mod kills;
mod later;
mod outage;
mod recovery;
mod restart;
mod several;
mod stops;

use futures_util::future::select_all;

use crate::world::{
    bot::Bot,
    discord::{Channel, Conversation, Message, State},
    media::{self, Media},
    stage::{self, World},
};

/// A lease that lapses while a story can wait for it.
const LEASE: (&str, &str) = ("DATABASE_LEASE_SECONDS", "2");

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

/// Words of messages that have not ended.
const UNDER_WAY: [&str; 7] = ["⏳", "🔎", "⬇️", "🎞️", "⬆️", "⏸️", "⏹️"];

/// Whether a message has said its last word.
fn has_ended(message: &Message) -> bool {
    !message.is_loading() && !UNDER_WAY.iter().any(|sign| message.content.starts_with(sign))
}

/// The hashes of all files on these messages, in order.
fn hashes(messages: &[Message]) -> Vec<String> {
    messages.iter().flat_map(|message| &message.attachments).map(|file| media::sha256(file.path())).collect()
}

/// Waits until the answer is whole, and holds that it is exactly these files, once, and nothing that waits for more.
async fn arrives(call: &Conversation, expected: &[Media]) -> Vec<Message> {
    call.with_files(expected.len()).await;
    let ended = |messages: &[Message]| !messages.is_empty() && messages.iter().all(has_ended);
    call.settles("a whole answer", |messages| ended(messages)).await;
    let messages = call.messages();
    assert_eq!(hashes(&messages), expected.iter().map(Media::sha256).collect::<Vec<_>>());
    messages
}

/// Waits until Discord has seen a request like this after the first `seen`, whatever became of it.
async fn asked(world: &World, seen: usize, what: &str, like: impl Fn(&str, &str) -> bool) {
    let there = |state: &State| {
        let mut new = state.requests.iter().skip(seen);
        new.any(|request| like(&request.method, &request.path)).then_some(())
    };
    world.discord.wait_for(what, there).await;
}

/// Ends the bot as a crash does, and holds that nothing of it lives on.
async fn crash(bot: &mut Bot) {
    bot.kill().await;
    bot.children_gone().await;
}

/// Runs a story while all of these run; one that ends meanwhile fails the story at once.
async fn while_they_run<'a, T>(bots: impl IntoIterator<Item = &'a mut Bot>, story: impl Future<Output = T>) -> T {
    let ends = bots.into_iter().map(|bot| Box::pin(bot.during(std::future::pending::<()>())));
    tokio::select! {
        done = story => done,
        _ = select_all(ends) => unreachable!("a bot that ends panics"),
    }
}

/// Ends a story of several processes with folders of their own.
async fn all_end_clean(world: &World, bots: impl IntoIterator<Item = Bot>) {
    for mut bot in bots {
        let (status, _) = bot.stop().await;
        assert!(status.success(), "{status}; it logged:\n{}", bot.log().text());
        assert_eq!(bot.processes_at_work(), Vec::<String>::new());
        assert_eq!(stage::left_in(&bot.dir.join("downloads")), Vec::<std::path::PathBuf>::new());
    }
    assert_eq!(world.discord.unexpected(), Vec::<String>::new());
}

/// Ends a story: the bot stops as asked and leaves nothing behind.
async fn ends_clean(world: &World, mut bot: Bot) {
    let (status, _) = bot.stop().await;
    assert!(status.success(), "{status}; it logged:\n{}", bot.log().text());
    assert_eq!(bot.processes_at_work(), Vec::<String>::new());
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
    assert_eq!(world.unreferenced(), Vec::<std::path::PathBuf>::new());
    assert_eq!(world.discord.unexpected(), Vec::<String>::new());
}
