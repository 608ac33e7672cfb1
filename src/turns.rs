//! One at a time for the same thing: whoever wants it meanwhile waits, and finds it done. For this process only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The right to do it. The next in line gets it when this is dropped, however that comes.
#[must_use = "dropping it lets the next one in"]
pub struct Turn {
    _guard: OwnedMutexGuard<()>,
}

/// Who is at what.
#[derive(Default)]
pub struct Turns {
    asking: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
}

impl Turns {
    /// Waits for the turn.
    pub async fn take(&self, id: &str) -> Turn {
        let lock = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            // As many stay as are asked for at this moment.
            asking.retain(|_, lock| lock.strong_count() > 0);
            match asking.get(id).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::new(AsyncMutex::new(()));
                    asking.insert(id.to_owned(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        Turn { _guard: lock.lock_owned().await }
    }
}
