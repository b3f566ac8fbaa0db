//! The named values of options: core's and the test provider's own types, each value with what
//! `--help` says about it. The list of the values and their names are those of the type itself, so a
//! new value is an option at once.

use ciba_core::{
    DeliveryMode, Profile,
    config::{AuthMethod, BasicEncoding, FapiCiba, MetadataRule},
    expect::AcrRule,
    jose::JwsAlgorithm,
};
use ciba_test_op::{DpopNonces, Personality};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// A type whose values are chosen by name.
pub(crate) trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// Every value, in the order in which `--help` lists them.
    const ALL: &'static [Self];

    fn name(self) -> &'static str;

    /// What `--help` says about the value; empty if the name says everything.
    fn help(self) -> &'static str {
        ""
    }

    /// Another name that is accepted.
    fn alias(self) -> Option<&'static str> {
        None
    }
}

/// The value with this name.
pub(crate) fn by_name<T: Named>(name: &str) -> Option<T> {
    find(T::ALL, name)
}

fn find<T: Named>(values: &[T], name: &str) -> Option<T> {
    values.iter().copied().find(|value| value.name() == name || value.alias() == Some(name))
}

/// Reads an option that takes any value of the type.
pub(super) fn any<T: Named>() -> impl TypedValueParser<Value = T> {
    among(T::ALL)
}

/// Reads an option that takes these values of a type.
pub(super) fn among<T: Named>(values: &'static [T]) -> impl TypedValueParser<Value = T> {
    let possible = values.iter().map(|value| {
        let possible = PossibleValue::new(value.name()).aliases(value.alias());
        if value.help().is_empty() { possible } else { possible.help(value.help()) }
    });
    PossibleValuesParser::new(possible)
        .try_map(move |name| find(values, &name).ok_or("it is not one of the known names"))
}

/// Reads the name of a check against the provider's metadata.
pub(super) fn metadata_rules() -> PossibleValuesParser {
    PossibleValuesParser::new(MetadataRule::ALL.map(MetadataRule::name))
}

impl Named for DeliveryMode {
    const ALL: &'static [Self] = &DeliveryMode::ALL;

    fn name(self) -> &'static str {
        DeliveryMode::name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::Poll => "The client polls the token endpoint",
            Self::Ping => "The provider notifies the client when the result is ready",
            Self::Push => "The provider sends the tokens to the client",
        }
    }
}

/// The edition of FAPI-CIBA that the test provider supports.
pub(crate) const FAPI_CIBA: Profile = Profile::FapiCiba(FapiCiba::Id1);

/// The profiles of the test provider.
pub(super) const OP_PROFILES: &[Profile] = &[Profile::Plain, FAPI_CIBA];

impl Named for Profile {
    const ALL: &'static [Self] = &Profile::ALL;

    fn name(self) -> &'static str {
        Profile::name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::Plain => "CIBA Core 1.0",
            Self::FapiCiba(FapiCiba::Id1) => {
                "FAPI-CIBA, Implementer's Draft 1 of 2019, on FAPI 1.0 Advanced: the one that is certified"
            }
            Self::FapiCiba(FapiCiba::Draft03OnFapi1) => {
                "FAPI-CIBA, working draft -03, on FAPI 1.0 Advanced: requests may be unsigned"
            }
            Self::FapiCiba(FapiCiba::Draft03OnFapi2) => {
                "FAPI-CIBA, working draft -03, on the FAPI 2.0 Security Profile: EdDSA is allowed, the audience of assertions is the issuer, and the metadata must be discovered"
            }
            _ => "",
        }
    }

    fn alias(self) -> Option<&'static str> {
        (self == FAPI_CIBA).then_some("fapi-ciba-id1")
    }
}

impl Named for BasicEncoding {
    const ALL: &'static [Self] = &BasicEncoding::ALL;

    fn name(self) -> &'static str {
        BasicEncoding::name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::Encoded => "Form-encoded, as RFC 6749 2.3.1 requires",
            Self::Raw => "Unchanged, for servers that do not decode them",
        }
    }
}

impl Named for AcrRule {
    const ALL: &'static [Self] = &AcrRule::ALL;

    fn name(self) -> &'static str {
        // Options are in kebab case, and snapshots in snake case.
        match self {
            Self::IfPresent => "if-present",
            Self::RequestedOnly => "requested-only",
            Self::Require | Self::Report => AcrRule::name(self),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::IfPresent => "It may be missing; otherwise it must be one of them",
            Self::Require => "It must be one of them",
            Self::RequestedOnly => "As if-present, and it must be missing if none was requested",
            Self::Report => "It is only reported, for providers that always send the same value",
        }
    }
}

impl Named for JwsAlgorithm {
    const ALL: &'static [Self] = &JwsAlgorithm::ALL;

    fn name(self) -> &'static str {
        JwsAlgorithm::name(self)
    }

    fn alias(self) -> Option<&'static str> {
        // The name of RFC 9864, which some providers use.
        (self == Self::EdDsa).then_some("Ed25519")
    }
}

/// The algorithms that keys are generated for.
pub(super) const KEY_ALGORITHMS: &[JwsAlgorithm] = &[
    JwsAlgorithm::Es256,
    JwsAlgorithm::Es384,
    JwsAlgorithm::Es512,
    JwsAlgorithm::EdDsa,
    JwsAlgorithm::Rs256,
    JwsAlgorithm::Ps256,
];

impl Named for Personality {
    const ALL: &'static [Self] = &Personality::ALL;

    fn name(self) -> &'static str {
        Personality::name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::Generic => "An OpenID provider that follows the specifications",
            Self::Idura => "Answers as Idura Verify does",
            _ => "",
        }
    }
}

impl Named for DpopNonces {
    const ALL: &'static [Self] = &DpopNonces::ALL;

    fn name(self) -> &'static str {
        DpopNonces::name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Stable => "One nonce for as long as the provider runs",
            Self::EveryAnswer => "A new one in every answer; only the newest is accepted",
            _ => "",
        }
    }
}

impl Named for AuthMethod {
    const ALL: &'static [Self] = &AuthMethod::ALL;

    fn name(self) -> &'static str {
        AuthMethod::name(self)
    }
}

/// Whether a method needs a client secret.
pub(crate) const fn needs_secret(method: AuthMethod) -> bool {
    use AuthMethod::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost};
    matches!(method, ClientSecretBasic | ClientSecretPost | ClientSecretJwt)
}

/// Whether a method is a client certificate.
pub(crate) const fn needs_certificate(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_is_found_by_its_name<T: Named + std::fmt::Debug>() {
        for value in T::ALL {
            assert_eq!(by_name::<T>(value.name()), Some(*value));
        }
    }

    #[test]
    fn every_value_can_be_chosen_by_its_name() {
        each_is_found_by_its_name::<DeliveryMode>();
        each_is_found_by_its_name::<Profile>();
        each_is_found_by_its_name::<BasicEncoding>();
        each_is_found_by_its_name::<AcrRule>();
        each_is_found_by_its_name::<JwsAlgorithm>();
        each_is_found_by_its_name::<Personality>();
        each_is_found_by_its_name::<DpopNonces>();
        each_is_found_by_its_name::<AuthMethod>();
        assert_eq!(by_name::<JwsAlgorithm>("Ed25519"), Some(JwsAlgorithm::EdDsa));
        assert_eq!(by_name::<Profile>("fapi-ciba-id1"), Some(FAPI_CIBA));
        assert_eq!(by_name::<Profile>("FAPI-CIBA"), None);
    }
}
