//! From a few words to a client that is ready: what a builder collects, whatever the HTTP library.

mod builder;
mod connect_error;
mod registered;

use std::{fmt, sync::Arc};

use ciba_core::{
    ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, ClientSecret, DeliveryMode, Discovery,
    Event, Issuer, ProviderMetadata, SoftwareKey,
    config::{BasicEncoding, ConfigError, ConfigErrors, Credentials, Registration},
    http::{LoopbackHttp, Url},
    jose::JwsAlgorithm,
    metadata::DiscoveryAddress,
    providers::Preset,
};

#[cfg(feature = "rustls")]
use crate::ClientCertificate;
use crate::{Clock, PromptGuard};

pub use builder::ClientBuilder;
pub use connect_error::{ConnectError, Origin};

/// What an adapter adds to a [`ClientBuilder`]: the types of its HTTP library and of its traits,
/// and the steps that need I/O.
pub trait Adapter: Sized + 'static {
    /// The builder of the HTTP library.
    type Http: 'static;
    /// The trait object of private keys.
    type Signer: ?Sized + Send + Sync + 'static;
    /// Where notifications arrive.
    type Inbox: Clone + Send + Sync + 'static;
    /// The trait object of what saves a flow.
    type Saver: ?Sized + 'static;
    /// What [`ClientBuilder::connect`] returns: a result, or the future of one.
    type Connecting;

    /// A private key in memory.
    fn signer(key: SoftwareKey) -> Arc<Self::Signer>;

    /// Discovers the provider, configures the client, and fetches the provider's keys.
    fn connect(setup: Result<Setup, ConnectError>, parts: Parts<Self>) -> Self::Connecting;
}

/// Makes a saver for each new flow.
pub type NewSaver<A> = Arc<dyn Fn() -> Box<<A as Adapter>::Saver> + Send + Sync>;

/// Sees the events of every flow.
pub type OnEvent = Arc<dyn Fn(&Event) + Send + Sync>;

type Configure = Box<dyn FnOnce(ClientConfigBuilder) -> ClientConfigBuilder + Send>;
type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// What a client performs its work with.
#[non_exhaustive]
pub struct Parts<A: Adapter> {
    /// Changes the builder of the HTTP library, which has the trusted roots already.
    pub http: Change<A::Http>,
    /// The certificates to trust, as PEM; the platform's when there are none.
    pub authorities: Option<Vec<u8>>,
    /// The client certificate.
    #[cfg(feature = "rustls")]
    pub certificate: Option<ClientCertificate>,
    /// The private key.
    pub signer: Option<Arc<A::Signer>>,
    /// Where notifications arrive.
    pub inbox: Option<A::Inbox>,
    /// What saves each flow.
    pub saver: Option<NewSaver<A>>,
    /// What sees the events of every flow.
    pub watch: Option<OnEvent>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// What keeps a person from being prompted twice at once.
    pub guard: Option<PromptGuard>,
}

impl<A: Adapter> fmt::Debug for Parts<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Who the client is, at which provider, and by which rules: all of a client that needs no I/O.
pub struct Setup {
    issuer: String,
    client_id: String,
    loopback: LoopbackHttp,
    preset: Option<Preset>,
    registration: Option<Registration>,
    headers: Vec<(String, String)>,
    /// The algorithm and the id of the private key; whether it is one in memory, which has no other
    /// algorithm.
    key: Option<(JwsAlgorithm, Option<Arc<str>>)>,
    public_key: Option<String>,
    secret: Option<ClientSecret>,
    /// The one of the two that was given last authenticates the client.
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
            secret: None,
            by_secret: false,
            notified: None,
            configure: Vec::new(),
        }
    }

    /// The fetch of the provider's metadata.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] when the issuer, the client id or a header field cannot be used. Nothing
    /// was sent.
    pub fn discovery(&self) -> Result<Discovery, ConnectError> {
        ClientId::new(&self.client_id).map_err(ConfigErrors::from)?;
        let issuer = Issuer::parse_with(&self.issuer, self.loopback)?;
        let discovery = Discovery::new(issuer, DiscoveryAddress::OpenId);
        self.headers.iter().try_fold(discovery, |discovery, (name, value)| {
            discovery.header(name, value).map_err(ConnectError::Header)
        })
    }

    /// The configuration, checked against what the provider offers.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] names everything that is wrong with it.
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
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        if let Some((mode, endpoint)) = self.notified {
            let endpoint = Url::parse_with(&endpoint, self.loopback)?;
            builder = builder.delivery(mode).notification_endpoint(endpoint);
        }
        let builder = self.configure.into_iter().fold(builder, |builder, change| change(builder));
        let config = builder.build()?;
        // A key in memory is imported for one algorithm.
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
