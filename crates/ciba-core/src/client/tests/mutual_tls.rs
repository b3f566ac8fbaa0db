//! Tests of mutual TLS: which endpoint is called, when the certificate is presented, and what is
//! registered.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use super::*;
use crate::endpoint::Endpoint;

const BACKCHANNEL: &str = "https://op.example/ciba";
const TOKEN: &str = "https://op.example/token";
const BACKCHANNEL_ALIAS: &str = "https://mtls.op.example/ciba";
const TOKEN_ALIAS: &str = "https://mtls.op.example/token";

/// A P-256 certificate. All certificates here were made with OpenSSL.
const EC_CERTIFICATE: &str = concat!(
    "MIIBfTCCASOgAwIBAgIUKrb9AtQ00VXEKp0R/4+wmTWSUY8wCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIY2xpZW50LTEwIBcNMjYx",
    "MTI0MTIwMDQ4WhgPMjEyNjEwMzExMjAwNDhaMBMxETAPBgNVBAMMCGNsaWVudC0xMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
    "NntbYzdEUPaK2C187ID0T0q5nIKpt5QLP4A7cvqUEvHUspmokOWqL3c9YXRwybSGR+YsJySRprQjr80tGCsFf6NTMFEwHQYDVR0O",
    "BBYEFEVs4wSdt4hHzu+2l3TCXVnxRFImMB8GA1UdIwQYMBaAFEVs4wSdt4hHzu+2l3TCXVnxRFImMA8GA1UdEwEB/wQFMAMBAf8w",
    "CgYIKoZIzj0EAwIDSAAwRQIgAmTCNJ9DgSVntVWMlIpSQLDwn9onUgH31TjJ4zOP0CICIQCCNzfgtAIpkEUzJbvR8pDZXG57rjAF",
    "8oFMdr/VZaRJ7A==",
);
/// An RSA certificate of 2048 bits.
const RSA_CERTIFICATE: &str = concat!(
    "MIIC+zCCAeOgAwIBAgIUEEStv6/Hs95VaEutCO+mN4fdm1kwDQYJKoZIhvcNAQELBQAwDDEKMAgGA1UEAwwBYzAgFw0yNjExMjQx",
    "MjAwNTBaGA8yMTI2MTAzMTEyMDA1MFowDDEKMAgGA1UEAwwBYzCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAJZK1j5x",
    "FLdp3rt+hRHflkGyXdl7Gm2N63yqtVkzDSnw8yxEbD56DlEQrG1tsTXr7zl1Emhyfn9f5g0VD5pSwlh83+MwBkiS9MdGjYgPL+wg",
    "VPpabSPYwX9kqqdtL6HYLr4e40hu4l5vRcFbDycSJvxpil+17B0aD6Fm8wL6Z0alT5zXeDSqSLOtjZF6a/J5hMe65oY8IOj18TP6",
    "78hrQm2Yfjrz92aoEKO7dkIcYrM0PB4NhELPa+CMG2nLsGXdW6bDft+qF5FcN7Cw+enrjJfadvH3Y63Gz0/mAI7tUUGppB7dFzKQ",
    "ihCZNK+xN32u0N5PwuKk6zeHQYaRQOSrnBkCAwEAAaNTMFEwHQYDVR0OBBYEFIjwCXUlxpHVKw3Ihwn4BQUbiybFMB8GA1UdIwQY",
    "MBaAFIjwCXUlxpHVKw3Ihwn4BQUbiybFMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBAA3Nmvygwz8z7If9eusy",
    "JXmkYpOelSsIQF2fZBLgF9RnB23xEM7WKvHEjwPxZ+hyoMcTky2mt3FPdQ5Y272nKG+rt6alax6k5YUxlh0/1lSpRmjn4ryEuSwl",
    "X0nHmzIZswtwWel7Eny00x2CxMP69KQhBjk/9fiv5iHfyGWFvkQfnkLD8EqNqmL4EocGEl5HW/9DyanfvqiWAb3pCDEbiLCSkT7T",
    "bBn/U2CLtci5WUIiPAH52aJ1NyM7hJDY4rhNkQtlYk7XLOJkww/KpW7Dcr0ucYZIK5flHcgtBvLSHwQbBZB583s9J5z1IFZJulZt",
    "lqq1yek9OR9xhDIIoS38dRA=",
);
/// An Ed25519 certificate.
const ED25519_CERTIFICATE: &str = concat!(
    "MIIBLjCB4aADAgECAhRKFp0BQZxl2mJrCAEvfGH5TQKgtzAFBgMrZXAwDDEKMAgGA1UEAwwBYzAgFw0yNjExMjQxMjAwNTBaGA8y",
    "MTI2MTAzMTEyMDA1MFowDDEKMAgGA1UEAwwBYzAqMAUGAytlcAMhAKH3so6lZ7z0Av3ujSyTlPZ8miWKHTIK5zUFim6zumvYo1Mw",
    "UTAdBgNVHQ4EFgQUq5jI+Qn9+U4eOKtV6aQJZeXePUgwHwYDVR0jBBgwFoAUq5jI+Qn9+U4eOKtV6aQJZeXePUgwDwYDVR0TAQH/",
    "BAUwAwEB/zAFBgMrZXADQQDpIoKd5pka9bEZce6B7Affz6pJm46TBD2KwNgiAqAuIOBtcDvqYnkVq+I0GzOGg9kuW0ccoKKQKv+G",
    "WGt/G1gF",
);

const EC_X: &str = "NntbYzdEUPaK2C187ID0T0q5nIKpt5QLP4A7cvqUEvE";
const EC_Y: &str = "1LKZqJDlqi93PWF0cMm0hkfmLCckkaa0I6_NLRgrBX8";
const RSA_N: &str = concat!(
    "lkrWPnEUt2neu36FEd-WQbJd2XsabY3rfKq1WTMNKfDzLERsPnoOURCsbW2xNevvOXUSaHJ-f1_mDRUPmlLCWHzf4zAGSJL0x0aN",
    "iA8v7CBU-lptI9jBf2Sqp20vodguvh7jSG7iXm9FwVsPJxIm_GmKX7XsHRoPoWbzAvpnRqVPnNd4NKpIs62NkXpr8nmEx7rmhjwg",
    "6PXxM_rvyGtCbZh-OvP3ZqgQo7t2QhxiszQ8Hg2EQs9r4IwbacuwZd1bpsN-36oXkVw3sLD56euMl9p28fdjrcbPT-YAju1RQamk",
    "Ht0XMpCKEJk0r7E3fa7Q3k_C4qTrN4dBhpFA5KucGQ",
);
const ED25519_X: &str = "ofeyjqVnvPQC_e6NLJOU9nyaJYodMgrnNQWKbrO6a9g";
/// The SHA-256 digest of the P-256 certificate, as computed by OpenSSL.
const EC_PRINT: &str = "qbeq7thIr42C0FyE0WyN7tZmuyH6gEyGrYioGLBDgg0";

fn der(certificate: &str) -> Vec<u8> {
    STANDARD.decode(certificate).unwrap()
}

fn published_with_aliases(aliases: Value) -> ProviderMetadata {
    with(json!({
        "mtls_endpoint_aliases": aliases,
        "backchannel_token_delivery_modes_supported": ["poll", "push"],
    }))
}

fn both() -> Value {
    json!({
        "token_endpoint": TOKEN_ALIAS,
        "backchannel_authentication_endpoint": BACKCHANNEL_ALIAS,
        "jwks_uri": "https://mtls.op.example/jwks",
        "issuer": "https://mtls.op.example",
        "userinfo_endpoint": 7,
    })
}

fn called(config: &ClientConfig) -> (&str, &str) {
    (config.backchannel_endpoint().as_str(), config.token_endpoint().as_str())
}

fn shown(config: &ClientConfig) -> [bool; 4] {
    [Endpoint::BackchannelAuthentication, Endpoint::Token, Endpoint::Discovery, Endpoint::KeySet]
        .map(|endpoint| config.presents_certificate(endpoint))
}

fn pushed(builder: ClientConfigBuilder) -> ClientConfigBuilder {
    builder
        .delivery(DeliveryMode::Push)
        .notification_endpoint(Url::parse("https://rp.example/cb").unwrap())
}

/// REQ-DISC-14a
/// REQ-AUTH-27
/// REQ-FAPI-21
/// OPM-DSC-04
#[test]
fn each_endpoint_is_called_at_its_alias_exactly_where_the_certificate_is_shown() {
    let builder = || builder_from(published_with_aliases(both()));
    let mutual_tls = || builder().client_auth(ClientAuth::TlsClientAuth);
    let self_signed = || builder().client_auth(ClientAuth::SelfSignedTlsClientAuth);
    for (builder, backchannel, token) in [
        (builder(), false, false),
        (mutual_tls(), true, true),
        (self_signed(), true, true),
        (builder().certificate_bound_tokens(), false, true),
        (mutual_tls().certificate_bound_tokens(), true, true),
        (pushed(builder()), false, false),
        (pushed(builder().certificate_bound_tokens()), true, true),
    ] {
        let config = builder.build().unwrap();
        assert_eq!(shown(&config), [backchannel, token, false, false], "{config:?}");
        let expected = (
            if backchannel { BACKCHANNEL_ALIAS } else { BACKCHANNEL },
            if token { TOKEN_ALIAS } else { TOKEN },
        );
        assert_eq!(called(&config), expected);
    }
    let always = builder().use_mtls_endpoint_aliases().build().unwrap();
    assert_eq!((called(&always), shown(&always)), ((BACKCHANNEL_ALIAS, TOKEN_ALIAS), [false; 4]));
}

/// REQ-POP-16
#[test]
fn in_push_mode_tokens_are_bound_to_the_certificate_of_the_backchannel_request() {
    let config = pushed(builder_from(published_with_aliases(both())).certificate_bound_tokens())
        .build()
        .unwrap();
    assert!(config.presents_certificate(Endpoint::BackchannelAuthentication));
    assert_eq!(config.backchannel_endpoint().as_str(), BACKCHANNEL_ALIAS);
}

/// REQ-DISC-14b
#[test]
fn an_endpoint_without_alias_is_called_at_its_top_level_address() {
    let mutual_tls = |aliases| {
        builder_from(published_with_aliases(aliases)).client_auth(ClientAuth::TlsClientAuth)
    };
    let config = mutual_tls(json!({ "token_endpoint": TOKEN_ALIAS })).build().unwrap();
    assert_eq!(called(&config), (BACKCHANNEL, TOKEN_ALIAS));
    let config = mutual_tls(json!(null)).build().unwrap();
    assert_eq!(called(&config), (BACKCHANNEL, TOKEN));
    // A configured endpoint takes precedence over an alias as well.
    let ours = Url::parse("https://ours.example/token").unwrap();
    let config = mutual_tls(both()).token_endpoint(ours.clone()).build().unwrap();
    assert_eq!(called(&config), (BACKCHANNEL_ALIAS, ours.as_str()));
}

/// REQ-DISC-14c
/// REQ-DISC-18b
#[test]
fn malformed_aliases_are_refused_only_if_they_are_used() {
    for aliases in [
        json!("x"),
        json!([]),
        json!({"token_endpoint": "http://op.example/token"}),
        json!({"token_endpoint": 5}),
    ] {
        let builder = || builder_from(published_with_aliases(aliases.clone()));
        assert_eq!(findings(builder()), [], "{aliases}");
        let mutual_tls = builder().client_auth(ClientAuth::TlsClientAuth);
        assert_eq!(only_finding(mutual_tls).member(), "mtls_endpoint_aliases", "{aliases}");
        assert_eq!(
            only_finding(builder().certificate_bound_tokens()).member(),
            "mtls_endpoint_aliases"
        );
    }
}

/// REQ-DISC-15
#[test]
fn an_alias_changes_neither_audiences_nor_issuer_nor_keys() {
    let builder = || {
        builder_from(published_with_aliases(both()))
            .certificate_bound_tokens()
            .use_mtls_endpoint_aliases()
            .signed_requests(JwsAlgorithm::Es256, Some("key-1".into()))
            .dangerously_ignore_metadata(MetadataRule::RequestAlgorithm)
    };
    let config = builder().build().unwrap();
    assert_eq!(
        (config.audiences.backchannel.as_str(), config.audiences.token.as_str()),
        (ISSUER, ISSUER)
    );
    assert_eq!(config.request_object.as_ref().unwrap().audience, ISSUER);
    assert_eq!(config.issuer().as_str(), ISSUER);
    assert_eq!(config.jwks_uri().unwrap().as_str(), "https://op.example/jwks");
    // In metadata configured by hand, the audience is the endpoint and not its alias.
    let mut by_hand = metadata();
    by_hand.mtls_endpoint_aliases.token_endpoint = Some(Url::parse(TOKEN_ALIAS).unwrap());
    let config = builder_from(by_hand)
        .certificate_bound_tokens()
        .token_audience(Audience::Endpoint)
        .build()
        .unwrap();
    assert_eq!(
        (config.token_endpoint().as_str(), config.audiences.token.as_str()),
        (TOKEN_ALIAS, TOKEN)
    );
}

/// REQ-DISC-23
/// REQ-META-20
#[test]
fn a_provider_that_denies_binding_tokens_is_refused_if_bound_tokens_are_required() {
    const MEMBER: &str = "tls_client_certificate_bound_access_tokens";
    let says =
        |value: Value| builder_from(with(json!({ MEMBER: value }))).certificate_bound_tokens();
    assert_eq!(findings(says(json!(true))), []);
    assert_eq!(findings(says(json!(null))), []);
    assert_eq!(only_finding(says(json!(false))), not_listed(MEMBER, "true"));
    assert_eq!(
        findings(
            says(json!(false)).dangerously_ignore_metadata(MetadataRule::CertificateBoundTokens)
        ),
        []
    );
    let document = says(json!(true)).build().unwrap().registration_document().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&document).unwrap()[MEMBER], json!(true));
}

/// REQ-META-19
#[test]
fn the_registration_of_a_certificate_of_an_authority_has_exactly_one_subject() {
    let builder = || builder().client_auth(ClientAuth::TlsClientAuth);
    let members = [
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];
    let subjects: [fn(String) -> CertificateSubject; 5] = [
        CertificateSubject::Dn,
        CertificateSubject::SanDns,
        CertificateSubject::SanUri,
        CertificateSubject::SanIp,
        CertificateSubject::SanEmail,
    ];
    for (member, subject) in members.into_iter().zip(subjects) {
        let text = "CN=Client\\, Inc.,O=x";
        // The last value counts, because there is exactly one.
        let config = builder()
            .certificate_subject(CertificateSubject::Dn("CN=other".into()))
            .certificate_subject(subject(text.into()))
            .build()
            .unwrap();
        let document: Value =
            serde_json::from_str(&config.registration_document().unwrap()).unwrap();
        let named: Vec<&str> =
            members.into_iter().filter(|member| document.get(member).is_some()).collect();
        assert_eq!((named, &document[member]), (vec![member], &json!(text)));
        assert_eq!(
            only_finding(builder().certificate_subject(subject(String::new()))).member(),
            member
        );
    }
    assert_eq!(
        builder().build().unwrap().registration_document(),
        Err(missing("tls_client_auth_subject_dn"))
    );
}

/// REQ-META-18
#[test]
fn a_self_signed_certificate_is_registered_in_x5c_of_its_own_key() {
    let builder = || builder().client_auth(ClientAuth::SelfSignedTlsClientAuth);
    for (certificate, members) in [
        (EC_CERTIFICATE, json!({"kty": "EC", "crv": "P-256", "x": EC_X, "y": EC_Y})),
        (RSA_CERTIFICATE, json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})),
        (ED25519_CERTIFICATE, json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X})),
    ] {
        let config = builder().certificate(der(certificate)).build().unwrap();
        let document: Value =
            serde_json::from_str(&config.registration_document().unwrap()).unwrap();
        let key = &document["jwks"]["keys"][0];
        assert_eq!(key["x5c"], json!([certificate]));
        for (name, value) in members.as_object().unwrap() {
            assert_eq!(&key[name], value, "{name}");
        }
        assert!(key.get("d").is_none() && key["kid"].is_string());
    }
    assert_eq!(builder().build().unwrap().registration_document(), Err(missing("x5c")));
    assert_eq!(
        only_finding(builder().certificate(*b"-----BEGIN CERTIFICATE-----")).member(),
        "jwks"
    );
}

/// REQ-POP-19
#[cfg(feature = "rustcrypto")]
#[test]
fn the_thumbprint_of_a_certificate_matches_openssl() {
    let builder = builder()
        .client_auth(ClientAuth::SelfSignedTlsClientAuth)
        .verifier(Arc::new(crate::crypto::RustCrypto));
    let config = builder.certificate(der(EC_CERTIFICATE)).build().unwrap();
    let document: Value = serde_json::from_str(&config.registration_document().unwrap()).unwrap();
    assert_eq!(document["jwks"]["keys"][0]["x5t#S256"], json!(EC_PRINT));
}

/// REQ-META-18
#[test]
fn x5c_with_a_certificate_of_another_key_is_refused() {
    let jwk = |x: &str, x5c: Value| {
        let jwk =
            json!({"kty": "EC", "crv": "P-256", "x": x, "y": EC_Y, "kid": "key-1", "x5c": x5c});
        findings(builder().public_key(jwk.to_string()))
    };
    assert_eq!(jwk(EC_X, json!([EC_CERTIFICATE])), []);
    assert_eq!(jwk(EC_X, json!([EC_CERTIFICATE, RSA_CERTIFICATE])), []);
    let base64url = URL_SAFE_NO_PAD.encode(der(EC_CERTIFICATE));
    let pem = format!("-----BEGIN CERTIFICATE-----{EC_CERTIFICATE}-----END CERTIFICATE-----");
    for (x, x5c) in [
        (EC_X, json!([base64url])),
        (EC_X, json!([pem])),
        (EC_X, json!([RSA_CERTIFICATE, EC_CERTIFICATE])),
        (EC_X, json!([])),
        (EC_X, json!(EC_CERTIFICATE)),
        (EC_X, json!([7, EC_CERTIFICATE])),
        (EC_Y, json!([EC_CERTIFICATE])),
    ] {
        assert_eq!(jwk(x, x5c.clone()).len(), 1, "{x5c}");
    }
}

#[test]
fn a_truncated_certificate_is_refused_without_a_panic() {
    let whole = der(EC_CERTIFICATE);
    for length in 0..whole.len() {
        let cut = builder()
            .client_auth(ClientAuth::SelfSignedTlsClientAuth)
            .certificate(&whole[..length]);
        assert_eq!(only_finding(cut).member(), "jwks", "{length}");
    }
}
