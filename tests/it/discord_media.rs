//! The main job in Discord: a link in, media out, one live message, nobody pinged.

use std::time::Duration;

use serde_json::json;

use crate::world::{
    discord::{Channel, Conversation, MESSAGE_CONTENT, Message},
    media::{self, Media},
    platforms::{Gone, InstagramPost, Tweet},
    stage::World,
};

/// A direct link: the shortest way through the bot, for stories about Discord rather than platforms.
fn direct(world: &World, name: &str, media: &Media) -> String {
    world.web.file("files.example", name, media)
}

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

fn alone(call: &Conversation) -> Message {
    let messages = call.messages();
    assert_eq!(messages.len(), 1, "one live message and nothing else: {messages:?}");
    messages.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_command_is_acknowledged_and_its_message_becomes_the_video() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let clip = media::small_video(101);
    let link = direct(&world, "/clip.mp4", &clip);
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        assert!(call.acknowledged().await < Duration::from_secs(3));
        let message = call.final_message().await;
        assert_eq!(message.attachments.len(), 1);
        assert_eq!(media::sha256(message.attachments[0].path()), clip.sha256(), "the very file");
        assert!(message.text().contains(&link), "the caption has the link: {}", message.text());
        assert!(message.attachments[0].filename.ends_with(".mp4"));
        alone(&call);
    })
    .await;
    assert_eq!(world.discord.unexpected(), Vec::<String>::new());
    assert_eq!(world.discord.rate_limited(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_command_posts_four_images_in_order_in_one_message_with_their_alt_texts() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let images: Vec<_> = (110..114).map(media::jpg).collect();
    let tweet =
        Tweet::images(&images).by("bertha", "Bertha").text("Four *boxes* for @everyone").alt(1, "The second box");
    let link = world.web.x().post(tweet);
    bot.during(async {
        let general = general(&world);
        let call = world.discord.user("ann").says(&general, &format!("$download <{link}>")).await;
        let message = call.final_message().await;
        let got: Vec<_> = message.attachments.iter().map(|file| media::sha256(file.path())).collect();
        let wanted: Vec<_> = images.iter().map(Media::sha256).collect();
        assert_eq!(got, wanted, "all four, in the order of the post");
        assert_eq!(message.attachments[1].description.as_deref(), Some("The second box"));
        assert!(message.text().contains("Bertha") && message.text().contains(r"Four \*boxes\*"), "{}", message.text());
        let id = link.rsplit('/').next().unwrap();
        let text = message.text();
        assert!(text.contains("<https://x.com/") && text.contains(&format!("/status/{id}>")), "no preview: {text}");
        assert_eq!(message.pinged, Vec::<String>::new(), "nobody is pinged");
        assert_eq!(message.reference, call.asked().map(|asked| asked.id), "it replies to the question");
        alone(&call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_fit_one_message_follow_in_order() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_MAX_FILES_PER_BATCH", "2")]).await;
    let images: Vec<_> = (120..124).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images[..3]).by("carl", "Carl").text("Three"));
    let fourth = world.web.x().post(Tweet::images(&images).by("dora", "Dora").text("Four"));
    bot.during(async {
        let general = general(&world);
        for (call, count) in [
            (world.discord.user("ann").slash(&general, "download", json!({"url": link})).await, 3),
            (world.discord.user("bob").says(&general, &format!("$download {fourth}")).await, 4),
        ] {
            let messages = call.with_files(count).await;
            assert_eq!(messages.len(), 2);
            let got: Vec<_> =
                messages.iter().flat_map(|m| &m.attachments).map(|file| media::sha256(file.path())).collect();
            let wanted: Vec<_> = images[..count].iter().map(Media::sha256).collect();
            assert_eq!(got, wanted);
            assert!(!messages[0].content.is_empty() && messages[1].content.is_empty(), "the caption stands once");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_message_tells_how_far_it_has_come_without_hurry() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    world.web.hold_downloads_at(42);
    let link = world.web.x().post(Tweet::video(&media::padded_video(1_000_000, 130)).by("ann", "Ann").text("Slow"));
    bot.during(async {
        let call = world.discord.user("ann").says(&general(&world), &format!("$download {link}")).await;
        call.says("Resolving").await;
        world.web.wait_for_held_downloads(1).await;
        call.says("Downloading 4").await;
        world.web.release();
        call.final_message().await;
        let history = call.history();
        let times: Vec<_> = history[..history.len() - 1].iter().map(|shape| shape.at).collect();
        for pair in times.windows(2).skip(1) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(1500), "edits are spaced: {times:?}");
        }
        alone(&call);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_progress_updates_nothing_is_edited_but_the_end() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")]).await;
    world.web.hold_downloads();
    let link = direct(&world, "/quiet.mp4", &media::small_video(140));
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        world.web.wait_for_held_downloads(1).await;
        world.web.release();
        let message = call.final_message().await;
        assert_eq!(message.history.len(), 2, "thinking, then the file: {:?}", message.history);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_works_where_message_content_is_not_granted() {
    let world = World::start().await;
    world.discord.grant_intents(0);
    let mut bot = world.bot(&[]).await;
    let link = direct(&world, "/mention.mp4", &media::small_video(150));
    let log = bot.log().clone();
    bot.during(async {
        let general = general(&world);
        let intents = world.discord.identify_intents().unwrap();
        assert_eq!(intents & MESSAGE_CONTENT, 0, "it asked again without");
        log.line("the missing intent", |line| line.contains("Message Content Intent")).await;
        let me = world.discord.bot_id();
        let ann = world.discord.user("ann");
        let call = ann.says(&general, &format!("<@{me}> download {link}")).await;
        call.final_message().await;
        let dm = ann.dm();
        ann.says(&dm, &format!("$download {link}")).await.final_message().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_one_clear_sentence() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let gone = world.web.x().post(Tweet::gone(Gone::Deleted));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        let call = ann.slash(&general, "download", json!({"url": gone})).await;
        let message = call.says("doesn't exist any more").await;
        assert!(message.attachments.is_empty());
        alone(&call);
        let call = ann.says(&general, "$download http://127.0.0.1:9/secret.mp4").await;
        let message = call.says("private networks").await;
        assert!(!message.text().contains("127.0.0.1"), "{}", message.text());
        let call = ann.says(&general, "$download https://netflix.com/title/1").await;
        call.says("❌").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_kept_on_the_server_are_named_and_not_posted() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let clip = media::small_video(160);
    let link = direct(&world, "/kept.mp4", &clip);
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        let first = ann.slash(&general, "download", json!({"url": link, "upload": false})).await.says("💾").await;
        let second = ann.says(&general, &format!("$download-only {link}")).await.says("💾").await;
        for message in [first, second] {
            assert!(message.text().contains("kept.mp4"), "{}", message.text());
            assert!(!message.text().contains('/') && message.attachments.is_empty(), "no paths: {}", message.text());
        }
    })
    .await;
    bot.stop().await;
    let kept = ["kept.info.json", "kept.mp4"].map(|name| world.downloads().join("direct").join(name));
    assert_eq!(world.left_behind(), kept, "the same file is kept once");
    assert_eq!(media::sha256(&kept[1]), clip.sha256());
    let known: serde_json::Value = serde_json::from_slice(&std::fs::read(&kept[0]).unwrap()).unwrap();
    assert_eq!((&known["platform"], &known["url"]), (&"direct".into(), &link.clone().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_kept_on_the_server_are_sorted_with_what_is_known_of_them_beside_them() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let post = InstagramPost::carousel(&[media::jpg(161), media::small_video(162)]);
    let words = post.caption.clone();
    let link = world.web.instagram().post(post);
    bot.during(async {
        let general = general(&world);
        world.discord.user("ann").slash(&general, "download-only", json!({"url": link})).await.says("💾 2 files").await;
    })
    .await;
    bot.stop().await;
    let left = world.left_behind();
    let authors: Vec<_> = std::fs::read_dir(world.downloads().join("instagram")).unwrap().flatten().collect();
    let [author] = &authors[..] else { panic!("one author: {authors:?}") };
    assert!(left.iter().all(|path| path.parent() == Some(&author.path())), "{left:?}");
    let of = |end: &str| left.iter().filter(|path| path.to_string_lossy().ends_with(end)).cloned().collect::<Vec<_>>();
    assert_eq!((of(".mp4").len(), of(".info.json").len(), of(".description").len()), (1, 1, 1), "{left:?}");
    assert_eq!(std::fs::read_to_string(&of(".description")[0]).unwrap(), words);
    let known = std::fs::read_to_string(&of(".info.json")[0]).unwrap();
    assert!(!known.contains("cdninstagram") || !known.contains("oh="), "no address to load from: {known}");
    assert!(!known.contains(&world.dir().display().to_string()), "no path of this machine: {known}");
}
