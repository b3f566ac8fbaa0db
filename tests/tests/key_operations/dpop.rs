//! DPoP in a flow: a proof in every token request, and the nonce of the server.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Entropy,
    Failure, Flow, Hint, Issuer, Output, Policy, ProviderMetadata, Sending, Timestamp,
    evidence::Binding,
    fault::{Cause, Fault},
    http::{Endpoint, Headers, Response, Unanswered, Url},
    jose::JwsAlgorithm,
    machine::KeyPurpose,
};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_secs(1_900_000_000);
/// The key of RFC 9449 section 4.1, and its thumbprint from section 6.1.
const JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"}"#;
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
const ACKNOWLEDGED: &str = r#"{"auth_req_id":"1c266114-a1be-4252","expires_in":600,"interval":5}"#;
const PENDING: (u16, &str) = (400, r#"{"error":"authorization_pending"}"#);
const DEMANDED: (u16, &str) = (400, r#"{"error":"use_dpop_nonce"}"#);
const TOKENS: (u16, &str) = (200, r#"{"access_token":"a","token_type":"DPoP"}"#);

fn builder() -> ClientConfigBuilder {
    let url = |path: &str| Url::parse(&format!("https://op.example{path}")).unwrap();
    let issuer = Issuer::parse("https://op.example").unwrap();
    ClientConfig::builder(ProviderMetadata::by_hand(issuer), ClientId::new("client-1").unwrap())
        .backchannel_endpoint(url("/ciba"))
        .token_endpoint(url("/token?tenant=a"))
        .jwks_uri(url("/jwks"))
        .client_auth(ClientAuth::ClientSecretPost { secret: "secret".into() })
        .dpop(JwsAlgorithm::Es256, JWK)
}

/// A flow with a clock and numbered entropy.
struct World {
    flow: Flow,
    config: Arc<ClientConfig>,
    now: Timestamp,
    drawn: u8,
    /// The purposes of the key operations so far.
    signed: Vec<KeyPurpose>,
}

/// A request on its way.
struct Sent {
    sending: Sending,
    at: Timestamp,
    /// Header and claims of the proof.
    proof: Option<(Value, Value)>,
}

impl Sent {
    fn claim(&self, name: &str) -> Value {
        self.proof.as_ref().map_or(Value::Null, |(_, claims)| claims[name].clone())
    }

    fn endpoint(&self) -> Endpoint {
        self.sending.transmit().endpoint()
    }
}

impl World {
    fn new(builder: ClientConfigBuilder) -> Self {
        let config = builder.build().unwrap();
        // Without an ID Token there is nothing to verify, so the flow ends with the tokens.
        let mut request = AuthRequest::new(Hint::Login("alice".into()));
        if config.delivery() != DeliveryMode::Push {
            request = request.without_openid().scope("payments");
        }
        let entropy = Entropy::from_bytes([250; 32]);
        let flow = Flow::start(Arc::clone(&config), request, entropy, START).unwrap();
        Self { flow: flow.in_memory(), config, now: START, drawn: 0, signed: Vec::new() }
    }

    /// Polls until a request is sent, and returns `None` when the flow is over.
    fn send(&mut self) -> Option<Sent> {
        loop {
            self.drawn += 1;
            match self.flow.poll(self.now, Entropy::from_bytes([self.drawn; 32])) {
                Output::Key(operation) => {
                    self.signed.push(operation.purpose());
                    let input = operation.answered(vec![1; 64]);
                    self.flow.handle(input, self.now).unwrap();
                }
                Output::Transmit(transmit) => {
                    let sending = self.flow.begin(transmit, self.now).unwrap();
                    let fields: Vec<&str> = sending.request().headers.all("dpop").collect();
                    let proof = match fields.as_slice() {
                        [] => None,
                        [proof] => Some(decode(proof)),
                        more => panic!("{} fields", more.len()),
                    };
                    return Some(Sent { sending, at: self.now, proof });
                }
                Output::Wait(wait) => self.now = wait.until(),
                Output::Done => return None,
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, sent: Sent, (status, body): (u16, &str), nonces: &[&str]) {
        let mut headers = Headers::new();
        headers.push("content-type", "application/json");
        for nonce in nonces {
            headers.push("DPoP-Nonce", nonce);
        }
        let response = Response { status, headers, body: body.into(), truncated: false };
        self.flow.handle(sent.sending.answered(response), self.now).unwrap();
    }

    /// Gets the flow acknowledged.
    fn acknowledged(builder: ClientConfigBuilder) -> Self {
        let mut world = Self::new(builder);
        let sent = world.send().unwrap();
        assert_eq!(sent.endpoint(), Endpoint::BackchannelAuthentication);
        world.answer(sent, (200, ACKNOWLEDGED), &[]);
        world
    }

    fn restart(&mut self) {
        let snapshot = self.flow.snapshot();
        let config = Arc::clone(&self.config);
        self.flow = Flow::resume(config, snapshot.as_bytes(), self.now).unwrap().in_memory();
    }

    fn failure(self) -> Failure {
        self.flow.finish().unwrap_err()
    }
}

fn decode(proof: &str) -> (Value, Value) {
    let parts: Vec<Vec<u8>> =
        proof.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{proof}") };
    assert_eq!(signature, &[1; 64]);
    (serde_json::from_slice(header).unwrap(), serde_json::from_slice(claims).unwrap())
}

fn fault(failure: &Failure) -> Option<Fault> {
    match failure {
        Failure::ProviderMisbehaved(misbehaviour) => Some(misbehaviour.fault),
        _ => None,
    }
}

/// REQ-POP-04
/// REQ-POP-05
/// REQ-POP-06
/// REQ-POP-11a
#[test]
fn every_token_request_carries_a_new_proof_and_the_tokens_are_bound_to_its_key() {
    let mut world = World::acknowledged(builder());
    let mut ids = Vec::new();
    for answer in [PENDING, PENDING, (503, ""), TOKENS] {
        let sent = world.send().unwrap();
        let (header, claims) = sent.proof.clone().unwrap();
        assert_eq!(header["typ"], "dpop+jwt");
        assert_eq!(
            (&claims["htm"], &claims["htu"]),
            (&json!("POST"), &json!("https://op.example/token"))
        );
        assert_eq!(claims["iat"], sent.at.unix_secs());
        assert!(claims.get("nonce").is_none() && claims.get("ath").is_none());
        assert!(!ids.contains(&claims["jti"]), "a proof is used twice");
        ids.push(claims["jti"].clone());
        world.answer(sent, answer, &[]);
    }
    assert!(world.send().is_none());
    // The authentication request had none.
    assert_eq!(world.signed, [KeyPurpose::DpopProof; 4]);
    let authentication = world.flow.finish().unwrap();
    assert_eq!(authentication.binding(), &Binding::Dpop { thumbprint: JKT.into() });
    assert_eq!(authentication.token_type(), "DPoP");
}

/// The assertion is signed before the proof, whose life is shorter.
/// REQ-POP-06
#[test]
fn the_proof_is_signed_after_the_assertion_and_expires_first() {
    let auth = ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: None };
    let by_key =
        || builder().client_auth(auth.clone()).assertion_lifetime(Duration::from_secs(300));
    let mut world = World::acknowledged(by_key());
    world.send().unwrap();
    use KeyPurpose::{ClientAssertion, DpopProof};
    assert_eq!(world.signed, [ClientAssertion, ClientAssertion, DpopProof]);

    for (late, is_sent) in [(30, true), (31, false)] {
        let mut world = World::acknowledged(by_key());
        let transmit = loop {
            world.drawn += 1;
            match world.flow.poll(world.now, Entropy::from_bytes([world.drawn; 32])) {
                Output::Key(operation) => {
                    let input = operation.answered(vec![1; 64]);
                    world.flow.handle(input, world.now).unwrap();
                }
                Output::Transmit(transmit) => break transmit,
                Output::Wait(wait) => world.now = wait.until(),
                other => panic!("{other:?}"),
            }
        };
        let later = world.now.saturating_add(Duration::from_secs(late));
        assert_eq!(world.flow.begin(transmit, later).is_some(), is_sent, "{late} s");
    }
}

/// REQ-POP-11a
/// REQ-POP-11b
#[test]
fn tokens_that_are_not_bound_are_not_used() {
    for (kind, expected) in [
        ("DPoP", None),
        ("dpop", None),
        ("Bearer", Some(Fault::NotBound)),
        ("N_A", Some(Fault::NotBound)),
        ("", Some(Fault::BadMember("token_type"))),
    ] {
        let mut world = World::acknowledged(builder());
        let sent = world.send().unwrap();
        let body = json!({"access_token": "a", "token_type": kind}).to_string();
        world.answer(sent, (200, &body), &[]);
        assert!(world.send().is_none());
        let outcome = world.flow.finish();
        assert_eq!(outcome.as_ref().err().and_then(fault), expected, "{kind}");
        assert_eq!(outcome.is_ok(), expected.is_none(), "{kind}");
    }
    // Without the member, even a provider whose tokens are assumed to be bearer tokens.
    let mut policy = Policy::default();
    policy.assume_bearer = true;
    let mut world = World::acknowledged(builder().policy(policy));
    let sent = world.send().unwrap();
    world.answer(sent, (200, r#"{"access_token":"a"}"#), &[]);
    assert_eq!(fault(&world.failure()), Some(Fault::MissingMember("token_type")));
}

/// A demanded nonce is no poll: the request is repeated at once, and neither the interval nor the
/// number of requests changes.
/// REQ-TOK-26a
/// REQ-TOK-26b
/// REQ-POP-08a
/// REQ-POP-08b
/// REQ-POP-08c
/// REQ-FAPI-22
#[test]
fn a_token_request_is_repeated_at_once_with_the_demanded_nonce() {
    let mut world = World::acknowledged(builder());
    let first = world.send().unwrap();
    let (asked, id) = (first.at, first.claim("jti"));
    world.answer(first, DEMANDED, &["n-1"]);
    let second = world.send().unwrap();
    assert_eq!((second.at, second.claim("nonce")), (asked, json!("n-1")));
    assert_ne!(second.claim("jti"), id);
    assert_eq!(second.sending.transmit().attempt(), 1, "it is the same poll");
    world.answer(second, PENDING, &[]);
    // It is used until it is replaced, and a restart keeps it.
    for restarts in [false, true] {
        let third = world.send().unwrap();
        assert!(third.at.since(asked) >= Duration::from_secs(5));
        assert_eq!(third.claim("nonce"), "n-1");
        world.answer(third, PENDING, &[]);
        if restarts {
            world.restart();
        }
    }
    // Any response replaces it: an error of the server, one that cannot be used, and a demand.
    for (answer, nonces, next) in [
        ((503, ""), &["n-2"][..], "n-2"),
        (PENDING, &["n-3"][..], "n-3"),
        (PENDING, &["bad nonce"][..], "n-3"),
        (PENDING, &["n-4", "n-5"][..], "n-3"),
        (PENDING, &[][..], "n-3"),
        (DEMANDED, &["n-6"][..], "n-6"),
    ] {
        let sent = world.send().unwrap();
        world.answer(sent, answer, nonces);
        let sent = world.send().unwrap();
        assert_eq!(sent.claim("nonce"), next);
        world.answer(sent, PENDING, &[]);
    }
    let last = world.send().unwrap();
    world.answer(last, TOKENS, &[]);
    assert!(world.send().is_none());
    assert!(world.flow.finish().is_ok());
}

/// REQ-TOK-26b
/// REQ-POP-08a
/// REQ-POP-08d
#[test]
fn a_nonce_that_cannot_be_used_or_is_demanded_again_ends_the_flow() {
    let mut world = World::acknowledged(builder());
    let sent = world.send().unwrap();
    world.answer(sent, DEMANDED, &[]);
    assert!(world.send().is_none());
    assert_eq!(fault(&world.failure()), Some(Fault::NonceMissing));

    let mut world = World::acknowledged(builder());
    for nonce in ["n-1", "n-2"] {
        let sent = world.send().unwrap();
        world.answer(sent, DEMANDED, &[nonce]);
    }
    assert!(world.send().is_none());
    assert_eq!(fault(&world.failure()), Some(Fault::NonceRefused));

    // The next poll may be refused for its nonce again.
    let mut world = World::acknowledged(builder());
    for nonce in ["n-1", "n-2"] {
        let sent = world.send().unwrap();
        world.answer(sent, DEMANDED, &[nonce]);
        let sent = world.send().unwrap();
        assert_eq!(sent.claim("nonce"), nonce);
        world.answer(sent, PENDING, &[]);
    }
}

/// A demand that cannot concern the nonce of a proof is a refusal.
/// REQ-TOK-27
#[test]
fn other_refusals_of_a_proof_are_final() {
    for (answer, nonces) in [
        ((400, r#"{"error":"invalid_dpop_proof"}"#), &["n-1"][..]),
        ((403, r#"{"error":"use_dpop_nonce"}"#), &["n-1"][..]),
        ((500, r#"{"error":"use_dpop_nonce"}"#), &["n-1"][..]),
    ] {
        let mut world = World::acknowledged(builder());
        let sent = world.send().unwrap();
        world.answer(sent, answer, nonces);
        assert!(world.send().is_none());
        assert!(matches!(world.failure(), Failure::Refused(_)), "{answer:?}");
    }
}

fn at_authentication() -> ClientConfigBuilder {
    builder().dpop_with_authentication_request()
}

/// REQ-POP-10
/// REQ-POP-16
#[test]
fn an_authentication_request_is_repeated_once_with_the_demanded_nonce() {
    for restarts in [false, true] {
        let mut world = World::new(at_authentication());
        let first = world.send().unwrap();
        assert_eq!(first.claim("htu"), "https://op.example/ciba");
        world.answer(first, DEMANDED, &["n-1"]);
        if restarts {
            world.restart();
        }
        let second = world.send().unwrap();
        assert_eq!((second.endpoint(), second.at), (Endpoint::BackchannelAuthentication, START));
        assert_eq!(second.claim("nonce"), "n-1");
        world.answer(second, (200, ACKNOWLEDGED), &["n-2"]);
        // The token endpoint is on the same server.
        assert_eq!(world.send().unwrap().claim("nonce"), "n-2");
    }
    for restarts in [false, true] {
        let mut world = World::new(at_authentication());
        let first = world.send().unwrap();
        world.answer(first, DEMANDED, &["n-1"]);
        if restarts {
            world.restart();
        }
        let second = world.send().unwrap();
        world.answer(second, DEMANDED, &["n-2"]);
        assert!(world.send().is_none());
        assert_eq!(fault(&world.failure()), Some(Fault::NonceRefused));
    }
}

/// The person may have been prompted by any other answer, or by a request whose answer is lost.
/// REQ-POP-10
/// REQ-AREQ-30a
#[test]
fn no_other_answer_repeats_the_authentication_request() {
    for (answer, nonces) in [
        (DEMANDED, &[][..]),
        (DEMANDED, &["n-1", "n-1"][..]),
        ((401, r#"{"error":"use_dpop_nonce"}"#), &["n-1"][..]),
        ((200, r#"{"error":"use_dpop_nonce"}"#), &["n-1"][..]),
        ((500, r#"{"error":"use_dpop_nonce"}"#), &["n-1"][..]),
        ((400, r#"{"error":"invalid_dpop_proof"}"#), &["n-1"][..]),
        ((400, r#"{"error":"Use_DPoP_Nonce"}"#), &["n-1"][..]),
        ((400, "use_dpop_nonce"), &["n-1"][..]),
    ] {
        let mut world = World::new(at_authentication());
        let sent = world.send().unwrap();
        world.answer(sent, answer, nonces);
        assert!(world.send().is_none(), "{answer:?} {nonces:?}");
        assert!(world.flow.finish().is_err());
    }
    // A request without a proof has no nonce to change.
    let mut world = World::new(builder());
    let sent = world.send().unwrap();
    assert!(sent.proof.is_none());
    world.answer(sent, DEMANDED, &["n-1"]);
    assert!(world.send().is_none());
    assert!(matches!(world.failure(), Failure::Refused(_)));
    // A repetition that is lost is not repeated either.
    let mut world = World::new(at_authentication());
    let first = world.send().unwrap();
    world.answer(first, DEMANDED, &["n-1"]);
    let second = world.send().unwrap();
    let lost = second.sending.unanswered(Unanswered::Lost(Cause::Timeout));
    world.flow.handle(lost, world.now).unwrap();
    assert!(world.send().is_none());
    assert!(matches!(world.failure(), Failure::Indeterminate(_)));
}

/// The binding is that of the key that made the proof, also if a resumed flow has another one.
#[test]
fn tokens_stay_bound_to_the_key_that_requested_them() {
    let mut world = World::acknowledged(builder());
    let sent = world.send().unwrap();
    world.answer(sent, TOKENS, &[]);
    let other =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    world.config = builder().dpop(JwsAlgorithm::EdDsa, other).build().unwrap();
    world.restart();
    assert!(world.send().is_none());
    let authentication = world.flow.finish().unwrap();
    assert_eq!(authentication.binding(), &Binding::Dpop { thumbprint: JKT.into() });
}
