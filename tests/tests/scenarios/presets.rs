//! Providers that behave as their presets say: with the preset the flow succeeds, without it the flow
//! fails.

use std::time::Duration;

use ciba_core::{
    AuthRequest, ClientConfigBuilder, Hint,
    config::{Audience, MetadataRule},
    expect::{AcrRule, Expectations},
    jose::JwsAlgorithm,
    providers::{self, Preset, idura},
};
use ciba_test_op::{
    Amendment, AudienceMode, Endpoint, IdTokenEdit, ProviderConfig, RequestedExpiry, Rule, Script,
};
use ciba_tests::{
    drivers::{core, run},
    scenario::{Auth, Requests, Scenario, polls},
};

use crate::{APPROVED, plain, row, tokens};

/// A provider that behaves like that of the preset, and a client with the preset.
fn with(preset: Preset) -> Scenario {
    let mut row = without(preset);
    row.preset = Some(preset);
    row
}

/// The same provider, and a client without the preset.
fn without(preset: Preset) -> Scenario {
    row(preset.name(), Script::new()).provider(move |issuer| {
        ProviderConfig::like(preset.name(), issuer).expect("the provider is known")
    })
}

fn saying(message: &'static str) -> impl Fn() -> AuthRequest + Send + Sync {
    move || AuthRequest::new(Hint::Login("approve".into())).binding_message(message)
}

const NOT_TAKEN: &str =
    "request: binding_message cannot be sent: it has a character that the provider does not accept";
const TOO_LONG: &str =
    "request: binding_message cannot be sent: it is longer than the provider accepts";
const MISSING: &str = "request: binding_message cannot be sent: the provider requires one";
const REFUSED_MESSAGE: &str = "refused 400 invalid_binding_message";
const INVALID_REQUEST: &str = "refused 400 invalid_request";
const UNSIGNED: &str = "config: missing backchannel_authentication_request_signing_alg";

#[test]
fn binding_messages_follow_the_rules_of_each_provider() {
    const HUNDRED_AND_ONE: &str = "1234567890123456789012345678901234567890123456789012345678901234567890\
        1234567890123456789012345678901";
    let mut rows = Vec::new();
    for (preset, message, why) in [
        (providers::KEYCLOAK, "Order 4711", NOT_TAKEN),
        (providers::KEYCLOAK, &HUNDRED_AND_ONE[..51], TOO_LONG),
        (providers::NODE_OIDC_PROVIDER, "Order 4711", NOT_TAKEN),
        (providers::NODE_OIDC_PROVIDER, &HUNDRED_AND_ONE[..21], TOO_LONG),
        (providers::DUENDE, HUNDRED_AND_ONE, TOO_LONG),
        (providers::WSO2, "<b>Order</b>", NOT_TAKEN),
    ] {
        rows.push(with(preset));
        rows.push(with(preset).request(saying(message)).ends(why, Requests::NONE));
        rows.push(without(preset).request(saying(message)).ends(REFUSED_MESSAGE, polls(0)));
    }
    run(rows);
}

#[test]
fn auth0_requires_a_message_and_the_client_id_and_omits_token_type() {
    const MISBEHAVED: &str = "provider_misbehaved token: token_type is missing";
    let auth0 = providers::AUTH0;
    let silent = || AuthRequest::new(Hint::Login("approve".into()));
    run(vec![
        with(auth0),
        without(auth0).ends(INVALID_REQUEST, polls(0)),
        without(auth0).client(|builder| builder.body_client_id()).ends(MISBEHAVED, polls(3)),
        with(auth0).request(silent).ends(MISSING, Requests::NONE),
        without(auth0)
            .client(|builder| builder.body_client_id())
            .request(silent)
            .ends(REFUSED_MESSAGE, polls(0)),
    ]);
}

#[test]
fn camara_requires_the_called_endpoint_as_the_audience() {
    let camara = providers::CAMARA;
    // The endpoints are discovered and have the origin of the issuer.
    let called =
        |row: Scenario| row.registered(|client| client.audience(AudienceMode::CalledUrlOnly));
    run(vec![
        called(with(camara)),
        called(with(camara)).signed(JwsAlgorithm::Es256),
        called(without(camara))
            .ends("refused 401 invalid_client", polls(0))
            .breaks(Rule::AssertionAudience),
        without(camara)
            .signed(JwsAlgorithm::Es256)
            .ends(INVALID_REQUEST, polls(0))
            .breaks(Rule::RequestObjectClaims),
    ]);
}

/// The test provider does what was observed with a real Keycloak.
#[test]
fn keycloak_returns_one_acr_and_grants_a_lifetime_longer_than_the_prompt() {
    let keycloak = providers::KEYCLOAK;
    let asking = || saying("W4SCT")().acr_values(["gold"]);
    let always_1 = |row: Scenario| {
        let mut row = row.request(asking);
        row.script = Script::new().id_token(IdTokenEdit::set("acr", "1"));
        row
    };
    let ignoring = |row: Scenario| {
        let mut row = row.request(|| {
            AuthRequest::new(Hint::Login("never".into()))
                .binding_message("W4SCT")
                .requested_expiry(Duration::from_secs(30))
        });
        let make = row.provider.clone();
        row.provider = std::sync::Arc::new(move |issuer| {
            let mut config = make(issuer);
            config.requested_expiry = RequestedExpiry::Ignored;
            config
        });
        row
    };
    let hs256 = |row: Scenario| {
        let ignoring = |builder: ClientConfigBuilder| {
            builder.dangerously_ignore_metadata(MetadataRule::IdTokenAlgorithm)
        };
        row.auth(Auth::Post).id_token_alg(JwsAlgorithm::Hs256).client(ignoring)
    };
    const MAC: &str = "config: Some(Invalid { member: \"id_token_signed_response_alg\", reason: \"this provider signs HS256, HS384 and HS512 with a key that no client has\" })";
    run(vec![
        always_1(with(keycloak)),
        always_1(without(keycloak)).ends("untrusted acr", polls(3).keys(1)),
        always_1(with(keycloak))
            .request(move || asking().expecting(Expectations::new().acr(AcrRule::Require)))
            .ends("untrusted acr", polls(3).keys(1)),
        ignoring(with(keycloak)).ends("expired", polls(5)),
        ignoring(without(keycloak)).ends("expired", polls(23)),
        hs256(with(keycloak)).ends(MAC, Requests::NONE),
        with(keycloak).auth(Auth::None).ends(APPROVED, polls(3).keys(1)),
    ]);
}

/// A header field of the configuration is sent to every endpoint. A field of a request replaces it at
/// that endpoint.
#[test]
fn header_fields_are_sent_only_to_their_endpoint() {
    let row = plain("headers")
        .client(|builder| builder.header("X-Gateway", "all").header("X-Trace", "client"))
        .request(|| saying("W4SCT")().header("x-trace", "request"))
        .check(|provider, _| {
            let mut seen = Vec::new();
            for exchange in provider.exchanges() {
                if exchange.endpoint == Endpoint::Discovery {
                    continue;
                }
                let trace: Vec<_> = exchange.headers.all("x-trace").collect();
                let expected =
                    if exchange.endpoint == Endpoint::Backchannel { "request" } else { "client" };
                assert_eq!(
                    (exchange.headers.get("x-gateway"), trace),
                    (Some("all"), vec![expected])
                );
                seen.push(exchange.endpoint);
            }
            for endpoint in [Endpoint::Backchannel, Endpoint::Token, Endpoint::KeySet] {
                assert!(seen.contains(&endpoint), "{endpoint:?}");
            }
        });
    run(vec![row]);
}

#[test]
fn another_word_for_bearer_can_be_configured() {
    let word = |name: &str| tokens(name, Amendment::new().set("token_type", "Access"));
    let knowing = |builder: ClientConfigBuilder| {
        let mut policy = ciba_core::Policy::default();
        policy.bearer_words.push("access".into());
        builder.policy(policy)
    };
    run(vec![
        word("known").client(knowing),
        word("unknown").ends("provider_misbehaved token: token_type is not Bearer", polls(3)),
        tokens("another", Amendment::new().set("token_type", "DPoP"))
            .client(knowing)
            .ends("provider_misbehaved token: token_type is not Bearer", polls(3)),
    ]);
}

#[test]
fn okta_requires_another_lifetime_parameter_and_assertions_for_the_endpoint() {
    let okta = providers::OKTA;
    let soon = || {
        AuthRequest::new(Hint::Login("never".into()))
            .binding_message("W4SCT")
            .requested_expiry(Duration::from_secs(30))
    };
    // What the token endpoint requires is unknown; here it is the same.
    let called = |row: Scenario| {
        row.registered(|client| client.audience(AudienceMode::CalledUrlOnly))
            .client(|builder| builder.token_audience(Audience::Endpoint))
    };
    run(vec![
        called(with(okta)),
        called(without(okta))
            .ends("refused 401 invalid_client", polls(0))
            .breaks(Rule::AssertionAudience),
        // A secret has no audience.
        with(okta).auth(Auth::Basic).request(soon).ends("expired", polls(5)),
        without(okta).auth(Auth::Basic).request(soon).ends("expired", polls(58)),
    ]);
}

#[test]
fn some_providers_accept_signed_requests_only() {
    let mut rows = Vec::new();
    for preset in [providers::PINGAM, providers::CONNECTID] {
        rows.push(with(preset).auth(Auth::Key(JwsAlgorithm::Ps256)).signed(JwsAlgorithm::Ps256));
        rows.push(with(preset).ends(UNSIGNED, Requests::NONE));
        rows.push(without(preset).ends(INVALID_REQUEST, polls(0)));
    }
    let silent = || AuthRequest::new(Hint::Login("approve".into()));
    let connectid = |row: Scenario| row.signed(JwsAlgorithm::Es256).request(silent);
    rows.push(connectid(with(providers::CONNECTID)).ends(MISSING, Requests::NONE));
    rows.push(connectid(without(providers::CONNECTID)).ends(REFUSED_MESSAGE, polls(0)));
    run(rows);
    // On a loopback address the issuer has a port anyway. Elsewhere only the preset adds it.
    let outcome = core(&without(providers::PINGAM).signed(JwsAlgorithm::Es256));
    assert_eq!((outcome.result.as_str(), outcome.requests()), (INVALID_REQUEST, polls(0)));
}

#[test]
fn pingfederate_requires_the_client_id_in_the_body_and_in_the_signed_request() {
    let pingfederate = providers::PINGFEDERATE;
    let signed = |row: Scenario| row.signed(JwsAlgorithm::Es256);
    run(vec![
        with(pingfederate),
        signed(with(pingfederate)),
        without(pingfederate).ends(INVALID_REQUEST, polls(0)),
        signed(without(pingfederate))
            .client(|builder| builder.body_client_id())
            .ends(INVALID_REQUEST, polls(0)),
    ]);
}

#[test]
fn idpyoidc_uses_its_own_pending_error_and_a_scope_array() {
    let idpyoidc = providers::IDPYOIDC;
    run(vec![
        with(idpyoidc).check(|_, found| {
            let found = found.expect("the person approved");
            assert_eq!(found.scope(), "openid");
        }),
        without(idpyoidc).ends(INVALID_REQUEST, polls(1)),
    ]);
}

#[test]
fn the_signaturgruppen_broker_requires_the_grant_type_in_the_first_request() {
    let broker = providers::SIGNATURGRUPPEN;
    run(vec![with(broker), without(broker).ends("refused 400 unsupported_grant_type", polls(0))]);
}

#[test]
fn the_endpoints_of_idura_are_known() {
    let person = || idura::SwedishPersonalNumber::parse("196802020575").expect("a personal number");
    let request = move || {
        let company = idura::CallInitiator::Company;
        idura::SwedishBankId::phone_authentication(person(), company, "Case 4711").into_request()
    };
    let row = |mut row: Scenario| {
        let hidden =
            Amendment::new().remove("backchannel_authentication_endpoint").remove("token_endpoint");
        row.script = Script::new().metadata(hidden);
        row.auth(Auth::Key(JwsAlgorithm::Rs256)).request(request)
    };
    run(vec![
        row(with(providers::IDURA))
            .ends("authenticated {bb9c2364-dfae-44f3-bcfd-999053d94f9e}", polls(4).keys(1)),
        row(without(providers::IDURA))
            .ends("config: missing backchannel_authentication_endpoint", Requests::NONE),
    ]);
}

#[test]
fn every_preset_has_a_simulated_provider_a_scenario_and_documentation() {
    let page = include_str!("../../../docs/providers.md");
    let rows = include_str!("presets.rs");
    let mut missing = String::new();
    for preset in providers::ALL {
        let (name, product) = (preset.name(), preset.product());
        assert!(ProviderConfig::like(name, "https://op.example").is_some(), "{name}");
        let constant = format!("providers::{}", name.to_uppercase().replace('-', "_"));
        assert!(rows.contains(&constant), "{constant}");
        for fact in preset.facts() {
            let line = format!("| `{name}` | {product} | {} | {} |\n", fact.setting, fact.source);
            missing.extend((!page.contains(&line)).then_some(line));
        }
    }
    assert_eq!(missing, "", "docs/providers.md lacks these lines");
}
