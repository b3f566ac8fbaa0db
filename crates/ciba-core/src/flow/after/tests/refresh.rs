//! Refresh: rotation, the rules of a new ID Token, and answers that are lost.

use super::*;
use crate::{ask::Input, fault::Fault};

const OLD: &str = "sentinel-old";
const AUTH_TIME: u64 = NOW - 86_400;

fn config() -> Arc<ClientConfig> {
    post().id_token_algorithm(JwsAlgorithm::Es256).build().unwrap()
}

fn request() -> RefreshRequest {
    let auth_time = Some(Timestamp::from_unix_secs(AUTH_TIME));
    let mut request = RefreshRequest::new(RefreshToken::new(OLD), Some(SUBJECT));
    request.original.audiences = alloc::vec!["client-1".into()];
    request.auth_time(auth_time)
}

fn refreshing(config: &Arc<ClientConfig>, request: impl Into<RefreshRequest>) -> Call<Refreshed> {
    request.into().call(Arc::clone(config), entropy(), at(0)).unwrap()
}

fn tokens(more: &Value) -> Response {
    let mut tokens = json!({"access_token": "sentinel-new-access", "token_type": "Bearer"});
    for (name, value) in more.as_object().unwrap() {
        tokens[name] = value.clone();
    }
    Response::json(200, tokens.to_string())
}

fn id_token(claims: &Value) -> Value {
    signed(&json!({"alg": "ES256", "kid": "k"}), claims, 1).into()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "client-1",
        "sub": SUBJECT,
        "iat": NOW,
        "exp": NOW + 300,
        "auth_time": AUTH_TIME,
    })
}

/// The old token is kept unless the answer has a new one, and the new one is used next.
///
/// REQ-TOK-31a
/// REQ-TOK-31c
/// REQ-TOK-31d
/// REQ-FAPI-20
/// OPM-REF-01
/// OPM-REF-02
#[test]
fn a_new_refresh_token_replaces_the_old_one_and_otherwise_the_old_one_stays() {
    let config = config();
    let form = |token: &str| {
        format!(
            "grant_type=refresh_token&refresh_token={token}&client_id=client-1&client_secret=sentinel-secret"
        )
    };
    let mut call = refreshing(&config, request());
    let sending = sent(&mut call, at(0));
    assert_eq!(body(&sending), form(OLD));
    assert_eq!(sending.request().url.as_str(), "https://op.example/token");
    call.handle(sending.answered(tokens(&json!({"expires_in": 60}))), at(0)).unwrap();
    let kept = call.finish().unwrap();
    assert_eq!((kept.refresh_token().expose(), kept.is_rotated()), (OLD, false));
    assert_eq!(kept.access_token().expose(), "sentinel-new-access");
    assert_eq!(kept.expires_at(), Some(at(60)));
    assert!(kept.id_token().is_none());
    // Twice in a row, each time replaced.
    let mut last = kept;
    for new in ["sentinel-second", "sentinel-third"] {
        let used = last.refresh_token().expose().to_string();
        let mut call = refreshing(&config, &last);
        let sending = sent(&mut call, at(0));
        assert_eq!(body(&sending), form(&used));
        call.handle(sending.answered(tokens(&json!({"refresh_token": new}))), at(0)).unwrap();
        last = call.finish().unwrap();
        assert_eq!((last.refresh_token().expose(), last.is_rotated()), (new, true));
    }
    assert!(!format!("{last:?} {:?}", request()).contains("sentinel"));
    // The subject of the original is kept for UserInfo.
    assert!(UserInfoRequest::from(&last).call(config, entropy(), at(0)).is_ok());
}

/// REQ-TOK-31b
/// OPM-REF-03
#[test]
fn a_new_id_token_is_of_the_same_issuer_person_audience_and_authentication() {
    let config = config();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, expected) in [
        (claims(), Ok(())),
        (without("auth_time"), Ok(())),
        (with("aud", json!(["client-1"])), Ok(())),
        (with("iss", json!("https://other.example")), Err(Untrusted::Issuer)),
        (with("sub", json!("another")), Err(Untrusted::ExpectedSubject)),
        (without("sub"), Err(Untrusted::Subject)),
        (with("aud", json!("another")), Err(Untrusted::Audience)),
        (with("aud", json!(["client-1", "another"])), Err(Untrusted::ExtraAudience)),
        (with("iat", json!(NOW - 61)), Err(Untrusted::IssuedAt)),
        (with("exp", json!(NOW - 61)), Err(Untrusted::Expiry)),
        (with("auth_time", json!(NOW)), Err(Untrusted::AuthTime)),
        (with("nonce", json!("n")), Err(Untrusted::Nonce)),
    ] {
        let mut call = refreshing(&config, request());
        let more = json!({"id_token": id_token(&claims), "refresh_token": "sentinel-second"});
        answered(&mut call, at(0), tokens(&more));
        assert!(!finds(&mut call, &config, 1, 1));
        let found = match call.finish() {
            Ok(refreshed) => {
                assert_eq!(refreshed.id_token().map(|token| token.subject()), Some(SUBJECT));
                Ok(())
            }
            Err(CallFailure::Untrusted(rejection)) => Err(rejection.check()),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{claims}");
    }
    // A trusted audience that the original did not have.
    let config =
        post().id_token_algorithm(JwsAlgorithm::Es256).trusted_audience("api").build().unwrap();
    let mut wider = with("aud", json!(["client-1", "api"]));
    wider["azp"] = "client-1".into();
    let mut call = refreshing(&config, request());
    answered(&mut call, at(0), tokens(&json!({"id_token": id_token(&wider)})));
    finds(&mut call, &config, 1, 1);
    let Err(CallFailure::Untrusted(rejection)) = call.finish() else { panic!("refused") };
    assert_eq!(rejection.check(), Untrusted::Audience);
    // Without a subject there is nothing to compare, so the ID Token is not passed on.
    let bare = RefreshRequest::new(RefreshToken::new(OLD), None);
    let mut call = refreshing(&config, bare);
    answered(&mut call, at(0), tokens(&json!({"id_token": id_token(&claims())})));
    assert!(call.finish().unwrap().id_token().is_none());
}

/// What happened to a request, and how often it is made.
#[test]
fn a_request_that_may_have_arrived_is_not_repeated() {
    let config = config();
    let gateway = Response::new(504, Headers::new(), "");
    let not_sent = |sending: Sending| sending.unanswered(Unanswered::NotSent(Cause::Refused));
    let lost = |sending: Sending| sending.unanswered(Unanswered::Lost(Cause::Closed));
    let status = |status| ExchangeProblem::Unusable { fault: Fault::Status, status };
    type Outcome<'a> = &'a dyn Fn(Sending) -> Input;
    let cases: [(Outcome<'_>, bool, Option<ExchangeProblem>); 6] = [
        (&not_sent, false, None),
        (&|sending| sending.answered(busy(1)), false, None),
        (&lost, false, Some(Cause::Closed.into())),
        (&|sending| sending.answered(gateway.clone()), false, Some(status(504))),
        (&lost, true, None),
        (&|sending| sending.answered(gateway.clone()), true, None),
    ];
    for (outcome, repeats, expected) in cases {
        let request = if repeats { request().dangerously_repeat_if_lost() } else { request() };
        let mut call = refreshing(&config, request);
        let sending = sent(&mut call, at(0));
        call.handle(outcome(sending), at(0)).unwrap();
        if let Some(problem) = expected {
            assert!(matches!(call.poll(at(0), entropy()), Output::Done));
            assert_eq!(call.finish().unwrap_err(), CallFailure::RefreshLost(problem));
        } else {
            assert_eq!(waits(&mut call, at(0)).0, at(1));
            answered(&mut call, at(1), tokens(&json!({})));
            assert!(call.finish().is_ok());
        }
    }
    // Dropped before it began, and after.
    let mut call = refreshing(&config, request());
    drop(call.poll(at(0), entropy()));
    assert_eq!(waits(&mut call, at(0)).0, at(1));
    drop(sent(&mut call, at(1)));
    assert!(matches!(call.poll(at(1), entropy()), Output::Done));
    let failure = call.finish().unwrap_err();
    assert_eq!(failure, CallFailure::RefreshLost(Cause::Interrupted.into()));
    assert!(!failure.may_pass());
}

/// The only copy of new tokens is taken whenever it arrives.
#[test]
fn an_answer_that_arrives_after_its_time_limit_still_counts() {
    let config = config();
    let mut call = refreshing(&config, request());
    let held = sent(&mut call, at(0));
    assert!(matches!(call.poll(at(41), entropy()), Output::Done));
    let answer = tokens(&json!({"refresh_token": "sentinel-second"}));
    call.handle(held.answered(answer), at(42)).unwrap();
    assert_eq!(call.finish().unwrap().refresh_token().expose(), "sentinel-second");
    // An error that arrives late says nothing about the tokens.
    let mut call = refreshing(&config, request());
    let held = sent(&mut call, at(0));
    assert!(matches!(call.poll(at(41), entropy()), Output::Done));
    call.handle(held.answered(busy(1)), at(42)).unwrap();
    let failure = CallFailure::RefreshLost(Cause::Timeout.into());
    assert_eq!(call.finish().unwrap_err(), failure);
}

#[test]
fn a_refusal_and_an_unusable_answer_end_the_call() {
    let config = config();
    for (response, expected) in [
        (Response::json(400, r#"{"error":"invalid_grant"}"#), "invalid_grant"),
        (Response::json(400, r#"{"error":"authorization_pending"}"#), "status"),
        (Response::json(200, "{}"), "missing_member"),
        (tokens(&json!({"token_type": "DPoP"})), "bad_member"),
    ] {
        let mut call = refreshing(&config, request());
        answered(&mut call, at(0), response);
        let found = match call.finish().unwrap_err() {
            CallFailure::Refused(answer) => answer.code().unwrap().name().to_string(),
            CallFailure::Misbehaved(misbehaviour) => misbehaviour.fault.name().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
    let request = RefreshRequest::new(RefreshToken::new(""), None);
    let call = request.call(config, entropy(), at(0));
    assert_eq!(call.err(), Some(NotPossible::UnusableToken));
}
