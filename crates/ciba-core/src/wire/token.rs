//! The response of the token endpoint (CIBA Core 10.1.1 and 11, RFC 6749 section 5).

use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    bounds,
    endpoint::Endpoint,
    fault::Fault,
    json::{Object, Raw},
    secret::{AccessToken, AuthReqId, CompactIdToken, RefreshToken},
    time::Timestamp,
    wire::{
        Deviation, ErrorCode, JsonObject, Misbehaviour, Response, ServerAnswer,
        form::Form,
        number::{self, Interval},
        retry_after::retry_after,
        server_answer::{Content, ErrorMembers, is_passing_status},
    },
};

/// The CIBA grant type (CIBA Core 10.1).
pub(crate) const GRANT_TYPE: &str = "urn:openid:params:grant-type:ciba";

/// Tokens as received. They have not been verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedTokens {
    pub(crate) access_token: AccessToken,
    pub(crate) token_type: String,
    /// `None` only if the client was configured without `openid`.
    // Ruling 5.
    pub(crate) id_token: Option<CompactIdToken>,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// The lifetime of the access token; `None` if absent or invalid.
    // Ruling 2.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) scope: Option<String>,
    pub(crate) extra: JsonObject,
    /// The irregularities that were tolerated.
    pub(crate) deviations: Vec<Deviation>,
}

/// The meaning of a response of the token endpoint.
#[derive(Debug)]
pub(crate) enum TokenReply {
    Tokens(Box<ReceivedTokens>),
    /// `authorization_pending`.
    // REQ-TOK-14
    Pending(Pacing),
    /// `slow_down`.
    // REQ-TOK-15
    SlowDown(Pacing),
    /// 408, 425, 429 or 5xx that is not a terminal OAuth error.
    // REQ-TOK-28, REQ-TOK-30, ruling 36.
    Busy(Box<ServerAnswer>),
    /// `use_dpop_nonce`: the request was refused before it was processed, and may be repeated with
    /// the nonce of the response (RFC 9449 section 8).
    // REQ-TOK-26
    NonceDemanded(Box<ServerAnswer>),
    /// Any terminal OAuth error. The flow decides by its code.
    Error(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

/// What a pending response demands of the next wait. It can only lengthen it.
// DV-09
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pacing {
    /// The provider's description, without control characters.
    pub(crate) progress: Option<String>,
    /// The `interval` member of the error object.
    pub(crate) interval: Option<Duration>,
    pub(crate) retry_after: Option<Duration>,
}

/// The configured rules for reading a token response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRules<'a> {
    /// Whether `openid` was requested, so that an ID Token is required.
    pub(crate) id_token_required: bool,
    /// Whether the tokens must be bound to a key, so that their type is `DPoP` (RFC 9449 section 5).
    // REQ-POP-11
    pub(crate) bound_to_key: bool,
    /// Whether a missing `token_type` counts as Bearer.
    // Ruling 15.
    pub(crate) assume_bearer: bool,
    /// The values of `token_type` that count as Bearer, besides `Bearer` itself.
    pub(crate) bearer_words: &'a [String],
    /// Whether `scope` may be an array.
    // DV-32
    pub(crate) scope_lists: bool,
    /// Further errors that mean that nothing is decided yet.
    // DV-14
    pub(crate) pending_errors: &'a [PendingError],
}

/// An error of the token endpoint by which a provider says that nothing is decided yet. Both
/// `error` and `error_description` must match exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingError {
    /// The `error` member.
    pub error: String,
    /// The `error_description` member.
    pub description: String,
}

impl PendingError {
    fn is(&self, error: &ErrorMembers) -> bool {
        self.error == error.code.name() && error.description() == Some(&self.description)
    }
}

/// Writes the parameters of a token request, except for client authentication (CIBA Core 10.1).
// REQ-POLL-01
pub(crate) fn request(id: &AuthReqId, form: &mut Form) {
    form.push("grant_type", GRANT_TYPE);
    form.push("auth_req_id", id.expose());
}

/// Writes the parameters of a refresh, except for client authentication (RFC 6749 section 6).
pub(crate) fn refresh_request(token: &RefreshToken, scope: &str, form: &mut Form) {
    form.push("grant_type", "refresh_token");
    form.push("refresh_token", token.expose());
    form.push("scope", scope);
}

/// Interprets a response of the token endpoint.
///
/// A known error code decides whatever the status is. Without one, 408, 425, 429 and 5xx are
/// temporary, and everything else is final.
// REQ-TOK-13, REQ-TOK-30
pub(crate) fn process(response: &Response, rules: TokenRules<'_>, now: Timestamp) -> TokenReply {
    let keep = |error| Box::new(ServerAnswer::new(Endpoint::Token, response, error, now));
    let misbehaved = |fault| {
        TokenReply::Misbehaved(Misbehaviour {
            fault,
            endpoint: Endpoint::Token,
            answer: Some(keep(None)),
        })
    };
    let busy = |error| TokenReply::Busy(keep(error));
    // Redirects are never followed, and an OAuth error in one does not count.
    if (300..400).contains(&response.status) {
        return misbehaved(Fault::Redirect);
    }
    let may_pass = is_passing_status(response.status);
    let content = match Content::read(response) {
        Content::Error(error) => {
            #[cfg_attr(
                not(test),
                expect(clippy::wildcard_enum_match_arm, reason = "unknown codes are terminal")
            )]
            return match error.code {
                ErrorCode::AuthorizationPending => {
                    TokenReply::Pending(pacing(error, response, now))
                }
                ErrorCode::SlowDown => TokenReply::SlowDown(pacing(error, response, now)),
                // The status of RFC 9449 section 8, and the one that resources use.
                ErrorCode::UseDpopNonce if matches!(response.status, 400 | 401) => {
                    TokenReply::NonceDemanded(keep(Some(error)))
                }
                // Compared before the other codes, because such an error may use a code that is
                // otherwise final.
                _ if rules.pending_errors.iter().any(|pending| pending.is(&error)) => {
                    TokenReply::Pending(pacing(error, response, now))
                }
                // An unspecific code, for example from a gateway, says no more than its status.
                ErrorCode::ServerError
                | ErrorCode::TemporarilyUnavailable
                | ErrorCode::Unknown(_)
                    if may_pass =>
                {
                    busy(Some(error))
                }
                // All other codes are final, including unknown ones (REQ-POLL-22).
                _ => TokenReply::Error(keep(Some(error))),
            };
        }
        Content::Object(object) => Ok(object),
        Content::Unusable(fault) => Err(fault),
    };
    match (response.status, content) {
        // The body does not matter: with these statuses it is often that of a gateway.
        _ if may_pass => busy(None),
        // Only 200 is a success (RFC 6749 section 5.1).
        (200, Ok(object)) => match tokens(object, rules) {
            Ok(tokens) => TokenReply::Tokens(Box::new(tokens)),
            Err(fault) => misbehaved(fault),
        },
        // A 401 means that client authentication failed, even without a body. Gateways and some
        // providers send none.
        (401, _) => TokenReply::Error(keep(None)),
        (200, Err(fault)) | (_, Err(fault @ Fault::TooLarge)) => misbehaved(fault),
        (_, _) => misbehaved(Fault::Status),
    }
}

fn pacing(error: ErrorMembers, response: &Response, now: Timestamp) -> Pacing {
    let interval = match error.interval().map(number::interval) {
        Some(Interval::AsGiven(interval) | Interval::Adjusted(interval)) => Some(interval),
        // Ruling 1: an interval never ends a flow.
        Some(Interval::Unusable) | None => None,
    };
    Pacing {
        interval,
        retry_after: retry_after(&response.headers, now),
        progress: error.into_description(),
    }
}

/// Reads a token response (RFC 6749 section 5.1, OIDC Core 3.1.3.3).
// Ruling 33: the person has approved by now, so an optional member that cannot be used counts as
// absent and is reported.
pub(crate) fn tokens(mut object: Object, rules: TokenRules<'_>) -> Result<ReceivedTokens, Fault> {
    let mut deviations = Vec::new();
    // In a success, `Content::read` returns an object only if `error` is absent, null or empty.
    if object.take("error").is_some() {
        deviations.push(Deviation::EmptyError);
    }
    let mut required = |name: &'static str| match object.take_text(name)? {
        Some(text) if text.is_empty() => Err(Fault::BadMember(name)),
        text => Ok(text),
    };
    let access_token = required("access_token")?.ok_or(Fault::MissingMember("access_token"))?;
    let token_type = match required("token_type")? {
        // A server that does not know DPoP ignores the proof and returns a bearer token, which
        // anyone who sees it can use. Nothing of such a response is used (REQ-POP-11).
        Some(word) if rules.bound_to_key => match word.eq_ignore_ascii_case("dpop") {
            true => word,
            false => return Err(Fault::NotBound),
        },
        None if rules.bound_to_key => return Err(Fault::MissingMember("token_type")),
        // An option and no default: a token of another type must not be used as a bearer token.
        None if rules.assume_bearer => String::from("Bearer"),
        None => return Err(Fault::MissingMember("token_type")),
        // RFC 6749 section 5.1: the value is case-insensitive.
        Some(word) if word.eq_ignore_ascii_case("bearer") => word,
        Some(word) if rules.bearer_words.iter().any(|known| known.eq_ignore_ascii_case(&word)) => {
            word
        }
        Some(_) => return Err(Fault::BadMember("token_type")),
    };
    let id_token = match required("id_token") {
        Ok(None) if rules.id_token_required => return Err(Fault::MissingMember("id_token")),
        Err(fault) if rules.id_token_required => return Err(fault),
        Ok(id_token) => id_token,
        Err(_) => {
            deviations.push(Deviation::IdTokenUnusable);
            None
        }
    };
    let refresh_token = required("refresh_token").unwrap_or_else(|_| {
        deviations.push(Deviation::RefreshTokenUnusable);
        None
    });
    let scope = match rules.scope_lists.then(|| scope_list(&mut object)).flatten() {
        Some(scope) => Some(scope),
        // An empty scope is valid: nothing was granted (REQ-TOK-07).
        None => object.take_text("scope").unwrap_or_else(|_| {
            deviations.push(Deviation::ScopeUnusable);
            None
        }),
    };
    // It stays among the extra members, and nothing counts as granted by it (ruling 41).
    if object.get(DETAILS).is_some_and(|details| !details.is_null() && details.items().is_none()) {
        deviations.push(Deviation::DetailsUnusable);
    }
    // An invalid lifetime counts as unknown (ruling 2).
    let lifetime = object.take("expires_in").map(number::whole);
    if lifetime == Some(None) {
        deviations.push(Deviation::TokenLifetimeUnusable);
    }
    let seconds =
        |whole: number::Whole| bounds::TOKEN_LIFETIME.clamp(Duration::from_secs(whole.seconds));
    Ok(ReceivedTokens {
        access_token: access_token.into(),
        token_type,
        id_token: id_token.map(CompactIdToken::from),
        refresh_token: refresh_token.map(RefreshToken::from),
        expires_in: lifetime.flatten().map(seconds),
        scope,
        extra: object.rest(),
        deviations,
    })
}

/// The member defined by RFC 9396.
const DETAILS: &str = "authorization_details";

/// Takes a `scope` that is an array of names. Any other `scope` is left in place.
fn scope_list(object: &mut Object) -> Option<String> {
    let scope = object.get("scope")?.items()?.map(Raw::text).collect::<Option<Vec<_>>>()?.join(" ");
    // Removed, so that it does not appear among the extra members as well.
    object.take("scope");
    Some(scope)
}

#[cfg(test)]
mod tests;
