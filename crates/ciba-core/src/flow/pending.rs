//! Acknowledged, and waiting: for the interval, for the person, for the provider to be well again.

use alloc::sync::Arc;

use super::{
    grant::Grant,
    phase::{Pause, Phase, Say, Tick, Turn},
    redeeming::Redeeming,
    settled::Settled,
};
use crate::{ask::Because, client::ClientConfig, elapsed::Moment, wire::metadata::DeliveryMode};

pub(super) struct Pending {
    pub(super) grant: Grant,
    /// When the next token request is due; at or after the deadline means never.
    pub(super) due: Moment,
    pub(super) because: Because,
    pub(super) progress: Option<Arc<str>>,
}

impl Pending {
    /// Right after the acknowledgement.
    pub(super) fn first(mut grant: Grant, tick: &Tick<'_>) -> Self {
        Self { due: grant.first_due(tick), because: grant.awaits(tick.config), grant, progress: None }
    }

    /// After a restart.
    pub(super) fn resumed(grant: Grant, due: Moment, tick: &Tick<'_>) -> Self {
        Self { due: grant.due_after_restart(due, tick), because: grant.awaits(tick.config), grant, progress: None }
    }

    /// Whether a notification makes the wait shorter: the first one does, later ones after a pending answer (ruling 30).
    pub(super) fn heeds_ping(&self, tick: &Tick<'_>) -> bool {
        !self.grant.was_pinged || self.grant.heard.may_skip(self.due.min(self.grant.deadline), tick)
    }

    /// A notification came: the wait is over.
    pub(super) fn pinged(mut self, tick: &Tick<'_>) -> Self {
        self.grant.ping();
        let due = self.due.min(self.grant.heard.soonest(tick));
        Self { due, because: Because::Notification, ..self }
    }

    pub(super) fn poll(self, tick: &Tick<'_>) -> Turn {
        if tick.moment >= self.grant.ends(tick.config) {
            return Turn::Next(Settled::failed(self.grant.ran_out(tick)));
        }
        if tick.moment >= self.asks_at(tick.config) {
            return Turn::Next(Phase::Redeeming(Redeeming::new(self)));
        }
        let pause =
            Pause { until: self.wake_at(tick.config), because: self.because.clone(), progress: self.progress.clone() };
        Turn::Emit(Phase::Pending(self), Say::Wait(pause))
    }

    /// When there is something to do: the next request, or the end.
    pub(super) fn wake_at(&self, config: &ClientConfig) -> Moment {
        self.asks_at(config).min(self.grant.ends(config))
    }

    /// When the next token request is due: never in push mode, whatever a snapshot said (REQ-PUSH-19).
    fn asks_at(&self, config: &ClientConfig) -> Moment {
        match config.delivery {
            DeliveryMode::Poll | DeliveryMode::Ping => self.due,
            DeliveryMode::Push => self.grant.ends(config),
        }
    }
}
