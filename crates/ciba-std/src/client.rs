//! The setup of a client, whatever the HTTP library.

mod builder;
mod connect_error;
mod registered;

use std::{fmt, sync::Arc};

use ciba_core::{
    ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, ClientSecret, DeliveryMode, Discovery,
    Event, Flow, Issuer, ProviderMetadata, SoftwareKey,
    config::{BasicEncoding, ConfigError, ConfigErrors, Credentials, Registration},
    http::{LoopbackHttp, Url},
    jose::JwsAlgorithm,
    metadata::DiscoveryAddress,
    providers::Preset,
};

#[cfg(feature = "rustls")]
use crate::ClientCertificate;
use crate::{
    Adapter, Attachment, AuthenticateError, DriverBuilder, Driving, SaverError, SharedFlow,
    driver::Kit,
};

pub use builder::ClientBuilder;
pub use connect_error::{ConnectError, Origin};

/// An adapter with a `Client`: what it adds to a [`ClientBuilder`], and the steps that need
/// I/O.
pub trait Connect: Driving {
    /// The builder of the HTTP library.
    type HttpBuilder: 'static;
    /// The client.
    type Client: From<ClientBase<Self>>;
    /// The return type of [`ClientBuilder::connect`]: a result, or the future of one.
    type Connecting;

    /// Returns a signer that holds a private key in memory.
    fn signer(key: SoftwareKey) -> Arc<Self::Signer>;

    /// Discovers the provider, configures the client, and fetches the provider's keys.
    fn connect(setup: Result<Setup, ConnectError>, parts: Parts<Self>) -> Self::Connecting;
}

type Configure = Box<dyn FnOnce(ClientConfigBuilder) -> ClientConfigBuilder + Send>;
type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// The certificate authorities to trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authorities {
    /// Those of the platform.
    #[default]
    Platform,
    /// Those of the platform, and those in this PEM text.
    Extra(Vec<u8>),
    /// Those in this PEM text, and no others.
    Only(Vec<u8>),
}

/// What a client works with.
#[non_exhaustive]
pub struct Parts<A: Connect> {
    /// Changes the builder of the HTTP library, which has the trusted authorities already.
    pub http: Change<A::HttpBuilder>,
    /// The certificate authorities to trust.
    pub authorities: Authorities,
    /// The client certificate.
    #[cfg(feature = "rustls")]
    pub certificate: Option<ClientCertificate>,
    kit: Kit<A>,
    flows: EachFlow<A>,
}

impl<A: Connect> Parts<A> {
    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Lacking`] if the configuration needs something that is not there.
    pub fn into_client(
        self,
        config: Arc<ClientConfig>,
        http: A::HttpClient,
    ) -> Result<A::Client, ConnectError> {
        let driver = DriverBuilder::new(config, http).with_kit(self.kit).build()?;
        Ok(ClientBase { driver, flows: self.flows }.into())
    }
}

impl<A: Connect> fmt::Debug for Parts<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// A client without its I/O: its driver, and what it does for each of its flows.
///
/// The `Client` of an adapter dereferences to it.
pub struct ClientBase<A: Connect> {
    driver: A::Driver,
    flows: EachFlow<A>,
}

/// Saves and watches the flows of a client.
struct EachFlow<A: Adapter> {
    saver: Option<NewSaver<A>>,
    watch: Option<OnEvent>,
}

/// Makes a saver for a flow.
type NewSaver<A> = Arc<dyn Fn() -> Result<Saver<A>, SaverError> + Send + Sync>;
type Saver<A> = Box<<<A as Adapter>::Attachment as Attachment>::Saver>;
/// Sees the events of a flow.
type OnEvent = Arc<dyn Fn(&Event) + Send + Sync>;

impl<A: Connect> ClientBase<A> {
    /// Returns the driver, which starts, drives and resumes flows.
    #[must_use]
    pub const fn driver(&self) -> &A::Driver {
        &self.driver
    }

    /// Returns the same client with another watcher, for example one for the screen of one person.
    #[must_use]
    pub fn watching(&self, watch: impl Fn(&Event) + Send + Sync + 'static) -> A::Client {
        let flows = EachFlow { watch: Some(Arc::new(watch)), ..self.flows.clone() };
        Self { driver: self.driver.clone(), flows }.into()
    }

    /// Returns the same client with other savers, for example those of one user session. `new`
    /// makes the saver of each flow, as for [`ClientBuilder::saver`].
    #[must_use]
    pub fn saving(
        &self,
        new: impl Fn() -> Result<Saver<A>, SaverError> + Send + Sync + 'static,
    ) -> A::Client {
        let flows = EachFlow { saver: Some(Arc::new(new)), ..self.flows.clone() };
        Self { driver: self.driver.clone(), flows }.into()
    }

    /// Shows an event to the watcher.
    pub fn event(&self, event: &Event) {
        self.flows.watch.iter().for_each(|watch| watch(event));
    }

    /// Shares a flow, with a saver if flows are saved.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Saver`] if its saver could not be made.
    pub fn share(&self, flow: Flow) -> Result<SharedFlow<A::Attachment>, AuthenticateError> {
        Ok(match &self.flows.saver {
            Some(new) => SharedFlow::with_saver(flow, new().map_err(AuthenticateError::Saver)?),
            None => SharedFlow::new(flow),
        })
    }
}

impl<A: Connect> Clone for ClientBase<A> {
    fn clone(&self) -> Self {
        Self { driver: self.driver.clone(), flows: self.flows.clone() }
    }
}

impl<A: Connect> fmt::Debug for ClientBase<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBase").field("driver", &*self.driver).finish_non_exhaustive()
    }
}

impl<A: Adapter> Default for EachFlow<A> {
    fn default() -> Self {
        Self { saver: None, watch: None }
    }
}

impl<A: Adapter> Clone for EachFlow<A> {
    fn clone(&self) -> Self {
        Self { saver: self.saver.clone(), watch: self.watch.clone() }
    }
}

/// The configuration of a client: its identity, its provider and its rules. All of this needs no
/// I/O.
pub struct Setup {
    issuer: String,
    client_id: String,
    loopback: LoopbackHttp,
    preset: Option<Preset>,
    registration: Option<Registration>,
    headers: Vec<(String, String)>,
    /// The algorithm and the id of the private key.
    key: Option<(JwsAlgorithm, Option<Arc<str>>)>,
    /// The public part of a private key in memory.
    public_key: Option<String>,
    /// The algorithm and the public part of the key to which tokens are bound.
    dpop: Option<(JwsAlgorithm, String)>,
    secret: Option<ClientSecret>,
    /// Whether the secret authenticates the client and not the key: the one that was given last
    /// does.
    by_secret: bool,
    notified: Option<(DeliveryMode, String)>,
    configure: Vec<Configure>,
}

impl Setup {
    fn new(issuer: String, client_id: String) -> Self {
        Self {
            issuer,
            client_id,
            loopback: LoopbackHttp::Refused,
            preset: None,
            registration: None,
            headers: Vec::new(),
            key: None,
            public_key: None,
            dpop: None,
            secret: None,
            by_secret: false,
            notified: None,
            configure: Vec::new(),
        }
    }

    /// Returns the fetch of the provider's metadata.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the issuer, the client id or a header field is invalid. Nothing was sent.
    pub fn discovery(&self) -> Result<Discovery, ConnectError> {
        ClientId::new(&self.client_id).map_err(ConfigErrors::from)?;
        let issuer = Issuer::parse_with(&self.issuer, self.loopback)?;
        let discovery = Discovery::new(issuer, DiscoveryAddress::OpenId);
        self.headers.iter().try_fold(discovery, |discovery, (name, value)| {
            discovery.header(name, value).map_err(ConnectError::Header)
        })
    }

    /// Returns the configuration, checked against the provider's metadata.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], which names everything that is wrong with it.
    pub fn configure(self, metadata: ProviderMetadata) -> Result<Arc<ClientConfig>, ConnectError> {
        let client_id = ClientId::new(&self.client_id).map_err(ConfigErrors::from)?;
        let mut builder = match self.preset {
            Some(preset) => preset.client(metadata, client_id)?,
            None => ClientConfig::builder(metadata, client_id),
        };
        let lists_keys = self.registration.as_ref().is_some_and(Registration::lists_keys);
        match (self.registration, &self.key, self.secret) {
            (Some(registration), key, secret) => {
                let credentials = Credentials::new(key.clone(), secret);
                builder = registration.configure(builder, &credentials, self.loopback)?;
            }
            (None, Some((algorithm, key_id)), secret) if secret.is_none() || !self.by_secret => {
                let (algorithm, key_id) = (*algorithm, key_id.clone());
                builder = builder.client_auth(ClientAuth::PrivateKeyJwt { algorithm, key_id });
            }
            (None, _, Some(secret)) => {
                let encoding = BasicEncoding::Encoded;
                builder = builder.client_auth(ClientAuth::ClientSecretBasic { secret, encoding });
            }
            (None, _, None) => {}
        }
        if let Some(public_key) = self.public_key.as_ref().filter(|_| !lists_keys) {
            builder = builder.public_key(public_key);
        }
        if let Some((algorithm, public_jwk)) = self.dpop {
            builder = builder.dpop(algorithm, public_jwk);
        }
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        if let Some((mode, endpoint)) = self.notified {
            let endpoint = Url::parse_with(&endpoint, self.loopback)?;
            builder = builder.delivery(mode).notification_endpoint(endpoint);
        }
        let builder = self.configure.into_iter().fold(builder, |builder, change| change(builder));
        let config = builder.build()?;
        // A key in memory signs with the algorithm for which it was imported, and no other.
        if let (Some((algorithm, _)), Some(_)) = (self.key, self.public_key) {
            let member = match config.auth() {
                ClientAuth::PrivateKeyJwt { algorithm: other, .. } if *other != algorithm => {
                    Some("token_endpoint_auth_signing_alg")
                }
                _ if config.request_signing_algorithm().is_some_and(|other| other != algorithm) => {
                    Some("backchannel_authentication_request_signing_alg")
                }
                _ => None,
            };
            if let Some(member) = member {
                let reason = "the private key is for another algorithm";
                return Err(ConfigErrors::from(ConfigError::Invalid { member, reason }).into());
            }
        }
        Ok(config)
    }

    fn takes_key(&mut self, key: &SoftwareKey) {
        self.key = Some((key.algorithm(), Some(key.key_id().into())));
        self.public_key = Some(key.public_jwk());
        self.by_secret = false;
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
