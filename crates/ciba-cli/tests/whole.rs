//! The command against the test provider: keys, discovery, the provider itself and the
//! demonstration.

mod support;

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::Child,
};

use ciba_core::AuthRequest;
use serde_json::{Value, json};
use support::{Ended, Folder, Op, Say, ciba, command, ended, signal};

/// `ciba op`, running.
struct Running {
    child: Child,
    issuer: String,
    folder: Folder,
}

impl Running {
    fn start(more: &[&str]) -> Self {
        let folder = Folder::new();
        let directory = folder.text("");
        Self::writing(folder, &directory, more)
    }

    /// Started in a folder, with the directory for the ready client.
    fn writing(folder: Folder, directory: &str, more: &[&str]) -> Self {
        let mut command = command();
        command.current_dir(folder.path("")).args(["op", "--client-dir", directory]).args(more);
        let mut child = command.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let issuer =
            first.strip_prefix("READY ").unwrap_or_else(|| panic!("{first:?}")).trim().to_owned();
        Self { child, issuer, folder }
    }

    /// The client the provider made ready, with a hint.
    fn authenticate(&self, hint: &str, more: &[&str]) -> Ended {
        let client: Value = serde_json::from_str(
            &std::fs::read_to_string(self.folder.path("client.json")).unwrap(),
        )
        .unwrap();
        let mut options: Vec<String> =
            ["authenticate", "--issuer", &self.issuer, "--client-id"].map(str::to_owned).to_vec();
        options.push(client["client_id"].as_str().unwrap().to_owned());
        options.extend([
            "--key".into(),
            self.folder.text("key.jwk"),
            "--login-hint".into(),
            hint.to_owned(),
        ]);
        match self.issuer.starts_with("https:") {
            true => options.extend(["--ca-cert".into(), self.folder.text("ca.pem")]),
            false => options.push("--allow-http-loopback".into()),
        }
        options.extend(["--output".into(), "json".into()]);
        options.extend(more.iter().map(|&text| text.to_owned()));
        ciba(options)
    }

    /// Ends it, and gives what it wrote to standard error.
    fn end(mut self) -> String {
        signal(&self.child, "TERM");
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success());
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the provider wrote about its client is all that a command line has to name.
#[test]
fn a_client_is_read_from_the_file_of_the_provider() {
    let idura: &[&str] = &[
        "--login-hint",
        "sub:ssn:196802020575",
        "--acr-values",
        "urn:grn:authn:se:bankid",
        "--binding-message",
        "Example Bank support, case 4711",
    ];
    let usual: &[&str] = &["--login-hint", "approve", "--binding-message", "W4SCT"];
    for (op, request) in [
        (&[][..], usual),
        (&["--tls", "--client-auth", "client_secret_basic"], usual),
        (&["--client-auth", "self_signed_tls_client_auth", "--signed-request", "PS256"], usual),
        (&["--profile", "fapi-ciba", "--delivery", "ping"], usual),
        (&["--delivery", "push", "--tls"], usual),
        (&["--personality", "idura"], idura),
    ] {
        let running = Running::start(op);
        let file = running.folder.text("client.json");
        let mut options = vec!["--client", &file, "--output", "json"];
        if running.issuer.starts_with("http:") {
            options.push("--allow-http-loopback");
        }
        let found = ciba([&["discover"], &options[..]].concat()).expect_code(0);
        assert_eq!(found.last()["problems"], serde_json::json!([]), "{op:?}");
        let run = ciba([&["authenticate"], &options[..], request].concat()).expect_code(0);
        assert_eq!(run.last()["event"], "authenticated", "{op:?}");
        // An option wins over the file.
        let other =
            ciba([&["authenticate"], &options[..], request, &["--client-id", "x"]].concat());
        assert_ne!(other.code, 0, "{op:?}: {other:?}");
    }
}

/// The README's words, in another working directory than the file's: `ciba op --tls --client-dir
/// here`, and `Client::from_file("here/client.json")`.
#[test]
fn a_program_reads_the_client_from_the_file_of_the_provider() {
    let running = Running::writing(Folder::new(), "here", &["--tls"]);
    // What the file names is beside it, also after both were moved.
    std::fs::rename(running.folder.path("here"), running.folder.path("there")).unwrap();
    let file = running.folder.path("there/client.json");
    let request = || AuthRequest::login("approve").binding_message("W4SCT");

    let client = ciba_ureq::Client::from_file(&file).connect().unwrap();
    let blocking = client.authenticate(request()).unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waited = runtime.block_on(async {
        let client = ciba_reqwest::Client::from_file(&file).connect().await.unwrap();
        client.authenticate(request()).await.unwrap()
    });
    assert_eq!(blocking.subject().unwrap(), waited.subject().unwrap());
}

#[test]
fn the_demonstration_ends_with_verified_claims() {
    let run = ciba(["demo"]).expect_code(0);
    for words in ["binding_message", "Idura", "196802020575", "Every check passed", "it broke none"]
    {
        assert!(run.stdout.contains(words), "{words} is missing: {}", run.stdout);
    }
    // Told in the order in which it happens.
    let told = [
        "fetches the provider's public keys",
        "asks for the result",
        "The person said yes",
        "Every check passed",
    ];
    let places = told.map(|words| {
        run.stdout.find(words).unwrap_or_else(|| panic!("{words} is missing: {}", run.stdout))
    });
    assert!(places.is_sorted(), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn the_demonstration_prints_json_with_either_http_library() {
    for transport in ["reqwest", "ureq"] {
        let run = ciba(["demo", "--output", "json", "--transport", transport]).expect_code(0);
        let last = run.last();
        assert_eq!(last["event"], "authenticated");
        assert_eq!(last["claims"]["ssn"], "196802020575");
        assert_eq!(run.stderr, "");
    }
}

/// Without certificate authorities, http on this machine works and https fails, over either library.
#[test]
fn plain_http_works_on_a_machine_without_certificate_authorities() {
    let op = Running::start(&["--tls"]);
    for transport in ["reqwest", "ureq"] {
        let run = |arguments: &[&str]| {
            let mut bare = command();
            bare.env("SSL_CERT_FILE", "/no/such/file").env("SSL_CERT_DIR", "/no/such/folder");
            ended(
                bare.args(arguments)
                    .args(["--transport", transport, "--output", "json"])
                    .spawn()
                    .unwrap(),
            )
        };
        run(&["demo"]).expect_code(0);
        assert_eq!(run(&["discover", &op.issuer]).expect_code(16).last()["failure"], "unreachable");
        run(&["discover", &op.issuer, "--ca-cert", &op.folder.text("ca.pem")]).expect_code(0);
    }
}

/// A proxy of the environment is for others than this machine, and must not see what goes over
/// plain http.
#[test]
fn a_provider_on_this_machine_is_not_called_through_a_proxy() {
    let op = Op::start(|_, _| Some(Say::Json(502, json!({}))));
    for transport in ["reqwest", "ureq"] {
        let mut demo = command();
        for name in
            ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        {
            demo.env(name, &op.issuer);
        }
        demo.env_remove("NO_PROXY").env_remove("no_proxy");
        ended(demo.args(["demo", "--transport", transport]).spawn().unwrap()).expect_code(0);
    }
    assert!(op.seen.lock().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn the_provider_creates_a_client_and_judges_its_requests() {
    use std::os::unix::fs::PermissionsExt as _;

    let op = Running::start(&[]);
    let mode = std::fs::metadata(op.folder.path("key.jwk")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let run = op.authenticate("approve-after:1", &["--binding-message", "W4SCT"]).expect_code(0);
    assert_eq!(run.last()["event"], "authenticated");
    let said = op.end();
    assert!(said.contains("ciba authenticate --issuer http://127.0.0.1:"), "{said}");
    assert!(said.contains("/phone"), "{said}");
    assert!(said.contains("the client broke no rule"), "{said}");
}

/// Runs the line that `ciba op` prints with these options, in the form a shell would, with another
/// hint where `hint` says.
fn line(options: &[&str], hint: Option<&str>) -> (Ended, String) {
    let mut child = command().arg("op").args(options).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    let line = loop {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no line with the command");
        if let Some(line) = line.trim().strip_prefix("ciba authenticate ") {
            break line.to_owned();
        }
    };
    let mut words: Vec<&str> = line.split(' ').collect();
    if let (Some(at), Some(hint)) = (words.iter().position(|word| *word == "--login-hint"), hint) {
        words[at + 1] = hint;
    }
    let run = ciba(["authenticate"].into_iter().chain(words).chain(["--output", "json"]));
    signal(&child, "INT");
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    (run, said)
}

#[test]
fn the_command_that_the_provider_prints_works_unchanged() {
    let (run, said) = line(&[], None);
    assert_eq!(run.expect_code(0).last()["event"], "authenticated");
    assert!(said.contains("the client broke no rule"), "{said}");
}

#[test]
fn the_printed_command_works_in_every_mode_with_every_method() {
    let table: [&[&str]; 13] = [
        &["--delivery", "ping"],
        &["--client-auth", "none"],
        &["--client-auth", "client_secret_basic"],
        &["--client-auth", "client_secret_post", "--delivery", "ping", "--tls"],
        &["--client-auth", "client_secret_jwt", "--delivery", "push"],
        &["--client-auth", "client_secret_basic", "--signed-request", "ES256"],
        &["--delivery", "push"],
        &["--delivery", "ping", "--tls", "--signed-request", "PS256"],
        &["--delivery", "push", "--client-auth", "self_signed_tls_client_auth"],
        &["--client-auth", "tls_client_auth", "--delivery", "ping"],
        &["--profile", "fapi-ciba", "--delivery", "ping"],
        &[
            "--profile",
            "fapi-ciba",
            "--delivery",
            "ping",
            "--client-auth",
            "tls_client_auth",
            "--signed-request",
            "PS256",
        ],
        &[
            "--profile",
            "fapi-ciba",
            "--client-auth",
            "self_signed_tls_client_auth",
            "--delivery",
            "ping",
        ],
    ];
    std::thread::scope(|scope| {
        for options in table {
            scope.spawn(move || {
                let (run, said) = line(options, Some("approve-after:0"));
                assert_eq!(
                    (run.code, run.last()["event"].as_str()),
                    (0, Some("authenticated")),
                    "{options:?}: {run:?}"
                );
                assert!(said.contains("the client broke no rule"), "{options:?}: {said}");
            });
        }
    });
}

#[test]
fn the_printed_command_sends_the_user_code() {
    let (run, said) = line(&["--user-codes", "--delivery", "push"], None);
    assert_eq!(run.expect_code(0).last()["subject"], "user-user-code:1234");
    assert!(said.contains("the client broke no rule"), "{said}");
}

#[test]
fn no_client_is_created_that_the_provider_cannot_serve() {
    for (options, needle) in [
        (&["--personality", "idura", "--delivery", "ping"][..], "Idura offers nothing else"),
        (&["--profile", "fapi-ciba", "--delivery", "push"], "FAPI-CIBA 5.2.2 item 3"),
        (
            &["--profile", "fapi-ciba", "--client-auth", "client_secret_jwt"],
            "takes no client secret",
        ),
        (&["--profile", "fapi-ciba", "--client-auth", "none"], "FAPI-CIBA 5.2.2 item 1"),
        (&["--signed-request", "HS256"], "takes no MAC"),
    ] {
        let run = ciba(["op"].iter().chain(options)).expect_code(2);
        assert!(run.sentence().contains(needle), "{run:?}");
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn tls_works_only_with_the_ca_of_the_provider() {
    let op = Running::start(&["--tls"]);
    assert!(op.issuer.starts_with("https://"), "{}", op.issuer);
    for transport in ["reqwest", "ureq"] {
        op.authenticate("approve-after:0", &["--transport", transport]).expect_code(0);
        let run = ciba(["discover", &op.issuer, "--transport", transport, "--output", "json"])
            .expect_code(16);
        assert_eq!(run.last()["failure"], "unreachable");
        assert_eq!(run.last()["cause"], "certificate_unknown_issuer");
        assert!(
            run.sentence().contains("not signed by a trusted authority")
                && run.sentence().contains("--ca-cert"),
            "{run:?}"
        );
    }
}

#[test]
fn another_key_and_another_client_id_are_refused_with_12() {
    let op = Running::start(&[]);
    let other = op.folder.text("other.jwk");
    ciba(["key", "new", "--alg", "ES256", "--out", &other]).expect_code(0);
    let options = |client: &str, key: &str| {
        ciba([
            "authenticate",
            "--issuer",
            &op.issuer,
            "--allow-http-loopback",
            "--client-id",
            client,
            "--key",
            key,
            "--id-token-alg",
            "RS256",
            "--login-hint",
            "approve",
            "--output",
            "json",
        ])
    };
    for run in [options("test-client", &other), options("nobody", &op.folder.text("key.jwk"))] {
        let run = run.expect_code(12);
        assert_eq!(run.last()["error"], "invalid_client");
        assert!(run.sentence().contains("check --client-id"), "{run:?}");
    }
}

#[test]
fn wrong_words_and_unmet_expectations_fail_the_demonstration() {
    let op = Running::start(&[]);
    let unknown = op.authenticate("nobody-knows-this-hint", &[]).expect_code(12);
    assert_eq!(unknown.last()["error"], "unknown_user_id");
    let other =
        op.authenticate("approve-after:0", &["--expect", "sub=somebody-else"]).expect_code(13);
    assert_eq!(other.last()["check"], "expected-subject");
    let algorithm =
        op.authenticate("approve-after:0", &["--id-token-alg", "ES256"]).expect_code(13);
    assert_eq!(algorithm.last()["check"], "algorithm");
}

#[cfg(unix)]
#[test]
fn new_keys_are_private_never_overwritten_and_named_by_their_thumbprint() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    for (algorithm, kind) in [
        ("ES256", "EC"),
        ("ES384", "EC"),
        ("ES512", "EC"),
        ("EdDSA", "OKP"),
        ("RS256", "RSA"),
        ("PS256", "RSA"),
    ] {
        let path = folder.text(algorithm);
        ciba(["key", "new", "--alg", algorithm, "--out", &path]).expect_code(0);
        let made = std::fs::read_to_string(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = ciba(["key", "new", "--alg", algorithm, "--out", &path]).expect_code(2);
        assert!(again.sentence().contains("never overwritten"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), made);

        let private: Value = serde_json::from_str(&made).unwrap();
        let public: Value =
            serde_json::from_str(&ciba(["key", "public", &path]).expect_code(0).stdout).unwrap();
        let key = &public["keys"][0];
        assert_eq!(
            (&key["kty"], &key["alg"], &key["use"]),
            (&json!(kind), &json!(algorithm), &json!("sig"))
        );
        assert_eq!(key["kid"], private["kid"]);
        for secret in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(key.get(secret).is_none(), "{algorithm}: {secret} is not public");
        }
    }
}

#[test]
fn the_provider_listens_on_loopback_only() {
    let run = ciba(["op", "--listen", "0.0.0.0:0"]).expect_code(2);
    assert!(run.sentence().contains("loopback"));
}
