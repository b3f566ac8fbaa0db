//! A flow that one thread drives while others pass notifications to it.

use std::{
    fmt, io,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use ciba_core::{Snapshot, notification::NotificationVerdict};
use ciba_std::{Attachment, FileSaver, ReplyStep, Routed, Saving};

use crate::{
    Ureq,
    counter::{Counter, Next},
};

/// Saves the state of one flow, so that the flow survives a restart.
pub trait Saver: Send + Sync {
    /// Replaces the saved state of the flow with this one. Return when it is durable: the next step
    /// is taken, and a notification is acknowledged, only after that. The state holds secrets.
    ///
    /// Write it only if it [replaces](Snapshot::replaces) what the store holds, and check that in
    /// the transaction that writes. Otherwise change nothing and return
    /// [`Superseded`](crate::Superseded): another process continues this flow, and this one ends
    /// with [`Failure::Superseded`](crate::Failure::Superseded).
    ///
    /// Saves of one flow are requested one after the other, never two at once, from the thread of
    /// the drive or of a notification. The drive waits for a save without a limit, so a save that
    /// never returns also holds up a login that was approved: set a time-out in the client of your
    /// store. If it gives up on a write, that may still reach the store later; the revision keeps
    /// it from replacing a newer state.
    ///
    /// `ciba_test_op::store_cases` checks a store against these rules.
    ///
    /// # Errors
    ///
    /// While the authentication request may still be sent, the drive ends with
    /// [`DriveError::Save`](crate::DriveError::Save). After that it continues and reports the
    /// failure to [`Watch::save_failed`](crate::Watch::save_failed). A notification that could not
    /// be saved is answered with 503, so that the provider may send it again.
    fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

impl<S: Saver + 'static> From<S> for Box<dyn Saver> {
    fn from(saver: S) -> Self {
        Box::new(saver)
    }
}

impl Saver for FileSaver {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save(snapshot)
    }
}

/// A flow of this adapter that is being driven. Clones are the same flow.
///
/// [`new`](ciba_std::SharedFlow::new) and [`with_saver`](ciba_std::SharedFlow::with_saver) share a
/// flow from [`DriverBase::start`](ciba_std::DriverBase::start) or
/// [`DriverBase::resume`](ciba_std::DriverBase::resume).
pub type SharedFlow = ciba_std::SharedFlow<Store>;

/// The saver of a flow, and what wakes the threads that wait for the flow.
pub struct Store {
    /// Locked during a save.
    saver: Option<Mutex<Box<dyn Saver>>>,
    /// Wakes the drive.
    pub(crate) wake_ups: Counter,
    /// Wakes notifications that wait for the end of another save.
    saves_ended: Counter,
}

impl Attachment for Store {
    type Saver = dyn Saver;
    type SaveEnded<'a> = Next<'a>;

    fn new(saver: Option<Box<dyn Saver>>) -> Self {
        let saver = saver.map(Mutex::new);
        Self { saver, wake_ups: Counter::default(), saves_ended: Counter::default() }
    }

    fn wake_drive(&self) {
        self.wake_ups.increment();
    }

    fn save_ended(&self) {
        self.saves_ended.increment();
    }

    fn listen(&self) -> Next<'_> {
        self.saves_ended.next()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("saves", &self.saver.is_some()).finish_non_exhaustive()
    }
}

/// Writes a state with the saver of its flow.
pub(crate) fn write(saving: &Saving<'_, Store>) -> io::Result<()> {
    let Some(saver) = &saving.attached().saver else { return Ok(()) };
    // One save at a time. A saver that panicked once is called again.
    let saver = saver.lock().unwrap_or_else(PoisonError::into_inner);
    saver.save(saving.snapshot())
}

/// Delivers a notification, and returns the verdict on it once what it brought is saved.
pub(crate) fn reply(routed: &Routed<Ureq>) -> NotificationVerdict {
    let begun = Instant::now();
    let mut delivery = routed.deliver();
    loop {
        match delivery.step(begun.elapsed()) {
            ReplyStep::Verdict(verdict) => return verdict,
            ReplyStep::Save(saving) => {
                let outcome = write(&saving);
                // The next step says what a failed save means for the notification.
                let _ = saving.finish(outcome);
            }
            ReplyStep::Wait(save_ended, at_most) => save_ended.wait(at_most),
        }
    }
}
