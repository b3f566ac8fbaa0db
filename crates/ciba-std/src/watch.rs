//! Observers of a drive.

use std::{error::Error, io};

use ciba_core::{Event, Timestamp};

/// Why a private key could not be used, as its signer reports it. The driver passes it to
/// [`Watch::key_unavailable`]; the flow's failure has its message as a source:
/// [`Failure::Unreachable`](ciba_core::Failure::Unreachable) if no person was prompted, otherwise
/// [`Failure::Indeterminate`](ciba_core::Failure::Indeterminate).
pub type SignerError = Box<dyn Error + Send + Sync>;

/// Watches a flow being driven. All methods have defaults that do nothing. `&mut ()` watches
/// nothing; [`on_event`] turns a closure `|event| …` into a watcher of the progress.
pub trait Watch {
    /// Called when something is about to happen or has happened.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Returns `true` to end the drive with [`DriveError::Stopped`](crate::DriveError::Stopped),
    /// for a time limit or a pressed key.
    ///
    /// Called before every step, and while the flow waits: five times a second by the blocking
    /// driver, every ten seconds by the asynchronous one, whose future can be dropped at any time
    /// instead. A request in progress is not interrupted; it has its own time-out.
    fn stop(&mut self, now: Timestamp) -> bool {
        let _ = now;
        false
    }

    /// Returns `false` if [`stop`](Self::stop) never returns `true`. The blocking driver then sleeps
    /// until there is something to do, instead of waking up to ask.
    ///
    /// The default is `true`. Closures and `()` return `false`.
    fn may_stop(&self) -> bool {
        true
    }

    /// Called when the state of the flow could not be saved and the drive continues without the
    /// store. Otherwise the drive ends with [`DriveError::Save`](crate::DriveError::Save). Every
    /// later step tries to save again and reports every failure here.
    ///
    /// If no later save succeeds, the store holds an older state. Remove it once the flow is over,
    /// and do not resume from it while the flow's result is in use.
    fn save_failed(&mut self, error: &io::Error) {
        let _ = error;
    }

    /// Called with the signer's error when the private key could not be used.
    fn key_unavailable(&mut self, error: &SignerError) {
        let _ = error;
    }
}

impl Watch for () {
    fn may_stop(&self) -> bool {
        false
    }
}

impl<F: FnMut(&Event)> Watch for F {
    fn event(&mut self, event: &Event) {
        self(event);
    }

    fn may_stop(&self) -> bool {
        false
    }
}

/// Turns a closure into a watcher of a flow's progress:
/// `&mut on_event(|event| println!("{event:?}"))`.
pub const fn on_event<F: FnMut(&Event)>(watch: F) -> F {
    watch
}
