//! The verifying half of a backend.

use alloc::sync::Arc;
use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::{
    cipher::Decrypter,
    hash::{Digest, Hash},
    keys::{KeyRejected, PublicKey},
};
use crate::jose::JwsAlgorithm;

/// The verifying half of a cryptography backend.
///
/// It is set in a [`ClientConfig`](crate::ClientConfig) and used for everything that configuration
/// does. There is no process-wide default.
pub trait Verifier: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Imports a public key for one algorithm.
    ///
    /// The key is bound to the algorithm, so a token cannot choose another one.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected`] if the algorithm is not supported or does not fit the kind of key,
    /// or if the key is malformed, out of range or weak.
    // REQ-JWKS-06, REQ-JWKS-13, REQ-JWKS-14
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected>;

    /// Computes the digest of `data`.
    fn digest(&self, hash: Hash, data: &[u8]) -> Digest;

    /// Computes the HMAC ([RFC 2104]) of `data` with `key`.
    ///
    /// [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest;

    /// Returns the functions that decrypt. The provided implementation returns `None`: the backend
    /// decrypts nothing, and a configuration for encrypted ID Tokens cannot use it.
    fn decrypter(&self) -> Option<&dyn Decrypter> {
        None
    }
}

/// A public key imported for one algorithm.
pub trait VerificationKey: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Verifies a signature over `message`, in the form that JWS defines
    /// ([RFC 7518 section 3], [RFC 8037 section 3.1]).
    ///
    /// # Errors
    ///
    /// Returns [`BadSignature`], which contains no details.
    ///
    /// [RFC 7518 section 3]: https://www.rfc-editor.org/rfc/rfc7518#section-3
    /// [RFC 8037 section 3.1]: https://www.rfc-editor.org/rfc/rfc8037#section-3.1
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature>;
}

/// The error of a signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl core::error::Error for BadSignature {}
