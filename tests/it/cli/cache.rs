//! `cache show` and `cache clear`.

use super::Ran;
use crate::world::{
    bot::Bot,
    media,
    platforms::{Gone, Tweet},
    stage::World,
};

/// `boss-bot …` in this world, to its end.
async fn run(world: &World, args: &[&str]) -> Ran {
    let args: Vec<&str> = args.to_vec();
    let env: Vec<(String, String)> = world
        .env(&[("LOG_LEVEL", "error")])
        .into_iter()
        .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
        .collect();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    super::boss_bot(world.dir(), &args, &env).await
}

#[tokio::test]
async fn what_is_remembered_is_listed_without_addresses_and_forgotten_when_told() {
    let world = World::start().await;
    let found = world.web.x().post(Tweet::video(&media::small_video(171)));
    let gone = world.web.x().post(Tweet { screen_name: "carl".into(), ..Tweet::gone(Gone::Deleted) });
    let mut fetch = Bot::start_with(world.dir(), ["fetch", "--metadata-only", "--json", &found, &gone], world.env(&[]));
    fetch.ended().await;
    let ran = run(&world, &["cache", "show", "--json"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let mut answers: Vec<_> = shown.as_array().unwrap().iter().map(|one| one["answer"].as_str().unwrap()).collect();
    answers.sort_unstable();
    assert_eq!(answers, ["found", "not_found"]);
    assert!(!ran.out.contains("video.twimg.com"), "{}", ran.out);
    assert!(run(&world, &["cache", "show"]).await.out.contains("twitter:post:"));
    let explained = run(&world, &["explain", &found, &gone]).await.out;
    assert_eq!(explained.matches("→ as it is").count(), 1, "what is remembered is planned: {explained}");
    assert_eq!(run(&world, &["cache", "clear"]).await.out, "2 answers forgotten.\n0 files (0 B) thrown away.\n");
    assert_eq!(run(&world, &["cache", "show", "--json"]).await.out.trim(), "[]");
}
