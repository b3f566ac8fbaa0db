//! The state of the store of a durable flow.

use alloc::boxed::Box;

use super::questions::Open;
use crate::{ask::Output, elapsed::Moment};

/// The state of the store.
#[derive(Default)]
pub(super) struct StoreState {
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
    /// When a failed save is retried, if the flow cannot continue without it.
    pub(super) retry: Option<Moment>,
    /// Whether the end was saved. Nothing is saved afterwards, so that the caller can delete the
    /// saved state.
    pub(super) is_over: bool,
}

impl StoreState {
    /// Whether this revision still has to be saved.
    pub(super) fn lacks(&self, revision: u64) -> bool {
        !self.is_over && self.kept != Some(revision)
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
