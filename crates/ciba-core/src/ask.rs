//! What a machine asks of its caller and how the answer finds its way back.
//!
//! Every [`Output`] that wants an answer owns a ticket: the only value from which the matching
//! [`Input`] can be made. A ticket is not `Clone` and has no constructor, so an answer cannot be
//! given twice, or to nothing. A ticket that is dropped answers as well: the machine learns at its
//! next step whether something had begun.

mod input;
mod key;
mod key_set;
mod save;
mod ticket;
mod transmit;
mod wait;

pub(crate) use input::Answer;
pub use input::{Input, Misuse, MisuseReason, Unanswered};
pub use key::{KeyOperation, KeyPurpose, KeyTask, SigningTask};
pub use key_set::KeySetRequest;
pub use save::Save;
pub(crate) use ticket::{Dropped, Fate, Ticket};
pub use transmit::{Sending, SendingId, Transmit};
pub use wait::{Wait, WaitReason};

/// What the caller has to do next. Exhaustive on purpose: a caller that ignored an instruction
/// would hang.
#[must_use = "an output that nobody carries out stops the flow"]
#[derive(Debug)]
pub enum Output {
    /// Save the state of a durable flow, before what follows from it.
    Save(Save),
    /// Send one HTTP request and give back whatever comes.
    Transmit(Transmit),
    /// Use a private key.
    Key(KeyOperation),
    /// Find the issuer's public keys, usually in a shared [`JwksCache`](crate::JwksCache).
    KeySet(KeySetRequest),
    /// Do nothing before an instant.
    Wait(Wait),
    /// The flow is over: take the result with [`Flow::finish`](crate::Flow::finish).
    Done,
}

impl Output {
    /// The number of its question, if the flow waits for the answer.
    pub(crate) const fn counter(&self) -> Option<u64> {
        match self {
            Self::Transmit(transmit) => Some(transmit.ticket().counter),
            Self::Key(operation) => Some(operation.ticket().counter),
            Self::KeySet(request) if request.blocks() => Some(request.ticket().counter),
            Self::Save(_) | Self::KeySet(_) | Self::Wait(_) | Self::Done => None,
        }
    }
}
