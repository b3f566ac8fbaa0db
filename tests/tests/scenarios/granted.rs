//! What a provider granted, compared with what was requested (ruling 41).

use ciba_core::{
    AuthRequest, DeliveryMode, Hint, jose::JwsAlgorithm, providers, request::AuthorizationDetail,
};
use ciba_test_op::{Amendment, ProviderConfig, Script};
use ciba_tests::{
    drivers::run,
    scenario::{Auth, Scenario, polls},
};
use serde_json::json;

use crate::{plain, row};

const API: &str = "https://api.example";

fn payment() -> AuthRequest {
    AuthRequest::new(Hint::Login("approve".into()))
        .binding_message("W4SCT")
        .authorization_detail(AuthorizationDetail::new("payment").with("amount", "129.00"))
        .resource(API)
}

/// Succeeds whatever was granted, and fails where the request or the client requires everything.
fn three(granting: impl Fn() -> Scenario, is_granted: bool) -> Vec<Scenario> {
    let well = granting().check(move |_, found| {
        let found = found.expect("the person approved");
        assert_eq!(found.difference().is_empty(), is_granted, "{:?}", found.difference());
    });
    let (by_request, by_client) = (
        granting().request(|| payment().require_granted()),
        granting().client(|builder| builder.require_granted()),
    );
    let strict = |row: Scenario| {
        let requests = row.requests;
        if is_granted { row } else { row.ends("untrusted not-granted", requests) }
    };
    vec![well, strict(by_request), strict(by_client)]
}

#[test]
fn a_request_not_granted_in_full_is_reported_and_can_be_a_failure() {
    let details = |amount: &str| {
        Amendment::new()
            .set("authorization_details", json!([{"type": "payment", "amount": amount}]))
    };
    let mut rows = Vec::new();
    for (name, amendment, is_granted) in [
        ("all", details("129.00").set("resource", API), true),
        (
            "enriched",
            Amendment::new().set("resource", json!([API])).set(
                "authorization_details",
                json!([{"amount": "129.00", "type": "payment", "id": "x"}]),
            ),
            true,
        ),
        ("another amount", details("1290.00").set("resource", API), false),
        (
            "no details",
            Amendment::new().remove("authorization_details").set("resource", API),
            false,
        ),
        ("no resource", details("129.00"), false),
        ("another resource", details("129.00").set("resource", "https://other.example"), false),
        ("less scope", details("129.00").set("resource", API).set("scope", ""), false),
        ("nothing", Amendment::new(), false),
    ] {
        let granting = || {
            let name = format!("granted: {name}");
            row(name, Script::new().token_response(amendment.clone())).request(payment)
        };
        rows.extend(three(granting, is_granted));
    }
    run(rows);
}

/// A malformed scope counts as absent in the result (ruling 33), which would mean that everything was
/// granted.
#[test]
fn an_unreadable_scope_grants_nothing_if_a_difference_is_a_failure() {
    let mut rows = Vec::new();
    for scope in [json!(["openid"]), json!([]), json!({}), json!(5)] {
        let token_response =
            || Script::new().token_response(Amendment::new().set("scope", scope.clone()));
        rows.push(row(format!("{scope}"), token_response()));
        let strict = row(format!("{scope}, all of it"), token_response())
            .request(|| AuthRequest::new(Hint::Login("approve".into())).require_granted());
        let requests = strict.requests;
        rows.push(strict.ends("untrusted not-granted", requests));
    }
    run(rows);
}

#[test]
fn values_not_granted_are_reported_in_every_mode() {
    let mut rows = Vec::new();
    for mode in DeliveryMode::ALL {
        rows.extend(three(|| plain(format!("{mode:?}")).mode(mode).request(payment), false));
    }
    run(rows);
}

/// With Idura the details say how the user is asked.
#[test]
fn details_that_only_affect_the_prompt_are_not_reported_as_missing() {
    let call = || {
        let person = providers::idura::SwedishPersonalNumber::parse("196802020575")
            .expect("a personal number");
        providers::idura::SwedishBankId::phone_authentication(
            person,
            providers::idura::CallInitiator::Company,
            "m",
        )
        .into_request()
        .require_granted()
    };
    let mut row = plain("Idura")
        .auth(Auth::Key(JwsAlgorithm::Rs256))
        .provider(|issuer| ProviderConfig::idura(issuer))
        .request(call)
        .ends("authenticated {bb9c2364-dfae-44f3-bcfd-999053d94f9e}", polls(4).keys(1))
        .check(|_, found| assert!(found.is_some_and(|found| found.difference().is_empty())));
    row.preset = Some(providers::IDURA);
    run(vec![row]);
}
