//! A failure says why, and which option helps: in one sentence, and as members of the last line.

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use serde_json::{Value, json};
use support::{Folder, Op, Say, Signer, acknowledgement, ciba, command, ended, error, metadata};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

/// Runs a flow whose tokens hold these claims.
fn with_claims(claims: Value, more: &[&str]) -> support::Ended {
    let signer = Signer::new();
    let op = Op::knowing_itself(move |issuer, path, _| match path {
        "/bc" => Some(acknowledgement(60)),
        "/token" => Some(signer.tokens(issuer, &claims)),
        "/jwks" => Some(Say::Json(200, signer.key_set())),
        _ => None,
    });
    op.run(more)
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A claim that is missing, one of another type and one out of range read differently, in the
/// sentence and in JSON.
///
/// REQ-META-11a
#[test]
fn a_failed_check_names_what_was_found_what_was_expected_and_the_option_that_helps() {
    let es256 = ["--id-token-alg", "ES256"];
    let run = with_claims(json!({}), &[]);
    assert_eq!((&run.last()["found"], &run.last()["expected"]), (&json!("ES256"), &json!("RS256")));
    assert!(run.sentence().ends_with("use --id-token-alg ES256"), "{run:?}");
    for (claims, check, found, advice) in [
        (json!({"aud": "another"}), "audience", json!("another"), "check --client-id"),
        (
            json!({"aud": ["the-client", "the-api"]}),
            "extra-audience",
            json!(["the-api"]),
            "add --trusted-audience the-api",
        ),
        (
            json!({"iat": [1]}),
            "issued-at",
            json!({"type": "object or array"}),
            "iat of the ID Token has the wrong type",
        ),
        (json!({"iat": null}), "issued-at", json!(null), "the ID Token has no iat"),
        (
            json!({"iat": -1}),
            "issued-at",
            json!({"out_of_range": true}),
            "iat of the ID Token is out of range",
        ),
        (
            json!({"exp": "soon"}),
            "expiry",
            json!({"type": "string"}),
            "exp of the ID Token has the wrong type",
        ),
        (
            json!({"iat": now() * 1000, "exp": (now() + 300) * 1000}),
            "expiry",
            json!({"milliseconds": (now() + 300) * 1000}),
            "in milliseconds",
        ),
    ] {
        let run = with_claims(claims, &es256).expect_code(13);
        assert_eq!(run.last()["check"], check, "{run:?}");
        if check != "expiry" || found.get("type").is_some() {
            assert_eq!(run.last()["found"], found);
        }
        assert!(run.sentence().contains(advice), "{advice}: {run:?}");
    }
    let run = with_claims(json!({"iat": now() + 250, "exp": now() + 900}), &es256).expect_code(13);
    assert!(run.last()["expected"]["not_after"].is_string(), "{run:?}");
    assert!(run.sentence().contains("clock of this machine is slow"), "{run:?}");
    assert!(run.sentence().contains("--clock-skew"), "{run:?}");
    // More than that option allows.
    let run = with_claims(json!({"iat": now() + 500, "exp": now() + 900}), &es256).expect_code(13);
    assert!(run.sentence().ends_with("or the provider's fast: set it"), "{run:?}");
    // What may say something about a person is not repeated.
    let run = with_claims(
        json!({"sub": "sentinel"}),
        &[&es256[..], &["--expect", "sub=somebody"]].concat(),
    );
    assert_eq!((run.code, run.last().get("found")), (13, None), "{run:?}");
    assert!(!run.stderr.contains("sentinel") && !run.stdout.contains("sentinel"), "{run:?}");
}

/// The advice fits the status: a wrong secret is no missing registration.
#[test]
fn an_unrecognised_client_is_reported_with_the_method_that_was_tried() {
    let folder = Folder::new();
    let secret = folder.write("secret", "a secret+with/signs");
    let refused = |say: fn() -> Say, at: &'static str| {
        let op = Op::start(move |path, _| match path {
            _ if path == at => Some(say()),
            "/bc" => Some(acknowledgement(60)),
            _ => None,
        });
        let options =
            op.arguments().into_iter().filter(|text| text != "--client-auth" && text != "none");
        ciba(options.chain(["--client-secret-file".to_owned(), secret.clone()])).expect_code(12)
    };
    for say in [
        || error("invalid_client"),
        || Say::Json(401, json!({"error": "unauthorized_client"})),
        || Say::Raw(401, "text/plain", String::new()),
    ] {
        for at in ["/bc", "/token"] {
            let run = refused(say, at);
            assert!(
                run.sentence().contains("by client_secret_basic: check --client-id"),
                "{run:?}"
            );
            assert!(run.sentence().contains("--basic raw"), "{run:?}");
        }
    }
    let elsewhere = || Say::Json(400, json!({"error": "unauthorized_client"}));
    assert!(refused(elsewhere, "/bc").sentence().contains("not registered for CIBA"));
    let run = refused(elsewhere, "/token");
    assert!(
        run.sentence().contains("CIBA is on") && !run.sentence().contains("not registered"),
        "{run:?}"
    );
}

#[test]
fn missing_metadata_is_distinguished_from_an_unreachable_provider() {
    let sentence = |issuer: &str, transport: &str, more: &[&str]| {
        let run =
            ciba(["discover", issuer, "--transport", transport].iter().chain(more)).expect_code(16);
        run.sentence().to_owned()
    };
    let missing = Op::start(|_, _| Some(Say::Json(404, json!({}))));
    let plain = missing.issuer.replace("http:", "https:");
    for transport in TRANSPORTS {
        let loopback = &["--allow-http-loopback"][..];
        let said = sentence(&missing.issuer, transport, loopback);
        assert!(
            said.contains("did not return the metadata document (status 404)")
                && said.ends_with("; perhaps the issuer is mistyped"),
            "{said}"
        );
        // The reason of an unanswered TLS handshake depends on when the connection is closed.
        for (issuer, why) in [("http://127.0.0.1:1", "the connection was refused"), (&plain, "")] {
            let said = sentence(issuer, transport, loopback);
            let (_, cause) =
                said.split_once("the metadata document could not be reached: ").unwrap();
            assert!(!cause.is_empty() && cause.starts_with(why), "{transport} {why}: {said}");
        }
    }
}

#[test]
fn an_unreachable_provider_is_reported_with_the_reason() {
    for transport in TRANSPORTS {
        let discover =
            |issuer: &str| ciba(["discover", issuer, "--transport", transport, "--output", "json"]);
        let run = discover("https://op.invalid").expect_code(16);
        assert_eq!(run.last()["cause"], "name_not_resolved", "{run:?}");
        assert!(run.sentence().contains("check the host name"), "{run:?}");

        // Accepts and says nothing in TLS.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let closes = std::thread::spawn(move || silent.accept().map(drop));
        let run = discover(&format!("https://{address}")).expect_code(16);
        assert_eq!(run.last()["cause"], "tls", "{run:?}");
        closes.join().unwrap().unwrap();
    }
}

#[test]
fn a_failing_proxy_is_named_and_an_unusable_one_stops_the_command() {
    let refused = support::Port::new();
    for transport in TRANSPORTS {
        let through = |proxy: &str, exception: &str| {
            let mut discover = command();
            for name in
                ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
            {
                discover.env_remove(name);
            }
            discover.env("ALL_PROXY", proxy).env("NO_PROXY", exception);
            ended(
                discover
                    .args(["discover", "https://op.invalid", "--transport", transport])
                    .spawn()
                    .unwrap(),
            )
        };
        for scheme in ["http", "socks5h"] {
            let run = through(&format!("{scheme}://user:sentinel@{refused}"), "").expect_code(16);
            assert!(
                run.sentence()
                    .contains(&format!("through the proxy {scheme}://{refused} (ALL_PROXY)")),
                "{run:?}"
            );
            assert!(!run.stderr.contains("sentinel"), "{run:?}");
        }
        let run = through(&format!("http://{refused}"), "a.test invalid").expect_code(16);
        assert!(!run.sentence().contains("proxy"), "{run:?}");
        for unusable in ["ftp://sentinel", "http://sentinel:port", "http://"] {
            let run = through(unusable, "").expect_code(2);
            assert!(
                run.sentence().contains("the proxy named by ALL_PROXY cannot be used"),
                "{run:?}"
            );
            assert!(!run.stderr.contains("sentinel"), "{run:?}");
        }
    }
}

/// A proxy that does not make the connection is told as that by both transports, whatever it
/// answers.
#[test]
fn both_transports_report_a_proxy_that_refuses() {
    let proxy = |reply: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // The whole request, or what is left of it resets the connection before the answer
                // is read.
                let mut seen = Vec::new();
                while !seen.starts_with(&[5]) && !seen.ends_with(b"\r\n\r\n") {
                    let mut bytes = [0; 1024];
                    match stream.read(&mut bytes) {
                        Ok(read @ 1..) => seen.extend_from_slice(&bytes[..read]),
                        Ok(_) | Err(_) => break,
                    }
                }
                let _ = stream.write_all(reply);
                let _ = stream.read(&mut [0; 1024]);
            }
        });
        address
    };
    let rows: [(&str, &[u8], &str); 4] = [
        ("http", b"HTTP/1.1 407 X\r\ncontent-length: 0\r\n\r\n", "proxy_credentials"),
        ("http", b"HTTP/1.1 403 X\r\ncontent-length: 0\r\n\r\n", "proxy"),
        ("http", b"SSH-2.0-x\r\n\r\n", "proxy"),
        ("socks5h", b"\x05\xff", "proxy"),
    ];
    for (scheme, reply, cause) in rows {
        let address = proxy(reply);
        for transport in TRANSPORTS {
            let mut discover = command();
            for name in
                ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]
            {
                discover.env_remove(name);
            }
            discover.env("ALL_PROXY", format!("{scheme}://{address}"));
            let more =
                ["discover", "https://op.invalid", "--output", "json", "--transport", transport];
            let run = ended(discover.args(more).spawn().unwrap()).expect_code(16);
            assert_eq!(run.last()["cause"], cause, "{scheme} {transport}: {run:?}");
            assert!(
                run.sentence().contains(&format!("through the proxy {scheme}://{address}")),
                "{run:?}"
            );
        }
    }
}

/// Slips of every day, seen before anything is sent.
#[test]
fn typos_are_reported_with_a_suggestion() {
    let slip = |arguments: &[&str]| ciba(arguments).expect_code(2).sentence().to_owned();
    let said = slip(&["discover", "https://op.example/t1/.well-known/openid-configuration"]);
    assert!(said.ends_with("use --issuer https://op.example/t1"), "{said}");
    let base = [
        "authenticate",
        "--issuer",
        "https://op.example",
        "--client-id",
        "c",
        "--login-hint",
        "somebody",
    ];
    let said = slip(&[&base[..], &["--client-auth", "none", "--delivery", "ping"]].concat());
    assert!(said.contains("for example at --listen 0.0.0.0:8443"), "{said}");
    let said = slip(&[&base[..], &["--cert", "c.pem", "--cert-key", "k.pem"]].concat());
    assert!(said.contains("it is tls_client_auth"), "{said}");
}

#[test]
fn discovery_names_the_preset_and_what_it_sets() {
    let op = Op::start(|_, _| None);
    let discover =
        |more: &[&str]| ciba(["discover", &op.issuer, "--allow-http-loopback"].iter().chain(more));
    for preset in ciba_core::providers::ALL {
        let run = discover(&["--provider", preset.name(), "--output", "json"]).expect_code(0);
        let set: Vec<_> = preset.facts().iter().map(|fact| fact.setting.to_string()).collect();
        let last = run.last();
        assert_eq!(last["provider"], preset.name());
        // Each with the option that stands for it, where there is one.
        let shown: Vec<_> =
            last["provider_options"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(shown.len(), set.len());
        assert!(
            set.iter().zip(&shown).all(|(set, shown)| shown.starts_with(set.as_str())),
            "{shown:?}"
        );
    }
    assert_eq!(discover(&["--output", "json"]).last()["provider"], "generic");
    let run = discover(&["--provider", "auth0"]).expect_code(0);
    assert!(
        run.stdout.contains(
            "Set for Auth0 (--provider auth0):\n  - `client_id` in every body (--body-client-id)\n"
        ),
        "{}",
        run.stdout
    );
    // No invented provider is taken, and the known ones are told.
    let sentence = discover(&["--provider", "nobody"]).expect_code(2);
    assert!(sentence.sentence().contains("keycloak"), "{:?}", sentence.stderr);
}

#[test]
fn discovery_reports_what_is_offered_and_what_would_fail() {
    // A key set that is unavailable for a moment is no finding.
    let op = Op::start(|path, _| (path == "/jwks").then(|| Say::Json(503, json!({}))));
    let discover =
        |more: &[&str]| ciba(["discover", &op.issuer, "--allow-http-loopback"].iter().chain(more));
    let run = discover(&["--output", "json"]).expect_code(0);
    let last = run.last();
    assert_eq!((&last["event"], &last["issuer"]), (&json!("discovered"), &json!(op.issuer)));
    assert_eq!(last["backchannel_token_delivery_modes_supported"], json!(["poll"]));
    assert_eq!(last["problems"], json!([]));

    let run = discover(&[]).expect_code(0);
    assert!(
        run.stdout.contains("backchannel_authentication_endpoint")
            && run.stdout.contains("Nothing speaks against")
    );
    let run = discover(&["--client-id", "c", "--client-auth", "none", "--id-token-alg", "HS256"])
        .expect_code(2);
    assert!(run.stdout.contains("Would not work with this client"), "{run:?}");
    assert!(run.stdout.contains("a MAC requires a client secret"), "{run:?}");

    let other = Op::start(|_, _| Some(Say::Json(200, metadata("https://other.example"))));
    let run = ciba(["discover", &other.issuer, "--allow-http-loopback", "--output", "json"]);
    run.failed(
        13,
        &json!({
            "failure": "untrusted", "check": "discovery-issuer", "claim": "issuer",
            "found": "https://other.example", "expected": other.issuer,
        }),
    );
}
