//! Waits of a machine, with their reasons.

use alloc::sync::Arc;
use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::{error::Setback, named::named, time::Timestamp};

/// An instruction to wait until an instant.
#[must_use = "wait until the instant, then poll again"]
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    until: Timestamp,
    because: WaitReason,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared_text")]
    progress: Option<Arc<str>>,
}

fn shared_text<S: Serializer>(text: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(to)
}

impl Wait {
    /// Creates a wait. Its end is always later than `now`, so that a caller never spins.
    pub(crate) fn new(
        until: Timestamp,
        now: Timestamp,
        because: WaitReason,
        progress: Option<Arc<str>>,
    ) -> Self {
        Self { until: until.max(now.saturating_add(Duration::from_millis(1))), because, progress }
    }

    /// Returns the end of the wait, which is always later than the `now` of the call that returned
    /// it.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns the reason of the wait.
    #[must_use]
    pub const fn reason(&self) -> &WaitReason {
        &self.because
    }

    /// Returns the description of the provider's last pending answer, with control characters
    /// replaced ([CIBA Core 11]). Idura, for example, reports progress this way.
    ///
    /// The text is untrusted. It is meant for display and must not be used for decisions.
    ///
    /// [CIBA Core 11]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.11
    #[must_use]
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }
}

/// The reason for which a flow waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// An output is being performed and has not been answered yet.
    InFlight,
    /// The interval between token requests has not passed yet ([CIBA Core 7.3]).
    ///
    /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
    Interval,
    /// The next token request would be due at or after the deadline, so none is made, and the flow
    /// ends at this instant unless a notification arrives.
    Deadline,
    /// The provider answered `slow_down`, so the interval became longer ([CIBA Core 11]).
    ///
    /// [CIBA Core 11]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.11
    SlowDown,
    /// The flow expects a notification ([CIBA Core 10.2], [CIBA Core 10.3]).
    ///
    /// [CIBA Core 10.2]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.2
    /// [CIBA Core 10.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3
    Notification,
    /// The acknowledgement was lost, but a notification may still name the request.
    Adrift,
    /// The flow is handling a problem.
    Setback(Setback),
}

named! {
    impl WaitReason {
        InFlight = "in_flight",
        Interval = "interval",
        Deadline = "deadline",
        SlowDown = "slow_down",
        Notification = "notification",
        Adrift = "adrift",
    } with {
        Setback,
    }
}

named!(serialize WaitReason);
