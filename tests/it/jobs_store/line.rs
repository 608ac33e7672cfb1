//! The line of those who wait, as `queue` shows it, and what takes jobs out of it.

use boss_bot::jobs::store::{Beat, End, NewJob, Place as Standing, Priority, Scope, State, Whose, now};

use super::place::{LAPSED, LONG, MANY, Place, job, on_both};

on_both!(
    the_line_shows_what_runs_then_what_waits_in_the_order_of_claims,
    the_line_of_a_server_or_a_person_has_places_among_all,
    what_may_not_begin_has_no_place_and_comes_last,
    who_calls_off_hears_whether_anybody_else_speaks_of_it,
    pauses_outlive_the_process,
);

/// Ids and places.
async fn shown(place: &Place, whose: Whose) -> Vec<(String, Option<usize>)> {
    let line = place.store.line(whose, 1000).await.unwrap();
    assert_eq!(line.total, line.jobs.len());
    line.jobs.into_iter().map(|one| (one.row.id, one.ahead)).collect()
}

async fn the_line_shows_what_runs_then_what_waits_in_the_order_of_claims(place: &Place) {
    assert!(shown(place, Whose::All).await.is_empty());
    let running = place.add(job("a")).await;
    place.claim().await.unwrap();
    place.add(NewJob { priority: Priority::Watch, ..job("w") }).await;
    place.add(NewJob { priority: Priority::Batch, ..job("w") }).await;
    for group in ["a", "a", "b", "c", "b", "b"] {
        place.add(job(group)).await;
    }
    let line = shown(place, Whose::All).await;
    assert_eq!(line[0], (running, None));
    let places: Vec<_> = line[1..].iter().map(|(_, ahead)| *ahead).collect();
    assert_eq!(places, (0..8).map(Some).collect::<Vec<_>>());
    for (id, ahead) in &line[1..] {
        assert_eq!(place.store.ahead(id).await.unwrap(), *ahead, "the same as the job is told itself");
    }
    let first = place.store.line(Whose::All, 3).await.unwrap();
    assert_eq!((first.jobs.len(), first.total), (3, 9));
    let order: Vec<_> = line[1..].iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(place.claim_all(MANY).await, order, "nothing else is claimed");
}

async fn the_line_of_a_server_or_a_person_has_places_among_all(place: &Place) {
    let (seven, eight) = (Some(7), Some(8));
    let first = place.add(NewJob { guild: seven, ..job("guild:7") }).await;
    let other = place.add(NewJob { guild: eight, ..job("guild:8") }).await;
    let direct = place.add(NewJob { user: Some(5), ..job("user:5") }).await;
    let second = place.add(NewJob { guild: seven, user: Some(5), ..job("guild:7") }).await;
    let ended = place.add(NewJob { guild: seven, ..job("guild:7") }).await;
    assert!(place.store.cancel(&ended).await.unwrap());
    assert_eq!(shown(place, Whose::Guild(7)).await, [(first, Some(0)), (second, Some(3))]);
    assert_eq!(shown(place, Whose::Guild(8)).await, [(other, Some(1))]);
    assert_eq!(shown(place, Whose::User(5)).await, [(direct, Some(2))], "what a person asked in servers is theirs");
    assert!(shown(place, Whose::User(1)).await.is_empty());
}

async fn what_may_not_begin_has_no_place_and_comes_last(place: &Place) {
    let paused = place.add(job("a")).await;
    assert!(place.store.pause(Scope::Job(paused.clone())).await.unwrap());
    let of_seven = place.add(NewJob { guild: Some(7), ..job("guild:7") }).await;
    let later = place.add(NewJob { run_at: now() + 600_000, ..job("a") }).await;
    let due = place.add(job("a")).await;
    assert!(place.store.pause(Scope::Guild(7)).await.unwrap());
    let line = place.store.line(Whose::All, 1000).await.unwrap();
    let seen: Vec<_> = line.jobs.iter().map(|one| (one.row.id.clone(), one.ahead, one.held)).collect();
    let expected = [
        (due.clone(), Some(0), false),
        (paused.clone(), None, true),
        (of_seven.clone(), None, true),
        (later.clone(), None, false),
    ];
    assert_eq!(seen, expected);
    // To the job itself its place is told all the same, and that it may not begin.
    let held = Standing { ahead: 0, held: true };
    assert_eq!(place.store.place(&paused).await.unwrap(), Some(held));
    assert_eq!(place.store.place(&due).await.unwrap(), Some(Standing { ahead: 0, held: false }));
    assert!(place.store.pause(Scope::All).await.unwrap());
    assert!(place.store.place(&due).await.unwrap().unwrap().held);
    assert!(place.store.line(Whose::All, 1000).await.unwrap().jobs.iter().all(|one| one.ahead.is_none() && one.held));
    assert!(place.store.resume(Scope::All).await.unwrap());
    assert_eq!(place.claim().await.unwrap().id, due);
    assert_eq!(place.store.place(&due).await.unwrap(), None, "it runs");
    // A job whose lease has lapsed runs as far as anybody knows, until it is claimed again.
    assert!(place.store.resume(Scope::Guild(7)).await.unwrap());
    assert_eq!(place.store.claim("worker", LAPSED, MANY).await.unwrap().unwrap().id, of_seven);
    let line = place.store.line(Whose::Guild(7), 1000).await.unwrap();
    assert_eq!((line.jobs[0].row.state, line.jobs[0].ahead), (State::Running, None));
}

async fn who_calls_off_hears_whether_anybody_else_speaks_of_it(place: &Place) {
    let (waiting, running) = (place.add(job("a")).await, place.add(job("a")).await);
    assert!(place.store.pause(Scope::Job(waiting.clone())).await.unwrap());
    let claimed = place.claim().await.unwrap();
    assert_eq!(claimed.id, running);
    assert_eq!(place.store.call_off(&waiting).await.unwrap(), Some(State::Cancelled));
    assert_eq!(place.store.call_off(&running).await.unwrap(), Some(State::Running));
    let beat = place.store.beat(&running, &claimed.lease, LONG, "working", None).await.unwrap();
    assert_eq!(beat, Beat::Cancel);
    assert!(place.store.line(Whose::All, 10).await.unwrap().jobs[0].row.cancel_asked);
    assert!(place.finish(&claimed, End::Cancelled).await);
    for id in [waiting.as_str(), running.as_str(), "nobody"] {
        assert_eq!(place.store.call_off(id).await.unwrap(), None, "there is nothing left to call off");
    }
}

async fn pauses_outlive_the_process(place: &Place) {
    let id = place.add(NewJob { guild: Some(7), ..job("guild:7") }).await;
    assert!(!place.store.is_paused(Some(7)).await.unwrap());
    assert!(place.store.pause(Scope::Guild(7)).await.unwrap());
    assert!(!place.store.pause(Scope::Guild(7)).await.unwrap(), "it is already");
    place.store.close().await;
    let store = place.again().await;
    assert!(store.is_paused(Some(7)).await.unwrap());
    assert!(!store.is_paused(Some(8)).await.unwrap() && !store.is_paused(None).await.unwrap());
    assert!(store.claim("worker", LONG, MANY).await.unwrap().is_none());
    assert!(store.resume(Scope::Guild(7)).await.unwrap());
    assert_eq!(store.claim("worker", LONG, MANY).await.unwrap().unwrap().id, id);
    assert!(store.pause(Scope::All).await.unwrap());
    assert!(store.is_paused(None).await.unwrap() && store.is_paused(Some(8)).await.unwrap());
    store.close().await;
}
