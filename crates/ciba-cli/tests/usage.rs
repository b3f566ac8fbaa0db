//! Mistakes of the caller: exit 2, one sentence on standard error, nothing on standard output,
//! nothing sent.

mod support;

use support::{Folder, Op, arguments, ciba, command, ended, error};

/// Every run must fail as usage, and say a sentence that holds `needle` and none of the values
/// given.
#[track_caller]
fn refused(arguments: &[&str], needle: &str) {
    let run = ciba(arguments).expect_code(2);
    assert!(run.sentence().contains(needle), "{:?} lacks {needle:?}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(!run.stderr.contains("sentinel"), "{:?}", run.stderr);
}

#[test]
fn an_invalid_command_line_is_reported_in_one_sentence_without_its_values() {
    refused(&[], "one of demo, op, key, discover, authenticate, resume (see");
    refused(&["key"], "one of new, public (see");
    refused(&["sentinel"], "no such command");
    refused(&["authenticate", "sentinel"], "belongs to no option");
    refused(&["authenticate", "--no-such=sentinel"], "an option that is not known here");
    refused(&["authenticate", "--login-hint-token", "--sentinel"], "is given as --option=VALUE");
    refused(&["authenticate", "--isuer", "sentinel"], "there is --issuer");
    refused(&["authenticate", "--login-hint"], "--login-hint needs a value");
    refused(
        &["authenticate", "--client-auth", "sentinel"],
        "--client-auth takes one of private_key_jwt",
    );
    refused(&["authenticate", "--alg", "sentinel"], "--alg takes one of RS256, RS384");
    refused(&["authenticate", "--timeout", "sentinel"], "whole number of seconds");
    refused(
        &["authenticate", "--timeout", "-1"],
        "--timeout cannot be used: it is a whole number of seconds",
    );
    refused(&["authenticate", "--requested-expiry", "-1.5"], "--requested-expiry cannot be used");
    refused(&["authenticate", "--issuer", "sentinel", "--issuer", "sentinel"], "more than once");
    refused(&["resume"], "--state is missing");
    refused(&["key", "new", "--alg", "sentinel"], "ES256, ES384, ES512, EdDSA, RS256, PS256");
}

#[test]
fn a_client_file_that_cannot_be_used_says_which_member_is_wrong() {
    let folder = Folder::new();
    for (json, needle) in [
        ("[]", "it is not one JSON object"),
        ("{}", "client_id is missing"),
        (
            r#"{"client_id":"c","keyfile":"k"}"#,
            "the member keyfile is not known; it may be misspelt",
        ),
        (r#"{"client_id":"c","issuer":"http://127.0.0.1:1"}"#, "--allow-http-loopback"),
        (r#"{"client_id":"c","client_secret":"sentinel"}"#, "in client_secret_file"),
        (
            r#"{"client_id":"c","require_auth_time":true}"#,
            "does not support the member require_auth_time",
        ),
        (r#"{"client_id":"c","provider":"sentinel"}"#, "provider is not a known preset"),
        (r#"{"client_id":"c","provider":7}"#, "provider"),
        (r#"{"client_id":"c","issuer":["https://op.example"]}"#, "issuer"),
        (r#"{"client_id":"c","ca_file":["ca.pem"]}"#, "ca_file"),
        (r#"{"client_id":"c","key_file":true}"#, "key_file"),
        (r#"{"client_id":"c","client_secret_file":{}}"#, "client_secret_file"),
    ] {
        let file = folder.write("client.json", json);
        refused(&["authenticate", "--client", &file, "--login-hint", "anna"], needle);
        refused(&["discover", "--client", &file], needle);
    }
    // A relative name is beside the file.
    let key = folder.write("client.json", r#"{"client_id":"c","issuer":"https://op.example","token_endpoint_auth_method":"private_key_jwt","key_file":"missing.jwk"}"#);
    refused(
        &["authenticate", "--client", &key, "--login-hint", "anna"],
        "the file of --key cannot be read",
    );
    let half = folder.write("client.json", r#"{"client_id":"c","issuer":"https://op.example","token_endpoint_auth_method":"none","cert_file":"cert.pem"}"#);
    refused(&["authenticate", "--client", &half, "--login-hint", "anna"], "need each other");
}

/// `docs/cli.md` is the contract.
#[test]
fn the_contract_names_every_option_failure_and_exit_code() {
    let contract = include_str!("../../../docs/cli.md");
    for command in ["authenticate", "resume", "discover", "op", "demo"] {
        let help = ciba([command, "--help"]).expect_code(0).stdout;
        let options = help.split(|c: char| c.is_whitespace() || "`,.;:)[]=".contains(c));
        for option in options.filter(|word| word.starts_with("--") && *word != "--help") {
            assert!(contract.contains(option), "{command}: {option} is missing");
        }
    }
    let help = ciba(["--help"]).expect_code(0).stdout;
    let codes = help.split("Exit codes:").nth(1).expect("they are there").lines();
    for line in codes.filter(|line| !line.trim().is_empty()) {
        let code = line.split_whitespace().next().expect("a code");
        assert!(contract.contains(&format!("| {code} |")), "{code} is missing");
        if let Some(name) = line.split_whitespace().nth(1).and_then(|word| word.strip_suffix(':')) {
            assert!(contract.contains(&format!("| {code} | `{name}` |")), "{name} is missing");
        }
    }
}

/// What later steps bring is absent, and never silently accepted.
#[test]
fn options_of_unsupported_features_are_unknown() {
    for option in ["--id-token-decrypt-key", "--state-key-file"] {
        refused(&["authenticate", option, "sentinel"], "an option that is not known here");
    }
}

#[test]
fn the_help_names_every_rule_that_can_be_ignored() {
    let help = ciba(["authenticate", "--help"]).expect_code(0).stdout;
    for rule in ciba_core::config::MetadataRule::ALL {
        assert!(help.contains(rule.name()), "{} is missing", rule.name());
    }
}

/// A notification endpoint is opened as registered, with TLS off loopback, or not at all.
///
/// REQ-PING-18
#[test]
fn options_that_conflict_with_a_notification_endpoint_are_reported() {
    let op = Op::start(|_, _| None);
    let folder = Folder::new();
    let own = ciba_test_op::ClientCertificate::self_signed("me").unwrap();
    let other = ciba_test_op::ClientCertificate::self_signed("other").unwrap();
    let (certificate, key) =
        (folder.write("c.pem", &own.certificate_pem), folder.write("k.pem", &own.key_pem));
    let other = folder.write("o.pem", &other.key_pem);
    let base: Vec<String> = arguments(&op.issuer);
    let base: Vec<&str> = base.iter().map(String::as_str).collect();
    let (ping, at) = (["--delivery", "ping"], ["--listen", "127.0.0.1:1"]);
    let with =
        |parts: &[&[&str]], needle: &str| refused(&[&base[..], &parts.concat()].concat(), needle);
    with(&[&["--delivery", "sentinel"]], "--delivery takes one of poll, ping, push");
    with(&[&["--delivery", "ping", "--listen", "sentinel"]], "--listen");
    with(&[&ping], "--listen is missing");
    with(&[&at], "--listen is for --delivery ping or push");
    with(&[&["--listen-key", &key]], "--listen-key is for --delivery ping or push");
    with(&[&ping, &["--listen", "127.0.0.1:0"]], "a port that is not 0");
    with(&[&ping, &["--listen", "192.0.2.1:8443"]], "plain http is for a loopback address");
    with(&[&ping, &at, &["--notification-path", "told"]], "does not begin with a slash");
    with(&[&ping, &at, &["--notification-path", "/told?a=b"]], "it has a query");
    with(&[&ping, &at, &["--notification-path", "/a/../b"]], "--notification-path cannot be used");
    with(&[&ping, &at, &["--listen-cert", &certificate]], "--listen-key is missing");
    with(&[&ping, &at, &["--listen-key", &key]], "--listen-cert is missing");
    with(
        &[&ping, &at, &["--listen-cert", &certificate, "--listen-key", &other]],
        "is the certificate of another key",
    );
    with(
        &[&ping, &at, &["--listen-cert", &key, "--listen-key", &key]],
        "a private key and no certificate",
    );
    with(
        &[&ping, &at, &["--listen-cert", &certificate, "--listen-key", &certificate]],
        "holds no private key in PEM",
    );
    with(&[&["--signed-request", "ES256"]], "--signed-request needs --key FILE");
    let tls = [
        "authenticate",
        "--issuer",
        "https://op.example",
        "--client-id",
        "c",
        "--client-auth",
        "none",
    ];
    let hint = ["--login-hint", "h"];
    refused(
        &[&tls[..], &hint, &ping, &at].concat(),
        "a loopback address with --allow-http-loopback",
    );
    assert!(op.seen.lock().unwrap().is_empty(), "nothing was sent");
}

/// REQ-AREQ-07
#[test]
fn exactly_one_hint_is_needed() {
    refused(&["authenticate"], "give --login-hint, --login-hint-token or --id-token-hint");
    refused(
        &["authenticate", "--login-hint", "sentinel", "--id-token-hint", "sentinel"],
        "only one of",
    );
}

#[test]
fn an_incomplete_client_is_refused_with_what_is_missing() {
    refused(&["authenticate", "--login-hint", "sentinel"], "--client-id is missing");
    refused(
        &["authenticate", "--login-hint", "sentinel", "--client-id", "c"],
        "nothing proves who the client is",
    );
    let none =
        ["authenticate", "--login-hint", "sentinel", "--client-id", "c", "--client-auth", "none"];
    refused(&none, "--issuer is missing");
    let issuer = [&none[..], &["--issuer", "http://127.0.0.1:1"]].concat();
    refused(&issuer, "--allow-http-loopback");
    let basic = [
        "authenticate",
        "--login-hint",
        "h",
        "--client-id",
        "c",
        "--client-auth",
        "client_secret_basic",
    ];
    refused(&basic, "the client secret is missing");
}

#[test]
fn a_key_file_that_cannot_be_used_is_named_with_the_reason() {
    let folder = Folder::new();
    let key = |path: &str, needle: &str| {
        refused(&["authenticate", "--login-hint", "h", "--client-id", "c", "--key", path], needle);
        refused(&["key", "public", path], needle);
    };
    key(&folder.text("absent"), "no such file");
    key(&folder.write("empty", ""), "cannot be used");
    key(&folder.write("text", "sentinel"), "neither PEM");
    let damaged = "-----BEGIN PRIVATE KEY-----\nc2VudGluZWw=\n-----END PRIVATE KEY-----\n";
    key(&folder.write("damaged.pem", damaged), "cannot be used");
    let cut = "-----BEGIN EC PRIVATE KEY-----\nsentinel";
    key(&folder.write("cut.pem", cut), "cannot be used");
    key(
        &folder.write(
            "jwk",
            r#"{"kty":"EC","crv":"P-256","x":"sentinel","y":"sentinel","d":"sentinel"}"#,
        ),
        "cannot be used",
    );
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VudGluZWw=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    key(&folder.write("encrypted.pem", encrypted), "encrypted");
    key(&folder.write("set.jwk", "\u{feff}{\"keys\":[]}"), "a key set");
    key(
        &folder.write("ed448.pem", include_str!("../../../tests/data/keys/ed448.pkcs8.pem")),
        "not supported",
    );
    key(&folder.write("damaged.pem", damaged), "the key is malformed");
}

/// Who gives the secret itself in place of its file does not find it in a log.
///
/// REQ-SEC-03
#[test]
fn the_content_of_an_unreadable_file_is_not_repeated() {
    let jwk = r#"{"kty":"EC","d":"sentinel"}"#;
    let pem = "-----BEGIN PRIVATE KEY-----\nsentinel\n-----END PRIVATE KEY-----\n";
    let long = "sentinel".repeat(1000);
    let base =
        ["authenticate", "--login-hint", "h", "--client-id", "c", "--issuer", "https://op.example"];
    refused(&[&base[..], &["--key", pem]].concat(), "a value that begins with a dash");
    for value in [jwk, "sentinel", &long] {
        for option in ["--key", "--client-secret-file", "--cert-key"] {
            let other = if option == "--cert-key" {
                ["--client-auth", "none", "--cert", "Cargo.toml"]
            } else {
                ["--alg", "ES256", "--basic", "raw"]
            };
            refused(
                &[&base[..], &other, &[option, value]].concat(),
                &format!("the file of {option} cannot be read"),
            );
        }
        refused(&["key", "public", value], "the file of `key public` cannot be read");
    }
}

/// An empty value would silently be left out of the request.
#[test]
fn an_empty_value_is_a_usage_error() {
    for option in ["--login-hint", "--scope", "--acr-values", "--binding-message", "--user-code"] {
        for value in ["", " "] {
            refused(&["authenticate", option, value], &format!("{option} "));
        }
    }
}

/// Where the provider is not needed to see a mistake, it is not asked.
#[test]
fn a_request_that_no_provider_accepts_is_refused_before_discovery() {
    let down = arguments("http://127.0.0.1:1");
    let down: Vec<&str> = down.iter().map(String::as_str).collect();
    for (option, value, needle) in [
        ("--binding-message", "a\nb", "binding_message"),
        ("--authorization-details", "{", "authorization_details"),
        ("--param", "scope=sentinel", "scope"),
        ("--header", "Authorization=sentinel", "Authorization"),
        ("--resource", "x#sentinel", "resource"),
    ] {
        refused(&[&down[..], &[option, value]].concat(), needle);
    }
}

/// Neither the length a file claims nor its end can be relied on.
#[cfg(unix)]
#[test]
fn an_endless_file_is_refused_as_too_large() {
    for (option, proves) in [
        ("--key", true),
        ("--client-secret-file", true),
        ("--metadata", false),
        ("--ca-cert", false),
    ] {
        let options = arguments("https://op.example").into_iter();
        let options = options.filter(|text| !proves || (text != "--client-auth" && text != "none"));
        let run = ciba(options.chain([option.to_owned(), "/dev/zero".to_owned()])).expect_code(2);
        assert!(run.sentence().contains("/dev/zero is larger than a megabyte"), "{run:?}");
    }
    refused(&["key", "public", "/dev/zero"], "is larger than a megabyte");
}

#[test]
fn a_state_file_that_cannot_be_written_is_found_before_anything_is_sent() {
    let op = Op::start(|_, _| None);
    let folder = Folder::new();
    for path in ["/no/such/folder/state", "/proc/state", &folder.text("")] {
        let run = op.run(&["--state", path]).expect_code(2);
        assert!(run.sentence().contains("the state file"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    assert_eq!(op.seen.lock().unwrap().len(), 0, "nothing may have been sent");
}

#[cfg(unix)]
#[test]
fn a_state_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let op = Op::start(|_, _| None);
    let folder = Folder::new();
    let state = folder.write("the state", "");
    for mode in [0o644, 0o640, 0o602] {
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(mode)).unwrap();
        for run in [op.run(&["--state", &state]), ciba(["resume", "--state", &state])] {
            let run = run.expect_code(2);
            assert!(run.sentence().contains("can be read by others"));
            assert!(run.sentence().ends_with(&format!("`chmod 600 '{state}'`")), "{run:?}");
        }
    }
    assert_eq!(op.seen.lock().unwrap().len(), 0, "nothing may have been sent");
}

/// Its secrets would stay behind where the link leads.
#[cfg(unix)]
#[test]
fn a_state_file_behind_a_symbolic_link_is_refused() {
    let op = Op::start(|_, _| None);
    let folder = Folder::new();
    let link = folder.text("link");
    for target in [folder.write("state", ""), folder.text("absent")] {
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for run in [op.run(&["--state", &link]), ciba(["resume", "--state", &link])] {
            assert!(run.expect_code(2).sentence().contains("no symbolic link"));
        }
        std::fs::remove_file(&link).unwrap();
    }
    assert_eq!(op.seen.lock().unwrap().len(), 0, "nothing may have been sent");
}

#[cfg(unix)]
#[test]
fn a_state_file_with_a_flow_in_it_is_not_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;

    let op = Op::start(|_, _| None);
    let folder = Folder::new();
    let state = folder.write("the state", "{}");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o600)).unwrap();
    let run = op.run(&["--state", &state]).expect_code(2);
    assert!(run.sentence().contains(&format!(
        "already holds a flow: continue it with `ciba resume --state '{state}'`"
    )));
    assert!(
        ciba(["resume", "--state", &state])
            .expect_code(2)
            .sentence()
            .contains("does not hold a saved flow")
    );
    assert_eq!(std::fs::read_to_string(&state).unwrap(), "{}");
}

#[test]
fn an_option_that_cannot_be_used_is_a_usage_error_without_output() {
    let op = Op::start(|path, _| (path == "/bc").then(|| error("invalid_request")));
    for (more, needle) in [
        (&["--id-token-alg", "HS256"][..], "secret"),
        (&["--param", "login_hint=x"], "login_hint"),
        (&["--param", "x"], "NAME=VALUE"),
        (&["--header", "authorization=x"], "authorization"),
        (&["--ignore-metadata", "no-such-rule"], "--ignore-metadata takes one of delivery-mode"),
        (&["--clock-skew", "301"], "--clock-skew cannot be used"),
        (&["--profile", "fapi-ciba"], "see --id-token-alg"),
        (&["--authorization-details", "{"], "authorization_details"),
        (&["--authorization-details", "@/no/such/file"], "no such file"),
        (&["--resource", "x#y"], "resource"),
        (&["--ca-cert", "/no/such/file"], "no such file"),
        (&["--provider", "idura"], "--acr-values"),
        (&["--token-endpoint", "https://op.example/a b"], "--token-endpoint cannot be used"),
    ] {
        let run = op.run(more).expect_code(2);
        assert!(run.sentence().contains(needle), "{needle}: {:?}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    assert_eq!(op.count("/bc"), 0);
}

#[test]
fn each_eid_of_idura_accepts_only_its_own_options() {
    let base = ["authenticate", "--provider", "idura"];
    let swedish = [&base[..], &["--acr-values", "urn:grn:authn:se:bankid"]].concat();
    let norwegian = [&base[..], &["--acr-values", "urn:grn:authn:no:bankid"]].concat();
    let message = ["--binding-message", "m"];
    refused(
        &[&swedish[..], &["--login-hint", "sub:ssn:196802020575"]].concat(),
        "--binding-message",
    );
    refused(&[&swedish[..], &["--login-hint", "196802020575"], &message].concat(), "sub:ssn:");
    let wrong = [&swedish[..], &["--login-hint", "sub:ssn:196802020576"], &message].concat();
    refused(&wrong, "check digit");
    assert!(!ciba(&wrong).stderr.contains("1968"), "a national id is not repeated");
    refused(&[&norwegian[..], &["--login-hint", "sub:ssn:196802020575"]].concat(), "11 digits");
    let hint = ["--login-hint-token", "sentinel"];
    refused(&[&swedish[..], &hint, &message].concat(), "no other hint");
}

/// A preset's name is short for options, and the help says which.
#[test]
fn help_says_what_a_preset_stands_for() {
    let help = ciba(["authenticate", "--help"]).expect_code(0).stdout;
    // Lines are broken where they are too long.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for preset in ciba_core::providers::ALL {
        assert!(
            help.contains(&format!("- {}: {}: ", preset.name(), preset.product())),
            "{}",
            preset.name()
        );
        for fact in preset.facts() {
            assert!(
                help.contains(&fact.setting.to_string()),
                "{}: {}",
                preset.name(),
                fact.setting
            );
        }
    }
    for option in [
        "(--acr-rule report)",
        "(--body-client-id)",
        "(--audience endpoint)",
        "(--scope-lists)",
        "(--assume-bearer)",
    ] {
        assert!(help.contains(option), "{option}");
    }
    let op = Op::start(|path, _| (path == "/bc").then(|| error("invalid_request")));
    let run = op.run(&["--provider", "keycloak", "-v"]).expect_code(12);
    assert!(run.stderr.contains("--provider keycloak sets: `acr` is reported"), "{run:?}");
}

#[test]
fn help_names_every_exit_code_and_every_check() {
    let help = ciba(["authenticate", "--help"]).expect_code(0).stdout;
    for check in ciba_core::fault::Untrusted::ALL {
        assert!(help.contains(&format!("  {} ", check.name())), "{} is missing", check.name());
    }
    for failure in [
        "denied",
        "expired",
        "refused",
        "untrusted",
        "provider_misbehaved",
        "indeterminate",
        "unreachable",
        "abandoned",
        "superseded",
    ] {
        assert!(help.contains(&format!("{failure}: ")), "{failure} is missing");
    }
    assert!(ciba(["--help"]).expect_code(0).stdout.contains("Exit codes:"));
}

#[test]
fn a_provider_replaces_no_file_that_it_did_not_write() {
    for name in ["client.json", "ca.pem"] {
        let folder = Folder::new();
        let mine = r#"{"client_id":"mine"}"#;
        let file = folder.write(name, mine);
        refused(&["op", "--client-dir", &folder.text("")], "was not written by `ciba op`");
        assert_eq!(std::fs::read_to_string(file).unwrap(), mine);
    }
}

/// REQ-SEC-03
#[test]
fn a_secret_comes_from_a_file_or_the_environment_and_has_no_option() {
    let run = ciba(["authenticate", "--client-secret", "sentinel"]).expect_code(2);
    assert!(!run.stderr.contains("sentinel"));
    let folder = Folder::new();
    let empty = folder.write("secret", "\n");
    let mut options = arguments("http://127.0.0.1:1");
    for option in &mut options {
        if option == "none" {
            *option = "client_secret_post".into();
        }
    }
    options.extend(["--client-secret-file".into(), empty]);
    assert!(ciba(&options).expect_code(2).sentence().contains("the client secret is empty"));
}

/// A pipe whose reader is gone.
fn broken_pipe() -> std::process::Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_usage_error_exits_with_2_even_if_standard_error_is_closed() {
    let run = ended(command().arg("no-such-command").stderr(broken_pipe()).spawn().unwrap());
    run.expect_code(2);
}

/// Whoever makes a key into a full disk must not believe that there is one.
#[test]
fn a_key_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let path = folder.text("key.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &path]).expect_code(0);
    for arguments in [&["key", "new", "--alg", "ES256"][..], &["key", "public", &path]] {
        let run =
            ended(command().args(arguments).stdout(broken_pipe()).spawn().unwrap()).expect_code(1);
        assert!(run.sentence().contains("standard output cannot be written"), "{run:?}");
    }
    let op = Op::start(|_, _| None);
    for format in ["text", "json"] {
        let arguments = ["discover", &op.issuer, "--allow-http-loopback", "--output", format];
        let run =
            ended(command().args(arguments).stdout(broken_pipe()).spawn().unwrap()).expect_code(1);
        assert!(run.sentence().contains("standard output cannot be written"), "{run:?}");
    }
}
