//! The two HTTP libraries of `--transport`, behind one trait.

mod reqwest;
mod ureq;

use std::{io, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use ciba_core::{
    Authentication, ClientConfig, Discovery, Failure, Flow, ProviderMetadata, Stage,
    answer::{Misbehaviour, ServerAnswer},
    error::{Unreachable, UnreachableTarget},
    fault::Fault,
    http::{Body, Endpoint, Headers, Request, Response, Unanswered},
    metadata::MetadataError,
    notification::{BadNotification, NotificationReply, NotificationVerdict},
};

use self::{reqwest::Reqwest, ureq::Ureq};
use crate::{
    args::{Client, Transport},
    exit::Stop,
    files::{Pair, no_certificate, read, unescaped},
    proxies::Proxies,
    signer::KeyRing,
    stdio::put_error,
    watcher::Watcher,
};

/// An HTTP client, the driver that works with it, and the inbox of the one flow it drives.
#[async_trait]
pub(crate) trait HttpLibrary: Send + Sync {
    /// Fetches the provider's metadata.
    async fn discover(&self, discovery: Discovery) -> Result<ProviderMetadata, Failure>;

    /// Sends one request outside of a flow.
    async fn exchange(
        &self,
        request: Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered>;

    /// Drives a flow until it is over or [`Watcher::stop`] was called.
    async fn drive(&self, drive: Drive) -> Result<Driven, Halted>;

    /// Looks at a call of the notification endpoint before its body is read. `Err` is the answer to
    /// a call that is refused whatever its body says.
    fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply>;

    /// Takes a call of the notification endpoint.
    async fn acknowledge(
        &self,
        method: &str,
        headers: Headers,
        body: Body,
    ) -> Result<NotificationVerdict, BadNotification>;
}

/// A flow to drive, and what the driver needs for it.
pub(crate) struct Drive {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) keys: KeyRing,
    pub(crate) flow: Flow,
    pub(crate) watcher: Watcher,
    /// A notification endpoint is open.
    pub(crate) is_notified: bool,
}

/// A flow that was driven, until it was over or the drive was stopped.
pub(crate) struct Driven {
    pub(crate) is_over: bool,
    /// It ended because the provider's keys could not be fetched, with tokens that can be verified
    /// later.
    pub(crate) keeps_tokens: bool,
    pub(crate) outcome: Result<Box<Authentication>, Failure>,
}

impl Driven {
    fn new(
        stage: Stage,
        keeps_tokens: bool,
        outcome: Result<Box<Authentication>, Failure>,
    ) -> Self {
        Self { is_over: stage == Stage::Settled, keeps_tokens, outcome }
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

/// How a library is set up.
#[derive(Debug, Default)]
pub(crate) struct Settings<'a> {
    /// The file of certificate authorities to trust instead of the platform's.
    pub(crate) ca: Option<&'a Path>,
    pub(crate) proxies: Proxies,
    /// The client certificate and its key, shown where a flow asks for it.
    pub(crate) certificate: Option<(&'a Path, &'a Path)>,
    /// Show each exchange on standard error.
    pub(crate) trace: bool,
}

impl<'a> Settings<'a> {
    /// For the provider of these options.
    pub(crate) fn of(options: &'a Client, trace: bool) -> Result<Self, Stop> {
        let proxies = if options.allow_http_loopback {
            Proxies::default()
        } else {
            Proxies::of_environment()?
        };
        let certificate = options.cert.as_deref().zip(options.cert_key.as_deref());
        Ok(Self { ca: options.ca_cert.as_deref(), proxies, certificate, trace })
    }

    /// Sets up one of the two libraries.
    pub(crate) fn open(self, transport: Transport) -> Result<Arc<dyn HttpLibrary>, Stop> {
        let files = Files {
            ca: self
                .ca
                .map(|path| read(path, "--ca-cert").map(|pem| (path, unescaped(pem))))
                .transpose()?,
            certificate: self.certificate.map(ClientPem::read).transpose()?,
        };
        Ok(match transport {
            Transport::Reqwest => Arc::new(Reqwest::new(&files, &self.proxies, self.trace)?),
            Transport::Ureq => Arc::new(Ureq::new(&files, self.proxies, self.trace)?),
        })
    }
}

/// The files of the settings, read.
struct Files<'a> {
    ca: Option<(&'a Path, Vec<u8>)>,
    certificate: Option<ClientPem>,
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

fn unusable_ca(path: &Path, pem: &[u8]) -> Stop {
    Stop::usage(format!(
        "the file of --ca-cert cannot be used: {} {}",
        path.display(),
        no_certificate(pem)
    ))
}

fn no_tls() -> Stop {
    Stop::bug("TLS cannot be set up on this machine")
}

fn show(exchange: &ciba_core::http::Exchange<'_>) {
    put_error(&format!("ciba: trace: {exchange}"));
}

/// What a failed discovery means for an authentication.
pub(crate) fn failure_of(error: MetadataError) -> Failure {
    match error {
        MetadataError::Untrusted(rejection) => Failure::Untrusted(rejection),
        // No document there, or none just now.
        MetadataError::Unusable(Misbehaviour { fault: Fault::Status, answer, .. }) => {
            unobtainable(answer)
        }
        MetadataError::Unusable(found) => Failure::ProviderMisbehaved(found),
        _ => unobtainable(None),
    }
}

pub(super) fn unobtainable(answer: Option<Box<ServerAnswer>>) -> Failure {
    Failure::Unreachable(
        Unreachable::new(UnreachableTarget::Endpoint(Endpoint::Discovery)).answered(answer),
    )
}

pub(super) fn unanswered(how: Unanswered) -> Failure {
    let target = UnreachableTarget::Endpoint(Endpoint::Discovery);
    Failure::Unreachable(Unreachable::new(target).because(how.cause().into(), 1))
}
