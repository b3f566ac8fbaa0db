//! Presets for well-known providers.
//!
//! A [`Preset`] is data: the options that differ from the defaults, each with its source. A preset
//! exists only if vendor documentation or source code shows that an option must differ. Everything
//! else that is known about providers is in `docs/providers.md` of the repository. [`idura`] adds
//! typed request builders and claims.

pub mod idura;
mod preset;

pub use preset::{Fact, Preset, Setting};

use crate::client::BindingMessageRule;

/// All presets, sorted by name.
pub const ALL: &[Preset] = &[
    AUTH0,
    CAMARA,
    CONNECTID,
    DUENDE,
    IDPYOIDC,
    IDURA,
    KEYCLOAK,
    NODE_OIDC_PROVIDER,
    OKTA,
    PINGAM,
    PINGFEDERATE,
    SIGNATURGRUPPEN,
    WSO2,
];

/// Returns the preset with the given name.
#[must_use]
pub fn named(name: &str) -> Option<Preset> {
    ALL.iter().find(|preset| preset.name == name).copied()
}

const fn fact(setting: Setting, source: &'static str) -> Fact {
    Fact { setting, source }
}

/// A rule that accepts every binding message, to be narrowed.
const MESSAGE: BindingMessageRule = BindingMessageRule::ANY;

const AUTH0_DOCS: &str = "auth0.com/docs, Client-Initiated Backchannel Authentication Flow";
/// Auth0.
///
/// Its documentation does not list the space among the characters of a binding message, but uses
/// spaces in an example, so they are allowed here.
pub const AUTH0: Preset = Preset {
    name: "auth0",
    product: "Auth0",
    facts: &[
        fact(Setting::BodyClientId, AUTH0_DOCS),
        fact(Setting::BindingMessages(MESSAGE.required().at_most(64).only("+-_.,:# ")), AUTH0_DOCS),
        fact(
            Setting::AssumeBearer,
            "auth0.com/docs, a token response of the same pages has no token_type",
        ),
    ],
};

const CAMARA_PROFILE: &str =
    "camaraproject/IdentityAndConsentManagement, documentation/CAMARA-Security-Interoperability.md";
/// Operators that follow the CAMARA Security and Interoperability Profile (GSMA Open Gateway).
pub const CAMARA: Preset = Preset {
    name: "camara",
    product: "CAMARA Security and Interoperability Profile",
    facts: &[
        fact(Setting::BackchannelAudienceIsEndpoint, CAMARA_PROFILE),
        fact(Setting::TokenAudienceIsEndpoint, CAMARA_PROFILE),
        fact(Setting::RequestAudienceIsEndpoint, CAMARA_PROFILE),
    ],
};

const CONFORMANCE_SUITE: &str =
    "openid-certification/conformance-suite, fapiciba modules for ConnectID";
/// ConnectID in Australia.
///
/// Use it with [`Profile::FapiCiba`](crate::Profile::FapiCiba), PS256 and mutual TLS.
pub const CONNECTID: Preset = Preset {
    name: "connectid",
    product: "ConnectID (Australia)",
    facts: &[
        fact(Setting::SignedRequestsOnly, CONFORMANCE_SUITE),
        fact(Setting::BindingMessages(MESSAGE.required()), CONFORMANCE_SUITE),
    ],
};

/// Duende IdentityServer.
pub const DUENDE: Preset = Preset {
    name: "duende",
    product: "Duende IdentityServer",
    facts: &[fact(
        Setting::BindingMessages(MESSAGE.at_most(100)),
        "DuendeSoftware/products, identity-server/src/IdentityServer, input length restrictions",
    )],
};

const IDPYOIDC_CODE: &str =
    "IdentityPython/idpy-oidc, src/idpyoidc/server/oidc/backchannel_authentication.py";
/// A provider built with idpyoidc.
pub const IDPYOIDC: Preset = Preset {
    name: "idpyoidc",
    product: "idpyoidc",
    facts: &[
        fact(
            Setting::PendingError {
                error: "invalid_request",
                description: "No authentication found",
            },
            IDPYOIDC_CODE,
        ),
        fact(Setting::ScopeLists, IDPYOIDC_CODE),
    ],
};

const IDURA_DOCS: &str = "docs.idura.app, CIBA flow and Caller Authentication with CIBA";
const IDURA_TOKENS: &str = "docs.idura.app, Token contents, Swedish BankID and Norwegian BankID";
/// Idura Verify, formerly Criipto Verify; see [`idura`].
pub const IDURA: Preset = Preset {
    name: "idura",
    product: "Idura Verify",
    facts: &[
        fact(
            Setting::Endpoints { backchannel: "/ciba/bc-authorize", token: "/oauth2/token" },
            IDURA_DOCS,
        ),
        fact(Setting::PersonsByNumber, IDURA_TOKENS),
        fact(Setting::EidClaim, IDURA_TOKENS),
        fact(Setting::EidMessages, IDURA_DOCS),
        fact(Setting::DetailsAreNotGranted, IDURA_DOCS),
    ],
};

const KEYCLOAK_SEEN: &str = "seen at Keycloak 26.7.3, from Maven and unmodified";
/// Keycloak.
pub const KEYCLOAK: Preset = Preset {
    name: "keycloak",
    product: "Keycloak",
    facts: &[
        fact(
            Setting::BindingMessages(MESSAGE.at_most(50).only("-._+/!?#")),
            "keycloak/keycloak, services/src/main/java/org/keycloak/protocol/oidc/grants/ciba",
        ),
        fact(Setting::NoMacIdTokens, KEYCLOAK_SEEN),
        fact(Setting::AcrReported, KEYCLOAK_SEEN),
        fact(Setting::PublicClients, KEYCLOAK_SEEN),
        fact(Setting::RequestedExpiryCounts, KEYCLOAK_SEEN),
        fact(Setting::PingKeepsInterval, KEYCLOAK_SEEN),
    ],
};

/// A provider built with the npm package `oidc-provider` and its default rule for binding messages.
pub const NODE_OIDC_PROVIDER: Preset = Preset {
    name: "node-oidc-provider",
    product: "oidc-provider (npm)",
    facts: &[fact(
        Setting::BindingMessages(MESSAGE.at_most(20).only("-._+/!?#")),
        "panva/node-oidc-provider, lib/helpers/defaults.js",
    )],
};

/// Okta.
pub const OKTA: Preset = Preset {
    name: "okta",
    product: "Okta",
    facts: &[
        fact(Setting::RequestExpiry, "okta/okta-developer-docs, CIBA guide"),
        fact(Setting::BackchannelAudienceIsEndpoint, "okta/okta-auth-js"),
    ],
};

const PINGAM_DOCS: &str = "docs.pingidentity.com, Backchannel request grant";
/// PingAM and PingOne Advanced Identity Cloud, formerly ForgeRock.
pub const PINGAM: Preset = Preset {
    name: "pingam",
    product: "PingAM, PingOne Advanced Identity Cloud",
    facts: &[
        fact(Setting::SignedRequestsOnly, PINGAM_DOCS),
        fact(Setting::RequestAudienceHasPort, PINGAM_DOCS),
        fact(Setting::BindingMessages(MESSAGE.at_most(100)), PINGAM_DOCS),
    ],
};

const PINGFEDERATE_DOCS: &str =
    "docs.pingidentity.com, PingFederate, Client-initiated backchannel authentication endpoint";
/// PingFederate.
pub const PINGFEDERATE: Preset = Preset {
    name: "pingfederate",
    product: "PingFederate",
    facts: &[
        fact(Setting::BodyClientId, PINGFEDERATE_DOCS),
        fact(Setting::RequestClientIdClaim, PINGFEDERATE_DOCS),
    ],
};

/// The broker of Nets and Signaturgruppen (MitID).
pub const SIGNATURGRUPPEN: Preset = Preset {
    name: "signaturgruppen",
    product: "Nets/Signaturgruppen broker",
    facts: &[fact(
        Setting::RequestGrantType,
        "Signaturgruppen-A-S/signaturgruppen-broker-documentation, enterprise/flex-app-ciba.md",
    )],
};

/// WSO2 Identity Server and Asgardeo.
pub const WSO2: Preset = Preset {
    name: "wso2",
    product: "WSO2 Identity Server, Asgardeo",
    facts: &[fact(
        Setting::BindingMessages(MESSAGE.without("<>")),
        "wso2-extensions/identity-inbound-auth-oauth, components/org.wso2.carbon.identity.oauth.ciba",
    )],
};
