//! A flow that one task drives while others pass notifications to it.

use std::{fmt, io};

use async_trait::async_trait;
use ciba_core::{Snapshot, notification::NotificationVerdict};
use ciba_std::{Attachment, FileSaver, ReplyStep, Routed, Saving};
use tokio::{
    sync::{Mutex, Notify, futures::Notified},
    time::{Instant, timeout},
};

use crate::Reqwest;

/// Saves the state of one flow, so that the flow survives a restart.
#[async_trait]
pub trait Saver: Send + Sync {
    /// Replaces the saved state of the flow with this one. Return when it is durable: the next step
    /// is taken, and a notification is acknowledged, only after that. The state holds secrets.
    ///
    /// Write it only if it [replaces](Snapshot::replaces) what the store holds, and check that in
    /// the transaction that writes. Otherwise change nothing and return
    /// [`Superseded`](crate::Superseded): another process continues this flow, and this one ends
    /// with [`Failure::Superseded`](crate::Failure::Superseded).
    ///
    /// Saves of one flow are requested one after the other, never two at once. The future may be
    /// dropped before it completes, with the drive or the notification that needed it, or because
    /// it takes too long: a minute while the authentication request may still be sent, ten seconds
    /// after that. What it started may still reach the store later; the revision keeps it from
    /// replacing a newer state.
    ///
    /// `ciba_test_op::store_cases` checks a store against these rules.
    ///
    /// # Errors
    ///
    /// While the authentication request may still be sent, the drive ends with
    /// [`DriveError::Save`](crate::DriveError::Save). After that it continues and reports the
    /// failure to [`Watch::save_failed`](crate::Watch::save_failed). A notification that could not
    /// be saved is answered with 503, so that the provider may send it again.
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

impl<S: Saver + 'static> From<S> for Box<dyn Saver> {
    fn from(saver: S) -> Self {
        Box::new(saver)
    }
}

#[async_trait]
impl Saver for FileSaver {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let (saver, snapshot) = (self.clone(), snapshot.clone());
        let saved = tokio::task::spawn_blocking(move || saver.save(&snapshot)).await;
        // The runtime shut down before the save began, or the save panicked.
        saved.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// A flow of this adapter that is being driven. Clones are the same flow.
///
/// [`new`](ciba_std::SharedFlow::new) and [`with_saver`](ciba_std::SharedFlow::with_saver) share a
/// flow from [`DriverBase::start`](ciba_std::DriverBase::start) or
/// [`DriverBase::resume`](ciba_std::DriverBase::resume).
pub type SharedFlow = ciba_std::SharedFlow<Store>;

/// The saver of a flow, and what wakes the tasks that wait for the flow.
pub struct Store {
    /// Locked during a save.
    saver: Option<Mutex<Box<dyn Saver>>>,
    /// Wakes the drive.
    bell: Notify,
    /// Wakes notifications that wait for the end of another save.
    save_ended: Notify,
}

impl Attachment for Store {
    type Saver = dyn Saver;
    type SaveEnded<'a> = Notified<'a>;

    fn new(saver: Option<Box<dyn Saver>>) -> Self {
        Self { saver: saver.map(Mutex::new), bell: Notify::new(), save_ended: Notify::new() }
    }

    fn wake_drive(&self) {
        self.bell.notify_one();
    }

    fn save_ended(&self) {
        self.save_ended.notify_waiters();
    }

    fn listen(&self) -> Notified<'_> {
        self.save_ended.notified()
    }
}

impl Store {
    /// Returns once the drive is woken, at once if that happened since the last return.
    pub(crate) async fn woken(&self) {
        self.bell.notified().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("saves", &self.saver.is_some()).finish_non_exhaustive()
    }
}

/// Writes a state with the saver of its flow, within the time limit.
pub(crate) async fn write(saving: &Saving<'_, Store>) -> io::Result<()> {
    let Some(saver) = &saving.attached().saver else { return Ok(()) };
    // One save at a time. The limit is for the store, not for the end of another save.
    let saver = saver.lock().await;
    let saved = timeout(saving.limit(), saver.save(saving.snapshot())).await;
    let too_slow = || io::Error::new(io::ErrorKind::TimedOut, "the store did not answer in time");
    saved.unwrap_or_else(|_| Err(too_slow()))
}

/// Delivers a notification, and returns the verdict on it once what it brought is saved.
pub(crate) async fn reply(routed: &Routed<Reqwest>) -> NotificationVerdict {
    let begun = Instant::now();
    let mut delivery = routed.deliver();
    loop {
        match delivery.step(begun.elapsed()) {
            ReplyStep::Verdict(verdict) => return verdict,
            ReplyStep::Save(saving) => {
                let outcome = write(&saving).await;
                // The next step says what a failed save means for the notification.
                let _ = saving.finish(outcome);
            }
            ReplyStep::Wait(save_ended, at_most) => {
                let _ = timeout(at_most, save_ended).await;
            }
        }
    }
}
