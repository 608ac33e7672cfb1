//! `stats`: what came of the requests from Discord.

use std::path::Path;

use boss_bot::{
    jobs::store::{End, JobStore, NewJob, Priority, Report, new_id, now},
    settings::DatabaseUrl,
};
use serde_json::{Value, json};

use super::{Ran, boss_bot, folder};

async fn ended(store: &JobStore, guild: Option<u64>, end: End, report: Report) {
    let id = new_id();
    let job = NewJob {
        id: id.clone(),
        source: None,
        key: None,
        group: "a".into(),
        user: None,
        guild,
        channel: None,
        platform: "direct".into(),
        priority: Priority::Interactive,
        run_at: now(),
        max_attempts: 1,
        request: json!({"url": "https://files.example/secret.mp4"}),
        address: json!({}),
    };
    store.enqueue(job).await.unwrap();
    let claimed = store.claim("w", std::time::Duration::from_secs(600), 100).await.unwrap().unwrap();
    assert!(store.finish(&id, &claimed.lease, end, report).await.unwrap());
}

fn delivered(platform: &str, method: &str, took_ms: i64) -> Report {
    Report {
        platform: Some(platform.into()),
        method: Some(method.into()),
        files: 2,
        bytes: 1 << 20,
        took_ms,
        ..Report::default()
    }
}

async fn stats(dir: &Path, args: &[&str]) -> Ran {
    boss_bot(dir, &[&["stats"], args].concat(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_told_as_a_table_and_as_json() {
    let dir = folder();
    let dir = dir.path();
    let store = JobStore::open(&DatabaseUrl::Sqlite(dir.join("data/boss-bot.db"))).await.unwrap();
    for took in [1000, 2000, 3000] {
        ended(&store, Some(7), End::Done, delivered("twitter", "api", took)).await;
    }
    ended(&store, Some(8), End::Done, delivered("youtube", "fallback", 252_000)).await;
    let failed = Report { platform: Some("youtube".into()), error_code: Some("network".into()), ..Report::default() };
    ended(&store, Some(8), End::Failed, failed).await;

    let ran = stats(dir, &[]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for words in [
        "Requests of all servers and people, since the beginning (UTC): 5",
        "4 delivered, 1 failed, 0 cancelled, 0 need attention; 8 files, 4.0 MB",
        "fastest 1.0 s (twitter, api), slowest 4:12 min (youtube, fallback)",
        "Failures: network 1",
    ] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    let row = |name: &str| {
        let line = ran.out.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {}", ran.out)).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("twitter"), "twitter 3 3 100.0 % 6 3.0 MB 2.0 s 2.0 s 3.0 s 1.0 s 3.0 s");
    assert_eq!(row("by none"), "by none 1 0 0.0 % 0 0 B - - - - -");
    assert!(!ran.out.contains("secret"), "{}", ran.out);

    let ran = stats(dir, &["--json", "--guild", "8"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out));
    assert_eq!((&told["guild"], &told["since"], &told["total"]["jobs"]), (&json!(8), &Value::Null, &json!(2)));
    assert_eq!(told["total"]["success_rate"], 0.5);
    assert_eq!(told["platforms"]["youtube"]["times"]["p95_ms"], 252_000);
    assert_eq!((&told["methods"]["fallback"]["done"], &told["methods"]["none"]["failed"]), (&json!(1), &json!(1)));
    assert_eq!(told["slowest"], json!({"platform": "youtube", "method": "fallback", "took_ms": 252_000}));
    assert_eq!(told["errors"], json!({"network": 1}));
    let days = told["days"].as_object().unwrap();
    assert_eq!(days.values().map(|day| day["jobs"].as_u64().unwrap()).sum::<u64>(), 2);
    assert!(days.keys().all(|day| day.len() == 10 && day.starts_with("20")), "{days:?}");

    let ran = stats(dir, &["--since", "2d", "--platform", "youtube"]).await;
    assert!(ran.out.contains("Requests for youtube of all servers and people, since 20"), "{}", ran.out);
    assert!(ran.out.contains("(UTC): 2") && !ran.out.contains("twitter"), "{}", ran.out);
    let ran = stats(dir, &["--guild", "9"]).await;
    assert!(ran.code == 0 && ran.out.contains("Requests of server 9, since the beginning (UTC): 0"), "{}", ran.out);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_of_nothing_or_of_what_is_not_there_say_so() {
    let dir = folder();
    let ran = stats(dir.path(), &[]).await;
    assert!(ran.code == 1 && ran.err.contains("the bot makes one at its first start"), "{} {}", ran.code, ran.err);
    assert!(!dir.path().join("data/boss-bot.db").exists());
    let ran = stats(dir.path(), &["--platform", "nowhere"]).await;
    assert!(ran.code == 2 && ran.err.contains("there is no platform \"nowhere\""), "{}", ran.err);
    let ran = stats(dir.path(), &["--since", "yesterday"]).await;
    assert!(ran.code == 2 && ran.err.contains("2026-11-21T18:00:00Z"), "{}", ran.err);
}
