//! The serialized state of a flow, whose contents are defined in `flow::snapshot`, and the error of
//! resuming it.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize as _;

/// The saved state of a flow, as versioned JSON.
///
/// It contains secrets: the hint, the `auth_req_id` and possibly tokens. Encrypt it, and bind it to
/// the id under which you store the flow. It is wiped on drop.
#[derive(Clone)]
pub struct Snapshot {
    bytes: Vec<u8>,
    revision: u64,
    origin: Origin,
    may_prompt: bool,
    holds_tokens: bool,
}

/// Where the revisions of a process begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The revision of the state that the process resumed.
    pub(crate) resumed: u64,
    /// The lowest revision of the process.
    pub(crate) first: u64,
}

impl Snapshot {
    pub(crate) const fn new(
        bytes: Vec<u8>,
        revision: u64,
        origin: Origin,
        may_prompt: bool,
        holds_tokens: bool,
    ) -> Self {
        Self { bytes, revision, origin, may_prompt, holds_tokens }
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the [revision](crate::Flow::revision) of the flow when the snapshot was taken.
    ///
    /// Store the revision with the snapshot. A later state of the same flow has a higher revision,
    /// across restarts as well: [`Flow::resume`](crate::Flow::resume) continues above every revision
    /// that an earlier process can have reached, also one that resumed the same snapshot and died
    /// before it could save (unless the clock was set back in between).
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns whether this snapshot may replace the stored one, given its revision, or `None` if
    /// the store has none. Otherwise write nothing and answer that the save is
    /// [superseded](crate::machine::Save::superseded). Read the revision and write the snapshot in
    /// one transaction.
    ///
    /// An abandoned write, for example one whose process died, may still reach the store after a
    /// newer one and must not replace it, so the revision has to be higher. While the authentication
    /// request may still be sent, that is not enough: of two processes that resumed the same state,
    /// the second one to save could then prompt the person again. Such a snapshot replaces only what
    /// its own process wrote, or what that process resumed.
    #[must_use]
    pub fn replaces(&self, stored: Option<u64>) -> bool {
        let Some(stored) = stored else { return true };
        let is_known = stored <= self.origin.resumed || stored >= self.origin.first;
        stored < self.revision && (is_known || !self.may_prompt)
    }

    /// Returns `true` if the flow holds tokens that have not been verified yet.
    ///
    /// A provider delivers tokens only once, so do not delete the snapshot if you stop waiting. The
    /// flow can be resumed from it.
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

/// The reason for which a snapshot cannot be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResumeError {
    /// The bytes are not a snapshot, or a malformed one.
    Malformed,
    /// The format version is not supported.
    UnknownVersion,
    /// The snapshot belongs to another issuer or another client.
    AnotherClient,
    /// The snapshot was made with another delivery mode. Results are accepted only in the mode with
    /// which the flow was started.
    // REQ-META-01
    AnotherDeliveryMode,
    /// The request had a user code and had not been sent. User codes are never saved.
    // Ruling 16.
    UserCodeGone,
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the snapshot is malformed",
            Self::UnknownVersion => "the snapshot has an unknown version",
            Self::AnotherClient => "the snapshot belongs to another issuer or client",
            Self::AnotherDeliveryMode => {
                "the snapshot was made by a client with another delivery mode"
            }
            Self::UserCodeGone => {
                "the request had a user code, which is never saved; start a new flow"
            }
        })
    }
}

impl core::error::Error for ResumeError {}
