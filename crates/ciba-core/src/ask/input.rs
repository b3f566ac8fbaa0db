//! Answers to outputs, and the error of an answer that was rejected.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::ticket::Ticket;
use crate::{
    endpoint::Endpoint,
    error::KeyProblem,
    fault::{Cause, ExchangeProblem},
    jose::KeySet,
    time::Timestamp,
    wire::Response,
};

/// The answer to an output. It can only be made from the output's ticket.
#[must_use = "pass it to the machine that asked"]
pub struct Input {
    pub(crate) ticket: Ticket,
    pub(crate) answer: Answer,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the kind: the content may be a token or a signature.
        let kind = match &self.answer {
            Answer::Response(_, response) => return write!(f, "Input(status {})", response.status),
            Answer::Unanswered(how) => return write!(f, "Input({how:?})"),
            Answer::Signature(_) => "signature",
            Answer::KeyUnavailable(_) => "key unavailable",
            Answer::KeyInterrupted => "key interrupted",
            Answer::Keys(_) => "keys",
            Answer::KeysLater(_) => "keys later",
            Answer::Saved(SaveOutcome::Saved) => "saved",
            Answer::Saved(SaveOutcome::Failed) => "not saved",
            Answer::Saved(SaveOutcome::Superseded) => "superseded",
            Answer::KeysUnavailable(why) => return write!(f, "Input(keys unavailable, {why:?})"),
        };
        write!(f, "Input({kind})")
    }
}

/// The content of an [`Input`].
pub(crate) enum Answer {
    /// A response, with its endpoint: a late response cannot be attributed by the current phase.
    Response(Endpoint, Response),
    Unanswered(Unanswered),
    Signature(Vec<u8>),
    KeyUnavailable(KeyProblem),
    KeyInterrupted,
    Keys(KeySet),
    KeysLater(Timestamp),
    KeysUnavailable(ExchangeProblem),
    Saved(SaveOutcome),
}

/// The outcome of a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SaveOutcome {
    /// The state is durable.
    Saved,
    /// The state could not be saved, or this is unknown.
    Failed,
    /// The store has a state of the flow that this process has not written.
    Superseded,
}

/// Whether a request was sent, and why there is no response.
///
/// The difference matters: after [`Self::Lost`] the person may already have been prompted. The cause
/// is for diagnosis only and does not change any decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The provider is known not to have received the request, because name resolution, connection
    /// or TLS handshake failed.
    NotSent(Cause),
    /// The provider may have received the request: a timeout, a reset, an incomplete response.
    Lost(Cause),
}

impl Unanswered {
    /// Returns the cause.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::NotSent(cause) | Self::Lost(cause) => cause,
        }
    }
}

/// The error of an input that was passed to the wrong machine. The machine is unchanged, and the
/// error contains the input.
#[derive(Debug)]
pub struct Misuse {
    /// The input, unchanged.
    pub input: Box<Input>,
    /// The reason.
    pub reason: MisuseReason,
}

/// The reason for which an input was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MisuseReason {
    /// It answers a question of another flow or of a cache.
    ForeignTicket,
    /// It answers a question that this flow has not asked. Another flow, resumed from the same
    /// snapshot, asked it.
    StaleTicket,
    /// The key set belongs to another issuer.
    // REQ-DISC-24, REQ-JWKS-20
    ForeignKeys,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            MisuseReason::ForeignTicket => "the input answers another machine",
            MisuseReason::StaleTicket => {
                "the input answers a question that this flow has not asked"
            }
            MisuseReason::ForeignKeys => "the key set belongs to another issuer",
        })
    }
}

impl core::error::Error for Misuse {}
