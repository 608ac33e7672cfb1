//! Jobs that ended without success and are done again.

use boss_bot::jobs::store::{Beat, End, Filter, NewJob, PartRow, PartState, Report, SentFile, State, now};
use serde_json::json;

use super::place::{LONG, Place, job, on_both};

on_both!(
    what_failed_runs_again_with_all_its_attempts_and_what_it_has_posted,
    only_what_ended_without_success_runs_again,
    of_two_who_want_it_again_one_has_it,
    lists_choose_by_platform_error_and_time,
    a_worker_that_waits_hears_of_a_job_that_runs_again,
);

async fn what_failed_runs_again_with_all_its_attempts_and_what_it_has_posted(place: &Place) {
    let id = place.add(NewJob { max_attempts: 2, request: json!({"quality": "best"}), ..job("a") }).await;
    let part = PartRow {
        number: 0,
        state: PartState::Sent,
        message: Some(7),
        channel: Some(8),
        files: vec![SentFile { item: 0, ordinal: 0, sha256: "ab".into() }],
    };
    for _ in 0..2 {
        let claimed = place.claim().await.unwrap();
        assert!(place.store.part(&id, &claimed.lease, &part).await.unwrap());
        let report = Report { error_code: Some("network".into()), ..Report::default() };
        assert!(place.store.finish(&id, &claimed.lease, End::Again { at: now() }, report).await.unwrap());
    }
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().state, State::Failed);
    assert!(place.claim().await.is_none());

    assert!(place.store.again(&id, Some(json!({"quality": "720p"}))).await.unwrap());
    let row = place.store.get(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts, row.finished_at), (State::Queued, 0, None));
    assert_eq!(row.error_code.as_deref(), Some("network"), "why it failed stays told until it ends again");
    assert!(row.started_at.is_some());
    let claimed = place.claim().await.unwrap();
    assert_eq!((claimed.id.as_str(), claimed.attempt, claimed.max_attempts), (id.as_str(), 1, 2));
    assert_eq!(claimed.request, json!({"quality": "720p"}));
    assert_eq!(claimed.parts, [part]);
    assert!(place.finish(&claimed, End::Done).await);
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().error_code, None);
    let counts = place.store.counts().await.unwrap();
    assert_eq!((counts.failed, counts.done), (1, 1), "each end counts");
}

async fn only_what_ended_without_success_runs_again(place: &Place) {
    let again = async |id: &str| place.store.again(id, None).await.unwrap();
    assert!(!again("nobody").await);
    let id = place.add(job("a")).await;
    assert!(!again(&id).await, "it waits");
    let claimed = place.claim().await.unwrap();
    assert!(!again(&id).await, "it runs");
    let beat = place.store.beat(&id, &claimed.lease, LONG, "working", None).await.unwrap();
    assert_eq!(beat, Beat::Alive, "and goes on");
    assert!(place.finish(&claimed, End::Done).await);
    assert!(!again(&id).await, "it was delivered");
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().state, State::Done);
    let id = place.add(job("a")).await;
    assert!(place.store.cancel(&id).await.unwrap());
    assert!(!again(&id).await, "it was called off before it began: another process may have answered it");
    for end in [End::Failed, End::NeedsAttention, End::Cancelled] {
        let id = place.add(job("a")).await;
        let claimed = place.claim().await.unwrap();
        assert!(place.store.cancel(&id).await.unwrap());
        assert!(place.finish(&claimed, end).await);
        assert!(again(&id).await, "{end:?}");
        let claimed = place.claim().await.unwrap();
        assert_eq!(claimed.request, job("a").request, "as it was asked");
        let beat = place.store.beat(&id, &claimed.lease, LONG, "working", None).await.unwrap();
        assert_eq!(beat, Beat::Alive, "that somebody had called it off is over");
        assert!(place.finish(&claimed, End::Done).await);
    }
}

async fn of_two_who_want_it_again_one_has_it(place: &Place) {
    let id = place.add(job("a")).await;
    let claimed = place.claim().await.unwrap();
    assert!(place.finish(&claimed, End::Failed).await);
    let other = place.again().await;
    let (one, two) = tokio::join!(place.store.again(&id, None), other.again(&id, None));
    assert_ne!(one.unwrap(), two.unwrap());
    assert!(!place.finish(&claimed, End::Done).await, "the worker of before has nothing more to say");
    assert!(place.claim().await.is_some() && place.claim().await.is_none());
}

async fn lists_choose_by_platform_error_and_time(place: &Place) {
    let ended = async |platform: &str, code: &str| {
        let id = place.add(NewJob { platform: platform.into(), guild: Some(5), ..job("a") }).await;
        let claimed = place.claim().await.unwrap();
        let report = Report { error_code: Some(code.into()), ..Report::default() };
        assert!(place.store.finish(&id, &claimed.lease, End::Failed, report).await.unwrap());
        id
    };
    let first = ended("twitter", "network").await;
    let later = place.store.get(&first).await.unwrap().unwrap().finished_at.unwrap() + 1;
    while now() < later {
        tokio::task::yield_now().await;
    }
    let (second, third) = (ended("twitter", "not_found").await, ended("reddit", "network").await);
    let ids = async |filter: Filter| -> Vec<String> {
        place.store.list(filter).await.unwrap().into_iter().map(|row| row.id).collect()
    };
    let (twitter, network) = (Some("twitter".to_owned()), Some("network".to_owned()));
    assert_eq!(ids(Filter { platform: twitter.clone(), ..Filter::default() }).await, [second.clone(), first.clone()]);
    assert_eq!(ids(Filter { code: network.clone(), ..Filter::default() }).await, [third.clone(), first.clone()]);
    assert_eq!(ids(Filter { ended_since: Some(later), ..Filter::default() }).await, [third.clone(), second.clone()]);
    let all = Filter {
        states: vec![State::Failed],
        guild: Some(5),
        platform: twitter,
        code: network,
        ended_since: Some(0),
        before: Some(second),
        ..Filter::default()
    };
    assert_eq!(ids(all.clone()).await, [first]);
    assert_eq!(ids(Filter { guild: Some(6), ..all }).await, Vec::<String>::new());
}

async fn a_worker_that_waits_hears_of_a_job_that_runs_again(place: &Place) {
    let id = place.add(job("a")).await;
    let claimed = place.claim().await.unwrap();
    assert!(place.finish(&claimed, End::Failed).await);
    // What was rung for before is heard before.
    place.store.wait_for_work(std::time::Duration::ZERO).await;
    assert!(place.store.again(&id, None).await.unwrap());
    let found = async {
        loop {
            if let Some(claimed) = place.claim().await {
                break claimed;
            }
            place.store.wait_for_work(LONG).await;
        }
    };
    assert_eq!(tokio::time::timeout(LONG, found).await.unwrap().id, id);
}
