//! The decrypting half of a backend: private keys that unwrap a key or agree on one.
//!
//! A backend computes and decides nothing: which algorithms are allowed, how long each part is and
//! what a failure looks like is decided once, in `jose/jwe`.

use core::{
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
};

use super::{
    cipher::DecryptionFailed,
    entropy::Entropy,
    keys::{OwnedPublicKey, PublicKey},
};
use crate::{jose::KeyManagement, secret::SecretBytes};

/// A private key imported for decryption, for one key management algorithm.
pub trait DecryptionKey: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Returns the algorithm of the key.
    fn algorithm(&self) -> KeyManagement;

    /// Decrypts a content encryption key with RSAES-OAEP ([RFC 7518 section 4.3]).
    ///
    /// `entropy` blinds the operation. Backends with their own source of randomness ignore it.
    ///
    /// # Errors
    ///
    /// Returns [`DecryptionFailed`], without the reason, for everything that is not the encryption
    /// of a key with the matching public key, and if this is not an RSA key.
    ///
    /// [RFC 7518 section 4.3]: https://www.rfc-editor.org/rfc/rfc7518#section-4.3
    // REQ-JWE-16
    fn unwrap_key(
        &self,
        encrypted_key: &[u8],
        entropy: Entropy,
    ) -> Result<SecretBytes, DecryptionFailed>;

    /// Computes the shared secret with an ephemeral public key: the x coordinate with full width
    /// on a NIST curve, the 32 octets of the result with X25519.
    ///
    /// # Errors
    ///
    /// Returns [`DecryptionFailed`] if the ephemeral key is on another curve or is not a point of
    /// its curve, if the shared secret of X25519 is zero ([RFC 7748 section 6.1]), and if this is
    /// an RSA key.
    ///
    /// [RFC 7748 section 6.1]: https://www.rfc-editor.org/rfc/rfc7748#section-6.1
    // REQ-JWE-08
    fn agree(&self, ephemeral: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed>;

    /// Returns the matching public key.
    fn public_key(&self) -> OwnedPublicKey;
}
