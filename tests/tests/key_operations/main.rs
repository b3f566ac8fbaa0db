//! A private key that is unavailable, slow or silent, before and after the prompt.
#![allow(missing_docs)]

mod dpop;

use std::time::Duration;

use ciba_core::{
    Failure, Stage,
    error::{LostAnswer, UnreachableTarget},
    http::Endpoint,
};
use ciba_tests::{
    model::Say,
    sim::{Question, Said, Setup, Sim},
};

const PENDING: Say = Say::Pending(None, None);

/// Returns whether the outcome is unknown for this reason.
fn lost_to(failure: &Failure, what: LostAnswer) -> bool {
    matches!(failure, Failure::Indeterminate(why) if why.lost == what)
}

/// A key that is briefly unavailable is retried; one that remains unavailable ends the flow with a
/// reason.
#[test]
fn an_unavailable_private_key_is_asked_again_and_then_ends_the_flow() {
    // Before anything is sent, the attempts follow each other sooner, because no prompt is open
    // yet.
    for was_sent in [false, true] {
        let mut sim = Sim::new(Setup::new(5, 600));
        if was_sent {
            sim.run();
            sim.lose();
        }
        let mut asked_at = Vec::new();
        for failures in 1..=3 {
            let asked = loop {
                match sim.poll() {
                    Said::Wait(wait) => sim.advance_to(wait.until()),
                    Said::Key => break sim.open.take().expect("a signature"),
                    said => panic!("{said:?}"),
                }
            };
            asked_at.push(sim.elapsed());
            sim.key_unavailable(asked);
            assert_eq!(sim.flow.stage() == Stage::Settled, failures == 3);
        }
        if !was_sent {
            assert_eq!(asked_at, [0, 1_000, 5_000]);
        }
        assert_eq!(sim.poll(), Said::Done);
        let failure = sim.finish().expect_err("the key is away");
        match was_sent {
            // The person was prompted, and the decision is unknown.
            true => assert!(lost_to(&failure, LostAnswer::PrivateKey), "{failure:?}"),
            false => {
                assert!(
                    matches!(failure, Failure::Unreachable(why) if why.target == UnreachableTarget::PrivateKey)
                )
            }
        }
    }
}

/// A missing signature is requested again, with another `jti`, after the timeout and a pause. The
/// late one is ignored, and the third consecutive failure is the last.
/// REQ-POLL-26
#[test]
fn a_missing_signature_is_requested_again() {
    for is_made in [true, false] {
        let mut setup = Setup::new(5, 600);
        setup.policy.local_timeout = Duration::from_secs(20);
        let mut sim = Sim::new(setup);
        assert_eq!(sim.poll(), Said::Key);
        let first = sim.open.take().expect("a signature");
        let again = |sim: &mut Sim| loop {
            match sim.poll() {
                Said::Wait(wait) => sim.advance_to(wait.until()),
                said => break said,
            }
        };
        assert_eq!((again(&mut sim), sim.elapsed()), (Said::Key, 21_000));
        sim.sign(first);
        assert!(
            matches!(sim.poll(), Said::Wait(_)),
            "the late signature belongs to another assertion"
        );
        if is_made {
            let second = sim.open.take().expect("a signature");
            sim.sign(second);
            assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
            sim.answer(PENDING);
            assert_eq!(sim.flow.stage(), Stage::Pending);
        } else {
            assert_eq!((again(&mut sim), sim.elapsed()), (Said::Key, 45_000));
            assert_eq!((again(&mut sim), sim.elapsed()), (Said::Done, 65_000));
            assert_eq!(sim.op.prompts, 0);
        }
    }
}

/// A signature that took more than half of the assertion's life is not sent: the provider could
/// find it expired.
#[test]
fn an_assertion_past_half_of_its_lifetime_is_replaced() {
    for (taken, said) in
        [(30_000, Said::Transmit(Endpoint::BackchannelAuthentication)), (30_001, Said::Key)]
    {
        let mut sim = Sim::new(Setup::new(5, 600));
        assert_eq!(sim.poll(), Said::Key);
        sim.advance(taken);
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
        if let Said::Wait(wait) = sim.poll() {
            sim.advance_to(wait.until());
            sim.poll();
        }
        let asked = sim.open.as_ref().map(|asked| match asked.question {
            Question::Transmit(ref transmit) => Said::Transmit(transmit.endpoint()),
            Question::Sent { ref sending, .. } => Said::Transmit(sending.transmit().endpoint()),
            Question::Key(_) => Said::Key,
            Question::KeySet(_) => Said::KeySet,
        });
        assert_eq!(asked, Some(said), "after {taken} ms");
    }
}
