//! Keys: the files they are read from, the provider's as discovery shows them, and what becomes of
//! tokens without them.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ciba_test_op::ClientCertificate;
use serde_json::{Value, json};
use support::{Ended, Folder, Op, Say, Signer, acknowledgement, ciba, command, ended, metadata};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/keys/");

fn stored(name: &str) -> Vec<u8> {
    std::fs::read(format!("{KEYS}{name}")).expect("a key of the tests")
}

fn text_of(name: &str) -> String {
    String::from_utf8(stored(name)).expect("PEM")
}

/// The key in a PEM file, as DER.
fn der(name: &str) -> Vec<u8> {
    use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
    PrivateKeyDer::from_pem_slice(&stored(name)).expect("a key").secret_der().to_vec()
}

fn utf_16(text: &str) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn put(folder: &Folder, name: &str, content: impl AsRef<[u8]>) -> String {
    std::fs::write(folder.path(name), content).expect("the test's folder can be written");
    folder.protect(name, 0o600)
}

fn public(file: &str) -> Ended {
    ciba(["key", "public", file])
}

/// What others can change is not used, what others can read is used with a warning, and what is the
/// user's own without one.
#[cfg(unix)]
#[test]
fn secret_files_that_others_can_change_are_refused_and_readable_ones_warned_about() {
    let folder = Folder::new();
    let key = put(&folder, "key.pem", stored("ec-p256.pkcs8.pem"));
    let secret = put(&folder, "secret", "a client secret");
    let op = Op::start(|path, _| (path == "/bc").then(|| support::error("unknown_user_id")));
    let arguments =
        ["--client-auth", "client_secret_post", "--client-secret-file", &secret, "--no-openid"];
    let mut authenticate: Vec<String> = op.arguments();
    authenticate.retain(|argument| argument != "--client-auth" && argument != "none");
    let with_secret = || ended(command().args(&authenticate).args(arguments).spawn().unwrap());
    for (mode, changeable, readable) in [
        (0o600, false, false),
        (0o400, false, false),
        (0o700, false, false),
        (0o640, false, true),
        (0o604, false, true),
        (0o644, false, true),
        (0o620, true, false),
        (0o602, true, false),
        (0o666, true, false),
    ] {
        folder.protect("key.pem", mode);
        folder.protect("secret", mode);
        for (run, done) in [(public(&key), 0), (with_secret(), 12)] {
            let run = run.expect_code(if changeable { 2 } else { done });
            assert_eq!(
                run.stderr.contains("others can change it"),
                changeable,
                "{mode:o}: {run:?}"
            );
            assert_eq!(run.stderr.contains("can be read by others"), readable, "{mode:o}: {run:?}");
            assert!(!run.stderr.contains("a client secret"), "{run:?}");
        }
    }
}

/// A state file of another user is not used, whatever its mode. Only the administrator can make one
/// to try it with.
#[cfg(unix)]
#[test]
fn the_state_file_of_another_user_is_refused() {
    let folder = Folder::new();
    let state = put(&folder, "state", "");
    if std::os::unix::fs::chown(&state, Some(12_345), None).is_err() {
        return;
    }
    let op = Op::start(|_, _| None);
    let run = op.run(&["--state", &state]).expect_code(2);
    assert!(run.sentence().contains("belongs to another user (id 12345)"), "{run:?}");
    let run = ciba(["resume", "--state", &state]).expect_code(2);
    assert!(run.sentence().contains("belongs to another user"), "{run:?}");
    assert_eq!(op.count("/bc"), 0);
}

/// So is a key or a secret, unless it is the administrator's.
#[cfg(unix)]
#[test]
fn a_secret_of_another_user_is_refused() {
    let folder = Folder::new();
    let key = put(&folder, "key.pem", stored("ec-p256.pkcs8.pem"));
    let link = folder.text("link.pem");
    std::os::unix::fs::symlink("key.pem", &link).unwrap();
    if std::os::unix::fs::chown(&key, Some(12_345), None).is_err() {
        return;
    }
    for path in [&key, &link] {
        let run = public(path).expect_code(2);
        assert!(run.sentence().contains("belongs to another user (id 12345)"), "{run:?}");
    }
    std::os::unix::fs::chown(&key, Some(0), None).unwrap();
    let run = public(&key).expect_code(0);
    assert_eq!(run.stderr, "");
}

/// Who can write to a folder can put another file where one's own was.
#[cfg(unix)]
#[test]
fn a_directory_that_others_can_write_to_is_reported() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    for name in ["shared", "shared/own", "own"] {
        std::fs::create_dir(folder.path(name)).unwrap();
    }
    put(&folder, "shared/own/key.pem", stored("ec-p256.pkcs8.pem"));
    put(&folder, "own/key.pem", stored("ec-p256.pkcs8.pem"));
    symlink("../own/key.pem", folder.path("shared/link.pem")).unwrap();
    symlink("../shared", folder.path("own/way")).unwrap();
    symlink("shared/link.pem", folder.path("twice.pem")).unwrap();
    let op = Op::start(|path, _| (path == "/bc").then(|| support::error("unknown_user_id")));
    for (mode, path, told) in [
        (0o755, "shared/own/key.pem", false),
        (0o775, "shared/own/key.pem", false),
        (0o1777, "shared/own/key.pem", false),
        (0o777, "shared/own/key.pem", true),
        (0o777, "own/key.pem", false),
        (0o777, "shared/link.pem", true),
        (0o777, "twice.pem", true),
        (0o777, "own/way/own/key.pem", true),
        (0o777, "own/../own/key.pem", false),
    ] {
        folder.protect("shared", mode);
        let run = public(&folder.text(path)).expect_code(0);
        let says = format!(
            "in the place of the file of `key public`: {} has mode 777",
            folder.text("shared")
        );
        assert_eq!(run.stderr.contains(&says), told, "{mode:o} {path}: {run:?}");
        assert_eq!(run.stderr.is_empty(), !told, "{mode:o} {path}: {run:?}");
        // A state file is no link, and is looked at in the same way.
        if let Some(place) = path.strip_suffix("key.pem") {
            let state = folder.text(&format!("{place}state"));
            let run = op.run(&["--state", &state]).expect_code(12);
            assert_eq!(
                run.stderr.contains("in the place of the state file"),
                told,
                "{mode:o} {path}: {run:?}"
            );
        }
    }
}

/// A byte order mark changes nothing, and each format that is not read has its name.
#[test]
fn key_files_of_every_format_are_accepted_or_refused_by_name() {
    let folder = Folder::new();
    let pem = text_of("ec-p256.pkcs8.pem");
    let jwk = ciba(["key", "new", "--alg", "ES256"]).expect_code(0).stdout;
    let read = [
        ("a byte order mark", format!("\u{feff}{pem}")),
        ("a JWK with one", format!("\u{feff}{jwk}")),
        ("line ends written out", pem.replace('\n', "\\n")),
        ("in quotes", format!("\"{}\"", pem.replace('\n', "\\n"))),
    ];
    for (what, content) in read {
        let run = public(&put(&folder, "key", content)).expect_code(0);
        assert!(run.stdout.contains("P-256"), "{what}: {run:?}");
    }
    let without = |member: &str| jwk.replace(&format!("\"{member}\""), "\"other\"");
    for (content, named) in [
        (stored("ec-p256.encrypted.pem"), "encrypted"),
        (stored("rsa-2048.encrypted-pkcs1.pem"), "encrypted"),
        (der("ec-p256.pkcs8.pem"), "DER"),
        (stored("ec-p256.p12"), "key store"),
        (stored("ec-p256.openssh"), "OpenSSH"),
        (utf_16(&pem), "UTF-16"),
        (stored("ec-p256.public.pem"), "public key"),
        (stored("ec-p256.certificate.pem"), "certificate"),
        (without("y").into_bytes(), "`y` in the key is missing"),
        (jwk.replace("\"x\":\"", "\"x\":\"!").into_bytes(), "`x` in the key is not base64"),
    ] {
        let run = public(&put(&folder, "key", content)).expect_code(2);
        assert!(run.sentence().contains(named), "{named}: {run:?}");
    }
    // Whatever else is read, too.
    let op = Op::start(|path, _| (path == "/bc").then(|| support::error("unknown_user_id")));
    let document = metadata(&op.issuer).to_string();
    let marked = put(&folder, "metadata.json", format!("\u{feff}{document}"));
    op.run(&["--metadata", &marked, "--no-openid"]).expect_code(12);
    let run =
        op.run(&["--metadata", &put(&folder, "metadata.json", utf_16(&document))]).expect_code(2);
    assert!(run.sentence().contains("UTF-16"), "{run:?}");
}

/// A certificate and a key are distinguished from other files.
#[test]
fn a_certificate_must_match_its_key() {
    let folder = Folder::new();
    let [own, other] =
        ["own", "other"].map(|name| ClientCertificate::self_signed(name).expect("a certificate"));
    let key = put(&folder, "key.pem", &own.key_pem);
    let jwk = put(&folder, "key.jwk", ciba(["key", "new", "--alg", "ES256"]).expect_code(0).stdout);
    let cases = [
        (own.certificate_pem.clone().into_bytes(), &key, ""),
        (format!("\u{feff}{}", own.certificate_pem).into_bytes(), &key, ""),
        (own.certificate_pem.replace('\n', "\\n").into_bytes(), &key, ""),
        (format!("{}{}", own.certificate_pem, other.certificate_pem).into_bytes(), &key, ""),
        (
            format!("{}{}", other.certificate_pem, own.certificate_pem).into_bytes(),
            &key,
            "has to come first",
        ),
        (other.certificate_pem.clone().into_bytes(), &key, "certificate of another key"),
        (own.der.clone(), &key, "in DER"),
        (stored("ec-p256.p12"), &key, "key store"),
        (own.key_pem.clone().into_bytes(), &key, "holds a private key and no certificate"),
        (own.certificate_pem.clone().into_bytes(), &jwk, "is a JWK"),
    ];
    let op = Op::start(|path, _| (path == "/bc").then(|| support::error("unknown_user_id")));
    for transport in ["reqwest", "ureq"] {
        for (certificate, key, named) in &cases {
            let certificate = put(&folder, "cert.pem", certificate);
            let run =
                op.run(&["--cert", &certificate, "--cert-key", key, "--transport", transport]);
            let run = run.expect_code(if named.is_empty() { 12 } else { 2 });
            assert!(run.sentence().contains(named), "{named}: {run:?}");
        }
    }
}

/// A provider that publishes these algorithms and keys.
fn publishing(algorithms: Value, keys: Say) -> Op {
    let keys = std::sync::Mutex::new(Some(keys));
    Op::knowing_itself(move |issuer, path, _| match path {
        "/.well-known/openid-configuration" => {
            let mut metadata = metadata(issuer);
            metadata["id_token_signing_alg_values_supported"] = algorithms.clone();
            Some(Say::Json(200, metadata))
        }
        "/jwks" => keys.lock().unwrap().take(),
        "/bc" => Some(support::error("unknown_user_id")),
        _ => None,
    })
}

/// Discovery lists each key as usable or not, and why, and every list as it was received.
#[test]
fn discovery_shows_keys_and_lists_as_they_are() {
    let discover = |op: &Op, more: &[&str]| {
        ciba(["discover", &op.issuer, "--allow-http-loopback"].iter().chain(more))
    };
    let mut keys = Signer::new().key_set();
    let good = keys["keys"][0]["kid"].clone();
    keys["keys"].as_array_mut().unwrap().extend([
        json!({"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "kid": "e", "n": "AQAB", "e": 65537}),
    ]);
    let algorithms = json!(["RS256", "ES256K", "Ed25519", "EdDSA"]);
    let op = publishing(algorithms.clone(), Say::Json(200, keys.clone()));
    let last = discover(&op, &["--output", "json"]).expect_code(0).last();
    assert_eq!(last["id_token_signing_alg_values_supported"], algorithms);
    assert_eq!(last["not_usable"], json!({"id_token_signing_alg_values_supported": ["ES256K"]}));
    assert_eq!(
        last["keys"],
        json!([
            {"kid": good, "kind": "EC P-256", "algorithms": ["ES256"]},
            {"kid": "k1", "kind": "EC secp256k1", "not_usable": "its curve (`crv`) is not supported"},
            {"kid": "e", "kind": "RSA", "not_usable": "its `e` is not a string"},
        ])
    );
    assert_eq!(
        last["problems"],
        json!(["no published key can verify id tokens that are signed with RS256"])
    );

    let op = publishing(algorithms, Say::Json(200, keys));
    let run = discover(&op, &["--id-token-alg", "ES256"]).expect_code(2);
    for shown in [
        "RS256 ES256K (not usable here) Ed25519 EdDSA",
        "k1  EC secp256k1  not usable: its curve",
        "ES256\n",
    ] {
        assert!(run.stdout.contains(shown), "{run:?}");
    }
    assert!(op.seen.lock().unwrap().iter().any(|seen| {
        seen.path == "/jwks"
            && seen
                .head
                .to_ascii_lowercase()
                .contains("accept: application/jwk-set+json, application/json")
    }));

    // A set that cannot be parsed is a finding; one that is unavailable for a moment is none.
    let html = || Say::Raw(200, "text/html", "<html>".to_owned());
    let op = publishing(json!(["RS256"]), html());
    let run = discover(&op, &["--output", "json"]).expect_code(0);
    assert_eq!(
        run.last()["problems"],
        json!(["the key set cannot be used: the answer cannot be used: it is not a JSON object"])
    );
    let op = publishing(json!(["RS256"]), Say::Json(503, json!({})));
    let run = discover(&op, &["--output", "json"]).expect_code(0);
    assert_eq!((&run.last()["problems"], run.last().get("keys")), (&json!([]), None));
}

/// What is assumed about ID Tokens is said before anybody is asked, where something speaks against
/// it.
#[test]
fn the_assumed_id_token_algorithm_is_reported_before_the_prompt() {
    let folder = Folder::new();
    let key = folder.text("key.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &key]).expect_code(0);
    let keyed = ["--client-auth", "private_key_jwt", "--key", key.as_str()];
    for (algorithms, more, says) in [
        (json!(["RS256", "ES256"]), &[][..], None),
        (Value::Null, &[], None),
        (json!(["PS256", "RS256"]), &[], Some("the provider lists PS256 first")),
        (json!(["RS256", "ES256"]), &keyed[..], Some("the client itself signs with ES256")),
        (Value::Null, &keyed, Some("the client itself signs with ES256")),
        (json!(["PS256", "RS256"]), &["--id-token-alg", "RS256"], None),
    ] {
        let op = publishing(algorithms, Say::Json(200, json!({"keys": []})));
        let mut arguments = op.arguments();
        if more.contains(&"--key") {
            arguments.retain(|argument| argument != "--client-auth" && argument != "none");
        }
        let arguments = arguments.into_iter().chain(more.iter().map(|&text| text.to_owned()));
        let run = ciba(arguments).expect_code(12);
        let warning = run
            .stderr
            .lines()
            .find(|line| line.starts_with("ciba: warning: id tokens are expected"));
        assert_eq!(warning.is_some(), says.is_some(), "{run:?}");
        if let (Some(warning), Some(says)) = (warning, says) {
            assert!(
                warning.contains("RS256")
                    && warning.contains(says)
                    && warning.contains("--id-token-alg"),
                "{warning}"
            );
            assert!(run.stderr.starts_with(warning), "before anybody is asked: {run:?}");
            let run = ciba(
                ["discover", &op.issuer, "--allow-http-loopback", "--client-id", "c"]
                    .iter()
                    .chain(more),
            );
            assert!(run.expect_code(2).stdout.contains(says));
        }
    }
}

/// What keeps a token from being verified.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Away,
    Unusable,
    Unpublished,
}

/// Tokens that could not be verified without keys stay in the state file. The exit code does not say
/// that no person was prompted, and resuming fetches the keys again.
#[test]
fn tokens_without_keys_are_kept_and_verified_by_resuming() {
    for transport in ["reqwest", "ureq"] {
        for broken in [Broken::Away, Broken::Unusable, Broken::Unpublished] {
            let signer = Signer::new();
            let is_mended = Arc::new(AtomicBool::new(false));
            let mended = Arc::clone(&is_mended);
            let op = Op::knowing_itself(move |issuer, path, _| match path {
                "/bc" => Some(acknowledgement(60)),
                "/token" => Some(signer.tokens(issuer, &json!({}))),
                "/jwks" if mended.load(Ordering::SeqCst) => Some(Say::Json(200, signer.key_set())),
                "/jwks" => Some(match broken {
                    Broken::Away => Say::Json(404, json!({})),
                    Broken::Unusable => {
                        let mut keys = signer.key_set();
                        keys["keys"][0]["use"] = json!("enc");
                        Say::Json(200, keys)
                    }
                    Broken::Unpublished => Say::Json(200, json!({"keys": []})),
                }),
                _ => None,
            });
            let folder = Folder::new();
            let state = folder.text("state");
            let mut arguments =
                vec!["--id-token-alg", "ES256", "--transport", transport, "--state", &state];
            // A key may be published late; the flow waits for it for two minutes.
            arguments.extend(["--timeout", "8"].iter().filter(|_| broken == Broken::Unpublished));
            let run = op.run(&arguments).expect_code(match broken {
                Broken::Away => 14,
                Broken::Unusable => 13,
                Broken::Unpublished => 17,
            });
            assert_eq!((&run.last()["state"], op.count("/token")), (&json!(state), 1), "{run:?}");
            assert!(run.sentence().contains(&format!("ciba resume --state {state}")), "{run:?}");
            if broken == Broken::Away {
                assert!(run.sentence().contains("status 404"), "{run:?}");
                assert_eq!(
                    (&run.last()["endpoint"], &run.last()["status"]),
                    (&json!("key_set"), &json!(404))
                );
            }
            assert!(!run.stdout.contains("sentinel") && !run.stderr.contains("sentinel"));

            is_mended.store(true, Ordering::SeqCst);
            let run = ciba(["resume", "--state", &state, "--output", "json"]).expect_code(0);
            assert_eq!(run.last()["subject"], "the-person-s-id");
            assert_eq!((op.count("/token"), op.count("/bc")), (1, 1), "nothing is requested again");
            assert!(!folder.path("state").exists(), "a flow that is over leaves no secrets behind");
        }
    }
}
