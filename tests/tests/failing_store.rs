//! The crash table with a store that fails: at each save in turn, and from each save on. The person
//! is never prompted twice, no login is lost that the store can preserve, and nothing is concluded
//! that was not saved.
#![allow(missing_docs)]

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use ciba_core::{
    DeliveryMode, Failure, Stage, error::Setback, http::Endpoint, machine::WaitReason,
    notification::NotificationVerdict,
};
use ciba_tests::{
    callback::{Callback, Content},
    model::{Forgery, Say},
    sim::{Fails, Question, Said, Setup, Sim},
};

const SCRIPT: [Say; 3] =
    [Say::Pending(None, None), Say::Busy(503, None), Say::Tokens(Forgery::None)];
/// When the provider calls, in milliseconds; before the backstop.
const CALLS_AT: u64 = 20_000;
const NEVER: usize = usize::MAX;

#[derive(Debug, Clone, Copy)]
struct Plan {
    delivery: DeliveryMode,
    fails: Fails,
    /// The output at which the process dies.
    die_at: usize,
    /// Whether that output was performed.
    done: bool,
    /// Whether the store works again for the process that resumes.
    is_mended: bool,
}

/// What the store contained when the process died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    /// The request was not sent, as far as the store knows.
    Unsent,
    /// It may have been sent.
    MaybeSent,
    Pending,
    Tokens,
}

impl Kept {
    fn of(sim: &Sim) -> Self {
        let text = String::from_utf8_lossy(sim.kept());
        if text.contains("\"verifying\":") {
            Self::Tokens
        } else if text.contains("\"pending\":") {
            Self::Pending
        } else if text.contains("\"authorizing\":") && text.contains("\"in_flight\":false") {
            Self::Unsent
        } else {
            Self::MaybeSent
        }
    }
}

struct Life {
    sim: Sim,
    outputs: usize,
    died: Option<(Kept, bool)>,
    /// The store stopped the flow permanently.
    is_stopped: bool,
}

impl Plan {
    fn callback(&self) -> Callback {
        match self.delivery {
            DeliveryMode::Push => Callback::tokens(Forgery::None),
            DeliveryMode::Poll | DeliveryMode::Ping => Callback::PING,
        }
    }

    fn live(&self) -> Life {
        let mut sim = Sim::new(Setup::new(5, 600).delivered(self.delivery));
        sim.fail(self.fails);
        let mut life = Life { sim, outputs: 0, died: None, is_stopped: false };
        // The provider calls until its notification is acknowledged.
        let mut is_heard = self.delivery == DeliveryMode::Poll;
        let mut stops = 0;
        loop {
            let Life { sim, outputs, died, is_stopped } = &mut life;
            let say = SCRIPT[usize::try_from(sim.op.token_requests).expect("few").min(2)];
            let calls = !is_heard && sim.op.prompts == 1 && sim.elapsed() >= CALLS_AT;
            if calls && sim.flow.stage() != Stage::Authorizing {
                is_heard = sim.notify(self.callback()) != NotificationVerdict::Unsaved;
            }
            let said = sim.poll();
            *outputs += 1;
            if *outputs == self.die_at {
                if self.done {
                    sim.perform(say);
                }
                sim.advance(700);
                *died = Some((Kept::of(sim), sim.op.is_redeemed()));
                if self.is_mended {
                    sim.fail(Fails::Never);
                }
                sim.crash();
                continue;
            }
            match said {
                Said::Wait(_) if !is_heard && sim.op.prompts == 1 && sim.elapsed() < CALLS_AT => {
                    sim.advance(CALLS_AT - sim.elapsed());
                }
                Said::Wait(wait)
                    if matches!(wait.reason(), WaitReason::Setback(Setback::NotSaved)) =>
                {
                    sim.advance_to(wait.until());
                    stops += 1;
                }
                Said::Wait(wait) if !is_heard => {
                    sim.advance(1000.min(wait.until().since(sim.now()).as_millis() as u64))
                }
                Said::Wait(wait) => sim.advance_to(wait.until()),
                Said::Save => unreachable!("the process lives"),
                Said::Done => return life,
                Said::Key | Said::KeySet | Said::Transmit(_) => {
                    sim.perform(say);
                    match sim.open.take() {
                        Some(asked) => match asked.question {
                            Question::Transmit(_) | Question::Sent { .. } => sim.deliver(asked),
                            Question::Key(_) => sim.sign(asked),
                            Question::KeySet(_) => sim.find_keys(asked, true),
                        },
                        None => assert!(matches!(said, Said::Transmit(_)), "too late to be sent"),
                    }
                }
            }
            if stops > 3 {
                *is_stopped = true;
                return life;
            }
        }
    }

    /// Runs a flow and returns how it ended.
    fn ends(&self) -> (Life, &'static str) {
        let life = self.live();
        let prompts = life.sim.op.prompts;
        let Life { sim, outputs, died, is_stopped } = life;
        if is_stopped {
            assert_eq!(prompts, 0, "{self:?}: stopped after the prompt");
            return (Life { sim, outputs, died, is_stopped }, "stopped");
        }
        let ended = Sim::new(Setup::new(5, 600));
        let result = sim.finish();
        let name = result.as_ref().map_or_else(Failure::name, |_| "authenticated");
        (Life { sim: ended, outputs, died, is_stopped }, name)
    }
}

fn all_fails(most: usize) -> impl Iterator<Item = Fails> {
    (1..=most).flat_map(|save| [Fails::Once(save), Fails::From(save)])
}

/// Ruling 26. Without a crash, a failing store can prevent a prompt and nothing else.
///
/// REQ-AREQ-30a
#[test]
fn a_failing_store_does_not_prevent_a_login_that_has_started() {
    for delivery in DeliveryMode::ALL {
        let mut endings = BTreeSet::new();
        for fails in all_fails(16) {
            let plan = Plan { delivery, fails, die_at: NEVER, done: false, is_mended: false };
            let (_, ending) = plan.ends();
            // The first save is that of the started flow, the second that of a request that is
            // about to be sent.
            let may_prompt = !matches!(fails, Fails::From(1 | 2));
            let is_right = match ending {
                "authenticated" => may_prompt,
                // The request could not be saved, so it was not sent, and the flow gives up after
                // some attempts.
                "stopped" | "unreachable" => !may_prompt,
                _ => false,
            };
            assert!(is_right, "{plan:?}: {ending}");
            endings.insert(ending);
        }
        assert!(endings.len() > 1, "{endings:?}");
    }
}

/// Ruling 26. Nothing waits for these saves, so a store that is down is tried once a second at most,
/// however often the flow is polled; and at once when there are tokens, which exist nowhere else.
#[test]
fn a_store_that_is_down_is_not_tried_at_every_step() {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.answer(SCRIPT[0]);
    sim.fail(Fails::From(1));
    let mut tried = Vec::new();
    while sim.elapsed() < 60_000 || sim.open.is_none() {
        let before = sim.saves();
        let said = sim.poll();
        if sim.saves() > before {
            assert_eq!(sim.saves(), before + 1, "{said:?}");
            tried.push(sim.elapsed());
        }
        match said {
            Said::Wait(_) => sim.advance(100),
            Said::Transmit(_) if sim.elapsed() < 60_000 => sim.answer(SCRIPT[0]),
            Said::Transmit(_) => {}
            Said::Key | Said::KeySet => {
                let asked = sim.open.take().expect("it is asked");
                match asked.question {
                    Question::Key(_) => sim.sign(asked),
                    _ => sim.find_keys(asked, true),
                }
            }
            said => panic!("{said:?}"),
        }
    }
    assert!(tried.len() > 20, "it is tried again: {tried:?}");
    assert!(tried.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{tried:?}");
    let before = sim.saves();
    sim.answer(SCRIPT[2]);
    assert_ne!(sim.poll(), Said::Save);
    assert!(sim.saves() > before, "the tokens are offered to the store");
}

/// REQ-AREQ-30a
/// REQ-POLL-11
#[test]
fn a_flow_killed_with_a_failing_store_claims_only_what_it_knows() {
    let mut seen = BTreeSet::new();
    for (delivery, done, is_mended) in DeliveryMode::ALL.into_iter().flat_map(|mode| {
        [(mode, false, true), (mode, true, true), (mode, false, false), (mode, true, false)]
    }) {
        for fails in all_fails(8) {
            for die_at in 1.. {
                let plan = Plan { delivery, fails, die_at, done, is_mended };
                let (life, ending) = plan.ends();
                let Some((kept, is_redeemed)) = life.died else {
                    assert!(die_at > 2 && life.outputs < die_at, "{plan:?}");
                    break;
                };
                let expected: &[&str] = match (kept, delivery) {
                    (Kept::Tokens, _) => &["authenticated"],
                    // The tokens may have been issued to the dead process. If they were not,
                    // nothing is lost.
                    (Kept::Pending, _) if is_redeemed => &["indeterminate"],
                    (Kept::Pending, _) => &["authenticated"],
                    (Kept::MaybeSent, DeliveryMode::Poll) => &["indeterminate"],
                    (Kept::MaybeSent, _) if is_redeemed => &["indeterminate"],
                    // A notification saves the login, unless the request was never sent or the
                    // provider's notification was acknowledged before.
                    (Kept::MaybeSent, _) => &["authenticated", "indeterminate"],
                    (Kept::Unsent, _) if is_mended => &["authenticated"],
                    (Kept::Unsent, _) => &["authenticated", "stopped", "unreachable"],
                };
                assert!(expected.contains(&ending), "{plan:?} {kept:?} {is_redeemed}: {ending}");
                seen.insert((delivery.name(), kept, is_redeemed));
            }
        }
    }
    let modes = |kept| seen.iter().filter(|(_, seen, _)| *seen == kept).count();
    let counts = [Kept::Unsent, Kept::MaybeSent, Kept::Pending, Kept::Tokens].map(modes);
    // In push mode no tokens are issued for a request. Poll and ping cover every row with and
    // without.
    assert_eq!(counts, [3, 5, 5, 3], "every row occurred: {seen:?}");
}

/// A process resumes a state, cannot save and dies; the next one sends the request. The writes of
/// the first arrive only then.
///
/// REQ-AREQ-30a
#[test]
fn late_writes_of_a_dead_process_do_not_replace_the_state_of_a_later_one() {
    // The writes that an even earlier process leaves, which arrive while the first one runs.
    for earlier in 0..=2 {
        let mut sim = Sim::new(Setup::new(5, 600));
        for _ in 0..earlier {
            sim.advance(10_000);
            sim.poll_and_abandon();
        }
        sim.advance(1000);
        sim.crash();
        for _ in earlier..3 {
            sim.poll_and_abandon();
        }
        for _ in 0..earlier {
            sim.land();
        }
        sim.advance(1);
        sim.crash();
        assert_eq!(sim.poll(), Said::Key);
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
        assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
        sim.perform(SCRIPT[0]);
        let sent = sim.kept().to_vec();
        for _ in earlier..3 {
            sim.land();
        }
        assert!(sim.kept() == sent, "{earlier}: an older state replaced that of the request");
        sim.crash();
        assert_eq!(sim.run(), Said::Done);
        assert_eq!((sim.op.prompts, sim.finish().expect_err("lost").name()), (1, "indeterminate"));
    }
}

/// Writes land late: an abandoned one does not contain the request that was sent since.
fn a_late_write(is_careless: bool) -> Result<(), String> {
    let mut sim = Sim::new(Setup::new(5, 600));
    if is_careless {
        sim.become_careless();
    }
    let signed = |sim: &mut Sim| {
        assert_eq!(sim.poll(), Said::Key);
        let asked = sim.open.take().expect("a signature");
        sim.sign(asked);
    };
    signed(&mut sim);
    assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
    sim.not_sent();
    sim.poll_and_abandon();
    sim.advance(2_000);
    signed(&mut sim);
    assert_eq!(sim.poll(), Said::Transmit(Endpoint::BackchannelAuthentication));
    sim.answer(SCRIPT[0]);
    sim.land();
    sim.crash();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        while !matches!(sim.run(), Said::Done) {
            sim.answer(SCRIPT[2]);
        }
        sim.finish()
    }));
    match ended {
        Err(_) => Err("a rule was broken".into()),
        Ok(Err(Failure::Indeterminate(_))) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
    }
}

/// `Snapshot::revision`: a store that overwrites newer states with older ones causes a second
/// prompt.
///
/// REQ-AREQ-30a
#[test]
fn a_store_that_ignores_revisions_prompts_a_person_twice() {
    assert_eq!(a_late_write(false), Ok(()));
    assert_eq!(a_late_write(true), Err("a rule was broken".into()));
}

/// A late write of an earlier process is older than the saves of a later one.
#[test]
fn a_late_write_from_before_a_restart_never_replaces_a_later_state() {
    let mut sim = Sim::new(Setup::new(5, 600));
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    sim.answer(SCRIPT[0]);
    sim.poll_and_abandon();
    sim.crash();
    assert_eq!(sim.run(), Said::Transmit(Endpoint::Token));
    let saved = sim.kept().to_vec();
    sim.land();
    assert_eq!(sim.kept(), saved);
}

/// The caller is dropped during the save after the acknowledgement, while the request for keys
/// ahead of time is held back. Before the next poll, a notification ends the flow.
#[test]
fn a_flow_that_ended_during_a_save_returns_no_delayed_output() {
    let mut sim = Sim::new(Setup::new(5, 600).delivered(DeliveryMode::Push));
    while sim.flow.stage() == Stage::Authorizing {
        match sim.poll() {
            Said::Key => {
                let asked = sim.open.take().expect("a signature is requested");
                sim.sign(asked);
            }
            Said::Transmit(_) => sim.answer(Say::Pending(None, None)),
            said => panic!("{said:?}"),
        }
    }
    sim.poll_and_abandon();
    let denied = Callback { content: Content::Error("access_denied"), ..Callback::PING };
    assert_eq!(sim.notify(denied), NotificationVerdict::Accepted);
    assert_eq!(sim.flow.stage(), Stage::Settled);
    assert_eq!(sim.poll(), Said::Done);
}
