//! The answer of the backchannel authentication endpoint (CIBA 7.3, 13).

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{
    error::Misbehaviour,
    secret::AuthReqId,
    time::Timestamp,
    wire::{Members, Response, ServerAnswer},
};

/// A usable acknowledgement (CIBA 7.3). The `auth_req_id` stays with the flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Lifetime of the request, counted from when it was sent; as clamped to 24 hours.
    pub expires_in: Duration,
    /// The interval in force at the start: 5 s when the provider named none (ruling 1).
    pub interval: Duration,
    /// Members the protocol does not define, as received: Idura's Norwegian `bindingMessage` among them.
    pub extra: Members,
    /// What was odd about it and tolerated.
    pub oddities: Vec<Oddity>,
}

/// Something odd in an acknowledgement that ends no flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Oddity {
    /// `interval` was null, zero, negative, or not a number: 5 s are used.
    IntervalUnusable,
    /// `interval` was a fraction, below one second, a digit string or huge: it was rounded, read or clamped.
    IntervalAdjusted,
    /// `expires_in` was a digit string.
    LifetimeWasText,
    /// `expires_in` was clamped to 24 hours.
    LifetimeClamped,
    /// `auth_req_id` has fewer than 22 characters and so cannot hold 128 bits (REQ-ACK-07).
    ShortAuthReqId,
    /// `auth_req_id` has characters outside the alphabet of CIBA 7.3 (REQ-ACK-05).
    AuthReqIdAlphabet,
}

/// What an answer of the backchannel endpoint means.
#[derive(Debug)]
pub(crate) enum AuthorizeReply {
    Acknowledged(AuthReqId, Acknowledged),
    /// An OAuth error, or 503/429 without one.
    Refused(Box<ServerAnswer>),
    /// Another 5xx without an OAuth error: the person may have been prompted.
    Indeterminate(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

pub(crate) fn process(response: &Response, now: Timestamp) -> AuthorizeReply {
    let _ = (response, now);
    todo!()
}
