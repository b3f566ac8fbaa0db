//! Creates a client from the options: reads files and secrets, and checks everything before anything
//! is sent.

mod address;
mod auth;
mod headers;
mod metadata;

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Discovery,
    Issuer, Policy, Profile, ProviderMetadata, SoftwareKey,
    config::{Audience, BasicEncoding, ConfigError, MetadataRule},
    crypto::Verifier,
    http::{LoopbackHttp, Request, Url},
    jose::JwsAlgorithm,
    keys::KeySetDocument,
    metadata::{DiscoveryAddress, MetadataError},
    text::plain,
};

use self::{
    address::url,
    auth::{client_auth, request_key},
    headers::headers,
};
pub(crate) use self::{
    address::{issuer, loopback},
    metadata::metadata_file,
};
use crate::{
    advice::Known,
    args::{Client, Exceptions, Provider},
    backend::backend,
    exit::Stop,
    files::private_key,
    finding,
    listen::Endpoint,
    proxies::Proxies,
    signer::KeyRing,
    start::start,
};

/// A client whose files were read and whose options fit together, before the provider's metadata is
/// known.
pub(crate) struct Prepared {
    pub(crate) issuer: Option<Issuer>,
    pub(crate) provider: Provider,
    client_id: ClientId,
    /// `None` for discovery without a client only.
    auth: Option<ClientAuth>,
    pub(crate) keys: KeyRing,
    delivery: DeliveryMode,
    pub(crate) notifications: Option<Endpoint>,
    certificate_bound: bool,
    profile: Profile,
    backchannel_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    jwks_uri: Option<Url>,
    userinfo_endpoint: Option<Url>,
    audience: Option<Audience>,
    token_audience: Option<Audience>,
    id_token_algorithm: Option<JwsAlgorithm>,
    userinfo_algorithm: Option<JwsAlgorithm>,
    /// Requests are signed because the profile requires it.
    signs_by_profile: bool,
    exceptions: Exceptions,
    headers: Vec<(String, String)>,
    user_codes: bool,
}

impl Prepared {
    /// Reads what the options name.
    pub(crate) fn new(options: &Client) -> Result<Self, Stop> {
        let client_id =
            options.client_id.as_deref().ok_or_else(|| Stop::usage("--client-id is missing"))?;
        let (auth, key) = client_auth(options)?;
        if auth.is_mutual_tls() && options.cert.is_none() {
            return Err(Stop::usage(format!(
                "{} needs --cert FILE and --cert-key FILE",
                auth.method()
            )));
        }
        let prepared = Self::with(options, client_id, Some(auth), key)?;
        if prepared.delivery != DeliveryMode::Poll && prepared.notifications.is_none() {
            let mode = prepared.delivery.name();
            return Err(Stop::usage(format!(
                "--listen is missing: --delivery {mode} has to hear from the provider, for example at --listen 0.0.0.0:8443"
            )));
        }
        Ok(prepared)
    }

    /// As [`Self::new`], for `ciba discover` before there is a client: nothing is required.
    pub(crate) fn incomplete(options: &Client) -> Result<Self, Stop> {
        let says_how = options.client_auth.is_some()
            || options.key.is_some()
            || options.client_secret_file.is_some();
        let (auth, key) = if says_how {
            client_auth(options).map(|(auth, key)| (Some(auth), key))?
        } else {
            (None, None)
        };
        Self::with(options, options.client_id.as_deref().unwrap_or("client"), auth, key)
    }

    fn with(
        options: &Client,
        client_id: &str,
        auth: Option<ClientAuth>,
        key: Option<SoftwareKey>,
    ) -> Result<Self, Stop> {
        let client_id = ClientId::new(client_id)
            .map_err(|_| Stop::usage("--client-id is empty or not printable ASCII"))?;
        let loopback = loopback(options);
        let endpoint = |option, text: &Option<String>| {
            text.as_deref().map(|text| url(option, text, loopback)).transpose()
        };
        let audience = options.audience.as_deref().map(address::audience);
        let is_certified = options.cert.is_some();
        let by_certificate = auth.as_ref().is_some_and(ClientAuth::is_mutual_tls);
        let profile = options.profile.unwrap_or_default();
        let requests = options.signed_request;
        let requests = requests.map(|algorithm| request_key(options, algorithm)).transpose()?;
        // As in core: the key that authenticates also signs what the profile requires to be signed.
        let demands =
            matches!(profile, Profile::FapiCiba(edition) if edition.requires_signed_requests());
        let signs_by_profile = demands && requests.is_none() && key.is_some();
        let requests = requests.or_else(|| key.clone().filter(|_| signs_by_profile));
        let dpop = options.dpop.as_deref();
        let dpop = dpop.map(|path| private_key(path, "--dpop", None)).transpose()?;
        if options.dpop_bound && dpop.is_none() {
            return Err(Stop::usage(
                "--dpop FILE is missing: the client is registered for tokens that are bound to a key",
            ));
        }
        let binds_to_key = dpop.is_some();
        let keys = KeyRing { assertions: key, requests, dpop };
        Ok(Self {
            issuer: issuer(options)?,
            provider: options.provider.unwrap_or_default(),
            client_id,
            auth,
            keys,
            delivery: options.notifications.mode(),
            notifications: Endpoint::of(&options.notifications, loopback)?,
            // A certificate that does not authenticate the client can only be there to bind tokens.
            certificate_bound: options.certificate_bound
                || is_certified && !binds_to_key && (!by_certificate || profile != Profile::Plain),
            profile,
            backchannel_endpoint: endpoint(
                "--backchannel-endpoint",
                &options.backchannel_endpoint,
            )?,
            token_endpoint: endpoint("--token-endpoint", &options.token_endpoint)?,
            jwks_uri: endpoint("--jwks-uri", &options.jwks_uri)?,
            userinfo_endpoint: endpoint("--userinfo-endpoint", &options.userinfo_endpoint)?,
            token_audience: options
                .token_audience
                .as_deref()
                .map(address::audience)
                .or_else(|| audience.clone()),
            audience,
            id_token_algorithm: options.id_token_alg,
            userinfo_algorithm: options.userinfo_alg,
            signs_by_profile,
            headers: headers(&options.exceptions.header)?,
            exceptions: options.exceptions.clone(),
            user_codes: false,
        })
    }

    /// What a sentence about a failure may need.
    pub(crate) fn known(&self, options: &Client) -> Known {
        let is_changed = |text: &str| {
            !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte))
        };
        let basic_changes = match &self.auth {
            Some(ClientAuth::ClientSecretBasic { secret, encoding: BasicEncoding::Encoded }) => {
                is_changed(secret.expose()) || options.client_id.as_deref().is_some_and(is_changed)
            }
            _ => false,
        };
        // An unusable proxy has ended the command earlier.
        let proxies = Proxies::of_environment().ok().filter(|_| !options.allow_http_loopback);
        Known {
            method: self.auth.as_ref().map(ClientAuth::method),
            basic_changes,
            has_certificate: options.cert.is_some(),
            proxy: proxies
                .zip(options.issuer.as_ref())
                .and_then(|(proxies, issuer)| proxies.shown_for(issuer)),
            ..Known::default()
        }
    }

    /// The client was registered for user codes: one is about to be sent.
    pub(crate) fn with_user_codes(self, user_codes: bool) -> Self {
        Self { user_codes, ..self }
    }

    /// Whether the options leave out something that only metadata says.
    fn needs_metadata(&self) -> bool {
        // Idura's endpoints are known, its keys are not.
        self.backchannel_endpoint.is_none()
            || self.token_endpoint.is_none()
            || (self.jwks_uri.is_none()
                && !self.id_token_algorithm.is_some_and(JwsAlgorithm::is_symmetric))
    }

    /// Metadata that need not be fetched: that of `--metadata`, or an empty one if the options say
    /// everything.
    pub(crate) fn metadata_at_hand(
        &self,
        options: &Client,
    ) -> Result<Option<Result<ProviderMetadata, MetadataError>>, Stop> {
        if let Some(path) = &options.metadata {
            return metadata_file(path, self.issuer.as_ref(), loopback(options)).map(Some);
        }
        let issuer = self.issuer.as_ref().ok_or_else(|| Stop::usage("--issuer is missing"))?;
        Ok((!self.needs_metadata()).then(|| Ok(ProviderMetadata::by_hand(issuer.clone()))))
    }

    /// The configuration, checked against what the provider offers.
    pub(crate) fn configure(&self, metadata: ProviderMetadata) -> Result<Arc<ClientConfig>, Stop> {
        self.builder(metadata)?.build().map_err(|errors| {
            let findings: Vec<String> = errors.iter().map(finding::text).collect();
            cannot_work(&findings.join("; "))
        })
    }

    /// Checks a request before the metadata is fetched, by starting it at a provider that publishes no
    /// limits.
    pub(crate) fn rehearse(&self, request: &AuthRequest) -> Result<(), Stop> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let mut metadata = ProviderMetadata::by_hand(issuer.clone());
        let anywhere = Url::parse_with(issuer.as_str(), LoopbackHttp::DangerouslyAllowed).ok();
        metadata.backchannel_authentication_endpoint.clone_from(&anywhere);
        metadata.token_endpoint.clone_from(&anywhere);
        metadata.jwks_uri = anywhere;
        match self.builder(metadata)?.build() {
            Ok(config) => start(&config, request.clone()).map(drop),
            // What the client lacks is reported together with what the provider offers.
            Err(_) => Ok(()),
        }
    }

    /// What would not work with this client at this provider, as far as the options describe the
    /// client.
    pub(crate) fn findings(&self, metadata: &ProviderMetadata) -> Result<Vec<String>, Stop> {
        let built = self.builder(metadata.clone())?.build();
        let findings =
            built.err().into_iter().flat_map(|errors| errors.iter().cloned().collect::<Vec<_>>());
        // Without findings about members that no option describes.
        let said = findings.filter(|finding| match finding {
            ConfigError::Missing { member: "token_endpoint_auth_method" } => self.auth.is_some(),
            ConfigError::Missing { member: "backchannel_client_notification_endpoint" } => {
                self.notifications.is_some()
            }
            _ => true,
        });
        let mut said: Vec<String> = said.map(|finding| finding::text(&finding)).collect();
        // One mistake is reported once.
        if !said.iter().any(|finding| finding.contains("--id-token-alg")) {
            said.extend(self.assumption(metadata));
        }
        Ok(said)
    }

    /// The rules for reading answers: the preset's, and what the options add.
    fn policy(&self) -> Policy {
        let mut policy = self.provider.0.map_or_else(Policy::default, |preset| preset.policy());
        policy.assume_bearer |= self.exceptions.assume_bearer;
        policy.scope_lists |= self.exceptions.scope_lists;
        policy.bearer_words.extend(self.exceptions.bearer_word.iter().cloned());
        policy
    }

    /// Where the metadata is fetched from; `None` without an issuer.
    pub(crate) fn discovery(&self) -> Option<Discovery> {
        let discovery = Discovery::new(self.issuer.clone()?, DiscoveryAddress::OpenId);
        // They were checked when the options were read.
        self.headers
            .iter()
            .try_fold(discovery, |discovery, (name, value)| discovery.header(name, value).ok())
    }

    /// Returns what is assumed about the algorithm of ID Tokens because it was not set, if there is
    /// evidence against the assumption.
    // Ruling 38: otherwise a wrong assumption is discovered only after the person has approved.
    pub(crate) fn assumption(&self, metadata: &ProviderMetadata) -> Option<String> {
        // A profile has a finding of its own for this.
        if self.id_token_algorithm.is_some() || self.profile != Profile::Plain {
            return None;
        }
        let expected = self.id_token_algorithm();
        let first =
            metadata.listed("id_token_signing_alg_values_supported").and_then(<[String]>::first);
        let first = first
            .filter(|first| *first != expected.name())
            .map(|first| format!("the provider lists {} first", plain(first)));
        let key = self
            .keys
            .assertions
            .as_ref()
            .map(SoftwareKey::algorithm)
            .filter(|key| *key != expected);
        let reason =
            first.or_else(|| key.map(|key| format!("the client itself signs with {key}")))?;
        Some(format!(
            "id tokens are expected to be signed with {expected}, because nothing says otherwise, and {reason}: say with --id-token-alg which algorithm is registered for this client"
        ))
    }

    /// Where the provider's keys are, and the request for them; the option wins over the metadata.
    pub(crate) fn key_set(&self, metadata: &ProviderMetadata) -> Option<(KeySetDocument, Request)> {
        let address = self.jwks_uri.as_ref().or(metadata.jwks_uri.as_ref())?;
        let document = KeySetDocument::new(metadata.issuer.clone(), address.clone());
        let mut request = document.request();
        for (name, value) in &self.headers {
            request.headers.push(name, value);
        }
        Some((document, request))
    }

    /// The algorithm that ID Tokens are expected to be signed with.
    pub(crate) fn id_token_algorithm(&self) -> JwsAlgorithm {
        self.id_token_algorithm.unwrap_or(JwsAlgorithm::Rs256)
    }

    fn builder(&self, metadata: ProviderMetadata) -> Result<ClientConfigBuilder, Stop> {
        let builder = match self.provider.0 {
            None => ClientConfig::builder(metadata, self.client_id.clone()),
            Some(preset) => preset.client(metadata, self.client_id.clone()).map_err(|error| {
                Stop::usage(format!("the issuer cannot be continued by a path: {error}"))
            })?,
        };
        let mut builder = builder
            .policy(self.policy())
            .delivery(self.delivery)
            .profile(self.profile)
            .verifier(Arc::new(backend()) as Arc<dyn Verifier>);
        if let Some(auth) = &self.auth {
            builder = builder.client_auth(auth.clone());
        }
        if let Some(algorithm) = self.id_token_algorithm {
            builder = builder.id_token_algorithm(algorithm);
        }
        for audience in &self.exceptions.trusted_audience {
            builder = builder.trusted_audience(audience);
        }
        if let Some(seconds) = self.exceptions.clock_skew {
            builder = builder.clock_skew(Duration::from_secs(seconds));
        }
        let ignored = |rule: &MetadataRule| {
            self.exceptions.ignore_metadata.iter().any(|name| name == rule.name())
        };
        for rule in MetadataRule::ALL.into_iter().filter(ignored) {
            builder = builder.dangerously_ignore_metadata(rule);
        }
        if self.exceptions.body_client_id {
            builder = builder.body_client_id();
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        if let Some(audience) = &self.audience {
            builder = builder.backchannel_audience(audience.clone());
        }
        if let Some(audience) = &self.token_audience {
            builder = builder.token_audience(audience.clone());
        }
        if let Some(url) = &self.backchannel_endpoint {
            builder = builder.backchannel_endpoint(url.clone());
        }
        if let Some(url) = &self.token_endpoint {
            builder = builder.token_endpoint(url.clone());
        }
        if let Some(url) = &self.jwks_uri {
            builder = builder.jwks_uri(url.clone());
        }
        if let Some(url) = &self.userinfo_endpoint {
            builder = builder.userinfo_endpoint(url.clone());
        }
        if let Some(algorithm) = self.userinfo_algorithm {
            builder = builder.userinfo_algorithm(algorithm);
        }
        if let Some(endpoint) = &self.notifications {
            builder = builder.notification_endpoint(endpoint.url.clone());
        }
        if let (Some(key), false) = (&self.keys.requests, self.signs_by_profile) {
            builder = builder.signed_requests(key.algorithm(), Some(key.key_id().into()));
        }
        if let Some(key) = &self.keys.dpop {
            builder = builder.dpop(key.algorithm(), key.public_jwk());
        }
        if self.certificate_bound {
            builder = builder.certificate_bound_tokens();
        }
        if self.user_codes {
            builder = builder.user_codes();
        }
        Ok(builder)
    }
}

/// The client does not fit the provider.
pub(crate) fn cannot_work(findings: &str) -> Stop {
    Stop::usage(format!("this client cannot work with this provider: {findings}"))
}
