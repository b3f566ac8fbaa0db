//! Revocation and UserInfo: what is sent, what an answer means, and when a request is made again.

use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value, json};

use super::*;
use crate::{
    ask::{Misuse, MisuseReason, Output, Sending, Unanswered, WaitReason},
    client::{
        ClientAuth, ClientConfig, ClientConfigBuilder,
        testing::{ISSUER, builder, private_key_jwt},
    },
    crypto::{RustCrypto, entropy::Entropy},
    endpoint::Endpoint,
    error::Setback,
    fault::{Cause, ExchangeProblem, Untrusted},
    jose::{JwsAlgorithm, KeySet, base64url},
    secret::{AccessToken, ClientSecret, RefreshToken},
    time::Timestamp,
    url::Url,
    userinfo::UserInfo,
    wire::{ErrorCode, Headers, Response},
};

mod refresh;

const NOW: u64 = 1_893_456_000;
const SUBJECT: &str = "sentinel-subject";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_secs(NOW + seconds)
}

fn entropy() -> Entropy {
    Entropy::from_bytes([7; 32])
}

fn offering(builder: ClientConfigBuilder) -> ClientConfigBuilder {
    let url = |path| Url::parse(format!("https://op.example/{path}").as_str()).unwrap();
    let builder = builder.verifier(Arc::new(RustCrypto)).userinfo_endpoint(url("userinfo"));
    builder.revocation_endpoint(url("revoke"))
}

fn post() -> ClientConfigBuilder {
    let secret = ClientSecret::new("sentinel-secret");
    offering(builder().client_auth(ClientAuth::ClientSecretPost { secret }))
}

fn revoking(config: &Arc<ClientConfig>) -> Call<()> {
    let token = RefreshToken::new("sentinel-refresh");
    Revocable::from(&token).call(Arc::clone(config), entropy(), at(0)).unwrap()
}

fn asking(config: &Arc<ClientConfig>) -> Call<UserInfo> {
    let request = UserInfoRequest::new(AccessToken::new("sentinel-access"), SUBJECT);
    request.call(Arc::clone(config), entropy(), at(0)).unwrap()
}

/// Takes the request that a call makes now.
fn sent<R>(call: &mut Call<R>, now: Timestamp) -> Sending {
    match call.poll(now, entropy()) {
        Output::Transmit(transmit) => call.begin(transmit, now).expect("it may be sent"),
        other => panic!("{other:?}"),
    }
}

/// Answers the request that a call makes now.
fn answered<R>(call: &mut Call<R>, now: Timestamp, response: Response) {
    let sending = sent(call, now);
    call.handle(sending.answered(response), now).unwrap();
}

fn waits<R>(call: &mut Call<R>, now: Timestamp) -> (Timestamp, WaitReason) {
    match call.poll(now, entropy()) {
        Output::Wait(wait) => (wait.until(), wait.reason().clone()),
        other => panic!("{other:?}"),
    }
}

fn body(sending: &Sending) -> String {
    String::from_utf8(sending.request().body.expose().to_vec()).unwrap()
}

fn busy(retry_after: u64) -> Response {
    let wait = retry_after.to_string();
    Response::new(503, [("retry-after", &*wait)].into_iter().collect(), "")
}

/// RFC 7009 section 2.1: the token, its type, and the credential of the client.
#[test]
fn a_revocation_has_the_token_and_a_fresh_credential() {
    let config = post().build().unwrap();
    let access = AccessToken::new("sentinel-access");
    for (mut call, token) in [
        (revoking(&config), "token=sentinel-refresh&token_type_hint=refresh_token"),
        (
            Revocable::from(&access).call(Arc::clone(&config), entropy(), at(0)).unwrap(),
            "token=sentinel-access&token_type_hint=access_token",
        ),
    ] {
        let sending = sent(&mut call, at(0));
        let credential = "&client_id=client-1&client_secret=sentinel-secret";
        assert_eq!(body(&sending), format!("{token}{credential}"));
        let request = sending.request();
        assert_eq!(
            (request.method.name(), request.url.as_str()),
            ("POST", "https://op.example/revoke")
        );
        assert!(!sending.transmit().needs_fresh_connection());
        call.handle(sending.answered(Response::new(200, Headers::new(), "")), at(0)).unwrap();
        assert!(matches!(call.poll(at(0), entropy()), Output::Done));
        assert_eq!(call.finish(), Ok(()));
    }
}

/// A credential is made for each request.
///
/// REQ-AUTH-12a
#[test]
fn each_request_is_signed_again() {
    let config = offering(builder().client_auth(private_key_jwt())).build().unwrap();
    let mut call = revoking(&config);
    let mut assertions = Vec::new();
    for (round, now) in [(1_u8, at(0)), (2, at(5))] {
        let Output::Key(operation) = call.poll(now, Entropy::from_bytes([round; 32])) else {
            panic!("an assertion is signed first");
        };
        call.handle(operation.answered(alloc::vec![1; 64]), now).unwrap();
        let sending = sent(&mut call, now);
        assertions.push(body(&sending));
        call.handle(sending.unanswered(Unanswered::Lost(Cause::Timeout)), now).unwrap();
    }
    assert!(assertions.iter().all(|body| body.contains("client_assertion=")));
    assert_ne!(assertions[0], assertions[1]);
}

/// RFC 7009 section 2.2.1: after a 503 the token is still valid, and `Retry-After` is respected.
#[test]
fn a_call_is_made_again_within_its_limits() {
    let config = post().build().unwrap();
    let mut call = revoking(&config);
    answered(&mut call, at(0), busy(9));
    let problem = ExchangeProblem::Unusable { fault: crate::fault::Fault::Status, status: 503 };
    let setback = Setback::Repeated { endpoint: Endpoint::Revocation, problem, attempts: 1 };
    assert_eq!(waits(&mut call, at(0)), (at(9), WaitReason::Setback(setback)));
    answered(&mut call, at(9), Response::new(200, Headers::new(), ""));
    assert_eq!(call.finish(), Ok(()));

    // Not longer than the window, and not more often than the limit.
    let mut call = revoking(&config);
    answered(&mut call, at(0), busy(31));
    let Err(CallFailure::Unavailable(answer)) = call.finish() else { panic!("it is over") };
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(31)));
    let mut call = revoking(&config);
    for now in [0, 1, 3] {
        let sending = sent(&mut call, at(now));
        call.handle(sending.unanswered(Unanswered::Lost(Cause::Closed)), at(now)).unwrap();
    }
    let failure = CallFailure::Unanswered { cause: Cause::Closed, attempts: 3 };
    assert_eq!(call.finish(), Err(failure));
}

/// RFC 7009 section 2.2.1
#[test]
fn a_refusal_has_its_code() {
    let config = post().build().unwrap();
    let mut call = revoking(&config);
    answered(&mut call, at(0), Response::json(400, r#"{"error":"unsupported_token_type"}"#));
    let failure = call.finish().unwrap_err();
    let code = failure.answer().and_then(|answer| answer.code().cloned());
    assert_eq!(code, Some(ErrorCode::UnsupportedTokenType));
    assert_eq!(
        failure.to_string(),
        "the revocation endpoint refused the request: unsupported_token_type"
    );
    assert!(!failure.may_pass());
}

/// Whatever happens to an output, the call goes on.
#[test]
fn a_dropped_output_is_made_again() {
    let config = offering(builder().client_auth(private_key_jwt())).build().unwrap();
    let mut call = revoking(&config);
    // The key operation is dropped, and then its signature is given.
    drop(call.poll(at(0), entropy()));
    let Output::Key(operation) = call.poll(at(0), entropy()) else { panic!("it is asked again") };
    call.handle(operation.answered(alloc::vec![1; 64]), at(0)).unwrap();
    // The request is dropped before and after it begins.
    drop(call.poll(at(0), entropy()));
    let (until, reason) = waits(&mut call, at(0));
    assert_eq!((until, reason.name()), (at(1), "repeated"));
    let Output::Key(operation) = call.poll(at(1), entropy()) else { panic!("signed again") };
    call.handle(operation.answered(alloc::vec![1; 64]), at(1)).unwrap();
    drop(sent(&mut call, at(1)));
    assert_eq!(waits(&mut call, at(1)).0, at(3));
    let Output::Key(operation) = call.poll(at(3), entropy()) else { panic!("signed again") };
    // A foreign answer changes nothing.
    let token = Revocable::from(&AccessToken::new("t"));
    let mut other = token.call(config, Entropy::from_bytes([9; 32]), at(0)).unwrap();
    let Misuse { input, reason } = other.handle(operation.unavailable(), at(3)).unwrap_err();
    assert_eq!(reason, MisuseReason::ForeignTicket);
    call.handle(*input, at(3)).unwrap();
    assert_eq!(waits(&mut call, at(3)).1, WaitReason::Setback(Setback::KeyUnavailable));
}

/// What is held without an answer ends by its time limit.
#[test]
fn an_output_that_is_never_answered_times_out() {
    let config = post().build().unwrap();
    let mut call = revoking(&config);
    let held = sent(&mut call, at(0));
    assert_eq!(waits(&mut call, at(0)), (at(11), WaitReason::InFlight));
    assert_eq!(waits(&mut call, at(11)).0, at(12));
    // The late answer is not taken, because the request is made again.
    call.handle(held.answered(Response::new(200, Headers::new(), "")), at(11)).unwrap();
    answered(&mut call, at(12), Response::new(200, Headers::new(), ""));
    assert_eq!(call.finish(), Ok(()));
    assert_eq!(revoking(&config).finish(), Err(CallFailure::Abandoned));
}

#[test]
fn a_call_that_is_not_possible_sends_nothing() {
    let bare = builder().build().unwrap();
    let token = RefreshToken::new("t");
    let revoke = |config: &Arc<ClientConfig>, token: &RefreshToken| {
        Revocable::from(token).call(Arc::clone(config), entropy(), at(0)).err()
    };
    assert_eq!(revoke(&bare, &token), Some(NotPossible::NoEndpoint(Endpoint::Revocation)));
    let config = post().build().unwrap();
    for token in ["", "two\r\nx-injected: 1", "\u{e9}", "a b"] {
        assert_eq!(
            revoke(&config, &RefreshToken::new(token)),
            Some(NotPossible::UnusableToken),
            "{token:?}"
        );
        let request = UserInfoRequest::new(AccessToken::new(token), SUBJECT);
        let call = request.call(Arc::clone(&config), entropy(), at(0));
        assert_eq!(call.err(), Some(NotPossible::UnusableToken));
    }
    let request = UserInfoRequest::new(AccessToken::new("t"), SUBJECT);
    let call = request.clone().call(bare, entropy(), at(0));
    assert_eq!(call.err(), Some(NotPossible::NoEndpoint(Endpoint::UserInfo)));
    let symmetric = post().userinfo_algorithm(JwsAlgorithm::Hs256).build().unwrap();
    let call = request.clone().call(symmetric, entropy(), at(0));
    assert_eq!(call.err(), Some(NotPossible::SymmetricAlgorithm));
    let bound = post().dpop(JwsAlgorithm::Es256, public_key(1).to_string()).build().unwrap();
    let call = request.call(Arc::clone(&bound), entropy(), at(0));
    assert_eq!(call.err(), Some(NotPossible::BoundToKey));
    let request = RefreshRequest::new(token, None);
    let call = request.call(bound, entropy(), at(0));
    assert_eq!(call.err(), Some(NotPossible::BoundToKey));
}

/// REQ-TOK-34b
/// OPM-REF-04
#[test]
fn claims_are_taken_only_with_the_subject_of_the_id_token() {
    let config = post().build().unwrap();
    for (claims, expected) in [
        (r#"{"sub":"sentinel-subject","name":"sentinel-name"}"#, Ok(())),
        (r#"{"sub":"sentinel-\u0073ubject"}"#, Ok(())),
        (r#"{"sub":"another"}"#, Err(Untrusted::ExpectedSubject)),
        (r#"{"sub":"Sentinel-Subject"}"#, Err(Untrusted::ExpectedSubject)),
        (r#"{"name":"sentinel-name"}"#, Err(Untrusted::Subject)),
        (r#"{"sub":""}"#, Err(Untrusted::Subject)),
        (r#"{"sub":["sentinel-subject"]}"#, Err(Untrusted::Subject)),
        (r#"{"sub":"another","sub":"sentinel-subject"}"#, Err(Untrusted::ClaimsForm)),
        (r#"["sentinel-subject"]"#, Err(Untrusted::ClaimsForm)),
    ] {
        let mut call = asking(&config);
        answered(&mut call, at(0), Response::json(200, claims));
        assert!(matches!(call.poll(at(0), entropy()), Output::Done));
        match (call.finish(), expected) {
            (Ok(user_info), Ok(())) => {
                assert_eq!((user_info.subject(), user_info.is_signed()), (SUBJECT, false));
                assert_eq!(user_info.claims_text(), claims);
                assert_eq!(user_info.claims::<Value>().unwrap()["sub"], SUBJECT);
                assert!(!format!("{user_info:?}").contains("sentinel"));
            }
            (Err(CallFailure::Untrusted(rejection)), Err(check)) => {
                assert_eq!(rejection.check(), check, "{claims}");
                assert!(!format!("{rejection:?}").contains("another"));
            }
            other => panic!("{claims}: {other:?}"),
        }
    }
}

/// REQ-TOK-34a
#[test]
fn an_expired_access_token_is_recognized_by_the_challenge() {
    let config = post().build().unwrap();
    let mut call = asking(&config);
    let challenge = r#"Bearer realm="op", error="invalid_token""#;
    let refused = Response::new(401, [("www-authenticate", challenge)].into_iter().collect(), "");
    let sending = sent(&mut call, at(0));
    assert_eq!(sending.request().headers.get("authorization"), Some("Bearer sentinel-access"));
    assert!(!sending.transmit().presents_certificate());
    call.handle(sending.answered(refused), at(0)).unwrap();
    let failure = call.finish().unwrap_err();
    assert!(failure.is_invalid_token());
    assert_eq!(failure.to_string(), "the UserInfo endpoint refused the request: invalid_token");
    assert_eq!(failure.answer().unwrap().www_authenticate(), Some(challenge));
    assert!(!format!("{failure:?} {failure}").contains("sentinel"));
}

/// The certificate is presented where the token is bound to it, or where it authenticates the client.
///
/// REQ-POP-21
#[test]
fn the_certificate_is_presented_where_it_belongs() {
    for (builder, revocation, userinfo) in [
        (post(), false, false),
        (post().certificate_bound_tokens(), false, true),
        (offering(builder().client_auth(ClientAuth::TlsClientAuth)), true, false),
        (
            offering(builder().client_auth(ClientAuth::TlsClientAuth)).certificate_bound_tokens(),
            true,
            true,
        ),
    ] {
        let config = builder.build().unwrap();
        let sending = sent(&mut revoking(&config), at(0));
        assert_eq!(sending.transmit().presents_certificate(), revocation);
        let sending = sent(&mut asking(&config), at(0));
        assert_eq!(sending.transmit().presents_certificate(), userinfo);
    }
}

fn signing_key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

fn public_key(number: u8) -> Value {
    let point = signing_key(number).verifying_key().to_sec1_point(false);
    let coordinate = |part: Option<&p256::elliptic_curve::FieldBytes<p256::NistP256>>| {
        base64url::encode(part.unwrap())
    };
    let (x, y) = (coordinate(point.x()), coordinate(point.y()));
    json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y})
}

fn key_set(config: &ClientConfig, generation: u64, number: u8) -> KeySet {
    let document = json!({"keys": [public_key(number)]});
    let issuer = config.issuer.shared();
    KeySet::import(issuer, generation, document.to_string().as_bytes(), &RustCrypto).unwrap()
}

fn signed(header: &Value, claims: &Value, number: u8) -> String {
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let input = format!("{}.{}", part(header), part(claims));
    let signature: Signature = signing_key(number).sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(signature.to_bytes()))
}

fn jwt(body: &str) -> Response {
    Response::new(200, [("content-type", "application/jwt")].into_iter().collect(), body)
}

/// Answers a request for keys with those of a number.
fn finds<R>(call: &mut Call<R>, config: &ClientConfig, generation: u64, number: u8) -> bool {
    let Output::KeySet(request) = call.poll(at(0), entropy()) else {
        panic!("the keys are needed");
    };
    let wants_refresh = request.wants_refresh();
    call.handle(request.found(key_set(config, generation, number)), at(0)).unwrap();
    wants_refresh
}

/// REQ-TOK-34c
#[test]
fn a_signed_answer_is_verified_like_an_id_token() {
    let config = post().userinfo_algorithm(JwsAlgorithm::Es256).build().unwrap();
    let header = json!({"alg": "ES256", "kid": "k"});
    let claims = json!({"iss": ISSUER, "aud": "client-1", "sub": SUBJECT});
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (header, claims, expected) in [
        (header.clone(), claims.clone(), Ok(())),
        (json!({"alg": "ES256", "kid": "k", "typ": "JWT"}), claims.clone(), Ok(())),
        (header.clone(), with("aud", json!(["client-1"])), Ok(())),
        (header.clone(), with("exp", json!(NOW + 1)), Ok(())),
        (json!({"alg": "none"}), claims.clone(), Err(Untrusted::Algorithm)),
        (json!({"alg": "RS256", "kid": "k"}), claims.clone(), Err(Untrusted::Algorithm)),
        (
            json!({"alg": "ES256", "kid": "k", "typ": "at+jwt"}),
            claims.clone(),
            Err(Untrusted::TokenType),
        ),
        (
            json!({"alg": "ES256", "kid": "k", "crit": ["x"]}),
            claims.clone(),
            Err(Untrusted::CriticalHeader),
        ),
        (header.clone(), with("iss", json!("https://other.example")), Err(Untrusted::Issuer)),
        (header.clone(), without("iss"), Err(Untrusted::Issuer)),
        (header.clone(), with("aud", json!("another")), Err(Untrusted::Audience)),
        (header.clone(), without("aud"), Err(Untrusted::Audience)),
        (
            header.clone(),
            with("aud", json!(["client-1", "another"])),
            Err(Untrusted::ExtraAudience),
        ),
        (header.clone(), with("sub", json!("another")), Err(Untrusted::ExpectedSubject)),
        (header.clone(), without("sub"), Err(Untrusted::Subject)),
        (header.clone(), with("exp", json!(NOW - 61)), Err(Untrusted::Expiry)),
        (header.clone(), with("exp", json!("soon")), Err(Untrusted::Expiry)),
        (header.clone(), with("nbf", json!(NOW + 61)), Err(Untrusted::NotBefore)),
        (header.clone(), with("events", json!({})), Err(Untrusted::TokenKind)),
    ] {
        let mut call = asking(&config);
        answered(&mut call, at(0), jwt(&signed(&header, &claims, 1)));
        // A header that is not acceptable causes no fetch.
        if !matches!(call.poll(at(0), entropy()), Output::Done) {
            assert!(!finds(&mut call, &config, 1, 1), "the first set is enough");
        }
        let found = match call.finish() {
            Ok(user_info) => {
                assert!(user_info.is_signed());
                assert_eq!(user_info.claims::<Value>().unwrap(), claims);
                Ok(())
            }
            Err(CallFailure::Untrusted(rejection)) => Err(rejection.check()),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{header} {claims}");
    }
}

/// REQ-TOK-34c
#[test]
fn a_signature_that_does_not_fit_is_tried_with_one_newer_set_of_keys() {
    let config = post().userinfo_algorithm(JwsAlgorithm::Es256).build().unwrap();
    let header = json!({"alg": "ES256", "kid": "k"});
    let claims = json!({"iss": ISSUER, "aud": "client-1", "sub": SUBJECT});
    for (rotated, accepted) in [(2, true), (1, false)] {
        let mut call = asking(&config);
        answered(&mut call, at(0), jwt(&signed(&header, &claims, 2)));
        assert!(!finds(&mut call, &config, 1, 1));
        assert!(finds(&mut call, &config, 2, rotated));
        match call.finish() {
            Ok(user_info) => assert!(accepted && user_info.is_signed()),
            Err(CallFailure::Untrusted(rejection)) => {
                assert!(!accepted && rejection.check() == Untrusted::Signature)
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    // Keys that never come end the call.
    let mut call = asking(&config);
    answered(&mut call, at(0), jwt(&signed(&header, &claims, 1)));
    for now in [0, 1, 3, 7, 15, 23] {
        let Output::KeySet(request) = call.poll(at(now), entropy()) else { panic!("at {now}") };
        call.handle(request.unavailable(Cause::Refused.into()), at(now)).unwrap();
    }
    assert_eq!(waits(&mut call, at(23)).0, at(30));
    assert!(matches!(call.poll(at(30), entropy()), Output::Done));
    let failure = CallFailure::KeysUnavailable(Cause::Refused.into());
    assert_eq!(call.finish().unwrap_err(), failure);
}
