//! Building a configuration and checking it against the provider's metadata.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    AssertionRules, ClientConfig, ClientId, ConfigError, ConfigErrors, IdTokenRules, RegisteredDefaults, registration,
};
use crate::{
    client_auth::{Audience, BasicEncoding, ClientAuth},
    crypto::Verifier,
    jose::JwsAlgorithm,
    policy::Policy,
    secret::ClientSecret,
    time::Timestamp,
    url::Url,
    wire::metadata::{DeliveryMode, ProviderMetadata},
};

/// The longest life of a client assertion (REQ-AUTH-13).
const LONGEST_ASSERTION: Duration = Duration::from_secs(300);
/// The longest back-dating of a client assertion.
const LONGEST_BACKDATING: Duration = Duration::from_secs(60);
/// The widest clock skew (REQ-IDT-22).
const WIDEST_SKEW: Duration = Duration::from_secs(300);

/// A check of the configuration against the provider's metadata that can be switched off, where the metadata is known to be
/// wrong. None of them changes what is accepted later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetadataRule {
    /// `backchannel_token_delivery_modes_supported` is published and lists the client's mode (REQ-DISC-06, REQ-DISC-07).
    DeliveryMode,
    /// `token_endpoint_auth_methods_supported` lists the method (REQ-DISC-11).
    AuthenticationMethod,
    /// `token_endpoint_auth_signing_alg_values_supported` lists the algorithm of the assertions (REQ-DISC-11).
    AuthenticationAlgorithm,
    /// `id_token_signing_alg_values_supported` lists the algorithm of the ID Tokens (REQ-DISC-12).
    IdTokenAlgorithm,
    /// `backchannel_user_code_parameter_supported` is true (REQ-DISC-09).
    UserCodes,
}

/// Collects a configuration; nothing is checked before [`Self::build`].
#[derive(Debug, Clone)]
#[must_use = "a configuration comes into being with build()"]
pub struct ClientConfigBuilder {
    provider: ProviderMetadata,
    client_id: ClientId,
    delivery: DeliveryMode,
    auth: Option<ClientAuth>,
    backchannel_endpoint: Option<Url>,
    token_endpoint: Option<Url>,
    jwks_uri: Option<Url>,
    pinned_keys: bool,
    backchannel_audience: Audience,
    token_audience: Audience,
    assertion: AssertionRules,
    body_client_id: bool,
    user_codes: bool,
    id_token: IdTokenRules,
    registered: RegisteredDefaults,
    secret_expires_at: Option<Timestamp>,
    policy: Policy,
    verifier: Option<Arc<dyn Verifier>>,
    public_keys: Vec<String>,
    ignored: Vec<MetadataRule>,
}

impl ClientConfigBuilder {
    pub(super) fn new(provider: ProviderMetadata, client_id: ClientId) -> Self {
        Self {
            provider,
            client_id,
            delivery: DeliveryMode::Poll,
            auth: None,
            backchannel_endpoint: None,
            token_endpoint: None,
            jwks_uri: None,
            pinned_keys: false,
            backchannel_audience: Audience::Issuer,
            token_audience: Audience::Issuer,
            assertion: AssertionRules { lifetime: Duration::from_secs(60), backdating: Duration::ZERO, typ: None },
            body_client_id: false,
            user_codes: false,
            id_token: IdTokenRules {
                algorithm: JwsAlgorithm::Rs256,
                trusted_audiences: Vec::new(),
                skew: Duration::from_secs(60),
                max_age: Duration::from_secs(600),
            },
            registered: RegisteredDefaults::default(),
            secret_expires_at: None,
            policy: Policy::default(),
            verifier: None,
            public_keys: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// The registered `backchannel_token_delivery_mode`; poll by default, the only one this release offers.
    pub fn delivery(mut self, mode: DeliveryMode) -> Self {
        self.delivery = mode;
        self
    }

    /// The registered `token_endpoint_auth_method`, for both endpoints (REQ-META-09). Has no default.
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// The backchannel authentication endpoint; wins over the metadata (DV-24).
    pub fn backchannel_endpoint(mut self, url: Url) -> Self {
        self.backchannel_endpoint = Some(url);
        self
    }

    /// The token endpoint; wins over the metadata.
    pub fn token_endpoint(mut self, url: Url) -> Self {
        self.token_endpoint = Some(url);
        self
    }

    /// The address of the key set; wins over the metadata.
    pub fn jwks_uri(mut self, url: Url) -> Self {
        self.jwks_uri = Some(url);
        self
    }

    /// The issuer's keys come from [`KeySet::pinned`](crate::jose::KeySet::pinned), so that no address of a key set is needed
    /// (REQ-JWKS-23).
    pub fn pinned_keys(mut self) -> Self {
        self.pinned_keys = true;
        self
    }

    /// The audience of client assertions for the backchannel endpoint; the issuer by default (ruling 8).
    pub fn backchannel_audience(mut self, audience: Audience) -> Self {
        self.backchannel_audience = audience;
        self
    }

    /// The audience of client assertions for the token endpoint; the issuer by default (ruling 8).
    pub fn token_audience(mut self, audience: Audience) -> Self {
        self.token_audience = audience;
        self
    }

    /// The life of a client assertion in whole seconds, 1 to 300; 60 by default (REQ-AUTH-13).
    pub fn assertion_lifetime(mut self, lifetime: Duration) -> Self {
        self.assertion.lifetime = lifetime;
        self
    }

    /// How far back `iat` of a client assertion is dated, in whole seconds, at most 60 and less than its life, for providers
    /// whose clocks are behind; zero by default (REQ-AUTH-14).
    pub fn assertion_backdating(mut self, backdating: Duration) -> Self {
        self.assertion.backdating = backdating;
        self
    }

    /// The `typ` header of client assertions; none by default (REQ-AUTH-18).
    pub fn assertion_typ(mut self, typ: impl Into<String>) -> Self {
        self.assertion.typ = Some(typ.into());
        self
    }

    /// Sends `client_id` in the body beside an assertion or Basic, for providers that demand it (REQ-AUTH-17).
    pub fn body_client_id(mut self) -> Self {
        self.body_client_id = true;
        self
    }

    /// The client was registered with `backchannel_user_code_parameter` (REQ-META-08).
    pub fn user_codes(mut self) -> Self {
        self.user_codes = true;
        self
    }

    /// The registered `id_token_signed_response_alg`; RS256 by default (REQ-META-11).
    pub fn id_token_algorithm(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token.algorithm = algorithm;
        self
    }

    /// An audience that may stand beside the client id in ID Tokens (REQ-IDT-13). Repeatable.
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Self {
        self.id_token.trusted_audiences.push(audience.into());
        self
    }

    /// The clock skew that ID Tokens are allowed; 60 s by default, at most 300 s (REQ-IDT-22).
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.id_token.skew = skew;
        self
    }

    /// How old `iat` of an ID Token may be; 10 minutes by default (REQ-IDT-19).
    pub fn max_token_age(mut self, age: Duration) -> Self {
        self.id_token.max_age = age;
        self
    }

    /// The client was registered with `require_auth_time` (REQ-META-22).
    pub fn require_auth_time(mut self) -> Self {
        self.registered.require_auth_time = true;
        self
    }

    /// The registered `default_max_age` (REQ-META-22).
    pub fn default_max_age(mut self, age: Duration) -> Self {
        self.registered.max_age = Some(age);
        self
    }

    /// The registered `default_acr_values`: they count as asked for by requests that name none (REQ-META-22).
    pub fn default_acr_values<V: Into<String>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.registered.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// The `client_secret_expires_at` of the registration; the epoch means never. No flow is started with a secret that has
    /// expired (REQ-META-24).
    pub fn client_secret_expires_at(mut self, instant: Timestamp) -> Self {
        self.secret_expires_at = Some(instant).filter(|instant| *instant != Timestamp::EPOCH);
        self
    }

    /// Timing and tolerated deviations.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The cryptography backend that checks. With the feature `rustcrypto` that backend is the default.
    pub fn verifier(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// A public key of the client as a JWK, to be registered:
    /// [`SoftwareKey::public_jwk`](crate::SoftwareKey::public_jwk) gives one. Repeatable.
    pub fn public_key(mut self, jwk: impl Into<String>) -> Self {
        self.public_keys.push(jwk.into());
        self
    }

    /// Skips a check against the provider's metadata.
    pub fn dangerously_ignore_metadata(mut self, rule: MetadataRule) -> Self {
        self.ignored.push(rule);
        self
    }

    /// Checks everything and gives the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigErrors`]: everything that is wrong, not only the first thing (REQ-META-27).
    pub fn build(self) -> Result<Arc<ClientConfig>, ConfigErrors> {
        let mut findings = Vec::new();
        self.check_metadata(&mut findings);
        self.check_auth(&mut findings);
        self.check_assertion(&mut findings);
        self.check_id_token(&mut findings);
        self.check_audiences(&mut findings);
        self.check_policy(&mut findings);
        let public_keys = registration::public_keys(&self.public_keys, self.auth.as_ref(), &mut findings);

        let provider = self.provider;
        let mut needed = |value: Option<Url>, published: Option<Url>, member| {
            let url = value.or(published);
            if url.is_none() {
                findings.push(ConfigError::Missing { member });
            }
            url
        };
        let backchannel_endpoint = needed(
            self.backchannel_endpoint,
            provider.backchannel_authentication_endpoint,
            "backchannel_authentication_endpoint",
        );
        let token_endpoint = needed(self.token_endpoint, provider.token_endpoint, "token_endpoint");
        let jwks_uri = if self.pinned_keys || self.id_token.algorithm.is_symmetric() {
            self.jwks_uri.or(provider.jwks_uri)
        } else {
            needed(self.jwks_uri, provider.jwks_uri, "jwks_uri")
        };
        if self.auth.is_none() {
            findings.push(ConfigError::Missing { member: "token_endpoint_auth_method" });
        }
        let verifier = self.verifier.or_else(default_verifier);
        if verifier.is_none() {
            findings.push(ConfigError::Missing { member: "verifier" });
        }
        let (Some(backchannel_endpoint), Some(token_endpoint), Some(auth), Some(verifier), true) =
            (backchannel_endpoint, token_endpoint, self.auth, verifier, findings.is_empty())
        else {
            return Err(ConfigErrors::new(findings));
        };
        Ok(Arc::new(ClientConfig {
            issuer: provider.issuer,
            client_id: self.client_id,
            delivery: self.delivery,
            backchannel_endpoint,
            token_endpoint,
            jwks_uri,
            auth,
            backchannel_audience: self.backchannel_audience,
            token_audience: self.token_audience,
            assertion: self.assertion,
            body_client_id: self.body_client_id,
            user_codes: self.user_codes,
            authorization_details_types: provider.authorization_details_types,
            id_token: self.id_token,
            registered: self.registered,
            secret_expires_at: self.secret_expires_at,
            policy: self.policy,
            verifier,
            public_keys,
        }))
    }

    fn heeds(&self, rule: MetadataRule) -> bool {
        !self.ignored.contains(&rule)
    }

    /// The configuration against what the provider says it offers. A list that was not published says nothing, except that a
    /// document whose backchannel endpoint is used must also list the delivery modes (CIBA 4).
    fn check_metadata(&self, findings: &mut Vec<ConfigError>) {
        const MODES: &str = "backchannel_token_delivery_modes_supported";
        let mut not_listed =
            |member, value: &str| findings.push(ConfigError::NotListed { member, value: value.into() });
        let provider = &self.provider;
        let relies_on_document = provider.describes_ciba && self.backchannel_endpoint.is_none();

        let modes = provider.delivery_modes.as_ref().filter(|_| self.heeds(MetadataRule::DeliveryMode));
        if modes.is_some_and(|modes| !modes.contains(&self.delivery)) {
            not_listed(MODES, self.delivery.name());
        }
        if let Some(auth) = &self.auth {
            let methods = provider.auth_methods.as_ref().filter(|_| self.heeds(MetadataRule::AuthenticationMethod));
            if methods.is_some_and(|methods| !methods.iter().any(|method| method == auth.method())) {
                not_listed("token_endpoint_auth_methods_supported", auth.method());
            }
            let algorithms =
                provider.auth_signing_algs.as_ref().filter(|_| self.heeds(MetadataRule::AuthenticationAlgorithm));
            if let (Some(algorithms), Some(algorithm)) = (algorithms, auth.algorithm())
                && !algorithms.contains(&algorithm)
            {
                not_listed("token_endpoint_auth_signing_alg_values_supported", algorithm.name());
            }
        }
        let algorithms = provider.id_token_signing_algs.as_ref().filter(|_| self.heeds(MetadataRule::IdTokenAlgorithm));
        if algorithms.is_some_and(|algorithms| !algorithms.contains(&self.id_token.algorithm)) {
            not_listed("id_token_signing_alg_values_supported", self.id_token.algorithm.name());
        }
        if self.user_codes && !provider.user_code_supported && self.heeds(MetadataRule::UserCodes) {
            not_listed("backchannel_user_code_parameter_supported", "true");
        }
        if relies_on_document && provider.delivery_modes.is_none() && self.heeds(MetadataRule::DeliveryMode) {
            findings.push(ConfigError::Missing { member: MODES });
        }
        if self.delivery != DeliveryMode::Poll {
            let value = self.delivery.name();
            findings.push(ConfigError::NotOffered { member: "backchannel_token_delivery_mode", value });
        }
    }

    fn check_auth(&self, findings: &mut Vec<ConfigError>) {
        const ALGORITHM: &str = "token_endpoint_auth_signing_alg";
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        match &self.auth {
            Some(ClientAuth::PrivateKeyJwt { algorithm, .. }) if algorithm.is_symmetric() => {
                invalid(ALGORITHM, "private_key_jwt takes an asymmetric algorithm");
            }
            Some(ClientAuth::ClientSecretJwt { algorithm, .. }) if !algorithm.is_symmetric() => {
                invalid(ALGORITHM, "client_secret_jwt takes HS256, HS384 or HS512");
            }
            Some(ClientAuth::ClientSecretJwt { secret, algorithm }) => check_mac_key(secret, *algorithm, findings),
            Some(ClientAuth::ClientSecretBasic { encoding: BasicEncoding::Raw, .. })
                if self.client_id.as_str().contains(':') =>
            {
                invalid("client_id", "it has a colon, which raw client_secret_basic cannot carry");
            }
            Some(ClientAuth::ClientSecretBasic { secret, .. } | ClientAuth::ClientSecretPost { secret })
                if secret.expose().is_empty() =>
            {
                invalid("client_secret", "it is empty");
            }
            Some(_) | None => {}
        }
    }

    fn check_assertion(&self, findings: &mut Vec<ConfigError>) {
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        let AssertionRules { lifetime, backdating, typ } = &self.assertion;
        let whole = |duration: &Duration| duration.subsec_nanos() == 0;
        if lifetime.is_zero() || !whole(lifetime) || *lifetime > LONGEST_ASSERTION {
            invalid("assertion_lifetime", "it is not a whole number of seconds from 1 to 300");
        }
        if !whole(backdating) || *backdating > LONGEST_BACKDATING {
            invalid("assertion_backdating", "it is not a whole number of seconds from 0 to 60");
        } else if backdating >= lifetime {
            invalid("assertion_backdating", "it is not shorter than the assertion's life");
        }
        if typ.as_ref().is_some_and(|typ| typ.is_empty() || !typ.bytes().all(|byte| byte.is_ascii_graphic())) {
            invalid("assertion_typ", "it is empty or not visible ASCII");
        }
    }

    fn check_id_token(&self, findings: &mut Vec<ConfigError>) {
        let IdTokenRules { algorithm, trusted_audiences: _, skew, max_age } = &self.id_token;
        if algorithm.is_symmetric() {
            match self.auth.as_ref().and_then(ClientAuth::secret) {
                Some(secret) => check_mac_key(secret, *algorithm, findings),
                None => findings.push(ConfigError::Invalid {
                    member: "id_token_signed_response_alg",
                    reason: "a MAC needs a client secret",
                }),
            }
        }
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        if *skew > WIDEST_SKEW {
            invalid("clock_skew", "it is more than 300 s");
        }
        if max_age.is_zero() {
            invalid("max_token_age", "it is zero");
        }
    }

    /// An endpoint as audience is only as good as its address: one that was read from metadata could be another provider's
    /// (REQ-AUTH-11).
    fn check_audiences(&self, findings: &mut Vec<ConfigError>) {
        let audiences = [
            ("backchannel_audience", &self.backchannel_audience, &self.backchannel_endpoint),
            ("token_audience", &self.token_audience, &self.token_endpoint),
        ];
        for (member, audience, pinned) in audiences {
            match audience {
                Audience::Endpoint if self.provider.published && pinned.is_none() => {
                    let reason = "the endpoint as audience needs an endpoint that is configured, not discovered";
                    findings.push(ConfigError::Invalid { member, reason });
                }
                Audience::Text(text) if text.is_empty() => {
                    findings.push(ConfigError::Invalid { member, reason: "it is empty" });
                }
                Audience::Issuer | Audience::Endpoint | Audience::Text(_) => {}
            }
        }
    }

    fn check_policy(&self, findings: &mut Vec<ConfigError>) {
        for (member, duration) in [
            ("authentication_timeout", self.policy.authentication_timeout),
            ("token_timeout", self.policy.token_timeout),
            ("fetch_timeout", self.policy.fetch_timeout),
            ("local_timeout", self.policy.local_timeout),
        ] {
            if duration.is_zero() {
                findings.push(ConfigError::Invalid { member, reason: "it is zero" });
            }
        }
        if self.policy.max_token_response == 0 {
            findings.push(ConfigError::Invalid { member: "max_token_response", reason: "it is zero" });
        }
    }
}

/// The key of a MAC is at least as long as its output (REQ-AUTH-22, RFC 7518 3.2).
fn check_mac_key(secret: &ClientSecret, algorithm: JwsAlgorithm, findings: &mut Vec<ConfigError>) {
    let least = match algorithm {
        JwsAlgorithm::Hs384 => 48,
        JwsAlgorithm::Hs512 => 64,
        _ => 32,
    };
    if secret.expose().len() < least {
        let reason = "it is shorter than the output of the MAC: 32, 48 or 64 octets for HS256, HS384, HS512";
        findings.push(ConfigError::Invalid { member: "client_secret", reason });
    }
}

/// The backend that is there without being asked for.
#[cfg(feature = "rustcrypto")]
fn default_verifier() -> Option<Arc<dyn Verifier>> {
    Some(Arc::new(crate::crypto::RustCrypto))
}

#[cfg(not(feature = "rustcrypto"))]
fn default_verifier() -> Option<Arc<dyn Verifier>> {
    None
}
