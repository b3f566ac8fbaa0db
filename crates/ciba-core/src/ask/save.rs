//! A state that a machine requests to be saved.

use core::time::Duration;

use super::{
    input::{Answer, Input, SaveOutcome},
    ticket::Ticket,
};
use crate::snapshot::Snapshot;

/// A state to save.
///
/// If dropped, the save counts as abandoned: the state may have been written or may still be.
#[must_use = "answer whether it was saved"]
#[derive(Debug)]
pub struct Save {
    snapshot: Snapshot,
    limit: Duration,
    is_needed: bool,
    ticket: Ticket,
}

impl Save {
    pub(crate) const fn new(
        snapshot: Snapshot,
        limit: Duration,
        is_needed: bool,
        ticket: Ticket,
    ) -> Self {
        Self { snapshot, limit, is_needed, ticket }
    }

    /// Returns the snapshot to write, if it [replaces](Snapshot::replaces) the stored one.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns how long saving may take. After that, the flow counts it as failed.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns `true` if the flow cannot continue without this save.
    ///
    /// This is so while the authentication request may still be sent, because a flow resumed from an
    /// older state would prompt the person again. Otherwise the flow continues if saving fails: no
    /// older state can prompt the person, and the tokens may exist only in memory.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// Answers that the state is durable.
    pub fn saved(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(SaveOutcome::Saved) }
    }

    /// Answers that the state could not be saved, or that this is unknown.
    pub fn failed(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(SaveOutcome::Failed) }
    }

    /// Answers that the store has a state of this flow that the snapshot does not
    /// [replace](Snapshot::replaces): another process has resumed the flow and continues it.
    ///
    /// The flow makes no further request, requests no further save and ends with
    /// [`Failure::Superseded`](crate::Failure::Superseded). A request that has begun is waited for,
    /// because its answer may contain the only copy of the tokens, and tokens that the flow holds
    /// are still verified and returned. Notifications are answered with 503.
    pub fn superseded(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(SaveOutcome::Superseded) }
    }
}
