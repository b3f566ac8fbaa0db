//! `--trace`: every exchange as a line, and nothing in it that is a secret or personal.

mod support;

use ciba_core::DeliveryMode;
use serde_json::json;
use support::{Op, Say, acknowledgement, wired::Wired};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

/// REQ-SEC-03
#[test]
fn each_exchange_is_shown_without_its_secrets() {
    for transport in TRANSPORTS {
        let op = Wired::start(DeliveryMode::Poll, |client| client);
        let run = op.run("approve-after:0", &["--transport", transport, "--trace"]).expect_code(0);
        let lines: Vec<&str> =
            run.stderr.lines().filter_map(|line| line.strip_prefix("ciba: trace: ")).collect();
        assert_eq!(lines.len(), run.stderr.lines().count(), "{}", run.stderr);
        for (line, begins, has) in [
            (lines[0], "GET https://", "issuer, jwks_uri"),
            (lines[1], "POST https://", "login_hint=…"),
            (lines[1], "POST https://", "-> 200 application/json {auth_req_id"),
        ] {
            assert!(line.starts_with(begins) && line.contains(has), "{has}: {}", run.stderr);
        }
        let token = lines.iter().find(|line| line.contains("/token")).unwrap();
        assert!(
            token.contains("grant_type=urn:openid:params:grant-type:ciba auth_req_id=…"),
            "{token}"
        );
        assert!(lines.iter().all(|line| line.ends_with(" ms)")), "{}", run.stderr);
        for secret in ["approve-after", "eyJ"] {
            assert!(!run.stderr.contains(secret), "{secret}: {}", run.stderr);
        }
    }
}

#[test]
fn errors_and_missing_responses_are_shown_with_their_known_details() {
    for transport in TRANSPORTS {
        let op = Op::start(|path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => {
                Some(Say::Json(400, json!({ "error": "access_denied", "error_description": "no" })))
            }
            _ => None,
        });
        let run = op.run(&["--transport", transport, "--trace"]).expect_code(10);
        assert!(
            run.stderr
                .contains("-> 400 application/json error: access_denied error_description: no ("),
            "{run:?}"
        );
        let gone = op.run(&[
            "--transport",
            transport,
            "--trace",
            "--token-endpoint",
            "https://127.0.0.1:1/token",
            "--timeout",
            "2",
        ]);
        assert!(
            gone.stderr.contains("/token") && gone.stderr.contains("-> no answer: "),
            "{gone:?}"
        );
    }
}
