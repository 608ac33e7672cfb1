//! Tokens, cookies and signed links never appear in logs, errors or replies, at any log level.

use serde_json::json;

use crate::world::{
    media,
    platforms::{InstagramPost, RedditPost, Tweet},
    stage::World,
    web::{Fault, FaultKind},
};

const COOKIE: &str = "sessioncookievalue4711";
const REDDIT_SECRET: &str = "redditsecretvalue4711";
const SIGNATURE: &str = "signaturevalue4711";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_seen_anywhere_after_a_full_run_at_the_loudest_level() {
    let world = World::start().await;
    let cookies = world.dir().join("cookies.txt");
    let jar = format!(
        "# Netscape HTTP Cookie File\n.instagram.com\tTRUE\t/\tTRUE\t2000000000\tsessionid\t{COOKIE}\n.x.com\tTRUE\t/\tTRUE\t2000000000\tauth_token\t{COOKIE}\n"
    );
    std::fs::write(&cookies, &jar).unwrap();
    world.web.reddit().register_app("an-app", REDDIT_SECRET);
    let mut bot = world
        .bot(&[
            ("LOG_LEVEL", "trace"),
            ("RETRY_LATER_MAX", "0"),
            ("GALLERY_DL_COOKIES_FILE", cookies.to_str().unwrap()),
            ("REDDIT_CLIENT_ID", "an-app"),
            ("REDDIT_CLIENT_SECRET", REDDIT_SECRET),
        ])
        .await;
    let channel = world.discord.guild("talkative", 0).channel("general");
    let ann = world.discord.user("ann");

    let video = world.web.x().post(Tweet::video(&media::small_video(61)));
    let carousel = world.web.instagram().post(InstagramPost::carousel(&[media::jpg(62), media::jpg(63)]));
    let reddit = world.web.reddit().post(RedditPost::video(media::Dash::seed(64)));
    let signed = world.web.file("cdn.example", "/clip.mp4", &media::small_video(65)) + "?sig=" + SIGNATURE;
    let refused = world.web.file("cdn.example", "/refused.mp4", &media::small_video(66)) + "?token=" + SIGNATURE;
    world.web.faults().add(Fault::on("cdn.example", "refused", FaultKind::Status(403)));
    let broken = world.web.x().post(Tweet::video(&media::small_video(67)));

    bot.during(async {
        for link in [&video, &carousel, &reddit, &signed] {
            ann.slash(&channel, "download", json!({"url": link})).await.final_message().await;
        }
        ann.slash(&channel, "metadata", json!({"url": video})).await.says("ann").await;
        world.web.faults().add(Fault::on("video.twimg.com", "", FaultKind::Status(403)));
        for link in [&refused, &broken] {
            ann.says(&channel, &format!("$download {link}"))
                .await
                .until("a failure", |m| m.content.contains('❌'))
                .await;
        }
    })
    .await;
    bot.stop().await;

    let mut haystacks = vec![("log", bot.log().text())];
    for message in channel.by_the_bot() {
        for revision in &message.history {
            haystacks.push(("reply", format!("{} {:?} {:?}", revision.content, revision.embeds, revision.files)));
        }
    }
    let mut needles = vec![COOKIE.to_owned(), REDDIT_SECRET.to_owned(), SIGNATURE.to_owned()];
    needles.extend(world.discord.secrets());
    for (place, text) in &haystacks {
        for needle in &needles {
            if let Some(at) = text.find(needle.as_str()) {
                let around: String = text[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect();
                panic!("{needle} in a {place}, after: {around}");
            }
        }
    }
    assert!(haystacks[0].1.len() > 20_000, "the loudest level says a lot");
    assert_eq!(std::fs::read_to_string(&cookies).unwrap(), jar, "the operator's cookies are never rewritten");
}
