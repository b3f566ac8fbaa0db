use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::{
    client::AudienceMode,
    script::{Act, Script},
};

const ES256: JwsAlgorithm = JwsAlgorithm::Es256;

fn key_client(audience: AudienceMode) -> Client {
    Client::with_key("key", TestKey::ClientP256.public_jwk(ES256)).audience(audience)
}

/// A good assertion of the client `key`, edited.
fn assertion(edits: &[IdTokenEdit]) -> String {
    let issued = START.unix_secs();
    let claims = json!({ "iss": "key", "sub": "key", "aud": ISSUER, "jti": "first", "iat": issued, "exp": issued + 60 });
    let Value::Object(claims) = claims else { unreachable!() };
    let draft = Draft {
        claims,
        key: TestKey::ClientP256,
        algorithm: ES256,
        issued,
        secret: Some(SECRET),
        seed: [1; 32],
    };
    jws::compose(draft, &|_| TestKey::ClientRsa, edits)
}

fn ask_with_assertion(bench: &mut Bench, assertion: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut parameters =
        vec![("scope", "openid"), ("login_hint", "approve"), ("client_assertion", assertion)];
    parameters.push(("client_assertion_type", ASSERTION));
    parameters.retain(|(name, _)| !more.iter().any(|(changed, _)| changed == name));
    parameters.extend_from_slice(more);
    bench.post(Endpoint::Backchannel, &parameters)
}

/// OP-10
#[test]
fn each_defect_of_an_assertion_is_refused_with_its_own_reason() {
    let set = IdTokenEdit::set;
    let time = IdTokenEdit::set_time;
    let cases: [(&str, Vec<IdTokenEdit>, Rule); 19] = [
        ("no alg", vec![IdTokenEdit::remove_header("alg")], Rule::AssertionForm),
        ("alg none", vec![IdTokenEdit::Unsigned("none".into())], Rule::AssertionForm),
        ("a MAC", vec![IdTokenEdit::Mac(crate::MacKey::PublicJwk)], Rule::AssertionForm),
        (
            "another alg",
            vec![IdTokenEdit::Key(TestKey::ClientRsa, JwsAlgorithm::Rs256)],
            Rule::AssertionForm,
        ),
        (
            "two segments",
            vec![IdTokenEdit::Shape(crate::TokenShape::TwoSegments)],
            Rule::AssertionForm,
        ),
        ("another key", vec![IdTokenEdit::Key(TestKey::StrangerP256, ES256)], Rule::Credential),
        ("a broken signature", vec![IdTokenEdit::XorSignature(0x5a)], Rule::Credential),
        ("another iss", vec![set("iss", "app")], Rule::AssertionClaims),
        ("no iss", vec![IdTokenEdit::remove("iss")], Rule::AssertionClaims),
        ("no jti", vec![IdTokenEdit::remove("jti")], Rule::AssertionClaims),
        ("an empty jti", vec![set("jti", "")], Rule::AssertionClaims),
        ("no exp", vec![IdTokenEdit::remove("exp")], Rule::AssertionClaims),
        ("exp as text", vec![set("exp", "9999999999")], Rule::AssertionClaims),
        ("iat as text", vec![set("iat", "1893456000")], Rule::AssertionClaims),
        ("expired now", vec![time("exp", 0)], Rule::AssertionTime),
        ("for two days", vec![time("exp", 172_800)], Rule::AssertionTime),
        ("issued later", vec![time("iat", 11)], Rule::AssertionTime),
        ("valid later", vec![time("nbf", 11)], Rule::AssertionTime),
        (
            "another audience",
            vec![set("aud", "https://elsewhere.example")],
            Rule::AssertionAudience,
        ),
    ];
    for (what, edits, rule) in cases {
        let mut bench = bench_with(|config| config.client(key_client(AudienceMode::CibaDefault)));
        let (status, body) = ask_with_assertion(&mut bench, &assertion(&edits), &[]);
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{what}");
        assert_eq!(bench.broken(), [rule], "{what}");
    }
    let mut bench = bench_with(|config| config.client(key_client(AudienceMode::CibaDefault)));
    for (what, more, rule) in [
        ("another type", [("client_assertion_type", "jwt")], Rule::AssertionType),
        ("another client_id", [("client_id", "app")], Rule::ClientIdMismatch),
    ] {
        assert_eq!(ask_with_assertion(&mut bench, &assertion(&[]), &more).0, 401, "{what}");
        assert_eq!(bench.broken(), [rule], "{what}");
    }
    // `iat` is optional (OpenID Connect Core 9).
    for tolerated in [
        vec![time("iat", 10), time("nbf", 10)],
        vec![IdTokenEdit::remove("iat"), set("jti", "second")],
    ] {
        assert_eq!(
            ask_with_assertion(&mut bench, &assertion(&tolerated), &[("client_id", "key")]).0,
            200
        );
    }
    assert_eq!(bench.broken(), []);
}

/// OP-03
#[test]
fn only_announced_methods_and_algorithms_are_accepted_at_both_endpoints() {
    let mut bench = bench();
    let (_, document) = read(&bench.send(Incoming::get("/.well-known/openid-configuration")));
    let list = |member: &str| -> Vec<String> {
        document[member]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let algorithms = list("token_endpoint_auth_signing_alg_values_supported");
    let mut methods = list("token_endpoint_auth_methods_supported");
    let id_token = list("id_token_signing_alg_values_supported");
    let asymmetric = JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
    assert_eq!(
        id_token,
        asymmetric.map(|algorithm| algorithm.name().to_owned()).collect::<Vec<_>>()
    );
    let unused = ["_encryption_", "dpop_", "mtls_", "authorization_details_types"];
    assert!(
        !document
            .as_object()
            .unwrap()
            .keys()
            .any(|name| unused.iter().any(|part| name.contains(part)))
    );

    let secret = || {
        ClientSecret::new(
            "a secret of more than sixty-four bytes, long enough for HS256, HS384 and HS512 alike",
        )
    };
    let mut clients = vec![
        (Client::new("c", ClientAuthentication::None), None),
        (Client::new("c", ClientAuthentication::ClientSecretPost { secret: secret() }), None),
        (
            Client::new(
                "c",
                ClientAuthentication::ClientSecretBasic { secret: secret(), raw: false },
            ),
            None,
        ),
    ];
    for name in &algorithms {
        let algorithm = JwsAlgorithm::from_name(name).unwrap();
        let authentication = match TestKey::client_for(algorithm) {
            _ if algorithm.is_symmetric() => {
                ClientAuthentication::ClientSecretJwt { secret: secret(), algorithm }
            }
            key => ClientAuthentication::PrivateKeyJwt {
                keys: vec![key.unwrap().public_jwk(algorithm)],
                algorithms: vec![algorithm],
            },
        };
        clients.push((Client::new("c", authentication), Some(algorithm)));
    }
    for (client, algorithm) in clients {
        let name = client.authentication.name();
        methods.retain(|method| method != name);
        let method = client.authentication.clone();
        let mut bench = bench_with(|config| config.client(client));
        let request = |bench: &Bench, endpoint, mut parameters: Vec<(&'static str, String)>| {
            let mut header = None;
            match (&method, algorithm) {
                (ClientAuthentication::ClientSecretBasic { secret, .. }, _) => {
                    let text = crate::form::encode([("c", secret.expose())]).replacen('=', ":", 1);
                    header = Some(format!("Basic {}", STANDARD.encode(text)));
                }
                (ClientAuthentication::ClientSecretPost { secret }, _) => {
                    parameters.push(("client_id", "c".into()));
                    parameters.push(("client_secret", secret.expose().into()));
                }
                (_, None) => parameters.push(("client_id", "c".into())),
                (_, Some(algorithm)) => {
                    parameters.push(("client_assertion_type", ASSERTION.into()));
                    parameters.push((
                        "client_assertion",
                        signed(algorithm, secret().expose(), bench.now),
                    ));
                }
            }
            let pairs = parameters.iter().map(|(name, value)| (*name, value.as_str()));
            let request = Incoming::post(&bench.path(endpoint), pairs);
            header.map_or(request.clone(), |header| request.header("authorization", &header))
        };
        let asked =
            vec![("scope", "openid".to_owned()), ("login_hint", "approve-after:0".to_owned())];
        let asked = request(&bench, Endpoint::Backchannel, asked);
        let (status, ack) = read(&bench.send(asked));
        assert_eq!(status, 200, "{name} {algorithm:?}");
        bench.pass(5);
        let id = ack["auth_req_id"].as_str().unwrap().to_owned();
        let poll = request(
            &bench,
            Endpoint::Token,
            vec![("grant_type", GRANT.to_owned()), ("auth_req_id", id)],
        );
        assert_eq!(bench.send(poll).status, 200, "{name} {algorithm:?}");
        assert_eq!(bench.broken(), []);
    }
    assert!(methods.is_empty(), "announced, and not tried: {methods:?}");
}

/// An assertion of the client `c`.
fn signed(algorithm: JwsAlgorithm, secret: &str, now: Timestamp) -> String {
    let issued = now.unix_secs();
    let jti = format!("{issued}");
    let claims = json!({ "iss": "c", "sub": "c", "aud": ISSUER, "jti": jti, "iat": issued, "exp": issued + 60 });
    let Value::Object(claims) = claims else { unreachable!() };
    let key = TestKey::client_for(algorithm).unwrap_or(TestKey::ClientRsa);
    jws::compose(
        Draft { claims, key, algorithm, issued, secret: Some(secret), seed: [1; 32] },
        &|_| key,
        &[],
    )
}

/// OP-11
#[test]
fn the_accepted_audience_depends_on_the_mode_of_the_client() {
    use AudienceMode::{CalledUrlOnly, CibaDefault, IssuerOnly, TokenUrlOnly};
    let (issuer, token, called) =
        (json!(ISSUER), "https://op.example/token", "https://op.example/backchannel");
    let array = json!(["https://elsewhere.example", ISSUER]);
    for (mode, audience, good) in [
        (CibaDefault, &issuer, true),
        (CibaDefault, &json!(token), true),
        (CibaDefault, &json!(called), true),
        (CibaDefault, &array, true),
        (CibaDefault, &json!("https://op.example/"), false),
        (IssuerOnly, &issuer, true),
        (IssuerOnly, &json!([ISSUER]), false),
        (IssuerOnly, &json!(token), false),
        (TokenUrlOnly, &json!(token), true),
        (TokenUrlOnly, &issuer, false),
        (CalledUrlOnly, &json!(called), true),
        (CalledUrlOnly, &json!(token), false),
    ] {
        let mut bench = bench_with(|config| config.client(key_client(mode)));
        let text = assertion(&[IdTokenEdit::set("aud", audience.clone())]);
        let status = ask_with_assertion(&mut bench, &text, &[]).0;
        assert_eq!(status == 200, good, "{mode:?} {audience}");
    }
}

/// OP-13
#[test]
fn a_jti_is_accepted_once_across_both_endpoints_until_it_expires() {
    let mut bench = bench_with(|config| config.client(key_client(AudienceMode::CibaDefault)));
    let text = assertion(&[]);
    let (status, body) = ask_with_assertion(&mut bench, &text, &[]);
    assert_eq!(status, 200);
    bench.pass(5);
    let auth_req_id = body["auth_req_id"].as_str().unwrap();
    let poll = [
        ("grant_type", GRANT),
        ("auth_req_id", auth_req_id),
        ("client_assertion", &text),
        ("client_assertion_type", ASSERTION),
    ];
    assert_eq!(bench.post(Endpoint::Token, &poll).1["error"], "invalid_client");
    assert_eq!(bench.broken(), [Rule::AssertionReplay]);
    bench.pass(60);
    let later = assertion(&[IdTokenEdit::set_time("exp", 120)]);
    assert_eq!(
        ask_with_assertion(&mut bench, &later, &[]).0,
        200,
        "the first one has expired and is forgotten"
    );
}

/// OP-13
#[test]
fn a_jti_of_a_lost_request_is_not_used_up_but_its_repetition_is_reported() {
    let mut bench = bench_with(|config| config.client(key_client(AudienceMode::CibaDefault)));
    bench.provider.script(Script::new().nth(Endpoint::Backchannel, 1, Act::DropBefore));
    let text = assertion(&[]);
    let parameters = [
        ("scope", "openid"),
        ("login_hint", "approve"),
        ("client_assertion", &text),
        ("client_assertion_type", ASSERTION),
    ];
    let request = Incoming::post(&bench.path(Endpoint::Backchannel), parameters);
    assert_eq!(bench.provider.handle(request, bench.now), Reply::Drop);
    assert_eq!(bench.broken(), []);
    assert_eq!(
        ask_with_assertion(&mut bench, &text, &[("login_hint", "never")]).0,
        200,
        "the provider never saw it"
    );
    assert_eq!(bench.broken(), [Rule::AssertionReplay], "the client could not know that");
    assert_eq!(
        ask_with_assertion(&mut bench, &text, &[("login_hint", "never")]).0,
        401,
        "now it is used"
    );
    assert_eq!(bench.broken(), [Rule::AssertionReplay]);
}

/// OP-08
#[test]
fn a_second_credential_and_an_unregistered_method_are_refused() {
    let basic = format!("Basic {}", STANDARD.encode(format!("app:{SECRET}")));
    let mut bench = bench();
    let parameters = [
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("scope", "openid"),
        ("login_hint", "approve"),
    ];
    let path = bench.path(Endpoint::Backchannel);
    let both = Incoming::post(&path, parameters).header("authorization", &basic);
    let answer = bench.send(both);
    assert_eq!(answer.status, 401);
    assert!(
        answer.headers.get("www-authenticate").is_some_and(|value| value.starts_with("Basic "))
    );
    assert_eq!(bench.broken(), [Rule::SecondCredential]);

    let without = parameters.iter().copied().filter(|(name, _)| *name != "client_secret");
    let unregistered =
        Incoming::post(&path, without).header("authorization", &basic.replace("%20", " "));
    assert_eq!(bench.send(unregistered).status, 401);
    assert_eq!(bench.broken(), [Rule::AuthenticationMethod]);

    for (change, rule) in [
        (("client_secret", "wrong"), Rule::Credential),
        (("client_secret", ""), Rule::AuthenticationMethod),
        (("client_id", "nobody"), Rule::Credential),
        (("client_id", ""), Rule::AuthenticationMethod),
    ] {
        assert_eq!(bench.ask(&[change]).1["error"], "invalid_client", "{change:?}");
        assert_eq!(bench.broken(), [rule], "{change:?}");
    }
}

/// OP-09
#[test]
fn basic_credentials_are_form_decoded_except_for_a_raw_client() {
    for (raw, id, secret, good) in [
        (false, "urn%3Aapp", "a%2Bb+c", true),
        (false, "urn:app", "a%2Bb+c", false),
        (false, "urn%3Aapp", "a+b c", false),
        (true, "plain", "a+b c", true),
        (true, "plain", "a%2Bb+c", false),
    ] {
        let secret_of = || ClientSecret::new("a+b c");
        let client = |id| {
            Client::new(id, ClientAuthentication::ClientSecretBasic { secret: secret_of(), raw })
        };
        let mut bench =
            bench_with(|config| config.client(client(if raw { "plain" } else { "urn:app" })));
        let header = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let path = bench.path(Endpoint::Backchannel);
        let request = Incoming::post(&path, [("scope", "openid"), ("login_hint", "approve")]);
        let status = bench.send(request.header("authorization", &header)).status;
        assert_eq!(status == 200, good, "raw {raw}: {id} {secret}");
    }
}

/// OP-06
#[test]
fn client_entries_that_contradict_themselves_are_refused() {
    use crate::config::ConfigError;
    let refused =
        |client: Client| Provider::new(ProviderConfig::generic(ISSUER).client(client)).unwrap_err();
    let with_delivery = |delivery| Client { delivery, ..post_client("app") };
    assert_eq!(
        refused(with_delivery(ciba_core::DeliveryMode::Ping)),
        ConfigError::Delivery("app".into())
    );
    let plain = post_client("app").push("http://app.example/cb");
    assert_eq!(refused(plain), ConfigError::Delivery("app".into()));
    // A poll client may have one, as long as it is one.
    let polls = |endpoint: &str| Client {
        notification_endpoint: Some(endpoint.to_owned()),
        ..post_client("app")
    };
    assert_eq!(refused(polls("http://app.example/cb")), ConfigError::Delivery("app".into()));
    assert!(
        Provider::new(ProviderConfig::generic(ISSUER).client(polls("https://app.example/cb")))
            .is_ok()
    );
    // RFC 7518 3.2.
    for (algorithm, bytes) in
        [(JwsAlgorithm::Hs256, 32), (JwsAlgorithm::Hs384, 48), (JwsAlgorithm::Hs512, 64)]
    {
        let asserts = |length| {
            let secret = ClientSecret::new("s".repeat(length));
            Client::new("app", ClientAuthentication::ClientSecretJwt { secret, algorithm })
        };
        let reads = |length| {
            let secret = ClientSecret::new("s".repeat(length));
            Client::new("app", ClientAuthentication::ClientSecretPost { secret })
                .id_token_alg(algorithm)
        };
        let short = ConfigError::ShortSecret { id: "app".into(), bytes };
        for make in [&asserts as &dyn Fn(usize) -> Client, &reads] {
            assert_eq!(refused(make(bytes - 1)), short);
            assert!(Provider::new(ProviderConfig::generic(ISSUER).client(make(bytes))).is_ok());
        }
    }
    let no_key = post_client("app").request_signing_alg(JwsAlgorithm::Es256);
    assert_eq!(refused(no_key), ConfigError::RequestSigning("app".into()));
    assert_eq!(refused(post_client("")), ConfigError::ClientId(String::new()));
    assert_eq!(
        refused(Client::with_key("app", json!({"kty": "oct"}))),
        ConfigError::Authentication("app".into())
    );
    let key = TestKey::ClientP256.public_jwk(ES256);
    let symmetric = Client::with_key("app", key).id_token_alg(JwsAlgorithm::Hs256);
    assert_eq!(refused(symmetric), ConfigError::IdTokenAlgorithm("app".into()));
    let twice =
        ProviderConfig::generic(ISSUER).client(post_client("app")).client(post_client("app"));
    assert_eq!(Provider::new(twice).unwrap_err(), ConfigError::ClientId("app".into()));
    assert_eq!(
        Provider::new(ProviderConfig::generic("http://op.example")).unwrap_err(),
        ConfigError::Issuer
    );
}
