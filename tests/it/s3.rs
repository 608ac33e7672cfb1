//! A bucket of an S3-compatible store: links to what is too large to be sent.

use std::path::PathBuf;

use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use crate::world::{
    discord::{Channel, Message},
    media::{self, Media},
    platforms::Tweet,
    s3::{S3, SECRET},
    stage::World,
};

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

/// Ten minutes in 300 kB would be 4 kbit/s: refused.
fn too_long() -> Media {
    media::video(media::Video { seconds: 600, width: 160, height: 90, ..media::Video::seed(91) })
}

async fn bot(world: &World, s3: &S3, more: &[(&str, &str)]) -> crate::world::bot::Bot {
    let settings = s3.settings();
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.push(("COMPRESSION_TARGET_SIZE_MB", "300KB"));
    all.extend_from_slice(more);
    world.bot(&all).await
}

/// The signed link of a message.
fn linked(message: &Message, s3: &S3) -> Url {
    let text = message.text();
    let link =
        text.split_whitespace().map(|word| word.trim_matches(['<', '>'])).find(|word| word.starts_with(&s3.url()));
    link.unwrap_or_else(|| panic!("no link in {text}")).parse().expect("an address")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_to_fit_is_linked_to_in_the_bucket_for_its_time_and_by_nothing_else() {
    let (world, s3) = (World::start().await, S3::start().await);
    let mut bot = bot(&world, &s3, &[("STORE_LINK_HOURS", "48"), ("S3_PREFIX", "shared/bot")]).await;
    let long = too_long();
    let link = world.web.file("files.example", "/long.mp4", &long);
    let found = bot
        .during(async {
            let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
            let message = call.says("(kept for 48 hours)").await;
            assert_eq!((call.messages().len(), message.attachments.len()), (1, 0));
            linked(&message, &s3)
        })
        .await;
    assert!(found.path().starts_with("/boss-bot/shared/bot/links/") && found.path().ends_with(".mp4"), "{found}");
    assert!(found.query().unwrap().contains("X-Amz-Expires=172800"), "{found}");
    let answer = reqwest::get(found.clone()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "video/mp4", "browsers play it");
    assert_eq!(hex::encode(Sha256::digest(answer.bytes().await.unwrap())), long.sha256(), "the original");
    let mut unsigned = found.clone();
    unsigned.set_query(None);
    assert_eq!(reqwest::get(unsigned).await.unwrap().status(), 403, "the name alone opens nothing");
    let log = bot.log().text();
    assert!(!log.contains("X-Amz-Signature") && !log.contains(SECRET), "whoever reads the log learns no link");
    bot.stop().await;
    assert_eq!(s3.objects().len(), 1);
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_costs_the_link_only_and_is_told_clearly() {
    let (world, s3) = (World::start().await, S3::start().await);
    s3.refuses(true);
    let mut bot = bot(&world, &s3, &[]).await;
    let link = world.web.file("files.example", "/long.mp4", &too_long());
    let clip = media::small_video(12);
    let small = world.web.file("files.example", "/small.mp4", &clip);
    bot.during(async {
        let (general, ann) = (general(&world), world.discord.user("ann"));
        let call = ann.slash(&general, "download", json!({"url": link})).await;
        call.says("❌ This can't be made small enough").await;
        let call = ann.slash(&general, "download", json!({"url": small})).await;
        assert_eq!(call.final_message().await.attachments.len(), 1, "everything else works");
        s3.refuses(false);
        let call = ann.slash(&general, "download", json!({"url": link})).await;
        linked(&call.says("(kept for 24 hours)").await, &s3);
    })
    .await;
    assert!(bot.log().text().contains("the S3 store answered 503 Service Unavailable (SlowDown)"));
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_holds_no_more_than_it_may_and_the_oldest_goes_first() {
    let (world, s3) = (World::start().await, S3::start().await);
    let others = s3.bucket().join("links/index.html");
    std::fs::create_dir_all(others.parent().unwrap()).unwrap();
    std::fs::write(&others, "the operator's own").unwrap();
    let long = too_long();
    let room = format!("{}KB", long.bytes() * 3 / 2 / 1024);
    let mut bot = bot(&world, &s3, &[("STORE_MAX_MB", &room)]).await;
    let links = ["/1.mp4", "/2.mp4"].map(|path| world.web.file("files.example", path, &long));
    bot.during(async {
        let (general, ann) = (general(&world), world.discord.user("ann"));
        for link in links {
            ann.slash(&general, "download", json!({"url": link})).await.says("(kept for 24 hours)").await;
        }
    })
    .await;
    bot.stop().await;
    assert_eq!(s3.objects().len(), 2, "one of ours, and what is not ours: {:?}", s3.objects());
    assert!(others.exists());
}

/// A bot on a machine of its own, which shares the bucket and nothing else.
async fn elsewhere(world: &World, s3: &S3, name: &str) -> crate::world::bot::Bot {
    let dir = |what: &str| world.dir().join(name).join(what).display().to_string();
    bot(world, s3, &[("DATA_DIR", &dir("data")), ("DOWNLOAD_DIR", &dir("downloads"))]).await
}

async fn asks(world: &World, bot: &mut crate::world::bot::Bot, link: &str) -> Message {
    let log = bot.log().clone();
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(world), "download", json!({"url": link})).await;
        let message = call.final_message().await;
        log.line("that it is over", |line| line.contains("boss_bot::jobs: delivered")).await;
        message
    })
    .await
}

/// How often the platform and its media servers were asked.
fn questions(world: &World) -> usize {
    let to = ["x.com", "twitter.com", "twimg.com"];
    world.web.requests().iter().filter(|seen| to.iter().any(|host| seen.host.ends_with(host))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_machine_has_loaded_and_made_the_others_need_not() {
    let (world, s3) = (World::start().await, S3::start().await);
    let large = media::Video { seconds: 3, target_bytes: Some(500_000), ..media::Video::seed(330) };
    let link = world.web.x().post(Tweet::video(&media::video(large)));
    let mut one = elsewhere(&world, &s3, "one").await;
    let first = asks(&world, &mut one, &link).await;
    one.stop().await;
    let asked = questions(&world);
    assert!(asked > 0 && s3.objects().iter().any(|path| path.to_string_lossy().contains("/artifacts/notes/")));

    let mut two = elsewhere(&world, &s3, "two").await;
    let second = asks(&world, &mut two, &link).await;
    two.stop().await;
    assert_eq!(questions(&world), asked, "the platform is not asked again");
    let sums = |message: &Message| -> Vec<String> {
        message.attachments.iter().map(|file| media::sha256(file.path())).collect()
    };
    assert_eq!(sums(&second), sums(&first), "not encoded again either: the same bytes");

    // Somebody else's bytes under the same names are not believed.
    for object in s3.objects() {
        if object.to_string_lossy().contains("/artifacts/objects/") {
            let size = std::fs::metadata(&object).unwrap().len() as usize;
            std::fs::write(&object, vec![0; size]).unwrap();
        }
    }
    let mut three = elsewhere(&world, &s3, "three").await;
    let third = asks(&world, &mut three, &link).await;
    three.stop().await;
    assert_eq!(third.attachments.len(), 1);
    assert!(questions(&world) > asked, "loaded anew");

    s3.refuses(true);
    let mut four = elsewhere(&world, &s3, "four").await;
    assert_eq!(asks(&world, &mut four, &link).await.attachments.len(), 1, "nothing is lost without the bucket");
    assert!(four.log().text().contains("what other machines have kept cannot be had"));
    four.stop().await;
}
