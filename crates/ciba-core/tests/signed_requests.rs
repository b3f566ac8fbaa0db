//! What a flow puts on the wire when authentication requests are signed: the request object and
//! client authentication.
#![cfg(feature = "rustcrypto")]
#![allow(missing_docs)]

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Entropy,
    Flow, Hint, Issuer, Output, ProviderMetadata, SoftwareKey, Timestamp, Transmit,
    crypto::{RustCrypto, Verifier as _},
    fault::Cause,
    http::{Unanswered, Url},
    jose::JwsAlgorithm,
    machine::KeyPurpose,
};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

/// A client whose private key signs requests and, where it authenticates that way, assertions.
struct Client {
    key: SoftwareKey,
    /// Makes every call's entropy different.
    calls: u8,
}

impl Client {
    fn new() -> Self {
        let (key, _) =
            SoftwareKey::generate(JwsAlgorithm::Es256, Entropy::from_bytes([3; 32]), &RustCrypto)
                .unwrap();
        Self { key, calls: 0 }
    }

    fn config(&self) -> ClientConfigBuilder {
        unsigned(&self.key).signed_requests(JwsAlgorithm::Es256, Some(self.key.key_id().into()))
    }

    fn start(config: ClientConfigBuilder) -> Flow {
        let request = AuthRequest::new(Hint::Login("sub:ssn:1".into())).binding_message("W4SCT");
        Flow::start(config.build().unwrap(), request, Entropy::from_bytes([1; 32]), NOW).unwrap()
    }

    /// Signs until there is something to send; also says what the signatures were for.
    fn until_sent(&mut self, flow: &mut Flow, now: Timestamp) -> (Vec<KeyPurpose>, Transmit) {
        let mut purposes = Vec::new();
        loop {
            self.calls += 1;
            match flow.poll(now, Entropy::from_bytes([self.calls; 32])) {
                Output::Key(operation) => {
                    purposes.push(operation.purpose());
                    flow.handle(self.key.answer(operation, Entropy::from_bytes([9; 32])), now)
                        .unwrap();
                }
                Output::Transmit(transmit) => return (purposes, transmit),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The claims of a JWS that this client's key signed.
    fn verified(&self, jws: &str) -> Value {
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let key = RustCrypto.import(self.key.public_key().borrow(), JwsAlgorithm::Es256).unwrap();
        key.verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let (_, claims) = input.split_once('.').unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }
}

/// A client that does not sign its requests.
fn unsigned(key: &SoftwareKey) -> ClientConfigBuilder {
    let url = |path: &str| Some(Url::parse(&format!("https://op.example/{path}")).unwrap());
    let mut provider = ProviderMetadata::by_hand(Issuer::parse("https://op.example").unwrap());
    provider.backchannel_authentication_endpoint = url("ciba");
    provider.token_endpoint = url("token");
    provider.jwks_uri = url("jwks");
    let key_id = Some(key.key_id().into());
    ClientConfig::builder(provider, ClientId::new("client-1").unwrap())
        .client_auth(ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id })
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// REQ-SIGN-02
/// REQ-SIGN-08
/// REQ-SIGN-18a
/// REQ-SIGN-18b
/// OPM-REQ-07
#[test]
fn the_form_has_a_fresh_signed_request_and_fresh_client_authentication_each_time() {
    let mut client = Client::new();
    let mut flow = Client::start(client.config());
    let mut ids = Vec::new();
    let mut now = NOW;
    for _ in 0..3 {
        let (purposes, transmit) = client.until_sent(&mut flow, now);
        assert_eq!(purposes, [KeyPurpose::RequestObject, KeyPurpose::ClientAssertion]);
        let sending = flow.begin(transmit, now).unwrap();
        let form = form(sending.request().body.expose());
        let names: Vec<&str> = form.keys().map(String::as_str).collect();
        assert_eq!(names, ["client_assertion", "client_assertion_type", "request"]);

        let (said, proof) =
            (client.verified(&form["request"]), client.verified(&form["client_assertion"]));
        assert_eq!(
            (&said["login_hint"], &said["binding_message"]),
            (&"sub:ssn:1".into(), &"W4SCT".into())
        );
        assert_eq!((said.get("sub"), &proof["sub"]), (None, &"client-1".into()));
        ids.extend([said["jti"].to_string(), proof["jti"].to_string()]);

        flow.handle(sending.unanswered(Unanswered::NotSent(Cause::Unknown)), now).unwrap();
        now = flow.wake_at().unwrap();
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

/// REQ-SIGN-02
/// REQ-AUTH-23
/// REQ-AUTH-25
#[test]
fn a_form_with_a_signed_request_has_only_the_client_authentication_besides() {
    for (auth, expected, shows_certificate) in [
        (ClientAuth::TlsClientAuth, vec!["client_id", "request"], true),
        (ClientAuth::SelfSignedTlsClientAuth, vec!["client_id", "request"], true),
        (
            ClientAuth::ClientSecretPost { secret: "secret".into() },
            vec!["client_id", "client_secret", "request"],
            false,
        ),
    ] {
        let mut client = Client::new();
        let mut flow = Client::start(client.config().client_auth(auth));
        let (purposes, transmit) = client.until_sent(&mut flow, NOW);
        assert_eq!(purposes, [KeyPurpose::RequestObject]);
        assert_eq!(transmit.presents_certificate(), shows_certificate);
        let sending = flow.begin(transmit, NOW).unwrap();
        let names: Vec<String> = form(sending.request().body.expose()).into_keys().collect();
        assert_eq!(names, expected);
    }
}

/// REQ-META-06a
#[test]
fn a_client_without_a_registered_algorithm_never_signs_its_request() {
    let mut client = Client::new();
    let mut flow = Client::start(unsigned(&client.key));
    let (purposes, transmit) = client.until_sent(&mut flow, NOW);
    assert_eq!(purposes, [KeyPurpose::ClientAssertion]);
    let sending = flow.begin(transmit, NOW).unwrap();
    assert!(!form(sending.request().body.expose()).contains_key("request"));
}

/// REQ-FAPI-28
#[test]
fn every_generated_credential_has_at_least_128_random_bits() {
    let url = Url::parse("https://rp.example/cb").unwrap();
    let mut generated = Vec::new();
    for entropy in [1, 2] {
        let mut client = Client::new();
        client.calls = entropy * 10;
        let config = client
            .config()
            .delivery(DeliveryMode::Ping)
            .notification_endpoint(url.clone())
            .build()
            .unwrap();
        let request = AuthRequest::new(Hint::Login("sub:ssn:1".into()));
        let mut flow =
            Flow::start(config, request, Entropy::from_bytes([entropy; 32]), NOW).unwrap();
        let (_, transmit) = client.until_sent(&mut flow, NOW);
        let sending = flow.begin(transmit, NOW).unwrap();
        let form = form(sending.request().body.expose());
        let (said, proof) =
            (client.verified(&form["request"]), client.verified(&form["client_assertion"]));
        generated.extend([&said["client_notification_token"], &said["jti"], &proof["jti"]].map(
            |value| {
                let text = value.as_str().unwrap().to_owned();
                assert!(text.len() * 6 >= 128, "{text}");
                text
            },
        ));
    }
    generated.sort_unstable();
    generated.dedup();
    assert_eq!(generated.len(), 6);
}
