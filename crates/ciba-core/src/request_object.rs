//! The signed authentication request (CIBA Core 7.1.1): every parameter of CIBA Core 7.1 as a claim
//! of one JWT.

use crate::{
    client::{ClientConfig, RequestObjectOptions, RequestObjectRules},
    crypto::entropy::{Entropy, Purpose},
    jose::{
        base64url,
        unsigned::{JsonWriter, UnsignedJwt},
    },
    request::{AuthRequest, ParameterValue},
    time::Timestamp,
};

/// The `typ` of a signed request, which distinguishes it from other JWTs (RFC 9101 section 10.8).
// REQ-SIGN-15
const TYP: &str = "oauth-authz-req+jwt";

/// Makes an unsigned request object, new for every transmission.
// REQ-SIGN-08. Clients without rules never sign. There is no `sub`, so that the JWT cannot be used
// as a client assertion (REQ-SIGN-13).
pub(crate) fn unsigned(
    rules: &RequestObjectRules,
    config: &ClientConfig,
    request: &AuthRequest,
    token: Option<&str>,
    entropy: &Entropy,
    now: Timestamp,
) -> UnsignedJwt {
    let RequestObjectOptions {
        lifetime,
        backdating,
        not_before,
        typ,
        client_id_claim,
        numeric_expiry,
    } = rules.options;
    // Backdated, because a provider with a slower clock would see a request from the future.
    let issued_at = now.saturating_sub(backdating);
    let mut claims = JsonWriter::new();
    claims.text("iss", config.client_id.as_str());
    claims.text("aud", &rules.audience);
    claims.number("iat", issued_at.unix_secs());
    claims.number("nbf", issued_at.saturating_sub(not_before).unix_secs());
    claims.number("exp", issued_at.saturating_add(lifetime).unix_secs());
    claims.text("jti", &base64url::encode(entropy.expand(&*config.verifier, Purpose::RequestJti)));
    if client_id_claim {
        claims.text("client_id", config.client_id.as_str());
    }
    for (name, value) in request.parameters(&config.request_style, token) {
        match &value {
            ParameterValue::Text(text) => claims.text(name, text),
            ParameterValue::Seconds(seconds) if numeric_expiry => claims.number(name, *seconds),
            // A string by default, because drafts of CIBA allowed only strings (REQ-SIGN-16).
            ParameterValue::Seconds(seconds) => claims.text(name, &alloc::format!("{seconds}")),
            ParameterValue::Json(json) => claims.json(name, json),
            ParameterValue::Texts(texts) => match texts {
                // A single value is written as a string, as RFC 8707 section 2 shows it.
                [text] => claims.text(name, text),
                texts => claims.json(name, &serde_json::to_string(texts).unwrap_or_default()),
            },
        }
    }
    UnsignedJwt::new(typ.then_some(TYP), claims, rules.algorithm, rules.key_id.clone())
}

#[cfg(test)]
mod tests {
    use alloc::{
        collections::BTreeSet,
        format,
        string::{String, ToString as _},
        vec::Vec,
    };

    use serde_json::{Value, json};

    use core::time::Duration;

    use super::*;
    use crate::{
        client::{
            Audience, ClientAuth, ClientConfigBuilder, RequestStyle,
            testing::{ISSUER, builder},
        },
        credential::{self, Credential},
        endpoint::Endpoint,
        jose::JwsAlgorithm,
        request::{AuthorizationDetail, Hint},
        wire::form::Form,
    };

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
    const SIX: [&str; 6] = ["aud", "exp", "iat", "iss", "jti", "nbf"];

    fn signing() -> ClientConfigBuilder {
        builder().signed_requests(JwsAlgorithm::Ps256, Some("key-1".into()))
    }

    fn login() -> AuthRequest {
        AuthRequest::new(Hint::Login("sub:ssn:1".into()))
    }

    fn made(
        builder: ClientConfigBuilder,
        request: &AuthRequest,
        token: Option<&str>,
        entropy: u8,
    ) -> UnsignedJwt {
        let config = builder.build().unwrap();
        request.check(&config, NOW).unwrap();
        let rules = config.request_object.as_ref().unwrap();
        unsigned(rules, &config, request, token, &Entropy::from_bytes([entropy; 32]), NOW)
    }

    fn decoded(jwt: &UnsignedJwt) -> (Value, Value) {
        let text = &jwt.signing_input;
        let parts: Vec<Vec<u8>> =
            text.split('.').map(|part| base64url::decode(part).unwrap()).collect();
        let [header, claims] = parts.as_slice() else { panic!("{text}") };
        (serde_json::from_slice(header).unwrap(), serde_json::from_slice(claims).unwrap())
    }

    fn claims(builder: ClientConfigBuilder, request: &AuthRequest, token: Option<&str>) -> Value {
        decoded(&made(builder, request, token, 7)).1
    }

    /// The claims without those that all signed requests have.
    fn parameters(mut claims: Value) -> Value {
        let members = claims.as_object_mut().unwrap();
        for name in SIX {
            assert!(members.remove(name).is_some(), "{name}");
        }
        claims
    }

    /// REQ-SIGN-03
    /// REQ-SIGN-04
    /// REQ-SIGN-05a
    /// REQ-SIGN-06
    /// REQ-SIGN-07a
    /// REQ-SIGN-09a
    /// REQ-SIGN-11
    /// REQ-SIGN-13
    /// REQ-SIGN-14
    /// REQ-SIGN-15
    /// REQ-SIGN-17a
    /// OPM-REQ-04
    /// OPM-REQ-06
    #[test]
    fn a_signed_request_has_the_six_required_claims_and_its_parameters_only() {
        let jwt = made(signing(), &login(), None, 7);
        let (header, mut claims) = decoded(&jwt);
        assert_eq!(header, json!({"alg": "PS256", "kid": "key-1", "typ": "oauth-authz-req+jwt"}));
        assert_eq!((jwt.algorithm, jwt.key_id.as_deref()), (JwsAlgorithm::Ps256, Some("key-1")));
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert!(jti.as_str().unwrap().len() >= 22);
        let now = NOW.unix_secs();
        let expected = json!({
            "iss": "client-1", "aud": ISSUER, "iat": now, "nbf": now - 10, "exp": now + 300,
            "scope": "openid", "login_hint": "sub:ssn:1",
        });
        assert_eq!(claims, expected);
    }

    /// REQ-SIGN-01
    /// REQ-SIGN-16
    #[test]
    fn every_parameter_of_the_form_is_a_claim_of_the_same_name_in_its_json_type() {
        let request = login()
            .scope("payments")
            .acr_values(["urn:b", "urn:a"])
            .binding_message("W4SCT \"å\\")
            .user_code("1234".into())
            .requested_expiry(Duration::from_secs(120))
            .authorization_detail(AuthorizationDetail::new("payment").with("amount", 3))
            .resource("https://api.example/a")
            .resource("urn:b")
            .extra("purpose", "a\u{1}b")
            .extra("max_age", "60")
            .extra_json("request_context", json!({"device": {"ids": [1, true]}}))
            .extra_json("level", 3);
        let builder = || {
            signing()
                .user_codes()
                .dangerously_ignore_metadata(crate::client::MetadataRule::UserCodes)
        };
        let token = "notify-token";
        let said = parameters(claims(builder(), &request, Some(token)));
        let expected = json!({
            "scope": "openid payments",
            "client_notification_token": token,
            "login_hint": "sub:ssn:1",
            "acr_values": "urn:b urn:a",
            "binding_message": "W4SCT \"å\\",
            "user_code": "1234",
            "requested_expiry": "120",
            "authorization_details": [{"type": "payment", "amount": 3}],
            "resource": ["https://api.example/a", "urn:b"],
            "purpose": "a\u{1}b",
            "max_age": "60",
            "request_context": {"device": {"ids": [1, true]}},
            "level": 3,
        });
        assert_eq!(said, expected);

        let mut form = Form::default();
        request.write(&RequestStyle::default(), &mut form, Some(token));
        let form = form.into_body();
        let sent: BTreeSet<String> = ::url::form_urlencoded::parse(form.expose())
            .map(|(name, _)| name.into_owned())
            .collect();
        let claimed: BTreeSet<String> = said.as_object().unwrap().keys().cloned().collect();
        assert_eq!(sent, claimed);

        let numeric = claims(builder().request_numeric_expiry(), &request, None);
        assert_eq!(numeric["requested_expiry"], json!(120));
        let single = claims(signing(), &login().resource("urn:b"), None);
        assert_eq!(single["resource"], json!("urn:b"));
        let text = login().authorization_details_json(r#" [{"type":"t","n":1.25}] "#);
        assert_eq!(
            claims(signing(), &text, None)["authorization_details"],
            json!([{"type": "t", "n": 1.25}])
        );
    }

    /// REQ-SIGN-17b
    #[test]
    fn unset_parameters_are_absent_from_a_signed_request_and_never_null() {
        let request = login().binding_message("").acr_values([""; 0]).extra("purpose", "");
        assert_eq!(
            parameters(claims(signing(), &request, None)),
            json!({"scope": "openid", "login_hint": "sub:ssn:1"})
        );
        let said = claims(signing(), &request, None);
        for name in ["iat", "nbf", "exp"] {
            assert!(said[name].is_u64(), "{name}");
        }
    }

    /// REQ-SIGN-04
    /// REQ-SIGN-05a
    /// REQ-SIGN-06
    /// REQ-SIGN-07a
    /// REQ-SIGN-15
    /// REQ-SIGN-19
    #[test]
    fn audience_times_type_and_client_id_are_as_configured() {
        let builder = signing()
            .request_audience(Audience::Endpoint)
            .token_audience(Audience::Text("other".into()))
            .request_lifetime(Duration::from_secs(60))
            .request_backdating(Duration::from_secs(5))
            .request_not_before(Duration::from_secs(20))
            .request_without_typ()
            .request_client_id_claim();
        let (header, said) = decoded(&made(builder, &login(), None, 7));
        let now = NOW.unix_secs();
        assert_eq!(header, json!({"alg": "PS256", "kid": "key-1"}));
        assert_eq!(
            (&said["aud"], &said["client_id"]),
            (&json!("https://op.example/ciba"), &json!("client-1"))
        );
        assert_eq!(
            (&said["iat"], &said["nbf"], &said["exp"]),
            (&json!(now - 5), &json!(now - 25), &json!(now + 55))
        );
        // The audience of assertions is a separate setting.
        assert_eq!(
            claims(signing().backchannel_audience(Audience::Text("x".into())), &login(), None)["aud"],
            ISSUER
        );
    }

    /// REQ-SIGN-08
    #[test]
    fn every_signed_request_has_a_unique_jti() {
        let ids: BTreeSet<String> = (0..100)
            .map(|entropy| {
                decoded(&made(signing(), &login(), None, entropy)).1["jti"].as_str().unwrap().into()
            })
            .collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| base64url::decode(id).unwrap().len() >= 16));
    }

    /// REQ-SIGN-13
    /// REQ-SIGN-18a
    /// REQ-SIGN-18b
    #[test]
    fn a_signed_request_and_its_client_assertion_share_no_jti() {
        let config = signing().build().unwrap();
        let entropy = Entropy::from_bytes([7; 32]);
        let Credential::Unsigned(assertion) =
            credential::credential(&config, Endpoint::BackchannelAuthentication, &entropy, NOW)
        else {
            panic!("private_key_jwt signs");
        };
        let request = made(signing(), &login(), None, 7);
        let ((_, assertion), (_, request)) = (decoded(&assertion), decoded(&request));
        assert_ne!(assertion["jti"], request["jti"]);
        assert_eq!((assertion.get("sub").is_some(), request.get("sub")), (true, None));
        // Signing requests does not change how a client without a private key authenticates.
        let secret = ClientAuth::ClientSecretPost { secret: "secret".into() };
        let config = signing().client_auth(secret).build().unwrap();
        let credential =
            credential::credential(&config, Endpoint::BackchannelAuthentication, &entropy, NOW);
        assert!(matches!(credential, Credential::Ready(applied) if applied.parameters.len() == 2));
    }

    /// REQ-SIGN-13
    /// REQ-SIGN-14
    #[test]
    fn no_caller_can_add_sub_or_a_request_inside_the_request() {
        let config = signing().build().unwrap();
        for name in
            ["sub", "request", "request_uri", "iss", "aud", "exp", "nbf", "iat", "jti", "client_id"]
        {
            assert!(login().extra(name, "client-1").check(&config, NOW).is_err(), "{name}");
            assert!(login().extra_json(name, 1).check(&config, NOW).is_err(), "{name}");
        }
    }

    /// REQ-SIGN-12
    #[test]
    fn a_signed_request_is_a_jws_of_three_parts() {
        let jwt = made(signing(), &login(), None, 7);
        let jws = crate::jose::unsigned::complete(jwt.signing_input, b"signature");
        assert_eq!(jws.split('.').count(), 3);
        assert!(jws.ends_with(&format!(".{}", base64url::encode("signature"))));
        assert!(!jws.to_string().contains('='));
    }
}
