//! The reference model: what the flow should know and when the next token request is due, computed
//! from the rules and not from the code.

use ciba_core::{DeliveryMode, config::IntervalReference};

use super::{GRACE, JITTER, Setup};
use crate::model::Say;

/// Later than any deadline.
pub(super) const NEVER: u64 = u64::MAX;
/// How long a flow waits after a lost acknowledgement if no lifetime was requested.
const ADRIFT: u64 = 600_000;

/// How many waits notifications skip in addition to the first one, and the minimum time after the
/// end of the last request.
const PING_SKIPS: u32 = 5;
pub(super) const PING_PAUSE: u64 = 2000;

/// The state that the flow should have.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirror {
    pub(super) wall: u64,
    pub(super) moment: u64,
    pub(super) open: Option<OpenQuestion>,
    pub(super) grant: Option<Grant>,
    /// Whether a 200 or a push of tokens was accepted.
    pub(super) redeemed: bool,
    /// When the signature for the next request becomes stale.
    pub(super) draft: Option<u64>,
    /// The number of consecutive key operations without a signature before the authentication
    /// request; not saved.
    pub(super) unsigned: u32,
    /// When the authentication request was first sent.
    pub(super) first_sent: Option<u64>,
    /// Since when and until when the flow waits for a notification after a lost acknowledgement.
    pub(super) adrift: Option<(u64, u64)>,
    pub(super) notifications: MirroredNotifications,
    /// Whether an earlier process may have got further than it could save.
    pub(super) is_resumed: bool,
    /// The question whose caller dropped it, of which the flow has not learned yet.
    pub(super) dropped: Option<(u64, Dropped)>,
}

/// How far a question had come when it was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Nothing had happened.
    Untouched,
    /// A request had begun.
    Begun,
}

/// A question of the flow, from the moment at which it was made, even if the store then holds it
/// back.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenQuestion {
    /// The number of the question in the simulation, or zero until it is handed out.
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// When it was made, handed out or begun, whichever came last.
    pub(super) sent: u64,
    pub(super) limit: u64,
    /// The latest limit, whenever it begins.
    pub(super) latest: u64,
    /// When what was signed for it becomes too old to be sent.
    pub(super) stale: u64,
    /// Whether the store holds it back.
    pub(super) is_held: bool,
    /// Whether it may have been sent.
    pub(super) begun: bool,
}

impl OpenQuestion {
    /// Whether it is a request to the provider.
    pub(super) const fn is_request(&self) -> bool {
        matches!(self.kind, Kind::Authentication | Kind::Token)
    }

    /// Starts the timeout of a request again.
    pub(super) fn restart(&mut self, moment: u64) {
        self.limit = (self.limit + moment - self.sent).min(self.latest);
        self.sent = moment;
    }
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
pub(super) struct MirroredNotifications {
    /// The number of the request's id, once it is known.
    pub(super) id: Option<u8>,
    /// The last moment at which notifications are accepted.
    pub(super) until: Option<u64>,
    /// The notifications that arrived before the acknowledgement.
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
    /// Whether a notification was accepted.
    pub(super) pinged: bool,
    /// Whether it arrived during a request, so that another one may follow soon.
    pub(super) owes: bool,
    /// The bounds of the next request on the client's line.
    pub(super) due: (u64, u64),
    /// The bounds of the earliest request that the provider allows without a notification.
    pub(super) allowed: (u64, u64),
    /// When the last request ended.
    pub(super) ended: Option<u64>,
    /// Whether the wait follows a pending answer.
    pub(super) may_skip: bool,
    /// The number of notifications after the first that skipped a wait, or may have.
    pub(super) skips: u32,
    /// When the provider last said that nothing is decided, and the number of requests without a
    /// usable answer since then.
    pub(super) undecided: Option<u64>,
    pub(super) unusable: u32,
    /// Whether an answer was lost since the last `slow_down`, perhaps by an earlier process.
    pub(super) maybe_lost: bool,
}

pub(super) enum Outcome {
    Answer(Say),
    Lost { waited: u64 },
    NotSent,
    NoKey,
    Resumed,
}

impl Mirror {
    /// Records that the acknowledgement is lost. Returns what an early notification delivers now.
    pub(super) fn loses_acknowledgement(&mut self, sent: u64, setup: &Setup) -> Option<Delivered> {
        if setup.delivery == DeliveryMode::Poll {
            return None;
        }
        let until = sent + setup.requested_expiry.map_or(ADRIFT, |seconds| seconds * 1000);
        self.adrift = Some((sent, until));
        if self.notifications.early.is_empty() {
            self.notifications.until = Some(until + GRACE);
            return None;
        }
        let (id, delivered) = self.notifications.early[0];
        self.adopts(id, setup);
        Some(delivered)
    }

    /// Records that a notification names the request whose acknowledgement was lost.
    pub(super) fn adopts(&mut self, id: u8, setup: &Setup) {
        let (sent, until) = self.adrift.expect("it is adrift");
        let grant = Grant::new(5000, until - sent, sent, self.moment, setup);
        self.grant = Some(Grant { maybe_lost: self.is_resumed, ..grant });
        self.is_named(id);
    }

    /// Records the acknowledgement. Returns what an early notification delivers now.
    pub(super) fn is_acknowledged(&mut self, sent: u64, setup: &Setup) -> Option<Delivered> {
        let grant =
            Grant::new(setup.effective_interval, setup.expires_in * 1000, sent, self.moment, setup);
        self.grant = Some(Grant { maybe_lost: self.is_resumed && self.adrift.is_some(), ..grant });
        let early = std::mem::take(&mut self.notifications.early);
        if setup.delivery != DeliveryMode::Poll {
            self.is_named(0);
        }
        early.iter().find(|(id, _)| *id == 0).map(|(_, delivered)| *delivered)
    }

    fn is_named(&mut self, id: u8) {
        let grant = self.grant.as_ref().expect("there is one");
        self.notifications = MirroredNotifications {
            id: Some(id),
            until: Some(grant.deadline + GRACE),
            early: Vec::new(),
        };
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
            allowed: (NEVER, NEVER),
            ended: None,
            may_skip: false,
            skips: 0,
            undecided: None,
            unusable: 0,
            maybe_lost: false,
        };
        let (due, last) = (now + interval, grant.last_chance().max(now));
        grant.allowed = if due < grant.deadline { grant.jittered(due) } else { (last, last) };
        grant.due = match setup.delivery {
            DeliveryMode::Push => (NEVER, NEVER),
            DeliveryMode::Ping => grant.backstop(now, 0, setup),
            DeliveryMode::Poll => grant.allowed,
        };
        grant
    }

    /// Returns when the wait ends without tokens.
    pub(super) fn ends(&self, delivery: DeliveryMode) -> u64 {
        if delivery == DeliveryMode::Push { self.deadline + GRACE } else { self.deadline }
    }

    /// Returns whether an authentic notification shortens a wait until `due`.
    pub(super) fn heeds_ping(&self, due: u64, now: u64) -> bool {
        !self.pinged || (self.may_skip && self.skips < PING_SKIPS && self.soonest(now) < due)
    }

    /// Returns whether an authentic notification during a request causes another one.
    pub(super) fn heeds_ping_while_asking(&self, in_flight: bool) -> bool {
        !self.pinged || (in_flight && !self.owes && self.skips < PING_SKIPS)
    }

    /// Records that an authentic notification skips the wait.
    pub(super) fn is_pinged(&mut self, now: Option<u64>) {
        self.skips += u32::from(self.pinged);
        (self.pinged, self.owes) = (true, true);
        if let Some(now) = now {
            let soonest = self.soonest(now);
            self.due = (self.due.0.min(soonest), self.due.1.min(soonest));
        }
    }

    fn soonest(&self, now: u64) -> u64 {
        self.ended.map_or(now, |ended| now.max(ended + PING_PAUSE))
    }

    /// Records a restart in ping mode: pings may have been missed.
    pub(super) fn restarted(&mut self, now: u64) {
        self.due =
            (self.due.0.min(self.allowed.0.max(now)), self.due.1.min(self.allowed.1.max(now)));
    }

    /// Returns whether the last answers before the deadline show that the person did not answer.
    /// Answers to an earlier process show nothing, because it may have got further than it could
    /// save.
    pub(super) fn is_conclusive(&self) -> bool {
        let intervals = 2 * self.interval.max(5000);
        self.undecided.is_some_and(|at| match self.unusable {
            0 => self.deadline <= at + intervals,
            1 => self.deadline <= at + intervals.max(30_000),
            _ => false,
        })
    }

    /// Without a ping: every minute, or half of the lifetime if that is less, and once shortly
    /// before the deadline. Except for that last one, never sooner than an interval from now.
    fn backstop(&self, now: u64, sent: u64, setup: &Setup) -> (u64, u64) {
        let last = self.last_chance();
        if !setup.policy.ping_backstop || sent >= last {
            return (NEVER, NEVER);
        }
        let regular = now + 60_000.min((self.deadline - self.sent) / 2).max(self.interval);
        let or_last = |due: u64| {
            if due < last {
                due
            } else {
                self.or_last(last.max(now + self.interval), now + self.interval, sent, now)
            }
        };
        (or_last(regular), or_last(regular + JITTER))
    }

    /// Ensures the last request shortly before the deadline.
    fn or_last(&self, due: u64, floor: u64, sent: u64, now: u64) -> u64 {
        let last = self.last_chance();
        if due < self.deadline || sent >= last {
            return due;
        }
        let pause = 2000.min(self.deadline.saturating_sub(now) / 2);
        last.max(if floor < self.deadline { floor } else { now + pause })
    }

    fn last_chance(&self) -> u64 {
        self.deadline - 5000.min((self.deadline - self.sent) / 10)
    }

    fn jittered(&self, due: u64) -> (u64, u64) {
        (
            due,
            if due < self.deadline { (due + JITTER).min(self.deadline - 1) } else { due + JITTER },
        )
    }

    /// The rules of CIBA 7.3, 10.1 and 11 and of rulings 1, 3, 29 and 30, for a request that was
    /// sent at `sent` and ended now.
    pub(super) fn ended(&mut self, outcome: &Outcome, sent: u64, now: u64, setup: &Setup) {
        let (floor, (low, high)) = self.spaced(outcome, sent, now, setup);
        let last = |due| self.or_last(due, floor, sent, now);
        // If only the interval prevents another request after such a late answer, it was the last
        // one.
        let is_plain =
            matches!(outcome, Outcome::Answer(Say::Pending(None, _) | Say::SlowDown(None, _)));
        let part = 5000.min((self.deadline - self.sent) / 6);
        let was_last =
            is_plain && sent + if self.interval <= 5000 { 5000 } else { part } >= self.deadline;
        let spaced = if was_last { (low, high) } else { (last(low), last(high)) };
        let is_ping = setup.delivery == DeliveryMode::Ping;
        self.allowed = spaced;
        self.may_skip = matches!(outcome, Outcome::Answer(Say::Pending(..)));
        if !matches!(outcome, Outcome::NoKey) {
            self.ended = Some(now);
        }
        match outcome {
            Outcome::Answer(Say::Pending(..) | Say::SlowDown(..)) => {
                (self.undecided, self.unusable) = (Some(now), 0)
            }
            _ => self.unusable += 1,
        }
        self.due = match outcome {
            Outcome::Answer(Say::Pending(None, _)) if is_ping && self.owes => {
                self.owes = false;
                let soonest = self.soonest(now);
                (spaced.0.min(soonest), spaced.1.min(soonest))
            }
            Outcome::Answer(Say::Pending(..) | Say::SlowDown(..))
                if is_ping && !self.pinged && was_last =>
            {
                (NEVER, NEVER)
            }
            Outcome::Answer(Say::Pending(..) | Say::SlowDown(..)) if is_ping && !self.pinged => {
                let backstop = self.backstop(now, sent, setup);
                (spaced.0.max(backstop.0), spaced.1.max(backstop.1))
            }
            _ => spaced,
        };
    }

    /// Returns when the interval alone allows the next request, and its bounds.
    fn spaced(
        &mut self,
        outcome: &Outcome,
        sent: u64,
        now: u64,
        setup: &Setup,
    ) -> (u64, (u64, u64)) {
        let from_send = matches!(setup.policy.interval_reference, IntervalReference::Send);
        let (mut asked, mut doublings) = (None, None);
        match *outcome {
            Outcome::Answer(Say::Pending(retry_after, interval)) => {
                self.interval = self.interval.max(interval.unwrap_or(0) * 1000);
                (asked, self.setbacks) = (retry_after, 0);
            }
            Outcome::Answer(Say::SlowDown(retry_after, interval)) => {
                // A lost answer may have been another `slow_down`.
                self.interval = (self.interval + if self.maybe_lost { 10_000 } else { 5000 })
                    .max(interval.unwrap_or(0) * 1000);
                (asked, self.setbacks) = (retry_after, 0);
            }
            Outcome::Answer(Say::Busy(_, retry_after)) => {
                doublings = retry_after.is_none().then_some(self.setbacks);
                asked = retry_after;
                self.setbacks += 1;
            }
            Outcome::Lost { waited } if waited >= 30_000 => {}
            Outcome::Lost { .. } | Outcome::NotSent | Outcome::NoKey => {
                self.setbacks += 1;
                doublings = Some(self.setbacks);
            }
            Outcome::Answer(_) | Outcome::Resumed => {}
        }
        self.maybe_lost = match *outcome {
            Outcome::Answer(Say::SlowDown(..)) => false,
            Outcome::Answer(Say::Pending(..) | Say::Busy(408 | 425 | 429 | 503, _)) => {
                self.maybe_lost
            }
            Outcome::NotSent | Outcome::NoKey => self.maybe_lost,
            Outcome::Answer(_) | Outcome::Lost { .. } | Outcome::Resumed => true,
        };
        let floor = (if from_send { sent } else { now } + self.interval).max(now);
        let due = match (asked, doublings) {
            (Some(asked), _) => self.jittered(floor.max(now + asked * 1000)),
            (None, Some(doublings)) => {
                let wait =
                    (self.interval.max(5000) << doublings.min(8)).min(60_000).max(self.interval);
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
        (floor, due)
    }
}
