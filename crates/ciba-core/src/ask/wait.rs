//! When to ask a machine again, and why not before.

use alloc::sync::Arc;
use core::time::Duration;

use crate::{error::Setback, time::Timestamp};

/// Nothing to do before an instant.
#[must_use = "wait until the instant, then poll again"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    until: Timestamp,
    because: WaitReason,
    progress: Option<Arc<str>>,
}

impl Wait {
    /// The one place where waits are made: always in the future of `now`.
    pub(crate) fn new(
        until: Timestamp,
        now: Timestamp,
        because: WaitReason,
        progress: Option<Arc<str>>,
    ) -> Self {
        Self { until: until.max(now.saturating_add(Duration::from_millis(1))), because, progress }
    }

    /// The instant; always later than the `now` of the call that returned it.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &WaitReason {
        &self.because
    }

    /// What the provider said in its last pending answer, control characters removed (CIBA 11;
    /// Idura reports progress this way). Untrusted text for a person's eyes; never decide on it.
    #[must_use]
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }
}

/// Why a flow waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// An output is being carried out and its answer has not come yet.
    InFlight,
    /// The interval between token requests (CIBA 7.3).
    Interval,
    /// The provider answered `slow_down`, so the interval grew (CIBA 11).
    SlowDown,
    /// A notification is expected (CIBA 10.2, 10.3).
    Notification,
    /// The acknowledgement was lost; a notification may still name the request.
    Adrift,
    /// Something went wrong that the flow is handling.
    Setback(Setback),
}

impl WaitReason {
    /// A lower-case name with underscores, for machine-readable output.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Interval => "interval",
            Self::SlowDown => "slow_down",
            Self::Notification => "notification",
            Self::Adrift => "adrift",
            Self::Setback(setback) => setback.name(),
        }
    }
}
