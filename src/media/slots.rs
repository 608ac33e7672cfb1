//! Slots that parties share fairly: a server with ten videos holds up another one's single video by one encode, not ten.
//!
//! A free slot goes to the party that has the fewest at work; among those to the one that has waited the longest since
//! its last turn; within a party to who came first. Whoever waits hears how many go before.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::model::Requester;

/// Who shares as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Party {
    /// Everybody on this machine's command line.
    #[default]
    Local,
    /// Everybody in one Discord server.
    Guild(u64),
    /// One person in direct messages.
    User(u64),
}

impl Party {
    /// The party that somebody belongs to.
    pub fn of(requester: &Requester) -> Self {
        match (requester.guild, requester.user) {
            (Some(guild), _) => Party::Guild(guild),
            (None, Some(user)) => Party::User(user),
            (None, None) => Party::Local,
        }
    }
}

/// A number of slots. Cheap to clone: clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Only parties that have somebody at work or waiting.
    parties: HashMap<Party, Queue>,
    /// Counts arrivals and turns, so that every party has an order among the others.
    clock: u64,
}

/// One party's part.
#[derive(Debug, Default)]
struct Queue {
    at_work: usize,
    /// When its last turn began or ended, or when it came.
    since: u64,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    place: watch::Sender<Place>,
}

/// Where somebody stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// With this many ahead.
    Behind(usize),
    /// At work.
    Granted,
}

/// A place in the queue, and once it is granted the right to be at work. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    party: Party,
    id: u64,
}

impl Slots {
    /// `count` free slots.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count.max(1), parties: HashMap::new(), clock: 0 })))
    }

    /// Waits for a slot. `on_wait` hears how many go before, each time that changes; not at all when one is free. A
    /// future that is dropped gives its place up.
    pub(crate) async fn acquire(&self, party: Party, on_wait: impl Fn(usize)) -> Slot {
        let (slot, mut place) = self.enter(party);
        loop {
            match *place.borrow_and_update() {
                Place::Granted => return slot,
                Place::Behind(ahead) => on_wait(ahead),
            }
            if place.changed().await.is_err() {
                // The sender goes when the slot is granted, and its last word has been heard then.
                return slot;
            }
        }
    }

    fn enter(&self, party: Party) -> (Slot, watch::Receiver<Place>) {
        let mut state = self.lock();
        let id = state.tick();
        let (sender, receiver) = watch::channel(Place::Behind(0));
        let queue = state.parties.entry(party).or_insert_with(|| Queue { since: id, ..Queue::default() });
        queue.waiting.push_back(Waiter { id, place: sender });
        state.settle();
        drop(state);
        (Slot { slots: self.clone(), party, id }, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Hands out what is free, and tells the others where they stand.
    fn settle(&mut self) {
        while self.free > 0 {
            let next = self.parties.iter().filter(|(_, queue)| !queue.waiting.is_empty());
            let Some(party) = next.min_by_key(|(_, queue)| queue.turn()).map(|(party, _)| *party) else { break };
            let now = self.tick();
            let Some(queue) = self.parties.get_mut(&party) else { break };
            let Some(waiter) = queue.waiting.pop_front() else { break };
            queue.at_work += 1;
            queue.since = now;
            self.free -= 1;
            waiter.place.send_replace(Place::Granted);
        }
        for (party, queue) in &self.parties {
            for (nth, waiter) in queue.waiting.iter().enumerate() {
                // In turns: of each other party as many as of this one, and one more where it is that one's turn first.
                let others = self.parties.iter().filter(|(other, _)| *other != party);
                let before =
                    others.map(|(_, other)| other.waiting.len().min(nth + usize::from(other.turn() < queue.turn())));
                let place = Place::Behind(nth + before.sum::<usize>());
                waiter.place.send_if_modified(|old| std::mem::replace(old, place) != place);
            }
        }
    }

    /// Takes a waiter out, or takes a slot back.
    fn leave(&mut self, party: Party, id: u64) {
        let now = self.tick();
        let Some(queue) = self.parties.get_mut(&party) else { return };
        match queue.waiting.iter().position(|waiter| waiter.id == id) {
            Some(place) => drop(queue.waiting.remove(place)),
            None => {
                queue.at_work = queue.at_work.saturating_sub(1);
                queue.since = now;
                self.free += 1;
            }
        }
        self.settle();
        self.parties.retain(|_, queue| queue.at_work > 0 || !queue.waiting.is_empty());
    }
}

impl Queue {
    /// The lowest is served next.
    fn turn(&self) -> (usize, u64) {
        (self.at_work, self.since)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().leave(self.party, self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        task::{Context, Poll, Waker},
    };

    use proptest::prelude::*;

    use super::*;

    /// Takes a step of a future that must not be ready.
    fn pending<F: Future>(future: Pin<&mut F>) {
        assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }

    fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it still waits"),
        }
    }

    const BUSY: Party = Party::Guild(1);
    const QUIET: Party = Party::Guild(2);

    #[test]
    fn parties_take_turns_and_hear_how_many_go_before() {
        let slots = Slots::new(1);
        let first = ready(pin!(slots.acquire(BUSY, |_| panic!("one was free"))));
        let heard = Mutex::new(Vec::new());
        let mut busy: Vec<_> = (0..3).map(|_| Box::pin(slots.acquire(BUSY, |_| ()))).collect();
        busy.iter_mut().for_each(|waiting| pending(waiting.as_mut()));
        let mut quiet = pin!(slots.acquire(QUIET, |ahead| heard.lock().unwrap().push(ahead)));
        pending(quiet.as_mut());
        drop(first);
        // Three were waiting before, and yet it is next.
        let quiet = ready(quiet);
        assert_eq!(*heard.lock().unwrap(), [0]);
        busy.iter_mut().for_each(|waiting| pending(waiting.as_mut()));
        drop(quiet);
        for mut waiting in busy {
            drop(ready(waiting.as_mut()));
        }
        assert!(slots.lock().parties.is_empty());
    }

    #[test]
    fn who_waits_hears_each_step_forward() {
        let slots = Slots::new(1);
        let first = ready(pin!(slots.acquire(BUSY, |_| ())));
        let heard = Mutex::new(Vec::new());
        let mut ahead: Vec<_> = (0..2).map(|_| Box::pin(slots.acquire(BUSY, |_| ()))).collect();
        ahead.iter_mut().for_each(|waiting| pending(waiting.as_mut()));
        let mut last = pin!(slots.acquire(BUSY, |ahead| heard.lock().unwrap().push(ahead)));
        pending(last.as_mut());
        // Another party goes in between.
        let mut other = pin!(slots.acquire(QUIET, |_| ()));
        pending(other.as_mut());
        pending(last.as_mut());
        drop(ahead.pop());
        pending(last.as_mut());
        drop(first);
        pending(last.as_mut());
        drop(ready(other));
        pending(last.as_mut());
        drop(ready(ahead[0].as_mut()));
        drop(ready(last));
        assert_eq!(*heard.lock().unwrap(), [2, 3, 2, 1, 0]);
    }

    #[test]
    fn several_slots_go_to_several_parties() {
        let slots = Slots::new(2);
        let _first = ready(pin!(slots.acquire(BUSY, |_| ())));
        let second = ready(pin!(slots.acquire(BUSY, |_| ())));
        let mut third = pin!(slots.acquire(BUSY, |_| ()));
        pending(third.as_mut());
        let mut person = pin!(slots.acquire(Party::User(1), |_| ()));
        pending(person.as_mut());
        drop(second);
        // One of each, though the busy one came first.
        let person = ready(person);
        pending(third.as_mut());
        drop(person);
        drop(ready(third));
    }

    #[test]
    fn places_that_are_given_up_go_to_the_next() {
        let slots = Slots::new(1);
        let first = ready(pin!(slots.acquire(BUSY, |_| ())));
        let mut gone = Box::pin(slots.acquire(QUIET, |_| ()));
        pending(gone.as_mut());
        let mut granted = Box::pin(slots.acquire(QUIET, |_| ()));
        pending(granted.as_mut());
        let mut stays = pin!(slots.acquire(BUSY, |_| ()));
        pending(stays.as_mut());
        drop(gone);
        drop(first);
        // It has been granted the slot without having heard of it.
        drop(granted);
        drop(ready(stays));
        assert_eq!(slots.lock().free, 1);
    }

    #[test]
    fn a_party_is_a_server_or_a_person() {
        let mut requester = Requester::command_line();
        assert_eq!(Party::of(&requester), Party::Local);
        requester.user = Some(7);
        assert_eq!(Party::of(&requester), Party::User(7));
        requester.guild = Some(9);
        assert_eq!(Party::of(&requester), Party::Guild(9));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn never_more_are_at_work_than_there_are_slots() {
        let slots = Slots::new(3);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        /// Somebody at work: counted out however that ends.
        struct AtWork(Arc<AtomicUsize>);
        impl Drop for AtWork {
            fn drop(&mut self) {
                self.0.fetch_sub(1, SeqCst);
            }
        }
        let tasks: Vec<_> = (0..200_u64)
            .map(|number| {
                let (slots, now, most) = (slots.clone(), now.clone(), most.clone());
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let slot = slots.acquire(Party::Guild(number % 7), |_| ()).await;
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                        let at_work = AtWork(now.clone());
                        tokio::task::yield_now().await;
                        drop(at_work);
                        drop(slot);
                    }
                })
            })
            .collect();
        // Some give up, wherever they stand.
        tasks.iter().step_by(3).for_each(tokio::task::JoinHandle::abort);
        for task in tasks {
            let _ = task.await;
        }
        assert_eq!(most.load(SeqCst), 3);
        let state = slots.lock();
        assert!(state.free == 3 && state.parties.is_empty(), "{state:?}");
    }

    proptest! {
        #[test]
        fn nobody_waits_for_more_than_the_promised_number(
            parties in proptest::collection::vec(0_u64..4, 1..24),
        ) {
            let slots = Slots::new(1);
            let mut at_work = Some(ready(pin!(slots.acquire(Party::Local, |_| ()))));
            let promised: Vec<_> = parties.iter().map(|_| AtomicUsize::new(usize::MAX)).collect();
            let mut waiting: Vec<_> = parties
                .iter()
                .enumerate()
                .map(|(index, party)| {
                    let promised = &promised[index];
                    Some(Box::pin(slots.acquire(Party::Guild(*party), move |ahead| promised.store(ahead, SeqCst))))
                })
                .collect();
            waiting.iter_mut().flatten().for_each(|one| pending(one.as_mut()));
            // Those who came later changed what the earlier ones were told.
            waiting.iter_mut().flatten().for_each(|one| pending(one.as_mut()));
            let promised: Vec<_> = promised.iter().map(|promise| promise.load(SeqCst)).collect();
            let mut sorted = promised.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..parties.len()).collect::<Vec<_>>(), "{:?}", promised);
            for turn in 0..parties.len() {
                drop(at_work.take());
                let next = promised.iter().position(|ahead| *ahead == turn).unwrap();
                at_work = Some(ready(waiting[next].take().unwrap().as_mut()));
            }
        }
    }
}
