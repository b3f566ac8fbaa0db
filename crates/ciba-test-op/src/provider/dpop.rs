//! DPoP (RFC 9449): the proofs in requests, and the nonces that the provider demands in them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    DeliveryMode, Timestamp,
    crypto::Hash,
    http::{Headers, Response},
};

use super::{refusal::Refusal, state::Provider};
use crate::{
    backend::verifier,
    client::Client,
    config::DpopNonces,
    judge::Rule,
    jws,
    keys::thumbprint,
    message::{Endpoint, Incoming},
};

const FIELD: &str = "dpop";
const NONCE_FIELD: &str = "dpop-nonce";
/// How old a proof may be, in seconds. A nonce in it makes clocks irrelevant.
const OLDEST: u64 = 60;

impl Provider {
    /// Checks the proof of a request to the authorization server, if it needs or has one. Returns
    /// the thumbprint of its key.
    pub(super) fn dpop_key(
        &mut self,
        request: &Incoming,
        client: &Client,
        endpoint: Endpoint,
        now: Timestamp,
    ) -> Result<Option<String>, Refusal> {
        let is_owed = match endpoint {
            // Push clients make no token request.
            Endpoint::Backchannel => client.delivery == DeliveryMode::Push,
            _ => true,
        };
        match fields(&request.headers).as_slice() {
            [] if client.dpop_bound && is_owed => Err(bad("the DPoP proof is missing")),
            [] => Ok(None),
            [proof] => self.check_proof(proof, request, endpoint, None, now).map(Some),
            _ => Err(bad("there is more than one DPoP proof")),
        }
    }

    /// Checks the proof of a request that carries an access token.
    pub(super) fn check_use(
        &mut self,
        request: &Incoming,
        token: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        match fields(&request.headers).as_slice() {
            [proof] => self.check_proof(proof, request, Endpoint::UserInfo, Some(token), now),
            _ => Err(bad("there is not exactly one DPoP proof")),
        }
    }

    /// All checks of RFC 9449 section 4.3.
    fn check_proof(
        &mut self,
        proof: &str,
        request: &Incoming,
        endpoint: Endpoint,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let parsed = jws::parse(proof).ok_or_else(|| bad("the proof is not a compact JWS"))?;
        if parsed.header.get("typ").and_then(|typ| typ.as_str()) != Some("dpop+jwt") {
            return Err(bad("the proof's typ is not dpop+jwt"));
        }
        let algorithm = parsed.algorithm().filter(|algorithm| !algorithm.is_symmetric());
        let algorithm = algorithm.ok_or_else(|| bad("the proof's alg is not asymmetric"))?;
        let jwk = parsed.header.get("jwk").ok_or_else(|| bad("the proof has no jwk"))?;
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.get(name).is_some())
        {
            return Err(bad("the proof's jwk has private members"));
        }
        if !parsed.signed_by(jwk, algorithm) {
            return Err(bad("the proof's signature does not verify with its jwk"));
        }
        if parsed.text("htm") != Some(&request.method) {
            return Err(bad("the proof's htm is not the method of the request"));
        }
        let url = match &request.origin {
            Some(origin) => format!("{origin}{}", request.path),
            None => self.endpoint_url(endpoint),
        };
        if parsed.text("htu") != Some(&url) {
            return Err(bad("the proof's htu is not the URL of the request"));
        }
        let issued = parsed.claims.get("iat").filter(|iat| iat.is_number());
        let issued =
            issued.and(parsed.seconds("iat")).ok_or_else(|| bad("the proof has no iat"))?;
        let (seconds, tolerance) = (now.unix_secs(), self.config.clock_tolerance.as_secs());
        if issued > seconds.saturating_add(tolerance) || issued.saturating_add(OLDEST) < seconds {
            return Err(bad("the proof's iat is too old or in the future"));
        }
        let hash = |token: &str| {
            URL_SAFE_NO_PAD.encode(verifier().digest(Hash::Sha256, token.as_bytes()).as_bytes())
        };
        if parsed.text("ath").map(str::to_owned) != token.map(hash) {
            return Err(bad("the proof's ath is not the hash of the access token"));
        }
        let jti = parsed.text("jti").filter(|jti| jti.len() >= 16);
        let jti = jti.ok_or_else(|| bad("the proof's jti is missing or too short"))?.to_owned();
        let key = thumbprint(jwk);
        self.proofs.retain(|_, until| *until > seconds);
        let until = seconds.saturating_add(2 * OLDEST);
        if self.proofs.insert((key.clone(), jti), until).is_some() {
            let reason = "the proof's jti was used before";
            return Err(Refusal::new(Rule::DpopReplay, 400, "invalid_dpop_proof", reason));
        }
        // Last: a proof that is wrong would be wrong with a nonce as well.
        if self.config.dpop_nonces != DpopNonces::None
            && parsed.text("nonce") != Some(&self.current_nonce())
        {
            let reason = "the proof needs the nonce of this server";
            return Err(Refusal::error(400, "use_dpop_nonce", reason));
        }
        Ok(key)
    }

    fn current_nonce(&mut self) -> String {
        if self.dpop_nonce.is_none() {
            self.dpop_nonce = Some(self.ids.token());
        }
        self.dpop_nonce.clone().unwrap_or_default()
    }

    /// Adds the nonce to an answer of the provider itself.
    pub(super) fn with_nonce(&mut self, mut response: Response) -> Response {
        match self.config.dpop_nonces {
            DpopNonces::None => return response,
            DpopNonces::Stable => {}
            DpopNonces::EveryAnswer => self.dpop_nonce = None,
        }
        response.headers.push(NONCE_FIELD, self.current_nonce());
        response
    }
}

fn bad(reason: &str) -> Refusal {
    Refusal::new(Rule::DpopProof, 400, "invalid_dpop_proof", reason)
}

fn fields(headers: &Headers) -> Vec<&str> {
    headers.all(FIELD).collect()
}
