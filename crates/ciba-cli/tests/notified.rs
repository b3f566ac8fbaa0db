//! Ping and push, against the test provider over TLS.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use ciba_core::DeliveryMode;
use ciba_test_op::{Act, Client, Endpoint, NotificationEdit, Script, faults};
use serde_json::{Value, json};
use support::{Ended, ciba, ended, wired::Wired};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];
const MODES: [DeliveryMode; 2] = [DeliveryMode::Ping, DeliveryMode::Push];

fn same(client: Client) -> Client {
    client
}

fn asked(run: &Ended, endpoint: &str) -> usize {
    run.lines()
        .iter()
        .filter(|line| line["event"] == "requesting" && line["endpoint"] == endpoint)
        .count()
}

#[test]
fn an_approval_is_reported_in_either_mode() {
    for mode in MODES {
        let op = Wired::start(mode, same);
        for transport in TRANSPORTS {
            let run = op.run("approve-after:0", &["--transport", transport]).expect_code(0);
            assert_eq!(run.stderr, "");
            assert_eq!(run.last()["subject"], "user-approve-after:0");
            assert_eq!(
                run.events().iter().filter(|event| *event == "notified").count(),
                1,
                "{run:?}"
            );
            assert_eq!(asked(&run, "token"), usize::from(mode == DeliveryMode::Ping), "{run:?}");
            assert_eq!(asked(&run, "backchannel_authentication"), 1);
        }
        assert_eq!(
            op.answers(),
            [Some(204), Some(204)],
            "an answer is complete before the command ends"
        );
        op.expect_clean();
    }
}

#[test]
fn waiting_for_a_notification_is_reported_with_its_reason() {
    for mode in MODES {
        let op = Wired::start(mode, same);
        let run = op.run("approve-after:1", &[]).expect_code(0);
        let reasons: Vec<Value> =
            run.lines().iter().filter_map(|line| line.get("because").cloned()).collect();
        assert_eq!(reasons[0], "notification", "{run:?}");
        op.expect_clean();
    }
}

#[test]
fn text_output_says_which_side_acts_next() {
    for (mode, then) in [
        (DeliveryMode::Ping, "it will notify this client when the result is ready"),
        (DeliveryMode::Push, "it will deliver the result"),
    ] {
        let op = Wired::start(mode, same);
        // Not before the wait is told: the keys are fetched first.
        let options = ["authenticate", "--login-hint", "approve-after:3"];
        let run = ended(support::command().args(options).args(&op.options).spawn().unwrap())
            .expect_code(0);
        for words in
            [then, "the provider will notify us (", "The provider has notified this client."]
        {
            assert!(run.stderr.contains(words), "{words}: {run:?}");
        }
        assert_eq!(run.stderr.contains("next request in"), mode == DeliveryMode::Ping, "{run:?}");
        assert!(run.stdout.starts_with("Authenticated: user-approve-after:3\n"), "{run:?}");
        assert!(!run.stdout.contains("auth_req_id"), "{run:?}");
    }
}

#[test]
fn a_refusal_exits_with_10_and_a_pushed_one_has_no_status() {
    for transport in TRANSPORTS {
        let op = Wired::start(DeliveryMode::Ping, same);
        let run = op.run("deny-after:0", &["--transport", transport]).expect_code(10);
        assert_eq!(
            (&run.last()["endpoint"], &run.last()["status"]),
            (&json!("token"), &json!(400))
        );
        op.expect_clean();

        let op = Wired::start(DeliveryMode::Push, same);
        let run = op.run("deny-after:0", &["--transport", transport]).expect_code(10);
        let mut last = run.last();
        last.as_object_mut().unwrap().remove("error_description");
        last.as_object_mut().unwrap().remove("at");
        let said = json!({
            "event": "failed", "failure": "denied", "error": "access_denied", "endpoint": "notification",
        });
        assert_eq!(last, said);
        assert!(
            run.sentence().contains("access_denied") && !run.sentence().contains("status"),
            "{run:?}"
        );
        assert_eq!(op.answers(), [Some(204)]);
        op.expect_clean();
    }
}

#[test]
fn a_push_that_fails_a_check_exits_with_13_and_names_it() {
    let op = Wired::start(DeliveryMode::Push, same);
    for (fault, check) in [
        ("push-other-at-hash", "access-token-hash"),
        ("push-no-auth-req-id-claim", "auth-req-id"),
        ("push-other-aud", "audience"),
        ("push-wrong-signature", "signature"),
    ] {
        let script = faults::named(fault).unwrap_or_else(|| panic!("{fault}")).script;
        op.server.provider().script_for_hint("approve-after:0", script);
        let run = op.run("approve-after:0", &[]).expect_code(13);
        assert_eq!(run.last()["failure"], "untrusted");
        assert_eq!(run.last()["check"], check, "{fault}");
        assert!(run.sentence().contains(&format!("(check {check})")), "{run:?}");
    }
    op.expect_clean();
}

/// A notification that is refused is told without its token; one that is authentic and cannot be
/// used ends the flow.
#[test]
fn refused_and_unusable_notifications_are_reported() {
    let op = Wired::start(DeliveryMode::Push, same);
    for (fault, cause, member) in [
        ("push-no-id-token", "missing_member", "id_token"),
        ("push-bare", "missing_member", "access_token"),
        ("push-error-and-tokens", "bad_member", "error"),
    ] {
        let script = faults::named(fault).unwrap_or_else(|| panic!("{fault}")).script;
        op.server.provider().script_for_hint("approve-after:0", script);
        let run = op.run("approve-after:0", &[]).expect_code(14);
        let last = run.last();
        assert_eq!(
            (&last["failure"], &last["endpoint"]),
            (&json!("provider_misbehaved"), &json!("notification"))
        );
        assert_eq!((&last["cause"], &last["member"]), (&json!(cause), &json!(member)), "{run:?}");
    }
    let unnamed = faults::named("push-no-auth-req-id").unwrap().script;
    op.server.provider().script_for_hint("approve-after:0", unnamed);
    let run = op.run("approve-after:0", &["--timeout", "3"]).expect_code(17);
    let refused = run
        .lines()
        .into_iter()
        .find(|line| line["event"] == "notification_refused")
        .expect("it is told");
    assert_eq!(
        (&refused["status"], &refused["reason"]),
        (&json!(400), &json!("malformed")),
        "{run:?}"
    );

    let run = op.run("approve-after:0", &["--no-openid", "--scope", "payments"]).expect_code(2);
    assert!(run.sentence().contains("only an ID Token binds pushed tokens"), "{run:?}");
}

#[test]
fn a_pushed_failure_of_another_kind_exits_with_12() {
    let op = Wired::start(DeliveryMode::Push, same);
    let script = faults::named("push-failed").unwrap().script;
    op.server.provider().script_for_hint("approve-after:0", script);
    let run = op.run("approve-after:0", &[]).expect_code(12);
    assert_eq!(
        (&run.last()["error"], &run.last()["endpoint"]),
        (&json!("transaction_failed"), &json!("notification"))
    );
    assert!(
        run.sentence()
            .contains("the provider reports that the authentication failed: transaction_failed"),
        "{run:?}"
    );
}

#[test]
fn a_notification_rescues_a_flow_whose_acknowledgement_was_lost() {
    for mode in MODES {
        let op = Wired::start(mode, same);
        op.server.provider().script(Script::new().every(Endpoint::Backchannel, Act::DropAfter));
        let run = op.run("approve-after:1", &[]).expect_code(0);
        assert!(run.lines().iter().any(|line| line["because"] == "adrift"), "{run:?}");
        assert_eq!(
            asked(&run, "backchannel_authentication"),
            1,
            "the person may not be prompted twice"
        );
        op.expect_clean();
    }
}

#[test]
fn a_flow_without_its_notification_ends_at_the_timeout_of_the_caller() {
    for mode in MODES {
        let op = Wired::start(mode, same);
        op.server.provider().script(Script::new().notification(NotificationEdit::Withhold));
        let run = op.run("approve-after:0", &["--timeout", "2"]).expect_code(17);
        assert!(
            !run.events().contains(&"notified".to_owned()) && asked(&run, "token") == 0,
            "{run:?}"
        );
        op.expect_clean();
    }
}

/// One call to the endpoint over plain http: status line and header fields.
fn call(op: &str, method: &str, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(op).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = "{\"auth_req_id\":\"another\"}";
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: me\r\n{fields}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

/// REQ-PING-06
/// REQ-FAPI-29
#[test]
fn the_endpoint_answers_as_its_table_says_and_never_redirects() {
    let op = support::Op::knowing_itself(|issuer, path, _| match path {
        "/.well-known/openid-configuration" => {
            let mut metadata = support::metadata(issuer);
            metadata["backchannel_token_delivery_modes_supported"] = json!(["ping"]);
            Some(support::Say::Json(200, metadata))
        }
        "/bc" => Some(support::acknowledgement(60)),
        _ => None,
    });
    for transport in TRANSPORTS {
        let port = support::Port::new();
        let free = port.to_string();
        let options = [
            "--delivery",
            "ping",
            "--listen",
            &free,
            "--notification-path",
            "/told",
            "--transport",
            transport,
        ];
        // The keys are asked for after the acknowledgement was read.
        let before = op.count("/jwks");
        let child = support::command().args(op.arguments()).args(options).spawn().unwrap();
        while op.count("/jwks") == before {
            std::thread::sleep(Duration::from_millis(20));
        }
        let sent =
            op.seen.lock().unwrap().iter().rfind(|seen| seen.path == "/bc").unwrap().body.clone();
        let token = sent
            .split('&')
            .find_map(|pair| pair.strip_prefix("client_notification_token="))
            .unwrap()
            .to_owned();
        let good = format!("authorization: Bearer {token}\r\n");
        let wrong = format!("authorization: Bearer {token}x\r\n");
        for (method, path, fields, status, field) in [
            ("POST", "/told", "", 401, "\r\nwww-authenticate: bearer"),
            ("POST", "/told", &*wrong, 401, "\r\nwww-authenticate: bearer"),
            ("POST", "/told", &good, 401, "\r\nwww-authenticate: bearer"),
            ("GET", "/told", &good, 405, "\r\nallow: post"),
            ("HEAD", "/told", &good, 405, "\r\nallow: post"),
            ("PUT", "/told", &good, 405, "\r\nallow: post"),
            ("POST", "/told/", &good, 404, ""),
            ("POST", "//told", &good, 404, ""),
            ("POST", "/", &good, 404, ""),
        ] {
            let answer = call(&free, method, path, fields);
            assert!(
                answer.starts_with(&format!("http/1.1 {status} ")),
                "{method} {path}: {answer}"
            );
            assert!(answer.contains(field) && answer.ends_with("\r\n\r\n"), "{answer}");
        }
        support::signal(&child, "INT");
        let run = ended(child).expect_code(130);
        assert!(!run.events().contains(&"notified".to_owned()), "{run:?}");
    }
}

/// A flow that was interrupted listens again.
#[test]
fn a_resumed_flow_listens_again() {
    for (mode, transport) in [(DeliveryMode::Ping, "reqwest"), (DeliveryMode::Push, "ureq")] {
        let op = Wired::start(mode, same);
        let state = op.folder.text("state");
        let mut child = op.pending("manual", &["--state", &state, "--transport", transport]);
        let begun = std::time::Instant::now();
        while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains("auth_req_id")) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{:?}",
                std::fs::read_to_string(&state)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = support::command()
            .args(["resume", "--state", &state, "--output", "json"])
            .spawn()
            .unwrap();
        // What comes before the flow is driven again waits for that.
        while TcpStream::connect(op.listen).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        op.approve();
        let run = ended(resumed).expect_code(0);
        assert_eq!(run.last()["subject"], "user-manual");
        assert!(run.events().contains(&"notified".to_owned()), "{run:?}");
        assert!(!op.folder.path("state").exists());
        op.expect_clean();
    }
}

/// A provider does not repeat what is refused: until the flow is known, 503 says that it is worth
/// another try.
#[test]
fn a_ping_that_comes_before_a_resumed_flow_is_driven_is_not_refused() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    for transport in TRANSPORTS {
        let is_slow = Arc::new(AtomicBool::new(false));
        let slow = Arc::clone(&is_slow);
        let op = support::Op::knowing_itself(move |issuer, path, _| match path {
            "/.well-known/openid-configuration" => {
                if slow.load(Ordering::Relaxed) {
                    return Some(support::Say::Silence(Duration::from_secs(20)));
                }
                let mut metadata = support::metadata(issuer);
                metadata["backchannel_token_delivery_modes_supported"] = json!(["ping"]);
                Some(support::Say::Json(200, metadata))
            }
            "/bc" => Some(support::acknowledgement(60)),
            _ => None,
        });
        let folder = support::Folder::new();
        let state = folder.text("state");
        let port = support::Port::new();
        let free = port.to_string();
        let options =
            ["--delivery", "ping", "--listen", &free, "--state", &state, "--transport", transport];
        let mut child = support::command().args(op.arguments()).args(options).spawn().unwrap();
        let begun = std::time::Instant::now();
        while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains("auth_req_id")) {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?}",
                std::fs::read_to_string(&state)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let sent =
            op.seen.lock().unwrap().iter().rfind(|seen| seen.path == "/bc").unwrap().body.clone();
        let token = sent
            .split('&')
            .find_map(|pair| pair.strip_prefix("client_notification_token="))
            .unwrap();
        let ours = format!("authorization: Bearer {token}\r\n");

        is_slow.store(true, Ordering::Relaxed);
        let mut resumed = support::command().args(["resume", "--state", &state]).spawn().unwrap();
        while TcpStream::connect(&free).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let answer = call(&free, "POST", "/ciba/notify", &ours);
        assert!(answer.starts_with("http/1.1 503 "), "{transport}: {answer}");
        let answer = call(&free, "POST", "/ciba/notify", "");
        assert!(answer.starts_with("http/1.1 401 "), "{transport}: {answer}");
        resumed.kill().unwrap();
        resumed.wait().unwrap();
    }
}

/// 204 means that it is safe here, so what could not be saved is answered 503; the login is not
/// lost for that.
#[test]
fn a_notification_that_cannot_be_saved_gets_503_and_the_flow_continues() {
    for (mode, transport) in [
        (DeliveryMode::Push, "reqwest"),
        (DeliveryMode::Ping, "reqwest"),
        (DeliveryMode::Push, "ureq"),
    ] {
        let op = Wired::start(mode, same);
        let within = op.folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let state = op.folder.text("within/state");
        let child = op.pending("manual", &["--state", &state, "--transport", transport]);
        let begun = std::time::Instant::now();
        while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains("auth_req_id")) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{:?}",
                std::fs::read_to_string(&state)
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::remove_dir_all(&within).unwrap();
        op.approve();
        let run = ended(child).expect_code(0);
        assert_eq!(run.last()["subject"], "user-manual");
        assert!(run.sentence().contains("continuing without saving"), "{run:?}");
        assert_eq!(op.answers()[0], Some(503), "{mode:?} over {transport}");
    }
}

#[test]
fn an_address_in_use_is_a_usage_error_and_nothing_is_sent() {
    let op = Wired::start(DeliveryMode::Push, same);
    let _taken = std::net::TcpListener::bind(op.listen).unwrap();
    let run = op.run("approve-after:0", &[]).expect_code(2);
    assert!(run.sentence().contains("--listen cannot be used"), "{run:?}");
    assert_eq!((run.stdout.as_str(), op.transactions()), ("", 0));
}

#[test]
fn discovery_reports_a_mode_that_is_not_offered() {
    // A key set that is unavailable for a moment is no finding.
    let op =
        support::Op::start(|path, _| (path == "/jwks").then(|| support::Say::Json(503, json!({}))));
    let discover =
        |more: &[&str]| ciba(["discover", &op.issuer, "--allow-http-loopback"].iter().chain(more));
    let run = discover(&["--delivery", "ping"]).expect_code(2);
    let finding =
        "does not list ping in backchannel_token_delivery_modes_supported; see --delivery";
    assert_eq!(run.stdout.matches(finding).count(), 1, "{run:?}");
    assert!(run.sentence().contains("see what is named above"), "{run:?}");
    let run = discover(&["--signed-request", "ES256", "--key", "no-such-file"]).expect_code(2);
    assert!(run.sentence().contains("the file of --key cannot be read"), "{run:?}");
}

/// Connections that say nothing, half a head, or announce a body that never comes, keep no push
/// out.
///
/// REQ-PING-20
/// OPM-PSH-05
#[test]
fn idle_connections_do_not_block_the_endpoint() {
    let op = Wired::start(DeliveryMode::Push, same);
    let child = op.pending("manual", &[]);
    let idle: Vec<TcpStream> = (0..193)
        .map(|n| {
            let mut stream = TcpStream::connect(op.listen).unwrap();
            match n % 3 {
                0 => {}
                // The beginning of a TLS record.
                1 => stream.write_all(&[0x16, 0x03, 0x01]).unwrap(),
                _ => stream.write_all(b"POST /ciba/notify HTTP/1.1\r\n").unwrap(),
            }
            stream
        })
        .collect();
    op.approve();
    let run = ended(child).expect_code(0);
    assert_eq!(run.last()["subject"], "user-manual");
    assert_eq!(op.answers(), [Some(204)]);
    drop(idle);
    op.expect_clean();
}
