//! Outcomes that nobody knows: the person may have been prompted, or may have approved.
#![allow(missing_docs)]

mod support;

use serde_json::json;
use support::{Op, Say, acknowledgement};

fn authorize(say: impl Fn() -> Say + Send + Sync + 'static) -> Op {
    Op::start(move |path, _| (path == "/bc").then(&say))
}

/// The person may have approved: nobody is blamed, and what answered what is told.
#[test]
fn a_token_endpoint_silent_until_the_deadline_exits_with_15_and_not_11() {
    let ends = |say: fn() -> Say| {
        Op::start(move |path, _| match path {
            "/bc" => Some(acknowledgement(2)),
            "/token" => Some(say()),
            _ => None,
        })
        .run(&[])
    };
    let run = ends(|| Say::Json(500, json!({})));
    run.failed(
        15,
        &json!({ "failure": "indeterminate", "status": 500, "endpoint": "token", "attempts": 2 }),
    );
    assert!(
        run.sentence().contains("may have approved") && run.sentence().contains("500"),
        "{run:?}"
    );
    let run = ends(|| Say::Nothing);
    let said = json!({ "failure": "indeterminate", "endpoint": "token", "attempts": 2, "cause": "connection_closed" });
    run.failed(15, &said);
    assert!(run.sentence().contains("the token endpoint sent no usable answer"), "{run:?}");
}

#[test]
fn an_ambiguous_5xx_to_the_authentication_request_exits_with_15() {
    for (status, code) in [(503, "server_error"), (500, "internal_error")] {
        let op = authorize(move || Say::Json(status, json!({ "error": code })));
        op.run(&[]).failed(
            15,
            &json!({
                "failure": "indeterminate", "error": code, "status": status, "endpoint": "backchannel_authentication",
            }),
        );
        assert_eq!(op.count("/bc"), 1);
    }
    let run = authorize(|| Say::Json(503, json!({ "error": "temporarily_unavailable" }))).run(&[]);
    run.failed(
        12,
        &json!({
            "failure": "refused", "error": "temporarily_unavailable", "status": 503,
            "endpoint": "backchannel_authentication",
        }),
    );
}
