//! From what was collected to a configuration that was checked.

use alloc::{sync::Arc, vec::Vec};

use super::{
    auth::{Audience, ClientAuth},
    builder::ClientConfigBuilder,
    config::{Audiences, ClientConfig},
    config_error::ConfigErrors,
    registration,
    request_rules::RequestObjectRules,
};
use crate::{crypto::Verifier, endpoint::Endpoint, url::Url};

impl ClientConfigBuilder {
    /// Checks all options and builds the configuration.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigErrors`] with everything that is wrong, not only the first error.
    // REQ-META-27
    pub fn build(mut self) -> Result<Arc<ClientConfig>, ConfigErrors> {
        self.verifier = self.verifier.or_else(default_verifier);
        // Before the checks, because they judge what the profile derives.
        self.sign_by_profile();
        let mut findings = Vec::new();
        self.check(&mut findings);
        self.check_profile(&mut findings);
        let public_keys = registration::public_keys(&self, &mut findings);
        let dpop =
            self.dpop.rules(self.certificate.bound_tokens, self.verifier.as_deref(), &mut findings);
        // After all checks, because it compares their findings.
        self.say_once(&mut findings);
        let backchannel = self.address(Endpoint::BackchannelAuthentication);
        let token = self.address(Endpoint::Token);
        let optional = |endpoint| self.address(endpoint).map(|address| address.called);
        let userinfo_endpoint = optional(Endpoint::UserInfo);
        let revocation_endpoint = optional(Endpoint::Revocation);
        // The checks have reported everything that is missing; the pattern only unwraps the rest.
        let (Some(backchannel), Some(token), Some(auth), Some(verifier), true) =
            (backchannel, token, self.auth, self.verifier, findings.is_empty())
        else {
            return Err(ConfigErrors::new(findings));
        };
        let issuer = self.provider.issuer;
        let resolved = |audience: Audience, address: &Address| match audience {
            Audience::Issuer => issuer.as_str().into(),
            // An alias is another address of the same endpoint, not another audience (RFC 8705
            // section 5).
            Audience::Endpoint => address.named.as_str().into(),
            Audience::Text(text) => text,
        };
        let request_audience = resolved(self.request_audience, &backchannel);
        let request_object = self.request_signing.map(|(algorithm, key_id)| RequestObjectRules {
            algorithm,
            key_id,
            audience: request_audience,
            options: self.request_options,
        });
        let audiences = Audiences {
            backchannel: resolved(self.backchannel_audience, &backchannel),
            token: resolved(self.token_audience, &token),
        };
        Ok(Arc::new(ClientConfig {
            issuer,
            client_id: self.client_id,
            delivery: self.delivery,
            notification_endpoint: self.notification_endpoint,
            backchannel_endpoint: backchannel.called,
            token_endpoint: token.called,
            jwks_uri: self.jwks_uri.or(self.provider.jwks_uri),
            userinfo_endpoint,
            revocation_endpoint,
            userinfo_algorithm: self.userinfo_algorithm,
            auth,
            audiences,
            assertion: self.assertion,
            request_object,
            request_style: self.request_style,
            body_client_id: self.body_client_id,
            user_codes: self.user_codes,
            authorization_details_types: self.provider.authorization_details_types,
            id_token: self.id_token,
            registered: self.registered,
            persons: self.persons,
            secret_expires_at: self.secret_expires_at,
            policy: self.policy,
            verifier,
            profile: self.profile,
            certificate: self.certificate,
            dpop,
            public_keys,
            headers: self.headers,
        }))
    }

    /// Returns the address of an endpoint. A configured one takes precedence, and a discovered one
    /// is replaced by its mTLS alias if this client must use it.
    // REQ-DISC-14
    fn address(&self, endpoint: Endpoint) -> Option<Address> {
        let provider = &self.provider;
        let aliases = &provider.mtls_endpoint_aliases;
        let (pinned, published, alias) = match endpoint {
            Endpoint::BackchannelAuthentication => (
                &self.backchannel_endpoint,
                &provider.backchannel_authentication_endpoint,
                &aliases.backchannel_authentication_endpoint,
            ),
            Endpoint::Token => {
                (&self.token_endpoint, &provider.token_endpoint, &aliases.token_endpoint)
            }
            Endpoint::UserInfo => {
                (&self.userinfo_endpoint, &provider.userinfo_endpoint, &aliases.userinfo_endpoint)
            }
            Endpoint::Revocation => (
                &self.revocation_endpoint,
                &provider.revocation_endpoint,
                &aliases.revocation_endpoint,
            ),
            Endpoint::Discovery | Endpoint::KeySet | Endpoint::Notification => return None,
        };
        let named = pinned.as_ref().or(published.as_ref())?.clone();
        // The caller who configured an endpoint knows whether it asks for the certificate.
        let alias = alias.as_ref().filter(|_| pinned.is_none() && self.uses_alias(endpoint));
        Some(Address { called: alias.unwrap_or(&named).clone(), named })
    }

    /// Whether requests to the endpoint are sent to its alias, if there is one.
    pub(super) fn uses_alias(&self, endpoint: Endpoint) -> bool {
        // Without a method the configuration is not built, so this one has no effect.
        let auth = self.auth.as_ref().unwrap_or(&ClientAuth::None);
        self.certificate.aliases_always || self.certificate.is_shown(auth, self.delivery, endpoint)
    }
}
/// An endpoint's URL for calls and its URL for audiences.
// REQ-DISC-15
struct Address {
    called: Url,
    named: Url,
}

/// Returns the default backend. Both accept the same tokens, but aws-lc-rs is faster.
fn default_verifier() -> Option<Arc<dyn Verifier>> {
    #[cfg(feature = "aws-lc-rs")]
    return Some(Arc::new(crate::crypto::AwsLcRs));
    #[cfg(all(feature = "rustcrypto", not(feature = "aws-lc-rs")))]
    return Some(Arc::new(crate::crypto::RustCrypto));
    #[cfg(not(any(feature = "rustcrypto", feature = "aws-lc-rs")))]
    return None;
}
