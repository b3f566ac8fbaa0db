//! The checks against the provider's metadata, each of which can be skipped.

/// A check of the configuration against the provider's metadata.
///
/// Each can be skipped if the metadata is known to be wrong. Skipping it does not change what is
/// accepted later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetadataRule {
    /// `backchannel_token_delivery_modes_supported` is published and lists the client's mode.
    // REQ-DISC-06, REQ-DISC-07
    DeliveryMode,
    /// `token_endpoint_auth_methods_supported` lists the method.
    // REQ-DISC-11
    AuthenticationMethod,
    /// `token_endpoint_auth_signing_alg_values_supported` lists the algorithm of assertions.
    // REQ-DISC-11
    AuthenticationAlgorithm,
    /// `id_token_signing_alg_values_supported` lists the algorithm of ID Tokens.
    // REQ-DISC-12
    IdTokenAlgorithm,
    /// `backchannel_authentication_request_signing_alg_values_supported` is published and lists the
    /// algorithm of signed requests.
    // REQ-DISC-08
    RequestAlgorithm,
    /// `tls_client_certificate_bound_access_tokens` is not false ([RFC 8705 section 3.3]).
    ///
    /// [RFC 8705 section 3.3]: https://www.rfc-editor.org/rfc/rfc8705#section-3.3
    CertificateBoundTokens,
    /// `backchannel_user_code_parameter_supported` is true.
    // REQ-DISC-09
    UserCodes,
    /// No URL of the document has an internal address
    /// ([`Url::is_internal`](crate::http::Url::is_internal)), except on the host of the issuer.
    ///
    /// A document must not make the client call services of the network in which it runs
    /// ([RFC 8725 section 3.10]).
    ///
    /// [RFC 8725 section 3.10]: https://www.rfc-editor.org/rfc/rfc8725#section-3.10
    InternalAddress,
}

impl MetadataRule {
    /// All rules.
    pub const ALL: [Self; 8] = [
        Self::DeliveryMode,
        Self::AuthenticationMethod,
        Self::AuthenticationAlgorithm,
        Self::IdTokenAlgorithm,
        Self::RequestAlgorithm,
        Self::CertificateBoundTokens,
        Self::UserCodes,
        Self::InternalAddress,
    ];

    /// Returns the kebab-case name, as used on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeliveryMode => "delivery-mode",
            Self::AuthenticationMethod => "authentication-method",
            Self::AuthenticationAlgorithm => "authentication-algorithm",
            Self::IdTokenAlgorithm => "id-token-algorithm",
            Self::RequestAlgorithm => "request-algorithm",
            Self::CertificateBoundTokens => "certificate-bound-tokens",
            Self::UserCodes => "user-codes",
            Self::InternalAddress => "internal-address",
        }
    }
}
