//! A row of the scenario table: the behaviour of the provider, the configuration of the client, and
//! the expected outcome.

use std::{collections::BTreeMap, sync::Arc};

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId,
    ClientSecret, DeliveryMode, Entropy, Failure, Hint, Input, KeyOperation, Profile,
    ProviderMetadata, SoftwareKey,
    config::{BasicEncoding, ConfigError, FapiCiba},
    crypto::RustCrypto,
    http::{Endpoint as AskedEndpoint, LoopbackHttp, Url},
    jose::JwsAlgorithm,
    machine::KeyPurpose,
    metadata::MetadataError,
    providers::Preset,
};
use ciba_test_op::{
    AudienceMode, Client, ClientAuthentication, Endpoint, Provider, ProviderConfig, Report, Rule,
    Script, TestKey,
};

/// The client's id at the provider.
pub const CLIENT: &str = "client-1";
const SECRET: &str =
    "a secret of more than sixty-four bytes, long enough for HS256, HS384 and HS512 alike";

/// How the client authenticates.
#[derive(Debug, Clone, Copy)]
pub enum Auth {
    /// `private_key_jwt`.
    Key(JwsAlgorithm),
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Post,
    /// `client_secret_jwt`.
    SecretJwt(JwsAlgorithm),
    /// `tls_client_auth`, with a certificate for [`CLIENT`] from an authority the provider trusts.
    Certificate,
    /// `self_signed_tls_client_auth`.
    SelfSigned,
    /// `none`.
    None,
}

/// How the client's notification endpoint is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    None,
    /// TLS.
    Tls,
    /// TLS that requires a client certificate, which the test provider does not have.
    MutualTls,
}

/// What the provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1 without TLS.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS, and HTTP/1.1 with clients that do not offer HTTP/2.
    Http2,
}

/// The addresses of a row.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Scheme, host and port of the provider.
    pub origin: String,
    /// The client's notification endpoint.
    pub notification_endpoint: String,
    /// The client's self-signed certificate, DER.
    pub self_signed: Vec<u8>,
}

/// A change to something that is being built.
pub type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// A check of the provider's record and of the authentication, if there is one.
pub type Check = Arc<dyn Fn(&Provider, Option<&Authentication>) + Send + Sync>;

/// The numbers of requests to the endpoints of the provider. Start with [`polls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requests {
    /// Authentication requests, each of which prompts the person.
    pub prompts: usize,
    /// Token requests.
    pub polls: usize,
    /// Fetches of the key set.
    pub keys: usize,
}

/// One authentication request, this many token requests, and no fetch of keys.
#[must_use]
pub const fn polls(polls: usize) -> Requests {
    Requests { prompts: 1, polls, keys: 0 }
}

impl Requests {
    /// No request to any of the endpoints.
    pub const NONE: Self = Self { prompts: 0, polls: 0, keys: 0 };

    /// Sets the number of fetches of the key set.
    #[must_use]
    pub const fn keys(self, keys: usize) -> Self {
        Self { keys, ..self }
    }

    /// Sets the number of authentication requests.
    #[must_use]
    pub const fn prompts(self, prompts: usize) -> Self {
        Self { prompts, ..self }
    }
}

/// A row. Start with [`Scenario::new`] and change what the row needs.
#[allow(missing_debug_implementations, reason = "made of closures")]
pub struct Scenario {
    /// Its name in failure messages.
    pub name: String,
    /// What the provider does differently.
    pub script: Script,
    /// The client's authentication.
    pub auth: Auth,
    /// The preset that the client starts from, if there is one.
    pub preset: Option<Preset>,
    /// The delivery mode.
    pub mode: DeliveryMode,
    /// The algorithm of signed requests, if requests are signed.
    pub signing: Option<JwsAlgorithm>,
    /// The algorithm of DPoP proofs, if the access tokens are bound to a key.
    pub dpop: Option<JwsAlgorithm>,
    /// Whether the access tokens are bound to the client's certificate.
    pub is_bound: bool,
    /// How the notification endpoint is protected.
    pub protection: Protection,
    /// What the provider speaks. It always speaks TLS if the client presents a certificate.
    pub transport: Transport,
    /// The client's id.
    pub client_id: String,
    /// The algorithm of ID Tokens.
    pub id_token_alg: JwsAlgorithm,
    /// The provider before the client is added.
    pub provider: Arc<dyn Fn(&str) -> ProviderConfig + Send + Sync>,
    /// The path of the issuer.
    pub issuer_path: &'static str,
    /// The authentication request.
    pub request: Arc<dyn Fn() -> AuthRequest + Send + Sync>,
    /// Additional registration of the client at the provider.
    pub registered: Change<Client>,
    /// Additional settings of the client.
    pub client: Change<ClientConfigBuilder>,
    /// Changes the metadata that the client received.
    pub metadata: Change<ProviderMetadata>,
    /// The expected result, in the words of [`of_failure`] or [`authenticated`].
    pub expected: String,
    /// The expected numbers of requests. One prefetch of keys is allowed where none are needed in the
    /// end.
    pub requests: Requests,
    /// The expected answers to the notifications, in order; `None` for one without an answer.
    pub answers: Vec<Option<u16>>,
    /// The expected result in a process that did not receive the first delivery, if the provider
    /// repeats that delivery with a different content.
    pub repeats_as: Option<&'static str>,
    /// The rules that the client breaks because of what the row makes the provider do.
    pub breaks: Vec<Rule>,
    /// An additional check.
    pub check: Check,
}

impl Scenario {
    /// Creates a row with a user who approves after two pending answers and a client with an ES256
    /// key: one authentication request, three polls, one fetch of keys.
    #[must_use]
    pub fn new(name: impl Into<String>, script: Script) -> Self {
        Self {
            name: name.into(),
            script,
            auth: Auth::Key(JwsAlgorithm::Es256),
            preset: None,
            mode: DeliveryMode::Poll,
            signing: None,
            dpop: None,
            is_bound: false,
            protection: Protection::None,
            transport: Transport::Http,
            client_id: CLIENT.into(),
            id_token_alg: JwsAlgorithm::Rs256,
            provider: Arc::new(|issuer| ProviderConfig::generic(issuer)),
            issuer_path: "",
            request: Arc::new(|| {
                AuthRequest::new(Hint::Login("approve".into())).binding_message("W4SCT")
            }),
            registered: Arc::new(|client| client),
            client: Arc::new(|builder| builder),
            metadata: Arc::new(|metadata| metadata),
            expected: "authenticated user-approve".into(),
            requests: polls(3).keys(1),
            answers: Vec::new(),
            repeats_as: None,
            breaks: Vec::new(),
            check: Arc::new(|_, _| {}),
        }
    }

    /// Sets the delivery mode, and expects an approval: a ping leads to one token request, a push to
    /// none.
    #[must_use]
    pub fn mode(mut self, mode: DeliveryMode) -> Self {
        self.mode = mode;
        (self.requests, self.answers) = match mode {
            DeliveryMode::Poll => (polls(3).keys(1), Vec::new()),
            DeliveryMode::Ping => (polls(1).keys(1), vec![Some(204)]),
            DeliveryMode::Push => (polls(0).keys(1), vec![Some(204)]),
        };
        self
    }

    /// Signs the authentication request.
    #[must_use]
    pub fn signed(mut self, algorithm: JwsAlgorithm) -> Self {
        self.signing = Some(algorithm);
        self
    }

    /// Binds the access tokens to a key of their own.
    #[must_use]
    pub fn dpop(mut self, algorithm: JwsAlgorithm) -> Self {
        self.dpop = Some(algorithm);
        self
    }

    /// Sets what the provider speaks.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Sets the protection of the notification endpoint.
    #[must_use]
    pub fn protection(mut self, protection: Protection) -> Self {
        self.protection = protection;
        self
    }

    /// Uses the FAPI-CIBA profile with a provider that enforces it: one algorithm for all signatures,
    /// certificate-bound tokens, TLS everywhere.
    #[must_use]
    pub fn fapi(mut self, algorithm: JwsAlgorithm) -> Self {
        (self.is_bound, self.protection) = (true, Protection::Tls);
        self.signed(algorithm)
            .id_token_alg(algorithm)
            .provider(|issuer| ProviderConfig::fapi_ciba(issuer))
            .client(|builder| {
                builder.profile(Profile::FapiCiba(FapiCiba::Id1)).certificate_bound_tokens()
            })
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(self, hint: &'static str) -> Self {
        self.request(move || AuthRequest::new(Hint::Login(hint.into())).binding_message("W4SCT"))
    }

    /// Sets the authentication request.
    #[must_use]
    pub fn request(mut self, request: impl Fn() -> AuthRequest + Send + Sync + 'static) -> Self {
        self.request = Arc::new(request);
        self
    }

    /// Sets the client authentication.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets the algorithm of ID Tokens.
    #[must_use]
    pub fn id_token_alg(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token_alg = algorithm;
        self
    }

    /// Sets the provider.
    #[must_use]
    pub fn provider(
        mut self,
        make: impl Fn(&str) -> ProviderConfig + Send + Sync + 'static,
    ) -> Self {
        self.provider = Arc::new(make);
        self
    }

    /// Adds to the registration of the client.
    #[must_use]
    pub fn registered(mut self, change: impl Fn(Client) -> Client + Send + Sync + 'static) -> Self {
        self.registered = Arc::new(change);
        self
    }

    /// Adds to the configuration of the client.
    #[must_use]
    pub fn client(
        mut self,
        change: impl Fn(ClientConfigBuilder) -> ClientConfigBuilder + Send + Sync + 'static,
    ) -> Self {
        self.client = Arc::new(change);
        self
    }

    /// Sets the expected result and numbers of requests.
    #[must_use]
    pub fn ends(mut self, expected: &str, requests: Requests) -> Self {
        self.expected = expected.into();
        self.requests = requests;
        self
    }

    /// Sets the expected answers to the notifications.
    #[must_use]
    pub fn answers(mut self, statuses: &[u16]) -> Self {
        self.answers = statuses.iter().copied().map(Some).collect();
        self
    }

    /// Sets the expected result in a process that receives only the repeated delivery.
    #[must_use]
    pub const fn repeats_as(mut self, ending: &'static str) -> Self {
        self.repeats_as = Some(ending);
        self
    }

    /// Adds a rule that the client is expected to break.
    #[must_use]
    pub fn breaks(mut self, rule: Rule) -> Self {
        self.breaks.push(rule);
        self
    }

    /// Sets the additional check.
    #[must_use]
    pub fn check(
        mut self,
        check: impl Fn(&Provider, Option<&Authentication>) + Send + Sync + 'static,
    ) -> Self {
        self.check = Arc::new(check);
        self
    }

    /// Returns whether the client presents a certificate, which requires TLS.
    #[must_use]
    pub const fn shows_certificate(&self) -> bool {
        self.is_bound || matches!(self.auth, Auth::Certificate | Auth::SelfSigned)
    }

    /// Returns the key that signs assertions and requests, if there is one.
    ///
    /// # Panics
    ///
    /// Panics if there is no test key for the algorithm.
    #[must_use]
    pub fn key(&self) -> Option<SoftwareKey> {
        let algorithm = match self.auth {
            Auth::Key(algorithm) => Some(algorithm),
            _ => self.signing,
        }?;
        let pem = TestKey::client_for(algorithm).expect("there is a key for it").private_pem();
        Some(SoftwareKey::import_pem(pem, algorithm, &RustCrypto).expect("test keys can be read"))
    }

    /// Returns the key that makes DPoP proofs, if there is one. It is not the key that
    /// authenticates the client.
    ///
    /// # Panics
    ///
    /// Panics if there is no test key for the algorithm.
    #[must_use]
    pub fn dpop_key(&self) -> Option<SoftwareKey> {
        let algorithm = self.dpop?;
        let key = match algorithm {
            JwsAlgorithm::Es256 => TestKey::StrangerP256,
            algorithm => TestKey::client_for(algorithm).expect("there is a key for it"),
        };
        let key = SoftwareKey::import_pem(key.private_pem(), algorithm, &RustCrypto);
        Some(key.expect("test keys can be read"))
    }

    /// Performs a key operation of the core with the key for its purpose.
    pub fn sign(&self, operation: KeyOperation, entropy: Entropy) -> Input {
        let key = match operation.purpose() {
            KeyPurpose::DpopProof => self.dpop_key(),
            _ => self.key(),
        };
        match key {
            Some(key) => key.answer(operation, entropy),
            None => operation.unavailable(),
        }
    }

    /// Creates the provider.
    ///
    /// # Panics
    ///
    /// Panics if the row is invalid.
    #[must_use]
    pub fn op(&self, place: &Place) -> Provider {
        let secret = || ClientSecret::new(SECRET);
        let authentication = match self.auth {
            Auth::Key(algorithm) => ClientAuthentication::PrivateKeyJwt {
                keys: vec![
                    TestKey::client_for(algorithm)
                        .expect("there is a key for it")
                        .public_jwk(algorithm),
                ],
                algorithms: vec![algorithm],
            },
            Auth::Basic => ClientAuthentication::ClientSecretBasic { secret: secret(), raw: false },
            Auth::Post => ClientAuthentication::ClientSecretPost { secret: secret() },
            Auth::SecretJwt(algorithm) => {
                ClientAuthentication::ClientSecretJwt { secret: secret(), algorithm }
            }
            Auth::Certificate => {
                ClientAuthentication::TlsClientAuth { subject: format!("CN={CLIENT}") }
            }
            Auth::SelfSigned => ClientAuthentication::SelfSignedTlsClientAuth {
                certificates: vec![place.self_signed.clone()],
            },
            Auth::None => ClientAuthentication::None,
        };
        let mut client = Client::new(&self.client_id, authentication)
            .id_token_alg(self.id_token_alg)
            .audience(AudienceMode::IssuerOnly);
        client = match self.mode {
            DeliveryMode::Poll => client,
            DeliveryMode::Ping => client.ping(&place.notification_endpoint),
            DeliveryMode::Push => client.push(&place.notification_endpoint),
        };
        if let Some(algorithm) = self.signing {
            let key = TestKey::client_for(algorithm)
                .expect("there is a key for it")
                .public_jwk(algorithm);
            client = client.request_signing_alg(algorithm).key(key);
        }
        if self.is_bound {
            client = client.certificate_bound();
        }
        if self.dpop.is_some() {
            client = client.dpop_bound();
        }
        let client = (self.registered)(client);
        let issuer = format!("{}{}", place.origin, self.issuer_path);
        let mut config = (self.provider)(&issuer).client(client);
        // Simulated time has no jitter.
        config.interval_tolerance = std::time::Duration::ZERO;
        let mut provider = Provider::new(config).expect("the row is valid");
        provider.script(self.script.clone());
        provider
    }

    /// Creates the configuration of the client from the discovered metadata.
    ///
    /// # Errors
    ///
    /// Returns the first finding, as text.
    ///
    /// # Panics
    ///
    /// Panics if the row is invalid.
    pub fn configure(
        &self,
        place: &Place,
        found: Result<ProviderMetadata, MetadataError>,
    ) -> Result<Arc<ClientConfig>, String> {
        let metadata = found.map_err(|error| match error {
            MetadataError::Unusable(found) => format!("metadata: {}", found.fault),
            MetadataError::Untrusted(rejection) => {
                format!("metadata: untrusted {}", rejection.check().name())
            }
            error => format!("metadata: {error}"),
        })?;
        let secret = || ClientSecret::new(SECRET);
        let auth = match self.auth {
            Auth::Key(algorithm) => {
                let key_id = self.key().map(|key| key.key_id().into());
                ClientAuth::PrivateKeyJwt { algorithm, key_id }
            }
            Auth::Basic => ClientAuth::ClientSecretBasic {
                secret: secret(),
                encoding: BasicEncoding::default(),
            },
            Auth::Post => ClientAuth::ClientSecretPost { secret: secret() },
            Auth::SecretJwt(algorithm) => {
                ClientAuth::ClientSecretJwt { secret: secret(), algorithm }
            }
            Auth::Certificate => ClientAuth::TlsClientAuth,
            Auth::SelfSigned => ClientAuth::SelfSignedTlsClientAuth,
            Auth::None => ClientAuth::None,
        };
        let id = ClientId::new(self.client_id.as_str()).expect("the row is valid");
        let metadata = (self.metadata)(metadata);
        let begun = match self.preset {
            Some(preset) => preset.client(metadata, id).expect("the issuer can be continued"),
            None => ClientConfig::builder(metadata, id),
        };
        let mut builder =
            begun.client_auth(auth).delivery(self.mode).id_token_algorithm(self.id_token_alg);
        if self.mode != DeliveryMode::Poll {
            let url =
                Url::parse_with(&place.notification_endpoint, LoopbackHttp::DangerouslyAllowed);
            builder = builder.notification_endpoint(url.expect("a good URL"));
        }
        if let Some(algorithm) = self.signing {
            builder = builder.signed_requests(algorithm, self.key().map(|key| key.key_id().into()));
        }
        if let Some(key) = self.dpop_key() {
            builder = builder.dpop(key.algorithm(), key.public_jwk());
        }
        (self.client)(builder).build().map_err(|findings| match findings.iter().next() {
            Some(ConfigError::Missing { member }) => format!("config: missing {member}"),
            Some(ConfigError::NotListed { member, .. }) => {
                format!("config: not listed in {member}")
            }
            other => format!("config: {other:?}"),
        })
    }
}

/// The outcome of a row, which is the same for every driver.
#[derive(Debug)]
pub struct Outcome {
    /// The result, in the words of [`of_failure`] and [`authenticated`].
    pub result: String,
    /// The provider's report.
    pub report: Report,
    /// The client's answers to the notifications.
    pub answers: Vec<Option<u16>>,
}

impl Outcome {
    /// Returns the numbers of requests.
    #[must_use]
    pub fn requests(&self) -> Requests {
        let seen: BTreeMap<_, _> = self.report.requests.iter().copied().collect();
        let count = |endpoint| seen.get(&endpoint).copied().unwrap_or_default();
        Requests {
            prompts: count(Endpoint::Backchannel),
            polls: count(Endpoint::Token),
            keys: count(Endpoint::KeySet),
        }
    }
}

/// Describes an authentication.
#[must_use]
pub fn authenticated(authentication: &Authentication) -> String {
    format!("authenticated {}", authentication.subject().unwrap_or("nobody"))
}

/// Describes a failure: its kind, then its check, fault, error code or status.
#[must_use]
pub fn of_failure(failure: &Failure) -> String {
    let answer = failure.server_answer().map(|answer| {
        // A pushed error has no status.
        let status = (answer.status() != 0).then(|| answer.status().to_string());
        let words: Vec<_> =
            status.into_iter().chain(answer.code().map(|code| code.name().to_owned())).collect();
        words.join(" ")
    });
    let detail = match failure {
        Failure::Untrusted(rejection) => Some(rejection.check().name().to_owned()),
        Failure::ProviderMisbehaved(misbehaviour) => {
            let endpoint = match misbehaviour.endpoint {
                AskedEndpoint::BackchannelAuthentication => "backchannel",
                endpoint => endpoint.name(),
            };
            Some(format!("{endpoint}: {}", misbehaviour.fault))
        }
        Failure::Unreachable(unreachable) => Some(format!("{:?}", unreachable.target)),
        _ => answer,
    };
    detail
        .map_or_else(|| failure.name().to_owned(), |detail| format!("{} {detail}", failure.name()))
}
