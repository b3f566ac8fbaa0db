//! What the provider answers to the authentication request and to polls.

use serde_json::{Value, json};

use super::{
    case::Case,
    support::{Say, acknowledgement, error},
};

pub(crate) fn sections() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("The client is not recognised", unrecognised()),
        ("The authentication request is refused", refused()),
        ("The authentication request has an answer that says little", unclear()),
        ("Polling", polling()),
    ]
}

const PEM: &str = include_str!("../../../../tests/data/keys/ec-p256.pkcs8.pem");
const SECRET: &[&str] = &["--client-secret-file", "DIR/secret"];

fn at(case: Case, endpoint: &'static str, say: impl Fn() -> Say + Send + Sync + 'static) -> Case {
    case.with(move |_, path, _| match path {
        _ if path == endpoint => Some(say()),
        "/bc" => Some(acknowledgement(60)),
        _ => None,
    })
}

fn bc(
    title: &'static str,
    options: &[&'static str],
    say: impl Fn() -> Say + Send + Sync + 'static,
) -> Case {
    at(Case::authenticate(title, options), "/bc", say)
}

fn token(
    title: &'static str,
    options: &[&'static str],
    say: impl Fn() -> Say + Send + Sync + 'static,
) -> Case {
    at(Case::authenticate(title, options), "/token", say)
}

fn coded(status: u16, code: &'static str) -> impl Fn() -> Say + Send + Sync {
    move || {
        Say::Json(status, json!({"error": code, "error_description": "in the provider's words"}))
    }
}

fn json_as(status: u16, kind: &'static str, body: Value) -> impl Fn() -> Say + Send + Sync {
    move || Say::Raw(status, kind, body.to_string())
}

fn unrecognised() -> Vec<Case> {
    let secret = |case: Case| case.file("secret", "a plain secret of thirty-two bytes or more");
    let simple = |case: Case| case.file("secret", "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    let invalid = || coded(401, "invalid_client");
    let post: &[&str] =
        &["--client-auth", "client_secret_post", "--client-secret-file", "DIR/secret"];
    let jwt: &[&str] =
        &["--client-auth", "client_secret_jwt", "--client-secret-file", "DIR/secret"];
    vec![
        simple(bc("invalid_client, by Basic", SECRET, invalid())),
        secret(bc("invalid_client, by Basic, with a secret that is encoded", SECRET, invalid())),
        secret(bc(
            "The same with --basic raw",
            &["--client-secret-file", "DIR/secret", "--basic", "raw"],
            invalid(),
        )),
        secret(bc("invalid_client, by a secret in the body", post, invalid())),
        secret(bc("invalid_client, by an HMAC", jwt, invalid())),
        bc("invalid_client, by a key", &["--key", "DIR/key.pem"], invalid()).file("key.pem", PEM),
        bc("invalid_client, by nothing", &[], invalid()),
        simple(token(
            "invalid_client, at the token endpoint",
            SECRET,
            coded(400, "invalid_client"),
        )),
        simple(bc(
            "A wrong secret, as Keycloak says it",
            SECRET,
            coded(401, "unauthorized_client"),
        )),
        simple(bc("401 without a body", SECRET, || Say::Raw(401, "text/plain", String::new())))
            .both(),
        simple(token("401 without a body, at the token endpoint", SECRET, || {
            Say::Raw(401, "text/plain", String::new())
        })),
        simple(bc("401 with a challenge", SECRET, || {
            Say::Raw(
                401,
                "text/html\r\nwww-authenticate: Basic realm=\"clients\"",
                "<html>sentinel</html>".into(),
            )
        }))
        .both(),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        bc("unauthorized_client", &[], coded(400, "unauthorized_client")),
        bc("An unknown person", &[], coded(400, "unknown_user_id")),
        bc("A person with a code", &[], coded(400, "missing_user_code")),
        bc("A wrong code", &[], coded(400, "invalid_user_code")),
        bc("A scope that is not taken", &[], coded(400, "invalid_scope")),
        bc(
            "A binding message that is not taken",
            &["--binding-message", "W4SCT"],
            coded(400, "invalid_binding_message"),
        ),
        bc("A hint token that is over", &[], coded(400, "expired_login_hint_token")),
        bc("invalid_request", &[], coded(400, "invalid_request")),
        bc("access_denied", &[], coded(403, "access_denied")),
        bc(
            "Authorization details that are not taken",
            &[],
            coded(400, "invalid_authorization_details"),
        ),
        bc(
            "A resource that is not taken",
            &["--resource", "https://api.example"],
            coded(400, "invalid_target"),
        ),
        bc("An undefined code", &[], coded(400, "out_of_coffee")),
        bc("A description that steers terminals", &[], || {
            Say::Json(
                400,
                json!({"error": "invalid_request", "error_description": "a\u{1b}[2Jb\u{202e}c"}),
            )
        }),
        bc(
            "An error labelled as text",
            &[],
            json_as(400, "text/plain", json!({"error": "unknown_user_id"})),
        ),
        bc("temporarily_unavailable", &[], coded(503, "temporarily_unavailable")),
        bc("A known code with a status of trouble", &[], coded(500, "unknown_user_id")),
    ]
}

fn unclear() -> Vec<Case> {
    let problem = || json!({"type": "about:blank", "title": "Bad Request", "detail": "client blocked", "status": 400});
    vec![
        bc("server_error, as Keycloak says when a phone is slow", &[], coded(503, "server_error")),
        bc("A code of its own with 500", &[], coded(500, "internal_error")),
        bc("500 without a body", &[], || Say::Raw(500, "text/plain", String::new())),
        bc("502 of a gateway, as HTML", &[], || Say::Raw(502, "text/html", "<html>sentinel</html>".into())).both(),
        bc("400 as problem+json", &[], json_as(400, "application/problem+json", problem())).both(),
        bc("403 in a gateway's JSON", &[], json_as(403, "application/json", json!({"message": "Forbidden"}))).both(),
        bc("403 of a firewall, as HTML", &[], || Say::Raw(403, "text/html", "<html>sentinel</html>".into())),
        bc("404", &[], || Say::Json(404, json!({}))),
        bc("A redirect", &[], || Say::Raw(302, "text/html\r\nlocation: https://elsewhere.example/", String::new()))
            .both(),
        bc("A page in place of an acknowledgement", &[], || Say::Raw(200, "text/html", "<html>sentinel</html>".into())),
        bc("A content coding that was not requested", &[], || {
            Say::Raw(200, "application/json\r\ncontent-encoding: gzip", "sentinel".into())
        })
        .both(),
        bc("An answer that is too large", &[], || Say::Raw(200, "application/json", " ".repeat(3_000_000))).both(),
        bc("An acknowledgement without an id", &[], || Say::Json(200, json!({"expires_in": 60}))),
        bc("An acknowledgement without a lifetime", &[], || {
            Say::Json(200, json!({"auth_req_id": "0123456789abcdefghijklmnop"}))
        }),
        Case::authenticate("An interval of another type (it is taken as absent)", &["--timeout", "1"]).with(
            |_, path, _| {
                let answer = json!({"auth_req_id": "0123456789abcdefghijklmnop", "expires_in": 60, "interval": "soon"});
                (path == "/bc").then_some(Say::Json(200, answer))
            },
        ),
        bc("The connection is closed without an answer", &[], || Say::Nothing).both(),
    ]
}

fn polling() -> Vec<Case> {
    let short = |title, say: fn() -> Say| {
        Case::authenticate(title, &[]).with(move |_, path, _| match path {
            "/bc" => Some(acknowledgement(3)),
            "/token" => Some(say()),
            _ => None,
        })
    };
    vec![
        token("The person says no", &[], || error("access_denied")),
        token("The provider says that it expired", &[], || error("expired_token")),
        short("The person does not answer until the lifetime is over", || {
            error("authorization_pending")
        }),
        short("The token endpoint answers 500 to every request", || Say::Json(500, json!({}))),
        short("The token endpoint answers 502 as HTML to every request", || {
            Say::Raw(502, "text/html", "<html>sentinel</html>".into())
        }),
        short("The token endpoint gives no answer to any request", || Say::Nothing),
        token("--timeout is over while the person is asked", &["--timeout", "1"], || {
            error("authorization_pending")
        }),
        token("unauthorized_client", &[], coded(400, "unauthorized_client")),
        token("invalid_grant", &[], coded(400, "invalid_grant")),
        token("unsupported_grant_type", &[], coded(400, "unsupported_grant_type")),
        token("transaction_failed", &[], coded(400, "transaction_failed")),
        token("An undefined code", &[], coded(400, "out_of_coffee")),
        token(
            "403 in a gateway's JSON",
            &[],
            json_as(403, "application/json", json!({"message": "Forbidden"})),
        ),
        token(
            "400 as problem+json",
            &[],
            json_as(400, "application/problem+json", json!({"title": "Bad Request"})),
        ),
        token("A redirect", &[], || {
            Say::Raw(302, "text/html\r\nlocation: https://elsewhere.example/", String::new())
        }),
        token("A page in place of tokens", &[], || {
            Say::Raw(200, "text/html", "<html>sentinel</html>".into())
        }),
        token("Tokens that are too large", &[], || {
            Say::Raw(200, "application/json", " ".repeat(5_000_000))
        }),
        token("No access token", &[], || {
            Say::Json(200, json!({"token_type": "Bearer", "id_token": "sentinel"}))
        }),
        token("No ID Token", &[], || {
            Say::Json(200, json!({"token_type": "Bearer", "access_token": "sentinel"}))
        }),
        token("No token type", &[], || {
            Say::Json(200, json!({"access_token": "sentinel", "id_token": "sentinel"}))
        }),
        token("A token type of its own", &[], || {
            Say::Json(
                200,
                json!({"access_token": "sentinel", "id_token": "sentinel", "token_type": "DPoP"}),
            )
        }),
    ]
}
