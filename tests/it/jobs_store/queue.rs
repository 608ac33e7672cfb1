//! Who gets which job, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use boss_bot::jobs::store::{End, Enqueued, JobStore, Limits, NewJob, POLL, Priority, Report, Scope, State, now};
use futures_util::{future::join_all, poll};
use serde_json::json;

use super::place::{LAPSED, LONG, MANY, Place, job, on_both};

on_both!(
    what_asked_once_is_enqueued_once,
    two_gateways_that_see_the_same_message_make_one_job,
    priority_counts_first_then_whose_group_runs_least_then_age,
    a_group_never_runs_more_than_its_limit_however_many_claim_at_once,
    a_platform_never_has_more_than_its_limit_at_all_workers_together,
    that_nobody_works_on_what_may_run_is_seen,
    all_that_claim_at_the_same_moment_get_a_job_of_their_own,
    jobs_with_the_same_key_run_one_after_the_other,
    two_programs_share_three_hundred_jobs_and_none_runs_twice,
    a_job_that_is_held_back_runs_when_it_is_released,
    what_is_paused_is_not_started,
    who_waits_is_told_how_many_have_their_turn_before,
    a_worker_that_waits_hears_of_new_work_at_once,
    a_claim_whose_caller_has_gone_counts_as_never_made,
);

async fn what_asked_once_is_enqueued_once(place: &Place) {
    let asked = |source: &str| NewJob { source: Some(source.to_owned()), ..job("a") };
    let first = asked("m:1");
    assert_eq!(place.store.enqueue(first.clone()).await.unwrap(), Enqueued::New);
    let second = NewJob { request: json!("other"), ..asked("m:1") };
    assert_eq!(place.store.enqueue(second.clone()).await.unwrap(), Enqueued::Known);
    assert_eq!(place.store.enqueue(asked("m:2")).await.unwrap(), Enqueued::New);
    assert_eq!(place.store.enqueue(first.clone()).await.unwrap(), Enqueued::Known, "said twice by the same caller");
    for _ in 0..2 {
        assert_eq!(place.store.enqueue(job("a")).await.unwrap(), Enqueued::New, "without a source all are new");
    }
    assert_eq!(place.store.get(&first.id).await.unwrap().unwrap().request, first.request);
    assert_eq!(place.store.get(&second.id).await.unwrap(), None);
    assert_eq!(place.store.counts().await.unwrap().queued, 4);
    // Also when it has ended.
    let claimed = place.claim().await.unwrap();
    assert_eq!(claimed.id, first.id);
    place.finish(&claimed, End::Done).await;
    assert_eq!(place.store.enqueue(asked("m:1")).await.unwrap(), Enqueued::Known);
}

async fn two_gateways_that_see_the_same_message_make_one_job(place: &Place) {
    let other = place.again().await;
    let asked = (0..16).map(|n| {
        let store = if n % 2 == 0 { &place.store } else { &other };
        store.enqueue(NewJob { source: Some("i:7".to_owned()), ..job("a") })
    });
    let answers: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Enqueued::New).count(), 1, "{answers:?}");
    assert_eq!(place.store.counts().await.unwrap().queued, 1);
}

async fn priority_counts_first_then_whose_group_runs_least_then_age(place: &Place) {
    let watched = place.add(NewJob { priority: Priority::Watch, ..job("w") }).await;
    let batch = place.add(NewJob { priority: Priority::Batch, ..job("w") }).await;
    let mut of_a = Vec::new();
    for _ in 0..3 {
        of_a.push(place.add(job("a")).await);
    }
    let mut of_b = Vec::new();
    for _ in 0..2 {
        of_b.push(place.add(job("b")).await);
    }
    let order = place.claim_all(MANY).await;
    assert_eq!(order, [&of_a[0], &of_b[0], &of_a[1], &of_b[1], &of_a[2], &batch, &watched].map(String::clone));
}

async fn a_group_never_runs_more_than_its_limit_however_many_claim_at_once(place: &Place) {
    let mut group_of = BTreeMap::new();
    for group in ["a", "b", "c"] {
        for _ in 0..10 {
            group_of.insert(place.add(job(group)).await, group);
        }
    }
    let other = place.again().await;
    let all = async |limit| {
        let claim = async |store: &JobStore| {
            let mut got = Vec::new();
            while let Some(claimed) = store.claim("worker", LONG, limit).await.unwrap() {
                got.push(claimed);
            }
            got
        };
        let stores = (0..8).map(|n| if n % 2 == 0 { place.store.clone() } else { other.clone() });
        let got = stores.map(|store| async move { claim(&store).await });
        join_all(got).await.into_iter().flatten().collect::<Vec<_>>()
    };
    for round in 1..=5 {
        let claimed = all(2).await;
        let mut running: BTreeMap<&str, usize> = BTreeMap::new();
        for claimed in &claimed {
            *running.entry(group_of[&claimed.id]).or_default() += 1;
        }
        assert_eq!(running, BTreeMap::from([("a", 2), ("b", 2), ("c", 2)]), "round {round}");
        for claimed in &claimed {
            assert!(place.finish(claimed, End::Done).await);
        }
    }
    assert!(all(2).await.is_empty(), "all have run");
}

async fn a_platform_never_has_more_than_its_limit_at_all_workers_together(place: &Place) {
    let of = |platform: &str, group: &str| NewJob { platform: platform.to_owned(), ..job(group) };
    for n in 0..6 {
        place.add(of("twitter", &format!("group {n}"))).await;
    }
    let reddit = place.add(of("reddit", "group 0")).await;
    let other = place.again().await;
    let limits = Limits { group: MANY, platform: 2 };
    let claims = (0..8).map(|n| {
        let store = if n % 2 == 0 { place.store.clone() } else { other.clone() };
        async move { store.claim("worker", LONG, limits).await.unwrap() }
    });
    let claimed: Vec<_> = join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 3, "two of one platform, and those behind hold up nobody else");
    let (twitter, rest): (Vec<_>, Vec<_>) = claimed.iter().partition(|claimed| claimed.id != reddit);
    assert_eq!((twitter.len(), rest.len()), (2, 1));
    assert!(place.finish(twitter[0], End::Done).await);
    assert!(place.store.claim("worker", LONG, limits).await.unwrap().is_some(), "one has ended, the next may run");
    assert!(place.store.claim("worker", LONG, limits).await.unwrap().is_none());
    // A worker that died counts no longer once its lease has lapsed.
    place.store.beat(&twitter[1].id, &twitter[1].lease, LAPSED, "dead", None).await.unwrap();
    let taken_over = place.store.claim("worker", LONG, limits).await.unwrap().unwrap();
    assert!(place.store.claim("worker", LONG, limits).await.unwrap().is_none(), "{taken_over:?}");
}

async fn that_nobody_works_on_what_may_run_is_seen(place: &Place) {
    let unattended = async || place.store.unattended().await.unwrap();
    assert_eq!(unattended().await, 0, "nothing waits");
    place.add(NewJob { run_at: now() + 600_000, ..job("a") }).await;
    assert_eq!(unattended().await, 0, "its time has not come");
    let first = place.add(NewJob { guild: Some(7), ..job("a") }).await;
    let second = place.add(NewJob { guild: Some(8), ..job("b") }).await;
    assert_eq!(unattended().await, 2);
    for (scope, left) in [(Scope::All, 0), (Scope::Guild(7), 1), (Scope::Job(second), 1)] {
        place.store.pause(scope.clone()).await.unwrap();
        assert_eq!(unattended().await, left, "{scope:?}");
        place.store.resume(scope).await.unwrap();
    }
    let claimed = place.claim().await.unwrap();
    assert_eq!(
        (claimed.id.as_str(), unattended().await),
        (first.as_str(), 0),
        "somebody works: the other has its turn"
    );
    place.store.beat(&claimed.id, &claimed.lease, LAPSED, "dead", None).await.unwrap();
    assert_eq!(unattended().await, 2, "its worker has died");
}

async fn all_that_claim_at_the_same_moment_get_a_job_of_their_own(place: &Place) {
    let other = place.again().await;
    for round in 0..5 {
        let mut ids = BTreeSet::new();
        for group in 0..8 {
            ids.insert(place.add(job(&format!("group {group} of {round}"))).await);
        }
        let claims = (0..8).map(|n| {
            let store = if n % 2 == 0 { place.store.clone() } else { other.clone() };
            tokio::spawn(async move { store.claim("worker", LONG, 1).await.unwrap() })
        });
        let claimed =
            join_all(claims).await.into_iter().map(|claimed| claimed.unwrap().expect("there was one for each"));
        assert_eq!(claimed.map(|claimed| claimed.id).collect::<BTreeSet<_>>(), ids);
    }
}

async fn jobs_with_the_same_key_run_one_after_the_other(place: &Place) {
    let keyed = |key: &str| NewJob { key: Some(key.to_owned()), ..job("a") };
    let first = place.add(keyed("post 1")).await;
    let second = place.add(keyed("post 1")).await;
    let other = place.add(keyed("post 2")).await;
    let without = place.add(job("a")).await;
    let running = place.claim().await.unwrap();
    assert_eq!(running.id, first);
    assert_eq!(place.claim_all(MANY).await, [other, without], "the second waits for the first");
    place.finish(&running, End::Done).await;
    assert_eq!(place.claim_all(MANY).await, [second]);
}

async fn two_programs_share_three_hundred_jobs_and_none_runs_twice(place: &Place) {
    let other = place.again().await;
    let mut ids = BTreeSet::new();
    for n in 0..300 {
        ids.insert(place.add(job(&format!("group {}", n % 7))).await);
    }
    let workers = (0..8).map(|n| {
        let store = if n % 2 == 0 { place.store.clone() } else { other.clone() };
        tokio::spawn(async move {
            let mut ran = Vec::new();
            while let Some(claimed) = store.claim(&format!("worker {n}"), LONG, MANY).await.unwrap() {
                assert_eq!(claimed.attempt, 1);
                assert!(store.finish(&claimed.id, &claimed.lease, End::Done, Report::default()).await.unwrap());
                ran.push(claimed.id);
            }
            ran
        })
    });
    let ran: Vec<Vec<String>> = join_all(workers).await.into_iter().map(Result::unwrap).collect();
    let both = [0, 1].map(|side| ran.iter().skip(side).step_by(2).map(Vec::len).sum::<usize>());
    assert_eq!(both[0] + both[1], 300, "none ran twice");
    assert!(both[0] > 0 && both[1] > 0, "both took part: {both:?}");
    assert_eq!(ran.into_iter().flatten().collect::<BTreeSet<_>>(), ids, "none was left out");
    assert_eq!(place.store.counts().await.unwrap().done, 300);
}

async fn a_job_that_is_held_back_runs_when_it_is_released(place: &Place) {
    let held = NewJob { run_at: now() + 600_000, ..job("a") };
    let id = place.add(held).await;
    assert!(place.claim().await.is_none(), "not yet");
    assert!(place.store.release(&id, json!({"message": 5})).await.unwrap());
    let claimed = place.claim().await.unwrap();
    assert_eq!((claimed.id.as_str(), &claimed.address), (id.as_str(), &json!({"message": 5})));
    assert!(!place.store.release(&id, json!({"message": 6})).await.unwrap(), "a worker has it");
    assert!(place.store.give_back(&id, &claimed.lease).await.unwrap());
    assert!(!place.store.release(&id, json!({"message": 6})).await.unwrap(), "a worker had it");
    assert_eq!(place.store.get(&id).await.unwrap().unwrap().address, json!({"message": 5}));
    assert!(!place.store.release("nobody", json!(null)).await.unwrap());
}

async fn what_is_paused_is_not_started(place: &Place) {
    let one = place.add(NewJob { guild: Some(u64::MAX), ..job("a") }).await;
    let other = place.add(NewJob { guild: Some(8), ..job("b") }).await;
    let outside = place.add(job("c")).await;
    let (all, guild, single) = (Scope::All, Scope::Guild(u64::MAX), Scope::Job(outside.clone()));
    for (scope, left) in
        [(all, vec![]), (guild, vec![other.clone(), outside.clone()]), (single, vec![one.clone(), other.clone()])]
    {
        assert!(place.store.pause(scope.clone()).await.unwrap(), "{scope:?}");
        assert!(!place.store.pause(scope.clone()).await.unwrap(), "once is enough: {scope:?}");
        let mut got = Vec::new();
        while let Some(claimed) = place.claim().await {
            got.push(claimed);
        }
        assert_eq!(got.iter().map(|claimed| claimed.id.clone()).collect::<Vec<_>>(), left, "{scope:?}");
        for claimed in got {
            assert!(place.store.give_back(&claimed.id, &claimed.lease).await.unwrap());
        }
        assert!(place.store.resume(scope.clone()).await.unwrap(), "{scope:?}");
        assert!(!place.store.resume(scope.clone()).await.unwrap(), "once is enough: {scope:?}");
    }
    place.store.pause(Scope::Job(one.clone())).await.unwrap();
    let counts = place.store.counts().await.unwrap();
    assert_eq!((counts.paused, counts.queued), (1, 2));
    assert!(place.store.get(&one).await.unwrap().unwrap().paused);
    // What runs goes on, and is not started again.
    let running = place.claim().await.unwrap();
    place.store.pause(Scope::All).await.unwrap();
    assert!(place.store.give_back(&running.id, &running.lease).await.unwrap());
    assert!(place.claim().await.is_none());
    place.store.resume(Scope::All).await.unwrap();
    assert_eq!(place.claim_all(MANY).await, [other, outside]);
}

async fn who_waits_is_told_how_many_have_their_turn_before(place: &Place) {
    let mut ids = Vec::new();
    // Three of one server, then one of another, then one that somebody waits for.
    for (group, priority) in [
        ("a", Priority::Batch),
        ("a", Priority::Batch),
        ("a", Priority::Batch),
        ("b", Priority::Batch),
        ("a", Priority::Interactive),
    ] {
        ids.push(place.add(NewJob { priority, ..job(group) }).await);
    }
    let held = NewJob { run_at: now() + 600_000, priority: Priority::Batch, ..job("b") };
    ids.push(place.add(held).await);
    // Also of what is held back: its turn comes, as far as one can tell.
    let mut told = BTreeMap::from([(ids[5].clone(), place.store.ahead(&ids[5]).await.unwrap().unwrap())]);
    place.store.release(&ids[5], json!({})).await.unwrap();
    for id in &ids {
        let ahead = place.store.ahead(id).await.unwrap().unwrap();
        assert_eq!(*told.entry(id.clone()).or_insert(ahead), ahead);
    }
    // Told, and then seen: each claim takes the one that had nobody before it.
    let order = place.claim_all(MANY).await;
    for (index, id) in order.iter().enumerate() {
        assert_eq!(told[id], index, "{told:?} {order:?}");
    }
    assert_eq!(place.store.ahead(&ids[0]).await.unwrap(), None, "it runs");
    assert_eq!(place.store.ahead("nobody").await.unwrap(), None);
    let late = place.add(job("b")).await;
    assert_eq!(place.store.ahead(&late).await.unwrap(), Some(0));
    place.store.pause(Scope::All).await.unwrap();
    let later = place.add(job("b")).await;
    assert_eq!(place.store.ahead(&later).await.unwrap(), Some(0), "what is paused is before nobody");
}

async fn a_worker_that_waits_hears_of_new_work_at_once(place: &Place) {
    const ROUNDS: u32 = 10;
    let giver = if place.is_postgres() { place.again().await } else { place.store.clone() };
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        let worker = async {
            loop {
                if let Some(claimed) = place.claim().await {
                    break claimed;
                }
                place.store.wait_for_work(LONG).await;
            }
        };
        let given = async {
            let id = job("a").id;
            giver.enqueue(NewJob { id: id.clone(), run_at: now() + 600_000, ..job("a") }).await.unwrap();
            assert!(giver.release(&id, json!({})).await.unwrap());
            id
        };
        let (claimed, id) = tokio::join!(worker, given);
        assert_eq!(claimed.id, id);
    }
    let took = begun.elapsed();
    assert!(took < POLL * ROUNDS / 2, "it was the clock that woke the worker: {took:?}");
    // Without any work it comes back all the same.
    tokio::time::timeout(Duration::from_secs(60), place.store.wait_for_work(LONG)).await.unwrap();
}

async fn a_claim_whose_caller_has_gone_counts_as_never_made(place: &Place) {
    for _ in 0..5 {
        let id = place.add(job("a")).await;
        {
            let mut gone = Box::pin(place.store.claim("gone", LONG, MANY));
            let _ = poll!(&mut gone);
        }
        let again = async {
            loop {
                match place.claim().await {
                    Some(claimed) => break claimed,
                    None => place.store.wait_for_work(LONG).await,
                }
            }
        };
        let claimed = tokio::time::timeout(Duration::from_secs(30), again).await.expect("it is given back");
        assert_eq!((claimed.id.as_str(), claimed.attempt), (id.as_str(), 1));
        assert!(place.finish(&claimed, End::Done).await);
        assert_eq!(place.store.get(&id).await.unwrap().unwrap().state, State::Done);
    }
}
