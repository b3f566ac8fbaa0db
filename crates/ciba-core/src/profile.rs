//! Security profiles: a profile takes unsafe options away, and a configuration that breaks it is
//! not built.

use crate::jose::JwsAlgorithm;

/// Which rules a configuration is held to beyond CIBA Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// CIBA Core 1.0 and nothing more.
    #[default]
    Plain,
    /// FAPI-CIBA, in one of its editions.
    FapiCiba(FapiCiba),
}

/// An edition of the FAPI-CIBA profile.
///
/// All of them: a confidential client that authenticates with `private_key_jwt`, `tls_client_auth`
/// or `self_signed_tls_client_auth`; poll or ping, never push; certificate-bound access tokens; RSA
/// keys of 2048 bits or more; no http address; the issuer as the audience of signed requests; the
/// algorithm of ID Tokens is named; an `acr` that was asked for has to come back; and every request
/// has a binding message, `authorization_details` or the caller's word that it is unique
/// ([`AuthRequest::unique_context`](crate::AuthRequest::unique_context)).
///
/// Errors name the clauses of Implementer's Draft 1 and of the FAPI 1.0 and FAPI 2.0 texts behind
/// the editions.
///
/// | | signed requests | algorithms | audience of assertions | metadata |
/// |---|---|---|---|---|
/// | [`Self::Id1`] | always | PS256, ES256 | any | discovered or configured |
/// | [`Self::Draft03OnFapi1`] | recommended | PS256, ES256 | any | discovered or configured |
/// | [`Self::Draft03OnFapi2`] | no rule | PS256, ES256, EdDSA | the issuer | discovered only |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FapiCiba {
    /// Implementer's Draft 1 of 2019 on FAPI 1.0 Advanced: what certification tests.
    #[default]
    Id1,
    /// Working draft -03 on FAPI 1.0 Advanced: signed requests become a recommendation (4.1.1).
    Draft03OnFapi1,
    /// Working draft -03 on the FAPI 2.0 Security Profile: signed requests are left open, and EdDSA
    /// is allowed (FAPI2SP 5.4.1).
    Draft03OnFapi2,
}

impl FapiCiba {
    /// Whether an unsigned authentication request is against the edition (FAPI-CIBA 5.2.2 item 6,
    /// REQ-FAPI-03).
    #[must_use]
    pub const fn requires_signed_requests(self) -> bool {
        match self {
            Self::Id1 => true,
            Self::Draft03OnFapi1 | Self::Draft03OnFapi2 => false,
        }
    }

    /// The algorithms of assertions, requests and ID Tokens (FAPI-CIBA 7.10, REQ-FAPI-10).
    #[must_use]
    pub const fn algorithms(self) -> &'static [JwsAlgorithm] {
        match self {
            Self::Id1 | Self::Draft03OnFapi1 => &[JwsAlgorithm::Ps256, JwsAlgorithm::Es256],
            Self::Draft03OnFapi2 => {
                &[JwsAlgorithm::Ps256, JwsAlgorithm::Es256, JwsAlgorithm::EdDsa]
            }
        }
    }
}
