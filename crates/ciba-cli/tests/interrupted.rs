//! Ctrl-C while a request is under way: said at once, and over at once where nothing can be kept or
//! on the second one.
#![cfg(unix)]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    time::{Duration, Instant},
};

use support::{Folder, Op, Say, acknowledgement, command, signal};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];
/// Longer than any answer is waited for after Ctrl-C.
const SILENCE: Duration = Duration::from_secs(30);

/// A run whose token request is under way, at a provider that does not answer it.
fn asking(op: &Op, more: &[&str]) -> std::process::Child {
    let child = command().args(op.arguments()).args(more).spawn().unwrap();
    let begun = Instant::now();
    while op.count("/token") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the token endpoint was never asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn silent() -> Op {
    Op::start(|path, _| match path {
        "/bc" => Some(acknowledgement(60)),
        "/token" => Some(Say::Silence(SILENCE)),
        _ => None,
    })
}

#[test]
fn without_a_state_file_the_first_interrupt_ends_the_command() {
    for transport in TRANSPORTS {
        let op = silent();
        let child = asking(&op, &["--transport", transport]);
        let begun = Instant::now();
        signal(&child, "INT");
        let run = support::ended(child).expect_code(130);
        assert!(begun.elapsed() < Duration::from_secs(4), "{run:?}");
        assert_eq!(run.last()["failure"], "abandoned");
    }
}

#[test]
fn with_a_state_file_the_second_interrupt_ends_the_command() {
    for transport in TRANSPORTS {
        let folder = Folder::new();
        let state = folder.text("state");
        let op = silent();
        let mut child = asking(&op, &["--transport", transport, "--state", &state]);
        let begun = Instant::now();
        signal(&child, "INT");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.next().unwrap().unwrap();
        assert!(said.contains("waiting up to 5 s") && said.contains("Ctrl-C again"), "{said}");
        signal(&child, "INT");
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(begun.elapsed() < Duration::from_secs(4), "{rest:?}");
        assert!(
            rest.iter().any(|line| line.ends_with(&format!("ciba resume --state {state}"))),
            "{rest:?}"
        );
        assert!(folder.path("state").exists());
    }
}
