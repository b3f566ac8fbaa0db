//! The questions that a machine asks its caller, and their answers.
//!
//! Every [`Output`] that expects an answer owns a ticket, which is required to make the matching
//! [`Input`]. A ticket is not `Clone` and has no public constructor, so a question cannot be answered
//! twice. If a ticket is dropped instead, the machine learns at its next step whether the operation
//! had begun.

mod input;
mod key;
mod key_set;
mod save;
mod ticket;
mod transmit;
mod wait;

pub(crate) use input::{Answer, SaveOutcome};
pub use input::{Input, Misuse, MisuseReason, Unanswered};
pub use key::{KeyOperation, KeyPurpose, KeyTask, SigningTask};
pub use key_set::KeySetRequest;
pub use save::Save;
pub(crate) use ticket::{DropMark, Dropped, Ticket};
pub use transmit::{Sending, SendingId, Transmit};
pub use wait::{Wait, WaitReason};

/// What the caller must do next.
///
/// The enum is exhaustive on purpose: a caller that ignored an instruction would hang, and a loop
/// that forgets to save does not compile:
///
/// ```compile_fail,E0004
/// # use ciba_core::Output;
/// # fn perform(output: Output) {
/// match output {
///     Output::Transmit(_) | Output::Key(_) | Output::KeySet(_) | Output::Wait(_) | Output::Done => {}
/// }
/// # }
/// ```
#[must_use = "a flow does not continue until its output is performed"]
#[derive(Debug)]
pub enum Output {
    /// Save the state of a durable flow before anything that depends on it happens.
    Save(Save),
    /// Send an HTTP request and return the outcome.
    Transmit(Transmit),
    /// Use a private key.
    Key(KeyOperation),
    /// Find the public keys of the issuer, usually in a shared [`JwksCache`](crate::JwksCache).
    KeySet(KeySetRequest),
    /// Wait until an instant.
    Wait(Wait),
    /// The flow is over. Call [`Flow::finish`](crate::Flow::finish) for the result.
    Done,
}

impl Output {
    /// Returns the number of the question, if the flow waits for its answer.
    pub(crate) const fn counter(&self) -> Option<u64> {
        match self {
            Self::Transmit(transmit) => Some(transmit.ticket().counter),
            Self::Key(operation) => Some(operation.ticket().counter),
            // Nothing waits for the answer to a request that was made ahead of time.
            Self::KeySet(request) if request.blocks() => Some(request.ticket().counter),
            Self::Save(_) | Self::KeySet(_) | Self::Wait(_) | Self::Done => None,
        }
    }
}
