//! A state that a machine asks to have saved.

use core::time::Duration;

use super::{
    input::{Answer, Input},
    ticket::Ticket,
};
use crate::snapshot::Snapshot;

/// A state to save. Dropped, it counts as given up: it may have been written, or may still be.
#[must_use = "say whether it was saved"]
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

    /// What to write, over a state with a lower [revision](Snapshot::revision) only.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// How long it may take; later the flow counts it as failed.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the flow goes no further without it: true while the authentication request may still
    /// be sent, since a flow that is resumed from an older state would prompt the person again.
    /// When it is false and the store fails, the flow goes on without it: no older state prompts
    /// anybody, and what the provider grants may exist only in memory.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// It is durable.
    pub fn saved(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(true) }
    }

    /// It could not be saved, or nobody knows.
    pub fn failed(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(false) }
    }
}
