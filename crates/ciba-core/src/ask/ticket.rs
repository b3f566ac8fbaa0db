//! The ticket of an output, which identifies the question and records if it is dropped.

use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

/// Identifies a question. If dropped without an answer, it records in its [`DropMark`] how far the
/// operation had come.
pub(crate) struct Ticket {
    /// The machine: 64 random bits that a flow draws at its start, or a value of a cache.
    pub(crate) serial: u64,
    /// The number of the question within the machine.
    pub(crate) counter: u64,
    drop_mark: DropMark,
    /// What to record if dropped; `None` once it was answered.
    when_dropped: Option<Dropped>,
}

impl Ticket {
    /// Creates a ticket, and the part that the machine keeps to learn about a drop.
    pub(crate) fn new(serial: u64, counter: u64) -> (Self, DropMark) {
        let drop_mark = DropMark::default();
        (
            Self {
                serial,
                counter,
                drop_mark: drop_mark.clone(),
                when_dropped: Some(Dropped::Untouched),
            },
            drop_mark,
        )
    }

    /// Records that from now on the request may have been sent.
    pub(super) fn begins(&mut self) {
        self.when_dropped = Some(Dropped::Begun);
    }

    /// Marks the ticket as answered, so that dropping it records nothing.
    pub(crate) fn mark_answered(mut self) {
        self.when_dropped = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(how) = self.when_dropped {
            // Pairs with the load in `DropMark::dropped`: a machine that sees the drop also sees what
            // the caller did before it.
            self.drop_mark.0.store(how.code(), Ordering::Release);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:x}, {})", self.serial, self.counter)
    }
}

/// The mark of a question that was not answered: one byte, shared by the question and the machine
/// that asked it.
// It makes dropping safe everywhere: a future or thread of the caller can end at any point, without
// needing a lock, a clock or a guard.
#[derive(Debug, Clone, Default)]
pub(crate) struct DropMark(Arc<AtomicU8>);

/// How far an operation had come when its question was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Nothing had happened.
    Untouched,
    /// The request may have been sent.
    Begun,
}

impl Dropped {
    /// Returns the byte to store. Zero means that the question is still held, or was answered.
    const fn code(self) -> u8 {
        match self {
            Self::Untouched => 1,
            Self::Begun => 2,
        }
    }
}

impl DropMark {
    /// Returns how far the operation had come, if the question was dropped.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        let code = self.0.load(Ordering::Acquire);
        [Dropped::Untouched, Dropped::Begun].into_iter().find(|how| how.code() == code)
    }
}
