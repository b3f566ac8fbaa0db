//! The wall clock a driver reads, and its way to wait.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ciba_core::Timestamp;

/// Where a [`Driver`](crate::Driver) takes the time from. Tests and simulators bring their own.
pub trait Clock: Send + Sync {
    /// The wall clock, read at every call.
    fn now(&self) -> Timestamp;

    /// Waits until an instant, until the bell rings, or shorter: the driver looks at what is new
    /// and at [`Self::now`], asks [`Watch::stop`](crate::Watch::stop), and waits again.
    fn sleep_until(&self, until: Timestamp, bell: &Bell);
}

/// The system's wall clock; the thread sleeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Short enough for a person who pressed a key, and for a wall clock that is set or a machine that
/// was suspended.
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep_until(&self, until: Timestamp, bell: &Bell) {
        bell.wait(until.since(self.now()).min(LONGEST_SLEEP));
    }
}

/// Wakes a drive that waits when there is news for its flow: a notification came, or it was
/// cancelled.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits so long at most, and says whether it rang; at once if it did since it was asked last.
    pub fn wait(&self, at_most: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, at_most, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}
