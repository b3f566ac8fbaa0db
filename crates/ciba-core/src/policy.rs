//! Options for the behavior of a flow. None of them affects the checks of signature, issuer,
//! audience or expiry.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use crate::wire::token::{PendingError, TokenRules};

/// Options for timing, limits and tolerated deviations.
///
/// The [`Default`] is right for a provider that follows the specifications.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The instant from which the interval between token requests is counted.
    // Ruling 3.
    pub interval_reference: IntervalReference,
    /// How long after the start of the flow the authentication request may still be sent. The
    /// default is 90 seconds; the value is clamped to between one second and 24 hours.
    ///
    /// After that the flow ends without prompting the person, whatever delayed the request: a
    /// restart, a suspended machine, a slow store, signer or connection. A loop that does not use
    /// one of the drivers must call [`Flow::begin`](crate::Flow::begin) when it sends, and
    /// [`Flow::may_send`](crate::Flow::may_send) once more if connecting took time.
    pub prompt_within: Duration,
    /// The timeout of the authentication request. The default is 30 seconds.
    // REQ-AREQ-31
    pub authentication_timeout: Duration,
    /// The timeout of a token request. The default is 40 seconds, for providers that hold requests
    /// open for up to 30 seconds.
    // REQ-POLL-09
    pub token_timeout: Duration,
    /// The timeout for fetching metadata or a key set. The default is 10 seconds.
    // REQ-JWKS-19
    pub fetch_timeout: Duration,
    /// How long a key operation or a key lookup may take before it is requested again. The
    /// default is 60 seconds.
    pub local_timeout: Duration,
    /// The maximum length of a token response in bytes. The default is 4 MiB.
    pub max_token_response: usize,
    /// Whether a flow in ping mode also polls without a ping, so that a lost ping does not lose the
    /// login. The default is `true`.
    ///
    /// It polls every minute, or every half of a shorter lifetime, and once shortly before the
    /// deadline. A resumed flow polls once even if this is `false`, because pings that were sent in
    /// the meantime are lost.
    // REQ-PING-16
    pub ping_backstop: bool,
    /// Whether a token request that a ping triggers must wait for the interval since the last
    /// token request. The default is `false`, because a ping announces a result. Set it for a
    /// provider that responds with `slow_down` in this case.
    pub ping_keeps_interval: bool,
    /// Whether pushed ID Tokens may lack the `auth_req_id` claim and, if there is a refresh token,
    /// the `rt_hash` claim ([CIBA Core 10.3.1]). The default is `false`.
    ///
    /// Without these claims, only the bearer token ties the pushed tokens to the request. Set it
    /// only for a provider that is known to omit them. `at_hash` is always required.
    ///
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    // Ruling 10.
    pub dangerously_allow_missing_push_bindings: bool,
    /// Whether a token response without `token_type` counts as Bearer. The default is `false`.
    // Ruling 15.
    pub assume_bearer: bool,
    /// Values of `token_type` that the provider uses for Bearer, compared case-insensitively. Empty
    /// by default.
    pub bearer_words: Vec<String>,
    /// Whether `scope` in a token response may be an array of names instead of a space-separated
    /// string. The names are joined with spaces. The default is `false`.
    // DV-32
    pub scope_lists: bool,
    /// Errors of the token endpoint that mean `authorization_pending` at this provider. Empty by
    /// default.
    ///
    /// After such an error the flow polls again until the deadline, so do not list errors that can
    /// be final.
    // DV-14
    pub pending_errors: Vec<PendingError>,
}

/// The instant from which the interval between token requests is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IntervalReference {
    /// The end of the last response. This is safe with every provider.
    #[default]
    Answer,
    /// The sending of the last request, for providers that hold requests open.
    // REQ-POLL-04
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
    /// Returns the rules for reading a token response.
    pub(crate) fn token_rules(&self, id_token_required: bool) -> TokenRules<'_> {
        TokenRules {
            id_token_required,
            bound_to_key: false,
            assume_bearer: self.assume_bearer,
            bearer_words: &self.bearer_words,
            scope_lists: self.scope_lists,
            pending_errors: &self.pending_errors,
        }
    }
}
