//! A state file that cannot be written any more: what stops for it, and what does not.
#![cfg(unix)]
#![allow(missing_docs)]

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use support::{Folder, Op, Say, acknowledgement, ciba, command, ended, error};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

/// A try that left nothing does not make the store less needed, nor does a flow that comes from it.
#[test]
fn an_unsent_request_is_not_sent_once_its_state_cannot_be_saved() {
    for (transport, is_resumed) in
        TRANSPORTS.into_iter().flat_map(|transport| [(transport, false), (transport, true)])
    {
        let folder = Folder::new();
        let within = folder.path("within");
        std::fs::create_dir(&within).unwrap();
        let state = folder.text("within/state");
        let op = Op::start(|_, _| None);
        let closed = support::Port::new();
        let endpoint = format!("http://{closed}/bc");
        let more =
            ["--state", &state, "--transport", transport, "--backchannel-endpoint", &endpoint];
        let start = || command().args(op.arguments()).args(more).spawn().unwrap();
        let tried = |attempt: u32| {
            let begun = std::time::Instant::now();
            let is_noted = |text: String| {
                text.contains(&format!("\"attempt\":{attempt},"))
                    && text.contains("\"in_flight\":false")
            };
            while !std::fs::read_to_string(&state).is_ok_and(is_noted) {
                assert!(
                    begun.elapsed() < Duration::from_secs(20),
                    "{:?}",
                    std::fs::read_to_string(&state)
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let mut child = start();
        tried(1);
        if is_resumed {
            child.kill().unwrap();
            child.wait().unwrap();
            child =
                command().args(["resume", "--state", &state, "--output", "json"]).spawn().unwrap();
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

/// A run at a folder that goes away, so that one save of its login fails, or every one from there
/// on.
///
/// The saves of a login count from one: before the authentication request, and then after each
/// answer and before the next request.
#[derive(Debug, Clone, Copy)]
struct Case {
    transport: &'static str,
    fails_at: usize,
    /// It comes back as soon as the save has failed.
    is_mended: bool,
    /// The process is killed when this request arrives, of those that are counted from one; its
    /// answer is lost.
    killed_at: Option<usize>,
}

/// The folder of the state file.
struct Place {
    folder: Folder,
    is_away: Mutex<bool>,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("within")).unwrap();
        Self { folder, is_away: Mutex::new(false) }
    }

    fn goes(&self, away: bool) {
        let mut is_away = self.is_away.lock().unwrap();
        if *is_away != away {
            let (from, to) = if away { ("within", "away") } else { ("away", "within") };
            std::fs::rename(self.folder.path(from), self.folder.path(to)).unwrap();
            *is_away = away;
        }
    }

    fn state(&self) -> String {
        self.folder.text("within/state")
    }

    fn kept(&self) -> String {
        std::fs::read_to_string(self.state()).unwrap_or_default()
    }
}

/// Runs a case and says what is wrong with it.
fn wrong(case: Case) -> Option<String> {
    let place = Arc::new(Place::new());
    let child = Arc::new(Mutex::new(None::<Child>));
    let counted = Arc::new(Mutex::new(0));
    let (at, victim) = (Arc::clone(&place), Arc::clone(&child));
    let op = Op::start(move |path, before| {
        if path.ends_with("openid-configuration") && case.fails_at == 1 {
            at.goes(true);
        }
        let said = match (path, before) {
            ("/bc", _) => acknowledgement(60),
            ("/token", 0) => error("authorization_pending"),
            ("/token", 1) => Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer" })),
            ("/token", _) => error("invalid_grant"),
            _ => return None,
        };
        let mut number = counted.lock().unwrap();
        *number += 1;
        if case.fails_at == 2 * *number {
            at.goes(true);
        }
        if case.killed_at == Some(*number) {
            let _ = victim.lock().unwrap().as_mut().map(Child::kill);
            return Some(Say::Nothing);
        }
        Some(said)
    });
    let state = place.state();
    let more =
        ["--state", &state, "--transport", case.transport, "--no-openid", "--scope", "payments"];
    let mut started = command().args(op.arguments()).args(more).spawn().unwrap();
    let stderr = started.stderr.take().unwrap();
    let mut stdout = started.stdout.take().unwrap();
    *child.lock().unwrap() = Some(started);
    let told = Arc::clone(&place);
    let warned = std::thread::spawn(move || {
        let mut warnings = 0;
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if line.contains("cannot be written any more") {
                warnings += 1;
                if case.is_mended {
                    told.goes(false);
                }
            }
        }
        warnings
    });
    // The save after an answer has landed, and the next one comes an interval later.
    let landed = |text: &str, answers: usize| {
        let requests = format!("\"requests\":{},", answers - 1);
        text.contains("\"pending\":")
            && text.contains(&requests)
            && text.contains("\"in_flight\":false")
    };
    let mut is_awaited = case.fails_at > 1 && case.fails_at % 2 == 1;
    let code = loop {
        if is_awaited && landed(&place.kept(), case.fails_at / 2) {
            place.goes(true);
            is_awaited = false;
        }
        if let Some(status) = child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
            break status.code();
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    let mut lines = String::new();
    stdout.read_to_string(&mut lines).unwrap();
    let (warnings, last) =
        (warned.join().unwrap(), lines.lines().last().unwrap_or_default().to_owned());
    let exchanges = |bc, token| (op.count("/bc"), op.count("/token")) == (bc, token);
    let is_right = match (case.killed_at, case.fails_at) {
        (None, 1) => code == Some(2) && last.contains("abandoned") && exchanges(0, 0),
        (None, _) => {
            // What was away when it was to be removed comes back.
            let is_gone = case.fails_at == 6 || !std::path::Path::new(&state).exists();
            code == Some(0)
                && last.contains("\"authenticated\"")
                && exchanges(1, 2)
                && warnings == 1
                && is_gone
        }
        (Some(_), _) => {
            place.goes(false);
            let (kept, redeemed) = (place.kept(), op.count("/token") == 2);
            let run = ciba(["resume", "--state", &state, "--output", "json"]);
            // What the state file says decides; the tokens may be with the process that was killed.
            let expected = match kept.contains("\"pending\":") {
                true if !redeemed => 0,
                true => 15,
                false => {
                    if kept.contains("\"in_flight\":true") {
                        15
                    } else {
                        -1
                    }
                }
            };
            if run.code != expected || op.count("/bc") != 1 {
                return Some(format!("{case:?}: {run:?} instead of {expected}, from {kept}"));
            }
            code.is_none()
        }
    };
    (!is_right).then(|| {
        format!("{case:?}: {code:?} {last}, {warnings} warnings, {} requests", op.count("/token"))
    })
}

/// Every save of a login fails in turn, or every one from there on, in a process that lives on or
/// is killed.
#[test]
fn a_state_file_that_fails_at_any_save_loses_no_login_and_causes_no_second_prompt() {
    let mut cases = Vec::new();
    for transport in TRANSPORTS {
        for is_mended in [true, false] {
            let case = |fails_at, killed_at| Case { transport, fails_at, is_mended, killed_at };
            cases.extend((1..=6).map(|fails_at| case(fails_at, None)));
            let killed = [(2, 2), (2, 3), (3, 2), (3, 3), (4, 3), (5, 3)];
            cases.extend(killed.map(|(fails_at, killed_at)| case(fails_at, Some(killed_at))));
        }
    }
    // They wait most of the time.
    let wrong: Vec<_> = cases
        .chunks(12)
        .flat_map(|cases| {
            let runs: Vec<_> =
                cases.iter().map(|&case| std::thread::spawn(move || wrong(case))).collect();
            runs.into_iter().filter_map(|run| run.join().unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A limit on the size of files is one more reason why a save fails; by default the system kills
/// for it.
#[test]
fn a_limit_on_the_size_of_files_loses_no_login() {
    for transport in TRANSPORTS {
        let op = Op::start(|path, _| match path {
            "/bc" => {
                let Say::Json(status, mut body) = acknowledgement(60) else { return None };
                body["notes"] = json!("n".repeat(64 * 1024));
                Some(Say::Json(status, body))
            }
            "/token" => {
                Some(Say::Json(200, json!({ "access_token": "a", "token_type": "Bearer" })))
            }
            _ => None,
        });
        let folder = Folder::new();
        let state = folder.text("state");
        // In blocks of 512 or 1024 bytes: enough for what is saved before the acknowledgement.
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "ulimit -f 32; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_ciba")]);
        limited.args(op.arguments()).args([
            "--no-openid",
            "--scope",
            "payments",
            "--state",
            &state,
        ]);
        limited
            .args(["--transport", transport])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let run = ended(limited.spawn().unwrap()).expect_code(0);
        assert_eq!(run.last()["event"], "authenticated", "{run:?}");
        assert!(run.stderr.contains("cannot be written any more"), "{run:?}");
        assert_eq!((op.count("/bc"), op.count("/token")), (1, 1));
    }
}
