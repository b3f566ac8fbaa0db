//! The configuration of DPoP (RFC 9449): tokens that are bound to a key of the client.

use alloc::{string::String, sync::Arc, vec::Vec};

use super::config_error::ConfigError;
use crate::{
    crypto::Verifier,
    jose::{JwsAlgorithm, base64url, jwk, thumbprint, unsigned::JsonWriter},
    json::Object,
};

/// The `typ` of a proof (RFC 9449 section 4.2).
const TYP: &str = "dpop+jwt";
const MEMBER: &str = "dpop_key";

/// How proofs are made.
#[derive(Debug, Clone)]
pub(crate) struct DpopRules {
    pub(crate) algorithm: JwsAlgorithm,
    /// The header of every proof in base64url, which only depends on the key.
    pub(crate) header: String,
    /// The SHA-256 thumbprint of the key, which `cnf.jkt` of a bound token repeats.
    pub(crate) thumbprint: Arc<str>,
    /// Whether the authentication request carries a proof.
    pub(super) on_authentication: bool,
}

/// What was set at the builder.
#[derive(Debug, Clone, Default)]
pub(super) struct DpopOptions {
    pub(super) key: Option<(JwsAlgorithm, String)>,
    pub(super) on_authentication: bool,
    /// Whether the client is registered for bound tokens.
    pub(super) is_registered: bool,
}

impl DpopOptions {
    pub(super) const fn is_set(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn algorithm(&self) -> Option<JwsAlgorithm> {
        self.key.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Reads and checks the key.
    pub(super) fn rules(
        &self,
        is_bound_to_certificate: bool,
        verifier: Option<&dyn Verifier>,
        findings: &mut Vec<ConfigError>,
    ) -> Option<DpopRules> {
        let Some((algorithm, public_jwk)) = &self.key else {
            if self.is_registered || self.on_authentication {
                findings.push(ConfigError::Missing { member: MEMBER });
            }
            return None;
        };
        let mut invalid = |reason| {
            findings.push(ConfigError::Invalid { member: MEMBER, reason });
            None
        };
        // REQ-POP-22: one token cannot be proven in two ways.
        if is_bound_to_certificate {
            return invalid("tokens are bound either to a key or to the client certificate");
        }
        if algorithm.is_symmetric() {
            return invalid("the algorithm is symmetric, so it proves nothing");
        }
        let Ok(mut members) = Object::parse(public_jwk.as_bytes()) else {
            return invalid("the public key is not a JSON object with unique member names");
        };
        // REQ-POP-01: rejected and not filtered, because the key was mistaken for a public one.
        if jwk::SECRET_MEMBERS.iter().any(|member| members.get(member).is_some()) {
            return invalid("the public key has private or symmetric members");
        }
        let Ok(key) = jwk::public_key(&mut members) else {
            return invalid("the public key cannot be read");
        };
        if !jwk::fitting(&key).contains(algorithm) {
            return invalid("the key is of another kind than the algorithm requires");
        }
        let mut header = JsonWriter::new();
        header.text("typ", TYP);
        header.text("alg", algorithm.name());
        header.json("jwk", &jwk::required_members(key.borrow()));
        Some(DpopRules {
            algorithm: *algorithm,
            header: base64url::encode(header.finish()),
            thumbprint: thumbprint(key.borrow(), verifier?).into(),
            on_authentication: self.on_authentication,
        })
    }
}
