//! Refresh tokens: issued with `offline_access`, and exchanged for a new one at each use.

// OP-52

use core::time::Duration;
use std::sync::Arc;

use ciba_core::{DeliveryMode, Timestamp, http::Response};
use serde_json::Value;

use super::{
    acts::Acts, issued::RefreshToken, json_answer::answer, parameters::Parameters,
    refusal::Refusal, state::Provider, supported::REFRESH_GRANT, transaction::Record,
};
use crate::{
    judge::Rule,
    message::{Endpoint, ExchangeId, Incoming},
};

/// Longer than any test takes.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// Whether a token request uses this grant.
pub(super) fn is_refresh(request: &Incoming) -> bool {
    Parameters::read(request)
        .is_ok_and(|parameters| parameters.get("grant_type") == Some(REFRESH_GRANT))
}

/// A refresh request that was checked.
pub(super) struct Checked {
    /// The index of its token.
    at: usize,
    /// The requested scope.
    scope: Option<String>,
    /// The key of its proof.
    dpop_key: Option<String>,
}

impl Provider {
    /// Stores the refresh token of a token response.
    pub(super) fn keep_refresh_token(&mut self, tokens: &Value, record: &Record, now: Timestamp) {
        let Some(token) = tokens["refresh_token"].as_str() else { return };
        if self.refresh_tokens.len() >= self.record_limit() {
            self.refresh_tokens.pop_front();
        }
        let (token, grant) = (token.to_owned(), Arc::new(record.clone()));
        self.refresh_tokens.push_back(RefreshToken {
            token,
            grant,
            used: None,
            until: now.saturating_add(LIFETIME),
        });
    }

    pub(super) fn answer_refresh_request(
        &mut self,
        id: ExchangeId,
        request: &Incoming,
        acts: &Acts,
        now: Timestamp,
    ) -> Response {
        match (self.check_refresh(request, now), &acts.answer) {
            (Err(refusal), scripted) => {
                let own = self.refused(&refusal);
                scripted.as_ref().map_or(own, |scripted| scripted.response())
            }
            (Ok(_), Some(scripted)) => scripted.response(),
            (Ok(checked), None) => {
                let body = self.refresh(id, checked, request, acts, now);
                acts.amended(answer(200, &body))
            }
        }
    }

    /// Checks a request.
    pub(super) fn check_refresh(
        &mut self,
        request: &Incoming,
        now: Timestamp,
    ) -> Result<Checked, Refusal> {
        let parameters = Parameters::read(request)?;
        let client = self.authenticate(request, &parameters, Endpoint::Token, now)?;
        let dpop_key = self.dpop_key(request, &client, Endpoint::Token, now)?;
        if !client.refresh {
            let reason = "the client is not registered for refresh tokens";
            return Err(Refusal::new(Rule::GrantType, 400, "unauthorized_client", reason));
        }
        let token = parameters.get(REFRESH_GRANT);
        let token =
            token.ok_or_else(|| Refusal::bad(Rule::RefreshToken, "refresh_token is missing"))?;
        let owned =
            |known: &RefreshToken| known.token == token && known.grant.client.id == client.id;
        let invalid = |reason| Refusal::new(Rule::RefreshToken, 400, "invalid_grant", reason);
        let Some(at) = self.refresh_tokens.iter().position(owned) else {
            return Err(invalid("no such refresh token"));
        };
        if now >= self.refresh_tokens[at].until {
            return Err(Refusal::error(400, "invalid_grant", "the refresh token has expired"));
        }
        if let Some(used) = self.refresh_tokens[at].used {
            return Err(self.reused(at, used));
        }
        let granted = &self.refresh_tokens[at].grant.scope;
        let scope = parameters.get("scope").map(str::to_owned);
        let exceeds = |scope: &String| {
            scope.split(' ').any(|token| !granted.split(' ').any(|known| known == token))
        };
        if scope.as_ref().is_some_and(exceeds) {
            let reason = "scope asks for more than was granted";
            return Err(Refusal::new(Rule::Scope, 400, "invalid_scope", reason));
        }
        Ok(Checked { at, scope, dpop_key })
    }

    /// Refuses a rotated token and revokes every token of the same authentication (RFC 9700 section
    /// 4.14.2), except if the answer to its first use was lost: the client could not know.
    fn reused(&mut self, at: usize, used: ExchangeId) -> Refusal {
        let family = self.refresh_tokens[at].grant.number;
        self.refresh_tokens.retain(|known| known.grant.number != family);
        let reason = "the refresh token was used before; it and its successors are revoked";
        match self.exchange(used).is_some_and(|exchange| exchange.lost) {
            true => Refusal::error(400, "invalid_grant", reason),
            false => Refusal::new(Rule::RefreshToken, 400, "invalid_grant", reason),
        }
    }

    /// Issues tokens for a refresh token, and a new refresh token in its place.
    fn refresh(
        &mut self,
        id: ExchangeId,
        Checked { at, scope, dpop_key }: Checked,
        request: &Incoming,
        acts: &Acts,
        now: Timestamp,
    ) -> Value {
        self.refresh_tokens[at].used = Some(id);
        let grant = Arc::clone(&self.refresh_tokens[at].grant);
        let mut record = Record::clone(&grant);
        record.thumbprint = record.client.thumbprint(request);
        record.dpop_key = dpop_key;
        // The claims that bind a pushed ID Token to its delivery do not belong into this one (OpenID
        // Connect Core 12.2).
        record.client.delivery = DeliveryMode::Poll;
        let mut body = self.token_set(&record, &acts.id_token, now);
        if let Some(scope) = scope.filter(|scope| *scope != record.scope) {
            if !scope.split(' ').any(|token| token == "openid") {
                body.as_object_mut().map(|body| body.remove("id_token"));
            }
            body["scope"] = scope.into();
        }
        // The new token keeps the whole grant, whatever scope was requested now (RFC 6749 6).
        self.keep_refresh_token(&body, &grant, now);
        body
    }
}
