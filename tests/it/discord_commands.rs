//! The commands around the main one, and what people read when they mistype.

use serde_json::json;

use crate::world::{discord::Channel, media, platforms::Tweet, stage::World};

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_registered_for_servers_and_direct_messages() {
    let world = World::start().await;
    let _bot = world.bot(&[]).await;
    let commands = world.discord.commands();
    let names: Vec<_> = commands.iter().filter_map(|command| command["name"].as_str()).collect();
    for name in [
        "download",
        "download-only",
        "metadata",
        "queue",
        "status",
        "stats",
        "yt-stats",
        "strategies",
        "yt-download",
        "info",
        "help",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    for command in &commands {
        assert_eq!(command["contexts"], json!([0, 1, 2]), "{command}");
        assert_eq!(command["integration_types"], json!([0, 1]), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_about_the_bot_answer_by_slash_and_by_prefix() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for (command, words) in
            [("status", "Running: 0"), ("strategies", "Reddit"), ("info", "boss-bot"), ("help", "What I can do")]
        {
            ann.slash(&general, command, json!({})).await.says(words).await;
            ann.says(&general, &format!("${command}")).await.says(words).await;
        }
        ann.slash(&general, "help", json!({"command": "yt-download"}))
            .await
            .says("/yt-download url:https://youtu.be/")
            .await;
        ann.says(&general, "$help download").await.says("$download https://x.com/").await;
        let choices = ann.autocomplete(&general, "help", json!({"command": "down"}), "command").await;
        assert_eq!(choices.len(), 3, "{choices:?}");
        let dm = ann.dm();
        ann.slash(&dm, "info", json!({})).await.says("boss-bot").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_tells_what_a_link_holds_without_loading_it() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let images: Vec<_> = (301..303).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann Example").text("Two pictures"));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for call in [
            ann.slash(&general, "metadata", json!({"url": link})).await,
            ann.says(&general, &format!("$metadata {link}")).await,
        ] {
            let message = call.says("2 pictures").await;
            let text = message.text();
            assert!(text.contains("Ann Example") && text.contains("Two pictures"), "{text}");
            assert!(text.contains("<https://x.com/") && !text.contains("twimg"), "no media links: {text}");
            assert!(!text.contains('→'), "nothing is done to them: {text}");
            assert_eq!(call.messages().len(), 1);
        }
        assert_eq!(world.web.requests_to("pbs.twimg.com").len(), 0);
        let film = world.web.x().post(Tweet::video(&media::small_video(305)));
        let message = ann.slash(&general, "metadata", json!({"url": film})).await.says("1 video").await;
        assert!(message.text().contains("→ as it is"), "what a download would give: {}", message.text());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yt_download_takes_only_youtube_and_knows_the_qualities() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        let call =
            ann.slash(&general, "yt-download", json!({"url": "https://x.com/a/status/1", "quality": "4K"})).await;
        call.says("isn't a YouTube link").await;
        ann.says(&general, "$yt-download https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ 720p")
            .await
            .says("isn't a YouTube link")
            .await;
        assert_eq!(world.web.requests().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistyped_commands_are_answered_with_an_example() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for (typed, words) in [
            ("$download", "I need a link"),
            ("$download hello", "doesn't look like a web link"),
            ("$download https://x.com/a/status/1 --wat", "`--wat`"),
            ("$download https://x.com/a/status/1 --quality 8k", "`8k`"),
            ("$metadata ftp://example.org/a", "doesn't look like a web link"),
            ("$donwload https://x.com/a/status/1", "Did you mean `$download`"),
            ("$status now please", "more than this command takes"),
        ] {
            let message = ann.says(&general, typed).await.says(words).await;
            assert_eq!(message.pinged, Vec::<String>::new());
        }
        ann.slash(&general, "download", json!({"url": "hello"})).await.says("For example: `/download url:").await;
        let me = world.discord.bot_id();
        ann.says(&general, &format!("<@{me}> sing")).await.says("help").await;
        // Other bots' commands and prices are none of our business.
        ann.says(&general, "$5 is too much").await;
        ann.says(&general, "$balance").await;
        let before = general.by_the_bot().len();
        ann.says(&general, "$info").await.says("boss-bot").await;
        assert_eq!(general.by_the_bot().len(), before + 1);
    })
    .await;
}
