//! Signed authentication requests, and the additional rules of FAPI-CIBA.

// Section 4 of spec/provider-side.md.

use ciba_core::Timestamp;
use serde_json::Value;

use super::{parameters::Parameters, refusal::Refusal, state::Provider};
use crate::{client::Client, habits::RequestAudience, judge::Rule, jws, message::Endpoint};

/// The parameters allowed beside a signed request: only client authentication (CIBA 7.1.1).
const OUTSIDE: [&str; 5] =
    ["request", "client_assertion", "client_assertion_type", "client_id", "client_secret"];
/// Claims that are not parameters.
const CLAIMS: [&str; 8] = ["iss", "aud", "exp", "iat", "nbf", "jti", "sub", "client_id"];
/// Parameters of CIBA 7.1, which are strings inside a signed request.
const CORE: [&str; 9] = [
    "scope",
    "client_notification_token",
    "acr_values",
    "login_hint_token",
    "id_token_hint",
    "login_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
];
/// How long a request object may be valid, and how old its `nbf` may be, in seconds (FAPI-CIBA
/// 5.2.2).
const FAPI_HOUR: u64 = 3_600;

impl Provider {
    /// The parameters of an authentication request, from the signed request if there is one (OP-25
    /// to OP-30).
    pub(super) fn signed_or_plain(
        &mut self,
        parameters: Parameters,
        client: &Client,
        now: Timestamp,
    ) -> Result<Parameters, Refusal> {
        let code = self.config.request_object_error;
        let read = self.read_request(parameters, client, now);
        read.map_err(|mut refusal| {
            if refusal.rule != Some(Rule::RequestObject) {
                refusal.code = code;
            }
            refusal
        })
    }

    fn read_request(
        &mut self,
        parameters: Parameters,
        client: &Client,
        now: Timestamp,
    ) -> Result<Parameters, Refusal> {
        let Some(token) = parameters.get("request") else {
            return match client.request_signing_alg {
                None if self.config.habits.signed_requests_only => {
                    Err(Refusal::error(400, "invalid_request", "only signed requests are accepted"))
                }
                None => Ok(parameters),
                Some(_) => Err(Refusal::bad(
                    Rule::RequestObject,
                    "the client is registered for signed requests only",
                )),
            };
        };
        let Some(algorithm) = client.request_signing_alg else {
            return Err(Refusal::bad(
                Rule::RequestObject,
                "the client is not registered for signed requests",
            ));
        };
        if parameters.names().any(|name| !OUTSIDE.contains(&name)) {
            return Err(Refusal::bad(
                Rule::RequestObject,
                "there are parameters outside of the signed request",
            ));
        }
        let bad_form = |reason| Refusal::bad(Rule::RequestObjectForm, reason);
        if token.split('.').count() == 5 {
            return Err(bad_form("a signed request must not be encrypted"));
        }
        let parsed =
            jws::parse(token).ok_or_else(|| bad_form("the request is not a compact JWS"))?;
        if parsed.algorithm() != Some(algorithm) {
            return Err(bad_form("the request's alg is not the registered one"));
        }
        let mut keys =
            client.request_keys().filter(|jwk| jws::algorithms_of(jwk).contains(&algorithm));
        if !keys.any(|jwk| parsed.signed_by(jwk, algorithm)) {
            return Err(bad_form("the request's signature does not verify with the client's keys"));
        }
        self.check_request_claims(&parsed, client, now)?;
        self.look_at_style(&parsed);
        inside(&parsed)
    }

    fn check_request_claims(
        &mut self,
        parsed: &jws::Parsed,
        client: &Client,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let bad = |reason: &str| Err(Refusal::bad(Rule::RequestObjectClaims, reason));
        let late = |reason: &str| Err(Refusal::bad(Rule::RequestObjectTime, reason));
        if parsed.text("iss") != Some(&client.id) {
            return bad("the request's iss is not the client id");
        }
        if parsed.claims.get("client_id").is_some_and(|id| id.as_str() != Some(&client.id)) {
            return bad("the request's client_id is not the client id");
        }
        let wants_id = self.config.habits.wants_client_id;
        if wants_id && !parsed.claims.contains_key("client_id") {
            return Err(Refusal::error(
                400,
                "invalid_request",
                "client_id is missing in the signed request",
            ));
        }
        if !names(parsed.claims.get("aud")).contains(&self.request_audience().as_str()) {
            return bad("the request's aud does not contain this provider");
        }
        let seconds = |claim: &str| {
            parsed.claims.get(claim).filter(|value| value.is_number()).and(parsed.seconds(claim))
        };
        let (Some(expires), Some(issued), Some(begins)) =
            (seconds("exp"), seconds("iat"), seconds("nbf"))
        else {
            return bad("exp, iat or nbf of the request is missing or not a number");
        };
        let Some(jti) = parsed.text("jti").filter(|jti| !jti.is_empty()) else {
            return bad("the request's jti is missing");
        };
        let (now, tolerance) = (now.unix_secs(), self.config.clock_tolerance.as_secs());
        if expires <= now {
            return late("the request has expired");
        }
        if expires > now.saturating_add(86_400) {
            return late("the request is valid for more than 24 hours");
        }
        if issued > now.saturating_add(tolerance) || begins > now.saturating_add(tolerance) {
            return late("the request's iat or nbf is in the future");
        }
        if self.config.fapi_ciba && expires.saturating_sub(begins) > FAPI_HOUR {
            return late("the request is valid for more than 60 minutes");
        }
        if self.config.fapi_ciba && begins.saturating_add(FAPI_HOUR) < now {
            return late("the request's nbf is more than 60 minutes ago");
        }
        self.request_objects.retain(|_, until| *until > now);
        if self.request_objects.insert((client.id.clone(), jti.to_owned()), expires).is_some() {
            return Err(Refusal::bad(
                Rule::RequestObjectReplay,
                "the request's jti was used before",
            ));
        }
        Ok(())
    }

    /// The required `aud` of signed requests.
    fn request_audience(&self) -> String {
        match self.config.habits.request_audience {
            RequestAudience::Issuer => self.config.issuer.clone(),
            RequestAudience::Endpoint => self.endpoint_url(Endpoint::Backchannel),
            RequestAudience::IssuerWithPort => {
                let issuer = self.config.issuer.as_str();
                let (scheme, rest) = issuer.split_once("://").unwrap_or(("", issuer));
                let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                let port = match (
                    authority.rsplit(']').next().is_some_and(|end| end.contains(':')),
                    scheme,
                ) {
                    (true, _) => "",
                    (false, "http") => ":80",
                    (false, _) => ":443",
                };
                format!("{scheme}://{authority}{port}{path}")
            }
        }
    }

    /// Notes what is no reason to refuse the request (OP-29).
    fn look_at_style(&mut self, parsed: &jws::Parsed) {
        let url = |endpoint| self.endpoint_url(endpoint);
        let endpoints = [url(Endpoint::Token), url(Endpoint::Backchannel)];
        let mut found = Vec::new();
        if parsed.claims.contains_key("sub") {
            found.push("a signed request with a sub could pass for a client assertion");
        }
        // CIBA defines none, and `JWT` is the default of many libraries (RFC 7519 section 5.1).
        let fits =
            |typ: &str| ["jwt", "oauth-authz-req+jwt"].contains(&typ.to_ascii_lowercase().as_str());
        let short = |typ: &str| typ.strip_prefix("application/").unwrap_or(typ).to_owned();
        if parsed
            .header
            .get("typ")
            .is_some_and(|typ| !typ.as_str().is_some_and(|typ| fits(&short(typ))))
        {
            found.push("the request has the typ of another kind of token");
        }
        if parsed.claims.values().any(Value::is_null) {
            found.push("a claim of the request is null");
        }
        let is_wanted = self.config.habits.request_audience == RequestAudience::Endpoint;
        if !is_wanted
            && names(parsed.claims.get("aud"))
                .iter()
                .any(|name| endpoints.iter().any(|url| url == name))
        {
            found.push("the request's aud names an endpoint");
        }
        found.into_iter().for_each(|reason| self.broke(Rule::RequestObjectStyle, reason));
    }

    /// FAPI-CIBA 5.2.2 item 2: something has to make each request distinguishable.
    pub(super) fn unique_context(&self, parameters: &Parameters) -> Result<(), Refusal> {
        let names = ["binding_message", "authorization_details"];
        if self.config.fapi_ciba && names.iter().all(|name| parameters.get(name).is_none()) {
            return Err(Refusal::bad(
                Rule::Profile,
                "there is neither a binding message nor authorization_details",
            ));
        }
        Ok(())
    }
}

/// The values of an `aud`.
fn names(audience: Option<&Value>) -> Vec<&str> {
    match audience {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Converts the claims to parameters: those of CIBA from strings, others from any type (OP-30).
fn inside(parsed: &jws::Parsed) -> Result<Parameters, Refusal> {
    let bad = |reason| Err(Refusal::bad(Rule::RequestObjectClaims, reason));
    let mut parameters = Vec::new();
    for (name, value) in parsed.claims.iter().filter(|(name, _)| !CLAIMS.contains(&name.as_str())) {
        if matches!(name.as_str(), "request" | "request_uri" | "client_assertion" | "client_secret")
        {
            return bad("the request contains another request or a credential");
        }
        let mut add = |text: &str| parameters.push((name.clone(), text.to_owned()));
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            (_, Value::String(text)) => add(text),
            ("requested_expiry", Value::Number(number)) => add(&number.to_string()),
            (name, _) if CORE.contains(&name) => {
                return bad("a parameter of the request is not a string");
            }
            ("resource", Value::Array(many)) => many.iter().filter_map(Value::as_str).for_each(add),
            (_, other) => add(&other.to_string()),
        }
    }
    Ok(Parameters::new(parameters))
}
