//! Private keys in memory: read once, and answering key operations.

use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    ask::{Input, KeyOperation, KeyTask},
    crypto::{KeyImporter, KeyRejected, SigningKey},
    entropy::Entropy,
    jose::JwsAlgorithm,
};

/// A private key in memory, imported for one algorithm.
#[derive(Debug, Clone)]
pub struct SoftwareKey {
    key: Arc<dyn SigningKey>,
    key_id: Option<Arc<str>>,
}

impl SoftwareKey {
    /// Reads PEM: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn from_pem(pem: &str, algorithm: JwsAlgorithm, importer: &dyn KeyImporter) -> Result<Self, KeyFileError> {
        let _ = (pem, algorithm, importer);
        todo!()
    }

    /// Reads a private JWK. `algorithm` wins; without one the JWK's `alg` decides, else the only algorithm its kind has.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn from_jwk(
        jwk: &str,
        algorithm: Option<JwsAlgorithm>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let _ = (jwk, algorithm, importer);
        todo!()
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> JwsAlgorithm {
        self.key.algorithm()
    }

    /// The key id: the JWK's own, or the RFC 7638 thumbprint.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The signature for a key operation, which stays with the caller; `None` when this key cannot do it.
    #[must_use]
    pub fn sign(&self, operation: &KeyOperation, entropy: Entropy) -> Option<Vec<u8>> {
        let KeyTask::Sign(task) = operation.task();
        if task.algorithm() != self.algorithm() {
            return None;
        }
        self.key.sign(task.message(), entropy).ok()
    }

    /// The public key as a JWK with `kid`, `alg` and `use` (REQ-META-15).
    #[must_use]
    pub fn public_jwk(&self) -> String {
        todo!()
    }

    /// Carries out a key operation; one this key cannot do is answered as unavailable.
    #[must_use]
    pub fn answer(&self, operation: KeyOperation, entropy: Entropy) -> Input {
        let _ = (operation, entropy);
        todo!()
    }
}

/// Why a key file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Not PEM of a kind that is read, or not a JWK.
    Malformed,
    /// An encrypted PEM; decrypt it first.
    Encrypted,
    /// A public key, where a private one is needed.
    NotPrivate,
    /// Nothing says which algorithm to use.
    AlgorithmUnknown,
    /// The backend does not take it.
    Rejected(KeyRejected),
}
