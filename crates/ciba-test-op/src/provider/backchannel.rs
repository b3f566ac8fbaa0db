//! The backchannel authentication endpoint.

// Sections 3 and 5 of spec/provider-side.md.

use core::time::Duration;

use ciba_core::{DeliveryMode, Timestamp, http::Response};
use serde_json::{Value, json};

use super::{
    hint::fault_of, json_answer::answer, pace::Pace, parameters::Parameters, refusal::Refusal,
    state::Provider, supported::CIBA_GRANT, transaction::Record,
};
use crate::{
    client::Client,
    config::{Behaviour, Personality, RequestedExpiry},
    faults,
    ids::Ids,
    judge::{Rule, Severity},
    jws,
    message::{Endpoint, ExchangeId, Incoming},
    script::{Decision, Script},
};

/// The interval if none is sent (CIBA 7.3).
const USUAL_INTERVAL: Duration = Duration::from_secs(5);
const SWEDISH: &str = "urn:grn:authn:se:bankid";
const NORWEGIAN: &str = "urn:grn:authn:no:bankid";

/// The user of a hint, and what the user does.
struct Found {
    subject: String,
    name: String,
    behaviour: Behaviour,
    user_code: Option<String>,
}

/// The terms of an acknowledgement.
struct Terms {
    expires_in: Duration,
    interval: Option<Duration>,
    words: Option<String>,
}

impl Provider {
    /// Answers an authentication request and, if it is acknowledged, creates the transaction.
    pub(super) fn backchannel(
        &mut self,
        request: &Incoming,
        now: Timestamp,
    ) -> Result<(Response, Record), Refusal> {
        let parameters = Parameters::read(request)?;
        let client = self.authenticate(request, &parameters, Endpoint::Backchannel, now)?;
        if !client.ciba {
            return Err(Refusal::error(400, "unauthorized_client", "the client may not use CIBA"));
        }
        // Before anything is processed, so that a request that is refused for its nonce prompts nobody.
        let dpop_key = self.dpop_key(request, &client, Endpoint::Backchannel, now)?;
        let parameters = self.signed_or_plain(parameters, &client, now)?;
        if self.config.habits.wants_grant_type && parameters.get("grant_type") != Some(CIBA_GRANT) {
            return Err(Refusal::error(
                400,
                "unsupported_grant_type",
                "grant_type is missing or wrong",
            ));
        }
        self.scope(&parameters)?;
        let hint = hint(&parameters)?;
        self.binding_message(&parameters)?;
        self.unique_context(&parameters)?;
        let requested = self.requested_expiry(&parameters)?;
        let details = details(&parameters)?;
        resources(&parameters)?;
        claims(&parameters)?;
        request_context(&parameters)?;
        let notification_token = self.notification_token(&client, &parameters)?;
        let found = self.find(&parameters, hint, &client)?;
        user_code(&parameters, &found, &client)?;
        let terms = self.terms(&parameters, details.as_ref(), requested)?;
        if !self.has_room(now) {
            return Err(Refusal::error(
                503,
                "temporarily_unavailable",
                "too many authentications are in progress",
            ));
        }
        if self.lost_requests.iter().any(|(lost, until)| lost == hint && now < *until) {
            let reason =
                "the answer to the last request for this user was lost; the user is prompted twice";
            self.broke(Rule::RepeatedAuthenticationRequest, reason);
        }

        let auth_req_id = match self.config.personality {
            Personality::Generic => self.ids.token(),
            Personality::Idura => self.ids.uuid(),
        };
        let mut body =
            json!({ "auth_req_id": auth_req_id, "expires_in": terms.expires_in.as_secs() });
        // Push clients do not poll (OP-33).
        if let Some(interval) = terms.interval.filter(|_| client.delivery != DeliveryMode::Push) {
            body["interval"] = interval.as_secs().into();
        }
        if let Some(words) = &terms.words {
            body["bindingMessage"] = words.clone().into();
        }
        let response = answer(200, &body);
        let (decided, pending) = match found.behaviour {
            Behaviour::Approve(pending) => (Some(Decision::Approve), pending),
            Behaviour::Deny(pending) => (Some(Decision::Deny), pending),
            Behaviour::Never | Behaviour::Manual | Behaviour::Unknown => (None, None),
        };
        let pending = pending.unwrap_or(self.config.pending_answers);
        // There may be no polls to count, so the user decides after this many intervals.
        let polls = client.delivery == DeliveryMode::Poll;
        let decides =
            now.saturating_add(terms.interval.unwrap_or(USUAL_INTERVAL).saturating_mul(pending));
        let acr = parameters
            .get("acr_values")
            .and_then(|values| values.split(' ').next())
            .map(str::to_owned);
        let record = Record {
            number: self.transactions.begun() + 1,
            asked: ExchangeId(0),
            auth_req_id,
            subject: found.subject,
            name: found.name,
            hint: hint.to_owned(),
            scope: parameters.get("scope").unwrap_or_default().to_owned(),
            acr,
            thumbprint: client.thumbprint(request),
            dpop_key,
            offline: self.config.personality == Personality::Generic
                && client.refresh
                && parameters
                    .get("scope")
                    .is_some_and(|scope| scope.split(' ').any(|token| token == "offline_access")),
            details,
            binding_message: parameters.get("binding_message").map(str::to_owned),
            words: terms.words,
            started: now,
            expires: now.saturating_add(terms.expires_in),
            decided: decided.filter(|_| polls),
            scheduled: decided.filter(|_| !polls).map(|decision| (decides, decision)),
            decision_came: None,
            acknowledged: None,
            notification_token,
            plans: Vec::new(),
            pushed: None,
            delivered: None,
            pending_left: if polls { pending } else { 0 },
            pending_told: 0,
            redeemed: false,
            dead: false,
            script: self.hint_script(hint),
            requests: 0,
            pace: Pace::told(&response, now, terms.expires_in, self.config.speed_reference),
            client,
        };
        Ok((response, record))
    }

    fn hint_script(&self, hint: &str) -> Script {
        let of_hint = |(known, _): &&(String, Script)| known == hint;
        let script = self
            .hint_scripts
            .iter()
            .find(of_hint)
            .map(|(_, script)| script.clone())
            .unwrap_or_default();
        fault_of(hint).map_or(script.clone(), |fault| script.and(fault.script))
    }

    fn scope(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let scope =
            parameters.get("scope").ok_or_else(|| Refusal::bad(Rule::Scope, "scope is missing"))?;
        let fits = |token: &str| {
            !token.is_empty()
                && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        if !scope.split(' ').all(fits) {
            return Err(Refusal::bad(Rule::Scope, "scope is malformed"));
        }
        if !scope.split(' ').any(|token| token == "openid") {
            return Err(Refusal::bad(Rule::Scope, "scope lacks openid"));
        }
        if !scope.split(' ').all(|token| self.config.scopes.iter().any(|known| known == token)) {
            return Err(Refusal::error(400, "invalid_scope", "a scope is unknown"));
        }
        Ok(())
    }

    fn binding_message(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let message = parameters.get("binding_message").unwrap_or_default();
        let is_too_long = message.chars().count() > self.config.binding_message_limit;
        let taken = self.config.habits.take_message(parameters.get("binding_message"));
        if is_too_long || !taken || message.chars().any(char::is_control) {
            return Err(Refusal::error(
                400,
                "invalid_binding_message",
                "the binding message cannot be displayed",
            ));
        }
        Ok(())
    }

    /// A positive integer without sign or leading zeros (OP-23), reduced to the longest lifetime.
    fn requested_expiry(&mut self, parameters: &Parameters) -> Result<Option<u64>, Refusal> {
        let habits = &self.config.habits;
        let name = habits.expiry_parameter.unwrap_or("requested_expiry");
        let Some(text) = parameters.get(name) else { return Ok(None) };
        if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('0') {
            return Err(Refusal::bad(
                Rule::RequestedExpiry,
                "requested_expiry is not a positive integer",
            ));
        }
        // Digits that do not fit into a u64 are a large number.
        let seconds = text.parse().unwrap_or(u64::MAX);
        if habits.refuses_longer_expiry && seconds > self.config.expires_in.as_secs() {
            return Err(Refusal::error(
                400,
                "invalid_request",
                "requested_expiry is longer than the provider's lifetime of requests",
            ));
        }
        let ceiling = self.config.longest_expiry.as_secs();
        if seconds > ceiling && self.config.requested_expiry != RequestedExpiry::Ignored {
            let reason =
                format!("requested_expiry is longer than {ceiling} s, the longest lifetime here");
            self.say(Rule::RequestedExpiry, Severity::Advice, &reason);
        }
        Ok(Some(seconds.min(ceiling)))
    }

    /// The user of a hint: one of the configured users, one whose hint says what they do, or with
    /// Idura any `sub:ssn:` number.
    fn find(&self, parameters: &Parameters, hint: &str, client: &Client) -> Result<Found, Refusal> {
        let unknown = || Refusal::error(400, "unknown_user_id", "the hint identifies no user");
        if parameters.get("id_token_hint").is_some() {
            return self.find_by_token(hint, client);
        }
        if let Some(user) = self.config.users.iter().find(|user| user.hint == hint) {
            let (subject, name) = (user.subject.clone(), user.name.clone());
            return match user.behaviour {
                Behaviour::Unknown => Err(unknown()),
                behaviour => {
                    Ok(Found { subject, name, behaviour, user_code: user.user_code.clone() })
                }
            };
        }
        let (subject, behaviour) = match self.config.personality {
            Personality::Generic => (format!("user-{hint}"), steered(hint).ok_or_else(unknown)?),
            Personality::Idura => {
                let number = hint
                    .strip_prefix("sub:ssn:")
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
                number.filter(|digits| matches!(digits.len(), 11 | 12)).ok_or_else(unknown)?;
                (pseudonym(hint), Behaviour::Approve(None))
            }
        };
        let user_code = hint.strip_prefix("user-code:").map(str::to_owned);
        Ok(Found { subject, name: "Terne Paulsen".to_owned(), behaviour, user_code })
    }

    /// The user of an ID Token of this provider, which may be expired (OP-19).
    fn find_by_token(&self, token: &str, client: &Client) -> Result<Found, Refusal> {
        let unknown =
            || Refusal::error(400, "unknown_user_id", "the token is not one of this provider's");
        if token.split('.').count() == 5 {
            return Err(Refusal::bad(Rule::Hint, "an id_token_hint must not be encrypted"));
        }
        let parsed = jws::parse(token).ok_or_else(unknown)?;
        let ours = parsed.text("iss") == Some(&self.config.issuer)
            && parsed.text("aud") == Some(&client.id)
            && parsed.algorithm().is_some_and(|alg| {
                self.keys.published().iter().any(|jwk| parsed.signed_by(jwk, alg))
            });
        let subject = parsed.text("sub").filter(|_| ours).ok_or_else(unknown)?;
        let user = self.config.users.iter().find(|user| user.subject == subject);
        let (name, behaviour) = user
            .map_or(("Test Person".to_owned(), Behaviour::Approve(None)), |user| {
                (user.name.clone(), user.behaviour)
            });
        let user_code = user.and_then(|user| user.user_code.clone());
        Ok(Found { subject: subject.to_owned(), name, behaviour, user_code })
    }

    fn terms(
        &mut self,
        parameters: &Parameters,
        details: Option<&Value>,
        requested: Option<u64>,
    ) -> Result<Terms, Refusal> {
        let (config, acr) = (&self.config, parameters.get("acr_values").unwrap_or_default());
        let mut terms =
            Terms { expires_in: config.expires_in, interval: config.interval, words: None };
        if let Some(requested) = requested {
            terms.expires_in = match config.requested_expiry {
                RequestedExpiry::Honoured => Duration::from_secs(requested),
                RequestedExpiry::Ignored => terms.expires_in,
                RequestedExpiry::Shortened => Duration::from_secs((requested / 2).max(1)),
            };
        }
        if config.personality == Personality::Generic {
            return Ok(terms);
        }
        let has_message = parameters.get("binding_message").is_some();
        let bad = |reason| Err(Refusal::error(400, "invalid_request", reason));
        match acr {
            SWEDISH => {
                if !has_message {
                    return Err(Refusal::error(
                        400,
                        "invalid_binding_message",
                        "a binding message is required",
                    ));
                }
                let initiator = details.and_then(|details| details[0]["callInitiator"].as_str());
                if kind(details) != Some("phoneAuth") || !matches!(initiator, Some("RP" | "user")) {
                    return bad("phoneAuth with callInitiator RP or user is required");
                }
            }
            NORWEGIAN => {
                if has_message {
                    return Err(Refusal::error(
                        400,
                        "invalid_binding_message",
                        "a binding message is not supported",
                    ));
                }
                if kind(details) != Some("customerServiceCall.v1") {
                    return bad("customerServiceCall.v1 is required");
                }
                terms.expires_in = Duration::from_secs(900);
                terms.interval = Some(Duration::from_secs(3));
                terms.words = Some(self.words());
            }
            "" => return bad("acr_values is missing"),
            _ => {}
        }
        Ok(terms)
    }
}

/// A stable `sub` per user, with braces (ID-92). The user of Idura's sample token has the sample's.
fn pseudonym(hint: &str) -> String {
    if hint == "sub:ssn:196802020575" {
        return "{bb9c2364-dfae-44f3-bcfd-999053d94f9e}".to_owned();
    }
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    format!("{{{}}}", Ids::new(hint.bytes().fold(0xcbf2_9ce4_8422_2325, fold)).uuid())
}

/// What a hint says that its user does: `approve`, `approve-after:2:NAME`, `deny`, `deny-after:1`,
/// `never`, `manual`, `user-code:1234`, which requires that code and approves, and `fault:NAME`,
/// which approves and has that fault.
fn steered(hint: &str) -> Option<Behaviour> {
    let mut words = hint.split(':');
    let (word, count) = (words.next()?, words.next());
    Some(match word {
        "approve" => Behaviour::Approve(None),
        "approve-after" => Behaviour::Approve(Some(count?.parse().ok()?)),
        "deny" => Behaviour::Deny(None),
        "deny-after" => Behaviour::Deny(Some(count?.parse().ok()?)),
        "never" => Behaviour::Never,
        "manual" => Behaviour::Manual,
        "user-code" => count.map(|_| Behaviour::Approve(None))?,
        "fault" => faults::named(count?).map(|_| Behaviour::Approve(None))?,
        _ => return None,
    })
}

/// Checks the user code, if the user has one and the client may send it (OP-21).
fn user_code(parameters: &Parameters, found: &Found, client: &Client) -> Result<(), Refusal> {
    match (&found.user_code, parameters.get("user_code")) {
        (Some(_), None) if client.user_code => {
            Err(Refusal::error(400, "missing_user_code", "a user code is required"))
        }
        (Some(known), Some(sent)) if client.user_code && known != sent => {
            Err(Refusal::error(400, "invalid_user_code", "the user code is another one"))
        }
        _ => Ok(()),
    }
}

/// The hint, of which there has to be exactly one (OP-18).
fn hint(parameters: &Parameters) -> Result<&str, Refusal> {
    let names = ["login_hint", "login_hint_token", "id_token_hint"];
    let mut hints = names.into_iter().filter_map(|name| parameters.get(name));
    match (hints.next(), hints.next()) {
        (Some("expired"), None) if parameters.get("login_hint_token").is_some() => {
            Err(Refusal::error(400, "expired_login_hint_token", "the hint token has expired"))
        }
        (Some(hint), None) => Ok(hint),
        _ => Err(Refusal::bad(Rule::Hint, "there is not exactly one hint")),
    }
}

/// Reads an array of objects with a type (OP-24).
fn details(parameters: &Parameters) -> Result<Option<Value>, Refusal> {
    let Some(text) = parameters.get("authorization_details") else { return Ok(None) };
    let reason = "authorization_details is not an array of objects with a type";
    let malformed =
        || Refusal::new(Rule::AuthorizationDetails, 400, "invalid_authorization_details", reason);
    let details: Value = serde_json::from_str(text).map_err(|_| malformed())?;
    let typed = |entry: &Value| entry["type"].as_str().is_some_and(|kind| !kind.is_empty());
    match details.as_array() {
        Some(entries) if !entries.is_empty() && entries.iter().all(typed) => Ok(Some(details)),
        _ => Err(malformed()),
    }
}

fn kind(details: Option<&Value>) -> Option<&str> {
    details?[0]["type"].as_str()
}

/// Checks that resources are absolute URIs without fragment (OP-24).
fn resources(parameters: &Parameters) -> Result<(), Refusal> {
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(in_scheme)
    };
    let in_uri = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
    let fits = |uri: &str| match uri.split_once(':') {
        Some((scheme, rest)) => is_scheme(scheme) && !rest.is_empty() && uri.bytes().all(in_uri),
        None => false,
    };
    match parameters.all("resource").all(fits) {
        true => Ok(()),
        false => Err(Refusal::new(
            Rule::Resource,
            400,
            "invalid_target",
            "a resource is not an absolute URI",
        )),
    }
}

/// Checks that `claims` is an object whose `id_token` and `userinfo` are objects, in which each claim
/// is null or an object with valid members (OP-24).
fn claims(parameters: &Parameters) -> Result<(), Refusal> {
    let Some(text) = parameters.get("claims") else { return Ok(()) };
    let asked = |claim: &Value| match claim {
        Value::Null => true,
        Value::Object(members) => members.iter().all(|(name, value)| match name.as_str() {
            "essential" => value.is_boolean(),
            "values" => value.as_array().is_some_and(|values| !values.is_empty()),
            _ => true,
        }),
        _ => false,
    };
    let of_place = |place: &Value| match place {
        Value::Null => true,
        Value::Object(claims) => claims.values().all(asked),
        _ => false,
    };
    match serde_json::from_str(text) {
        Ok(Value::Object(places))
            if ["id_token", "userinfo"]
                .iter()
                .all(|name| places.get(*name).is_none_or(of_place)) =>
        {
            Ok(())
        }
        _ => Err(Refusal::bad(Rule::Claims, "claims is not a JSON object of requested claims")),
    }
}

/// Checks that `request_context` is an object (OP-24).
fn request_context(parameters: &Parameters) -> Result<(), Refusal> {
    let Some(text) = parameters.get("request_context") else { return Ok(()) };
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        _ => Err(Refusal::bad(Rule::RequestContext, "request_context is not a JSON object")),
    }
}
