//! What the caller may choose about the flow's behaviour. Nothing here touches signature, issuer,
//! audience or expiry.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use crate::wire::token::{PendingError, TokenRules};

/// Choices about timing, limits and tolerated deviations; [`Default`] is right for a provider that
/// follows the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// From where the interval between token requests counts (ruling 3).
    pub interval_reference: IntervalReference,
    /// How long after the start of the flow the authentication request may still leave; default 90
    /// s, at least a second and at most a day. After that the flow ends without a prompt, whatever
    /// held the request up: a restart, a suspended machine, a slow store, a slow signer or a slow
    /// connection. A loop without one of the drivers has to ask
    /// [`Flow::may_send`](crate::Flow::may_send) before it sends a request.
    pub prompt_within: Duration,
    /// Time-out of the authentication request; default 30 s (REQ-AREQ-31).
    pub authentication_timeout: Duration,
    /// Time-out of a token request; default 40 s, for providers that hold requests up to 30 s
    /// (REQ-POLL-09).
    pub token_timeout: Duration,
    /// Time-out of a fetch of metadata or keys; default 10 s (REQ-JWKS-19).
    pub fetch_timeout: Duration,
    /// How long a key operation or a key set may take before it is asked for again; default 60 s.
    pub local_timeout: Duration,
    /// The longest token response in bytes; default 4 MiB.
    pub max_token_response: usize,
    /// Whether a flow in ping mode also polls without a ping, every minute or half of the lifetime
    /// and once shortly before the deadline, so that a ping that never comes loses no login;
    /// default yes (REQ-PING-16). A flow that is resumed polls once in any case, because pings sent
    /// in the meantime are lost.
    pub ping_backstop: bool,
    /// Whether the interval counts after a ping, too, once a token request was made; default no:
    /// the provider says that there is something to ask for. For a provider that answers
    /// `slow_down` then.
    pub ping_keeps_interval: bool,
    /// Whether pushed ID Tokens may lack the `auth_req_id` claim, and with a refresh token the
    /// `rt_hash` claim. Without them only the bearer token ties the pushed tokens to this request.
    /// Default no; for a provider that is known to leave them out (ruling 10). `at_hash` has no
    /// such switch.
    pub dangerously_allow_missing_push_bindings: bool,
    /// Whether a token response without `token_type` counts as Bearer; default no (ruling 15).
    pub assume_bearer: bool,
    /// What a provider writes as `token_type` where Bearer is meant; nothing by default. Compared
    /// without case.
    pub bearer_words: Vec<String>,
    /// Whether `scope` in a token response may be a list of names instead of one string; default no
    /// (DV-32). A list is read as the names joined by spaces.
    pub scope_lists: bool,
    /// Errors of the token endpoint that mean `authorization_pending` at this provider; none by
    /// default (DV-14). What is listed here is asked again until the deadline, so list nothing that
    /// could be the end.
    pub pending_errors: Vec<PendingError>,
}

/// From where the interval counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IntervalReference {
    /// From the end of the last answer: safe with every provider.
    #[default]
    Answer,
    /// From the sending of the last request: for providers that hold requests open (REQ-POLL-04).
    Send,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            interval_reference: IntervalReference::Answer,
            prompt_within: Duration::from_secs(90),
            authentication_timeout: Duration::from_secs(30),
            token_timeout: Duration::from_secs(40),
            fetch_timeout: Duration::from_secs(10),
            local_timeout: Duration::from_secs(60),
            max_token_response: crate::bounds::TOKEN_RESPONSE_BYTES,
            ping_backstop: true,
            ping_keeps_interval: false,
            dangerously_allow_missing_push_bindings: false,
            assume_bearer: false,
            bearer_words: Vec::new(),
            scope_lists: false,
            pending_errors: Vec::new(),
        }
    }
}

impl Policy {
    /// How a token response is read.
    pub(crate) fn token_rules(&self, id_token_required: bool) -> TokenRules<'_> {
        TokenRules {
            id_token_required,
            assume_bearer: self.assume_bearer,
            bearer_words: &self.bearer_words,
            scope_lists: self.scope_lists,
            pending_errors: &self.pending_errors,
        }
    }
}
