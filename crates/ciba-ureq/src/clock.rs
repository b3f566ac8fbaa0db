//! The wall clock a driver reads, and its way to wait.

use std::time::{Duration, SystemTime};

use ciba_core::Timestamp;

/// Where a [`Driver`](crate::Driver) takes the time from. Tests and simulators bring their own.
pub trait Clock: Send + Sync {
    /// The wall clock, read anew at every call.
    fn now(&self) -> Timestamp;

    /// Waits until an instant, or shorter: the driver looks at [`Self::now`], asks
    /// [`Watch::stop`](crate::Watch::stop), and waits again.
    fn sleep_until(&self, until: Timestamp);
}

/// The system's wall clock; the thread sleeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Short enough for a person who pressed a key, and for a wall clock that is set or a machine that was suspended.
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    fn sleep_until(&self, until: Timestamp) {
        std::thread::sleep(until.since(self.now()).min(LONGEST_SLEEP));
    }
}
