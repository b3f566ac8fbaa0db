//! Every way a flow can end without an authentication: its exit code, its last line and its
//! sentence.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    Ended, Folder, Op, Say, acknowledgement, ciba, command, ended, error, metadata, signal,
};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

/// Runs against a provider whose backchannel endpoint takes the request and whose token endpoint
/// says `token`.
fn redeem(token: impl Fn(usize) -> Say + Send + Sync + 'static) -> Op {
    Op::start(move |path, before| match path {
        "/bc" => Some(acknowledgement(60)),
        "/token" => Some(token(before)),
        _ => None,
    })
}

fn authorize(say: impl Fn() -> Say + Send + Sync + 'static) -> Op {
    Op::start(move |path, _| (path == "/bc").then(&say))
}

#[track_caller]
fn failed(run: &Ended, code: i32, members: Value) {
    run.failed(code, &members);
}

#[test]
fn a_denial_exits_with_10() {
    let op =
        redeem(
            |before| {
                if before == 0 { error("authorization_pending") } else { error("access_denied") }
            },
        );
    for transport in TRANSPORTS {
        let said = json!({
            "failure": "denied", "error": "access_denied", "error_description": "in the provider's words", "status": 400,
            "endpoint": "token",
        });
        failed(&op.run(&["--transport", transport]), 10, said);
    }
}

#[test]
fn an_expiry_exits_with_11_by_the_error_and_by_the_lifetime() {
    let op = redeem(|_| error("expired_token"));
    failed(
        &op.run(&[]),
        11,
        json!({
            "failure": "expired", "error": "expired_token", "error_description": "in the provider's words", "status": 400,
            "endpoint": "token",
        }),
    );
    let op = Op::start(|path, _| match path {
        "/bc" => Some(acknowledgement(2)),
        "/token" => Some(error("authorization_pending")),
        _ => None,
    });
    failed(&op.run(&[]), 11, json!({ "failure": "expired" }));
}

#[test]
fn a_refusal_exits_with_12_and_keeps_the_error_code() {
    for code in ["unknown_user_id", "invalid_client", "access_denied", "made_up"] {
        let op = authorize(move || error(code));
        let run = op.run(&[]);
        failed(
            &run,
            12,
            json!({
                "failure": "refused", "error": code, "error_description": "in the provider's words", "status": 400,
                "endpoint": "backchannel_authentication",
            }),
        );
        assert!(run.sentence().contains(code), "{run:?}");
        assert_eq!(op.count("/bc"), 1, "the person may not be prompted twice");
    }
}

#[test]
fn the_key_id_option_overrides_the_one_in_the_key_file() {
    let folder = Folder::new();
    let key = folder.text("key.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &key]).expect_code(0);
    let op = authorize(|| error("invalid_client"));
    for transport in TRANSPORTS {
        let options =
            op.arguments().into_iter().filter(|text| text != "--client-auth" && text != "none");
        let more = ["--key", &key, "--key-id", "registered", "--transport", transport];
        ciba(options.chain(more.map(str::to_owned))).expect_code(12);
    }
    assert_eq!(op.count("/bc"), 2);
}

/// REQ-DISC-04a
/// OPM-DSC-01
#[test]
fn a_metadata_document_of_another_issuer_exits_with_13() {
    let op = Op::start(|_, _| Some(Say::Json(200, metadata("https://other.example"))));
    for transport in TRANSPORTS {
        let run = op.run(&["--transport", transport]);
        failed(
            &run,
            13,
            json!({
                "failure": "untrusted", "check": "discovery-issuer", "claim": "issuer",
                "found": "https://other.example", "expected": op.issuer,
            }),
        );
        assert!(run.sentence().contains("use --issuer https://other.example"), "{run:?}");
    }
    assert_eq!(op.count("/bc"), 0);
}

#[test]
fn a_token_that_fails_a_check_exits_with_13() {
    let op = redeem(|_| {
        Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer", "id_token": "a.b.c" }))
    });
    failed(&op.run(&[]), 13, json!({ "failure": "untrusted", "check": "token-form" }));
}

#[test]
fn an_unusable_response_exits_with_14() {
    let html = || Say::Raw(200, "text/html", "<html>".to_owned());
    failed(
        &authorize(html).run(&[]),
        14,
        json!({
            "failure": "provider_misbehaved", "status": 200, "endpoint": "backchannel_authentication",
            "cause": "media_type",
        }),
    );
    let op = redeem(|_| Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer" })));
    let run = op.run(&[]);
    failed(
        &run,
        14,
        json!({
            "failure": "provider_misbehaved", "status": 200, "endpoint": "token", "cause": "missing_member",
            "member": "id_token",
        }),
    );
    assert_eq!(op.count("/token"), 1, "after a 200 nothing is asked again");
    assert!(run.sentence().contains("id_token"), "{run:?}");
    let op = Op::start(|_, _| Some(Say::Raw(200, "application/json", "[]".to_owned())));
    failed(
        &op.run(&[]),
        14,
        json!({ "failure": "provider_misbehaved", "status": 200, "endpoint": "discovery", "cause": "not_json" }),
    );
    let op = Op::start(|_, _| Some(Say::Json(302, json!({}))));
    failed(
        &op.run(&[]),
        14,
        json!({ "failure": "provider_misbehaved", "status": 302, "endpoint": "discovery", "cause": "redirect" }),
    );
}

#[test]
fn a_lost_answer_to_the_authentication_request_exits_with_15_and_is_not_repeated() {
    for transport in TRANSPORTS {
        let op = authorize(|| Say::Nothing);
        failed(
            &op.run(&["--transport", transport]),
            15,
            json!({ "failure": "indeterminate", "endpoint": "backchannel_authentication", "cause": "connection_closed" }),
        );
        assert_eq!(op.count("/bc"), 1);
    }
}

#[test]
fn an_ambiguous_answer_is_not_reported_as_lost() {
    let run = authorize(|| Say::Json(500, json!({}))).run(&[]);
    failed(
        &run,
        15,
        json!({ "failure": "indeterminate", "status": 500, "endpoint": "backchannel_authentication" }),
    );
    assert!(
        run.sentence().contains("does not tell whether the person was prompted (status 500)"),
        "{run:?}"
    );
}

#[test]
fn text_output_announces_no_request_after_the_deadline() {
    let op = Op::start(|path, _| match path {
        "/bc" => Some(Say::Json(
            200,
            json!({ "auth_req_id": "r".repeat(32), "expires_in": 2, "interval": 2 }),
        )),
        "/token" => Some(error("authorization_pending")),
        _ => None,
    });
    let run = ciba(
        op.arguments()
            .into_iter()
            .filter(|text| text != "--output" && text != "json")
            .chain(["-v".to_owned()]),
    );
    let run = run.expect_code(11);
    let announced = |line: &str| {
        let (_, rest) = line.split_once("next request in ")?;
        let (next, rest) = rest.split_once(" s, ")?;
        let (left, _) = rest.split_once(" s left")?;
        Some((next.parse::<u64>().ok()?, left.parse::<u64>().ok()?))
    };
    for (next, left) in run.stderr.lines().filter_map(announced) {
        assert!(next < left, "{run:?}");
    }
    assert!(run.stderr.contains(" s left)"), "{run:?}");
}

#[test]
fn a_provider_that_is_down_exits_with_16() {
    for transport in TRANSPORTS {
        let down = support::arguments("http://127.0.0.1:1");
        let run = ciba(down.into_iter().chain(["--transport".into(), transport.into()]));
        failed(
            &run,
            16,
            json!({ "failure": "unreachable", "endpoint": "discovery", "cause": "connection_refused" }),
        );
    }
    let op = Op::start(|_, _| Some(Say::Json(503, json!({}))));
    failed(
        &op.run(&[]),
        16,
        json!({ "failure": "unreachable", "status": 503, "endpoint": "discovery" }),
    );
}

#[test]
fn a_timeout_of_the_caller_exits_with_17() {
    for transport in TRANSPORTS {
        let op = redeem(|_| error("authorization_pending"));
        let begun = Instant::now();
        let run = op.run(&["--timeout", "1", "--transport", transport]);
        failed(&run, 17, json!({ "failure": "abandoned" }));
        let said = "ciba: --timeout was over while waiting for the person, who may still be prompted and may still approve";
        assert_eq!(run.sentence(), said);
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_timeout_does_not_wait_for_a_provider_that_is_silent() {
    for transport in TRANSPORTS {
        let op = authorize(|| Say::Silence(Duration::from_secs(20)));
        let begun = Instant::now();
        failed(
            &op.run(&["--timeout", "1", "--transport", transport]),
            17,
            json!({ "failure": "abandoned" }),
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

/// Starts a run and waits until the flow is pending.
fn pending(op: &Op, more: &[&str]) -> std::process::Child {
    let child = command().args(op.arguments()).args(more).spawn().unwrap();
    let begun = Instant::now();
    while op.count("/token") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the token endpoint was never asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    child
}

#[cfg(unix)]
#[test]
fn ctrl_c_without_a_state_file_exits_with_130() {
    for (transport, name) in TRANSPORTS.into_iter().zip(["INT", "TERM"]) {
        let op = redeem(|_| error("authorization_pending"));
        let child = pending(&op, &["--transport", transport]);
        signal(&child, name);
        failed(&ended(child), 130, json!({ "failure": "abandoned" }));
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_with_a_state_file_keeps_the_flow_for_resume() {
    use std::os::unix::fs::PermissionsExt as _;

    for (transport, name) in TRANSPORTS.into_iter().zip(["TERM", "INT"]) {
        let folder = Folder::new();
        let state = folder.text("state");
        let op = redeem(|before| {
            if before < 2 { error("authorization_pending") } else { error("access_denied") }
        });
        let child = pending(&op, &["--state", &state, "--transport", transport]);
        signal(&child, name);
        let run = ended(child).expect_code(130);
        assert!(run.sentence().ends_with(&format!("ciba resume --state {state}")), "{run:?}");
        failed(&run, 130, json!({ "failure": "abandoned", "state": state }));
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(folder.path("")).unwrap().count(),
            1,
            "no temporary file stays behind"
        );

        let run = ciba(["resume", "--state", &state, "--output", "json"]);
        assert_eq!(run.lines()[0]["resumed"], true);
        failed(
            &run,
            10,
            json!({
                "failure": "denied", "error": "access_denied", "error_description": "in the provider's words",
                "status": 400, "endpoint": "token",
            }),
        );
        assert_eq!(op.count("/bc"), 1, "the person may not be prompted twice");
        assert!(!folder.path("state").exists(), "a flow that is over leaves no secrets behind");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_does_not_claim_that_an_unsaved_flow_is_kept() {
    for transport in TRANSPORTS {
        let folder = Folder::new();
        let within = folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let state = folder.text("within/state");
        let op = redeem(move |before| {
            if before == 0 {
                let _ = std::fs::remove_dir_all(&within);
            }
            error("authorization_pending")
        });
        let child = pending(&op, &["--state", &state, "--transport", transport]);
        signal(&child, "INT");
        let run = ended(child).expect_code(130);
        assert!(
            run.stderr.contains("the flow could not be kept") && !run.stderr.contains("resume"),
            "{run:?}"
        );
        assert_eq!(run.last().get("state"), None, "{run:?}");
    }
}

/// A flow that was not gone on with is still there, whatever kept it from that.
#[cfg(unix)]
#[test]
fn a_resume_that_ends_before_its_flow_says_how_to_resume_again() {
    use std::sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    };

    let folder = Folder::new();
    let state = folder.text("state");
    let mood = Arc::new(AtomicU8::new(0));
    let seen = Arc::clone(&mood);
    let op = Op::start(move |path, _| match (path, seen.load(Ordering::Relaxed)) {
        ("/bc", _) => Some(acknowledgement(60)),
        ("/token", _) => Some(error("authorization_pending")),
        (_, 1) => Some(Say::Nothing),
        (_, 2) => Some(Say::Silence(Duration::from_secs(20))),
        _ => None,
    });
    let mut child = pending(&op, &["--state", &state]);
    child.kill().unwrap();
    child.wait().unwrap();
    let how = format!("the flow is kept, continue it with: ciba resume --state {state}\n");
    let resume =
        || command().args(["resume", "--state", &state, "--output", "json"]).spawn().unwrap();

    mood.store(1, Ordering::Relaxed);
    let down = ended(resume()).expect_code(16);
    assert!(down.stderr.ends_with(&how), "{down:?}");

    mood.store(2, Ordering::Relaxed);
    let before = op.seen.lock().unwrap().len();
    let child = resume();
    while op.seen.lock().unwrap().len() == before {
        std::thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let run = ended(child);
    assert!(run.stderr.ends_with(&how), "{run:?}");
    failed(&run, 130, json!({ "failure": "abandoned", "state": state }));

    // `--timeout` gives up for good, wherever it finds the flow.
    let run = ciba(["resume", "--state", &state, "--output", "json", "--timeout", "1"]);
    failed(&run, 17, json!({ "failure": "abandoned" }));
    assert!(!folder.path("state").exists());
}

/// The file holds secrets, so a warning is printed.
#[test]
fn a_state_file_that_cannot_be_removed_is_reported() {
    for transport in TRANSPORTS {
        let folder = Folder::new();
        let (state, place) = (folder.text("state"), folder.path("state"));
        let op = redeem(move |_| {
            std::fs::remove_file(&place).and_then(|()| std::fs::create_dir(&place)).unwrap();
            error("access_denied")
        });
        let run = op.run(&["--state", &state, "--transport", transport]).expect_code(10);
        let told = format!("the state file {state}, which holds secrets, stays");
        assert_eq!(run.stderr.matches(&told).count(), 1, "{run:?}");
    }
}

/// The answer may be the only copy of the tokens.
#[cfg(unix)]
#[test]
fn a_response_in_flight_at_ctrl_c_is_still_used() {
    for transport in TRANSPORTS {
        let op = redeem(|_| {
            std::thread::sleep(Duration::from_millis(700));
            Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer" }))
        });
        let folder = Folder::new();
        let state = folder.text("state");
        let options =
            ["--transport", transport, "--no-openid", "--scope", "payments", "--state", &state];
        let child = pending(&op, &options);
        signal(&child, "INT");
        assert_eq!(ended(child).expect_code(0).last()["event"], "authenticated");
    }
}

#[test]
fn a_flow_that_cannot_be_saved_is_not_started_and_prints_its_last_line() {
    for transport in TRANSPORTS {
        let folder = Folder::new();
        let within = folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let gone = within.clone();
        let op = Op::start(move |path, _| {
            if path != "/bc" {
                let _ = std::fs::remove_dir_all(&gone);
            }
            (path == "/bc").then(|| acknowledgement(60))
        });
        let state = folder.text("within/state");
        let run = op.run(&["--state", &state, "--transport", transport]);
        failed(&run, 2, json!({ "failure": "abandoned" }));
        assert!(run.sentence().contains("cannot be written"), "{run:?}");
        assert_eq!(op.count("/bc"), 0, "no person may be prompted");
    }
}

#[cfg(unix)]
#[test]
fn a_killed_run_can_be_resumed() {
    let folder = Folder::new();
    let state = folder.text("state");
    let op =
        redeem(
            |before| {
                if before < 1 { error("authorization_pending") } else { error("access_denied") }
            },
        );
    let mut child = pending(&op, &["--state", &state]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ciba(["resume", "--state", &state]).code, 10);
    assert_eq!(op.count("/bc"), 1);
}

#[cfg(unix)]
#[test]
fn two_runs_cannot_resume_one_flow() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    let folder = Folder::new();
    let state = folder.text("state");
    let is_decided = Arc::new(AtomicBool::new(false));
    let decided = Arc::clone(&is_decided);
    let op = redeem(move |_| {
        error(if decided.load(Ordering::Relaxed) {
            "access_denied"
        } else {
            "authorization_pending"
        })
    });
    let mut first = pending(&op, &["--state", &state]);
    for second in [ciba(["resume", "--state", &state]), op.run(&["--state", &state])] {
        assert!(second.expect_code(2).sentence().contains("in use by another"));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    is_decided.store(true, Ordering::Relaxed);
    assert_eq!(ciba(["resume", "--state", &state]).code, 10, "a run that was killed holds nothing");
    assert_eq!(op.count("/bc"), 1, "the person may not be prompted twice");
}

#[test]
fn a_saved_flow_resumes_only_with_its_client() {
    let folder = Folder::new();
    let state = folder.text("state");
    let op = redeem(|_| error("authorization_pending"));
    let mut child = pending(&op, &["--state", &state]);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = ciba(["resume", "--state", &state, "--client-id", "another"]).expect_code(2);
    assert!(run.stderr.contains("another issuer or client"), "{run:?}");

    // A setting that is not known would be replaced by a weaker one.
    let saved = std::fs::read_to_string(&state).unwrap();
    for setting in ["id_token_alg", "alg", "signed_request"] {
        let known = format!("\"{setting}\":null");
        assert!(saved.contains(&known), "{saved}");
        std::fs::write(&state, saved.replace(&known, &format!("\"{setting}\":\"ES999\""))).unwrap();
        let run = ciba(["resume", "--state", &state]).expect_code(2);
        assert!(run.sentence().contains("does not hold a saved flow"), "{run:?}");
    }
}

#[test]
fn text_output_is_written_to_standard_error() {
    let op = redeem(|_| error("access_denied"));
    let run = op.run(&["--output", "text"]);
    assert_eq!(run.code, 2, "given twice");
    let options: Vec<String> =
        op.arguments().into_iter().filter(|text| text != "--output" && text != "json").collect();
    let run = ciba(options).expect_code(10);
    assert_eq!(run.stdout, "");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("Starting an authentication at http://127.0.0.1"), "{run:?}");
    assert!(lines[1].contains("60 s to answer"), "{run:?}");
    assert!(lines[2].starts_with("Waiting for the person"), "{run:?}");
    assert_eq!(
        lines[3],
        "ciba: the person refused the authentication: access_denied (in the provider's words)"
    );
    assert_eq!(lines.len(), 4);
}
