//! Wake-ups of threads that wait for a flow.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Wakes the drive of a flow. A ring before the wait is remembered.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *lock(&self.rung) = true;
        self.changed.notify_all();
    }

    /// Waits for a ring, at most this long. Returns at once if the bell rang since the last wait.
    pub(crate) fn wait(&self, at_most: Duration) {
        let waited = self.changed.wait_timeout_while(lock(&self.rung), at_most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Counts occurrences, and wakes every thread that waits for the next one.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Counter {
    pub(crate) fn increment(&self) {
        *lock(&self.count) += 1;
        self.changed.notify_all();
    }

    /// Returns the next occurrence after this call.
    pub(crate) fn next(&self) -> Next<'_> {
        Next { counter: self, seen: *lock(&self.count) }
    }
}

/// The next occurrence that a [`Counter`] counts.
#[derive(Debug)]
pub struct Next<'a> {
    counter: &'a Counter,
    seen: u64,
}

impl Next<'_> {
    /// Waits for it, at most this long.
    pub(crate) fn wait(self, at_most: Duration) {
        let Counter { count, changed } = self.counter;
        drop(changed.wait_timeout_while(lock(count), at_most, |count| *count == self.seen));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
