//! The named values of options: core's and the test provider's own types, each value with its name
//! and with what `--help` says about it.

use ciba_core::{
    DeliveryMode, Profile,
    config::{AuthMethod, BasicEncoding, FapiCiba, MetadataRule},
    expect::AcrRule,
    jose::JwsAlgorithm,
};
use ciba_test_op::Personality;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// One named value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<T: 'static> {
    value: T,
    pub(crate) name: &'static str,
    /// Empty if the name says everything.
    help: &'static str,
    /// Another name that is accepted.
    alias: Option<&'static str>,
}

const fn choice<T: Copy>(value: T, name: &'static str, help: &'static str) -> Choice<T> {
    Choice { value, name, help, alias: None }
}

const fn alias<T: Copy>(choice: Choice<T>, alias: &'static str) -> Choice<T> {
    Choice { alias: Some(alias), ..choice }
}

/// A type whose values are chosen by name.
pub(crate) trait Named: Copy + PartialEq + Send + Sync + 'static {
    const CHOICES: &'static [Choice<Self>];
}

/// The value with this name.
pub(crate) fn by_name<T: Named>(name: &str) -> Option<T> {
    find(T::CHOICES, name)
}

/// The name of a value.
pub(crate) fn name_of<T: Named>(value: T) -> Option<&'static str> {
    T::CHOICES.iter().find(|choice| choice.value == value).map(|choice| choice.name)
}

fn find<T: Copy>(choices: &[Choice<T>], name: &str) -> Option<T> {
    let is_it = |choice: &&Choice<T>| choice.name == name || choice.alias == Some(name);
    choices.iter().find(is_it).map(|choice| choice.value)
}

/// Reads an option that takes any value of the type.
pub(super) fn any<T: Named>() -> impl TypedValueParser<Value = T> {
    among(T::CHOICES)
}

/// Reads an option that takes these values of a type.
pub(super) fn among<T: Copy + Send + Sync>(
    choices: &'static [Choice<T>],
) -> impl TypedValueParser<Value = T> {
    let possible = choices.iter().map(|choice| {
        let value = PossibleValue::new(choice.name).aliases(choice.alias);
        if choice.help.is_empty() { value } else { value.help(choice.help) }
    });
    PossibleValuesParser::new(possible)
        .try_map(move |name| find(choices, &name).ok_or("it is not one of the known names"))
}

/// Reads the name of a check against the provider's metadata.
pub(super) fn metadata_rules() -> PossibleValuesParser {
    PossibleValuesParser::new(MetadataRule::ALL.map(MetadataRule::name))
}

impl Named for DeliveryMode {
    const CHOICES: &'static [Choice<Self>] = &[
        choice(Self::Poll, Self::Poll.name(), "The client polls the token endpoint"),
        choice(
            Self::Ping,
            Self::Ping.name(),
            "The provider notifies the client when the result is ready",
        ),
        choice(Self::Push, Self::Push.name(), "The provider sends the tokens to the client"),
    ];
}

impl Named for Profile {
    const CHOICES: &'static [Choice<Self>] = &[
        PLAIN,
        alias(
            choice(
                FAPI_CIBA,
                FAPI_CIBA.name(),
                "FAPI-CIBA, Implementer's Draft 1 of 2019, on FAPI 1.0 Advanced: the one that is certified",
            ),
            "fapi-ciba-id1",
        ),
        choice(
            Self::FapiCiba(FapiCiba::Draft03OnFapi1),
            Self::FapiCiba(FapiCiba::Draft03OnFapi1).name(),
            "FAPI-CIBA, working draft -03, on FAPI 1.0 Advanced: requests may be unsigned",
        ),
        choice(
            Self::FapiCiba(FapiCiba::Draft03OnFapi2),
            Self::FapiCiba(FapiCiba::Draft03OnFapi2).name(),
            "FAPI-CIBA, working draft -03, on the FAPI 2.0 Security Profile: EdDSA is allowed, the audience of assertions is the issuer, and the metadata must be discovered",
        ),
    ];
}

/// The edition of FAPI-CIBA that the test provider supports.
pub(crate) const FAPI_CIBA: Profile = Profile::FapiCiba(FapiCiba::Id1);
const PLAIN: Choice<Profile> = choice(Profile::Plain, Profile::Plain.name(), "CIBA Core 1.0");

/// The profiles of the test provider.
pub(super) const OP_PROFILES: &[Choice<Profile>] =
    &[PLAIN, choice(FAPI_CIBA, FAPI_CIBA.name(), "FAPI-CIBA, Implementer's Draft 1")];

impl Named for BasicEncoding {
    const CHOICES: &'static [Choice<Self>] = &[
        choice(Self::Encoded, "encoded", "Form-encoded, as RFC 6749 2.3.1 requires"),
        choice(Self::Raw, "raw", "Unchanged, for servers that do not decode them"),
    ];
}

impl Named for AcrRule {
    const CHOICES: &'static [Choice<Self>] = &[
        choice(
            Self::IfPresent,
            "if-present",
            "It may be missing; otherwise it must be one of them",
        ),
        choice(Self::Require, "require", "It must be one of them"),
        choice(
            Self::Report,
            "report",
            "It is only reported, for providers that always send the same value",
        ),
    ];
}

impl Named for JwsAlgorithm {
    const CHOICES: &'static [Choice<Self>] = &{
        let mut all = [choice(Self::Rs256, Self::Rs256.name(), ""); Self::ALL.len()];
        let mut at = 0;
        while at < all.len() {
            let algorithm = Self::ALL[at];
            all[at] = choice(algorithm, algorithm.name(), "");
            if matches!(algorithm, Self::EdDsa) {
                all[at] = alias(all[at], "Ed25519");
            }
            at += 1;
        }
        all
    };
}

/// The algorithms that keys are generated for.
pub(super) const KEY_ALGORITHMS: &[Choice<JwsAlgorithm>] = &[
    choice(JwsAlgorithm::Es256, JwsAlgorithm::Es256.name(), ""),
    choice(JwsAlgorithm::Es384, JwsAlgorithm::Es384.name(), ""),
    choice(JwsAlgorithm::EdDsa, JwsAlgorithm::EdDsa.name(), ""),
    choice(JwsAlgorithm::Rs256, JwsAlgorithm::Rs256.name(), ""),
    choice(JwsAlgorithm::Ps256, JwsAlgorithm::Ps256.name(), ""),
];

impl Named for Personality {
    const CHOICES: &'static [Choice<Self>] = &[
        choice(Self::Generic, "generic", "An OpenID provider that follows the specifications"),
        choice(Self::Idura, "idura", "Answers as Idura Verify does"),
    ];
}

impl Named for AuthMethod {
    const CHOICES: &'static [Choice<Self>] = &[
        choice(Self::PrivateKeyJwt, Self::PrivateKeyJwt.name(), ""),
        choice(Self::ClientSecretJwt, Self::ClientSecretJwt.name(), ""),
        choice(Self::ClientSecretBasic, Self::ClientSecretBasic.name(), ""),
        choice(Self::ClientSecretPost, Self::ClientSecretPost.name(), ""),
        choice(Self::TlsClientAuth, Self::TlsClientAuth.name(), ""),
        choice(Self::SelfSignedTlsClientAuth, Self::SelfSignedTlsClientAuth.name(), ""),
        choice(Self::None, Self::None.name(), ""),
    ];
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

    #[test]
    fn every_value_of_core_can_be_chosen_by_the_name_that_core_gives_it() {
        for profile in Profile::ALL {
            assert_eq!(by_name::<Profile>(profile.name()), Some(profile));
        }
        for algorithm in JwsAlgorithm::ALL {
            assert_eq!(by_name::<JwsAlgorithm>(algorithm.name()), Some(algorithm));
            assert_eq!(name_of(algorithm), Some(algorithm.name()));
        }
        for method in AuthMethod::ALL {
            assert_eq!(by_name::<AuthMethod>(method.name()), Some(method));
        }
        for mode in DeliveryMode::ALL {
            assert_eq!(by_name::<DeliveryMode>(mode.name()), Some(mode));
        }
        assert_eq!(by_name::<JwsAlgorithm>("Ed25519"), Some(JwsAlgorithm::EdDsa));
        assert_eq!(by_name::<Profile>("fapi-ciba-id1"), Some(FAPI_CIBA));
        assert_eq!(by_name::<Profile>("FAPI-CIBA"), None);
    }
}
