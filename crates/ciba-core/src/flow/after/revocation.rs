//! The revocation of a token (RFC 7009).

use alloc::{boxed::Box, sync::Arc};

use super::call::{self, Call, CallRequest, NextStep, Task, Verdict};
use super::failure::{CallFailure, NotPossible};
use crate::{
    bounds,
    client::ClientConfig,
    crypto::entropy::Entropy,
    endpoint::Endpoint,
    flow::{
        context::Poll,
        exchange::{self, Draft, Preparation, Target},
    },
    secret::{AccessToken, RefreshToken},
    time::Timestamp,
    wire::{
        Response,
        revocation::{self, RevocationReply, TokenTypeHint},
    },
};

/// A token to revoke ([RFC 7009]), with its type, which helps the provider to find it.
///
/// The provider may revoke other tokens of the same authentication with it: revoking the refresh
/// token usually ends all of them. A token that the provider does not know, or that has expired,
/// counts as revoked. The request can be repeated without harm, and is repeated if it has no
/// usable answer, at most three times within 30 seconds.
///
/// It cannot be sent if there is no revocation endpoint.
///
/// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocable {
    token: RefreshToken,
    hint: TokenTypeHint,
}

impl From<&RefreshToken> for Revocable {
    fn from(token: &RefreshToken) -> Self {
        Self { token: token.clone(), hint: TokenTypeHint::RefreshToken }
    }
}

impl From<&AccessToken> for Revocable {
    fn from(token: &AccessToken) -> Self {
        Self { token: RefreshToken::new(token.expose()), hint: TokenTypeHint::AccessToken }
    }
}

impl CallRequest for Revocable {
    type Answer = ();

    fn call(
        self,
        config: Arc<ClientConfig>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Call<()>, NotPossible> {
        if config.revocation_endpoint.is_none() {
            return Err(NotPossible::NoEndpoint(Endpoint::Revocation));
        }
        call::sendable(self.token.expose())?;
        Ok(Call::start(config, Box::new(Revoke(self)), &entropy, now))
    }
}

struct Revoke(Revocable);

impl Task<()> for Revoke {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Revocation
    }

    fn request(&self, draft: Box<Draft>, attempt: u32, poll: &mut Poll<'_>) -> NextStep {
        let config = poll.context.config;
        let ready = match exchange::prepare(draft, Endpoint::Revocation, None, poll) {
            Preparation::Ask(progress, effect) => return (progress, effect),
            Preparation::Send(ready) => ready,
        };
        let target = Target {
            endpoint: Endpoint::Revocation,
            // It was there when the call was made. The token endpoint would not know the request.
            url: config.revocation_endpoint.as_ref().unwrap_or(&config.token_endpoint),
            attempt,
            timeout: config.policy.fetch_timeout,
            max_response: bounds::REVOCATION_BYTES,
            latest: crate::elapsed::Moment::NEVER,
        };
        let parameters = |form: &mut _| {
            revocation::request(self.0.token.expose(), self.0.hint, form);
        };
        exchange::transmit(poll, &target, parameters, ready, &[])
    }

    fn judge(&mut self, response: &Response, _: &ClientConfig, now: Timestamp) -> Verdict<()> {
        match revocation::process(response, now) {
            RevocationReply::Revoked => Verdict::Done(()),
            RevocationReply::Busy(answer) => Verdict::Busy(answer),
            RevocationReply::Error(answer) => Verdict::Failed(CallFailure::Refused(answer)),
            RevocationReply::Misbehaved(misbehaviour) => {
                Verdict::Failed(CallFailure::Misbehaved(misbehaviour))
            }
        }
    }
}
