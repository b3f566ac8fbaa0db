//! How far the exchange of this thread has come, and whether its request may still be sent.
//!
//! ureq does all its work in the thread that called it, and offers no way to pass a value to its
//! connector and its transports. So a value of the thread is a value of the exchange.

use std::cell::{Cell, RefCell};

use ciba_std::{Gate, Withheld};

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// No address is known yet.
    Resolving,
    /// The connection through a proxy could not be made.
    Tunnelling,
    /// A connection is being made, TLS included.
    Connecting,
    /// Bytes of the request may have been sent.
    Writing,
    /// Bytes of an answer have arrived.
    Reading,
}

thread_local! {
    static MARK: Cell<Mark> = const { Cell::new(Mark::Resolving) };
    static GATE: RefCell<Option<Gate>> = const { RefCell::new(None) };
}

/// Returns how far the last exchange of this thread came.
pub(crate) fn mark() -> Mark {
    MARK.get()
}

/// Notes how far the exchange has come.
pub(crate) fn reach(mark: Mark) {
    MARK.set(mark);
}

/// Performs exchanges whose requests are sent only if the gate lets them pass right before their
/// first byte. Making a connection takes time, and the machine may be suspended meanwhile: a
/// request that was in time when the exchange began may be late when it could be written.
pub(crate) fn while_allowed<T>(gate: Gate, exchange: impl FnOnce() -> T) -> T {
    /// Removes the gate, even after a panic.
    struct Within;

    impl Drop for Within {
        fn drop(&mut self) {
            GATE.set(None);
        }
    }

    GATE.set(Some(gate));
    let _within = Within;
    exchange()
}

/// Asks the gate.
pub(crate) fn pass() -> Result<(), Withheld> {
    // Cloned, because the gate is a function of the caller and may itself perform exchanges.
    GATE.with_borrow(Clone::clone).map_or(Ok(()), |gate| gate.pass())
}
