//! The builder of a client.

use std::sync::Arc;

use ciba_core::{
    ClientConfigBuilder, ClientSecret, DeliveryMode, Event, SoftwareKey,
    http::LoopbackHttp,
    jose::JwsAlgorithm,
    providers::{self, Preset},
};

use super::{Adapter, ConnectError, Parts, Setup};
#[cfg(feature = "rustls")]
use crate::ClientCertificate;
use crate::{Clock, PromptGuard, SystemClock};

/// Collects what a client needs; [`Self::connect`] makes every check.
///
/// The type parameter is the adapter. Its `Client` begins the builder and is what comes of it.
#[must_use = "a client comes into being with connect()"]
#[derive(Debug)]
pub struct ClientBuilder<A: Adapter> {
    /// An error of a file that was read is reported by `connect`.
    setup: Result<Setup, ConnectError>,
    parts: Parts<A>,
}

impl<A: Adapter> ClientBuilder<A> {
    /// Begins a client at a provider, which is named by its issuer URL.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::of(Ok(Setup::new(issuer.into(), client_id.into())))
    }

    /// Begins a client at Idura Verify. `domain` is the one of the application, for example
    /// `example.test.idura.broker`.
    pub fn idura(domain: &str, client_id: impl Into<String>) -> Self {
        Self::new(format!("https://{domain}"), client_id).preset(providers::IDURA)
    }

    pub(super) fn of(setup: Result<Setup, ConnectError>) -> Self {
        Self {
            setup,
            parts: Parts {
                http: Arc::new(|http| http),
                authorities: None,
                #[cfg(feature = "rustls")]
                certificate: None,
                signer: None,
                inbox: None,
                saver: None,
                watch: None,
                clock: Arc::new(SystemClock),
                guard: None,
            },
        }
    }

    pub(super) fn set(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        if let Ok(setup) = &mut self.setup {
            change(setup);
        }
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Parts<A>)) -> Self {
        change(&mut self.parts);
        self
    }

    /// Authenticates the client with this private key (`private_key_jwt`), and signs everything
    /// else that has to be signed with it. Algorithm and key id are those of the key.
    pub fn private_key(self, key: SoftwareKey) -> Self {
        self.set(|setup| setup.takes_key(&key)).with(|parts| parts.signer = Some(A::signer(key)))
    }

    /// As [`Self::private_key`], with a key in a KMS or an HSM. `key_id` is the one that is
    /// registered at the provider.
    pub fn signer(
        self,
        signer: Arc<A::Signer>,
        algorithm: JwsAlgorithm,
        key_id: Option<&str>,
    ) -> Self {
        self.set(|setup| {
            setup.key = Some((algorithm, key_id.map(Into::into)));
            setup.public_key = None;
            setup.by_secret = false;
        })
        .with(|parts| parts.signer = Some(signer))
    }

    /// Authenticates the client with this secret (`client_secret_basic`). After
    /// [`Self::private_key`], that key signs requests and the secret authenticates.
    ///
    /// For another method with a secret, see [`Self::configure`].
    pub fn client_secret(self, secret: impl Into<ClientSecret>) -> Self {
        self.set(|setup| {
            setup.secret = Some(secret.into());
            setup.by_secret = true;
        })
    }

    /// Follows what is known about this provider: [`ciba_core::providers`] has the presets.
    pub fn preset(self, preset: Preset) -> Self {
        self.set(|setup| setup.preset = Some(preset))
    }

    /// Registered for ping or push mode: notifications arrive at `endpoint`, the registered URL,
    /// and are passed to the inbox.
    pub fn notified(
        self,
        mode: DeliveryMode,
        endpoint: impl Into<String>,
        inbox: A::Inbox,
    ) -> Self {
        self.set(|setup| setup.notified = Some((mode, endpoint.into())))
            .with(|parts| parts.inbox = Some(inbox))
    }

    /// Adds a header field to every request, that for the metadata included. Repeatable.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(|setup| setup.headers.push((name.into(), value.into())))
    }

    /// Changes the configuration before it is checked: everything that [`ClientConfigBuilder`] has
    /// is at hand. Repeatable.
    pub fn configure(
        self,
        change: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder + Send + 'static,
    ) -> Self {
        self.set(|setup| setup.configure.push(Box::new(change)))
    }

    /// Changes the builder of the HTTP client: proxies, name resolution, local addresses. Called
    /// once, and once more with a client certificate.
    pub fn http(self, change: impl Fn(A::Http) -> A::Http + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.http = Arc::new(change))
    }

    /// Trusts the certificates of this PEM text and no others: for a provider with a CA of its own.
    pub fn authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.authorities = Some(pem.into()))
    }

    /// Shows this certificate to the provider (RFC 8705). What it is for is part of the
    /// registration; see [`Self::configure`].
    #[cfg(feature = "rustls")]
    pub fn certificate(self, certificate: ClientCertificate) -> Self {
        self.with(|parts| parts.certificate = Some(certificate))
    }

    /// Saves every flow of this client by a saver of its own.
    pub fn saver(self, new: impl Fn() -> Box<A::Saver> + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.saver = Some(Arc::new(new)))
    }

    /// Watches the progress of every flow of this client.
    pub fn watch(self, watch: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.watch = Some(Arc::new(watch)))
    }

    /// Takes the time from this clock.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        self.with(|parts| parts.clock = Arc::new(clock))
    }

    /// Refuses a second flow for a person while one is running.
    pub fn prompt_guard(self, guard: PromptGuard) -> Self {
        self.with(|parts| parts.guard = Some(guard))
    }

    /// Accepts a provider on this machine that speaks plain HTTP, for tests.
    pub fn dangerously_allow_loopback_http(self) -> Self {
        self.set(|setup| setup.loopback = LoopbackHttp::DangerouslyAllowed)
    }

    /// Reads the trusted roots, fetches the provider's metadata and keys, and checks that this
    /// client and this provider fit together.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; its [`origin`](ConnectError::origin) says whose fault it is.
    pub fn connect(self) -> A::Connecting {
        A::connect(self.setup, self.parts)
    }
}
