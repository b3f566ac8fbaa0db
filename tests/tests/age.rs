//! Tokens that were received long ago are not accepted as a current authentication, and the time at
//! which a request expires is reported.
#![allow(missing_docs)]

use ciba_core::{
    DeliveryMode, Failure, Flow, Stage, Timestamp, http::Endpoint,
    notification::NotificationVerdict,
};
use ciba_tests::{
    callback::Callback,
    model::{Forgery, Say},
    sim::{START, Said, Setup, Sim},
};

const DAY: u64 = 86_400_000;
/// The deadline of the flows here.
const DEADLINE: u64 = 600_000;
const TOKENS: Say = Say::Tokens(Forgery::None);

fn redeemed() -> Sim {
    let mut sim = Sim::new(Setup::new(5, DEADLINE / 1000));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.answer(TOKENS);
    sim.save();
    sim
}

fn verified() -> Sim {
    let mut sim = redeemed();
    assert_eq!(sim.run(), Said::Done);
    sim
}

fn pushed(early: bool) -> Sim {
    let mut sim = Sim::new(Setup::new(5, DEADLINE / 1000).delivered(DeliveryMode::Push));
    while sim.poll() != Said::Transmit(Endpoint::BackchannelAuthentication) {
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
    }
    sim.perform(TOKENS);
    if !early {
        let asked = sim.open.take().expect("in flight");
        sim.deliver(asked);
    }
    assert_eq!(sim.notify(Callback::tokens(Forgery::None)), NotificationVerdict::Accepted);
    if early {
        let asked = sim.open.take().expect("in flight");
        sim.deliver(asked);
        sim.save();
    }
    sim
}

#[test]
fn an_authentication_is_returned_until_a_day_after_its_deadline() {
    for state in [redeemed, verified, || pushed(false), || pushed(true)] {
        for (late, is_taken) in [(0, true), (DAY, true), (DAY + 1, false), (7 * DAY, false)] {
            let mut sim = state();
            let received_at = sim.now();
            sim.advance(DEADLINE + late - sim.elapsed());
            sim.crash();
            assert_eq!(sim.run(), Said::Done);
            let requests = sim.op.token_requests;
            assert!(requests <= 1, "nothing is requested again");
            match (is_taken, sim.finish()) {
                (true, Ok(found)) => assert_eq!(found.received_at(), received_at),
                (false, Err(failure)) => assert_eq!(failure, Failure::Expired(None)),
                (_, found) => panic!("{late}: {found:?}"),
            }
        }
    }
}

/// A flow that waits for keys for that long, because it was not polled, ends the same way.
#[test]
fn tokens_that_wait_too_long_for_keys_expire() {
    let mut sim = redeemed();
    assert_eq!(sim.poll(), Said::KeySet);
    sim.advance(DEADLINE + DAY);
    assert_eq!(sim.poll(), Said::Done);
    assert_eq!(sim.finish().expect_err("too old"), Failure::Expired(None));
}

/// Snapshots of the first releases do not contain the deadline of the tokens. The time of receipt
/// is used instead.
#[test]
fn tokens_saved_by_an_earlier_release_count_from_their_receipt() {
    let sim = redeemed();
    let received = sim.now().unix_millis();
    let saved = String::from_utf8(sim.flow.snapshot().as_bytes().to_vec()).expect("UTF-8");
    let member = format!(",\"deadline\":{DEADLINE}");
    assert!(saved.contains(&member), "{saved}");
    let stretched = format!(",\"deadline\":{}", u64::MAX);
    for (text, late, stage) in [
        (saved.replace(&member, ""), DAY, Stage::Verifying),
        (saved.replace(&member, ""), DAY + 1, Stage::Settled),
        (saved.replace(&member, &stretched), 2 * DAY + 1, Stage::Settled),
    ] {
        let now = Timestamp::from_unix_millis(received + late);
        let flow = Flow::resume(sim.config.clone(), text.as_bytes(), now).expect("it resumes");
        assert_eq!(flow.stage(), stage, "{late}");
    }
}

#[test]
fn a_flow_says_when_its_request_expires() {
    let at = |millis| Some(Timestamp::from_unix_millis(START + millis));
    let mut sim = Sim::new(Setup::new(5, DEADLINE / 1000));
    assert_eq!(sim.flow.expires_at(), None);
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    assert_eq!(sim.flow.expires_at(), at(DEADLINE));
    sim.advance(1_000);
    sim.crash();
    assert_eq!(sim.flow.expires_at(), at(DEADLINE));
    // A clock that is set back moves it as well.
    sim.set_clock(-10_000);
    sim.poll();
    assert_eq!(sim.flow.expires_at(), at(DEADLINE - 10_000));
    sim.cancel();
    assert_eq!(sim.flow.expires_at(), None);
    assert_eq!(verified().flow.expires_at(), at(DEADLINE));
    let mut sim = Sim::new(Setup::new(5, 600).delivered(DeliveryMode::Ping));
    while sim.poll() != Said::Transmit(Endpoint::BackchannelAuthentication) {
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
    }
    sim.lose();
    assert_eq!((sim.flow.stage(), sim.flow.expires_at()), (Stage::Adrift, at(600_000)));
}
