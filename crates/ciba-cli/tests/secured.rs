//! Mutual TLS, signed requests, user codes and the FAPI-CIBA profile, against the test provider
//! over TLS.

mod support;

use ciba_core::{ClientSecret, DeliveryMode, SoftwareKey, crypto::AwsLcRs, jose::JwsAlgorithm};
use ciba_test_op::{
    Client, ClientAuthentication, ClientCertificate, Endpoint, Exchange, ProviderConfig,
};
use serde_json::{Value, json};
use support::{
    Ended, Folder, ciba, command, ended,
    wired::{CLIENT, Wired},
};

const TRANSPORTS: [&str; 2] = ["reqwest", "ureq"];

fn generic(issuer: String) -> ProviderConfig {
    ProviderConfig::generic(issuer)
}

fn fapi(issuer: String) -> ProviderConfig {
    ProviderConfig::fapi_ciba(issuer)
}

fn by_certificate(_: Value) -> Client {
    Client::new(CLIENT, ClientAuthentication::TlsClientAuth { subject: format!("CN={CLIENT}") })
}

/// A client of the FAPI-CIBA profile.
fn strict(key: Value) -> Client {
    Client::with_key(CLIENT, key)
        .request_signing_alg(JwsAlgorithm::Es256)
        .id_token_alg(JwsAlgorithm::Es256)
        .certificate_bound()
}

#[track_caller]
fn refused(run: &Ended, error: &str) {
    assert_eq!(run.code, 12, "{run:?}");
    assert_eq!((&run.last()["failure"], &run.last()["error"]), (&json!("refused"), &json!(error)));
}

/// REQ-AUTH-23
#[test]
fn a_certificate_authenticates_the_client_at_the_aliases() {
    let made = ClientCertificate::self_signed(CLIENT).unwrap();
    let certificates = vec![made.der.clone()];
    let own = Wired::at(generic, DeliveryMode::Poll, |_| {
        Client::new(CLIENT, ClientAuthentication::SelfSignedTlsClientAuth { certificates })
    });
    own.folder.write("cert.pem", &made.certificate_pem);
    own.folder.write("cert-key.pem", &made.key_pem);
    for op in [own, Wired::at(generic, DeliveryMode::Poll, by_certificate)] {
        let op = op.certified();
        for transport in TRANSPORTS {
            op.run("approve-after:0", &["--transport", transport]).expect_code(0);
        }
        op.expect_clean();
        for exchange in op.server.provider().exchanges() {
            let is_authenticated =
                matches!(exchange.endpoint, Endpoint::Backchannel | Endpoint::Token);
            assert_eq!(exchange.certificate.is_some(), is_authenticated, "{:?}", exchange.endpoint);
            assert_eq!(
                exchange.parameter("client_id").as_deref(),
                is_authenticated.then_some(CLIENT)
            );
        }
    }
}

#[test]
fn another_certificate_exits_with_12_and_mismatched_files_with_2() {
    let op = Wired::at(generic, DeliveryMode::Poll, by_certificate);
    let stranger = ClientCertificate::self_signed(CLIENT).unwrap();
    let text = |name: &str| op.folder.text(name);
    op.folder.write("other.pem", &stranger.certificate_pem);
    op.folder.write("other-key.pem", &stranger.key_pem);
    for transport in TRANSPORTS {
        let run = |certificate: &str, key: &str| {
            op.run(
                "approve",
                &["--cert", &text(certificate), "--cert-key", &text(key), "--transport", transport],
            )
        };
        refused(&run("other.pem", "other-key.pem"), "invalid_client");
        for (certificate, key) in
            [("cert.pem", "other-key.pem"), ("key.jwk", "cert-key.pem"), ("cert.pem", "key.jwk")]
        {
            let run = run(certificate, key).expect_code(2);
            assert!(run.sentence().contains("the file of --cert"), "{run:?}");
            assert_eq!(run.stdout, "");
        }
    }
    let run = op.run("approve", &[]).expect_code(2);
    assert!(
        run.sentence().contains("tls_client_auth needs --cert FILE and --cert-key FILE"),
        "{run:?}"
    );
    let run = op.run("approve", &["--cert", &text("cert.pem")]).expect_code(2);
    assert!(run.sentence().contains("--cert-key is missing"), "{run:?}");
    assert_eq!(op.transactions(), 0);
}

#[test]
fn a_user_code_is_asked_for_checked_and_sent() {
    let op = Wired::start(DeliveryMode::Ping, Client::user_code);
    let missing = op.run("user-code:1234", &[]);
    refused(&missing, "missing_user_code");
    assert!(missing.sentence().contains("give it with --user-code"), "{missing:?}");
    let wrong = op.run("user-code:1234", &["--user-code", "sentinel-code"]);
    refused(&wrong, "invalid_user_code");
    assert!(
        wrong.sentence().contains("not this person's")
            && !format!("{wrong:?}").contains("sentinel"),
        "{wrong:?}"
    );
    op.run("user-code:1234", &["--user-code", "1234"]).expect_code(0);
    op.expect_clean();

    let without = support::Op::start(|_, _| None);
    let run = without.run(&["--user-code", "sentinel"]).expect_code(2);
    assert!(run.sentence().contains("backchannel_user_code_parameter_supported"), "{run:?}");
    assert_eq!((without.count("/bc"), run.stdout.as_str()), (0, ""));
}

/// A client that authenticates with a secret, so that only its requests are signed.
fn signing(key: Value) -> Client {
    let secret = ClientSecret::new("sentinel-client-secret-of-32-octets-or-more");
    Client::new(CLIENT, ClientAuthentication::ClientSecretPost { secret })
        .key(key)
        .request_signing_alg(JwsAlgorithm::Es256)
}

#[test]
fn a_request_is_signed_with_the_registered_key_or_refused() {
    let op = Wired::at(generic, DeliveryMode::Poll, signing);
    let secret = op.folder.write("secret", "sentinel-client-secret-of-32-octets-or-more\n");
    let (_, other) =
        SoftwareKey::generate(JwsAlgorithm::Es256, support::entropy(), &AwsLcRs).unwrap();
    let other = op.folder.write("other.jwk", other.expose());
    let with = |key: &str, more: &[&str]| {
        let options =
            ["authenticate", "--login-hint", "approve-after:0", "--output", "json", "--key", key];
        let secret = ["--client-secret-file", &*secret];
        let options = options.iter().chain(&secret).chain(more).map(|&text| text.to_owned());
        let mut rest = op.options.clone();
        if let Some(at) = rest.iter().position(|text| text == "--key") {
            rest.drain(at..at + 2);
        }
        ciba(options.chain(rest))
    };
    let right = op.folder.text("key.jwk");
    for transport in TRANSPORTS {
        with(&right, &["--signed-request", "ES256", "--transport", transport]).expect_code(0);
    }
    op.expect_clean();
    refused(&with(&other, &["--signed-request", "ES256"]), "invalid_request");
    refused(&with(&right, &[]), "invalid_request");
    let run = with(&right, &["--signed-request", "PS256"]).expect_code(2);
    assert!(run.sentence().contains("key.jwk cannot be used"), "{run:?}");
    let run = with(&right, &["--signed-request", "HS256"]).expect_code(2);
    assert!(run.sentence().contains("takes no MAC"), "{run:?}");
}

/// REQ-POP-16
#[test]
fn pushed_tokens_are_bound_to_the_certificate_presented_with_the_request() {
    for transport in TRANSPORTS {
        let op = Wired::start(DeliveryMode::Push, Client::certificate_bound).certified();
        op.run("approve-after:0", &["--transport", transport]).expect_code(0);
        op.expect_clean();
        let shown = |exchange: &Exchange| {
            exchange.endpoint == Endpoint::Backchannel && exchange.certificate.is_some()
        };
        assert!(op.server.provider().exchanges().iter().any(shown));
    }
}

#[test]
fn a_flow_under_the_fapi_profile_succeeds_end_to_end() {
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping] {
        let op = Wired::at(fapi, mode, strict).certified();
        let op = op.with(&[
            "--profile",
            "fapi-ciba",
            "--signed-request",
            "ES256",
            "--binding-message",
            "W4SCT",
        ]);
        for transport in TRANSPORTS {
            op.run("approve-after:0", &["--transport", transport]).expect_code(0);
        }
        op.expect_clean();
    }
}

#[test]
fn a_violation_of_the_profile_exits_with_2_and_names_its_clause() {
    let op = Wired::at(fapi, DeliveryMode::Poll, strict);
    let text = |name: &str| op.folder.text(name);
    let (certificate, key) = (text("cert.pem"), text("cert-key.pem"));
    let certified = ["--cert", &*certificate, "--cert-key", &*key];
    let signed = ["--signed-request", "ES256"];
    let message = ["--binding-message", "W4SCT"];
    let listen = op.listen.to_string();
    let (own, own_key) = (text("listen.pem"), text("listen-key.pem"));
    let push = [
        "--delivery",
        "push",
        "--listen",
        &listen,
        "--listen-cert",
        &own,
        "--listen-key",
        &own_key,
    ];
    let none = ["--client-auth", "none"];
    let run = |parts: &[&[&str]]| {
        op.run("approve", &[&["--profile", "fapi-ciba"][..], &parts.concat()].concat())
    };
    for (run, clause) in [
        (run(&[&signed, &message]), "FAPI1A 5.2.2 items 5 and 6"),
        (
            run(&[&certified, &message, &["--client-auth", "tls_client_auth"]]),
            "FAPI-CIBA 5.2.2 item 6",
        ),
        (run(&[&certified, &signed, &message, &push]), "FAPI-CIBA 5.2.2 item 3"),
        (run(&[&certified, &signed, &message, &none]), "FAPI-CIBA 5.2.2 item 1"),
        (run(&[&certified, &signed]), "FAPI-CIBA 5.2.2 item 2"),
    ] {
        let run = run.expect_code(2);
        assert!(run.sentence().contains(clause), "{clause}: {run:?}");
        assert_eq!(run.stdout, "", "{run:?}");
    }
    assert_eq!(op.transactions(), 0);
    assert!(
        op.server
            .provider()
            .exchanges()
            .iter()
            .all(|exchange| exchange.endpoint != Endpoint::Backchannel)
    );
    // Requests are signed with the key that authenticates, and an audience of one's own is the
    // edition's to allow.
    let issuer = op.server.issuer();
    run(&[&certified, &message, &["--audience", &issuer]]).expect_code(0);
}

#[test]
fn each_edition_of_the_profile_enforces_its_own_rules() {
    let op = Wired::at(fapi, DeliveryMode::Poll, strict).certified();
    let op = op.with(&["--binding-message", "W4SCT"]);
    const SIGNED: &[&str] = &["--signed-request", "ES256"];
    // The provider does not know the client by its certificate, which is found out when it is
    // asked.
    const UNSIGNED: &[&str] = &["--client-auth", "tls_client_auth"];
    const SKEW: &[&str] = &["--signed-request", "ES256", "--clock-skew", "61"];
    for (profile, options, code, clause) in [
        ("fapi-ciba", UNSIGNED, 2, "FAPI-CIBA 5.2.2 item 6"),
        ("fapi-ciba-id1", UNSIGNED, 2, "FAPI-CIBA 5.2.2 item 6"),
        ("fapi-ciba-03-on-fapi-1", UNSIGNED, 12, ""),
        ("fapi-ciba-03-on-fapi-2", UNSIGNED, 12, ""),
        ("fapi-ciba", SKEW, 0, ""),
        ("fapi-ciba-03-on-fapi-1", SKEW, 0, ""),
        ("fapi-ciba-03-on-fapi-2", SKEW, 2, "FAPI2SP 5.3.2.1 item 13"),
        ("fapi-ciba-03-on-fapi-2", SIGNED, 0, ""),
    ] {
        let run = op
            .run("approve-after:0", &[&["--profile", profile], options].concat())
            .expect_code(code);
        assert!(run.stderr.contains(clause), "{profile}: {run:?}");
    }
    let state = op.folder.text("state");
    let run =
        op.run("approve-after:0", &["--profile", "fapi-ciba-03", "--state", &state]).expect_code(2);
    assert!(run.stderr.contains("fapi-ciba-03-on-fapi-1"), "{run:?}");
}

#[test]
fn discovery_shows_what_certificates_and_signed_requests_need() {
    let op = Wired::at(fapi, DeliveryMode::Ping, strict).certified();
    let options =
        ["discover", "--output", "json", "--profile", "fapi-ciba", "--signed-request", "ES256"];
    let discover = |more: &[&str]| {
        ended(command().args(options).args(&op.options).args(more).spawn().unwrap())
    };
    let last = discover(&[]).expect_code(0).last();
    assert_eq!(last["problems"], json!([]));
    let shown = &last["backchannel_authentication_request_signing_alg_values_supported"];
    assert!(shown.as_array().unwrap().contains(&json!("ES256")), "{last}");
    let alias = last["mtls_endpoint_aliases"]["token_endpoint"].as_str().unwrap();
    assert!(
        alias.starts_with("https://127.0.0.1:") && !alias.starts_with(&op.server.issuer()),
        "{last}"
    );
    // Of the client nothing has to be there yet.
    let (issuer, ca) = (op.server.issuer(), op.folder.text("ca.pem"));
    let bare =
        ["discover", &issuer, "--ca-cert", &ca, "--id-token-alg", "ES256", "--output", "json"];
    for more in [&["--client-auth", "tls_client_auth"][..], &["--delivery", "ping"]] {
        assert_eq!(ciba(bare.iter().chain(more)).expect_code(0).last()["problems"], json!([]));
    }
    let run = ciba(bare.iter().chain(&["--delivery", "push"])).expect_code(2);
    assert!(run.sentence().contains("does not list push"), "{run:?}");
}

#[test]
fn the_profile_refuses_rs256_and_http() {
    let folder = Folder::new();
    let key = folder.text("key.jwk");
    ciba(["key", "new", "--alg", "RS256", "--out", &key]).expect_code(0);
    let op = support::Op::start(|_, _| None);
    let options =
        ["--client-id", "c", "--key", &key, "--profile", "fapi-ciba", "--allow-http-loopback"];
    let run = ended(command().args(["discover", &op.issuer]).args(options).spawn().unwrap())
        .expect_code(2);
    // Each once, with the option that mends it: the key, the issuer, and what has no right default.
    for finding in [
        "FAPI-CIBA 7.10: ",
        "FAPI1A 8.5: it is not https; see --issuer\n",
        "id_token_signed_response_alg is missing; see --id-token-alg\n",
    ] {
        assert_eq!(run.stdout.matches(finding).count(), 1, "{finding}: {run:?}");
        assert!(!run.sentence().contains(finding.trim_end()), "{run:?}");
    }
    let listed = run.stdout.lines().filter(|line| line.starts_with("  - ")).count();
    assert!(run.sentence().contains(&format!("see the {listed} findings above")), "{run:?}");
    assert!(run.stdout.contains("Would not work with this client"), "{run:?}");
}
