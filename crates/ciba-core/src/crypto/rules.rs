//! Which public keys are good enough, the same for every backend.

use super::{Curve, KeyRejected, OwnedPublicKey};

/// Whether an RSA key may be used (REQ-JWKS-13).
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
pub(super) fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyRejected> {
    match (is_in_range(n, e), has_roca_print(n)) {
        (false, _) => Err(KeyRejected::OutOfRange),
        (true, true) => Err(KeyRejected::Weak),
        (true, false) => Ok(()),
    }
}

/// Odd RSA moduli of 2048 to 8192 bits with an odd exponent of at least 3 (REQ-JWKS-13, ruling 4).
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
fn is_in_range(n: &[u8], e: &[u8]) -> bool {
    let leading = n.first().map_or(8, |byte| byte.leading_zeros());
    let bits = n.len().saturating_mul(8).saturating_sub(usize::try_from(leading).unwrap_or(8));
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    let is_one = e.iter().rev().skip(1).all(|byte| *byte == 0) && e.last() == Some(&1);
    (2048..=8192).contains(&bits) && is_odd(n) && is_odd(e) && !is_one && e.len() <= 5
}

/// Whether a modulus carries the print of the generator behind CVE-2017-15361 (ROCA), whose keys can be factored: modulo
/// each of these primes it is a power of 65537. A good modulus passes for one by a chance of about 2^-27.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
#[expect(clippy::arithmetic_side_effects, reason = "every number is below 2^32")]
fn has_roca_print(n: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.into_iter().all(|prime| {
        let rest = n.iter().fold(0, |rest, octet| (rest * 256 + u32::from(*octet)) % prime);
        let powers = core::iter::successors(Some(1), |power| Some(power * (65_537 % prime) % prime));
        let mut cycle = core::iter::once(1).chain(powers.skip(1).take_while(|power| *power != 1));
        cycle.any(|power| power == rest)
    })
}

/// Splits an uncompressed SEC1 point into its coordinates.
pub(super) fn coordinates(curve: Curve, point: &[u8]) -> OwnedPublicKey {
    let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(curve.width()).unwrap_or_default();
    OwnedPublicKey::Ec { curve, x: x.to_vec(), y: y.to_vec() }
}

/// Every encoding of an Ed25519 point whose order divides the cofactor, the sign bit of the last octet cleared. Under such
/// a key one signature fits many messages.
const SMALL_ORDER: [[u8; 32]; 7] = {
    const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut point = [middle; 32];
        point[0] = first;
        point[31] = last;
        point
    }
    [
        filled(0x00, 0x00, 0x00),
        filled(0x01, 0x00, 0x00),
        filled(0xec, 0xff, 0x7f),
        filled(0xed, 0xff, 0x7f),
        filled(0xee, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
            0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
            0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
};

/// Whether 32 octets are an Ed25519 public key that may be used (REQ-JWKS-14).
pub(super) fn ed25519_point(x: &[u8]) -> Result<&[u8; 32], KeyRejected> {
    let x: &[u8; 32] = x.try_into().map_err(|_| KeyRejected::Malformed)?;
    let mut unsigned = *x;
    let [.., last] = &mut unsigned;
    *last &= 0x7f;
    if SMALL_ORDER.contains(&unsigned) { Err(KeyRejected::Malformed) } else { Ok(x) }
}
