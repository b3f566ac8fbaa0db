//! Sentences about flows that are stopped and what is kept of them, and what `--trace` and `-v` show.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use ciba_core::DeliveryMode;
use ciba_test_op::{Bearer, NotificationEdit, Script, faults};
use serde_json::json;

use super::{
    case::Case,
    support::{
        Ended, Folder, Op, Say, Signer, acknowledgement, arguments, command, ended, error, signal,
        wired::Wired,
    },
};

pub(crate) fn sections() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("Signatures and keys that do not fit", keys()),
        ("Tokens that wait for keys", kept()),
        ("Ctrl-C", interrupted()),
        ("--timeout", timeouts()),
        ("Notifications of another kind", notifications()),
        ("What is shown on the way", shown()),
    ]
}

const ES256: &[&str] = &["--id-token-alg", "ES256"];

/// A flow whose tokens are made by one key while the set publishes what `keys` says.
fn signed(case: Case, keys: impl Fn(&Signer) -> Say + Send + Sync + 'static, spoilt: bool) -> Case {
    let signer = Signer::new();
    case.with(move |issuer, path, _| match path {
        "/bc" => Some(acknowledgement(60)),
        "/token" => match signer.tokens(issuer, &json!({})) {
            Say::Json(status, mut tokens) if spoilt => {
                let token = tokens["id_token"].as_str().unwrap_or_default().to_owned();
                let (rest, signature) = token.rsplit_once('.').expect("a signature");
                let first = if signature.starts_with('A') { 'B' } else { 'A' };
                tokens["id_token"] = json!(format!("{rest}.{first}{}", &signature[1..]));
                Some(Say::Json(status, tokens))
            }
            tokens => Some(tokens),
        },
        "/jwks" => Some(keys(&signer)),
        _ => None,
    })
}

fn keys() -> Vec<Case> {
    let authenticate = |title| Case::authenticate(title, ES256);
    // Without the option they are looked for during 120 s.
    let briefly = |title| Case::authenticate(title, &["--id-token-alg", "ES256", "--timeout", "4"]);
    vec![
        signed(
            authenticate("A signature that does not verify"),
            |signer| Say::Json(200, signer.key_set()),
            true,
        ),
        signed(
            briefly("A key that is not published, looked for until --timeout"),
            |_| Say::Json(200, Signer::new().key_set()),
            false,
        ),
        signed(
            briefly("A set without keys, looked at until --timeout"),
            |_| Say::Json(200, json!({"keys": []})),
            false,
        ),
    ]
}

/// A run of the command in a folder, and what is to be replaced in what it said.
fn told(run: Ended, op: &Op, folder: &Folder) -> (Ended, Vec<(String, &'static str)>) {
    (
        run,
        vec![(op.issuer.clone(), "OP"), (folder.text("").trim_end_matches('/').to_owned(), "DIR")],
    )
}

fn kept() -> Vec<Case> {
    let late: &[&str] = &["--id-token-alg", "ES256", "--state", "DIR/state", "--timeout", "4"];
    vec![
        signed(
            Case::authenticate("A key that is not published, with a state file", late),
            |_| Say::Json(200, Signer::new().key_set()),
            false,
        ),
        signed(
            Case::authenticate(
                "--timeout is over while keys are waited for, with a state file",
                late,
            ),
            |_| Say::Json(503, json!({})),
            false,
        ),
        Case::line("And resumed, when the key is published", &["resume", "--state", "DIR/state"])
            .by(|transport| {
                let (folder, signer, asked) = (Folder::new(), Signer::new(), AtomicU32::new(0));
                let state = folder.text("state");
                let op = Op::knowing_itself(move |issuer, path, _| match path {
                    "/bc" => Some(acknowledgement(60)),
                    "/token" => Some(signer.tokens(issuer, &json!({}))),
                    // Ahead of time, when the tokens are there, and once more for a key that is not
                    // known.
                    "/jwks" if asked.fetch_add(1, Ordering::Relaxed) < 2 => {
                        Some(Say::Json(200, Signer::new().key_set()))
                    }
                    "/jwks" => Some(Say::Json(200, signer.key_set())),
                    _ => None,
                });
                let first = command()
                    .args(arguments(&op.issuer))
                    .args(ES256)
                    .args(["--state", &state, "--timeout", "4", "--transport", transport])
                    .spawn();
                let first = ended(first.expect("the command starts"));
                assert_eq!(first.code, 17, "{first:?}");
                let again =
                    command().args(["resume", "--state", &state, "--output", "json"]).spawn();
                told(ended(again.expect("the command starts")), &op, &folder)
            }),
    ]
}

/// Ctrl-C once a request to `path` is under way, or was answered; `twice` presses
/// it a second time.
fn ctrl_c(
    title: &'static str,
    options: &'static [&'static str],
    path: &'static str,
    twice: bool,
) -> Case {
    let words = [&["authenticate", "…"], options].concat();
    Case::line(title, &words).by(move |transport| {
        let folder = Folder::new();
        let signer = Signer::new();
        let op = Op::knowing_itself(move |issuer, asked, _| match asked {
            _ if asked == path && path != "/waiting" => Some(Say::Silence(Duration::from_secs(20))),
            "/bc" => Some(acknowledgement(60)),
            "/token" if path == "/waiting" => Some(error("authorization_pending")),
            "/token" => Some(signer.tokens(issuer, &json!({}))),
            _ => None,
        });
        let options: Vec<String> = options
            .iter()
            .map(|word| word.replace("DIR", folder.text("").trim_end_matches('/')))
            .collect();
        let child = command()
            .args(arguments(&op.issuer))
            .args(ES256)
            .args(options)
            .args(["--transport", transport])
            .spawn();
        let child = child.expect("the command starts");
        let begun = Instant::now();
        let wanted = match path {
            "/waiting" => "/token",
            path => path,
        };
        while op.count(wanted) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{wanted} was never asked for");
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_millis(300));
        signal(&child, "INT");
        if twice {
            thread::sleep(Duration::from_millis(300));
            signal(&child, "INT");
        }
        told(ended(child), &op, &folder)
    })
}

fn interrupted() -> Vec<Case> {
    let state: &[&str] = &["--state", "DIR/state"];
    vec![
        ctrl_c(
            "Ctrl-C while the metadata is waited for",
            &[],
            "/.well-known/openid-configuration",
            false,
        ),
        ctrl_c("Ctrl-C while the authentication request is under way", &[], "/bc", false),
        ctrl_c("Ctrl-C while the person is asked", &[], "/waiting", false),
        ctrl_c("Ctrl-C while the person is asked, with a state file", state, "/waiting", false),
        ctrl_c("Ctrl-C while a token request is under way", &[], "/token", false),
        ctrl_c(
            "Ctrl-C while a token request is under way, with a state file, and once more",
            state,
            "/token",
            true,
        ),
    ]
}

fn timeouts() -> Vec<Case> {
    let with = |title, answer: fn(&str, &str, usize) -> Option<Say>| {
        Case::authenticate(title, &["--id-token-alg", "ES256", "--timeout", "2"]).with(answer)
    };
    vec![
        with("While the metadata is waited for", |_, path, _| {
            path.starts_with("/.well-known/").then_some(Say::Silence(Duration::from_secs(20)))
        }),
        with("While the authentication request is under way", |_, path, _| {
            (path == "/bc").then_some(Say::Silence(Duration::from_secs(20)))
        }),
        with("While a token request is under way", |_, path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => Some(Say::Silence(Duration::from_secs(20))),
            _ => None,
        }),
        signed(
            Case::authenticate(
                "While keys are waited for",
                &["--id-token-alg", "ES256", "--timeout", "4"],
            ),
            |_| Say::Json(503, json!({})),
            false,
        ),
    ]
}

fn notifications() -> Vec<Case> {
    let wired = |title: &'static str,
                 mode: DeliveryMode,
                 script: fn() -> Script,
                 more: &'static [&'static str]| {
        let words =
            [&["authenticate", "…", "--delivery", mode.name(), "--listen", "127.0.0.1:PORT"], more]
                .concat();
        Case::line(title, &words).by(move |_| {
            let op = Wired::start(mode, |client| client);
            op.server.provider().script_for_hint("approve-after:0", script());
            // Two of them wait for another that does not come, the rest end by themselves, on a
            // busy machine late.
            let limit = if title.starts_with("A notification") { "4" } else { "20" };
            let run = op.run("approve-after:0", &[&["--timeout", limit], more].concat());
            (run, vec![(op.server.issuer(), "OP"), (op.folder.text(""), "DIR/")])
        })
    };
    let offline: &[&str] = &["--scope", "openid offline_access"];
    vec![
        wired(
            "A pushed ID Token without the rt_hash of its refresh token",
            DeliveryMode::Push,
            || faults::named("push-no-rt-hash").expect("it is there").script,
            offline,
        ),
        wired(
            "A pushed ID Token with the rt_hash of another refresh token",
            DeliveryMode::Push,
            || faults::named("push-other-rt-hash").expect("it is there").script,
            offline,
        ),
        wired(
            "Tokens for a client that is pinged",
            DeliveryMode::Ping,
            || faults::named("ping-with-tokens").expect("it is there").script,
            &[],
        ),
        wired(
            "A notification with another bearer token",
            DeliveryMode::Push,
            || Script::new().notification(NotificationEdit::Bearer(Bearer::Appended)),
            &[],
        ),
        wired(
            "A notification about another request",
            DeliveryMode::Push,
            || Script::new().notification(NotificationEdit::UnknownId),
            &[],
        ),
    ]
}

fn shown() -> Vec<Case> {
    let text = |title, more: &[&'static str], answer: fn(&str, &str, usize) -> Option<Say>| {
        let fixed = [
            "authenticate",
            "--issuer",
            "OP",
            "--allow-http-loopback",
            "--client-id",
            "the-client",
        ];
        let hint =
            ["--client-auth", "none", "--login-hint", "the-person", "--id-token-alg", "ES256"];
        Case::line(title, &[&fixed[..], &hint, more].concat()).with(answer)
    };
    vec![
        text("slow_down, in words", &["--timeout", "2"], |_, path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => Some(error("slow_down")),
            _ => None,
        }),
        text(
            "A token endpoint that is busy, in words",
            &["--timeout", "2"],
            |_, path, _| match path {
                "/bc" => Some(acknowledgement(60)),
                "/token" => Some(Say::Json(503, json!({}))),
                _ => None,
            },
        ),
        text("--trace", &["--trace", "--binding-message", "W4SCT"], |_, path, before| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" if before == 0 => Some(error("authorization_pending")),
            "/token" => Some(error("access_denied")),
            _ => None,
        }),
        text("--trace, and a page", &["--trace"], |_, path, _| {
            (path == "/bc").then(|| Say::Raw(502, "text/html", "<html>sentinel</html>".into()))
        }),
    ]
}
