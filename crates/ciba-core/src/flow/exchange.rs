//! The preparation of both requests of a flow: what must be signed is signed, one item after the
//! other, and then the request is transmitted.
// Every signed item is made for one attempt only (REQ-AUTH-12, REQ-SIGN-08).

use alloc::{boxed::Box, string::String};
use core::time::Duration;

use super::{
    context::Poll,
    effect::Effect,
    questions::{Open, lost_at},
};
use crate::{
    ask::{KeyOperation, KeyPurpose, Output, Transmit},
    bounds,
    client::{ClientAuth, ClientConfig},
    credential::{self, Applied, Credential},
    dpop::{self, Proven},
    elapsed::Moment,
    endpoint::Endpoint,
    jose::unsigned::{self, UnsignedJwt},
    request::AuthRequest,
    request_object,
    secret::NotificationToken,
    url::Url,
    wire::{Method, Request, form::Form},
};

/// The progress of a request.
pub(super) enum RequestProgress {
    /// Nothing has been made yet, or what was made has become stale.
    Fresh,
    /// A signature was requested.
    Signing { open: Open, draft: Box<Draft> },
    /// Everything requested so far is signed.
    Drafted(Box<Draft>),
    /// The caller has the transmission. Nothing has been sent until it begins, and after `stale` it
    /// must not begin, because too little is left of the lifetime of what was signed.
    InFlight { open: Open, sent: Moment, stale: Moment, is_begun: bool },
}

/// A request that is not complete yet.
pub(super) struct Draft {
    /// The input of the requested signature.
    signing_input: String,
    /// The signed authentication request, once it is signed (CIBA Core 7.1.1).
    request_object: Option<String>,
    /// The credential, once it is complete.
    applied: Option<Applied>,
    /// The DPoP proof, once it is signed.
    proof: Option<String>,
    /// The moment after which too little is left of the lifetime of what was signed.
    stale: Moment,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            signing_input: String::new(),
            request_object: None,
            applied: None,
            proof: None,
            stale: Moment::NEVER,
        }
    }
}

impl RequestProgress {
    pub(super) const fn open(&self) -> Option<&Open> {
        match self {
            Self::Signing { open, .. } | Self::InFlight { open, .. } => Some(open),
            Self::Fresh | Self::Drafted(_) => None,
        }
    }

    /// Whether the caller has the transmission. A process that resumes from this state cannot know
    /// whether the request was sent.
    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self, Self::InFlight { .. })
    }

    /// Whether the request may have been sent.
    pub(super) const fn is_begun(&self) -> bool {
        matches!(self, Self::InFlight { is_begun: true, .. })
    }

    /// Whether enough is left of the lifetime of what was signed for the given request.
    pub(super) fn may_send(&self, counter: u64, moment: Moment) -> bool {
        matches!(self, Self::InFlight { open, stale, .. }
            if open.counter == counter && moment <= *stale)
    }

    /// Marks the request as being sent. Its timeout starts now.
    pub(super) fn begin(&mut self, moment: Moment, latest: Moment) {
        if let Self::InFlight { is_begun, .. } = self {
            // From here on the provider may have the request, whatever the caller reports later.
            *is_begun = true;
        }
        // The time between `poll` and `begin` belongs to the caller and must not shorten the
        // timeout.
        self.restart(moment, latest);
    }

    /// Makes the timeout start now.
    pub(super) fn restart(&mut self, moment: Moment, latest: Moment) {
        if let Self::InFlight { open, sent, .. } = self {
            open.limit = open.limit.plus(moment.since(*sent)).min(latest);
            *sent = moment;
        }
    }

    /// Adds a signature. The authentication request is signed first, then the assertion, and last the
    /// DPoP proof.
    pub(super) fn signed(
        self,
        signature: &[u8],
        endpoint: Endpoint,
        config: &ClientConfig,
    ) -> Self {
        match self {
            Self::Signing { mut draft, .. } => {
                let signing_input = core::mem::take(&mut draft.signing_input);
                if draft.owes_request_object(endpoint, config) {
                    draft.request_object = Some(unsigned::complete(signing_input, signature));
                } else if draft.applied.is_none() {
                    draft.applied = Some(Applied::assertion(signing_input, signature, config));
                } else {
                    draft.proof = Some(unsigned::complete(signing_input, signature));
                }
                Self::Drafted(draft)
            }
            other @ (Self::Fresh | Self::Drafted(_) | Self::InFlight { .. }) => other,
        }
    }
}

impl Draft {
    /// Whether half of the lifetime of a signed item has passed.
    pub(super) fn is_stale(&self, moment: Moment) -> bool {
        moment > self.stale
    }

    /// Records the lifetime of an item that is signed now.
    fn lives(&mut self, life: Duration, moment: Moment) {
        // Half of the lifetime is left for the transport and for clocks that differ.
        self.stale = self.stale.min(moment.plus(life.checked_div(2).unwrap_or_default()));
    }

    fn owes_request_object(&self, endpoint: Endpoint, config: &ClientConfig) -> bool {
        endpoint == Endpoint::BackchannelAuthentication
            && config.request_object.is_some()
            && self.request_object.is_none()
    }

    fn sign(
        mut self: Box<Self>,
        jwt: UnsignedJwt,
        purpose: KeyPurpose,
        life: Duration,
        poll: &mut Poll<'_>,
    ) -> Preparation {
        let UnsignedJwt { signing_input, algorithm, key_id } = jwt;
        let moment = poll.context.moment;
        self.lives(life, moment);
        let (ticket, open) =
            poll.questions.ask(moment.plus(poll.context.config.policy.local_timeout));
        let operation =
            KeyOperation::sign(signing_input.as_bytes().into(), algorithm, purpose, key_id, ticket);
        self.signing_input = signing_input;
        let effect = Effect::Do { output: Output::Key(operation), save: false };
        Preparation::Ask(RequestProgress::Signing { open, draft: self }, effect)
    }
}

/// The next step in the preparation of a request.
pub(super) enum Preparation {
    /// A signature is required.
    Ask(RequestProgress, Effect),
    /// The request can be sent.
    Send(Ready),
}

/// A complete request, except for its parameters.
pub(super) struct Ready {
    request_object: Option<String>,
    applied: Applied,
    proof: Option<String>,
    stale: Moment,
}

/// Performs the next step of a draft. `request` is given for the authentication request, which may
/// have to be signed itself.
pub(super) fn prepare(
    mut draft: Box<Draft>,
    endpoint: Endpoint,
    request: Option<&AuthRequest>,
    poll: &mut Poll<'_>,
) -> Preparation {
    let config = poll.context.config;
    if let (Some(rules), Some(request), true) =
        (&config.request_object, request, draft.owes_request_object(endpoint, config))
    {
        let token = poll.token.map(NotificationToken::expose);
        let jwt =
            request_object::unsigned(rules, config, request, token, poll.entropy, poll.context.now);
        // Backdating lies in the past and therefore uses up part of the lifetime.
        let life = rules.options.lifetime.saturating_sub(rules.options.backdating);
        return draft.sign(jwt, KeyPurpose::RequestObject, life, poll);
    }
    let Some(applied) = draft.applied.take() else {
        let life = config.assertion.lifetime.saturating_sub(config.assertion.backdating);
        match credential::credential(config, endpoint, poll.entropy, poll.context.now) {
            Credential::Ready(applied) => {
                // The other credentials that are ready at once do not expire.
                if matches!(config.auth, ClientAuth::ClientSecretJwt { .. }) {
                    draft.lives(life, poll.context.moment);
                }
                return proven(draft, applied, endpoint, poll);
            }
            Credential::Unsigned(jwt) => {
                return draft.sign(jwt, KeyPurpose::ClientAssertion, life, poll);
            }
        }
    };
    proven(draft, applied, endpoint, poll)
}

/// Makes the DPoP proof, if the request carries one and has none yet. It is the last item, because
/// its life is the shortest and it depends on the newest nonce.
// REQ-POP-05, REQ-POP-06
fn proven(
    mut draft: Box<Draft>,
    applied: Applied,
    endpoint: Endpoint,
    poll: &mut Poll<'_>,
) -> Preparation {
    let config = poll.context.config;
    let proof = draft.proof.take();
    let rules = config.proof_rules(endpoint).filter(|_| proof.is_none());
    if let (Some(rules), Some(url)) = (rules, config.url(endpoint)) {
        let nonce = poll.nonce.and_then(|nonce| nonce.for_endpoint(endpoint, config));
        let proven = Proven { method: Method::Post, url, access_token: None, nonce };
        let jwt = dpop::unsigned(rules, &proven, &*config.verifier, poll.entropy, poll.context.now);
        draft.applied = Some(applied);
        return draft.sign(jwt, KeyPurpose::DpopProof, bounds::PROOF_LIFETIME, poll);
    }
    let request_object = draft.request_object.take();
    Preparation::Send(Ready { request_object, applied, proof, stale: draft.stale })
}

/// The destination of a request, and its limits.
pub(super) struct Target<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) url: &'a Url,
    pub(super) attempt: u32,
    pub(super) timeout: Duration,
    pub(super) max_response: usize,
    /// The latest end of the wait for the response, whatever the timeout is.
    pub(super) latest: Moment,
}

/// Makes the transmission. A signed request replaces the parameters (CIBA Core 7.1.1).
// REQ-SIGN-02
pub(super) fn transmit(
    poll: &mut Poll<'_>,
    target: &Target<'_>,
    parameters: impl FnOnce(&mut Form),
    ready: Ready,
    headers: &[(String, String)],
) -> (RequestProgress, Effect) {
    let mut form = Form::default();
    match &ready.request_object {
        Some(request_object) => form.push("request", request_object),
        // Otherwise all parameters are in the signed request, and none is repeated outside of it
        // (CIBA Core 7.1.1).
        None => parameters(&mut form),
    }
    for (name, value) in &ready.applied.parameters {
        form.push(name, value);
    }
    let mut request = Request::post_form(target.url.clone(), form.into_body());
    for (name, value) in ready.applied.headers {
        request.headers.push(name, value);
    }
    // Exactly one field (REQ-POP-04): no caller can set it.
    if let Some(proof) = &ready.proof {
        request.headers.push(dpop::FIELD, proof);
    }
    for (name, value) in poll.context.config.headers.iter() {
        // A header field of this request takes precedence over one of the configuration.
        if !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            request.headers.push(name, value);
        }
    }
    for (name, value) in headers {
        request.headers.push(name.as_str(), value.as_str());
    }
    let (progress, transmit) = hand_out(poll, target, request, ready.stale);
    (progress, Effect::Do { output: Output::Transmit(transmit), save: true })
}

/// Hands a complete request to the caller.
pub(super) fn hand_out(
    poll: &mut Poll<'_>,
    target: &Target<'_>,
    request: Request,
    stale: Moment,
) -> (RequestProgress, Transmit) {
    let sent = poll.context.moment;
    let (ticket, open) = poll.questions.ask(lost_at(sent, target.timeout).min(target.latest));
    let transmit = Transmit::new(
        request,
        target.endpoint,
        target.attempt,
        target.timeout,
        target.max_response,
        ticket,
    )
    .presenting_certificate(poll.context.config.presents_certificate(target.endpoint));
    // Not begun yet: if the caller drops the output now, nothing was sent.
    (RequestProgress::InFlight { open, sent, stale, is_begun: false }, transmit)
}
