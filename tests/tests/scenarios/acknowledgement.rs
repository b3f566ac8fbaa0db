//! Answers of the backchannel authentication endpoint (ACK).

use ciba_core::{DeliveryMode, Policy};
use ciba_test_op::{Act, Amendment, Endpoint, Script, ScriptedAnswer};
use ciba_tests::{
    drivers::run,
    scenario::{Requests, polls},
};
use serde_json::{Value, json};
use std::time::Duration;

use crate::{Elsewhere, ack, ack_answer, gaps, plain, row};

/// OPM-ACK-01
/// OPM-ACK-02
/// OPM-ACK-10
/// OPM-ACK-12
/// OPM-ACK-14
#[test]
fn unusable_acknowledgements_lead_to_no_token_request() {
    let mut rows = vec![
        ack("no auth_req_id", Amendment::new().remove("auth_req_id"))
            .ends("provider_misbehaved backchannel: auth_req_id is missing", polls(0)),
        ack("null for an auth_req_id", Amendment::new().set("auth_req_id", Value::Null))
            .ends("provider_misbehaved backchannel: auth_req_id is missing", polls(0)),
        ack("no expires_in", Amendment::new().remove("expires_in"))
            .ends("provider_misbehaved backchannel: expires_in is missing", polls(0)),
    ];
    let (of_another_type, unusable) =
        ("has the wrong type", "is empty, too long or not printable ASCII");
    for (name, value, why) in [
        ("a number", json!(7), of_another_type),
        ("an object", json!({}), of_another_type),
        ("empty", json!(""), unusable),
    ] {
        rows.push(
            ack(&format!("auth_req_id {name}"), Amendment::new().set("auth_req_id", value))
                .ends(&format!("provider_misbehaved backchannel: auth_req_id {why}"), polls(0)),
        );
    }
    for media_type in ["text/html", ""] {
        rows.push(
            ack(&format!("media type {media_type:?}"), Amendment::new().media_type(media_type))
                .ends(
                    "provider_misbehaved backchannel: its media type is not application/json",
                    polls(0),
                ),
        );
    }
    for body in ["[]", "null", "", "{\"auth_req_id\":\"1c266114-a1be\",\"expi"] {
        rows.push(
            ack_answer(&format!("body {body:?}"), ScriptedAnswer::json(200, body))
                .ends("provider_misbehaved backchannel: it is not a JSON object", polls(0)),
        );
    }
    rows.push(
        ack("trailing bytes", Amendment::new().append("{}"))
            .ends("provider_misbehaved backchannel: it is not a JSON object", polls(0)),
    );
    run(rows);
}

/// OPM-ACK-03
/// OPM-ACK-04
/// OPM-ACK-05
/// OPM-ACK-06
#[test]
fn a_refused_authentication_request_is_reported_with_its_code_and_not_retried() {
    let codes = [
        "unknown_user_id",
        "expired_id_token_hint",
        "invalid_id_token_hint",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "expired_login_hint_token",
        "missing_user_code",
        "invalid_user_code",
        "invalid_binding_message",
    ];
    let mut rows: Vec<_> = codes
        .iter()
        .map(|code| {
            ack_answer(code, ScriptedAnswer::error(400, code))
                .ends(&format!("refused 400 {code}"), polls(0))
        })
        .collect();
    let invalid_client = || ScriptedAnswer::error(401, "invalid_client");
    rows.push(ack_answer("401", invalid_client()).ends("refused 401 invalid_client", polls(0)));
    rows.push(
        ack_answer(
            "401 with challenge",
            invalid_client().header("www-authenticate", "Basic realm=\"op\""),
        )
        .ends("refused 401 invalid_client", polls(0)),
    );
    rows.push(plain("really unknown").hint("nobody").ends("refused 400 unknown_user_id", polls(0)));
    run(rows);
}

/// OPM-ACK-07
/// OPM-ACK-08
#[test]
fn an_absent_or_unusual_interval_never_leads_to_polls_faster_than_five_seconds() {
    let mut rows = vec![plain("absent")];
    for raw in ["0", "-3", "null", "\"three\"", "true", "[]", "1e400"] {
        rows.push(ack(
            &format!("interval {raw}"),
            Amendment::new().raw_members(&format!("\"interval\":{raw},")),
        ));
    }
    let faster = |least: u128| {
        move |provider: &ciba_test_op::Provider, _: Option<&ciba_core::Authentication>| {
            assert!(gaps(provider).into_iter().all(|gap| gap >= least), "{:?}", gaps(provider));
        }
    };
    let mut rows: Vec<_> = rows.into_iter().map(|row| row.check(faster(5_000))).collect();
    // A value that can be read as a number counts as one. It is rounded up (REQ-ACK-14), and leaves
    // at least one poll before the end.
    for raw in ["2.5", "\"3\""] {
        let amendment = Amendment::new().raw_members(&format!("\"interval\":{raw},"));
        rows.push(ack(&format!("interval {raw}"), amendment).check(faster(3_000)));
    }
    for raw in ["1e3", "1000000000"] {
        let amendment = Amendment::new().raw_members(&format!("\"interval\":{raw},"));
        rows.push(ack(&format!("interval {raw}"), amendment).ends("expired", polls(1)));
    }
    run(rows);
}

/// OPM-ACK-09
#[test]
fn an_unusable_lifetime_is_refused_and_a_huge_one_does_not_overflow() {
    let mut rows = vec![
        ack("expires_in null", Amendment::new().set("expires_in", Value::Null))
            .ends("provider_misbehaved backchannel: expires_in is missing", polls(0)),
    ];
    for raw in ["0", "-1", "true", "\"soon\""] {
        let amendment =
            Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(ack(&format!("expires_in {raw}"), amendment).ends(
            "provider_misbehaved backchannel: expires_in is not a positive number of seconds",
            polls(0),
        ));
    }
    for raw in ["9007199254740993", "18446744073709551616", "1e30"] {
        let amendment =
            Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(ack(&format!("expires_in {raw}"), amendment));
    }
    run(rows);
}

/// OPM-ACK-11
/// OPM-ACK-13
/// OPM-ACK-15
#[test]
fn unusual_but_valid_acknowledgements_are_accepted() {
    run(vec![
        ack("charset", Amendment::new().media_type("application/json;charset=UTF-8")),
        ack("upper case", Amendment::new().media_type("APPLICATION/JSON")),
        ack(
            "more members",
            Amendment::new().set("extra", json!({"deep": [1, null]})).set("links", json!([])),
        ),
        ack("4 KiB", Amendment::new().set("auth_req_id", "a".repeat(4096)))
            .check(|provider, _| {
                let sent = provider
                    .exchanges()
                    .iter()
                    .filter(|exchange| exchange.endpoint == Endpoint::Token);
                for exchange in sent {
                    assert_eq!(
                        exchange.parameter("auth_req_id"),
                        Some("a".repeat(4096)),
                        "returned unchanged"
                    );
                }
            })
            .ends("refused 400 invalid_grant", polls(1))
            // The provider issued another id.
            .breaks(ciba_test_op::Rule::AuthReqId),
    ]);
}

/// OPM-ACK-16
/// OPM-ACK-18
#[test]
fn an_authentication_request_is_sent_once_for_every_response() {
    let every = |act| Script::new().every(Endpoint::Backchannel, act);
    let tiny = |mut policy: Policy| {
        policy.authentication_timeout = Duration::from_millis(200);
        policy
    };
    run(vec![
        ack_answer("503", ScriptedAnswer::status(503)).ends("refused 503", polls(0)),
        ack_answer("429", ScriptedAnswer::status(429).header("retry-after", "1")).ends("refused 429", polls(0)),
        row("dropped before", every(Act::DropBefore)).ends("indeterminate", polls(0)),
        row("dropped after", every(Act::DropAfter)).ends("indeterminate", polls(0)),
        row("broken off", every(Act::DropInside(10))).ends("indeterminate", polls(0)),
        row("held forever", every(Act::HoldForever))
            .client(move |builder| builder.policy(tiny(Policy::default())))
            .ends("indeterminate", polls(0)),
        ack_answer("502", ScriptedAnswer::html(502)).ends("indeterminate 502", polls(0)),
        ack_answer("400 and nothing", ScriptedAnswer::status(400)).ends(
            "provider_misbehaved backchannel: its status is not expected here, and no error code explains it",
            polls(0),
        ),
    ]);
}

/// OPM-ACK-19
/// REQ-AERR-17
#[test]
fn an_ambiguous_5xx_to_the_authentication_request_is_an_unknown_outcome() {
    let error = |status, code: &str| ScriptedAnswer::error(status, code);
    let mut rows = Vec::new();
    for (status, code) in [
        (503, "server_error"),
        (500, "server_error"),
        (500, "internal_error"),
        (502, "upstream"),
        (504, "timeout"),
    ] {
        rows.push(
            ack_answer(&format!("{status} {code}"), error(status, code))
                .ends(&format!("indeterminate {status} {code}"), polls(0)),
        );
    }
    for (status, code) in
        [(503, "temporarily_unavailable"), (500, "access_denied"), (502, "unknown_user_id")]
    {
        rows.push(
            ack_answer(&format!("{status} {code}"), error(status, code))
                .ends(&format!("refused {status} {code}"), polls(0)),
        );
    }
    // The provider had stored and displayed the request: a notification saves the login.
    let failed_later =
        || Amendment::new().status(500).remove("auth_req_id").set("error", "server_error");
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut row = ack(&format!("500 server_error, {mode:?}"), failed_later()).mode(mode);
        row.expected = "authenticated user-approve".into();
        rows.push(row);
    }
    rows.push(
        ack("500 server_error after the prompt", failed_later())
            .ends("indeterminate 500 server_error", polls(0)),
    );
    run(rows);
}

/// OPM-ACK-17
/// REQ-SEC-09
#[test]
fn a_redirect_of_any_endpoint_is_not_followed() {
    let elsewhere = Elsewhere::new();
    let mut rows = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        let away = |endpoint, path: &str| {
            let answer = ScriptedAnswer::redirect(status, &elsewhere.url("http", path));
            row(format!("{status} to {path}"), Script::new().every(endpoint, Act::Answer(answer)))
        };
        rows.push(
            away(Endpoint::Discovery, "/.well-known/openid-configuration")
                .ends("metadata: it is a redirect", Requests::NONE),
        );
        rows.push(
            away(Endpoint::Backchannel, "/bc")
                .ends("provider_misbehaved backchannel: it is a redirect", polls(0)),
        );
        rows.push(
            away(Endpoint::Token, "/token")
                .ends("provider_misbehaved token: it is a redirect", polls(1)),
        );
        rows.push(
            away(Endpoint::KeySet, "/jwks")
                .ends("provider_misbehaved key_set: it is a redirect", polls(3).keys(5)),
        );
    }
    run(rows);
    assert_eq!(elsewhere.connections(), 0);
}
