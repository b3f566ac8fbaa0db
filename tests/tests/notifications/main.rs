//! The handling of calls of the notification endpoint, rule by rule (CIBA 9, 10.2, 10.3, 12).
#![allow(missing_docs)]

mod early;
mod edited;
mod ping;
mod push;
mod token;

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Entropy,
    Failure, Flow, Hint, Issuer, Output, Policy, ProviderMetadata, Sending, Stage, Timestamp,
    crypto::RustCrypto,
    error::LostAnswer,
    fault::{Cause, Fault, Untrusted},
    http::{Body, Endpoint, Headers, Request, Response, Unanswered, Url},
    jose::{JwsAlgorithm, KeySet},
    machine::WaitReason,
    notification::{BadNotification, Notification, NotificationVerdict, SpentKeys},
};
use ciba_tests::fake_crypto::{self, FakeCrypto};
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const ISSUER: &str = "https://op.example";
const ID: &str = "id-of-this-request-0123456789";
const OTHER_ID: &str = "id-of-another-request-01234567";

fn config(mode: DeliveryMode, policy: Policy) -> Arc<ClientConfig> {
    builder(mode, policy).build().unwrap()
}

fn builder(mode: DeliveryMode, policy: Policy) -> ClientConfigBuilder {
    let url = |path: &str| Url::parse(&format!("{ISSUER}{path}")).unwrap();
    let mut provider = ProviderMetadata::by_hand(Issuer::parse(ISSUER).unwrap());
    provider.backchannel_authentication_endpoint = Some(url("/ciba"));
    provider.token_endpoint = Some(url("/token"));
    provider.jwks_uri = Some(url("/jwks"));
    let mut builder = ClientConfig::builder(provider, ClientId::new("client-1").unwrap())
        .client_auth(ClientAuth::ClientSecretPost { secret: "a secret of the client".into() })
        .delivery(mode)
        .id_token_algorithm(JwsAlgorithm::EdDsa)
        .verifier(Arc::new(FakeCrypto))
        .policy(policy);
    if mode != DeliveryMode::Poll {
        builder =
            builder.notification_endpoint(Url::parse("https://client.example/notify").unwrap());
    }
    builder
}

/// A flow, its clock, and its notification token.
struct Case {
    flow: Flow,
    now: Timestamp,
    seed: u8,
    token: String,
}

impl Case {
    fn with(mode: DeliveryMode, policy: Policy, request: AuthRequest) -> Self {
        Self::of(config(mode, policy), request)
    }

    fn of(config: Arc<ClientConfig>, request: AuthRequest) -> Self {
        let flow = Flow::start(config, request, Entropy::from_bytes([1; 32]), START).unwrap();
        Self { flow, now: START, seed: 1, token: String::new() }
    }

    fn new(mode: DeliveryMode) -> Self {
        Self::with(mode, Policy::default(), AuthRequest::new(Hint::Login("somebody".into())))
    }

    /// Sends the authentication request.
    fn asked(mode: DeliveryMode) -> (Self, Sending) {
        let mut case = Self::new(mode);
        let (request, ticket) = case.next_request().expect("the authentication request");
        case.token = parameter(&request, "client_notification_token")
            .expect("there is a notification token");
        (case, ticket)
    }

    /// Acknowledges it for five minutes, with an interval of five seconds.
    fn acknowledged(mode: DeliveryMode) -> Self {
        let (mut case, ticket) = Self::asked(mode);
        case.acknowledge(ticket, ID);
        case
    }

    fn acknowledge(&mut self, ticket: Sending, id: &str) {
        let body = json!({"auth_req_id": id, "expires_in": 300, "interval": 5}).to_string();
        self.answer(ticket, 200, &body);
    }

    fn answer(&mut self, ticket: Sending, status: u16, body: &str) {
        self.flow.handle(ticket.answered(Response::json(status, body)), self.now).unwrap();
    }

    /// Adds `Retry-After`.
    fn answer_after(&mut self, ticket: Sending, status: u16, seconds: u64) {
        let headers = [("retry-after".to_owned(), seconds.to_string())].into_iter().collect();
        self.flow.handle(ticket.answered(Response::new(status, headers, "")), self.now).unwrap();
    }

    /// Ends the process and resumes in another one.
    fn restart(&mut self) {
        let config = Arc::clone(self.flow.config());
        self.flow =
            Flow::resume(config, self.flow.snapshot().as_bytes(), self.now).unwrap().in_memory();
    }

    fn poll(&mut self) -> Output {
        loop {
            self.seed = self.seed.wrapping_add(1);
            match self.flow.poll(self.now, Entropy::from_bytes([self.seed; 32])) {
                // Ahead of time: nothing waits for the answer.
                Output::KeySet(request) if request.within().is_some() => {}
                output => return output,
            }
        }
    }

    /// Returns the next request after all waits, or `None` if the flow ends without one.
    fn next_request(&mut self) -> Option<(Request, Sending)> {
        loop {
            match self.poll() {
                Output::Transmit(transmit) => {
                    let sending = self.flow.begin(transmit, self.now)?;
                    return Some((sending.request().clone(), sending));
                }
                Output::Wait(wait) => self.now = wait.until(),
                Output::KeySet(request) => {
                    let keys =
                        json!({"keys": [fake_crypto::jwk("k", &fake_crypto::key(1))]}).to_string();
                    let keys = KeySet::pinned(
                        &Issuer::parse(ISSUER).unwrap(),
                        keys.as_bytes(),
                        &FakeCrypto,
                    )
                    .unwrap();
                    self.flow.handle(request.found(keys), self.now).unwrap();
                }
                Output::Save(_) | Output::Key(_) | Output::Done => return None,
            }
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now = self.now.saturating_add(by);
    }

    fn call(&self, token: &str, media_type: &str, body: &str) -> Notification {
        let authorization = format!("Bearer {token}");
        let headers: Headers =
            [("Authorization", authorization.as_str()), ("Content-Type", media_type)]
                .into_iter()
                .collect();
        Notification::receive("POST", &headers, Body::from(body)).unwrap()
    }

    fn notify(&mut self, body: &Value) -> NotificationVerdict {
        let call = self.call(&self.token, "application/json", &body.to_string());
        self.flow.notify(&call, self.now).verdict()
    }

    fn ping(&mut self) -> NotificationVerdict {
        self.notify(&json!({"auth_req_id": ID}))
    }

    fn verdict(mut self) -> Result<(), Failure> {
        assert!(self.next_request().is_none(), "no further request");
        self.flow.finish().map(|_| ())
    }
}

fn parameter(request: &Request, name: &str) -> Option<String> {
    let body = std::str::from_utf8(request.body.expose()).unwrap();
    let pair = body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    Some(pair.to_owned())
}

fn id_token(at: Timestamp, more: &Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "sub": "person", "aud": "client-1", "iat": at.unix_secs(), "exp": at.unix_secs() + 300,
    });
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    fake_crypto::jws(&json!({"alg": "EdDSA", "kid": "k"}), &claims, &fake_crypto::key(1))
}

const AUTH_REQ_ID_CLAIM: &str = "urn:openid:params:jwt:claim:auth_req_id";
const RT_HASH_CLAIM: &str = "urn:openid:params:jwt:claim:rt_hash";

/// Returns a push with all bindings, with changes of the claims of the ID Token.
fn push_with(at: Timestamp, claims: &Value) -> Value {
    let mut bound = json!({
        AUTH_REQ_ID_CLAIM: ID, "at_hash": fake_crypto::half_hash("access"), RT_HASH_CLAIM: fake_crypto::half_hash("refresh"),
    });
    bound.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    json!({
        "auth_req_id": ID, "access_token": "access", "token_type": "Bearer", "refresh_token": "refresh",
        "expires_in": 3600, "id_token": id_token(at, &bound), "unknown": {"kept": true},
    })
}

fn push(at: Timestamp) -> Value {
    push_with(at, &json!({}))
}

const PENDING: &str = r#"{"error":"authorization_pending"}"#;

fn tokens(at: Timestamp) -> String {
    json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token(at, &json!({}))})
        .to_string()
}
