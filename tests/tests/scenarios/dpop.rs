//! DPoP with every driver: a provider that verifies the proofs, demands nonces in several ways, and
//! ignores or refuses proofs.

use ciba_core::{
    DeliveryMode,
    evidence::Binding,
    jose::JwsAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256},
};
use ciba_test_op::{
    Act, DpopNonces, Endpoint, Exchange, Provider, ProviderConfig, Script, ScriptedAnswer, faults,
};
use ciba_tests::{
    drivers::{at_every_save, run},
    scenario::{Auth, Requests, Scenario, polls},
};

use crate::{plain, row};

fn bound(row: Scenario) -> Scenario {
    row.dpop(Es256).check(|provider, authentication| {
        let bindings = authentication.map(|authentication| authentication.binding());
        assert!(bindings.is_none_or(|binding| matches!(binding, Binding::Dpop { .. })));
        for asked in provider.exchanges().iter().filter(|e| e.endpoint == Endpoint::Token) {
            assert_eq!(proofs(asked), 1, "every token request has one proof");
        }
    })
}

fn proofs(exchange: &Exchange) -> usize {
    exchange.headers.all("dpop").count()
}

fn demanding(row: Scenario, nonces: DpopNonces) -> Scenario {
    row.provider(move |issuer| ProviderConfig::generic(issuer).dpop_nonces(nonces))
}

/// REQ-POP-04
/// REQ-POP-06
/// REQ-POP-07a
#[test]
fn tokens_are_bound_with_every_algorithm_and_every_client_authentication() {
    let mut rows = Vec::new();
    for algorithm in [Rs256, Ps256, Es256, Es384, EdDsa] {
        rows.push(bound(plain(format!("proofs in {algorithm}"))).dpop(algorithm));
    }
    for auth in [Auth::Basic, Auth::Post, Auth::Certificate, Auth::SelfSigned, Auth::None] {
        rows.push(bound(plain(format!("{auth:?}"))).auth(auth));
    }
    rows.push(bound(plain("signed requests")).signed(Es256));
    run(rows);
}

fn begun(provider: &Provider) -> usize {
    let mut asked = provider.exchanges().iter();
    asked.find(|exchange| exchange.endpoint == Endpoint::Backchannel).map_or(0, proofs)
}

/// REQ-POP-16
#[test]
fn the_authentication_request_has_a_proof_in_push_mode_and_where_it_is_set() {
    let mut rows = Vec::new();
    for mode in DeliveryMode::ALL {
        let is_push = mode == DeliveryMode::Push;
        rows.push(
            plain(format!("{mode:?}"))
                .mode(mode)
                .dpop(Es256)
                .check(move |provider, _| assert_eq!(begun(provider), usize::from(is_push))),
        );
        rows.push(
            plain(format!("{mode:?}, set"))
                .mode(mode)
                .dpop(Es256)
                .client(|builder| builder.dpop_with_authentication_request())
                .check(|provider, _| assert_eq!(begun(provider), 1)),
        );
    }
    run(rows);
}

/// The provider counts the refused request as no poll, and the judge finds none too early.
/// REQ-TOK-26a
/// REQ-TOK-26b
/// REQ-POP-08a
/// REQ-POP-08c
/// REQ-FAPI-22
#[test]
fn a_demanded_nonce_costs_one_request_and_no_interval() {
    let everywhere =
        |row: Scenario| row.client(|builder| builder.dpop_with_authentication_request());
    run(vec![
        // The first poll is refused, and its repetition and two more polls follow.
        demanding(bound(plain("one nonce")), DpopNonces::Stable)
            .ends("authenticated user-approve", polls(4).keys(1)),
        demanding(bound(plain("a nonce in every answer")), DpopNonces::EveryAnswer)
            .ends("authenticated user-approve", polls(4).keys(1)),
        // The repetition is refused before anyone is prompted, and brings the nonce for the polls.
        demanding(everywhere(bound(plain("one nonce, from the start"))), DpopNonces::Stable)
            .ends("authenticated user-approve", polls(3).keys(1).prompts(2)),
        demanding(
            everywhere(bound(plain("every answer, from the start"))),
            DpopNonces::EveryAnswer,
        )
        .ends("authenticated user-approve", polls(3).keys(1).prompts(2)),
        demanding(bound(plain("push")).mode(DeliveryMode::Push), DpopNonces::Stable)
            .ends("authenticated user-approve", polls(0).keys(1).prompts(2)),
        demanding(bound(plain("ping")).mode(DeliveryMode::Ping), DpopNonces::EveryAnswer)
            .ends("authenticated user-approve", polls(2).keys(1)),
    ]);
}

/// REQ-TOK-26b
/// REQ-TOK-27
/// REQ-POP-08a
/// REQ-POP-11b
#[test]
fn every_fault_about_dpop_ends_as_it_should() {
    let missing =
        "provider_misbehaved token: it demands a DPoP nonce and provides none that can be used";
    let mut rows = Vec::new();
    for fault in faults::dpop() {
        let (ends, requests) = match fault.name {
            "dpop-nonce-once" => ("authenticated user-approve", polls(4).keys(1)),
            "dpop-nonce-for-ever" => (
                "provider_misbehaved token: it demands a DPoP nonce again, for a proof with the nonce that it had provided",
                polls(2),
            ),
            "dpop-nonce-missing" | "dpop-nonce-twice" | "dpop-nonce-unusable" => {
                (missing, polls(1))
            }
            "dpop-proof-refused" => ("refused 400 invalid_dpop_proof", polls(1)),
            "dpop-tokens-not-bound" => (
                "provider_misbehaved token: token_type is not DPoP, although the tokens are to be bound to a key",
                polls(3),
            ),
            other => panic!("{other}"),
        };
        rows.push(bound(row(fault.name, fault.script)).ends(ends, requests));
    }
    run(rows);
}

/// Only the answer that refuses the request before it is processed repeats it.
/// REQ-POP-10
/// REQ-AREQ-30a
#[test]
fn no_other_answer_repeats_the_authentication_request() {
    let first = |name: &str, answer: ScriptedAnswer| {
        bound(row(name, Script::new().nth(Endpoint::Backchannel, 1, Act::Answer(answer))))
            .client(|builder| builder.dpop_with_authentication_request())
    };
    let demand = |status| ScriptedAnswer::error(status, "use_dpop_nonce");
    let once = Requests { prompts: 1, ..Requests::NONE };
    run(vec![
        first("a nonce", demand(400).header("dpop-nonce", "n-1"))
            .ends("authenticated user-approve", polls(3).keys(1).prompts(2)),
        first("no nonce", demand(400)).ends(
            "provider_misbehaved backchannel: it demands a DPoP nonce and provides none that can be used",
            once,
        ),
        first("401", demand(401).header("dpop-nonce", "n-1"))
            .ends("refused 401 use_dpop_nonce", once),
        first("500", demand(500).header("dpop-nonce", "n-1"))
            .ends("refused 500 use_dpop_nonce", once),
    ]);
}

/// The nonce survives a restart, a save that fails, and a process that is killed at any output.
/// REQ-POP-08c
#[test]
fn a_bound_flow_survives_a_kill_and_a_failing_store_at_every_save() {
    at_every_save(&[
        demanding(bound(plain("a nonce in every answer")), DpopNonces::EveryAnswer)
            .ends("authenticated user-approve", polls(4).keys(1)),
        demanding(bound(plain("from the start")), DpopNonces::Stable)
            .client(|builder| builder.dpop_with_authentication_request())
            .ends("authenticated user-approve", polls(3).keys(1).prompts(2)),
    ]);
}
