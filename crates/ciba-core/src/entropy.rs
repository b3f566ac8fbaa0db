//! Randomness as a value that is handed in and used up.

use core::fmt;

use zeroize::Zeroize;

use crate::crypto::{Hash, Verifier};

/// Thirty-two bytes from a cryptographically secure generator, good for one call.
///
/// Core has no generator of its own (REQ-SEC-05 is kept by whoever makes these: a generator that
/// fails must end in an error, never in a weaker value). Not `Clone`: the same bytes twice would
/// repeat a `jti`.
pub struct Entropy([u8; 32]);

/// What a piece of expanded entropy is for; two purposes never share bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The `jti` of a signed thing (REQ-AUTH-12).
    Jti,
    /// The `jti` of a signed authentication request, never that of an assertion (REQ-SIGN-18).
    RequestJti,
    /// Delay added to a wait; only ever positive (REQ-POLL-05).
    Jitter,
    /// The serial that ties answers to their flow.
    Serial,
    /// The part of the notification token by which its flow is found.
    NotificationKey,
    /// The part of the notification token that proves it (REQ-FAPI-28).
    NotificationSecret,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Jti => b"ciba jti",
            Self::RequestJti => b"ciba request jti",
            Self::Jitter => b"ciba jitter",
            Self::Serial => b"ciba serial",
            Self::NotificationKey => b"ciba notification key",
            Self::NotificationSecret => b"ciba notification secret",
        }
    }
}

impl Entropy {
    /// Takes bytes from a secure generator, for example `getrandom`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Gives the bytes to a signer that needs them as the seed of one operation (for blinding, or a
    /// hedged nonce).
    #[must_use]
    pub fn into_bytes(self) -> [u8; 32] {
        self.0
    }

    /// One purpose's share: HKDF-SHA-256 (RFC 5869) with these bytes as input key and the purpose
    /// as info.
    pub(crate) fn expand(&self, verifier: &dyn Verifier, purpose: Purpose) -> [u8; 32] {
        let extracted = verifier.hmac(Hash::Sha256, &[0; 32], &self.0);
        let mut info = [0_u8; 32];
        let label = purpose.label();
        let mut length = 0;
        for (slot, byte) in info.iter_mut().zip(label.iter().chain(&[1_u8])) {
            *slot = *byte;
            length += 1;
        }
        let expanded = verifier.hmac(
            Hash::Sha256,
            extracted.as_bytes(),
            info.get(..length).unwrap_or_default(),
        );
        let mut out = [0; 32];
        for (slot, byte) in out.iter_mut().zip(expanded.as_bytes()) {
            *slot = *byte;
        }
        out
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
