//! The builder of a configuration.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    auth::{Audience, ClientAuth},
    binding_message::BindingMessageRule,
    certificate::CertificateSubject,
    config::{AssertionRules, CertificateUse, ClientConfig, IdTokenRules, RegisteredDefaults},
    dpop::DpopOptions,
    id::ClientId,
    metadata_rule::MetadataRule,
    request_rules::{RequestObjectOptions, RequestStyle},
};
use crate::{
    crypto::Verifier,
    jose::JwsAlgorithm,
    person::PersonRules,
    policy::Policy,
    profile::Profile,
    time::Timestamp,
    url::Url,
    wire::{
        Headers,
        metadata::{DeliveryMode, ProviderMetadata},
    },
};

/// A builder of a [`ClientConfig`]. Nothing is checked before [`Self::build`].
#[derive(Debug, Clone)]
#[must_use = "call build() to create the configuration"]
pub struct ClientConfigBuilder {
    pub(super) provider: ProviderMetadata,
    pub(super) client_id: ClientId,
    pub(super) delivery: DeliveryMode,
    pub(super) notification_endpoint: Option<Url>,
    pub(super) auth: Option<ClientAuth>,
    pub(super) backchannel_endpoint: Option<Url>,
    pub(super) token_endpoint: Option<Url>,
    pub(super) jwks_uri: Option<Url>,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) revocation_endpoint: Option<Url>,
    pub(super) userinfo_algorithm: Option<JwsAlgorithm>,
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
    pub(super) dpop: DpopOptions,
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
    /// Whether the algorithm of ID Tokens was set. Otherwise it is RS256.
    pub(super) names_id_token_algorithm: bool,
    /// Whether request signing was derived from the profile.
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
            userinfo_endpoint: None,
            revocation_endpoint: None,
            userinfo_algorithm: None,
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
            dpop: DpopOptions::default(),
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

    /// Sets the profile that the configuration must follow in addition to CIBA Core. The default is
    /// [`Profile::Plain`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Sets the registered `backchannel_token_delivery_mode`. The default is poll.
    // REQ-META-01
    pub fn delivery(mut self, mode: DeliveryMode) -> Self {
        self.delivery = mode;
        self
    }

    /// Sets the registered `backchannel_client_notification_endpoint`, which is required in ping and
    /// push mode and rejected in poll mode ([CIBA Core 4]).
    ///
    /// [CIBA Core 4]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.4
    // REQ-META-04, REQ-META-05
    pub fn notification_endpoint(mut self, url: Url) -> Self {
        self.notification_endpoint = Some(url);
        self
    }

    /// Sets the registered `token_endpoint_auth_method`, which applies to both endpoints. There is
    /// no default.
    // REQ-META-09
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Sets the backchannel authentication endpoint. It takes precedence over the metadata and its
    /// mTLS aliases.
    // DV-24
    pub fn backchannel_endpoint(mut self, url: Url) -> Self {
        self.backchannel_endpoint = Some(url);
        self
    }

    /// Sets the token endpoint. It takes precedence over the metadata and its mTLS aliases.
    pub fn token_endpoint(mut self, url: Url) -> Self {
        self.token_endpoint = Some(url);
        self
    }

    /// Sets the URL of the key set. It takes precedence over the metadata.
    pub fn jwks_uri(mut self, url: Url) -> Self {
        self.jwks_uri = Some(url);
        self
    }

    /// Declares that the issuer's keys come from
    /// [`KeySet::pinned`](crate::jose::KeySet::pinned), so that no key set URL is required.
    // REQ-JWKS-23
    pub fn pinned_keys(mut self) -> Self {
        self.pinned_keys = true;
        self
    }

    /// Sets the audience of client assertions for the backchannel endpoint. The default is the
    /// issuer.
    // Ruling 8.
    pub fn backchannel_audience(mut self, audience: Audience) -> Self {
        self.backchannel_audience = audience;
        self
    }

    /// Sets the audience of client assertions for the token endpoint. The default is the issuer.
    // Ruling 8.
    pub fn token_audience(mut self, audience: Audience) -> Self {
        self.token_audience = audience;
        self
    }

    /// Sets the lifetime of client assertions, in whole seconds from 1 to 300. The default is 60.
    // REQ-AUTH-13
    pub fn assertion_lifetime(mut self, lifetime: Duration) -> Self {
        self.assertion.lifetime = lifetime;
        self
    }

    /// Sets how far `iat` of a client assertion is backdated, for providers whose clocks are slow:
    /// whole seconds, at most 60 and less than the lifetime. The default is zero.
    // REQ-AUTH-14
    pub fn assertion_backdating(mut self, backdating: Duration) -> Self {
        self.assertion.backdating = backdating;
        self
    }

    /// Sets the `typ` header of client assertions. The default is none.
    // REQ-AUTH-18
    pub fn assertion_typ(mut self, typ: impl Into<String>) -> Self {
        self.assertion.typ = Some(typ.into());
        self
    }

    /// Sends `client_id` in the body in addition to an assertion or Basic, for providers that
    /// require it.
    // REQ-AUTH-17
    pub fn body_client_id(mut self) -> Self {
        self.body_client_id = true;
        self
    }

    /// Signs every authentication request with the given algorithm, the registered
    /// `backchannel_authentication_request_signing_alg` ([CIBA Core 7.1.1]).
    ///
    /// The signer holds the private key. The key id is sent if it is known. If the profile requires
    /// signed requests, the key and algorithm of `private_key_jwt` are the default.
    ///
    /// [CIBA Core 7.1.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.1
    // REQ-META-06, REQ-SIGN-11
    pub fn signed_requests(mut self, algorithm: JwsAlgorithm, key_id: Option<Arc<str>>) -> Self {
        self.request_signing = Some((algorithm, key_id));
        self
    }

    /// Declares that the provider accepts only signed requests, so that building fails without
    /// [`Self::signed_requests`].
    // DV-40
    pub fn signed_requests_only(mut self) -> Self {
        self.signed_requests_only = true;
        self
    }

    /// Sets the provider's rule for `binding_message`. The default accepts any message without
    /// control characters.
    // DV-28
    pub fn binding_messages(mut self, rule: BindingMessageRule) -> Self {
        self.request_style.binding_message = rule;
        self
    }

    /// Sends the requested lifetime as `request_expiry`, for providers that do not know
    /// `requested_expiry`.
    // DV-29
    pub fn request_expiry(mut self) -> Self {
        self.request_style.request_expiry = true;
        self
    }

    /// Sends `grant_type` in the authentication request as well, for providers that expect it.
    pub fn request_grant_type(mut self) -> Self {
        self.request_style.grant_type = true;
        self
    }

    /// Sets the audience of signed requests. The default is the issuer.
    // REQ-SIGN-04
    pub fn request_audience(mut self, audience: Audience) -> Self {
        self.request_audience = audience;
        self
    }

    /// Sets the lifetime of signed requests, `exp` minus `iat`, in whole seconds. The default is
    /// 300; `exp` minus `nbf` may be at most 3600.
    // REQ-SIGN-05
    pub fn request_lifetime(mut self, lifetime: Duration) -> Self {
        self.request_options.lifetime = lifetime;
        self
    }

    /// Sets how far `iat` of a signed request is backdated, for providers whose clocks are slow:
    /// whole seconds, at most 60 and less than the lifetime. The default is zero.
    // REQ-SIGN-06
    pub fn request_backdating(mut self, backdating: Duration) -> Self {
        self.request_options.backdating = backdating;
        self
    }

    /// Sets how long `nbf` of a signed request is before `iat`, in whole seconds. The default is 10.
    /// `nbf` may be at most 3600 seconds in the past.
    // REQ-SIGN-07
    pub fn request_not_before(mut self, before: Duration) -> Self {
        self.request_options.not_before = before;
        self
    }

    /// Omits the `typ` header `oauth-authz-req+jwt` of signed requests, for providers that do not
    /// know it.
    // REQ-SIGN-15
    pub fn request_without_typ(mut self) -> Self {
        self.request_options.typ = false;
        self
    }

    /// Adds the claim `client_id` to signed requests, for providers that require it.
    // REQ-SIGN-19
    pub fn request_client_id_claim(mut self) -> Self {
        self.request_options.client_id_claim = true;
        self
    }

    /// Writes `requested_expiry` of signed requests as a JSON number. The default is a string.
    // REQ-SIGN-16
    pub fn request_numeric_expiry(mut self) -> Self {
        self.request_options.numeric_expiry = true;
        self
    }

    /// Declares that the client is registered with `tls_client_certificate_bound_access_tokens`
    /// ([RFC 8705 section 3.4]).
    ///
    /// The certificate is then presented to the token endpoint, and in push mode to the backchannel
    /// authentication endpoint, whatever the authentication method is.
    ///
    /// [RFC 8705 section 3.4]: https://www.rfc-editor.org/rfc/rfc8705#section-3.4
    // REQ-AUTH-27, REQ-POP-16
    pub fn certificate_bound_tokens(mut self) -> Self {
        self.certificate.bound_tokens = true;
        self
    }

    /// Declares that the client is registered with `use_mtls_endpoint_aliases`
    /// (FAPI 2.0 Security Profile 5.2.2.1.1): the aliases are used for every request, even if no
    /// certificate is presented.
    // REQ-FAPI-21
    pub fn use_mtls_endpoint_aliases(mut self) -> Self {
        self.certificate.aliases_always = true;
        self
    }

    /// Sets the certificate subject to register for `tls_client_auth`. There is exactly one.
    // REQ-META-19
    pub fn certificate_subject(mut self, subject: CertificateSubject) -> Self {
        self.certificate.subject = Some(subject);
        self
    }

    /// Adds a certificate in DER to register for `self_signed_tls_client_auth`, as a key with `x5c`
    /// ([RFC 8705 section 2.2.2]). Can be called repeatedly, for a change of certificates.
    ///
    /// [RFC 8705 section 2.2.2]: https://www.rfc-editor.org/rfc/rfc8705#section-2.2.2
    // REQ-META-18
    pub fn certificate(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(der.into());
        self
    }

    /// Declares that the client is registered with `backchannel_user_code_parameter`.
    // REQ-META-08
    pub fn user_codes(mut self) -> Self {
        self.user_codes = true;
        self
    }

    /// Sets the UserInfo endpoint instead of the provider's `userinfo_endpoint`
    /// ([OIDC Core 5.3]).
    ///
    /// [OIDC Core 5.3]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.5.3
    pub fn userinfo_endpoint(mut self, url: Url) -> Self {
        self.userinfo_endpoint = Some(url);
        self
    }

    /// Sets the revocation endpoint instead of the provider's `revocation_endpoint` ([RFC 7009]).
    ///
    /// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
    pub fn revocation_endpoint(mut self, url: Url) -> Self {
        self.revocation_endpoint = Some(url);
        self
    }

    /// Sets the registered `userinfo_signed_response_alg` ([OIDC Core 5.3.2]).
    ///
    /// UserInfo answers must then be signed with it, and a plain one is refused. Without it they
    /// must be plain JSON. With an HMAC, UserInfo cannot be used.
    ///
    /// [OIDC Core 5.3.2]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.5.3.2
    // REQ-TOK-34
    pub fn userinfo_algorithm(mut self, algorithm: JwsAlgorithm) -> Self {
        self.userinfo_algorithm = Some(algorithm);
        self
    }

    /// Sets the registered `id_token_signed_response_alg`. The default is RS256.
    ///
    /// FAPI-CIBA does not allow RS256, so this is required with that profile.
    // REQ-META-11
    pub fn id_token_algorithm(mut self, algorithm: JwsAlgorithm) -> Self {
        self.id_token.algorithm = algorithm;
        // A profile may require that the default was confirmed.
        self.names_id_token_algorithm = true;
        self
    }

    /// Adds an audience that ID Tokens may have in addition to the client id. Can be called
    /// repeatedly.
    // REQ-IDT-13
    pub fn trusted_audience(mut self, audience: impl Into<String>) -> Self {
        self.id_token.trusted_audiences.push(audience.into());
        self
    }

    /// Sets the clock skew allowed for ID Tokens, at most 300 seconds. The default is 60 seconds.
    // REQ-IDT-22
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.id_token.skew = skew;
        self
    }

    /// Sets the maximum age of `iat` of an ID Token. The default is 10 minutes.
    // REQ-IDT-19
    pub fn max_token_age(mut self, age: Duration) -> Self {
        self.id_token.max_age = age;
        self
    }

    /// Declares that the client is registered with `require_auth_time`.
    // REQ-META-22
    pub fn require_auth_time(mut self) -> Self {
        self.registered.require_auth_time = true;
        self
    }

    /// Sets the registered `default_max_age`.
    // REQ-META-22
    pub fn default_max_age(mut self, age: Duration) -> Self {
        self.registered.max_age = Some(age);
        self
    }

    /// Sets the registered `default_acr_values`, which count as requested by requests that set none.
    // REQ-META-22
    pub fn default_acr_values<V: Into<String>>(
        mut self,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.registered.acr_values = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the `client_secret_expires_at` of the registration; the epoch means never. No flow can
    /// be started with an expired secret.
    // REQ-META-24
    pub fn client_secret_expires_at(mut self, instant: Timestamp) -> Self {
        // OIDC Registration 3.2: zero means that the secret does not expire.
        self.secret_expires_at = Some(instant).filter(|instant| *instant != Timestamp::EPOCH);
        self
    }

    /// Sets the options for timing, limits and tolerated deviations.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the cryptography backend that verifies signatures.
    ///
    /// The default is `AwsLcRs` with the feature `aws-lc-rs`, otherwise `RustCrypto` with the
    /// feature `rustcrypto`. Without either feature it is required.
    pub fn verifier(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Adds a public key of the client to register, as a JWK such as
    /// [`SoftwareKey::public_jwk`](crate::SoftwareKey::public_jwk) returns. Can be called
    /// repeatedly.
    pub fn public_key(mut self, jwk: impl Into<String>) -> Self {
        self.public_keys.push(jwk.into());
        self
    }

    /// Skips a check of the configuration against the provider's metadata.
    pub fn dangerously_ignore_metadata(mut self, rule: MetadataRule) -> Self {
        self.ignored.push(rule);
        self
    }
}

impl ClientConfig {
    /// Begins the configuration of one client at one provider.
    pub fn builder(provider: ProviderMetadata, client_id: ClientId) -> ClientConfigBuilder {
        ClientConfigBuilder::new(provider, client_id)
    }
}
