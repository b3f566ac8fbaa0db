//! Deviations on which nothing depends: optional members after an approval (ruling 33), and errors
//! that are not exactly those of RFC 6749 (ruling 36).

use ciba_core::{Authentication, answer::Deviation};
use ciba_test_op::{Act, Amendment, Endpoint, IdTokenEdit, Provider, Script, ScriptedAnswer};
use ciba_tests::drivers::run;
use ciba_tests::scenario::{Scenario, polls};
use serde_json::json;

use crate::{APPROVED, AUTH_REQ_ID, row, third, tokens};

/// REQ-TOK-05
/// REQ-TOK-06
/// REQ-TOK-10
/// REQ-IDT-30b
#[test]
fn malformed_optional_members_lose_no_approved_login_and_are_reported() {
    let reports = |row: Scenario, expected: &'static [Deviation]| {
        row.check(move |_: &Provider, found: Option<&Authentication>| {
            let found: Vec<_> = found.expect("authenticated").deviations().collect();
            assert_eq!(found, expected);
        })
    };
    let with = |raw: &str| tokens(raw, Amendment::new().raw_members(&format!("{raw},")));
    let without = |name: &str, raw: &str| {
        tokens(raw, Amendment::new().remove(name).raw_members(&format!("\"{name}\":{raw},")))
    };
    let claim = |name: &str, value: serde_json::Value| {
        row(format!("{name} {value}"), Script::new().id_token(IdTokenEdit::set(name, value)))
    };
    let mut rows = vec![
        reports(with(r#""error":"""#), &[Deviation::EmptyError]),
        reports(with(r#""error":null"#), &[]),
        reports(with(r#""photo":"\ud83d""#), &[]),
        reports(with(r#""weight":1e999"#), &[]),
        reports(claim("auth_time", json!("2030-01-01T00:00:00Z")), &[Deviation::AuthTimeUnusable]),
        reports(claim("auth_time", json!(1_893_456_000_000_u64)), &[Deviation::AuthTimeUnusable]),
        reports(claim("auth_time", json!(null)), &[]),
        reports(claim("at_hash", json!(["x"])), &[Deviation::AtHashUnusable]),
        reports(
            claim("urn:openid:params:jwt:claim:rt_hash", json!(0)),
            &[Deviation::RtHashUnusable],
        ),
        reports(claim(AUTH_REQ_ID, json!({})), &[Deviation::AuthReqIdClaimUnusable]),
        reports(claim("nbf", json!(null)), &[]),
        reports(claim("acr", json!(2)), &[Deviation::AcrUnusable]),
        reports(claim("amr", json!("pwd")), &[Deviation::AmrUnusable]),
        claim("nbf", json!("2030-01-01T00:00:00Z")).ends("untrusted not-before", polls(3).keys(1)),
        claim("azp", json!(["client-1"])).ends("untrusted authorized-party", polls(3).keys(1)),
    ];
    for value in [r#""""#, "5", "[]", "{}", r#""\udc00""#] {
        rows.push(reports(without("refresh_token", value), &[Deviation::RefreshTokenUnusable]));
    }
    for value in [r#"["openid"]"#, "5", "{}", "false"] {
        rows.push(reports(without("scope", value), &[Deviation::ScopeUnusable]));
    }
    for value in ["-1", r#""x""#, "[60]", "{}"] {
        rows.push(reports(without("expires_in", value), &[Deviation::TokenLifetimeUnusable]));
    }
    run(rows);
}

/// REQ-TOK-13
/// REQ-TOK-30
/// REQ-AERR-01b
/// REQ-AERR-02
#[test]
fn errors_that_deviate_from_the_specification_keep_their_meaning() {
    let denied = r#"{"error":"access_denied","error_description":"no"}"#;
    let latin_1 = b"{\"error\":\"access_denied\",\"error_description\":\"Nej, \xe5nej\"}";
    let ends = |name: &str, media_type: &str, body: &[u8]| {
        third(name, ScriptedAnswer::raw(403, media_type, body))
            .ends("denied 403 access_denied", polls(3))
    };
    let second = |name: &str, answer: ScriptedAnswer| {
        row(name, Script::new().nth(Endpoint::Token, 2, Act::Answer(answer)))
            .ends(APPROVED, polls(4).keys(1))
    };
    let first = |name: &str, media_type: &str, body: &[u8]| {
        let answer = ScriptedAnswer::raw(400, media_type, body);
        row(name, Script::new().nth(Endpoint::Backchannel, 1, Act::Answer(answer)))
            .ends("refused 400 unknown_user_id", polls(0))
    };
    let unknown = r#"{"error":"unknown_user_id"}"#;
    run(vec![
        ends("problem+json", "application/problem+json", denied.as_bytes()),
        ends("text/html", "text/html; charset=utf-8", denied.as_bytes()),
        ends("text/plain", "text/plain", denied.as_bytes()),
        ends("latin-1", "application/json", latin_1),
        ends("byte order mark", "application/json", format!("\u{feff}{denied}").as_bytes()),
        second("408", ScriptedAnswer::status(408)),
        second("425", ScriptedAnswer::status(425)),
        second("408 with a page", ScriptedAnswer::html(408)),
        second(
            "pending as text",
            ScriptedAnswer::raw(400, "text/plain", r#"{"error":"authorization_pending"}"#),
        ),
        second(
            "a gateway",
            ScriptedAnswer::json(503, r#"{"error":{"code":503},"message":"no upstream"}"#),
        ),
        second(
            "a gateway with words",
            ScriptedAnswer::json(502, r#"{"status":502,"error":"Bad Gateway"}"#),
        ),
        first("problem+json at the start", "application/problem+json", unknown.as_bytes()),
        first("text at the start", "text/plain", unknown.as_bytes()),
    ]);
}
