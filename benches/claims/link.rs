//! From a typed link to a posted video: what the bot adds to the time the bytes take anyway.

use std::time::Instant;

use crate::{
    Line, median,
    world::{discord::Channel, media, platforms::Tweet, stage::World},
};

const VIDEO_BYTES: u64 = 5 * 1000 * 1000;
const TURNS: u32 = 7;

/// Asks for fresh X videos of 5 MB, in process and by yt-dlp, and compares with moving the same bytes bare.
pub async fn measure() -> Vec<Line> {
    let bytes = bytes_alone().await;
    let tweet = |world: &World, seed| world.web.x().post(Tweet::video(&media::video_of(VIDEO_BYTES, seed)));
    let streamable =
        |world: &World, seed| world.web.sites().streamable.video("a clip", &media::video_of(VIDEO_BYTES, seed));
    let api = typed_to_posted(&[], tweet).await;
    // X's first tool is gallery-dl, which knows pictures too; Streamable shows yt-dlp with the same bytes.
    let gallery_dl = typed_to_posted(&[("TWITTER_USE_API_CLIENT", "false")], tweet).await;
    let yt_dlp = typed_to_posted(&[("STREAMABLE_USE_API_CLIENT", "false")], streamable).await;
    let beyond = api - bytes;
    let again = again().await;
    let by_tool = |what, took: f64| {
        let beyond_bytes = took - bytes;
        Line { what, measured: format!("{beyond_bytes:.0} ms ({:.1}×)", beyond_bytes / beyond), goal: "", holds: None }
    };
    vec![
        Line { what: "5 MB, the bytes alone: down and up", measured: format!("{bytes:.0} ms"), goal: "", holds: None },
        Line {
            what: "5 MB X video in process, typed → posted, beyond the bytes",
            measured: format!("{beyond:.0} ms"),
            goal: "< 250 ms beyond the bytes' time",
            holds: Some(beyond < 250.0),
        },
        by_tool("5 MB X video by gallery-dl, beyond the bytes", gallery_dl),
        by_tool("5 MB video by yt-dlp (Streamable), beyond the bytes", yt_dlp),
        again,
    ]
}

/// A link that somebody asked for before, in another channel: typed to posted, without a word to the platform.
async fn again() -> Line {
    let world = World::start().await;
    let guild = world.discord.guild("bench", 3);
    let link = world.web.x().post(Tweet::video(&media::small_video(TURNS)));
    let mut bot = world.bot(&[("LOG_LEVEL", "info")]).await;
    let first = bot.during(one(&world, &guild.channel("first"), &link)).await;
    let asked = world.web.requests().len();
    let mut results = Vec::new();
    for turn in 0..TURNS {
        let channel = guild.channel(&format!("turn-{turn}"));
        results.push(bot.during(one(&world, &channel, &link)).await);
    }
    let asked = world.web.requests().len() - asked;
    bot.stop().await;
    let again = median(results);
    Line {
        what: "a repeated link, typed → posted / the first time",
        measured: format!("{again:.0} / {first:.0} ms, asked {asked}×"),
        goal: "< 50 ms, the platform not asked",
        holds: Some(again < 50.0 && asked == 0),
    }
}

/// Median milliseconds from the typed command to the message with the file.
async fn typed_to_posted(env: &[(&str, &str)], place: impl Fn(&World, u32) -> String) -> f64 {
    let world = World::start().await;
    let guild = world.discord.guild("bench", 3);
    let mut env = env.to_vec();
    env.push(("LOG_LEVEL", "info"));
    let mut bot = world.bot(&env).await;
    let mut results = Vec::new();
    for turn in 0..TURNS {
        // Every turn another post with other bytes: nothing may be answered from memory.
        // And another channel: Discord takes five messages in five seconds in one.
        let channel = guild.channel(&format!("turn-{turn}"));
        results.push(bot.during(one(&world, &channel, &place(&world, turn))).await);
    }
    bot.stop().await;
    median(results)
}

async fn one(world: &World, channel: &Channel, link: &str) -> f64 {
    let ann = world.discord.user("ann");
    let typed = Instant::now();
    let call = ann.slash(channel, "download", serde_json::json!({"url": link})).await;
    call.with_files(1).await;
    typed.elapsed().as_secs_f64() * 1000.0
}

/// Median milliseconds that the same bytes take without the bot: down through the same proxy, up to the same Discord.
async fn bytes_alone() -> f64 {
    let world = World::start().await;
    let guild = world.discord.guild("bench", 3);
    let root = reqwest::Certificate::from_pem(world.authority.pem().as_bytes()).expect("the certificate");
    let web = reqwest::Client::builder()
        .add_root_certificate(root.clone())
        .proxy(reqwest::Proxy::all(world.web.proxy_url()).expect("the proxy"))
        .build()
        .expect("a client");
    let discord = reqwest::Client::builder()
        .add_root_certificate(root)
        .resolve("discord.com", world.discord.address())
        .no_proxy()
        .build()
        .expect("a client");
    let mut results = Vec::new();
    for turn in 0..TURNS {
        let file = media::video_of(VIDEO_BYTES, turn);
        let link = world.web.file("bytes.example", &format!("/{turn}.mp4"), &file);
        let channel = guild.channel(&format!("turn-{turn}"));
        let begun = Instant::now();
        let body = web.get(link).send().await.expect("a response").bytes().await.expect("the file");
        let part = reqwest::multipart::Part::bytes(body.to_vec()).file_name("video.mp4");
        let form = reqwest::multipart::Form::new()
            .text("payload_json", r#"{"attachments":[{"id":0,"filename":"video.mp4"}]}"#)
            .part("files[0]", part);
        let answer = discord
            .post(format!("https://discord.com/api/v10/channels/{}/messages", channel.id))
            .header("Authorization", format!("Bot {}", world.discord.token()))
            .multipart(form)
            .send()
            .await
            .expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.status());
        results.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    median(results)
}
