//! ID Token validation in numbered checks (OIDC Core 3.1.3.7, requirement section 12).

use alloc::string::String;

use crate::{
    client::ClientConfig,
    error::Untrusted,
    expect::Expectations,
    jose::KeySet,
    secret::{AccessToken, AuthReqId, CompactIdToken, RefreshToken},
    time::Timestamp,
};

/// What an ID Token is checked against, beyond the configuration.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct IdTokenContext<'a> {
    /// What the caller expects.
    pub expectations: &'a Expectations,
    /// The request it answers, for the `auth_req_id` claim when present (REQ-IDT-27).
    pub auth_req_id: Option<&'a AuthReqId>,
    /// The access token beside it, for `at_hash` when present (REQ-IDT-26).
    pub access_token: Option<&'a AccessToken>,
    /// The refresh token beside it, for the `rt_hash` claim when present (REQ-IDT-27).
    pub refresh_token: Option<&'a RefreshToken>,
    /// When the authentication request was sent: `iat` is not earlier (REQ-IDT-19).
    pub started_at: Option<Timestamp>,
    /// When the response arrived; all times are checked against it.
    pub received_at: Timestamp,
}

/// An ID Token whose form and header were accepted; nothing in it is believed yet.
pub(crate) struct Inspected<'a> {
    pub(crate) compact: &'a str,
    pub(crate) key_id: Option<String>,
}

/// Form and header: what can be said before any key is at hand.
pub(crate) fn inspect<'a>(config: &ClientConfig, compact: &'a str) -> Result<Inspected<'a>, Untrusted> {
    let _ = (config, compact);
    todo!()
}

impl Inspected<'_> {
    /// Whether a public key of the issuer is needed (not for HMAC under the client secret).
    pub(crate) fn needs_keys(&self, config: &ClientConfig) -> bool {
        !config.id_token.algorithm.is_symmetric()
    }

    /// Signature, then claims. [`Untrusted::UnknownKey`] when no key of the set fits.
    pub(crate) fn verify(
        &self,
        config: &ClientConfig,
        keys: Option<&KeySet>,
        context: &IdTokenContext<'_>,
    ) -> Result<IdToken, Untrusted> {
        let _ = (config, keys, context);
        todo!()
    }
}

/// A verified ID Token: there is no other way to one. No `Deserialize`.
#[derive(Debug)]
pub struct IdToken {
    pub(crate) compact: CompactIdToken,
    pub(crate) subject: String,
}
