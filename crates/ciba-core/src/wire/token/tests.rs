use alloc::{format, string::ToString as _};

use serde_json::{Value, json};

use super::*;
use crate::wire::Headers;

mod lenient;

const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const STRICT: TokenRules<'static> = TokenRules {
    bound_to_key: false,
    id_token_required: true,
    assume_bearer: false,
    bearer_words: &[],
    scope_lists: false,
    pending_errors: &[],
};

fn read(status: u16, body: &str) -> TokenReply {
    process(&Response::json(status, body), STRICT, NOW)
}

/// A valid token response with some members changed. `null` removes a member.
fn with(changes: Value) -> Value {
    let mut body = json!({"access_token": "at", "token_type": "Bearer", "id_token": "a.b.c"});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body
}

fn accepted_under(rules: TokenRules<'_>, body: &Value) -> ReceivedTokens {
    match process(&Response::json(200, body.to_string()), rules, NOW) {
        TokenReply::Tokens(tokens) => *tokens,
        other => panic!("{body}: {other:?}"),
    }
}

fn accepted(changes: Value) -> ReceivedTokens {
    accepted_under(STRICT, &with(changes))
}

fn fault(reply: TokenReply) -> Fault {
    match reply {
        TokenReply::Misbehaved(misbehaviour) => misbehaviour.fault,
        other => panic!("{other:?}"),
    }
}

fn error(reply: TokenReply) -> Box<ServerAnswer> {
    match reply {
        TokenReply::Error(answer) | TokenReply::NonceDemanded(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn pacing_of(reply: TokenReply) -> Pacing {
    match reply {
        TokenReply::Pending(pacing) => pacing,
        other => panic!("{other:?}"),
    }
}

/// REQ-POLL-01
/// REQ-ACK-04b
/// REQ-AREQ-03
#[test]
fn the_token_request_has_the_grant_type_and_the_id() {
    let mut form = Form::default();
    request(&AuthReqId::new("a.b+c/d=e f"), &mut form);
    let expected =
        "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=a.b%2Bc%2Fd%3De+f";
    assert_eq!(form.into_body().expose(), expected.as_bytes());
}

/// REQ-TOK-01
/// REQ-TOK-02
/// REQ-TOK-03b
/// REQ-TOK-06
/// REQ-TOK-08
/// REQ-TOK-09
/// OPM-POL-20
/// OPM-POL-22
/// OPM-POL-23
#[test]
fn usable_token_responses_are_accepted_unchanged() {
    let bare = accepted(json!({}));
    assert_eq!(
        (bare.access_token.expose(), bare.id_token.as_ref().unwrap().expose()),
        ("at", "a.b.c")
    );
    assert_eq!((bare.refresh_token, bare.expires_in, bare.scope), (None, None, None));
    assert!(bare.extra.is_empty());

    for spelling in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(accepted(json!({ "token_type": spelling })).token_type, spelling);
    }
    let refresh = "blank +%:@~/=\"\\é";
    let full = accepted(json!({
        "access_token": "x".repeat(8192), "refresh_token": refresh, "expires_in": 600, "scope": "",
        "authorization_details": [{"type": "t"}], "x": 1,
    }));
    assert_eq!(full.access_token.expose().len(), 8192);
    assert_eq!(full.refresh_token.unwrap().expose(), refresh);
    assert_eq!(
        (full.expires_in, full.scope.as_deref()),
        (Some(Duration::from_secs(600)), Some(""))
    );
    assert_eq!(full.extra.get("authorization_details"), Ok(Some(json!([{"type": "t"}]))));
    assert_eq!(full.extra.get("x"), Ok(Some(1)));
}

/// REQ-TOK-02
/// REQ-TOK-03a
/// REQ-TOK-03c
/// REQ-TOK-04
/// REQ-TOK-06
/// REQ-TOK-10
/// OPM-POL-18
/// OPM-POL-19
/// OPM-POL-21
#[test]
fn token_responses_without_a_required_member_are_refused() {
    for (name, value) in [
        ("access_token", json!("")),
        ("access_token", json!(5)),
        ("access_token", json!(["at"])),
        ("token_type", json!("mac")),
        ("token_type", json!("N_A")),
        ("token_type", json!("DPoP")),
        ("token_type", json!("Bearer ")),
        ("token_type", json!("")),
        ("token_type", json!(true)),
        ("id_token", json!("")),
        ("id_token", json!({})),
    ] {
        let expected =
            if value.is_string() { Fault::BadMember(name) } else { Fault::WrongType(name) };
        assert_eq!(fault(read(200, &with(json!({ name: value })).to_string())), expected);
    }
    for name in ["access_token", "token_type", "id_token"] {
        let body = with(json!({ name: "sentinel" })).to_string().replace("\"sentinel\"", "-1e400");
        assert_eq!(
            fault(read(200, &body)),
            Fault::WrongType(name),
            "a number beyond every range is no text"
        );
    }
    for name in ["access_token", "token_type", "id_token"] {
        let mut body = with(json!({}));
        body[name] = Value::Null;
        for body in [with(json!({ name: null })), body] {
            assert_eq!(fault(read(200, &body.to_string())), Fault::MissingMember(name));
        }
    }
    let mut optional = with(json!({}));
    for name in ["refresh_token", "expires_in", "scope"] {
        optional[name] = Value::Null;
    }
    assert_eq!(accepted_under(STRICT, &optional).refresh_token, None);
}

/// REQ-TOK-03a
/// REQ-TOK-04
#[test]
fn token_type_and_id_token_are_optional_only_if_the_caller_says_so() {
    let rules = TokenRules { id_token_required: false, assume_bearer: true, ..STRICT };
    let tokens = accepted_under(rules, &json!({ "access_token": "at" }));
    assert_eq!((tokens.token_type.as_str(), tokens.id_token), ("Bearer", None));
    assert!(accepted_under(rules, &with(json!({}))).id_token.is_some());
    let wrong = Response::json(200, json!({"access_token": "at", "token_type": "mac"}).to_string());
    assert_eq!(fault(process(&wrong, rules, NOW)), Fault::BadMember("token_type"));
}

/// REQ-TOK-05
/// OPM-POL-24
#[test]
fn an_invalid_lifetime_counts_as_unknown() {
    for (value, seconds) in [
        (json!(120), Some(120)),
        (json!("120"), Some(120)),
        (json!(120.0), Some(120)),
        (json!(0), Some(0)),
        (json!(1e300), Some(3_155_760_000)),
        (json!(-1), None),
        (json!(1.5), None),
        (json!("soon"), None),
        (json!([]), None),
        (json!(true), None),
    ] {
        let lifetime = accepted(json!({ "expires_in": value })).expires_in;
        assert_eq!(lifetime.map(|lifetime| lifetime.as_secs()), seconds, "{value}");
    }
}

/// REQ-TOK-01
/// REQ-TOK-30
/// REQ-ACK-22
/// OPM-POL-26
#[test]
fn an_unreadable_success_ends_the_flow() {
    let good = with(json!({})).to_string();
    for (media_type, body, expected) in [
        ("text/html", good.as_str(), Fault::MediaType),
        ("", &good, Fault::MediaType),
        ("application/json", "<html>", Fault::NotJson),
        ("application/json", "[]", Fault::NotJson),
        ("application/json", "", Fault::NotJson),
        ("application/json", &good[..good.len() - 1], Fault::NotJson),
        ("application/json", &format!("{good} x"), Fault::NotJson),
        (
            "application/json",
            &good.replacen('{', "{\"access_token\":\"b\",", 1),
            Fault::DuplicateMember,
        ),
    ] {
        let headers = [("content-type", media_type)].into_iter().collect();
        assert_eq!(
            fault(process(&Response::new(200, headers, body), STRICT, NOW)),
            expected,
            "{body}"
        );
    }
    for status in [201, 204, 206] {
        assert_eq!(fault(read(status, &good)), Fault::Status);
    }
    assert!(matches!(
        process(
            &Response::new(
                200,
                [("content-type", "Application/JSON; charset=utf-8")].into_iter().collect(),
                good.as_str()
            ),
            STRICT,
            NOW
        ),
        TokenReply::Tokens(_)
    ));
}

/// REQ-TOK-14
/// REQ-TOK-15
/// REQ-TOK-13
/// REQ-POLL-12
/// REQ-POLL-13a
#[test]
fn pending_and_slow_down_continue_with_any_status() {
    for status in [200, 400, 401, 403, 404, 429, 500, 503] {
        assert!(
            matches!(read(status, r#"{"error":"authorization_pending"}"#), TokenReply::Pending(_)),
            "{status}"
        );
        assert!(
            matches!(read(status, r#"{"error":"slow_down"}"#), TokenReply::SlowDown(_)),
            "{status}"
        );
    }
}

/// REQ-POLL-12
/// REQ-POLL-15
#[test]
fn a_pending_answer_may_carry_progress_and_pacing() {
    let body = r#"{"error":"authorization_pending","error_description":"awaiting\nuser","interval":10,"acr_data":{}}"#;
    let headers =
        [("content-type", "application/json"), ("retry-after", "20")].into_iter().collect();
    let pacing = pacing_of(process(&Response::new(400, headers, body), STRICT, NOW));
    assert_eq!(pacing.progress.as_deref(), Some("awaiting user"));
    assert_eq!(
        (pacing.interval, pacing.retry_after),
        (Some(Duration::from_secs(10)), Some(Duration::from_secs(20)))
    );
    for interval in ["null", "0", "-5", "\"x\"", "{}"] {
        let pacing = pacing_of(read(
            400,
            &format!(r#"{{"error":"authorization_pending","interval":{interval}}}"#),
        ));
        assert_eq!((pacing.interval, pacing.progress), (None, None));
    }
}

/// REQ-TOK-16
/// REQ-TOK-17
/// REQ-TOK-18
/// REQ-TOK-19
/// REQ-TOK-20
/// REQ-TOK-21
/// REQ-TOK-22
/// REQ-TOK-23
/// REQ-TOK-24
/// REQ-TOK-25
/// REQ-TOK-27
/// OPM-POL-09
#[test]
fn known_terminal_codes_end_the_flow_with_any_status() {
    for name in [
        "expired_token",
        "access_denied",
        "invalid_grant",
        "unauthorized_client",
        "invalid_request",
        "invalid_client",
        "unsupported_grant_type",
        "invalid_scope",
        "transaction_failed",
        "invalid_target",
        "invalid_authorization_details",
        "invalid_dpop_proof",
        "use_dpop_nonce",
    ] {
        for status in [200, 400, 401, 403, 429, 500, 503] {
            let answer = error(read(status, &json!({ "error": name }).to_string()));
            assert_eq!((answer.code().map(ErrorCode::name), answer.status()), (Some(name), status));
            assert!(!matches!(answer.code(), Some(ErrorCode::Unknown(_))), "{name}");
            assert_eq!(answer.endpoint(), Endpoint::Token);
        }
    }
}

/// REQ-TOK-28
/// REQ-TOK-29
/// REQ-POLL-22
/// OPM-POL-12
/// OPM-POL-13
#[test]
fn uninformative_codes_end_the_flow_only_with_a_client_error() {
    for name in ["server_error", "temporarily_unavailable", "foo_bar"] {
        let body = json!({ "error": name }).to_string();
        for status in [200, 400, 403] {
            assert_eq!(error(read(status, &body)).code().map(ErrorCode::name), Some(name));
        }
        for expected in [408, 425, 429, 500, 502, 503] {
            assert!(matches!(read(expected, &body), TokenReply::Busy(answer)
                if answer.status() == expected && answer.code().map(ErrorCode::name) == Some(name)));
        }
    }
}

/// REQ-TOK-30
/// REQ-POLL-14
/// REQ-POLL-16
/// OPM-POL-12
/// OPM-POL-13
/// OPM-POL-14
#[test]
fn the_status_decides_if_there_is_no_error_member() {
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        for (media_type, body) in
            [("text/html", "<html>"), ("application/json", "{}"), ("application/json", "")]
        {
            let headers =
                [("content-type", media_type), ("Retry-After", "60")].into_iter().collect();
            let reply = process(&Response::new(status, headers, body), STRICT, NOW);
            let TokenReply::Busy(answer) = reply else { panic!("{reply:?}") };
            assert_eq!(
                (answer.status(), answer.retry_after()),
                (status, Some(Duration::from_secs(60)))
            );
        }
    }
    for body in ["", "<html>", "{}", r#"{"error":7}"#, r#"{"code":1,"message":"no"}"#] {
        for status in [400, 403, 404, 418] {
            assert_eq!(fault(read(status, body)), Fault::Status, "{status} {body}");
        }
        // A 401 means that client authentication failed.
        let TokenReply::Error(answer) = read(401, body) else { panic!("{body}") };
        assert_eq!((answer.status(), answer.code()), (401, None), "{body}");
    }
}

/// REQ-SEC-09
/// OPM-POL-17
#[test]
fn a_redirect_of_the_token_endpoint_ends_the_flow() {
    for status in [301, 302, 303, 307, 308] {
        assert_eq!(fault(read(status, r#"{"error":"authorization_pending"}"#)), Fault::Redirect);
    }
}

/// REQ-SEC-11
#[test]
fn a_truncated_response_is_reported_as_too_large() {
    for (status, expected) in [(200, Fault::TooLarge), (400, Fault::TooLarge)] {
        let mut response = Response::json(status, with(json!({})).to_string());
        response.truncated = true;
        assert_eq!(fault(process(&response, STRICT, NOW)), expected);
    }
}

/// REQ-TOK-11
/// REQ-SEC-03
#[test]
fn no_token_is_kept_from_a_rejected_response() {
    for (status, changes) in [
        (200, json!({"access_token": "sentinel", "id_token": null})),
        (200, json!({"access_token": "sentinel", "error": "access_denied"})),
        (200, json!({"access_token": "sentinel", "error": "authorization_pending"})),
        (200, json!({"id_token": "sentinel", "token_type": 7})),
        (201, json!({"refresh_token": "sentinel"})),
        (400, json!({"refresh_token": "sentinel"})),
        (400, json!({"refresh_token": "sentinel", "error": "invalid_grant"})),
        (500, json!({"access_token": "sentinel"})),
    ] {
        let reply = read(status, &with(changes).to_string());
        let mut shown = format!("{reply:?}");
        if let TokenReply::Error(answer)
        | TokenReply::Misbehaved(Misbehaviour { answer: Some(answer), .. }) = &reply
        {
            let extra: alloc::vec::Vec<_> = answer.extra().iter().collect();
            shown += &format!("{extra:?} {}", answer.excerpt());
        }
        assert!(!shown.contains("sentinel"), "{shown}");
    }
    let tokens =
        accepted(json!({"refresh_token": "sentinel", "access_token": "sentinel", "x": "sentinel"}));
    assert!(!format!("{tokens:?}").contains("sentinel"));
}

#[test]
fn an_error_means_pending_only_if_it_is_listed_exactly() {
    let pending_errors = [PendingError {
        error: "invalid_request".into(),
        description: "No authentication found".into(),
    }];
    let rules = TokenRules { pending_errors: &pending_errors, ..STRICT };
    for (code, description, is_pending) in [
        ("invalid_request", "No authentication found", true),
        ("invalid_request", "no authentication found", false),
        ("invalid_request", "", false),
        ("invalid_grant", "No authentication found", false),
    ] {
        let body = json!({"error": code, "error_description": description}).to_string();
        let answer = Response::json(400, body);
        let reply = process(&answer, rules, NOW);
        assert_eq!(matches!(reply, TokenReply::Pending(_)), is_pending, "{code} {description}");
        assert!(
            matches!(process(&answer, STRICT, NOW), TokenReply::Error(_)),
            "{code} {description}"
        );
    }
}

#[test]
fn a_scope_array_is_accepted_only_if_configured() {
    let rules = TokenRules { scope_lists: true, ..STRICT };
    for (scope, read) in [
        (json!(["openid", "email"]), Some("openid email")),
        (json!([]), Some("")),
        (json!("openid"), Some("openid")),
    ] {
        assert_eq!(accepted_under(rules, &with(json!({"scope": scope}))).scope.as_deref(), read);
    }
    for scope in [json!(["openid", 1]), json!([["openid"]]), json!(5), json!({})] {
        let tokens = accepted_under(rules, &with(json!({"scope": scope})));
        assert_eq!(
            (tokens.scope, tokens.deviations),
            (None, Vec::from([Deviation::ScopeUnusable]))
        );
    }
    let tokens = accepted(json!({"scope": ["openid"]}));
    assert_eq!((tokens.scope, tokens.deviations), (None, Vec::from([Deviation::ScopeUnusable])));
}

/// REQ-TOK-05
/// REQ-TOK-06
/// REQ-TOK-10
#[test]
fn an_unusable_optional_member_counts_as_absent_and_is_reported() {
    for (member, unusable, deviation) in [
        (
            "refresh_token",
            [json!(""), json!(5), json!([]), json!({"a": 1}), json!(false)],
            Deviation::RefreshTokenUnusable,
        ),
        (
            "scope",
            [json!(["openid"]), json!(5), json!({}), json!([]), json!(true)],
            Deviation::ScopeUnusable,
        ),
        (
            "expires_in",
            [json!("soon"), json!(-1), json!([60]), json!({}), json!("")],
            Deviation::TokenLifetimeUnusable,
        ),
        ("error", core::array::from_fn(|_| json!("")), Deviation::EmptyError),
    ] {
        for value in unusable {
            let tokens = accepted(json!({ member: value }));
            assert_eq!(tokens.deviations, [deviation], "{member} {value}");
            assert_eq!(
                (tokens.refresh_token, tokens.scope, tokens.expires_in),
                (None, None, None),
                "{member} {value}"
            );
            assert!(!tokens.extra.contains(member), "{member} {value}");
        }
        let mut null = with(json!({}));
        null[member] = Value::Null;
        assert_eq!(accepted_under(STRICT, &null).deviations, [], "{member}");
    }
    // It stays readable, and nothing counts as granted by it.
    for value in [json!("pay"), json!(5), json!({"type": "pay"}), json!(true)] {
        let tokens = accepted(json!({"authorization_details": value}));
        assert_eq!(tokens.deviations, [Deviation::DetailsUnusable], "{value}");
        assert!(tokens.extra.contains("authorization_details"));
    }
    assert_eq!(accepted(json!({"authorization_details": []})).deviations, []);
    let lone =
        with(json!({"refresh_token": "sentinel"})).to_string().replace("sentinel", "\\ud83d");
    let TokenReply::Tokens(tokens) = read(200, &lone) else {
        panic!("half a character spoils only its member")
    };
    assert_eq!(
        (tokens.refresh_token, &*tokens.deviations),
        (None, &[Deviation::RefreshTokenUnusable][..])
    );
    let rules = TokenRules { id_token_required: false, ..STRICT };
    for value in [json!(""), json!(5), json!({})] {
        let tokens = accepted_under(rules, &with(json!({"id_token": value})));
        assert_eq!(
            (tokens.id_token, &*tokens.deviations),
            (None, &[Deviation::IdTokenUnusable][..]),
            "{value}"
        );
    }
    assert_eq!(
        accepted(json!({"expires_in": "60", "scope": "", "refresh_token": "r"})).deviations,
        []
    );
}
