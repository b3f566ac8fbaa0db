//! The evidence: a person was authenticated, and every check passed.

use alloc::{boxed::Box, string::String, sync::Arc};

use crate::{client::ClientConfig, id_token::IdToken, secret::AuthReqId, time::Timestamp, wire::token::ReceivedTokens};

/// A completed authentication. It has no constructor and no `Deserialize`: it exists only after verification.
#[derive(Debug)]
pub struct Authentication {
    tokens: ReceivedTokens,
    id_token: Option<IdToken>,
    received_at: Timestamp,
    requested_scope: String,
}

impl Authentication {
    /// The one constructor, called by the flow with the proof in hand: an [`IdToken`], or none under the plain-OAuth policy.
    pub(crate) fn new(
        tokens: ReceivedTokens,
        id_token: Option<IdToken>,
        received_at: Timestamp,
        requested_scope: String,
    ) -> Box<Self> {
        Box::new(Self { tokens, id_token, received_at, requested_scope })
    }
}

#[allow(dead_code)]
fn _placeholder(_: Arc<ClientConfig>, _: AuthReqId) {}
