//! A flow at rest: what was received and when, never a verdict.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use zeroize::Zeroize as _;

use super::Flow;
use crate::{client::ClientConfig, time::Timestamp};

/// A saved flow: versioned JSON. It holds secrets (the hint, the `auth_req_id`, perhaps tokens): keep it sealed, and bound to
/// the id you know the flow by. Wiped on drop.
#[derive(Clone)]
pub struct Snapshot(Vec<u8>);

impl Snapshot {
    /// The bytes to save.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} bytes)", self.0.len())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why a snapshot cannot be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResumeError {
    /// Not a snapshot, or a damaged one.
    Malformed,
    /// Of a version this release does not read.
    UnknownVersion,
    /// Of another issuer or another client.
    AnotherClient,
    /// The request had a user code and had not been sent; user codes are never saved (ruling 16).
    UserCodeGone,
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the snapshot is damaged",
            Self::UnknownVersion => "the snapshot was made by another version",
            Self::AnotherClient => "the snapshot belongs to another issuer or client",
            Self::UserCodeGone => "the request had a user code, which is not saved; start a new flow",
        })
    }
}

impl core::error::Error for ResumeError {}

impl Flow {
    /// The state to save: after `poll` returned an effect and before doing it, whenever [`Self::revision`] changed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// Goes on with a saved flow, on this or any other machine. What was in flight counts as lost.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; nothing is half resumed.
    pub fn resume(config: Arc<ClientConfig>, snapshot: &[u8], now: Timestamp) -> Result<Self, ResumeError> {
        let _ = (config, snapshot, now);
        todo!()
    }
}
