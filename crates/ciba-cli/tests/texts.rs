//! Texts on their way in, past the command line, and on their way out, past what would steer a
//! terminal.

mod support;

use std::{io::Write as _, process::Stdio};

use ciba_core::text::is_plain;
use serde_json::{Value, json};
use support::{
    Ended, Folder, Op, Say, Signer, acknowledgement, base64url, ciba, command, ended, error,
    metadata,
};

/// A provider that refuses every authentication request.
fn refusing() -> Op {
    Op::knowing_itself(|issuer, path, _| match path {
        "/bc" => Some(error("unknown_user_id")),
        "/.well-known/openid-configuration" => {
            let mut metadata = metadata(issuer);
            metadata["backchannel_user_code_parameter_supported"] = true.into();
            Some(Say::Json(200, metadata))
        }
        _ => None,
    })
}

/// `authenticate` with these options in place of the usual hint, and this on standard input.
fn run(op: &Op, options: &[&str], input: Option<&[u8]>) -> Ended {
    let mut arguments = op.arguments();
    let at = arguments.iter().position(|word| word == "--login-hint").unwrap();
    arguments.drain(at..at + 2);
    let mut command = command();
    command.args(arguments).args(options).stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command.spawn().unwrap();
    if let Some(input) = input {
        child.stdin.take().unwrap().write_all(input).unwrap();
    }
    ended(child)
}

/// The forms of the authentication requests that came.
fn forms(op: &Op) -> Vec<String> {
    op.seen
        .lock()
        .unwrap()
        .iter()
        .filter(|seen| seen.path == "/bc")
        .map(|seen| seen.body.clone())
        .collect()
}

#[test]
fn the_hint_can_come_from_a_file_or_standard_input() {
    let folder = Folder::new();
    let table = [
        ("--login-hint", "login_hint", "sub:ssn:196802020575", &[][..]),
        ("--login-hint-token", "login_hint_token", "a-token-of-the-person", &[]),
        ("--id-token-hint", "id_token_hint", "an ID Token of the provider", &[]),
        ("--user-code", "user_code", "code-4711", &["--login-hint", "anna"]),
        (
            "--authorization-details",
            "authorization_details",
            r#"[{"type":"payment"}]"#,
            &["--login-hint", "anna"],
        ),
    ];
    for (option, parameter, text, more) in table {
        let op = refusing();
        let claims = json!({ "iss": op.issuer, "aud": "the-client", "sub": "anna" }).to_string();
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{}.AAAA", base64url(claims.as_bytes()));
        let text = if parameter == "id_token_hint" { token.as_str() } else { text };
        let file = folder.write("text", &format!("\u{feff}{text}\r\n"));
        let from_file = format!("@{file}");
        run(&op, &[&[option, &from_file], more].concat(), None).expect_code(12);
        run(&op, &[&[option, "-"], more].concat(), Some(format!("{text}\n").as_bytes()))
            .expect_code(12);
        run(&op, &[&[option, text], more].concat(), None).expect_code(12);
        let expected = ciba_test_op::Incoming::post("/", [(parameter, text)]);
        let expected = std::str::from_utf8(expected.body.expose()).unwrap();
        let forms = forms(&op);
        assert_eq!(forms.len(), 3);
        for form in forms {
            let found = form
                .split('&')
                .find(|pair| pair.starts_with(&format!("{parameter}=")))
                .unwrap_or_default();
            let same = found.replace("%20", "+").eq_ignore_ascii_case(expected);
            assert!(same, "{option}: {found} is not {expected}");
        }
    }
}

#[test]
fn a_value_with_a_leading_at_sign_is_escaped_by_doubling_it() {
    let op = refusing();
    run(&op, &["--login-hint", "@@anna"], None).expect_code(12);
    assert!(forms(&op)[0].contains("login_hint=%40anna"), "{:?}", forms(&op));
}

#[test]
fn an_unreadable_value_is_a_usage_error_and_is_not_repeated() {
    let folder = Folder::new();
    let (empty, secret) = (folder.write("empty", " \r\n"), folder.text("secret"));
    std::fs::write(&secret, b"\xffa secret").unwrap();
    let op = refusing();
    for (options, input, needle) in [
        (&["--login-hint", "@/no/such/file"][..], None, "--login-hint"),
        (&["--login-hint", &format!("@{empty}")], None, "it is empty"),
        (&["--login-hint", &format!("@{secret}")], None, "not UTF-8"),
        (&["--login-hint", "-"], Some(&b""[..]), "standard input: it is empty"),
        (&["--login-hint", "-", "--user-code", "-"], Some(b"anna"), "only one option"),
    ] {
        let run = run(&op, options, input).expect_code(2);
        assert!(run.sentence().contains(needle) && !run.stderr.contains("a secret"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    assert!(forms(&op).is_empty());
}

/// It is a secret, as a key is; the hints are none.
#[cfg(unix)]
#[test]
fn a_user_code_that_others_can_change_is_not_sent() {
    let folder = Folder::new();
    let code = format!("@{}", folder.write("code", "4711"));
    let op = refusing();
    for (mode, exit, told) in
        [(0o600, 12, ""), (0o640, 12, "can be read by others"), (0o620, 2, "others can change it")]
    {
        folder.protect("code", mode);
        let run = run(&op, &["--login-hint", "anna", "--user-code", &code], None).expect_code(exit);
        assert!(run.stderr.contains(told), "{mode:o}: {run:?}");
    }
    assert_eq!(forms(&op).len(), 2);
}

/// REQ-AERR-15
#[test]
fn text_of_other_parties_reaches_the_terminal_without_control_or_invisible_characters() {
    let hidden = "x\u{61c}\u{200b}\u{202e}\u{2028}\u{feff}\u{e0041}\u{e000}\u{9b}y";
    let signer = Signer::new();
    let keys = signer.key_set();
    let op = Op::knowing_itself(move |issuer, path, before| match (path, before) {
        ("/jwks", _) => Some(Say::Json(200, keys.clone())),
        ("/bc", _) => Some(acknowledgement(60)),
        ("/token", 0) => Some(Say::Json(
            400,
            json!({ "error": "authorization_pending", "error_description": hidden }),
        )),
        ("/token", _) => {
            Some(signer.tokens(issuer, &json!({ "name": hidden, "extra": { "deep": [hidden] } })))
        }
        _ => None,
    });
    for format in ["text", "json"] {
        let mut arguments = op.arguments();
        arguments.retain(|word| !["--output", "json"].contains(&word.as_str()));
        let more = ["--id-token-alg", "ES256", "-v", "--output", format].map(str::to_owned);
        let run = ciba(arguments.into_iter().chain(more)).expect_code(0);
        for shown in [&run.stdout, &run.stderr] {
            let strange: Vec<char> =
                shown.chars().filter(|c| *c != '\n' && !is_plain(*c)).collect();
            assert!(strange.is_empty(), "{format}: {strange:?} in {shown:?}");
        }
        if format == "json" {
            assert_eq!(
                run.last()["claims"]["name"],
                hidden,
                "it is escaped, and what it was: {run:?}"
            );
        }
    }
}

#[test]
fn events_are_printed_one_per_line_in_order_with_the_provider_s_values() {
    let op = Op::start(|path, before| match (path, before) {
        ("/bc", _) => Some(Say::Json(
            200,
            json!({
                "auth_req_id": "0123456789abcdefghijklmnop", "expires_in": 60, "interval": 1,
                "bindingMessage": "RED \u{9b}31mPANDA\u{7f}\u{85}",
            }),
        )),
        ("/token", 0) => Some(Say::Json(
            400,
            json!({
                "error": "authorization_pending", "error_description": "open the\u{1b}[2J app",
            }),
        )),
        ("/token", _) => Some(error("access_denied")),
        _ => None,
    });
    let run = op.run(&[]);
    assert!(
        !run.stdout.chars().any(|c| c.is_control() && c != '\n'),
        "a terminal could take it for a command: {run:?}"
    );
    let lines = run.lines();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "started",
            "requesting",
            "requesting",
            "acknowledged",
            "requesting",
            "waiting",
            "requesting",
            "waiting",
            "requesting",
            "failed"
        ]
    );
    let endpoints: Vec<&Value> =
        lines.iter().map(|line| &line["endpoint"]).filter(|value| !value.is_null()).collect();
    assert_eq!(
        endpoints,
        ["discovery", "backchannel_authentication", "key_set", "token", "token", "token"]
    );
    assert_eq!(lines[3]["expires_in"], 60);
    assert_eq!(lines[3]["interval"], 1);
    assert_eq!(lines[3]["extra"], json!({ "bindingMessage": "RED \u{9b}31mPANDA\u{7f}\u{85}" }));
    assert_eq!(lines[5]["because"], "interval");
    assert_eq!(lines[7]["progress"], "open the [2J app");
    assert_eq!(lines[8]["attempt"], 2);
    for line in &lines {
        let at = line["at"].as_str().unwrap();
        assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    }
}

#[test]
fn discovery_prints_no_control_characters() {
    let op = Op::knowing_itself(|issuer, _, _| {
        let mut metadata = metadata(issuer);
        metadata["scopes_supported"] = json!(["a\u{9b}31m\u{7f}"]);
        Some(Say::Json(200, metadata))
    });
    for format in ["text", "json"] {
        let run = ciba(["discover", &op.issuer, "--allow-http-loopback", "--output", format])
            .expect_code(0);
        assert!(!run.stdout.chars().any(|c| c.is_control() && c != '\n'), "{run:?}");
    }
}
