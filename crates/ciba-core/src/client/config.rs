//! The configuration of a client.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use super::{
    auth::ClientAuth,
    certificate::CertificateSubject,
    dpop::DpopRules,
    id::ClientId,
    request_rules::{RequestObjectRules, RequestStyle},
};
use crate::{
    crypto::Verifier,
    endpoint::Endpoint,
    expect::AcrRule,
    issuer::Issuer,
    jose::JwsAlgorithm,
    json::JsonObject,
    person::PersonRules,
    policy::Policy,
    profile::Profile,
    time::Timestamp,
    url::Url,
    wire::{Headers, metadata::DeliveryMode, token::TokenRules},
};

/// The configuration of one client at one provider.
///
/// It is immutable and cheap to share.
#[derive(Debug)]
pub struct ClientConfig {
    pub(crate) issuer: Issuer,
    pub(crate) client_id: ClientId,
    pub(crate) delivery: DeliveryMode,
    /// The URL to which the provider sends notifications, in ping and push mode.
    // REQ-META-04
    pub(crate) notification_endpoint: Option<Url>,
    /// The endpoint to call, which is the mTLS alias if this client must use it.
    // REQ-DISC-14; the same holds for `token_endpoint`.
    pub(crate) backchannel_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Option<Url>,
    pub(crate) userinfo_endpoint: Option<Url>,
    pub(crate) revocation_endpoint: Option<Url>,
    /// The registered `userinfo_signed_response_alg`; `None` if answers are not signed.
    // REQ-TOK-34
    pub(crate) userinfo_algorithm: Option<JwsAlgorithm>,
    pub(crate) auth: ClientAuth,
    pub(crate) audiences: Audiences,
    pub(crate) assertion: AssertionRules,
    /// How authentication requests are signed; `None` if they are not.
    // REQ-META-06
    pub(crate) request_object: Option<RequestObjectRules>,
    /// The provider's preferences for requests.
    pub(crate) request_style: RequestStyle,
    /// Whether the body contains `client_id` in addition to an assertion or Basic.
    // REQ-AUTH-17
    pub(crate) body_client_id: bool,
    pub(crate) user_codes: bool,
    /// `authorization_details_types_supported`, if published.
    pub(crate) authorization_details_types: Option<Vec<String>>,
    pub(crate) id_token: IdTokenRules,
    pub(crate) registered: RegisteredDefaults,
    /// How persons and eIDs are compared, for every request.
    pub(crate) persons: PersonRules,
    /// When the client secret expires; `None` if it never does.
    // REQ-META-24
    pub(crate) secret_expires_at: Option<Timestamp>,
    pub(crate) policy: Policy,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) profile: Profile,
    pub(super) certificate: CertificateUse,
    /// How proofs are made, if tokens are bound to a key.
    pub(crate) dpop: Option<DpopRules>,
    pub(super) public_keys: Vec<JsonObject>,
    /// Header fields sent with every request.
    pub(crate) headers: Headers,
}

/// The audience of assertions for each endpoint.
// REQ-AUTH-10. An mTLS alias does not change it (REQ-DISC-15).
#[derive(Debug)]
pub(crate) struct Audiences {
    pub(crate) backchannel: String,
    pub(crate) token: String,
}

/// The uses of the client certificate.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificateUse {
    /// `tls_client_certificate_bound_access_tokens` (RFC 8705 section 3.4).
    pub(super) bound_tokens: bool,
    /// `use_mtls_endpoint_aliases` (FAPI 2.0 Security Profile 5.2.2.1.1).
    pub(super) aliases_always: bool,
    /// The registered subject for `tls_client_auth`.
    pub(super) subject: Option<CertificateSubject>,
}

/// The options of client assertions.
#[derive(Debug, Clone)]
pub(crate) struct AssertionRules {
    /// `exp` minus `iat`; 60 seconds by default, at most 300.
    // REQ-AUTH-13
    pub(crate) lifetime: Duration,
    /// How far `iat` is in the past; zero by default.
    // REQ-AUTH-14
    pub(crate) backdating: Duration,
    /// The `typ` header; none by default.
    // REQ-AUTH-18
    pub(crate) typ: Option<String>,
}

/// The rules for every ID Token of this client.
#[derive(Debug, Clone)]
pub(crate) struct IdTokenRules {
    /// The registered `id_token_signed_response_alg`; RS256 by default.
    // REQ-META-11
    pub(crate) algorithm: JwsAlgorithm,
    /// Audiences that are accepted in addition to the client id.
    // REQ-IDT-13
    pub(crate) trusted_audiences: Vec<String>,
    /// The allowed clock skew; 60 seconds by default, at most 300.
    // REQ-IDT-22
    pub(crate) skew: Duration,
    /// The maximum age of `iat`; 10 minutes by default.
    // REQ-IDT-19
    pub(crate) max_age: Duration,
    /// How `acr` is compared with the requested values, unless a request sets it.
    pub(crate) acr: Option<AcrRule>,
    /// Whether HMACs are rejected, because the provider makes them with a key that no client has.
    pub(crate) macs_refused: bool,
}

/// Values that were registered for every request of this client and therefore count as requested.
// REQ-META-22
#[derive(Debug, Clone, Default)]
pub(crate) struct RegisteredDefaults {
    pub(crate) require_auth_time: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) acr_values: Vec<String>,
}

impl ClientConfig {
    /// Returns the issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Returns the client id.
    #[must_use]
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// Returns the delivery mode for which the client is registered.
    // REQ-META-01
    #[must_use]
    pub const fn delivery(&self) -> DeliveryMode {
        self.delivery
    }

    /// Returns the notification endpoint of this client in ping and push mode ([CIBA Core 9]).
    ///
    /// [CIBA Core 9]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.9
    #[must_use]
    pub const fn notification_endpoint(&self) -> Option<&Url> {
        self.notification_endpoint.as_ref()
    }

    /// Returns the registered `backchannel_authentication_request_signing_alg`. If there is one,
    /// every authentication request is signed with it; otherwise none is signed.
    // REQ-META-06
    #[must_use]
    pub fn request_signing_algorithm(&self) -> Option<JwsAlgorithm> {
        self.request_object.as_ref().map(|rules| rules.algorithm)
    }

    /// Returns whether the client certificate must be presented to an endpoint.
    ///
    /// If the client authenticates with it, this is so for the backchannel authentication and the
    /// token endpoint. For bound tokens only, it is so for the token endpoint, and in push mode for
    /// the backchannel authentication endpoint. The revocation endpoint sees it if the client
    /// authenticates with it, and the UserInfo endpoint if tokens are bound. It is never so for
    /// metadata and key sets.
    // REQ-AUTH-24, REQ-AUTH-27, REQ-POP-16, REQ-POP-21
    #[must_use]
    pub const fn presents_certificate(&self, endpoint: Endpoint) -> bool {
        self.certificate.is_shown(&self.auth, self.delivery, endpoint)
    }

    /// Returns whether tokens are bound to the client certificate ([RFC 8705 section 3]).
    ///
    /// [RFC 8705 section 3]: https://www.rfc-editor.org/rfc/rfc8705#section-3
    #[must_use]
    pub const fn binds_to_certificate(&self) -> bool {
        self.certificate.bound_tokens
    }

    /// Returns the algorithm of DPoP proofs, if tokens are bound to a key ([RFC 9449]).
    ///
    /// [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
    #[must_use]
    pub fn dpop_algorithm(&self) -> Option<JwsAlgorithm> {
        self.dpop.as_ref().map(|rules| rules.algorithm)
    }

    /// Returns the thumbprint of the key to which tokens are bound, as in `cnf.jkt`
    /// ([RFC 9449 section 6.1]).
    ///
    /// [RFC 9449 section 6.1]: https://www.rfc-editor.org/rfc/rfc9449#section-6.1
    #[must_use]
    pub fn dpop_thumbprint(&self) -> Option<&str> {
        self.dpop.as_ref().map(|rules| &*rules.thumbprint)
    }

    /// Returns the rules for the proof of a request to an endpoint, if it carries one.
    // REQ-POP-06, REQ-POP-16
    pub(crate) fn proof_rules(&self, endpoint: Endpoint) -> Option<&DpopRules> {
        self.dpop.as_ref().filter(|rules| match endpoint {
            Endpoint::BackchannelAuthentication => {
                // A push client makes no token request, so only this request can bind its tokens.
                rules.on_authentication || self.delivery == DeliveryMode::Push
            }
            Endpoint::Token => true,
            // A revocation issues no tokens, and UserInfo refuses bound ones before it sends.
            Endpoint::UserInfo
            | Endpoint::Revocation
            | Endpoint::Discovery
            | Endpoint::KeySet
            | Endpoint::Notification => false,
        })
    }

    /// Returns the URL that requests to an endpoint of the authorization server call.
    pub(crate) const fn url(&self, endpoint: Endpoint) -> Option<&Url> {
        match endpoint {
            Endpoint::BackchannelAuthentication => Some(&self.backchannel_endpoint),
            Endpoint::Token => Some(&self.token_endpoint),
            Endpoint::UserInfo => self.userinfo_endpoint.as_ref(),
            Endpoint::Revocation => self.revocation_endpoint.as_ref(),
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::Notification => None,
        }
    }

    /// Returns the rules for reading the tokens of this client.
    pub(crate) fn token_rules(&self, id_token_required: bool) -> TokenRules<'_> {
        TokenRules {
            bound_to_key: self.dpop.is_some(),
            ..self.policy.token_rules(id_token_required)
        }
    }

    /// Returns the profile against which the configuration was checked.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns how the client authenticates at both endpoints.
    // REQ-META-09
    #[must_use]
    pub const fn auth(&self) -> &ClientAuth {
        &self.auth
    }

    /// Returns the URL for authentication requests, which is the mTLS alias if this client must use
    /// it.
    // REQ-DISC-14
    #[must_use]
    pub const fn backchannel_endpoint(&self) -> &Url {
        &self.backchannel_endpoint
    }

    /// Returns the URL for token requests, which is the mTLS alias if this client must use it.
    // REQ-DISC-14
    #[must_use]
    pub const fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Returns the URL of the UserInfo endpoint, if the provider has one. It is the mTLS alias if
    /// this client must use it.
    #[must_use]
    pub const fn userinfo_endpoint(&self) -> Option<&Url> {
        self.userinfo_endpoint.as_ref()
    }

    /// Returns the URL of the revocation endpoint, if the provider has one. It is the mTLS alias if
    /// this client must use it.
    #[must_use]
    pub const fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_ref()
    }

    /// Returns the URL of the issuer's key set, unless keys are pinned.
    #[must_use]
    pub const fn jwks_uri(&self) -> Option<&Url> {
        self.jwks_uri.as_ref()
    }

    /// Returns the only algorithm with which ID Tokens may be signed.
    #[must_use]
    pub const fn id_token_algorithm(&self) -> JwsAlgorithm {
        self.id_token.algorithm
    }

    /// Returns the cryptography backend that verifies signatures.
    #[must_use]
    pub const fn verifier(&self) -> &Arc<dyn Verifier> {
        &self.verifier
    }

    /// Returns the options for timing, limits and tolerated deviations.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl CertificateUse {
    pub(super) const fn is_shown(
        &self,
        auth: &ClientAuth,
        delivery: DeliveryMode,
        endpoint: Endpoint,
    ) -> bool {
        let is_push = matches!(delivery, DeliveryMode::Push);
        match endpoint {
            Endpoint::BackchannelAuthentication => {
                // A push client makes no token request, so only this handshake can bind its tokens.
                auth.is_mutual_tls() || (self.bound_tokens && is_push)
            }
            Endpoint::Token => auth.is_mutual_tls() || self.bound_tokens,
            Endpoint::Revocation => auth.is_mutual_tls(),
            // The client does not authenticate there, but its token may be bound.
            Endpoint::UserInfo => self.bound_tokens,
            // Public documents, and a request that the provider makes.
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::Notification => false,
        }
    }
}
