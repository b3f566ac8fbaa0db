//! The client metadata to register at the provider (OIDC Registration 2, RFC 7591 section 2, CIBA
//! Core 4).

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use serde_json::{Value, json};

use super::{ClientConfig, ClientConfigBuilder, ConfigError, certificate};
use crate::{
    client::ClientAuth,
    jose::{JwsAlgorithm, jwk},
    json::{JsonObject, Raw},
    wire::{metadata::DeliveryMode, token::GRANT_TYPE},
};

impl ClientConfig {
    /// Returns the client metadata to register at the provider as JSON text, for manual registration
    /// or as the body of a registration request ([OIDC Registration 2], [CIBA Core 4]).
    ///
    /// It contains the public key set if public keys were configured, and no `redirect_uris`, which
    /// have no meaning here.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Missing`] if the client authenticates with a certificate that was not
    /// configured: its subject for `tls_client_auth`, or the certificate itself for
    /// `self_signed_tls_client_auth`.
    ///
    /// [OIDC Registration 2]: https://openid.net/specs/openid-connect-registration-1_0.html#rfc.section.2
    /// [CIBA Core 4]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.4
    // REQ-META-02, REQ-META-18, REQ-META-19, REQ-META-25
    pub fn registration_document(&self) -> Result<String, ConfigError> {
        // A client in push mode makes no token requests (REQ-META-03).
        let grant_types: &[&str] = match self.delivery {
            DeliveryMode::Poll | DeliveryMode::Ping => &[GRANT_TYPE],
            DeliveryMode::Push => &[],
        };
        let mut document = json!({
            "grant_types": grant_types,
            // CIBA uses no authorization endpoint. An absent member would mean `code`.
            "response_types": [],
            "token_endpoint_auth_method": self.auth.method(),
            "id_token_signed_response_alg": self.id_token.algorithm.name(),
            "backchannel_token_delivery_mode": self.delivery.name(),
        });
        let mut set = |member: &str, value: Value| {
            if let Some(members) = document.as_object_mut() {
                members.insert(member.into(), value);
            }
        };
        if let Some(algorithm) = self.auth.algorithm() {
            set("token_endpoint_auth_signing_alg", algorithm.name().into());
        }
        if let Some(url) = &self.notification_endpoint {
            set("backchannel_client_notification_endpoint", url.as_str().into());
        }
        if let Some(algorithm) = self.request_signing_algorithm() {
            set("backchannel_authentication_request_signing_alg", algorithm.name().into());
        }
        match (&self.auth, &self.certificate.subject) {
            (ClientAuth::TlsClientAuth, Some(subject)) => {
                set(subject.member(), subject.value().into())
            }
            (ClientAuth::TlsClientAuth, None) => {
                return Err(ConfigError::Missing { member: "tls_client_auth_subject_dn" });
            }
            // The provider recognizes the client by a registered certificate (RFC 8705 section
            // 2.2).
            (ClientAuth::SelfSignedTlsClientAuth, _)
                if !self.public_keys.iter().any(has_certificate) =>
            {
                return Err(ConfigError::Missing { member: "x5c" });
            }
            _ => {}
        }
        // A flag that is off is omitted: absence means `false` for each of them.
        if self.certificate.bound_tokens {
            set("tls_client_certificate_bound_access_tokens", true.into());
        }
        if self.dpop.is_some() {
            set("dpop_bound_access_tokens", true.into());
        }
        if self.certificate.aliases_always {
            set("use_mtls_endpoint_aliases", true.into());
        }
        if self.user_codes {
            set("backchannel_user_code_parameter", true.into());
        }
        if self.registered.require_auth_time {
            set("require_auth_time", true.into());
        }
        if let Some(age) = self.registered.max_age {
            set("default_max_age", age.as_secs().into());
        }
        if !self.registered.acr_values.is_empty() {
            set("default_acr_values", self.registered.acr_values.clone().into());
        }
        let mut document = serde_json::to_string_pretty(&document).unwrap_or_default();
        // The keys are untrusted text and are kept unchanged (ruling 28).
        if let Some(open) = document.strip_suffix("\n}").filter(|_| !self.public_keys.is_empty()) {
            let keys: Vec<&str> = self.public_keys.iter().map(JsonObject::as_json).collect();
            let keys = keys.join(",\n      ");
            document =
                format!("{open},\n  \"jwks\": {{\n    \"keys\": [\n      {keys}\n    ]\n  }}\n}}");
        }
        Ok(document)
    }
}

fn has_certificate(key: &JsonObject) -> bool {
    key.contains("x5c")
}

fn text(key: &JsonObject, member: &str) -> Option<String> {
    key.find(member).and_then(Raw::text).map(Cow::into_owned)
}

/// Reads the public keys to register.
// REQ-META-15: a private or symmetric key is rejected instead of filtered, because it was mistaken
// for a public one.
pub(super) fn public_keys(
    builder: &ClientConfigBuilder,
    findings: &mut Vec<ConfigError>,
) -> Vec<JsonObject> {
    const MEMBER: &str = "jwks";
    let mut keys: Vec<JsonObject> = Vec::new();
    let mut wrong: Vec<&'static str> = Vec::new();
    for text in &builder.public_keys {
        let Ok(key) = JsonObject::from_json(text) else {
            wrong.push("a public key is not a JSON object with unique member names");
            continue;
        };
        if jwk::SECRET_MEMBERS.iter().any(|member| key.contains(member)) {
            wrong.push("a key has private or symmetric members");
        } else if !matches!(
            key.find("kty").and_then(Raw::text).as_deref(),
            Some("EC" | "RSA" | "OKP")
        ) {
            wrong.push("a key has no kty of a public key");
        } else if !certificate::fits(&key) {
            wrong.push("x5c of a key does not start with its certificate, DER in standard base64");
        } else {
            keys.push(key);
        }
    }
    if let Some(verifier) = &builder.verifier {
        for der in &builder.certificates {
            match certificate::jwk(der, &**verifier) {
                Some(key) => keys.push(key),
                None => wrong.push("a certificate is not DER, or has a key of an unknown kind"),
            }
        }
    }
    for key in &keys {
        builder.check_fapi_key(certificate::key(key).as_ref(), findings);
    }

    let mut invalid = |reason| findings.push(ConfigError::Invalid { member: MEMBER, reason });
    wrong.into_iter().for_each(&mut invalid);
    let mut ids: Vec<Option<String>> = keys.iter().map(|key| text(key, "kid")).collect();
    ids.sort_unstable();
    // A provider could not tell which of the keys verifies a signature (OIDC Core 10.1).
    if ids.windows(2).any(|pair| pair.first() == pair.last()) {
        invalid("two keys have the same kid, or none");
    }
    let uses: Vec<Option<String>> = keys.iter().map(|key| text(key, "use")).collect();
    // OIDC Registration 2: with keys for both purposes, each key must state its use.
    if uses.iter().flatten().any(|r#use| r#use == "enc") && uses.contains(&None) {
        invalid("with an encryption key in the set, every key must have a use");
    }
    let assertions = match &builder.auth {
        Some(ClientAuth::PrivateKeyJwt { algorithm, key_id }) => Some((algorithm, key_id)),
        _ => None,
    };
    let requests = builder.request_signing.as_ref().map(|(algorithm, key_id)| (algorithm, key_id));
    // Without any key here, the keys are registered in another way, such as `jwks_uri`.
    for (algorithm, key_id) in assertions.into_iter().chain(requests).filter(|_| !keys.is_empty()) {
        let fits = |key: &&JsonObject| {
            let id_fits = key_id.is_none() || text(key, "kid").as_deref() == key_id.as_deref();
            let algorithm_fits = text(key, "alg")
                .is_none_or(|name| JwsAlgorithm::from_name(&name) == Some(*algorithm));
            id_fits
                && algorithm_fits
                && is_key_for(key, *algorithm)
                && text(key, "use").is_none_or(|r#use| r#use == "sig")
        };
        if !keys.iter().any(|key| fits(&key)) {
            invalid("the key that signs assertions or requests is not in the set");
        }
        // OIDC Core 10.1: with several keys in the set, the header must have a `kid`.
        if key_id.is_none() && keys.len() > 1 {
            invalid("with several keys in the set, the signing key must have a key id");
        }
    }
    keys
}

/// Whether a JWK is a complete public key of the kind and curve that an algorithm requires.
fn is_key_for(key: &JsonObject, algorithm: JwsAlgorithm) -> bool {
    certificate::key(key).is_some_and(|public| jwk::fitting(&public).contains(&algorithm))
}
