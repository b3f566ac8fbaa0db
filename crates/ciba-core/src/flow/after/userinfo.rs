//! The claims of the UserInfo endpoint (OIDC Core 5.3).

use alloc::{boxed::Box, string::String, sync::Arc};

use super::call::{self, Call, CallRequest, NextStep, Task, Verdict};
use super::failure::{CallFailure, NotPossible};
use crate::{
    authentication::Authentication,
    bounds,
    client::ClientConfig,
    crypto::entropy::Entropy,
    elapsed::Moment,
    endpoint::Endpoint,
    fault::{Rejection, Untrusted},
    flow::{
        context::Poll,
        exchange::{Draft, Target},
    },
    id_token::IdToken,
    jose::{JwsAlgorithm, KeySet},
    secret::{AccessToken, SecretText},
    time::Timestamp,
    userinfo::{self, UserInfo},
    wire::{
        Response,
        userinfo::{self as message, UserInfoReply},
    },
};

/// A request to the UserInfo endpoint for the claims about the person ([OIDC Core 5.3]), with the
/// access token and the subject of the ID Token with which it was issued.
///
/// The access token is sent in the `Authorization` header field. The claims are returned only if
/// their `sub` is that of the ID Token. If signed answers are registered
/// ([`ClientConfigBuilder::userinfo_algorithm`](crate::ClientConfigBuilder::userinfo_algorithm)),
/// signature, issuer, audience and times are checked as well. The request is repeated if it has no
/// usable answer, at most three times within 30 seconds.
///
/// It cannot be sent if there is no UserInfo endpoint or no ID Token.
///
/// [OIDC Core 5.3]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.5.3
#[derive(Clone)]
pub struct UserInfoRequest {
    access_token: AccessToken,
    /// `None` if there was no ID Token.
    subject: Option<SecretText>,
}

impl UserInfoRequest {
    /// Creates a request from stored values. `subject` is the `sub` of the verified ID Token with
    /// which the access token was issued.
    #[must_use]
    pub fn new(access_token: AccessToken, subject: &str) -> Self {
        Self::of(access_token, Some(SecretText::from(subject)))
    }

    pub(super) const fn of(access_token: AccessToken, subject: Option<SecretText>) -> Self {
        Self { access_token, subject }
    }
}

impl From<&Authentication> for UserInfoRequest {
    fn from(authentication: &Authentication) -> Self {
        Self {
            access_token: authentication.access_token().clone(),
            subject: authentication.id_token().map(IdToken::subject).map(SecretText::from),
        }
    }
}

impl core::fmt::Debug for UserInfoRequest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("UserInfoRequest").finish_non_exhaustive()
    }
}

impl CallRequest for UserInfoRequest {
    type Answer = UserInfo;

    fn call(
        self,
        config: Arc<ClientConfig>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Call<UserInfo>, NotPossible> {
        let Self { access_token, subject } = self;
        if config.userinfo_endpoint.is_none() {
            return Err(NotPossible::NoEndpoint(Endpoint::UserInfo));
        }
        // A bound token is not valid without its proof.
        if config.dpop.is_some() {
            return Err(NotPossible::BoundToKey);
        }
        if config.userinfo_algorithm.is_some_and(JwsAlgorithm::is_symmetric) {
            return Err(NotPossible::SymmetricAlgorithm);
        }
        // Without a subject to compare it with, an answer could be about anyone.
        let subject = subject.ok_or(NotPossible::NoSubject)?;
        call::sendable(access_token.expose())?;
        let task = FetchUserInfo { access_token, subject, received: None };
        Ok(Call::start(config, Box::new(task), &entropy, now))
    }
}

struct FetchUserInfo {
    access_token: AccessToken,
    subject: SecretText,
    /// A signed answer whose signature is not verified yet, and when it arrived.
    received: Option<(SecretText, JwsAlgorithm, Timestamp)>,
}

impl Task<UserInfo> for FetchUserInfo {
    fn endpoint(&self) -> Endpoint {
        Endpoint::UserInfo
    }

    fn request(&self, _: Box<Draft>, attempt: u32, poll: &mut Poll<'_>) -> NextStep {
        let config = poll.context.config;
        // It was there when the call was made.
        let url = config.userinfo_endpoint.as_ref().unwrap_or(&config.token_endpoint);
        let is_signed = config.userinfo_algorithm.is_some();
        let request = message::request(url.clone(), &self.access_token, is_signed);
        let target = Target {
            endpoint: Endpoint::UserInfo,
            url,
            attempt,
            timeout: config.policy.fetch_timeout,
            max_response: bounds::USER_INFO_BYTES,
            latest: Moment::NEVER,
        };
        call::send(poll, &target, request)
    }

    fn judge(
        &mut self,
        response: &Response,
        config: &ClientConfig,
        now: Timestamp,
    ) -> Verdict<UserInfo> {
        let algorithm = config.userinfo_algorithm;
        let claims = match message::process(response, algorithm.is_some(), now) {
            UserInfoReply::Claims(claims) => claims,
            UserInfoReply::Busy(answer) => return Verdict::Busy(answer),
            UserInfoReply::Error(answer) => {
                return Verdict::Failed(CallFailure::Refused(answer));
            }
            UserInfoReply::Misbehaved(misbehaviour) => {
                return Verdict::Failed(CallFailure::Misbehaved(misbehaviour));
            }
        };
        let Some(algorithm) = algorithm else {
            return match userinfo::plain(claims, self.subject.expose()) {
                Ok(user_info) => Verdict::Done(user_info),
                Err(rejection) => Verdict::Failed(CallFailure::Untrusted(rejection)),
            };
        };
        match userinfo::inspect(claims.expose(), algorithm) {
            Ok(_) => {
                self.received = Some((claims, algorithm, now));
                Verdict::NeedsKeys
            }
            Err(rejection) => Verdict::Failed(CallFailure::Untrusted(rejection)),
        }
    }

    fn verify(&self, keys: &KeySet, config: &ClientConfig) -> Result<UserInfo, Rejection> {
        // Keys are only asked for after a signed answer was received.
        let (token, algorithm, received_at) = self.received.as_ref().ok_or(Untrusted::TokenForm)?;
        let subject = self.subject.expose();
        userinfo::signed(config, token.expose(), *algorithm, keys, subject, *received_at)
    }

    fn key_id(&self, _: &ClientConfig) -> Option<String> {
        let (token, algorithm, _) = self.received.as_ref()?;
        userinfo::inspect(token.expose(), *algorithm).ok()?
    }
}
