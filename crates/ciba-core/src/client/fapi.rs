//! The check of a configuration against the FAPI-CIBA profile. Each violation names its clause.

use alloc::vec::Vec;
use core::time::Duration;

use super::{ClientConfigBuilder, ConfigError};
use crate::{
    client::{Audience, ClientAuth},
    crypto::{OwnedPublicKey, bit_length},
    jose::JwsAlgorithm,
    profile::{FapiCiba, Profile},
    wire::metadata::DeliveryMode,
};

/// The minimum size of an RSA key in bits (FAPI 1.0 Baseline 5.2.4, FAPI 2.0 Security Profile
/// 5.4.1).
const SMALLEST_RSA: usize = 2048;
/// The maximum clock skew, beyond which a peer must reject (FAPI 2.0 Security Profile 5.3.2.1 item
/// 13).
const WIDEST_SKEW: Duration = Duration::from_secs(60);
/// The members of the registration that name algorithms.
const ASSERTIONS: &str = "token_endpoint_auth_signing_alg";
const REQUESTS: &str = "backchannel_authentication_request_signing_alg";
const ID_TOKENS: &str = "id_token_signed_response_alg";
const PROOFS: &str = "dpop_signing_alg";
const USER_INFO: &str = "userinfo_signed_response_alg";
/// The maximum age of an ID Token.
const OLDEST_TOKEN: Duration = Duration::from_secs(600);

impl ClientConfigBuilder {
    /// Checks what the profile forbids.
    // Rules that every configuration follows are not repeated: signed requests expire at most 3600 s
    // after `nbf` (REQ-FAPI-04), assertions after 300 s.
    pub(super) fn check_profile(&self, findings: &mut Vec<ConfigError>) {
        let Profile::FapiCiba(edition) = self.profile else { return };
        self.check_fapi_client(edition, findings);
        self.check_fapi_algorithms(edition, findings);
        self.check_fapi_provider(edition, findings);
        // The rules about audiences, clocks and discovery exist only in FAPI 2.0.
        let is_fapi_2 = matches!(edition, FapiCiba::Draft03OnFapi2);
        let mut broken =
            |member, clause, reason| findings.push(ConfigError::Profile { member, clause, reason });
        if self.request_audience != Audience::Issuer {
            let clause = if is_fapi_2 { "FAPI2SP 5.3.3.1 item 5" } else { "FAPI1A 5.2.3 item 10" };
            broken(
                "request_audience",
                clause,
                "the audience of a signed request must be the issuer",
            );
        }
        for (member, audience) in [
            ("backchannel_audience", &self.backchannel_audience),
            ("token_audience", &self.token_audience),
        ] {
            if is_fapi_2 && *audience != Audience::Issuer {
                broken(member, "FAPI2SP 5.3.3.1 item 5", "the audience must be the issuer");
            }
        }
        if is_fapi_2 && self.id_token.skew > WIDEST_SKEW {
            broken("clock_skew", "FAPI2SP 5.3.2.1 item 13", "it is more than 60 s");
        }
        if self.policy.assume_bearer {
            broken("assume_bearer", "RFC 6749 5.1", "a token response must state its token_type");
        }
        if !self.policy.bearer_words.is_empty() {
            broken(
                "bearer_words",
                "RFC 6749 5.1",
                "a token response must state the registered token_type",
            );
        }
        if self.id_token.max_age > OLDEST_TOKEN {
            broken("max_token_age", "OIDC Core 3.1.3.7 item 10", "it is more than 600 s");
        }
    }

    /// Derives request signing from the key that authenticates, if the edition requires signed
    /// requests and no other key was set.
    pub(super) fn sign_by_profile(&mut self) {
        let Profile::FapiCiba(edition) = self.profile else { return };
        if let (None, true, Some(ClientAuth::PrivateKeyJwt { algorithm, key_id })) =
            (&self.request_signing, edition.requires_signed_requests(), &self.auth)
        {
            self.request_signing = Some((*algorithm, key_id.clone()));
            self.signs_by_profile = true;
        }
    }

    /// Removes findings that repeat another one: a value that the profile forbids need not be listed
    /// by the provider.
    pub(super) fn say_once(&self, findings: &mut Vec<ConfigError>) {
        let forbidden: Vec<&'static str> = findings
            .iter()
            .filter_map(|finding| match finding {
                ConfigError::Profile { member, .. } => Some(*member),
                _ => None,
            })
            .collect();
        // Two findings about one value would look like two things to repair.
        findings.retain(|finding| {
            !matches!(finding, ConfigError::NotListed { member, .. }
                if forbidden.iter().any(|known| is_list_of(member, known, self.signs_by_profile)))
        });
    }

    fn check_fapi_client(&self, edition: FapiCiba, findings: &mut Vec<ConfigError>) {
        const METHOD: &str = "token_endpoint_auth_method";
        let mut broken =
            |member, clause, reason| findings.push(ConfigError::Profile { member, clause, reason });
        if self.delivery == DeliveryMode::Push {
            broken(
                "backchannel_token_delivery_mode",
                "FAPI-CIBA 5.2.2 item 3",
                "push is not allowed",
            );
        }
        match &self.auth {
            Some(ClientAuth::None) => {
                broken(METHOD, "FAPI-CIBA 5.2.2 item 1", "the client must be confidential")
            }
            Some(
                ClientAuth::ClientSecretBasic { .. }
                | ClientAuth::ClientSecretPost { .. }
                | ClientAuth::ClientSecretJwt { .. },
            ) => broken(
                METHOD,
                "FAPI1A 5.2.2 item 14",
                "the client must authenticate with a key pair or a certificate",
            ),
            Some(
                ClientAuth::PrivateKeyJwt { .. }
                | ClientAuth::TlsClientAuth
                | ClientAuth::SelfSignedTlsClientAuth,
            )
            // A missing method is reported by `check_presence`.
            | None => {}
        }
        // FAPI 1.0 knows only certificates.
        let may_use_key = matches!(edition, FapiCiba::Draft03OnFapi2);
        if !(self.certificate.bound_tokens || may_use_key && self.dpop.is_set()) {
            let reason = match may_use_key {
                true => "access tokens must be bound to the client certificate or to a DPoP key",
                false => "access tokens must be bound to the client certificate",
            };
            broken(
                "tls_client_certificate_bound_access_tokens",
                "FAPI1A 5.2.2 items 5 and 6",
                reason,
            );
        }
        if self.request_signing.is_none() && edition.requires_signed_requests() {
            let reason = "authentication requests must be signed";
            broken(REQUESTS, "FAPI-CIBA 5.2.2 item 6", reason);
        }
    }

    fn check_fapi_algorithms(&self, edition: FapiCiba, findings: &mut Vec<ConfigError>) {
        let used: [(&str, Option<JwsAlgorithm>); 5] = [
            // A secret is already rejected as a method, whatever its algorithm is.
            (
                ASSERTIONS,
                self.auth
                    .as_ref()
                    .filter(|auth| auth.secret().is_none())
                    .and_then(ClientAuth::algorithm),
            ),
            (
                REQUESTS,
                // A derived algorithm is that of the assertions, which is reported there.
                self.request_signing
                    .as_ref()
                    .filter(|_| !self.signs_by_profile)
                    .map(|(algorithm, _)| *algorithm),
            ),
            (PROOFS, self.dpop.algorithm()),
            (ID_TOKENS, self.names_id_token_algorithm.then_some(self.id_token.algorithm)),
            (USER_INFO, self.userinfo_algorithm),
        ];
        // The default, RS256, is not allowed here, so it must not apply silently.
        if !self.names_id_token_algorithm {
            findings.push(ConfigError::Missing { member: ID_TOKENS });
        }
        let clause = match edition {
            FapiCiba::Id1 | FapiCiba::Draft03OnFapi1 => "FAPI-CIBA 7.10",
            FapiCiba::Draft03OnFapi2 => "FAPI2SP 5.4.1",
        };
        for (member, algorithm) in used {
            if algorithm.is_some_and(|algorithm| !edition.algorithms().contains(&algorithm)) {
                let reason = "only PS256 and ES256 are allowed, and EdDSA on FAPI 2";
                findings.push(ConfigError::Profile { member, clause, reason });
            }
        }
    }

    /// Checks that no address uses http and, with FAPI 2.0, that the metadata was discovered.
    fn check_fapi_provider(&self, edition: FapiCiba, findings: &mut Vec<ConfigError>) {
        const DISCOVERY: &str = "FAPI2SP 5.3.3.1 item 9";
        let mut broken =
            |member, clause, reason| findings.push(ConfigError::Profile { member, clause, reason });
        let provider = &self.provider;
        let aliases = &provider.mtls_endpoint_aliases;
        let is_secure = provider.issuer.as_str().starts_with("https://");
        for (member, url) in [
            ("backchannel_authentication_endpoint", &provider.backchannel_authentication_endpoint),
            ("token_endpoint", &provider.token_endpoint),
            ("jwks_uri", &provider.jwks_uri),
            ("mtls_endpoint_aliases", &aliases.backchannel_authentication_endpoint),
            ("mtls_endpoint_aliases", &aliases.token_endpoint),
            ("backchannel_client_notification_endpoint", &self.notification_endpoint),
        ] {
            // If the issuer uses http, only that is reported.
            if is_secure && url.as_ref().is_some_and(|url| url.scheme() != "https") {
                broken(member, "FAPI1A 8.5", "it is not https");
            }
        }
        if !is_secure {
            broken("issuer", "FAPI1A 8.5", "it is not https");
        }
        if !matches!(edition, FapiCiba::Draft03OnFapi2) {
            return;
        }
        if !provider.published {
            broken("issuer", DISCOVERY, "the provider's metadata must come from discovery");
        }
        for (member, is_overridden) in [
            ("backchannel_authentication_endpoint", self.backchannel_endpoint.is_some()),
            ("token_endpoint", self.token_endpoint.is_some()),
            ("jwks_uri", self.jwks_uri.is_some() || self.pinned_keys),
            ("dangerously_ignore_metadata", !self.ignored.is_empty()),
        ] {
            if is_overridden {
                broken(member, DISCOVERY, "the provider's metadata cannot be overridden");
            }
        }
    }

    /// Checks a key to register.
    pub(super) fn check_fapi_key(
        &self,
        key: Option<&OwnedPublicKey>,
        findings: &mut Vec<ConfigError>,
    ) {
        // The size of every other key follows from its curve.
        let (Profile::FapiCiba(_), Some(OwnedPublicKey::Rsa { n, .. })) = (self.profile, key)
        else {
            return;
        };
        if bit_length(n) < SMALLEST_RSA {
            let reason = "an RSA key has fewer than 2048 bits";
            findings.push(ConfigError::Profile { member: "jwks", clause: "FAPI1B 5.2.4", reason });
        }
    }
}

/// Whether a list of the metadata corresponds to a member of the registration.
fn is_list_of(list: &str, member: &str, signs_by_profile: bool) -> bool {
    list.starts_with(member)
        || (member == ID_TOKENS && list == "id_token_signing_alg_values_supported")
        // Requests are signed with the key of the assertions.
        || (signs_by_profile && member == ASSERTIONS && list.starts_with(REQUESTS))
}
