//! Tests of the lenient reading of error responses.

use super::*;

/// REQ-SEC-24c
/// REQ-TOK-13
/// REQ-AERR-01b
/// REQ-AERR-15
#[test]
fn an_error_is_read_with_any_content_type_and_encoding() {
    let denied = br#"{"error":"access_denied","error_description":"no"}"#;
    for media_type in [
        "application/json",
        "application/problem+json",
        "text/html",
        "text/plain; charset=latin1",
        "",
    ] {
        for status in [400, 403, 500] {
            let headers = [("content-type", media_type)].into_iter().collect();
            let answer =
                error(process(&Response::new(status, headers, denied.to_vec()), STRICT, NOW));
            assert_eq!(
                (answer.code(), answer.description()),
                (Some(&ErrorCode::AccessDenied), Some("no"))
            );
            assert_eq!(answer.excerpt(), "");
        }
    }
    let read =
        |body: &[u8]| process(&Response::new(400, Headers::default(), body.to_vec()), STRICT, NOW);
    for (body, description) in [
        (&b"{\"error\":\"access_denied\",\"error_description\":\"Anv\xe4ndaren\"}"[..], Some("Anv\u{fffd}ndaren")),
        (b"\xef\xbb\xbf {\"error\":\"access_denied\"}\r\n", None),
        (b"{\"error\":\"access_denied\",\"error\":\"server_error\",\"x\":1,\"x\":2}", None),
        (b"{\"type\":\"about:blank\",\"status\":400,\"error\":\"access_denied\",\"detail\":\"d\"}", None),
        (b"{\"error\":\"access_denied\",\"error_description\":\"\\ud83d\"}", None),
    ] {
        let answer = error(read(body));
        assert_eq!((answer.code(), answer.description()), (Some(&ErrorCode::AccessDenied), description));
        let kept = JsonObject::from_json(answer.extra().as_json());
        assert_eq!(kept.as_ref(), Ok(answer.extra()), "what is kept can be saved");
    }
    assert!(matches!(read(b"{\"error\":\"authorization_pending\"}"), TokenReply::Pending(_)));
    // A successful response is read strictly.
    let html = [("content-type", "text/html")].into_iter().collect();
    assert_eq!(
        fault(process(&Response::new(200, html, denied.to_vec()), STRICT, NOW)),
        Fault::MediaType
    );
}

/// REQ-AERR-01b
/// REQ-AERR-11b
/// REQ-TOK-11
#[test]
fn a_short_cause_is_kept_from_an_error_and_an_html_page_is_not() {
    let answer_of = |status, media_type: &str, body: &str| {
        let headers = [("content-type", media_type), ("www-authenticate", "Bearer error=\"x\"")]
            .into_iter()
            .collect();
        match process(&Response::new(status, headers, body), STRICT, NOW) {
            TokenReply::Misbehaved(Misbehaviour { answer: Some(answer), .. }) => answer,
            other => panic!("{other:?}"),
        }
    };
    for (media_type, body, excerpt) in [
        ("text/plain", "upstream\r\nis down", "upstream  is down"),
        ("application/json", r#"{"code":4,"message":"a < b"}"#, r#"{"code":4,"message":"a < b"}"#),
        (
            "application/problem+json",
            r#"{"title":"no","detail":"d"}"#,
            r#"{"title":"no","detail":"d"}"#,
        ),
        ("application/json", r#"{"error":{"code":4}}"#, r#"{"error":{"code":4}}"#),
        ("text/plain", "\u{feff}x", "x"),
        ("text/html", "plainly labelled", ""),
        ("application/xhtml+xml", "x", ""),
        ("text/plain", "<!DOCTYPE html><p>no", ""),
        ("", "  <html>", ""),
        ("text/plain", "502 <b>Bad</b> Gateway", ""),
        ("application/json", r#"{"message":"<script>"}"#, ""),
        ("application/json", r#"{"id_token":"a.b.c"}"#, ""),
    ] {
        let answer = answer_of(404, media_type, body);
        assert_eq!(
            (answer.excerpt(), answer.www_authenticate()),
            (excerpt, Some("Bearer error=\"x\"")),
            "{body}"
        );
    }
}
