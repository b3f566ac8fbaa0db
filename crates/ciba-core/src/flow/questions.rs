//! The questions of a flow, and the record of the open one.

use core::time::Duration;

use crate::{
    ask::{DropMark, Dropped, Ticket},
    bounds,
    crypto::{
        Verifier,
        entropy::{Entropy, Purpose},
    },
    elapsed::Moment,
};

/// Issues tickets. Every question of a flow has its own number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions {
    pub(super) serial: u64,
    pub(super) counter: u64,
}

impl Questions {
    /// Jumps to a random range of numbers, so that processes that resumed the same snapshot never
    /// take each other's answers for their own.
    pub(super) fn jump(&mut self, entropy: &Entropy, verifier: &dyn Verifier) {
        // Far from each other, and never near the end of the numbers.
        let jump = entropy.number(verifier, Purpose::Serial) & u64::from(u32::MAX);
        self.counter = self.counter.saturating_add(jump);
    }

    /// Issues the ticket of a new question, and the record by which its answer is recognized.
    pub(super) fn ask(&mut self, limit: Moment) -> (Ticket, Open) {
        // Every question has a number of its own, so an answer to an earlier one is never taken for
        // this one.
        self.counter = self.counter.wrapping_add(1);
        let (ticket, drop_mark) = Ticket::new(self.serial, self.counter);
        (ticket, Open { counter: self.counter, limit, drop_mark })
    }
}

/// A question that has not been answered yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) counter: u64,
    /// When the wait for the answer ends.
    pub(super) limit: Moment,
    drop_mark: DropMark,
}

impl Open {
    pub(super) fn is_over(&self, moment: Moment) -> bool {
        moment >= self.limit
    }

    /// Returns how far the operation had come, if the question was dropped.
    pub(super) fn dropped(&self) -> Option<Dropped> {
        self.drop_mark.dropped()
    }

    /// Returns when there is something to do: at the limit, or immediately if the question was
    /// dropped.
    pub(super) fn wake_at(&self) -> Moment {
        if self.dropped().is_some() { Moment::START } else { self.limit }
    }
}

/// Returns when an exchange that is sent at `sent` counts as lost.
pub(super) fn lost_at(sent: Moment, timeout: Duration) -> Moment {
    // A little after the timeout, so that the caller reports its own timeout, which knows the
    // cause.
    sent.plus(timeout).plus(bounds::LOST_AFTER)
}
