//! The builder of a client.

use std::sync::Arc;

use ciba_core::{
    ClientConfigBuilder, ClientSecret, DeliveryMode, Event, SoftwareKey,
    http::LoopbackHttp,
    jose::JwsAlgorithm,
    providers::{self, Preset},
};

use super::{Authorities, Connect, ConnectError, EachFlow, Parts, Saver, Setup};
#[cfg(feature = "rustls")]
use crate::ClientCertificate;
use crate::{Clock, PromptGuard, Routing, SaverError, driver::Kit};

/// Collects what a client needs; [`Self::connect`] performs every check.
///
/// The type parameter is the adapter, whose `Client::builder` creates it.
#[must_use = "connect() makes the client"]
#[derive(Debug)]
pub struct ClientBuilder<A: Connect> {
    /// `connect` reports an error of a file that was read.
    setup: Result<Setup, ConnectError>,
    parts: Parts<A>,
}

impl<A: Connect> ClientBuilder<A> {
    /// Begins a client at the provider with this issuer URL.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self::of(Ok(Setup::new(issuer.into(), client_id.into())))
    }

    /// Begins a client at Idura Verify. `domain` is the application's domain, for example
    /// `example.test.idura.broker`.
    pub fn idura(domain: &str, client_id: impl Into<String>) -> Self {
        Self::new(format!("https://{domain}"), client_id).preset(providers::IDURA)
    }

    pub(super) fn of(setup: Result<Setup, ConnectError>) -> Self {
        Self {
            setup,
            parts: Parts {
                http: Arc::new(|http| http),
                authorities: Authorities::Platform,
                #[cfg(feature = "rustls")]
                certificate: None,
                kit: Kit::default(),
                flows: EachFlow::default(),
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
        self.set(|setup| setup.takes_key(&key))
            .with(|parts| parts.kit.signer = Some(A::signer(key)))
    }

    /// As [`Self::private_key`], with a key in a KMS or an HSM. `key_id` is the id under which the
    /// key is registered at the provider.
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
        .with(|parts| parts.kit.signer = Some(signer))
    }

    /// Binds the tokens to this private key with DPoP (RFC 9449), so that nobody can use them
    /// without it. It may be the key of [`Self::private_key`] or another one, and does not have to
    /// be registered. Keep it for as long as the tokens are used, also across restarts.
    pub fn dpop_key(self, key: SoftwareKey) -> Self {
        let (algorithm, public) = (key.algorithm(), key.public_jwk());
        self.dpop_signer(A::signer(key), algorithm, public)
    }

    /// As [`Self::dpop_key`], with a key in a KMS or an HSM. `public_jwk` is its public key.
    pub fn dpop_signer(
        self,
        signer: Arc<A::Signer>,
        algorithm: JwsAlgorithm,
        public_jwk: impl Into<String>,
    ) -> Self {
        let public_jwk = public_jwk.into();
        self.set(|setup| setup.dpop = Some((algorithm, public_jwk)))
            .with(|parts| parts.kit.dpop_signer = Some(signer))
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

    /// Applies a preset, which knows the rules of one provider: see [`ciba_core::providers`].
    pub fn preset(self, preset: Preset) -> Self {
        self.set(|setup| setup.preset = Some(preset))
    }

    /// Uses ping or push mode: notifications arrive at `endpoint`, the registered URL, and are
    /// passed to the inbox.
    pub fn notified(
        self,
        mode: DeliveryMode,
        endpoint: impl Into<String>,
        inbox: &Routing<A>,
    ) -> Self {
        self.set(|setup| setup.notified = Some((mode, endpoint.into())))
            .with(|parts| parts.kit.inbox = Some(inbox.clone()))
    }

    /// Adds a header field to every request, including the one for the metadata. Repeatable.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(|setup| setup.headers.push((name.into(), value.into())))
    }

    /// Changes the configuration before it is checked, with every method of
    /// [`ClientConfigBuilder`]. Repeatable.
    pub fn configure(
        self,
        change: impl FnOnce(ClientConfigBuilder) -> ClientConfigBuilder + Send + 'static,
    ) -> Self {
        self.set(|setup| setup.configure.push(Box::new(change)))
    }

    /// Changes the builder of the HTTP client: proxies, name resolution, local addresses. Called
    /// once for each client of the HTTP library that is needed.
    pub fn http(
        self,
        change: impl Fn(A::HttpBuilder) -> A::HttpBuilder + Send + Sync + 'static,
    ) -> Self {
        self.with(|parts| parts.http = Arc::new(change))
    }

    /// Trusts the certificate authorities in this PEM text **instead of** those of the platform,
    /// for a provider with an authority of its own. Replaces an earlier choice of authorities.
    pub fn only_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.authorities = Authorities::Only(pem.into()))
    }

    /// Trusts the certificate authorities in this PEM text **in addition to** those of the
    /// platform. Replaces an earlier choice of authorities.
    pub fn extra_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.authorities = Authorities::Extra(pem.into()))
    }

    /// Presents this certificate to the provider (RFC 8705). The registration says what for; see
    /// [`Self::configure`].
    #[cfg(feature = "rustls")]
    pub fn certificate(self, certificate: ClientCertificate) -> Self {
        self.with(|parts| parts.certificate = Some(certificate))
    }

    /// Saves every flow of this client with a saver that `new` makes for it, when the flow is
    /// started or resumed. If `new` fails, nothing is sent for this flow, and the error is
    /// [`AuthenticateError::Saver`](crate::AuthenticateError::Saver).
    ///
    /// For savers that depend on the flow, such as one for each user session, derive a client with
    /// [`ClientBase::saving`](crate::ClientBase::saving).
    pub fn saver(
        self,
        new: impl Fn() -> Result<Saver<A>, SaverError> + Send + Sync + 'static,
    ) -> Self {
        self.with(|parts| parts.flows.saver = Some(Arc::new(new)))
    }

    /// Watches the progress of every flow of this client.
    pub fn watch(self, watch: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.flows.watch = Some(Arc::new(watch)))
    }

    /// Takes the time from this clock.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        self.with(|parts| parts.kit.clock = Arc::new(clock))
    }

    /// Refuses a second flow for a person while one is running.
    pub fn prompt_guard(self, guard: PromptGuard) -> Self {
        self.with(|parts| parts.kit.guard = Some(guard))
    }

    /// Accepts a provider on this machine that speaks plain HTTP, for tests.
    pub fn dangerously_allow_loopback_http(self) -> Self {
        self.set(|setup| setup.loopback = LoopbackHttp::DangerouslyAllowed)
    }

    /// Reads the trusted authorities, fetches the provider's metadata and keys, and checks that
    /// this client and this provider are compatible.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; its [`origin`](ConnectError::origin) says where the cause lies.
    pub fn connect(self) -> A::Connecting {
        A::connect(self.setup, self.parts)
    }
}
