//! The key derivation of ECDH-ES (RFC 7518 section 4.6.2).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{
    crypto::{Hash, Verifier},
    secret::SecretBytes,
};

/// Derives a key of at most 64 octets from a shared secret: the Concat KDF with SHA-256.
///
/// `name` is the algorithm that uses the key, `parties` are `apu` and `apv`. Returns `None` if a
/// length does not fit 32 bits.
// REQ-JWE-09
pub(super) fn concat_kdf(
    secret: &[u8],
    name: &str,
    parties: [&[u8]; 2],
    length: usize,
    verifier: &dyn Verifier,
) -> Option<SecretBytes> {
    let counted = |length: usize| u32::try_from(length).ok().map(u32::to_be_bytes);
    let bits = counted(length.checked_mul(8)?)?;
    let [party_u, party_v] = parties;
    // The full capacity at once: a reallocation would leave a copy of the secret behind.
    let capacity = secret.len().checked_add(name.len())?.checked_add(party_u.len())?;
    let mut input =
        Zeroizing::new(Vec::with_capacity(capacity.checked_add(party_v.len())?.checked_add(20)?));
    input.extend_from_slice(&[0; 4]);
    input.extend_from_slice(secret);
    for part in [name.as_bytes(), party_u, party_v] {
        input.extend_from_slice(&counted(part.len())?);
        input.extend_from_slice(part);
    }
    input.extend_from_slice(&bits);
    let mut key = Zeroizing::new(Vec::with_capacity(64));
    // Two rounds at most, for the 64 octets of A256CBC-HS512.
    for round in 1..=2_u32 {
        if key.len() < length {
            input.get_mut(..4)?.copy_from_slice(&round.to_be_bytes());
            let digest = verifier.digest(Hash::Sha256, &input);
            if !digest.is_of(Hash::Sha256) {
                return None;
            }
            key.extend_from_slice(digest.as_bytes());
        }
    }
    key.get(..length).map(SecretBytes::new)
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::{crypto::RustCrypto, jose::base64url};

    /// REQ-JWE-09a
    /// REQ-JWE-09b
    /// REQ-JWE-09c
    /// REQ-JWE-09d
    /// REQ-JWE-09e
    /// REQ-JWE-09f
    #[test]
    fn the_keys_of_appendix_b_6_are_derived() {
        let secret = [
            0x9e, 0x56, 0xd9, 0x1d, 0x81, 0x71, 0x35, 0xd3, 0x72, 0x83, 0x42, 0x83, 0xbf, 0x84,
            0x26, 0x9c, 0xfb, 0x31, 0x6e, 0xa3, 0xda, 0x80, 0x6a, 0x48, 0xf6, 0xda, 0xa7, 0x79,
            0x8c, 0xfe, 0x90, 0xc4,
        ];
        let both: [&[u8]; 2] = [b"Alice", b"Bob"];
        for (name, parties, length, expected) in [
            ("A128GCM", both, 16, "VqqN6vgjbSBcIijNcacQGg"),
            ("A128CBC-HS256", both, 32, "pFbcswReTQoJg4PpP0Jaue8uwkpyajoYE7Pb-cbRzcM"),
            (
                "A256CBC-HS512",
                both,
                64,
                "OYaqefY5ZCDlgOXTiQ9iP-5dRSIweSnrme40JaAB7MF1sXVOP7ZEzoJQNLViUj6aiAa8qNdq-oYem3lRWAMiXQ",
            ),
            ("ECDH-ES+A128KW", [&[], &[]], 16, "vYCTzYEM5pJykuaMrfH9Gw"),
        ] {
            let key = concat_kdf(&secret, name, parties, length, &RustCrypto).unwrap();
            assert_eq!(base64url::encode(key.expose()), expected, "{name}");
        }
    }
}
