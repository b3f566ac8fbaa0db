//! Late answers: a late 200 counts, every other late answer is ignored.
#![allow(missing_docs)]

use ciba_core::{DeliveryMode, Failure, Stage, http::Endpoint, notification::NotificationVerdict};
use ciba_tests::{
    callback::Callback,
    model::{Forgery, Say},
    sim::{Said, Setup, Sim},
};

const PENDING: Say = Say::Pending(None, None);
const TOKENS: Say = Say::Tokens(Forgery::None);
const TOKEN: Said = Said::Transmit(Endpoint::Token);

/// Returns a flow whose first token request is open.
fn at_first_request(setup: Setup) -> Sim {
    let mut sim = Sim::new(setup);
    assert_eq!(sim.run(), TOKEN);
    sim
}

/// REQ-POLL-29
#[test]
fn late_tokens_are_accepted_and_other_late_answers_are_not() {
    for (say, second_request) in
        [(TOKENS, false), (TOKENS, true), (PENDING, true), (Say::Error("access_denied"), true)]
    {
        let mut sim = at_first_request(Setup::new(5, 600));
        sim.perform(say);
        let first = sim.open.take().expect("in flight");
        sim.advance(41_000);
        assert!(matches!(sim.poll(), Said::Wait(_)), "counted as lost");
        if second_request {
            assert_eq!(sim.run(), TOKEN);
        }
        sim.deliver(first);
        match say {
            Say::Tokens(_) => {
                assert_eq!(sim.flow.stage(), Stage::Verifying);
                assert_eq!(sim.run(), Said::Done);
                assert!(sim.finish().is_ok());
            }
            _ => assert_eq!(sim.flow.stage(), Stage::Redeeming),
        }
    }
}

/// Ruling 11: after a 200 the token endpoint is not asked again, even if the 200 is late and
/// unusable.
///
/// REQ-POLL-30
#[test]
fn a_late_unusable_200_ends_the_flow() {
    for say in [Say::Garbage, Say::Tokens(Forgery::Missing)] {
        let mut sim = at_first_request(Setup::new(5, 600));
        sim.perform(say);
        let first = sim.open.take().expect("in flight");
        sim.advance(41_000);
        assert!(matches!(sim.poll(), Said::Wait(_)), "counted as lost");
        sim.deliver(first);
        assert_eq!(sim.run(), Said::Done);
        assert!(matches!(sim.finish(), Err(Failure::ProviderMisbehaved(_))), "{say:?}");
    }
}

/// A late acknowledgement is not an answer to a token request, although its status is 200. Before a
/// notification names the request, it is accepted.
///
/// REQ-AREQ-30a
#[test]
fn a_late_acknowledgement_is_never_read_as_a_token_response() {
    for delivery in [DeliveryMode::Ping, DeliveryMode::Push] {
        for pings in [0, 1, 2] {
            let mut sim = Sim::new(Setup::new(5, 600).delivered(delivery));
            while sim.poll() != Said::Transmit(Endpoint::BackchannelAuthentication) {
                let asked = sim.open.take().expect("a signature");
                sim.sign(asked);
            }
            sim.perform(PENDING);
            let acknowledgement = sim.open.take().expect("in flight");
            sim.advance(31_000);
            sim.poll();
            assert_eq!(sim.flow.stage(), Stage::Adrift);
            let callback = if delivery == DeliveryMode::Ping {
                Callback::PING
            } else {
                Callback::tokens(Forgery::None)
            };
            if pings > 0 {
                assert_eq!(sim.notify(callback), NotificationVerdict::Accepted);
            }
            if pings > 1 {
                sim.poll();
            }
            let before = sim.flow.stage();
            sim.deliver(acknowledgement);
            assert_eq!(sim.flow.stage(), if pings == 0 { Stage::Pending } else { before });
            if pings == 0 {
                assert_eq!(sim.notify(callback), NotificationVerdict::Accepted);
            }
            if sim.run() == TOKEN {
                sim.answer(TOKENS);
                assert_eq!(sim.run(), Said::Done);
            }
            assert!(sim.finish().is_ok(), "{delivery:?}, {pings} notifications");
        }
    }
}
