//! ID Token validation in numbered checks (OIDC Core 3.1.3.7, requirement section 12).

use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::fmt;

use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::{
    client::ClientConfig,
    expect::Expectations,
    fault::{Rejection, Untrusted},
    jose::{JwsAlgorithm, KeySet, compact::Compact, header::Header},
    json,
    person::Person,
    secret::{AccessToken, AuthReqId, CompactIdToken, RefreshToken, SecretText},
    time::Timestamp,
    wire::Deviation,
};

mod checks;
mod claims;
#[cfg(all(test, feature = "rustcrypto"))]
mod tests;

pub(crate) use claims::Claims;
pub use claims::ClaimsError;

/// What an ID Token is checked against, beyond the configuration.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct IdTokenContext<'a> {
    /// What the caller expects.
    pub expectations: &'a Expectations,
    /// The request it answers, for the `auth_req_id` claim when present (REQ-IDT-27).
    pub auth_req_id: Option<&'a AuthReqId>,
    /// The access token beside it, for `at_hash` when present (REQ-IDT-26).
    pub access_token: Option<&'a AccessToken>,
    /// The refresh token beside it, for the `rt_hash` claim when present (REQ-IDT-27).
    pub refresh_token: Option<&'a RefreshToken>,
    /// When the authentication request was sent: `iat` is not earlier (REQ-IDT-19).
    pub started_at: Option<Timestamp>,
    /// When the response arrived; all times are checked against it.
    pub received_at: Timestamp,
    /// Whether the tokens came by push: then `at_hash`, the `auth_req_id` claim and, beside a
    /// refresh token, `rt_hash` have to be there (CIBA 10.3.1, ruling 10).
    pub is_pushed: bool,
}

impl<'a> IdTokenContext<'a> {
    /// A token that arrived at an instant, with nothing beside it.
    #[must_use]
    pub const fn new(expectations: &'a Expectations, received_at: Timestamp) -> Self {
        Self {
            expectations,
            auth_req_id: None,
            access_token: None,
            refresh_token: None,
            started_at: None,
            received_at,
            is_pushed: false,
        }
    }
}

impl ClientConfig {
    /// Validates an ID Token on its own: every check a flow makes, in the same order, by the same
    /// code.
    ///
    /// A flow does this itself; this is for tokens that came another way, and for benchmarks and
    /// fuzzing. `keys` is not needed, and not looked at, where an HMAC under the client secret is
    /// registered.
    ///
    /// # Errors
    ///
    /// [`Rejection`]: the first check that fails.
    pub fn validate_id_token(
        &self,
        compact: &str,
        keys: Option<&KeySet>,
        context: &IdTokenContext<'_>,
    ) -> Result<IdToken, Rejection> {
        inspect(self, compact)?.verify(self, keys, context)
    }
}

/// An ID Token whose form and header were accepted; nothing in it is believed yet.
pub(crate) struct Inspected<'a> {
    pub(crate) compact: &'a str,
    pub(crate) key_id: Option<String>,
    token: Compact<'a>,
}

/// Form and header: what can be said before any key is at hand.
pub(crate) fn inspect<'a>(
    config: &ClientConfig,
    compact: &'a str,
) -> Result<Inspected<'a>, Rejection> {
    let token = Compact::split(compact)?;
    let header = Header::parse(&token.header)?;
    header.demand(config.id_token.algorithm)?;
    if !header.is_plain_jwt() {
        return Err(header.of_another_type());
    }
    let key_id = header.key_id();
    Ok(Inspected { compact, key_id, token })
}

impl Inspected<'_> {
    /// Whether a public key of the issuer is needed (not for HMAC under the client secret).
    pub(crate) fn needs_keys(&self, config: &ClientConfig) -> bool {
        !config.id_token.algorithm.is_symmetric()
    }

    /// Signature, then claims. [`Untrusted::UnknownKey`] when no key of the set fits.
    pub(crate) fn verify(
        self,
        config: &ClientConfig,
        keys: Option<&KeySet>,
        context: &IdTokenContext<'_>,
    ) -> Result<IdToken, Rejection> {
        let algorithm = config.id_token.algorithm;
        if self.needs_keys(config) {
            // Keys of another issuer are no keys, whatever they could verify (REQ-IDT-34).
            let keys = keys
                .filter(|keys| keys.issuer() == config.issuer.as_str())
                .ok_or(Untrusted::UnknownKey)?;
            self.token.verify(algorithm, self.key_id.as_deref(), keys)?;
        } else {
            self.verify_mac(config, algorithm)?;
        }
        // Nothing of the payload is looked at before this line. From here on it is moved and not
        // copied, so that what it says about a person is in one place, which is wiped.
        let text = SecretText::from_utf8(self.token.payload).ok_or(Untrusted::ClaimsForm)?;
        let claims = Claims::parse(text.expose(), context.expectations)?;
        let verdict = checks::check(config, &claims, context)?;
        let mut id_token = IdToken {
            compact: CompactIdToken::new(self.compact),
            claims: SecretText::default(),
            issuer: config.issuer.shared(),
            subject: SecretText::from(verdict.subject),
            audiences: verdict.audiences.iter().map(|&audience| audience.into()).collect(),
            issued_at: verdict.issued_at,
            expires_at: verdict.expires_at,
            auth_time: verdict.auth_time,
            acr: claims.acr().map(Into::into),
            amr: claims.amr(),
            person: verdict.person,
            deviations: verdict.deviations,
        };
        drop(claims);
        id_token.claims = text;
        Ok(id_token)
    }

    /// HMAC under the octets of the client secret (REQ-IDT-05). A secret shorter than the hash is
    /// no key for it.
    fn verify_mac(&self, config: &ClientConfig, algorithm: JwsAlgorithm) -> Result<(), Rejection> {
        let key = config.auth.secret().ok_or(Untrusted::UnknownKey)?.expose().as_bytes();
        let hash = algorithm.hash();
        if key.len() < hash.length() {
            return Err(Untrusted::UnknownKey.into());
        }
        let mac = config.verifier.hmac(hash, key, self.token.signing_input.as_bytes());
        match mac.is_of(hash) && bool::from(mac.as_bytes().ct_eq(&self.token.signature)) {
            true => Ok(()),
            false => Err(Untrusted::Signature.into()),
        }
    }
}

/// A verified ID Token: there is no other way to one than through every check. No `Deserialize`.
///
/// What it says about a person does not show in `Debug`.
pub struct IdToken {
    compact: CompactIdToken,
    claims: SecretText,
    issuer: Arc<str>,
    subject: SecretText,
    audiences: Vec<String>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    auth_time: Option<Timestamp>,
    acr: Option<String>,
    amr: Vec<String>,
    person: Person,
    deviations: Vec<Deviation>,
}

impl IdToken {
    /// The token as it was received, for a later `id_token_hint` (REQ-IDT-38).
    #[must_use]
    pub const fn compact(&self) -> &CompactIdToken {
        &self.compact
    }

    /// `sub`: who was authenticated, unique and lasting at the issuer; byte for byte as received.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.expose()
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `aud`: the client id, and other audiences that were configured as trusted.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(String::as_str)
    }

    /// `iat`.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// `exp`: until when the token may be taken for proof, not how long a session may last.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// `auth_time`: when the person was authenticated, if the provider said.
    #[must_use]
    pub const fn auth_time(&self) -> Option<Timestamp> {
        self.auth_time
    }

    /// `acr`, if it is there as a text.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// `amr`, not interpreted; empty when it is not there or not a list of texts (REQ-IDT-32).
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.amr.iter().map(String::as_str)
    }

    /// Whether the person was compared with the one the request named.
    #[must_use]
    pub const fn person(&self) -> Person {
        self.person
    }

    /// What was odd about the token and tolerated.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// All claims as the JSON object that was signed.
    #[must_use]
    pub fn claims_text(&self) -> &str {
        self.claims.expose()
    }

    /// The name and the JSON text of each claim, in the order they were signed.
    pub fn iter_claims(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        json::fields(self.claims.expose())
    }

    /// All claims, read into a type of the caller (REQ-IDT-30).
    ///
    /// # Errors
    ///
    /// [`ClaimsError`] when they do not fit the type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        Ok(json::read(self.claims.expose())?)
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
