//! The properties of every flow, whatever its caller, its provider, its clock and its process do.
//! The rules themselves are in `ciba_tests::sim` and `ciba_tests::model`, which check them at every
//! step.
//!
//! `CIBA_DEEP_OPS` sets the number of random operations. If it is set, every run draws new ones and
//! prints their seed, which `CIBA_DEEP_SEED` repeats.
#![allow(missing_docs)]

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use ciba_core::{
    DeliveryMode, Entropy, Failure, Flow, Stage, Timestamp, config::IntervalReference,
    notification::NotificationVerdict,
};
use ciba_tests::{
    callback::{BROKEN, Bearer, Callback, Content},
    model::{FORGERIES, Forgery, PUSH_FORGERIES, Say},
    sim::{Asked, Fails, Question, Said, Setup, Sim, client, request},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

const OPS_PER_CASE: usize = 60;
/// Milliseconds that a machine sleeps, beyond every limit of a flow.
const NIGHT: std::ops::Range<u64> = 70_000..50_000_000;

#[derive(Debug, Clone)]
enum Op {
    Poll,
    PollAndDie,
    /// Perform the open question correctly.
    Carry(Say),
    /// The provider receives the request; its answer has not arrived yet.
    Perform(Say),
    Lose,
    NotSent,
    /// Poll and save, which takes this long; then ask whether the request may still be sent.
    SlowSave(u64),
    KeyUnavailable,
    /// The caller's future or thread ends while it holds the question.
    Drop,
    NoKeys(Option<u64>),
    KeysDown,
    Rotate,
    /// Forget the open question: it is not answered now.
    Leave,
    /// Answer a question that was left, out of order.
    Late(usize),
    Advance(u64),
    ToWake,
    SetClock(i64),
    Save,
    /// From now on saves fail, or work again.
    StoreFails(bool),
    /// The caller is dropped during a save, which continues in the background.
    Abandon,
    /// An abandoned write lands in the store.
    Land,
    Crash,
    Foreign,
    Cancel,
    /// A call arrives at the notification endpoint.
    Notify(Callback),
    /// It arrives, and the process dies before it is saved.
    NotifyAndDie(Callback),
}

fn say() -> impl Strategy<Value = Say> {
    let seconds = || proptest::option::weighted(0.4, 0_u64..90);
    prop_oneof![
        6 => (seconds(), proptest::option::weighted(0.1, 1_u64..20)).prop_map(|(a, b)| Say::Pending(a, b)),
        3 => (seconds(), proptest::option::weighted(0.1, 1_u64..20)).prop_map(|(a, b)| Say::SlowDown(a, b)),
        3 => (prop_oneof![Just(503), Just(429), Just(500), Just(502)], seconds()).prop_map(|(a, b)| Say::Busy(a, b)),
        1 => proptest::sample::select(&["access_denied", "expired_token", "invalid_request", "invalid_grant", "zzz"][..])
            .prop_map(Say::Error),
        1 => Just(Say::Garbage),
        1 => Just(Say::Redirect),
        3 => Just(Say::Tokens(Forgery::None)),
        2 => proptest::sample::select(&FORGERIES[..]).prop_map(Say::Tokens),
    ]
}

fn callback() -> impl Strategy<Value = Callback> {
    let bearer = prop_oneof![
        12 => Just(Bearer::Ours),
        1 => proptest::sample::select(&[Bearer::WrongSecret, Bearer::Cut, Bearer::Longer, Bearer::OtherFlow][..]),
    ];
    let id = prop_oneof![8 => Just(0_u8), 1 => 1_u8..8];
    let content = prop_oneof![
        6 => Just(Content::Ping),
        4 => Just(Content::Tokens(Forgery::None)),
        3 => proptest::sample::select(&PUSH_FORGERIES[..]).prop_map(Content::Tokens),
        1 => proptest::sample::select(&["access_denied", "expired_token", "transaction_failed", "slow_down", "zzz"][..])
            .prop_map(Content::Error),
        2 => proptest::sample::select(&BROKEN[..]),
        1 => prop_oneof![Just(Content::Both), Just(Content::Large)],
    ];
    (bearer, id, content).prop_map(|(bearer, id, content)| Callback { bearer, id, content })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => Just(Op::Poll),
        1 => Just(Op::PollAndDie),
        16 => say().prop_map(Op::Carry),
        4 => say().prop_map(Op::Perform),
        2 => Just(Op::Lose),
        2 => Just(Op::NotSent),
        4 => prop_oneof![5 => 0_u64..300, 5 => 0_u64..8000, 5 => 0_u64..70_000, 1 => NIGHT].prop_map(Op::SlowSave),
        1 => Just(Op::KeyUnavailable),
        1 => Just(Op::Drop),
        1 => proptest::option::of(0_u64..90_000).prop_map(Op::NoKeys),
        1 => Just(Op::KeysDown),
        1 => Just(Op::Rotate),
        2 => Just(Op::Leave),
        3 => (0_usize..4).prop_map(Op::Late),
        6 => prop_oneof![5 => 0_u64..300, 5 => 0_u64..8000, 5 => 0_u64..70_000, 1 => NIGHT].prop_map(Op::Advance),
        14 => Just(Op::ToWake),
        2 => prop_oneof![-3_000_i64..3_000, -100_000_i64..100_000].prop_map(Op::SetClock),
        1 => Just(Op::Save),
        2 => any::<bool>().prop_map(Op::StoreFails),
        2 => Just(Op::Abandon),
        2 => Just(Op::Land),
        2 => Just(Op::Crash),
        1 => Just(Op::Foreign),
        1 => prop_oneof![9 => Just(Op::Save), 1 => Just(Op::Cancel)],
        6 => callback().prop_map(Op::Notify),
        1 => callback().prop_map(Op::NotifyAndDie),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let mode =
        proptest::sample::select(&[DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push][..]);
    let asked = proptest::option::weighted(0.2, 1_u64..900);
    // Often short enough to matter between two steps.
    let within = proptest::option::weighted(0.7, 1_u64..30);
    let switches =
        (any::<bool>(), proptest::bool::weighted(0.8), proptest::bool::weighted(0.2), within);
    (1_u64..40, prop_oneof![1_u64..30, 30_u64..600], mode, asked, switches).prop_map(
        |(interval, lifetime, mode, asked, (from_send, backstop, signed, within))| {
            let mut setup = Setup::new(interval, lifetime).delivered(mode);
            if from_send {
                setup.policy.interval_reference = IntervalReference::Send;
            }
            setup.policy.ping_backstop = backstop;
            if let Some(seconds) = within {
                setup.policy.prompt_within = Duration::from_secs(seconds);
            }
            setup.requested_expiry = asked;
            setup.signed_requests = signed;
            setup
        },
    )
}

fn take(sim: &mut Sim, wanted: fn(&Question) -> bool) -> Option<Asked> {
    if sim.open.as_ref().is_some_and(|asked| wanted(&asked.question)) {
        sim.open.take()
    } else {
        None
    }
}

/// Performs a question correctly.
fn carry(sim: &mut Sim, asked: Asked) {
    match asked.question {
        Question::Transmit(_) | Question::Sent { .. } => sim.deliver(asked),
        Question::Key(_) => sim.sign(asked),
        Question::KeySet(_) => sim.find_keys(asked, true),
    }
}

fn perform(sim: &mut Sim, op: &Op) {
    match *op {
        Op::Poll => {
            sim.poll();
        }
        Op::PollAndDie => sim.poll_and_die(),
        Op::Carry(say) => {
            sim.perform(say);
            if let Some(asked) = sim.open.take() {
                carry(sim, asked);
            }
        }
        Op::Perform(say) => sim.perform(say),
        Op::Lose => sim.lose(),
        Op::NotSent => sim.not_sent(),
        Op::SlowSave(millis) => {
            sim.poll();
            sim.advance(millis);
            sim.begin();
        }
        Op::KeyUnavailable => {
            if let Some(asked) = take(sim, |question| matches!(question, Question::Key(_))) {
                sim.key_unavailable(asked);
            }
        }
        Op::Drop => sim.drop_open(),
        Op::NoKeys(later) => {
            if let Some(asked) = take(sim, |question| matches!(question, Question::KeySet(_))) {
                sim.no_keys(asked, later);
            }
        }
        Op::KeysDown => {
            if let Some(asked) = take(sim, |question| matches!(question, Question::KeySet(_))) {
                sim.find_keys(asked, false);
            }
        }
        Op::Rotate => sim.op.rotate(),
        Op::Leave => sim.left.extend(sim.open.take()),
        Op::Late(which) => {
            if which < sim.left.len() {
                let asked = sim.left.swap_remove(which);
                carry(sim, asked);
            }
        }
        Op::Advance(millis) => sim.advance(millis),
        Op::ToWake => {
            if let Some(until) = sim.flow.wake_at() {
                sim.advance_to(until);
            }
        }
        Op::SetClock(by) => sim.set_clock(by),
        Op::Save => sim.save(),
        Op::StoreFails(true) => sim.fail(Fails::From(1)),
        Op::StoreFails(false) => sim.fail(Fails::Never),
        Op::Abandon => sim.poll_and_abandon(),
        Op::Land => sim.land(),
        Op::Crash => sim.crash(),
        Op::Foreign => foreign(sim),
        Op::Cancel => sim.cancel(),
        Op::Notify(callback) => {
            let _ = sim.notify(callback);
        }
        Op::NotifyAndDie(callback) => sim.notify_and_die(callback),
    }
}

/// The answer to a question of another flow is returned and changes nothing.
fn foreign(sim: &mut Sim) {
    let now = Timestamp::from_unix_secs(1_893_456_000);
    let config = client(ciba_tests::model::ISSUER).build().expect("valid");
    let mut other =
        Flow::start(config, request(), Entropy::from_bytes([1; 32]), now).expect("it can be sent");
    let ciba_core::Output::Key(operation) = other.poll(now, Entropy::from_bytes([2; 32])) else {
        panic!("a signature")
    };
    let before = sim.flow.snapshot();
    let misuse =
        sim.flow.handle(operation.answered(Vec::new()), sim.now()).expect_err("it is foreign");
    assert_eq!(misuse.reason, ciba_core::machine::MisuseReason::ForeignTicket);
    assert_eq!(before.as_bytes(), sim.flow.snapshot().as_bytes());
    other.handle(*misuse.input, now).expect("it is returned unchanged");
}

/// Every flow ends, within a number of steps bounded by its lifetime.
fn end(sim: &mut Sim) {
    for _ in 0..4000 {
        match sim.poll() {
            Said::Wait(wait) => sim.advance_to(wait.until()),
            Said::Done => return,
            Said::Save => panic!("nothing fails here"),
            Said::Key | Said::KeySet | Said::Transmit(_) => {
                sim.perform(Say::Pending(None, None));
                // Too late for a request to be sent.
                if let Some(asked) = sim.open.take() {
                    carry(sim, asked);
                }
            }
        }
    }
    panic!("the flow does not end: {:?}", sim.flow);
}

/// Notifications after the end are acknowledged until their time is up and have no effect.
fn late_notifications_are_known(sim: &mut Sim) {
    let Some(spent) = sim.flow.spent_key() else {
        // In poll mode, and if the request ended before it was named.
        assert_eq!(sim.notify(Callback::PING), NotificationVerdict::Unauthorized);
        return;
    };
    assert_eq!(Some(spent.key()), Some(sim.flow.notification_key()));
    let _ = sim.notify(Callback::PING);
    let token = sim.token().expect("a flow with notifications has one");
    let notification = Callback::PING.send(&mut sim.op, &token, 0);
    let said = spent.notify(&notification, sim.now());
    assert_eq!(
        said,
        sim.flow.notify(&notification, sim.now()).verdict(),
        "the flow and what is left of it say the same"
    );
    let late = spent.until().saturating_add(std::time::Duration::from_millis(1));
    assert_eq!(spent.notify(&notification, late), NotificationVerdict::Unauthorized);
}

/// Polling again after the end, or resuming the saved end, yields the same result.
fn end_is_the_end(sim: Sim) {
    let snapshot = sim.flow.snapshot();
    let config = sim.config.clone();
    let (now, is_too_old) = (sim.now(), sim.is_too_old());
    let keys = ciba_core::jose::KeySet::pinned(
        config.issuer(),
        sim.op.keys().as_bytes(),
        &ciba_tests::fake_crypto::FakeCrypto,
    );
    let keeps_tokens = sim.flow.keeps_tokens();
    let result = sim.finish();
    let mut again = Flow::resume(config, snapshot.as_bytes(), now).expect("it resumes").in_memory();
    if let ciba_core::Output::KeySet(request) = again.poll(now, Entropy::from_bytes([3; 32])) {
        assert!(
            result.is_ok() || keeps_tokens,
            "only what was verified, or lacked keys, is verified again"
        );
        again
            .handle(request.found(keys.expect("a key set")), now)
            .expect("the input belongs to it");
    }
    match (result, again.stage()) {
        (Ok(_), Stage::Settled) if is_too_old => {
            assert!(matches!(again.finish(), Err(Failure::Expired(None))), "a day is too old");
        }
        // With keys it may end differently.
        (Err(_), _) if keeps_tokens => {}
        (Err(failure), Stage::Settled) => assert_eq!(again.finish().err(), Some(failure)),
        (Ok(authentication), Stage::Settled) => {
            let again = again.finish().expect("it verifies again");
            assert_eq!(again.access_token(), authentication.access_token());
            assert_eq!(again.received_at(), authentication.received_at());
        }
        // The keys have been replaced, so another lookup is due.
        (Ok(_), Stage::Verifying) => {}
        (result, stage) => panic!("{result:?} {stage:?}"),
    }
}

fn runner() -> TestRunner {
    let ops = std::env::var("CIBA_DEEP_OPS").ok().and_then(|ops| ops.parse::<usize>().ok());
    let cases = u32::try_from(ops.unwrap_or(20_000) / OPS_PER_CASE + 1).unwrap_or(u32::MAX);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let rng = match ops {
        Some(_) => {
            let seed = std::env::var("CIBA_DEEP_SEED").ok().and_then(|seed| seed.parse().ok());
            let seed: u64 = seed.unwrap_or_else(new_seed);
            println!("CIBA_DEEP_SEED={seed}");
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
        }
        None => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    };
    TestRunner::new_with_rng(config, rng)
}

/// Returns a number that differs from run to run.
fn new_seed() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    since.as_secs() ^ u64::from(since.subsec_nanos()) << 20
}

/// REQ-POLL-03
/// REQ-POLL-07
/// REQ-POLL-18a
/// REQ-POLL-26
/// REQ-POLL-28
/// REQ-POLL-30
/// REQ-AREQ-30a
/// REQ-TOK-11
/// OPM-POL-27
/// OPM-POL-28
#[test]
fn no_random_operations_break_an_invariant() {
    let operations = proptest::collection::vec(op(), 20..2 * OPS_PER_CASE - 20);
    runner()
        .run(&(setup(), operations), |(setup, ops)| {
            let mut sim = Sim::new(setup);
            for op in &ops {
                perform(&mut sim, op);
            }
            sim.fail(Fails::Never);
            end(&mut sim);
            late_notifications_are_known(&mut sim);
            end_is_the_end(sim);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// The arrows of the diagram in `docs/flow.md`, as pairs of state names.
fn drawn() -> BTreeSet<(String, String)> {
    let page = include_str!("../../docs/flow.md");
    page.lines()
        .filter_map(|line| line.trim().split_once(" --> "))
        .map(|(from, rest)| (from.to_owned(), rest.split(':').next().unwrap_or(rest).to_owned()))
        .filter(|(from, to)| from != "[*]" && to != "[*]")
        .collect()
}

/// Returns whether an operation leaves the state to the flow. The others cancel it or resume an
/// older state.
fn is_a_step(op: &Op) -> bool {
    !matches!(op, Op::Cancel | Op::Crash | Op::PollAndDie | Op::NotifyAndDie(_))
}

/// Random operations move a flow only along the arrows of the diagram, and along each of them.
#[test]
fn the_observed_transitions_match_the_state_diagram() {
    let seen = RefCell::new(BTreeSet::new());
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let operations = proptest::collection::vec(op(), 2 * OPS_PER_CASE);
    TestRunner::new_with_rng(config, rng)
        .run(&(setup(), operations), |(setup, ops)| {
            let mut sim = Sim::new(setup);
            for op in ops.iter().filter(|op| is_a_step(op)) {
                let before = sim.flow.stage();
                perform(&mut sim, op);
                let after = sim.flow.stage();
                if before != after {
                    seen.borrow_mut().insert((format!("{before:?}"), format!("{after:?}")));
                }
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let drawn = drawn();
    let arrow = |from: &str, to: &str| drawn.contains(&(from.to_owned(), to.to_owned()));
    // A flow that was pinged before it was acknowledged is pending and due, so one step takes two
    // arrows.
    let seen: BTreeSet<_> = seen
        .into_inner()
        .into_iter()
        .filter(|(from, to)| arrow(from, to) || !(arrow(from, "Pending") && arrow("Pending", to)))
        .collect();
    assert_eq!(seen, drawn);
}
