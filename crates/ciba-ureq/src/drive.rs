//! The common case: one flow to its end.

use std::{fmt, io, sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, Authentication, ClientConfig, Event, Flow, Input, KeyOperation, KeySetRequest,
    Output, Timestamp, Transmit,
    config::{Equipment, Lacking},
    fault::ExchangeProblem,
    machine::{Events, ResumeError, Save},
};
use ciba_std::{Gate, Parts};

use crate::{
    AuthenticateError, Clock, DriveError, HttpClient, Inbox, Keys, PromptGuard, SharedFlow, Signer,
    SignerError, SystemClock, Ureq,
    entropy::{EntropySource, SystemEntropy},
};

/// Watches a flow being driven. All methods have defaults that do nothing; `&mut ()` watches
/// nothing, and [`on_event`] makes a closure `|event| …` watch the progress.
pub trait Watch {
    /// Something is about to happen, or did.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Whether to stop, asked before every step and several times a second while waiting: for a
    /// time limit of the caller's own, or a key that was pressed. A request under way is not cut
    /// off; it has its own time-out.
    fn stop(&mut self, now: Timestamp) -> bool {
        let _ = now;
        false
    }

    /// The state of the flow could not be saved. Called when the drive continues without the store;
    /// otherwise the drive ends with [`DriveError::Save`]. Every later step tries to save again and
    /// reports every failure here.
    ///
    /// When this is called and no later save succeeds, the store holds an older state. Remove that
    /// once the flow is over: do not resume from it while its result is in use.
    fn save_failed(&mut self, error: &io::Error) {
        let _ = error;
    }

    /// The signer failed and why.
    fn key_unavailable(&mut self, error: &SignerError) {
        let _ = error;
    }
}

impl Watch for () {}

impl<F: FnMut(&Event)> Watch for F {
    fn event(&mut self, event: &Event) {
        self(event);
    }
}

/// A closure that watches the progress of a flow:
/// `&mut on_event(|event| println!("{event:?}"))`.
pub const fn on_event<F: FnMut(&Event)>(watch: F) -> F {
    watch
}

/// Short enough for a person who pressed a key, and for a wall clock that is set or a machine that
/// was suspended.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Drives flows of one configuration; one value serves any number of them at once.
#[derive(Clone)]
pub struct Driver {
    config: Arc<ClientConfig>,
    http: HttpClient,
    keys: Arc<Keys>,
    signer: Option<Arc<dyn Signer>>,
    clock: Arc<dyn Clock>,
    entropies: Arc<dyn EntropySource>,
    inbox: Option<Inbox>,
    guard: Option<PromptGuard>,
}

impl Driver {
    /// A driver for flows of this configuration, with the system's clock and random generator, the
    /// keys that the provider publishes, and no private key.
    #[must_use]
    pub fn new(config: Arc<ClientConfig>, http: HttpClient) -> Self {
        Self {
            keys: Arc::new(Keys::new(&config)),
            config,
            http,
            signer: None,
            clock: Arc::new(SystemClock),
            entropies: Arc::new(SystemEntropy),
            inbox: None,
            guard: None,
        }
    }

    /// With keys of the provider from elsewhere: pinned ones, or a cache that other drivers use,
    /// too.
    #[must_use]
    pub fn with_keys(self, keys: impl Into<Arc<Keys>>) -> Self {
        Self { keys: keys.into(), ..self }
    }

    /// With a private key.
    #[must_use]
    pub fn with_signer(self, signer: impl Signer + 'static) -> Self {
        Self { signer: Some(Arc::new(signer)), ..self }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// With another source of random bytes.
    #[must_use]
    pub fn with_entropies(self, entropies: impl EntropySource + 'static) -> Self {
        Self { entropies: Arc::new(entropies), ..self }
    }

    /// With the inbox at which notifications for its flows arrive. Ping and push mode need one; a
    /// flow in ping mode can do without as long as its policy has it polled at times anyway
    /// ([`Policy::ping_backstop`](ciba_core::Policy::ping_backstop)).
    #[must_use]
    pub fn with_inbox(self, inbox: Inbox) -> Self {
        Self { inbox: Some(inbox), ..self }
    }

    /// With a guard that allows one running flow for each person. Off by default.
    #[must_use]
    pub fn with_prompt_guard(self, guard: PromptGuard) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// Starts a flow, to be driven by [`Self::drive`]; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Request`] when this client cannot send the request to its provider;
    /// [`AuthenticateError::Drive`] when there are no random bytes.
    pub fn start(&self, request: AuthRequest) -> Result<Flow, AuthenticateError> {
        let entropy = self.entropies.draw().map_err(DriveError::from)?;
        let flow = Flow::start(Arc::clone(&self.config), request, entropy, self.clock.now());
        flow.map_err(AuthenticateError::Request)
    }

    /// Resumes a saved flow, to be driven by [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; nothing is half resumed.
    pub fn resume(&self, snapshot: &[u8]) -> Result<Flow, ResumeError> {
        Flow::resume(Arc::clone(&self.config), snapshot, self.clock.now())
    }

    /// Starts a flow and drives it to its result.
    ///
    /// To save the flow, or to continue it after a stop or a restart, use [`Self::start`],
    /// [`Self::resume`] and [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub fn authenticate(
        &self,
        request: AuthRequest,
        watch: &mut dyn Watch,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = SharedFlow::new(self.start(request)?);
        self.drive(&flow, watch)?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// The configuration of its flows.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Drives a flow until it is over; take the result with
    /// [`finish`](ciba_std::LockedFlow::finish).
    ///
    /// Everything happens in the calling thread, waits included; it ends early only when
    /// [`Watch::stop`] says so or something fails. Driving the flow again continues where it
    /// stopped and repeats nothing that must not be repeated. Notifications reach a flow from its
    /// first drive on, for as long as its [`SharedFlow`] exists, between two drives too.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; the flow is not over and can be driven again.
    pub fn drive(&self, flow: &SharedFlow, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let mut events =
            flow.look(|flow| self.takes(flow).map(|()| Events::new(flow))).transpose()?;
        if let Some(guard) = &self.guard {
            flow.prompts_by(guard, &*self.clock).map_err(DriveError::PromptRefused)?;
        }
        // Lets notifications reach the flow, if it wants any.
        let inbox = self.inbox.as_ref();
        let now = self.clock.now();
        let _registration = inbox.map(|inbox| inbox.begin(flow.shared(), now)).transpose()?;
        let mut began = false;
        loop {
            if watch.stop(self.clock.now()) {
                if let Some(save) = flow.look(Flow::unsaved).flatten().filter(|_| began) {
                    self.save(flow, save, watch)?;
                }
                return Err(DriveError::Stopped);
            }
            began = true;
            let entropy = self.entropies.draw()?;
            let output = flow.poll(&*self.clock, entropy);
            if let Some(events) = &mut events {
                let told = flow.look(|flow| events.after(flow, &output));
                told.into_iter().flatten().for_each(|event| watch.event(&event));
            }
            match output {
                Output::Save(save) => self.save(flow, save, watch)?,
                Output::Transmit(transmit) => self.transmit(flow, transmit)?,
                Output::Key(operation) => self.sign(flow, operation, watch)?,
                Output::KeySet(request) => self.find_keys(flow, request, watch)?,
                Output::Wait(wait) => {
                    // Asked again after every short sleep, the flow notices a clock that was set.
                    let pause = self.clock.idle(wait.until()).min(LONGEST_PAUSE);
                    flow.bell().wait(pause);
                }
                Output::Done => {
                    flow.prompts_nobody();
                    return Ok(());
                }
            }
        }
    }

    /// What it lacks for its configuration.
    pub(crate) fn lacks(&self) -> Option<Lacking> {
        self.config.lacks(Equipment {
            certificate: self.http.has_certificate(),
            signer: self.signer.is_some(),
            inbox: self.inbox.is_some(),
        })
    }

    /// Whether this driver may drive a flow, and has what it needs; nothing is saved or sent
    /// otherwise.
    fn takes(&self, flow: &Flow) -> Result<(), DriveError> {
        if !Arc::ptr_eq(flow.config(), &self.config) {
            return Err(DriveError::AnotherConfiguration);
        }
        self.lacks().map_or(Ok(()), |lacking| Err(DriveError::Lacking(lacking)))
    }

    pub(crate) fn with_parts(self, parts: &Parts<Ureq>) -> Self {
        Self {
            signer: parts.signer.clone(),
            clock: Arc::clone(&parts.clock),
            inbox: parts.inbox.clone(),
            guard: parts.guard.clone(),
            ..self
        }
    }

    /// Fetches the provider's keys, if flows will ask for them.
    pub(crate) fn fetch_keys(&self) -> Result<(), ExchangeProblem> {
        let is_signed = !self.config.id_token_algorithm().is_symmetric();
        if is_signed && self.config.jwks_uri().is_some() {
            self.http.prefetch_keys(&self.keys, &*self.clock)?;
        }
        Ok(())
    }

    fn save(&self, flow: &SharedFlow, save: Save, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let is_needed = save.is_needed();
        match flow.save(save, self.clock.now()) {
            Ok(()) => Ok(()),
            Err(error) if is_needed => Err(DriveError::Save(error)),
            Err(error) => {
                watch.save_failed(&error);
                Ok(())
            }
        }
    }

    fn transmit(&self, flow: &SharedFlow, transmit: Transmit) -> Result<(), DriveError> {
        let Some(sending) = flow.begin(transmit, &*self.clock) else { return Ok(()) };
        let (asked, clock, id) = (flow.clone(), Arc::clone(&self.clock), sending.id());
        // Once more when the connection stands: making it takes time.
        let gate = Gate::new(move || asked.may_send(id, &*clock));
        let answer = self.http.perform_if(sending, gate);
        self.handle(flow, answer)
    }

    fn sign(
        &self,
        flow: &SharedFlow,
        operation: KeyOperation,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let signed = match &self.signer {
            Some(signer) => {
                let entropy = self.entropies.draw()?;
                signer.sign(&operation, entropy)
            }
            None => Err("the driver has no signer".into()),
        };
        if let Err(error) = &signed {
            watch.key_unavailable(error);
        }
        self.handle(
            flow,
            match signed {
                Ok(signature) => operation.answered(signature),
                Err(error) => operation.failed(&*error),
            },
        )
    }

    fn find_keys(
        &self,
        flow: &SharedFlow,
        request: KeySetRequest,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let answer =
            self.http.find_keys(&self.keys, request, &*self.clock, &mut |event| watch.event(event));
        self.handle(flow, answer)
    }

    fn handle(&self, flow: &SharedFlow, input: Input) -> Result<(), DriveError> {
        flow.handle(input, &*self.clock).map_err(|misuse| DriveError::Misuse(misuse.reason))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("config", &self.config).finish_non_exhaustive()
    }
}
