//! An operation with a private key that a machine requests.

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

/// An operation with a private key, for a software key, KMS or HSM.
///
/// If dropped, it counts as interrupted: this does not count as a failure of the key, and the next
/// poll asks again with a new `jti`.
#[must_use = "answer it with a signature"]
#[derive(Debug)]
pub struct KeyOperation {
    task: KeyTask,
    purpose: KeyPurpose,
    key_id: Option<Arc<str>>,
    ticket: Ticket,
}

/// The operation to perform.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyTask {
    /// Sign [`SigningTask::message`] with [`SigningTask::algorithm`].
    Sign(SigningTask),
}

/// A request for a signature.
pub struct SigningTask {
    message: Vec<u8>,
    algorithm: JwsAlgorithm,
}

impl SigningTask {
    /// Returns the bytes to sign, which are a JWS signing input ([RFC 7515 section 5.1]).
    ///
    /// [RFC 7515 section 5.1]: https://www.rfc-editor.org/rfc/rfc7515#section-5.1
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// Returns the algorithm to sign with.
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

/// The purpose of a key operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPurpose {
    /// A client assertion ([RFC 7523]).
    ///
    /// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
    ClientAssertion,
    /// A signed authentication request ([CIBA Core 7.1.1]).
    ///
    /// [CIBA Core 7.1.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.1
    RequestObject,
    /// A DPoP proof ([RFC 9449]). The key is the one to which tokens are bound.
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    DpopProof,
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

    /// Returns the operation to perform.
    #[must_use]
    pub const fn task(&self) -> &KeyTask {
        &self.task
    }

    /// Returns the purpose of the operation.
    #[must_use]
    pub const fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// Returns the configured key id.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Answers with the signature, in the form that JWS requires: ECDSA signatures are R and S with
    /// fixed width and not DER ([RFC 7518 section 3.4]); see
    /// [`ecdsa_from_der`](crate::jose::ecdsa_from_der).
    ///
    /// A signature whose length does not match the algorithm is not sent. The operation then counts
    /// as failed, and the failure contains the reason.
    ///
    /// [RFC 7518 section 3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
    pub fn answered(self, signature: Vec<u8>) -> Input {
        let KeyTask::Sign(task) = &self.task;
        // Before it is sent: the provider would only answer `invalid_client`.
        let answer = match SignatureLength::check(&signature, task.algorithm) {
            Ok(()) => Answer::Signature(signature),
            Err(length) => Answer::KeyUnavailable(KeyProblem::Length(length)),
        };
        Input { ticket: self.ticket, answer }
    }

    /// Answers that the key cannot be used. The error becomes the source of the flow's failure, so
    /// it must not contain secrets.
    pub fn failed(self, error: &(dyn core::error::Error + 'static)) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::of(error)) }
    }

    /// Answers that the key cannot be used, for example because the service is down, access was
    /// denied, or the signer does not support the operation.
    pub fn unavailable(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::Unknown) }
    }
}
