use super::*;
use crate::{
    config::{Behaviour, RequestedExpiry, User},
    provider::TransactionState,
    script::{Act, KeySetEdit, Script, ScriptedAnswer},
};

/// OP-01
/// OP-04
#[test]
fn both_well_known_addresses_serve_one_document_without_empty_members() {
    let config = ProviderConfig::generic("https://op.example/tenant").client(post_client("app"));
    let mut provider = Provider::new(config).unwrap();
    let paths = [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenant",
    ];
    let documents =
        paths.map(|path| provider.handle(Incoming::get(path), START).into_answer().unwrap());
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0].headers.get("content-type"), Some("application/json"));
    let (status, document) = read(&documents[0]);
    assert_eq!((status, &document["issuer"]), (200, &json!("https://op.example/tenant")));
    assert_eq!(
        document["backchannel_token_delivery_modes_supported"],
        json!(["poll", "ping", "push"])
    );
    assert_eq!(document["grant_types_supported"], json!([GRANT, "refresh_token"]));
    // Parsers want both, of every provider.
    assert_eq!(document["response_types_supported"], json!(["none"]));
    let authorization = document["authorization_endpoint"].as_str().unwrap();
    let path = &authorization["https://op.example".len()..];
    let answer = provider
        .handle(Incoming::get(&format!("{path}?response_type=code")), START)
        .into_answer()
        .unwrap();
    assert_eq!(
        (answer.status, &read(&answer).1["error"]),
        (400, &json!("unsupported_response_type"))
    );
    assert!(provider.violations().is_empty());
    for (name, value) in document.as_object().unwrap() {
        assert!(!value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
    }
}

/// OP-02
/// OP-21
#[test]
fn signed_requests_and_user_codes_are_off_by_default() {
    let mut bench = bench();
    let (_, document) = read(&bench.send(Incoming::get("/.well-known/openid-configuration")));
    let signing = "backchannel_authentication_request_signing_alg_values_supported";
    assert!(document.get(signing).is_none());
    assert_eq!(bench.ask(&[("request", "a.b.c")]).1["error"], "invalid_request");
    assert_eq!(bench.broken(), [Rule::RequestObject]);
    let user_code = document.get("backchannel_user_code_parameter_supported");
    assert!(user_code.is_none_or(|supported| *supported == false));
    for code in ["1234", "", "not a code"] {
        assert_eq!(bench.ask(&[("user_code", code)]).0, 200, "it is ignored: {code:?}");
    }
    assert_eq!(bench.broken(), []);
}

/// OP-07
/// OP-20
#[test]
fn any_notification_token_of_a_poll_client_is_ignored() {
    for token in ["8d67dc78-7faa-4d41-aabd-67707b374255", "a=b", "short", &"x".repeat(1025)] {
        let mut bench = bench();
        let (status, ack) =
            bench.ask(&[("client_notification_token", token), ("login_hint", "approve-after:1")]);
        assert_eq!((status, bench.broken()), (200, vec![]), "{token}");
        let id = ack["auth_req_id"].as_str().unwrap();
        assert_eq!(bench.poll_error(id, 5), "authorization_pending");
        assert_eq!(bench.poll(id, 5).0, 200);
        bench.pass(600);
        assert!(
            bench.provider.notifications(bench.now).is_empty()
                && bench.provider.next_notification().is_none()
        );
        assert_eq!(bench.broken(), []);
    }
}

/// OP-07
#[test]
fn a_push_client_is_refused_at_the_token_endpoint() {
    let push = post_client("push").push("https://app.example/cb");
    let mut bench = bench_with(|config| config.client(push));
    let id = bench.begin("approve-after:0");
    bench.pass(5);
    let poll = [
        ("client_id", "push"),
        ("client_secret", SECRET),
        ("grant_type", GRANT),
        ("auth_req_id", &id),
    ];
    let (status, body) = bench.post(Endpoint::Token, &poll);
    assert_eq!(
        (status, &body["error"], body.get("access_token")),
        (400, &json!("unauthorized_client"), None)
    );
}

/// OP-35
#[test]
fn a_request_is_acknowledged_before_the_person_decides_and_a_late_acknowledgement_may_be_overtaken()
{
    let mut bench = bench();
    let id = bench.begin("manual");
    assert_eq!(bench.provider.transactions(bench.now)[0].state, TransactionState::Pending);
    assert_eq!(bench.poll_error(&id, 5), "authorization_pending");

    let script = Script::new().every(Endpoint::Backchannel, Act::Delay(Duration::from_secs(10)));
    bench.provider.script(script);
    let parameters = [
        ("client_id", "app"),
        ("client_secret", SECRET),
        ("scope", "openid"),
        ("login_hint", "manual"),
    ];
    let request = Incoming::post(&bench.path(Endpoint::Backchannel), parameters);
    let (exchange, until) = held(&bench.provider.handle(request, bench.now));
    assert!(bench.provider.approve(2, bench.now), "the phone is faster");
    bench.now = until;
    let ack = read(&bench.provider.resume(exchange, bench.now).into_answer().unwrap()).1;
    assert_eq!(bench.poll(ack["auth_req_id"].as_str().unwrap(), 5).0, 200);
    assert_eq!(bench.broken(), []);
}

/// OP-36
#[test]
fn each_transaction_keeps_the_parameters_of_its_own_request() {
    let mut bench = bench_with(|config| config.interval(7));
    let details = [r#"[{"n":1,"type":"a"}]"#, r#"[{"n":2,"type":"b"}]"#];
    let requests = [
        ("app", "approve-after:0:one", "gold", "openid", "90"),
        ("other", "approve-after:0:two", "silver", "openid email", "45"),
    ];
    let begun = [0, 1].map(|n| {
        let (client, hint, acr, scope, expiry) = requests[n];
        let (status, ack) = bench.ask(&[
            ("client_id", client),
            ("login_hint", hint),
            ("acr_values", acr),
            ("scope", scope),
            ("requested_expiry", expiry),
            ("binding_message", client),
            ("authorization_details", details[n]),
        ]);
        assert_eq!((status, &ack["interval"]), (200, &json!(7)));
        ack["auth_req_id"].as_str().unwrap().to_owned()
    });
    for (n, known) in bench.provider.transactions(bench.now).into_iter().enumerate() {
        let (client, _, _, scope, expiry) = requests[n];
        assert_eq!((known.client_id.as_str(), known.scope.as_str()), (client, scope));
        assert_eq!(known.binding_message.as_deref(), Some(client));
        assert_eq!(known.expires.since(START).as_secs().to_string(), expiry);
    }
    let ask = |bench: &mut Bench, client: &str, id: &str| {
        let poll = [
            ("client_id", client),
            ("client_secret", SECRET),
            ("grant_type", GRANT),
            ("auth_req_id", id),
        ];
        bench.post(Endpoint::Token, &poll)
    };
    bench.pass(7);
    for (id, thief) in [(&begun[0], "other"), (&begun[1], "app")] {
        assert_eq!(ask(&mut bench, thief, id).1["error"], "invalid_grant");
        assert_eq!(bench.broken(), [Rule::AuthReqId]);
    }
    for (n, id) in begun.iter().enumerate() {
        let (client, hint, acr, ..) = requests[n];
        let (status, tokens) = ask(&mut bench, client, id);
        assert_eq!(
            (status, tokens["authorization_details"].to_string()),
            (200, details[n].to_owned())
        );
        let claims = claims_of(&tokens);
        assert_eq!(
            (&claims["aud"], &claims["acr"], &claims["sub"]),
            (&json!(client), &json!(acr), &json!(format!("user-{hint}")))
        );
    }
    // The last arrival is kept for each: one poll right behind the other's is on time.
    assert_eq!(bench.broken(), []);
}

/// OP-05
#[test]
fn keys_are_public_and_distinct_through_all_three_steps_of_a_rotation() {
    let mut bench = bench();
    let path = bench.path(Endpoint::KeySet);
    let ids = |bench: &mut Bench| {
        let (_, document) = read(&bench.send(Incoming::get(&path)));
        let keys = document["keys"].as_array().unwrap().clone();
        let secret = |key: &Value| {
            ["d", "p", "q", "k", "dp", "dq", "qi"].iter().any(|name| key.get(name).is_some())
        };
        assert!(!keys.iter().any(secret));
        let mut ids: Vec<String> =
            keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        ids
    };
    let signer = |bench: &mut Bench| {
        let auth_req_id = bench.begin("approve-after:0");
        let (_, tokens) = bench.poll(&auth_req_id, 5);
        jws::parse(tokens["id_token"].as_str().unwrap()).unwrap().header["kid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let old = ids(&mut bench);
    let first = signer(&mut bench);
    assert!(old.contains(&first));
    bench.provider.edit_keys(KeySetEdit::PublishNext);
    assert_eq!(signer(&mut bench), first);
    assert_eq!(ids(&mut bench).len(), 2 * old.len());
    bench.provider.edit_keys(KeySetEdit::SignWithNext);
    let second = signer(&mut bench);
    assert!(!old.contains(&second) && ids(&mut bench).contains(&second));
    bench.provider.edit_keys(KeySetEdit::RetireOld);
    let new = ids(&mut bench);
    assert!(new.contains(&second) && !new.iter().any(|id| old.contains(id)));
}

/// OP-14
/// OP-15
#[test]
fn only_a_posted_form_without_query_and_repeated_parameters_is_accepted() {
    let mut bench = bench();
    for endpoint in [Endpoint::Backchannel, Endpoint::Token] {
        let path = bench.path(endpoint);
        for (request, status, rule) in [
            (Incoming::get(&path), 405, Rule::Method),
            (Incoming::post(&path, [("a", "1"), ("a", "1")]), 400, Rule::DuplicateParameter),
            (Incoming::post(&format!("{path}?scope=openid"), []), 400, Rule::ParametersInUrl),
            (
                Incoming::new(
                    "POST",
                    &path,
                    [("content-type", "application/json")].into_iter().collect(),
                    "{}",
                ),
                400,
                Rule::MediaType,
            ),
            (
                Incoming { body: "a=%zz".into(), ..Incoming::post(&path, []) },
                400,
                Rule::MalformedForm,
            ),
        ] {
            let answer = bench.send(request);
            assert_eq!(answer.status, status, "{rule:?}");
            assert_eq!(answer.headers.get("allow").is_some(), status == 405);
            assert_eq!(bench.broken(), [rule], "{endpoint:?}");
        }
    }
    assert_eq!(
        bench
            .ask(&[
                ("foo", "1"),
                ("resource", "https://a.example"),
                ("resource", "https://b.example")
            ])
            .0,
        200
    );
    assert_eq!(bench.broken(), []);
}

/// OP-16
/// OP-17
/// OP-18
/// OP-22
/// OP-23
/// OP-24
/// OP-25
/// OP-34
#[test]
fn each_wrong_parameter_is_refused_with_its_error_code() {
    let mut bench = bench_with(|config| {
        let barred = Client { ciba: false, ..post_client("barred") };
        config.client(barred).user(User::new("gone", Behaviour::Unknown))
    });
    let long = "x".repeat(65);
    let hints = [("login_hint", "approve"), ("login_hint_token", "approve")];
    type Change<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Change<'_>, &str, Option<Rule>); 34] = [
        (&[("client_id", "barred")], "unauthorized_client", None),
        (&[("scope", "")], "invalid_request", Some(Rule::Scope)),
        (&[("scope", "profile")], "invalid_request", Some(Rule::Scope)),
        (&[("scope", "openid  profile")], "invalid_request", Some(Rule::Scope)),
        (&[("scope", "openid \u{e5}")], "invalid_request", Some(Rule::Scope)),
        (&[("scope", "openid moon")], "invalid_scope", None),
        (&[("login_hint", "")], "invalid_request", Some(Rule::Hint)),
        (&hints, "invalid_request", Some(Rule::Hint)),
        (&[("login_hint", "gone")], "unknown_user_id", None),
        (&[("login_hint", "nobody")], "unknown_user_id", None),
        (&[("login_hint", ""), ("login_hint_token", "expired")], "expired_login_hint_token", None),
        (
            &[("login_hint", ""), ("id_token_hint", "a.b.c.d.e")],
            "invalid_request",
            Some(Rule::Hint),
        ),
        (&[("requested_expiry", "0")], "invalid_request", Some(Rule::RequestedExpiry)),
        (&[("requested_expiry", "-1")], "invalid_request", Some(Rule::RequestedExpiry)),
        (&[("requested_expiry", "x")], "invalid_request", Some(Rule::RequestedExpiry)),
        (&[("binding_message", &long)], "invalid_binding_message", None),
        (&[("binding_message", "a\nb")], "invalid_binding_message", None),
        (
            &[("authorization_details", "{}")],
            "invalid_authorization_details",
            Some(Rule::AuthorizationDetails),
        ),
        (
            &[("authorization_details", "[{\"a\":1}]")],
            "invalid_authorization_details",
            Some(Rule::AuthorizationDetails),
        ),
        (&[("resource", "relative#fragment")], "invalid_target", Some(Rule::Resource)),
        (&[("resource", "https://a.example/#x")], "invalid_target", Some(Rule::Resource)),
        (&[("resource", "1a:b")], "invalid_target", Some(Rule::Resource)),
        (&[("resource", "https:")], "invalid_target", Some(Rule::Resource)),
        (&[("claims", "{")], "invalid_request", Some(Rule::Claims)),
        (&[("claims", "[]")], "invalid_request", Some(Rule::Claims)),
        (&[("claims", "{\"id_token\":[\"name\"]}")], "invalid_request", Some(Rule::Claims)),
        (&[("claims", "{\"userinfo\":{\"name\":true}}")], "invalid_request", Some(Rule::Claims)),
        (
            &[("claims", "{\"id_token\":{\"name\":{\"essential\":\"yes\"}}}")],
            "invalid_request",
            Some(Rule::Claims),
        ),
        (
            &[("claims", "{\"id_token\":{\"name\":{\"values\":[]}}}")],
            "invalid_request",
            Some(Rule::Claims),
        ),
        (&[("request_context", "[]")], "invalid_request", Some(Rule::RequestContext)),
        (&[("request_context", "ip=1.2.3.4")], "invalid_request", Some(Rule::RequestContext)),
        (&[("requested_expiry", "007")], "invalid_request", Some(Rule::RequestedExpiry)),
        (&[("requested_expiry", "+60")], "invalid_request", Some(Rule::RequestedExpiry)),
        (&[("request", "a.b.c")], "invalid_request", Some(Rule::RequestObject)),
    ];
    for (change, code, rule) in cases {
        let (status, body) = bench.ask(change);
        assert_eq!((status, &body["error"]), (400, &json!(code)), "{change:?}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.is_ascii() && !description.contains(['"', '\\']));
        assert_eq!(bench.broken(), Vec::from_iter(rule), "{change:?}");
        assert!(bench.provider.transactions(bench.now).is_empty());
    }
}

/// OP-19
#[test]
fn an_id_token_hint_must_be_issued_here_for_this_client_but_may_have_expired() {
    let mut bench = bench();
    let auth_req_id = bench.begin("approve-after:0");
    let tokens = bench.poll(&auth_req_id, 5).1;
    let token = tokens["id_token"].as_str().unwrap();
    bench.pass(100_000);
    let ask = |bench: &mut Bench, token: &str, client: &str| {
        let (status, body) =
            bench.ask(&[("login_hint", ""), ("id_token_hint", token), ("client_id", client)]);
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(ask(&mut bench, token, "app"), (200, String::new()));
    assert_eq!(ask(&mut bench, token, "other"), (400, "unknown_user_id".into()));
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    assert_eq!(ask(&mut bench, &forged, "app"), (400, "unknown_user_id".into()));
}

/// OP-23
#[test]
fn requested_expiry_is_honoured_ignored_or_shortened() {
    for (habit, expected) in [
        (RequestedExpiry::Honoured, 40),
        (RequestedExpiry::Ignored, 120),
        (RequestedExpiry::Shortened, 20),
    ] {
        let mut bench = bench_with(|config| ProviderConfig { requested_expiry: habit, ..config });
        assert_eq!(bench.ask(&[("requested_expiry", "40")]).1["expires_in"], expected);
    }
}

/// OP-23
#[test]
fn a_requested_expiry_above_the_maximum_is_capped_and_reported() {
    for (asked, expires_in, said) in [
        ("3600", 3600, vec![]),
        ("3601", 3600, vec![Rule::RequestedExpiry]),
        ("18446744073709551615", 3600, vec![Rule::RequestedExpiry]),
        ("99999999999999999999999999", 3600, vec![Rule::RequestedExpiry]),
    ] {
        let mut bench = bench();
        assert_eq!(
            bench.ask(&[("requested_expiry", asked)]).1["expires_in"],
            expires_in,
            "{asked}"
        );
        assert!(bench.provider.report().is_clean(), "it may ask, and is told");
        assert_eq!(bench.broken(), said, "{asked}");
    }
}

/// OP-24
#[test]
fn well_formed_parameters_are_accepted() {
    let mut bench = bench();
    let claims = r#"{"userinfo":{"name":null,"email":{"essential":true}},"id_token":{"acr":{"values":["gold"]},"x":{"value":1}},"other":7}"#;
    for (name, value) in [
        ("claims", claims),
        ("claims", "{}"),
        ("request_context", r#"{"ip":"192.0.2.1"}"#),
        ("resource", "urn:example:payments"),
        ("resource", "https://api.example/a?b=c%20d"),
        ("authorization_details", r#"[{"type":"payment"}]"#),
    ] {
        assert_eq!(bench.ask(&[(name, value)]).0, 200, "{name}={value}");
    }
    assert_eq!(bench.broken(), []);
}

#[test]
fn only_a_query_with_protocol_parameters_is_reported() {
    for (target, rules) in [
        ("/.well-known/openid-configuration?v=2", vec![]),
        ("/jwks?cache=no", vec![]),
        ("/userinfo?schema=openid", vec![Rule::AccessToken]),
        ("/userinfo?access_token=x", vec![Rule::ParametersInUrl, Rule::AccessToken]),
        ("/jwks?login_hint=anna", vec![Rule::ParametersInUrl]),
    ] {
        let mut bench = bench();
        bench.send(Incoming::get(target));
        assert_eq!(bench.broken(), rules, "{target}");
    }
}

/// An empty pair says nothing; two of them are no parameter that came twice.
#[test]
fn empty_pairs_between_parameters_are_ignored() {
    let mut bench = bench();
    let form = format!(
        "&client_id=app&&client_secret={}&scope=openid&login_hint=approve&",
        SECRET.replace(' ', "+")
    );
    let request = Incoming { body: form.into_bytes().into(), ..Incoming::post("/backchannel", []) };
    assert_eq!(bench.send(request).status, 200);
    assert_eq!(bench.broken(), []);
}

/// OP-65
#[test]
fn an_access_token_is_accepted_in_the_header_or_in_a_form() {
    let mut bench = bench();
    let id = bench.begin("approve-after:0");
    let tokens = bench.poll(&id, 5).1;
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(read(&bench.send(Incoming::post("/userinfo", [("access_token", token)]))).0, 200);
    assert_eq!(bench.broken(), []);
    let bare = bench.send(Incoming::get("/userinfo"));
    assert_eq!(bare.headers.get("www-authenticate"), Some("Bearer realm=\"test provider\""));
    let wrong = bench.send(Incoming::get("/userinfo").header("authorization", "Bearer guessed"));
    assert!(wrong.headers.get("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    assert_eq!(bench.broken(), [Rule::AccessToken]);
}

#[test]
fn a_finding_names_the_client_that_authenticated_or_was_named() {
    let mut bench = bench();
    let basic = "Basic bmFtZWQ6d3Jvbmc=";
    bench.send(Incoming::post("/token", [("client_id", "somebody"), ("client_secret", "wrong")]));
    bench.send(Incoming::post("/token", [("grant_type", GRANT)]).header("authorization", basic));
    bench.send(Incoming::post("/token", [("client_id", "app"), ("client_secret", SECRET)]));
    bench.send(Incoming::get("/token"));
    let long = "x".repeat(100_000);
    bench.send(Incoming::post("/token", [("client_id", long.as_str())]));
    let named: Vec<_> =
        bench.provider.violations().iter().map(|violation| violation.client_id.clone()).collect();
    let expected =
        [Some("somebody"), Some("named"), Some("app"), None].map(|id| id.map(str::to_owned));
    assert_eq!(named[..4], expected);
    assert_eq!(named[4].as_ref().map(String::len), Some(200));
}

/// OP-31
/// OP-32
/// OP-33
#[test]
fn an_acknowledgement_has_an_unguessable_id_and_an_interval_only_when_configured() {
    let mut bench = bench();
    let request = Incoming::post(
        &bench.path(Endpoint::Backchannel),
        [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("scope", "openid"),
            ("login_hint", "approve"),
        ],
    );
    let answer = bench.send(request);
    assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
    assert_eq!(answer.headers.get("content-type"), Some("application/json"));
    let (_, body) = read(&answer);
    let id = body["auth_req_id"].as_str().unwrap();
    assert_eq!(id.len(), 43);
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
    assert_eq!((&body["expires_in"], body.get("interval")), (&json!(120), None));
    assert_ne!(bench.begin("approve"), id);
    let mut bench = bench_with(|config| config.interval(7));
    assert_eq!(bench.ask(&[]).1["interval"], 7);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let mut bench = bench_with(|config| config.seed(seed));
        let id = bench.begin("approve-after:0");
        (id.clone(), bench.poll(&id, 5).1)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7).0, run(8).0);
}

#[test]
fn a_request_sent_again_after_its_answer_was_lost_is_a_second_prompt() {
    for act in [Act::DropBefore, Act::DropAfter, Act::DropInside(3), Act::HoldForever] {
        let mut bench = bench();
        bench.provider.script(Script::new().nth(Endpoint::Backchannel, 1, act.clone()));
        let parameters = [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("scope", "openid"),
            ("login_hint", "approve"),
        ];
        let request = Incoming::post(&bench.path(Endpoint::Backchannel), parameters);
        let reply = bench.provider.handle(request.clone(), bench.now);
        assert!(reply.into_answer().is_none());
        assert_eq!(bench.broken(), [], "{act:?}");
        assert_eq!(bench.send(request).status, 200);
        assert_eq!(bench.broken(), [Rule::RepeatedAuthenticationRequest], "{act:?}");
    }
}

#[test]
fn a_request_to_an_address_known_only_from_a_redirect_is_reported() {
    let mut bench = bench();
    let trap = bench.provider.endpoint_url(Endpoint::Trap);
    let redirect = ScriptedAnswer::redirect(307, &trap);
    bench.provider.script(Script::new().nth(Endpoint::Token, 1, Act::Answer(redirect)));
    let id = bench.begin("approve");
    assert_eq!(bench.poll(&id, 5).0, 307);
    assert_eq!(bench.broken(), []);
    bench.send(Incoming::get("/trap"));
    assert!(
        bench.provider.report().is_clean(),
        "to follow a redirect to a document is no mistake by itself"
    );
    assert_eq!(bench.broken(), [Rule::Trap]);
    bench.send(Incoming::post("/trap", []));
    assert!(!bench.provider.report().is_clean());
}
