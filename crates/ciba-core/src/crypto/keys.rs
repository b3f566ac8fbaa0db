//! The numbers of keys, and the reasons for which a key is rejected.

use alloc::vec::Vec;
use core::fmt;

use crate::jose::Curve;

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
    /// An X25519 key ([RFC 8037 section 2]), which only decrypts: the 32 octets of the u
    /// coordinate.
    ///
    /// [RFC 8037 section 2]: https://www.rfc-editor.org/rfc/rfc8037#section-2
    X25519 {
        /// The encoded u coordinate.
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
    /// An X25519 key.
    X25519 {
        /// The encoded u coordinate.
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
            Self::X25519 { x } => PublicKey::X25519 { x },
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
    /// The 32 octets of an X25519 private key.
    X25519(&'a [u8]),
}

impl fmt::Debug for PrivateKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

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
