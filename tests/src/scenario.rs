//! One row of the scenario table: a provider that does something, a client set up in some way, and
//! what comes of it.

use std::{collections::BTreeMap, sync::Arc};

use ciba_core::{
    AuthRequest, Authentication, BasicEncoding, ClientAuth, ClientConfig, ClientConfigBuilder,
    ClientId, ClientSecret, ConfigError, DeliveryMode, Endpoint as AskedEndpoint, Failure,
    FapiCiba, Hint, LoopbackHttp, MetadataError, Profile, ProviderMetadata, SoftwareKey, Url,
    crypto::RustCrypto, jose::JwsAlgorithm, providers::Preset,
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
    /// Not at all; on a loopback address only.
    None,
    /// TLS.
    Tls,
    /// TLS that demands a certificate of whoever calls. The test provider has none.
    MutualTls,
}

/// Where a row runs.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Scheme, host and port of the provider.
    pub origin: String,
    /// The client's notification endpoint.
    pub notification_endpoint: String,
    /// The client's self-signed certificate, DER.
    pub self_signed: Vec<u8>,
}

/// Changes something that is being built.
pub type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// Looks at the provider's record and at the authentication, when there is one.
pub type Check = Arc<dyn Fn(&Provider, Option<&Authentication>) + Send + Sync>;

/// A row. Start with [`Scenario::new`] and change what it is about.
#[allow(missing_debug_implementations, reason = "made of closures")]
pub struct Scenario {
    /// Names it in failures.
    pub name: String,
    /// What the provider does differently.
    pub script: Script,
    /// The client's authentication.
    pub auth: Auth,
    /// The preset the client is begun with, when there is one.
    pub preset: Option<Preset>,
    /// The delivery mode.
    pub mode: DeliveryMode,
    /// The algorithm of signed requests, when requests are signed.
    pub signing: Option<JwsAlgorithm>,
    /// Whether the access tokens are bound to the client's certificate.
    pub is_bound: bool,
    /// How the notification endpoint is protected.
    pub protection: Protection,
    /// Whether the provider is reached over TLS. It is anyway if the client presents a certificate.
    pub tls: bool,
    /// The client's id.
    pub client_id: String,
    /// The algorithm of ID Tokens.
    pub id_token_alg: JwsAlgorithm,
    /// The provider before the client is added.
    pub provider: Arc<dyn Fn(&str) -> ProviderConfig + Send + Sync>,
    /// The issuer's path, behind host and port.
    pub issuer_path: &'static str,
    /// The authentication request.
    pub request: Arc<dyn Fn() -> AuthRequest + Send + Sync>,
    /// The client's further registration at the provider.
    pub registered: Change<Client>,
    /// The client's further settings.
    pub client: Change<ClientConfigBuilder>,
    /// Repairs the metadata by hand.
    pub metadata: Change<ProviderMetadata>,
    /// What comes of it, in the words of [`of_failure`] or [`authenticated`].
    pub expected: String,
    /// How many requests the backchannel, the token and the key-set endpoint see. The one fetch of
    /// keys while the person decides is no difference where none are needed in the end.
    pub requests: [usize; 3],
    /// What the client answers to the notifications, in their order; `None` for one that got no
    /// answer.
    pub answers: Vec<Option<u16>>,
    /// The check that fails in a process that never heard the first delivery, where the provider
    /// repeats it as something else.
    pub repeats_as: Option<&'static str>,
    /// The rules the provider finds broken, because of what the row makes it do.
    pub breaks: Vec<Rule>,
    /// Looks at the provider's record and at the authentication.
    pub check: Check,
}

impl Scenario {
    /// A person who approves after two pending answers, a client with an ES256 key: one request,
    /// three polls, one fetch.
    #[must_use]
    pub fn new(name: impl Into<String>, script: Script) -> Self {
        Self {
            name: name.into(),
            script,
            auth: Auth::Key(JwsAlgorithm::Es256),
            preset: None,
            mode: DeliveryMode::Poll,
            signing: None,
            is_bound: false,
            protection: Protection::None,
            tls: false,
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
            requests: [1, 3, 1],
            answers: Vec::new(),
            repeats_as: None,
            breaks: Vec::new(),
            check: Arc::new(|_, _| {}),
        }
    }

    /// In another delivery mode, with what comes of an approval there: a ping is answered and leads
    /// to one token request, a push is answered and leads to none.
    #[must_use]
    pub fn mode(mut self, mode: DeliveryMode) -> Self {
        self.mode = mode;
        (self.requests, self.answers) = match mode {
            DeliveryMode::Poll => ([1, 3, 1], Vec::new()),
            DeliveryMode::Ping => ([1, 1, 1], vec![Some(204)]),
            DeliveryMode::Push => ([1, 0, 1], vec![Some(204)]),
        };
        self
    }

    /// With signed requests.
    #[must_use]
    pub fn signed(mut self, algorithm: JwsAlgorithm) -> Self {
        self.signing = Some(algorithm);
        self
    }

    /// With a provider that is reached over TLS.
    #[must_use]
    pub fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// With another protection of the notification endpoint.
    #[must_use]
    pub fn protection(mut self, protection: Protection) -> Self {
        self.protection = protection;
        self
    }

    /// Under the FAPI-CIBA profile, at a provider that holds clients to it: everything signed by
    /// one algorithm, tokens bound to the certificate, nothing in clear.
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

    /// With another person's hint.
    #[must_use]
    pub fn hint(self, hint: &'static str) -> Self {
        self.request(move || AuthRequest::new(Hint::Login(hint.into())).binding_message("W4SCT"))
    }

    /// With another request.
    #[must_use]
    pub fn request(mut self, request: impl Fn() -> AuthRequest + Send + Sync + 'static) -> Self {
        self.request = Arc::new(request);
        self
    }

    /// With another authentication.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// With another algorithm of ID Tokens.
    #[must_use]
    pub fn id_token_alg(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token_alg = algorithm;
        self
    }

    /// At another provider.
    #[must_use]
    pub fn provider(
        mut self,
        make: impl Fn(&str) -> ProviderConfig + Send + Sync + 'static,
    ) -> Self {
        self.provider = Arc::new(make);
        self
    }

    /// With a client registered for more.
    #[must_use]
    pub fn registered(mut self, change: impl Fn(Client) -> Client + Send + Sync + 'static) -> Self {
        self.registered = Arc::new(change);
        self
    }

    /// With a client set up further.
    #[must_use]
    pub fn client(
        mut self,
        change: impl Fn(ClientConfigBuilder) -> ClientConfigBuilder + Send + Sync + 'static,
    ) -> Self {
        self.client = Arc::new(change);
        self
    }

    /// Expects a result and numbers of requests at the backchannel, the token and the key-set
    /// endpoint.
    #[must_use]
    pub fn ends(mut self, expected: &str, requests: [usize; 3]) -> Self {
        self.expected = expected.into();
        self.requests = requests;
        self
    }

    /// Expects these answers to the notifications.
    #[must_use]
    pub fn answers(mut self, statuses: &[u16]) -> Self {
        self.answers = statuses.iter().copied().map(Some).collect();
        self
    }

    /// The provider repeats its delivery as something else, and who hears only that ends so.
    #[must_use]
    pub const fn repeats_as(mut self, ending: &'static str) -> Self {
        self.repeats_as = Some(ending);
        self
    }

    /// Expects one rule to be found broken.
    #[must_use]
    pub fn breaks(mut self, rule: Rule) -> Self {
        self.breaks.push(rule);
        self
    }

    /// Looks at more.
    #[must_use]
    pub fn check(
        mut self,
        check: impl Fn(&Provider, Option<&Authentication>) + Send + Sync + 'static,
    ) -> Self {
        self.check = Arc::new(check);
        self
    }

    /// Whether the client shows a certificate, so that the provider has to be spoken to over TLS.
    #[must_use]
    pub const fn shows_certificate(&self) -> bool {
        self.is_bound || matches!(self.auth, Auth::Certificate | Auth::SelfSigned)
    }

    /// The key that signs assertions and requests, when there is one. It is one for both.
    ///
    /// # Panics
    ///
    /// When there is no test key for the algorithm.
    #[must_use]
    pub fn key(&self) -> Option<SoftwareKey> {
        let algorithm = match self.auth {
            Auth::Key(algorithm) => Some(algorithm),
            _ => self.signing,
        }?;
        let pem = TestKey::client_for(algorithm).expect("there is a key for it").private_pem();
        Some(SoftwareKey::import_pem(pem, algorithm, &RustCrypto).expect("test keys can be read"))
    }

    /// The provider at this place.
    ///
    /// # Panics
    ///
    /// When the row makes no sense.
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
        let client = (self.registered)(client);
        let issuer = format!("{}{}", place.origin, self.issuer_path);
        let mut config = (self.provider)(&issuer).client(client);
        // The clock of these runs has no jitter, and our clients have no excuse.
        config.interval_tolerance = std::time::Duration::ZERO;
        let mut provider = Provider::new(config).expect("the row makes sense");
        provider.script(self.script.clone());
        provider
    }

    /// The client for metadata as it was discovered, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// The first finding, in words.
    ///
    /// # Panics
    ///
    /// When the row makes no sense.
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
        let id = ClientId::new(self.client_id.as_str()).expect("the row makes sense");
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
        (self.client)(builder).build().map_err(|findings| match findings.iter().next() {
            Some(ConfigError::Missing { member }) => format!("config: missing {member}"),
            Some(ConfigError::NotListed { member, .. }) => {
                format!("config: not listed in {member}")
            }
            other => format!("config: {other:?}"),
        })
    }
}

/// What came of a row, the same for every driver.
#[derive(Debug)]
pub struct Outcome {
    /// In the words of [`of_failure`] and [`authenticated`].
    pub result: String,
    /// What the provider saw and says.
    pub report: Report,
    /// What the client answered to each notification.
    pub answers: Vec<Option<u16>>,
}

impl Outcome {
    /// How many requests the backchannel, the token and the key-set endpoint saw.
    #[must_use]
    pub fn requests(&self) -> [usize; 3] {
        let seen: BTreeMap<_, _> = self.report.requests.iter().copied().collect();
        [Endpoint::Backchannel, Endpoint::Token, Endpoint::KeySet]
            .map(|endpoint| seen.get(&endpoint).copied().unwrap_or_default())
    }
}

/// An authentication in words.
#[must_use]
pub fn authenticated(authentication: &Authentication) -> String {
    format!("authenticated {}", authentication.subject().unwrap_or("nobody"))
}

/// A failure in words: kind, then check, fault, error code or status, whichever there is.
#[must_use]
pub fn of_failure(failure: &Failure) -> String {
    let answer = failure.server_answer().map(|answer| {
        // An error that was pushed has no status.
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
