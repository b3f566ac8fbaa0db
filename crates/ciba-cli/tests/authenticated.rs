//! A person who says yes: what is told, in both formats, and only after every check passed.

mod support;

use serde_json::{Value, json};
use support::{
    Folder, Op, Say, Signer, acknowledgement, ciba, command, ended, error, metadata, signal,
};

/// A provider whose person approves at the second question, with these claims beside the usual
/// ones.
fn approving(claims: Value) -> Op {
    let signer = Signer::new();
    Op::knowing_itself(move |issuer, path, before| match (path, before) {
        ("/bc", _) => Some(acknowledgement(60)),
        ("/token", 0) => Some(error("authorization_pending")),
        ("/token", _) => Some(signer.tokens(issuer, &claims)),
        ("/jwks", _) => Some(Say::Json(200, signer.key_set())),
        _ => None,
    })
}

const ALG: [&str; 2] = ["--id-token-alg", "ES256"];

#[test]
fn the_last_line_has_the_subject_and_verified_claims_but_no_token() {
    for transport in ["reqwest", "ureq"] {
        let op = approving(json!({}));
        let run = op.run(&[&ALG[..], &["--transport", transport]].concat()).expect_code(0);
        assert_eq!(run.stderr, "");
        let last = run.last();
        assert_eq!(last["event"], "authenticated");
        assert_eq!(last["subject"], "the-person-s-id");
        assert!(
            last["received_at"].as_str() <= last["at"].as_str() && last["received_at"].is_string(),
            "{last}"
        );
        assert_eq!(last["claims"]["name"], "Terne Paulsen");
        assert_eq!(last["claims"]["iss"], op.issuer);
        assert_eq!((&last["scope"], &last["token_type"]), (&json!("openid"), &json!("Bearer")));
        assert_eq!((&last["expires_in"], &last["has_refresh_token"]), (&json!(120), &json!(false)));
        assert!(last.get("access_token").is_none() && last.get("id_token").is_none());
        assert!(!run.stdout.contains("sentinel"));
        let fetched = run.lines().iter().filter(|line| line["endpoint"] == "key_set").count();
        assert_eq!(fetched, 1, "{run:?}");
    }
}

/// A provider with a UserInfo endpoint that gives this answer to the access token.
fn informing(answer: impl Fn() -> Say + Send + Sync + 'static) -> Op {
    let signer = Signer::new();
    Op::knowing_itself(move |issuer, path, _| match path {
        "/.well-known/openid-configuration" => {
            let mut metadata = metadata(issuer);
            metadata["userinfo_endpoint"] = format!("{issuer}/userinfo").into();
            Some(Say::Json(200, metadata))
        }
        "/bc" => Some(acknowledgement(60)),
        "/token" => Some(signer.tokens(issuer, &json!({}))),
        "/jwks" => Some(Say::Json(200, signer.key_set())),
        "/userinfo" => Some(answer()),
        _ => None,
    })
}

/// REQ-TOK-34a
#[test]
fn the_claims_of_the_userinfo_endpoint_follow_the_authentication() {
    let claims = json!({"sub": "the-person-s-id", "email": "terne@example.org"});
    for transport in ["reqwest", "ureq"] {
        let answer = claims.clone();
        let op = informing(move || Say::Json(200, answer.clone()));
        let all = [&ALG[..], &["--userinfo", "--transport", transport]].concat();
        let run = op.run(&all).expect_code(0);
        let last = run.last();
        assert_eq!(
            run.events().split_off(run.events().len() - 3),
            ["authenticated", "requesting", "userinfo"]
        );
        assert_eq!((&last["subject"], &last["signed"]), (&claims["sub"], &json!(false)));
        assert_eq!(last["claims"], claims);
        assert!(run.stderr.is_empty() && !run.stdout.contains("sentinel"), "{run:?}");
        let seen = op.seen.lock().unwrap();
        let asked = seen.iter().find(|seen| seen.path == "/userinfo").expect("it was asked");
        assert!(asked.head.contains("Bearer sentinel-access"), "{}", asked.head);
        drop(seen);

        let arguments = op.arguments().into_iter().map(|word| match word.as_str() {
            "json" => "text".to_owned(),
            _ => word,
        });
        let text = ciba(arguments.chain(all.iter().map(|&word| word.to_owned()))).expect_code(0);
        assert!(
            text.stdout.contains(
                "Claims of the UserInfo endpoint (not signed):\n  email  terne@example.org\n"
            ),
            "{text:?}"
        );
        assert!(text.stdout.ends_with("  sub    the-person-s-id\n"), "{text:?}");
    }
}

/// The person is authenticated whatever the UserInfo endpoint says, and claims about anyone else
/// are not shown.
/// REQ-TOK-34b
#[test]
fn without_claims_of_the_userinfo_endpoint_the_authentication_is_told_and_the_exit_code_is_20() {
    type Answer = fn() -> Say;
    let table: [(Answer, Value, &str); 4] = [
        (
            || Say::Json(200, json!({"sub": "sentinel", "email": "sentinel"})),
            json!({"failure": "untrusted", "check": "expected-subject", "claim": "sub"}),
            "the answer failed the check expected-subject",
        ),
        (
            || Say::Json(200, json!({"email": "sentinel"})),
            json!({"failure": "untrusted", "check": "subject", "claim": "sub", "found": null}),
            "the answer failed the check subject",
        ),
        (
            || Say::Json(403, json!({"error": "insufficient_scope"})),
            json!({"failure": "refused", "status": 403, "endpoint": "userinfo",
                "error": "insufficient_scope"}),
            "the UserInfo endpoint refused the request: insufficient_scope",
        ),
        (
            || Say::Raw(200, "text/html", "<html>".into()),
            json!({"failure": "provider_misbehaved", "cause": "media_type", "status": 200,
                "endpoint": "userinfo"}),
            "the UserInfo endpoint",
        ),
    ];
    for (answer, members, sentence) in table {
        let op = informing(answer);
        let folder = Folder::new();
        let state = folder.text("state");
        let run = op.run(&[&ALG[..], &["--userinfo", "--state", &state]].concat()).expect_code(20);
        let mut last = run.last();
        let last = last.as_object_mut().expect("an object");
        assert!(last.remove("at").is_some());
        assert_eq!(last.remove("event"), Some(json!("userinfo_failed")));
        assert_eq!(Value::Object(last.clone()), members, "{run:?}");
        let said = run.sentence();
        assert!(said.starts_with("ciba: the person was authenticated, but"), "{said}");
        assert!(said.contains(sentence), "{said}");
        assert!(run.events().contains(&"authenticated".to_owned()));
        assert!(!run.stdout.contains("sentinel") && !run.stderr.contains("sentinel"), "{run:?}");
        assert!(!folder.path("state").exists());
    }
}

#[test]
fn nobody_is_prompted_if_the_claims_of_userinfo_cannot_be_requested() {
    let op = approving(json!({}));
    for (more, needle) in [
        (&[][..], "--userinfo cannot be used: the provider does not publish the UserInfo endpoint"),
        (&["--no-openid"], "--userinfo and --no-openid exclude each other"),
        (&["--userinfo-alg", "HS256", "--userinfo-endpoint", "http://127.0.0.1:1/u"], "HMAC"),
    ] {
        let run = op.run(&[&ALG[..], &["--userinfo"], more].concat()).expect_code(2);
        assert!(run.sentence().contains(needle), "{run:?}");
        assert_eq!((run.stdout.as_str(), op.count("/bc")), ("", 0));
    }
}

/// OPM-IDT-27
#[test]
fn claims_and_a_trust_framework_can_be_demanded_whatever_their_values_are() {
    let demanded = ["--expect-present", "txn", "--trust-framework", "au_connectid"];
    let demanded = [&ALG[..], &demanded, &["--acr-rule", "requested-only"]].concat();
    let verified = json!({"verification": {"trust_framework": "au_connectid"}});
    for (claims, check) in [
        (json!({"txn": "t-1", "verified_claims": verified}), None),
        (json!({"verified_claims": verified}), Some("expected-claim")),
        (json!({"txn": "t-1"}), Some("expected-claim")),
        (json!({"txn": "t-1", "verified_claims": verified, "acr": "urn:high"}), Some("acr")),
    ] {
        let run = approving(claims.clone()).run(&demanded);
        assert_eq!(run.code, if check.is_some() { 13 } else { 0 }, "{claims} {run:?}");
        assert_eq!(run.last()["check"].as_str(), check, "{claims}");
    }
}

/// Ruling 25: the last line says whether the person was compared, and `--require-person` demands
/// it.
#[test]
fn the_result_says_whether_the_person_was_compared() {
    let not_compared = json!({"compared": false, "reason": "nothing_to_compare"});
    let run = approving(json!({})).run(&ALG).expect_code(0);
    assert_eq!(run.last()["person"], not_compared);
    let op = approving(json!({}));
    let subject = ["--expect", "sub=the-person-s-id", "--require-person"];
    let run = op.run(&[&ALG[..], &subject].concat()).expect_code(0);
    assert_eq!(run.last()["person"], json!({"compared": true, "by": "subject"}));

    let op = approving(json!({}));
    let run = op.run(&[&ALG[..], &["--require-person"]].concat()).expect_code(2);
    assert!(run.sentence().contains("the person must be compared"), "{run:?}");
    assert_eq!((run.stdout.as_str(), op.count("/bc")), ("", 0));

    let idura = ["--provider", "idura", "--acr-values", "urn:grn:authn:se:frejaid"];
    let named = |claims: Value, more: &[&str]| {
        let op = approving(claims);
        let mut arguments = op.arguments();
        for argument in &mut arguments {
            if argument == "the-person" {
                *argument = "sub:ssn:196802020575".into();
            }
        }
        let more = [&ALG[..], &idura, more].concat();
        ciba(arguments.into_iter().chain(more.into_iter().map(str::to_owned)))
    };
    let silent = named(json!({}), &[]).expect_code(0).last();
    assert_eq!(silent["person"], json!({"compared": false, "reason": "not_in_token"}));
    let same = named(json!({"ssn": "19680202-0575"}), &["--require-person"]).expect_code(0).last();
    assert_eq!(same["person"], json!({"compared": true, "by": "national_id"}));
    for (claims, more) in
        [(json!({}), &["--require-person"][..]), (json!({"socialno": "01010750160"}), &[])]
    {
        let run = named(claims, more).expect_code(13);
        assert_eq!(run.last()["check"], "another-person");
        assert!(!run.stderr.contains("0575") && !run.stdout.contains("0575"), "{run:?}");
    }
    for more in [&["--no-openid"][..], &["--no-openid", "--require-person"]] {
        let run = named(json!({}), more).expect_code(2);
        assert_eq!(run.stdout, "");
    }
}

/// Ruling 41: what was granted is shown, and what was not; `--require-granted` makes a difference a
/// failure.
#[test]
fn values_that_were_requested_but_not_granted_are_reported() {
    const ASKED: &str = r#"[{"type":"payment","amount":"129.00"}]"#;
    let granting = |members: Value| {
        let signer = Signer::new();
        Op::knowing_itself(move |issuer, path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => {
                let Say::Json(status, mut tokens) = signer.tokens(issuer, &json!({})) else {
                    return None;
                };
                for (name, value) in members.as_object().expect("an object") {
                    tokens[name] = value.clone();
                }
                Some(Say::Json(status, tokens))
            }
            "/jwks" => Some(Say::Json(200, signer.key_set())),
            _ => None,
        })
    };
    let asking =
        ["--scope", "email", "--authorization-details", ASKED, "--resource", "https://api.example"];
    let all = [&ALG[..], &asking].concat();
    let same = json!({"authorization_details": [{"amount": "129.00", "type": "payment", "id": 7}], "resource": "https://api.example"});
    let other = json!({"authorization_details": [{"type": "payment", "amount": "1.00"}], "scope": "openid"});
    for (members, not_granted) in [
        (same, None),
        (
            json!({}),
            Some(
                json!({"authorization_details": [{"type": "payment", "amount": "129.00"}], "resources": ["https://api.example"]}),
            ),
        ),
        (
            other,
            Some(json!({
                "scope": ["email"], "authorization_details": [{"type": "payment", "amount": "129.00"}],
                "resources": ["https://api.example"], "not_asked_for": [{"type": "payment", "amount": "1.00"}],
            })),
        ),
    ] {
        let op = granting(members.clone());
        let last = op.run(&all).expect_code(0).last();
        assert_eq!(last.get("not_granted"), not_granted.as_ref(), "{last}");
        assert_eq!(
            last["granted"].get("authorization_details"),
            members.get("authorization_details"),
            "{last}"
        );
        let code = if not_granted.is_some() { 13 } else { 0 };
        let run = op.run(&[&all[..], &["--require-granted"]].concat()).expect_code(code);
        assert_eq!(
            run.last().get("check"),
            not_granted.is_some().then(|| json!("not-granted")).as_ref()
        );
        let options =
            op.arguments().into_iter().filter(|text| text != "--output" && text != "json");
        let run = ciba(options.chain(all.iter().map(|&text| text.to_owned()))).expect_code(0);
        assert!(run.stdout.contains("\nGranted: scope openid"), "{run:?}");
        assert_eq!(
            run.stdout.contains("Asked for and not granted: authorization_details {"),
            not_granted.is_some(),
            "{run:?}"
        );
    }
}

#[test]
fn text_output_prints_sanitized_claims_on_standard_output() {
    let op = approving(json!({ "name": "Terne\u{1b}[31m\nPaulsen" }));
    let options = op.arguments().into_iter().filter(|text| text != "--output" && text != "json");
    let run = ciba(options.chain(ALG.map(str::to_owned))).expect_code(0);
    assert!(run.stdout.starts_with("Authenticated: the-person-s-id\n"), "{run:?}");
    assert!(run.stdout.contains("The person was not compared: "), "{run:?}");
    assert!(run.stdout.contains("\nReceived at 20"), "{run:?}");
    assert!(run.stdout.contains("  Terne [31m Paulsen\n"), "{run:?}");
    assert!(run.stdout.contains("--show-tokens") && !run.stdout.contains("sentinel"));
    let op = approving(json!({}));
    let options = op.arguments().into_iter().filter(|text| text != "--output" && text != "json");
    let run =
        ciba(options.chain(ALG.map(str::to_owned)).chain(["--show-tokens".into()])).expect_code(0);
    assert!(run.stdout.contains("sentinel-access"));
}

#[test]
fn an_unmet_expectation_is_reported_by_its_name() {
    for (expect, claims, check) in [
        ("sub=somebody-else", json!({}), "expected-subject"),
        ("country=SE", json!({ "country": "NO" }), "expected-claim"),
        ("country=SE", json!({}), "expected-claim"),
    ] {
        let run =
            approving(claims).run(&[&ALG[..], &["--expect", expect]].concat()).expect_code(13);
        assert_eq!(run.last()["check"], check);
        assert!(run.sentence().contains(&format!("(check {check})")), "{run:?}");
    }
    approving(json!({ "country": "SE" }))
        .run(&[&ALG[..], &["--expect", "country=SE"]].concat())
        .expect_code(0);
}

#[test]
fn a_token_of_another_issuer_client_or_algorithm_exits_with_13() {
    for (claims, check) in [
        (json!({ "iss": "https://other.example" }), "issuer"),
        (json!({ "aud": "another-client" }), "audience"),
        (json!({ "exp": 1 }), "expiry"),
    ] {
        assert_eq!(approving(claims).run(&ALG).expect_code(13).last()["check"], check);
    }
    assert_eq!(approving(json!({})).run(&[]).expect_code(13).last()["check"], "algorithm");
}

/// A pipe nobody reads any more.
fn broken_pipe() -> std::process::Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn an_outcome_that_could_not_be_printed_is_kept_and_printed_by_resume() {
    for (transport, format) in [("reqwest", "json"), ("ureq", "text")] {
        let folder = Folder::new();
        let state = folder.text("state");
        let op = approving(json!({}));
        let options = || {
            op.arguments()
                .into_iter()
                .filter(|text| text != "json")
                .map(|text| text.replace("--output", &format!("--output={format}")))
        };
        let run = |more: &[&str]| {
            let mut command = command();
            ended(
                command
                    .args(options())
                    .args(ALG)
                    .args(["--transport", transport])
                    .args(more)
                    .stdout(broken_pipe())
                    .spawn()
                    .unwrap(),
            )
        };
        let unsaved = run(&[]).expect_code(1);
        assert!(unsaved.stderr.contains("standard output cannot be written"), "{unsaved:?}");

        let op_asked = op.count("/token");
        let unheard = run(&["--state", &state]).expect_code(1);
        assert!(unheard.stderr.contains(&format!("ciba resume --state {state}")), "{unheard:?}");
        let asked = op.count("/token");
        assert!(asked > op_asked);
        let again =
            ciba(["resume", "--state", &state, "--output", "json", "--show-tokens"]).expect_code(0);
        assert_eq!(again.last()["access_token"], "sentinel-access");
        assert_eq!(op.count("/token"), asked, "tokens are given once");
        assert!(!folder.path("state").exists());
    }
}

#[cfg(unix)]
/// Starts at this provider, is interrupted while it waits for the person, and resumes.
fn resumed(op: &Op, state: &str, more: &[&str]) -> support::Ended {
    let mut arguments = op.arguments();
    if more.contains(&"idura") {
        // The hint that names somebody by number.
        arguments
            .iter_mut()
            .filter(|text| *text == "the-person")
            .for_each(|text| *text = "sub:ssn:196802020575".into());
    }
    let child =
        command().args(arguments).args(ALG).args(more).args(["--state", state]).spawn().unwrap();
    while op.count("/token") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    signal(&child, "INT");
    ended(child).expect_code(130);
    ciba(["resume", "--state", state, "--output", "json"])
}

#[test]
fn an_interrupted_flow_ends_with_the_same_person() {
    let folder = Folder::new();
    let state = folder.text("state");
    let op = approving(json!({}));
    let run = resumed(&op, &state, &[]).expect_code(0);
    assert_eq!(run.last()["subject"], "the-person-s-id");
    assert_eq!(op.count("/bc"), 1, "the person may not be prompted twice");
    assert!(!folder.path("state").exists());
}

/// What a flow is held to is saved with it: the person who was named, and what was asked for.
#[test]
fn an_interrupted_flow_keeps_its_expectations() {
    let folder = Folder::new();
    let idura = ["--provider", "idura", "--acr-values", "urn:grn:authn:se:frejaid"];
    for (at, (claims, more, check)) in [
        (json!({"ssn": "197802031111"}), &idura[..], "another-person"),
        (json!({"authenticationtype": "urn:grn:authn:no:bankid"}), &idura[..], "another-eid"),
        (json!({}), &[&idura[..], &["--require-person"]].concat()[..], "another-person"),
        (json!({}), &["--resource", "https://api.example", "--require-granted"][..], "not-granted"),
    ]
    .into_iter()
    .enumerate()
    {
        let run =
            resumed(&approving(claims), &folder.text(&format!("state{at}")), more).expect_code(13);
        assert_eq!(run.last()["check"], check, "{run:?}");
    }
    let op = approving(json!({"ssn": "6802020575"}));
    let run = resumed(&op, &folder.text("same"), &idura).expect_code(0);
    assert_eq!(run.last()["person"], json!({"compared": true, "by": "national_id"}));
}

/// The options of the library are options of the command, and go with a saved flow.
#[test]
fn each_deviation_of_a_provider_has_an_option_of_the_command() {
    for (claims, options, check) in [
        (
            json!({"aud": ["the-client", "other"], "azp": "the-client"}),
            &["--trusted-audience", "other"][..],
            "extra-audience",
        ),
        (json!({"acr": "1"}), &["--acr-rule", "report"], "acr"),
    ] {
        let asked: &[&str] = if check == "acr" { &["--acr-values", "gold"] } else { &[] };
        let op = approving(claims.clone());
        let base = [&ALG[..], asked].concat();
        assert_eq!(op.run(&base).expect_code(13).last()["check"], check);
        approving(claims).run(&[&base[..], options].concat()).expect_code(0);
    }
    let op = approving(json!({}));
    let more = [
        "--header",
        "X-Gateway=sentinel-key",
        "--body-client-id",
        "--clock-skew",
        "0",
        "--scope-lists",
    ];
    let run = op.run(&[&ALG[..], &more].concat()).expect_code(0);
    assert!(!run.stdout.contains("sentinel") && !run.stderr.contains("sentinel"), "{run:?}");
    for seen in op.seen.lock().unwrap().iter() {
        assert!(
            seen.head.to_ascii_lowercase().contains("\r\nx-gateway: sentinel-key\r\n"),
            "{}",
            seen.head
        );
    }
}
