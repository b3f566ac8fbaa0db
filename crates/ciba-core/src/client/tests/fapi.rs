//! Tests of the FAPI-CIBA profile: violations that no option can circumvent.

use super::*;
use crate::profile::FapiCiba;

/// An RSA key of 1024 bits, made with OpenSSL.
const SHORT_N: &str = concat!(
    "3KyUAmNiyLnJSjnZ41dIVEXdKe5Ktns8jwyC8zOApbF63CCFKE31QdrjDlTmx6dA9iem0k9SoGp60mnQFhSbK_L2AQgPFZ58eeU1",
    "bzBvL5hqgBUO7jLC0a_66T83iv1NeEUN53QPJlP74vh5RQy6VQFH_hysnxek5zHkKF3wkkU",
);
/// An RSA key of 2048 bits.
const LONG_N: &str = concat!(
    "lkrWPnEUt2neu36FEd-WQbJd2XsabY3rfKq1WTMNKfDzLERsPnoOURCsbW2xNevvOXUSaHJ-f1_mDRUPmlLCWHzf4zAGSJL0x0aN",
    "iA8v7CBU-lptI9jBf2Sqp20vodguvh7jSG7iXm9FwVsPJxIm_GmKX7XsHRoPoWbzAvpnRqVPnNd4NKpIs62NkXpr8nmEx7rmhjwg",
    "6PXxM_rvyGtCbZh-OvP3ZqgQo7t2QhxiszQ8Hg2EQs9r4IwbacuwZd1bpsN-36oXkVw3sLD56euMl9p28fdjrcbPT-YAju1RQamk",
    "Ht0XMpCKEJk0r7E3fa7Q3k_C4qTrN4dBhpFA5KucGQ",
);

fn provider(changes: Value) -> ProviderMetadata {
    let mut document = json!({
        "backchannel_token_delivery_modes_supported": ["poll", "ping", "push"],
        "backchannel_authentication_request_signing_alg_values_supported": ["PS256", "ES256", "RS256", "EdDSA"],
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    with(document)
}

/// A configuration that every edition accepts.
fn sound(edition: FapiCiba) -> ClientConfigBuilder {
    from(provider(json!({})), edition)
}

fn from(provider: ProviderMetadata, edition: FapiCiba) -> ClientConfigBuilder {
    builder_from(provider)
        .profile(Profile::FapiCiba(edition))
        .id_token_algorithm(JwsAlgorithm::Ps256)
        .signed_requests(JwsAlgorithm::Ps256, Some("key-1".into()))
        .certificate_bound_tokens()
}

fn pinged(builder: ClientConfigBuilder) -> ClientConfigBuilder {
    builder
        .delivery(DeliveryMode::Ping)
        .notification_endpoint(Url::parse("https://rp.example/cb").unwrap())
}

/// Asserts that every edition rejects it with one error that names this clause.
#[track_caller]
fn assert_breaks(
    spoil: impl Fn(ClientConfigBuilder) -> ClientConfigBuilder,
    member: &str,
    clause: &str,
) {
    for edition in FapiCiba::ALL {
        assert_one_breach(spoil(sound(edition)), member, clause);
        assert_eq!(
            findings(spoil(sound(edition)).profile(Profile::Plain)),
            [],
            "the plain profile minds"
        );
    }
}

#[track_caller]
fn assert_one_breach(builder: ClientConfigBuilder, member: &str, clause: &str) {
    match only_finding(builder) {
        ConfigError::Profile { member: found, clause: named, .. } => {
            assert_eq!((found, named), (member, clause))
        }
        other => panic!("{other}"),
    }
}

/// REQ-FAPI-02
/// REQ-FAPI-09
/// REQ-FAPI-10
#[test]
fn a_configuration_that_a_profile_allows_is_built() {
    for edition in FapiCiba::ALL {
        assert_eq!(findings(sound(edition)), []);
        assert_eq!(findings(pinged(sound(edition))), []);
        for auth in
            [ClientAuth::TlsClientAuth, ClientAuth::SelfSignedTlsClientAuth, private_key_jwt()]
        {
            assert_eq!(findings(sound(edition).client_auth(auth)), []);
        }
        for algorithm in [JwsAlgorithm::Es256, JwsAlgorithm::Ps256] {
            let builder =
                sound(edition).id_token_algorithm(algorithm).signed_requests(algorithm, None);
            assert_eq!(
                findings(
                    builder.client_auth(ClientAuth::PrivateKeyJwt { algorithm, key_id: None })
                ),
                []
            );
        }
        let config = sound(edition).build().unwrap();
        assert_eq!(config.profile(), Profile::FapiCiba(edition));
    }
}

/// REQ-FAPI-10
#[test]
fn fapi_refuses_rs256() {
    for edition in FapiCiba::ALL {
        let clause =
            if edition == FapiCiba::Draft03OnFapi2 { "FAPI2SP 5.4.1" } else { "FAPI-CIBA 7.10" };
        for algorithm in JwsAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric())
        {
            let is_allowed = edition.algorithms().contains(&algorithm);
            for (builder, member) in [
                (
                    sound(edition)
                        .client_auth(ClientAuth::PrivateKeyJwt { algorithm, key_id: None }),
                    "token_endpoint_auth_signing_alg",
                ),
                (
                    sound(edition)
                        .signed_requests(algorithm, None)
                        .dangerously_ignore_metadata(MetadataRule::RequestAlgorithm),
                    "backchannel_authentication_request_signing_alg",
                ),
                (sound(edition).id_token_algorithm(algorithm), "id_token_signed_response_alg"),
            ] {
                let found = findings(builder);
                let breach = found.iter().any(|error| {
                    matches!(error, ConfigError::Profile { member: named, clause: broken, .. }
                        if (*named, *broken) == (member, clause))
                });
                assert_eq!(breach, !is_allowed, "{algorithm} {member} {found:?}");
            }
        }
    }
    let eddsa = |edition: FapiCiba| edition.algorithms().contains(&JwsAlgorithm::EdDsa);
    assert_eq!(FapiCiba::ALL.map(eddsa), [false, false, true]);
    assert!(
        FapiCiba::ALL.iter().all(|edition| !edition.algorithms().contains(&JwsAlgorithm::Rs256))
    );
}

/// REQ-FAPI-03
#[test]
fn fapi_refuses_unsigned_requests_if_the_edition_requires_signed_ones() {
    let unsigned = |edition| {
        builder_from(provider(json!({})))
            .profile(Profile::FapiCiba(edition))
            .id_token_algorithm(JwsAlgorithm::Ps256)
            .certificate_bound_tokens()
    };
    // The key that authenticates also signs requests. A certificate cannot sign them.
    let config = unsigned(FapiCiba::Id1).build().unwrap();
    assert_eq!(config.request_signing_algorithm(), Some(JwsAlgorithm::Es256));
    assert_eq!(
        config.request_object.as_ref().and_then(|rules| rules.key_id.as_deref()),
        Some("key-1")
    );
    assert_eq!(
        unsigned(FapiCiba::Draft03OnFapi1).build().unwrap().request_signing_algorithm(),
        None
    );
    assert_one_breach(
        unsigned(FapiCiba::Id1).client_auth(ClientAuth::TlsClientAuth),
        "backchannel_authentication_request_signing_alg",
        "FAPI-CIBA 5.2.2 item 6",
    );
    assert_eq!(findings(unsigned(FapiCiba::Draft03OnFapi1)), []);
    assert_eq!(findings(unsigned(FapiCiba::Draft03OnFapi2)), []);
}

/// REQ-FAPI-24
#[test]
fn fapi_refuses_a_public_client() {
    let public = |builder: ClientConfigBuilder| builder.client_auth(ClientAuth::None);
    assert_breaks(public, "token_endpoint_auth_method", "FAPI-CIBA 5.2.2 item 1");
}

/// REQ-FAPI-09
#[test]
fn fapi_refuses_a_client_secret() {
    for auth in [
        ClientAuth::ClientSecretBasic { secret: secret(64), encoding: BasicEncoding::Encoded },
        ClientAuth::ClientSecretPost { secret: secret(64) },
    ] {
        let by_secret = |builder: ClientConfigBuilder| builder.client_auth(auth.clone());
        assert_breaks(by_secret, "token_endpoint_auth_method", "FAPI1A 5.2.2 item 14");
    }
    let jwt = ClientAuth::ClientSecretJwt { secret: secret(64), algorithm: JwsAlgorithm::Hs256 };
    let by_secret = |builder: ClientConfigBuilder| builder.client_auth(jwt.clone());
    assert_breaks(by_secret, "token_endpoint_auth_method", "FAPI1A 5.2.2 item 14");
}

/// RFC 9449 and FAPI 2.0 Security Profile 5.3.2.1: FAPI 1.0 knows only certificates.
/// REQ-FAPI-22
#[test]
fn fapi_accepts_a_dpop_key_instead_of_a_certificate_only_on_fapi_2() {
    let bound = |edition, algorithm| {
        builder_from(provider(json!({})))
            .profile(Profile::FapiCiba(edition))
            .id_token_algorithm(JwsAlgorithm::Ps256)
            .signed_requests(JwsAlgorithm::Ps256, Some("key-1".into()))
            .dpop(algorithm, EC)
    };
    for edition in FapiCiba::ALL {
        let found = findings(bound(edition, JwsAlgorithm::Es256));
        assert_eq!(found.is_empty(), edition == FapiCiba::Draft03OnFapi2, "{found:?}");
    }
    let weak = findings(bound(FapiCiba::Draft03OnFapi2, JwsAlgorithm::Rs256));
    assert!(weak.iter().any(|error| error.member() == "dpop_signing_alg"), "{weak:?}");
}

/// REQ-FAPI-01
#[test]
fn fapi_refuses_push_mode() {
    let push = |builder| pinged(builder).delivery(DeliveryMode::Push);
    assert_breaks(push, "backchannel_token_delivery_mode", "FAPI-CIBA 5.2.2 item 3");
}

/// REQ-FAPI-12
#[test]
fn fapi_refuses_a_key_of_1024_bits() {
    let with_key = |builder: ClientConfigBuilder, n: &str| {
        let auth = ClientAuth::PrivateKeyJwt {
            algorithm: JwsAlgorithm::Ps256,
            key_id: Some("key-1".into()),
        };
        let key = json!({"kty": "RSA", "n": n, "e": "AQAB", "kid": "key-1"});
        builder.client_auth(auth).public_key(key.to_string())
    };
    assert_breaks(|builder| with_key(builder, SHORT_N), "jwks", "FAPI1B 5.2.4");
    assert_eq!(findings(with_key(sound(FapiCiba::Id1), LONG_N)), []);
    let elliptic = sound(FapiCiba::Id1).signed_requests(JwsAlgorithm::Es256, Some("key-1".into()));
    assert_eq!(findings(elliptic.public_key(EC)), []);
}

/// REQ-SEC-02b
#[test]
fn fapi_refuses_an_http_endpoint() {
    use crate::url::LoopbackHttp::DangerouslyAllowed;

    const CLAUSE: &str = "FAPI1A 8.5";
    let http = || Url::parse_with("http://127.0.0.1:9/x", DangerouslyAllowed).unwrap();
    for edition in FapiCiba::ALL {
        for member in [
            "backchannel_authentication_endpoint",
            "token_endpoint",
            "jwks_uri",
            "mtls_endpoint_aliases",
        ] {
            let mut provider = provider(json!({}));
            // An internal address on a host other than the issuer's would be a separate error.
            provider.issuer = Issuer::parse("https://127.0.0.1").unwrap();
            match member {
                "backchannel_authentication_endpoint" => {
                    provider.backchannel_authentication_endpoint = Some(http())
                }
                "token_endpoint" => provider.token_endpoint = Some(http()),
                "jwks_uri" => provider.jwks_uri = Some(http()),
                _ => provider.mtls_endpoint_aliases.token_endpoint = Some(http()),
            }
            assert_eq!(findings(from(provider.clone(), edition).profile(Profile::Plain)), []);
            assert_one_breach(from(provider, edition), member, CLAUSE);
        }
        let ping = pinged(sound(edition)).notification_endpoint(http());
        assert_one_breach(ping, "backchannel_client_notification_endpoint", CLAUSE);
        let issuer = Issuer::parse_with("http://127.0.0.1:9", DangerouslyAllowed).unwrap();
        let mut provider = provider(json!({}));
        provider.issuer = issuer;
        // The endpoints use http for the same reason, so they are not reported separately.
        provider.token_endpoint = Some(http());
        assert_one_breach(from(provider, edition), "issuer", CLAUSE);
    }
}

/// REQ-FAPI-13
#[test]
fn fapi_refuses_unbound_access_tokens() {
    for edition in FapiCiba::ALL {
        let unbound = builder_from(provider(json!({})))
            .profile(Profile::FapiCiba(edition))
            .id_token_algorithm(JwsAlgorithm::Ps256)
            .signed_requests(JwsAlgorithm::Ps256, None);
        assert_one_breach(
            unbound,
            "tls_client_certificate_bound_access_tokens",
            "FAPI1A 5.2.2 items 5 and 6",
        );
    }
}

/// REQ-FAPI-15a
/// REQ-FAPI-15b
#[test]
fn each_edition_enforces_its_own_rule_about_audiences() {
    const FAPI_2: &str = "FAPI2SP 5.3.3.1 item 5";
    let others = [Audience::Text("https://op.example".into()), Audience::Endpoint];
    for (edition, other) in FapiCiba::ALL
        .into_iter()
        .flat_map(|edition| others.iter().map(move |other| (edition, other.clone())))
    {
        let assertions = [
            (sound(edition).token_audience(other.clone()), "token_audience"),
            (sound(edition).backchannel_audience(other.clone()), "backchannel_audience"),
        ];
        for (builder, member) in assertions {
            match edition {
                FapiCiba::Draft03OnFapi2 => assert_one_breach(builder, member, FAPI_2),
                FapiCiba::Id1 | FapiCiba::Draft03OnFapi1 => {
                    assert_eq!(findings(builder), [], "{edition:?}")
                }
            }
        }
        let clause =
            if edition == FapiCiba::Draft03OnFapi2 { FAPI_2 } else { "FAPI1A 5.2.3 item 10" };
        assert_one_breach(sound(edition).request_audience(other), "request_audience", clause);
    }
}

/// Each mistake is reported once, and options without a safe default are required.
#[test]
fn one_mistake_is_reported_once() {
    for edition in FapiCiba::ALL {
        let unnamed =
            builder_from(provider(json!({"id_token_signing_alg_values_supported": ["PS256"]})))
                .profile(Profile::FapiCiba(edition))
                .signed_requests(JwsAlgorithm::Ps256, None)
                .certificate_bound_tokens();
        assert_eq!(findings(unnamed), [missing("id_token_signed_response_alg")]);
        // The provider's lists do not contain any of these values either.
        let lists = || {
            provider(json!({
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["PS256"],
                "backchannel_authentication_request_signing_alg_values_supported": ["PS256"],
                "id_token_signing_alg_values_supported": ["PS256"],
                "backchannel_token_delivery_modes_supported": ["poll"],
            }))
        };
        let builder = |auth| {
            builder_from(lists())
                .profile(Profile::FapiCiba(edition))
                .id_token_algorithm(JwsAlgorithm::Ps256)
                .certificate_bound_tokens()
                .client_auth(auth)
        };
        let key = |algorithm| ClientAuth::PrivateKeyJwt { algorithm, key_id: None };
        let ps256 = || builder(key(JwsAlgorithm::Ps256)).signed_requests(JwsAlgorithm::Ps256, None);
        for (slip, member) in [
            (builder(key(JwsAlgorithm::Rs256)), "token_endpoint_auth_signing_alg"),
            (
                ps256().signed_requests(JwsAlgorithm::Rs256, None),
                "backchannel_authentication_request_signing_alg",
            ),
            (ps256().id_token_algorithm(JwsAlgorithm::Rs256), "id_token_signed_response_alg"),
            (ps256().client_auth(ClientAuth::None), "token_endpoint_auth_method"),
            (pinged(ps256()).delivery(DeliveryMode::Push), "backchannel_token_delivery_mode"),
        ] {
            assert_eq!(only_finding(slip).member(), member, "{edition:?}");
        }
    }
}

/// REQ-FAPI-16
/// REQ-JWKS-23
#[test]
fn fapi_2_refuses_metadata_that_was_not_discovered() {
    const CLAUSE: &str = "FAPI2SP 5.3.3.1 item 9";
    let ours = || Url::parse("https://ours.example/x").unwrap();
    type Spoil<'a> = &'a dyn Fn(ClientConfigBuilder) -> ClientConfigBuilder;
    let spoils: [(Spoil<'_>, &str); 5] = [
        (&|builder| builder.backchannel_endpoint(ours()), "backchannel_authentication_endpoint"),
        (&|builder| builder.token_endpoint(ours()), "token_endpoint"),
        (&|builder| builder.jwks_uri(ours()), "jwks_uri"),
        (&ClientConfigBuilder::pinned_keys, "jwks_uri"),
        (
            &|builder| builder.dangerously_ignore_metadata(MetadataRule::UserCodes),
            "dangerously_ignore_metadata",
        ),
    ];
    for (spoil, member) in spoils {
        assert_one_breach(spoil(sound(FapiCiba::Draft03OnFapi2)), member, CLAUSE);
        for edition in [FapiCiba::Id1, FapiCiba::Draft03OnFapi1] {
            assert_eq!(findings(spoil(sound(edition))), [], "{edition:?} {member}");
        }
    }
    assert_one_breach(from(metadata(), FapiCiba::Draft03OnFapi2), "issuer", CLAUSE);
    assert_eq!(findings(from(metadata(), FapiCiba::Id1)), []);
}

#[test]
fn fapi_refuses_options_that_guess_the_token_type() {
    let policy = || Policy { assume_bearer: true, ..Policy::default() };
    assert_breaks(|builder| builder.policy(policy()), "assume_bearer", "RFC 6749 5.1");
    let policy = || Policy { bearer_words: vec!["Access".into()], ..Policy::default() };
    assert_breaks(|builder| builder.policy(policy()), "bearer_words", "RFC 6749 5.1");
}

/// REQ-FAPI-04
#[test]
fn a_signed_request_of_more_than_an_hour_is_refused_in_every_profile() {
    for profile in [Profile::Plain, Profile::FapiCiba(FapiCiba::Id1)] {
        let lives = |seconds| {
            sound(FapiCiba::Id1).profile(profile).request_lifetime(Duration::from_secs(seconds))
        };
        assert_eq!(findings(lives(3590)), []);
        assert_eq!(only_finding(lives(3591)).member(), "request_lifetime");
        assert_eq!(only_finding(lives(70 * 60)).member(), "request_lifetime");
    }
}

#[test]
fn a_profile_limits_the_clock_skew_and_the_token_age() {
    let skewed = |edition| sound(edition).clock_skew(Duration::from_secs(61));
    assert_one_breach(skewed(FapiCiba::Draft03OnFapi2), "clock_skew", "FAPI2SP 5.3.2.1 item 13");
    assert_eq!(findings(skewed(FapiCiba::Id1)), []);
    assert_breaks(
        |builder| builder.max_token_age(Duration::from_secs(601)),
        "max_token_age",
        "OIDC Core 3.1.3.7 item 10",
    );
    let widest = sound(FapiCiba::Id1)
        .clock_skew(Duration::from_secs(60))
        .max_token_age(Duration::from_secs(600));
    assert_eq!(findings(widest), []);
}
