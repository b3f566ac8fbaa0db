//! The wall clock a driver reads.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use ciba_core::Timestamp;

/// The source of a driver's time. Both drivers use this trait and sleep by their own means, so one
/// clock serves blocking and asynchronous tests.
///
/// # Examples
///
/// A clock with which waiting takes no time:
///
/// ```
/// use std::{sync::Mutex, time::Duration};
/// use ciba_std::{Clock, ciba_core::Timestamp};
///
/// struct Jumping(Mutex<Timestamp>);
///
/// impl Clock for Jumping {
///     fn now(&self) -> Timestamp {
///         *self.0.lock().unwrap()
///     }
///
///     fn idle(&self, until: Timestamp) -> Duration {
///         let mut now = self.0.lock().unwrap();
///         *now = until.max(*now);
///         Duration::ZERO
///     }
/// }
/// ```
pub trait Clock: Send + Sync {
    /// Returns the current time. The driver calls this for every step and does not cache it.
    fn now(&self) -> Timestamp;

    /// Called when the driver has nothing to do before `until`. Returns how long, in real time, the
    /// driver sleeps before it reads [`Self::now`] again; it may read it sooner, for example when a
    /// notification arrives.
    ///
    /// The default is the time from now to `until`. The clock of a test moves itself to `until` and
    /// returns zero, or returns a short time and is moved by the test.
    fn idle(&self, until: Timestamp) -> Duration {
        until.since(self.now())
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn idle(&self, until: Timestamp) -> Duration {
        (**self).idle(until)
    }
}

/// The wall clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}
