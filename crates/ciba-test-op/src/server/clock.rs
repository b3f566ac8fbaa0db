//! Where a server reads the time.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use ciba_core::Timestamp;

/// Where a server reads the time.
pub trait Clock: Send + Sync {
    /// The instant it is.
    fn now(&self) -> Timestamp;

    /// Returns when this clock has reached `until`, after `at_most` of real time, or earlier. The
    /// server looks at [`Self::now`] and waits again.
    fn wait_until(&self, until: Timestamp, at_most: Duration) {
        thread::sleep(until.since(self.now()).min(at_most));
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// A clock that moves when it is told to. Share one between the server and the client under test:
/// what the server has to wait for happens as soon as the clock has been moved there
/// ([`RunningServer::next_due`](crate::RunningServer::next_due) says where that is).
#[derive(Debug)]
pub struct VirtualClock {
    now: Mutex<Timestamp>,
    moved: Condvar,
}

impl VirtualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { now: Mutex::new(now), moved: Condvar::new() }
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        *now = now.saturating_add(by);
        self.moved.notify_all();
    }

    /// Sets it, forward or back.
    pub fn set(&self, to: Timestamp) {
        *self.lock() = to;
        self.moved.notify_all();
    }

    /// Moves it forward to an instant; it never goes back.
    pub fn advance_to(&self, to: Timestamp) {
        let mut now = self.lock();
        *now = to.max(*now);
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Timestamp> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.lock()
    }

    fn wait_until(&self, until: Timestamp, at_most: Duration) {
        let waited = self.moved.wait_timeout_while(self.lock(), at_most, |now| *now < until);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
