//! Jobs that ask for the same.

use std::time::{Duration, Instant};

use boss_bot::jobs::store::{End, Lease, NewJob, POLL, PartRow, PartState, PostedAt, now};
use serde_json::json;

use super::place::{LAPSED, LONG, MANY, Place, job, on_both};

on_both!(
    whoever_asks_for_the_same_begins_when_it_can_be_shared,
    a_job_that_is_taken_over_has_to_be_shared_anew,
    a_worker_that_waits_hears_at_once_that_it_can_be_shared,
    what_was_posted_is_found_by_key_and_channel_until_its_time_is_over,
    another_request_is_not_the_same_any_more,
);

fn keyed(key: &str) -> NewJob {
    NewJob { key: Some(key.to_owned()), ..job("a") }
}

async fn whoever_asks_for_the_same_begins_when_it_can_be_shared(place: &Place) {
    for _ in 0..3 {
        place.add(keyed("post")).await;
    }
    let first = place.claim().await.unwrap();
    assert!(place.claim().await.is_none());
    place.store.share(&first.id, &Lease("not its lease".into())).await.unwrap();
    assert!(place.claim().await.is_none());
    place.store.share(&first.id, &first.lease).await.unwrap();
    let second = place.claim().await.unwrap();
    assert!(place.claim().await.is_none(), "the third waits for the second");
    place.store.share(&second.id, &second.lease).await.unwrap();
    assert!(place.claim().await.is_some());
}

async fn a_job_that_is_taken_over_has_to_be_shared_anew(place: &Place) {
    let first = place.add(keyed("post")).await;
    let second = place.add(keyed("post")).await;
    let lost = place.store.claim("worker", LAPSED, MANY).await.unwrap().unwrap();
    place.store.share(&lost.id, &lost.lease).await.unwrap();
    let again = place.claim().await.unwrap();
    assert_eq!((&again.id, again.attempt), (&first, 2));
    assert!(place.claim().await.is_none(), "what the first worker had is gone with it");
    place.store.share(&again.id, &again.lease).await.unwrap();
    assert_eq!(place.claim().await.unwrap().id, second);
}

async fn a_worker_that_waits_hears_at_once_that_it_can_be_shared(place: &Place) {
    for _ in 0..2 {
        place.add(keyed("post")).await;
    }
    let first = place.claim().await.unwrap();
    let other = place.again().await;
    // In the same process, and with PostgreSQL elsewhere.
    let waits = if place.is_postgres() { other } else { place.store.clone() };
    assert!(waits.claim("other", LONG, MANY).await.unwrap().is_none());
    // What it was told before.
    waits.wait_for_work(Duration::ZERO).await;
    let begun = Instant::now();
    let waiting = tokio::spawn({
        let waits = waits.clone();
        async move { waits.wait_for_work(LONG).await }
    });
    place.store.share(&first.id, &first.lease).await.unwrap();
    waiting.await.unwrap();
    assert!(begun.elapsed() < POLL, "it looked by itself");
    assert!(waits.claim("other", LONG, MANY).await.unwrap().is_some());
}

async fn what_was_posted_is_found_by_key_and_channel_until_its_time_is_over(place: &Place) {
    let begun = now();
    let found = async |key: &str, channel: u64, since: i64| place.store.posted(key, channel, since).await.unwrap();
    let part = |number: i32, state: PartState, message: u64| PartRow {
        number,
        state,
        message: Some(message),
        channel: Some(3),
        files: Vec::new(),
    };
    // Neither what failed, nor what has only begun, nor what was delivered elsewhere.
    for (key, end, state) in [
        ("post", End::Failed, PartState::Sent),
        ("post", End::Done, PartState::Sending),
        ("other", End::Done, PartState::Sent),
    ] {
        place.add(keyed(key)).await;
        let claimed = place.claim().await.unwrap();
        assert!(place.store.part(&claimed.id, &claimed.lease, &part(0, state, 7)).await.unwrap());
        assert!(place.finish(&claimed, end).await);
    }
    assert_eq!(found("post", 3, begun).await, None);
    for message in [u64::MAX - 1, 9] {
        place.add(keyed("post")).await;
        let claimed = place.claim().await.unwrap();
        for (number, message) in [(0, message), (1, 5)] {
            let part = part(number, PartState::Sent, message);
            assert!(place.store.part(&claimed.id, &claimed.lease, &part).await.unwrap());
        }
        assert_eq!(found("post", 3, begun).await.map(|at| at.message), (message == 9).then_some(u64::MAX - 1));
        assert!(place.finish(&claimed, End::Done).await);
        assert_eq!(found("post", 3, begun).await, Some(PostedAt { channel: 3, message }), "the newest");
    }
    assert_eq!(found("post", 4, begun).await, None, "another channel");
    assert_eq!(found("post", 3, now() + 1000).await, None, "too long ago");
}

async fn another_request_is_not_the_same_any_more(place: &Place) {
    let id = place.add(keyed("post")).await;
    let claimed = place.claim().await.unwrap();
    place.finish(&claimed, End::Failed).await;
    place.add(keyed("post")).await;
    let _running = place.claim().await.unwrap();
    assert!(place.store.again(&id, None).await.unwrap());
    assert!(place.claim().await.is_none(), "done again as it was it is still the same");
    assert!(place.store.cancel(&id).await.unwrap());
    assert!(place.store.again(&id, Some(json!({"quality": "360p"}))).await.unwrap());
    assert_eq!(place.claim().await.unwrap().id, id);
}
