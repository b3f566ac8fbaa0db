//! The scope of one authentication request: its lifetime, its ids, and nothing that outlives it.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, Entropy, Failure, Flow, Hint, Issuer, Output,
    Policy, ProviderMetadata, Sending, Stage, Timestamp,
    config::BasicEncoding,
    http::{Response, Url},
    jose::JwsAlgorithm,
    machine::{KeyTask, ResumeError},
};

const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const SECRET: &str = "secret-sentinel-of-sixty-four-octets-secret-sentinel-of-64-octets";
const ACKNOWLEDGEMENT: &str = r#"{"auth_req_id":"id-sentinel-0123456789","expires_in":300}"#;

fn config_at(issuer: &str, client: &str, auth: ClientAuth, policy: Policy) -> Arc<ClientConfig> {
    let url = |path: &str| Url::parse(&format!("{issuer}{path}")).unwrap();
    let mut provider = ProviderMetadata::by_hand(Issuer::parse(issuer).unwrap());
    provider.backchannel_authentication_endpoint = Some(url("/ciba"));
    provider.token_endpoint = Some(url("/token?tenant=a"));
    provider.jwks_uri = Some(url("/jwks"));
    ClientConfig::builder(provider, ClientId::new(client).unwrap())
        .client_auth(auth)
        .policy(policy)
        .build()
        .unwrap()
}

fn post() -> ClientAuth {
    ClientAuth::ClientSecretPost { secret: SECRET.into() }
}

fn config() -> Arc<ClientConfig> {
    config_at("https://op.example", "client", post(), Policy::default())
}

fn request() -> AuthRequest {
    AuthRequest::new(Hint::Login("hint-sentinel".into()))
}

fn entropy(seed: u8) -> Entropy {
    Entropy::from_bytes([seed; 32])
}

fn start(config: &Arc<ClientConfig>, request: AuthRequest) -> Flow {
    Flow::start(Arc::clone(config), request, entropy(1), START).unwrap()
}

/// Returns the next request, signing and waiting on the way.
fn next_request(flow: &mut Flow, now: &mut Timestamp) -> Option<Sending> {
    for seed in 2.. {
        match flow.poll(*now, entropy(seed)) {
            Output::Transmit(transmit) => return flow.begin(transmit, *now),
            Output::Key(operation) => {
                assert!(matches!(operation.task(), KeyTask::Sign(_)));
                flow.handle(operation.answered(vec![5; 64]), *now).unwrap();
            }
            Output::Wait(wait) => *now = wait.until(),
            // Ahead of time, while the person decides: no request depends on the answer (ruling
            // 31).
            Output::KeySet(request) if request.within().is_some() => {}
            Output::Save(_) | Output::KeySet(_) | Output::Done => return None,
        }
    }
    None
}

fn answer(flow: &mut Flow, now: &mut Timestamp, status: u16, body: &str) {
    let sending = next_request(flow, now).expect("a request is due");
    flow.handle(sending.answered(Response::json(status, body)), *now).unwrap();
}

/// REQ-ACK-12
#[test]
fn the_granted_lifetime_applies_and_not_the_requested_one() {
    let mut now = START;
    let mut flow = start(&config(), request().requested_expiry(Duration::from_secs(60)));
    answer(&mut flow, &mut now, 200, ACKNOWLEDGEMENT);
    assert_eq!(flow.acknowledgement().unwrap().expires_in, Duration::from_secs(300));
    let mut last = now;
    while next_request(&mut flow, &mut now).is_some_and(|sending| {
        last = now;
        let pending = Response::json(400, r#"{"error":"authorization_pending"}"#);
        flow.handle(sending.answered(pending), now).is_ok()
    }) {}
    assert!(last.since(START) > Duration::from_secs(290), "polled until {:?}", last.since(START));
    assert!(matches!(flow.finish(), Err(Failure::Expired(None))));
}

/// REQ-ACK-19
#[test]
fn a_transaction_is_resumed_only_with_its_own_issuer_and_client() {
    let mut now = START;
    let mut flow = start(&config(), request());
    answer(&mut flow, &mut now, 200, ACKNOWLEDGEMENT);
    let saved = flow.snapshot();
    let resume = |issuer: &str, client: &str| {
        Flow::resume(config_at(issuer, client, post(), Policy::default()), saved.as_bytes(), now)
            .map(|_| ())
    };
    assert_eq!(resume("https://op.example", "client"), Ok(()));
    assert_eq!(resume("https://op.example", "another"), Err(ResumeError::AnotherClient));
    assert_eq!(resume("https://op.example/", "client"), Err(ResumeError::AnotherClient));
    assert_eq!(resume("https://other.example", "client"), Err(ResumeError::AnotherClient));
    let mut resumed = Flow::resume(config(), saved.as_bytes(), now).unwrap().in_memory();
    let poll = next_request(&mut resumed, &mut now).unwrap();
    let body = String::from_utf8(poll.request().body.expose().to_vec()).unwrap();
    assert!(body.contains("auth_req_id=id-sentinel-0123456789"));
}

/// REQ-AERR-19
#[test]
fn a_refused_request_leaves_no_state() {
    let mut now = START;
    let mut flow = start(&config(), request());
    answer(&mut flow, &mut now, 400, r#"{"error":"unknown_user_id"}"#);
    assert_eq!(flow.stage(), Stage::Settled);
    let saved = String::from_utf8(flow.snapshot().as_bytes().to_vec()).unwrap();
    assert!(!saved.contains("hint-sentinel"), "the hint outlives the request");
    assert!(next_request(&mut flow, &mut now).is_none());
    assert!(matches!(flow.finish(), Err(Failure::Refused(_))));
}

/// REQ-AUTH-03
#[test]
fn no_credential_token_or_id_is_put_into_a_url() {
    let methods = [
        post(),
        ClientAuth::ClientSecretBasic { secret: SECRET.into(), encoding: BasicEncoding::Encoded },
        ClientAuth::ClientSecretJwt { secret: SECRET.into(), algorithm: JwsAlgorithm::Hs256 },
        ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("key".into()) },
    ];
    for auth in methods {
        let mut now = START;
        let config = config_at("https://op.example", "client", auth, Policy::default());
        let mut flow = start(&config, request().binding_message("message"));
        let sending = next_request(&mut flow, &mut now).unwrap();
        let first = sending.request().clone();
        assert_eq!(first.url.as_str(), "https://op.example/ciba");
        flow.handle(sending.answered(Response::json(200, ACKNOWLEDGEMENT)), now).unwrap();
        let second = next_request(&mut flow, &mut now).unwrap();
        // The query of the endpoint URL is kept.
        assert_eq!(second.request().url.as_str(), "https://op.example/token?tenant=a");
    }
}

/// REQ-TOK-12
#[test]
fn caching_headers_of_a_response_are_ignored() {
    let mut now = START;
    let mut flow = start(&config(), request());
    answer(&mut flow, &mut now, 200, ACKNOWLEDGEMENT);
    let mut polls = 0;
    for error in ["authorization_pending", "authorization_pending", "access_denied"] {
        let sending = next_request(&mut flow, &mut now).unwrap();
        polls += 1;
        let mut response = Response::json(400, format!(r#"{{"error":"{error}"}}"#));
        response.headers.push("cache-control", "public, max-age=3600");
        flow.handle(sending.answered(response), now).unwrap();
    }
    assert_eq!(polls, 3);
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
}

/// REQ-SEC-23a
/// REQ-SEC-23b
#[test]
fn each_leniency_must_be_requested_by_name() {
    assert!(!Policy::default().assume_bearer);
    let untyped = r#"{"access_token":"token","id_token":"a.b.c"}"#;
    let without = r#"{"access_token":"token","token_type":"Bearer"}"#;
    let lenient = || {
        let mut policy = Policy::default();
        policy.assume_bearer = true;
        policy
    };
    for (policy, request, body, misbehaves) in [
        (Policy::default(), request(), untyped, true),
        (lenient(), request(), untyped, false),
        (Policy::default(), request(), without, true),
        (lenient(), request(), without, true),
        (Policy::default(), request().without_openid(), without, false),
    ] {
        let mut now = START;
        let mut flow = start(&config_at("https://op.example", "client", post(), policy), request);
        answer(&mut flow, &mut now, 200, ACKNOWLEDGEMENT);
        answer(&mut flow, &mut now, 200, body);
        let is_misbehaviour = matches!(flow.finish(), Err(Failure::ProviderMisbehaved(_)));
        assert_eq!(is_misbehaviour, misbehaves, "{body}");
    }
}
