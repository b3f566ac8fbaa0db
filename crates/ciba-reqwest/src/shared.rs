//! A flow that one task drives while others tell it of notifications, and the saving of it.

use std::{fmt, io, ops::Deref, sync::Arc};

use async_trait::async_trait;
use ciba_core::{
    Flow, Snapshot, Timestamp,
    machine::Save,
    notification::{Notification, NotificationVerdict, Receiving},
};
use ciba_std::{FileSaver, LockedFlow};
use tokio::{sync::Notify, time::Instant};

/// Keeps the state of one flow, so that the flow survives a restart.
#[async_trait]
pub trait Saver: Send + Sync {
    /// Saves the flow's state over the one before. Return when it is durable: the next step is
    /// taken, and a notification is acknowledged, only after that. The state holds secrets.
    ///
    /// Write it only if the store holds no state of this flow yet, or one with a lower
    /// [revision](Snapshot::revision). Otherwise change nothing and return an error: another
    /// process continues this flow.
    ///
    /// Saves of one flow are requested one after the other, never two at once. The future may be
    /// dropped before it completes, with the drive or the notification that needed it, or because
    /// it takes too long: a minute while the authentication request may still be sent, ten seconds
    /// after that. What it started may still reach the store later, and the revision keeps it from
    /// replacing a newer state.
    ///
    /// `ciba_test_op::store_cases` checks a store against this.
    ///
    /// # Errors
    ///
    /// While the authentication request may still be sent, the drive stops with
    /// [`DriveError::Save`](crate::DriveError::Save). After that it continues and reports the
    /// failure to [`Watch::save_failed`](crate::Watch::save_failed). A notification that could not
    /// be saved is answered with 503, so that the provider may send it again.
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

#[async_trait]
impl<S: Saver + ?Sized> Saver for Box<S> {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        (**self).save(snapshot).await
    }
}

#[async_trait]
impl Saver for FileSaver {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let (saver, snapshot) = (self.clone(), snapshot.clone());
        let saved = tokio::task::spawn_blocking(move || saver.save(&snapshot)).await;
        // The runtime shuts down before the save began, or the save panicked.
        saved.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

/// A flow being driven. Clones are the same flow. It dereferences to a [`LockedFlow`], which tells
/// its stage and takes its result.
#[derive(Clone)]
pub struct SharedFlow(Arc<Shared>);

pub struct Shared {
    flow: LockedFlow,
    /// Locked during a save.
    saver: tokio::sync::Mutex<Option<Box<dyn Saver>>>,
    /// Wakes the drive: there is news for it, or a save it waits for ended.
    bell: Notify,
    /// Wakes notifications that wait for the end of another save.
    save_ended: Notify,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flow.fmt(f)
    }
}

impl AsRef<LockedFlow> for Shared {
    fn as_ref(&self) -> &LockedFlow {
        &self.flow
    }
}

impl Deref for SharedFlow {
    type Target = LockedFlow;

    fn deref(&self) -> &LockedFlow {
        &self.0.flow
    }
}

impl SharedFlow {
    /// A flow that is not saved, fresh from [`Flow::start`] or [`Flow::resume`].
    #[must_use]
    pub fn new(flow: Flow) -> Self {
        Self::of(flow.in_memory(), None)
    }

    /// A flow that is saved whenever something worth saving changed: before every step, at the end,
    /// and before a notification is acknowledged.
    #[must_use]
    pub fn with_saver(flow: Flow, saver: impl Saver + 'static) -> Self {
        Self::of(flow.durable(), Some(Box::new(saver)))
    }

    fn of(flow: Flow, saver: Option<Box<dyn Saver>>) -> Self {
        Self(Arc::new(Shared {
            flow: LockedFlow::new(flow),
            saver: tokio::sync::Mutex::new(saver),
            bell: Notify::new(),
            save_ended: Notify::new(),
        }))
    }

    /// Gives up, as [`Flow::cancel`]; the drive ends. A request or a signature that is under way is
    /// not cut off: the drive ends after it.
    pub fn cancel(&self, now: Timestamp) {
        self.0.flow.cancel(now);
        self.0.bell.notify_one();
    }

    /// What routes know it by.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    pub(crate) const fn of_shared(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Saves a state, within its limit, and gives the flow the outcome.
    pub(crate) async fn save(&self, save: Save, now: Timestamp) -> io::Result<()> {
        // Also when this future is dropped, and only after `save` told the flow of it.
        let _ended = OnDrop(|| self.0.save_ended.notify_waiters());
        let save = save;
        let saver = self.0.saver.lock().await;
        let saved = match &*saver {
            Some(saver) => tokio::time::timeout(save.limit(), saver.save(save.snapshot())).await,
            None => Ok(Ok(())),
        };
        let saved = saved.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the store did not answer in time"))
        });
        let input = if saved.is_ok() { save.saved() } else { save.failed() };
        // It is the flow's own, so there is nothing to refuse.
        self.look(|flow| flow.handle(input, now).ok());
        saved
    }

    /// Takes a notification, wakes the drive, and answers once what it brought is saved. `None`
    /// when the result was taken.
    pub(crate) async fn notify(
        &self,
        notification: &Notification,
        now: Timestamp,
    ) -> Option<NotificationVerdict> {
        let mut receipt = self.step(|flow| (flow.notify(notification, now), now))?;
        if receipt.is_news() {
            // Before the save: the drive continues whatever becomes of it.
            self.0.bell.notify_one();
        }
        let begun = Instant::now();
        loop {
            // Created before the flow is asked, so that a save that ends in between is not missed.
            let save_ended = self.0.save_ended.notified();
            let now = now.saturating_add(begun.elapsed());
            let receiving = self.look(|flow| flow.acknowledge(&mut receipt, now));
            let Some(receiving) = receiving else { return receipt.without_flow() };
            match receiving {
                Receiving::Reply(said) => return Some(said),
                Receiving::Save(save) => {
                    // The drive may wait for this save, and learns its outcome from the flow. It is
                    // also woken when this future is dropped during the save.
                    let _ended = OnDrop(|| self.0.bell.notify_one());
                    let _ = self.save(save, now).await;
                }
                Receiving::Wait(until) => {
                    let _ = tokio::time::timeout(until.since(now), save_ended).await;
                }
            }
        }
    }

    /// Returns when there is something to look at, at once if that happened since the last return.
    pub(crate) async fn woken(&self) {
        self.0.bell.notified().await;
    }
}

/// Calls a function when dropped.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl From<Flow> for SharedFlow {
    fn from(flow: Flow) -> Self {
        Self::new(flow)
    }
}

impl fmt::Debug for SharedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFlow").field(&self.stage()).finish()
    }
}
