//! The result of a flow: proof that a person was authenticated and every check passed.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::fmt;

use serde::de::DeserializeOwned;

use crate::{
    binding::Binding,
    granted::{self, Difference, Requested},
    id_token::{ClaimsError, IdToken},
    person::{NotCompared, Person},
    secret::{AccessToken, RefreshToken},
    time::Timestamp,
    wire::{Deviation, JsonObject, token::ReceivedTokens},
};

/// A completed authentication.
///
/// It has no public constructor and does not implement `Deserialize`, so it exists only after
/// verification.
pub struct Authentication {
    tokens: ReceivedTokens,
    id_token: Option<IdToken>,
    received_at: Timestamp,
    requested: Requested,
    binding: Binding,
}

impl Authentication {
    /// The only constructor, called by the flow with the verified [`IdToken`], or without one if the
    /// request was made without `openid`.
    pub(crate) fn new(
        tokens: ReceivedTokens,
        id_token: Option<IdToken>,
        received_at: Timestamp,
        requested: Requested,
        binding: Binding,
    ) -> Box<Self> {
        // The verified token contains it.
        let tokens = ReceivedTokens { id_token: None, ..tokens };
        Box::new(Self { tokens, id_token, received_at, requested, binding })
    }

    /// Returns `sub` of the ID Token, which identifies the authenticated person.
    ///
    /// # Errors
    ///
    /// Returns [`NoIdToken`] if the request was made without `openid`
    /// ([`AuthRequest::without_openid`](crate::AuthRequest::without_openid)), which authorizes but
    /// does not authenticate. A request with `openid` never succeeds without an ID Token.
    pub fn subject(&self) -> Result<&str, NoIdToken> {
        self.id_token.as_ref().map(IdToken::subject).ok_or(NoIdToken)
    }

    /// Returns whether the person was compared with the one named by the request and, if not, why.
    ///
    /// Without a comparison, only the provider vouches that it prompted the right person.
    #[must_use]
    pub const fn person(&self) -> Person {
        match &self.id_token {
            Some(id_token) => id_token.person(),
            None => Person::NotCompared(NotCompared::NoIdToken),
        }
    }

    /// Returns the verified ID Token, or `None` if the request was made without `openid` and there
    /// is none.
    #[must_use]
    pub const fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }

    /// Returns the access token. Send it only in the `Authorization` header, never in a URL.
    // REQ-TOK-33
    #[must_use]
    pub const fn access_token(&self) -> &AccessToken {
        &self.tokens.access_token
    }

    /// Returns the type of the access token, as the provider wrote it.
    #[must_use]
    pub fn token_type(&self) -> &str {
        &self.tokens.token_type
    }

    /// Returns how the access token is bound to this client, and therefore what must be shown with
    /// it. [`Binding::check`] compares it with the claims of the access token.
    #[must_use]
    pub const fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Returns the refresh token, if there is one.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&RefreshToken> {
        self.tokens.refresh_token.as_ref()
    }

    /// Returns when the access token expires, or `None` if the provider did not state it.
    ///
    /// This does not concern the ID Token.
    // REQ-TOK-05
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.tokens.expires_in.map(|lifetime| self.received_at.saturating_add(lifetime))
    }

    /// Returns when the tokens arrived. All times in the ID Token were checked against this instant.
    #[must_use]
    pub const fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// Returns the effective scope: the granted one or, if the provider did not state it, the
    /// requested one ([RFC 6749 section 5.1]). It may be narrower or wider than the requested one.
    ///
    /// [RFC 6749 section 5.1]: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    // REQ-TOK-07
    #[must_use]
    pub fn scope(&self) -> &str {
        self.granted_scope().unwrap_or(&self.requested.scope)
    }

    /// Returns the scope as stated by the provider, which may be empty.
    #[must_use]
    pub fn granted_scope(&self) -> Option<&str> {
        self.tokens.scope.as_deref()
    }

    /// Returns the requested scope.
    #[must_use]
    pub fn requested_scope(&self) -> &str {
        &self.requested.scope
    }

    /// Returns the scope values that were requested and not granted.
    pub fn withheld_scope(&self) -> impl Iterator<Item = &str> {
        self.difference().scope.into_iter()
    }

    /// Returns what was requested and not granted, and the `authorization_details` that were granted
    /// without having been requested.
    ///
    /// [`AuthRequest::require_granted`](crate::AuthRequest::require_granted) turns any difference
    /// into a failure.
    #[must_use]
    pub fn difference(&self) -> Difference<'_> {
        granted::difference(&self.requested, &self.tokens)
    }

    /// Returns the resources for which the access token is valid, if the provider states them in a
    /// member of the token response or in the `aud` claim of an access token that is a JWT.
    ///
    /// The signature of that JWT is not verified, so the claim proves nothing to a third party.
    /// Returns `None` if neither states the resources.
    #[must_use]
    pub fn resources(&self) -> Option<Vec<Cow<'_, str>>> {
        granted::resources(&self.tokens)
    }

    /// Returns the granted `authorization_details` as JSON text, or `None` if the provider did not
    /// state any.
    ///
    /// They may differ from the requested ones, so base decisions on these
    /// ([RFC 9396 section 7]).
    ///
    /// [RFC 9396 section 7]: https://www.rfc-editor.org/rfc/rfc9396#section-7
    // REQ-TOK-08
    #[must_use]
    pub fn authorization_details(&self) -> Option<&str> {
        // As received: typed details are up to the application, which knows their types.
        // `null` counts as absent.
        self.extra().json("authorization_details").filter(|details| *details != "null")
    }

    /// Returns the members of the token response that the protocol does not define.
    // REQ-TOK-09
    #[must_use]
    pub const fn extra(&self) -> &JsonObject {
        &self.tokens.extra
    }

    /// Returns the irregularities of the token response and the ID Token that were tolerated. They
    /// are worth reporting to the provider.
    pub fn deviations(&self) -> impl Iterator<Item = Deviation> {
        let of_id_token = self.id_token.iter().flat_map(IdToken::deviations);
        self.tokens.deviations.iter().chain(of_id_token).copied()
    }

    /// Deserializes the claims of the ID Token into a type of the caller.
    ///
    /// # Errors
    ///
    /// Returns [`ClaimsError`] if the claims do not fit the type or there is no ID Token.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        self.id_token.as_ref().ok_or(ClaimsError::NoIdToken)?.claims()
    }
}

/// The error of an authentication without a subject: the request was made without `openid`, and no
/// ID Token was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoIdToken;

impl fmt::Display for NoIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no subject was authenticated: the request did not include openid, and there is no ID Token")
    }
}

impl core::error::Error for NoIdToken {}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("id_token", &self.id_token)
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _};
    use core::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    fn authentication(scope: Option<&str>, extra: &Value) -> Box<Authentication> {
        let tokens = ReceivedTokens {
            access_token: "sentinel-access".into(),
            token_type: "Bearer".into(),
            id_token: None,
            refresh_token: Some("sentinel-refresh".into()),
            expires_in: Some(Duration::from_secs(120)),
            scope: scope.map(Into::into),
            extra: JsonObject::from_json(&extra.to_string()).unwrap(),
            deviations: alloc::vec::Vec::new(),
        };
        let requested = Requested { scope: "openid email".into(), ..Requested::default() };
        let received = Timestamp::from_unix_secs(1000);
        Authentication::new(tokens, None, received, requested, Binding::Bearer)
    }

    /// REQ-TOK-07a
    /// REQ-TOK-07b
    #[test]
    fn an_absent_scope_means_the_requested_one_and_an_empty_scope_means_none() {
        for (granted, scope, withheld) in [
            (None, "openid email", &[][..]),
            (Some("openid email phone"), "openid email phone", &[]),
            (Some("openid"), "openid", &["email"]),
            (Some("openid emailx"), "openid emailx", &["email"]),
            (Some(""), "", &["openid", "email"]),
        ] {
            let authentication = authentication(granted, &json!({}));
            assert_eq!((authentication.granted_scope(), authentication.scope()), (granted, scope));
            assert!(authentication.withheld_scope().eq(withheld.iter().copied()), "{granted:?}");
            assert_eq!(authentication.requested_scope(), "openid email");
        }
    }

    /// REQ-TOK-08
    /// REQ-TOK-09
    #[test]
    fn granted_values_and_unknown_members_remain_readable() {
        let details = json!([{"type": "t", "amount": 1}]);
        let authentication =
            authentication(None, &json!({"authorization_details": details, "x": 1}));
        assert_eq!(authentication.authorization_details(), Some(&*details.to_string()));
        assert_eq!(authentication.extra().get("x"), Ok(Some(1)));
        assert_eq!(authentication.expires_at(), Some(Timestamp::from_unix_secs(1120)));
        assert_eq!(
            (authentication.subject(), authentication.id_token().is_none()),
            (Err(NoIdToken), true)
        );
        assert_eq!(authentication.claims::<Value>(), Err(ClaimsError::NoIdToken));
        assert!(!format!("{authentication:?}").contains("sentinel"));
    }
}
