//! Ping and push, with the process killed at every output and at every notification. Each flow ends
//! as the crash table of `docs/flow.md` promises.
#![allow(missing_docs)]

use std::collections::{BTreeSet, VecDeque};

use ciba_core::{Authentication, DeliveryMode, Failure, Stage, error::LostAnswer, http::Endpoint};
use ciba_tests::{
    callback::{Bearer, Callback},
    model::{Forgery, Say},
    sim::{Question, Said, Setup, Sim},
};

const SCRIPT: [Say; 4] = [
    Say::Pending(None, None),
    Say::SlowDown(None, None),
    Say::Busy(503, None),
    Say::Tokens(Forgery::None),
];

/// When the provider begins to call, in milliseconds; before the backstop.
const CALLS_AT: u64 = 20_000;

/// The parameters in which runs differ.
#[derive(Debug, Clone, Copy)]
struct Plan {
    delivery: DeliveryMode,
    /// Whether the notifications arrive before the acknowledgement.
    overtakes: bool,
    /// Whether the notification is repeated, followed by one with the id of another request.
    repeats: bool,
    /// The event at which the process dies: an output or a notification.
    die_at: usize,
    /// Whether the event was completed: the output performed, the notification saved.
    done: bool,
    /// Whether the provider, which got no answer to its notification, calls again.
    calls_again: bool,
}

/// The event at which a process died.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Output(Said, Stage, Say),
    /// The first genuine notification, or any other.
    Notification {
        is_first: bool,
        stage: Stage,
    },
}

impl Plan {
    fn callbacks(&self) -> VecDeque<Callback> {
        let genuine = match self.delivery {
            DeliveryMode::Push => Callback::tokens(Forgery::None),
            DeliveryMode::Poll | DeliveryMode::Ping => Callback::PING,
        };
        let stranger = Callback { bearer: Bearer::WrongSecret, ..genuine };
        match self.repeats {
            true => [stranger, genuine, genuine, Callback { id: 3, ..genuine }].into(),
            false => [stranger, genuine].into(),
        }
    }

    /// Runs a flow. Returns `None` if it has fewer events.
    fn live(&self) -> (Option<Event>, Sim) {
        let mut sim = Sim::new(Setup::new(5, 600).delivered(self.delivery));
        let mut callbacks = self.callbacks();
        let (mut died_at, mut events, mut genuine) = (None, 0, 0);
        loop {
            let say = SCRIPT[usize::try_from(sim.op.token_requests).expect("few").min(3)];
            let (stage, wake_at) = (sim.flow.stage(), sim.flow.wake_at());
            let is_acknowledged = stage != Stage::Authorizing;
            let calls = sim.op.prompts == 1
                && if is_acknowledged { sim.elapsed() >= CALLS_AT } else { self.overtakes };
            let callback = if calls { callbacks.pop_front() } else { None };
            let dies = events == self.die_at;
            if let Some(callback) = callback {
                events += 1;
                genuine += u32::from(callback.bearer == Bearer::Ours);
                if !dies {
                    let _ = sim.notify(callback);
                    continue;
                }
                let is_first = genuine == 1 && callback.bearer == Bearer::Ours;
                died_at = Some(Event::Notification { is_first, stage });
                if self.done {
                    let _ = sim.notify(callback);
                    sim.advance(700);
                    sim.crash();
                } else {
                    sim.notify_and_die(callback);
                    if stage == Stage::Pending {
                        // As without the notification, except that a flow in ping mode polls as
                        // early as allowed, because it cannot know whether there was one.
                        match self.delivery {
                            DeliveryMode::Ping => assert!(sim.flow.wake_at() <= wake_at),
                            _ => {
                                // The new process requests the keys first.
                                let _ = sim.poll();
                                assert_eq!(sim.flow.wake_at(), wake_at);
                            }
                        }
                        assert_eq!(sim.flow.stage(), stage);
                    }
                }
                if self.calls_again {
                    callbacks.push_front(callback);
                }
                continue;
            }
            if let Some(asked) = sim.open.take() {
                match asked.question {
                    Question::Transmit(_) | Question::Sent { .. } => sim.deliver(asked),
                    Question::Key(_) => sim.sign(asked),
                    Question::KeySet(_) => sim.find_keys(asked, true),
                }
                continue;
            }
            let said = sim.poll();
            events += 1;
            if dies {
                if self.done {
                    sim.perform(say);
                }
                died_at = Some(Event::Output(said, sim.flow.stage(), say));
                sim.advance(700);
                sim.crash();
                continue;
            }
            match said {
                Said::Wait(_)
                    if sim.op.prompts == 1 && !callbacks.is_empty() && sim.elapsed() < CALLS_AT =>
                {
                    sim.advance(CALLS_AT - sim.elapsed());
                }
                Said::Wait(wait) => sim.advance_to(wait.until()),
                Said::Save => panic!("nothing fails here"),
                Said::Done => break,
                Said::Key | Said::KeySet | Said::Transmit(_) => sim.perform(say),
            }
        }
        (died_at, sim)
    }

    /// Returns the row of the crash table and the expected end: authenticated, or this failure.
    fn promise(&self, died_at: &Event) -> (&'static str, Option<&'static str>) {
        let is_push = self.delivery == DeliveryMode::Push;
        match died_at {
            Event::Output(Said::Transmit(Endpoint::BackchannelAuthentication), ..) => {
                ("authentication request sent", (!self.done).then_some("indeterminate"))
            }
            Event::Output(Said::Transmit(_), _, say) => {
                ("token request sent", (self.done && *say == SCRIPT[3]).then_some("indeterminate"))
            }
            Event::Output(Said::Key, Stage::Authorizing, _) => ("start", None),
            Event::Output(Said::Key, ..) => ("about to ask", None),
            Event::Output(Said::Wait(_), ..) => ("pending", None),
            Event::Output(Said::KeySet, ..) => ("tokens received", None),
            Event::Output(Said::Done, ..) => ("verified", None),
            Event::Output(Said::Save, ..) => panic!("nothing fails here"),
            Event::Notification { is_first: true, stage }
                if !self.done && !self.calls_again && !self.repeats =>
            {
                // Its receipt was not acknowledged, and it is not repeated.
                match stage {
                    Stage::Authorizing => {
                        ("notification lost, acknowledgement too", Some("indeterminate"))
                    }
                    _ => ("notification lost", is_push.then_some("indeterminate")),
                }
            }
            Event::Notification { is_first: true, .. } => ("notification taken", None),
            Event::Notification { .. } => ("another notification", None),
        }
    }
}

fn name(result: &Result<Box<Authentication>, Failure>) -> Option<&'static str> {
    result.as_ref().err().map(Failure::name)
}

/// REQ-AREQ-30a
/// REQ-PING-14a
/// REQ-PUSH-19
#[test]
fn ping_and_push_flows_killed_at_any_output_or_notification_end_as_the_crash_table_says() {
    let mut seen = BTreeSet::new();
    for bits in 0..32_u32 {
        let bit = |which: u32| bits & (1 << which) != 0;
        let delivery = if bit(0) { DeliveryMode::Push } else { DeliveryMode::Ping };
        for die_at in 0.. {
            let plan = Plan {
                delivery,
                overtakes: bit(1),
                repeats: bit(2),
                die_at,
                done: bit(3),
                calls_again: bit(4),
            };
            let (died_at, sim) = plan.live();
            let Some(died_at) = died_at else {
                assert!(die_at > 5, "only {die_at} events: {plan:?}");
                break;
            };
            let (row, failure) = plan.promise(&died_at);
            let (prompts, requests) = (sim.op.prompts, sim.op.token_requests);
            let result = sim.finish();
            assert_eq!(name(&result), failure, "{row}: {plan:?} {died_at:?}");
            if let Err(Failure::Indeterminate(why)) = &result {
                let lost = match row {
                    "token request sent" => LostAnswer::Tokens,
                    "notification lost" => LostAnswer::Notification,
                    _ => LostAnswer::AuthenticationRequest,
                };
                assert_eq!(why.lost, lost, "{row}");
            }
            let was_sent = row != "authentication request sent" || plan.done;
            assert_eq!(prompts, u32::from(was_sent), "{row}: {plan:?}");
            assert!(delivery != DeliveryMode::Push || requests == 0, "{row}: a push never asks");
            seen.insert((delivery.name(), row, plan.done));
        }
    }
    let rows = |mode: &str| seen.iter().filter(|(delivery, ..)| *delivery == mode).count();
    // Push has no token request, and what is lost is lost before it was saved.
    assert_eq!(
        (rows("ping"), rows("push")),
        (20, 16),
        "every row occurred, before and after: {seen:?}"
    );
}

/// A notification that was accepted and saved takes effect after a restart although it is not
/// repeated: immediately, not after an interval or a backstop.
#[test]
fn a_ping_that_was_saved_skips_the_wait_after_a_restart_once() {
    let mut sim = Sim::new(Setup::new(5, 600).delivered(DeliveryMode::Ping));
    while sim.flow.stage() != Stage::Pending {
        match sim.poll() {
            Said::Key => {
                let asked = sim.open.take().expect("a signature");
                sim.sign(asked);
            }
            _ => sim.answer(SCRIPT[0]),
        }
    }
    sim.poll();
    sim.advance(1_000);
    let _ = sim.notify(Callback::PING);
    sim.crash();
    let due = sim.elapsed();
    assert_eq!((sim.run(), sim.elapsed()), (Said::Transmit(Endpoint::Token), due));
    sim.crash();
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    assert!((5_000..=5_250).contains(&(sim.elapsed() - due)), "the interval counts again");
}
