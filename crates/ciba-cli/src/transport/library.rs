//! What the command asks of an HTTP library.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use ciba_core::{
    Authentication, ClientConfig, Discovery, Failure, Flow, ProviderMetadata, Stage,
    http::{Body, Headers, Request, Response, Unanswered},
    notification::{BadNotification, NotificationReply, NotificationVerdict},
    tokens::{UserInfo, UserInfoRequest},
};
use ciba_std::{CallError, DriveError};

use crate::{signer::KeyRing, watcher::Watcher};

/// An HTTP client, the driver that works with it, and the inbox of the one flow it drives.
#[async_trait]
pub(crate) trait HttpLibrary: Send + Sync {
    /// Fetches the provider's metadata.
    async fn discover(&self, discovery: Discovery) -> Result<ProviderMetadata, Failure>;

    /// Sends one request outside of a flow.
    async fn exchange(
        &self,
        request: Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered>;

    /// Drives a flow until it is over or [`Watcher::stop`] was called.
    async fn drive(&self, drive: Drive) -> Result<Driven, Halted>;

    /// Fetches the claims about a person, with the driver of the flow that authenticated them.
    async fn userinfo(&self, request: UserInfoRequest) -> Result<UserInfo, CallError>;

    /// Looks at a call of the notification endpoint before its body is read. `Err` is the answer to
    /// a call that is refused whatever its body says.
    fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply>;

    /// Takes a call of the notification endpoint.
    async fn acknowledge(
        &self,
        method: &str,
        headers: Headers,
        body: Body,
    ) -> Result<NotificationVerdict, BadNotification>;
}

/// A flow to drive, and what the driver needs for it.
pub(crate) struct Drive {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) keys: KeyRing,
    pub(crate) flow: Flow,
    pub(crate) watcher: Watcher,
    /// A notification endpoint is open.
    pub(crate) is_notified: bool,
}

/// A flow that was driven, until it was over or the drive was stopped.
pub(crate) struct Driven {
    pub(crate) is_over: bool,
    /// It ended because the provider's keys could not be fetched, with tokens that can be verified
    /// later.
    pub(crate) keeps_tokens: bool,
    pub(crate) outcome: Result<Box<Authentication>, Failure>,
}

impl Driven {
    pub(super) fn new(
        stage: Stage,
        keeps_tokens: bool,
        outcome: Result<Box<Authentication>, Failure>,
    ) -> Self {
        Self { is_over: stage == Stage::Settled, keeps_tokens, outcome }
    }
}

/// Why a flow was not driven to its end.
#[derive(Debug)]
pub(crate) enum Halted {
    /// The state file could not be written while the authentication request might still leave.
    Save(io::Error),
    /// Something that should not happen.
    Broken(String),
}

impl From<DriveError> for Halted {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Save(error) => Self::Save(error),
            other => Self::Broken(other.to_string()),
        }
    }
}
