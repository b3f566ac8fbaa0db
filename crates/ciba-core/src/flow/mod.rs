//! One authentication, from the request to the evidence.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    ask::{Input, Output},
    authentication::Authentication,
    client::ClientConfig,
    entropy::Entropy,
    error::{Failure, Misuse},
    request::{AuthRequest, RequestError},
    time::Timestamp,
    wire::authorize::Acknowledged,
};

/// One authentication of one person: the machine.
pub struct Flow {
    config: Arc<ClientConfig>,
}

/// Where a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The authentication request has not been acknowledged.
    Authorizing,
    /// Acknowledged; waiting for the person.
    Pending,
    /// A token request is being made.
    Redeeming,
    /// Tokens are here and are being verified.
    Verifying,
    /// Over.
    Settled,
}

impl Flow {
    /// Begins a flow; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when the request cannot be sent to this provider by this client.
    pub fn start(
        config: Arc<ClientConfig>,
        request: AuthRequest,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Self, RequestError> {
        let _ = (request, entropy, now);
        let _ = &config;
        todo!()
    }

    /// Goes on with a saved flow.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] when the snapshot is not of this configuration, or not one at all.
    pub fn resume(config: Arc<ClientConfig>, snapshot: &[u8], now: Timestamp) -> Result<Self, ResumeError> {
        let _ = (&config, snapshot, now);
        todo!()
    }

    /// What to do next. Never fails; while an output is open it says to wait.
    pub fn poll(&mut self, now: Timestamp, entropy: Entropy) -> Output {
        let _ = (now, entropy);
        todo!()
    }

    /// Takes the answer to an output.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the input does not belong here; it comes back and nothing changed.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        let _ = (input, now);
        todo!()
    }

    /// Gives up: no further request is made. The prompt stays on the person's device, CIBA has no way to take it back.
    pub fn cancel(&mut self, now: Timestamp) {
        let _ = now;
        todo!()
    }

    /// The result. A flow that is not over counts as abandoned.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        todo!()
    }

    /// The state to save: after `poll` returned an effect and before doing it, whenever [`Self::revision`] changed.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }

    /// Changes only when something worth saving changed.
    #[must_use]
    pub fn revision(&self) -> u64 {
        todo!()
    }

    /// Where the flow is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        todo!()
    }

    /// When [`Self::poll`] has something to do next; `None` when that is now, or never again.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        todo!()
    }

    /// The acknowledgement, once there is one.
    #[must_use]
    pub fn acknowledged(&self) -> Option<&Acknowledged> {
        todo!()
    }

    /// The configuration it was started with.
    #[must_use]
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("stage", &self.stage()).finish_non_exhaustive()
    }
}

/// A saved flow: JSON, versioned. It holds secrets (hint, `auth_req_id`, perhaps tokens): keep it sealed.
#[derive(Clone)]
pub struct Snapshot(Vec<u8>);

impl Snapshot {
    /// The bytes to save.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
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
