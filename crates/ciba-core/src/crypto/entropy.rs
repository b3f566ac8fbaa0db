//! Randomness as a value that is passed in and used once.

use core::fmt;

use zeroize::Zeroize;

use super::{
    hash::{Digest, Hash},
    verify::Verifier,
};

/// 32 bytes from a cryptographically secure generator, for a single call.
///
/// The core has no generator of its own. If your generator fails, return an error instead of weaker
/// bytes. `Entropy` is not `Clone`, because using the same bytes twice would repeat a `jti`.
// REQ-SEC-05
pub struct Entropy([u8; 32]);

/// The purpose of expanded entropy. Different purposes yield independent bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The `jti` of an assertion.
    // REQ-AUTH-12
    Jti,
    /// The `jti` of a signed authentication request, which differs from that of an assertion.
    // REQ-SIGN-18
    RequestJti,
    /// The `jti` of a DPoP proof.
    // REQ-POP-02
    ProofJti,
    /// The delay added to a wait.
    // REQ-POLL-05: it is never negative.
    Jitter,
    /// The serial number that ties answers to their flow.
    Serial,
    /// The part of the notification token that identifies the flow.
    NotificationKey,
    /// The secret part of the notification token.
    // REQ-FAPI-28
    NotificationSecret,
    /// The key that takes the place of a content encryption key that could not be unwrapped.
    // REQ-JWE-16b
    ContentKey,
    /// The blinding of a private-key operation that is not the only use of its entropy.
    Blinding,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Jti => b"ciba jti",
            Self::RequestJti => b"ciba request jti",
            Self::ProofJti => b"ciba proof jti",
            Self::Jitter => b"ciba jitter",
            Self::Serial => b"ciba serial",
            Self::NotificationKey => b"ciba notification key",
            Self::NotificationSecret => b"ciba notification secret",
            Self::ContentKey => b"ciba content key",
            Self::Blinding => b"ciba decryption blinding",
        }
    }
}

impl Entropy {
    /// Creates entropy from the bytes of a secure generator such as `getrandom`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for a signer that needs them as the seed of one operation, for example
    /// for blinding or a hedged nonce.
    #[must_use]
    pub fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Derives the bytes for one purpose: HKDF-Expand with SHA-256 (RFC 5869 section 2.3), with this
    /// entropy as the key and the purpose as info.
    // No HKDF-Extract: RFC 5869 section 3.3 skips it where the input is a uniformly random key
    // already, and it doubles what an assertion costs in hashes.
    pub(crate) fn expand(&self, verifier: &dyn Verifier, purpose: Purpose) -> [u8; 32] {
        self.expanded(verifier, purpose).first()
    }

    fn expanded(&self, verifier: &dyn Verifier, purpose: Purpose) -> Digest {
        let mut info = [0_u8; 32];
        let label = purpose.label();
        let mut length = 0;
        for (slot, byte) in info.iter_mut().zip(label.iter().chain(&[1_u8])) {
            *slot = *byte;
            length += 1;
        }
        verifier.hmac(Hash::Sha256, &self.0, info.get(..length).unwrap_or_default())
    }

    /// Derives a number for one purpose.
    pub(crate) fn number(&self, verifier: &dyn Verifier, purpose: Purpose) -> u64 {
        u64::from_le_bytes(self.expanded(verifier, purpose).first())
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
