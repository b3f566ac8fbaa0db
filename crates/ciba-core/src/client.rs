//! Who we are to one provider: the configuration every flow shares, checked once when it is built.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    client_auth::ClientAuth,
    crypto::Verifier,
    endpoint::Endpoint,
    expect::AcrRule,
    issuer::Issuer,
    jose::JwsAlgorithm,
    json::JsonObject,
    person::PersonRules,
    policy::Policy,
    profile::Profile,
    request::RequestStyle,
    request_object::RequestObjectRules,
    time::Timestamp,
    url::Url,
    wire::{
        Headers,
        metadata::{DeliveryMode, ProviderMetadata},
    },
};

mod addresses;
mod builder;
mod certificate;
mod check;
mod config_error;
mod equipment;
mod fapi;
mod options;
mod registration;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use builder::ClientConfigBuilder;
pub use certificate::CertificateSubject;
pub use check::MetadataRule;
pub use config_error::{ConfigError, ConfigErrors};
pub use equipment::{Equipment, Lacking};

/// A client id: non-empty, visible ASCII and blanks (RFC 6749 appendix A.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Takes a client id as the provider issued it.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] when it is empty or has other characters.
    pub fn new(id: impl AsRef<str>) -> Result<Self, ConfigError> {
        let id = id.as_ref();
        if id.is_empty() || !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(ConfigError::Invalid {
                member: "client_id",
                reason: "it is empty or not printable ASCII",
            });
        }
        Ok(Self(id.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One client at one provider. Cheap to share, no type parameters, never changes.
#[derive(Debug)]
pub struct ClientConfig {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: ClientId,
    pub(crate) delivery: DeliveryMode,
    /// Where providers report to; there in ping and push mode (REQ-META-04).
    pub(crate) notification_endpoint: Option<Url>,
    /// The mTLS alias where this client has to use it (REQ-DISC-14); so is the next.
    pub(crate) backchannel_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) auth: ClientAuth,
    pub(crate) audiences: Audiences,
    pub(crate) assertion: AssertionRules,
    /// How authentication requests are signed; `None` when they never are (REQ-META-06).
    pub(crate) request_object: Option<RequestObjectRules>,
    /// How this provider wants its requests written.
    pub(crate) request_style: RequestStyle,
    /// Whether `client_id` goes into the body beside an assertion or Basic (REQ-AUTH-17).
    pub(crate) body_client_id: bool,
    pub(crate) user_codes: bool,
    /// `authorization_details_types_supported`, when published.
    pub(crate) authorization_details_types: Option<Vec<String>>,
    pub(crate) id_token: IdTokenRules,
    pub(crate) registered: RegisteredDefaults,
    /// How persons and eIDs are compared, whatever a request says.
    pub(crate) persons: PersonRules,
    /// When the client secret ends; `None` when it never does (REQ-META-24).
    pub(crate) secret_expires_at: Option<Timestamp>,
    pub(crate) policy: Policy,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) profile: Profile,
    certificate: CertificateUse,
    public_keys: Vec<JsonObject>,
    /// Sent with every request.
    pub(crate) headers: Headers,
}

/// The audience of what is signed for each endpoint (REQ-AUTH-10). An mTLS alias changes none
/// (REQ-DISC-15).
#[derive(Debug)]
pub(crate) struct Audiences {
    pub(crate) backchannel: String,
    pub(crate) token: String,
}

/// What the client certificate is for.
#[derive(Debug, Clone, Default)]
struct CertificateUse {
    /// `tls_client_certificate_bound_access_tokens` (RFC 8705 3.4).
    bound_tokens: bool,
    /// `use_mtls_endpoint_aliases` (FAPI2SP 5.2.2.1.1).
    aliases_always: bool,
    /// Of `tls_client_auth`, as registered.
    subject: Option<CertificateSubject>,
}

/// How client assertions are made.
#[derive(Debug, Clone)]
pub(crate) struct AssertionRules {
    /// `exp` - `iat`; 60 s by default, at most 300 s (REQ-AUTH-13).
    pub(crate) lifetime: Duration,
    /// How far `iat` lies in the past; zero by default (REQ-AUTH-14).
    pub(crate) backdating: Duration,
    /// The `typ` header; none by default (REQ-AUTH-18).
    pub(crate) typ: Option<String>,
}

/// What every ID Token of this client is held to.
#[derive(Debug, Clone)]
pub(crate) struct IdTokenRules {
    /// The registered `id_token_signed_response_alg`; RS256 by default (REQ-META-11).
    pub(crate) algorithm: JwsAlgorithm,
    /// Audiences that may stand beside the client id (REQ-IDT-13).
    pub(crate) trusted_audiences: Vec<String>,
    /// 60 s by default, at most 300 s (REQ-IDT-22).
    pub(crate) skew: Duration,
    /// How old `iat` may be; 10 minutes by default (REQ-IDT-19).
    pub(crate) max_age: Duration,
    /// How `acr` is held to what was asked for, where a request does not say.
    pub(crate) acr: Option<AcrRule>,
    /// The provider's HMACs are made with a key that no client has.
    pub(crate) macs_refused: bool,
}

/// What was registered for every request of this client and so counts as asked for (REQ-META-22).
#[derive(Debug, Clone, Default)]
pub(crate) struct RegisteredDefaults {
    pub(crate) require_auth_time: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) acr_values: Vec<String>,
}

impl ClientConfig {
    /// Begins a configuration for one client at one provider.
    pub fn builder(provider: ProviderMetadata, client_id: ClientId) -> ClientConfigBuilder {
        ClientConfigBuilder::new(provider, client_id)
    }

    /// The issuer all of this is about.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The client id.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// How results reach this client: one mode, fixed at registration (REQ-META-01).
    #[must_use]
    pub const fn delivery(&self) -> DeliveryMode {
        self.delivery
    }

    /// Where this client takes notifications; there in ping and push mode (CIBA 4).
    #[must_use]
    pub const fn notification_endpoint(&self) -> Option<&Url> {
        self.notification_endpoint.as_ref()
    }

    /// The registered `backchannel_authentication_request_signing_alg`: when there is one, every
    /// authentication request is signed with it, and none otherwise (REQ-META-06).
    #[must_use]
    pub fn request_signing_algorithm(&self) -> Option<JwsAlgorithm> {
        self.request_object.as_ref().map(|rules| rules.algorithm)
    }

    /// Whether the client certificate is shown on exchanges with this endpoint: at both where it is
    /// the authentication; for bound tokens at the token endpoint, or in push mode at the
    /// backchannel authentication endpoint (REQ-AUTH-24,
    /// REQ-AUTH-27, REQ-POP-16). Never where metadata and keys are fetched (REQ-POP-21).
    #[must_use]
    pub const fn presents_certificate(&self, endpoint: Endpoint) -> bool {
        self.certificate.is_shown(&self.auth, self.delivery, endpoint)
    }

    /// The profile it was checked against.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// How the client authenticates, at both endpoints alike (REQ-META-09).
    #[must_use]
    pub const fn auth(&self) -> &ClientAuth {
        &self.auth
    }

    /// Where authentication requests go: the mTLS alias when this client has to use it
    /// (REQ-DISC-14).
    #[must_use]
    pub const fn backchannel_endpoint(&self) -> &Url {
        &self.backchannel_endpoint
    }

    /// Where token requests go: the mTLS alias when this client has to use it (REQ-DISC-14).
    #[must_use]
    pub const fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Where the issuer's key set is, unless keys are pinned.
    #[must_use]
    pub const fn jwks_uri(&self) -> Option<&Url> {
        self.jwks_uri.as_ref()
    }

    /// The one algorithm ID Tokens may be signed with.
    #[must_use]
    pub const fn id_token_algorithm(&self) -> JwsAlgorithm {
        self.id_token.algorithm
    }

    /// The cryptography backend that checks.
    #[must_use]
    pub const fn verifier(&self) -> &Arc<dyn Verifier> {
        &self.verifier
    }

    /// The choices about timing and tolerated deviations.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl CertificateUse {
    const fn is_shown(
        &self,
        auth: &ClientAuth,
        delivery: DeliveryMode,
        endpoint: Endpoint,
    ) -> bool {
        let is_push = matches!(delivery, DeliveryMode::Push);
        match endpoint {
            Endpoint::BackchannelAuthentication => {
                auth.is_mutual_tls() || (self.bound_tokens && is_push)
            }
            Endpoint::Token => auth.is_mutual_tls() || self.bound_tokens,
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::Notification => false,
        }
    }
}
