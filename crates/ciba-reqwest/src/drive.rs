//! The common case: one flow to its end.

use std::{
    fmt, io,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use ciba_core::{
    AuthRequest, Authentication, Cause, ClientConfig, DeliveryMode, Event, Flow, Input, Output, Request,
    TransmitTicket, Unanswered, Wait,
};

use crate::{
    AuthenticateError, Clock, DriveError, Entropies, HttpClient, Inbox, Keys, PromptGuard, SharedFlow, Signer,
    SignerError, SystemClock, SystemEntropy, gate::while_allowed, http::Line, inbox::Registration,
};

/// Watches a flow being driven. All methods have defaults that do nothing; `&mut ()` watches nothing, and a closure
/// `|event: &Event| …` watches the progress.
pub trait Watch: Send {
    /// Something is about to happen, or did.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// The state of the flow could not be saved. Called when the drive continues without the store; otherwise the drive ends
    /// with [`DriveError::Save`]. Every later step tries to save again and reports every failure here.
    ///
    /// When this is called and no later save succeeds, the store holds an older state. Remove that once the flow is over: do not
    /// resume from it while its result is in use.
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

/// Drives flows of one configuration; one value serves any number of them at once.
#[derive(Clone)]
pub struct Driver {
    http: HttpClient,
    keys: Arc<Keys>,
    signer: Option<Arc<dyn Signer>>,
    clock: Arc<dyn Clock>,
    entropies: Arc<dyn Entropies>,
    inbox: Option<Inbox>,
    guard: Option<PromptGuard>,
}

impl Driver {
    /// A driver with the system's clock and random generator, and no private key.
    #[must_use]
    pub fn new(http: HttpClient, keys: impl Into<Arc<Keys>>) -> Self {
        Self {
            http,
            keys: keys.into(),
            signer: None,
            clock: Arc::new(SystemClock),
            entropies: Arc::new(SystemEntropy),
            inbox: None,
            guard: None,
        }
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
    pub fn with_entropies(self, entropies: impl Entropies + 'static) -> Self {
        Self { entropies: Arc::new(entropies), ..self }
    }

    /// With the inbox at which notifications for its flows arrive. Ping and push mode need one; a flow in ping mode can do
    /// without as long as its policy has it polled at times anyway
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

    /// Starts a flow and drives it to its result.
    ///
    /// Dropping the future abandons the flow. To save the flow, or to continue it after that or after a restart, start the
    /// [`Flow`] yourself and use [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub async fn authenticate(
        &self,
        config: &Arc<ClientConfig>,
        request: AuthRequest,
        watch: &mut dyn Watch,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let entropy = self.entropies.draw().map_err(DriveError::from)?;
        let flow = SharedFlow::new(Flow::start(Arc::clone(config), request, entropy, self.clock.now())?);
        self.drive(&flow, watch).await?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// Drives a flow until it is over; take the result with [`SharedFlow::finish`].
    ///
    /// The future may be dropped at any time, by a time-out or a `select`; nothing runs in the background. A request that was
    /// under way counts as lost, because it may have arrived; driving the flow again continues from there and repeats nothing
    /// that must not be repeated. A private-key operation that was under way is asked for again at once, and nothing counts
    /// against the key. Notifications reach a flow from its first drive on, for as long as its [`SharedFlow`] exists, between
    /// two drives too.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; the flow is not over and can be driven again.
    pub async fn drive(&self, flow: &SharedFlow, watch: &mut dyn Watch) -> Result<(), DriveError> {
        if let Some(guard) = &self.guard {
            flow.prompts_by(guard, &*self.clock).map_err(DriveError::PromptRefused)?;
        }
        let _registration = self.register(flow)?;
        let mut told = Told { acknowledged: flow.acknowledged().is_some(), wait: None };
        loop {
            let entropy = self.entropies.draw()?;
            let output = flow.poll(&*self.clock, entropy);
            let open = Open { flow, clock: &self.clock, output: Some(output), leaving: None };
            told.news(flow, watch);
            if matches!(open.output, Some(Output::Done)) {
                flow.prompts_nobody();
                if let Err(error) = flow.end_saving().await {
                    watch.save_failed(&error);
                }
                return Ok(());
            }
            // Before the save: a request that cannot be sent is not kept as one that may have been.
            let line = self.line(open.output.as_ref())?;
            save(flow, watch).await?;
            match &open.output {
                Some(Output::Transmit(_)) => self.transmit(open, line, watch).await?,
                Some(Output::Key(_)) => self.sign(open, watch).await?,
                Some(Output::KeySet(_)) => self.find_keys(open, watch).await?,
                Some(Output::Wait(wait)) => {
                    told.waiting(wait, watch);
                    either(flow.woken(), self.clock.sleep_until(wait.until())).await;
                }
                Some(Output::Done) | None => return Ok(()),
            }
        }
    }

    /// Lets notifications reach a flow, if it wants any.
    fn register(&self, flow: &SharedFlow) -> Result<Option<Registration>, DriveError> {
        let wants = flow.look(|flow| {
            let config = flow.config();
            let can_do_without = config.delivery() != DeliveryMode::Push && config.policy().ping_backstop;
            flow.notification_key().map(|key| (key, can_do_without))
        });
        match (wants.flatten(), &self.inbox) {
            (None, _) | (Some((_, true)), None) => Ok(None),
            (Some((_, false)), None) => Err(DriveError::NoInbox),
            (Some((key, _)), Some(inbox)) => inbox.begin(key, flow, self.clock.now()).map(Some),
        }
    }

    /// What the next request goes over.
    fn line(&self, output: Option<&Output>) -> Result<&Line, DriveError> {
        match output {
            Some(Output::Transmit(transmit)) => self.http.line(transmit).map_err(DriveError::NoCertificate),
            Some(Output::Key(_) | Output::KeySet(_) | Output::Wait(_) | Output::Done) | None => {
                Ok(self.http.anonymous())
            }
        }
    }

    async fn transmit(&self, mut open: Open<'_>, line: &Line, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let Some(Output::Transmit(transmit)) = &open.output else { return Ok(()) };
        watch.event(&Event::Requesting { endpoint: transmit.endpoint(), attempt: transmit.attempt() });
        let (timeout, max_response) = (transmit.timeout(), transmit.max_response());
        let Some((request, leaving)) = open.begin() else { return Ok(()) };
        let exchange = line.exchange(&request, timeout, max_response);
        let answer = while_allowed(Arc::new(move || leaving.may_leave()), exchange).await;
        let Some(ticket) = open.ticket() else { return Ok(()) };
        open.handle(match answer {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        })
    }

    async fn sign(&self, mut open: Open<'_>, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let Some(Output::Key(operation)) = &open.output else { return Ok(()) };
        let signed = match &self.signer {
            Some(signer) => {
                let entropy = self.entropies.draw()?;
                let limit = open.flow.look(|flow| flow.config().policy().local_timeout).unwrap_or_default();
                let signed = tokio::time::timeout(limit, signer.sign(operation, entropy)).await;
                signed.unwrap_or_else(|_| Err("the signer took too long".into()))
            }
            None => Err("the driver has no signer".into()),
        };
        if let Err(error) = &signed {
            watch.key_unavailable(error);
        }
        let Some(Output::Key(operation)) = open.output.take() else { return Ok(()) };
        open.handle(match signed {
            Ok(signature) => operation.answered(signature),
            Err(error) => operation.failed(&*error),
        })
    }

    async fn find_keys(&self, mut open: Open<'_>, watch: &mut dyn Watch) -> Result<(), DriveError> {
        let Some(Output::KeySet(request)) = &open.output else { return Ok(()) };
        let found = self.keys.find(request, &self.http, &*self.clock, &mut |event| watch.event(event)).await;
        let Some(Output::KeySet(request)) = open.output.take() else { return Ok(()) };
        open.handle(found.answer(request))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Saves the state. While the authentication request may still leave, a failure stops the drive: a resumed flow would send it
/// again. After that the flow is worth more than its copy (ruling 26).
async fn save(flow: &SharedFlow, watch: &mut dyn Watch) -> Result<(), DriveError> {
    match flow.save().await {
        Ok(()) => Ok(()),
        Err(error) if flow.must_be_saved() => Err(DriveError::Save(error)),
        Err(error) => {
            watch.save_failed(&error);
            Ok(())
        }
    }
}

/// What the watcher was told, so that it is told once.
struct Told {
    acknowledged: bool,
    wait: Option<Wait>,
}

impl Told {
    fn news(&mut self, flow: &SharedFlow, watch: &mut dyn Watch) {
        if !self.acknowledged
            && let Some(acknowledged) = flow.acknowledged()
        {
            self.acknowledged = true;
            watch.event(&Event::Acknowledged(acknowledged));
        }
        if flow.take_news() {
            watch.event(&Event::Notified);
        }
    }

    fn waiting(&mut self, wait: &Wait, watch: &mut dyn Watch) {
        if self.wait.as_ref() != Some(wait) {
            watch.event(&Event::Waiting(wait.clone()));
            self.wait = Some(wait.clone());
        }
    }
}

/// An output of the flow that is being answered. If it is dropped before that, because the drive's future was dropped or could
/// not save, it reports what actually happened, so that the flow neither hangs nor repeats a request.
struct Open<'a> {
    flow: &'a SharedFlow,
    clock: &'a Arc<dyn Clock>,
    /// Not begun, or begun without a trace.
    output: Option<Output>,
    /// The request that is under way.
    leaving: Option<Arc<Leaving>>,
}

impl Open<'_> {
    /// The request that is to be sent now. Whatever was saved or told meanwhile took its time, and it may be too late.
    fn begin(&mut self) -> Option<(Request, Arc<Leaving>)> {
        let Some(Output::Transmit(transmit)) = self.output.take() else { return None };
        let (request, ticket) = transmit.into_parts();
        let (flow, clock) = (self.flow.clone(), Arc::clone(self.clock));
        let leaving = Arc::new(Leaving { flow, clock, ticket: Mutex::new(Some(ticket)) });
        if leaving.may_leave() {
            self.leaving = Some(Arc::clone(&leaving));
            return Some((request, leaving));
        }
        if let Some(ticket) = leaving.take() {
            // It is the flow's own ticket, so there is nothing to refuse.
            let _ = self.flow.handle(ticket.unanswered(Unanswered::NotSent(Cause::Withheld)), &**self.clock);
        }
        None
    }

    /// The ticket of the request that is under way; it does not leave any more.
    fn ticket(&mut self) -> Option<TransmitTicket> {
        self.leaving.take()?.take()
    }

    fn handle(self, input: Input) -> Result<(), DriveError> {
        self.flow.handle(input, &**self.clock).map_err(|misuse| DriveError::Misuse(misuse.reason))
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let input = match (self.ticket(), self.output.take()) {
            (Some(ticket), _) => ticket.unanswered(Unanswered::Lost(Cause::Interrupted)),
            (None, Some(Output::Transmit(transmit))) => {
                transmit.into_parts().1.unanswered(Unanswered::NotSent(Cause::Interrupted))
            }
            (None, Some(Output::Key(operation))) => operation.interrupted(),
            (None, Some(Output::KeySet(request))) => request.later(self.clock.now()),
            (None, Some(Output::Wait(_) | Output::Done) | None) => return,
        };
        // It is the flow's own ticket, so there is nothing to refuse.
        let _ = self.flow.handle(input, &**self.clock);
    }
}

/// A request on its way to the first byte. The flow is asked at its begin, and once more when the connection stands.
struct Leaving {
    flow: SharedFlow,
    clock: Arc<dyn Clock>,
    ticket: Mutex<Option<TransmitTicket>>,
}

impl Leaving {
    fn may_leave(&self) -> bool {
        self.lock().as_ref().is_some_and(|ticket| self.flow.may_send(ticket, &*self.clock))
    }

    fn take(&self) -> Option<TransmitTicket> {
        self.lock().take()
    }

    /// A panic elsewhere while the lock was held leaves a ticket that is whole.
    fn lock(&self) -> MutexGuard<'_, Option<TransmitTicket>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until one of two things is there.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { other.as_mut().poll(context) }
    })
    .await;
}
