//! How many connections one host gets from us, whoever asks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

/// The permits of all hosts in use.
#[derive(Debug)]
pub(super) struct Hosts {
    per_host: usize,
    semaphores: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Hosts {
    /// `per_host`: connections at once.
    pub(super) fn new(per_host: usize) -> Self {
        Self { per_host: per_host.max(1), semaphores: Mutex::default() }
    }

    pub(super) fn per_host(&self) -> usize {
        self.per_host
    }

    /// Waits for the right to one connection. Waiting is in order.
    pub(super) async fn permit(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        self.of(url).acquire_owned().await.ok()
    }

    /// The right to one more connection, if nobody waits for it.
    pub(super) fn spare(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        self.of(url).try_acquire_owned().ok()
    }

    fn of(&self, url: &Url) -> Arc<Semaphore> {
        let host = url.host_str().unwrap_or_default();
        let mut semaphores = self.semaphores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = semaphores.get(host) {
            return semaphore.clone();
        }
        // Whoever holds or awaits a permit holds the semaphore, too: the others are of hosts that nobody asks now.
        semaphores.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let semaphore = Arc::new(Semaphore::new(self.per_host));
        semaphores.insert(host.to_owned(), semaphore.clone());
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_host_has_its_own_permits_and_idle_hosts_are_forgotten() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (a, b) = (url("https://a.example/1"), url("https://b.example/1"));
        let hosts = Hosts::new(2);
        let held = (hosts.permit(&a).await, hosts.spare(&url("https://a.example/2")));
        assert!(held.1.is_some());
        assert!(hosts.spare(&a).is_none());
        assert!(hosts.spare(&b).is_some());
        assert!(hosts.spare(&url("https://c.example/")).is_some());
        let names: Vec<String> = hosts.semaphores.lock().unwrap().keys().cloned().collect();
        assert!(names.contains(&"a.example".to_owned()) && !names.contains(&"b.example".to_owned()), "{names:?}");
        drop(held);
        assert!(hosts.spare(&a).is_some());
    }

    #[tokio::test]
    async fn one_who_waits_comes_before_one_who_would_like_more() {
        let a = Url::parse("https://a.example/1").unwrap();
        let hosts = Hosts::new(1);
        let held = hosts.permit(&a).await;
        let mut waiting = std::pin::pin!(hosts.permit(&a));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(held);
        assert!(hosts.spare(&a).is_none());
        assert!(waiting.await.is_some());
    }
}
