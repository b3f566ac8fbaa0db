use super::*;
use crate::script::{Act, Script};

/// Tokens of `app` with a refresh token.
fn tokens(bench: &mut Bench) -> Value {
    let (status, body) =
        bench.ask(&[("scope", "openid profile offline_access"), ("login_hint", "approve-after:0")]);
    assert_eq!(status, 200, "{body}");
    let id = body["auth_req_id"].as_str().unwrap().to_owned();
    bench.poll(&id, 5).1
}

fn refresh_token(tokens: &Value) -> String {
    tokens["refresh_token"]
        .as_str()
        .unwrap_or_else(|| panic!("no refresh token: {tokens}"))
        .to_owned()
}

impl Bench {
    fn refresh_as(&mut self, client: &str, token: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let own = [
            ("client_id", client),
            ("client_secret", SECRET),
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
        ];
        self.post(Endpoint::Token, &[&own[..], more].concat())
    }
}

/// OP-52
#[test]
fn a_refresh_token_yields_tokens_for_the_same_person_and_a_new_refresh_token() {
    let mut bench = bench();
    let mut last = tokens(&mut bench);
    let first = claims_of(&last);
    for _ in 0..3 {
        bench.pass(1000);
        let (status, next) = bench.refresh_as("app", &refresh_token(&last), &[]);
        assert_eq!((status, &next["token_type"]), (200, &json!("Bearer")));
        for name in ["access_token", "refresh_token", "id_token"] {
            assert_ne!(next[name], last[name], "{name}");
        }
        let claims = claims_of(&next);
        for name in ["iss", "sub", "aud"] {
            assert_eq!(claims[name], first[name], "{name}");
        }
        assert_eq!(claims["iat"], bench.now.unix_secs());
        assert!(!claims.contains_key("nonce"));
        let header = format!("Bearer {}", next["access_token"].as_str().unwrap());
        assert_eq!(
            read(&bench.send(Incoming::get("/userinfo").header("authorization", &header))).1["sub"],
            first["sub"]
        );
        last = next;
    }
    assert_eq!(bench.broken(), []);
}

/// OP-52
#[test]
fn reuse_of_a_refresh_token_revokes_its_successors() {
    let mut bench = bench();
    let first = refresh_token(&tokens(&mut bench));
    let second = refresh_token(&bench.refresh_as("app", &first, &[]).1);
    assert_eq!(bench.refresh_as("app", &first, &[]).1["error"], "invalid_grant");
    assert_eq!(bench.broken(), [Rule::RefreshToken]);
    assert_eq!(
        bench.refresh_as("app", &second, &[]).1["error"],
        "invalid_grant",
        "revoked with it"
    );

    // A client that never got the answer could not know.
    let mut bench = self::bench();
    let first = refresh_token(&tokens(&mut bench));
    let request = [
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("grant_type", "refresh_token"),
        ("refresh_token", &first),
    ];
    let request = Incoming::post("/token", request);
    bench.provider.script(Script::new().nth(Endpoint::Token, 1, Act::DropAfter));
    assert_eq!(bench.provider.handle(request, bench.now), Reply::Drop);
    assert_eq!(bench.refresh_as("app", &first, &[]).1["error"], "invalid_grant");
    assert_eq!(bench.broken(), []);
}

/// OP-52
#[test]
fn a_refresh_token_is_limited_to_its_client_its_scope_and_a_day() {
    let mut bench = bench();
    let token = refresh_token(&tokens(&mut bench));
    for (client, token, more, code, rule) in [
        ("other", token.as_str(), &[][..], "invalid_grant", Rule::RefreshToken),
        ("app", "guessed", &[], "invalid_grant", Rule::RefreshToken),
        ("app", "", &[], "invalid_request", Rule::RefreshToken),
        ("app", &token, &[("scope", "openid payments")], "invalid_scope", Rule::Scope),
    ] {
        assert_eq!(bench.refresh_as(client, token, more).1["error"], code);
        assert_eq!(bench.broken(), [rule], "{code}");
    }
    let (status, narrow) = bench.refresh_as("app", &token, &[("scope", "profile")]);
    assert_eq!((status, &narrow["scope"], narrow.get("id_token")), (200, &json!("profile"), None));
    let (status, wide) = bench.refresh_as("app", &refresh_token(&narrow), &[]);
    assert_eq!((status, wide.get("scope"), wide.get("id_token").is_some()), (200, None, true));
    bench.pass(86_400);
    assert_eq!(bench.refresh_as("app", &refresh_token(&wide), &[]).1["error"], "invalid_grant");
    // It is evicted by now, and was no mistake before.
    bench.broken();
}

/// OP-52
#[test]
fn a_refresh_token_is_issued_only_if_requested_and_allowed() {
    let mut bench = bench();
    let id = bench.begin("approve-after:0");
    assert!(bench.poll(&id, 5).1.get("refresh_token").is_none());
    let mut bench = bench_with(|mut config| {
        config.clients[0].refresh = false;
        config
    });
    assert!(tokens(&mut bench).get("refresh_token").is_none());
    assert_eq!(bench.refresh_as("app", "whatever", &[]).1["error"], "unauthorized_client");
    assert_eq!(bench.broken(), [Rule::GrantType]);
}

/// OP-52
/// OP-58
#[test]
fn a_pushed_refresh_token_works_and_its_id_tokens_have_no_binding_claims() {
    let mut bench =
        bench_with(|config| config.client(post_client("pushed").push("https://app.example/cb")));
    let token = "Gc2hbWVsZXNzLXN0YW5kaW4tc2VjcmV0LWZvci10ZXN0cy0wMTIzNDU2Nzg5";
    let asked = [
        ("client_id", "pushed"),
        ("scope", "openid offline_access"),
        ("client_notification_token", token),
    ];
    assert_eq!(bench.ask(&asked).0, 200);
    bench.now = bench.provider.next_notification().unwrap();
    let push = bench.provider.notifications(bench.now).remove(0);
    bench.provider.notification_answered(push.id, Some(204), bench.now);
    let pushed: Value = serde_json::from_slice(push.body.expose()).unwrap();
    let (status, next) = bench.refresh_as("pushed", &refresh_token(&pushed), &[]);
    assert_eq!(status, 200, "{next}");
    assert!(claims_of(&next).keys().all(|name| !name.starts_with("urn:openid:params:jwt:claim:")));
    assert_eq!(bench.broken(), []);
}

/// RFC 7009
#[test]
fn revoking_the_refresh_token_ends_every_token_of_the_authentication() {
    let mut bench = bench();
    let ours = tokens(&mut bench);
    let others = tokens(&mut bench);
    let claims = |bench: &mut Bench, tokens: &Value| {
        let header = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
        bench.send(Incoming::get("/userinfo").header("authorization", &header)).status
    };
    let revoke = |bench: &mut Bench, token: &str| {
        let own = [("client_id", "app"), ("client_secret", SECRET), ("token", token)];
        let path = bench.path(Endpoint::Revocation);
        bench.send(Incoming::post(&path, own)).status
    };
    assert_eq!(revoke(&mut bench, "never issued"), 200);
    assert_eq!((claims(&mut bench, &ours), claims(&mut bench, &others)), (200, 200));
    assert_eq!(revoke(&mut bench, &refresh_token(&ours)), 200);
    assert_eq!((claims(&mut bench, &ours), claims(&mut bench, &others)), (401, 200));
    let (status, error) = bench.refresh_as("app", &refresh_token(&ours), &[]);
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    assert_eq!(revoke(&mut bench, others["access_token"].as_str().unwrap()), 200);
    assert_eq!(claims(&mut bench, &others), 401);
    assert_eq!(bench.refresh_as("app", &refresh_token(&others), &[]).0, 200);
}
