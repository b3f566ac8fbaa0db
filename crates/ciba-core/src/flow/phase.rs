//! What the phases of a flow share: the table of phases, a step of the machine, and open questions.

use core::time::Duration;

use super::{
    adrift::Adrift, authorizing::Authorizing, pending::Pending, redeeming::Redeeming,
    settled::Settled, verifying::Verifying,
};
use crate::{
    ask::{Dropped, Fate, Output, Ticket},
    bounds,
    client::ClientConfig,
    crypto::Verifier,
    elapsed::Moment,
    entropy::{Entropy, Purpose},
    secret::NotificationToken,
    time::Timestamp,
};

/// Where a flow is, with all that only makes sense there.
pub(super) enum Phase {
    Authorizing(Authorizing),
    /// In ping or push mode: the acknowledgement was lost.
    Adrift(alloc::boxed::Box<Adrift>),
    Pending(Pending),
    Redeeming(Redeeming),
    Verifying(alloc::boxed::Box<Verifying>),
    Settled(Settled),
}

/// What a phase does when it is polled: hand over to another, or stop with something for the
/// caller.
pub(super) enum Step {
    /// Go on in this phase at once.
    Next(Phase),
    /// Stay in this phase and tell the caller.
    Emit(Phase, Effect),
}

/// What a phase tells the caller.
pub(super) enum Effect {
    /// An output with a ticket. `save` when the state has to be saved before it is carried out.
    Do { output: Output, save: bool },
    /// Wait until a moment.
    Wait(PlannedWait),
    /// Nothing is left to do.
    Done,
}

/// A wait in the making.
pub(super) struct PlannedWait {
    pub(super) until: Moment,
    pub(super) because: crate::ask::WaitReason,
    pub(super) progress: Option<alloc::sync::Arc<str>>,
}

impl PlannedWait {
    pub(super) const fn new(until: Moment, because: crate::ask::WaitReason) -> Self {
        Self { until, because, progress: None }
    }
}

/// One moment of the machine: what a phase may look at when it moves.
pub(super) struct Context<'a> {
    pub(super) config: &'a ClientConfig,
    /// The wall clock, for times inside tokens.
    pub(super) now: Timestamp,
    /// The machine's own time line, for spacing and deadlines.
    pub(super) moment: Moment,
}

/// Hands out tickets; every question of a flow has its own number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions {
    pub(super) serial: u64,
    pub(super) counter: u64,
}

impl Questions {
    /// Begins to count far from where any other process that resumed the same snapshot does, so
    /// that an answer to its questions is never taken for one to ours.
    pub(super) fn begin_anew(&mut self, entropy: &Entropy, verifier: &dyn Verifier) {
        let mut jump = [0_u8; 4];
        for (slot, byte) in jump.iter_mut().zip(entropy.expand(verifier, Purpose::Serial)) {
            *slot = byte;
        }
        self.counter = self.counter.saturating_add(u64::from(u32::from_le_bytes(jump)));
    }

    /// A ticket for a new question, and the mark to recognise its answer by.
    pub(super) fn ask(&mut self, limit: Moment) -> (Ticket, Open) {
        self.counter = self.counter.wrapping_add(1);
        let (ticket, fate) = Ticket::new(self.serial, self.counter);
        (ticket, Open { counter: self.counter, limit, fate })
    }
}

/// A question whose answer has not come yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) counter: u64,
    /// When waiting for it ends.
    pub(super) limit: Moment,
    fate: Fate,
}

impl Open {
    pub(super) fn is_over(&self, moment: Moment) -> bool {
        moment >= self.limit
    }

    /// Whether nobody is going to answer any more, and how far the question had come.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        self.fate.dropped()
    }

    /// When there is something to do: its limit, or at once when it was dropped.
    pub(super) fn wake_at(&self) -> Moment {
        if self.dropped().is_some() { Moment::START } else { self.limit }
    }
}

/// When an exchange that is sent now counts as lost.
pub(super) fn lost_at(sent: Moment, timeout: Duration) -> Moment {
    sent.plus(timeout).plus(bounds::LOST_AFTER)
}

/// A poll in progress: the tick, the caller's entropy and the ticket counter.
pub(super) struct Poll<'a> {
    pub(super) tick: Context<'a>,
    /// The notification token, in ping and push mode.
    pub(super) token: Option<&'a NotificationToken>,
    pub(super) entropy: &'a Entropy,
    pub(super) questions: &'a mut Questions,
}

impl Poll<'_> {
    /// Jitter for the wait that follows, from this poll's entropy: less than [`bounds::JITTER`],
    /// never negative.
    pub(super) fn jitter(&self) -> Duration {
        let bytes = self.entropy.expand(&*self.tick.config.verifier, Purpose::Jitter);
        let mut wide = [0_u8; 8];
        for (slot, byte) in wide.iter_mut().zip(bytes) {
            *slot = byte;
        }
        let most = u64::try_from(bounds::JITTER.as_millis()).unwrap_or(0);
        Duration::from_millis(u64::from_le_bytes(wide).checked_rem(most).unwrap_or(0))
    }
}
