//! One running flow for each person: `RunningPrompts`.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, ClientConfig, Entropy, Flow, Hint, Output, Timestamp,
    http::{Headers, Response},
    prompts::{PromptPlace, PromptRefused, RunningPrompts},
    secret::{LoginHint, LoginHintToken},
};
use ciba_tests::{model::ISSUER, sim::client};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

fn config(issuer: &str) -> Arc<ClientConfig> {
    client(issuer).client_auth(ciba_core::ClientAuth::None).build().expect("valid")
}

fn flow(issuer: &str, hint: Hint) -> Flow {
    Flow::start(config(issuer), AuthRequest::new(hint), Entropy::from_bytes([1; 32]), START)
        .expect("it can be sent")
}

fn login(hint: &str) -> Hint {
    Hint::Login(LoginHint::new(hint))
}

fn guard(most: usize) -> RunningPrompts {
    RunningPrompts::with_capacity(most, Entropy::from_bytes([2; 32]))
}

fn remaining(result: Result<Option<PromptPlace>, PromptRefused>) -> u64 {
    match result {
        Err(PromptRefused::Running { remaining }) => remaining.as_secs(),
        other => panic!("{other:?}"),
    }
}

/// Acknowledges the request for this many seconds.
fn acknowledge(flow: &mut Flow, expires_in: u64) {
    let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([3; 32])) else {
        panic!("a request")
    };
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    let body =
        format!("{{\"auth_req_id\":\"0123456789abcdefghijkl\",\"expires_in\":{expires_in}}}");
    let sending = flow.begin(transmit, START).expect("it is in time");
    flow.handle(sending.answered(Response::new(200, headers, body)), START).expect("its own");
}

/// REQ-SEC-12b
#[test]
fn only_a_second_flow_for_the_same_person_and_issuer_is_refused() {
    let mut guard = guard(10);
    let first = flow(ISSUER, login("somebody"));
    let place = guard.enter(&first, START).expect("the first").expect("it prompts");
    assert_eq!(
        remaining(guard.enter(&flow(ISSUER, login("somebody")), START)),
        690,
        "it says for how long"
    );
    // Another person, another issuer, and another kind of hint.
    let others = [
        flow(ISSUER, login("another person")),
        flow("https://op.example/other", login("somebody")),
        flow(ISSUER, Hint::LoginToken(LoginHintToken::new("somebody"))),
        // Characters at the end of the issuer are not confused with the beginning of the hint.
        flow("https://op.example/othersome", login("body")),
        flow("https://op.example/other", login("somebody ")),
    ];
    for other in &others {
        assert!(guard.enter(other, START).expect("another").is_some());
    }
    assert_eq!(guard.len(), 6);
    guard.leave(place);
    assert!(guard.enter(&first, START).expect("it is over").is_some());
    for shown in [format!("{guard:?}"), format!("{:?}", guard.enter(&first, START))] {
        assert!(!shown.contains("somebody"), "{shown}");
    }
}

/// REQ-SEC-12b
#[test]
fn a_place_is_held_exactly_for_the_granted_lifetime() {
    let mut guard = guard(10);
    let mut first = flow(ISSUER, login("somebody"));
    let again = flow(ISSUER, login("somebody"));
    let place = guard.enter(&first, START).expect("the first").expect("it prompts");
    acknowledge(&mut first, 120);
    guard.keep(&place, &first);
    assert_eq!(remaining(guard.enter(&again, START)), 120);
    assert_eq!(
        remaining(guard.enter(&again, START.saturating_add(Duration::from_millis(118_999)))),
        1
    );
    let later = START.saturating_add(Duration::from_secs(120));
    assert!(guard.enter(&first, later).expect("it causes no prompt any more").is_none());
    let second = guard.enter(&again, later).expect("the prompt is closed").expect("it prompts");
    // The first place has expired and belongs to another flow.
    guard.keep(&place, &first);
    guard.leave(place);
    assert!(guard.enter(&again, later).is_err());
    guard.leave(second);
    assert!(guard.is_empty());
}

/// REQ-SEC-12b
#[test]
fn a_place_is_held_while_its_flow_may_still_prompt() {
    let mut guard = guard(10);
    let asked = Duration::from_secs(10);
    let request = AuthRequest::new(login("somebody")).requested_expiry(asked);
    let first = Flow::start(config(ISSUER), request, Entropy::from_bytes([1; 32]), START)
        .expect("it can be sent");
    let place = guard.enter(&first, START).expect("the first").expect("it prompts");
    // The request may leave after 90 s less a moment, because the provider was down.
    assert_eq!(remaining(guard.enter(&flow(ISSUER, login("somebody")), START)), 100);
    guard.keep(&place, &first);
    let late = START.saturating_add(Duration::from_millis(99_999));
    let second = flow(ISSUER, login("somebody"));
    assert!(guard.enter(&second, late).is_err(), "the first prompt may be open");
}

/// REQ-SEC-12b
#[test]
fn a_guard_is_bounded_and_refuses_flows_past_its_limit() {
    let mut guard = guard(3);
    let places: Vec<_> = (0..3)
        .map(|number| guard.enter(&flow(ISSUER, login(&format!("{number}"))), START))
        .collect();
    assert!(places.iter().all(Result::is_ok));
    assert_eq!(
        guard.enter(&flow(ISSUER, login("a fourth")), START).map(drop),
        Err(PromptRefused::Full)
    );
    let later = START.saturating_add(Duration::from_secs(690));
    assert!(guard.enter(&flow(ISSUER, login("a fourth")), later).is_ok());
    assert_eq!(guard.len(), 1, "the expired ones were evicted");
}

#[derive(Debug, Clone)]
enum Op {
    Enter(u8),
    Leave(usize),
    Advance(u64),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// In whatever order flows enter and leave, a person never has two unexpired places, and no
    /// flow is rejected unless there is one.
    ///
    /// REQ-SEC-12b
    #[test]
    fn a_person_has_at_most_one_place(ops in proptest::collection::vec(prop_oneof![
        3 => (0_u8..4).prop_map(Op::Enter),
        2 => (0_usize..8).prop_map(Op::Leave),
        1 => (0_u64..400).prop_map(Op::Advance),
    ], 1..60)) {
        let mut guard = guard(100);
        let mut now = START;
        let mut held: Vec<(u8, Timestamp, PromptPlace)> = Vec::new();
        for op in ops {
            match op {
                Op::Advance(seconds) => now = now.saturating_add(Duration::from_secs(seconds)),
                Op::Leave(which) if which < held.len() => guard.leave(held.swap_remove(which).2),
                Op::Leave(_) => {}
                Op::Enter(person) => {
                    let flow = flow(ISSUER, login(&format!("person {person}")));
                    let is_running = held.iter().any(|(other, until, _)| *other == person && *until > now);
                    match guard.enter(&flow, now) {
                        Ok(Some(place)) => {
                            prop_assert!(!is_running);
                            held.push((person, START.saturating_add(Duration::from_secs(690)), place));
                        }
                        other => prop_assert!(is_running, "{:?}", other),
                    }
                }
            }
        }
    }
}
