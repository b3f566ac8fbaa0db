//! Content encryption (RFC 7518 section 5).

use alloc::vec::Vec;

use subtle::ConstantTimeEq as _;

use super::ContentEncryption;
use crate::{
    crypto::{Hash, Verifier},
    secret::SecretBytes,
};

/// The length of a block of AES.
const BLOCK: usize = 16;

impl ContentEncryption {
    /// Whether the parts have the lengths of the algorithm.
    // REQ-JWE-11d, REQ-JWE-12
    pub(super) fn fits(self, iv: &[u8], ciphertext: &[u8], tag: &[u8]) -> bool {
        match self {
            Self::A128Gcm | Self::A256Gcm => iv.len() == 12 && tag.len() == 16,
            Self::A128CbcHs256 | Self::A256CbcHs512 => {
                // Half of the output of HMAC. The padding makes at least one block.
                let whole = !ciphertext.is_empty() && ciphertext.len().is_multiple_of(BLOCK);
                iv.len() == BLOCK && tag.len() == self.hash().length() / 2 && whole
            }
        }
    }

    /// The hash function of the MAC.
    const fn hash(self) -> Hash {
        match self {
            Self::A256CbcHs512 => Hash::Sha512,
            Self::A128CbcHs256 | Self::A128Gcm | Self::A256Gcm => Hash::Sha256,
        }
    }

    /// Verifies the tag, then decrypts.
    pub(super) fn open(
        self,
        key: &[u8],
        aad: &[u8],
        iv: &[u8],
        ciphertext: Vec<u8>,
        tag: &[u8],
        verifier: &dyn Verifier,
    ) -> Option<SecretBytes> {
        let decrypter = verifier.decrypter()?;
        // Wiped from here on, also if decryption fails halfway.
        let mut data = SecretBytes::new(ciphertext);
        match self {
            Self::A128Gcm | Self::A256Gcm => {
                let (nonce, tag) = (iv.try_into().ok()?, tag.try_into().ok()?);
                decrypter.open_gcm(key, nonce, aad, data.expose_mut(), tag).ok()?;
            }
            Self::A128CbcHs256 | Self::A256CbcHs512 => {
                // REQ-JWE-11a
                let (mac_key, key) = key.split_at_checked(self.key_length() / 2)?;
                if !self.is_authentic(mac_key, aad, iv, data.expose(), tag, verifier) {
                    return None;
                }
                decrypter.decrypt_cbc(key, iv.try_into().ok()?, data.expose_mut()).ok()?;
                let length = unpadded(data.expose())?;
                data.truncate(length);
            }
        }
        Some(data)
    }

    /// Whether the tag is the first half of the MAC over the header, the IV, the ciphertext and
    /// the length of the header in bits.
    // REQ-JWE-11b, REQ-JWE-11c
    fn is_authentic(
        self,
        mac_key: &[u8],
        aad: &[u8],
        iv: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
        verifier: &dyn Verifier,
    ) -> bool {
        let bits = u64::try_from(aad.len()).unwrap_or(u64::MAX).saturating_mul(8);
        let input = [aad, iv, ciphertext, &bits.to_be_bytes()].concat();
        let mac = verifier.hmac(self.hash(), mac_key, &input);
        mac.is_of(self.hash()) && bool::from(mac.left_half().ct_eq(tag))
    }
}

/// Returns the length without the padding of PKCS #7.
// The tag was verified before, so an attacker learns nothing here.
fn unpadded(data: &[u8]) -> Option<usize> {
    let padding = *data.last()?;
    let length = data.len().checked_sub(usize::from(padding))?;
    let is_padding = data.get(length..)?.iter().all(|octet| *octet == padding);
    ((1..=BLOCK).contains(&usize::from(padding)) && is_padding).then_some(length)
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::crypto::RustCrypto;

    /// REQ-JWE-11a
    /// REQ-JWE-11b
    /// REQ-JWE-11c
    #[test]
    fn padding_is_looked_at_only_under_the_right_tag() {
        let content = ContentEncryption::A128CbcHs256;
        let key: [u8; 32] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        let iv = [1_u8; 16];
        let (mac_key, aes_key) = key.split_at(16);
        let open = |ciphertext: &[u8], tag: &[u8], key: &[u8]| {
            content.open(key, b"aad", &iv, ciphertext.into(), tag, &RustCrypto)
        };
        let tag = |ciphertext: &[u8]| {
            let input = [b"aad", &iv[..], ciphertext, &24_u64.to_be_bytes()].concat();
            RustCrypto.hmac(Hash::Sha256, mac_key, &input).left_half().to_vec()
        };
        // About one block in 256 decrypts to something that ends in valid padding.
        let mut good = 0;
        for number in 0..2048_u32 {
            let mut block = [0; 16];
            block[..4].copy_from_slice(&number.to_be_bytes());
            let mut plain = block;
            RustCrypto.decrypter().unwrap().decrypt_cbc(aes_key, &iv, &mut plain).unwrap();
            let padding = usize::from(plain[15]);
            let is_good = (1..=16).contains(&padding)
                && plain[16 - padding..].iter().all(|octet| usize::from(*octet) == padding);
            let opened = open(&block, &tag(&block), &key);
            assert_eq!(opened.is_some(), is_good, "{plain:?}");
            if let Some(opened) = opened {
                good += 1;
                assert_eq!(opened.expose(), &plain[..16 - padding]);
                let mut wrong = tag(&block);
                wrong[15] ^= 1;
                assert!(open(&block, &wrong, &key).is_none(), "another tag");
                assert!(open(&block, &wrong[..15], &key).is_none(), "a shorter tag");
                let halves = [aes_key, mac_key].concat();
                assert!(open(&block, &tag(&block), &halves).is_none(), "swapped halves");
            }
        }
        assert!(good > 0);
    }
}
