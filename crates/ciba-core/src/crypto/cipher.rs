//! AES, as far as decryption needs it.

use core::fmt;

use crate::secret::SecretBytes;

/// AES with keys of 128 and 256 bits, which are 16 and 32 octets long.
pub trait Decrypter {
    /// Unwraps a key with AES Key Wrap ([RFC 3394]).
    ///
    /// # Errors
    ///
    /// Returns [`DecryptionFailed`] if a length is not supported or the integrity check fails.
    ///
    /// [RFC 3394]: https://www.rfc-editor.org/rfc/rfc3394
    fn unwrap_aes(&self, key: &[u8], wrapped: &[u8]) -> Result<SecretBytes, DecryptionFailed>;

    /// Verifies `tag` and decrypts `data` in place with AES-GCM. After an error, the content of
    /// `data` must not be used.
    ///
    /// # Errors
    ///
    /// Returns [`DecryptionFailed`] if a length is not supported or the tag is wrong.
    fn open_gcm(
        &self,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptionFailed>;

    /// Decrypts whole blocks in place with AES-CBC and leaves the padding. Nothing is verified.
    ///
    /// # Errors
    ///
    /// Returns [`DecryptionFailed`] if a length is not supported.
    fn decrypt_cbc(
        &self,
        key: &[u8],
        iv: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), DecryptionFailed>;
}

/// The error of a decryption. It contains no details, because they help an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecryptionFailed;

impl fmt::Display for DecryptionFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cryptography backend could not decrypt")
    }
}

impl core::error::Error for DecryptionFailed {}
