//! The interface to cryptography backends: [`Verifier`] for what the client checks, [`SigningKey`]
//! for what it signs.
//!
//! A backend receives numbers and bytes, never JSON or tokens. All rules about tokens are therefore
//! in the core and the same for every backend.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::{
    entropy::Entropy,
    jose::{Curve, JwsAlgorithm},
    secret::Body,
};

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
#[cfg(any(feature = "rustcrypto", feature = "aws-lc-rs"))]
mod rules;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;
#[cfg(feature = "rustcrypto-rsa")]
mod rustcrypto_rsa;

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc_rs::AwsLcRs;
#[cfg(feature = "rustcrypto")]
pub use self::rustcrypto::RustCrypto;

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

/// The signing half of a cryptography backend, which imports [`SigningKey`]s.
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

    /// Generates an RSA key of 2048 bits and returns it as PKCS#1 DER.
    ///
    /// `entropy` is the only source of randomness. Backends with their own source ignore it.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected::UnsupportedAlgorithm`] if the backend does not support RSA.
    fn generate_rsa(&self, entropy: Entropy) -> Result<Body, KeyRejected>;
}

/// The numbers of a public key, in big-endian byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// RSA: modulus and exponent, without leading zero octets.
    Rsa {
        /// The modulus.
        n: &'a [u8],
        /// The public exponent.
        e: &'a [u8],
    },
    /// A point on a NIST curve, with coordinates of full width.
    Ec {
        /// The curve.
        curve: Curve,
        /// The x coordinate.
        x: &'a [u8],
        /// The y coordinate.
        y: &'a [u8],
    },
    /// An Ed25519 key ([RFC 8037 section 2]): the 32 octets of the encoded point.
    ///
    /// [RFC 8037 section 2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
    Ed25519 {
        /// The encoded point.
        x: &'a [u8],
    },
}

/// An owned [`PublicKey`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedPublicKey {
    /// An RSA key.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The public exponent.
        e: Vec<u8>,
    },
    /// A point on a NIST curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// The x coordinate.
        x: Vec<u8>,
        /// The y coordinate.
        y: Vec<u8>,
    },
    /// An Ed25519 key.
    Ed25519 {
        /// The encoded point.
        x: Vec<u8>,
    },
}

impl OwnedPublicKey {
    /// Borrows the numbers.
    #[must_use]
    pub fn borrow(&self) -> PublicKey<'_> {
        match self {
            Self::Rsa { n, e } => PublicKey::Rsa { n, e },
            Self::Ec { curve, x, y } => PublicKey::Ec { curve: *curve, x, y },
            Self::Ed25519 { x } => PublicKey::Ed25519 { x },
        }
    }
}

/// Returns the number of bits of a big-endian number without leading zero octets.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let leading = number.first().map_or(8, |octet| octet.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(leading).unwrap_or(8))
}

/// A private key in one of the encodings that every backend reads. Redacted in `Debug`.
#[derive(Clone, Copy)]
pub enum PrivateKey<'a> {
    /// A PKCS#8 document in DER.
    Pkcs8(&'a [u8]),
    /// An RSA private key as PKCS#1 DER.
    Pkcs1(&'a [u8]),
    /// The scalar of a key on a NIST curve, with full width.
    Ec {
        /// The curve.
        curve: Curve,
        /// The scalar.
        d: &'a [u8],
    },
    /// The 32-octet seed of an Ed25519 key.
    Ed25519(&'a [u8]),
}

impl fmt::Debug for PrivateKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A hash function of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Returns the length of the digest, and of an HMAC, in octets: 32, 48 or 64.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The output of a hash function or of HMAC.
#[derive(Clone, Copy)]
pub struct Digest {
    bytes: [u8; 64],
    length: usize,
}

impl Digest {
    /// Creates a digest of 32, 48 or 64 bytes. Bytes after the 64th are ignored.
    ///
    /// A digest whose length does not match its hash function is never accepted as proof.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        let mut bytes = [0; 64];
        let mut length = 0;
        for (slot, byte) in bytes.iter_mut().zip(value) {
            *slot = *byte;
            length += 1;
        }
        Self { bytes, length }
    }

    /// Returns all bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Whether the length matches the hash function.
    // A shorter digest proves nothing: two empty digests compare equal.
    pub(crate) const fn is_of(&self, hash: Hash) -> bool {
        self.length == hash.length()
    }

    /// Returns the left half, which `at_hash` and `rt_hash` use ([OIDC Core 3.1.3.6],
    /// [CIBA Core 10.3.1]).
    ///
    /// [OIDC Core 3.1.3.6]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.3.6
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    #[must_use]
    pub fn left_half(&self) -> &[u8] {
        self.bytes.get(..self.length / 2).unwrap_or_default()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
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

/// The error of a backend that cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningFailed;

impl fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptography backend could not sign")
    }
}

impl core::error::Error for SigningFailed {}

/// The reason for which a key was not imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyRejected {
    /// The backend does not implement the algorithm.
    UnsupportedAlgorithm,
    /// The algorithm requires another kind of key or another curve.
    WrongKind,
    /// The RSA modulus has fewer than 2048 or more than 8192 bits, or the exponent is even or too
    /// small or too large.
    OutOfRange,
    /// The key was made by a generator whose keys can be factored (CVE-2017-15361).
    Weak,
    /// The bytes are not a key: wrong length, not on the curve, or undecodable.
    Malformed,
}

impl fmt::Display for KeyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedAlgorithm => "the cryptography backend does not support the algorithm",
            Self::WrongKind => "the algorithm is for another kind of key",
            Self::OutOfRange => "the key is too small, too large or has an unusable exponent",
            Self::Weak => "the key was made by a generator whose keys can be factored",
            Self::Malformed => "the key is malformed",
        })
    }
}

impl core::error::Error for KeyRejected {}
