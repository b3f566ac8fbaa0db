//! The answer to an output, and what is said of one that was refused.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::ticket::Ticket;
use crate::{
    endpoint::Endpoint,
    error::KeyProblem,
    fault::{Cause, Trouble},
    jose::KeySet,
    time::Timestamp,
    wire::Response,
};

/// The answer to an output, made from its ticket only.
#[must_use = "hand it to the machine that asked"]
pub struct Input {
    pub(crate) ticket: Ticket,
    pub(crate) answer: Answer,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.answer {
            Answer::Response(_, response) => return write!(f, "Input(status {})", response.status),
            Answer::Unanswered(how) => return write!(f, "Input({how:?})"),
            Answer::Signature(_) => "signature",
            Answer::KeyUnavailable(_) => "key unavailable",
            Answer::KeyInterrupted => "key interrupted",
            Answer::Keys(_) => "keys",
            Answer::KeysLater(_) => "keys later",
            Answer::Saved(true) => "saved",
            Answer::Saved(false) => "not saved",
            Answer::KeysUnavailable(why) => return write!(f, "Input(keys unavailable, {why:?})"),
        };
        write!(f, "Input({kind})")
    }
}

/// What an [`Input`] carries.
pub(crate) enum Answer {
    /// Of an endpoint: an answer that comes late cannot be told by the phase it meets.
    Response(Endpoint, Response),
    Unanswered(Unanswered),
    Signature(Vec<u8>),
    KeyUnavailable(KeyProblem),
    KeyInterrupted,
    Keys(KeySet),
    KeysLater(Timestamp),
    KeysUnavailable(Trouble),
    /// Of a store: whether the state is kept.
    Saved(bool),
}

/// Whether the request left, and why there is no answer. The two are different facts: after
/// [`Self::Lost`] a person may already have been prompted. The cause changes no decision; it is
/// there for diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The provider certainly did not get the request: name, connection or TLS handshake failed.
    NotSent(Cause),
    /// Anything else: time-out, reset, an answer that broke off.
    Lost(Cause),
}

impl Unanswered {
    /// Why there is no answer.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::NotSent(cause) | Self::Lost(cause) => cause,
        }
    }
}

/// An input that does not belong where it was given. Nothing changed; the input comes back.
#[derive(Debug)]
pub struct Misuse {
    /// The input, untouched.
    pub input: Box<Input>,
    /// What is wrong.
    pub reason: MisuseReason,
}

/// Why an input was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MisuseReason {
    /// It answers another flow, or a cache.
    ForeignTicket,
    /// It answers a question that this flow has not asked: one of another flow resumed from the
    /// same snapshot.
    StaleTicket,
    /// The key set is another issuer's (REQ-DISC-24, REQ-JWKS-20).
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
