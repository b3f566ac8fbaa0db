//! A flow behind a lock, as drivers share it.

use std::{
    fmt, io,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ciba_core::{
    Acknowledgement, Authentication, Entropy, Failure, Flow, Input, Output, Sending, Snapshot,
    Stage, Timestamp, Transmit,
    machine::{Misuse, Save, SendingId},
    notification::{Notification, Receipt, SpentKey},
    prompts::PromptRefused,
};

use crate::{Clock, PromptGuard, Prompting, Superseded};

/// What an adapter keeps beside a flow that it shares: its saver, and the means to wake the tasks
/// or threads that wait for the flow.
pub trait Attachment: Send + Sync + 'static {
    /// The trait object that saves a flow.
    type Saver: ?Sized + 'static;
    /// Waits for the end of a save.
    type SaveEnded<'a>;

    /// Creates the attachment of a flow.
    fn new(saver: Option<Box<Self::Saver>>) -> Self;

    /// Wakes the drive of the flow. If the drive is not waiting, its next wait ends at once.
    fn wake_drive(&self);

    /// Wakes everything that waits for the end of a save.
    fn save_ended(&self);

    /// Returns what waits for the end of a save, including one that ends right after this call.
    fn listen(&self) -> Self::SaveEnded<'_>;
}

/// A flow that is being driven, behind a lock. Clones are the same flow.
///
/// It dereferences to [`LockedFlow`], which returns its stage and its result, and cancels it. The
/// type parameter is the adapter's own part; each adapter has a name for its shared flows.
pub struct SharedFlow<T>(Arc<LockedFlow<T>>);

impl<T: Attachment> SharedFlow<T> {
    /// Shares a flow that is not saved.
    #[must_use]
    pub fn new(flow: Flow) -> Self {
        Self::with(flow.in_memory(), None)
    }

    /// Shares a flow that is saved whenever its state changed: before every step, before a stop, at
    /// the end, and before a notification is acknowledged.
    #[must_use]
    pub fn with_saver(flow: Flow, saver: impl Into<Box<T::Saver>>) -> Self {
        Self::with(flow.durable(), Some(saver.into()))
    }

    fn with(flow: Flow, saver: Option<Box<T::Saver>>) -> Self {
        Self(Arc::new(LockedFlow {
            flow: Mutex::new(Some(flow)),
            prompting: Mutex::new(None),
            attached: T::new(saver),
        }))
    }
}

impl<T> SharedFlow<T> {
    pub(crate) const fn locked(&self) -> &Arc<LockedFlow<T>> {
        &self.0
    }
}

impl<T> Clone for SharedFlow<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for SharedFlow<T> {
    type Target = LockedFlow<T>;

    fn deref(&self) -> &LockedFlow<T> {
        &self.0
    }
}

impl<T: Attachment> From<Flow> for SharedFlow<T> {
    fn from(flow: Flow) -> Self {
        Self::new(flow)
    }
}

impl<T> fmt::Debug for SharedFlow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedFlow").field(&self.stage()).finish()
    }
}

/// The flow of a [`SharedFlow`].
///
/// Its lock is held for a moment only, never during an exchange, a save or an `await`, so that
/// notifications reach the flow while its driver waits for the provider.
pub struct LockedFlow<T> {
    /// `None` once the result was taken.
    flow: Mutex<Option<Flow>>,
    /// Its place in a guard, from its first drive until it is over. Where both are locked, this one
    /// is locked first.
    prompting: Mutex<Option<Prompting>>,
    attached: T,
}

impl<T: Attachment> LockedFlow<T> {
    /// Cancels the flow as [`Flow::cancel`] does, and wakes its drive, which ends. A request or a
    /// signature in progress is not interrupted: the drive ends after it.
    pub fn cancel(&self, now: Timestamp) {
        let mut prompting = self.prompting();
        self.look(|flow| flow.cancel(now));
        *prompting = None;
        drop(prompting);
        self.attached.wake_drive();
    }

    /// Passes a notification to the flow and wakes its drive. `None` if the result was taken.
    pub(crate) fn receive(&self, notification: &Notification, now: Timestamp) -> Option<Receipt> {
        let receipt = self.step(|flow| flow.notify(notification, now))?;
        if receipt.is_news() {
            // Before the save: the drive continues whatever happens to the save.
            self.attached.wake_drive();
        }
        Some(receipt)
    }

    /// A save that the drive asked for.
    pub(crate) const fn saving(&self, save: Save, now: Timestamp) -> Saving<'_, T> {
        Saving { save, now, ended: Ended { flow: self, wakes_drive: false } }
    }

    /// A save that a notification asked for. The drive may wait for it, and learns its outcome from
    /// the flow.
    pub(crate) const fn saving_notification(&self, save: Save, now: Timestamp) -> Saving<'_, T> {
        Saving { save, now, ended: Ended { flow: self, wakes_drive: true } }
    }
}

impl<T> LockedFlow<T> {
    /// Returns the stage of the flow, [`Stage::Settled`] once the result was taken.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.look(|flow| flow.stage()).unwrap_or(Stage::Settled)
    }

    /// Returns the acknowledgement, once there is one.
    #[must_use]
    pub fn acknowledgement(&self) -> Option<Acknowledgement> {
        self.look(|flow| flow.acknowledgement().cloned()).flatten()
    }

    /// Returns when the authentication request expires, as [`Flow::expires_at`] does.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.look(|flow| flow.expires_at()).flatten()
    }

    /// Returns whether the flow ended because the issuer's keys were unavailable and still holds
    /// the tokens, as [`Flow::keeps_tokens`] does. Call it before [`Self::finish`]: a saved flow
    /// can then be resumed, and fetches the keys again.
    #[must_use]
    pub fn keeps_tokens(&self) -> bool {
        self.look(|flow| flow.keeps_tokens()).unwrap_or(false)
    }

    /// Takes the result, as [`Flow::finish`] does. A second call returns [`Failure::Abandoned`].
    ///
    /// # Errors
    ///
    /// [`Failure`] if the flow ended without an authentication.
    pub fn finish(&self) -> Result<Box<Authentication>, Failure> {
        let flow = self.lock().take();
        self.leave_guard();
        flow.ok_or(Failure::Abandoned)?.finish()
    }

    /// Calls a function with the flow. `None` if the result was taken.
    pub fn look<R>(&self, at: impl FnOnce(&mut Flow) -> R) -> Option<R> {
        self.lock().as_mut().map(at)
    }

    /// Returns the adapter's own part.
    pub const fn attached(&self) -> &T {
        &self.attached
    }

    // The clock is read while the flow is locked, so that no reading is older than one that the
    // flow has already seen.

    pub(crate) fn poll(&self, clock: &dyn Clock, entropy: Entropy) -> Output {
        let polled = self.step(|flow| flow.poll(clock.now(), entropy));
        polled.unwrap_or(Output::Done)
    }

    pub(crate) fn begin(&self, transmit: Transmit, clock: &dyn Clock) -> Option<Sending> {
        self.look(|flow| flow.begin(transmit, clock.now())).flatten()
    }

    pub(crate) fn may_send(&self, sending: SendingId, clock: &dyn Clock) -> bool {
        self.look(|flow| flow.may_send(sending, clock.now())).unwrap_or(false)
    }

    pub(crate) fn handle(&self, input: Input, clock: &dyn Clock) -> Result<(), Misuse> {
        let handled = self.step(|flow| flow.handle(input, clock.now()));
        handled.unwrap_or(Ok(()))
    }

    pub(crate) fn spent_key(&self) -> Option<SpentKey> {
        self.look(|flow| flow.spent_key()).flatten()
    }

    /// Takes a place in the guard, unless the flow has one.
    pub(crate) fn enter_guard(
        &self,
        guard: &PromptGuard,
        clock: &dyn Clock,
    ) -> Result<(), PromptRefused> {
        let mut prompting = self.prompting();
        if prompting.is_none() {
            *prompting = self.look(|flow| guard.enter(flow, clock.now())).transpose()?.flatten();
        }
        Ok(())
    }

    /// Gives the place in the guard back: the flow is over.
    pub(crate) fn leave_guard(&self) {
        *self.prompting() = None;
    }

    /// Performs a step of the flow. Afterwards, updates the flow's place in a guard, or gives it
    /// back if the flow is over. `None` if the result was taken.
    fn step<R>(&self, step: impl FnOnce(&mut Flow) -> R) -> Option<R> {
        let mut prompting = self.prompting();
        let (done, is_over) = self.look(|flow| {
            let done = step(flow);
            prompting.iter().for_each(|prompting| prompting.keep(flow));
            (done, flow.stage() == Stage::Settled)
        })?;
        if is_over {
            *prompting = None;
        }
        Some(done)
    }

    fn prompting(&self) -> MutexGuard<'_, Option<Prompting>> {
        self.prompting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a panic elsewhere while the lock was held, the flow answers the next poll with `Done`
    /// at worst.
    fn lock(&self) -> MutexGuard<'_, Option<Flow>> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for LockedFlow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockedFlow").field(&self.stage()).finish()
    }
}

/// A state that is being saved.
///
/// However the save ends, the flow learns of it and the notifications that wait for it are woken,
/// even if this is dropped because a future was dropped or the saver panicked: the flow then counts
/// the save as abandoned.
#[must_use = "the save counts as abandoned when this is dropped"]
pub struct Saving<'a, T: Attachment> {
    // Dropped before `ended`: the flow knows the outcome before the notifications are woken.
    save: Save,
    now: Timestamp,
    ended: Ended<'a, T>,
}

impl<'a, T: Attachment> Saving<'a, T> {
    /// Returns the adapter's own part of the flow, which has the saver.
    #[must_use]
    pub const fn attached(&self) -> &'a T {
        &self.ended.flow.attached
    }

    /// Returns the snapshot to write.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        self.save.snapshot()
    }

    /// Returns how long saving may take. After that, the flow counts it as failed.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.save.limit()
    }

    /// Returns whether the flow cannot continue without this save, as [`Save::is_needed`] does.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.save.is_needed()
    }

    /// Reports the outcome to the flow, and returns it.
    ///
    /// # Errors
    ///
    /// The given error.
    pub fn finish(self, outcome: io::Result<()>) -> io::Result<()> {
        let Self { save, now, ended } = self;
        let input = match &outcome {
            Ok(()) => save.saved(),
            Err(error) if Superseded::is_in(error) => save.superseded(),
            Err(_) => save.failed(),
        };
        // The flow asked for this save, so it has nothing to refuse.
        ended.flow.step(|flow| flow.handle(input, now).ok());
        outcome
    }
}

impl<T: Attachment> fmt::Debug for Saving<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Saving").field(&self.save).finish()
    }
}

/// Wakes those who wait for the end of a save.
struct Ended<'a, T: Attachment> {
    flow: &'a LockedFlow<T>,
    wakes_drive: bool,
}

impl<T: Attachment> Drop for Ended<'_, T> {
    fn drop(&mut self) {
        self.flow.attached.save_ended();
        if self.wakes_drive {
            self.flow.attached.wake_drive();
        }
    }
}
