//! How both requests of a flow are made: a fresh credential, signed if it has to be, then one transmission.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use super::phase::{Open, Poll, Say, lost_at};
use crate::{
    ask::{Endpoint, KeyOperation, KeyPurpose, Output, Transmit},
    client::ClientConfig,
    client_auth::{self, Applied, Credential},
    elapsed::Moment,
    jose::unsigned::UnsignedJwt,
    url::Url,
    wire::{Request, form::Form},
};

/// How far the making of a request has come.
pub(super) enum Making {
    /// Nothing is made yet, or what was made is stale.
    Fresh,
    /// The assertion is with the holder of the private key.
    Signing { open: Open, signing_input: Vec<u8> },
    /// The credential is complete.
    Authenticated(Applied),
    /// The request left, or may have.
    InFlight { open: Open, sent: Moment },
}

impl Making {
    pub(super) const fn open(&self) -> Option<&Open> {
        match self {
            Self::Signing { open, .. } | Self::InFlight { open, .. } => Some(open),
            Self::Fresh | Self::Authenticated(_) => None,
        }
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self, Self::InFlight { .. })
    }

    /// The signature came.
    pub(super) fn signed(self, signature: &[u8], config: &ClientConfig) -> Self {
        match self {
            Self::Signing { signing_input, .. } => {
                Self::Authenticated(Applied::assertion(signing_input, signature, config))
            }
            other @ (Self::Fresh | Self::Authenticated(_) | Self::InFlight { .. }) => other,
        }
    }
}

/// What a request goes to and within which limits.
pub(super) struct Target<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) url: &'a Url,
    pub(super) attempt: u32,
    pub(super) timeout: Duration,
    pub(super) max_response: usize,
    /// When the wait for the answer ends at the latest, whatever the time-out says.
    pub(super) latest: Moment,
}

/// The first step: a credential that is ready, or an operation for the holder of the key.
pub(super) fn authenticate(poll: &mut Poll<'_>, endpoint: Endpoint) -> (Making, Option<Say>) {
    match client_auth::credential(poll.tick.config, endpoint, poll.entropy, poll.tick.now) {
        Credential::Ready(applied) => (Making::Authenticated(applied), None),
        Credential::Unsigned(UnsignedJwt { signing_input, algorithm, key_id }) => {
            let (ticket, open) = poll.questions.ask(poll.tick.moment.plus(poll.tick.config.policy.local_timeout));
            let operation =
                KeyOperation::sign(signing_input.clone(), algorithm, KeyPurpose::ClientAssertion, key_id, ticket);
            let say = Say::Do { output: Output::Key(operation), save: false };
            (Making::Signing { open, signing_input }, Some(say))
        }
    }
}

/// The second step: the request itself.
pub(super) fn transmit(
    poll: &mut Poll<'_>,
    target: &Target<'_>,
    mut form: Form,
    applied: Applied,
    headers: &[(String, String)],
) -> (Making, Say) {
    for (name, value) in &applied.parameters {
        form.push(name, value);
    }
    let mut request = Request::post_form(target.url.clone(), form.into_body());
    for (name, value) in applied.headers {
        request.headers.push(name, value);
    }
    for (name, value) in headers {
        request.headers.push(name.as_str(), value.as_str());
    }
    let sent = poll.tick.moment;
    let (ticket, open) = poll.questions.ask(lost_at(sent, target.timeout).min(target.latest));
    let transmit = Transmit::new(request, target.endpoint, target.attempt, target.timeout, target.max_response, ticket);
    (Making::InFlight { open, sent }, Say::Do { output: Output::Transmit(transmit), save: true })
}
