//! The rules for public keys that all backends share.

#[cfg(feature = "rustcrypto")]
use alloc::vec::Vec;

#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
use super::PrivateKey;
use super::{KeyRejected, OwnedPublicKey};
use crate::jose::Curve;
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
use crate::jose::der;

/// Returns the PKCS#1 document of a private RSA key.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
pub(super) fn rsa_document(key: PrivateKey<'_>) -> Result<&[u8], KeyRejected> {
    match key {
        PrivateKey::Pkcs8(document) => der::read_rsa_pkcs8(document).ok_or(KeyRejected::WrongKind),
        PrivateKey::Pkcs1(document) => Ok(document),
        PrivateKey::Ec { .. } | PrivateKey::Ed25519(_) | PrivateKey::X25519(_) => {
            Err(KeyRejected::WrongKind)
        }
    }
}

/// Returns the PKCS#1 document of a private RSA key that may be used, and its public key.
#[cfg(feature = "aws-lc-rs")]
pub(super) fn rsa_private(key: PrivateKey<'_>) -> Result<(&[u8], OwnedPublicKey), KeyRejected> {
    let document = rsa_document(key)?;
    // The rules are applied to the public numbers before the backend sees the document.
    let [n, e, ..] = der::read_rsa_private_key(document).ok_or(KeyRejected::WrongKind)?;
    check_rsa(n, e)?;
    Ok((document, OwnedPublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }))
}

/// Checks whether an RSA key may be used.
// REQ-JWKS-13
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
pub(super) fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyRejected> {
    match (is_in_range(n, e), has_roca_print(n)) {
        (false, _) => Err(KeyRejected::OutOfRange),
        (true, true) => Err(KeyRejected::Weak),
        (true, false) => Ok(()),
    }
}

/// Whether a modulus is odd and has 2048 to 8192 bits, and the exponent is odd and at least 3.
// REQ-JWKS-13, ruling 4.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
fn is_in_range(n: &[u8], e: &[u8]) -> bool {
    let bits = super::bit_length(n);
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    // With an exponent of one every message is its own signature.
    let is_one = e.iter().rev().skip(1).all(|byte| *byte == 0) && e.last() == Some(&1);
    (2048..=8192).contains(&bits) && is_odd(n) && is_odd(e) && !is_one && e.len() <= 5
}

/// Whether a modulus has the fingerprint of the key generator of CVE-2017-15361 (ROCA), whose keys
/// can be factored: modulo each of these primes it is a power of 65537. The probability that a sound
/// modulus has it is about 2^-27.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
#[expect(clippy::arithmetic_side_effects, reason = "every number is below 2^32")]
fn has_roca_print(n: &[u8]) -> bool {
    // The primes of the published fingerprint test.
    const PRIMES: [u32; 17] =
        [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.into_iter().all(|prime| {
        let rest = n.iter().fold(0, |rest, octet| (rest * 256 + u32::from(*octet)) % prime);
        let powers =
            core::iter::successors(Some(1), |power| Some(power * (65_537 % prime) % prime));
        let mut cycle = core::iter::once(1).chain(powers.skip(1).take_while(|power| *power != 1));
        cycle.any(|power| power == rest)
    })
}

/// Splits an uncompressed SEC1 point into its coordinates.
pub(super) fn coordinates(curve: Curve, point: &[u8]) -> OwnedPublicKey {
    let (x, y) =
        point.get(1..).unwrap_or_default().split_at_checked(curve.width()).unwrap_or_default();
    OwnedPublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() }
}

/// Encodes a point in uncompressed SEC1 form. The coordinates must have full width.
// REQ-JWKS-14
#[cfg(feature = "rustcrypto")]
pub(super) fn uncompressed(curve: Curve, x: &[u8], y: &[u8]) -> Result<Vec<u8>, KeyRejected> {
    if x.len() != curve.width() || y.len() != curve.width() {
        return Err(KeyRejected::Malformed);
    }
    let mut point = Vec::with_capacity(1 + 2 * curve.width());
    // The tag of an uncompressed point (SEC1 section 2.3.3).
    point.push(4);
    point.extend_from_slice(x);
    point.extend_from_slice(y);
    Ok(point)
}

/// The encodings of the Ed25519 points whose order divides the cofactor, with the sign bit of the
/// last octet cleared.
// Under such a key, one signature is valid for many messages.
const SMALL_ORDER: [[u8; 32]; 5] = {
    let zero = [0; 32];
    let (mut one, mut minus_one) = ([0; 32], [0xff; 32]);
    one[0] = 1;
    minus_one[0] = 0xec;
    minus_one[31] = 0x7f;
    [
        zero,
        one,
        minus_one,
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// Checks whether 32 octets are an acceptable Ed25519 public key: the canonical encoding of a point
/// on the curve (RFC 8032 section 5.1.3) that does not have small order.
// REQ-JWKS-14
pub(super) fn ed25519_point(x: &[u8]) -> Result<&[u8; 32], KeyRejected> {
    let x: &[u8; 32] = x.try_into().map_err(|_| KeyRejected::Malformed)?;
    let mut y = *x;
    let [first, middle @ .., last] = &mut y;
    *last &= 0x7f;
    // Otherwise y is at least p = 2^255 - 19, whose octets are ed, ff, …, ff, 7f.
    let is_canonical = *first < 0xed || *last != 0x7f || middle.iter().any(|octet| *octet != 0xff);
    if is_canonical && !SMALL_ORDER.contains(&y) && edwards25519::has_point(&y) {
        Ok(x)
    } else {
        Err(KeyRejected::Malformed)
    }
}

/// The arithmetic modulo p = 2^255 - 19 that is needed to decide whether a point is on the curve.
// aws-lc-rs finds this out only when it verifies, where it looks like a bad signature. All inputs
// are public, so the code does not run in constant time.
mod edwards25519 {
    /// A number less than 2^256, least significant word first. A residue can have several
    /// representations.
    type Number = [u64; 4];

    const ZERO: Number = [0; 4];
    const ONE: Number = [1, 0, 0, 0];
    /// p - 1.
    const MINUS_ONE: Number = [0xffff_ffff_ffff_ffec, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];
    /// The constant d of the curve equation -x^2 + y^2 = 1 + d x^2 y^2.
    const D: Number = [
        0x75eb_4dca_1359_78a3,
        0x0070_0a4d_4141_d8ab,
        0x8cc7_4079_7779_e898,
        0x5203_6cee_2b6f_fe73,
    ];
    /// The representations of one: 1, 1 + p and 1 + 2p.
    const ONES: [Number; 3] = [
        ONE,
        [0xffff_ffff_ffff_ffee, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff],
        [0xffff_ffff_ffff_ffdb, u64::MAX, u64::MAX, u64::MAX],
    ];

    /// Whether the curve has a point with the given y, which must not be 1 or -1. This is so if
    /// x^2 = (y^2 - 1) / (d y^2 + 1) is a square, which is so exactly if the product of numerator
    /// and denominator is one. By Euler's criterion that is the case if its power to (p - 1) / 2
    /// is 1.
    pub(super) fn has_point(y: &[u8; 32]) -> bool {
        let mut number = ZERO;
        for (word, octets) in number.iter_mut().zip(y.chunks_exact(8)) {
            *word = octets.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet));
        }
        let square = multiply_add(&number, &number, &ZERO);
        let above = multiply_add(&square, &ONE, &MINUS_ONE);
        let below = multiply_add(&square, &D, &ONE);
        let product = multiply_add(&above, &below, &ZERO);
        // (p - 1) / 2 = 2^254 - 10: in binary 250 ones, then 0110.
        let mut power = ONE;
        for bit in 0..254 {
            power = multiply_add(&power, &power, &ZERO);
            if bit < 250 || bit == 251 || bit == 252 {
                power = multiply_add(&power, &product, &ZERO);
            }
        }
        ONES.contains(&power)
    }

    /// Computes a b + c.
    fn multiply_add(a: &Number, b: &Number, c: &Number) -> Number {
        let mut wide = [0; 8];
        wide.iter_mut().zip(c).for_each(|(word, c)| *word = *c);
        for (place, a) in a.iter().enumerate() {
            let mut carry = 0;
            for (word, b) in wide.iter_mut().skip(place).zip(b.iter().chain(&[0])) {
                carry = put(word, u128::from(*a) * u128::from(*b) + carry);
            }
        }
        // 2^256 is congruent to 38 modulo p.
        let (low, high) = wide.split_at(4);
        let mut number = ZERO;
        let mut carry = 0;
        for ((word, low), high) in number.iter_mut().zip(low).zip(high) {
            *word = *low;
            carry = put(word, 38 * u128::from(*high) + carry);
        }
        while carry != 0 {
            carry *= 38;
            for word in &mut number {
                carry = put(word, carry);
            }
        }
        number
    }

    /// Adds to a word and returns the carry.
    fn put(word: &mut u64, more: u128) -> u128 {
        let sum = u128::from(*word) + more;
        *word = u64::try_from(sum & u128::from(u64::MAX)).unwrap_or_default();
        sum >> 64
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn independent(x: &[u8; 32]) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(x).is_ok_and(|key| !key.is_weak())
    }

    #[test]
    fn among_canonical_points_only_those_of_small_order_are_refused() {
        for mut x in SMALL_ORDER {
            for _ in 0..2 {
                assert!(ed25519_point(&x).is_err());
                assert!(!independent(&x));
                x[31] ^= 0x80;
            }
        }
        for last in [0, 0x55, 0x7f, 0x80, 0xff] {
            for first in 0..=255 {
                let mut x = [0; 32];
                (x[0], x[31]) = (first, last);
                assert_eq!(ed25519_point(&x).is_ok(), independent(&x), "{x:?}");
            }
        }
    }

    proptest! {
        /// REQ-JWKS-14b
        #[test]
        fn an_independent_decoder_agrees_which_points_are_on_the_curve(x: [u8; 32]) {
            prop_assert_eq!(ed25519_point(&x).is_ok(), independent(&x));
        }
    }
}
