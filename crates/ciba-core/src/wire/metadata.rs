//! The provider's metadata document (OIDC Discovery 3 and 4, RFC 8414 3, CIBA 4).

use alloc::{string::String, vec::Vec};

use crate::{
    error::{Fault, Untrusted},
    issuer::Issuer,
    jose::JwsAlgorithm,
    url::Url,
    wire::Members,
};

/// How the result of an authentication reaches the client (CIBA 5). A client is registered for exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryMode {
    /// The client asks the token endpoint until there is an answer.
    Poll,
    /// The provider tells the client when to ask.
    Ping,
    /// The provider delivers the tokens to the client.
    Push,
}

impl DeliveryMode {
    /// The registered name, as in `backchannel_token_delivery_mode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping => "ping",
            Self::Push => "push",
        }
    }

    /// The mode of that exact name (REQ-META-01).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Poll, Self::Ping, Self::Push].into_iter().find(|mode| mode.name() == name)
    }
}

/// What a provider offers, from its metadata document or made by hand.
///
/// A list that is `None` was not published and says nothing; the pre-flight of
/// [`ClientConfigBuilder::build`](crate::ClientConfigBuilder::build) checks against the lists that are there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderMetadata {
    /// The issuer; token `iss` values are compared with it byte by byte.
    pub issuer: Issuer,
    /// The backchannel authentication endpoint (CIBA 4).
    pub backchannel_authentication_endpoint: Option<Url>,
    /// The token endpoint.
    pub token_endpoint: Option<Url>,
    /// Where the key set is.
    pub jwks_uri: Option<Url>,
    /// `backchannel_token_delivery_modes_supported`.
    pub delivery_modes: Option<Vec<DeliveryMode>>,
    /// `token_endpoint_auth_methods_supported`, also for the backchannel endpoint (CIBA 4).
    pub auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`; unknown names are dropped.
    pub auth_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `id_token_signing_alg_values_supported`; unknown names are dropped.
    pub id_token_signing_algs: Option<Vec<JwsAlgorithm>>,
    /// `backchannel_user_code_parameter_supported` (CIBA 4).
    pub user_code_supported: bool,
    /// `grant_types_supported`.
    pub grant_types: Option<Vec<String>>,
    /// `scopes_supported`.
    pub scopes: Option<Vec<String>>,
    /// `acr_values_supported`.
    pub acr_values: Option<Vec<String>>,
    /// `authorization_details_types_supported` (RFC 9396 10).
    pub authorization_details_types: Option<Vec<String>>,
    /// All other members, as received.
    pub extra: Members,
    /// Whether it comes from the provider's own document.
    pub(crate) published: bool,
}

impl ProviderMetadata {
    /// Hand-made metadata: fill in the endpoints (REQ-DISC-25).
    #[must_use]
    pub fn by_hand(issuer: Issuer) -> Self {
        Self {
            issuer,
            backchannel_authentication_endpoint: None,
            token_endpoint: None,
            jwks_uri: None,
            delivery_modes: None,
            auth_methods: None,
            auth_signing_algs: None,
            id_token_signing_algs: None,
            user_code_supported: false,
            grant_types: None,
            scopes: None,
            acr_values: None,
            authorization_details_types: None,
            extra: Members::default(),
            published: false,
        }
    }

    /// Reads a metadata document that must be of this issuer.
    ///
    /// # Errors
    ///
    /// [`MetadataError`]; nothing of the document is used then (REQ-DISC-04).
    pub fn from_json(issuer: &Issuer, document: &[u8]) -> Result<Self, MetadataError> {
        let _ = (issuer, document);
        todo!()
    }
}

/// Why a metadata document is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataError {
    /// It is malformed.
    Unusable(Fault),
    /// It is another issuer's.
    Untrusted(Untrusted),
}
