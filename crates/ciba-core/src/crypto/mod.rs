//! The two seams behind which cryptography lives: [`Verifier`] for what the client checks,
//! [`SigningKey`] for what it signs. A backend sees numbers and bytes, never JSON and never a
//! token, so every rule about tokens is in core and is the same for all backends.

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

/// The checking half of a cryptography backend.
///
/// Shared by everything a [`ClientConfig`](crate::ClientConfig) is used for; there is no
/// process-wide default.
pub trait Verifier: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Imports a public key for one algorithm. The algorithm is bound here: what a token says later
    /// cannot change it.
    ///
    /// # Errors
    ///
    /// [`KeyRejected`] when the algorithm is not supported, does not fit the kind of key, or the
    /// key is out of range (REQ-JWKS-06, REQ-JWKS-13, REQ-JWKS-14).
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected>;

    /// The digest of `data`.
    fn digest(&self, hash: Hash, data: &[u8]) -> Digest;

    /// HMAC (RFC 2104) of `data` under `key`.
    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest;
}

/// A public key that was imported for one algorithm.
pub trait VerificationKey: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Checks `signature`, in the form JWS gives it (RFC 7518 3.3 to 3.5, RFC 8037 3.1), over
    /// `message`.
    ///
    /// # Errors
    ///
    /// [`BadSignature`], without telling why.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature>;
}

/// A private key that was imported for one algorithm.
pub trait SigningKey: fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe {
    /// The algorithm it signs with.
    fn algorithm(&self) -> JwsAlgorithm;

    /// Signs `message`; the result has the form that JWS requires (ECDSA as R and S of fixed width,
    /// RFC 7518 3.4).
    ///
    /// `entropy` blinds RSA private-key operations; backends with randomness of their own ignore
    /// it.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] when the backend could not sign.
    fn sign(&self, message: &[u8], entropy: Entropy) -> Result<Vec<u8>, SigningFailed>;

    /// The matching public key.
    fn public_key(&self) -> OwnedPublicKey;
}

/// The signing half of a cryptography backend: makes [`SigningKey`]s.
pub trait KeyImporter: Verifier {
    /// Imports a private key for one algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyRejected`], as for public keys (REQ-AUTH-20).
    fn import_private(
        &self,
        key: PrivateKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected>;

    /// Makes an RSA key of 2048 bits: PKCS#1 DER.
    ///
    /// `entropy` is all the randomness that goes in; backends with randomness of their own ignore
    /// it.
    ///
    /// # Errors
    ///
    /// [`KeyRejected::UnsupportedAlgorithm`] when the backend has no RSA.
    fn generate_rsa(&self, entropy: Entropy) -> Result<Body, KeyRejected>;
}

/// The numbers of a public key, big-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// RSA: modulus and exponent, without leading zero octets.
    Rsa {
        /// Modulus.
        n: &'a [u8],
        /// Public exponent.
        e: &'a [u8],
    },
    /// A point on a NIST curve, coordinates of full width.
    Ec {
        /// The curve.
        curve: Curve,
        /// First coordinate.
        x: &'a [u8],
        /// Second coordinate.
        y: &'a [u8],
    },
    /// Ed25519 (RFC 8037): the 32 octets of the encoded point.
    Ed25519 {
        /// The encoded point.
        x: &'a [u8],
    },
}

/// A [`PublicKey`] that owns its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnedPublicKey {
    /// RSA.
    Rsa {
        /// Modulus.
        n: Vec<u8>,
        /// Public exponent.
        e: Vec<u8>,
    },
    /// A point on a NIST curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// First coordinate.
        x: Vec<u8>,
        /// Second coordinate.
        y: Vec<u8>,
    },
    /// Ed25519.
    Ed25519 {
        /// The encoded point.
        x: Vec<u8>,
    },
}

impl OwnedPublicKey {
    /// Lends the numbers.
    #[must_use]
    pub fn borrow(&self) -> PublicKey<'_> {
        match self {
            Self::Rsa { n, e } => PublicKey::Rsa { n, e },
            Self::Ec { curve, x, y } => PublicKey::Ec { curve: *curve, x, y },
            Self::Ed25519 { x } => PublicKey::Ed25519 { x },
        }
    }
}

/// The bits of a big-endian number without leading zero octets.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let leading = number.first().map_or(8, |octet| octet.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(leading).unwrap_or(8))
}

/// The numbers of a private key, in the two encodings every backend reads. Redacted in `Debug`.
#[derive(Clone, Copy)]
pub enum PrivateKey<'a> {
    /// A PKCS#8 document, DER.
    Pkcs8(&'a [u8]),
    /// An RSA private key, PKCS#1 DER.
    Pkcs1(&'a [u8]),
    /// The scalar of a key on a NIST curve, full width.
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
    /// The length of its output, and of HMAC with it, in octets: 32, 48 or 64.
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
    /// Takes a digest of 32, 48 or 64 bytes; anything longer is cut. One that has not the length of
    /// its hash is never taken for a proof.
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

    /// All bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Whether it is as long as a digest of this hash has to be. One that is shorter proves
    /// nothing: an empty one is equal to every other empty one.
    pub(crate) const fn is_of(&self, hash: Hash) -> bool {
        self.length == hash.length()
    }

    /// The left half, as `at_hash` and `rt_hash` use it (OIDC Core 3.1.3.6, CIBA 10.3.1).
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

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not verify")
    }
}

impl core::error::Error for BadSignature {}

/// A backend that could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningFailed;

impl fmt::Display for SigningFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptography backend could not sign")
    }
}

impl core::error::Error for SigningFailed {}

/// Why a key was not imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyRejected {
    /// The backend does not implement the algorithm.
    UnsupportedAlgorithm,
    /// The algorithm is for another kind of key or another curve.
    WrongKind,
    /// An RSA modulus shorter than 2048 or longer than 8192 bits, or an exponent that is even or
    /// too small.
    OutOfRange,
    /// Made by a generator whose keys can be broken (CVE-2017-15361).
    Weak,
    /// Not a key: wrong length, not on the curve, undecodable.
    Malformed,
}

impl fmt::Display for KeyRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnsupportedAlgorithm => "the cryptography backend does not support the algorithm",
            Self::WrongKind => "the algorithm is for another kind of key",
            Self::OutOfRange => "the key is too small, too large or has an unusable exponent",
            Self::Weak => "the key was made by a generator whose keys can be broken",
            Self::Malformed => "the key is malformed",
        })
    }
}

impl core::error::Error for KeyRejected {}
