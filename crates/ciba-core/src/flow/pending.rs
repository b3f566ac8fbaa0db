//! The phase after the acknowledgement in which the flow waits: for the interval, for the person, or
//! for the provider to recover.

use alloc::sync::Arc;
use core::time::Duration;

use super::{
    context::{Context, Poll},
    effect::{Effect, PlannedWait},
    grant::Grant,
    phase::{Phase, Step},
    redeeming::Redeeming,
    settled::Settled,
};
use crate::{
    ask::{KeySetRequest, Output, WaitReason},
    bounds,
    client::ClientConfig,
    elapsed::Moment,
    wire::metadata::DeliveryMode,
};

pub(super) struct Pending {
    pub(super) grant: Grant,
    /// When the next token request is due. At or after the deadline means never.
    pub(super) due: Moment,
    pub(super) because: WaitReason,
    pub(super) progress: Option<Arc<str>>,
}

impl Pending {
    /// Enters the phase after the acknowledgement.
    pub(super) fn first(mut grant: Grant, context: &Context<'_>) -> Self {
        Self {
            due: grant.first_due(context),
            because: grant.awaits(context.config),
            grant,
            progress: None,
        }
    }

    /// Enters the phase after a restart.
    pub(super) fn resumed(grant: Grant, due: Moment, context: &Context<'_>) -> Self {
        Self {
            due: grant.due_after_restart(due, context),
            because: grant.awaits(context.config),
            grant,
            progress: None,
        }
    }

    /// Whether a ping shortens the wait. The first one does, and later ones after a pending answer.
    // Ruling 30.
    pub(super) fn heeds_ping(&self, context: &Context<'_>) -> bool {
        !self.grant.was_pinged
            || self.grant.answers.may_skip(self.due.min(self.grant.deadline), context)
    }

    /// Ends the wait because of a ping.
    pub(super) fn pinged(mut self, context: &Context<'_>) -> Self {
        self.grant.ping();
        let due = self.due.min(self.grant.answers.soonest(context));
        Self { due, because: WaitReason::Notification, ..self }
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Step {
        if self.ahead_at(poll.context.config).is_some_and(|at| at <= poll.context.moment) {
            self.grant.answers.ahead.was_asked = true;
            // If there is no time left now, the next wait decides.
            self.grant.answers.ahead.due = Some(self.wake_when_asked(poll.context.config));
            if let Some(within) = self.time_ahead(&poll.context) {
                // No limit: nothing depends on the answer, and a newer question replaces it.
                let (ticket, open) = poll.questions.ask(Moment::NEVER);
                self.grant.answers.ahead.ask(open.counter);
                let request =
                    KeySetRequest::ahead(poll.context.config.issuer.shared(), within, ticket);
                return Step::Emit(
                    Phase::Pending(self),
                    Effect::Do { output: Output::KeySet(request), save: false },
                );
            }
        }
        self.wait(&poll.context)
    }

    /// Returns when the issuer's keys are requested ahead of time, while the person decides:
    /// immediately, and again if they were not available.
    // Ruling 31: problems with the keys are then known before they are needed, and a login does not
    // wait for them.
    fn ahead_at(&self, config: &ClientConfig) -> Option<Moment> {
        // A MAC is verified with the client secret, and without an ID Token there is nothing to
        // verify.
        let has_use =
            self.grant.terms.id_token_required && !config.id_token.algorithm.is_symmetric();
        has_use.then_some(if self.grant.answers.ahead.was_asked {
            self.grant.answers.ahead.due?
        } else {
            Moment::START
        })
    }

    /// Returns how long the request may take: at most until the next token request is due.
    fn time_ahead(&self, context: &Context<'_>) -> Option<Duration> {
        let until_due = self.wake_when_asked(context.config).since(context.moment);
        let most = match context.config.delivery {
            DeliveryMode::Poll | DeliveryMode::Push => until_due,
            DeliveryMode::Ping => until_due.min(bounds::AHEAD_OF_A_PING),
        };
        (until_due >= bounds::LEAST_AHEAD).then_some(most)
    }

    fn wait(self, context: &Context<'_>) -> Step {
        // The end is checked before the due time: at the deadline no request may start.
        if context.moment >= self.grant.ends(context.config) {
            return Step::Next(Settled::failed(self.grant.ran_out(context)));
        }
        // In push mode this is the end, which is handled above, so no token request is ever made
        // (REQ-PUSH-19).
        if context.moment >= self.asks_at(context.config) {
            return Step::Next(Phase::Redeeming(Redeeming::new(self)));
        }
        let is_last = self.asks_at(context.config) >= self.grant.ends(context.config);
        let is_spaced = matches!(self.because, WaitReason::Interval | WaitReason::SlowDown);
        let because =
            if is_last && is_spaced { WaitReason::Deadline } else { self.because.clone() };
        let wait = PlannedWait {
            until: self.wake_at(context.config),
            because,
            progress: self.progress.clone(),
        };
        Step::Emit(Phase::Pending(self), Effect::Wait(wait))
    }

    /// Returns when there is something to do.
    pub(super) fn wake_at(&self, config: &ClientConfig) -> Moment {
        let asked = self.wake_when_asked(config);
        self.ahead_at(config).map_or(asked, |at| at.min(asked))
    }

    /// Returns when the next token request is due, or the end of the wait.
    fn wake_when_asked(&self, config: &ClientConfig) -> Moment {
        self.asks_at(config).min(self.grant.ends(config))
    }

    /// Returns when the next token request is due. In push mode there is none, whatever a snapshot
    /// said.
    // REQ-PUSH-19
    fn asks_at(&self, config: &ClientConfig) -> Moment {
        match config.delivery {
            DeliveryMode::Poll | DeliveryMode::Ping => self.due,
            // The end of the flow, at which nothing is sent any more.
            DeliveryMode::Push => self.grant.ends(config),
        }
    }
}
