//! The common case: one flow to its end.

use std::{fmt, io, pin::pin, sync::Arc, task::Poll, time::Duration};

use ciba_core::{
    AuthRequest, Authentication, ClientConfig, Event, Flow, Input, KeyOperation, KeySetRequest,
    Output, Transmit,
    config::{Equipment, Lacking},
    fault::ExchangeProblem,
    machine::{Events, ResumeError, Save},
};
use ciba_std::{Gate, Parts};

use crate::{
    AuthenticateError, Clock, DriveError, HttpClient, Inbox, Keys, PromptGuard, Reqwest,
    SharedFlow, Signer, SignerError, SystemClock,
    entropy::{EntropySource, SystemEntropy},
};

/// Watches a flow being driven. All methods have defaults that do nothing; `&mut ()` watches
/// nothing, and [`on_event`] makes a closure `|event| …` watch the progress.
pub trait Watch: Send {
    /// Something is about to happen, or did.
    fn event(&mut self, event: &Event) {
        let _ = event;
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

impl<F: FnMut(&Event) + Send> Watch for F {
    fn event(&mut self, event: &Event) {
        self(event);
    }
}

/// A closure that watches the progress of a flow:
/// `&mut on_event(|event| println!("{event:?}"))`.
pub const fn on_event<F: FnMut(&Event) + Send>(watch: F) -> F {
    watch
}

/// The timer counts monotonic time, which stands still while a machine is suspended and knows
/// nothing of a wall clock that is set; so no pause is longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

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

    /// The configuration of its flows.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Starts a flow, to be driven by [`Self::drive`]; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Request`] when this client cannot send the request to its provider;
    /// [`AuthenticateError::Drive`] when there are no random bytes.
    pub fn start(&self, request: AuthRequest) -> Result<Flow, AuthenticateError> {
        let entropy = self.entropies.draw().map_err(DriveError::from)?;
        Ok(Flow::start(Arc::clone(&self.config), request, entropy, self.clock.now())?)
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
    /// Dropping the future abandons the flow. To save the flow, or to continue it after that or
    /// after a restart, use [`Self::start`], [`Self::resume`] and [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub async fn authenticate(
        &self,
        request: AuthRequest,
        watch: &mut dyn Watch,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = SharedFlow::new(self.start(request)?);
        self.drive(&flow, watch).await?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// Drives a flow until it is over; take the result with
    /// [`finish`](ciba_std::LockedFlow::finish).
    ///
    /// The future may be dropped at any time, by a time-out or a `select`; nothing runs in the
    /// background. A request that was under way counts as lost, because it may have arrived;
    /// driving the flow again continues from there and repeats nothing that must not be repeated. A
    /// private-key operation that was under way is asked for again at once, and nothing counts
    /// against the key. Notifications reach a flow from its first drive on, for as long as its
    /// [`SharedFlow`] exists, between two drives too.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; the flow is not over and can be driven again.
    pub async fn drive(&self, flow: &SharedFlow, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let mut events =
            flow.look(|flow| self.takes(flow).map(|()| Events::new(flow))).transpose()?;
        if let Some(guard) = &self.guard {
            flow.prompts_by(guard, &*self.clock).map_err(DriveError::PromptRefused)?;
        }
        // Lets notifications reach the flow, if it wants any.
        let inbox = self.inbox.as_ref();
        let now = self.clock.now();
        let _registration = inbox.map(|inbox| inbox.begin(flow.shared(), now)).transpose()?;
        loop {
            let entropy = self.entropies.draw()?;
            let output = flow.poll(&*self.clock, entropy);
            if let Some(events) = &mut events {
                let told = flow.look(|flow| events.after(flow, &output));
                told.into_iter().flatten().for_each(|event| watch.event(&event));
            }
            match output {
                Output::Save(save) => self.save(flow, save, watch).await?,
                Output::Transmit(transmit) => self.transmit(flow, transmit).await?,
                Output::Key(operation) => self.sign(flow, operation, watch).await?,
                Output::KeySet(request) => self.find_keys(flow, request, watch).await?,
                Output::Wait(wait) => {
                    either(flow.woken(), pause(self.clock.idle(wait.until()))).await
                }
                Output::Done => {
                    flow.prompts_nobody();
                    return Ok(());
                }
            }
        }
    }

    pub(crate) fn with_parts(self, parts: &Parts<Reqwest>) -> Self {
        Self {
            signer: parts.signer.clone(),
            clock: Arc::clone(&parts.clock),
            inbox: parts.inbox.clone(),
            guard: parts.guard.clone(),
            ..self
        }
    }

    /// Whether this driver may drive a flow, and has what it needs; nothing is saved or sent
    /// otherwise.
    fn takes(&self, flow: &Flow) -> Result<(), DriveError> {
        if !Arc::ptr_eq(flow.config(), &self.config) {
            return Err(DriveError::AnotherConfiguration);
        }
        self.lacks().map_or(Ok(()), |lacking| Err(DriveError::Lacking(lacking)))
    }

    /// What it lacks for its configuration.
    pub(crate) fn lacks(&self) -> Option<Lacking> {
        self.config.lacks(Equipment {
            certificate: self.http.has_certificate(),
            signer: self.signer.is_some(),
            inbox: self.inbox.is_some(),
        })
    }

    /// Fetches the provider's keys, if flows will ask for them.
    pub(crate) async fn fetch_keys(&self) -> Result<(), ExchangeProblem> {
        let is_signed = !self.config.id_token_algorithm().is_symmetric();
        if is_signed && self.config.jwks_uri().is_some() {
            self.http.prefetch_keys(&self.keys, &*self.clock).await?;
        }
        Ok(())
    }

    async fn save(
        &self,
        flow: &SharedFlow,
        save: Save,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let is_needed = save.is_needed();
        match flow.save(save, self.clock.now()).await {
            Ok(()) => Ok(()),
            Err(error) if is_needed => Err(DriveError::Save(error)),
            Err(error) => {
                watch.save_failed(&error);
                Ok(())
            }
        }
    }

    async fn transmit(&self, flow: &SharedFlow, transmit: Transmit) -> Result<(), DriveError> {
        let Some(sending) = flow.begin(transmit, &*self.clock) else { return Ok(()) };
        let (asked, clock, id) = (flow.clone(), Arc::clone(&self.clock), sending.id());
        // Once more when the connection stands: making it takes time.
        let gate = Gate::new(move || asked.may_send(id, &*clock));
        let answer = self.http.perform_if(sending, Some(gate)).await;
        self.handle(flow, answer)
    }

    async fn sign(
        &self,
        flow: &SharedFlow,
        operation: KeyOperation,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let signed = match &self.signer {
            Some(signer) => {
                let entropy = self.entropies.draw()?;
                let limit =
                    flow.look(|flow| flow.config().policy().local_timeout).unwrap_or_default();
                let signed = tokio::time::timeout(limit, signer.sign(&operation, entropy)).await;
                signed.unwrap_or_else(|_| Err("the signer took too long".into()))
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

    async fn find_keys(
        &self,
        flow: &SharedFlow,
        request: KeySetRequest,
        watch: &mut dyn Watch,
    ) -> Result<(), DriveError> {
        let answer = self
            .http
            .find_keys(&self.keys, request, &*self.clock, &mut |event| watch.event(event))
            .await;
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

async fn pause(length: Duration) {
    if length.is_zero() {
        // Others have to come to their turn, also under a clock with which nothing takes time.
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(length.min(LONGEST_PAUSE)).await;
    }
}

/// Waits until one of two things is there.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            Poll::Ready(())
        } else {
            other.as_mut().poll(context)
        }
    })
    .await;
}
