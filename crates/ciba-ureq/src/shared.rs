//! A flow that one thread drives while others tell it of notifications, and the saving of it.

use std::{
    fmt, io,
    ops::Deref,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ciba_core::{
    Flow, Snapshot, Timestamp,
    machine::Save,
    notification::{Notification, NotificationVerdict, Receiving},
};

use ciba_std::{FileSaver, LockedFlow};

use crate::bell::Bell;

/// Keeps the state of one flow, so that the flow survives a restart.
pub trait Saver: Send + Sync {
    /// Saves the flow's state over the one before. Return when it is durable: the next step is
    /// taken, and a notification is acknowledged, only after that. The state holds secrets.
    ///
    /// Write it only if the store holds no state of this flow yet, or one with a lower
    /// [revision](Snapshot::revision). Otherwise change nothing and return an error: another
    /// process continues this flow.
    ///
    /// Saves of one flow are requested one after the other, never two at once, from whichever
    /// thread has the news. The drive waits for a save without a limit, so a save that never
    /// returns also holds up a login that was approved: set a time-out in the client of your store.
    /// If it gives up on a write, that may still reach the store later, and the revision keeps it
    /// from replacing a newer state.
    ///
    /// `ciba_test_op::store_cases` checks a store against this.
    ///
    /// # Errors
    ///
    /// While the authentication request may still be sent, the drive stops with
    /// [`DriveError::Save`](crate::DriveError::Save). After that it continues and reports the
    /// failure to [`Watch::save_failed`](crate::Watch::save_failed). A notification that could not
    /// be saved is answered with 503, so that the provider may send it again.
    fn save(&self, snapshot: &Snapshot) -> io::Result<()>;
}

impl<S: Saver + ?Sized> Saver for Box<S> {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        (**self).save(snapshot)
    }
}

impl Saver for FileSaver {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save(snapshot)
    }
}

/// A flow being driven. Clones are the same flow. It dereferences to a [`LockedFlow`], which tells
/// its stage and takes its result.
#[derive(Clone)]
pub struct SharedFlow(Arc<Shared>);

pub struct Shared {
    flow: LockedFlow,
    /// Locked during a save.
    saver: Mutex<Option<Box<dyn Saver>>>,
    /// Wakes the drive: there is news for it, or a save it waits for ended.
    bell: Bell,
    /// How many saves ended, and wakes notifications that wait for the end of another save.
    saves_ended: (Mutex<u64>, Condvar),
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

    /// A flow that is saved whenever something worth saving changed: before every step, before a
    /// stop, at the end, and before a notification is acknowledged.
    #[must_use]
    pub fn with_saver(flow: Flow, saver: impl Saver + 'static) -> Self {
        Self::of(flow.durable(), Some(Box::new(saver)))
    }

    fn of(flow: Flow, saver: Option<Box<dyn Saver>>) -> Self {
        Self(Arc::new(Shared {
            flow: LockedFlow::new(flow),
            saver: Mutex::new(saver),
            bell: Bell::default(),
            saves_ended: Default::default(),
        }))
    }

    /// Gives up, as [`Flow::cancel`]; the drive ends. A request or a signature that is under way is
    /// not cut off: the drive ends after it.
    pub fn cancel(&self, now: Timestamp) {
        self.0.flow.cancel(now);
        self.0.bell.ring();
    }

    /// What routes know it by.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    pub(crate) const fn of_shared(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Saves a state and gives the flow the outcome.
    pub(crate) fn save(&self, save: Save, now: Timestamp) -> io::Result<()> {
        // Also when the saver panics, and only after `save` told the flow of it.
        let _ended = OnDrop(|| self.save_ended());
        let save = save;
        let saver = self.saver();
        let saved = saver.as_ref().map_or(Ok(()), |saver| saver.save(save.snapshot()));
        let input = if saved.is_ok() { save.saved() } else { save.failed() };
        // It is the flow's own, so there is nothing to refuse.
        self.look(|flow| flow.handle(input, now).ok());
        saved
    }

    /// Takes a notification, wakes the drive, and answers once what it brought is saved. `None`
    /// when the result was taken.
    pub(crate) fn notify(
        &self,
        notification: &Notification,
        now: Timestamp,
    ) -> Option<NotificationVerdict> {
        let mut receipt = self.step(|flow| (flow.notify(notification, now), now))?;
        if receipt.is_news() {
            // Before the save: the drive continues whatever becomes of it.
            self.0.bell.ring();
        }
        let begun = Instant::now();
        loop {
            // Read before the flow is asked, so that a save that ends in between is not missed.
            let ended = *self.ended();
            let now = now.saturating_add(begun.elapsed());
            let receiving = self.look(|flow| flow.acknowledge(&mut receipt, now));
            let Some(receiving) = receiving else { return receipt.without_flow() };
            match receiving {
                Receiving::Reply(said) => return Some(said),
                Receiving::Save(save) => {
                    // The drive may wait for this save, and learns its outcome from the flow. It is
                    // also woken when the saver panics.
                    let _ended = OnDrop(|| self.0.bell.ring());
                    let _ = self.save(save, now);
                }
                Receiving::Wait(until) => self.wait_for_a_save_after(ended, until.since(now)),
            }
        }
    }

    fn save_ended(&self) {
        *self.ended() += 1;
        self.0.saves_ended.1.notify_all();
    }

    fn wait_for_a_save_after(&self, seen: u64, at_most: Duration) {
        let waited =
            self.0.saves_ended.1.wait_timeout_while(self.ended(), at_most, |ended| *ended == seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn ended(&self) -> MutexGuard<'_, u64> {
        self.0.saves_ended.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings when there is something to look at.
    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    fn saver(&self) -> MutexGuard<'_, Option<Box<dyn Saver>>> {
        self.0.saver.lock().unwrap_or_else(PoisonError::into_inner)
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
