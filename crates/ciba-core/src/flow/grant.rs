//! The acknowledged request: its `auth_req_id`, its deadline, and when the next token request may be
//! made. All spacing rules are in this file.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    context::Context,
    spacing::Spacing,
    token_answers::{LastOutcome, TokenAnswers},
};
use crate::{
    ask::WaitReason,
    binding::Binding,
    bounds,
    client::ClientConfig,
    elapsed::Moment,
    error::{Failure, Indeterminacy, LostAnswer},
    expect::Expectations,
    granted::Requested,
    policy::IntervalReference,
    request::AuthRequest,
    secret::AuthReqId,
    wire::{authorize::Acknowledgement, metadata::DeliveryMode, token::Pacing},
};

/// What is kept of the request after it was acknowledged: only what later checks need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) expectations: Expectations,
    pub(super) requested: Requested,
    pub(super) id_token_required: bool,
    /// The `requested_expiry`, at a provider where it applies although the acknowledgement has a
    /// longer lifetime.
    pub(super) lifetime: Option<Duration>,
    /// How the tokens are bound.
    // Kept here, because the configuration may have another key after a restart.
    pub(super) binding: Binding,
}

impl Terms {
    pub(super) fn of(request: &AuthRequest, config: &ClientConfig) -> Box<Self> {
        Box::new(Self {
            requested: request.requested(config),
            id_token_required: request.wants_id_token(),
            expectations: request.effective_expectations(config),
            lifetime: request
                .requested_lifetime()
                .filter(|_| config.request_style.requested_expiry_counts),
            binding: Binding::of(config),
        })
    }

    /// Applies the limit to an acknowledgement.
    pub(super) fn bound(&self, acknowledged: &mut Acknowledgement) {
        if let Some(lifetime) = self.lifetime {
            // Some providers apply `requested_expiry` without returning it, so their `expires_in`
            // is longer than the prompt is open.
            acknowledged.expires_in = acknowledged.expires_in.min(lifetime);
        }
    }
}

/// An `auth_req_id` with its deadline and spacing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) auth_req_id: AuthReqId,
    /// The current interval, which never becomes shorter (CIBA Core 11).
    pub(super) interval: Duration,
    /// When the authentication request was sent.
    pub(super) sent: Moment,
    /// `sent` plus `expires_in`. No request is made at or after it.
    // REQ-ACK-11
    pub(super) deadline: Moment,
    /// The number of token requests.
    pub(super) requests: u32,
    /// The number of consecutive exchanges without a usable answer.
    pub(super) setbacks: u32,
    /// The number of consecutive key operations that failed.
    pub(super) key_failures: u32,
    /// Whether a ping arrived. From then on the interval applies and not the backstop.
    pub(super) was_pinged: bool,
    /// Whether a ping arrived during a request, so that another one follows immediately.
    // OPM-PNG-16
    pub(super) owes_request: bool,
    /// Whether a lost response may have contained the tokens.
    // REQ-POLL-11
    pub(super) maybe_redeemed: bool,
    /// Whether a lost response may have been `slow_down`. It is not saved, because a resumed flow may
    /// always have lost one.
    pub(super) maybe_slower: bool,
    /// The jitter of the next wait.
    pub(super) jitter: Duration,
    pub(super) answers: Box<TokenAnswers>,
    pub(super) terms: Box<Terms>,
}

impl Grant {
    pub(super) fn new(
        auth_req_id: AuthReqId,
        (interval, lifetime): (Duration, Duration),
        sent: Moment,
        jitter: Duration,
        terms: Box<Terms>,
    ) -> Self {
        Self {
            auth_req_id,
            interval,
            sent,
            deadline: sent.plus(lifetime),
            requests: 0,
            setbacks: 0,
            key_failures: 0,
            was_pinged: false,
            owes_request: false,
            maybe_redeemed: false,
            maybe_slower: false,
            jitter,
            answers: TokenAnswers::nothing(Moment::NEVER),
            terms,
        }
    }

    pub(super) fn is_over(&self, moment: Moment) -> bool {
        moment >= self.deadline
    }

    /// Returns the end of the wait: the deadline, because no request starts after it. In push mode a
    /// notification may arrive somewhat later.
    // Ruling 3, REQ-PUSH-26.
    pub(super) fn ends(&self, config: &ClientConfig) -> Moment {
        match config.delivery {
            DeliveryMode::Poll | DeliveryMode::Ping => self.deadline,
            DeliveryMode::Push => self.deadline.plus(bounds::GRACE),
        }
    }

    /// Returns the reason of a wait without problems: in ping mode a notification until the first
    /// ping, afterwards the interval.
    pub(super) const fn awaits(&self, config: &ClientConfig) -> WaitReason {
        match config.delivery {
            DeliveryMode::Poll => WaitReason::Interval,
            DeliveryMode::Ping if self.was_pinged => WaitReason::Interval,
            DeliveryMode::Ping | DeliveryMode::Push => WaitReason::Notification,
        }
    }

    /// Returns when the first token request is due: in poll mode after one interval, or shortly
    /// before the deadline if that is earlier; in ping mode at the backstop; in push mode never.
    // Rulings 1 and 3, REQ-ACK-15, REQ-PUSH-19.
    pub(super) fn first_due(&mut self, context: &Context<'_>) -> Moment {
        let due = self.with_jitter(context.moment.plus(self.interval));
        let allowed =
            if due < self.deadline { due } else { self.last_chance().max(context.moment) };
        // Also recorded in ping mode, where a restart may shorten the wait down to it.
        self.answers = TokenAnswers::nothing(allowed);
        match context.config.delivery {
            DeliveryMode::Push => Moment::NEVER,
            DeliveryMode::Ping => self.backstop(Moment::START, context),
            DeliveryMode::Poll => allowed,
        }
    }

    /// Returns when to poll without a ping: every minute, or half of the lifetime if that is less,
    /// and once shortly before the deadline. Except for that last time, it is not sooner than one
    /// interval from now.
    // REQ-PING-16, REQ-POLL-24
    fn backstop(&self, sent: Moment, context: &Context<'_>) -> Moment {
        let last = self.last_chance();
        // After a request in the last seconds another one could not bring anything before the
        // deadline.
        if !context.config.policy.ping_backstop || sent >= last {
            return Moment::NEVER;
        }
        // A short lifetime gets a backstop as well, so that a lost ping does not lose a login.
        let half = self.deadline.since(self.sent).checked_div(2).unwrap_or_default();
        let regular =
            self.with_jitter(context.moment.plus(bounds::BACKSTOP.min(half).max(self.interval)));
        if regular < last {
            return regular;
        }
        let floor = context.moment.plus(self.interval);
        self.or_last(last.max(floor), floor, sent, context.moment)
    }

    /// Returns the due time after a restart. In ping mode a ping may have been missed in the
    /// meantime, so the flow polls as soon as the provider allows it.
    pub(super) fn due_after_restart(&self, due: Moment, context: &Context<'_>) -> Moment {
        match context.config.delivery {
            DeliveryMode::Ping => due.min(self.answers.allowed.max(context.moment)),
            DeliveryMode::Poll | DeliveryMode::Push => due,
        }
    }

    /// Records a ping: the token endpoint is to be asked now (CIBA Core 10.2).
    pub(super) const fn ping(&mut self) {
        if self.was_pinged {
            self.answers.skip();
        }
        self.was_pinged = true;
        self.owes_request = true;
    }

    /// Returns when the next token request is due after one that was sent at `sent` and ended now.
    /// At or after the deadline means never.
    pub(super) fn next_due(
        &mut self,
        outcome: &Spacing,
        sent: Moment,
        context: &Context<'_>,
    ) -> Moment {
        // Counted first: a `slow_down` already applies to the wait that follows it (CIBA Core 11).
        self.count(outcome);
        let reference = match context.config.policy.interval_reference {
            IntervalReference::Answer => context.moment,
            IntervalReference::Send => sent,
        };
        // Not before now, for a request that was held longer than the interval.
        let floor = reference.plus(self.interval).max(context.moment);
        let spaced = self.spaced(outcome, floor, context);
        let spaced = if self.was_last(outcome, sent) {
            spaced
        } else {
            self.or_last(spaced, floor, sent, context.moment)
        };
        // Recorded before pings and backstop change the wait: this is what the provider allows.
        self.answers.ended(outcome, spaced, context);
        match (context.config.delivery, outcome) {
            (DeliveryMode::Ping, Spacing::Pending(Pacing { retry_after: None, .. }))
                if self.owes_request =>
            {
                // The ping overtook this answer, so the provider has something newer to say.
                self.owes_request = false;
                spaced.min(self.answers.soonest(context))
            }
            (DeliveryMode::Ping, Spacing::Pending(_) | Spacing::SlowDown(_))
                if !self.was_pinged =>
            {
                // Without a ping, the flow polls at the pace of the backstop.
                match self.was_last(outcome, sent) {
                    true => Moment::NEVER,
                    false => spaced.max(self.backstop(sent, context)),
                }
            }
            (DeliveryMode::Poll | DeliveryMode::Ping | DeliveryMode::Push, _) => spaced,
        }
    }

    /// Returns when the interval (`floor`), a `Retry-After` and the back-off allow the next request.
    fn spaced(&self, outcome: &Spacing, floor: Moment, context: &Context<'_>) -> Moment {
        let ended = context.moment;
        let asked = match outcome {
            Spacing::Pending(pacing) | Spacing::SlowDown(pacing) => pacing.retry_after,
            Spacing::Busy(answer) => answer.retry_after(),
            Spacing::GaveUp(_) | Spacing::NoAnswer(_) | Spacing::NoKey => None,
        };
        if let Some(asked) = asked {
            // The interval stays the minimum, because a `Retry-After` can only lengthen a wait.
            return self.with_jitter(floor.max(ended.plus(bounds::RETRY_AFTER.clamp(asked))));
        }
        let backed_off = ended.plus(self.back_off(outcome));
        if backed_off <= floor {
            return self.with_jitter(floor);
        }
        if backed_off < self.deadline {
            return self.with_jitter(backed_off);
        }
        // The back-off would pass the deadline, and the person may approve until then.
        floor.max(self.last_chance())
    }

    /// Ensures one request shortly before the deadline, unless there was one, even if the interval,
    /// a `Retry-After` or the back-off demands a longer wait. It respects the interval if there is
    /// enough time.
    // Ruling 29.
    fn or_last(&self, due: Moment, floor: Moment, sent: Moment, ended: Moment) -> Moment {
        let last = self.last_chance();
        if due < self.deadline || sent >= last {
            return due;
        }
        if floor < self.deadline {
            return last.max(floor);
        }
        // Half of what is left, so that even with a very short rest there is time for the response.
        let rest = self.deadline.since(ended).checked_div(2).unwrap_or_default();
        last.max(ended.plus(bounds::LAST_PAUSE.min(rest)))
    }

    /// Whether a request was answered so shortly before the deadline that the interval need not be
    /// cut short for another one.
    fn was_last(&self, outcome: &Spacing, sent: Moment) -> bool {
        let is_plain = match outcome {
            Spacing::Pending(pacing) | Spacing::SlowDown(pacing) => pacing.retry_after.is_none(),
            Spacing::Busy(_) | Spacing::GaveUp(_) | Spacing::NoAnswer(_) | Spacing::NoKey => false,
        };
        // With a short interval there is a request within these seconds anyway. A long interval must
        // not prevent it.
        let part = self.deadline.since(self.sent).checked_div(6).unwrap_or_default();
        let shortly = if self.interval <= bounds::LAST_POLL {
            bounds::LAST_POLL
        } else {
            bounds::LAST_POLL.min(part)
        };
        is_plain && sent.plus(shortly) >= self.deadline
    }

    fn count(&mut self, outcome: &Spacing) {
        match outcome {
            Spacing::Pending(pacing) => {
                // An `interval` in an error is not in the text, so it may only lengthen ours.
                self.interval = self.interval.max(pacing.interval.unwrap_or_default());
                self.setbacks = 0;
                // The provider would not answer so if the tokens had been issued.
                self.maybe_redeemed = false;
            }
            Spacing::SlowDown(pacing) => {
                // A lost answer may also have been `slow_down`. With only one step added, the interval
                // would stay below the provider's for good, and a provider that answers every early
                // request with `slow_down` would never return the tokens.
                let steps = if core::mem::take(&mut self.maybe_slower) { 2 } else { 1 };
                let slower =
                    self.interval.saturating_add(bounds::SLOW_DOWN_STEP.saturating_mul(steps));
                self.interval =
                    bounds::INTERVAL.clamp(slower.max(pacing.interval.unwrap_or_default()));
                self.setbacks = 0;
                self.maybe_redeemed = false;
            }
            Spacing::Busy(_) | Spacing::NoAnswer(_) | Spacing::NoKey => {
                self.setbacks = self.setbacks.saturating_add(1)
            }
            // A request that was held for as long as a provider may hold it says nothing about
            // overload.
            Spacing::GaveUp(_) => {}
        }
    }

    /// Returns the wait after exchanges without a usable answer. It doubles up to one minute and is
    /// never shorter than the interval.
    // REQ-POLL-16, REQ-POLL-17
    fn back_off(&self, outcome: &Spacing) -> Duration {
        // From at least five seconds, so that a one-second interval does not hammer a provider that
        // is down.
        let base = self.interval.max(bounds::DEFAULT_INTERVAL);
        let doublings = match outcome {
            Spacing::Busy(_) => self.setbacks.saturating_sub(1),
            Spacing::NoAnswer(_) | Spacing::NoKey => self.setbacks,
            Spacing::Pending(_) | Spacing::SlowDown(_) | Spacing::GaveUp(_) => {
                return Duration::ZERO;
            }
        };
        // More than eight doublings exceed the maximum anyway.
        let factor = 1_u32.checked_shl(doublings.min(8)).unwrap_or(1);
        base.saturating_mul(factor).min(bounds::LONGEST_BACK_OFF).max(self.interval)
    }

    /// Returns the moment of the last request before the deadline, if the interval does not lead to
    /// a later one.
    fn last_chance(&self) -> Moment {
        // A tenth, so that a short lifetime still leaves time for regular requests.
        let tenth = self.deadline.since(self.sent).checked_div(10).unwrap_or_default();
        self.deadline.minus(bounds::LAST_POLL.min(tenth))
    }

    /// Adds jitter, but not beyond the deadline.
    fn with_jitter(&self, due: Moment) -> Moment {
        let delayed = due.plus(self.jitter);
        // A request at the deadline is not made at all, so jitter must not cost the last one.
        if delayed < self.deadline { delayed } else { due }
    }
}

impl Grant {
    /// Returns the failure of a flow whose time is up without an outcome from the provider.
    ///
    /// If the last requests brought a pending answer, the person did not decide. Otherwise the person
    /// may have approved. In push mode there are no pending answers, and a provider need not push
    /// that a request expired (CIBA Core 12), so a push may have been lost.
    pub(super) fn ran_out(&self, context: &Context<'_>) -> Failure {
        if self.was_undecided_lately() {
            return Failure::Expired(None);
        }
        let unknown = |lost| Indeterminacy::new(lost, self.requests);
        Failure::Indeterminate(match &self.answers.last_outcome {
            LastOutcome::Answer(answer) => {
                unknown(LostAnswer::Outcome).answered(Some(answer.clone()))
            }
            LastOutcome::NoAnswer(cause) => unknown(LostAnswer::Outcome).because(Some(*cause)),
            LastOutcome::Key => unknown(LostAnswer::PrivateKey),
            LastOutcome::None => unknown(match context.config.delivery {
                DeliveryMode::Push => LostAnswer::Notification,
                DeliveryMode::Ping
                    if self.requests == 0 && !context.config.policy.ping_backstop =>
                {
                    LostAnswer::Notification
                }
                DeliveryMode::Poll | DeliveryMode::Ping => LostAnswer::Outcome,
            }),
        })
    }

    /// Whether the last request, or the last but one, brought a pending answer, and not long before
    /// the deadline.
    // A process that slept since then does not know what was decided in the meantime.
    fn was_undecided_lately(&self) -> bool {
        let intervals = self.interval.max(bounds::DEFAULT_INTERVAL).saturating_mul(2);
        let lately = match self.answers.unusable {
            0 => intervals,
            // Allow for the time in which the flow waited for the request without an answer.
            1 => intervals.max(bounds::LATELY),
            _ => return false,
        };
        self.answers.undecided.is_some_and(|at| self.deadline.since(at) <= lately)
    }
}
