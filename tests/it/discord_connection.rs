//! Reaching Discord, losing it, coming back, and stopping in every state.

use std::time::Duration;

use serde_json::json;

use crate::world::{
    bot::Bot,
    discord::{Channel, Fault, FaultAnswer, State},
    media,
    stage::World,
};

/// A stop is over within this, whatever happens.
const STOP: Duration = Duration::from_secs(10);

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

async fn stops(bot: &mut Bot) {
    let (status, took) = bot.stop().await;
    assert!(status.success(), "{status}; it logged:\n{}", bot.log().text());
    assert!(took < STOP, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_bot_stops_at_once_and_says_what_the_operator_needs() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let line = bot.log().line("an invite link", |line| line.contains("oauth2/authorize")).await;
    assert!(line.contains(&format!("client_id={}", world.discord.bot_id())), "{line}");
    stops(&mut bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_at_work_stops_in_time_and_says_in_the_live_message_that_it_goes_on() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    world.web.hold_downloads();
    let link = world.web.file("files.example", "/held.mp4", &media::small_video(401));
    let (slash, prefix) = bot
        .during(async {
            let general = general(&world);
            let ann = world.discord.user("ann");
            let slash = ann.slash(&general, "download", json!({"url": link})).await;
            let prefix = ann.says(&general, &format!("$download {link}")).await;
            world.web.wait_for_held_downloads(2).await;
            (slash, prefix)
        })
        .await;
    stops(&mut bot).await;
    for call in [slash, prefix] {
        call.says("This goes on by itself").await;
    }
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
    assert_eq!(bot.processes_at_work(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_in_the_middle_of_an_upload_stops_in_time() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/hanging.mp4", &media::small_video(402));
    bot.during(async {
        world.discord.fault(Fault::on("@original", FaultAnswer::Hang).method("PATCH"));
        world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        bot_uploads(&world).await;
    })
    .await;
    stops(&mut bot).await;
}

async fn bot_uploads(world: &World) {
    let patched = |state: &State| {
        state
            .requests
            .iter()
            .any(|request| request.method == "PATCH" && request.path.ends_with("@original"))
            .then_some(())
    };
    world.discord.wait_for("an edit", patched).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_cannot_reach_the_api_keeps_trying_and_stops_in_time() {
    let world = World::start().await;
    world.discord.fault(Fault::on("/gateway", FaultAnswer::Status(503)));
    let mut bot = Bot::start(world.dir(), world.env(&[]));
    let log = bot.log().clone();
    bot.during(async {
        log.line("that it cannot", |line| line.contains("Discord cannot be reached")).await;
        world.discord.heal();
        world.discord.ready().await;
    })
    .await;
    stops(&mut bot).await;

    world.discord.fault(Fault::on("", FaultAnswer::Hang));
    let asked = world.discord.requests().len();
    let mut bot = Bot::start(world.dir(), world.env(&[]));
    bot.during(world.discord.wait_for("a request", |state| (state.requests.len() > asked).then_some(()))).await;
    stops(&mut bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_gateway_is_out_of_reach_stops_in_time() {
    let world = World::start().await;
    for hangs in [false, true] {
        world.discord.refuse_gateway(!hangs);
        world.discord.hang_gateway(hangs);
        let asked = world.discord.requests().len();
        let mut bot = Bot::start(world.dir(), world.env(&[]));
        // It asks twice for the gateway's address (serenity's own question is the second) and then knocks.
        let knocks = |state: &State| {
            let asked = state.requests[asked..].iter().filter(|request| request.path.ends_with("/gateway"));
            (asked.count() >= 2).then_some(())
        };
        bot.during(world.discord.wait_for("both questions", knocks)).await;
        stops(&mut bot).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_gateway_is_resumed_and_a_forgotten_session_begun_anew() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        world.discord.drop_gateway();
        world.discord.wait_for("a resume", |state| (state.gateway.resumes > 0).then_some(())).await;
        ann.says(&general, "$info").await.says("boss-bot").await;
        world.discord.ask_to_reconnect();
        world.discord.wait_for("another resume", |state| (state.gateway.resumes > 1).then_some(())).await;
        ann.says(&general, "$info").await.says("boss-bot").await;
        let identifies = world.discord.gateway().identifies;
        world.discord.drop_gateway();
        world.discord.forget_sessions();
        world.discord.wait_for("a new session", |state| (state.gateway.identifies > identifies).then_some(())).await;
        world.discord.ready().await;
        ann.slash(&general, "info", json!({})).await.says("boss-bot").await;
    })
    .await;
    stops(&mut bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_and_an_open_gateway_end_it_with_words_that_help() {
    let world = World::start().await;
    let mut bot = Bot::start(world.dir(), world.env(&[("DISCORD_TOKEN", "MTE.wrong.token-that-nobody-knows-of")]));
    assert!(!bot.ended().await.success());
    bot.log().line("what to do", |line| line.contains("Discord refuses the token")).await;

    world.discord.change(|state| state.gateway_url = "ws://gateway.example/".into());
    let mut bot = Bot::start(world.dir(), world.env(&[]));
    assert!(!bot.ended().await.success());
    bot.log().line("what is wrong", |line| line.contains("only wss:// is accepted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_lost_the_gateway_and_cannot_come_back_stops_in_time() {
    for hangs in [false, true] {
        let world = World::start().await;
        let mut bot = world.bot(&[]).await;
        world.discord.refuse_gateway(!hangs);
        world.discord.hang_gateway(hangs);
        world.discord.drop_gateway();
        let gone = |state: &State| state.sessions.values().all(|session| session.line.is_none()).then_some(());
        bot.during(world.discord.wait_for("the gateway to be lost", gone)).await;
        stops(&mut bot).await;
    }
}
