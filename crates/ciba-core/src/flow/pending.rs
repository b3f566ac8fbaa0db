//! Acknowledgement, and waiting: for the interval, for the person, for the provider to be well
//! again.

use alloc::sync::Arc;
use core::time::Duration;

use super::{
    grant::Grant,
    phase::{Context, Effect, Phase, PlannedWait, Poll, Step},
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
    /// When the next token request is due; at or after the deadline means never.
    pub(super) due: Moment,
    pub(super) because: WaitReason,
    pub(super) progress: Option<Arc<str>>,
}

impl Pending {
    /// Right after the acknowledgement.
    pub(super) fn first(mut grant: Grant, tick: &Context<'_>) -> Self {
        Self {
            due: grant.first_due(tick),
            because: grant.awaits(tick.config),
            grant,
            progress: None,
        }
    }

    /// After a restart.
    pub(super) fn resumed(grant: Grant, due: Moment, tick: &Context<'_>) -> Self {
        Self {
            due: grant.due_after_restart(due, tick),
            because: grant.awaits(tick.config),
            grant,
            progress: None,
        }
    }

    /// Whether a notification makes the wait shorter: the first one does, later ones after a
    /// pending answer (ruling 30).
    pub(super) fn heeds_ping(&self, tick: &Context<'_>) -> bool {
        !self.grant.was_pinged || self.grant.heard.may_skip(self.due.min(self.grant.deadline), tick)
    }

    /// A notification came: the wait is over.
    pub(super) fn pinged(mut self, tick: &Context<'_>) -> Self {
        self.grant.ping();
        let due = self.due.min(self.grant.heard.soonest(tick));
        Self { due, because: WaitReason::Notification, ..self }
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Step {
        if self.ahead_at(poll.tick.config).is_some_and(|at| at <= poll.tick.moment) {
            self.grant.heard.ahead.was_asked = true;
            // With no time left it is a matter of the next wait.
            self.grant.heard.ahead.due = Some(self.wake_when_asked(poll.tick.config));
            if let Some(within) = self.time_ahead(&poll.tick) {
                let (ticket, open) = poll.questions.ask(Moment::NEVER);
                self.grant.heard.ahead.ask(open.counter);
                let request =
                    KeySetRequest::ahead(poll.tick.config.issuer.shared(), within, ticket);
                return Step::Emit(
                    Phase::Pending(self),
                    Effect::Do { output: Output::KeySet(request), save: false },
                );
            }
        }
        self.wait(&poll.tick)
    }

    /// When the issuer's keys are to be asked for ahead of time, while the person decides (ruling
    /// 31): at once, and again when they could not be had. What is wrong with them is then known
    /// before they are needed, and a login does not wait for them.
    fn ahead_at(&self, config: &ClientConfig) -> Option<Moment> {
        let has_use =
            self.grant.terms.id_token_required && !config.id_token.algorithm.is_symmetric();
        has_use.then_some(if self.grant.heard.ahead.was_asked {
            self.grant.heard.ahead.due?
        } else {
            Moment::START
        })
    }

    /// How long that may take: no longer than until the next request is due.
    fn time_ahead(&self, tick: &Context<'_>) -> Option<Duration> {
        let until_due = self.wake_when_asked(tick.config).since(tick.moment);
        let most = match tick.config.delivery {
            DeliveryMode::Poll | DeliveryMode::Push => until_due,
            DeliveryMode::Ping => until_due.min(bounds::AHEAD_OF_A_PING),
        };
        (until_due >= bounds::LEAST_AHEAD).then_some(most)
    }

    fn wait(self, tick: &Context<'_>) -> Step {
        if tick.moment >= self.grant.ends(tick.config) {
            return Step::Next(Settled::failed(self.grant.ran_out(tick)));
        }
        if tick.moment >= self.asks_at(tick.config) {
            return Step::Next(Phase::Redeeming(Redeeming::new(self)));
        }
        let pause = PlannedWait {
            until: self.wake_at(tick.config),
            because: self.because.clone(),
            progress: self.progress.clone(),
        };
        Step::Emit(Phase::Pending(self), Effect::Wait(pause))
    }

    /// When there is something to do.
    pub(super) fn wake_at(&self, config: &ClientConfig) -> Moment {
        let asked = self.wake_when_asked(config);
        self.ahead_at(config).map_or(asked, |at| at.min(asked))
    }

    /// When the next request is due, or the end.
    fn wake_when_asked(&self, config: &ClientConfig) -> Moment {
        self.asks_at(config).min(self.grant.ends(config))
    }

    /// When the next token request is due: never in push mode, whatever a snapshot said
    /// (REQ-PUSH-19).
    fn asks_at(&self, config: &ClientConfig) -> Moment {
        match config.delivery {
            DeliveryMode::Poll | DeliveryMode::Ping => self.due,
            DeliveryMode::Push => self.grant.ends(config),
        }
    }
}
