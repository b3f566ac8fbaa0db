//! What the phases of a flow share: the enum of phases, a step of the machine, and open questions.

use core::time::Duration;

use super::{
    adrift::Adrift, authorizing::Authorizing, pending::Pending, redeeming::Redeeming,
    settled::Settled, verifying::Verifying,
};
use crate::{
    ask::{Dropped, Fate, Output, Ticket},
    bounds,
    client::ClientConfig,
    crypto::{
        Verifier,
        entropy::{Entropy, Purpose},
    },
    elapsed::Moment,
    secret::NotificationToken,
    time::Timestamp,
};

/// The phase of a flow, with the data that has a meaning only in that phase.
pub(super) enum Phase {
    Authorizing(Authorizing),
    /// The acknowledgement was lost, in ping or push mode.
    Adrift(alloc::boxed::Box<Adrift>),
    Pending(Pending),
    Redeeming(Redeeming),
    Verifying(alloc::boxed::Box<Verifying>),
    Settled(Settled),
}

/// The result of polling a phase: the next phase, or an effect for the caller.
pub(super) enum Step {
    /// Continue immediately in this phase.
    Next(Phase),
    /// Stay in this phase and return the effect to the caller.
    Emit(Phase, Effect),
}

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
    pub(super) because: crate::ask::WaitReason,
    pub(super) progress: Option<alloc::sync::Arc<str>>,
}

impl PlannedWait {
    pub(super) const fn new(until: Moment, because: crate::ask::WaitReason) -> Self {
        Self { until, because, progress: None }
    }
}

/// What a phase can use in a step: the configuration and the time.
pub(super) struct Context<'a> {
    pub(super) config: &'a ClientConfig,
    /// The wall clock, for times in tokens.
    pub(super) now: Timestamp,
    /// The moment on the machine's time line, for spacing and deadlines.
    pub(super) moment: Moment,
}

/// Issues tickets. Every question of a flow has its own number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions {
    pub(super) serial: u64,
    pub(super) counter: u64,
}

impl Questions {
    /// Jumps to a random range of numbers, so that processes that resumed the same snapshot never
    /// take each other's answers for their own.
    pub(super) fn begin_anew(&mut self, entropy: &Entropy, verifier: &dyn Verifier) {
        let mut jump = [0_u8; 4];
        for (slot, byte) in jump.iter_mut().zip(entropy.expand(verifier, Purpose::Serial)) {
            *slot = byte;
        }
        self.counter = self.counter.saturating_add(u64::from(u32::from_le_bytes(jump)));
    }

    /// Issues the ticket of a new question, and the record by which its answer is recognized.
    pub(super) fn ask(&mut self, limit: Moment) -> (Ticket, Open) {
        self.counter = self.counter.wrapping_add(1);
        let (ticket, fate) = Ticket::new(self.serial, self.counter);
        (ticket, Open { counter: self.counter, limit, fate })
    }
}

/// A question that has not been answered yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) counter: u64,
    /// When the wait for the answer ends.
    pub(super) limit: Moment,
    fate: Fate,
}

impl Open {
    pub(super) fn is_over(&self, moment: Moment) -> bool {
        moment >= self.limit
    }

    /// Returns how far the operation had come, if the question was dropped.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        self.fate.dropped()
    }

    /// Returns when there is something to do: at the limit, or immediately if the question was
    /// dropped.
    pub(super) fn wake_at(&self) -> Moment {
        if self.dropped().is_some() { Moment::START } else { self.limit }
    }
}

/// Returns when an exchange that is sent at `sent` counts as lost.
pub(super) fn lost_at(sent: Moment, timeout: Duration) -> Moment {
    sent.plus(timeout).plus(bounds::LOST_AFTER)
}

/// The context of a poll, with the caller's entropy and the source of tickets.
pub(super) struct Poll<'a> {
    pub(super) tick: Context<'a>,
    /// The notification token, in ping and push mode.
    pub(super) token: Option<&'a NotificationToken>,
    pub(super) entropy: &'a Entropy,
    pub(super) questions: &'a mut Questions,
}

impl Poll<'_> {
    /// Derives the jitter of the next wait from the entropy of this poll. It is less than
    /// [`bounds::JITTER`] and never negative.
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
