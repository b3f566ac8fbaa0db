//! The credential of a request, which is made for every request by the configured method.

use alloc::{string::String, sync::Arc, vec, vec::Vec};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    client::{BasicEncoding, ClientAuth, ClientConfig},
    crypto::entropy::{Entropy, Purpose},
    endpoint::Endpoint,
    jose::{
        JwsAlgorithm, base64url,
        unsigned::{self, JsonWriter, UnsignedJwt},
    },
    secret::ClientSecret,
    time::Timestamp,
    wire::form,
};

/// A credential to be added to a request.
pub(crate) enum Credential {
    /// A complete credential.
    Ready(Applied),
    /// An assertion that must be signed with a private key first.
    Unsigned(UnsignedJwt),
}

/// What a credential adds to a request.
pub(crate) struct Applied {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) parameters: Vec<(&'static str, Zeroizing<String>)>,
}

impl Applied {
    /// Completes an assertion with the signature of its signing input.
    pub(crate) fn assertion(
        signing_input: String,
        signature: &[u8],
        config: &ClientConfig,
    ) -> Self {
        let assertion = unsigned::complete(signing_input, signature);
        let mut parameters = vec![
            parameter("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.into()),
        ];
        // Some providers demand it beside the assertion (DV-23).
        if config.body_client_id {
            parameters.push(parameter("client_id", config.client_id.as_str()));
        }
        Self { headers: Vec::new(), parameters }
    }
}

fn parameter(name: &'static str, value: &str) -> (&'static str, Zeroizing<String>) {
    (name, Zeroizing::new(value.into()))
}

/// The type of a JWT client assertion (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Makes the credential of one request, with a new `jti` each time.
// REQ-AUTH-12
pub(crate) fn credential(
    config: &ClientConfig,
    endpoint: Endpoint,
    entropy: &Entropy,
    now: Timestamp,
) -> Credential {
    let client_id = config.client_id.as_str();
    let mut headers = Vec::new();
    let mut parameters = Vec::new();
    match &config.auth {
        ClientAuth::PrivateKeyJwt { algorithm, key_id } => {
            return Credential::Unsigned(assertion(
                config,
                endpoint,
                *algorithm,
                key_id.clone(),
                entropy,
                now,
            ));
        }
        ClientAuth::ClientSecretJwt { secret, algorithm } => {
            let signing_input =
                // A client secret has no key id.
                assertion(config, endpoint, *algorithm, None, entropy, now).signing_input;
            let mac = config.verifier.hmac(
                algorithm.hash(),
                secret.expose().as_bytes(),
                signing_input.as_bytes(),
            );
            return Credential::Ready(Applied::assertion(signing_input, mac.as_bytes(), config));
        }
        ClientAuth::ClientSecretBasic { secret, encoding } => {
            headers.push(("authorization", basic(client_id, secret, *encoding)));
            if config.body_client_id {
                parameters.push(parameter("client_id", client_id));
            }
        }
        ClientAuth::ClientSecretPost { secret } => {
            // RFC 6749 section 2.3.1: both are sent in the body, and never in the URL.
            parameters.push(parameter("client_id", client_id));
            parameters.push(parameter("client_secret", secret.expose()));
        }
        // The certificate is presented in the handshake, and the body contains no further proof
        // (REQ-AUTH-23, REQ-AUTH-25).
        ClientAuth::TlsClientAuth | ClientAuth::SelfSignedTlsClientAuth | ClientAuth::None => {
            parameters.push(parameter("client_id", client_id));
        }
    }
    Credential::Ready(Applied { headers, parameters })
}

/// Returns the value of the `Authorization` field (RFC 6749 section 2.3.1).
// REQ-AUTH-04, REQ-AUTH-05
fn basic(client_id: &str, secret: &ClientSecret, encoding: BasicEncoding) -> String {
    let [id, secret] = [client_id, secret.expose()].map(|text| match encoding {
        BasicEncoding::Encoded => Zeroizing::new(form::encode(text)),
        BasicEncoding::Raw => Zeroizing::new(text.into()),
    });
    // The strings are allocated with their final capacity, because a reallocation would leave an
    // unwiped copy behind (REQ-SEC-04).
    let mut pair = Zeroizing::new(String::with_capacity(
        id.len().saturating_add(secret.len()).saturating_add(1),
    ));
    pair.extend([id.as_str(), ":", secret.as_str()]);
    let length = base64::encoded_len(pair.len(), true).unwrap_or_default();
    let mut value = String::with_capacity(length.saturating_add(6));
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    value
}

/// Makes header and claims of an assertion (RFC 7523 section 3, OIDC Core 9).
// There is no `nbf`, because a known provider rejects one that equals the current time (ruling 9).
// The header contains neither a key nor the address of one (REQ-AUTH-19).
fn assertion(
    config: &ClientConfig,
    endpoint: Endpoint,
    algorithm: JwsAlgorithm,
    key_id: Option<Arc<str>>,
    entropy: &Entropy,
    now: Timestamp,
) -> UnsignedJwt {
    let audience = match endpoint {
        Endpoint::BackchannelAuthentication => &config.audiences.backchannel,
        // The client authenticates for a revocation as at the token endpoint (RFC 7009 section 2.1).
        // No request to the others has a credential.
        Endpoint::Token
        | Endpoint::Revocation
        | Endpoint::UserInfo
        | Endpoint::Discovery
        | Endpoint::KeySet
        | Endpoint::Notification => &config.audiences.token,
    };
    let issued_at = now.saturating_sub(config.assertion.backdating);
    let mut claims = JsonWriter::new();
    claims.text("iss", config.client_id.as_str());
    claims.text("sub", config.client_id.as_str());
    claims.text("aud", audience);
    claims.text("jti", &base64url::encode(entropy.expand(&*config.verifier, Purpose::Jti)));
    claims.number("iat", issued_at.unix_secs());
    claims.number("exp", issued_at.saturating_add(config.assertion.lifetime).unix_secs());
    UnsignedJwt::new(config.assertion.typ.as_deref(), claims, algorithm, key_id)
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, format, string::ToString as _};
    use core::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        client::{
            Audience, ClientConfigBuilder, ClientId,
            testing::{ISSUER, builder, metadata, private_key_jwt},
        },
        url::Url,
    };

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
    const ENDPOINTS: [Endpoint; 2] = [Endpoint::BackchannelAuthentication, Endpoint::Token];

    fn ready(builder: ClientConfigBuilder, endpoint: Endpoint) -> Applied {
        let config = builder.build().unwrap();
        match credential(&config, endpoint, &Entropy::from_bytes([7; 32]), NOW) {
            Credential::Ready(applied) => applied,
            Credential::Unsigned(unsigned) => {
                Applied::assertion(unsigned.signing_input, b"signature", &config)
            }
        }
    }

    fn names(applied: &Applied) -> Vec<&str> {
        applied.parameters.iter().map(|(name, _)| *name).collect()
    }

    fn assertion(applied: &Applied) -> &str {
        &applied.parameters.iter().find(|(name, _)| *name == "client_assertion").unwrap().1
    }

    /// Header and claims of the assertion for an endpoint.
    fn parts(builder: ClientConfigBuilder, endpoint: Endpoint) -> (Value, Value) {
        let applied = ready(builder, endpoint);
        let mut parts = assertion(&applied).split('.').map(|part| base64url::decode(part).unwrap());
        let mut json = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
        (json(), json())
    }

    /// REQ-AUTH-08
    /// REQ-AUTH-09
    /// REQ-AUTH-10
    /// REQ-AUTH-13
    /// REQ-AUTH-14
    /// REQ-AUTH-16b
    /// REQ-AUTH-19
    /// OPM-REQ-10
    #[test]
    fn an_assertion_has_the_required_claims_and_no_others() {
        for endpoint in ENDPOINTS {
            let applied = ready(builder(), endpoint);
            assert_eq!(names(&applied), ["client_assertion_type", "client_assertion"]);
            assert!(applied.headers.is_empty());
            assert_eq!(
                applied.parameters[0].1.as_str(),
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            );
            assert_eq!(assertion(&applied).split('.').count(), 3);
            assert!(assertion(&applied).ends_with(&format!(".{}", base64url::encode("signature"))));

            let (header, mut claims) = parts(builder(), endpoint);
            assert_eq!(header, json!({"alg": "ES256", "kid": "key-1"}));
            let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
            assert!(jti.as_str().unwrap().len() >= 22);
            let now = NOW.unix_secs();
            assert_eq!(
                claims,
                json!({"iss": "client-1", "sub": "client-1", "aud": ISSUER, "iat": now, "exp": now + 60})
            );
        }
    }

    /// REQ-AUTH-10
    /// REQ-AUTH-13
    /// REQ-AUTH-14
    /// REQ-AUTH-18
    /// OPM-REQ-11
    #[test]
    fn audience_lifetime_and_type_are_as_configured() {
        let configured = || {
            builder()
                .backchannel_audience(Audience::Endpoint)
                .token_audience(Audience::Text("https://op.example:443".into()))
                .assertion_lifetime(Duration::from_secs(300))
                .assertion_backdating(Duration::from_secs(5))
                .assertion_typ("JWT")
        };
        for (endpoint, audience) in [
            (Endpoint::BackchannelAuthentication, "https://op.example/ciba"),
            (Endpoint::Token, "https://op.example:443"),
        ] {
            let (header, claims) = parts(configured(), endpoint);
            assert_eq!(header["typ"], "JWT");
            assert_eq!(claims["aud"], audience);
            assert_eq!(
                (&claims["iat"], &claims["exp"]),
                (&json!(1_893_455_995_u64), &json!(1_893_456_295_u64))
            );
        }
    }

    /// REQ-AUTH-11
    /// REQ-SEC-08
    #[test]
    fn a_foreign_endpoint_in_the_metadata_does_not_change_the_audience() {
        let builder =
            || builder().token_endpoint(Url::parse("https://evil.example/token").unwrap());
        assert_eq!(parts(builder(), Endpoint::Token).1["aud"], ISSUER);
    }

    /// REQ-SEC-05a
    /// REQ-AUTH-12a
    /// REQ-AUTH-12b
    /// OPM-POL-28
    #[test]
    fn every_assertion_has_a_unique_jti() {
        let config = builder().build().unwrap();
        let assertions: BTreeSet<Vec<u8>> = (0..200_u8)
            .map(|n| {
                match credential(
                    &config,
                    ENDPOINTS[usize::from(n % 2)],
                    &Entropy::from_bytes([n; 32]),
                    NOW,
                ) {
                    Credential::Unsigned(unsigned) => {
                        let text = unsigned.signing_input;
                        let claims = base64url::decode(text.split_once('.').unwrap().1).unwrap();
                        let claims: Value = serde_json::from_slice(&claims).unwrap();
                        base64url::decode(claims["jti"].as_str().unwrap()).unwrap()
                    }
                    Credential::Ready(_) => unreachable!("private keys are not in the flow"),
                }
            })
            .collect();
        assert_eq!(assertions.len(), 200);
        assert!(assertions.iter().all(|jti| jti.len() >= 16));
    }

    /// REQ-AUTH-04
    /// REQ-AUTH-05
    /// REQ-AUTH-02
    #[test]
    fn the_basic_vectors_of_appendix_b_2_match() {
        let url = "aHR0cHMlM0ElMkYlMkZjbGllbnQuZXhhbXBsZS5vcmclMkZjYjpwJTQwc3MlM0F3JTI1cmQlMkIxKyVDMiVBMw==";
        for (id, secret, encoded) in [
            (
                "s6BhdRkqt3",
                "7Fjfp0ZBr1KtDRbnfVdmIw",
                "czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3",
            ),
            ("s6BhdRkqt3", "gX1fBat3bV", "czZCaGRSa3F0MzpnWDFmQmF0M2JW"),
            ("https://client.example.org/cb", "p@ss:w%rd+1 £", url),
            ("a b", "~-._*", "YStiOiU3RS0uXyo="),
        ] {
            assert_eq!(
                basic(id, &ClientSecret::new(secret), BasicEncoding::Encoded),
                format!("Basic {encoded}")
            );
        }
        let secret = ClientSecret::new("a+b");
        assert_eq!(
            basic("c", &secret, BasicEncoding::Encoded),
            format!("Basic {}", STANDARD.encode("c:a%2Bb"))
        );
        assert_eq!(
            basic("c", &secret, BasicEncoding::Raw),
            format!("Basic {}", STANDARD.encode("c:a+b"))
        );
        let plain = ClientSecret::new("abc-DEF_1.2");
        assert_eq!(
            basic("c", &plain, BasicEncoding::Encoded),
            basic("c", &plain, BasicEncoding::Raw)
        );
    }

    /// REQ-AUTH-01a
    /// REQ-AUTH-02
    /// REQ-AUTH-07
    /// REQ-AUTH-17
    /// REQ-META-09
    /// OPM-REQ-13
    #[test]
    fn each_method_adds_its_own_parameters_at_both_endpoints() {
        let secret = || ClientSecret::new("s".repeat(32));
        let basic =
            ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded };
        let jwt = ClientAuth::ClientSecretJwt { secret: secret(), algorithm: JwsAlgorithm::Hs256 };
        let assertion = &["client_assertion_type", "client_assertion"][..];
        let assertion_and_id = &["client_assertion_type", "client_assertion", "client_id"][..];
        for (auth, headers, parameters, with_id) in [
            (basic, 1, &[][..], &["client_id"][..]),
            (
                ClientAuth::ClientSecretPost { secret: secret() },
                0,
                &["client_id", "client_secret"],
                &["client_id", "client_secret"],
            ),
            (jwt, 0, assertion, assertion_and_id),
            (private_key_jwt(), 0, assertion, assertion_and_id),
            (ClientAuth::None, 0, &["client_id"], &["client_id"]),
        ] {
            for endpoint in ENDPOINTS {
                let applied = ready(builder().client_auth(auth.clone()), endpoint);
                assert_eq!(
                    (applied.headers.len(), names(&applied)),
                    (headers, parameters.to_vec())
                );
                let applied = ready(builder().client_auth(auth.clone()).body_client_id(), endpoint);
                assert_eq!((applied.headers.len(), names(&applied)), (headers, with_id.to_vec()));
                let id = applied.parameters.iter().find(|(name, _)| *name == "client_id");
                assert_eq!(id.map(|(_, value)| value.as_str()), Some("client-1"));
            }
        }
    }

    /// REQ-AUTH-22a
    #[test]
    fn a_client_secret_is_the_mac_key_byte_for_byte() {
        let secret = "s".repeat(32);
        let auth = ClientAuth::ClientSecretJwt {
            secret: ClientSecret::new(&*secret),
            algorithm: JwsAlgorithm::Hs256,
        };
        let builder = || builder().client_auth(auth.clone());
        let (header, _) = parts(builder(), Endpoint::Token);
        assert_eq!(header, json!({"alg": "HS256"}));
        let applied = ready(builder(), Endpoint::Token);
        let (input, mac) = assertion(&applied).rsplit_once('.').unwrap();
        let verifier = builder().build().unwrap().verifier().clone();
        let expected =
            verifier.hmac(crate::crypto::Hash::Sha256, secret.as_bytes(), input.as_bytes());
        assert_eq!(mac, base64url::encode(expected.as_bytes()));
    }

    /// REQ-AUTH-22a
    #[cfg(feature = "rustcrypto")]
    #[test]
    fn the_mac_of_an_assertion_is_hmac_under_the_octets_of_the_secret() {
        use hmac::{Hmac, KeyInit as _, Mac as _};

        // Valid base64, which must not be decoded.
        let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";
        let auth = ClientAuth::ClientSecretJwt {
            secret: ClientSecret::new(secret),
            algorithm: JwsAlgorithm::Hs256,
        };
        let builder = builder().client_auth(auth).verifier(Arc::new(crate::crypto::RustCrypto));
        let applied = ready(builder, Endpoint::Token);
        let (input, mac) = assertion(&applied).rsplit_once('.').unwrap();
        let mut expected = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        expected.update(input.as_bytes());
        assert_eq!(mac, base64url::encode(expected.finalize().into_bytes()));
    }

    /// REQ-AUTH-09
    #[test]
    fn every_character_of_a_client_id_is_escaped_in_json() {
        let id = r#"a"b\c,"x":1}"#;
        let config = ClientConfig::builder(metadata(), ClientId::new(id).unwrap())
            .client_auth(private_key_jwt())
            .backchannel_audience(Audience::Text("\u{0}\n\u{1f}é\u{7f}\"".to_string()))
            .verifier(alloc::sync::Arc::new(crate::client::testing::ToyVerifier));
        let (_, claims) = parts(config, Endpoint::BackchannelAuthentication);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(id), &json!(id)));
        assert_eq!(claims["aud"], "\u{0}\n\u{1f}é\u{7f}\"");
    }

    /// REQ-AUTH-23
    /// REQ-AUTH-25
    #[test]
    fn with_a_certificate_the_body_has_the_client_id_and_no_other_credential() {
        for auth in [ClientAuth::TlsClientAuth, ClientAuth::SelfSignedTlsClientAuth] {
            for endpoint in ENDPOINTS {
                // Other options for assertions and requests have no effect.
                let builder = builder()
                    .client_auth(auth.clone())
                    .body_client_id()
                    .assertion_typ("JWT")
                    .signed_requests(JwsAlgorithm::Es256, Some("key-1".into()));
                let config = builder.clone().build().unwrap();
                assert!(config.presents_certificate(endpoint));
                let applied = ready(builder, endpoint);
                assert_eq!(applied.parameters, [parameter("client_id", "client-1")]);
                assert!(applied.headers.is_empty());
            }
        }
    }
}
