//! What the flow should know and when the next token request is due, computed from the rules and not from the code.

use ciba_core::{DeliveryMode, IntervalReference};

use super::{GRACE, JITTER, Setup};
use crate::model::Say;

/// Later than any deadline.
pub(super) const NEVER: u64 = u64::MAX;
/// How long a flow adrift waits when no lifetime was asked for.
const ADRIFT: u64 = 600_000;

/// What the flow should know, computed beside it.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirror {
    pub(super) wall: u64,
    pub(super) line: u64,
    pub(super) open: Option<OpenQuestion>,
    pub(super) grant: Option<Grant>,
    /// A 200 was taken, or a push of tokens.
    pub(super) redeemed: bool,
    /// After this what was signed for the next request is stale.
    pub(super) draft: Option<u64>,
    /// Key operations in a row that brought nothing before the authentication request; not saved.
    pub(super) unsigned: u32,
    /// When the authentication request was first sent.
    pub(super) first_sent: Option<u64>,
    /// Since when, and until when a notification is waited for though the acknowledgement is lost.
    pub(super) adrift: Option<(u64, u64)>,
    pub(super) mail: Mail,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenQuestion {
    pub(super) id: u64,
    pub(super) kind: Kind,
    pub(super) sent: u64,
    pub(super) limit: u64,
    /// After this what was signed for it is too old to be sent.
    pub(super) stale: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Authentication,
    Token,
    Signature,
    Keys,
}

/// What the flow should know of its notifications.
#[derive(Debug, Clone, Default)]
pub(super) struct Mail {
    /// The number of the request's id, once it is known.
    pub(super) id: Option<u8>,
    /// The last moment at which notifications are taken.
    pub(super) until: Option<u64>,
    /// What came before the acknowledgement.
    pub(super) early: Vec<(u8, Delivered)>,
}

/// What a notification delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    Ping,
    Tokens,
    Error,
}

#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) interval: u64,
    pub(super) sent: u64,
    pub(super) deadline: u64,
    pub(super) setbacks: u32,
    pub(super) key_failures: u32,
    /// A notification was taken.
    pub(super) pinged: bool,
    /// It came while a request was being made, so another one may follow at once.
    pub(super) owes: bool,
    /// The bounds of the next request on the client's line.
    pub(super) due: (u64, u64),
}

pub(super) enum Outcome {
    Answer(Say),
    Lost { waited: u64 },
    NotSent,
    Resumed,
}

impl Mirror {
    /// The acknowledgement does not come any more. Says what a notification that came early delivers now.
    pub(super) fn loses_acknowledgement(&mut self, sent: u64, setup: &Setup) -> Option<Delivered> {
        if setup.delivery == DeliveryMode::Poll {
            return None;
        }
        let until = sent + setup.requested_expiry.map_or(ADRIFT, |seconds| seconds * 1000);
        self.adrift = Some((sent, until));
        if self.mail.early.is_empty() {
            self.mail.until = Some(until + GRACE);
            return None;
        }
        let (id, delivered) = self.mail.early[0];
        self.adopts(id, setup);
        Some(delivered)
    }

    /// A notification names the request whose acknowledgement was lost.
    pub(super) fn adopts(&mut self, id: u8, setup: &Setup) {
        let (sent, until) = self.adrift.expect("it is adrift");
        self.grant = Some(Grant::new(5000, until - sent, sent, self.line, setup));
        self.is_named(id);
    }

    /// The acknowledgement came. Says what a notification that came early delivers now.
    pub(super) fn is_acknowledged(&mut self, sent: u64, setup: &Setup) -> Option<Delivered> {
        self.grant = Some(Grant::new(setup.effective_interval, setup.expires_in * 1000, sent, self.line, setup));
        let early = std::mem::take(&mut self.mail.early);
        if setup.delivery != DeliveryMode::Poll {
            self.is_named(0);
        }
        early.iter().find(|(id, _)| *id == 0).map(|(_, delivered)| *delivered)
    }

    fn is_named(&mut self, id: u8) {
        let grant = self.grant.as_ref().expect("there is one");
        self.mail = Mail { id: Some(id), until: Some(grant.deadline + GRACE), early: Vec::new() };
    }
}

impl Grant {
    fn new(interval: u64, lifetime: u64, sent: u64, now: u64, setup: &Setup) -> Self {
        let mut grant = Self {
            interval,
            sent,
            deadline: sent + lifetime,
            setbacks: 0,
            key_failures: 0,
            pinged: false,
            owes: false,
            due: (NEVER, NEVER),
        };
        let due = now + interval;
        grant.due = match setup.delivery {
            DeliveryMode::Push => (NEVER, NEVER),
            DeliveryMode::Ping => {
                let last = grant.last_chance();
                let one = |due: u64| match due >= grant.deadline && setup.policy.ping_backstop && now < last {
                    true => last,
                    false => due,
                };
                let (earliest, latest) = grant.backstop(now, setup);
                (one(earliest), one(latest))
            }
            DeliveryMode::Poll if due < grant.deadline => grant.jittered(due),
            DeliveryMode::Poll => {
                let last = grant.last_chance().max(now);
                (last, last)
            }
        };
        grant
    }

    /// When waiting ends without tokens.
    pub(super) fn ends(&self, delivery: DeliveryMode) -> u64 {
        if delivery == DeliveryMode::Push { self.deadline + GRACE } else { self.deadline }
    }

    /// A verified notification skips the wait.
    pub(super) fn is_pinged(&mut self, now: Option<u64>) {
        (self.pinged, self.owes) = (true, true);
        if let Some(now) = now {
            self.due = (now, now);
        }
    }

    /// Without a ping: every minute, or half of the lifetime if that is less, and once shortly before the deadline, never
    /// sooner than an interval from now.
    fn backstop(&self, now: u64, setup: &Setup) -> (u64, u64) {
        let last = self.last_chance();
        if !setup.policy.ping_backstop || now >= last {
            return (NEVER, NEVER);
        }
        let regular = now + 60_000.min((self.deadline - self.sent) / 2).max(self.interval);
        let or_last = |due: u64| if due < last { due } else { last.max(now + self.interval) };
        (or_last(regular), or_last(regular + JITTER))
    }

    fn last_chance(&self) -> u64 {
        self.deadline - 5000.min((self.deadline - self.sent) / 10)
    }

    fn jittered(&self, due: u64) -> (u64, u64) {
        (due, if due < self.deadline { (due + JITTER).min(self.deadline - 1) } else { due + JITTER })
    }

    /// The rules of CIBA 7.3, 10.1 and 11 and of rulings 1 and 3, for a request that was sent at `sent` and ended now.
    pub(super) fn ended(&mut self, outcome: &Outcome, sent: u64, now: u64, setup: &Setup) {
        let spaced = self.spaced(outcome, sent, now, setup);
        let is_ping = setup.delivery == DeliveryMode::Ping;
        self.due = match outcome {
            Outcome::Answer(Say::Pending(None, _)) if is_ping && self.owes => {
                self.owes = false;
                (now, now)
            }
            Outcome::Answer(Say::Pending(..) | Say::SlowDown(..)) if is_ping && !self.pinged => {
                let backstop = self.backstop(now, setup);
                (spaced.0.max(backstop.0), spaced.1.max(backstop.1))
            }
            _ => spaced,
        };
    }

    fn spaced(&mut self, outcome: &Outcome, sent: u64, now: u64, setup: &Setup) -> (u64, u64) {
        let from_send = matches!(setup.policy.interval_reference, IntervalReference::Send);
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
        match (asked, doublings) {
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
        }
    }
}
