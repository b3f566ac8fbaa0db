//! The drive of one flow, without its I/O.

use std::{fmt, io, sync::Arc, time::Duration};

use ciba_core::{
    Input, KeyOperation, KeySetRequest, Output, Sending, Timestamp,
    machine::{Events, Unsaved},
};

use crate::{
    Adapter, Clock, DriveError, DriverBase, Gate, Saving, SharedFlow, SignerError, Signing,
    Superseded, Watch, routing::Registration,
};

/// The longest pause before the flow is asked again. Timers count monotonic time, which stands
/// still while a machine is suspended and does not follow a wall clock that is set.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A flow that is being driven.
///
/// It takes every decision of a drive: which flows a driver accepts, which event is reported when,
/// what is saved before a stop, and whether a request may still be sent. An adapter calls
/// [`step`](Self::step), performs the I/O of the returned [`Step`] and reports the outcome, until
/// the flow is over. Dropping it ends the drive; a later one continues there.
pub struct Drive<'a, A: Adapter> {
    driver: &'a DriverBase<A>,
    flow: &'a SharedFlow<A::Attachment>,
    /// `None` if the result was taken.
    events: Option<Events>,
    has_begun: bool,
    stopping: Stopping,
    /// Lets notifications reach the flow; `None` if it wants none.
    _registration: Option<Registration<A>>,
}

/// How far a drive is with stopping.
#[derive(Debug, Clone, Copy)]
enum Stopping {
    /// It goes on.
    No,
    /// The watcher stopped it; what is not saved is saved first.
    Asked,
    /// The last save was handed out.
    Saved,
}

/// The I/O that a flow needs next.
#[must_use = "the flow waits for it"]
pub enum Step<'a, A: Adapter> {
    /// Save a state and report the outcome to [`Drive::saved`].
    Save(Saving<'a, A::Attachment>),
    /// Send a request at once, and report the outcome to [`Drive::answered`].
    Send(Outgoing),
    /// Use the private key and report the outcome to [`Drive::signed`].
    Sign(Signing<'a, A>),
    /// Find the provider's keys and report the answer to [`Drive::answered`].
    FindKeys(KeySetRequest),
    /// Wait until [`Attachment::wake_drive`](crate::Attachment::wake_drive) is called, at most this
    /// long, which is never more than ten seconds: the wall clock may be set and the machine may be
    /// suspended meanwhile.
    Wait(Duration),
    /// The flow is over.
    Done,
}

/// A request to send, and the last question before it leaves.
#[derive(Debug)]
#[must_use = "dropping it answers that the request may have been sent"]
pub struct Outgoing {
    /// The request.
    pub sending: Sending,
    /// Asked again once the connection stands: making it takes time.
    pub gate: Gate,
}

impl<'a, A: Adapter> Drive<'a, A> {
    /// Begins to drive a flow. From here on, notifications reach the flow for as long as it exists.
    ///
    /// # Errors
    ///
    /// [`DriveError::AnotherConfiguration`], [`DriveError::PromptRefused`] and
    /// [`DriveError::InboxFull`]. Nothing was saved or sent.
    pub fn begin(
        driver: &'a DriverBase<A>,
        flow: &'a SharedFlow<A::Attachment>,
    ) -> Result<Self, DriveError> {
        let events = flow.look(|flow| {
            let is_its_own = Arc::ptr_eq(flow.config(), driver.config());
            is_its_own.then(|| Events::new(flow)).ok_or(DriveError::AnotherConfiguration)
        });
        let events = events.transpose()?;
        if let Some(guard) = driver.prompt_guard() {
            flow.enter_guard(guard, driver.clock()).map_err(DriveError::PromptRefused)?;
        }
        let now = driver.clock().now();
        let registered = driver.inbox().map(|inbox| inbox.begin(flow, now)).transpose()?;
        let _registration = registered.flatten();
        Ok(Self { driver, flow, events, has_begun: false, stopping: Stopping::No, _registration })
    }

    /// Returns the I/O that the flow needs next.
    ///
    /// # Errors
    ///
    /// [`DriveError::Stopped`] if the watcher stops the drive, after the state was saved, and
    /// [`DriveError::Entropy`]. The flow is not over and can be driven again.
    pub fn step(&mut self, watch: &mut dyn Watch) -> Result<Step<'a, A>, DriveError> {
        let clock = self.driver.clock();
        loop {
            if let Some(last) = self.stop(watch)? {
                return Ok(last);
            }
            self.has_begun = true;
            let entropy = self.driver.draw()?;
            let output = self.flow.poll(clock, entropy);
            self.report(&output, watch);
            match output {
                Output::Save(save) => {
                    return Ok(Step::Save(self.flow.saving(save, clock.now())));
                }
                Output::Transmit(transmit) => {
                    // `None`: it is too late, and the flow knows.
                    if let Some(sending) = self.flow.begin(transmit, clock) {
                        return Ok(Step::Send(self.outgoing(sending)));
                    }
                }
                Output::Key(operation) => match self.driver.signer(operation.purpose()) {
                    Some(signer) => return Ok(Step::Sign(self.driver.signing(signer, operation)?)),
                    None => {
                        self.signed(operation, Err("the driver has no signer".into()), watch)?
                    }
                },
                Output::KeySet(request) => return Ok(Step::FindKeys(request)),
                Output::Wait(wait) => return Ok(Step::Wait(pause(clock, wait.until()))),
                Output::Done => {
                    self.flow.leave_guard();
                    return Ok(Step::Done);
                }
            }
        }
    }

    /// Takes the outcome of a save.
    ///
    /// # Errors
    ///
    /// [`DriveError::Save`] if the flow cannot continue without this save.
    pub fn saved(
        &self,
        saving: Saving<'_, A::Attachment>,
        outcome: io::Result<()>,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let is_needed = saving.is_needed();
        match saving.finish(outcome) {
            Ok(()) => Ok(()),
            // The flow ends with it.
            Err(error) if Superseded::is_in(&error) => Ok(()),
            Err(error) if is_needed => Err(DriveError::Save(error)),
            Err(error) => {
                watch.save_failed(&error);
                Ok(())
            }
        }
    }

    /// Takes the signature, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// [`DriveError::Misuse`] if the operation is another flow's.
    pub fn signed(
        &self,
        operation: KeyOperation,
        outcome: Result<Vec<u8>, SignerError>,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        if let Err(error) = &outcome {
            watch.key_unavailable(error);
        }
        self.answered(match outcome {
            Ok(signature) => operation.answered(signature),
            Err(error) => operation.failed(&*error),
        })
    }

    /// Takes any other answer.
    ///
    /// # Errors
    ///
    /// [`DriveError::Misuse`] if the answer is another flow's.
    pub fn answered(&self, answer: Input) -> Result<(), DriveError> {
        let handled = self.flow.handle(answer, self.driver.clock());
        handled.map_err(|misuse| DriveError::Misuse(misuse.reason))
    }

    /// Asks the watcher whether to stop; returns what has to happen before that.
    fn stop(&mut self, watch: &mut dyn Watch) -> Result<Option<Step<'a, A>>, DriveError> {
        let now = self.driver.clock().now();
        match self.stopping {
            Stopping::No if !watch.stop(now) => return Ok(None),
            Stopping::No => self.stopping = Stopping::Asked,
            Stopping::Asked => {}
            Stopping::Saved => return Err(DriveError::Stopped),
        }
        if let Some(events) = &mut self.events {
            let found = self.flow.look(|flow| events.before_stop(flow));
            found.into_iter().flatten().for_each(|event| watch.event(&event));
        }
        // A drive that took no step has nothing of its own to save.
        if !self.has_begun {
            return Err(DriveError::Stopped);
        }
        match self.flow.look(|flow| flow.unsaved(now)) {
            None | Some(Unsaved::Nothing) => Err(DriveError::Stopped),
            Some(Unsaved::Save(save)) => {
                self.stopping = Stopping::Saved;
                Ok(Some(Step::Save(self.flow.saving(save, now))))
            }
            Some(Unsaved::Wait(until)) => Ok(Some(Step::Wait(pause(self.driver.clock(), until)))),
        }
    }

    fn report(&mut self, output: &Output, watch: &mut dyn Watch) {
        let Some(events) = &mut self.events else { return };
        let found = self.flow.look(|flow| events.after(flow, output));
        found.into_iter().flatten().for_each(|event| watch.event(&event));
    }

    fn outgoing(&self, sending: Sending) -> Outgoing {
        let (flow, clock, id) = (self.flow.clone(), self.driver.clock_handle(), sending.id());
        Outgoing { sending, gate: Gate::new(move || flow.may_send(id, &*clock)) }
    }
}

/// Returns how long to wait before the next step.
pub(crate) fn pause(clock: &dyn Clock, until: Timestamp) -> Duration {
    clock.idle(until).min(LONGEST_PAUSE)
}

impl<A: Adapter> fmt::Debug for Drive<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive").field("flow", self.flow).finish_non_exhaustive()
    }
}

impl<A: Adapter> fmt::Debug for Step<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Save(saving) => f.debug_tuple("Save").field(saving).finish(),
            Self::Send(outgoing) => f.debug_tuple("Send").field(outgoing).finish(),
            Self::Sign(signing) => f.debug_tuple("Sign").field(&signing.operation).finish(),
            Self::FindKeys(request) => f.debug_tuple("FindKeys").field(request).finish(),
            Self::Wait(length) => f.debug_tuple("Wait").field(length).finish(),
            Self::Done => f.write_str("Done"),
        }
    }
}
