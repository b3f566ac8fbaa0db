//! The key-set cache and its use by flows: as few fetches as possible, and never a second token
//! request.
#![allow(missing_docs)]

use std::{sync::Arc, time::Duration};

use ciba_core::{
    ClientConfig, Entropy, Failure, Flow, JwksCache, KeySetRequest, Lookup, Output, Snapshot,
    Stage, Timestamp, Transmit,
    error::LostAnswer,
    fault::{Cause, ExchangeProblem, Fault, Untrusted},
    http::{Endpoint, Headers, Method, Response, Unanswered, Url},
    jose::KeySet,
    machine::MisuseReason,
};
use ciba_tests::{
    fake_crypto::{self, FakeCrypto},
    model::{Forgery, ISSUER, Say},
    sim::{Asked, Question, START, Said, Setup, Sim, client},
};
use serde_json::json;

const TOKENS: Say = Say::Tokens(Forgery::None);

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

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(START).saturating_add(Duration::from_secs(seconds))
}

fn fetch(lookup: Lookup) -> Transmit {
    match lookup {
        Lookup::Fetch(transmit) => transmit,
        other => panic!("not a fetch: {other:?}"),
    }
}

fn ready(lookup: Lookup) -> KeySet {
    match lookup {
        Lookup::Ready(keys) => keys,
        other => panic!("no keys: {other:?}"),
    }
}

/// Requests for keys as flows make them. Each is of a separate flow, resumed from one snapshot.
struct Asker {
    config: Arc<ClientConfig>,
    snapshot: Snapshot,
    counter: u8,
}

impl Asker {
    fn new() -> Self {
        let sim = verifying(Forgery::None);
        Self { config: sim.config.clone(), snapshot: sim.flow.snapshot(), counter: 0 }
    }

    /// Returns a flow that requests keys, and its request.
    fn ask(&mut self, now: Timestamp) -> (Flow, KeySetRequest) {
        let mut flow = Flow::resume(self.config.clone(), self.snapshot.as_bytes(), now)
            .expect("it resumes")
            .in_memory();
        let request = self.again(&mut flow, now);
        (flow, request)
    }

    fn again(&mut self, flow: &mut Flow, now: Timestamp) -> KeySetRequest {
        self.counter = self.counter.wrapping_add(1);
        match flow.poll(now, Entropy::from_bytes([self.counter; 32])) {
            Output::KeySet(request) => request,
            other => panic!("no question for keys: {other:?}"),
        }
    }

    fn first(&mut self, now: Timestamp) -> KeySetRequest {
        self.ask(now).1
    }

    /// Returns a request for a set newer than the one in the cache.
    fn newer(&mut self, cache: &mut JwksCache, now: Timestamp) -> KeySetRequest {
        let (mut flow, mut request) = self.ask(now);
        let keys = ready(cache.lookup(&mut request, now));
        flow.handle(request.found(keys), now).expect("its own");
        assert_eq!(flow.stage(), Stage::Verifying, "the set is not sufficient");
        let request = self.again(&mut flow, now);
        assert!(request.wants_refresh());
        request
    }
}

/// Fetches a set immediately.
fn fill(cache: &mut JwksCache, asker: &mut Asker, now: Timestamp, response: Response) {
    let transmit = fetch(cache.lookup(&mut asker.first(now), now));
    answered(cache, transmit, response, now);
}

fn answered(cache: &mut JwksCache, transmit: Transmit, response: Response, now: Timestamp) {
    let sending = cache.begin(transmit, now).expect("it is in time");
    cache.handle(sending.answered(response), now).expect("its own");
}

/// REQ-JWKS-01
/// REQ-JWKS-19
#[test]
fn a_set_is_fetched_from_its_address_and_must_be_bounded_json() {
    let with_type = |status, media_type: Option<&str>| {
        let headers = media_type.map(|value| ("content-type", value)).into_iter().collect();
        Response::new(status, headers, key_set("op-1", 1))
    };
    let mut cut = with_type(200, Some("application/json"));
    cut.truncated = true;
    for (response, is_taken) in [
        (with_type(200, Some("application/json")), true),
        (with_type(200, Some("application/jwk-set+json")), true),
        (with_type(200, Some("Application/JSON; charset=utf-8")), true),
        (with_type(200, Some("text/plain")), true),
        (with_type(200, Some("application/octet-stream")), true),
        (with_type(200, None), true),
        (answer(&format!("\u{feff}{}", key_set("op-1", 1)), None), true),
        (answer("<html>", None), false),
        (answer("{}", None), false),
        (with_type(406, Some("application/json")), false),
        (with_type(201, Some("application/json")), false),
        (with_type(203, Some("application/json")), false),
        (with_type(302, Some("application/json")), false),
        (with_type(404, Some("application/json")), false),
        (cut, false),
    ] {
        let mut asker = Asker::new();
        let mut cache = JwksCache::new(&asker.config);
        let transmit = fetch(cache.lookup(&mut asker.first(at(0)), at(0)));
        assert_eq!(transmit.url().as_str(), "https://op.example/jwks");
        assert_eq!(transmit.max_response(), 512 * 1024);
        let sending = cache.begin(transmit, at(0)).expect("it is in time");
        let request = sending.request();
        assert_eq!((request.method, request.body.is_empty()), (Method::Get, true));
        assert_eq!(
            request.headers.get("accept"),
            Some("application/jwk-set+json, application/json")
        );
        let shown = format!("{response:?}");
        cache.handle(sending.answered(response), at(0)).expect("its own");
        match cache.lookup(&mut asker.first(at(0)), at(0)) {
            Lookup::Ready(_) => assert!(is_taken, "{shown}"),
            Lookup::Unavailable(_) => assert!(!is_taken, "{shown}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(
        Url::parse("http://op.example/jwks").is_err(),
        "an address without TLS cannot be configured"
    );
}

/// REQ-JWKS-10
#[test]
fn there_is_one_fetch_at_a_time_and_an_unanswered_one_counts_as_failed() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    let first = fetch(cache.lookup(&mut asker.first(at(0)), at(0)));
    assert_eq!((first.endpoint(), first.timeout()), (Endpoint::KeySet, Duration::from_secs(10)));
    let first = cache.begin(first, at(0)).expect("it is in time");
    for second in 0..11 {
        let Lookup::Later(until) = cache.lookup(&mut asker.first(at(second)), at(second)) else {
            panic!("a second fetch")
        };
        assert!(until > at(second));
    }
    // No answer: the next caller fetches after a moment.
    assert!(matches!(cache.lookup(&mut asker.first(at(11)), at(11)), Lookup::Unavailable(_)));
    let second = fetch(cache.lookup(&mut asker.first(at(12)), at(12)));
    answered(&mut cache, second, answer(&key_set("op-1", 1), None), at(12));
    let keys = ready(cache.lookup(&mut asker.first(at(13)), at(13)));
    assert_eq!(keys.issuer(), ISSUER);
    // A late answer to the first fetch does no harm and replaces nothing newer.
    cache.handle(first.answered(answer(&key_set("op-9", 9), None)), at(14)).expect("its own");
    assert_eq!(cache.export().expect("held").0, key_set("op-1", 1).into_bytes());
}

/// REQ-JWKS-12
#[test]
fn a_set_is_fresh_for_its_max_age_within_bounds() {
    for (cache_control, seconds) in [
        (None, 600),
        (Some("max-age=300"), 300),
        (Some("public, max-age=300, must-revalidate"), 300),
        (Some("max-age=1"), 60),
        (Some("max-age=99999999"), 86_400),
        (Some("max-age=soon"), 600),
        (Some("no-store"), 60),
    ] {
        let mut asker = Asker::new();
        let mut cache = JwksCache::new(&asker.config);
        fill(&mut cache, &mut asker, at(0), answer(&key_set("op-1", 1), cache_control));
        let _ = ready(cache.lookup(&mut asker.first(at(seconds - 1)), at(seconds - 1)));
        let _ = fetch(cache.lookup(&mut asker.first(at(seconds)), at(seconds)));
    }
}

/// REQ-JWKS-12
#[test]
fn the_last_good_set_survives_an_outage_of_an_hour() {
    let mut asker = Asker::new();
    for outage in [
        answer("<p>", None),
        Response::new(500, Headers::new(), ""),
        answer(&key_set("op-1", 1).replace("keys", "key"), None),
        Response::new(404, Headers::new(), ""),
    ] {
        let mut cache = JwksCache::new(&asker.config);
        fill(&mut cache, &mut asker, at(0), answer(&key_set("op-1", 1), None));
        for (now, serves) in [(600, true), (4000, true), (4199, true), (4202, false)] {
            fill(&mut cache, &mut asker, at(now), outage.clone());
            match cache.lookup(&mut asker.first(at(now)), at(now)) {
                Lookup::Ready(_) => assert!(serves, "{now}"),
                Lookup::Unavailable(_) => assert!(!serves, "{now}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// REQ-JWKS-09
/// REQ-JWKS-10
#[test]
fn unknown_keys_force_a_few_fetches_and_then_one_per_minute() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    let other = || answer(&key_set("op-7", 7), None);
    fill(&mut cache, &mut asker, at(0), other());
    // Immediately after a regular fetch, because a key may have been published late (ruling 31),
    // and then with growing spacing.
    let mut due = 1;
    for spacing in [10, 20, 30, 40, 50, 60, 60, 60] {
        let mut request = asker.newer(&mut cache, at(due));
        let forced = fetch(cache.lookup(&mut request, at(due)));
        answered(&mut cache, forced, other(), at(due));
        // A hundred requests in between cause none.
        for token in 0..100_u64 {
            let now = at(due + token * spacing / 100);
            let mut request = asker.newer(&mut cache, now);
            let Lookup::Later(until) = cache.lookup(&mut request, now) else {
                panic!("a fetch for token {token}")
            };
            assert_eq!(until, at(due + spacing));
        }
        due += spacing;
    }
}

/// A failed forced refresh does not permit another immediate fetch for the next token with an
/// unknown key id.
///
/// REQ-JWKS-10
#[test]
fn a_forced_refresh_that_fails_is_not_repeated_at_once() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    fill(&mut cache, &mut asker, at(0), answer(&key_set("somebody-else", 9), None));
    let mut request = asker.newer(&mut cache, at(10));
    let transmit = fetch(cache.lookup(&mut request, at(10)));
    answered(&mut cache, transmit, Response::new(503, Headers::new(), ""), at(10));
    for seconds in [10, 12, 19] {
        let mut request = asker.newer(&mut cache, at(seconds));
        assert!(
            matches!(cache.lookup(&mut request, at(seconds)), Lookup::Unavailable(_)),
            "after {seconds} s"
        );
    }
    let mut request = asker.newer(&mut cache, at(20));
    let _ = fetch(cache.lookup(&mut request, at(20)));
}

/// REQ-JWKS-09
/// OPM-DSC-12
#[test]
fn keys_that_were_replaced_just_before_signing_are_found_by_one_refresh() {
    let mut sim = Sim::new(Setup::new(5, 600));
    let mut asker = Asker::new();
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    let now = sim.now();
    fill(&mut sim.cache, &mut asker, now, answer(&sim.op.keys(), None));
    sim.op.rotate();
    sim.answer(TOKENS);
    assert_eq!((sim.run(), sim.op.key_fetches), (Said::Done, 1));
    assert_eq!(sim.op.token_requests, 1);
    assert!(sim.finish().is_ok());
}

/// REQ-JWKS-11
#[test]
fn a_key_replaced_under_its_old_name_is_found_by_one_refresh() {
    let mut sim = Sim::new(Setup::new(5, 600));
    let mut asker = Asker::new();
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    let now = sim.now();
    fill(&mut sim.cache, &mut asker, now, answer(&key_set("op-1", 77), None));
    sim.answer(TOKENS);
    assert_eq!((sim.run(), sim.op.key_fetches), (Said::Done, 1));
    assert!(sim.finish().is_ok());
}

/// If a key contradicts the token, the keys are fetched once more; an unknown key is awaited for
/// two minutes (ruling 31).
///
/// REQ-JWKS-09
/// REQ-JWKS-11
#[test]
fn a_bad_signature_causes_one_refresh_and_an_unknown_key_two_minutes_of_them() {
    for (forgery, failure, fetches, seconds) in [
        (Forgery::KeyId, Untrusted::UnknownKey, 6, 125),
        (Forgery::Signature, Untrusted::Signature, 2, 5),
    ] {
        let mut sim = verifying(forgery);
        let asked = taken(&mut sim);
        sim.find_keys(asked, true);
        assert_eq!(
            (sim.run(), sim.op.key_fetches, sim.op.token_requests),
            (Said::Done, fetches, 1)
        );
        assert_eq!(sim.elapsed() / 1000, seconds);
        assert_eq!(sim.flow.keeps_tokens(), failure == Untrusted::UnknownKey);
        assert_eq!(sim.finish().expect_err("forged").check(), Some(failure));
    }
}

/// OPM-DSC-13
#[test]
fn tokens_without_keys_are_neither_returned_nor_requested_again() {
    let mut sim = verifying(Forgery::None);
    let arrived = sim.elapsed();
    loop {
        if let Some(asked) = sim.open.take() {
            sim.find_keys(asked, false);
        }
        match sim.poll() {
            Said::Wait(wait) => sim.advance_to(wait.until()),
            Said::KeySet => {}
            Said::Done => break,
            said => panic!("{said:?}"),
        }
    }
    assert_eq!((sim.elapsed() - arrived, sim.op.token_requests), (120_000, 1));
    let failure = sim.finish().expect_err("no keys");
    // The person was prompted, so the flow is not unreachable.
    let Failure::Indeterminate(why) = failure else { panic!("{failure:?}") };
    assert_eq!(
        why.lost,
        LostAnswer::KeySet(ExchangeProblem::Unusable { fault: Fault::Status, status: 500 })
    );
    assert_eq!(why.endpoint(), Endpoint::KeySet);
    assert!(why.attempts > 1, "{why:?}");

    // An outage that ends in time only delays the flow.
    let mut sim = verifying(Forgery::None);
    for _ in 0..5 {
        let asked = taken(&mut sim);
        sim.find_keys(asked, false);
        let Said::Wait(wait) = sim.poll() else { panic!("the keys are unavailable") };
        sim.advance_to(wait.until());
        assert_eq!(sim.poll(), Said::KeySet);
    }
    let asked = taken(&mut sim);
    sim.find_keys(asked, true);
    assert_eq!((sim.run(), sim.op.token_requests), (Said::Done, 1));
    let authentication = sim.finish().expect("the keys arrived");
    assert_eq!(authentication.received_at(), Timestamp::from_unix_millis(START + arrived));
}

/// An unanswered request for keys is repeated after a minute.
#[test]
fn an_unanswered_request_for_keys_is_made_again() {
    let mut sim = verifying(Forgery::None);
    let first = taken(&mut sim);
    let Said::Wait(wait) = sim.poll() else { panic!("in flight") };
    sim.advance_to(wait.until());
    assert_eq!(sim.poll(), Said::KeySet);
    sim.find_keys(first, true);
    assert_eq!(sim.flow.stage(), Stage::Verifying, "the late answer is ignored");
    assert_eq!(sim.run_open(), Said::Done);
    assert!(sim.finish().is_ok());
}

/// REQ-SEC-07
/// REQ-JWKS-20
/// REQ-DISC-24a
#[test]
fn keys_of_another_issuer_are_refused_and_nothing_changes() {
    let mut sim = verifying(Forgery::None);
    let Asked { question: Question::KeySet(mut request), .. } = taken(&mut sim) else {
        panic!("the flow requests keys")
    };
    let other = client("https://other.example").build().expect("valid");
    let foreign =
        KeySet::pinned(other.issuer(), sim.op.keys().as_bytes(), &FakeCrypto).expect("a key set");
    let (before, now) = (sim.flow.snapshot(), sim.now());

    // The cache of the other issuer has no keys for this flow.
    let mut cache = JwksCache::new(&other);
    assert!(cache.preload(sim.op.keys().as_bytes(), now, now));
    assert!(matches!(cache.lookup(&mut request, now), Lookup::Unavailable(_)));

    let misuse = sim.flow.handle(request.found(foreign), now).expect_err("another issuer's");
    assert_eq!(misuse.reason, MisuseReason::ForeignKeys);
    assert_eq!(before.as_bytes(), sim.flow.snapshot().as_bytes());
    assert!(matches!(sim.poll(), Said::Wait(_)), "the question is still open");
}

/// REQ-JWKS-23
#[test]
fn pinned_keys_need_no_network_and_an_unknown_key_stays_unknown() {
    for (forgery, is_good) in [(Forgery::None, true), (Forgery::KeyId, false)] {
        let mut sim = verifying(forgery);
        let keys = KeySet::pinned(sim.config.issuer(), sim.op.keys().as_bytes(), &FakeCrypto)
            .expect("a key set");
        let now = sim.now();
        for questions in 0.. {
            assert!(questions < 5, "the flow requests the same keys repeatedly");
            let entropy = sim.entropy();
            match sim.open.take().map(|asked| asked.question) {
                Some(Question::KeySet(request)) => {
                    sim.flow.handle(request.found(keys.clone()), now).expect("its own");
                }
                _ => match sim.flow.poll(now, entropy) {
                    Output::KeySet(request) => {
                        sim.flow.handle(request.found(keys.clone()), now).expect("its own");
                    }
                    Output::Save(save) => sim.flow.handle(save.saved(), now).expect("its own"),
                    Output::Done => break,
                    other => panic!("{other:?}"),
                },
            }
        }
        assert_eq!(sim.op.key_fetches, 0);
        assert_eq!(sim.finish().is_ok(), is_good);
    }
}

/// REQ-JWKS-12
#[test]
fn a_set_fetched_elsewhere_can_be_provided() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    fill(&mut cache, &mut asker, at(0), answer(&key_set("op-1", 1), None));
    let (document, fetched_at) = cache.export().expect("held");
    assert_eq!((document.as_slice(), fetched_at), (key_set("op-1", 1).as_bytes(), at(0)));

    let mut other = JwksCache::new(&asker.config);
    assert!(!other.preload(&document, at(9), at(8)), "from the future");
    assert!(!other.preload(b"[]", at(0), at(8)), "no key set");
    assert!(other.preload(&document, fetched_at, at(100)));
    assert!(!other.preload(&document, fetched_at, at(100)), "no newer");
    let _ = ready(other.lookup(&mut asker.first(at(599)), at(599)));
    let _ = fetch(other.lookup(&mut asker.first(at(600)), at(600)));
}

/// An answer to a flow is not accepted by a cache, and vice versa.
#[test]
fn a_cache_refuses_a_response_it_did_not_request() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    let (mut flow, mut request) = asker.ask(at(0));
    let transmit = fetch(cache.lookup(&mut request, at(0)));
    let misuse =
        cache.handle(request.unavailable(Cause::Unknown.into()), at(0)).expect_err("the flow's");
    assert_eq!(misuse.reason, MisuseReason::ForeignTicket);
    flow.handle(*misuse.input, at(0)).expect("it is returned unchanged");
    let sending = cache.begin(transmit, at(0)).expect("it is in time");
    let misuse = flow
        .handle(sending.unanswered(Unanswered::Lost(Cause::Unknown)), at(0))
        .expect_err("the cache's");
    assert_eq!(misuse.reason, MisuseReason::ForeignTicket);
    cache.handle(*misuse.input, at(0)).expect("it is returned unchanged");
}

#[test]
fn a_prefetch_returns_the_keys_or_the_reason_why_it_cannot() {
    let mut asker = Asker::new();
    let mut cache = JwksCache::new(&asker.config);
    let transmit = fetch(cache.prefetch(at(0)));
    assert!(matches!(cache.prefetch(at(0)), Lookup::Later(_)), "one fetch at a time");
    answered(&mut cache, transmit, answer("", None), at(1));
    let Lookup::Unavailable(why) = cache.prefetch(at(1)) else { panic!("there is no key set") };
    assert!(matches!(why, ExchangeProblem::Unusable { .. }), "{why:?}");
    let transmit = fetch(cache.prefetch(at(60)));
    answered(&mut cache, transmit, answer(&key_set("op-key", 1), None), at(60));
    let _keys = ready(cache.prefetch(at(60)));
    let _keys = ready(cache.lookup(&mut asker.first(at(61)), at(61)));
}

/// A failed fetch reports the reason: the response, or why there was none.
#[test]
fn a_fetch_that_fails_says_why() {
    let document = key_set("k1", 1);
    let with = |status, fields: &[(&str, &str)]| {
        Response::new(status, fields.iter().copied().collect(), document.to_string())
    };
    let mut cut = with(200, &[("content-type", "application/json")]);
    cut.truncated = true;
    let unusable = |fault, status| ExchangeProblem::Unusable { fault, status };
    for (response, why) in [
        (with(503, &[]), unusable(Fault::Status, 503)),
        (with(404, &[]), unusable(Fault::Status, 404)),
        (with(302, &[("location", "https://op.example/keys")]), unusable(Fault::Redirect, 302)),
        (cut, unusable(Fault::TooLarge, 200)),
        (
            with(200, &[("content-type", "application/json"), ("content-encoding", "gzip")]),
            unusable(Fault::ContentCoding, 200),
        ),
    ] {
        let mut asker = Asker::new();
        let mut cache = JwksCache::new(&asker.config);
        let mut request = asker.first(at(0));
        let transmit = fetch(cache.lookup(&mut request, at(0)));
        answered(&mut cache, transmit, response, at(0));
        let looked_up = cache.lookup(&mut request, at(0));
        assert!(matches!(looked_up, Lookup::Unavailable(said) if said == why), "{looked_up:?}");
    }
    for how in [Unanswered::NotSent(Cause::Name), Unanswered::Lost(Cause::Closed)] {
        let mut asker = Asker::new();
        let mut cache = JwksCache::new(&asker.config);
        let mut request = asker.first(at(0));
        let transmit = fetch(cache.lookup(&mut request, at(0)));
        let sending = cache.begin(transmit, at(0)).expect("it is in time");
        cache.handle(sending.unanswered(how), at(0)).expect("its own");
        let looked_up = cache.lookup(&mut request, at(0));
        assert!(
            matches!(looked_up, Lookup::Unavailable(said) if said == how.cause().into()),
            "{looked_up:?}"
        );
    }
}
