//! What cannot be made small enough is linked to from the operator's store, when there is one.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::json;

use crate::world::{
    discord::{Channel, Message},
    media::{self, Media},
    platforms::InstagramPost,
    stage::World,
};

const ADDRESS: &str = "https://media.example/boss";

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

/// The folder of the store.
fn folder(world: &World) -> PathBuf {
    let dir = world.dir().join("store");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// The settings of the store, with others.
fn settings<'a>(dir: &'a Path, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all =
        vec![("STORE_DIR", dir.to_str().unwrap()), ("STORE_URL", ADDRESS), ("COMPRESSION_TARGET_SIZE_MB", "300KB")];
    all.extend_from_slice(more);
    all
}

/// Ten minutes in 300 kB would be 4 kbit/s: refused.
fn too_long() -> Media {
    media::video(media::Video { seconds: 600, width: 160, height: 90, ..media::Video::seed(91) })
}

/// The stored file that a message links to, as a web server would find it.
fn linked(message: &Message, dir: &Path) -> PathBuf {
    let text = message.text();
    let link = text.split_whitespace().find(|word| word.starts_with(ADDRESS)).expect("a link").to_owned();
    let name = link.strip_prefix(&format!("{ADDRESS}/")).unwrap().to_owned();
    assert!(name.split('-').next().unwrap().len() == 32 && name.ends_with(".mp4"), "{name}");
    dir.join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_to_fit_is_linked_to_as_it_was() {
    let world = World::start().await;
    let dir = folder(&world);
    let mut bot = world.bot(&settings(&dir, &[("STORE_LINK_HOURS", "48")])).await;
    let long = too_long();
    let link = world.web.file("files.example", "/long.mp4", &long);
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for call in [
            ann.slash(&general, "download", json!({"url": link})).await,
            ann.says(&general, &format!("$download {link}")).await,
        ] {
            let message = call.says("(kept for 48 hours)").await;
            assert!(message.text().contains(&format!("<{link}>")), "the caption is there: {}", message.text());
            assert_eq!(media::sha256(&linked(&message, &dir)), long.sha256(), "the original");
            assert_eq!((call.messages().len(), message.attachments.len()), (1, 0));
        }
    })
    .await;
    assert!(!bot.log().text().contains(&format!("{ADDRESS}/")), "whoever reads the log learns no link");
    bot.stop().await;
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_that_fit_are_sent_with_the_link_to_the_one_that_does_not() {
    let world = World::start().await;
    let dir = folder(&world);
    let long = too_long();
    let pictures = [media::jpg(92), media::jpg(93)];
    let post = InstagramPost::carousel(&[pictures[0].clone(), long.clone(), pictures[1].clone()]);
    let link = world.web.instagram().post(post);
    let mut bot = world.bot(&settings(&dir, &[])).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        let message = call.final_message().await;
        let got: Vec<String> = message.attachments.iter().map(|file| media::sha256(file.path())).collect();
        assert_eq!(got, pictures.each_ref().map(Media::sha256));
        assert_eq!(media::sha256(&linked(&message, &dir)), long.sha256());
        assert_eq!(call.messages().len(), 1, "nothing is missing, so nothing more is said");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_discord_refuses_again_and_again_is_linked_to() {
    let world = World::start().await;
    let dir = folder(&world);
    let guild = world.discord.guild("No boost", 0);
    guild.really_takes(2_000);
    let clip = media::small_video(290);
    let link = world.web.file("files.example", "/refused.mp4", &clip);
    let mut bot = world.bot(&settings(&dir, &[("COMPRESSION_FFMPEG_PRESET", "ultrafast")])).await;
    bot.during(async {
        let ann = world.discord.user("ann");
        let call = ann.slash(&guild.channel("general"), "download", json!({"url": link})).await;
        let message = call.says("Too large to be sent here").await;
        assert_eq!(media::sha256(&linked(&message, &dir)), clip.sha256());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_store_either_is_refused_as_without_one() {
    let world = World::start().await;
    let dir = folder(&world);
    let link = world.web.file("files.example", "/long.mp4", &too_long());
    let mut bot = world.bot(&settings(&dir, &[("STORE_MAX_MB", "1KB")])).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        call.says("❌ This can't be made small enough").await;
    })
    .await;
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_have_had_their_time_are_gone_after_a_start() {
    let world = World::start().await;
    let dir = folder(&world);
    let aged = |name: &str, hours: u64| {
        let file = std::fs::File::create(dir.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    };
    aged(&format!("{:032x}-old.mp4", 1), 25);
    aged(&format!("{:032x}-young.mp4", 2), 23);
    aged("the-operators-own.mp4", 1000);
    let mut bot = world.bot(&settings(&dir, &[])).await;
    bot.log().line("what was removed", |line| line.contains("files in the store have had their time")).await;
    let mut left: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, [format!("{:032x}-young.mp4", 2), "the-operators-own.mp4".to_owned()]);
    let (status, took) = bot.stop().await;
    assert!(status.success() && took < Duration::from_secs(10), "{status} {took:?}");
}
