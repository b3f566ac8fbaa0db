//! Where a server reads the time.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use ciba_core::Timestamp;
use ciba_std::Clock;

use crate::message::FOREVER;

/// How long to sleep before looking whether a clock was moved.
const GLANCE: Duration = Duration::from_millis(1);

/// A clock for tests. Share one between the server and the client under test: the drivers of
/// `ciba-reqwest` and `ciba-ureq` take it as their clock.
#[derive(Debug)]
pub struct VirtualClock {
    now: Mutex<Timestamp>,
    jumps: bool,
}

impl VirtualClock {
    /// Creates a clock that stands at `now` and moves when it is told to: what the server has to
    /// wait for happens as soon as the clock has been moved there
    /// ([`RunningServer::next_due`](crate::RunningServer::next_due) says where that is).
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { now: Mutex::new(now), jumps: false }
    }

    /// Creates a clock that stands at `now` and jumps ahead whenever the client or the server has
    /// to wait, so that waiting takes no time. It suits one client that polls; with notifications
    /// or several clients, a jump of one may make another late.
    #[must_use]
    pub const fn jumping(now: Timestamp) -> Self {
        Self { now: Mutex::new(now), jumps: true }
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        *now = now.saturating_add(by);
    }

    /// Sets it, forward or back.
    pub fn set(&self, to: Timestamp) {
        *self.lock() = to;
    }

    /// Moves it forward to an instant; it never goes back.
    pub fn advance_to(&self, to: Timestamp) {
        let mut now = self.lock();
        *now = to.max(*now);
    }

    fn lock(&self) -> MutexGuard<'_, Timestamp> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.lock()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        if self.jumps {
            self.advance_to(until);
        }
        if self.now() >= until { Duration::ZERO } else { GLANCE }
    }
}

/// Returns when a clock has reached `until`, after `at_most` of real time, or earlier.
pub(super) fn wait(clock: &dyn Clock, until: Timestamp, at_most: Duration) {
    // A clock that jumps must not jump to the end of time.
    let pause = if until == FOREVER { at_most } else { clock.idle(until).min(at_most) };
    thread::sleep(pause);
}
