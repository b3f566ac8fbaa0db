//! The two HTTP libraries, behind one face.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ciba_core::{
    Authentication, Cause, ClientConfig, Discovery, Endpoint, Entropy, Event, Failure, Fault, Flow,
    MetadataError, Misbehaviour, ProviderMetadata, Request, Response, ServerAnswer, Snapshot,
    Stage, Timestamp, Unanswered, Unreachable, UnreachableTarget,
};

use crate::{
    args::{Client, Transport},
    exit::Stop,
    files::{self, Pair, read},
    listen::Inbox,
    output::{Reporter, put_error},
    proxies::Proxies,
    signer::KeyRing,
    state_file::{StateFile, reason},
};

/// An HTTP client of one of the two libraries.
#[derive(Clone)]
pub(crate) enum Http {
    Reqwest(ciba_reqwest::HttpClient),
    Ureq(ciba_ureq::HttpClient),
}

impl Http {
    /// The client for the provider of these options.
    pub(crate) fn of(options: &Client) -> Result<Self, Stop> {
        let proxies = if options.allow_http_loopback {
            Proxies::default()
        } else {
            Proxies::of_environment()?
        };
        let certificate = match (&options.cert, &options.cert_key) {
            (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
            _ => None,
        };
        Self::new(
            options.transport.unwrap_or_default(),
            options.ca_cert.as_deref(),
            &proxies,
            certificate,
        )
    }

    /// With each exchange shown on standard error, where that is wanted.
    pub(crate) fn traced(self, trace: bool) -> Self {
        if !trace {
            return self;
        }
        let show =
            |exchange: &ciba_core::Exchange<'_>| put_error(&format!("ciba: trace: {exchange}"));
        match self {
            Self::Reqwest(http) => Self::Reqwest(http.with_observer(show)),
            Self::Ureq(http) => Self::Ureq(http.with_observer(show)),
        }
    }

    /// A client that trusts the platform's roots, or those of a PEM file; with a certificate and
    /// its key, it shows that where a flow says so.
    pub(crate) fn new(
        transport: Transport,
        ca: Option<&Path>,
        proxies: &Proxies,
        certificate: Option<(&Path, &Path)>,
    ) -> Result<Self, Stop> {
        let ca = ca
            .map(|path| read(path, "--ca-cert").map(|pem| (path, files::unescaped(pem))))
            .transpose()?;
        let certificate = certificate.map(ClientPem::read).transpose()?;
        let no_tls = || Stop::bug("TLS cannot be set up on this machine");
        match transport {
            Transport::Reqwest => {
                // A machine without roots still speaks plain http. Where they are needed they are
                // then missing, as ureq finds, which looks for them no earlier.
                let has_roots = ca.is_some() || ciba_reqwest::platform_roots().build().is_ok();
                let roots: Box<dyn Fn() -> ciba_reqwest::reqwest::ClientBuilder + Send + Sync> =
                    match &ca {
                        Some((path, pem)) => Box::new(
                            ciba_reqwest::with_ca(pem).map_err(|_| no_certificate(path, pem))?,
                        ),
                        None if has_roots => Box::new(ciba_reqwest::platform_roots),
                        None => Box::new(|| ciba_reqwest::platform_roots().tls_certs_only([])),
                    };
                let proxies = proxies.clone();
                let make = move || roots().no_proxy().proxy(proxies.for_reqwest());
                let http = ciba_reqwest::HttpClient::new(make).map_err(|_| no_tls())?;
                let Some(pem) = certificate else { return Ok(Self::Reqwest(http)) };
                let certificate =
                    ciba_reqwest::ClientCertificate::from_pem(&pem.pair.chain, &pem.pair.key);
                let certificate = certificate.map_err(|error| pem.unusable(&error))?;
                let http =
                    http.with_certificate(certificate).map_err(|error| pem.unusable(&error))?;
                Ok(Self::Reqwest(http))
            }
            Transport::Ureq => {
                let proxies = proxies.clone();
                let http = match &ca {
                    Some((path, pem)) => ciba_ureq::HttpClient::new(
                        ciba_ureq::with_ca(pem).map_err(|_| no_certificate(path, pem))?,
                    ),
                    None => ciba_ureq::HttpClient::new(ciba_ureq::platform_roots),
                };
                let http = http.map_err(|_| no_tls())?;
                let http = http.with_proxies(move |url| proxies.for_ureq(url));
                let Some(pem) = certificate else { return Ok(Self::Ureq(http)) };
                let certificate =
                    ciba_ureq::ClientCertificate::from_pem(&pem.pair.chain, &pem.pair.key);
                let certificate = certificate.map_err(|error| pem.unusable(&error))?;
                let http =
                    http.with_certificate(certificate).map_err(|error| pem.unusable(&error))?;
                Ok(Self::Ureq(http))
            }
        }
    }

    /// An inbox of the library, for one flow.
    pub(crate) fn inbox(&self) -> Inbox {
        match self {
            Self::Reqwest(_) => Inbox::Reqwest(ciba_reqwest::Inbox::with_capacity(1)),
            Self::Ureq(_) => Inbox::Ureq(ciba_ureq::Inbox::with_capacity(1)),
        }
    }

    /// Fetches the provider's metadata.
    pub(crate) async fn discover(&self, discovery: Discovery) -> Result<ProviderMetadata, Failure> {
        match self {
            Self::Reqwest(http) => {
                ciba_reqwest::discover_with(http, &discovery).await.map_err(|error| match error {
                    ciba_reqwest::DiscoverError::Metadata(error) => failure_of(error),
                    ciba_reqwest::DiscoverError::Unreachable { how, .. } => unanswered(how),
                    _ => unobtainable(None),
                })
            }
            Self::Ureq(http) => {
                let http = http.clone();
                let fetch = tokio::task::spawn_blocking(move || {
                    ciba_ureq::discover_with(&http, &discovery)
                });
                let found = fetch.await.map_err(|_| unobtainable(None))?;
                found.map_err(|error| match error {
                    ciba_ureq::DiscoverError::Metadata(error) => failure_of(error),
                    ciba_ureq::DiscoverError::Unreachable { how, .. } => unanswered(how),
                    _ => unobtainable(None),
                })
            }
        }
    }

    /// Sends one request outside of a flow.
    pub(crate) async fn exchange(
        &self,
        request: Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        match self {
            Self::Reqwest(http) => http.exchange(&request, timeout, max_response).await,
            Self::Ureq(http) => {
                let http = http.clone();
                let sent = tokio::task::spawn_blocking(move || {
                    http.exchange(&request, timeout, max_response)
                });
                sent.await.unwrap_or(Err(Unanswered::Lost(Cause::Unknown)))
            }
        }
    }

    /// Drives a flow until it is over or [`Watcher::stop`] says so; says what kept it from going
    /// on.
    pub(crate) async fn drive(
        self,
        config: Arc<ClientConfig>,
        keys: KeyRing,
        flow: Flow,
        mut watcher: Watcher,
        inbox: Option<Inbox>,
    ) -> (Driven, Result<(), Halted>) {
        match self {
            Self::Reqwest(http) => {
                let mut driver = ciba_reqwest::Driver::new(config, http).with_signer(keys);
                if let Some(Inbox::Reqwest(inbox)) = inbox {
                    driver = driver.with_inbox(inbox);
                }
                let flow = ciba_reqwest::SharedFlow::with_saver(flow, watcher.clone());
                let driven = driver.drive(&flow, &mut watcher).await;
                let halted = driven.map_err(|error| match error {
                    ciba_reqwest::DriveError::Save(error) => Halted::Save(error),
                    other => Halted::Broken(other.to_string()),
                });
                (Driven::Reqwest(flow), halted)
            }
            Self::Ureq(http) => {
                let mut driver = ciba_ureq::Driver::new(config, http).with_signer(keys);
                if let Some(Inbox::Ureq(inbox)) = inbox {
                    driver = driver.with_inbox(inbox);
                }
                let flow = ciba_ureq::SharedFlow::with_saver(flow, watcher.clone());
                let thread = tokio::task::spawn_blocking(move || {
                    let driven = driver.drive(&flow, &mut watcher);
                    let halted = driven.map_err(|error| match error {
                        ciba_ureq::DriveError::Save(error) => Halted::Save(error),
                        other => Halted::Broken(other.to_string()),
                    });
                    (Driven::Ureq(flow), halted)
                });
                // A panic there ends the process by the hook, and nobody aborts the task.
                match thread.await {
                    Ok(driven) => driven,
                    Err(_) => std::process::abort(),
                }
            }
        }
    }
}

/// Both files of the client certificate.
struct ClientPem {
    pair: Pair,
    shown: String,
}

impl ClientPem {
    fn read((certificate, key): (&Path, &Path)) -> Result<Self, Stop> {
        Ok(Self {
            pair: Pair::read((certificate, "--cert"), (key, "--cert-key"))?,
            shown: format!("{} with {}", certificate.display(), key.display()),
        })
    }

    fn unusable(&self, error: &dyn std::error::Error) -> Stop {
        Stop::usage(format!("the client certificate {} cannot be used: {error}", self.shown))
    }
}

fn no_certificate(ca: &Path, pem: &[u8]) -> Stop {
    Stop::usage(format!(
        "the file of --ca-cert cannot be used: {} {}",
        ca.display(),
        files::no_certificate(pem)
    ))
}

/// A flow that was driven.
pub(crate) enum Driven {
    Reqwest(ciba_reqwest::SharedFlow),
    Ureq(ciba_ureq::SharedFlow),
}

impl Driven {
    pub(crate) fn stage(&self) -> Stage {
        match self {
            Self::Reqwest(flow) => flow.stage(),
            Self::Ureq(flow) => flow.stage(),
        }
    }

    /// Whether it ended for want of keys, with tokens that can be verified later.
    pub(crate) fn keeps_tokens(&self) -> bool {
        match self {
            Self::Reqwest(flow) => flow.keeps_tokens(),
            Self::Ureq(flow) => flow.keeps_tokens(),
        }
    }

    pub(crate) fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self {
            Self::Reqwest(flow) => flow.finish(),
            Self::Ureq(flow) => flow.finish(),
        }
    }
}

/// Why a flow was not driven to its end.
#[derive(Debug)]
pub(crate) enum Halted {
    /// The state file could not be written while the authentication request might still leave.
    Save(io::Error),
    /// Something that should not happen.
    Broken(String),
}

/// What a failed discovery is to whoever waits for an authentication.
pub(crate) fn failure_of(error: MetadataError) -> Failure {
    match error {
        MetadataError::Untrusted(rejection) => Failure::Untrusted(rejection),
        // No document there, or nobody who serves it just now: it is not obtainable.
        MetadataError::Unusable(Misbehaviour { fault: Fault::Status, answer, .. }) => {
            unobtainable(answer)
        }
        MetadataError::Unusable(found) => Failure::ProviderMisbehaved(found),
        _ => unobtainable(None),
    }
}

fn unobtainable(answer: Option<Box<ServerAnswer>>) -> Failure {
    Failure::Unreachable(
        Unreachable::new(UnreachableTarget::Endpoint(Endpoint::Discovery)).answered(answer),
    )
}

fn unanswered(how: Unanswered) -> Failure {
    let target = UnreachableTarget::Endpoint(Endpoint::Discovery);
    Failure::Unreachable(Unreachable::new(target).because(how.cause().into(), 1))
}

/// Watches one drive: tells what happens, saves, and says when to stop.
#[derive(Clone)]
pub(crate) struct Watcher {
    reporter: Arc<Mutex<Reporter>>,
    state: Option<Arc<StateFile>>,
    shared: Arc<Shared>,
}

/// What the state file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kept {
    /// Nothing: no flow was saved, or nobody asked for it.
    #[default]
    Nothing,
    /// The flow, as it is.
    Flow,
    /// An earlier state at best: the flow could not be saved any more.
    Earlier,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    in_flight: AtomicBool,
    /// What was saved last holds tokens.
    holds_tokens: AtomicBool,
    /// The person was told that the file cannot be written.
    is_warned: AtomicBool,
    kept: Mutex<Kept>,
    /// The flow is being driven, so that notifications reach it.
    driven: tokio::sync::watch::Sender<bool>,
}

impl Watcher {
    pub(crate) fn new(reporter: Reporter) -> Self {
        Self { reporter: Arc::new(Mutex::new(reporter)), state: None, shared: Arc::default() }
    }

    /// With a file for the flow, and what is in it.
    pub(crate) fn keeping(self, state: Option<StateFile>, kept: Kept) -> Self {
        let shared = Shared { kept: Mutex::new(kept), ..Shared::default() };
        Self { state: state.map(Arc::new), shared: Arc::new(shared), ..self }
    }

    /// A panic elsewhere ends the process, so a poisoned lock is of no consequence.
    pub(crate) fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> Option<&StateFile> {
        self.state.as_deref()
    }

    /// What of the flow is on the disk.
    pub(crate) fn kept(&self) -> Kept {
        *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file from which the flow can be gone on with.
    pub(crate) fn kept_at(&self) -> Option<&Path> {
        self.state().filter(|_| self.kept() == Kept::Flow).map(StateFile::path)
    }

    /// The file, if tokens are in it that are not verified yet.
    pub(crate) fn tokens_at(&self) -> Option<&Path> {
        self.kept_at().filter(|_| self.shared.holds_tokens.load(Ordering::Relaxed))
    }

    fn keeps(&self, now: Kept) -> Kept {
        std::mem::replace(
            &mut *self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }

    /// Asks the drive to end before its next step.
    pub(crate) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Whether a request is under way.
    pub(crate) fn in_flight(&self) -> bool {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Returns when the drive has begun.
    pub(crate) async fn driven(&self) {
        // The sender is here, so it is never closed.
        let _ = self.shared.driven.subscribe().wait_for(|is_driven| *is_driven).await;
    }

    fn tell(&self, event: &Event) {
        self.shared.driven.send_replace(true);
        // A key set that is under way holds nothing that is lost with it.
        let requesting =
            matches!(event, Event::Requesting { endpoint, .. } if *endpoint != Endpoint::KeySet);
        // A notification may come while a request is under way.
        if !matches!(event, Event::Notified) {
            self.shared.in_flight.store(requesting, Ordering::Relaxed);
        }
        self.reporter().event(event);
    }

    fn save_now(&self, snapshot: &Snapshot) -> io::Result<()> {
        let Some(state) = &self.state else { return Ok(()) };
        let saved = state.save(snapshot);
        match &saved {
            Ok(()) => {
                self.keeps(Kept::Flow);
                self.shared.holds_tokens.store(snapshot.holds_tokens(), Ordering::Relaxed);
                self.shared.is_warned.store(false, Ordering::Relaxed);
            }
            Err(_) if self.kept() == Kept::Flow => {
                self.keeps(Kept::Earlier);
            }
            Err(_) => {}
        }
        saved
    }

    /// The login goes on without the file; said once for each time that it stops working.
    fn not_saved(&self, error: &io::Error) {
        let Some(state) = &self.state else { return };
        if !self.shared.is_warned.swap(true, Ordering::Relaxed) {
            let shown = state.path().display();
            self.reporter().say(&format!(
                "ciba: warning: the state file {shown} cannot be written any more ({}); going on without saving",
                reason(error)
            ));
        }
    }

    fn no_key(&self, error: &(dyn std::error::Error + Send + Sync)) {
        self.reporter().detail(&format!("The private key could not be used: {error}."));
    }
}

#[async_trait::async_trait]
impl ciba_reqwest::Saver for Watcher {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save_now(snapshot)
    }
}

impl ciba_ureq::Saver for Watcher {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save_now(snapshot)
    }
}

impl ciba_reqwest::Watch for Watcher {
    fn event(&mut self, event: &Event) {
        self.tell(event);
    }

    fn save_failed(&mut self, error: &io::Error) {
        self.not_saved(error);
    }

    fn key_unavailable(&mut self, error: &ciba_reqwest::SignerError) {
        self.no_key(&**error);
    }
}

impl ciba_ureq::Watch for Watcher {
    fn event(&mut self, event: &Event) {
        self.tell(event);
    }

    fn stop(&mut self, _: Timestamp) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    fn save_failed(&mut self, error: &io::Error) {
        self.not_saved(error);
    }

    fn key_unavailable(&mut self, error: &ciba_ureq::SignerError) {
        self.no_key(&**error);
    }
}

/// Returns 32 bytes from the generator of the operating system. If it fails, no flow is started.
// REQ-SEC-05
pub(crate) fn entropy() -> Result<Entropy, Stop> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| Stop::bug("the operating system gives no random bytes"))?;
    Ok(Entropy::from_bytes(bytes))
}
