//! `recovery`: what failed is told without secrets, and goes back into the queue as it was asked or as a plan says.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use boss_bot::{
    jobs::store::{End, JobRow, JobStore, NewJob, Priority, Report, State, new_id, now},
    model::{Attempt, AttemptEnd, DownloadMethod, Error, Kind, Outcome},
    settings::DatabaseUrl,
};
use serde_json::{Value, json};

use super::{Ran, boss_bot, folder};

/// The database where the bot looks for it in a folder.
struct Bench {
    dir: tempfile::TempDir,
    store: JobStore,
}

impl Bench {
    async fn set() -> Self {
        let dir = folder();
        let store = JobStore::open(&DatabaseUrl::Sqlite(dir.path().join("data/boss-bot.db"))).await.unwrap();
        Self { dir, store }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn recovery(&self, args: &[&str]) -> Ran {
        boss_bot(self.path(), &[&["recovery"], args].concat(), &[]).await
    }

    /// A job that has ended so.
    async fn ended(&self, platform: &str, guild: u64, end: End, error: Option<Error>) -> String {
        let id = new_id();
        let job = NewJob {
            id: id.clone(),
            source: None,
            key: None,
            group: format!("guild:{guild}"),
            user: Some(7),
            guild: Some(guild),
            channel: Some(9),
            platform: platform.into(),
            priority: Priority::Interactive,
            run_at: now(),
            max_attempts: 4,
            request: json!({
                "url": format!("https://{platform}.example/a/status/1?signature=hunter2"),
                "options": {"quality": "720p", "thread": true},
                "requester": {"origin": "interaction", "user": 7, "guild": guild, "channel": 9},
            }),
            address: json!({"interaction": {"sealed": "hunter2"}}),
        };
        self.store.enqueue(job).await.unwrap();
        let claimed = self.store.claim("w", std::time::Duration::from_secs(600), 100).await.unwrap().unwrap();
        assert_eq!(claimed.id, id);
        let attempt = error.clone().map(|error| Attempt {
            method: DownloadMethod::Api,
            by: "api".into(),
            took: std::time::Duration::from_millis(250),
            cached: false,
            end: AttemptEnd::Retry { error },
            retries: Vec::new(),
            probe: false,
        });
        let outcome = Outcome { attempts: attempt.into_iter().collect(), error: error.clone(), ..Outcome::of(&id) };
        let report = Report {
            error_code: error.as_ref().map(|error| error.code().into()),
            error_text: error.as_ref().map(|error| error.operator_text().into()),
            outcome: serde_json::to_value(outcome).unwrap(),
            took_ms: 300,
            ..Report::default()
        };
        assert!(self.store.finish(&id, &claimed.lease, end, report).await.unwrap());
        id
    }

    async fn failed(&self, platform: &str, kind: Kind) -> String {
        let error = Error::new(kind, "503 from https://cdn.example/v.mp4?sig=hunter2");
        self.ended(platform, 1, End::Failed, Some(error)).await
    }

    async fn row(&self, id: &str) -> JobRow {
        self.store.get(id).await.unwrap().unwrap()
    }

    async fn states(&self, ids: &[&String]) -> Vec<State> {
        let mut states = Vec::new();
        for id in ids {
            states.push(self.row(id).await.state);
        }
        states
    }
}

/// The ids of what was printed, line by line.
fn ids(ran: &Ran) -> Vec<String> {
    ran.lines().iter().map(|line| line["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_listed_by_every_filter_newest_first() {
    let bench = Bench::set().await;
    let network = bench.failed("twitter", Kind::Network).await;
    let gone = bench.failed("twitter", Kind::NotFound).await;
    let reddit = bench.failed("reddit", Kind::Network).await;
    let broken = bench.ended("reddit", 2, End::NeedsAttention, None).await;
    bench.ended("twitter", 1, End::Done, None).await;
    bench.ended("twitter", 1, End::Cancelled, Some(Error::cancelled())).await;
    for (args, expected) in [
        (&[][..], vec![&broken, &reddit, &gone, &network]),
        (&["--platform", "twitter"], vec![&gone, &network]),
        (&["--code", "network"], vec![&reddit, &network]),
        (&["--code", "network", "--platform", "twitter"], vec![&network]),
        (&["--guild", "2"], vec![&broken]),
        (&["--since", "2h"], vec![&broken, &reddit, &gone, &network]),
        (&["--since", "2030-01-01T00:00:00Z"], vec![]),
        (&["--limit", "1"], vec![&broken]),
    ] {
        let ran = bench.recovery(&[&["list", "--json"], args].concat()).await;
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        assert_eq!(ids(&ran).iter().collect::<Vec<_>>(), expected, "{args:?}");
    }
    let ran = bench.recovery(&["list"]).await;
    for part in [&network, "can help", "cannot help", "needs attention", "4 jobs. Trying again can help 3"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let ran = bench.recovery(&["list", "--json"]).await;
    let help: Vec<Value> = ran.lines().iter().map(|line| line["help"].clone()).collect();
    assert_eq!(help, ["yes", "yes", "no", "yes"]);
    assert_eq!(ran.lines()[1]["link"], "reddit.example/a/status/1");
    for (args, told) in [
        (["--platform", "twiter"], "there is no platform"),
        (["--code", "netwrok"], "there is no error"),
        (["--since", "yesterday"], "is no time"),
    ] {
        let ran = bench.recovery(&[&["list"][..], &args].concat()).await;
        assert!(ran.code == 2 && ran.err.contains(told), "{args:?}: {}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_shown_with_its_attempts_and_advice_and_without_secrets() {
    let bench = Bench::set().await;
    let id = bench.failed("twitter", Kind::LoginRequired).await;
    let ran = bench.recovery(&["show", &id]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["attempt 1", "api: login_required after 0.25 s", "503 from", "user 7", "after a change", "cookies"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    assert!(ran.out.contains("twitter.example/a/status/1\n"), "without its query: {}", ran.out);
    let json = bench.recovery(&["show", "--json", &id]).await;
    let shown = &json.lines()[0];
    assert_eq!((&shown["help"], &shown["code"]), (&json!("change"), &json!("login_required")));
    assert_eq!(shown["attempts_made"][0]["by"], "api");
    assert_eq!(shown["options"]["quality"], "720p");
    let list = bench.recovery(&["list"]).await;
    for told in [&ran.out, &json.out, &list.out] {
        assert!(!told.contains("hunter2"), "{told}");
    }
    let ran = bench.recovery(&["show", "nobody"]).await;
    assert!(ran.code == 1 && ran.err.contains("there is no job"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_command_puts_back_all_that_an_outage_cost_and_nothing_else() {
    let bench = Bench::set().await;
    let first = bench.failed("twitter", Kind::Network).await;
    let second = bench.failed("twitter", Kind::Timeout).await;
    let gone = bench.failed("twitter", Kind::NotFound).await;
    let other = bench.failed("reddit", Kind::Network).await;
    let done = bench.ended("twitter", 1, End::Done, None).await;
    let all = [&first, &second, &gone, &other, &done];
    let before = bench.states(&all).await;
    let ran = bench.recovery(&["run", "--since", "2h", "--platform", "twitter", "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("2 jobs would be in the queue again") && ran.out.contains("1 left out"), "{}", ran.out);
    assert_eq!(bench.states(&all).await, before, "a dry run changes nothing");
    let ran = bench.recovery(&["run", "--since", "2h", "--platform", "twitter"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("2 jobs are in the queue again") && ran.out.contains("1 left out"), "{}", ran.out);
    let (queued, failed) = (State::Queued, State::Failed);
    assert_eq!(bench.states(&all).await, [queued, queued, failed, failed, State::Done]);
    let row = bench.row(&first).await;
    assert_eq!((row.attempts, row.finished_at), (0, None));
    assert_eq!(row.request["options"]["force"], true, "the platform is asked anew");
    assert_eq!(row.request["options"]["quality"], "720p");
    assert_eq!(row.request["requester"]["user"], 7, "the rest is as it was");
    let ran = bench.recovery(&["run", "--since", "2h", "--platform", "twitter"]).await;
    assert!(ran.code == 0 && ran.out.contains("nothing to do again"), "{}", ran.out);
    let ran = bench.recovery(&["run", "--since", "2h", "--platform", "twitter", "--all", "--json"]).await;
    assert_eq!(ids(&ran), [gone]);
    let ran = bench.recovery(&["run"]).await;
    assert!(ran.code == 2 && ran.err.contains("say which jobs"), "not everything by accident: {}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_named_run_again_unless_they_run_or_were_delivered() {
    let bench = Bench::set().await;
    let gone = bench.failed("twitter", Kind::NotFound).await;
    let called_off = bench.ended("twitter", 1, End::Cancelled, Some(Error::cancelled())).await;
    let done = bench.ended("twitter", 1, End::Done, None).await;
    let ran = bench.recovery(&["run", "--json", &gone, &done, "nobody", &called_off, &gone]).await;
    assert_eq!(ran.code, 3, "{}", ran.err);
    let fates: Vec<(String, Value)> =
        ids(&ran).into_iter().zip(ran.lines().iter().map(|line| line["fate"].clone())).collect();
    let fate = |id: &str| fates.iter().find(|(one, _)| one == id).unwrap().1.clone();
    assert_eq!(fates.len(), 4, "named twice is once");
    assert_eq!(
        [fate(&gone), fate(&done), fate("nobody"), fate(&called_off)],
        ["queued", "refused", "unknown", "queued"]
    );
    assert_eq!(bench.states(&[&gone, &done, &called_off]).await, [State::Queued, State::Done, State::Queued]);
    let ran = bench.recovery(&["run", &done]).await;
    assert!(ran.code == 1 && ran.out.contains("it was delivered"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_can_be_changed_before_it_is_run_and_is_looked_through_first() {
    let bench = Bench::set().await;
    let large = bench.failed("twitter", Kind::CannotFit).await;
    let network = bench.failed("reddit", Kind::Network).await;
    bench.failed("reddit", Kind::NotFound).await;
    let ran = bench.recovery(&["create", "--file", "plan.json", "--since", "1h"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("2 jobs") && ran.out.contains("1 left out"), "{}", ran.out);
    let path = bench.path().join("plan.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let ran = bench.recovery(&["create", "--file", "plan.json"]).await;
    assert!(ran.code == 1 && ran.err.contains("not replaced"), "{}", ran.err);

    let mut plan: Value = serde_json::from_str(&text).unwrap();
    let jobs = plan["jobs"].as_array_mut().unwrap();
    let change = jobs.iter_mut().find(|job| job["id"] == large.as_str()).unwrap();
    assert_eq!((&change["quality"], &change["failed_with"]), (&json!("720p"), &json!("cannot_fit")));
    change["quality"] = json!("480p");
    change["audio_only"] = json!(true);
    fs::write(&path, plan.to_string()).unwrap();
    let mut wrong = plan.clone();
    wrong["jobs"][0]["quality"] = json!("8K");
    fs::write(bench.path().join("wrong.json"), wrong.to_string()).unwrap();
    let ran = bench.recovery(&["run", "wrong.json"]).await;
    assert!(ran.code == 2 && ran.err.contains("wrong.json") && ran.err.contains("unknown quality"), "{}", ran.err);
    assert_eq!(bench.states(&[&large, &network]).await, [State::Failed; 2]);

    let ran = bench.recovery(&["run", "plan.json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(bench.states(&[&large, &network]).await, [State::Queued; 2]);
    let options = bench.row(&large).await.request["options"].clone();
    assert_eq!(
        (&options["quality"], &options["audio_only"], &options["thread"]),
        (&json!("480p"), &json!(true), &json!(true))
    );
    let ran = bench.recovery(&["run", "plan.json"]).await;
    assert!(ran.code == 1 && ran.out.contains("it is queued"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_nothing_is_made() {
    let dir = folder();
    let ran = boss_bot(dir.path(), &["recovery", "list"], &[]).await;
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("there is no database"), "{}", ran.err);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
