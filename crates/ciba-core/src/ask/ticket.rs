//! The ticket inside an output: which question it is, and what became of it when it was dropped.

use alloc::sync::Arc;
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

/// Whose question it is and which one. Dropped without an answer, it leaves what is true then in
/// its [`Fate`].
pub(crate) struct Ticket {
    /// The machine: 64 random bits a flow draws at its start, or a cache's own.
    pub(crate) serial: u64,
    /// Counts the machine's questions.
    pub(crate) counter: u64,
    fate: Fate,
    /// What a drop means from here on; nothing once it was answered.
    when_dropped: Option<Dropped>,
}

impl Ticket {
    /// A ticket, and what the machine keeps of it to learn what becomes of the question.
    pub(crate) fn new(serial: u64, counter: u64) -> (Self, Fate) {
        let fate = Fate::default();
        (Self { serial, counter, fate: fate.clone(), when_dropped: Some(Dropped::Untouched) }, fate)
    }

    /// From here on a request may have left.
    pub(super) fn begins(&mut self) {
        self.when_dropped = Some(Dropped::Begun);
    }

    /// The machine took the answer: the drop that follows says nothing.
    pub(crate) fn is_answered(mut self) {
        self.when_dropped = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(how) = self.when_dropped {
            self.fate.0.store(how.code(), Ordering::Release);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:x}, {})", self.serial, self.counter)
    }
}

/// What became of a question that nobody answered: one byte, shared by the question and the machine
/// that asked, so that a caller's future or thread may end anywhere without a lock, a clock or a
/// guard of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate(Arc<AtomicU8>);

/// How far a question had come when it was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Nothing had happened.
    Untouched,
    /// A request may have left.
    Begun,
}

impl Dropped {
    /// Zero is a question that is still held, or was answered.
    const fn code(self) -> u8 {
        match self {
            Self::Untouched => 1,
            Self::Begun => 2,
        }
    }
}

impl Fate {
    /// Whether the question was dropped, and how far it had come.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        let code = self.0.load(Ordering::Acquire);
        [Dropped::Untouched, Dropped::Begun].into_iter().find(|how| how.code() == code)
    }
}
