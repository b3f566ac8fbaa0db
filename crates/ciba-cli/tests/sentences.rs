//! What the command says in each situation that goes wrong, in one file that a person can read from
//! top to bottom.
//!
//! `sentences.txt` is compared with what is said today. Whoever changes a sentence on purpose
//! writes the file anew with `CIBA_BLESS=1 cargo test -p ciba-cli --test sentences` and reads the
//! difference.
#![allow(missing_docs)]

#[path = "sentences/answers.rs"]
mod answers;
#[path = "sentences/before.rs"]
mod before;
#[path = "sentences/case.rs"]
mod case;
#[path = "sentences/stopped.rs"]
mod stopped;
mod support;
#[path = "sentences/tls.rs"]
mod tls;
#[path = "sentences/tokens.rs"]
mod tokens;

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use case::Case;

const HEAD: &str = "\
What the `ciba` command says when something goes wrong.

Each situation: its title, the command line, how the command ended, its standard error, and of its last JSON line what tells
why. Left out of the command lines are --output json, --issuer, --allow-http-loopback, --client-id the-client,
--login-hint the-person and, where nothing else proves who the client is, --client-auth none. OP is the provider's address,
DIR a folder of the test, PORT, TIME, NUMBER and KID are what they say.

Written by `CIBA_BLESS=1 cargo test -p ciba-cli --test sentences`.
";

/// REQ-META-11a
#[test]
fn all_printed_sentences_match_the_committed_file() {
    let sections: Vec<(&str, Vec<Case>)> =
        [before::sections(), answers::sections(), tokens::sections(), stopped::sections()]
            .into_iter()
            .flatten()
            .collect();
    let cases: Vec<&Case> = sections.iter().flat_map(|(_, cases)| cases).collect();
    let (next, texts) = (AtomicUsize::new(0), Mutex::new(vec![String::new(); cases.len()]));
    // Most of the time each waits for something.
    thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(at) else { return };
                    let text = case.text();
                    texts.lock().unwrap()[at] = text;
                }
            });
        }
    });
    let mut texts = texts.into_inner().unwrap().into_iter();
    let mut said = HEAD.to_owned();
    for (title, cases) in &sections {
        let _ = write!(said, "\n\n=== {title} ===\n");
        for text in texts.by_ref().take(cases.len()) {
            let _ = write!(said, "\n{text}");
        }
    }
    // What a command line holds itself is no secret in the file.
    let lines = || said.lines().filter(|line| !line.starts_with("$ "));
    for secret in ["sentinel", "BEGIN ", "0123456789abcdefghijklmnop", "the-person-s-id", "user:pw"]
    {
        let found: Vec<&str> = lines().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{secret} is repeated: {found:#?}");
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sentences.txt");
    if std::env::var_os("CIBA_BLESS").is_some() {
        return fs::write(&path, said).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differences: Vec<String> = situations(&said)
        .filter(|text| !situations(&kept).any(|old| old == *text))
        .map(|text| format!("now:\n{text}"))
        .chain(
            situations(&kept)
                .filter(|text| !situations(&said).any(|new| new == *text))
                .map(|text| format!("in the file:\n{text}")),
        )
        .collect();
    assert!(
        said == kept,
        "sentences changed; if they are meant so, CIBA_BLESS=1 writes {}\n\n{}",
        path.display(),
        differences.join("\n\n")
    );
}

fn situations(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
}
