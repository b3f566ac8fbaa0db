//! The state of a flow as bytes. What is in them is in `flow::snapshot`.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize as _;

/// A saved flow: versioned JSON. It holds secrets (the hint, the `auth_req_id`, perhaps tokens):
/// keep it sealed, and bound to the id you know the flow by. Wiped on drop.
#[derive(Clone)]
pub struct Snapshot {
    bytes: Vec<u8>,
    revision: u64,
    holds_tokens: bool,
}

impl Snapshot {
    pub(crate) const fn new(bytes: Vec<u8>, revision: u64, holds_tokens: bool) -> Self {
        Self { bytes, revision, holds_tokens }
    }

    /// The bytes to save.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The flow's [revision](crate::Flow::revision) when the snapshot was taken.
    ///
    /// A later state of the same flow has a higher revision, also across restarts:
    /// [`Flow::resume`](crate::Flow::resume) continues above every revision that the earlier
    /// process can have reached. Store it with the snapshot, replace a snapshot only by one with a
    /// higher revision, and refuse any other write with an error. A write that was abandoned, for
    /// example because its future was dropped or its process died, may still reach the store after
    /// a newer one and must not replace it.
    ///
    /// This orders the writes of one process after another. It is no lock: see to it that no two
    /// processes continue the same flow at the same time.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns `true` if the flow holds tokens that are not verified yet. A provider gives them
    /// once, so do not delete the snapshot when you stop waiting: the flow can be resumed from it.
    #[must_use]
    pub const fn holds_tokens(&self) -> bool {
        self.holds_tokens
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} bytes, revision {})", self.bytes.len(), self.revision)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}
