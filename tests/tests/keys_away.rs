//! Keys that are unavailable when needed, or not needed yet: how long a flow looks for them, and
//! what happens to its tokens.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use ciba_core::{
    DeliveryMode, Entropy, Failure, Flow, JwksCache, KeySetRequest, Lookup, Output, Stage,
    Transmit,
    fault::{Cause, Fault, Untrusted},
    http::{Endpoint, Headers, Response},
    jose::KeySet,
};
use ciba_tests::{
    fake_crypto::{self, FakeCrypto},
    model::{Forgery, Say},
    sim::{Asked, Question, Said, Setup, Sim},
};
use serde_json::json;

/// Returns a flow that has tokens and requests keys.
fn verifying(forgery: Forgery) -> Sim {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.answer(Say::Tokens(forgery));
    assert_eq!(sim.poll(), Said::KeySet);
    sim
}

fn taken(sim: &mut Sim) -> Asked {
    sim.open.take().expect("the flow requests keys")
}

fn key_set(key_id: &str, key: u8) -> String {
    json!({"keys": [fake_crypto::jwk(key_id, &fake_crypto::key(key))]}).to_string()
}

fn answer(body: &str, cache_control: Option<&str>) -> Response {
    let mut headers: Headers = [("content-type", "application/json")].into_iter().collect();
    if let Some(value) = cache_control {
        headers.push("cache-control", value);
    }
    Response::new(200, headers, body)
}

fn fetch(lookup: Lookup) -> Transmit {
    match lookup {
        Lookup::Fetch(transmit) => transmit,
        other => panic!("not a fetch: {other:?}"),
    }
}

/// Answers every request for keys with the result of a fetch until the flow is over. Returns the
/// number of fetches.
fn fetches(sim: &mut Sim, bring: &dyn Fn(u32) -> Response) -> u32 {
    let mut count = 0;
    loop {
        if let Some(Asked { question: Question::KeySet(mut request), .. }) = sim.open.take() {
            let now = sim.now();
            let input = loop {
                match sim.cache.lookup(&mut request, now) {
                    Lookup::Ready(keys) => break request.found(keys),
                    Lookup::Later(until) => break request.later(until),
                    Lookup::Unavailable(why) => break request.unavailable(why),
                    Lookup::Fetch(transmit) => {
                        count += 1;
                        let sending = sim.cache.begin(transmit, now).expect("it is in time");
                        sim.cache.handle(sending.answered(bring(count)), now).expect("its own");
                    }
                }
            };
            sim.flow.handle(input, now).expect("its own");
        }
        let entropy = sim.entropy();
        match sim.flow.poll(sim.now(), entropy) {
            Output::Wait(wait) => sim.advance_to(wait.until()),
            Output::KeySet(request) => {
                sim.open = Some(Asked { id: 0, question: Question::KeySet(request) })
            }
            Output::Save(save) => sim.flow.handle(save.saved(), sim.now()).expect("its own"),
            Output::Done => return count,
            other => panic!("{other:?}"),
        }
    }
}

/// A document that can never be read as a key set ends the flow after three fetches, with the
/// reason. A temporary failure does not count and resets the count.
///
/// REQ-JWKS-12
/// OPM-DSC-13
#[test]
fn an_unreadable_key_set_ends_the_flow_after_three_fetches() {
    let status = |status| Response::new(status, Headers::new(), "");
    let mut cut = answer(&key_set("op-1", 1), None);
    cut.truncated = true;
    for (brought, fault) in [
        (status(404), Fault::Status),
        (status(406), Fault::Status),
        (status(401), Fault::Status),
        (status(204), Fault::Status),
        (status(302), Fault::Redirect),
        (answer("<html>", None), Fault::NotJson),
        (answer("[]", None), Fault::NotJson),
        (answer("{}", None), Fault::MissingMember("keys")),
        (answer(r#"{"keys":{}}"#, None), Fault::WrongType("keys")),
        (cut, Fault::TooLarge),
    ] {
        let mut sim = verifying(Forgery::None);
        let arrived = sim.elapsed();
        assert_eq!(fetches(&mut sim, &|_| brought.clone()), 3, "{brought:?}");
        assert!(sim.elapsed() - arrived < 10_000, "{brought:?}");
        assert!(sim.flow.keeps_tokens(), "{brought:?}");
        let failure = sim.finish().expect_err("no keys");
        let Failure::ProviderMisbehaved(why) = failure else { panic!("{failure:?}") };
        assert_eq!((why.fault, why.endpoint), (fault, Endpoint::KeySet));
        assert_eq!(why.answer.map(|answer| answer.status()), Some(brought.status));

        let mut sim = verifying(Forgery::None);
        let passing = |count| if count % 3 == 0 { status(503) } else { brought.clone() };
        assert!(fetches(&mut sim, &passing) > 6, "{brought:?}");
        let failure = sim.finish().expect_err("no keys");
        assert!(matches!(failure, Failure::Indeterminate(_)), "{brought:?}: {failure:?}");

        // Repaired in time.
        let mut sim = verifying(Forgery::None);
        let keys = sim.op.key_set();
        assert_eq!(
            fetches(&mut sim, &|count| if count < 3 { brought.clone() } else { keys.clone() }),
            3
        );
        assert!(sim.finish().is_ok(), "{brought:?}");
    }
    for passing in [status(500), status(502), status(503), status(429), status(408), status(425)] {
        let mut sim = verifying(Forgery::None);
        let arrived = sim.elapsed();
        assert!(fetches(&mut sim, &|_| passing.clone()) > 3, "{passing:?}");
        assert_eq!(sim.elapsed() - arrived, 120_000, "{passing:?}");
    }
}

/// Whatever made the keys unavailable, the tokens stay in the snapshot, and a resumed flow requests
/// keys again but never tokens.
///
/// OPM-DSC-13
#[test]
fn tokens_without_keys_stay_in_the_snapshot_and_are_verified_after_resuming() {
    let status = |status| Response::new(status, Headers::new(), "");
    let other = answer(&key_set("op-7", 7), None);
    let unusable = answer(r#"{"keys":[{"kty":"oct","kid":"op-1"}]}"#, None);
    for brought in [status(503), status(404), answer("<html>", None), other, unusable] {
        let mut sim = verifying(Forgery::None);
        fetches(&mut sim, &|_| brought.clone());
        assert!(sim.flow.keeps_tokens(), "{brought:?}");
        let (kept, now) = (sim.flow.snapshot(), sim.now());
        for away in [Duration::from_secs(60), Duration::from_secs(3600)] {
            let now = now.saturating_add(away);
            let mut flow = Flow::resume(sim.config.clone(), kept.as_bytes(), now)
                .expect("it resumes")
                .in_memory();
            assert_eq!(flow.stage(), Stage::Verifying);
            assert!(!flow.keeps_tokens(), "it is not over");
            let entropy = Entropy::from_bytes([1; 32]);
            let Output::KeySet(request) = flow.poll(now, entropy) else {
                panic!("the flow requests keys")
            };
            let keys = KeySet::pinned(sim.config.issuer(), sim.op.keys().as_bytes(), &FakeCrypto)
                .expect("a key set");
            flow.handle(request.found(keys), now).expect("its own");
            assert!(flow.finish().is_ok(), "{brought:?}");
        }
        assert_eq!(sim.op.token_requests, 1);
    }
    // Tokens that a key of the issuer contradicts are not kept.
    let mut sim = verifying(Forgery::Signature);
    let keys = sim.op.key_set();
    fetches(&mut sim, &|_| keys.clone());
    assert!(!sim.flow.keeps_tokens());
}

/// A provider may sign with a new key before publishing it, for example behind a cache. The login
/// waits for that key as long as for unavailable keys (ruling 31).
///
/// REQ-JWKS-09
#[test]
fn a_key_that_is_published_late_loses_no_login() {
    let other = answer(&key_set("op-7", 7), None);
    for late in 2..=6 {
        let mut sim = verifying(Forgery::None);
        let (arrived, keys) = (sim.elapsed(), sim.op.key_set());
        assert_eq!(
            fetches(&mut sim, &|count| if count < late { other.clone() } else { keys.clone() }),
            late
        );
        assert!(sim.elapsed() - arrived <= 100_000, "{late}");
        assert!(sim.finish().is_ok(), "{late}");
    }
    // Failures in between do not end it.
    let mut sim = verifying(Forgery::None);
    let arrived = sim.elapsed();
    let trouble = Response::new(404, Headers::new(), "");
    assert!(
        fetches(&mut sim, &|count| if count % 2 == 0 { trouble.clone() } else { other.clone() })
            > 4
    );
    assert!(sim.flow.keeps_tokens());
    assert_eq!(sim.elapsed() - arrived, 120_000);
    // A set that cannot change is requested twice, not continuously.
    let mut sim = verifying(Forgery::None);
    let pinned = KeySet::pinned(sim.config.issuer(), key_set("op-7", 7).as_bytes(), &FakeCrypto)
        .expect("a key set");
    let Question::KeySet(request) = taken(&mut sim).question else {
        panic!("the flow requests keys")
    };
    let (now, entropy) = (sim.now(), sim.entropy());
    sim.flow.handle(request.found(pinned.clone()), now).expect("its own");
    let Output::KeySet(request) = sim.flow.poll(now, entropy) else {
        panic!("a newer set is requested")
    };
    sim.flow.handle(request.found(pinned), now).expect("its own");
    let entropy = sim.entropy();
    let Output::Save(save) = sim.flow.poll(now, entropy) else { panic!("the end is saved") };
    assert!(sim.keep(save));
    assert_eq!(sim.poll(), Said::Done);
    assert_eq!(sim.finish().expect_err("unknown").check(), Some(Untrusted::UnknownKey));
}

/// Returns the next request ahead of time, of a flow whose person does not answer.
fn again(sim: &mut Sim) -> Option<KeySetRequest> {
    loop {
        if let Some(Asked { question: Question::KeySet(request), .. }) = sim.left.pop() {
            return Some(request);
        }
        match sim.poll() {
            Said::Transmit(_) => sim.answer(Say::Pending(None, None)),
            Said::Key => {
                let asked = taken(sim);
                sim.sign(asked);
            }
            // It has made the request and waits as before.
            Said::Wait(_) if !sim.left.is_empty() => {}
            Said::Wait(wait) => sim.advance_to(wait.until()),
            Said::Done => return None,
            said => panic!("{said:?}"),
        }
    }
}

/// Keys are requested while the person decides, and again if they were unavailable. Nothing waits
/// for the answer.
#[test]
fn keys_are_asked_for_ahead_of_time_without_delaying_a_request() {
    // The first wait of a flow in poll mode has up to a quarter of a second of jitter.
    for (delivery, most) in
        [(DeliveryMode::Poll, 5_250), (DeliveryMode::Ping, 3_000), (DeliveryMode::Push, 660_000)]
    {
        let mut sim = Sim::new(Setup { delivery, ..Setup::new(5, 600) });
        while sim.left.is_empty() {
            match sim.poll() {
                Said::Transmit(_) => sim.answer(Say::Pending(None, None)),
                Said::Key => {
                    let asked = taken(&mut sim);
                    sim.sign(asked);
                }
                said => assert!(!sim.left.is_empty(), "{said:?}"),
            }
        }
        assert_eq!(sim.flow.stage(), Stage::Pending);
        let Some(Asked { question: Question::KeySet(mut request), .. }) = sim.left.pop() else {
            panic!("keys")
        };
        let within = request.within().expect("ahead of time");
        assert!(within <= Duration::from_millis(most), "{delivery:?}: {within:?}");
        assert!(!request.wants_refresh() && request.key_id().is_none());
        let mut cache = JwksCache::new(&sim.config);
        let now = sim.now();
        let transmit = fetch(cache.lookup(&mut request, now));
        assert_eq!(transmit.timeout(), within.min(Duration::from_secs(10)));
        // Whatever the outcome is, the flow waits as before.
        let before = sim.flow.snapshot();
        sim.keys_missed = true;
        sim.flow.handle(request.unavailable(Cause::Timeout.into()), now).expect("its own");
        assert_eq!(sim.flow.snapshot().as_bytes(), before.as_bytes());
        let entropy = sim.entropy();
        assert!(matches!(sim.flow.poll(now, entropy), Output::Wait(_)), "not at once");
        // It is not requested again in another process: a process that lives for a single step
        // would fetch the keys at every step.
        let saved = sim.flow.snapshot();
        let mut resumed = Flow::resume(Arc::clone(&sim.config), saved.as_bytes(), now)
            .expect("it resumes")
            .in_memory();
        let entropy = sim.entropy();
        assert!(
            matches!(resumed.poll(now, entropy), Output::Wait(_)),
            "once, whichever process resumes"
        );
        // A failed request is repeated with growing pauses, a successful one is not.
        for failures in 2..6 {
            let began = sim.elapsed();
            let request = again(&mut sim).expect("unavailable keys are requested again");
            let waited = sim.elapsed() - began;
            assert!((4_000..=60_000).contains(&waited), "{delivery:?} {failures}: {waited}");
            assert!(request.within().is_some());
            let now = sim.now();
            sim.flow.handle(request.unavailable(Cause::Timeout.into()), now).expect("its own");
        }
        let request = again(&mut sim).expect("again");
        let keys = KeySet::pinned(sim.config.issuer(), sim.op.keys().as_bytes(), &FakeCrypto)
            .expect("a key set");
        let now = sim.now();
        sim.flow.handle(request.found(keys), now).expect("its own");
        assert!(again(&mut sim).is_none(), "{delivery:?}");
    }
}
