//! What happens before and at the deadline: the last request, and the conclusion if no answer says
//! how the request ended.
#![allow(missing_docs)]

use ciba_core::{
    DeliveryMode, Failure, Stage, error::LostAnswer, http::Endpoint, machine::WaitReason,
};
use ciba_tests::{
    model::{Forgery, Say},
    sim::{Said, Setup, Sim},
};

const PENDING: Say = Say::Pending(None, None);
const SLOW_DOWN: Say = Say::SlowDown(None, None);
const TOKENS: Say = Say::Tokens(Forgery::None);
const TOKEN: Said = Said::Transmit(Endpoint::Token);

/// The outcome of a token request.
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

/// Answers the numbered requests of a flow until it fails.
fn ends(setup: Setup, how: &dyn Fn(&mut Sim, usize)) -> Failure {
    let mut sim = Sim::new(setup);
    let mut asked = 0;
    while sim.run() == TOKEN {
        how(&mut sim, asked);
        asked += 1;
    }
    sim.finish().expect_err("no tokens")
}

/// Checks that the outcome is unknown, with this last answer of the token endpoint.
#[track_caller]
fn unknown(failure: &Failure, status: Option<u16>) {
    let found = failure.server_answer().map(|answer| (answer.endpoint(), answer.status()));
    assert_eq!(found, status.map(|status| (Endpoint::Token, status)), "{failure:?}");
    assert!(lost_to(failure, LostAnswer::Outcome) && failure.may_start_over(), "{failure:?}");
}

/// Whatever the provider asks for, one request is made shortly before the deadline, so that a login
/// that was approved in the meantime is not lost: ruling 29.
/// REQ-POLL-14
/// REQ-POLL-15
/// REQ-POLL-19
/// OPM-POL-30
#[test]
fn no_delay_requested_by_a_provider_suppresses_the_last_request() {
    const LONG: u64 = 600;
    let last = [
        Say::Busy(429, Some(LONG)),
        Say::Busy(500, Some(LONG)),
        Say::Busy(502, Some(99_999_999_999)),
        Say::Busy(503, Some(LONG)),
        Say::Pending(Some(LONG), None),
        Say::SlowDown(Some(LONG), None),
        Say::Pending(None, Some(LONG)),
        Say::SlowDown(None, Some(LONG)),
    ];
    for delivery in [DeliveryMode::Poll, DeliveryMode::Ping] {
        for say in last {
            for (interval, lifetime, at) in
                [(5, 120, 115_000), (1, 6, 5_400), (40, 120, 115_000), (2, 600, 595_000)]
            {
                let mut sim = at_first_request(Setup::new(interval, lifetime).delivered(delivery));
                // In ping mode a ping leads to the first request.
                let first = sim.elapsed();
                sim.answer(say);
                assert_eq!(sim.run(), TOKEN, "{delivery:?} {say:?}");
                assert_eq!(sim.elapsed(), at, "{delivery:?} {say:?}, first at {first}");
                sim.answer(TOKENS);
                assert_eq!(sim.run(), Said::Done);
                assert!(sim.finish().is_ok());
            }
        }
    }
    // An interval that the flow itself lengthens.
    let mut sim = at_first_request(Setup::new(30, 120));
    for _ in 0..2 {
        sim.answer(SLOW_DOWN);
        assert_eq!(sim.run(), TOKEN);
    }
    // After 30, 35 and 40 s.
    assert!(
        sim.sends.len() == 3 && (105_000..106_000).contains(&sim.elapsed()),
        "{}",
        sim.elapsed()
    );
    sim.answer(SLOW_DOWN);
    assert_eq!((sim.run(), sim.elapsed()), (TOKEN, 115_000));
    // It is the last one, whatever its outcome.
    sim.answer(Say::Busy(503, Some(1)));
    assert_eq!((sim.run(), sim.elapsed()), (Said::Done, 120_000));
}

/// Ruling 40: a flow is expired if the provider said so or if its last pending answers allow that
/// conclusion.
/// REQ-POLL-18b
/// OPM-POL-31
#[test]
fn the_outcome_is_unknown_at_the_deadline_if_no_answer_was_informative() {
    for delivery in [DeliveryMode::Poll, DeliveryMode::Ping] {
        let setup = || Setup::new(5, 120).delivered(delivery);
        for (how, status) in [
            (End::NotSent, None),
            (End::Lost, None),
            (End::Says(Say::Busy(500, None)), Some(500)),
            (End::Says(Say::Busy(503, Some(7))), Some(503)),
            (End::Says(Say::Busy(429, Some(600))), Some(429)),
        ] {
            unknown(&ends(setup(), &|sim, _| how.happens(sim)), status);
            // A pending answer at the beginning shows nothing about the end.
            let first = |sim: &mut Sim, asked: usize| {
                if asked == 0 { sim.answer(PENDING) } else { how.happens(sim) }
            };
            if delivery == DeliveryMode::Poll {
                unknown(&ends(setup(), &first), status);
            }
            // A last one does. One unanswered request after many answered ones does not change
            // that.
            let but_last = |sim: &mut Sim, _: usize| {
                if sim.elapsed() >= 115_000 { sim.answer(PENDING) } else { how.happens(sim) }
            };
            assert_eq!(ends(setup(), &but_last), Failure::Expired(None), "{delivery:?} {how:?}");
            let last = |sim: &mut Sim, _: usize| {
                if sim.elapsed() >= 115_000 { how.happens(sim) } else { sim.answer(PENDING) }
            };
            if delivery == DeliveryMode::Poll {
                assert_eq!(ends(setup(), &last), Failure::Expired(None), "{how:?}");
            }
        }
        // The last answer is reported, even if nothing answers any more.
        let down = |sim: &mut Sim, asked: usize| {
            if asked == 0 { sim.answer(Say::Busy(502, None)) } else { sim.not_sent() }
        };
        unknown(&ends(setup(), &down), Some(502));
    }
    // Two consecutive unanswered requests, with a long interval.
    let two =
        |sim: &mut Sim, asked: usize| if asked < 2 { sim.answer(PENDING) } else { sim.not_sent() };
    unknown(&ends(Setup::new(25, 120), &two), None);
}

/// No request was made: the process was suspended, or nothing was to be asked.
#[test]
fn a_flow_that_never_polled_does_not_claim_that_the_person_did_not_answer() {
    for delivery in [DeliveryMode::Poll, DeliveryMode::Ping] {
        let mut sim = Sim::new(Setup::new(5, 120).delivered(delivery));
        while sim.flow.stage() != Stage::Pending {
            let _ = sim.poll();
            sim.answer(PENDING);
            if let Some(asked) = sim.open.take() {
                sim.sign(asked);
            }
        }
        sim.advance(200_000);
        assert_eq!(sim.poll(), Said::Done);
        assert!(lost_to(&sim.finish().expect_err("never asked"), LostAnswer::Outcome));
    }
    let mut setup = Setup::new(5, 120).delivered(DeliveryMode::Ping);
    setup.policy.ping_backstop = false;
    let mut sim = Sim::new(setup);
    assert_eq!((sim.run(), sim.sends.len()), (Said::Done, 0));
    assert!(lost_to(&sim.finish().expect_err("never asked"), LostAnswer::Notification));
}

/// Ruling 40: a provider need not push that a request expired (CIBA 12), so silence cannot be
/// distinguished from a lost push.
#[test]
fn silence_in_push_mode_does_not_show_that_the_person_did_not_answer() {
    for crashes in [false, true] {
        let mut sim = Sim::new(Setup::new(5, 120).delivered(DeliveryMode::Push));
        while sim.flow.stage() != Stage::Pending {
            let _ = sim.poll();
            sim.answer(PENDING);
            if let Some(asked) = sim.open.take() {
                sim.sign(asked);
            }
        }
        if crashes {
            // The acknowledgement is saved.
            let _ = sim.poll();
            sim.crash();
        }
        assert_eq!(sim.run(), Said::Done);
        let failure = sim.finish().expect_err("nothing came");
        assert!(
            lost_to(&failure, LostAnswer::Notification) && failure.may_start_over(),
            "{failure:?}"
        );
    }
}

/// Ruling 40: a pending answer is recent for two intervals. A process that slept from then until
/// after the deadline does not know what was decided in the meantime.
///
/// REQ-POLL-18b
#[test]
fn a_pending_answer_long_before_the_deadline_is_not_recent() {
    // A flow that sleeps past its deadline after a pending answer at about this second.
    let slept = |interval: u64, lifetime: u64, since: u64, delivery: DeliveryMode| {
        let mut sim = at_first_request(Setup::new(interval, lifetime).delivered(delivery));
        while sim.elapsed() < since * 1000 {
            sim.answer(PENDING);
            assert_eq!(sim.run(), TOKEN);
        }
        sim.answer(PENDING);
        sim.advance(2 * lifetime * 1000);
        assert_eq!(sim.run(), Said::Done);
        sim.finish().expect_err("no tokens")
    };
    for delivery in [DeliveryMode::Poll, DeliveryMode::Ping] {
        unknown(&slept(5, 120, 5, delivery), None);
        unknown(&slept(20, 300, 200, delivery), None);
    }
    for (interval, lifetime, since) in [(5, 120, 100), (5, 120, 104), (2, 60, 44), (40, 600, 470)] {
        unknown(&slept(interval, lifetime, since, DeliveryMode::Poll), None);
    }
    for (interval, lifetime, since) in [(5, 120, 110), (5, 120, 112), (2, 60, 50), (40, 600, 530)] {
        let ended = slept(interval, lifetime, since, DeliveryMode::Poll);
        assert_eq!(ended, Failure::Expired(None), "{interval} {lifetime} {since}");
    }
}

/// Ruling 40: an earlier process may have received the tokens and died before it could save them,
/// so a flow that is resumed at its end draws no conclusion from the answers to that process.
///
/// REQ-POLL-11
#[test]
fn a_flow_resumed_at_its_end_draws_no_conclusion_from_earlier_answers() {
    for delivery in [DeliveryMode::Poll, DeliveryMode::Ping] {
        for is_asked_again in [false, true] {
            let mut sim = at_first_request(Setup::new(5, 120).delivered(delivery));
            // In ping mode the first request is made after a minute, and a resumed flow makes one
            // immediately.
            while sim.elapsed() < if is_asked_again { 60_000 } else { 114_000 } {
                sim.answer(PENDING);
                assert_eq!(sim.run(), TOKEN);
            }
            sim.answer(PENDING);
            // The answer is saved.
            let _ = sim.poll();
            let before = sim.elapsed();
            sim.crash();
            if is_asked_again {
                // A pending answer proves that the tokens were not issued.
                while sim.run() == TOKEN {
                    sim.answer(PENDING);
                }
                assert_eq!(
                    sim.finish().expect_err("no tokens"),
                    Failure::Expired(None),
                    "{delivery:?}"
                );
            } else {
                sim.advance(200_000 - before);
                assert_eq!(sim.run(), Said::Done);
                unknown(&sim.finish().expect_err("no tokens"), None);
            }
        }
    }
}

/// No request follows the last one, so nothing waits for the interval.
#[test]
fn the_last_wait_is_for_the_deadline() {
    for answer in [PENDING, SLOW_DOWN] {
        let mut sim = at_first_request(Setup::new(5, 60));
        let mut waits = Vec::new();
        loop {
            sim.answer(answer);
            let Said::Wait(wait) = sim.poll() else { panic!("it is pending") };
            let is_last = sim.flow.expires_at() == Some(wait.until());
            waits.push((is_last, *wait.reason() == WaitReason::Deadline));
            if sim.run() != TOKEN {
                break;
            }
        }
        assert!(waits.len() > 2, "{waits:?}");
        assert!(waits.iter().all(|(is_last, says_so)| is_last == says_so), "{waits:?}");
        assert!(waits.last().is_some_and(|(is_last, _)| *is_last), "{waits:?}");
    }
}
