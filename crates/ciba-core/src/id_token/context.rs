//! What an ID Token is checked against.

use crate::{
    expect::Expectations,
    secret::{AccessToken, AuthReqId, RefreshToken},
    time::Timestamp,
};

/// The context in which an ID Token is validated, beyond the configuration.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct IdTokenContext<'a> {
    /// What the caller expects of the claims.
    pub expectations: &'a Expectations,
    /// The `auth_req_id` of the request that the token answers. The `auth_req_id` claim is compared
    /// with it ([CIBA Core 10.3.1]).
    ///
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    pub auth_req_id: Option<&'a AuthReqId>,
    /// The access token issued together with the ID Token. `at_hash` is compared with its hash
    /// ([OIDC Core 3.1.3.8]).
    ///
    /// [OIDC Core 3.1.3.8]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.3.8
    pub access_token: Option<&'a AccessToken>,
    /// The refresh token issued together with the ID Token. The `rt_hash` claim is compared with
    /// its hash ([CIBA Core 10.3.1]).
    ///
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    pub refresh_token: Option<&'a RefreshToken>,
    /// When the authentication request was sent. `iat` must not be earlier, apart from clock skew.
    pub started_at: Option<Timestamp>,
    /// When the response arrived. All times in the token are checked against this instant.
    pub received_at: Timestamp,
    /// Whether the tokens were delivered by push. If so, `at_hash` and the `auth_req_id` claim
    /// are required, and `rt_hash` as well if there is a refresh token ([CIBA Core 10.3.1]).
    ///
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    pub is_pushed: bool,
}

impl<'a> IdTokenContext<'a> {
    /// Creates the context of a token that arrived at the given instant, without any other tokens.
    #[must_use]
    pub const fn new(expectations: &'a Expectations, received_at: Timestamp) -> Self {
        Self {
            expectations,
            auth_req_id: None,
            access_token: None,
            refresh_token: None,
            started_at: None,
            received_at,
            is_pushed: false,
        }
    }
}
