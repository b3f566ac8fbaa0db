//! The private key, wherever it is.

use async_trait::async_trait;
use ciba_core::{Entropy, KeyOperation, SoftwareKey};

/// Why a key could not be used, in the words of the signer. The driver passes it to
/// [`Watch::key_unavailable`](crate::Watch::key_unavailable); the flow's failure has the words as
/// its source: [`Failure::Unreachable`](ciba_core::Failure::Unreachable) if no person was prompted,
/// otherwise [`Failure::Indeterminate`](ciba_core::Failure::Indeterminate).
pub type SignerError = Box<dyn std::error::Error + Send + Sync>;

/// Holds the private key: [`SoftwareKey`] in memory, or an implementation of yours in front of a
/// KMS or an HSM.
///
/// Every operation is new and is asked once; do not cache by content. The driver gives an operation
/// up when it takes longer than the flow's policy allows, and answers it as unavailable.
///
/// # Examples
///
/// Services differ in the form of their ECDSA signatures. Those of AWS and Google answer in DER,
/// which has to be converted:
///
/// ```
/// use ciba_reqwest::{Signer, SignerError, ciba_core::{Entropy, KeyOperation, jose::ecdsa_from_der, machine::KeyTask}};
/// # struct Service;
/// # impl Service { async fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![]) } }
///
/// struct DerSigner(Service);
///
/// #[async_trait::async_trait]
/// impl Signer for DerSigner {
///     async fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
///         match operation.task() {
///             KeyTask::Sign(task) => {
///                 let der = self.0.sign("alias/ciba", task.message()).await?;
///                 Ok(ecdsa_from_der(&der, task.algorithm())?)
///             }
///             _ => Err("this key only signs".into()),
///         }
///     }
/// }
/// ```
///
/// Those of Azure and HashiCorp Vault (with `marshaling_algorithm=jws`) can answer with R and S of
/// fixed width, which is what JWS requires; all RSA and Ed25519 signatures have the right form
/// already:
///
/// ```
/// use ciba_reqwest::{Signer, SignerError, ciba_core::{Entropy, KeyOperation, machine::KeyTask}};
/// # struct Service;
/// # impl Service { async fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![]) } }
///
/// struct FixedWidthSigner(Service);
///
/// #[async_trait::async_trait]
/// impl Signer for FixedWidthSigner {
///     async fn sign(&self, operation: &KeyOperation, _: Entropy) -> Result<Vec<u8>, SignerError> {
///         match operation.task() {
///             KeyTask::Sign(task) => Ok(self.0.sign("ciba", task.message()).await?),
///             _ => Err("this key only signs".into()),
///         }
///     }
/// }
/// ```
///
/// A signature whose length is not one of the algorithm's is not sent.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The signature, in the form that JWS requires: ECDSA as R and S of fixed width, never DER
    /// (RFC 7518 3.4).
    ///
    /// `entropy` is for signers that need randomness and have none of their own.
    ///
    /// # Errors
    ///
    /// Any error: the flow ends, and its failure has the reason as its source.
    async fn sign(
        &self,
        operation: &KeyOperation,
        entropy: Entropy,
    ) -> Result<Vec<u8>, SignerError>;
}

#[async_trait]
impl Signer for SoftwareKey {
    async fn sign(
        &self,
        operation: &KeyOperation,
        entropy: Entropy,
    ) -> Result<Vec<u8>, SignerError> {
        Ok(Self::sign(self, operation, entropy)?)
    }
}
