//! What is secret stays out of everything the command prints.

mod support;

use serde_json::json;
use support::{Ended, Folder, Op, Say, ciba, command, ended, error};

/// A provider that hands out marked values, to a client that asks without `openid`.
fn marked(approve: bool) -> Op {
    Op::start(move |path, before| match (path, before) {
        ("/bc", _) => Some(Say::Json(
            200,
            json!({
                "auth_req_id": "sentinel-auth-req-id-0123456789", "expires_in": 60, "interval": 1,
            }),
        )),
        ("/token", 0) => Some(error("authorization_pending")),
        ("/token", _) if approve => Some(Say::Json(
            200,
            json!({
                "access_token": "sentinel-access", "refresh_token": "sentinel-refresh", "token_type": "Bearer",
                "expires_in": 60,
            }),
        )),
        ("/token", _) => Some(error("access_denied")),
        _ => None,
    })
}

fn run(op: &Op, method: &str, format: &str, more: &[&str]) -> Ended {
    let options = [
        "authenticate",
        "--issuer",
        &op.issuer,
        "--allow-http-loopback",
        "--client-id",
        "the-client",
        "--client-auth",
        method,
        "--no-openid",
        "--scope",
        "payments",
        "--login-hint",
        "sentinel-hint",
        "--output",
        format,
        "-v",
    ];
    let mut command = command();
    command.env("CIBA_CLIENT_SECRET", "sentinel-client-secret-of-32-octets-or-more");
    ended(command.args(options).args(more).spawn().unwrap())
}

/// REQ-SEC-03
#[test]
fn no_printed_text_contains_a_secret() {
    let check = |method, format, approve, code| {
        let op = marked(approve);
        let run = run(&op, method, format, &[]).expect_code(code);
        assert!(!format!("{run:?}").contains("sentinel"), "{run:?}");
        let sent = format!("{:?}", op.seen.lock().unwrap());
        assert!(sent.contains("sentinel-hint"), "the test would prove nothing: {run:?}");
    };
    std::thread::scope(|scope| {
        for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
            for format in ["text", "json"] {
                for (approve, code) in [(true, 0), (false, 10)] {
                    scope.spawn(move || check(method, format, approve, code));
                }
            }
        }
    });
}

/// REQ-SEC-03
#[test]
fn tokens_are_printed_only_on_request() {
    let shown =
        run(&marked(true), "client_secret_post", "json", &["--show-tokens"]).expect_code(0).last();
    assert_eq!(shown["access_token"], "sentinel-access");
    assert_eq!(shown["refresh_token"], "sentinel-refresh");
    let hidden = run(&marked(true), "client_secret_post", "json", &[]).expect_code(0).last();
    assert_eq!(hidden["event"], "authenticated");
    assert_eq!(hidden["has_refresh_token"], true);
    assert_eq!(hidden["token_type"], "Bearer");
    assert_eq!(hidden["expires_in"], 60);
    assert!(hidden.get("access_token").is_none() && hidden.get("refresh_token").is_none());
}

/// REQ-SEC-03
#[test]
fn a_saved_flow_holds_no_client_secret_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let state = folder.text("state");
    let op = Op::start(|path, _| {
        (path == "/bc").then(|| Say::Silence(std::time::Duration::from_secs(20)))
    });
    let options = [
        "authenticate",
        "--issuer",
        &op.issuer,
        "--allow-http-loopback",
        "--client-id",
        "the-client",
        "--client-auth",
        "client_secret_post",
        "--login-hint",
        "h",
        "--state",
        &state,
    ];
    let mut child = command()
        .env("CIBA_CLIENT_SECRET", "sentinel-client-secret")
        .args(options)
        .spawn()
        .unwrap();
    while op.count("/bc") == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let saved = std::fs::read_to_string(&state).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        saved.contains("\"client_id\":\"the-client\"") && !saved.contains("sentinel"),
        "{saved}"
    );

    // The answer was lost with the process, so the person may have been prompted, and is not
    // prompted again.
    let mut resume = command();
    resume.env("CIBA_CLIENT_SECRET", "sentinel-client-secret");
    let run =
        ended(resume.args(["resume", "--state", &state, "--output", "json"]).spawn().unwrap());
    assert_eq!((run.code, &run.last()["failure"]), (15, &json!("indeterminate")), "{run:?}");
    assert_eq!(op.count("/bc"), 1);
    assert!(!folder.path("state").exists());
    let without = ciba(["resume", "--state", &state]).expect_code(2);
    assert!(without.sentence().contains("cannot be read"));
}

/// REQ-SEC-03
#[test]
fn no_secret_of_a_delivered_or_signed_flow_is_printed() {
    use ciba_core::DeliveryMode;
    use ciba_test_op::{Client, Endpoint};
    use support::wired::Wired;

    let check = |mode: DeliveryMode, hint: &str, format: &str| {
        let change = |client: Client| {
            client.user_code().request_signing_alg(ciba_core::jose::JwsAlgorithm::Es256)
        };
        let op = Wired::start(mode, change).certified();
        let mut arguments: Vec<&str> =
            vec!["authenticate", "--login-hint", hint, "--output", format, "-v"];
        arguments.extend([
            "--user-code",
            "31415926535",
            "--signed-request",
            "ES256",
            "--scope",
            "openid offline_access",
        ]);
        let run = ended(command().args(arguments).args(&op.options).spawn().unwrap());
        op.expect_clean();
        let printed = format!("{}{}", run.stdout, run.stderr);
        let mut secrets = vec!["31415926535".to_owned()];
        for name in ["key.jwk", "cert-key.pem", "listen-key.pem"] {
            secrets.push(std::fs::read_to_string(op.folder.path(name)).unwrap());
        }
        let provider = op.server.provider();
        for exchange in provider.exchanges() {
            for name in ["client_notification_token", "auth_req_id", "request", "client_assertion"]
            {
                secrets.extend(exchange.parameter(name));
            }
        }
        for notified in provider.notified() {
            let bearer = notified
                .outbound
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            secrets
                .extend(bearer.and_then(|(_, value)| value.split(' ').nth(1)).map(str::to_owned));
            let body: serde_json::Value =
                serde_json::from_slice(notified.outbound.body.expose()).unwrap();
            for name in ["auth_req_id", "access_token", "refresh_token", "id_token"] {
                secrets.extend(body[name].as_str().map(str::to_owned));
            }
        }
        let sent =
            provider.exchanges().iter().any(|exchange| exchange.endpoint == Endpoint::Backchannel);
        assert!(sent && secrets.len() > 6, "the test would prove nothing");
        for secret in secrets {
            assert!(!printed.contains(secret.trim()), "{secret} is printed: {run:?}");
        }
        run
    };
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        for format in ["text", "json"] {
            check(mode, "approve-after:0", format).expect_code(0);
            check(mode, "deny-after:0", format).expect_code(10);
        }
    }
}
