//! The signed authentication request: every parameter of CIBA 7.1 as a claim of one JWT (CIBA 7.1.1, requirement section 5).

use alloc::{string::String, sync::Arc};
use core::time::Duration;

use crate::{
    client::ClientConfig,
    entropy::{Entropy, Purpose},
    jose::{
        JwsAlgorithm, base64url,
        unsigned::{JsonObject, UnsignedJwt},
    },
    request::{AuthRequest, ParameterValue},
    time::Timestamp,
};

/// The one `typ` that is not mistaken for another kind of JWT (RFC 9101 10.8, REQ-SIGN-15).
const TYP: &str = "oauth-authz-req+jwt";

/// How authentication requests are signed.
#[derive(Debug, Clone)]
pub(crate) struct RequestObjectRules {
    /// The registered `backchannel_authentication_request_signing_alg` (REQ-META-06).
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) key_id: Option<Arc<str>>,
    /// The issuer, unless configured otherwise (REQ-SIGN-04).
    pub(crate) audience: String,
    pub(crate) options: RequestObjectOptions,
}

/// What may be chosen about signed requests.
#[derive(Debug, Clone)]
pub(crate) struct RequestObjectOptions {
    /// `exp` - `iat`; 300 s by default (REQ-SIGN-05).
    pub(crate) lifetime: Duration,
    /// How far `iat` lies in the past; zero by default (REQ-SIGN-06).
    pub(crate) backdating: Duration,
    /// `iat` - `nbf`; 10 s by default (REQ-SIGN-07).
    pub(crate) not_before: Duration,
    pub(crate) typ: bool,
    pub(crate) client_id_claim: bool,
    pub(crate) numeric_expiry: bool,
}

impl Default for RequestObjectOptions {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(300),
            backdating: Duration::ZERO,
            not_before: Duration::from_secs(10),
            typ: true,
            client_id_claim: false,
            numeric_expiry: false,
        }
    }
}

/// A request as a JWT that is still to be signed, new for every transmission (REQ-SIGN-08). Whoever has no rules for it
/// never signs. No `sub`, so that it is never taken for a client assertion (REQ-SIGN-13).
pub(crate) fn unsigned(
    rules: &RequestObjectRules,
    config: &ClientConfig,
    request: &AuthRequest,
    token: Option<&str>,
    entropy: &Entropy,
    now: Timestamp,
) -> UnsignedJwt {
    let RequestObjectOptions { lifetime, backdating, not_before, typ, client_id_claim, numeric_expiry } = rules.options;
    let issued_at = now.saturating_sub(backdating);
    let mut claims = JsonObject::new();
    claims.text("iss", config.client_id.as_str());
    claims.text("aud", &rules.audience);
    claims.number("iat", issued_at.unix_secs());
    claims.number("nbf", issued_at.saturating_sub(not_before).unix_secs());
    claims.number("exp", issued_at.saturating_add(lifetime).unix_secs());
    claims.text("jti", &base64url::encode(entropy.expand(&*config.verifier, Purpose::RequestJti)));
    if client_id_claim {
        claims.text("client_id", config.client_id.as_str());
    }
    for (name, value) in request.parameters(token) {
        match &value {
            ParameterValue::Text(text) => claims.text(name, text),
            ParameterValue::Seconds(seconds) if numeric_expiry => claims.number(name, *seconds),
            ParameterValue::Seconds(seconds) => claims.text(name, &alloc::format!("{seconds}")),
            ParameterValue::Json(json) => claims.json(name, json),
            ParameterValue::Texts(texts) => match texts.as_slice() {
                [text] => claims.text(name, text),
                texts => claims.json(name, &serde_json::to_string(texts).unwrap_or_default()),
            },
        }
    }
    UnsignedJwt::new(typ.then_some(TYP), claims, rules.algorithm, rules.key_id.clone())
}
