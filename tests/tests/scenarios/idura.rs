//! The scenario table for Idura: the cases of `spec/providers.md` A.13, and the three uses on the
//! provider's page.

use std::time::Duration;

use ciba_core::{
    AuthRequest,
    jose::JwsAlgorithm,
    providers::idura::{
        self, CallInitiator, Check, IdTokenClaims, NorwegianBankId, NorwegianNationalId,
        SwedishBankId, SwedishPersonalNumber,
    },
    secret::LoginHint,
};
use ciba_test_op::{
    Act, Amendment, Decision, Endpoint, IdTokenEdit, ProviderConfig, Rule, Script, ScriptedAnswer,
    TokenShape,
};
use ciba_tests::{
    drivers::{copied, run},
    scenario::{Auth, Scenario, polls},
};
use serde_json::{Value, json};

const PERSON: &str = "authenticated {bb9c2364-dfae-44f3-bcfd-999053d94f9e}";

/// The Norwegian user, another person.
const CALLER: &str = "authenticated {e85974c5-bb48-4118-8d4f-fddd215df918}";

fn call() -> AuthRequest {
    let person = SwedishPersonalNumber::parse("196802020575").expect("a personal number");
    SwedishBankId::phone_authentication(
        person,
        CallInitiator::Company,
        "Example Bank support, case 4711",
    )
    .into_request()
}

fn norwegian_call() -> AuthRequest {
    let person = NorwegianNationalId::parse("01010750160").expect("a national id");
    NorwegianBankId::caller_authentication(person).into_request()
}

/// Three pending answers, then the token: four polls.
fn row(name: &str, script: Script) -> Scenario {
    let mut row = Scenario::new(name, script)
        .auth(Auth::Key(JwsAlgorithm::Rs256))
        .provider(|issuer| ProviderConfig::idura(issuer))
        .request(call)
        .client(|builder| builder.assertion_lifetime(Duration::from_secs(60)))
        .ends(PERSON, polls(4).keys(1));
    row.metadata = std::sync::Arc::new(|metadata| {
        idura::complete(metadata).expect("the issuer can be continued")
    });
    row
}

fn second(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Token, 2, Act::Answer(answer)))
}

#[test]
fn acknowledgements_in_the_form_of_idura_are_accepted() {
    run(vec![
        row("01 no interval", Script::new()),
        row("02 interval 3", Script::new().acknowledgement(Amendment::new().set("interval", 3))),
        row("03 and 05 Norwegian, with words", Script::new())
            .request(norwegian_call)
            .ends(CALLER, polls(4).keys(1)),
        row(
            "10 expires_in as text",
            Script::new().acknowledgement(Amendment::new().set("expires_in", "120")),
        ),
    ]);
}

#[test]
fn polls_at_idura_lead_to_the_outcome_of_the_person_and_the_provider() {
    let nth = |act| Script::new().nth(Endpoint::Token, 2, act);
    let pending = ScriptedAnswer::error(400, "authorization_pending");
    let more = json!({"error": "access_denied", "error_description": "no", "trace": {"id": 7}, "more": [1]});
    run(vec![
        row("06 denied, Swedish", nth(Act::Decide(Decision::Deny)))
            .ends("denied 400 access_denied", polls(2)),
        row("06 denied, Norwegian", nth(Act::Decide(Decision::Deny)))
            .request(norwegian_call)
            .ends("denied 400 access_denied", polls(2)),
        row("07 pending forever", Script::new().every(Endpoint::Token, Act::Answer(pending)))
            .ends("expired", polls(23)),
        second("08 slow_down", ScriptedAnswer::error(400, "slow_down"))
            .ends(PERSON, polls(5).keys(1)),
        second("09 expired_token", ScriptedAnswer::error(400, "expired_token"))
            .ends("expired 400 expired_token", polls(2)),
        second("17 429", ScriptedAnswer::status(429).header("retry-after", "7"))
            .ends(PERSON, polls(5).keys(1)),
        second("17 503", ScriptedAnswer::status(503).header("retry-after", "7"))
            .ends(PERSON, polls(5).keys(1)),
        second("18 html 502", ScriptedAnswer::html(502)).ends(PERSON, polls(5).keys(1)),
        second("20 more members", ScriptedAnswer::json(400, more.to_string()))
            .ends("denied 400 access_denied", polls(2)),
    ]);
}

#[test]
fn tokens_of_idura_must_be_for_the_requested_person_and_eid() {
    let edit = |name: &str, edit: IdTokenEdit| row(name, Script::new().id_token(edit));
    let encrypted = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA";
    let mut urn = row("12 Basic with a URN", Script::new()).auth(Auth::Basic);
    urn.client_id = "urn:my:application:identifier:1234".into();
    run(vec![
        urn,
        row("13 braces in sub", Script::new()),
        edit("14 encrypted", IdTokenEdit::Shape(TokenShape::Raw(encrypted.into())))
            .ends("untrusted unexpected-encryption", polls(4)),
        edit("15 wrong ssn", IdTokenEdit::set("ssn", "197802031111"))
            .ends("untrusted another-person", polls(4).keys(1)),
        edit(
            "16 refined eID",
            IdTokenEdit::set("authenticationtype", "urn:grn:authn:se:bankid:another-device:qr"),
        ),
        edit("16 another eID", IdTokenEdit::set("authenticationtype", "urn:grn:authn:se:frejaid"))
            .ends("untrusted another-eid", polls(4).keys(1)),
        edit("19 large token", IdTokenEdit::set("portrait", "x".repeat(100_000))),
    ]);
}

/// What the backchannel endpoint must receive.
struct Sent {
    hint: &'static str,
    eid: &'static str,
    message: Option<&'static str>,
    details: Value,
    scope: &'static str,
}

/// A use on the page: what is sent, and what the token must contain.
fn use_of_the_page(
    row: Scenario,
    sent: Sent,
    holds: impl Fn(&IdTokenClaims) -> bool + Send + Sync + 'static,
) -> Scenario {
    row.check(move |provider, found| {
        let begun =
            provider.exchanges().iter().find(|exchange| exchange.endpoint == Endpoint::Backchannel);
        let parameter = |name: &str| begun.and_then(|begun| begun.parameter(name));
        let details = parameter("authorization_details")
            .map(|text| serde_json::from_str(&text).expect("JSON"));
        assert_eq!(parameter("login_hint").as_deref(), Some(sent.hint));
        assert_eq!(parameter("acr_values").as_deref(), Some(sent.eid));
        assert_eq!(parameter("binding_message").as_deref(), sent.message);
        assert_eq!(details.unwrap_or(Value::Null), sent.details);
        assert_eq!(parameter("scope").as_deref(), Some(sent.scope));
        let claims: IdTokenClaims = found.expect("the person approved").claims().expect("claims");
        assert!(holds(&claims), "another person or eID than requested");
    })
}

/// The page does not say which eID is for which use. Here each eID has one use.
#[test]
fn the_three_documented_uses_of_idura_end_in_the_requested_authentication() {
    let till = || {
        idura::FreeForm::freja_id(LoginHint::new("sub:ssn:196802020575"))
            .eid_check(Check::Require)
            .into_request()
            .binding_message("Till 4: 129.00 SEK to Example Shop")
    };
    let branch = || {
        let person = NorwegianNationalId::parse("01010750160").expect("a national id");
        NorwegianBankId::caller_authentication(person)
            .person_check(Check::Require)
            .eid_check(Check::Require)
            .into_request()
            .scope("ssn")
    };
    let with_scope = |issuer: &str| {
        let mut config = ProviderConfig::idura(issuer);
        config.scopes.push("ssn".into());
        config
    };
    // An agent on the telephone identifies the caller, who reads the message and answers a question
    // about the call.
    let call_centre = use_of_the_page(
        row("call centre, Swedish BankID", Script::new()),
        Sent {
            hint: "sub:ssn:196802020575",
            eid: "urn:grn:authn:se:bankid",
            message: Some("Example Bank support, case 4711"),
            details: json!([{"type": "phoneAuth", "callInitiator": "RP"}]),
            scope: "openid",
        },
        |claims| {
            claims.ssn.as_deref() == Some("196802020575")
                && claims.identity_scheme.as_deref() == Some("sebankid")
                && claims.authentication_type.as_deref() == Some("urn:grn:authn:se:bankid")
        },
    );
    // A payment is authorized on the phone at a checkout: the message says what is paid.
    let point_of_sale = use_of_the_page(
        row("point of sale, FrejaID", Script::new()).request(till),
        Sent {
            hint: "sub:ssn:196802020575",
            eid: "urn:grn:authn:se:frejaid",
            message: Some("Till 4: 129.00 SEK to Example Shop"),
            details: Value::Null,
            scope: "openid",
        },
        |claims| {
            claims.identity_scheme.as_deref() == Some("sefrejaid")
                && claims.authentication_type.as_deref() == Some("urn:grn:authn:se:frejaid")
        },
    );
    // An agent authenticates a customer face to face: two words are read out, and the customer
    // chooses them on the phone.
    let bank_branch = use_of_the_page(
        row("bank branch, Norwegian BankID", Script::new())
            .request(branch)
            .provider(with_scope)
            .ends(CALLER, polls(4).keys(1)),
        Sent {
            hint: "sub:ssn:01010750160",
            eid: "urn:grn:authn:no:bankid",
            message: None,
            details: json!([{"type": "customerServiceCall.v1"}]),
            scope: "openid ssn",
        },
        |claims| {
            claims.socialno.as_deref() == Some("01010750160")
                && claims.identity_scheme.as_deref() == Some("nobankid-oidc")
                && claims.authentication_type.as_deref() == Some("urn:grn:authn:no:bankid:high")
        },
    );
    let edit = |edit| Script::new().id_token(edit);
    run(vec![
        call_centre,
        point_of_sale,
        row(
            "point of sale, another eID",
            edit(IdTokenEdit::set("authenticationtype", "urn:grn:authn:se:bankid")),
        )
        .request(till)
        .ends("untrusted another-eid", polls(4).keys(1)),
        bank_branch,
        row("bank branch, another customer", edit(IdTokenEdit::set("socialno", "01019010046")))
            .request(branch)
            .provider(with_scope)
            .ends("untrusted another-person", polls(4).keys(1)),
        row("bank branch, no person named", edit(IdTokenEdit::remove("socialno")))
            .request(branch)
            .provider(with_scope)
            .ends("untrusted another-person", polls(4).keys(1)),
    ]);
}

/// Two clones of a virtual machine have the same entropy, so the second uses a `jti` again: case 11.
#[test]
fn a_replayed_jti_ends_the_flow_as_refused() {
    let row = row("11 replayed jti", Script::new())
        .client(|builder| builder.assertion_lifetime(Duration::from_secs(300)))
        .ends("refused 401 invalid_client", polls(4).keys(1).prompts(2))
        .breaks(Rule::AssertionReplay);
    let outcome = copied(&row);
    let broken: Vec<_> = outcome.report.violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(
        (&outcome.result, outcome.requests()),
        (&row.expected, row.requests),
        "{}",
        outcome.report
    );
    assert_eq!(broken, row.breaks);
}
