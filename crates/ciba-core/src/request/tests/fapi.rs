//! Tests of requests under the FAPI-CIBA profile.

use super::*;

/// A configuration of the FAPI-CIBA profile.
fn fapi() -> ClientConfigBuilder {
    let document = json!({
        "issuer": ISSUER,
        "backchannel_authentication_endpoint": "https://op.example/ciba",
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_authentication_request_signing_alg_values_supported": ["ES256"],
        "token_endpoint": "https://op.example/token",
        "jwks_uri": "https://op.example/jwks",
    });
    let issuer = Issuer::parse(ISSUER).unwrap();
    let provider = ProviderMetadata::from_json(&issuer, document.to_string().as_bytes()).unwrap();
    builder_from(provider)
        .profile(Profile::FapiCiba(FapiCiba::Id1))
        .id_token_algorithm(JwsAlgorithm::Es256)
        .signed_requests(JwsAlgorithm::Es256, Some("key-1".into()))
        .certificate_bound_tokens()
}

/// REQ-FAPI-05
#[test]
fn a_fapi_request_needs_a_unique_context() {
    const CLAUSE: &str = "FAPI-CIBA 5.2.2 item 2";
    for unsaid in
        [login("x"), login("x").binding_message(""), login("x").extra("request_context", "{}")]
    {
        assert_eq!(refused_by(fapi(), &unsaid).as_deref(), Some(CLAUSE));
        assert_eq!(refused(&unsaid), None);
    }
    for said in [
        login("x").binding_message("W4SCT"),
        login("x").authorization_detail(AuthorizationDetail::new("payment")),
        login("x").authorization_details_json(r#"[{"type":"payment"}]"#),
        login("x").unique_context(),
    ] {
        assert_eq!(refused_by(fapi(), &said), None);
    }
    let plain_oauth = login("x").without_openid().scope("payments").binding_message("W4SCT");
    assert_eq!(refused_by(fapi(), &plain_oauth).as_deref(), Some("CIBA 7.1"));
    let error = login("x").check(&fapi().build().unwrap(), NOW).unwrap_err();
    assert!(error.to_string().contains(CLAUSE), "{error}");
    assert_eq!(sent(&login("x").unique_context()), sent(&login("x")));
}

/// REQ-FAPI-06
#[test]
fn a_requested_acr_must_be_returned_under_fapi() {
    let rule = |builder: ClientConfigBuilder, request: &AuthRequest| {
        request.effective_expectations(&builder.build().unwrap()).acr.unwrap_or_default()
    };
    let asked = login("x").acr_values(["urn:high"]);
    assert_eq!(rule(fapi(), &asked), AcrRule::Require);
    assert_eq!(
        rule(fapi(), &asked.clone().expecting(Expectations::new().acr(AcrRule::Report))),
        AcrRule::Require
    );
    assert_eq!(rule(fapi().default_acr_values(["urn:high"]), &login("x")), AcrRule::Require);
    assert_eq!(rule(fapi(), &login("x")), AcrRule::IfPresent);
    assert_eq!(rule(builder(), &asked), AcrRule::IfPresent);
}

/// REQ-FAPI-18
#[test]
fn a_fapi_request_has_no_header_field_about_the_customer_device() {
    let with = |name: &str| login("x").unique_context().header(name, "1");
    for name in ["x-fapi-customer-ip-address", "X-FAPI-Auth-Date"] {
        assert_eq!(refused_by(fapi(), &with(name)).as_deref(), Some(name));
        assert_eq!(refused(&with(name)), None);
    }
    assert_eq!(refused_by(fapi(), &with("x-fapi-interaction-id")), None);
}
