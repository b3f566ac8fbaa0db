//! The private key of the client.

use ciba_core::{Entropy, KeyOperation, SoftwareKey};

use crate::SignerError;

/// Holds the private key: [`SoftwareKey`] in memory, or an implementation of yours in front of a
/// KMS or an HSM.
///
/// Every operation is new and is requested once; do not cache signatures. A call that never returns
/// blocks the thread of the drive: set a time-out in the client of your service.
///
/// # Examples
///
/// Services differ in the format of ECDSA signatures. AWS and Google return DER, which has to be
/// converted:
///
/// ```
/// use ciba_ureq::{Signer, SignerError, ciba_core::{Entropy, KeyOperation, jose::ecdsa_from_der, machine::KeyTask}};
/// # struct Service;
/// # impl Service { fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![]) } }
///
/// struct DerSigner(Service);
///
/// impl Signer for DerSigner {
///     fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
///         match operation.task() {
///             KeyTask::Sign(task) => {
///                 let der = self.0.sign("alias/ciba", task.message())?;
///                 Ok(ecdsa_from_der(&der, task.algorithm())?)
///             }
///             _ => Err("this key only signs".into()),
///         }
///     }
/// }
/// ```
///
/// Azure and HashiCorp Vault (with `marshaling_algorithm=jws`) can return R and S with fixed width,
/// as JWS requires. RSA and Ed25519 signatures need no conversion:
///
/// ```
/// use ciba_ureq::{Signer, SignerError, ciba_core::{Entropy, KeyOperation, machine::KeyTask}};
/// # struct Service;
/// # impl Service { fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![]) } }
///
/// struct FixedWidthSigner(Service);
///
/// impl Signer for FixedWidthSigner {
///     fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
///         match operation.task() {
///             KeyTask::Sign(task) => Ok(self.0.sign("ciba", task.message())?),
///             _ => Err("this key only signs".into()),
///         }
///     }
/// }
/// ```
///
/// A signature whose length does not match the algorithm is not sent.
pub trait Signer: Send + Sync {
    /// Returns the signature in the format that JWS requires: ECDSA as R and S with fixed width,
    /// never DER ([RFC 7518 section 3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)).
    ///
    /// `entropy` is for signers that need randomness and have none of their own.
    ///
    /// # Errors
    ///
    /// Any error. The flow ends, and its failure has the error's message as a source.
    fn sign(&self, operation: &KeyOperation, entropy: Entropy) -> Result<Vec<u8>, SignerError>;
}

impl Signer for SoftwareKey {
    fn sign(&self, operation: &KeyOperation, entropy: Entropy) -> Result<Vec<u8>, SignerError> {
        Ok(Self::sign(self, operation, entropy)?)
    }
}
