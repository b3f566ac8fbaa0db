//! Wake-ups of threads that wait for something to happen to a flow.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
