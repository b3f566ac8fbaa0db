use super::*;

const ALG: JwsAlgorithm = JwsAlgorithm::Es256;

fn signing_client() -> Client {
    post_client("signs").key(TestKey::ClientP256.public_jwk(ALG)).request_signing_alg(ALG)
}

fn signed_bench() -> Bench {
    bench_with(|config| config.client(signing_client()))
}

/// A good request object, edited.
fn request(now: Timestamp, edits: &[IdTokenEdit]) -> String {
    let issued = now.unix_secs();
    let claims = json!({
        "iss": "signs", "aud": ISSUER, "iat": issued, "nbf": issued - 10, "exp": issued + 300, "jti": "once",
        "scope": "openid", "login_hint": "approve", "binding_message": "W4SCT",
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    let draft = Draft {
        claims,
        key: TestKey::ClientP256,
        algorithm: ALG,
        issued,
        secret: None,
        seed: [1; 32],
    };
    let typ = IdTokenEdit::header("typ", "oauth-authz-req+jwt");
    jws::compose(draft, &|_| TestKey::ClientRsa, &[&[typ][..], edits].concat())
}

impl Bench {
    fn ask_signed(&mut self, request: &str, beside: &[(&str, &str)]) -> u16 {
        let own = [("client_id", "signs"), ("client_secret", SECRET), ("request", request)];
        self.post(Endpoint::Backchannel, &[&own[..], beside].concat()).0
    }
}

/// OP-25
/// OP-30
#[test]
fn only_a_client_registered_for_it_may_sign_requests() {
    let mut bench = signed_bench();
    assert_eq!(bench.ask_signed(&request(START, &[]), &[]), 200);
    assert_eq!(bench.provider.transactions(START)[0].binding_message.as_deref(), Some("W4SCT"));
    assert_eq!(bench.broken(), []);
    assert_eq!(bench.ask(&[("client_id", "signs")]).0, 400);
    assert_eq!(bench.ask(&[("request", &request(START, &[]))]).0, 400);
    assert_eq!(bench.broken(), [Rule::RequestObject]);
    let metadata = read(&bench.send(Incoming::get("/.well-known/openid-configuration"))).1;
    let algorithms = metadata["backchannel_authentication_request_signing_alg_values_supported"]
        .as_array()
        .unwrap();
    assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("HS256")));
}

/// OP-26
/// OP-27
/// OP-28
/// OP-29
#[test]
fn every_defect_of_a_signed_request_is_reported_under_its_rule() {
    use Rule::{
        RequestObjectClaims, RequestObjectForm, RequestObjectReplay, RequestObjectStyle,
        RequestObjectTime,
    };
    let (set, remove) =
        (|name: &str, value: Value| IdTokenEdit::set(name, value), IdTokenEdit::remove);
    let rows = [
        (IdTokenEdit::Unsigned("none".into()), RequestObjectForm),
        (IdTokenEdit::Algorithm(JwsAlgorithm::Ps256), RequestObjectForm),
        (IdTokenEdit::XorSignature(1), RequestObjectForm),
        (IdTokenEdit::Key(TestKey::StrangerP256, ALG), RequestObjectForm),
        (IdTokenEdit::Shape(crate::TokenShape::ExtraSegments(2)), RequestObjectForm),
        (set("iss", json!("app")), RequestObjectClaims),
        (set("aud", json!("https://op.example/backchannel")), RequestObjectClaims),
        (set("client_id", json!("app")), RequestObjectClaims),
        (set("scope", json!(["openid"])), RequestObjectClaims),
        (set("request", json!("e30")), RequestObjectClaims),
        (set("exp", json!("9999999999")), RequestObjectClaims),
        (remove("iss"), RequestObjectClaims),
        (remove("aud"), RequestObjectClaims),
        (remove("exp"), RequestObjectClaims),
        (remove("iat"), RequestObjectClaims),
        (remove("nbf"), RequestObjectClaims),
        (remove("jti"), RequestObjectClaims),
        (IdTokenEdit::set_time("exp", 0), RequestObjectTime),
        (IdTokenEdit::set_time("exp", 86_401), RequestObjectTime),
        (IdTokenEdit::set_time("nbf", 11), RequestObjectTime),
        (IdTokenEdit::set_time("iat", 11), RequestObjectTime),
    ];
    for (edit, rule) in rows {
        let mut bench = signed_bench();
        assert_eq!(
            bench.ask_signed(&request(START, std::slice::from_ref(&edit)), &[]),
            400,
            "{edit:?}"
        );
        assert_eq!(bench.broken(), [rule], "{edit:?}");
    }
    for edit in [
        set("sub", json!("signs")),
        set("acr_values", json!(null)),
        set("aud", json!([ISSUER, "https://op.example/token"])),
        IdTokenEdit::header("typ", "at+jwt"),
        IdTokenEdit::header("typ", 7),
    ] {
        let mut bench = signed_bench();
        assert_eq!(
            bench.ask_signed(&request(START, std::slice::from_ref(&edit)), &[]),
            200,
            "{edit:?}"
        );
        assert_eq!(bench.broken(), [RequestObjectStyle], "{edit:?}");
    }
    for typ in ["JWT", "jwt", "oauth-authz-req+jwt", "application/oauth-authz-req+jwt"] {
        let mut bench = signed_bench();
        assert_eq!(
            bench.ask_signed(&request(START, &[IdTokenEdit::header("typ", typ)]), &[]),
            200,
            "{typ}"
        );
        assert_eq!(bench.broken(), [], "{typ} is what libraries write, or what RFC 9101 names");
    }
    let mut bench = signed_bench();
    assert_eq!(bench.ask_signed(&request(START, &[]), &[("scope", "openid")]), 400);
    assert_eq!(bench.broken(), [Rule::RequestObject]);
    assert_eq!(bench.ask_signed(&request(START, &[]), &[]), 200);
    assert_eq!(bench.ask_signed(&request(START, &[]), &[]), 400);
    assert_eq!(bench.broken(), [RequestObjectReplay]);
}

/// OP-26
#[test]
fn a_wrong_request_object_may_have_a_separate_error_code() {
    let config =
        |config| ProviderConfig { request_object_error: "invalid_request_object", ..config };
    let mut bench = bench_with(|base| config(base).client(signing_client()));
    let object = request(START, &[IdTokenEdit::XorSignature(1)]);
    let own = [("client_id", "signs"), ("client_secret", SECRET), ("request", &object)];
    assert_eq!(bench.post(Endpoint::Backchannel, &own).1["error"], "invalid_request_object");
}

/// OP-23
/// OP-30
#[test]
fn a_signed_request_may_carry_requested_expiry_as_a_string_or_a_number_and_details_as_json() {
    for (value, expires_in) in [(json!("77"), 77), (json!(77), 77)] {
        let mut bench = signed_bench();
        let details = IdTokenEdit::set("authorization_details", json!([{ "type": "payment" }]));
        let object = request(START, &[IdTokenEdit::set("requested_expiry", value), details]);
        assert_eq!(bench.ask_signed(&object, &[]), 200);
        let expires = bench.provider.transactions(START)[0].expires;
        assert_eq!(expires.since(START), Duration::from_secs(expires_in));
    }
}

/// OP-21
#[test]
fn a_person_with_a_user_code_requires_it_from_clients_registered_for_it() {
    use crate::config::{Behaviour, User};
    let bench = || {
        let person = User::new("anna", Behaviour::Approve(None)).user_code("1234");
        bench_with(|config| config.client(post_client("asks").user_code()).user(person))
    };
    for (client, hint, code, expected) in [
        ("asks", "anna", "", "missing_user_code"),
        ("asks", "anna", "4321", "invalid_user_code"),
        ("asks", "anna", "1234", "none"),
        ("asks", "user-code:99", "98", "invalid_user_code"),
        ("asks", "user-code:99", "99", "none"),
        ("asks", "approve", "whatever", "none"),
        ("app", "anna", "4321", "none"),
        ("app", "anna", "", "none"),
    ] {
        let mut bench = bench();
        let (_, answer) =
            bench.ask(&[("client_id", client), ("login_hint", hint), ("user_code", code)]);
        assert_eq!(answer["error"].as_str().unwrap_or("none"), expected, "{client} {hint} {code}");
    }
}

fn fapi_client(algorithm: JwsAlgorithm) -> Client {
    let key = TestKey::client_for(algorithm).unwrap().public_jwk(algorithm);
    Client::with_key("fapi", key)
        .request_signing_alg(algorithm)
        .id_token_alg(algorithm)
        .certificate_bound()
}

/// OP-66
#[test]
fn fapi_ciba_accepts_only_confidential_clients_with_allowed_algorithms() {
    use crate::config::ConfigError;
    let register =
        |client| Provider::new(ProviderConfig::fapi_ciba(ISSUER).client(client)).map(drop);
    let refused = Err(ConfigError::Profile("fapi".into()));
    for algorithm in JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let good = matches!(algorithm, JwsAlgorithm::Ps256 | JwsAlgorithm::Es256);
        assert_eq!(
            register(fapi_client(algorithm)),
            if good { Ok(()) } else { refused.clone() },
            "{algorithm}"
        );
    }
    let good = || fapi_client(ALG);
    assert_eq!(register(good().ping("https://app.example/cb")), Ok(()));
    assert_eq!(register(good().push("https://app.example/cb")), refused);
    assert_eq!(register(Client { request_signing_alg: None, ..good() }), refused);
    assert_eq!(register(Client { certificate_bound: false, ..good() }), refused);
    assert_eq!(register(good().id_token_alg(JwsAlgorithm::Rs256)), refused);
    for authentication in [
        ClientAuthentication::None,
        ClientAuthentication::ClientSecretPost { secret: ClientSecret::new(SECRET) },
        ClientAuthentication::ClientSecretBasic { secret: ClientSecret::new(SECRET), raw: false },
    ] {
        let key = TestKey::ClientP256.public_jwk(ALG);
        assert_eq!(register(Client { authentication, keys: vec![key], ..good() }), refused);
    }
    let mut short = TestKey::ClientRsa.public_jwk(JwsAlgorithm::Ps256);
    short["n"] = short["n"].as_str().unwrap()[..171].into();
    assert_eq!(register(good().key(short)), refused);
}

/// OP-66
#[test]
fn fapi_ciba_limits_the_lifetime_of_requests_and_requires_a_context() {
    let certificate = crate::PeerCertificate::new(*b"certificate", false);
    for (edit, rule) in [
        (None, None),
        (Some(IdTokenEdit::set_time("exp", 70 * 60)), Some(Rule::RequestObjectTime)),
        (Some(IdTokenEdit::set_time("nbf", -70 * 60)), Some(Rule::RequestObjectTime)),
        (Some(IdTokenEdit::remove("nbf")), Some(Rule::RequestObjectClaims)),
        (Some(IdTokenEdit::Algorithm(JwsAlgorithm::Rs256)), Some(Rule::RequestObjectForm)),
        (Some(IdTokenEdit::remove("binding_message")), Some(Rule::Profile)),
    ] {
        let authentication = ClientAuthentication::SelfSignedTlsClientAuth {
            certificates: vec![certificate.der.clone()],
        };
        let client = Client { id: "signs".into(), authentication, ..fapi_client(ALG) };
        let client = client.key(TestKey::ClientP256.public_jwk(ALG));
        let config = ProviderConfig::fapi_ciba(ISSUER).client(client);
        let mut bench = Bench { provider: Provider::new(config).unwrap(), now: START };
        let object = request(START, edit.as_slice());
        let request =
            Incoming::post("/backchannel", [("client_id", "signs"), ("request", &object)]);
        let status = bench.send(request.certificate(certificate.clone())).status;
        assert_eq!(
            (status, bench.broken()),
            (if rule.is_some() { 400 } else { 200 }, Vec::from_iter(rule)),
            "{edit:?}"
        );
    }
    let metadata =
        |bench: &mut Bench| read(&bench.send(Incoming::get("/.well-known/openid-configuration"))).1;
    let provider =
        Provider::new(ProviderConfig::fapi_ciba(ISSUER).client(fapi_client(ALG))).unwrap();
    let document = metadata(&mut Bench { provider, now: START });
    for list in [
        "token_endpoint_auth_signing_alg_values_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert_eq!(document[list], json!(["PS256", "ES256"]), "{list}");
    }
    assert_eq!(document["backchannel_token_delivery_modes_supported"], json!(["poll", "ping"]));
}

/// OP-12
/// OP-67
#[test]
fn a_client_with_a_certificate_must_present_it_at_the_alias() {
    let shown = |der: &[u8]| crate::PeerCertificate::new(der, false);
    let bench = || {
        let authentication =
            ClientAuthentication::SelfSignedTlsClientAuth { certificates: vec![b"mine".to_vec()] };
        let mut bench = bench_with(|config| {
            config.client(Client::new("tls", authentication).certificate_bound())
        });
        bench.provider.offer_mutual_tls("https://mtls.op.example");
        bench
    };
    let ask =
        |bench: &mut Bench, origin: &str, certificate: Option<&[u8]>, more: &[(&str, &str)]| {
            let usual =
                [("client_id", "tls"), ("scope", "openid"), ("login_hint", "approve-after:0")];
            let mut request = Incoming::post("/backchannel", [&usual[..], more].concat());
            request.origin = Some(origin.to_owned());
            request.certificate = certificate.map(shown);
            read(&bench.send(request))
        };
    let alias = "https://mtls.op.example";
    for (origin, certificate, more, rule) in [
        (alias, Some(&b"mine"[..]), &[][..], None),
        (alias, Some(b"other"), &[], Some(Rule::Certificate)),
        (alias, None, &[], Some(Rule::Certificate)),
        (ISSUER, Some(b"mine"), &[], Some(Rule::PlainHost)),
        (alias, Some(b"mine"), &[("client_secret", "x")], Some(Rule::AuthenticationMethod)),
    ] {
        let mut bench = bench();
        let (status, answer) = ask(&mut bench, origin, certificate, more);
        assert_eq!(
            (status == 200, bench.broken()),
            (rule.is_none(), Vec::from_iter(rule)),
            "{answer}"
        );
    }

    let mut bench = bench();
    let (_, answer) = ask(&mut bench, alias, Some(b"mine"), &[]);
    let id = answer["auth_req_id"].as_str().unwrap();
    bench.pass(5);
    let mut poll = Incoming::post(
        "/token",
        [("client_id", "tls"), ("grant_type", GRANT), ("auth_req_id", id)],
    );
    poll.origin = Some(alias.to_owned());
    let tokens = read(&bench.send(poll.certificate(shown(b"mine")))).1;
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let user_info = Incoming::get("/userinfo").header("authorization", &bearer);
    assert_eq!(bench.send(user_info.clone().certificate(shown(b"mine"))).status, 200);
    assert_eq!(bench.send(user_info).status, 401);
    assert_eq!(bench.broken(), [Rule::Certificate], "the token is bound");
    let metadata = read(&bench.send(Incoming::get("/.well-known/openid-configuration"))).1;
    assert_eq!(
        metadata["mtls_endpoint_aliases"]["token_endpoint"],
        "https://mtls.op.example/token"
    );
}
