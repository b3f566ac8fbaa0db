//! Tests of the registration document and of the keys in it.

use super::*;

/// REQ-META-02
/// REQ-META-13
/// REQ-META-25
#[test]
fn the_registration_document_has_the_configured_values_and_no_others() {
    let document: Value = serde_json::from_str(
        &builder().public_key(EC).build().unwrap().registration_document().unwrap(),
    )
    .unwrap();
    let expected = json!({
        "grant_types": ["urn:openid:params:grant-type:ciba"],
        "response_types": [],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "RS256",
        "backchannel_token_delivery_mode": "poll",
        "jwks": {"keys": [serde_json::from_str::<Value>(EC).unwrap()]},
    });
    assert_eq!(document, expected);

    let config = builder_from(with(json!({ "backchannel_user_code_parameter_supported": true })))
        .client_auth(ClientAuth::ClientSecretPost { secret: ClientSecret::new("sentinel") })
        .user_codes()
        .require_auth_time()
        .default_max_age(Duration::from_secs(60))
        .default_acr_values(["a", "b"])
        .build()
        .unwrap();
    let text = config.registration_document().unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["backchannel_user_code_parameter"], json!(true));
    assert_eq!(document["default_acr_values"], json!(["a", "b"]));
    assert_eq!(
        (&document["require_auth_time"], &document["default_max_age"]),
        (&json!(true), &json!(60))
    );
    assert!(document.get("jwks").is_none() && !text.contains("sentinel"), "{text}");
}

/// REQ-META-15
/// REQ-META-16
/// REQ-META-17a
/// REQ-META-17b
/// REQ-AUTH-16a
#[test]
fn the_keys_to_register_are_public_and_include_the_signing_key() {
    let set = |keys: &[&str]| keys.iter().fold(builder(), |builder, key| builder.public_key(*key));
    assert_eq!(findings(set(&[EC])), []);
    assert_eq!(findings(set(&[EC, RSA])), []);
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let private = EC.replace("\"x\"", &format!("\"{member}\":\"secret\",\"x\""));
        assert_eq!(findings(set(&[&private, EC])).len(), 1, "{member}");
    }
    let encryption = r#"{"kty":"RSA","n":"a","e":"AQAB","kid":"enc-1","use":"enc"}"#;
    let unused = EC.replace(",\"use\":\"sig\"", "");
    assert_eq!(findings(set(&[EC, encryption])), []);
    for refused in [
        vec![RSA],
        vec![&unused, encryption],
        vec![EC, EC],
        vec!["[]", EC],
        vec![r#"{"kty":"oct"}"#, EC],
        vec![r#"{"kty":"EC","kty":"EC"}"#, EC],
    ] {
        assert_eq!(only_finding(set(&refused)).member(), "jwks", "{refused:?}");
    }
    let nameless = ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: None };
    assert_eq!(findings(set(&[EC]).client_auth(nameless.clone())), []);
    assert_eq!(only_finding(set(&[EC, RSA]).client_auth(nameless)).member(), "jwks");
    let other =
        ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Ps256, key_id: Some("key-2".into()) };
    assert_eq!(only_finding(set(&[EC, RSA]).client_auth(other)).member(), "jwks");
    assert_eq!(findings(set(&[EC]).client_auth(private_key_jwt())), []);
    // The algorithm of a key without `alg` follows from its kind.
    let silent = EC.replace(",\"alg\":\"ES256\"", "");
    for (algorithm, is_taken) in
        [(JwsAlgorithm::Es256, true), (JwsAlgorithm::Es384, false), (JwsAlgorithm::Rs256, false)]
    {
        let auth = ClientAuth::PrivateKeyJwt { algorithm, key_id: Some("key-1".into()) };
        assert_eq!(findings(set(&[&silent]).client_auth(auth)).is_empty(), is_taken, "{algorithm}");
    }
    let hollow = r#"{"kty":"EC","crv":"P-256","kid":"key-1"}"#;
    assert_eq!(only_finding(set(&[hollow])).member(), "jwks");
}
