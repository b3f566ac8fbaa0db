//! When the next token request is due, computed from the rules and not from the code.

use ciba_core::{IntervalReference, Policy};

use super::{JITTER, Setup};
use crate::model::Say;

/// What the flow should know, computed beside it.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    pub(super) wall: u64,
    pub(super) line: u64,
    pub(super) open: Option<OpenQuestion>,
    pub(super) grant: Option<Grant>,
    /// A 200 was taken.
    pub(super) redeemed: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenQuestion {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) sent: u64,
    pub(super) limit: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Authentication,
    Token,
    Signature,
    Keys,
}

#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) interval: u64,
    pub(super) sent: u64,
    pub(super) deadline: u64,
    pub(super) setbacks: u32,
    pub(super) key_failures: u32,
    /// The bounds of the next request on the client's line.
    pub(super) due: (u64, u64),
}

pub(super) enum Outcome {
    Answer(Say),
    Lost { waited: u64 },
    NotSent,
    Resumed,
}

impl Grant {
    pub(super) fn first(setup: &Setup, sent: u64, now: u64) -> Self {
        let (interval, lifetime) = (setup.effective_interval, setup.expires_in * 1000);
        let mut grant = Self { interval, sent, deadline: sent + lifetime, setbacks: 0, key_failures: 0, due: (0, 0) };
        let due = now + interval;
        grant.due = if due < grant.deadline {
            grant.jittered(due)
        } else {
            let last = grant.last_chance().max(now);
            (last, last)
        };
        grant
    }

    fn last_chance(&self) -> u64 {
        self.deadline - 5000.min((self.deadline - self.sent) / 10)
    }

    fn jittered(&self, due: u64) -> (u64, u64) {
        (due, if due < self.deadline { (due + JITTER).min(self.deadline - 1) } else { due + JITTER })
    }

    /// The rules of CIBA 7.3, 10.1 and 11 and of rulings 1 and 3, for a request that was sent at `sent` and ended now.
    pub(super) fn ended(&mut self, outcome: &Outcome, sent: u64, now: u64, policy: &Policy) {
        let from_send = matches!(policy.interval_reference, IntervalReference::Send);
        let (mut asked, mut doublings) = (None, None);
        match *outcome {
            Outcome::Answer(Say::Pending(retry_after, interval)) => {
                self.interval = self.interval.max(interval.unwrap_or(0) * 1000);
                (asked, self.setbacks) = (retry_after, 0);
            }
            Outcome::Answer(Say::SlowDown(retry_after, interval)) => {
                self.interval = (self.interval + 5000).max(interval.unwrap_or(0) * 1000);
                (asked, self.setbacks) = (retry_after, 0);
            }
            Outcome::Answer(Say::Busy(_, retry_after)) => {
                doublings = retry_after.is_none().then_some(self.setbacks);
                asked = retry_after;
                self.setbacks += 1;
            }
            Outcome::Lost { waited } if waited >= 30_000 => {}
            Outcome::Lost { .. } | Outcome::NotSent => {
                self.setbacks += 1;
                doublings = Some(self.setbacks);
            }
            Outcome::Answer(_) | Outcome::Resumed => {}
        }
        let floor = (if from_send { sent } else { now } + self.interval).max(now);
        self.due = match (asked, doublings) {
            (Some(asked), _) => self.jittered(floor.max(now + asked * 1000)),
            (None, Some(doublings)) => {
                let wait = (self.interval.max(5000) << doublings.min(8)).min(60_000).max(self.interval);
                let due = floor.max(now + wait);
                if due == floor || due < self.deadline {
                    self.jittered(due)
                } else {
                    let last = floor.max(self.last_chance());
                    (last, last)
                }
            }
            (None, None) => self.jittered(floor),
        };
    }
}
