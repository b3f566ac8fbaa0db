//! When token requests are made, to the millisecond, and the effect of each answer: appendix D and
//! section 8 of the requirements in simulated time.
#![allow(missing_docs)]

use std::time::Duration;

use ciba_core::{
    Failure, Policy, Stage,
    answer::Deviation,
    config::IntervalReference,
    error::{LostAnswer, Setback, UnreachableTarget},
    fault::Cause,
    http::Endpoint,
    machine::WaitReason,
};
use ciba_tests::{
    model::{FORGERIES, Forgery, Provider, Say},
    sim::{JITTER, Said, Setup, Sim},
};
use serde_json::{Value, json};

const PENDING: Say = Say::Pending(None, None);
const SLOW_DOWN: Say = Say::SlowDown(None, None);
const TOKENS: Say = Say::Tokens(Forgery::None);
const TOKEN: Said = Said::Transmit(Endpoint::Token);

fn from_send() -> Policy {
    let mut policy = Policy::default();
    policy.interval_reference = IntervalReference::Send;
    policy
}

/// Returns a flow whose first token request is open.
fn at_first_request(setup: Setup) -> Sim {
    let mut sim = Sim::new(setup);
    assert_eq!(sim.run(), TOKEN);
    sim
}

/// Returns whether the outcome is unknown for this reason.
fn lost_to(failure: &Failure, what: LostAnswer) -> bool {
    matches!(failure, Failure::Indeterminate(why) if why.lost == what)
}

/// The outcome of a token request, `after` milliseconds after it was sent.
#[derive(Debug, Clone, Copy)]
enum End {
    Says(Say),
    Lost,
    NotSent,
}

impl End {
    fn happens(self, sim: &mut Sim) {
        match self {
            Self::Says(say) => sim.answer(say),
            Self::Lost => sim.lose(),
            Self::NotSent => sim.not_sent(),
        }
    }
}

/// Lets a token request end and returns how long after its sending the next one is made.
fn next(sim: &mut Sim, after: u64, end: End) -> u64 {
    let sent = sim.elapsed();
    sim.begin();
    sim.advance(after);
    end.happens(sim);
    assert_eq!(sim.run(), TOKEN);
    sim.elapsed() - sent
}

#[track_caller]
fn about(actual: u64, expected: u64) {
    assert!((expected..=expected + JITTER).contains(&actual), "{actual} ms, not {expected}");
}

/// Rows of appendix D: interval, time of the answer, answer; when the next request is allowed and
/// when it is made.
/// REQ-POLL-03
/// REQ-POLL-04
/// REQ-POLL-05
/// REQ-POLL-08
/// REQ-POLL-09
/// REQ-POLL-10
/// REQ-POLL-12
/// REQ-POLL-14
/// REQ-POLL-17a
/// REQ-POLL-17b
/// OPM-POL-16
#[test]
fn polls_follow_the_timelines_of_appendix_d() {
    for (interval, after, end, bound, default) in [
        (5, 2_000, End::Says(PENDING), 5_000, 7_000),
        (5, 300, End::Says(PENDING), 5_000, 5_300),
        (5, 5_000, End::Says(PENDING), 5_000, 10_000),
        (5, 30_000, End::Says(PENDING), 30_000, 35_000),
        (5, 39_000, End::Says(PENDING), 39_000, 44_000),
        (31, 500, End::Says(PENDING), 31_000, 31_500),
        (5, 1_000, End::Says(SLOW_DOWN), 10_000, 11_000),
        (5, 500, End::Says(Say::Busy(503, Some(3))), 5_000, 5_500),
        (5, 500, End::Says(Say::Busy(503, Some(60))), 60_500, 60_500),
        (5, 40_000, End::Lost, 40_000, 45_000),
        (5, 10_000, End::NotSent, 20_000, 20_000),
        (5, 10_000, End::Lost, 20_000, 20_000),
    ] {
        let mut setup = Setup::new(interval, 600);
        about(next(&mut at_first_request(setup.clone()), after, end), default);
        setup.policy = from_send();
        about(next(&mut at_first_request(setup), after, end), bound);
    }
}

/// The rows of appendix D in which the interval has grown before.
/// REQ-POLL-17b
/// REQ-POLL-13a
/// REQ-POLL-13b
/// REQ-POLL-15
/// OPM-POL-04
/// OPM-POL-05
#[test]
fn slow_down_accumulates_and_never_resets() {
    let mut sim = at_first_request(Setup::new(5, 600));
    about(next(&mut sim, 1_000, End::Says(SLOW_DOWN)), 11_000);
    about(next(&mut sim, 1_000, End::Says(PENDING)), 11_000);
    about(next(&mut sim, 200, End::Says(Say::SlowDown(Some(20), None))), 20_200);
    about(next(&mut sim, 0, End::Says(PENDING)), 15_000);
    about(next(&mut sim, 1_000, End::Says(Say::Busy(502, None))), 16_000);
    about(next(&mut sim, 0, End::Says(PENDING)), 15_000);
    // An `interval` in the error can only lengthen it.
    about(next(&mut sim, 0, End::Says(Say::Pending(None, Some(3)))), 15_000);
    about(next(&mut sim, 0, End::Says(Say::SlowDown(None, Some(40)))), 40_000);
    about(next(&mut sim, 0, End::Says(PENDING)), 40_000);
}

/// REQ-POLL-14
/// REQ-POLL-15
/// OPM-POL-11
/// OPM-POL-13
#[test]
fn retry_after_is_a_minimum_wait_and_applies_once() {
    for say in [
        |after| Say::Busy(503, Some(after)),
        |after| Say::Busy(429, Some(after)),
        |after| Say::Pending(Some(after), None),
    ] {
        for (asked, wait) in [(7, 7_000), (0, 5_000), (3, 5_000), (60, 60_000)] {
            let mut sim = at_first_request(Setup::new(5, 600));
            about(next(&mut sim, 0, End::Says(say(asked))), wait);
            about(next(&mut sim, 0, End::Says(PENDING)), 5_000);
        }
    }
}

/// REQ-POLL-16
/// REQ-POLL-17a
/// OPM-POL-12
/// OPM-POL-13
/// OPM-POL-15
#[test]
fn token_requests_back_off_after_failures() {
    for (end, waits) in [
        (End::Says(Say::Busy(500, None)), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]),
        (End::Says(Say::Busy(429, None)), [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]),
        (End::NotSent, [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]),
        (End::Lost, [10_000, 20_000, 40_000, 60_000, 60_000, 60_000]),
    ] {
        let mut sim = at_first_request(Setup::new(5, 3600));
        for wait in waits {
            about(next(&mut sim, 0, end), wait);
        }
        // A normal answer resets the back-off.
        about(next(&mut sim, 0, End::Says(PENDING)), 5_000);
        about(next(&mut sim, 0, end), waits[0]);
    }
    // Never below the interval.
    let mut sim = at_first_request(Setup::new(90, 3600));
    about(next(&mut sim, 0, End::NotSent), 90_000);
    // A request that was held for the maximum time is not a sign of a problem.
    let mut sim = at_first_request(Setup::new(5, 3600));
    for _ in 0..4 {
        about(next(&mut sim, 41_000, End::Lost), 46_000);
    }
}

/// Values of `interval`, the resulting interval, and the deviation reported.
/// REQ-POLL-06
/// OPM-POL-02
/// OPM-POL-03
#[test]
fn an_unusual_interval_does_not_end_the_flow() {
    for (interval, effective, deviation) in [
        (json!(5), 5_000, None),
        (json!(1), 1_000, None),
        (json!(31), 31_000, None),
        (Value::Null, 5_000, Some(Deviation::IntervalUnusable)),
        (json!(0), 5_000, Some(Deviation::IntervalUnusable)),
        (json!(-3), 5_000, Some(Deviation::IntervalUnusable)),
        (json!("soon"), 5_000, Some(Deviation::IntervalUnusable)),
        (json!([7]), 5_000, Some(Deviation::IntervalUnusable)),
        (json!("7"), 7_000, Some(Deviation::IntervalAdjusted)),
        (json!(2.1), 3_000, Some(Deviation::IntervalAdjusted)),
        (json!(0.2), 1_000, Some(Deviation::IntervalAdjusted)),
    ] {
        let mut setup = Setup::new(1, 600);
        (setup.interval, setup.effective_interval) = (interval, effective);
        let sim = at_first_request(setup);
        about(sim.elapsed(), effective);
        assert_eq!(
            sim.flow.acknowledgement().expect("acknowledged").deviations.first().copied(),
            deviation
        );
    }
}

/// Ruling 1: with an interval beyond the deadline, exactly one request is made, shortly before it.
/// REQ-POLL-18a
/// REQ-POLL-19
/// OPM-POL-10
#[test]
fn one_request_precedes_the_deadline_if_the_interval_is_longer() {
    for (interval, effective, lifetime, at) in [
        (json!(120), 120_000, 120, 115_000),
        (json!(300), 300_000, 120, 115_000),
        (json!(1e300), 86_400_000, 120, 115_000),
        (json!(20), 20_000, 20, 18_000),
        (json!(5), 5_000, 3, 2_700),
    ] {
        let mut setup = Setup::new(1, lifetime);
        (setup.interval, setup.effective_interval) = (interval, effective);
        let mut sim = at_first_request(setup);
        assert_eq!(sim.elapsed(), at);
        sim.answer(PENDING);
        assert_eq!((sim.run(), sim.elapsed()), (Said::Done, lifetime * 1000));
        assert_eq!(sim.sends.len(), 1);
        assert_eq!(sim.finish().expect_err("it expired"), Failure::Expired(None));
    }
}

/// REQ-POLL-18a
/// REQ-POLL-18b
/// REQ-POLL-19
/// OPM-POL-10
#[test]
fn no_request_is_made_at_or_after_the_deadline() {
    for (interval, lifetime, requests) in
        [(50, 120, 3), (5, 11, 2), (5, 10, 1), (1, 2, 1), (5, 30, 5)]
    {
        let mut sim = Sim::new(Setup::new(interval, lifetime));
        while sim.run() == TOKEN {
            sim.answer(PENDING);
        }
        assert_eq!((sim.elapsed(), sim.sends.len()), (lifetime * 1000, requests));
        assert_eq!(sim.finish().expect_err("it expired"), Failure::Expired(None));
    }
}

/// The lifetime counts from the sending of the authentication request, not from its answer.
/// REQ-ACK-11
#[test]
fn the_deadline_counts_from_the_sending_of_the_request() {
    let mut sim = Sim::new(Setup::new(5, 60));
    assert_eq!(sim.poll(), Said::Key);
    let asked = sim.open.take().expect("a signature");
    sim.sign(asked);
    assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
    sim.begin();
    sim.advance(20_000);
    sim.answer(PENDING);
    while sim.run() == TOKEN {
        sim.answer(PENDING);
    }
    assert_eq!(sim.elapsed(), 60_000);
}

/// A request in flight at the deadline may bring tokens for another minute, and nothing afterwards.
/// Ruling 3.
#[test]
fn an_answer_is_accepted_for_a_minute_after_the_deadline() {
    for (late, is_taken) in [(0, true), (30_000, true)] {
        let mut sim = at_first_request(Setup::new(9, 10));
        sim.perform(TOKENS);
        sim.advance(1_000 + late);
        let asked = sim.open.take().expect("in flight");
        sim.deliver(asked);
        assert_eq!(sim.run(), Said::Done);
        assert_eq!(sim.finish().is_ok(), is_taken);
    }
    let mut setup = Setup::new(9, 10);
    setup.policy.token_timeout = Duration::from_secs(300);
    let mut sim = at_first_request(setup);
    sim.perform(TOKENS);
    let Said::Wait(wait) = sim.poll() else { panic!("in flight") };
    sim.advance_to(wait.until());
    assert_eq!(sim.elapsed(), 70_000);
    assert_eq!((sim.poll(), sim.flow.stage()), (Said::Done, Stage::Settled));
    let asked = sim.open.take().expect("in flight");
    sim.deliver(asked);
    assert!(lost_to(&sim.finish().expect_err("there was no answer"), LostAnswer::Outcome));
}

/// REQ-POLL-01
/// REQ-POLL-02
/// REQ-POLL-26
/// REQ-POLL-27
/// OPM-POL-01
/// OPM-POL-28
#[test]
fn a_token_request_has_the_required_parameters_and_no_others() {
    let mut sim = at_first_request(Setup::new(5, 600));
    for _ in 0..2 {
        sim.answer(PENDING);
        assert_eq!(sim.run(), TOKEN);
    }
    sim.answer(TOKENS);
    assert_eq!(sim.run(), Said::Done);
    assert_eq!(sim.op.token_forms.len(), 3);
    for form in &sim.op.token_forms {
        let mut names: Vec<&str> = form.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["auth_req_id", "client_assertion", "client_assertion_type", "grant_type"]
        );
    }
    let authentication = sim.finish().expect("the tokens are genuine");
    assert_eq!(authentication.subject(), Ok(ciba_tests::model::SUBJECT));
}

/// REQ-POLL-20
/// REQ-POLL-21
/// REQ-POLL-22
/// REQ-SEC-12a
/// REQ-TOK-16
/// REQ-TOK-17
/// REQ-TOK-18
/// REQ-TOK-20
/// OPM-POL-06
/// OPM-POL-07
/// OPM-POL-08
/// OPM-POL-09
/// OPM-POL-17
/// OPM-POL-26
#[test]
fn every_other_answer_ends_the_flow_and_no_request_follows() {
    for (say, name) in [
        (Say::Error("access_denied"), "denied"),
        (Say::Error("expired_token"), "expired"),
        (Say::Error("invalid_request"), "refused"),
        (Say::Error("invalid_grant"), "refused"),
        (Say::Error("invalid_client"), "refused"),
        (Say::Error("unauthorized_client"), "refused"),
        (Say::Error("unsupported_grant_type"), "refused"),
        (Say::Error("transaction_failed"), "refused"),
        (Say::Error("foo"), "refused"),
        (Say::Redirect, "provider_misbehaved"),
        (Say::Garbage, "provider_misbehaved"),
        (Say::Tokens(Forgery::Missing), "provider_misbehaved"),
    ] {
        let mut sim = at_first_request(Setup::new(5, 600));
        for _ in 0..2 {
            sim.answer(PENDING);
            assert_eq!(sim.run(), TOKEN);
        }
        sim.answer(say);
        assert_eq!(sim.run(), Said::Done);
        for _ in 0..100 {
            sim.advance(10_000);
            assert_eq!(sim.poll(), Said::Done);
        }
        assert_eq!((sim.op.prompts, sim.op.token_requests), (1, 3));
        let failure = sim.finish().expect_err("it ended");
        assert_eq!(failure.name(), name);
        if let Say::Error(code) = say {
            let code_kept = failure
                .server_answer()
                .and_then(|answer| answer.code())
                .map(|code| code.name().to_owned());
            assert_eq!(code_kept.as_deref(), Some(code));
        }
    }
}

/// REQ-POLL-30
/// REQ-TOK-11
/// OPM-POL-27
#[test]
fn no_request_follows_a_200_even_if_its_tokens_are_rejected() {
    for forgery in FORGERIES.into_iter().chain([Forgery::None]) {
        let mut sim = at_first_request(Setup::new(5, 600));
        sim.answer(Say::Tokens(forgery));
        assert_eq!(sim.run(), Said::Done);
        sim.advance(1_000_000);
        assert_eq!(sim.poll(), Said::Done);
        assert_eq!(sim.op.token_requests, 1);
        let result = sim.finish();
        match (forgery, forgery.untrusted()) {
            (Forgery::None, _) => assert!(result.is_ok()),
            (_, Some(check)) => assert_eq!(result.expect_err("it is forged").check(), Some(check)),
            (_, None) => assert!(matches!(result, Err(Failure::ProviderMisbehaved(_)))),
        }
    }
}

/// REQ-POLL-11
#[test]
fn a_refusal_after_a_lost_answer_says_that_the_outcome_is_unknown() {
    let lost = |failure: Failure| matches!(failure, Failure::Indeterminate(why) if why.lost == LostAnswer::Tokens);
    let end = |sim: &mut Sim| {
        assert_eq!(sim.run(), TOKEN);
        sim.answer(Say::Error("invalid_grant"));
        assert_eq!(sim.run(), Said::Done);
    };
    // The tokens were issued and did not arrive, or a gateway dropped them.
    for say in [TOKENS, Say::Busy(502, None)] {
        let mut sim = at_first_request(Setup::new(5, 600));
        sim.perform(say);
        if say == TOKENS {
            sim.lose()
        } else {
            sim.answer(say)
        }
        end(&mut sim);
        assert!(lost(sim.finish().expect_err("nothing came")));
    }
    // A later pending answer proves that nothing had been redeemed. 503 and 429 say so themselves,
    // and so does a request that was not sent.
    for how in 0..4 {
        let mut sim = at_first_request(Setup::new(5, 600));
        match how {
            0 => {
                sim.lose();
                assert_eq!(sim.run(), TOKEN);
                sim.answer(PENDING);
            }
            1 => sim.answer(Say::Busy(503, None)),
            2 => sim.answer(Say::Busy(429, Some(9))),
            _ => sim.not_sent(),
        }
        end(&mut sim);
        assert!(matches!(sim.finish().expect_err("it was rejected"), Failure::Refused(_)), "{how}");
    }
}

/// REQ-AREQ-30a
/// REQ-AREQ-30b
/// REQ-AREQ-31
#[test]
fn the_authentication_request_is_repeated_only_if_it_was_certainly_not_sent() {
    let sent = |sim: &mut Sim| loop {
        match sim.poll() {
            Said::Key => {
                let asked = sim.open.take().expect("a signature");
                sim.sign(asked);
            }
            Said::Wait(wait) => sim.advance_to(wait.until()),
            said => return said,
        }
    };
    let backchannel = Said::Transmit(Endpoint::BackchannelAuthentication);
    // Lost, or never answered: the outcome is unknown.
    for answers in [true, false] {
        let mut sim = Sim::new(Setup::new(5, 600));
        assert_eq!(sent(&mut sim), backchannel);
        if answers {
            sim.lose()
        } else {
            sim.begin()
        }
        assert_eq!(sent(&mut sim), Said::Done);
        assert_eq!(sim.elapsed(), if answers { 0 } else { 31_000 });
        let failure = sim.finish().expect_err("nothing came");
        let Failure::Indeterminate(why) = failure else { panic!("{failure:?}") };
        let cause = if answers { Cause::Closed } else { Cause::Timeout };
        assert_eq!(
            (why.lost, why.cause, why.attempts),
            (LostAnswer::AuthenticationRequest, Some(cause), 1)
        );
        assert!(why.to_string().ends_with(&format!("({cause})")), "{why}");
    }
    // Never begun: not sent, and too late for another attempt.
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sent(&mut sim), backchannel);
    assert_eq!(sent(&mut sim), Said::Done);
    let failure = sim.finish().expect_err("nothing was sent");
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    // Not sent: a few more attempts within half a minute.
    let mut sim = Sim::new(Setup::new(5, 600));
    let mut times = 0;
    while sent(&mut sim) == backchannel {
        times += 1;
        sim.not_sent();
    }
    assert_eq!((times, sim.op.prompts), (4, 0), "once, and at most three more times");
    assert!(sim.elapsed() <= 30_000);
    let failure = sim.finish().expect_err("it could not be sent");
    let Failure::Unreachable(why) = failure else { panic!("{failure:?}") };
    let target = UnreachableTarget::Endpoint(Endpoint::BackchannelAuthentication);
    assert_eq!((why.target, why.problem, why.attempts), (target, Some(Cause::Refused.into()), 4));
    assert!(
        why.to_string().ends_with(" could not be reached: the connection was refused (4 attempts)"),
        "{why}"
    );
    // One that succeeds at last prompts once; every attempt has a new assertion.
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sent(&mut sim), backchannel);
    sim.not_sent();
    assert_eq!(sent(&mut sim), backchannel);
    sim.answer(PENDING);
    assert_eq!((sim.op.prompts, sim.flow.stage()), (1, Stage::Pending));
}

/// REQ-POLL-28
#[test]
fn a_clock_set_back_makes_waits_longer_and_one_set_forward_ends_the_flow() {
    let mut sim = Sim::new(Setup::new(5, 600));
    sim.run();
    sim.answer(PENDING);
    sim.poll();
    sim.set_clock(-3_600_000);
    let Said::Wait(wait) = sim.poll() else { panic!("nothing is due") };
    assert!(
        matches!(wait.reason(), WaitReason::Setback(Setback::ClockSetBack(by)) if by.as_secs() == 3600)
    );
    about(u64::try_from(wait.until().since(sim.now()).as_millis()).expect("short"), 5_000);
    sim.set_clock(3_600_000);
    // The step forward is believed: one poll to learn the state, and no burst.
    assert_eq!(sim.poll(), Said::Done);
    assert_eq!(sim.sends.len(), 1);
    // The decision of the person in the meantime is unknown (ruling 40).
    assert!(lost_to(&sim.finish().expect_err("it is over"), LostAnswer::Outcome));
}

/// REQ-SEC-26
#[test]
fn a_cancelled_flow_requests_nothing_and_ignores_answers() {
    let mut sim = at_first_request(Setup::new(5, 600));
    sim.perform(TOKENS);
    let asked = sim.open.take().expect("in flight");
    sim.cancel();
    sim.deliver(asked);
    for _ in 0..100 {
        assert_eq!(sim.poll(), Said::Done);
        sim.advance(10_000);
    }
    assert_eq!(sim.op.token_requests, 1);
    assert_eq!(sim.finish().expect_err("it was cancelled"), Failure::Abandoned);
}

/// The descriptions of pending answers reach the caller while it waits.
/// REQ-POLL-12
#[test]
fn a_wait_reports_the_last_message_of_the_provider() {
    let mut sim = at_first_request(Setup::new(5, 600));
    sim.answer(PENDING);
    let Said::Wait(wait) = sim.poll() else { panic!("pending") };
    assert_eq!((wait.progress(), wait.reason()), (Some("as told"), &WaitReason::Interval));
    let _ = sim.run();
    sim.answer(SLOW_DOWN);
    let Said::Wait(wait) = sim.poll() else { panic!("pending") };
    assert_eq!(wait.reason(), &WaitReason::SlowDown);
    assert!(!Provider::AUTH_REQ_ID.is_empty());
}

/// A lost answer may have been `slow_down`. With one step less than the provider, every later
/// request would be early, and a provider that answers each of those with `slow_down` would never
/// issue the tokens.
///
/// REQ-POLL-13a
#[test]
fn a_slow_down_after_a_lost_answer_adds_two_steps() {
    for crashes in [false, true] {
        let mut sim = at_first_request(Setup::new(5, 600));
        if crashes {
            // For the next process, the request is in flight.
            sim.answer(SLOW_DOWN);
            sim.crash();
        } else {
            sim.lose();
        }
        assert_eq!(sim.run(), TOKEN);
        // Early by one step, which a request after a longer wait does not show.
        about(next(&mut sim, 0, End::Says(PENDING)), 5_000);
        about(next(&mut sim, 0, End::Says(SLOW_DOWN)), 15_000);
        // Nothing was lost since then.
        about(next(&mut sim, 0, End::Says(SLOW_DOWN)), 20_000);
        about(next(&mut sim, 0, End::Says(PENDING)), 20_000);
    }
}
