//! The state of the store of a durable flow.

use alloc::boxed::Box;

use super::{phase::Phase, questions::Open, settled::Settled};
use crate::{ask::Output, bounds, elapsed::Moment, error::Failure, snapshot::Origin};

/// The state of the store.
#[derive(Default)]
pub(super) struct StoreState {
    /// Where the revisions of this process begin.
    pub(super) origin: Origin,
    /// The revision that was saved.
    pub(super) kept: Option<u64>,
    /// Whether the last save failed or was abandoned, so that its write may or may not take effect.
    pub(super) is_uncertain: bool,
    /// The save in progress, with the revision that it writes.
    pub(super) open: Option<(Open, u64)>,
    /// The output to return once the state is saved.
    pub(super) delayed: Option<Box<Output>>,
    /// The revision with which the store failed, if the flow continues without it for one step.
    pub(super) gone_without: Option<u64>,
    /// The last revision without which the flow continued.
    pub(super) given_up: Option<u64>,
    /// When a save is tried again after one that failed.
    pub(super) retry: Option<Moment>,
    /// Whether the end was saved. Nothing is saved afterwards, so that the caller can delete the
    /// saved state.
    pub(super) is_over: bool,
    /// Whether the store has a state that this process has not written.
    pub(super) is_superseded: bool,
}

impl StoreState {
    /// The state for a resumed flow, which is durable, because it was saved and relies on it.
    pub(super) fn resumed(phase: &Phase, origin: Origin) -> Self {
        // The end of a process that had to give way must not replace the state of the other one.
        let is_superseded = matches!(phase, Phase::Settled(Settled::Failed(Failure::Superseded)));
        Self { origin, is_superseded, is_over: is_superseded, ..Self::default() }
    }

    /// Whether this revision still has to be saved.
    pub(super) fn lacks(&self, revision: u64) -> bool {
        !self.is_over && self.kept != Some(revision)
    }

    /// Whether the flow continues without a save that it does not need: with the state with which
    /// the store has just failed, and then for a while with every other state.
    ///
    /// A store that fails is not asked at every step, because it may take its time to fail. A state
    /// that is `precious` is offered to it once in any case.
    pub(super) fn continues_without(
        &mut self,
        revision: u64,
        moment: Moment,
        precious: bool,
    ) -> bool {
        if self.gone_without.take() == Some(revision) {
            // Counted from here: a store that is slow to fail would be asked again at once.
            self.retry = Some(moment.plus(bounds::STORE_RETRY));
            self.given_up = Some(revision);
            return true;
        }
        let is_paused = self.retry.is_some_and(|retry| moment < retry);
        is_paused && (!precious || self.given_up == Some(revision))
    }

    /// Handles a save that was abandoned or timed out.
    pub(super) fn notice_drop(&mut self, moment: Moment) {
        let Some((open, written)) = &self.open else { return };
        let is_over = open.is_over(moment);
        if is_over || open.dropped().is_some() {
            // A save that timed out counts as failed. One that was dropped is requested again,
            // because its caller may only have been cancelled.
            self.gone_without = is_over.then_some(*written);
            self.open = None;
        }
    }

    /// Returns when there is something to do, if the store determines it and not the phase.
    pub(super) fn wake_at(&self, is_needed: bool) -> Option<Moment> {
        match (&self.open, &self.delayed) {
            (Some((open, _)), _) => Some(open.wake_at()),
            (None, Some(_)) => Some(self.retry.filter(|_| is_needed).unwrap_or(Moment::START)),
            (None, None) => None,
        }
    }
}
