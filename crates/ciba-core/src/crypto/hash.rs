//! Hash functions and digests.

use core::fmt;

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

    /// Returns the first `N` bytes. Missing bytes are zero.
    pub(crate) fn first<const N: usize>(&self) -> [u8; N] {
        // Never short: a backend with shorter output is rejected when a configuration is built.
        core::array::from_fn(|at| self.as_bytes().get(at).copied().unwrap_or_default())
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
