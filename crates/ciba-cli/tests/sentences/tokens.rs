//! Tokens that came and are not accepted, keys, and notifications.

use std::time::{SystemTime, UNIX_EPOCH};

use ciba_core::DeliveryMode;
use ciba_test_op::{Act, Endpoint, Script, faults};
use serde_json::{Value, json};

use super::{
    case::Case,
    support::{Say, Signer, acknowledgement, metadata, wired::Wired},
};

pub(crate) fn sections() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("ID Tokens that are not accepted", tokens()),
        ("What was asked for and is not there", missing()),
        ("The provider's keys", keys()),
        ("Notifications", notifications()),
    ]
}

const ES256: &[&str] = &["--id-token-alg", "ES256"];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A flow whose ID Token has this header and these claims.
fn login(case: Case, header: fn() -> Value, claims: fn() -> Value) -> Case {
    let signer = Signer::new();
    case.with(move |issuer, path, _| match path {
        "/bc" => Some(acknowledgement(60)),
        "/token" => Some(signer.tokens_with(issuer, &header(), &claims())),
        "/jwks" => Some(Say::Json(200, signer.key_set())),
        _ => None,
    })
}

fn tokens() -> Vec<Case> {
    let claims = |title, claims| login(Case::authenticate(title, ES256), || json!({}), claims);
    let header = |title, header| login(Case::authenticate(title, ES256), header, || json!({}));
    vec![
        login(
            Case::authenticate("An algorithm that was not configured", &[]),
            || json!({}),
            || json!({}),
        )
        .both(),
        header("No signature", || json!({"alg": "none"})),
        header("An unknown algorithm", || json!({"alg": "ES255"})),
        header("A header that demands an extension", || json!({"crit": ["b64"]})),
        header("Another algorithm than registered", || json!({"alg": "ES384"})),
        claims("Another issuer", || json!({"iss": "https://login.example/realms/a"})),
        claims("No issuer", || json!({"without": "iss"})),
        claims("No issuer, but null", || json!({"iss": null})),
        claims("Another client", || json!({"aud": "another-client"})),
        claims("Another audience beside this client", || json!({"aud": ["the-client", "the-api"]})),
        claims("No audience", || json!({"without": "aud"})),
        claims("No audience, but null", || json!({"aud": null})),
        claims("An audience of another type", || json!({"aud": 7})),
        claims(
            "Another authorised party",
            || json!({"aud": ["the-client"], "azp": "another-client"}),
        ),
        claims("An expired token", || json!({"iat": now() - 4000, "exp": now() - 400})),
        claims("No expiry", || json!({"without": "exp"})),
        claims("No expiry, but null", || json!({"exp": null})),
        claims("An expiry of another type", || json!({"exp": "soon"})),
        claims("Issued in the future", || json!({"iat": now() + 500, "exp": now() + 900})),
        claims("Issued long ago", || json!({"iat": now() - 90_000})),
        claims("No time of issue", || json!({"without": "iat"})),
        claims("No time of issue, but null", || json!({"iat": null})),
        claims(
            "Times in milliseconds",
            || json!({"iat": now() * 1000, "exp": (now() + 300) * 1000}),
        ),
        claims("Only the expiry in milliseconds", || json!({"exp": (now() + 300) * 1000})),
        claims("An expiry out of range", || json!({"exp": now() * 1_000_000})),
        claims(
            "An expiry that is not later than the time of issue",
            || json!({"iat": now(), "exp": now()}),
        ),
        claims("An issuer that is a list", || json!({"iss": ["https://op.example"]})),
        claims("Only the time of issue in milliseconds", || json!({"iat": now() * 1000})),
        claims("Not yet valid", || json!({"nbf": now() + 500})),
        claims("No subject", || json!({"without": "sub"})),
        claims("No subject, but null", || json!({"sub": null})),
        claims("A subject of another type", || json!({"sub": 7})),
    ]
}

fn missing() -> Vec<Case> {
    let asking = |title, options: &[&'static str], claims| {
        login(Case::authenticate(title, &[ES256, options].concat()), || json!({}), claims)
    };
    vec![
        asking(
            "Another person than expected",
            &["--expect", "sub=somebody"],
            || json!({"sub": "sentinel"}),
        ),
        asking("An expected claim that is missing", &["--expect", "ssn=1"], || json!({})),
        asking("A person to compare and nothing to compare", &["--require-person"], || json!({})),
        asking(
            "Another authentication context",
            &["--acr-values", "high"],
            || json!({"acr": "low"}),
        ),
        asking(
            "No authentication context where one is required",
            &["--acr-values", "high", "--acr-rule", "require"],
            || json!({}),
        ),
        asking(
            "Authorization details that were not granted",
            &["--authorization-details", r#"[{"type":"payment"}]"#, "--require-granted"],
            || json!({}),
        ),
        asking(
            "A resource that was not granted",
            &["--resource", "https://api.example", "--require-granted"],
            || json!({}),
        ),
    ]
}

fn keys() -> Vec<Case> {
    let set = |title, say: fn() -> Say| {
        let signer = Signer::new();
        Case::authenticate(title, ES256).with(move |issuer, path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => Some(signer.tokens(issuer, &json!({}))),
            "/jwks" => Some(say()),
            _ => None,
        })
    };
    let discovered = |title, options, say: fn() -> Say| {
        Case::discover(title, options).with(move |_, path, _| (path == "/jwks").then(&say))
    };
    let usable = Case::authenticate(
        "The key that signed is published for encryption only",
        &["--id-token-alg", "ES256", "--timeout", "4"],
    );
    let signer = Signer::new();
    vec![
        set("The key set is not there", || Say::Json(404, json!({}))),
        set("The key set is somewhere else", || {
            Say::Raw(301, "text/html\r\nlocation: https://elsewhere.example/", String::new())
        }),
        set("A page in place of the key set", || {
            Say::Raw(200, "text/html", "<html>sentinel</html>".into())
        }),
        usable.with(move |issuer, path, _| match path {
            "/bc" => Some(acknowledgement(60)),
            "/token" => Some(signer.tokens(issuer, &json!({}))),
            "/jwks" => {
                let mut set = signer.key_set();
                set["keys"][0]["use"] = json!("enc");
                Some(Say::Json(200, set))
            }
            _ => None,
        }),
        discovered("The key set is not there, at discovery", &[], || Say::Json(404, json!({}))),
        Case::discover("No address of a key set", &[]).with(|issuer, path, _| {
            let mut document = metadata(issuer);
            document["jwks_uri"] = json!(null);
            path.starts_with("/.well-known/").then_some(Say::Json(200, document))
        }),
    ]
}

fn notifications() -> Vec<Case> {
    let push = |title, fault: &'static str| {
        Case::line(
            title,
            &["authenticate", "…", "--delivery", "push", "--listen", "127.0.0.1:PORT"],
        )
        .by(move |_| {
            let op = Wired::start(DeliveryMode::Push, |client| client);
            let script = faults::named(fault).unwrap_or_else(|| panic!("{fault}")).script;
            op.server.provider().script_for_hint("approve-after:0", script);
            // All but this one end by themselves, on a busy machine late.
            let limit = if fault == "push-no-auth-req-id" { "3" } else { "20" };
            let run = op.run("approve-after:0", &["--timeout", limit, "--verbose"]);
            (run, vec![(op.server.issuer(), "OP"), (op.folder.text(""), "DIR/")])
        })
    };
    vec![
        push("A pushed ID Token without at_hash", "push-no-at-hash"),
        push("A pushed ID Token with the at_hash of another access token", "push-other-at-hash"),
        push("A pushed ID Token without auth_req_id", "push-no-auth-req-id-claim"),
        push("A pushed ID Token of another request", "push-other-auth-req-id-claim"),
        push("A push without an ID Token", "push-no-id-token"),
        push("A ping where a push is due", "push-bare"),
        push("A push with an error and tokens", "push-error-and-tokens"),
        push("A pushed refusal", "push-denied"),
        push("A pushed end of its lifetime", "push-expired"),
        push("A pushed failure", "push-failed"),
        push("A notification that names no request is refused", "push-no-auth-req-id"),
        Case::line(
            "The acknowledgement is lost, and no notification comes",
            &[
                "authenticate",
                "…",
                "--delivery",
                "ping",
                "--listen",
                "127.0.0.1:PORT",
                "--timeout",
                "4",
            ],
        )
        .by(|_| {
            let op = Wired::start(DeliveryMode::Ping, |client| client);
            op.server.provider().script(Script::new().every(Endpoint::Backchannel, Act::DropAfter));
            let run = op.run("deny-after:60", &["--timeout", "4"]);
            (run, vec![(op.server.issuer(), "OP"), (op.folder.text(""), "DIR/")])
        }),
    ]
}
