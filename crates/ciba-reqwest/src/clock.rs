//! The wall clock a driver reads, and its way to wait.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ciba_core::Timestamp;

/// Where a [`Driver`](crate::Driver) takes the time from. Tests and simulators bring their own.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock, read at every call.
    fn now(&self) -> Timestamp;

    /// Waits until an instant, or shorter: the driver looks at [`Self::now`] and waits again.
    async fn sleep_until(&self, until: Timestamp);
}

/// The system's wall clock, sleeping with tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The timer counts monotonic time, which stands still while a machine is suspended and knows
/// nothing of a wall clock that is set; so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn sleep_until(&self, until: Timestamp) {
        tokio::time::sleep(until.since(self.now()).min(LONGEST_SLEEP)).await;
    }
}
