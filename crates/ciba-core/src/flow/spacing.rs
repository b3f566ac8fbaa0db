//! The outcomes of a token request that do not end the flow.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{
    fault::Cause,
    wire::{ServerAnswer, token::Pacing},
};

/// The outcome of a token request that did not end the flow.
pub(super) enum Spacing {
    /// `authorization_pending`.
    Pending(Pacing),
    /// `slow_down`.
    SlowDown(Pacing),
    /// A temporary error: 408, 425, 429 or 5xx.
    Busy(Box<ServerAnswer>),
    /// No response, after waiting as long as a provider may hold a request. This is no reason to slow
    /// down.
    // REQ-POLL-10
    GaveUp(Cause),
    /// No response, after a shorter time. This is a reason to slow down.
    // REQ-POLL-17
    NoAnswer(Cause),
    /// The request could not be made, because the private key could not be used.
    NoKey,
}

/// Classifies a token request without a response by whether it was held as long as a provider may
/// hold it.
pub(super) fn unanswered(waited: Duration, cause: Cause) -> Spacing {
    if waited >= LONGEST_HOLD { Spacing::GaveUp(cause) } else { Spacing::NoAnswer(cause) }
}

/// How long a provider may hold a token request.
// REQ-POLL-09
const LONGEST_HOLD: Duration = Duration::from_secs(30);
