use alloc::{
    format,
    string::{String, ToString as _},
    vec,
};

use serde_json::json;

use super::*;
use crate::wire::Headers;

const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
/// An id of 22 characters, so that its length is not reported as a deviation.
const ID: &str = "1c266114-a1be-4252-8ad";

fn read(status: u16, body: &str) -> AuthorizeReply {
    process(&Response::json(status, body), NOW)
}

fn accepted(body: &str) -> (AuthReqId, Acknowledgement) {
    match read(200, body) {
        AuthorizeReply::Acknowledgement(id, acknowledged) => (id, acknowledged),
        other => panic!("{body}: {other:?}"),
    }
}

fn fault(reply: AuthorizeReply) -> Fault {
    match reply {
        AuthorizeReply::Misbehaved(misbehaviour) => misbehaviour.fault,
        other => panic!("{other:?}"),
    }
}

fn refused(reply: AuthorizeReply) -> Box<ServerAnswer> {
    match reply {
        AuthorizeReply::Refused(answer) | AuthorizeReply::NonceDemanded(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// REQ-ACK-02
/// REQ-ACK-08
/// REQ-ACK-13b
/// REQ-ACK-14
/// OPM-ACK-07
/// OPM-ACK-08
#[test]
fn usable_acknowledgements_of_appendix_b_3_are_accepted() {
    let text = Deviation::LifetimeWasText;
    let clamped = Deviation::LifetimeClamped;
    let adjusted = Deviation::IntervalAdjusted;
    let unusable = Deviation::IntervalUnusable;
    for (members, expires_in, interval, deviations) in [
        (r#""expires_in":120"#, 120, 5, vec![]),
        (r#""expires_in":120,"interval":2,"x":[1]"#, 120, 2, vec![]),
        (r#""expires_in":120.0"#, 120, 5, vec![]),
        (r#""expires_in":1.2e2"#, 120, 5, vec![]),
        (r#""expires_in":"120""#, 120, 5, vec![text]),
        (r#""expires_in":120,"interval":"5""#, 120, 5, vec![adjusted]),
        (r#""expires_in":120,"interval":0"#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":null"#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":-1"#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":"soon""#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":{}"#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":1e400"#, 120, 5, vec![unusable]),
        (r#""expires_in":120,"interval":2.5"#, 120, 3, vec![adjusted]),
        (r#""expires_in":120,"interval":0.2"#, 120, 1, vec![adjusted]),
        (r#""expires_in":120,"interval":1000000000"#, 120, 86_400, vec![adjusted]),
        (r#""expires_in":86401"#, 86_400, 5, vec![clamped]),
        (r#""expires_in":1000000000000000000"#, 86_400, 5, vec![clamped]),
        (r#""expires_in":1e300"#, 86_400, 5, vec![clamped]),
        (r#""expires_in":"99999999999999999999999""#, 86_400, 5, vec![text, clamped]),
    ] {
        let (id, acknowledged) = accepted(&format!(r#"{{"auth_req_id":"{ID}",{members}}}"#));
        assert_eq!(id.expose(), ID);
        assert_eq!(acknowledged.expires_in.as_secs(), expires_in, "{members}");
        assert_eq!(acknowledged.interval.as_secs(), interval, "{members}");
        assert_eq!(acknowledged.deviations, deviations, "{members}");
    }
}

/// REQ-ACK-02
/// REQ-ACK-03
/// REQ-ACK-08
/// REQ-ACK-09
/// REQ-ACK-22
/// OPM-ACK-01
/// OPM-ACK-02
/// OPM-ACK-09
/// OPM-ACK-10
/// OPM-ACK-14
#[test]
fn unusable_acknowledgements_are_refused() {
    const BAD_ID: Fault = Fault::BadMember("auth_req_id");
    const OTHER_ID: Fault = Fault::WrongType("auth_req_id");
    const BAD_LIFETIME: Fault = Fault::BadMember("expires_in");
    for (body, expected) in [
        (r#"{"expires_in":120}"#, Fault::MissingMember("auth_req_id")),
        (r#"{"auth_req_id":null,"expires_in":120}"#, Fault::MissingMember("auth_req_id")),
        (r#"{"auth_req_id":"","expires_in":120}"#, BAD_ID),
        (r#"{"auth_req_id":17,"expires_in":120}"#, OTHER_ID),
        (r#"{"auth_req_id":1e400,"expires_in":120}"#, OTHER_ID),
        (r#"{"auth_req_id":["a"],"expires_in":120}"#, OTHER_ID),
        (r#"{"auth_req_id":{},"expires_in":120}"#, OTHER_ID),
        (r#"{"auth_req_id":"a\nb","expires_in":120}"#, BAD_ID),
        (r#"{"auth_req_id":"aé","expires_in":120}"#, BAD_ID),
        (r#"{"auth_req_id":"a1"}"#, Fault::MissingMember("expires_in")),
        (r#"{"auth_req_id":"a1","expires_in":null}"#, Fault::MissingMember("expires_in")),
        (r#"{"auth_req_id":"a1","expires_in":0}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":"0"}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":-1}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":"-1"}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":120.5}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":1e400}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":"soon"}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","expires_in":true}"#, BAD_LIFETIME),
        (r#"{"auth_req_id":"a1","auth_req_id":"a2","expires_in":120}"#, Fault::DuplicateMember),
        (r#"{"auth_req_id":"a1","expires_in":120,"x":1,"\u0078":1}"#, Fault::DuplicateMember),
        (r#"{"auth_req_id":"a1","expires_in":120,"error":17}"#, Fault::WrongType("error")),
        (r#"{"auth_req_id":"a1","expires_in":120,"error":1e400}"#, Fault::WrongType("error")),
        ("[]", Fault::NotJson),
        ("null", Fault::NotJson),
        ("\"x\"", Fault::NotJson),
        ("", Fault::NotJson),
        ("<html>", Fault::NotJson),
        (r#"{"auth_req_id":"a1","expires_in":12"#, Fault::NotJson),
        (r#"{"auth_req_id":"a1","expires_in":120}{}"#, Fault::NotJson),
    ] {
        assert_eq!(fault(read(200, body)), expected, "{body}");
    }
}

/// REQ-ACK-04a
/// REQ-ACK-05
/// REQ-ACK-06
/// REQ-ACK-07
/// OPM-ACK-11
#[test]
fn an_auth_req_id_is_opaque_and_kept_byte_for_byte() {
    let long = "k".repeat(4096);
    let longest = "k".repeat(8192);
    let jwe = "eyJh.a-_.x.y.z0123456789";
    for (id, deviations) in [
        (ID, vec![]),
        (long.as_str(), vec![]),
        (longest.as_str(), vec![]),
        (jwe, vec![]),
        (" padded+base64/with=blanks ", vec![Deviation::AuthReqIdAlphabet]),
        ("123", vec![Deviation::ShortAuthReqId]),
    ] {
        let (kept, acknowledged) =
            accepted(&json!({"auth_req_id": id, "expires_in": 1}).to_string());
        assert_eq!(kept.expose(), id);
        assert_eq!(acknowledged.deviations, deviations, "{id}");
    }
    let too_long = json!({"auth_req_id": longest + "k", "expires_in": 1});
    assert_eq!(fault(read(200, &too_long.to_string())), Fault::BadMember("auth_req_id"));
}

/// REQ-ACK-17
/// REQ-ACK-18
/// OPM-ACK-15
#[test]
fn unknown_members_are_kept_as_received() {
    let body = r#"{"auth_req_id":"a1","bindingMessage":"blue horse","expires_in":900,"x":{"y":[1,null]},"z":null}"#;
    let (_, acknowledged) = accepted(body);
    let extra = r#"{"bindingMessage":"blue horse","x":{"y":[1,null]},"z":null}"#;
    assert_eq!(acknowledged.extra.as_json(), extra);
}

/// REQ-ACK-01
/// OPM-ACK-12
/// OPM-ACK-13
#[test]
fn only_status_200_with_json_is_a_success() {
    const BODY: &str = r#"{"auth_req_id":"a1","expires_in":120}"#;
    let with_type = |media_type: Option<&str>| {
        process(
            &Response::new(
                200,
                media_type.map(|value| ("Content-Type", value)).into_iter().collect(),
                BODY,
            ),
            NOW,
        )
    };
    for media_type in [
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
        " Application/Json ; charset=\"utf-8\"",
    ] {
        assert!(
            matches!(with_type(Some(media_type)), AuthorizeReply::Acknowledgement(..)),
            "{media_type}"
        );
    }
    for media_type in
        [None, Some(""), Some("text/html"), Some("text/json"), Some("application/jsonp")]
    {
        assert_eq!(fault(with_type(media_type)), Fault::MediaType);
    }
    for status in [100, 201, 202, 204, 206, 299, 600] {
        assert_eq!(fault(read(status, BODY)), Fault::Status, "{status}");
    }
}

/// REQ-ACK-23
/// REQ-AERR-02
/// REQ-AERR-03
/// REQ-AERR-04
/// REQ-AERR-05
/// REQ-AERR-06
/// REQ-AERR-07
/// REQ-AERR-08
/// REQ-AERR-09
/// REQ-AERR-10
/// REQ-AERR-11a
/// REQ-AERR-12
/// REQ-AERR-13
/// REQ-AUTH-29a
/// REQ-AUTH-29b
/// OPM-ACK-03
/// OPM-ACK-05
/// OPM-ACK-06
/// REQ-SIGN-21
#[test]
fn every_registered_error_code_is_recognised_with_any_status() {
    use ErrorCode as Code;
    for (name, code) in [
        ("invalid_request", Code::InvalidRequest),
        ("invalid_scope", Code::InvalidScope),
        ("expired_login_hint_token", Code::ExpiredLoginHintToken),
        ("unknown_user_id", Code::UnknownUserId),
        ("unauthorized_client", Code::UnauthorizedClient),
        ("missing_user_code", Code::MissingUserCode),
        ("invalid_user_code", Code::InvalidUserCode),
        ("invalid_binding_message", Code::InvalidBindingMessage),
        ("invalid_client", Code::InvalidClient),
        ("access_denied", Code::AccessDenied),
        ("invalid_request_object", Code::InvalidRequestObject),
        ("request_not_supported", Code::RequestNotSupported),
        ("invalid_authorization_details", Code::InvalidAuthorizationDetails),
        ("invalid_target", Code::InvalidTarget),
        ("use_dpop_nonce", Code::UseDpopNonce),
        ("invalid_dpop_proof", Code::InvalidDpopProof),
        ("server_error", Code::ServerError),
        ("temporarily_unavailable", Code::TemporarilyUnavailable),
    ] {
        for status in [200, 400, 401, 403, 429, 500, 503, 504] {
            if code == Code::ServerError && status >= 500 {
                continue;
            }
            let answer = refused(read(status, &json!({ "error": name }).to_string()));
            assert_eq!((answer.code(), answer.status()), (Some(&code), status));
            assert_eq!(answer.endpoint(), Endpoint::BackchannelAuthentication);
        }
    }
}

/// REQ-AERR-14
/// OPM-ACK-04
#[test]
fn unknown_error_codes_are_kept() {
    for name in ["expired_id_token_hint", "foo_bar"] {
        let answer = refused(read(400, &json!({ "error": name }).to_string()));
        assert_eq!(answer.code().map(ErrorCode::name), Some(name));
    }
    let long = refused(read(400, &json!({ "error": "x".repeat(100_000) }).to_string()));
    assert_eq!(long.code().map(|code| code.name().len()), Some(128));
}

/// REQ-AERR-01a
/// REQ-AERR-15
/// REQ-SEC-15
#[test]
fn the_texts_of_an_error_are_bounded_and_without_control_characters() {
    let body = json!({
        "error": "invalid_request",
        "error_description": format!("a\r\n\u{1b}[31m\u{202e}b{}", "x".repeat(1_000_000)),
        "error_uri": "https://op.example/e\n",
        "acr_data": {"x": 1},
    });
    let answer = refused(read(400, &body.to_string()));
    let description = answer.description().unwrap();
    assert!(description.starts_with("a   [31m bxx"), "{description}");
    assert_eq!(description.len(), 1024);
    assert_eq!(answer.uri(), Some("https://op.example/e "));
    assert!(answer.extra().is_empty(), "a huge answer is not kept");

    let answer = refused(read(
        400,
        r#"{"error":"invalid_request","error_description":5,"error_uri":null,"trace":"t"}"#,
    ));
    assert_eq!((answer.description(), answer.uri()), (None, None));
    assert_eq!(answer.extra().json("trace"), Some(r#""t""#));
}

/// REQ-AERR-01a
/// OPM-ACK-18
#[test]
fn a_client_error_without_an_error_member_is_misbehaviour_with_a_bounded_excerpt() {
    for body in
        ["", "{}", r#"{"error":17}"#, r#"{"error":null}"#, r#"{"error":""}"#, "[]", "<html>"]
    {
        assert_eq!(fault(read(400, body)), Fault::Status, "{body}");
    }
    let html = format!("<html>\u{7}{}", "é".repeat(1000));
    let response =
        Response::new(404, [("content-type", "text/html")].into_iter().collect(), html.as_str());
    let AuthorizeReply::Misbehaved(misbehaviour) = process(&response, NOW) else { panic!() };
    let answer = misbehaviour.answer.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.excerpt(), "", "never HTML");
    let text = format!("gone\u{7}{}", "é".repeat(1000));
    let response =
        Response::new(404, [("content-type", "text/plain")].into_iter().collect(), text.as_str());
    let AuthorizeReply::Misbehaved(misbehaviour) = process(&response, NOW) else { panic!() };
    let answer = misbehaviour.answer.unwrap();
    assert!(
        answer.excerpt().starts_with("gone éé") && answer.excerpt().len() <= 512,
        "{}",
        answer.excerpt()
    );
}

/// REQ-AERR-16
/// REQ-AERR-17
/// OPM-ACK-18
#[test]
fn a_server_error_is_a_refusal_only_if_it_rules_out_a_prompt() {
    for status in [408, 425, 429, 503] {
        let headers = [("content-type", "text/html"), ("Retry-After", "7")].into_iter().collect();
        let answer = refused(process(&Response::new(status, headers, "<html>"), NOW));
        assert_eq!((answer.retry_after(), answer.code()), (Some(Duration::from_secs(7)), None));
    }
    for (status, body) in [(500, ""), (502, "<html>"), (504, "{}"), (599, "{\"error\":7}")] {
        assert!(matches!(read(status, body), AuthorizeReply::Indeterminate(_)), "{status}");
    }
}

/// REQ-AERR-17
/// OPM-ACK-19
#[test]
fn a_server_error_with_an_uninformative_code_leaves_the_outcome_unknown() {
    for status in [500, 501, 502, 503, 504, 520, 599] {
        for code in ["server_error", "internal_error", "SERVER_ERROR", "x"] {
            let body =
                json!({"error": code, "error_description": "the phone did not answer"}).to_string();
            let AuthorizeReply::Indeterminate(answer) = read(status, &body) else {
                panic!("{status} {code}")
            };
            assert_eq!((answer.status(), answer.code().map(ErrorCode::name)), (status, Some(code)));
            assert_eq!(answer.description(), Some("the phone did not answer"));
        }
        for code in
            ["temporarily_unavailable", "access_denied", "invalid_request", "unknown_user_id"]
        {
            let answer = refused(read(status, &json!({ "error": code }).to_string()));
            assert_eq!((answer.status(), answer.code().map(ErrorCode::name)), (status, Some(code)));
        }
    }
}

/// REQ-AERR-16
#[test]
fn a_temporary_error_may_start_over_and_a_refusal_may_not() {
    for (status, error, passes) in [
        (408, None, true),
        (425, None, true),
        (429, None, true),
        (503, None, true),
        (429, Some("too_many_requests"), true),
        (429, Some("slow_down"), true),
        (400, Some("temporarily_unavailable"), true),
        (503, Some("temporarily_unavailable"), true),
        (500, Some("temporarily_unavailable"), true),
        (400, Some("server_error"), false),
        (400, Some("invalid_request"), false),
        (401, Some("invalid_client"), false),
        (503, Some("invalid_client"), false),
        (429, Some("access_denied"), false),
        (400, Some("foo"), false),
    ] {
        let body = error.map(|error| json!({ "error": error }).to_string()).unwrap_or_default();
        let failure = crate::Failure::Refused(refused(read(status, &body)));
        assert_eq!(failure.may_start_over(), passes, "{status} {error:?}");
    }
}

/// REQ-AERR-18
/// OPM-ACK-17
#[test]
fn a_redirect_is_misbehaviour_with_any_body() {
    for status in [300, 301, 302, 303, 307, 308, 399] {
        assert_eq!(fault(read(status, r#"{"error":"access_denied"}"#)), Fault::Redirect);
    }
}

/// REQ-SEC-11
#[test]
fn a_truncated_response_is_reported_as_too_large() {
    for (status, body) in
        [(200, r#"{"auth_req_id":"a1","expires_in":120}"#), (400, r#"{"error":"invalid_request"}"#)]
    {
        let mut response = Response::json(status, body);
        response.truncated = true;
        assert_eq!(fault(process(&response, NOW)), Fault::TooLarge);
    }
    let mut response = Response::json(500, "");
    response.truncated = true;
    assert!(matches!(process(&response, NOW), AuthorizeReply::Indeterminate(_)));
}

/// REQ-AERR-11b
/// OPM-ACK-06
#[test]
fn header_fields_are_bounded_and_diagnostic_ones_are_kept() {
    let mut headers: Headers = (0..100).map(|n| (format!("x-{n}"), "v".repeat(5000))).collect();
    headers.push("Set-Cookie", "session=1");
    headers.push("WWW-Authenticate", "Basic realm=\"x\"");
    headers.push("Content-Type", "application/json");
    headers.push("Trace-Id", "t\n1");
    let answer =
        refused(process(&Response::new(401, headers, r#"{"error":"invalid_client"}"#), NOW));
    assert_eq!(answer.headers().get("trace-id"), Some("t 1"));
    assert_eq!(answer.headers().get("www-authenticate"), Some("Basic realm=\"x\""));
    assert_eq!(answer.headers().get("set-cookie"), None);
    let lengths: Vec<usize> = answer.headers().iter().map(|(_, value)| value.len()).collect();
    assert!(lengths.len() == 32 && lengths.iter().all(|length| *length <= 1024), "{lengths:?}");
}

/// REQ-TOK-11
/// REQ-SEC-03
#[test]
fn no_auth_req_id_is_kept_from_a_rejected_response() {
    let seen = |reply: AuthorizeReply| -> String {
        let answer = match reply {
            AuthorizeReply::Refused(answer) | AuthorizeReply::NonceDemanded(answer) => answer,
            AuthorizeReply::Misbehaved(Misbehaviour { answer, .. }) => answer.unwrap(),
            other => panic!("{other:?}"),
        };
        let extra: Vec<_> = answer.extra().iter().collect();
        format!("{answer:?} {extra:?} {} {:?}", answer.excerpt(), answer.description())
    };
    for (status, body) in [
        (200, r#"{"auth_req_id":"sentinel"}"#),
        (200, r#"{"auth_req_id":"sentinel","error":"access_denied"}"#),
        (400, r#"{"auth_req_id":"sentinel"}"#),
        (201, r#"{"auth_req_id":"sentinel","expires_in":1}"#),
    ] {
        assert!(!seen(read(status, body)).contains("sentinel"), "{status} {body}");
    }
}
