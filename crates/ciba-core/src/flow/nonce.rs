//! The DPoP nonce of the authorization server (RFC 9449 section 8).

use alloc::{borrow::Cow, boxed::Box};

use serde::{Deserialize, Serialize};

use super::context::Context;
use crate::{
    ask::Answer,
    client::ClientConfig,
    dpop::ServerNonce,
    endpoint::Endpoint,
    error::Failure,
    fault::Fault,
    saved::SavedAcknowledgement,
    wire::{DpopNonce, Misbehaviour, Response, ServerAnswer, authorize::Acknowledgement},
};

/// What the provider said that does not depend on the phase.
// In one allocation of its own, because every waiting flow has it.
#[derive(Default)]
pub(super) struct Received {
    pub(super) acknowledgement: Option<Acknowledgement>,
    /// The newest DPoP nonce of the authorization server.
    pub(super) nonce: Option<ServerNonce>,
}

impl Received {
    pub(super) fn restored(
        acknowledgement: Option<SavedAcknowledgement<'_>>,
        nonce: Option<SavedNonce<'_>>,
    ) -> Option<Box<Self>> {
        let acknowledgement = acknowledgement.map(SavedAcknowledgement::load);
        let nonce = nonce.and_then(|nonce| nonce.load());
        let is_empty = acknowledgement.is_none() && nonce.is_none();
        (!is_empty).then(|| Box::new(Self { acknowledgement, nonce }))
    }
}

/// Returns the nonce that a response provides, whatever its status is.
// REQ-POP-08
pub(super) fn provided(answer: &Answer, config: &ClientConfig) -> Option<ServerNonce> {
    let Answer::Response(endpoint, response) = answer else { return None };
    config.proof_rules(Endpoint::Token)?;
    let nonce = DpopNonce::of(&response.headers)?;
    Some(ServerNonce { endpoint: *endpoint, nonce })
}

/// Decides whether a request that was refused with `use_dpop_nonce` is repeated with the nonce of
/// that response, which is done once.
// REQ-TOK-26, REQ-POP-08, REQ-POP-10
pub(super) fn may_repeat(
    answer: Box<ServerAnswer>,
    response: &Response,
    endpoint: Endpoint,
    has_new_nonce: bool,
    context: &Context<'_>,
) -> Result<(), Failure> {
    if context.config.proof_rules(endpoint).is_none() {
        // The request had no proof that could contain a nonce.
        return Err(Failure::Refused(answer));
    }
    let fault = match (DpopNonce::of(&response.headers), has_new_nonce) {
        (Some(_), false) => return Ok(()),
        (Some(_), true) => Fault::NonceRefused,
        (None, _) => Fault::NonceMissing,
    };
    Err(Failure::ProviderMisbehaved(Misbehaviour { fault, endpoint, answer: Some(answer) }))
}

/// The form of a [`ServerNonce`] in a snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedNonce<'a> {
    endpoint: Cow<'a, str>,
    nonce: Cow<'a, str>,
}

impl<'a> SavedNonce<'a> {
    pub(super) fn save(received: Option<&'a Received>) -> Option<Self> {
        let ServerNonce { endpoint, nonce } = received?.nonce.as_ref()?;
        Some(Self { endpoint: endpoint.name().into(), nonce: nonce.as_str().into() })
    }

    /// Returns nothing if the snapshot was modified. The server then provides a new nonce.
    fn load(&self) -> Option<ServerNonce> {
        Some(ServerNonce {
            endpoint: Endpoint::from_name(&self.endpoint)?,
            nonce: DpopNonce::new(&self.nonce)?,
        })
    }
}
