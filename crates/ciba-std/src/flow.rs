//! A flow behind a lock, as drivers share it.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ciba_core::{
    Acknowledgement, Authentication, Entropy, Failure, Flow, Input, Output, Sending, Stage,
    Timestamp, Transmit,
    machine::{Misuse, SendingId},
    notification::SpentKey,
    prompts::PromptRefused,
};

use crate::{Clock, PromptGuard, Prompting};

/// A flow behind a lock that is held for a moment only, never during an exchange, a save or an
/// `await`, so that notifications reach the flow while its driver waits for the provider.
///
/// The `SharedFlow` of a driver dereferences to it.
pub struct LockedFlow {
    /// `None` when the result was taken.
    flow: Mutex<Option<Flow>>,
    /// Its place in a guard, from its first drive until it is over. Locked before the flow where
    /// both are.
    prompting: Mutex<Option<Prompting>>,
}

impl LockedFlow {
    /// Locks a flow away.
    #[must_use]
    pub const fn new(flow: Flow) -> Self {
        Self { flow: Mutex::new(Some(flow)), prompting: Mutex::new(None) }
    }

    /// Returns where the flow is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.look(|flow| flow.stage()).unwrap_or(Stage::Settled)
    }

    /// Returns the acknowledgement, once there is one.
    #[must_use]
    pub fn acknowledgement(&self) -> Option<Acknowledgement> {
        self.look(|flow| flow.acknowledgement().cloned()).flatten()
    }

    /// Returns when the authentication request expires, as [`Flow::expires_at`].
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.look(|flow| flow.expires_at()).flatten()
    }

    /// Returns whether the flow ended for want of the issuer's keys and still holds the tokens, as
    /// [`Flow::keeps_tokens`]. Ask before [`Self::finish`]: what was saved can then be resumed, and
    /// asks for the keys again.
    #[must_use]
    pub fn keeps_tokens(&self) -> bool {
        self.look(|flow| flow.keeps_tokens()).unwrap_or(false)
    }

    /// Returns the result, as [`Flow::finish`]. A second call returns [`Failure::Abandoned`].
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub fn finish(&self) -> Result<Box<Authentication>, Failure> {
        let flow = self.lock().take();
        self.prompts_nobody();
        flow.ok_or(Failure::Abandoned)?.finish()
    }

    /// Cancels the flow, as [`Flow::cancel`]. The `SharedFlow` of a driver also wakes its drive.
    pub fn cancel(&self, now: Timestamp) {
        let mut prompting = self.prompting();
        self.look(|flow| flow.cancel(now));
        *prompting = None;
    }

    /// Calls a function with the flow. `None` when the result was taken.
    pub fn look<T>(&self, at: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        self.lock().as_mut().map(at)
    }

    // The clock is read while the flow is locked, so that no reading is older than one the flow has
    // seen.

    /// Polls the flow, as [`Flow::poll`].
    pub fn poll(&self, clock: &dyn Clock, entropy: Entropy) -> Output {
        let polled = self.step(|flow| {
            let now = clock.now();
            (flow.poll(now, entropy), now)
        });
        polled.unwrap_or(Output::Done)
    }

    /// Begins to send a request, as [`Flow::begin`].
    pub fn begin(&self, transmit: Transmit, clock: &dyn Clock) -> Option<Sending> {
        self.look(|flow| flow.begin(transmit, clock.now())).flatten()
    }

    /// Returns whether a request may still leave, as [`Flow::may_send`].
    #[must_use]
    pub fn may_send(&self, sending: SendingId, clock: &dyn Clock) -> bool {
        self.look(|flow| flow.may_send(sending, clock.now())).unwrap_or(false)
    }

    /// Gives the flow an answer, as [`Flow::handle`].
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the answer does not belong to the flow.
    pub fn handle(&self, input: Input, clock: &dyn Clock) -> Result<(), Misuse> {
        let handled = self.step(|flow| {
            let now = clock.now();
            (flow.handle(input, now), now)
        });
        handled.unwrap_or(Ok(()))
    }

    /// Performs a step of the flow; the function also returns when it happened. Afterwards the
    /// flow's place in a guard is brought up to date, or given back when the flow is over. `None`
    /// when the result was taken.
    pub fn step<T>(&self, step: impl FnOnce(&mut Flow) -> (T, Timestamp)) -> Option<T> {
        let mut prompting = self.prompting();
        let (done, is_over) = self.look(|flow| {
            let (done, now) = step(flow);
            prompting.iter().for_each(|prompting| prompting.keep(flow, now));
            (done, flow.stage() == Stage::Settled)
        })?;
        if is_over {
            *prompting = None;
        }
        Some(done)
    }

    /// Returns what answers notifications once the flow is gone, as [`Flow::spent_key`].
    #[must_use]
    pub fn spent_key(&self) -> Option<SpentKey> {
        self.look(|flow| flow.spent_key()).flatten()
    }

    /// Takes a place in the guard, unless the flow has one.
    ///
    /// # Errors
    ///
    /// [`PromptRefused`] when another flow for the same person is running.
    pub fn prompts_by(&self, guard: &PromptGuard, clock: &dyn Clock) -> Result<(), PromptRefused> {
        let mut prompting = self.prompting();
        if prompting.is_none() {
            *prompting = self.look(|flow| guard.enter(flow, clock.now())).transpose()?.flatten();
        }
        Ok(())
    }

    /// Gives the place in the guard back: the flow is over.
    pub fn prompts_nobody(&self) {
        *self.prompting() = None;
    }

    fn prompting(&self) -> MutexGuard<'_, Option<Prompting>> {
        self.prompting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic elsewhere while the lock was held leaves a flow that answers `Done` to the next poll
    /// at worst.
    fn lock(&self) -> MutexGuard<'_, Option<Flow>> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LockedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockedFlow").field(&self.stage()).finish()
    }
}
