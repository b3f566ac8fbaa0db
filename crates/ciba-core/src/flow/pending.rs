//! Acknowledged, and waiting: for the interval, for the person, for the provider to be well again.

use alloc::sync::Arc;

use super::{
    grant::Grant,
    phase::{Pause, Phase, Say, Tick, Turn},
    redeeming::Redeeming,
    settled::Settled,
};
use crate::{ask::Because, elapsed::Moment, error::Failure};

pub(super) struct Pending {
    pub(super) grant: Grant,
    /// When the next token request is due; at or after the deadline means never.
    pub(super) due: Moment,
    pub(super) because: Because,
    pub(super) progress: Option<Arc<str>>,
}

impl Pending {
    /// Right after the acknowledgement.
    pub(super) fn first(grant: Grant, tick: &Tick<'_>) -> Self {
        Self { due: grant.first_due(tick.moment), grant, because: Because::Interval, progress: None }
    }

    pub(super) fn poll(self, tick: &Tick<'_>) -> Turn {
        if self.grant.is_over(tick.moment) {
            return Turn::Next(Settled::failed(Failure::Expired(None)));
        }
        if tick.moment >= self.due {
            return Turn::Next(Phase::Redeeming(Redeeming::new(self)));
        }
        let pause = Pause { until: self.wake_at(), because: self.because.clone(), progress: self.progress.clone() };
        Turn::Emit(Phase::Pending(self), Say::Wait(pause))
    }

    /// When there is something to do: the next request, or the end.
    pub(super) fn wake_at(&self) -> Moment {
        self.due.min(self.grant.deadline)
    }
}
