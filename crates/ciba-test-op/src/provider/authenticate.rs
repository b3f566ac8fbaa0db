//! Client authentication, which is the same at the backchannel and the token endpoint.

// Section 2 of spec/provider-side.md.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ciba_core::{DeliveryMode, Timestamp};
use serde_json::Value;

use super::{
    parameters::Parameters,
    refusal::Refusal,
    state::{Provider, Used},
    supported::FAPI_ALGORITHMS,
};
use crate::{
    client::{AudienceMode, Client, ClientAuthentication},
    form,
    judge::Rule,
    jws,
    message::{Endpoint, Incoming},
};

/// The longest unproven client id that is kept, in characters.
const LONGEST_CLAIMED_ID: usize = 200;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The credential of a request.
enum Offered<'a> {
    Basic { id: String, secret: String, raw: (String, String) },
    Post { secret: &'a str },
    Assertion(&'a str),
    Nothing,
}

impl Provider {
    /// Authenticates the client that sent the request (OP-08 to OP-13).
    pub(super) fn authenticate(
        &mut self,
        request: &Incoming,
        parameters: &Parameters,
        endpoint: Endpoint,
        now: Timestamp,
    ) -> Result<Client, Refusal> {
        let offered = offered(request, parameters)?;
        let refuse = Refusal::client;
        let body_id = parameters.get("client_id");
        let assertion = match &offered {
            Offered::Assertion(text) => {
                let parsed = jws::parse(text);
                Some(parsed.ok_or_else(|| {
                    refuse(Rule::AssertionForm, "the assertion is not a compact JWS")
                })?)
            }
            _ => None,
        };
        let claimed = match (&offered, &assertion) {
            (Offered::Basic { id, .. }, _) => Some(id.clone()),
            (_, Some(parsed)) => {
                parsed.text("sub").or_else(|| parsed.text("iss")).or(body_id).map(str::to_owned)
            }
            _ => body_id.map(str::to_owned),
        };
        let known = |id: &str| self.config.clients.iter().find(|client| client.id == id).cloned();
        let client = match (&offered, claimed) {
            // Some clients are registered to send a Basic header without form encoding.
            (Offered::Basic { raw, .. }, Some(id)) => known(&id)
                .filter(|client| !is_raw(client))
                .or_else(|| known(&raw.0).filter(is_raw))
                .or_else(|| known(&id)),
            (_, Some(id)) => known(&id),
            (_, None) => {
                return Err(refuse(
                    Rule::AuthenticationMethod,
                    "there is neither a credential nor a client_id",
                ));
            }
        };
        let client = client.ok_or_else(|| refuse(Rule::Credential, "no such client"))?;
        if body_id.is_some_and(|id| id != client.id) {
            return Err(refuse(
                Rule::ClientIdMismatch,
                "client_id in the body is not the authenticated client",
            ));
        }
        if body_id.is_none() && self.config.habits.wants_client_id {
            return Err(Refusal::error(400, "invalid_request", "client_id is missing in the body"));
        }
        self.check_certificate(&client, request, endpoint)?;
        match (&client.authentication, offered, assertion) {
            (
                ClientAuthentication::None
                | ClientAuthentication::TlsClientAuth { .. }
                | ClientAuthentication::SelfSignedTlsClientAuth { .. },
                Offered::Nothing,
                _,
            ) => {}
            (
                ClientAuthentication::ClientSecretPost { secret },
                Offered::Post { secret: sent },
                _,
            ) => {
                if secret.expose() != sent {
                    return Err(refuse(Rule::Credential, "wrong secret"));
                }
            }
            (
                ClientAuthentication::ClientSecretBasic { secret, raw },
                Offered::Basic { id, secret: sent, raw: as_is },
                _,
            ) => {
                let (id, sent) = if *raw { as_is } else { (id, sent) };
                if id != client.id || secret.expose() != sent {
                    return Err(refuse(
                        Rule::Credential,
                        "wrong secret, or id and secret encoded in the wrong way",
                    ));
                }
            }
            (
                ClientAuthentication::PrivateKeyJwt { .. }
                | ClientAuthentication::ClientSecretJwt { .. },
                Offered::Assertion(_),
                Some(parsed),
            ) => self.check_assertion(&client, parameters, &parsed, endpoint, now)?,
            (method, _, _) => {
                let reason = format!("the client is registered for {}", method.name());
                return Err(refuse(Rule::AuthenticationMethod, &reason));
            }
        }
        self.caller = Some(client.id.clone());
        Ok(client)
    }

    /// Checks the origin of the request and the certificate presented there (OP-12, OP-61, OP-67).
    fn check_certificate(
        &self,
        client: &Client,
        request: &Incoming,
        endpoint: Endpoint,
    ) -> Result<(), Refusal> {
        let binds = match endpoint {
            Endpoint::Backchannel => client.delivery == DeliveryMode::Push,
            _ => true,
        };
        let by_certificate = client.authenticates_by_certificate();
        if !(by_certificate || client.certificate_bound && binds) {
            return Ok(());
        }
        if self.config.mutual_tls.is_some() && self.config.mutual_tls != request.origin {
            return Err(Refusal::client(
                Rule::PlainHost,
                "clients with certificates must use the alias",
            ));
        }
        let Some(shown) = &request.certificate else {
            return Err(Refusal::client(Rule::Certificate, "the client presented no certificate"));
        };
        let fits = match &client.authentication {
            ClientAuthentication::TlsClientAuth { subject } => {
                shown.trusted && shown.subject().as_ref() == Some(subject)
            }
            ClientAuthentication::SelfSignedTlsClientAuth { certificates } => {
                certificates.contains(&shown.der)
            }
            _ => true,
        };
        match fits {
            true => Ok(()),
            false => {
                Err(Refusal::client(Rule::Certificate, "the certificate is not the registered one"))
            }
        }
    }

    fn check_assertion(
        &mut self,
        client: &Client,
        parameters: &Parameters,
        assertion: &jws::Parsed,
        endpoint: Endpoint,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let fail = |rule, reason: &str| Err(Refusal::client(rule, reason));
        if parameters.get("client_assertion_type") != Some(ASSERTION_TYPE) {
            return fail(Rule::AssertionType, "client_assertion_type is missing or wrong");
        }
        let Some(algorithm) = assertion.algorithm() else {
            return fail(Rule::AssertionForm, "the assertion's alg is none, missing or unknown");
        };
        if self.config.fapi_ciba && !FAPI_ALGORITHMS.contains(&algorithm) {
            return fail(Rule::Profile, "FAPI-CIBA allows only PS256 and ES256 for assertions");
        }
        match &client.authentication {
            ClientAuthentication::ClientSecretJwt { secret, algorithm: registered } => {
                if algorithm != *registered {
                    return fail(
                        Rule::AssertionForm,
                        "the assertion's alg is not the registered one",
                    );
                }
                if !assertion.maced_by(secret.expose().as_bytes(), algorithm) {
                    return fail(Rule::Credential, "the assertion's MAC does not verify");
                }
            }
            ClientAuthentication::PrivateKeyJwt { keys, algorithms } => {
                let allowed = |jwk: &Value| {
                    jws::algorithms_of(jwk).contains(&algorithm)
                        && (algorithms.is_empty() || algorithms.contains(&algorithm))
                };
                let fitting: Vec<&Value> = keys.iter().filter(|jwk| allowed(jwk)).collect();
                if fitting.is_empty() {
                    return fail(
                        Rule::AssertionForm,
                        "the assertion's alg is not registered for this client",
                    );
                }
                if !fitting.iter().any(|jwk| assertion.signed_by(jwk, algorithm)) {
                    return fail(
                        Rule::Credential,
                        "the assertion's signature does not verify with the client's keys",
                    );
                }
            }
            _ => {
                return fail(
                    Rule::AuthenticationMethod,
                    "the client is not registered for assertions",
                );
            }
        }
        let id = Some(client.id.as_str());
        if assertion.text("iss") != id || assertion.text("sub") != id {
            return fail(Rule::AssertionClaims, "iss and sub have to be the client id");
        }
        let Some(jti) = assertion.text("jti").filter(|jti| !jti.is_empty()) else {
            return fail(Rule::AssertionClaims, "jti is missing");
        };
        let (seconds, tolerance) = (now.unix_secs(), self.config.clock_tolerance.as_secs());
        let Some(expires) = assertion.seconds("exp") else {
            return fail(Rule::AssertionClaims, "exp is missing or not a number");
        };
        // `iat` is optional (OpenID Connect Core 9).
        if assertion.claims.contains_key("iat") && assertion.seconds("iat").is_none() {
            return fail(Rule::AssertionClaims, "iat is not a number");
        }
        if expires <= seconds {
            return fail(Rule::AssertionTime, "the assertion has expired");
        }
        if expires > seconds + 86_400 {
            return fail(Rule::AssertionTime, "the assertion is valid for more than 24 hours");
        }
        for claim in ["iat", "nbf"] {
            if assertion.seconds(claim).is_some_and(|at| at > seconds + tolerance) {
                return fail(Rule::AssertionTime, &format!("{claim} is in the future"));
            }
        }
        if !self.audience_fits(client.audience, assertion.claims.get("aud"), endpoint) {
            return fail(Rule::AssertionAudience, "the assertion is for another audience");
        }
        self.assertions.retain(|_, used| used.until > seconds);
        let key = (client.id.clone(), jti.to_owned());
        match self.assertions.get_mut(&key) {
            None => {
                self.assertions.insert(key, Used { until: expires, unseen: self.unseen });
                Ok(())
            }
            // The provider never saw the first one, so it accepts this one.
            Some(used) if used.unseen => {
                used.unseen = self.unseen;
                self.broke(
                    Rule::AssertionReplay,
                    "the assertion's jti was sent before, in a request that was lost",
                );
                Ok(())
            }
            Some(_) => fail(Rule::AssertionReplay, "the assertion's jti was used before"),
        }
    }

    fn audience_fits(
        &self,
        mode: AudienceMode,
        audience: Option<&Value>,
        endpoint: Endpoint,
    ) -> bool {
        let named: Vec<&str> = match audience {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let url = |endpoint| self.endpoint_url(endpoint);
        let alias = |endpoint| self.alias_url(endpoint).unwrap_or_else(|| url(endpoint));
        let any = |accepted: &[String]| {
            named.iter().any(|name| accepted.iter().any(|known| known == name))
        };
        match mode {
            AudienceMode::CibaDefault => {
                let urls = [Endpoint::Token, Endpoint::Backchannel]
                    .map(|endpoint| [url(endpoint), alias(endpoint)]);
                any(&[&[self.config.issuer.clone()][..], urls.as_flattened()].concat())
            }
            AudienceMode::IssuerOnly => {
                audience.and_then(Value::as_str) == Some(&self.config.issuer)
            }
            AudienceMode::TokenUrlOnly => any(&[url(Endpoint::Token), alias(Endpoint::Token)]),
            AudienceMode::CalledUrlOnly => any(&[url(endpoint), alias(endpoint)]),
        }
    }
}

const fn is_raw(client: &Client) -> bool {
    matches!(client.authentication, ClientAuthentication::ClientSecretBasic { raw: true, .. })
}

fn offered<'a>(request: &Incoming, parameters: &'a Parameters) -> Result<Offered<'a>, Refusal> {
    let mut found = Vec::new();
    for header in request.headers.all("authorization") {
        let basic =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let decoded = basic
            .and_then(|(_, text)| STANDARD.decode(text.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|text| {
                text.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
            });
        let Some(raw) = decoded else {
            return Err(Refusal::client(
                Rule::AuthenticationMethod,
                "the Authorization header has no valid Basic credentials",
            ));
        };
        // Invalid form encoding matches no client, because no id and no secret is empty.
        let plain = |text: &str| form::decode(text.as_bytes()).unwrap_or_default();
        found.push(Offered::Basic { id: plain(&raw.0), secret: plain(&raw.1), raw });
    }
    if let Some(secret) = parameters.get("client_secret") {
        found.push(Offered::Post { secret });
    }
    if let Some(assertion) = parameters.get("client_assertion") {
        found.push(Offered::Assertion(assertion));
    }
    match found.len() {
        0 => Ok(Offered::Nothing),
        1 => Ok(found.remove(0)),
        _ => Err(Refusal::client(Rule::SecondCredential, "two credentials in one request")),
    }
}

/// The client that a request names, with or without proof.
pub(super) fn claimed(request: &Incoming) -> Option<String> {
    let parameters = Parameters::read(request).unwrap_or_default();
    let assertion = parameters.get("client_assertion").and_then(jws::parse);
    let of_assertion =
        || assertion.as_ref()?.text("sub").or_else(|| assertion.as_ref()?.text("iss"));
    let id = match offered(request, &parameters) {
        Ok(Offered::Basic { id, .. }) => Some(id),
        _ => of_assertion().or_else(|| parameters.get("client_id")).map(str::to_owned),
    };
    // It is kept with every finding, and anyone can send anything here.
    id.filter(|id| !id.is_empty()).map(|id| id.chars().take(LONGEST_CLAIMED_ID).collect())
}

impl Client {
    /// Whether the registered credential can work.
    pub(crate) fn can_authenticate(&self) -> bool {
        match &self.authentication {
            ClientAuthentication::PrivateKeyJwt { keys, algorithms } => keys.iter().any(|jwk| {
                let fits = jws::algorithms_of(jwk);
                fits.iter().any(|algorithm| algorithms.is_empty() || algorithms.contains(algorithm))
            }),
            ClientAuthentication::ClientSecretJwt { secret, algorithm } => {
                !secret.expose().is_empty() && algorithm.is_symmetric()
            }
            ClientAuthentication::ClientSecretBasic { secret, .. }
            | ClientAuthentication::ClientSecretPost { secret } => !secret.expose().is_empty(),
            ClientAuthentication::TlsClientAuth { subject } => !subject.is_empty(),
            ClientAuthentication::SelfSignedTlsClientAuth { certificates } => {
                !certificates.is_empty()
            }
            ClientAuthentication::None => true,
        }
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        match &self.authentication {
            ClientAuthentication::ClientSecretJwt { secret, .. }
            | ClientAuthentication::ClientSecretBasic { secret, .. }
            | ClientAuthentication::ClientSecretPost { secret } => Some(secret.expose()),
            ClientAuthentication::PrivateKeyJwt { .. }
            | ClientAuthentication::TlsClientAuth { .. }
            | ClientAuthentication::SelfSignedTlsClientAuth { .. }
            | ClientAuthentication::None => None,
        }
    }
}
