//! A state file that cannot be written any more: what stops for it, and what does not.
#![cfg(unix)]
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Folder, Op, Say, acknowledgement, command, ended, error};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

/// A try that left nothing does not make the store less needed, nor does a flow that comes from it.
#[test]
fn what_was_tried_and_not_sent_does_not_leave_when_it_cannot_be_saved_any_more() {
    for (transport, is_resumed) in TRANSPORTS.into_iter().flat_map(|transport| [(transport, false), (transport, true)])
    {
        let folder = Folder::new();
        let within = folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let state = folder.text("within/state");
        let op = Op::start(|_, _| None);
        let closed = support::Port::new();
        let endpoint = format!("http://{closed}/bc");
        let more = ["--state", &state, "--transport", transport, "--backchannel-endpoint", &endpoint];
        let start = || command().args(op.arguments()).args(more).spawn().unwrap();
        let tried = |attempt: u32| {
            let begun = std::time::Instant::now();
            let is_noted = |text: String| {
                text.contains(&format!("\"attempt\":{attempt},")) && text.contains("\"in_flight\":false")
            };
            while !std::fs::read_to_string(&state).is_ok_and(is_noted) {
                assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", std::fs::read_to_string(&state));
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let mut child = start();
        tried(1);
        if is_resumed {
            child.kill().unwrap();
            child.wait().unwrap();
            child = command().args(["resume", "--state", &state, "--output", "json"]).spawn().unwrap();
            tried(2);
        }
        std::fs::remove_dir_all(&within).unwrap();
        // The provider is back.
        let back = std::net::TcpListener::bind(closed.address()).unwrap();
        back.set_nonblocking(true).unwrap();
        let run = ended(child);
        run.failed(2, &json!({ "failure": "abandoned" }));
        assert!(run.sentence().contains("cannot be written"), "{run:?}");
        assert!(back.accept().is_err(), "{transport}: a request left that was not saved");
    }
}

/// The state file cannot be written while one request of the login is answered, or from then on.
#[test]
fn a_login_is_not_lost_for_a_state_file_that_fails_at_any_time_after_the_prompt() {
    for (transport, fails_at, is_mended) in TRANSPORTS
        .into_iter()
        .flat_map(|transport| (0..=2).flat_map(move |at| [(transport, at, true), (transport, at, false)]))
    {
        let folder = Folder::new();
        let within = folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let state = folder.text("within/state");
        let requests = std::sync::atomic::AtomicUsize::new(0);
        let op = Op::start(move |path, before| {
            let said = match (path, before) {
                ("/bc", _) => acknowledgement(60),
                ("/token", 0) => error("authorization_pending"),
                ("/token", _) => Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer" })),
                _ => return None,
            };
            let number = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if number == fails_at {
                std::fs::remove_dir_all(&within).unwrap();
            } else if number > fails_at && is_mended {
                std::fs::create_dir_all(&within).unwrap();
            }
            Some(said)
        });
        let more = ["--state", &state, "--transport", transport, "--no-openid", "--scope", "payments"];
        let run = op.run(&more).expect_code(0);
        assert_eq!(run.last()["event"], "authenticated", "{run:?}");
        let warnings = run.stderr.matches("cannot be written any more").count();
        assert_eq!(warnings, 1, "{transport} {fails_at} {is_mended}: {run:?}");
        assert_eq!((op.count("/bc"), op.count("/token")), (1, 2));
        assert!(!std::path::Path::new(&state).exists(), "what is over leaves no secrets behind");
    }
}
