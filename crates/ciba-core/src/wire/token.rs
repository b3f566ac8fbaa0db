//! The answer of the token endpoint (CIBA 10.1.1, 11; RFC 6749 5).

use alloc::{boxed::Box, string::String};
use core::time::Duration;

use crate::{
    error::Misbehaviour,
    secret::{AccessToken, AuthReqId, CompactIdToken, RefreshToken},
    time::Timestamp,
    wire::{Members, Response, ServerAnswer, form::Form},
};

/// The CIBA grant type (CIBA 10.1).
pub(crate) const GRANT_TYPE: &str = "urn:openid:params:grant-type:ciba";

/// Tokens as received: nothing in here has been verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedTokens {
    pub(crate) access_token: AccessToken,
    pub(crate) token_type: String,
    /// `None` only under the plain-OAuth policy (ruling 5).
    pub(crate) id_token: Option<CompactIdToken>,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// Lifetime of the access token; `None` when absent or senseless (ruling 2).
    pub(crate) expires_in: Option<Duration>,
    pub(crate) scope: Option<String>,
    pub(crate) extra: Members,
}

/// What an answer of the token endpoint means.
#[derive(Debug)]
pub(crate) enum TokenReply {
    Tokens(Box<ReceivedTokens>),
    /// `authorization_pending` (REQ-TOK-14).
    Pending(Pacing),
    /// `slow_down` (REQ-TOK-15).
    SlowDown(Pacing),
    /// 429 or 5xx that is not a terminal OAuth error (REQ-TOK-28, REQ-TOK-30).
    Busy {
        status: u16,
        retry_after: Option<Duration>,
    },
    /// Any terminal OAuth error; the flow decides by its code.
    Error(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

/// What a pending answer asks of the spacing; it only lengthens (DV-09).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pacing {
    /// The provider's text, control characters removed.
    pub(crate) progress: Option<String>,
    /// An `interval` member in the error object.
    pub(crate) interval: Option<Duration>,
    pub(crate) retry_after: Option<Duration>,
}

/// The rules of the configuration that reading a token response depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRules {
    /// `openid` was asked for, so an ID Token must be there.
    pub(crate) id_token_required: bool,
    /// Absent `token_type` counts as Bearer (ruling 15).
    pub(crate) assume_bearer: bool,
}

/// The body of a token request, credentials aside (CIBA 10.1, REQ-POLL-01).
pub(crate) fn request(auth_req_id: &AuthReqId) -> Form {
    let mut form = Form::default();
    form.push("grant_type", GRANT_TYPE);
    form.push("auth_req_id", auth_req_id.expose());
    form
}

pub(crate) fn process(response: &Response, rules: TokenRules, now: Timestamp) -> TokenReply {
    let _ = (response, rules, now);
    todo!()
}
