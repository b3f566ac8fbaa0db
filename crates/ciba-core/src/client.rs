//! Who we are to one provider: the configuration every flow shares, checked once when it is built.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    client_auth::{Audience, ClientAuth},
    crypto::Verifier,
    issuer::Issuer,
    jose::JwsAlgorithm,
    policy::Policy,
    url::Url,
    wire::metadata::DeliveryMode,
};

/// A client id: non-empty, visible ASCII (RFC 6749 appendix A.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
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
    pub(crate) backchannel_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) auth: ClientAuth,
    pub(crate) backchannel_audience: Audience,
    pub(crate) token_audience: Audience,
    /// Lifetime of a client assertion; 60 s by default, at most 300 s (REQ-AUTH-13).
    pub(crate) assertion_lifetime: Duration,
    /// Whether `client_id` goes into the body beside an assertion or Basic (REQ-AUTH-17).
    pub(crate) body_client_id: bool,
    pub(crate) id_token: IdTokenRules,
    pub(crate) policy: Policy,
    pub(crate) verifier: Arc<dyn Verifier>,
}

impl ClientConfig {
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

    /// Where the issuer's key set is, unless keys are pinned.
    #[must_use]
    pub const fn jwks_uri(&self) -> Option<&Url> {
        self.jwks_uri.as_ref()
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
}
