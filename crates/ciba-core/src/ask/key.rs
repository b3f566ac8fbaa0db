//! One use of a private key that a machine asks for.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use super::{
    input::{Answer, Input},
    ticket::Ticket,
};
use crate::{
    error::KeyProblem,
    jose::{JwsAlgorithm, SignatureLength},
};

/// A use of a private key, for software keys, a KMS or an HSM. Dropped, it counts as interrupted:
/// nothing counts against the key, and the next poll asks anew, with a fresh `jti`.
#[must_use = "answer it with a signature"]
#[derive(Debug)]
pub struct KeyOperation {
    task: KeyTask,
    purpose: KeyPurpose,
    key_id: Option<Arc<str>>,
    ticket: Ticket,
}

/// What to do with the private key.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyTask {
    /// Sign [`SigningTask::message`] with [`SigningTask::algorithm`].
    Sign(SigningTask),
}

/// A signature to make.
pub struct SigningTask {
    message: Vec<u8>,
    algorithm: JwsAlgorithm,
}

impl SigningTask {
    /// The bytes to sign: a JWS signing input (RFC 7515 5.1).
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The algorithm to sign with.
    #[must_use]
    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }
}

impl fmt::Debug for SigningTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningTask({}, {} bytes)", self.algorithm, self.message.len())
    }
}

/// What the result of a key operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPurpose {
    /// A client assertion (RFC 7523).
    ClientAssertion,
    /// A signed authentication request (CIBA 7.1.1).
    RequestObject,
}

impl KeyOperation {
    pub(super) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub(crate) fn sign(
        message: Vec<u8>,
        algorithm: JwsAlgorithm,
        purpose: KeyPurpose,
        key_id: Option<Arc<str>>,
        ticket: Ticket,
    ) -> Self {
        Self { task: KeyTask::Sign(SigningTask { message, algorithm }), purpose, key_id, ticket }
    }

    /// What to do.
    #[must_use]
    pub const fn task(&self) -> &KeyTask {
        &self.task
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// The key's id as configured.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The signature, in the form that JWS requires: ECDSA as R and S of fixed width, never DER
    /// (RFC 7518 3.4); see [`ecdsa_from_der`](crate::jose::ecdsa_from_der).
    ///
    /// A signature whose length is not one of the algorithm's is not sent: the operation counts as
    /// failed, and the failure says what was wrong.
    pub fn answered(self, signature: Vec<u8>) -> Input {
        let KeyTask::Sign(task) = &self.task;
        let answer = match SignatureLength::check(&signature, task.algorithm) {
            Ok(()) => Answer::Signature(signature),
            Err(length) => Answer::KeyUnavailable(KeyProblem::Length(length)),
        };
        Input { ticket: self.ticket, answer }
    }

    /// The key cannot be used, for a reason that the failure of the flow will have as its source.
    /// No secrets belong in it.
    pub fn failed(self, error: &(dyn core::error::Error + 'static)) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::of(error)) }
    }

    /// The key cannot be used: service down, access refused, or a task this signer does not know.
    pub fn unavailable(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::Unknown) }
    }
}
