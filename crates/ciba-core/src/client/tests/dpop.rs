//! The configuration of DPoP.

use super::*;
use crate::{client::Equipment, endpoint::Endpoint};

const ED: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// REQ-POP-01
/// REQ-POP-22
#[test]
fn a_dpop_key_must_be_a_public_key_of_the_kind_that_the_algorithm_requires() {
    let private = EC.replace("\"kty\"", "\"d\":\"AA\",\"kty\"");
    for (builder, is_valid) in [
        (builder().dpop(JwsAlgorithm::Es256, EC), true),
        (builder().dpop(JwsAlgorithm::EdDsa, ED), true),
        (builder().dpop(JwsAlgorithm::Es384, EC), false),
        (builder().dpop(JwsAlgorithm::Es256, ED), false),
        (builder().dpop(JwsAlgorithm::Hs256, EC), false),
        (builder().dpop(JwsAlgorithm::Hs256, r#"{"kty":"oct","k":"AA"}"#), false),
        (builder().dpop(JwsAlgorithm::Es256, private), false),
        (builder().dpop(JwsAlgorithm::Es256, "{}"), false),
        (builder().dpop(JwsAlgorithm::Es256, "a"), false),
        (builder().dpop(JwsAlgorithm::Es256, EC).certificate_bound_tokens(), false),
        (builder().dpop(JwsAlgorithm::Es256, EC).client_auth(ClientAuth::TlsClientAuth), true),
    ] {
        let found = findings(builder);
        assert_eq!(found.is_empty(), is_valid, "{found:?}");
        assert!(found.iter().all(|error| error.member() == "dpop_key"), "{found:?}");
    }
}

/// REQ-POP-07a
/// REQ-POP-07b
#[test]
fn the_algorithm_of_proofs_must_be_listed_if_there_is_a_list() {
    let listing = |listed: Option<&[JwsAlgorithm]>| {
        let mut metadata = metadata();
        metadata.dpop_signing_algs = listed.map(<[_]>::to_vec);
        builder_from(metadata).dpop(JwsAlgorithm::Es256, EC)
    };
    for (listed, is_valid) in [
        (None, true),
        (Some(&[JwsAlgorithm::Ps256, JwsAlgorithm::Es256][..]), true),
        (Some(&[JwsAlgorithm::Ps256][..]), false),
        (Some(&[][..]), false),
    ] {
        let found = findings(listing(listed));
        let expected = ConfigError::NotListed {
            member: "dpop_signing_alg_values_supported",
            value: "ES256".into(),
        };
        assert_eq!(found, if is_valid { vec![] } else { vec![expected] });
        let lenient = listing(listed).dangerously_ignore_metadata(MetadataRule::DpopAlgorithm);
        assert_eq!(findings(lenient), []);
    }
}

/// REQ-POP-06
/// REQ-POP-16
#[test]
fn token_requests_carry_a_proof_and_authentication_requests_only_in_push_mode_or_if_set() {
    use DeliveryMode::{Ping, Poll, Push};
    let notified = |mode: DeliveryMode| {
        let builder = builder().dpop(JwsAlgorithm::Es256, EC).delivery(mode);
        match mode {
            Poll => builder,
            Ping | Push => {
                builder.notification_endpoint(Url::parse("https://rp.example/ciba").unwrap())
            }
        }
    };
    for (builder, proves) in [
        (notified(Poll), false),
        (notified(Ping), false),
        (notified(Push), true),
        (notified(Poll).dpop_with_authentication_request(), true),
        (notified(Ping).dpop_with_authentication_request(), true),
    ] {
        let config = builder.build().unwrap();
        let proven = |endpoint| config.proof_rules(endpoint).is_some();
        assert_eq!(proven(Endpoint::BackchannelAuthentication), proves);
        assert!(proven(Endpoint::Token));
        assert!(!proven(Endpoint::KeySet) && !proven(Endpoint::Discovery));
    }
}

/// RFC 9449 section 5.2
#[test]
fn a_client_that_is_registered_for_bound_tokens_needs_a_key_and_registers_so() {
    let missing = ConfigError::Missing { member: "dpop_key" };
    assert_eq!(findings(builder().dpop_bound_tokens()), core::slice::from_ref(&missing));
    assert_eq!(findings(builder().dpop_with_authentication_request()), [missing]);
    let config = builder().dpop_bound_tokens().dpop(JwsAlgorithm::Es256, EC).build().unwrap();
    let document: serde_json::Value =
        serde_json::from_str(&config.registration_document().unwrap()).unwrap();
    assert_eq!(document["dpop_bound_access_tokens"], true);
    assert_eq!(config.dpop_algorithm(), Some(JwsAlgorithm::Es256));
    let lacking =
        |dpop_key| config.lacks(Equipment { signer: true, dpop_key, ..Default::default() });
    assert_eq!((lacking(false), lacking(true)), (Some(Lacking::DpopKey), None));
}
