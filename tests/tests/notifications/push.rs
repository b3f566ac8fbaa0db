//! A push: the result itself (CIBA 10.3, 12).

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
    assert_eq!((answer, answer.reply().status), (Acknowledgement::Accepted, 204));
    assert_eq!(case.flow.stage(), Stage::Verifying);
    assert!(case.next_request().is_none());
    let authentication = case.flow.finish().unwrap();
    assert_eq!(authentication.access_token().expose(), "access");
    assert_eq!(authentication.refresh_token().unwrap().expose(), "refresh");
    assert!(authentication.extra().get("unknown").is_some());
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
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));
}

/// REQ-PUSH-26
#[test]
fn a_push_is_taken_until_a_minute_after_the_deadline() {
    for (seconds, taken) in [(299, true), (359, true), (361, false)] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        case.advance(Duration::from_secs(seconds));
        let body = push(case.now);
        let answer = case.notify(&body);
        assert_eq!(answer == Acknowledgement::Accepted, taken, "{seconds}");
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
    let full_hash = cheap::half_hash("access").repeat(2);
    for (body, check) in [
        (claim(AUTH_REQ_ID_CLAIM, Value::Null), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, OTHER_ID.into()), Untrusted::AuthReqId),
        (claim(AUTH_REQ_ID_CLAIM, json!([ID])), Untrusted::AuthReqId),
        (claim("at_hash", Value::Null), Untrusted::AccessTokenHash),
        (claim("at_hash", cheap::half_hash("other").into()), Untrusted::AccessTokenHash),
        (claim("at_hash", full_hash.into()), Untrusted::AccessTokenHash),
        (changed("access_token", "accesS".into()), Untrusted::AccessTokenHash),
        (claim(RT_HASH_CLAIM, Value::Null), Untrusted::RefreshTokenHash),
        (claim(RT_HASH_CLAIM, cheap::half_hash("other").into()), Untrusted::RefreshTokenHash),
        (changed("refresh_token", "refresH".into()), Untrusted::RefreshTokenHash),
        // Somebody took the refresh token out.
        (changed("refresh_token", Value::Null), Untrusted::RefreshTokenHash),
        (claim("aud", "client-2".into()), Untrusted::Audience),
        (claim("iss", format!("{ISSUER}/").into()), Untrusted::Issuer),
        (claim("exp", (START.unix_secs() - 61).into()), Untrusted::Expiry),
        (unsigned, Untrusted::Signature),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        assert_eq!(case.notify(&body), Acknowledgement::Accepted, "it is owned first");
        let verdict = case.verdict();
        assert_eq!(verdict, Err(Failure::Untrusted(check)));
    }
}

/// REQ-PUSH-03
/// REQ-PUSH-21
/// REQ-PUSH-22
/// REQ-PUSH-23
/// REQ-PUSH-24
/// OPM-PSH-06
#[test]
fn a_pushed_error_ends_the_flow_as_what_it_says() {
    for (code, name) in [
        ("access_denied", "denied"),
        ("expired_token", "expired"),
        ("transaction_failed", "refused"),
        ("invalid_grant", "refused"),
        ("made_up", "refused"),
    ] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        let body = json!({"error": code, "error_description": "words", "auth_req_id": ID});
        assert_eq!(case.notify(&body), Acknowledgement::Accepted);
        assert_eq!(case.notify(&body), Acknowledgement::Known);
        let failure = case.verdict().unwrap_err();
        assert_eq!(failure.name(), name, "{code}");
        let answer = failure.server_answer().expect("the provider's words are kept");
        assert_eq!((answer.endpoint(), answer.code().unwrap().name()), (Endpoint::Notification, code));
        assert_eq!(answer.description(), Some("words"));
        assert!(answer.extra().get("auth_req_id").is_none());
    }
}

/// REQ-PING-19
#[test]
fn a_push_client_does_not_take_a_ping_for_a_result() {
    let mut case = Case::acknowledged(DeliveryMode::Push);
    assert_eq!(case.ping(), Acknowledgement::Malformed);
    assert_eq!(case.flow.stage(), Stage::Pending);
}
