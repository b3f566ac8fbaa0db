//! Tests of the configuration of signed requests.

use super::*;

const MEMBER: &str = "backchannel_authentication_request_signing_alg";
const LIST: &str = "backchannel_authentication_request_signing_alg_values_supported";

fn signing(algorithm: JwsAlgorithm) -> ClientConfigBuilder {
    builder().signed_requests(algorithm, Some("key-1".into()))
}

/// REQ-META-06b
/// REQ-META-07
/// REQ-SIGN-10a
/// REQ-SIGN-10b
#[test]
fn requests_are_signed_with_the_registered_asymmetric_algorithm_or_never() {
    assert_eq!(builder().build().unwrap().request_signing_algorithm(), None);
    assert!(builder().build().unwrap().request_object.is_none());
    for algorithm in JwsAlgorithm::ALL {
        if algorithm.is_symmetric() {
            assert_eq!(only_finding(signing(algorithm)).member(), MEMBER);
            continue;
        }
        let config = signing(algorithm).build().unwrap();
        assert_eq!(config.request_signing_algorithm(), Some(algorithm));
        let document: Value =
            serde_json::from_str(&config.registration_document().unwrap()).unwrap();
        assert_eq!(document[MEMBER], json!(algorithm.name()));
    }
    assert!(JwsAlgorithm::from_name("none").is_none());
}

/// REQ-DISC-08a
/// REQ-DISC-08b
/// REQ-SIGN-10b
#[test]
fn the_provider_must_list_the_algorithm_of_signed_requests() {
    let asking = |list: Value| {
        builder_from(with(json!({ LIST: list })))
            .signed_requests(JwsAlgorithm::Es256, Some("key-1".into()))
    };
    assert_eq!(findings(asking(json!(["PS256", "ES256", "none"]))), []);
    for refused in [json!(["PS256"]), json!(null), json!([]), json!(["none", "HS256"])] {
        assert_eq!(only_finding(asking(refused.clone())), not_listed(LIST, "ES256"), "{refused}");
        assert_eq!(
            findings(asking(refused).dangerously_ignore_metadata(MetadataRule::RequestAlgorithm)),
            []
        );
    }
    // The list does not matter to a client that does not sign.
    assert_eq!(findings(builder_from(with(json!({ LIST: ["PS256"] })))), []);
}

/// REQ-SIGN-05b
/// REQ-SIGN-06
/// REQ-SIGN-07b
/// OPM-REQ-05
#[test]
fn a_signed_request_is_valid_for_at_most_an_hour() {
    let seconds = Duration::from_secs;
    let with = |lifetime, backdating, not_before| {
        signing(JwsAlgorithm::Es256)
            .request_lifetime(lifetime)
            .request_backdating(backdating)
            .request_not_before(not_before)
    };
    for (lifetime, backdating, not_before) in
        [(1, 0, 0), (300, 60, 10), (3600, 0, 0), (3540, 60, 60)]
    {
        assert_eq!(findings(with(seconds(lifetime), seconds(backdating), seconds(not_before))), []);
    }
    for (lifetime, backdating, not_before, member) in [
        (seconds(0), seconds(0), seconds(10), "request_lifetime"),
        (seconds(3600), seconds(0), seconds(1), "request_lifetime"),
        (seconds(4200), seconds(0), seconds(0), "request_lifetime"),
        (Duration::from_millis(1500), seconds(0), seconds(0), "request_lifetime"),
        (seconds(300), seconds(61), seconds(0), "request_backdating"),
        (seconds(5), seconds(5), seconds(0), "request_backdating"),
        (seconds(300), Duration::from_millis(1), seconds(0), "request_backdating"),
        (seconds(300), seconds(0), Duration::from_millis(1), "request_not_before"),
        (seconds(60), seconds(0), seconds(4200), "request_not_before"),
        (Duration::MAX, Duration::MAX, Duration::MAX, "request_lifetime"),
    ] {
        let found = findings(with(lifetime, backdating, not_before));
        assert!(found.iter().any(|error| error.member() == member), "{member} {found:?}");
    }
}

/// REQ-META-17a
/// REQ-META-17b
/// REQ-SIGN-11
#[test]
fn the_key_that_signs_requests_is_registered_and_named() {
    let signing = |key_id: Option<&str>| {
        builder().signed_requests(JwsAlgorithm::Es256, key_id.map(Into::into))
    };
    assert_eq!(findings(signing(Some("key-1")).public_key(EC)), []);
    assert_eq!(findings(signing(None).public_key(EC)), []);
    assert_eq!(only_finding(signing(Some("key-9")).public_key(EC)).member(), "jwks");
    assert_eq!(only_finding(signing(None).public_key(EC).public_key(RSA)).member(), "jwks");
}

/// REQ-META-02
#[test]
fn the_grant_type_is_registered_for_poll_and_ping_but_not_for_push() {
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push] {
        let builder = builder().delivery(mode);
        let endpoint = "https://rp.example/cb";
        let config = match mode {
            DeliveryMode::Poll => builder,
            DeliveryMode::Ping | DeliveryMode::Push => {
                builder.notification_endpoint(Url::parse(endpoint).unwrap())
            }
        };
        let document = config.build().unwrap().registration_document().unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        let (grants, notified) = match mode {
            DeliveryMode::Poll => (json!(["urn:openid:params:grant-type:ciba"]), None),
            DeliveryMode::Ping => {
                (json!(["urn:openid:params:grant-type:ciba"]), Some(json!(endpoint)))
            }
            DeliveryMode::Push => (json!([]), Some(json!(endpoint))),
        };
        assert_eq!(document["grant_types"], grants);
        assert_eq!(document["backchannel_token_delivery_mode"], json!(mode.name()));
        assert_eq!(document.get("backchannel_client_notification_endpoint"), notified.as_ref());
    }
}

#[test]
fn a_configuration_without_signing_is_refused_if_only_signed_requests_are_accepted() {
    let error = only_finding(builder().signed_requests_only());
    assert_eq!(
        error,
        ConfigError::Missing { member: "backchannel_authentication_request_signing_alg" }
    );
    assert_eq!(
        findings(builder().signed_requests_only().signed_requests(JwsAlgorithm::Es256, None)),
        []
    );
}
