//! The scenario table for Idura: the cases a provider that answers as Idura does has to show (`spec/providers.md` A.13),
//! and the three uses of the provider's page.

use std::time::Duration;

use ciba_core::{
    AuthRequest, Hint,
    jose::JwsAlgorithm,
    providers::idura::{
        self, CallInitiator, NorwegianBankId, NorwegianNationalId, SwedishBankId, SwedishPersonalNumber,
    },
};
use ciba_test_op::{
    Act, Amendment, Decision, Endpoint, IdTokenEdit, ProviderConfig, Script, ScriptedAnswer, TokenShape,
};
use ciba_tests::{
    drivers::run,
    scenario::{Auth, Scenario},
};
use serde_json::json;

const PERSON: &str = "authenticated {bb9c2364-dfae-44f3-bcfd-999053d94f9e}";

/// The Norwegian: somebody else.
const CALLER: &str = "authenticated {e85974c5-bb48-4118-8d4f-fddd215df918}";

fn call() -> AuthRequest {
    let person = SwedishPersonalNumber::parse("196802020575").expect("a personal number");
    SwedishBankId::phone_authentication(person, CallInitiator::Company, "Example Bank support, case 4711")
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
        .ends(PERSON, [1, 4, 1]);
    row.metadata = std::sync::Arc::new(|metadata| idura::complete(metadata).expect("the issuer can be continued"));
    row
}

fn second(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Token, 2, Act::Answer(answer)))
}

#[test]
fn acknowledgements_as_idura_writes_them_are_taken() {
    run(vec![
        row("01 no interval", Script::new()),
        row("02 interval 3", Script::new().acknowledgement(Amendment::new().set("interval", 3))),
        row("03 and 05 Norwegian, with words", Script::new()).request(norwegian_call).ends(CALLER, [1, 4, 1]),
        row("10 expires_in as text", Script::new().acknowledgement(Amendment::new().set("expires_in", "120"))),
    ]);
}

#[test]
fn polls_at_idura_end_as_the_person_and_the_provider_say() {
    let nth = |act| Script::new().nth(Endpoint::Token, 2, act);
    let pending = ScriptedAnswer::error(400, "authorization_pending");
    let more = json!({"error": "access_denied", "error_description": "no", "trace": {"id": 7}, "more": [1]});
    run(vec![
        row("06 denied, Swedish", nth(Act::Decide(Decision::Deny))).ends("denied 400 access_denied", [1, 2, 0]),
        row("06 denied, Norwegian", nth(Act::Decide(Decision::Deny)))
            .request(norwegian_call)
            .ends("denied 400 access_denied", [1, 2, 0]),
        row("07 pending for ever", Script::new().every(Endpoint::Token, Act::Answer(pending)))
            .ends("expired", [1, 23, 0]),
        second("08 slow_down", ScriptedAnswer::error(400, "slow_down")).ends(PERSON, [1, 5, 1]),
        second("09 expired_token", ScriptedAnswer::error(400, "expired_token"))
            .ends("expired 400 expired_token", [1, 2, 0]),
        row(
            "11 replayed jti",
            Script::new().every(Endpoint::Backchannel, Act::Answer(ScriptedAnswer::error(401, "invalid_client"))),
        )
        .ends("refused 401 invalid_client", [1, 0, 0]),
        second("17 429", ScriptedAnswer::status(429).header("retry-after", "7")).ends(PERSON, [1, 5, 1]),
        second("17 503", ScriptedAnswer::status(503).header("retry-after", "7")).ends(PERSON, [1, 5, 1]),
        second("18 html 502", ScriptedAnswer::html(502)).ends(PERSON, [1, 5, 1]),
        second("20 more members", ScriptedAnswer::json(400, more.to_string()))
            .ends("denied 400 access_denied", [1, 2, 0]),
    ]);
}

#[test]
fn tokens_of_idura_are_for_the_person_and_the_eid_that_were_asked() {
    let edit = |name: &str, edit: IdTokenEdit| row(name, Script::new().id_token(edit));
    let encrypted = "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA";
    let mut urn = row("12 Basic with a URN", Script::new()).auth(Auth::Basic);
    urn.client_id = "urn:my:application:identifier:1234".into();
    run(vec![
        urn,
        row("13 braces in sub", Script::new()),
        edit("14 encrypted", IdTokenEdit::Shape(TokenShape::Raw(encrypted.into())))
            .ends("untrusted unexpected-encryption", [1, 4, 0]),
        edit("15 wrong ssn", IdTokenEdit::set("ssn", "197802031111")).ends("untrusted another-person", [1, 4, 1]),
        edit("16 refined eID", IdTokenEdit::set("authenticationtype", "urn:grn:authn:se:bankid:another-device:qr")),
        edit("16 another eID", IdTokenEdit::set("authenticationtype", "urn:grn:authn:se:frejaid"))
            .ends("untrusted another-eid", [1, 4, 1]),
        edit("19 large token", IdTokenEdit::set("portrait", "x".repeat(100_000))),
    ]);
}

#[test]
fn the_three_uses_of_the_page_end_in_an_authentication() {
    let shown = |message: &'static str| {
        move || AuthRequest::new(Hint::Login("approve".into())).binding_message(message).scope("openid")
    };
    run(vec![
        row("call centre", Script::new()),
        Scenario::new("point of sale", Script::new()).request(shown("Till 4, 129.00 SEK")),
        Scenario::new("bank branch", Script::new()).request(shown("Example Bank, desk 2")),
    ]);
}
