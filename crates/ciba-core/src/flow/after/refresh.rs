//! The exchange of a refresh token for new tokens (RFC 6749 section 6, OIDC Core 12).

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::{fmt, time::Duration};

use super::call::{self, Call, CallRequest, NextStep, Task, Verdict};
use super::failure::{CallFailure, NotPossible};
use super::userinfo::UserInfoRequest;
use crate::{
    authentication::Authentication,
    bounds,
    client::ClientConfig,
    crypto::entropy::Entropy,
    elapsed::Moment,
    endpoint::Endpoint,
    expect::Expectations,
    fault::{ExchangeProblem, Expected, Fault, Found, Rejection, Untrusted},
    flow::{
        context::Poll,
        exchange::{self, Draft, Preparation, Target},
    },
    id_token::{self, IdToken, IdTokenContext},
    jose::KeySet,
    secret::{AccessToken, RefreshToken, SecretText},
    time::Timestamp,
    wire::{
        JsonObject, Misbehaviour, Response,
        token::{self, ReceivedTokens, TokenReply},
    },
};

/// A request for new tokens ([RFC 6749 section 6]), with a refresh token and what is known of the
/// authentication from which it results.
///
/// Make it from an [`Authentication`] or the [`Refreshed`] tokens of the last refresh, or with
/// [`Self::new`] from stored values.
///
/// An ID Token in the answer must be from the same issuer, about the same person, for the same
/// audience and of the same authentication as the original ([OIDC Core 12.2]); otherwise none of
/// the new tokens is available. A request that may have been sent is not repeated: the provider
/// may have replaced the refresh token, and the call ends as [`CallFailure::RefreshLost`]. A
/// request that was not sent, or answered with status 408, 425, 429 or 503, is repeated.
///
/// [RFC 6749 section 6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
/// [OIDC Core 12.2]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.12.2
#[derive(Clone)]
pub struct RefreshRequest {
    /// `None` if the provider issued none.
    refresh_token: Option<RefreshToken>,
    pub(super) original: Original,
    scope: String,
    repeats: bool,
}

/// What a new ID Token is compared with (OIDC Core 12.2).
#[derive(Clone, Default)]
pub(super) struct Original {
    /// `None` if there was no ID Token.
    subject: Option<SecretText>,
    /// Empty if it is not known.
    pub(super) audiences: Vec<String>,
    auth_time: Option<Timestamp>,
}

impl Original {
    fn of(id_token: Option<&IdToken>) -> Self {
        id_token.map_or_else(Self::default, |id_token| Self {
            subject: Some(SecretText::from(id_token.subject())),
            audiences: id_token.audiences().map(Into::into).collect(),
            auth_time: id_token.auth_time(),
        })
    }
}

impl RefreshRequest {
    /// Creates a request from stored values: the refresh token, and the `sub` of the verified ID
    /// Token of the authentication. Without a `sub`, an ID Token in the answer is ignored.
    #[must_use]
    pub fn new(refresh_token: RefreshToken, subject: Option<&str>) -> Self {
        let subject = subject.map(SecretText::from);
        Self {
            refresh_token: Some(refresh_token),
            original: Original { subject, ..Original::default() },
            scope: String::new(),
            repeats: false,
        }
    }

    /// Sets the `auth_time` of the original ID Token. A new ID Token with another one is refused
    /// ([OIDC Core 12.2]).
    ///
    /// [OIDC Core 12.2]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.12.2
    #[must_use]
    pub fn auth_time(mut self, auth_time: Option<Timestamp>) -> Self {
        self.original.auth_time = auth_time;
        self
    }

    /// Asks for an access token with this space-separated scope, which must be part of the granted
    /// one ([RFC 6749 section 6]).
    ///
    /// [RFC 6749 section 6]: https://www.rfc-editor.org/rfc/rfc6749#section-6
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = scope.into();
        self
    }

    /// Sends the request again if its answer is lost, at most three times within 30 seconds.
    ///
    /// Dangerous where the provider replaces refresh tokens: it may have replaced this one, and take
    /// the second request for theft, for which it revokes every token of the authentication
    /// ([RFC 9700 section 4.14.2]). Use it only with a provider that does not replace refresh
    /// tokens, or that allows the old one to be used again.
    ///
    /// [RFC 9700 section 4.14.2]: https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2
    #[must_use]
    pub const fn dangerously_repeat_if_lost(mut self) -> Self {
        self.repeats = true;
        self
    }
}

impl From<&Authentication> for RefreshRequest {
    fn from(authentication: &Authentication) -> Self {
        Self {
            refresh_token: authentication.refresh_token().cloned(),
            original: Original::of(authentication.id_token()),
            scope: String::new(),
            repeats: false,
        }
    }
}

impl From<&Refreshed> for RefreshRequest {
    fn from(refreshed: &Refreshed) -> Self {
        Self {
            refresh_token: Some(refreshed.refresh_token.clone()),
            original: refreshed.original.clone(),
            scope: String::new(),
            repeats: false,
        }
    }
}

impl fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshRequest").field("repeats", &self.repeats).finish_non_exhaustive()
    }
}

/// The tokens of a refresh.
///
/// Store [`Self::refresh_token`] before you use anything else of it, and keep the old refresh token
/// until then: the provider may accept only the new one from now on.
#[must_use = "the provider may have replaced the refresh token by the one in here"]
pub struct Refreshed {
    tokens: ReceivedTokens,
    refresh_token: RefreshToken,
    is_rotated: bool,
    id_token: Option<IdToken>,
    received_at: Timestamp,
    original: Original,
}

impl Refreshed {
    /// Returns the refresh token to use next: the new one, or the one that was sent if the provider
    /// did not replace it.
    // REQ-TOK-31c, REQ-TOK-31d
    #[must_use]
    pub const fn refresh_token(&self) -> &RefreshToken {
        &self.refresh_token
    }

    /// Returns whether the provider replaced the refresh token.
    #[must_use]
    pub const fn is_rotated(&self) -> bool {
        self.is_rotated
    }

    /// Returns the new access token. Send it only in the `Authorization` header, never in a URL.
    #[must_use]
    pub const fn access_token(&self) -> &AccessToken {
        &self.tokens.access_token
    }

    /// Returns the type of the access token, as the provider wrote it.
    #[must_use]
    pub fn token_type(&self) -> &str {
        &self.tokens.token_type
    }

    /// Returns when the access token expires, or `None` if the provider did not state it.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.tokens.expires_in.map(|lifetime| self.received_at.saturating_add(lifetime))
    }

    /// Returns the scope of the access token, or `None` if it is the one that was granted before.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.tokens.scope.as_deref()
    }

    /// Returns the new ID Token, if there is one. It is about the same person as the original one.
    /// It is no new authentication: its `auth_time` is that of the original.
    // REQ-TOK-31a
    #[must_use]
    pub const fn id_token(&self) -> Option<&IdToken> {
        self.id_token.as_ref()
    }

    /// Returns the members of the token response that the protocol does not define.
    #[must_use]
    pub const fn extra(&self) -> &JsonObject {
        &self.tokens.extra
    }
}

impl fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshed")
            .field("is_rotated", &self.is_rotated)
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

impl From<&Refreshed> for UserInfoRequest {
    fn from(refreshed: &Refreshed) -> Self {
        let subject = refreshed.original.subject.clone();
        Self::of(refreshed.access_token().clone(), subject)
    }
}

impl CallRequest for RefreshRequest {
    type Answer = Refreshed;

    fn call(
        self,
        config: Arc<ClientConfig>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Call<Refreshed>, NotPossible> {
        let Self { refresh_token, original, scope, repeats } = self;
        let refresh_token = refresh_token.ok_or(NotPossible::NoRefreshToken)?;
        // A proof without the newest nonce would be refused, and nonces are not kept here yet.
        if config.dpop.is_some() {
            return Err(NotPossible::BoundToKey);
        }
        call::sendable(refresh_token.expose())?;
        let task =
            Refresh { refresh_token, original, scope, repeats, started_at: now, received: None };
        Ok(Call::start(config, Box::new(task), &entropy, now))
    }
}

struct Refresh {
    refresh_token: RefreshToken,
    original: Original,
    scope: String,
    repeats: bool,
    /// When the call was made. A new ID Token is not older.
    started_at: Timestamp,
    /// The tokens whose ID Token is not verified yet, and when they arrived.
    received: Option<(ReceivedTokens, Timestamp)>,
}

impl Task<Refreshed> for Refresh {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Token
    }

    fn is_repeatable(&self) -> bool {
        self.repeats
    }

    fn keys_window(&self) -> Duration {
        // The tokens are lost with the call.
        bounds::KEYS_WINDOW
    }

    fn request(&self, draft: Box<Draft>, attempt: u32, poll: &mut Poll<'_>) -> NextStep {
        let config = poll.context.config;
        let ready = match exchange::prepare(draft, Endpoint::Token, None, poll) {
            Preparation::Ask(progress, effect) => return (progress, effect),
            Preparation::Send(ready) => ready,
        };
        let target = Target {
            endpoint: Endpoint::Token,
            url: &config.token_endpoint,
            attempt,
            timeout: config.policy.token_timeout,
            max_response: config.policy.max_token_response,
            latest: Moment::NEVER,
        };
        let parameters =
            |form: &mut _| token::refresh_request(&self.refresh_token, &self.scope, form);
        exchange::transmit(poll, &target, parameters, ready, &[])
    }

    fn judge(
        &mut self,
        response: &Response,
        config: &ClientConfig,
        now: Timestamp,
    ) -> Verdict<Refreshed> {
        // An ID Token is optional here (OIDC Core 12.2).
        let mut tokens = match token::process(response, config.token_rules(false), now) {
            TokenReply::Tokens(tokens) => *tokens,
            // These statuses say that nothing was done. Behind any other one, for example that of a
            // gateway which waited in vain, the token may have been replaced.
            TokenReply::Busy(answer)
                if self.repeats || matches!(answer.status, 408 | 425 | 429 | 503) =>
            {
                return Verdict::Busy(answer);
            }
            TokenReply::Busy(answer) => {
                let (fault, status) = (Fault::Status, answer.status);
                let problem = ExchangeProblem::Unusable { fault, status };
                return Verdict::Failed(CallFailure::RefreshLost(problem));
            }
            // Only proofs have nonces, and none is sent.
            TokenReply::Error(answer) | TokenReply::NonceDemanded(answer) => {
                return Verdict::Failed(CallFailure::Refused(answer));
            }
            TokenReply::Misbehaved(misbehaviour) => {
                return Verdict::Failed(CallFailure::Misbehaved(misbehaviour));
            }
            // No person decides about a refresh.
            TokenReply::Pending(_) | TokenReply::SlowDown(_) => {
                let (fault, endpoint) = (Fault::Status, Endpoint::Token);
                let misbehaviour = Misbehaviour { fault, endpoint, answer: None };
                return Verdict::Failed(CallFailure::Misbehaved(misbehaviour));
            }
        };
        // Without the subject of an authentication it proves nothing that could be checked.
        if self.original.subject.is_none() {
            tokens.id_token = None;
        }
        let inspected = tokens.id_token.as_ref().map(|token| {
            id_token::inspect(config, token.expose()).map(|inspected| inspected.needs_keys(config))
        });
        match inspected {
            None => Verdict::Done(self.refreshed(tokens, None, now)),
            Some(Err(rejection)) => Verdict::Failed(CallFailure::Untrusted(rejection)),
            Some(Ok(needs_keys)) => {
                self.received = Some((tokens, now));
                if needs_keys {
                    return Verdict::NeedsKeys;
                }
                match self.verified(None, config) {
                    Ok(refreshed) => Verdict::Done(refreshed),
                    Err(rejection) => Verdict::Failed(CallFailure::Untrusted(rejection)),
                }
            }
        }
    }

    fn verify(&self, keys: &KeySet, config: &ClientConfig) -> Result<Refreshed, Rejection> {
        self.verified(Some(keys), config)
    }

    fn key_id(&self, config: &ClientConfig) -> Option<String> {
        let (tokens, _) = self.received.as_ref()?;
        id_token::inspect(config, tokens.id_token.as_ref()?.expose()).ok()?.key_id
    }
}

impl Refresh {
    /// Verifies the new ID Token like any other, and compares it with the original (OIDC Core 12.2).
    // REQ-TOK-31b, OPM-REF-03
    fn verified(
        &self,
        keys: Option<&KeySet>,
        config: &ClientConfig,
    ) -> Result<Refreshed, Rejection> {
        // Keys are only asked for after an ID Token was received.
        let (tokens, received_at) = self.received.as_ref().ok_or(Untrusted::TokenForm)?;
        let compact = tokens.id_token.as_ref().ok_or(Untrusted::TokenForm)?;
        let subject = self.original.subject.as_ref().ok_or(Untrusted::Subject)?;
        let expectations = Expectations::new().subject(subject.expose());
        let mut context = IdTokenContext::new(&expectations, *received_at);
        context.access_token = Some(&tokens.access_token);
        context.refresh_token = tokens.refresh_token.as_ref();
        context.started_at = Some(self.started_at);
        let id_token =
            id_token::inspect(config, compact.expose())?.verify(config, keys, &context)?;
        let audiences = &self.original.audiences;
        let is_new = |audience: &str| !audiences.iter().any(|known| known == audience);
        if !audiences.is_empty()
            && (id_token.audiences().any(is_new) || id_token.audiences().count() != audiences.len())
        {
            return Err(Untrusted::Audience
                .at("aud", Found::texts(id_token.audiences()))
                .expecting(Expected::one_of(audiences.iter().map(String::as_str))));
        }
        if let (Some(original), Some(found)) = (self.original.auth_time, id_token.auth_time())
            && original != found
        {
            return Err(Untrusted::AuthTime.at("auth_time", Found::Time(found)));
        }
        Ok(self.refreshed(tokens.clone(), Some(id_token), *received_at))
    }

    fn refreshed(
        &self,
        tokens: ReceivedTokens,
        id_token: Option<IdToken>,
        received_at: Timestamp,
    ) -> Refreshed {
        // A provider that returns the same token again has not replaced it.
        let rotated = tokens.refresh_token.clone().filter(|new| *new != self.refresh_token);
        Refreshed {
            is_rotated: rotated.is_some(),
            refresh_token: rotated.unwrap_or_else(|| self.refresh_token.clone()),
            // The verified token contains it.
            tokens: ReceivedTokens { id_token: None, ..tokens },
            id_token,
            received_at,
            original: self.original.clone(),
        }
    }
}
