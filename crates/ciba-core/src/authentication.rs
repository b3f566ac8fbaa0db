//! The evidence: a person was authenticated, and every check passed.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::fmt;

use serde::de::DeserializeOwned;

use crate::{
    granted::{self, Asked, Difference},
    id_token::{ClaimsError, IdToken},
    person::{NotCompared, Person},
    secret::{AccessToken, RefreshToken},
    time::Timestamp,
    wire::{Deviation, JsonObject, token::ReceivedTokens},
};

/// A completed authentication. It has no constructor and no `Deserialize`: it exists only after
/// verification.
pub struct Authentication {
    tokens: ReceivedTokens,
    id_token: Option<IdToken>,
    received_at: Timestamp,
    asked: Asked,
}

impl Authentication {
    /// The one constructor, called by the flow with the proof in hand: an [`IdToken`], or none
    /// under the plain-OAuth policy.
    pub(crate) fn new(
        tokens: ReceivedTokens,
        id_token: Option<IdToken>,
        received_at: Timestamp,
        asked: Asked,
    ) -> Box<Self> {
        // The verified token has it.
        let tokens = ReceivedTokens { id_token: None, ..tokens };
        Box::new(Self { tokens, id_token, received_at, asked })
    }

    /// Returns who was authenticated: the `sub` of the ID Token.
    ///
    /// # Errors
    ///
    /// [`NoIdToken`] after plain OAuth
    /// ([`AuthRequest::without_openid`](crate::AuthRequest::without_openid)), which authorizes but
    /// does not authenticate. A request that asks for `openid` never ends without an ID Token.
    pub fn subject(&self) -> Result<&str, NoIdToken> {
        self.id_token.as_ref().map(IdToken::subject).ok_or(NoIdToken)
    }

    /// Returns whether the person was compared with the one the request named, and if not, why.
    /// Without a comparison, only the provider vouches that it asked the right person.
    #[must_use]
    pub const fn person(&self) -> Person {
        match &self.id_token {
            Some(id_token) => id_token.person(),
            None => Person::NotCompared(NotCompared::NoIdToken),
        }
    }

    /// The verified ID Token. `None` only under the plain-OAuth policy.
    #[must_use]
    pub const fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }

    /// The access token. Send it in the `Authorization` header only, never in a URL (REQ-TOK-33).
    #[must_use]
    pub const fn access_token(&self) -> &AccessToken {
        &self.tokens.access_token
    }

    /// The access token's type, as the provider wrote it.
    #[must_use]
    pub fn token_type(&self) -> &str {
        &self.tokens.token_type
    }

    /// The refresh token, when there is one.
    #[must_use]
    pub const fn refresh_token(&self) -> Option<&RefreshToken> {
        self.tokens.refresh_token.as_ref()
    }

    /// When the access token expires; `None` when the provider did not say (REQ-TOK-05). It says
    /// nothing about the ID Token.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.tokens.expires_in.map(|lifetime| self.received_at.saturating_add(lifetime))
    }

    /// When the tokens arrived: the instant all times in the ID Token were checked against.
    #[must_use]
    pub const fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// The scope in force: what was granted, or what was asked for when the provider named none
    /// (REQ-TOK-07). It may be narrower or wider than what was asked for.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.granted_scope().unwrap_or(&self.asked.scope)
    }

    /// The scope as the provider named it; an empty one is one.
    #[must_use]
    pub fn granted_scope(&self) -> Option<&str> {
        self.tokens.scope.as_deref()
    }

    /// The scope that was asked for.
    #[must_use]
    pub fn requested_scope(&self) -> &str {
        &self.asked.scope
    }

    /// The scope values that were asked for and not granted.
    pub fn withheld_scope(&self) -> impl Iterator<Item = &str> {
        self.difference().scope.into_iter()
    }

    /// Returns what was asked for and not granted, and the `authorization_details` that were
    /// granted without having been asked for.
    /// [`AuthRequest::require_granted`](crate::AuthRequest::require_granted) makes any of it a
    /// failure.
    #[must_use]
    pub fn difference(&self) -> Difference<'_> {
        granted::difference(&self.asked, &self.tokens)
    }

    /// Returns the resources the access token is for, as far as the provider says so: in a member
    /// of the token response, or in the `aud` claim of an access token that is a JWT. The signature
    /// of that token is not verified, so the claim is no proof to anyone else. `None` if neither
    /// says it.
    #[must_use]
    pub fn resources(&self) -> Option<Vec<Cow<'_, str>>> {
        granted::resources(&self.tokens)
    }

    /// The `authorization_details` that were granted, as JSON text; they may differ from those
    /// asked for, so decide on these (RFC 9396 7, REQ-TOK-08). `None` when the provider named none.
    #[must_use]
    pub fn authorization_details(&self) -> Option<&str> {
        self.extra().json("authorization_details").filter(|details| *details != "null")
    }

    /// JsonObject of the token response the protocol does not define (REQ-TOK-09).
    #[must_use]
    pub const fn extra(&self) -> &JsonObject {
        &self.tokens.extra
    }

    /// What was odd about the token response and the ID Token and was tolerated: deviations to
    /// report to the provider.
    pub fn deviations(&self) -> impl Iterator<Item = Deviation> {
        let of_id_token = self.id_token.iter().flat_map(IdToken::deviations);
        self.tokens.deviations.iter().chain(of_id_token).copied()
    }

    /// The claims of the ID Token, read into a type of the caller.
    ///
    /// # Errors
    ///
    /// [`ClaimsError`] when they do not fit the type, or there is no ID Token.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        self.id_token.as_ref().ok_or(ClaimsError::NoIdToken)?.claims()
    }
}

/// There is no authenticated subject: the request did not ask for `openid`, and no ID Token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NoIdToken;

impl fmt::Display for NoIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody is named: openid was not asked for, and there is no id token")
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
        let asked = Asked { scope: "openid email".into(), ..Asked::default() };
        Authentication::new(tokens, None, Timestamp::from_unix_secs(1000), asked)
    }

    /// REQ-TOK-07a
    /// REQ-TOK-07b
    #[test]
    fn an_absent_scope_is_the_one_asked_for_and_an_empty_one_is_none() {
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
    fn what_was_granted_and_what_is_unknown_stays_readable() {
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
