//! The effects that a phase returns to the caller.

use alloc::sync::Arc;

use crate::{
    ask::{Output, WaitReason},
    elapsed::Moment,
};

/// An effect that a phase returns to the caller.
pub(super) enum Effect {
    /// An output with a ticket. `save` is `true` if the state must be saved before it is performed.
    Do { output: Output, save: bool },
    /// A wait until a moment.
    Wait(PlannedWait),
    /// The flow is over.
    Done,
}

/// A wait, before it is converted to wall-clock time.
pub(super) struct PlannedWait {
    pub(super) until: Moment,
    pub(super) because: WaitReason,
    pub(super) progress: Option<Arc<str>>,
}

impl PlannedWait {
    pub(super) const fn new(until: Moment, because: WaitReason) -> Self {
        Self { until, because, progress: None }
    }
}
