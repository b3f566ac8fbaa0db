//! How far the exchange of this thread has come, what time is left to connect, and whether its
//! request may still be sent.
//!
//! ureq does all its work in the thread that called it, and offers no way to pass a value to its
//! connector and its transports. So a value of the thread is a value of the exchange.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    thread::LocalKey,
    time::Duration,
};

use ciba_std::{Gate, Withheld};
use ureq::unversioned::transport::{ConnectionDetails, NextTimeout, time::Instant};

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

/// Returns the time in which the connection that is being made has to be there.
type Left = Rc<dyn Fn() -> Duration>;

thread_local! {
    static LEFT: RefCell<Option<Left>> = const { RefCell::new(None) };
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
    while_set(&GATE, gate, exchange)
}

/// Makes a connection within its time-out. ureq passes the same time-out to each step: finding the
/// name of a proxy, connecting to it, asking it for a tunnel. All of them share one here: the
/// connection to a proxy is made while that through the proxy is made, and has no time of its own.
pub(crate) fn while_connecting<T>(
    details: &ConnectionDetails<'_>,
    connect: impl FnOnce() -> T,
) -> T {
    if is_connecting() {
        return connect();
    }
    let (limit, begun) = (*details.timeout.after, details.now);
    let now = Arc::clone(&details.current_time);
    let left = move || match (now(), begun) {
        (Instant::Exact(now), Instant::Exact(begun)) => {
            limit.saturating_sub(now.saturating_duration_since(begun))
        }
        _ => limit,
    };
    while_set(&LEFT, Rc::new(left), connect)
}

/// Returns whether a connection is being made.
pub(crate) fn is_connecting() -> bool {
    LEFT.with_borrow(Option::is_some)
}

/// Returns a time-out, reduced to the time that is left while a connection is being made.
pub(crate) fn left(timeout: NextTimeout) -> Result<NextTimeout, ureq::Error> {
    let Some(left) = LEFT.with_borrow(Clone::clone) else { return Ok(timeout) };
    let after = left().min(*timeout.after);
    // ureq takes zero for no limit.
    if after.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    Ok(NextTimeout { after: after.into(), ..timeout })
}

/// Runs a function while a value of the thread is set, and removes the value, even after a panic.
pub(crate) fn while_set<V, T>(
    place: &'static LocalKey<RefCell<Option<V>>>,
    value: V,
    run: impl FnOnce() -> T,
) -> T {
    struct Within<V: 'static>(&'static LocalKey<RefCell<Option<V>>>);

    impl<V> Drop for Within<V> {
        fn drop(&mut self) {
            self.0.set(None);
        }
    }

    place.set(Some(value));
    let _within = Within(place);
    run()
}

/// Asks the gate.
pub(crate) fn pass() -> Result<(), Withheld> {
    // Cloned, because the gate is a function of the caller and may itself perform exchanges, which
    // connect in their own time.
    let left = LEFT.take();
    let passed = GATE.with_borrow(Clone::clone).map_or(Ok(()), |gate| gate.pass());
    LEFT.set(left);
    passed
}
