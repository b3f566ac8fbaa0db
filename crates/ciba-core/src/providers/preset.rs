//! The options of a provider as data, each with its source.

use alloc::{format, string::String};
use core::fmt;

use crate::{
    client::{Audience, BindingMessageRule, ClientConfig, ClientConfigBuilder, ClientId},
    expect::AcrRule,
    issuer::Issuer,
    policy::Policy,
    url::{LoopbackHttp, Url, UrlError},
    wire::{metadata::ProviderMetadata, token::PendingError},
};

/// The options of one provider that differ from the defaults.
///
/// # Examples
///
/// ```
/// use ciba_core::{ClientId, Issuer, ProviderMetadata, providers, http::Url};
///
/// let mut metadata = ProviderMetadata::by_hand(Issuer::parse("https://login.example/realms/shop")?);
/// # metadata.token_endpoint = Some(Url::parse("https://login.example/token")?);
/// let builder = providers::KEYCLOAK.client(metadata, ClientId::new("shop")?)?;
/// // .client_auth(…).build()
/// # let _ = builder;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    pub(super) name: &'static str,
    pub(super) product: &'static str,
    pub(super) facts: &'static [Fact],
}

/// An option that a preset sets, with the evidence that the provider requires it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// The option.
    pub setting: Setting,
    /// The vendor documentation or source code that shows it.
    pub source: &'static str,
}

/// An option that differs from the default. `Display` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Paths of the endpoints relative to the issuer, for metadata without them.
    // DV-24
    Endpoints {
        /// The path of the backchannel authentication endpoint.
        backchannel: &'static str,
        /// The path of the token endpoint.
        token: &'static str,
    },
    /// [`ClientConfigBuilder::binding_messages`].
    // DV-28
    BindingMessages(BindingMessageRule),
    /// [`ClientConfigBuilder::request_expiry`].
    // DV-29
    RequestExpiry,
    /// [`ClientConfigBuilder::request_grant_type`].
    RequestGrantType,
    /// [`ClientConfigBuilder::body_client_id`].
    // DV-23
    BodyClientId,
    /// [`ClientConfigBuilder::request_client_id_claim`].
    // DV-23
    RequestClientIdClaim,
    /// [`ClientConfigBuilder::signed_requests_only`].
    // DV-40
    SignedRequestsOnly,
    /// [`ClientConfigBuilder::backchannel_audience`] is the URL of the called endpoint. If that is
    /// on another origin than the issuer, it must be configured by hand.
    // DV-20, REQ-AUTH-11
    BackchannelAudienceIsEndpoint,
    /// The same for [`ClientConfigBuilder::token_audience`].
    TokenAudienceIsEndpoint,
    /// The same for [`ClientConfigBuilder::request_audience`], with the URL of the backchannel
    /// authentication endpoint.
    RequestAudienceIsEndpoint,
    /// [`ClientConfigBuilder::request_audience`] is the issuer with its port, even if that is the
    /// default port.
    // DV-20
    RequestAudienceHasPort,
    /// [`ClientConfigBuilder::persons_by_number`].
    PersonsByNumber,
    /// [`ClientConfigBuilder::eid_claim`].
    EidClaim,
    /// [`ClientConfigBuilder::eid_messages`].
    EidMessages,
    /// [`ClientConfigBuilder::details_are_not_granted`].
    DetailsAreNotGranted,
    /// [`ClientConfigBuilder::no_mac_id_tokens`].
    NoMacIdTokens,
    /// [`ClientConfigBuilder::acr_rule`] is [`AcrRule::Report`].
    AcrReported,
    /// [`ClientConfigBuilder::public_clients`].
    PublicClients,
    /// [`ClientConfigBuilder::requested_expiry_counts`].
    RequestedExpiryCounts,
    /// [`Policy::ping_keeps_interval`].
    PingKeepsInterval,
    /// [`Policy::assume_bearer`].
    // DV-32
    AssumeBearer,
    /// [`Policy::scope_lists`].
    // DV-32
    ScopeLists,
    /// An entry of [`Policy::pending_errors`].
    // DV-14
    PendingError {
        /// The `error` member.
        error: &'static str,
        /// The `error_description` member.
        description: &'static str,
    },
}

impl Preset {
    /// Returns the name by which the command line knows it, in lower-case letters, digits and `-`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the name of the product.
    #[must_use]
    pub const fn product(&self) -> &'static str {
        self.product
    }

    /// Returns the options that the preset sets, with their sources.
    #[must_use]
    pub const fn facts(&self) -> &'static [Fact] {
        self.facts
    }

    /// Adds the known endpoints if the metadata lacks them. Endpoints in the metadata are kept.
    ///
    /// # Errors
    ///
    /// Returns [`UrlError`] if the issuer followed by the path is not a valid URL.
    pub fn complete(&self, mut metadata: ProviderMetadata) -> Result<ProviderMetadata, UrlError> {
        for fact in self.facts {
            let Setting::Endpoints { backchannel, token } = fact.setting else { continue };
            let base = metadata.issuer.as_str();
            // The paths begin with a slash.
            let base = base.strip_suffix('/').unwrap_or(base);
            // Plain http is possible only if it was allowed for the issuer, so it is allowed here.
            let behind = |path: &str| {
                Url::parse_with(&format!("{base}{path}"), LoopbackHttp::DangerouslyAllowed)
            };
            let (backchannel, token) = (behind(backchannel)?, behind(token)?);
            // What the provider publishes is newer than what a preset knows.
            metadata.backchannel_authentication_endpoint.get_or_insert(backchannel);
            metadata.token_endpoint.get_or_insert(token);
        }
        Ok(metadata)
    }

    /// Begins a configuration for this provider.
    ///
    /// Options that are set afterwards take precedence. A [`Policy`] that is set afterwards replaces
    /// that of the preset, so start from [`Self::policy`].
    ///
    /// # Errors
    ///
    /// Like [`Self::complete`].
    pub fn client(
        &self,
        metadata: ProviderMetadata,
        client_id: ClientId,
    ) -> Result<ClientConfigBuilder, UrlError> {
        let issuer = metadata.issuer.clone();
        let builder =
            ClientConfig::builder(self.complete(metadata)?, client_id).policy(self.policy());
        Ok(self.facts.iter().fold(builder, |builder, fact| fact.setting.apply(builder, &issuer)))
    }

    /// Returns the default policy with the options that this provider requires.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy::default();
        for fact in self.facts {
            match fact.setting {
                Setting::AssumeBearer => policy.assume_bearer = true,
                Setting::PingKeepsInterval => policy.ping_keeps_interval = true,
                Setting::ScopeLists => policy.scope_lists = true,
                Setting::PendingError { error, description } => {
                    let pending =
                        PendingError { error: error.into(), description: description.into() };
                    policy.pending_errors.push(pending);
                }
                Setting::Endpoints { .. }
                | Setting::BindingMessages(_)
                | Setting::RequestExpiry
                | Setting::RequestGrantType
                | Setting::BodyClientId
                | Setting::RequestClientIdClaim
                | Setting::SignedRequestsOnly
                | Setting::BackchannelAudienceIsEndpoint
                | Setting::TokenAudienceIsEndpoint
                | Setting::RequestAudienceIsEndpoint
                | Setting::RequestAudienceHasPort
                | Setting::PersonsByNumber
                | Setting::EidClaim
                | Setting::EidMessages
                | Setting::DetailsAreNotGranted
                | Setting::NoMacIdTokens
                | Setting::AcrReported
                | Setting::PublicClients
                | Setting::RequestedExpiryCounts => {}
            }
        }
        policy
    }
}

impl Setting {
    fn apply(self, builder: ClientConfigBuilder, issuer: &Issuer) -> ClientConfigBuilder {
        match self {
            Self::BindingMessages(rule) => builder.binding_messages(rule),
            Self::RequestExpiry => builder.request_expiry(),
            Self::RequestGrantType => builder.request_grant_type(),
            Self::BodyClientId => builder.body_client_id(),
            Self::RequestClientIdClaim => builder.request_client_id_claim(),
            Self::SignedRequestsOnly => builder.signed_requests_only(),
            Self::BackchannelAudienceIsEndpoint => builder.backchannel_audience(Audience::Endpoint),
            Self::TokenAudienceIsEndpoint => builder.token_audience(Audience::Endpoint),
            Self::RequestAudienceIsEndpoint => builder.request_audience(Audience::Endpoint),
            Self::PersonsByNumber => builder.persons_by_number(),
            Self::EidClaim => builder.eid_claim(),
            Self::EidMessages => builder.eid_messages(),
            Self::DetailsAreNotGranted => builder.details_are_not_granted(),
            Self::NoMacIdTokens => builder.no_mac_id_tokens(),
            Self::AcrReported => builder.acr_rule(AcrRule::Report),
            Self::PublicClients => builder.public_clients(),
            Self::RequestedExpiryCounts => builder.requested_expiry_counts(),
            Self::RequestAudienceHasPort => {
                builder.request_audience(Audience::Text(with_port(issuer.as_str())))
            }
            // These are already part of the metadata and the policy.
            Self::Endpoints { .. }
            | Self::PingKeepsInterval
            | Self::AssumeBearer
            | Self::ScopeLists
            | Self::PendingError { .. } => builder,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoints { backchannel, token } => {
                write!(f, "endpoints `{backchannel}` and `{token}` relative to the issuer if the metadata names none")
            }
            Self::BindingMessages(rule) => write!(f, "`binding_message` {rule}"),
            Self::RequestExpiry => f.write_str("the requested lifetime is sent as `request_expiry`"),
            Self::RequestGrantType => f.write_str("`grant_type` also in the authentication request"),
            Self::BodyClientId => f.write_str("`client_id` in every body"),
            Self::RequestClientIdClaim => f.write_str("`client_id` also in signed requests"),
            Self::SignedRequestsOnly => f.write_str("signed requests only"),
            Self::BackchannelAudienceIsEndpoint => {
                f.write_str("assertions for the backchannel endpoint name that endpoint")
            }
            Self::TokenAudienceIsEndpoint => f.write_str("assertions for the token endpoint name that endpoint"),
            Self::RequestAudienceIsEndpoint => f.write_str("signed requests name the backchannel endpoint"),
            Self::RequestAudienceHasPort => f.write_str("signed requests name the issuer with its port"),
            Self::PersonsByNumber => f.write_str(
                "a hint `sub:ssn:N` names the person: `ssn` and `socialno` of the ID Token, if present, must equal N",
            ),
            Self::EidClaim => f.write_str(
                "`authenticationtype` of the ID Token, if present, must be the requested eID or refine it",
            ),
            Self::EidMessages => f.write_str("Swedish BankID requires a `binding_message`, Norwegian BankID accepts none"),
            Self::DetailsAreNotGranted => {
                f.write_str("`authorization_details` only control how the person is prompted, and no response grants them")
            }
            Self::NoMacIdTokens => f.write_str("no ID Token is signed with HS256, HS384 or HS512"),
            Self::AcrReported => f.write_str("`acr` is reported and not compared with the requested values"),
            Self::PublicClients => f.write_str("public clients are accepted although `none` is not listed"),
            Self::RequestedExpiryCounts => f.write_str("a `requested_expiry` less than `expires_in` limits the wait"),
            Self::PingKeepsInterval => f.write_str("the interval also applies after a ping"),
            Self::AssumeBearer => f.write_str("a missing `token_type` means Bearer"),
            Self::ScopeLists => f.write_str("`scope` of a token response may be an array"),
            Self::PendingError { error, description } => {
                write!(f, "`{error}` with the description \"{description}\" means pending")
            }
        }
    }
}

/// Adds the default port to an issuer: `https://op.example/a` becomes `https://op.example:443/a`.
fn with_port(issuer: &str) -> String {
    let Some((scheme, rest)) = issuer.split_once("://") else { return issuer.into() };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    // The colons of an IPv6 address are not followed by a port.
    let after_address = host.rsplit(']').next().unwrap_or(host);
    if after_address.contains(':') {
        return issuer.into();
    }
    let port = if scheme == "http" { 80_u16 } else { 443 };
    format!("{scheme}://{host}:{port}{path}")
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::{client::testing, providers};

    #[test]
    fn every_declared_preset_is_listed() {
        let declared = include_str!("mod.rs").matches(": Preset = Preset {").count();
        assert_eq!(providers::ALL.len(), declared);
    }

    #[test]
    fn every_preset_has_a_unique_name_and_a_source_for_each_option() {
        let names: BTreeSet<_> = providers::ALL.iter().map(|preset| preset.name()).collect();
        assert_eq!(names.len(), providers::ALL.len());
        for preset in providers::ALL {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(
                !preset.name.is_empty() && preset.name.chars().all(is_plain),
                "{}",
                preset.name
            );
            assert_eq!(providers::named(preset.name), Some(*preset));
            assert!(!preset.facts.is_empty(), "{} differs in nothing", preset.name);
            assert!(preset.facts.iter().all(|fact| fact.source.len() > 10), "{}", preset.name);
        }
        assert_eq!(providers::named("generic"), None);
    }

    #[test]
    fn a_preset_changes_the_client_and_later_options_override_it() {
        let id = || ClientId::new("client-1").unwrap();
        for preset in providers::ALL {
            let plain = ClientConfig::builder(testing::metadata(), id());
            let made = preset.client(testing::metadata(), id()).unwrap();
            let only_endpoints =
                preset.facts.iter().all(|fact| matches!(fact.setting, Setting::Endpoints { .. }));
            assert_eq!(
                format!("{plain:?}") == format!("{made:?}"),
                only_endpoints,
                "{}",
                preset.name
            );
        }
        let okta = providers::OKTA.client(testing::metadata(), id()).unwrap();
        let back =
            okta.backchannel_audience(Audience::Issuer).client_auth(testing::private_key_jwt());
        assert_eq!(back.build().unwrap().audiences.backchannel, testing::ISSUER);
    }

    #[test]
    fn the_default_port_is_added_to_an_issuer_without_one() {
        for (issuer, named) in [
            ("https://op.example/am/realms", "https://op.example:443/am/realms"),
            ("https://op.example", "https://op.example:443"),
            ("https://op.example/", "https://op.example:443/"),
            ("https://op.example:8443/a:b", "https://op.example:8443/a:b"),
            ("https://op.example/a:b", "https://op.example:443/a:b"),
            ("https://[2001:db8::1]/a", "https://[2001:db8::1]:443/a"),
            ("https://[2001:db8::1]:444/a", "https://[2001:db8::1]:444/a"),
            ("http://127.0.0.1", "http://127.0.0.1:80"),
        ] {
            assert_eq!(with_port(issuer), named);
        }
    }
}
