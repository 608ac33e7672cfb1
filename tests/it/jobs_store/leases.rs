//! Workers that die, stop, or are only slow; jobs that are called off; messages that are recorded.

use std::time::Duration;

use boss_bot::jobs::store::{
    Beat, Claimed, End, JobStore, Lease, NewJob, PartRow, PartState, Report, Scope, SentFile, State, now,
};
use serde_json::json;

use super::place::{LAPSED, LONG, MANY, Place, job, on_both};

/// What is heard at once, is heard within this on the busiest machine.
const SOON: Duration = Duration::from_secs(30);

on_both!(
    a_lapsed_job_is_taken_over_and_its_former_worker_may_write_nothing,
    a_worker_that_beats_keeps_its_job,
    a_job_that_loses_its_worker_at_every_attempt_needs_attention,
    what_waits_is_cancelled_at_once_and_what_runs_by_its_worker,
    a_cancelled_job_is_not_queued_again,
    a_job_that_is_given_back_was_not_attempted,
    an_attempt_may_be_followed_by_another_while_some_are_left,
    messages_are_recorded_and_found_by_the_next_attempt,
);

/// Nothing that this worker writes is taken.
async fn assert_refused(store: &JobStore, claimed: &Claimed) {
    let (id, lease) = (&claimed.id, &claimed.lease);
    let before = store.get(id).await.unwrap();
    let part = PartRow { number: 9, state: PartState::Sent, message: Some(1), channel: None, files: vec![] };
    assert_eq!(store.beat(id, lease, LONG, "zombie", Some(0.5)).await.unwrap(), Beat::Lost);
    assert!(!store.part(id, lease, &part).await.unwrap());
    assert!(!store.readdress(id, lease, json!("zombie")).await.unwrap());
    assert!(!store.give_back(id, lease).await.unwrap());
    for end in [End::Done, End::Failed, End::Cancelled, End::NeedsAttention, End::Again { at: 0 }] {
        assert!(!store.finish(id, lease, end, Report::default()).await.unwrap(), "{end:?}");
    }
    assert_eq!(store.get(id).await.unwrap(), before);
}

async fn a_lapsed_job_is_taken_over_and_its_former_worker_may_write_nothing(place: &Place) {
    let id = place.add(job("a")).await;
    let first = place.store.claim("first", LAPSED, MANY).await.unwrap().unwrap();
    assert_eq!(first.attempt, 1);
    assert_eq!(place.store.beat(&id, &first.lease, LAPSED, "first", None).await.unwrap(), Beat::Alive);
    // Another program takes it over.
    let second = place.again().await.claim("second", LONG, MANY).await.unwrap().unwrap();
    assert_eq!((second.id.as_str(), second.attempt), (id.as_str(), 2));
    assert_ne!(second.lease, first.lease);
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().phase, None, "the former worker's word");
    assert_refused(&place.store, &first).await;
    assert!(place.claim().await.is_none(), "a job that runs is nobody else's");
    assert_eq!(place.store.beat(&id, &second.lease, LONG, "download", Some(0.5)).await.unwrap(), Beat::Alive);
    let row = place.store.get(&id).await.unwrap().unwrap();
    assert_eq!(
        (row.worker.as_deref(), row.phase.as_deref(), row.fraction),
        (Some("second"), Some("download"), Some(0.5))
    );
    assert!(place.finish(&second, End::Done).await);
    // Not even who finished it may say more.
    assert_refused(&place.store, &second).await;
    assert_refused(&place.store, &Claimed { lease: Lease(String::new()), ..second }).await;
}

async fn a_worker_that_beats_keeps_its_job(place: &Place) {
    let id = place.add(job("a")).await;
    let claimed = place.store.claim("worker", LAPSED, MANY).await.unwrap().unwrap();
    let before = now();
    // Late, but before anybody else.
    assert_eq!(place.store.beat(&id, &claimed.lease, LONG, "download", None).await.unwrap(), Beat::Alive);
    assert!(place.claim().await.is_none());
    let until = place.store.get(&id).await.unwrap().unwrap().lease_until.unwrap();
    assert!(until >= before + 600_000 && until <= now() + 600_000, "{until}");
}

async fn a_job_that_loses_its_worker_at_every_attempt_needs_attention(place: &Place) {
    let id = place.add(NewJob { guild: Some(5), max_attempts: 2, ..job("a") }).await;
    let next = place.add(job("a")).await;
    for attempt in 1..=2 {
        let claimed = place.store.claim("doomed", LAPSED, 1).await.unwrap().unwrap();
        assert_eq!((claimed.id.as_str(), claimed.attempt, claimed.max_attempts), (id.as_str(), attempt, 2));
    }
    // It is ended by the way, whatever is paused, and holds up nobody.
    place.store.pause(Scope::Guild(5)).await.unwrap();
    assert_eq!(place.claim_all(1).await, [next]);
    let row = place.store.get(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts, row.worker.as_deref()), (State::NeedsAttention, 2, Some("doomed")));
    assert!(row.finished_at.is_some() && row.lease_until.is_none());
    assert_eq!(row.error_code.as_deref(), Some("internal"));
    let counts = place.store.counts().await.unwrap();
    assert_eq!((counts.needs_attention, counts.running, counts.queued), (1, 1, 0));
}

async fn what_waits_is_cancelled_at_once_and_what_runs_by_its_worker(place: &Place) {
    let waiting = place.add(job("a")).await;
    assert!(place.store.cancel(&waiting).await.unwrap());
    let row = place.store.get(&waiting).await.unwrap().unwrap();
    assert_eq!((row.state, row.finished_at.is_some()), (State::Cancelled, true));
    assert!(!place.store.cancel(&waiting).await.unwrap(), "it has ended");
    assert!(!place.store.cancel("nobody").await.unwrap());
    assert!(place.claim().await.is_none());

    let id = place.add(job("a")).await;
    let claimed = place.claim().await.unwrap();
    // On PostgreSQL another program may ask.
    let asker = if place.is_postgres() { place.again().await } else { place.store.clone() };
    let (heard, asked) = tokio::join!(tokio::time::timeout(SOON, place.store.cancelled(&id)), async {
        let other = place.add(job("b")).await;
        let not_this = place.claim().await.unwrap();
        asker.cancel(&other).await.unwrap();
        place.finish(&not_this, End::Cancelled).await;
        asker.cancel(&id).await.unwrap()
    });
    assert!(asked);
    heard.expect("the worker hears of it without asking");
    assert_eq!(place.store.beat(&id, &claimed.lease, LONG, "download", None).await.unwrap(), Beat::Cancel);
    // Also who begins to listen later.
    tokio::time::timeout(SOON, place.store.cancelled(&id)).await.unwrap();
    assert!(place.finish(&claimed, End::Cancelled).await);
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().state, State::Cancelled);
    assert_eq!(place.store.counts().await.unwrap().cancelled, 3);
}

async fn a_cancelled_job_is_not_queued_again(place: &Place) {
    for again in [true, false] {
        let id = place.add(job("a")).await;
        let claimed = place.claim().await.unwrap();
        assert!(place.store.cancel(&id).await.unwrap());
        assert!(if again {
            place.finish(&claimed, End::Again { at: now() }).await
        } else {
            place.store.give_back(&id, &claimed.lease).await.unwrap()
        });
        assert_eq!(place.store.get(&id).await.unwrap().unwrap().state, State::Cancelled, "again: {again}");
        assert!(place.claim().await.is_none());
    }
    // A worker that died without hearing of it: the next one hears it with its first beat.
    let id = place.add(job("a")).await;
    place.store.claim("dead", LAPSED, MANY).await.unwrap().unwrap();
    assert!(place.store.cancel(&id).await.unwrap());
    let claimed = place.claim().await.unwrap();
    assert_eq!(place.store.beat(&id, &claimed.lease, LONG, "", None).await.unwrap(), Beat::Cancel);
    assert_eq!(place.store.counts().await.unwrap().cancelled, 2);
}

async fn a_job_that_is_given_back_was_not_attempted(place: &Place) {
    let id = place.add(NewJob { max_attempts: 1, ..job("a") }).await;
    for _ in 0..3 {
        let claimed = place.claim().await.unwrap();
        assert_eq!((claimed.id.as_str(), claimed.attempt), (id.as_str(), 1));
        assert!(place.store.give_back(&id, &claimed.lease).await.unwrap());
        let row = place.store.get(&id).await.unwrap().unwrap();
        assert_eq!((row.state, row.attempts, row.phase), (State::Queued, 0, None));
    }
    assert_eq!(place.store.counts().await.unwrap().queued, 1);
}

async fn an_attempt_may_be_followed_by_another_while_some_are_left(place: &Place) {
    let id = place.add(NewJob { max_attempts: 2, ..job("a") }).await;
    let claimed = place.claim().await.unwrap();
    assert!(place.finish(&claimed, End::Again { at: now() + 600_000 }).await);
    assert!(place.claim().await.is_none(), "its time has not come");
    let row = place.store.get(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts, row.finished_at), (State::Queued, 1, None));

    let soon = place.add(NewJob { max_attempts: 2, ..job("a") }).await;
    for (attempt, then) in [(1, State::Queued), (2, State::Failed)] {
        let claimed = place.claim().await.unwrap();
        assert_eq!((claimed.id.as_str(), claimed.attempt), (soon.as_str(), attempt));
        assert!(place.finish(&claimed, End::Again { at: now() }).await);
        assert_eq!(place.store.get(&soon).await.unwrap().unwrap().state, then);
    }
    assert_eq!(place.store.counts().await.unwrap().failed, 1);
}

async fn messages_are_recorded_and_found_by_the_next_attempt(place: &Place) {
    let id = place.add(job("a")).await;
    let file = |item| SentFile { item, ordinal: 0, sha256: format!("{item:064}") };
    let part = |number, state, items: &[i32]| PartRow {
        number,
        state,
        message: Some(u64::MAX - u64::try_from(number).unwrap()),
        channel: Some(3),
        files: items.iter().copied().map(file).collect(),
    };
    let first = place.store.claim("first", LAPSED, MANY).await.unwrap().unwrap();
    assert!(first.parts.is_empty());
    for written in [
        part(1, PartState::Reserved, &[]),
        part(0, PartState::Reserved, &[]),
        part(0, PartState::Sending, &[0, 1]),
        part(0, PartState::Sending, &[0]),
        part(0, PartState::Sent, &[0]),
        part(0, PartState::Sent, &[0, 1]),
        part(1, PartState::Sending, &[2]),
    ] {
        assert!(place.store.part(&id, &first.lease, &written).await.unwrap(), "{written:?}");
    }
    for state in [PartState::Reserved, PartState::Sending] {
        let unsent = place.store.part(&id, &first.lease, &part(0, state, &[])).await.unwrap_err();
        assert!(unsent.to_string().contains("was sent already"), "{unsent}");
    }
    let second = place.claim().await.unwrap();
    assert_eq!(second.parts, [part(0, PartState::Sent, &[0, 1]), part(1, PartState::Sending, &[2])]);
    assert!(!place.store.part(&id, &first.lease, &part(1, PartState::Sent, &[2])).await.unwrap(), "no longer its job");
    assert!(place.store.readdress(&id, &second.lease, json!({"message": 7})).await.unwrap());
    assert!(place.store.give_back(&id, &second.lease).await.unwrap());
    let third = place.claim().await.unwrap();
    assert_eq!((third.parts, third.address), (second.parts, json!({"message": 7})));
}
