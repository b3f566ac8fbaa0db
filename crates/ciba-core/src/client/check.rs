//! The checks of a configuration, by itself and against the provider's metadata.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use super::{
    auth::{Audience, BasicEncoding, ClientAuth},
    builder::ClientConfigBuilder,
    config::{AssertionRules, IdTokenRules},
    config_error::ConfigError,
    headers::header_fault,
    metadata_rule::MetadataRule,
    request_rules::RequestObjectOptions,
};
use crate::{
    crypto::Hash, endpoint::Endpoint, jose::JwsAlgorithm, profile::Profile, secret::ClientSecret,
    wire::metadata::DeliveryMode,
};

/// The maximum lifetime of a client assertion.
// REQ-AUTH-13
const LONGEST_ASSERTION: Duration = Duration::from_secs(300);
/// The maximum backdating of a client assertion.
const LONGEST_BACKDATING: Duration = Duration::from_secs(60);
/// The maximum clock skew.
// REQ-IDT-22
const WIDEST_SKEW: Duration = Duration::from_secs(300);
/// The maximum time from `nbf` to `exp` of a signed request, and the maximum age of `nbf`.
// REQ-SIGN-05, REQ-SIGN-07
const LONGEST_REQUEST: Duration = Duration::from_secs(3600);

impl ClientConfigBuilder {
    /// Runs all checks except those of the profile and of the keys to register.
    pub(super) fn check(&self, findings: &mut Vec<ConfigError>) {
        self.check_metadata(findings);
        self.check_addresses(findings);
        self.check_delivery(findings);
        self.check_verifier(findings);
        self.check_auth(findings);
        self.check_certificate(findings);
        self.check_assertion(findings);
        self.check_request_object(findings);
        self.check_id_token(findings);
        self.check_audiences(findings);
        self.check_policy(findings);
        self.check_presence(findings);
        self.check_headers(findings);
    }

    fn heeds(&self, rule: MetadataRule) -> bool {
        !self.ignores(rule)
    }

    pub(super) fn ignores(&self, rule: MetadataRule) -> bool {
        self.ignored.contains(&rule)
    }

    /// Checks the configuration against what the provider supports. A list that was not published
    /// implies nothing, except that a document whose backchannel endpoint is used must also list the
    /// delivery modes (CIBA Core 4).
    fn check_metadata(&self, findings: &mut Vec<ConfigError>) {
        const MODES: &str = "backchannel_token_delivery_modes_supported";
        const REQUEST_ALGORITHMS: &str =
            "backchannel_authentication_request_signing_alg_values_supported";
        let mut not_listed = |member, value: &str| {
            findings.push(ConfigError::NotListed { member, value: value.into() })
        };
        let provider = &self.provider;
        // Metadata written by hand has no lists, and an endpoint configured by hand is not
        // described by the document.
        let relies_on_document = provider.describes_ciba && self.backchannel_endpoint.is_none();

        let modes =
            provider.delivery_modes.as_ref().filter(|_| self.heeds(MetadataRule::DeliveryMode));
        if modes.is_some_and(|modes| !modes.contains(&self.delivery)) {
            not_listed(MODES, self.delivery.name());
        }
        if let Some(auth) = &self.auth {
            let methods = provider
                .auth_methods
                .as_ref()
                .filter(|_| self.heeds(MetadataRule::AuthenticationMethod));
            // Some providers support public clients without listing `none`; the preset says so.
            let is_unlisted_public = self.public_clients && matches!(auth, ClientAuth::None);
            let is_listed =
                |methods: &Vec<String>| methods.iter().any(|method| method == auth.method());
            if !is_unlisted_public && methods.is_some_and(|methods| !is_listed(methods)) {
                not_listed("token_endpoint_auth_methods_supported", auth.method());
            }
            let algorithms = provider
                .auth_signing_algs
                .as_ref()
                .filter(|_| self.heeds(MetadataRule::AuthenticationAlgorithm));
            if let (Some(algorithms), Some(algorithm)) = (algorithms, auth.algorithm())
                && !algorithms.contains(&algorithm)
            {
                not_listed("token_endpoint_auth_signing_alg_values_supported", algorithm.name());
            }
        }
        // If the profile requires that the algorithm is set, the default is not the registered one.
        let is_named = self.names_id_token_algorithm || self.profile == Profile::Plain;
        let algorithms = provider
            .id_token_signing_algs
            .as_ref()
            .filter(|_| is_named && self.heeds(MetadataRule::IdTokenAlgorithm));
        if algorithms.is_some_and(|algorithms| !algorithms.contains(&self.id_token.algorithm)) {
            not_listed("id_token_signing_alg_values_supported", self.id_token.algorithm.name());
        }
        if let Some((algorithm, _)) = &self.request_signing
            && self.heeds(MetadataRule::RequestAlgorithm)
        {
            match &provider.request_signing_algs {
                Some(algorithms) if !algorithms.contains(algorithm) => {
                    not_listed(REQUEST_ALGORITHMS, algorithm.name())
                }
                // A document without the list supports no signed requests (CIBA Core 4).
                None if relies_on_document => not_listed(REQUEST_ALGORITHMS, algorithm.name()),
                Some(_) | None => {}
            }
        }
        // Like an absent list, an absent member implies nothing; only an explicit `false` does.
        if self.certificate.bound_tokens
            && provider.certificate_bound_tokens == Some(false)
            && self.heeds(MetadataRule::CertificateBoundTokens)
        {
            not_listed("tls_client_certificate_bound_access_tokens", "true");
        }
        let listed =
            provider.dpop_signing_algs.as_ref().filter(|_| self.heeds(MetadataRule::DpopAlgorithm));
        if let (Some(listed), Some(algorithm)) = (listed, self.dpop.algorithm())
            && !listed.contains(&algorithm)
        {
            not_listed("dpop_signing_alg_values_supported", algorithm.name());
        }
        // CIBA Core 4: an absent member means `false`.
        if self.user_codes && !provider.user_code_supported && self.heeds(MetadataRule::UserCodes) {
            not_listed("backchannel_user_code_parameter_supported", "true");
        }
        if relies_on_document
            && provider.delivery_modes.is_none()
            && self.heeds(MetadataRule::DeliveryMode)
        {
            findings.push(ConfigError::Missing { member: MODES });
        }
    }

    // All unguessable values are made with the backend's HMAC, and key ids with its digest, so a
    // backend whose output has another length is unusable.
    fn check_verifier(&self, findings: &mut Vec<ConfigError>) {
        let hash = Hash::Sha256;
        if let Some(verifier) = &self.verifier
            && !(verifier.hmac(hash, &[], &[]).is_of(hash)
                && verifier.digest(hash, &[]).is_of(hash))
        {
            let reason = "its SHA-256 or its HMAC does not have 32 octets";
            findings.push(ConfigError::Invalid { member: "verifier", reason });
        }
    }

    fn check_auth(&self, findings: &mut Vec<ConfigError>) {
        const ALGORITHM: &str = "token_endpoint_auth_signing_alg";
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        match &self.auth {
            Some(ClientAuth::PrivateKeyJwt { algorithm, .. }) if algorithm.is_symmetric() => {
                invalid(ALGORITHM, "private_key_jwt requires an asymmetric algorithm");
            }
            Some(ClientAuth::ClientSecretJwt { algorithm, .. }) if !algorithm.is_symmetric() => {
                invalid(ALGORITHM, "client_secret_jwt requires HS256, HS384 or HS512");
            }
            Some(ClientAuth::ClientSecretJwt { secret, algorithm }) => {
                check_mac_key(secret, *algorithm, findings)
            }
            // RFC 7617 section 2: the first colon ends the user name.
            Some(ClientAuth::ClientSecretBasic { encoding: BasicEncoding::Raw, .. })
                if self.client_id.as_str().contains(':') =>
            {
                invalid("client_id", "it has a colon, which raw client_secret_basic cannot carry");
            }
            Some(
                ClientAuth::ClientSecretBasic { secret, .. }
                | ClientAuth::ClientSecretPost { secret },
                // An empty secret proves nothing, so it was probably not loaded.
            ) if secret.expose().is_empty() => {
                invalid("client_secret", "it is empty");
            }
            Some(_) | None => {}
        }
    }

    /// Checks that everything that is required is present.
    fn check_presence(&self, findings: &mut Vec<ConfigError>) {
        let provider = &self.provider;
        // A MAC is verified with the client secret.
        let needs_keys = !self.pinned_keys && !self.id_token.algorithm.is_symmetric();
        for (member, is_there) in [
            (
                "backchannel_authentication_endpoint",
                self.backchannel_endpoint.is_some()
                    || provider.backchannel_authentication_endpoint.is_some(),
            ),
            ("token_endpoint", self.token_endpoint.is_some() || provider.token_endpoint.is_some()),
            ("jwks_uri", !needs_keys || self.jwks_uri.is_some() || provider.jwks_uri.is_some()),
            ("token_endpoint_auth_method", self.auth.is_some()),
        ] {
            if !is_there {
                findings.push(ConfigError::Missing { member });
            }
        }
        if self.verifier.is_none() {
            findings.push(ConfigError::NoCryptography);
        }
    }

    /// Checks that there is a notification endpoint exactly if notifications are sent.
    // REQ-META-04, REQ-META-05. `Url` accepts no fragment, and http only for loopback addresses if the
    // caller allows it.
    fn check_delivery(&self, findings: &mut Vec<ConfigError>) {
        const MEMBER: &str = "backchannel_client_notification_endpoint";
        match (self.delivery, &self.notification_endpoint) {
            // Rejected and not ignored, because the caller probably meant another mode.
            (DeliveryMode::Poll, Some(_)) => {
                let reason = "nothing is ever sent to a client in poll mode";
                findings.push(ConfigError::Invalid { member: MEMBER, reason });
            }
            (DeliveryMode::Ping | DeliveryMode::Push, None) => {
                findings.push(ConfigError::Missing { member: MEMBER })
            }
            (DeliveryMode::Poll, None) | (DeliveryMode::Ping | DeliveryMode::Push, Some(_)) => {}
        }
    }

    /// Checks mutual TLS (RFC 8705).
    fn check_certificate(&self, findings: &mut Vec<ConfigError>) {
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        let uses_aliases = [Endpoint::BackchannelAuthentication, Endpoint::Token]
            .map(|endpoint| self.uses_alias(endpoint));
        // Without its alias, a client with a certificate would call an endpoint that does not ask
        // for one.
        if self.provider.mtls_endpoint_aliases.malformed && uses_aliases.contains(&true) {
            invalid(
                "mtls_endpoint_aliases",
                "the provider's value is not an object with https URLs",
            );
        }
        if let Some(subject) =
            self.certificate.subject.as_ref().filter(|subject| subject.value().is_empty())
        {
            invalid(subject.member(), "it is empty");
        }
    }

    /// Checks signed requests (CIBA Core 7.1.1).
    fn check_request_object(&self, findings: &mut Vec<ConfigError>) {
        const ALGORITHM: &str = "backchannel_authentication_request_signing_alg";
        if self.signed_requests_only && self.request_signing.is_none() {
            findings.push(ConfigError::Missing { member: ALGORITHM });
        }
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        // CIBA Core 7.1.1 requires an asymmetric signature.
        if self.request_signing.as_ref().is_some_and(|(algorithm, _)| algorithm.is_symmetric()) {
            invalid(ALGORITHM, "a request must be signed with an asymmetric algorithm");
        }
        let RequestObjectOptions { lifetime, backdating, not_before, .. } = &self.request_options;
        // Times in a JWT are whole seconds, so a fraction would be dropped silently.
        let whole = |duration: &Duration| duration.subsec_nanos() == 0;
        if lifetime.is_zero()
            || !whole(lifetime)
            || lifetime.saturating_add(*not_before) > LONGEST_REQUEST
        {
            invalid(
                "request_lifetime",
                "it is not a positive whole number of seconds, or exp is more than 3600 s after nbf",
            );
        }
        // With `iat` so far in the past, the request would have expired when it is sent.
        if !whole(backdating) || *backdating > LONGEST_BACKDATING || backdating >= lifetime {
            invalid(
                "request_backdating",
                "it is not a whole number of seconds from 0 to 60 and less than the lifetime of the request",
            );
        }
        if !whole(not_before) || backdating.saturating_add(*not_before) > LONGEST_REQUEST {
            invalid(
                "request_not_before",
                "it is not a whole number of seconds, or nbf is more than 3600 s in the past",
            );
        }
    }

    fn check_assertion(&self, findings: &mut Vec<ConfigError>) {
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        let AssertionRules { lifetime, backdating, typ } = &self.assertion;
        let whole = |duration: &Duration| duration.subsec_nanos() == 0;
        // As for signed requests, a fraction of a second would be dropped silently.
        if lifetime.is_zero() || !whole(lifetime) || *lifetime > LONGEST_ASSERTION {
            invalid("assertion_lifetime", "it is not a whole number of seconds from 1 to 300");
        }
        if !whole(backdating) || *backdating > LONGEST_BACKDATING {
            invalid("assertion_backdating", "it is not a whole number of seconds from 0 to 60");
        // The assertion would have expired when it is sent.
        } else if backdating >= lifetime {
            invalid("assertion_backdating", "it is not less than the lifetime of the assertion");
        }
        if typ
            .as_ref()
            .is_some_and(|typ| typ.is_empty() || !typ.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            invalid("assertion_typ", "it is empty or not visible ASCII");
        }
    }

    fn check_id_token(&self, findings: &mut Vec<ConfigError>) {
        let IdTokenRules { algorithm, skew, max_age, macs_refused, trusted_audiences: _, acr: _ } =
            &self.id_token;
        if algorithm.is_symmetric() && *macs_refused {
            findings.push(ConfigError::Invalid {
                member: "id_token_signed_response_alg",
                reason: "this provider signs HS256, HS384 and HS512 with a key that no client has",
            });
        } else if algorithm.is_symmetric() {
            match self.auth.as_ref().and_then(ClientAuth::secret) {
                Some(secret) => check_mac_key(secret, *algorithm, findings),
                None => findings.push(ConfigError::Invalid {
                    member: "id_token_signed_response_alg",
                    reason: "a MAC requires a client secret",
                }),
            }
        }
        let mut invalid = |member, reason| findings.push(ConfigError::Invalid { member, reason });
        if *skew > WIDEST_SKEW {
            invalid("clock_skew", "it is more than 300 s");
        }
        if max_age.is_zero() {
            invalid("max_token_age", "it is zero");
        }
    }

    /// Checks the audiences. Those that are not used are not checked.
    // REQ-AUTH-11, ruling 37: an endpoint that was read from metadata could be another provider's, so it
    // is an acceptable audience only on the issuer's own origin.
    fn check_audiences(&self, findings: &mut Vec<ConfigError>) {
        // A method that has not been chosen may be one with assertions.
        let asserts = self.auth.as_ref().is_none_or(|auth| auth.algorithm().is_some());
        let signs = self.request_signing.is_some();
        let (provider, backchannel) =
            (&self.provider, &self.provider.backchannel_authentication_endpoint);
        let audiences = [
            (
                "backchannel_audience",
                &self.backchannel_audience,
                &self.backchannel_endpoint,
                backchannel,
                asserts,
            ),
            (
                "token_audience",
                &self.token_audience,
                &self.token_endpoint,
                &provider.token_endpoint,
                asserts,
            ),
            (
                "request_audience",
                &self.request_audience,
                &self.backchannel_endpoint,
                backchannel,
                signs,
            ),
        ];
        for (member, audience, pinned, discovered, is_named) in audiences {
            let is_foreign = provider.published
                && pinned.is_none()
                && discovered.as_ref().is_some_and(|url| !provider.issuer.is_origin_of(url));
            match audience {
                Audience::Endpoint if is_named && is_foreign => {
                    let reason = "the endpoint is discovered and on an origin other than the issuer's; to use it as an audience, configure it";
                    findings.push(ConfigError::Invalid { member, reason });
                }
                Audience::Text(text) if text.is_empty() => {
                    findings.push(ConfigError::Invalid { member, reason: "it is empty" });
                }
                Audience::Issuer | Audience::Endpoint | Audience::Text(_) => {}
            }
        }
    }

    fn check_headers(&self, findings: &mut Vec<ConfigError>) {
        let is_fapi = matches!(self.profile, Profile::FapiCiba(_));
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in self.headers.iter() {
            // Servers handle repeated fields differently: some join them, some use only one.
            let is_known = |known: &&str| known.eq_ignore_ascii_case(name);
            let fault = header_fault(name, value, is_fapi);
            if let Some(reason) =
                fault.or(seen.iter().any(is_known).then_some("a name is given twice"))
            {
                findings.push(ConfigError::Invalid { member: "header", reason });
            }
            seen.push(name);
        }
    }

    fn check_policy(&self, findings: &mut Vec<ConfigError>) {
        for (member, duration) in [
            ("authentication_timeout", self.policy.authentication_timeout),
            ("token_timeout", self.policy.token_timeout),
            ("fetch_timeout", self.policy.fetch_timeout),
            ("local_timeout", self.policy.local_timeout),
        ] {
            // The request would time out before it is sent.
            if duration.is_zero() {
                findings.push(ConfigError::Invalid { member, reason: "it is zero" });
            }
        }
        if self
            .policy
            .bearer_words
            .iter()
            // A DPoP token that is used without its proof would be refused by every resource
            // server.
            .any(|word| word.is_empty() || word.eq_ignore_ascii_case("DPoP"))
        {
            let reason = "it is empty, or DPoP, whose tokens cannot be used as bearer tokens";
            findings.push(ConfigError::Invalid { member: "bearer_words", reason });
        }
        // Every token response would count as too large, after the person has approved.
        if self.policy.max_token_response == 0 {
            findings
                .push(ConfigError::Invalid { member: "max_token_response", reason: "it is zero" });
        }
    }
}

/// Checks that the key of a MAC is at least as long as its output (RFC 7518 section 3.2).
// REQ-AUTH-22
fn check_mac_key(secret: &ClientSecret, algorithm: JwsAlgorithm, findings: &mut Vec<ConfigError>) {
    if secret.expose().len() < algorithm.hash().length() {
        let reason =
            "it is shorter than the output of the MAC: 32, 48 or 64 octets for HS256, HS384, HS512";
        findings.push(ConfigError::Invalid { member: "client_secret", reason });
    }
}
