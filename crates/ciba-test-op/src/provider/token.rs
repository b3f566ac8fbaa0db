//! The token endpoint for the CIBA grant, and UserInfo.

// Sections 7 and 10 of spec/provider-side.md.

use ciba_core::{DeliveryMode, Timestamp, http::Response};
use serde_json::{Map, Value, json};

use super::{
    issued::AccessToken,
    json_answer::answer,
    parameters::Parameters,
    refusal::Refusal,
    state::Provider,
    supported::CIBA_GRANT,
    transaction::{Record, TransactionState},
};
use crate::{
    config::{Personality, TooEarly},
    judge::Rule,
    jws::{self, Draft},
    message::{Endpoint, ExchangeId, Incoming, PeerCertificate},
    script::{Decision, IdTokenEdit},
};

/// The texts of Idura's pending answers with Swedish BankID, in order (ID-71).
const SWEDISH_PROGRESS: [&str; 3] = [
    "awaiting first user interaction",
    "awaiting user request acknowledgement",
    "awaiting user identification",
];

/// The outcome of a token request.
pub(super) enum Outcome {
    Answer(Response),
    /// There is no decision yet. The provider may hold the request until there is one.
    Undecided(Response),
}

impl Provider {
    /// Checks a token request, in the order of section 7, and judges its pace. Returns the index of
    /// its transaction and whether the request is early.
    pub(super) fn claim(
        &mut self,
        id: ExchangeId,
        request: &Incoming,
        now: Timestamp,
    ) -> Result<(usize, bool), Refusal> {
        let parameters = Parameters::read(request)?;
        let client = self.authenticate(request, &parameters, Endpoint::Token, now)?;
        let thumbprint = client.thumbprint(request);
        match parameters.get("grant_type") {
            Some(CIBA_GRANT) => {}
            Some(_) => {
                return Err(Refusal::new(
                    Rule::GrantType,
                    400,
                    "unsupported_grant_type",
                    "only the CIBA grant is supported",
                ));
            }
            None => return Err(Refusal::bad(Rule::GrantType, "grant_type is missing")),
        }
        if client.delivery == DeliveryMode::Push {
            return Err(Refusal::new(
                Rule::PushClientPolls,
                400,
                "unauthorized_client",
                "a push client must not poll",
            ));
        }
        let auth_req_id = parameters.get("auth_req_id");
        let auth_req_id =
            auth_req_id.ok_or_else(|| Refusal::bad(Rule::AuthReqId, "auth_req_id is missing"))?;
        let owned =
            |record: &Record| record.auth_req_id == auth_req_id && record.client.id == client.id;
        let Some(at) = self.transactions.position(owned) else {
            return Err(Refusal::new(
                Rule::AuthReqId,
                400,
                "invalid_grant",
                "the auth_req_id is unknown",
            ));
        };
        // Before the pace: a request that is refused for its nonce is no poll (RFC 9449 section 8).
        let dpop_key = self.dpop_key(request, &client, Endpoint::Token, now)?;
        let broken = self.transactions[at].pace.arrive(id, self.config.interval_tolerance, now);
        let is_too_early = broken.iter().any(|(rule, ..)| *rule == Rule::TooEarly);
        for (rule, severity, reason) in broken {
            self.say(rule, severity, &reason);
        }
        self.transactions[at].thumbprint = thumbprint;
        self.transactions[at].dpop_key = dpop_key;
        Ok((at, is_too_early))
    }

    /// Answers according to the state of a transaction.
    pub(super) fn redeem(
        &mut self,
        at: usize,
        edits: &[IdTokenEdit],
        too_early: bool,
        now: Timestamp,
    ) -> Outcome {
        let habit = self.config.too_early;
        let memory = self.config.memory;
        let record = &mut self.transactions[at];
        let refuse = |code, text: &str| Outcome::Answer(Refusal::error(400, code, text).response());
        if record.redeemed || record.dead || now >= record.expires.saturating_add(memory) {
            return refuse("invalid_grant", "the auth_req_id is unknown");
        }
        if too_early {
            match habit {
                TooEarly::Recorded => {}
                TooEarly::SlowDown => return refuse("slow_down", "the interval is not over"),
                TooEarly::Death(forgiven) if record.pace.too_early() > forgiven => {
                    record.dead = true;
                    return refuse("invalid_request", "too many early polls");
                }
                TooEarly::Death(_) => {}
            }
        }
        let shows = record.pending_left == 0;
        match (record.state(now), record.decided) {
            (TransactionState::Expired, _) => refuse("expired_token", "the request has expired"),
            (_, Some(Decision::Deny)) if shows => refuse("access_denied", "user declined"),
            (_, Some(Decision::Approve)) if shows => {
                record.redeemed = true;
                let record = record.clone();
                Outcome::Answer(self.tokens(&record, edits, now))
            }
            (_, None) => Outcome::Undecided(self.pending(at)),
            (_, Some(_)) => {
                record.pending_left -= 1;
                Outcome::Answer(self.pending(at))
            }
        }
    }

    fn pending(&mut self, at: usize) -> Response {
        let idura = self.config.personality == Personality::Idura;
        let record = &mut self.transactions[at];
        let text = match record.acr.as_deref() {
            Some(acr) if idura && acr.contains(":se:") => {
                let told = usize::try_from(record.pending_told).unwrap_or(usize::MAX);
                SWEDISH_PROGRESS[told.min(SWEDISH_PROGRESS.len() - 1)]
            }
            _ => "User has not yet granted authorization",
        };
        record.pending_told += 1;
        let (code, text) = self.config.habits.pending.unwrap_or(("authorization_pending", text));
        Refusal::error(400, code, text).response()
    }

    fn tokens(&mut self, record: &Record, edits: &[IdTokenEdit], now: Timestamp) -> Response {
        let body = self.token_set(record, edits, now);
        self.keep_refresh_token(&body, record, now);
        answer(200, &body)
    }

    /// The members of a token response (OP-50), in push mode with the claims that bind them (OP-58).
    pub(super) fn token_set(
        &mut self,
        record: &Record,
        edits: &[IdTokenEdit],
        now: Timestamp,
    ) -> Value {
        let access_token = match self.config.personality {
            Personality::Generic => self.ids.token(),
            Personality::Idura => self.ids.uuid(),
        };
        let refresh_token = record.offline.then(|| self.ids.token());
        let mut claims = self.claims(record, &access_token, now);
        if record.client.delivery == DeliveryMode::Push {
            claims.insert(
                "urn:openid:params:jwt:claim:auth_req_id".into(),
                record.auth_req_id.clone().into(),
            );
            if let Some(refresh_token) = &refresh_token {
                let hash = Self::token_hash(&record.client, refresh_token);
                claims.insert("urn:openid:params:jwt:claim:rt_hash".into(), hash.into());
            }
        }
        let algorithm = record.client.id_token_alg;
        let draft = Draft {
            claims,
            key: self.keys.signing(algorithm),
            algorithm,
            issued: now.unix_secs(),
            secret: record.client.secret(),
            seed: self.ids.bytes(),
        };
        let keys = self.keys.clone();
        let id_token = jws::compose(draft, &|algorithm| keys.signing(algorithm), edits);
        let mut body = json!({
            "access_token": access_token,
            "token_type": if record.dpop_key.is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.config.access_token_lifetime.as_secs(),
            "id_token": id_token,
        });
        if let Some(details) =
            record.details.as_ref().filter(|_| self.config.personality == Personality::Generic)
        {
            body["authorization_details"] = details.clone();
        }
        if self.config.habits.omits_token_type {
            body.as_object_mut().map(|body| body.remove("token_type"));
        }
        if self.config.habits.scope_list {
            body["scope"] = record.scope.split(' ').collect();
        }
        if let Some(refresh_token) = refresh_token {
            body["refresh_token"] = refresh_token.into();
        }
        let until = now.saturating_add(self.config.access_token_lifetime);
        let (client_id, subject) = (record.client.id.clone(), record.subject.clone());
        let (bound, dpop_key) = (record.thumbprint.clone(), record.dpop_key.clone());
        self.hand_out(AccessToken {
            token: access_token,
            client_id,
            subject,
            authentication: record.number,
            bound,
            dpop_key,
            until,
        });
        body
    }

    /// The claims of an ID Token (OP-62, ID-90).
    fn claims(&self, record: &Record, access_token: &str, now: Timestamp) -> Map<String, Value> {
        let issued = now.unix_secs();
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        set("iss", self.config.issuer.clone().into());
        set("sub", record.subject.clone().into());
        set("aud", record.client.id.clone().into());
        set("iat", issued.into());
        set("exp", (issued + self.config.id_token_lifetime.as_secs()).into());
        set("name", record.name.clone().into());
        match self.config.personality {
            Personality::Generic => {
                set("at_hash", Self::token_hash(&record.client, access_token).into());
                if let Some(acr) = &record.acr {
                    set("acr", acr.clone().into());
                }
            }
            Personality::Idura => {
                let acr = record.acr.clone().unwrap_or_default();
                let number = record.hint.strip_prefix("sub:ssn:").unwrap_or_default();
                let (given, family) = record.name.rsplit_once(' ').unwrap_or((&record.name, ""));
                let (norwegian, freja) = (acr.contains(":no:"), acr.ends_with(":frejaid"));
                let scheme = match (norwegian, freja) {
                    (true, _) => "nobankid-oidc",
                    (false, true) => "sefrejaid",
                    (false, false) => "sebankid",
                };
                set("nbf", issued.into());
                set("identityscheme", scheme.into());
                set(
                    "authenticationtype",
                    if norwegian { format!("{acr}:high") } else { acr }.into(),
                );
                set(
                    "authenticationmethod",
                    "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI".into(),
                );
                set("nameidentifier", record.subject.replace(['{', '}', '-'], "").into());
                set(
                    "sessionindex",
                    format!("b65f11b6-eba7-4882-900a-{:012}", record.number).into(),
                );
                set("authenticationinstant", now.to_string().into());
                if norwegian {
                    set("socialno", number.into());
                    set("uniqueuserid", "9578-6000-4-365161".into());
                    set(
                        "certissuer",
                        "CN=BankID - TestBank1 - Bank CA 3,OU=123456789,O=TestBank1 AS,C=NO".into(),
                    );
                } else if !freja {
                    set("ssn", number.into());
                    set("ipaddress", "185.157.134.134".into());
                }
                set("givenname", given.into());
                set("given_name", given.into());
                set("surname", family.into());
                set("family_name", family.into());
                set("country", if norwegian { "NO" } else { "SE" }.into());
            }
        }
        claims
    }

    /// The claims about a person, signed if the client is registered for that (OIDC Core 5.3.2).
    fn claims_of(&mut self, client_id: &str, subject: &str, now: Timestamp) -> Response {
        let client = self.config.clients.iter().find(|client| client.id == client_id);
        let Some(algorithm) = client.and_then(|client| client.userinfo_alg) else {
            return answer(200, &json!({ "sub": subject }));
        };
        let mut claims = Map::new();
        claims.insert("iss".into(), self.config.issuer.clone().into());
        claims.insert("aud".into(), client_id.into());
        claims.insert("sub".into(), subject.into());
        let seed = self.ids.bytes();
        let keys = &self.keys;
        let (key, issued) = (keys.signing(algorithm), now.unix_secs());
        let draft = Draft { claims, key, algorithm, issued, secret: None, seed };
        let token = jws::compose(draft, &|algorithm| keys.signing(algorithm), &[]);
        Response::new(200, [("content-type", "application/jwt")].into_iter().collect(), token)
    }

    /// UserInfo (OP-65). The access token is in the header, or in the form of a POST unless a profile
    /// forbids it (OpenID Connect Core 5.3.1, RFC 6750 2). An expired token is refused but breaks no
    /// rule: the lifetime is only a hint to the client.
    pub(super) fn user_info(
        &mut self,
        request: &Incoming,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let header = request.headers.get("authorization").and_then(|text| text.split_once(' '));
        let is_dpop = header.is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("dpop"));
        let header = header
            .filter(|(scheme, _)| is_dpop || scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let form =
            Parameters::read(request).ok().filter(|_| header.is_none() && !self.config.fapi_ciba);
        let token = header.or_else(|| form.as_ref()?.get("access_token"));
        if token.is_none() {
            return Err(Refusal::no_token(Rule::AccessToken, "there is no access token"));
        }
        let proven = match token.filter(|_| is_dpop) {
            Some(token) => Some(self.check_use(request, token, now)?),
            None => None,
        };
        let shown = request.certificate.as_ref().map(PeerCertificate::thumbprint);
        let found = self.access_tokens.iter().find(|known| Some(known.token.as_str()) == token);
        self.caller = found.map(|known| known.client_id.clone());
        match found {
            Some(known) if known.dpop_key != proven => Err(Refusal::new(
                Rule::DpopProof,
                401,
                "invalid_token",
                "the token is bound to another key, or to none",
            )),
            Some(known) if known.bound.is_some() && known.bound != shown => Err(Refusal::new(
                Rule::Certificate,
                401,
                "invalid_token",
                "the token is bound to another certificate",
            )),
            Some(known) if now < known.until => {
                let (client_id, subject) = (known.client_id.clone(), known.subject.clone());
                Ok(self.claims_of(&client_id, &subject, now))
            }
            Some(_) => Err(Refusal::error(401, "invalid_token", "the access token has expired")),
            None => Err(Refusal::new(
                Rule::AccessToken,
                401,
                "invalid_token",
                "the access token is unknown",
            )),
        }
    }
}
