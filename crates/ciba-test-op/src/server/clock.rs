//! The time of servers, and simulated time that servers and drivers share.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use ciba_core::Timestamp;
use ciba_std::{Clock, SystemClock};

use crate::message::FOREVER;

/// How long a thread sleeps in real time before it checks again what others do in simulated time.
const GLANCE: Duration = Duration::from_micros(300);

/// The time of a [`Server`](crate::Server): that of the system, or simulated.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ServerClock {
    /// The wall clock of the system.
    #[default]
    System,
    /// Simulated time.
    Virtual(VirtualClock),
}

impl From<SystemClock> for ServerClock {
    fn from(_: SystemClock) -> Self {
        Self::System
    }
}

impl From<VirtualClock> for ServerClock {
    fn from(clock: VirtualClock) -> Self {
        Self::Virtual(clock)
    }
}

impl From<&VirtualClock> for ServerClock {
    fn from(clock: &VirtualClock) -> Self {
        Self::Virtual(clock.clone())
    }
}

impl ServerClock {
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::System => SystemClock.now(),
            Self::Virtual(clock) => clock.now(),
        }
    }

    /// Waits until `until`, at most `at_most` in real time. Does not move simulated time.
    pub(super) fn wait_until(&self, until: Timestamp, at_most: Duration) {
        match self {
            Self::System => thread::sleep(until.since(self.now()).min(at_most)),
            Self::Virtual(clock) => clock.wait_until(until, at_most),
        }
    }

    /// As [`Self::wait_until`], for a client that waits for its answer: it may be the only one that
    /// can move simulated time.
    pub(super) fn hold_until(&self, until: Timestamp, at_most: Duration) {
        match self {
            Self::Virtual(clock) if clock.0.jumps && until != FOREVER => {
                thread::sleep(clock.idle(until).max(GLANCE));
            }
            _ => self.wait_until(until, at_most),
        }
    }

    /// Makes a server's plans known to the clock.
    pub(super) fn attach(&self, server: Weak<dyn Agenda>) {
        if let Self::Virtual(clock) = self {
            let mut state = clock.lock();
            state.servers.retain(|known| known.strong_count() > 0);
            state.servers.push(server);
        }
    }
}

/// What a server is going to do.
pub(super) trait Agenda: Send + Sync {
    fn plans(&self, now: Timestamp) -> Plans;
}

/// What servers are going to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plans {
    /// Something is happening at this moment: time must not move.
    pub(super) busy: bool,
    /// When the next answer or notification is sent; [`FOREVER`] if none is planned.
    pub(super) next: Timestamp,
    /// How many notifications were answered so far.
    pub(super) answered: usize,
}

/// Simulated time. Clones are the same clock.
///
/// Give it to a server and to the driver of the client under test. Waiting then takes no time: a
/// clock of [`Self::jumping`] moves itself to the next time at which the driver or a server has
/// something to do, whenever both have nothing to do before. A clock of [`Self::new`] moves only when
/// the test moves it.
///
/// Use one driver at a time. While several run, time passes for all of them whenever one waits.
#[derive(Clone)]
pub struct VirtualClock(Arc<Inner>);

struct Inner {
    jumps: bool,
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    now: Timestamp,
    servers: Vec<Weak<dyn Agenda>>,
    /// How many answered notifications a driver knew of when it waited last.
    answered: usize,
}

impl VirtualClock {
    /// The time of [`VirtualClock::default`]: 2030-01-01 00:00:00 UTC.
    pub const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    /// Creates a clock that shows `now` until the test moves it.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self::with(now, false)
    }

    /// Creates a clock that shows `now` and moves itself when a driver or a server waits on it.
    #[must_use]
    pub fn jumping(now: Timestamp) -> Self {
        Self::with(now, true)
    }

    fn with(now: Timestamp, jumps: bool) -> Self {
        let state = State { now, servers: Vec::new(), answered: 0 };
        Self(Arc::new(Inner { jumps, state: Mutex::new(state), moved: Condvar::new() }))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.change(|now| now.saturating_add(by));
    }

    /// Moves the clock forward or back.
    pub fn set(&self, to: Timestamp) {
        self.change(|_| to);
    }

    /// Moves the clock forward to `to`, never back.
    pub fn advance_to(&self, to: Timestamp) {
        self.change(|now| now.max(to));
    }

    /// Moves the clock on until the servers that use it have nothing left to send: held answers,
    /// notifications and their repetitions. Returns when all of it was sent.
    pub fn drain(&self) {
        loop {
            let plans = self.plans();
            if !plans.busy && plans.next == FOREVER {
                return;
            }
            if !plans.busy {
                self.advance_to(plans.next);
            }
            thread::sleep(GLANCE);
        }
    }

    fn change(&self, change: impl FnOnce(Timestamp) -> Timestamp) {
        let mut state = self.lock();
        state.now = change(state.now);
        self.0.moved.notify_all();
    }

    fn wait_until(&self, until: Timestamp, at_most: Duration) {
        let waits = |state: &mut State| state.now < until;
        let waited = self.0.moved.wait_timeout_while(self.lock(), at_most, waits);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// The plans of all servers. They are asked without a lock on the clock, which they read.
    fn plans(&self) -> Plans {
        let (now, servers) = {
            let state = self.lock();
            (state.now, state.servers.iter().filter_map(Weak::upgrade).collect::<Vec<_>>())
        };
        let nothing = Plans { busy: false, next: FOREVER, answered: 0 };
        servers.iter().map(|server| server.plans(now)).fold(nothing, |all, one| Plans {
            busy: all.busy || one.busy,
            next: all.next.min(one.next),
            answered: all.answered + one.answered,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that jumps, at [`Self::START`].
impl Default for VirtualClock {
    fn default() -> Self {
        Self::jumping(Self::START)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn idle(&self, until: Timestamp) -> Duration {
        if !self.0.jumps {
            // The test moves it, on another thread.
            return GLANCE;
        }
        let plans = self.plans();
        if plans.busy {
            return GLANCE;
        }
        let mut state = self.lock();
        if state.answered != plans.answered {
            // The driver has been told something since it decided to wait.
            state.answered = plans.answered;
            return Duration::ZERO;
        }
        state.now = state.now.max(until.min(plans.next));
        self.0.moved.notify_all();
        if plans.next <= until { GLANCE } else { Duration::ZERO }
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jumps = self.0.jumps;
        f.debug_struct("VirtualClock").field("now", &self.now()).field("jumps", &jumps).finish()
    }
}
