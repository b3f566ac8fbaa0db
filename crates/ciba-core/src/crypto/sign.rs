//! The private-key half of a backend.

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::{
    decrypt::DecryptionKey,
    entropy::Entropy,
    keys::{KeyRejected, OwnedPublicKey, PrivateKey},
    verify::Verifier,
};
use crate::{
    jose::{JwsAlgorithm, KeyManagement},
    secret::Body,
};

/// A private key imported for one algorithm.
pub trait SigningKey: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns the algorithm of the key.
    fn algorithm(&self) -> JwsAlgorithm;

    /// Signs `message`. The signature has the form that JWS defines; ECDSA signatures are R and S
    /// with fixed width ([RFC 7518 section 3.4]).
    ///
    /// `entropy` blinds RSA private-key operations. Backends with their own source of randomness
    /// ignore it.
    ///
    /// # Errors
    ///
    /// Returns [`SigningFailed`] if the backend cannot sign.
    ///
    /// [RFC 7518 section 3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
    fn sign(&self, message: &[u8], entropy: Entropy) -> Result<Vec<u8>, SigningFailed>;

    /// Returns the matching public key.
    fn public_key(&self) -> OwnedPublicKey;
}

/// The private-key half of a cryptography backend, which imports [`SigningKey`]s and
/// [`DecryptionKey`]s.
pub trait KeyImporter: Verifier {
    /// Imports a private key for one algorithm.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected`] in the same cases as for a public key.
    // REQ-AUTH-20
    fn import_private(
        &self,
        key: PrivateKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected>;

    /// Imports a private key that decrypts, for one key management algorithm.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected`] in the same cases as for a public key. The provided implementation
    /// returns [`KeyRejected::UnsupportedAlgorithm`].
    fn import_decryption(
        &self,
        key: PrivateKey<'_>,
        algorithm: KeyManagement,
    ) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
        let _ = (key, algorithm);
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    /// Generates an RSA key of 2048 bits and returns it as PKCS#1 DER.
    ///
    /// `entropy` is the only source of randomness. Backends with their own source ignore it.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected::UnsupportedAlgorithm`] if the backend does not support RSA.
    fn generate_rsa(&self, entropy: Entropy) -> Result<Body, KeyRejected>;
}

/// The error of a backend that cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningFailed;

impl fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptography backend could not sign")
    }
}

impl core::error::Error for SigningFailed {}
