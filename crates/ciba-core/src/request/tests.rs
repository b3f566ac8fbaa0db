use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use serde_json::json;

use super::{check::RESERVED_PARAMETERS, *};
use crate::{
    client::{
        BindingMessageRule, ClientAuth, ClientConfigBuilder, MetadataRule, RequestStyle,
        testing::{ISSUER, builder, builder_from, metadata},
    },
    expect::{AcrRule, Matching, Presence},
    issuer::Issuer,
    jose::JwsAlgorithm,
    profile::FapiCiba,
    time::Timestamp,
    wire::{form::Form, metadata::ProviderMetadata},
};

mod expectations;
mod fapi;

const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

fn login(hint: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(hint.into()))
}

fn hint_token(claims: &Value) -> AuthRequest {
    let part = |json: &Value| base64url::encode(json.to_string());
    let compact = format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims));
    AuthRequest::new(Hint::IdToken(compact.into()))
}

/// The parameters on the wire, read by another decoder.
fn sent_by(builder: ClientConfigBuilder, request: &AuthRequest) -> Vec<(String, String)> {
    let config = builder.build().unwrap();
    request.check(&config, NOW).unwrap();
    let mut form = Form::default();
    request.write(&config.request_style, &mut form, None);
    ::url::form_urlencoded::parse(form.into_body().expose()).into_owned().collect()
}

fn sent(request: &AuthRequest) -> Vec<(String, String)> {
    sent_by(builder(), request)
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect()
}

/// A request that sets everything that has a method of its own.
fn full(hint: Hint) -> AuthRequest {
    AuthRequest::new(hint)
        .acr_values(["a"])
        .binding_message("m")
        .user_code("u".into())
        .requested_expiry(Duration::from_secs(9))
        .authorization_detail(AuthorizationDetail::new("t"))
        .resource("urn:r")
}

fn value_of(request: &AuthRequest, name: &str) -> Option<String> {
    sent(request).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// The name of the parameter or header field that was rejected.
fn refused_by(builder: ClientConfigBuilder, request: &AuthRequest) -> Option<String> {
    match request.check(&builder.build().unwrap(), NOW) {
        Ok(()) => None,
        Err(RequestError::Parameter { name, .. } | RequestError::Header { name, .. }) => Some(name),
        Err(RequestError::Profile { clause, .. }) => Some(clause.into()),
        Err(RequestError::SecretExpired) => Some("client_secret".into()),
    }
}

fn refused(request: &AuthRequest) -> Option<String> {
    refused_by(builder(), request)
}

#[track_caller]
fn assert_refused(request: &AuthRequest, name: &str) {
    assert_eq!(refused(request).as_deref(), Some(name));
}

/// REQ-AREQ-05
/// REQ-AREQ-06a
/// REQ-AREQ-13
/// REQ-AREQ-29
/// OPM-REQ-02
#[test]
fn a_request_has_scope_and_hint_and_no_parameter_that_was_not_set() {
    assert_eq!(
        sent(&login("sub:ssn:1")),
        pairs(&[("scope", "openid"), ("login_hint", "sub:ssn:1")])
    );
    let empty = login("x").binding_message("").acr_values([""; 0]).extra("purpose", "").scope("");
    assert_eq!(sent(&empty), pairs(&[("scope", "openid"), ("login_hint", "x")]));
}

/// REQ-AREQ-04
/// REQ-AREQ-19a
/// REQ-AREQ-20
/// REQ-AREQ-21a
/// REQ-AREQ-23
/// REQ-AREQ-24
/// REQ-AREQ-25
/// REQ-AREQ-26
/// OPM-REQ-03
#[test]
fn every_parameter_is_sent_as_it_was_given() {
    let request = login("x")
        .scope("payments  email payments")
        .acr_values(["urn:b", "urn:a"])
        .binding_message("W4SCT å")
        .user_code("1 2+3".into())
        .requested_expiry(Duration::from_secs(120))
        .authorization_detail(AuthorizationDetail::new("phoneAuth").with("callInitiator", "RP"))
        .authorization_detail(AuthorizationDetail::new("phoneAuth"))
        .resource("https://api.example/a")
        .resource("urn:b")
        .extra("purpose", "a&scope=b")
        .extra("nonce", "n");
    let builder = || builder().user_codes().dangerously_ignore_metadata(MetadataRule::UserCodes);
    let expected = pairs(&[
        ("scope", "openid payments email"),
        ("login_hint", "x"),
        ("acr_values", "urn:b urn:a"),
        ("binding_message", "W4SCT å"),
        ("user_code", "1 2+3"),
        ("requested_expiry", "120"),
        (
            "authorization_details",
            r#"[{"callInitiator":"RP","type":"phoneAuth"},{"type":"phoneAuth"}]"#,
        ),
        ("resource", "https://api.example/a"),
        ("resource", "urn:b"),
        ("purpose", "a&scope=b"),
        ("nonce", "n"),
    ]);
    assert_eq!(sent_by(builder(), &request), expected);
    assert_eq!(request.shown_binding_message(), Some("W4SCT å"));
    let names: Vec<&String> =
        expected.iter().map(|(name, _)| name).filter(|name| *name != "resource").collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

/// REQ-AREQ-07
/// REQ-AREQ-08
/// REQ-AREQ-09
#[test]
fn a_hint_is_sent_unchanged_and_must_not_be_empty() {
    for hint in [
        r#"{"format":"iss_sub","iss":"https://op/","sub":"a b"}"#,
        "tel:+34600",
        " MiXeD ",
        "åäö#&=%2B",
    ] {
        assert_eq!(value_of(&login(hint), "login_hint").as_deref(), Some(hint));
        let token = AuthRequest::new(Hint::LoginToken(hint.into()));
        assert_eq!(value_of(&token, "login_hint_token").as_deref(), Some(hint));
        assert_eq!(value_of(&token, "login_hint"), None);
    }
    assert_refused(&login(""), "login_hint");
    assert_refused(&AuthRequest::new(Hint::LoginToken("".into())), "login_hint_token");
    assert_refused(&AuthRequest::new(Hint::IdToken("".into())), "id_token_hint");
}

/// REQ-AREQ-10
/// REQ-AREQ-11
/// REQ-IDT-16
#[test]
fn an_id_token_hint_is_a_signed_token_of_this_issuer_for_this_client() {
    let config = builder().build().unwrap();
    for audience in [json!("client-1"), json!(["other", "client-1"])] {
        let expired = hint_token(&json!({"iss": ISSUER, "aud": audience, "exp": 1, "sub": "s"}));
        assert_eq!(refused(&expired), None);
        let Hint::IdToken(compact) = expired.hint() else { panic!() };
        assert_eq!(value_of(&expired, "id_token_hint").as_deref(), Some(compact.expose()));
        assert_eq!(expired.effective_expectations(&config).subject.as_deref(), Some("s"));
    }
    for claims in [
        json!({"iss": "https://op.example/t1", "aud": "client-1", "sub": "s"}),
        json!({"aud": "client-1", "sub": "s"}),
        json!({"iss": ISSUER, "aud": "client-2", "sub": "s"}),
        json!({"iss": ISSUER, "aud": ["client-2"], "sub": "s"}),
        json!({"iss": ISSUER, "aud": {"client-1": 1}, "sub": "s"}),
        json!({"iss": ISSUER, "sub": "s"}),
        // Without a subject there is nothing to compare the new token with.
        json!({"iss": ISSUER, "aud": "client-1"}),
        json!({"iss": ISSUER, "aud": "client-1", "sub": ""}),
        json!({"iss": ISSUER, "aud": "client-1", "sub": 5}),
        json!([]),
    ] {
        assert_refused(&hint_token(&claims), "id_token_hint");
    }
    let hint = || hint_token(&json!({"iss": ISSUER, "aud": "client-1", "sub": "s"}));
    assert_eq!(refused(&hint().expecting(Expectations::new().subject("s"))), None);
    assert_refused(&hint().expecting(Expectations::new().subject("t")), "id_token_hint");
    for compact in ["a.b.c.d.e", "a.b", "a.b.c.d", "a.b.c", "not a token", "a.!!.c"] {
        assert_refused(&AuthRequest::new(Hint::IdToken(compact.into())), "id_token_hint");
    }
}

/// REQ-AREQ-06a
/// REQ-AREQ-06b
#[test]
fn scope_values_have_allowed_characters_and_include_openid() {
    assert_eq!(value_of(&login("x").scope("b openid a b"), "scope").as_deref(), Some("b openid a"));
    assert_eq!(value_of(&login("x").scope("Openid"), "scope").as_deref(), Some("openid Openid"));
    assert_eq!(
        value_of(&login("x").scope("!#[]~dpv:Fraud#api"), "scope").as_deref(),
        Some("openid !#[]~dpv:Fraud#api")
    );
    for scope in ["a\"b", "a\\b", "a\tb", "å", "a\u{7f}", "a\n"] {
        assert_refused(&login("x").scope(scope), "scope");
    }
}

/// REQ-AREQ-06a
#[test]
fn openid_is_left_out_only_if_the_caller_says_so() {
    assert!(login("x").scope("a").wants_id_token());
    let plain = login("x").scope("dpv:Fraud").without_openid();
    assert_eq!(value_of(&plain, "scope").as_deref(), Some("dpv:Fraud"));
    assert!(!plain.wants_id_token());
    assert_refused(&login("x").scope("openid a").without_openid(), "scope");
}

/// REQ-AREQ-19a
#[test]
fn acr_values_must_not_contain_spaces() {
    for value in ["", "a b", "a\tb", "a\nb", "\u{0}"] {
        assert_refused(&login("x").acr_values(["ok", value]), "acr_values");
    }
}

/// REQ-AREQ-20
#[test]
fn a_binding_message_has_no_control_characters() {
    for message in ["a\nb", "\u{0}", "a\u{1b}[31m", "\u{85}"] {
        assert_refused(&login("x").binding_message(message), "binding_message");
    }
}

/// REQ-AREQ-20
#[test]
fn generated_codes_have_no_ambiguous_letters() {
    for seed in 0..=255_u8 {
        let code = binding_code(Entropy::from_bytes(core::array::from_fn(|n| {
            seed.wrapping_mul(31).wrapping_add(n as u8)
        })));
        assert_eq!(code.len(), 6);
        assert!(
            !code.contains(|c: char| !c.is_ascii_uppercase() || "BGIOQLSUVZ".contains(c)),
            "{code}"
        );
    }
}

/// REQ-AREQ-21a
/// REQ-META-08a
#[test]
fn a_user_code_needs_a_client_that_is_registered_for_it() {
    assert_refused(&login("x").user_code("1234".into()), "user_code");
    let mut provider = metadata();
    provider.user_code_supported = true;
    let registered = builder_from(provider).user_codes();
    assert_eq!(refused_by(registered, &login("x").user_code("1234".into())), None);
}

/// REQ-META-24
#[test]
fn no_request_is_sent_with_a_secret_that_has_expired() {
    let later = NOW.saturating_add(Duration::from_secs(1));
    let secret = || builder().client_auth(ClientAuth::ClientSecretPost { secret: "s".into() });
    for (builder, refused) in [
        (secret(), None),
        (secret().client_secret_expires_at(Timestamp::EPOCH), None),
        (secret().client_secret_expires_at(later), None),
        (secret().client_secret_expires_at(NOW), Some("client_secret")),
        (builder().client_secret_expires_at(NOW), None),
    ] {
        assert_eq!(refused_by(builder, &login("x")).as_deref(), refused);
    }
}

/// REQ-AREQ-23
/// OPM-REQ-08
#[test]
fn a_requested_expiry_is_a_positive_whole_number_of_seconds() {
    for lifetime in [Duration::ZERO, Duration::from_millis(1500), Duration::from_nanos(1)] {
        assert_refused(&login("x").requested_expiry(lifetime), "requested_expiry");
    }
    assert_eq!(
        value_of(&login("x").requested_expiry(Duration::from_secs(1)), "requested_expiry")
            .as_deref(),
        Some("1")
    );
}

/// REQ-AREQ-25
#[test]
fn authorization_details_are_an_array_of_typed_objects() {
    const NAME: &str = "authorization_details";
    let text = r#"[{"type":"a", "x":[1]}, {"type":"a"}]"#;
    assert_eq!(value_of(&login("x").authorization_details_json(text), NAME).as_deref(), Some(text));
    for text in [
        "",
        "{}",
        r#"{"type":"a"}"#,
        "[]",
        "[1]",
        "[{}]",
        r#"[{"type":""}]"#,
        r#"[{"type":1}]"#,
        "[",
        "null",
    ] {
        assert_refused(&login("x").authorization_details_json(text), NAME);
    }
    // With both, it would be unclear which one the person approves.
    for text in [r#"[{"type":"a","type":"b"}]"#, r#"[{"type":"a","sum":"1","s\u0075m":"2"}]"#] {
        assert_refused(&login("x").authorization_details_json(text), NAME);
    }
    assert_refused(&login("x").authorization_detail(AuthorizationDetail::new("")), NAME);
    assert_refused(
        &login("x").authorization_detail(AuthorizationDetail::new("a").with("type", 5)),
        NAME,
    );
    let both = login("x")
        .authorization_details_json(text)
        .authorization_detail(AuthorizationDetail::new("a"));
    assert_refused(&both, NAME);

    let mut provider = metadata();
    provider.authorization_details_types = Some(vec!["a".into()]);
    let of_type = |name: &str| login("x").authorization_detail(AuthorizationDetail::new(name));
    assert_eq!(refused_by(builder_from(provider.clone()), &of_type("a")), None);
    assert_eq!(refused_by(builder_from(provider), &of_type("b")).as_deref(), Some(NAME));
}

/// REQ-AREQ-26
#[test]
fn a_resource_is_an_absolute_uri_without_fragment() {
    for uri in ["https://api.example/a?b=c", "urn:example:a", "a+b-c.1:x"] {
        assert_eq!(value_of(&login("x").resource(uri), "resource").as_deref(), Some(uri));
    }
    for uri in [
        "",
        "/a",
        "//api.example/a",
        "api.example",
        "https://api.example/#frag",
        "https:",
        ":x",
        "1a:x",
        "a:b c",
        "a:å",
    ] {
        assert_refused(&login("x").resource(uri), "resource");
    }
}

/// REQ-SIGN-09b
/// REQ-AREQ-04
/// REQ-AREQ-07
/// REQ-AREQ-13
/// REQ-AREQ-24
/// REQ-AREQ-29
/// REQ-AUTH-02
/// REQ-AUTH-30
#[test]
fn extra_parameters_cannot_be_protocol_parameters_or_repeat() {
    // The parameters already on the wire, those of client authentication, and those that the two
    // requirements name.
    let hints = [Hint::Login("x".into()), Hint::LoginToken("x".into()), Hint::IdToken("x".into())];
    let on_the_wire: Vec<String> = hints
        .into_iter()
        .flat_map(|hint| {
            let mut form = Form::default();
            full(hint).write(&RequestStyle::default(), &mut form, None);
            ::url::form_urlencoded::parse(form.into_body().expose())
                .into_owned()
                .collect::<Vec<_>>()
        })
        .map(|(name, _)| name)
        .collect();
    let named = [
        "client_notification_token client_id client_secret client_assertion client_assertion_type grant_type auth_req_id",
        "request request_uri iss sub aud exp nbf iat jti",
        "response_type redirect_uri state code_challenge prompt request_uri",
    ];
    let named = named.iter().flat_map(|names| names.split(' '));
    for name in on_the_wire.iter().map(String::as_str).chain(named) {
        assert!(RESERVED_PARAMETERS.contains(&name), "{name}");
    }
    for name in RESERVED_PARAMETERS {
        assert_refused(&login("x").extra(name, "v"), name);
        // Some servers compare names case-insensitively.
        let shouted = name.to_ascii_uppercase();
        assert_refused(&login("x").extra(shouted.as_str(), "v"), &shouted);
    }
    assert_refused(&login("x").extra("a", "1").extra("A", "2"), "A");
    assert_refused(&login("x").extra("a", "1").extra("b", "2").extra("a", "3"), "a");
    assert_refused(&login("x").extra("", "1"), "extra");
    for name in
        ["purpose", "request_expiry", "callInitiator", "client_notification_uri", "audience"]
    {
        assert_eq!(value_of(&login("x").extra(name, "v"), name).as_deref(), Some("v"));
    }
}

/// REQ-AUTH-30
#[test]
fn extra_header_fields_cannot_be_protocol_fields_or_inject_lines() {
    for name in [
        "Authorization",
        "content-type",
        "ACCEPT",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Cookie",
        "DPoP",
    ] {
        assert_refused(&login("x").header(name, "v"), name);
    }
    for name in ["", "a b", "a:b", "å", "a\r\n"] {
        assert_refused(&login("x").header(name, "v"), name);
    }
    for value in ["a\r\nb: c", "\u{0}", "å", " a", "a "] {
        assert_refused(&login("x").header("x-a", value), "x-a");
    }
    let request = login("x").header("Prefer", "return-trace-id");
    assert_eq!(refused(&request), None);
    assert_eq!(request.headers(), pairs(&[("Prefer", "return-trace-id")]));
}

/// REQ-AREQ-21b
/// REQ-SEC-03
#[test]
fn a_saved_request_equals_the_original_without_its_user_code() {
    let request = login("sentinel-hint")
        .scope("a b")
        .without_openid()
        .acr_values(["c"])
        .binding_message("m")
        .user_code("sentinel-code".into())
        .requested_expiry(Duration::from_secs(9))
        // Every digit is kept: it may be an amount of money.
        .authorization_detail(
            AuthorizationDetail::new("t").with("x", json!([31.245270191439438, null])),
        )
        .resource("urn:r")
        .extra("e", "f")
        .header("g", "h")
        .expecting(
            Expectations::new()
                .acr_values(["a"])
                .acr(AcrRule::Report)
                .max_age(Duration::from_secs(60))
                .require_auth_time()
                .subject("s")
                .nonce("n")
                .claim("c", "v")
                .claim_with("d", "w", Matching::EqualOrRefined, Presence::IfPresent),
        );
    let text = serde_json::to_string(&SavedRequest::save(&request)).unwrap();
    assert!(text.contains("sentinel-hint") && !text.contains("sentinel-code"), "{text}");
    let saved: SavedRequest<'_> = serde_json::from_str(&text).unwrap();
    assert!(saved.had_user_code());
    let loaded = saved.load();
    let again = serde_json::to_string(&SavedRequest::save(&loaded)).unwrap();
    assert_eq!(again, text.replace("\"had_user_code\":true", "\"had_user_code\":false"));
    assert_eq!(loaded.expectations, request.expectations);
    let wire = |request: &AuthRequest| {
        let mut form = Form::default();
        request.write(&RequestStyle::default(), &mut form, None);
        String::from_utf8(form.into_body().expose().to_vec()).unwrap()
    };
    assert_eq!(wire(&loaded), wire(&request).replace("user_code=sentinel-code&", ""));

    for hint in [Hint::LoginToken("t".into()), Hint::IdToken("a.b.c".into())] {
        let text =
            serde_json::to_string(&SavedRequest::save(&AuthRequest::new(hint.clone()))).unwrap();
        let saved: SavedRequest<'_> = serde_json::from_str(&text).unwrap();
        assert!(!saved.had_user_code());
        assert_eq!(saved.load().hint(), &hint);
    }
}

/// REQ-SEC-03
/// REQ-SEC-14
#[test]
fn neither_debug_nor_display_shows_a_value() {
    let request = hint_token(&json!({"iss": "sentinel", "sub": "sentinel"}))
        .binding_message("sentinel")
        .user_code("sentinel".into())
        .authorization_detail(AuthorizationDetail::new("t").with("amount", "sentinel"))
        .extra("scope", "sentinel")
        .header("x-key", "sentinel");
    let Hint::IdToken(token) = request.hint() else { panic!() };
    let shown =
        format!("{request:?} {:?}", AuthorizationDetail::new("t").with("amount", "sentinel"));
    assert!(!shown.contains("sentinel") && !shown.contains(token.expose()), "{shown}");
    let error = request.check(&builder().build().unwrap(), NOW).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("sentinel"), "{error}");
}

/// REQ-AREQ-28
/// REQ-FAPI-07
#[test]
fn extra_parameters_that_are_not_strings_are_sent_as_json() {
    let request = login("x")
        .extra_json("request_context", json!({"device": "terminal"}))
        .extra_json("max_age", 60);
    let expected = pairs(&[
        ("scope", "openid"),
        ("login_hint", "x"),
        ("request_context", r#"{"device":"terminal"}"#),
        ("max_age", "60"),
    ]);
    assert_eq!(sent(&request), expected);
    let expectations = request.effective_expectations(&builder().build().unwrap());
    assert_eq!(expectations.max_age, Some(Duration::from_secs(60)));
    assert_refused(&login("x").extra_json("a", Value::Null), "a");
    assert_refused(&login("x").extra_json("scope", json!(["a"])), "scope");
}

#[test]
fn a_saved_request_is_restored_unchanged() {
    let request = login("x")
        .binding_message("W4SCT")
        .extra("a", "b")
        .extra_json("c", json!({"d": [1, null]}))
        .unique_context()
        .resource("urn:b");
    let saved = serde_json::to_vec(&SavedRequest::save(&request)).unwrap();
    let again = serde_json::from_slice::<SavedRequest<'_>>(&saved).unwrap().load();
    assert_eq!(sent(&again), sent(&request));
    assert!(again.unique_context);
}

#[test]
fn lifetime_and_grant_type_are_sent_under_the_configured_names() {
    let request = login("x").requested_expiry(Duration::from_secs(60));
    let base = [("scope", "openid"), ("login_hint", "x")];
    let grant_type = ("grant_type", "urn:openid:params:grant-type:ciba");
    for (builder, more) in [
        (builder(), [("requested_expiry", "60")].as_slice()),
        (builder().request_expiry(), &[("request_expiry", "60")]),
        (builder().request_grant_type(), &[("requested_expiry", "60"), grant_type]),
    ] {
        assert_eq!(sent_by(builder, &request), pairs(&[&base, more].concat()));
    }
    let twice = request.extra("Request_Expiry", "61");
    assert_eq!(refused_by(builder().request_expiry(), &twice).as_deref(), Some("Request_Expiry"));
    assert_eq!(refused_by(builder(), &twice), None);
}

#[test]
fn a_binding_message_that_the_provider_does_not_accept_is_not_sent() {
    let rule = BindingMessageRule::ANY.required().at_most(4);
    for (message, refused) in
        [("abcd", None), ("abcde", Some("binding_message")), ("", Some("binding_message"))]
    {
        let request = login("x").binding_message(message);
        assert_eq!(
            refused_by(builder().binding_messages(rule), &request).as_deref(),
            refused,
            "{message}"
        );
        assert_eq!(refused_by(builder(), &request), None);
    }
}
