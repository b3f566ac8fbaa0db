use alloc::{
    format,
    string::{String, ToString as _},
    sync::Arc,
    vec,
    vec::Vec,
};
use core::time::Duration;

use serde_json::{Value, json};

mod dpop;
mod fapi;
mod mutual_tls;
mod registration;
mod signed;

use super::{
    testing::{ISSUER, builder, builder_from, metadata, private_key_jwt},
    *,
};
use crate::{
    client::{Audience, BasicEncoding},
    issuer::Issuer,
    jose::JwsAlgorithm,
    policy::Policy,
    profile::Profile,
    secret::ClientSecret,
    url::Url,
    wire::metadata::{DeliveryMode, ProviderMetadata},
};

/// Public keys to register, on P-256 and RSA.
const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","kid":"key-1","alg":"ES256","use":"sig"}"#;
const RSA: &str = r#"{"kty":"RSA","n":"a","e":"AQAB","kid":"key-2","alg":"RS256","use":"sig"}"#;

fn published() -> Value {
    json!({
        "issuer": ISSUER,
        "backchannel_authentication_endpoint": "https://op.example/ciba",
        "backchannel_token_delivery_modes_supported": ["poll"],
        "token_endpoint": "https://op.example/token",
        "jwks_uri": "https://op.example/jwks",
    })
}

/// A published document with some members changed. `null` removes a member.
fn with(changes: Value) -> ProviderMetadata {
    let mut document = published();
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    ProviderMetadata::from_json(&Issuer::parse(ISSUER).unwrap(), document.to_string().as_bytes())
        .unwrap()
}

fn findings(builder: ClientConfigBuilder) -> Vec<ConfigError> {
    match builder.build() {
        Ok(_) => vec![],
        Err(errors) => errors.iter().cloned().collect(),
    }
}

fn only_finding(builder: ClientConfigBuilder) -> ConfigError {
    let findings = findings(builder);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

fn missing(member: &'static str) -> ConfigError {
    ConfigError::Missing { member }
}

fn not_listed(member: &'static str, value: &str) -> ConfigError {
    ConfigError::NotListed { member, value: value.into() }
}

fn secret(length: usize) -> ClientSecret {
    ClientSecret::new("s".repeat(length))
}

/// REQ-META-01a
/// REQ-META-05
/// REQ-META-11b
/// REQ-DISC-25
#[test]
fn a_poll_client_needs_only_endpoints_and_authentication() {
    let config = builder().build().unwrap();
    assert_eq!(config.delivery(), DeliveryMode::Poll);
    assert_eq!(config.id_token_algorithm(), JwsAlgorithm::Rs256);
    assert_eq!(config.backchannel_endpoint().as_str(), "https://op.example/ciba");
    assert_eq!(config.token_endpoint().as_str(), "https://op.example/token");
    assert_eq!(config.jwks_uri().map(Url::as_str), Some("https://op.example/jwks"));
    assert_eq!((config.issuer().as_str(), config.client_id().as_str()), (ISSUER, "client-1"));
    assert_eq!(config.auth().method(), "private_key_jwt");
}

/// REQ-META-01a
/// REQ-META-04
/// REQ-META-05
#[test]
fn a_notification_endpoint_is_required_exactly_if_notifications_are_sent() {
    const MEMBER: &str = "backchannel_client_notification_endpoint";
    let url = || Url::parse("https://rp.example/ciba/cb").unwrap();
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        assert_eq!(only_finding(builder().delivery(mode)), missing(MEMBER));
        let config = builder().delivery(mode).notification_endpoint(url()).build().unwrap();
        assert_eq!((config.delivery(), config.notification_endpoint()), (mode, Some(&url())));
    }
    assert_eq!(only_finding(builder().notification_endpoint(url())).member(), MEMBER);
    assert!(builder().build().unwrap().notification_endpoint().is_none());
    for refused in
        ["http://rp.example/ciba/cb", "/ciba/cb", "https:///cb", "https://rp.example/cb#x", ""]
    {
        assert!(Url::parse(refused).is_err(), "{refused}");
    }
}

/// REQ-META-27
#[test]
fn all_errors_of_a_configuration_are_reported_together_by_name() {
    let mut provider = metadata();
    provider.token_endpoint = None;
    let errors = builder_from(provider)
        .delivery(DeliveryMode::Push)
        .assertion_lifetime(Duration::from_secs(301))
        .clock_skew(Duration::from_secs(301))
        .max_token_age(Duration::ZERO)
        .build()
        .unwrap_err();
    let members: Vec<&str> = errors.iter().map(ConfigError::member).collect();
    assert_eq!(
        members,
        [
            "backchannel_client_notification_endpoint",
            "assertion_lifetime",
            "clock_skew",
            "max_token_age",
            "token_endpoint"
        ]
    );
    let text = errors.to_string();
    assert!(members.iter().all(|member| text.contains(member)), "{text}");
}

/// REQ-DISC-06b
/// REQ-DISC-19
/// OPM-DSC-05
#[test]
fn missing_members_that_ciba_needs_are_named() {
    for member in [
        "backchannel_authentication_endpoint",
        "backchannel_token_delivery_modes_supported",
        "jwks_uri",
        "token_endpoint",
    ] {
        let error = only_finding(builder_from(with(json!({ member: null }))));
        assert_eq!(error, ConfigError::Missing { member });
    }
    let incomplete =
        || builder_from(with(json!({"backchannel_token_delivery_modes_supported": []})));
    assert_eq!(only_finding(incomplete()).member(), "backchannel_token_delivery_modes_supported");
    assert_eq!(findings(incomplete().dangerously_ignore_metadata(MetadataRule::DeliveryMode)), []);
    // A document without any CIBA metadata may be completed by hand (ID-07).
    let mut silent = with(json!({
        "backchannel_authentication_endpoint": null,
        "backchannel_token_delivery_modes_supported": null,
    }));
    silent.backchannel_authentication_endpoint =
        Some(Url::parse("https://op.example/ciba").unwrap());
    assert_eq!(findings(builder_from(silent)), []);
    // A client with a configured endpoint does not rely on the document for CIBA (DV-24).
    assert_eq!(
        findings(incomplete().backchannel_endpoint(Url::parse("https://op.example/ciba").unwrap())),
        []
    );
}

/// REQ-DISC-25
#[test]
fn configured_endpoints_take_precedence_over_metadata() {
    let ours = |path: &str| Url::parse(&format!("https://ours.example{path}")).unwrap();
    let config =
        builder_from(with(json!({"backchannel_authentication_endpoint": null, "jwks_uri": null})))
            .backchannel_endpoint(ours("/bc"))
            .token_endpoint(ours("/token"))
            .jwks_uri(ours("/jwks"))
            .build()
            .unwrap();
    assert_eq!(config.backchannel_endpoint(), &ours("/bc"));
    assert_eq!(config.token_endpoint(), &ours("/token"));
    assert_eq!(config.jwks_uri(), Some(&ours("/jwks")));

    let mut provider = metadata();
    provider.jwks_uri = None;
    assert_eq!(only_finding(builder_from(provider.clone())), missing("jwks_uri"));
    assert!(builder_from(provider).pinned_keys().build().unwrap().jwks_uri().is_none());
}

/// REQ-DISC-07a
/// REQ-DISC-11
/// REQ-DISC-12
/// REQ-DISC-09
/// REQ-META-08b
/// OPM-DSC-06
#[test]
fn values_that_the_provider_does_not_list_are_refused_unless_overridden() {
    const AUTH_ALGS: &str = "token_endpoint_auth_signing_alg_values_supported";
    for (member, offered, refused, value, rule) in [
        (
            "backchannel_token_delivery_modes_supported",
            json!(["x", "poll", "ping"]),
            json!(["ping", "push"]),
            "poll",
            MetadataRule::DeliveryMode,
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["private_key_jwt", "x"]),
            json!(["client_secret_basic", "none"]),
            "private_key_jwt",
            MetadataRule::AuthenticationMethod,
        ),
        (
            AUTH_ALGS,
            json!(["PS256", "ES256"]),
            json!(["RS256"]),
            "ES256",
            MetadataRule::AuthenticationAlgorithm,
        ),
        (
            AUTH_ALGS,
            json!(["ES256"]),
            json!(["ES256K"]),
            "ES256",
            MetadataRule::AuthenticationAlgorithm,
        ),
        (
            "id_token_signing_alg_values_supported",
            json!(["RS256"]),
            json!(["PS256", "none"]),
            "RS256",
            MetadataRule::IdTokenAlgorithm,
        ),
        (
            "backchannel_user_code_parameter_supported",
            json!(true),
            json!(false),
            "true",
            MetadataRule::UserCodes,
        ),
    ] {
        let asking = |list: &Value| {
            let builder = builder_from(with(json!({ member: list })));
            if rule == MetadataRule::UserCodes { builder.user_codes() } else { builder }
        };
        assert_eq!(findings(asking(&offered)), []);
        assert_eq!(only_finding(asking(&refused)), not_listed(member, value));
        assert_eq!(findings(asking(&refused).dangerously_ignore_metadata(rule)), []);
    }
    // A list that is not published implies nothing.
    assert_eq!(
        findings(builder_from(with(json!({ "token_endpoint_auth_methods_supported": [] })))),
        []
    );
}

/// REQ-DISC-08a
/// REQ-DISC-10
/// REQ-DISC-17
#[test]
fn metadata_about_other_flows_is_ignored() {
    let provider = with(json!({
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_signed_request_object": false,
        "request_object_signing_alg_values_supported": ["none"],
        "grant_types_supported": ["authorization_code", "implicit"],
    }));
    assert_eq!(findings(builder_from(provider)), []);
}

/// REQ-AUTH-01b
#[test]
fn an_authentication_method_must_be_chosen() {
    let builder = ClientConfig::builder(metadata(), ClientId::new("client-1").unwrap())
        .verifier(Arc::new(testing::ToyVerifier));
    assert_eq!(only_finding(builder), missing("token_endpoint_auth_method"));
    // A public client is accepted only if the provider lists `none` or no methods (ruling 13).
    let none = |methods: Value| {
        builder_from(with(json!({ "token_endpoint_auth_methods_supported": methods })))
            .client_auth(ClientAuth::None)
    };
    assert_eq!(findings(none(json!(["none"]))), []);
    let member = "token_endpoint_auth_methods_supported";
    assert_eq!(only_finding(none(json!(["private_key_jwt"]))), not_listed(member, "none"));
}

/// REQ-AUTH-15
/// REQ-META-10
#[test]
fn the_algorithm_must_suit_the_method() {
    for algorithm in JwsAlgorithm::ALL {
        let private = builder().client_auth(ClientAuth::PrivateKeyJwt { algorithm, key_id: None });
        let shared =
            builder().client_auth(ClientAuth::ClientSecretJwt { secret: secret(64), algorithm });
        assert_eq!(findings(private).is_empty(), !algorithm.is_symmetric(), "{algorithm}");
        assert_eq!(findings(shared).is_empty(), algorithm.is_symmetric(), "{algorithm}");
    }
}

/// REQ-AUTH-22b
/// REQ-META-11a
#[test]
fn the_key_of_a_mac_must_be_long_enough() {
    for (algorithm, least) in
        [(JwsAlgorithm::Hs256, 32), (JwsAlgorithm::Hs384, 48), (JwsAlgorithm::Hs512, 64)]
    {
        for (length, is_taken) in [(least, true), (least - 1, false)] {
            let assertion = ClientAuth::ClientSecretJwt { secret: secret(length), algorithm };
            assert_eq!(
                findings(builder().client_auth(assertion)).is_empty(),
                is_taken,
                "{algorithm} {length}"
            );
            let basic = ClientAuth::ClientSecretPost { secret: secret(length) };
            let id_token = builder().client_auth(basic).id_token_algorithm(algorithm);
            assert_eq!(findings(id_token).is_empty(), is_taken, "{algorithm} {length}");
        }
        let error = only_finding(builder().id_token_algorithm(algorithm));
        assert_eq!(error.member(), "id_token_signed_response_alg");
    }
}

/// REQ-AUTH-05
#[test]
fn raw_basic_cannot_carry_an_id_with_a_colon() {
    let basic = |id: &str, encoding| {
        ClientConfig::builder(metadata(), ClientId::new(id).unwrap())
            .verifier(Arc::new(testing::ToyVerifier))
            .client_auth(ClientAuth::ClientSecretBasic { secret: secret(1), encoding })
    };
    assert_eq!(only_finding(basic("urn:my:application", BasicEncoding::Raw)).member(), "client_id");
    assert_eq!(findings(basic("urn:my:application", BasicEncoding::Encoded)), []);
    assert_eq!(findings(basic("client-1", BasicEncoding::Raw)), []);
    let empty =
        ClientAuth::ClientSecretBasic { secret: secret(0), encoding: BasicEncoding::Encoded };
    assert_eq!(only_finding(builder().client_auth(empty)).member(), "client_secret");
}

/// REQ-AUTH-13
/// REQ-AUTH-14
/// REQ-AUTH-18
#[test]
fn the_lifetime_of_an_assertion_is_limited() {
    for (seconds, is_taken) in [(0, false), (1, true), (60, true), (300, true), (301, false)] {
        let errors = findings(builder().assertion_lifetime(Duration::from_secs(seconds)));
        assert_eq!(
            errors.iter().all(|error| error.member() != "assertion_lifetime"),
            is_taken,
            "{seconds}"
        );
    }
    assert_eq!(
        only_finding(builder().assertion_lifetime(Duration::from_millis(1500))).member(),
        "assertion_lifetime"
    );
    for (seconds, is_taken) in [(0, true), (59, true), (60, false), (61, false)] {
        let errors = findings(builder().assertion_backdating(Duration::from_secs(seconds)));
        assert_eq!(errors.is_empty(), is_taken, "{seconds}");
    }
    for (typ, is_taken) in
        [("JWT", true), ("client-authentication+jwt", true), ("", false), ("a b", false)]
    {
        assert_eq!(findings(builder().assertion_typ(typ)).is_empty(), is_taken, "{typ}");
    }
}

/// REQ-AUTH-11
/// REQ-SEC-08
#[test]
fn a_discovered_endpoint_is_an_audience_at_the_issuer_s_own_origin_only() {
    let audience = Audience::Endpoint;
    for (endpoint, is_own) in [
        ("https://op.example/token", true),
        ("https://op.example:443/x/token", true),
        ("https://op.example:8443/token", false),
        ("https://token.op.example/token", false),
        ("https://example/token", false),
        ("https://op.example.evil.example/token", false),
        ("https://other.example/t1/token", false),
    ] {
        let foreign =
            json!({"token_endpoint": endpoint, "backchannel_authentication_endpoint": endpoint});
        let discovered = || {
            builder_from(with(foreign.clone()))
                .dangerously_ignore_metadata(MetadataRule::RequestAlgorithm)
        };
        let signed = || discovered().signed_requests(JwsAlgorithm::Es256, None);
        for (builder, member) in [
            (discovered().token_audience(audience.clone()), "token_audience"),
            (discovered().backchannel_audience(audience.clone()), "backchannel_audience"),
            (signed().request_audience(audience.clone()), "request_audience"),
        ] {
            let found = findings(builder);
            let found: Vec<_> = found.iter().map(ConfigError::member).collect();
            assert_eq!(found, if is_own { vec![] } else { vec![member] }, "{endpoint}");
        }
        let ours = Url::parse("https://ours.example/token").unwrap();
        let pinned = discovered().token_audience(audience.clone()).token_endpoint(ours);
        assert_eq!(findings(pinned), []);
    }
    // The audience is the called URL.
    let config = builder_from(with(json!({}))).token_audience(audience.clone()).build().unwrap();
    assert_eq!(
        (config.audiences.token.as_str(), config.audiences.backchannel.as_str()),
        ("https://op.example/token", ISSUER)
    );
    let discovered =
        || builder_from(with(json!({"token_endpoint": "https://other.example/token"})));
    let secret = ClientAuth::ClientSecretPost { secret: "s".into() };
    let unnamed = discovered()
        .token_audience(audience.clone())
        .request_audience(audience.clone())
        .client_auth(secret);
    assert_eq!(findings(unnamed), [], "nothing is signed, so no audience is named");
    assert_eq!(findings(builder().token_audience(audience)), []);
    let empty = builder().token_audience(Audience::Text(String::new()));
    assert_eq!(only_finding(empty).member(), "token_audience");
}

/// REQ-IDT-22
#[test]
fn the_clock_skew_is_at_most_five_minutes() {
    assert_eq!(findings(builder().clock_skew(Duration::from_secs(300))), []);
    assert_eq!(only_finding(builder().clock_skew(Duration::from_secs(301))).member(), "clock_skew");
}

#[test]
fn limits_of_zero_are_refused() {
    for member in [
        "authentication_timeout",
        "token_timeout",
        "fetch_timeout",
        "local_timeout",
        "max_token_response",
    ] {
        let mut policy = Policy::default();
        match member {
            "authentication_timeout" => policy.authentication_timeout = Duration::ZERO,
            "token_timeout" => policy.token_timeout = Duration::ZERO,
            "fetch_timeout" => policy.fetch_timeout = Duration::ZERO,
            "local_timeout" => policy.local_timeout = Duration::ZERO,
            _ => policy.max_token_response = 0,
        }
        assert_eq!(only_finding(builder().policy(policy)).member(), member);
    }
}

#[test]
fn a_client_id_is_printable_ascii() {
    for id in ["client-1", "urn:my:application:identifier:1", "a b", "~"] {
        assert_eq!(ClientId::new(id).unwrap().as_str(), id);
    }
    for id in ["", "a\nb", "å"] {
        assert_eq!(ClientId::new(id).unwrap_err().member(), "client_id");
    }
}

/// REQ-SEC-03
#[test]
fn debug_of_a_configuration_shows_no_secret() {
    let auth = ClientAuth::ClientSecretPost { secret: ClientSecret::new("sentinel") };
    let builder = builder().client_auth(auth);
    assert!(!format!("{builder:?}").contains("sentinel"));
    assert!(!format!("{:?}", builder.build().unwrap()).contains("sentinel"));
}

#[test]
fn a_missing_verifier_is_reported_if_there_is_no_default_backend() {
    let bare = ClientConfig::builder(metadata(), ClientId::new("client-1").unwrap())
        .client_auth(private_key_jwt());
    let expected = if cfg!(feature = "rustcrypto") { vec![] } else { vec![missing("verifier")] };
    assert_eq!(findings(bare), expected);
}

/// Header fields that belong to HTTP or the protocol are rejected, all others are sent.
#[test]
fn a_header_field_of_the_client_can_be_sent() {
    for (name, value, is_taken) in [
        ("X-Gateway-Key", "k", true),
        ("User-Agent", "shop/1", true),
        ("Authorization", "Basic x", false),
        ("content-type", "text/plain", false),
        ("Host", "other.example", false),
        ("X Gateway", "k", false),
        ("", "k", false),
        ("X-Gateway", "a\r\nb", false),
        ("X-Gateway", " k", false),
    ] {
        assert_eq!(findings(builder().header(name, value)).is_empty(), is_taken, "{name}");
    }
    assert_eq!(only_finding(builder().header("X-A", "1").header("x-a", "2")).member(), "header");
    let config = builder().header("X-Gateway-Key", "sentinel").build().unwrap();
    assert!(!format!("{config:?}").contains("sentinel"));
}

#[test]
fn each_deviation_of_a_provider_can_be_configured() {
    let mac = |builder: ClientConfigBuilder| {
        let secret = ClientAuth::ClientSecretPost { secret: secret(64) };
        builder.client_auth(secret).id_token_algorithm(JwsAlgorithm::Hs256)
    };
    assert_eq!(findings(mac(builder())), []);
    assert_eq!(
        only_finding(mac(builder()).no_mac_id_tokens()).member(),
        "id_token_signed_response_alg"
    );

    let listed = || {
        builder_from(with(json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]})))
    };
    let public = || listed().client_auth(ClientAuth::None);
    assert_eq!(only_finding(public()).member(), "token_endpoint_auth_methods_supported");
    assert_eq!(findings(public().public_clients()), []);
    let post = ClientAuth::ClientSecretPost { secret: secret(64) };
    let other = only_finding(listed().client_auth(post).public_clients());
    assert_eq!(other.member(), "token_endpoint_auth_methods_supported");

    for (word, is_taken) in [("Access", true), ("N_A", true), ("", false), ("dpop", false)] {
        let policy = Policy { bearer_words: vec![word.into()], ..Policy::default() };
        assert_eq!(findings(builder().policy(policy)).is_empty(), is_taken, "{word}");
    }
    let mut names: Vec<_> = MetadataRule::ALL.map(MetadataRule::name).to_vec();
    names.dedup();
    assert_eq!(names.len(), MetadataRule::ALL.len());
}
