//! A push contains the result (CIBA 10.3, 12).

use super::*;

/// REQ-PUSH-02
/// REQ-PUSH-06
/// REQ-PUSH-14
/// REQ-PUSH-19
/// REQ-PUSH-25
/// OPM-PSH-01
/// OPM-PSH-08
#[test]
fn a_push_is_answered_204_verified_and_delivered_once_without_a_token_request() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    let body = push(case.now);
    let answer = case.notify(&body);
    assert_eq!((answer, answer.reply().status), (NotificationVerdict::Accepted, 204));
    assert_eq!(case.flow.stage(), Stage::Verifying);
    assert!(case.next_request().is_none());
    let authentication = case.flow.finish().unwrap();
    assert_eq!(authentication.access_token().expose(), "access");
    assert_eq!(authentication.refresh_token().unwrap().expose(), "refresh");
    assert!(authentication.extra().contains("unknown"));
}

/// REQ-AREQ-32
/// REQ-POLL-23
/// REQ-META-03
/// REQ-PUSH-19
/// OPM-PSH-08
#[test]
fn a_push_client_never_calls_the_token_endpoint_and_expires_after_its_grace() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    assert!(case.next_request().is_none());
    assert_eq!(case.now.since(START).as_secs(), 360);
    assert!(
        matches!(case.flow.finish(), Err(Failure::Indeterminate(why)) if why.lost == LostAnswer::Notification)
    );
}

/// REQ-PUSH-26
#[test]
fn a_push_is_accepted_until_a_minute_after_the_deadline() {
    for (seconds, taken) in [(299, true), (359, true), (361, false)] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        case.advance(Duration::from_secs(seconds));
        let body = push(case.now);
        let answer = case.notify(&body);
        assert_eq!(answer == NotificationVerdict::Accepted, taken, "{seconds}");
        assert_eq!(case.verdict().is_ok(), taken);
        assert_eq!(answer.reply().status, if taken { 204 } else { 401 });
    }
}

/// REQ-PUSH-06
/// REQ-PUSH-08
/// REQ-PUSH-09
/// REQ-PUSH-10
/// REQ-PUSH-11
/// REQ-PUSH-13
/// OPM-PSH-02
/// OPM-PSH-03
/// OPM-PSH-04
/// OPM-PSH-07
#[test]
fn a_push_whose_id_token_is_not_bound_to_it_ends_the_flow_untrusted() {
    let changed = |member: &str, value: Value| {
        let mut body = push(START);
        body[member] = value;
        body
    };
    let claim = |name: &str, value: Value| push_with(START, &json!({name: value}));
    let mut unsigned = push(START);
    let compact = unsigned["id_token"].as_str().unwrap().to_owned();
    unsigned["id_token"] = format!("{}.{}", compact.rsplit_once('.').unwrap().0, "AAAA").into();
    let full_hash = fake_crypto::half_hash("access").repeat(2);
    for (body, check) in [
        (claim(AUTH_REQ_ID_CLAIM, Value::Null), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, OTHER_ID.into()), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, json!([ID])), Untrusted::AuthReqId),
        (claim("at_hash", Value::Null), Untrusted::AccessTokenHash),
        (claim("at_hash", fake_crypto::half_hash("other").into()), Untrusted::AccessTokenHash),
        (claim("at_hash", full_hash.into()), Untrusted::AccessTokenHash),
        (changed("access_token", "accesS".into()), Untrusted::AccessTokenHash),
        (claim(RT_HASH_CLAIM, Value::Null), Untrusted::RefreshTokenHash),
        (claim(RT_HASH_CLAIM, fake_crypto::half_hash("other").into()), Untrusted::RefreshTokenHash),
        (changed("refresh_token", "refresH".into()), Untrusted::RefreshTokenHash),
        // The refresh token was removed on the way.
        (changed("refresh_token", Value::Null), Untrusted::RefreshTokenHash),
        (claim("aud", "client-2".into()), Untrusted::Audience),
        (claim("iss", format!("{ISSUER}/").into()), Untrusted::Issuer),
        (claim("exp", (START.unix_secs() - 61).into()), Untrusted::Expiry),
        (unsigned, Untrusted::Signature),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        assert_eq!(case.notify(&body), NotificationVerdict::Accepted, "it is owned first");
        let verdict = case.verdict();
        assert_eq!(verdict.expect_err("forged").check(), Some(check));
    }
}

/// REQ-PUSH-03
/// REQ-PUSH-21
/// REQ-PUSH-22
/// REQ-PUSH-23
/// REQ-PUSH-24
/// OPM-PSH-06
#[test]
fn a_pushed_error_ends_the_flow_with_its_meaning() {
    for (code, name) in [
        ("access_denied", "denied"),
        ("expired_token", "expired"),
        ("transaction_failed", "refused"),
        ("invalid_grant", "refused"),
        ("made_up", "refused"),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        let body = json!({"error": code, "error_description": "words", "auth_req_id": ID});
        assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
        assert_eq!(case.notify(&body), NotificationVerdict::Known);
        let failure = case.verdict().unwrap_err();
        assert_eq!(failure.name(), name, "{code}");
        let answer = failure.server_answer().expect("the provider's words are kept");
        assert_eq!(
            (answer.endpoint(), answer.code().unwrap().name()),
            (Endpoint::Notification, code)
        );
        assert_eq!(answer.description(), Some("words"));
        assert!(!answer.extra().contains("auth_req_id"));
    }
}

/// REQ-META-01b
/// REQ-PING-19c
#[test]
fn a_ping_is_not_a_result_for_a_push_client() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    assert_eq!(case.ping(), NotificationVerdict::Unusable);
    let Err(Failure::ProviderMisbehaved(why)) = case.verdict() else { panic!("it was a ping") };
    assert_eq!(
        (why.fault, why.endpoint),
        (Fault::MissingMember("access_token"), Endpoint::Notification)
    );
}

/// Tokens of the catalogue (appendix B.7), signed with published keys.
const ES256: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsImtpZCI6InRocndxbnVlciJ9.eyJpc3MiOiJodHRwczovL29wLmV4YW1wbGUiLCJzdWIiOiIyNDgyODk3NjEwMDEiL",
    "CJhdWQiOiJjbGllbnQtMSIsImlhdCI6MTg5MzQ1NjAwMCwiZXhwIjoxODkzNDU2MzAwLCJhdF9oYXNoIjoiV3Qwa1ZGWE1hY3F2bkhleVUwMDA",
    "xdyIsInVybjpvcGVuaWQ6cGFyYW1zOmp3dDpjbGFpbTpydF9oYXNoIjoic0hhaEN1U3BYQ1JnNW1rRER2dnI0dyIsInVybjpvcGVuaWQ6cGFyY",
    "W1zOmp3dDpjbGFpbTphdXRoX3JlcV9pZCI6IjFjMjY2MTE0LWExYmUtNDI1Mi04YWQxLTA0OTg2YzViOWFjMSJ9.cR0LAG4-",
    "1jBbh0l6tFixy2AMsmgGPWMetIsO_Ha9EIKTunjAeIZSxO2oBbq_Eo4djj7Bc60Eo7ItDgENsNrlQg",
);
const EDDSA: &str = concat!(
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkLTEifQ.eyJpc3MiOiJodHRwczovL29wLmV4YW1wbGUiLCJzdWIiOiIyNDgyODk3NjEwMDEiLCJhdWQ",
    "iOiJjbGllbnQtMSIsImlhdCI6MTg5MzQ1NjAwMCwiZXhwIjoxODkzNDU2MzAwLCJhdF9oYXNoIjoiNEt6OFhEYUduNDV0UDE5bWFQVUZINzRnY",
    "zBtM0xhMzlVUy0wTnVzSHh3NCIsInVybjpvcGVuaWQ6cGFyYW1zOmp3dDpjbGFpbTpydF9oYXNoIjoiSGJGQ2w3bXRuX3YxT0NsZ2IwTEdpdUJ",
    "NTER3TEduaU5ORlRZNDMzdktpbyIsInVybjpvcGVuaWQ6cGFyYW1zOmp3dDpjbGFpbTphdXRoX3JlcV9pZCI6IjFjMjY2MTE0LWExYmUtNDI1M",
    "i04YWQxLTA0OTg2YzViOWFjMSJ9.FtZvEbwzaPhOE5PcmbYnnNMUMWMpr3oVQDtvTlzz9X2IY8yHWQHBZuPOm_qgdki1KGiaV5G-",
    "neKO54g0bPoXDQ",
);

/// The same with real keys: the hash function follows the algorithm, and is SHA-512 for Ed25519.
///
/// REQ-PUSH-12
/// REQ-PUSH-13
#[test]
fn the_hash_of_a_binding_claim_follows_the_algorithm_of_the_id_token() {
    const ID: &str = "1c266114-a1be-4252-8ad1-04986c5b9ac1";
    const ACCESS: &str = "G5kXH2wHvUra0sHlDy1iTkDJgsgUO1bN";
    const REFRESH: &str = "4bwc0ESC_IAhflf-ACC_vjD_ltc11ne-8gFPfA2Kx16";
    let ec = json!({
        "kty": "EC", "crv": "P-256", "kid": "thrwqnuer", "x": "YPczq3aBrd8PjtFsXX_HPZNwnzp89vAGjgQXm4cOgdQ",
        "y": "eqE4OZu0V07qXi9ojhQAeqKndWp0QwUfB3aNp4dYYPQ",
    });
    let okp = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "ed-1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let issuer = Issuer::parse(ISSUER).unwrap();
    for (token, algorithm, jwk) in
        [(ES256, JwsAlgorithm::Es256, ec), (EDDSA, JwsAlgorithm::EdDsa, okp)]
    {
        for (access, refresh, seconds, verdict) in [
            (ACCESS, Some(REFRESH), 10, Ok(())),
            (&ACCESS[1..], Some(REFRESH), 10, Err(Untrusted::AccessTokenHash)),
            (ACCESS, Some(&REFRESH[1..]), 10, Err(Untrusted::RefreshTokenHash)),
            (ACCESS, None, 10, Err(Untrusted::RefreshTokenHash)),
            (ACCESS, Some(REFRESH), 400, Err(Untrusted::Expiry)),
        ] {
            let config = builder(DeliveryMode::Push, Policy::default())
                .verifier(Arc::new(RustCrypto))
                .id_token_algorithm(algorithm)
                .build()
                .unwrap();
            let request = AuthRequest::new(Hint::Login("somebody".into()));
            let mut case = Case::of(config, request);
            let (request, ticket) = case.next_request().unwrap();
            case.token = parameter(&request, "client_notification_token").unwrap();
            let body = json!({"auth_req_id": ID, "expires_in": 600}).to_string();
            case.answer(ticket, 200, &body);
            case.advance(Duration::from_secs(seconds));
            let body = json!({
                "auth_req_id": ID, "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
                "id_token": token,
            });
            assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
            let Output::KeySet(question) = case.poll() else { panic!("the signature is checked") };
            let keys = json!({"keys": [jwk]}).to_string();
            let keys = KeySet::pinned(&issuer, keys.as_bytes(), &RustCrypto).unwrap();
            case.flow.handle(question.found(keys), case.now).unwrap();
            assert_eq!(
                case.verdict().map_err(|failure| failure.check()),
                verdict.map_err(Some),
                "{algorithm:?}"
            );
        }
    }
}

/// REQ-PUSH-07
#[test]
fn an_unsigned_id_token_is_refused_in_a_push_before_any_key_is_looked_for() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    let mut body = push(case.now);
    let claims = body["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    body["id_token"] = format!("eyJhbGciOiJub25lIn0.{claims}.").into();
    assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
    assert_eq!(case.flow.stage(), Stage::Settled);
    let failure = case.verdict().unwrap_err();
    assert!(
        matches!(failure.check(), Some(Untrusted::Algorithm | Untrusted::TokenForm)),
        "{failure:?}"
    );
}
