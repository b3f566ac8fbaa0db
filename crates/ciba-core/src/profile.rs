//! Security profiles. A profile forbids unsafe options, and a configuration that violates it cannot
//! be built.

use crate::{jose::JwsAlgorithm, named::named};

named! {
    /// The rules that a configuration must follow in addition to CIBA Core.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[non_exhaustive]
    pub enum Profile {
        /// CIBA Core 1.0 without additional rules.
        #[default]
        Plain = "plain",
    } copied with {
        /// An edition of FAPI-CIBA.
        FapiCiba(edition: FapiCiba) = edition.name(),
    }
}

impl Profile {
    /// Every profile.
    #[cfg_attr(not(test), expect(clippy::indexing_slicing, reason = "evaluated by the compiler"))]
    pub const ALL: [Self; 1 + FapiCiba::ALL.len()] = {
        // Built from the list of editions, so that a new edition cannot be missing here.
        let mut all = [Self::Plain; 1 + FapiCiba::ALL.len()];
        let mut at = 0;
        while at < FapiCiba::ALL.len() {
            all[at + 1] = Self::FapiCiba(FapiCiba::ALL[at]);
            at += 1;
        }
        all
    };

    /// Returns the profile of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::without_data(name).or_else(|| FapiCiba::from_name(name).map(Self::FapiCiba))
    }
}

named! {
    /// An edition of the [FAPI-CIBA] profile.
    ///
    /// All editions require:
    ///
    /// - a confidential client that authenticates with `private_key_jwt`, `tls_client_auth` or
    ///   `self_signed_tls_client_auth`;
    /// - poll or ping mode, not push mode;
    /// - certificate-bound access tokens;
    /// - RSA keys of at least 2048 bits;
    /// - https URLs only;
    /// - the issuer as the audience of signed requests;
    /// - an explicitly configured algorithm of ID Tokens;
    /// - an `acr` claim if one was requested;
    /// - in every request a binding message, `authorization_details`, or the caller's statement
    ///   that the request is unique
    ///   ([`AuthRequest::unique_context`](crate::AuthRequest::unique_context)).
    ///
    /// Errors name the clauses of Implementer's Draft 1 and of the FAPI 1.0 and FAPI 2.0 documents
    /// that the editions build on.
    ///
    /// | | signed requests | algorithms | audience of assertions | metadata |
    /// |---|---|---|---|---|
    /// | [`Self::Id1`] | always | PS256, ES256 | any | discovered or configured |
    /// | [`Self::Draft03OnFapi1`] | recommended | PS256, ES256 | any | discovered or configured |
    /// | [`Self::Draft03OnFapi2`] | no rule | PS256, ES256, EdDSA | the issuer | discovered only |
    ///
    /// [FAPI-CIBA]: https://openid.net/specs/openid-financial-api-ciba-ID1.html
    #[derive(Default)]
    #[non_exhaustive]
    pub enum FapiCiba {
        /// Implementer's Draft 1 of 2019 on FAPI 1.0 Advanced, which the certification tests.
        #[default]
        Id1 = "fapi-ciba",
        /// Working draft -03 on FAPI 1.0 Advanced. It only recommends signed requests (section
        /// 4.1.1).
        Draft03OnFapi1 = "fapi-ciba-03-on-fapi-1",
        /// Working draft -03 on the FAPI 2.0 Security Profile. It has no rule for signed requests
        /// and allows EdDSA (FAPI 2.0 Security Profile 5.4.1).
        Draft03OnFapi2 = "fapi-ciba-03-on-fapi-2",
    }
}

impl FapiCiba {
    /// Returns whether the edition forbids unsigned authentication requests ([FAPI-CIBA 5.2.2],
    /// item 6).
    ///
    /// [FAPI-CIBA 5.2.2]: https://openid.net/specs/openid-financial-api-ciba-ID1.html#rfc.section.5.2.2
    // REQ-FAPI-03
    #[must_use]
    pub const fn requires_signed_requests(self) -> bool {
        match self {
            Self::Id1 => true,
            Self::Draft03OnFapi1 | Self::Draft03OnFapi2 => false,
        }
    }

    /// Returns the algorithms allowed for assertions, requests and ID Tokens ([FAPI-CIBA 7.10]).
    ///
    /// [FAPI-CIBA 7.10]: https://openid.net/specs/openid-financial-api-ciba-ID1.html#rfc.section.7.10
    // REQ-FAPI-10
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
