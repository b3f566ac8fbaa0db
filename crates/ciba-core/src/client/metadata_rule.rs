//! The checks against the provider's metadata, each of which can be skipped.

use crate::named::named;

named! {
    /// A check of the configuration against the provider's metadata.
    ///
    /// Each can be skipped if the metadata is known to be wrong. Skipping it does not change what
    /// is accepted later.
    #[non_exhaustive]
    pub enum MetadataRule {
        /// `backchannel_token_delivery_modes_supported` is published and lists the client's mode.
        // REQ-DISC-06, REQ-DISC-07
        DeliveryMode = "delivery-mode",
        /// `token_endpoint_auth_methods_supported` lists the method.
        // REQ-DISC-11
        AuthenticationMethod = "authentication-method",
        /// `token_endpoint_auth_signing_alg_values_supported` lists the algorithm of assertions.
        // REQ-DISC-11
        AuthenticationAlgorithm = "authentication-algorithm",
        /// `id_token_signing_alg_values_supported` lists the algorithm of ID Tokens.
        // REQ-DISC-12
        IdTokenAlgorithm = "id-token-algorithm",
        /// `backchannel_authentication_request_signing_alg_values_supported` is published and lists
        /// the algorithm of signed requests.
        // REQ-DISC-08
        RequestAlgorithm = "request-algorithm",
        /// `tls_client_certificate_bound_access_tokens` is not false ([RFC 8705 section 3.3]).
        ///
        /// [RFC 8705 section 3.3]: https://www.rfc-editor.org/rfc/rfc8705#section-3.3
        CertificateBoundTokens = "certificate-bound-tokens",
        /// `dpop_signing_alg_values_supported` lists the algorithm of DPoP proofs
        /// ([RFC 9449 section 5.1]).
        ///
        /// [RFC 9449 section 5.1]: https://www.rfc-editor.org/rfc/rfc9449#section-5.1
        // REQ-POP-07
        DpopAlgorithm = "dpop-algorithm",
        /// `backchannel_user_code_parameter_supported` is true.
        // REQ-DISC-09
        UserCodes = "user-codes",
        /// No URL of the document has an internal address
        /// ([`Url::is_internal`](crate::http::Url::is_internal)), except on the host of the issuer.
        ///
        /// A document must not make the client call services of the network in which it runs
        /// ([RFC 8725 section 3.10]).
        ///
        /// [RFC 8725 section 3.10]: https://www.rfc-editor.org/rfc/rfc8725#section-3.10
        InternalAddress = "internal-address",
    }
}
