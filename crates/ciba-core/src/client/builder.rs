//! Collecting a configuration.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    AssertionRules, Audiences, CertificateSubject, CertificateUse, ClientConfig, ClientId,
    ConfigErrors, IdTokenRules, MetadataRule, RegisteredDefaults, registration,
};
use crate::{
    client_auth::{Audience, ClientAuth},
    crypto::Verifier,
    endpoint::Endpoint,
    jose::JwsAlgorithm,
    person::PersonRules,
    policy::Policy,
    profile::Profile,
    request::{BindingMessageRule, RequestStyle},
    request_object::{RequestObjectOptions, RequestObjectRules},
    time::Timestamp,
    url::Url,
    wire::{
        Headers,
        metadata::{DeliveryMode, ProviderMetadata},
    },
};

/// Collects a configuration; nothing is checked before [`Self::build`].
#[derive(Debug, Clone)]
#[must_use = "a configuration comes into being with build()"]
pub struct ClientConfigBuilder {
    pub(super) provider: ProviderMetadata,
    pub(super) client_id: ClientId,
    pub(super) delivery: DeliveryMode,
    pub(super) notification_endpoint: Option<Url>,
    pub(super) auth: Option<ClientAuth>,
    pub(super) backchannel_endpoint: Option<Url>,
    pub(super) token_endpoint: Option<Url>,
    pub(super) jwks_uri: Option<Url>,
    pub(super) pinned_keys: bool,
    pub(super) backchannel_audience: Audience,
    pub(super) token_audience: Audience,
    pub(super) assertion: AssertionRules,
    pub(super) body_client_id: bool,
    pub(super) request_style: RequestStyle,
    pub(super) request_signing: Option<(JwsAlgorithm, Option<Arc<str>>)>,
    pub(super) signed_requests_only: bool,
    pub(super) request_audience: Audience,
    pub(super) request_options: RequestObjectOptions,
    pub(super) certificate: CertificateUse,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) user_codes: bool,
    pub(super) id_token: IdTokenRules,
    pub(super) registered: RegisteredDefaults,
    pub(super) persons: PersonRules,
    pub(super) secret_expires_at: Option<Timestamp>,
    pub(super) profile: Profile,
    pub(super) policy: Policy,
    pub(super) verifier: Option<Arc<dyn Verifier>>,
    pub(super) public_keys: Vec<String>,
    pub(super) ignored: Vec<MetadataRule>,
    pub(super) public_clients: bool,
    pub(super) headers: Headers,
    /// Whether the algorithm of ID Tokens was named; it is RS256 otherwise.
    pub(super) names_id_token_algorithm: bool,
    /// Whether the profile chose how requests are signed.
    pub(super) signs_by_profile: bool,
}

impl ClientConfigBuilder {
    pub(super) fn new(provider: ProviderMetadata, client_id: ClientId) -> Self {
        Self {
            provider,
            client_id,
            delivery: DeliveryMode::Poll,
            notification_endpoint: None,
            auth: None,
            backchannel_endpoint: None,
            token_endpoint: None,
            jwks_uri: None,
            pinned_keys: false,
            backchannel_audience: Audience::Issuer,
            token_audience: Audience::Issuer,
            assertion: AssertionRules {
                lifetime: Duration::from_secs(60),
                backdating: Duration::ZERO,
                typ: None,
            },
            body_client_id: false,
            request_style: RequestStyle::default(),
            request_signing: None,
            signed_requests_only: false,
            request_audience: Audience::Issuer,
            request_options: RequestObjectOptions::default(),
            certificate: CertificateUse::default(),
            certificates: Vec::new(),
            user_codes: false,
            id_token: IdTokenRules {
                algorithm: JwsAlgorithm::Rs256,
                trusted_audiences: Vec::new(),
                skew: Duration::from_secs(60),
                max_age: Duration::from_secs(600),
                acr: None,
                macs_refused: false,
            },
            registered: RegisteredDefaults::default(),
            persons: PersonRules::default(),
            secret_expires_at: None,
            profile: Profile::Plain,
            policy: Policy::default(),
            verifier: None,
            public_keys: Vec::new(),
            ignored: Vec::new(),
            public_clients: false,
            headers: Headers::new(),
            names_id_token_algorithm: false,
            signs_by_profile: false,
        }
    }

    /// The rules beyond CIBA Core the configuration is held to; none by default.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The registered `backchannel_token_delivery_mode`; poll by default (REQ-META-01).
    pub fn delivery(mut self, mode: DeliveryMode) -> Self {
        self.delivery = mode;
        self
    }

    /// The registered `backchannel_client_notification_endpoint`: needed in ping and push mode,
    /// refused in poll mode, where nothing is ever sent to it (REQ-META-04, REQ-META-05).
    pub fn notification_endpoint(mut self, url: Url) -> Self {
        self.notification_endpoint = Some(url);
        self
    }

    /// The registered `token_endpoint_auth_method`, for both endpoints (REQ-META-09). Has no
    /// default.
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// The backchannel authentication endpoint; wins over the metadata (DV-24) and its mTLS
    /// aliases.
    pub fn backchannel_endpoint(mut self, url: Url) -> Self {
        self.backchannel_endpoint = Some(url);
        self
    }

    /// The token endpoint; wins over the metadata and its mTLS aliases.
    pub fn token_endpoint(mut self, url: Url) -> Self {
        self.token_endpoint = Some(url);
        self
    }

    /// The address of the key set; wins over the metadata.
    pub fn jwks_uri(mut self, url: Url) -> Self {
        self.jwks_uri = Some(url);
        self
    }

    /// The issuer's keys come from [`KeySet::pinned`](crate::jose::KeySet::pinned), so that no
    /// address of a key set is needed (REQ-JWKS-23).
    pub fn pinned_keys(mut self) -> Self {
        self.pinned_keys = true;
        self
    }

    /// The audience of client assertions for the backchannel endpoint; the issuer by default
    /// (ruling 8).
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

    /// How far back `iat` of a client assertion is dated, in whole seconds, at most 60 and less
    /// than its life, for providers whose clocks are slow; zero by default (REQ-AUTH-14).
    pub fn assertion_backdating(mut self, backdating: Duration) -> Self {
        self.assertion.backdating = backdating;
        self
    }

    /// The `typ` header of client assertions; none by default (REQ-AUTH-18).
    pub fn assertion_typ(mut self, typ: impl Into<String>) -> Self {
        self.assertion.typ = Some(typ.into());
        self
    }

    /// Sends `client_id` in the body in addition to an assertion or Basic, for providers that
    /// demand it (REQ-AUTH-17).
    pub fn body_client_id(mut self) -> Self {
        self.body_client_id = true;
        self
    }

    /// Signs every authentication request with this algorithm, the registered
    /// `backchannel_authentication_request_signing_alg` (CIBA 7.1.1, REQ-META-06). The key itself
    /// stays with the signer; its id is always sent when known (REQ-SIGN-11).
    ///
    /// Where the profile demands signed requests, the key and algorithm of `private_key_jwt` are
    /// the default.
    pub fn signed_requests(mut self, algorithm: JwsAlgorithm, key_id: Option<Arc<str>>) -> Self {
        self.request_signing = Some((algorithm, key_id));
        self
    }

    /// The provider takes no request that is not signed: without [`Self::signed_requests`] nothing
    /// is built (DV-40).
    pub fn signed_requests_only(mut self) -> Self {
        self.signed_requests_only = true;
        self
    }

    /// What the provider takes as `binding_message`; anything without control characters by default
    /// (DV-28).
    pub fn binding_messages(mut self, rule: BindingMessageRule) -> Self {
        self.request_style.binding_message = rule;
        self
    }

    /// Sends the wanted lifetime by the name `request_expiry`, for providers that do not know
    /// `requested_expiry` (DV-29).
    pub fn request_expiry(mut self) -> Self {
        self.request_style.request_expiry = true;
        self
    }

    /// Sends `grant_type` with the authentication request too, for providers that want it there.
    pub fn request_grant_type(mut self) -> Self {
        self.request_style.grant_type = true;
        self
    }

    /// The audience of signed requests; the issuer by default (REQ-SIGN-04).
    pub fn request_audience(mut self, audience: Audience) -> Self {
        self.request_audience = audience;
        self
    }

    /// The life of a signed request, `exp` - `iat`, in whole seconds; 300 by default, and at most
    /// 3600 from `nbf` on (REQ-SIGN-05).
    pub fn request_lifetime(mut self, lifetime: Duration) -> Self {
        self.request_options.lifetime = lifetime;
        self
    }

    /// How far back `iat` of a signed request is dated, in whole seconds, at most 60 and less than
    /// its life, for providers whose clocks are slow; zero by default (REQ-SIGN-06).
    pub fn request_backdating(mut self, backdating: Duration) -> Self {
        self.request_options.backdating = backdating;
        self
    }

    /// How long before `iat` `nbf` of a signed request lies, in whole seconds; 10 by default
    /// (REQ-SIGN-07). `nbf` is never more than 3600 s in the past.
    pub fn request_not_before(mut self, before: Duration) -> Self {
        self.request_options.not_before = before;
        self
    }

    /// Leaves out the `typ` header `oauth-authz-req+jwt` of signed requests, for providers that do
    /// not know it (REQ-SIGN-15).
    pub fn request_without_typ(mut self) -> Self {
        self.request_options.typ = false;
        self
    }

    /// Adds the claim `client_id` to signed requests, for providers that demand it (REQ-SIGN-19).
    pub fn request_client_id_claim(mut self) -> Self {
        self.request_options.client_id_claim = true;
        self
    }

    /// Writes `requested_expiry` of signed requests as a JSON number; a string by default
    /// (REQ-SIGN-16).
    pub fn request_numeric_expiry(mut self) -> Self {
        self.request_options.numeric_expiry = true;
        self
    }

    /// The client was registered with `tls_client_certificate_bound_access_tokens` (RFC 8705 3.4):
    /// the certificate is shown at the token endpoint, or in push mode at the backchannel
    /// authentication endpoint, whatever the authentication is (REQ-AUTH-27, REQ-POP-16).
    pub fn certificate_bound_tokens(mut self) -> Self {
        self.certificate.bound_tokens = true;
        self
    }

    /// The client was registered with `use_mtls_endpoint_aliases`: the aliases are used for every
    /// request, also where no certificate is shown (FAPI2SP 5.2.2.1.1, REQ-FAPI-21).
    pub fn use_mtls_endpoint_aliases(mut self) -> Self {
        self.certificate.aliases_always = true;
        self
    }

    /// The subject of the certificate of `tls_client_auth`, to be registered: exactly one
    /// (REQ-META-19).
    pub fn certificate_subject(mut self, subject: CertificateSubject) -> Self {
        self.certificate.subject = Some(subject);
        self
    }

    /// The certificate of `self_signed_tls_client_auth`, DER, to be registered as a key with `x5c`
    /// (RFC 8705 2.2.2,
    /// REQ-META-18). Repeatable, for a change of certificates.
    pub fn certificate(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(der.into());
        self
    }

    /// The client was registered with `backchannel_user_code_parameter` (REQ-META-08).
    pub fn user_codes(mut self) -> Self {
        self.user_codes = true;
        self
    }

    /// The registered `id_token_signed_response_alg`; RS256 by default (REQ-META-11). FAPI-CIBA
    /// allows no RS256, so with that profile it has to be named.
    pub fn id_token_algorithm(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token.algorithm = algorithm;
        self.names_id_token_algorithm = true;
        self
    }

    /// An audience that ID Tokens may have in addition to the client id (REQ-IDT-13). Repeatable.
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

    /// The registered `default_acr_values`: they count as asked for by requests that name none
    /// (REQ-META-22).
    pub fn default_acr_values<V: Into<String>>(
        mut self,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.registered.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// The `client_secret_expires_at` of the registration; the epoch means never. No flow is
    /// started with a secret that has expired (REQ-META-24).
    pub fn client_secret_expires_at(mut self, instant: Timestamp) -> Self {
        self.secret_expires_at = Some(instant).filter(|instant| *instant != Timestamp::EPOCH);
        self
    }

    /// Timing and tolerated deviations.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The cryptography backend that checks. The default is `AwsLcRs` with the feature `aws-lc-rs`,
    /// else `RustCrypto` with the feature `rustcrypto`; without either feature, one has to be given
    /// here.
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
    pub fn build(mut self) -> Result<Arc<ClientConfig>, ConfigErrors> {
        self.verifier = self.verifier.or_else(default_verifier);
        self.sign_by_profile();
        let mut findings = Vec::new();
        self.check(&mut findings);
        self.check_profile(&mut findings);
        let public_keys = registration::public_keys(&self, &mut findings);
        self.say_once(&mut findings);
        let backchannel = self.address(Endpoint::BackchannelAuthentication);
        let token = self.address(Endpoint::Token);
        let (Some(backchannel), Some(token), Some(auth), Some(verifier), true) =
            (backchannel, token, self.auth, self.verifier, findings.is_empty())
        else {
            return Err(ConfigErrors::new(findings));
        };
        let issuer = self.provider.issuer;
        let resolved = |audience: Audience, address: &Address| match audience {
            Audience::Issuer => issuer.as_str().into(),
            Audience::Endpoint => address.named.as_str().into(),
            Audience::Text(text) => text,
        };
        let request_audience = resolved(self.request_audience, &backchannel);
        let request_object = self.request_signing.map(|(algorithm, key_id)| RequestObjectRules {
            algorithm,
            key_id,
            audience: request_audience,
            options: self.request_options,
        });
        let audiences = Audiences {
            backchannel: resolved(self.backchannel_audience, &backchannel),
            token: resolved(self.token_audience, &token),
        };
        Ok(Arc::new(ClientConfig {
            issuer,
            client_id: self.client_id,
            delivery: self.delivery,
            notification_endpoint: self.notification_endpoint,
            backchannel_endpoint: backchannel.called,
            token_endpoint: token.called,
            jwks_uri: self.jwks_uri.or(self.provider.jwks_uri),
            auth,
            audiences,
            assertion: self.assertion,
            request_object,
            request_style: self.request_style,
            body_client_id: self.body_client_id,
            user_codes: self.user_codes,
            authorization_details_types: self.provider.authorization_details_types,
            id_token: self.id_token,
            registered: self.registered,
            persons: self.persons,
            secret_expires_at: self.secret_expires_at,
            policy: self.policy,
            verifier,
            profile: self.profile,
            certificate: self.certificate,
            public_keys,
            headers: self.headers,
        }))
    }

    /// Where an endpoint is. One that is configured wins; a discovered one gives way to its mTLS
    /// alias where this client has to use it (REQ-DISC-14).
    fn address(&self, endpoint: Endpoint) -> Option<Address> {
        let provider = &self.provider;
        let aliases = &provider.mtls_endpoint_aliases;
        let (pinned, published, alias) = match endpoint {
            Endpoint::BackchannelAuthentication => (
                &self.backchannel_endpoint,
                &provider.backchannel_authentication_endpoint,
                &aliases.backchannel_authentication_endpoint,
            ),
            Endpoint::Token => {
                (&self.token_endpoint, &provider.token_endpoint, &aliases.token_endpoint)
            }
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::Notification => return None,
        };
        let named = pinned.as_ref().or(published.as_ref())?.clone();
        let alias = alias.as_ref().filter(|_| pinned.is_none() && self.uses_alias(endpoint));
        Some(Address { called: alias.unwrap_or(&named).clone(), named })
    }

    /// Whether requests to the endpoint go to its alias, should there be one.
    pub(super) fn uses_alias(&self, endpoint: Endpoint) -> bool {
        let auth = self.auth.as_ref().unwrap_or(&ClientAuth::None);
        self.certificate.aliases_always || self.certificate.is_shown(auth, self.delivery, endpoint)
    }
}

/// An endpoint as it is called, and as audiences name it (REQ-DISC-15).
struct Address {
    called: Url,
    named: Url,
}

/// The backend that is used without being asked for. Both accept the same tokens; aws-lc-rs does so
/// in less time.
fn default_verifier() -> Option<Arc<dyn Verifier>> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(Arc::new(crate::crypto::AwsLcRs));
    #[cfg(all(feature = "rustcrypto", not(feature = "aws-lc-rs")))]
    return Some(Arc::new(crate::crypto::RustCrypto));
    #[cfg(not(any(feature = "rustcrypto", feature = "aws-lc-rs")))]
    return None;
}
