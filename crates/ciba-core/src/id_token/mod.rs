//! ID Token validation: the checks of OIDC Core 3.1.3.7, in order.

use alloc::{borrow::Cow, string::String, sync::Arc, vec::Vec};
use core::fmt;

use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::{
    client::ClientConfig,
    fault::{Rejection, Untrusted},
    jose::{JwsAlgorithm, KeySet, compact::Compact, header::Header},
    json,
    person::Person,
    secret::{CompactIdToken, SecretText},
    time::Timestamp,
    wire::Deviation,
};

mod checks;
mod claims;
mod context;
#[cfg(all(test, feature = "rustcrypto"))]
mod tests;

pub(crate) use claims::Claims;
pub use claims::ClaimsError;
pub use context::IdTokenContext;

impl ClientConfig {
    /// Validates an ID Token on its own, with the same checks in the same order as a flow.
    ///
    /// A flow calls this itself. Call it directly for tokens that were received in another way, and
    /// in benchmarks and fuzz targets. `keys` is ignored if the configured algorithm is an HMAC
    /// keyed with the client secret.
    ///
    /// # Errors
    ///
    /// Returns the [`Rejection`] of the first check that fails.
    pub fn validate_id_token(
        &self,
        compact: &str,
        keys: Option<&KeySet>,
        context: &IdTokenContext<'_>,
    ) -> Result<IdToken, Rejection> {
        inspect(self, compact)?.verify(self, keys, context)
    }
}

/// An ID Token whose serialization and header were accepted. Its signature has not been verified
/// yet.
pub(crate) struct Inspected<'a> {
    pub(crate) compact: &'a str,
    pub(crate) key_id: Option<String>,
    token: Compact<'a>,
}

/// Checks the serialization and the header, which needs no key.
pub(crate) fn inspect<'a>(
    config: &ClientConfig,
    compact: &'a str,
) -> Result<Inspected<'a>, Rejection> {
    let token = Compact::split(compact)?;
    let header = Header::parse(&token.header)?;
    // Before any key is looked up: a token with another algorithm must not cause a fetch.
    header.demand(config.id_token.algorithm)?;
    if !header.is_plain_jwt() {
        return Err(header.of_another_type());
    }
    let key_id = header.key_id();
    Ok(Inspected { compact, key_id, token })
}

impl Inspected<'_> {
    /// Whether verification needs a public key of the issuer, as opposed to the client secret.
    pub(crate) fn needs_keys(&self, config: &ClientConfig) -> bool {
        !config.id_token.algorithm.is_symmetric()
    }

    /// Verifies the signature, then the claims. Fails with [`Untrusted::UnknownKey`] if no key of
    /// the set fits.
    pub(crate) fn verify(
        self,
        config: &ClientConfig,
        keys: Option<&KeySet>,
        context: &IdTokenContext<'_>,
    ) -> Result<IdToken, Rejection> {
        let algorithm = config.id_token.algorithm;
        if self.needs_keys(config) {
            // Keys of another issuer are ignored even if they could verify the signature
            // (REQ-IDT-34).
            let keys = keys
                .filter(|keys| keys.issuer() == config.issuer.as_str())
                .ok_or(Untrusted::UnknownKey)?;
            self.token.verify(algorithm, self.key_id.as_deref(), keys)?;
        } else {
            self.verify_mac(config, algorithm)?;
        }
        // The payload is not read before this line. From here on it is moved and never copied, so
        // that the personal data in it exists in one place, which is wiped on drop.
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

    /// Verifies an HMAC keyed with the octets of the client secret.
    // REQ-IDT-05; RFC 7518 section 3.2: a key shorter than the hash must not be used.
    fn verify_mac(&self, config: &ClientConfig, algorithm: JwsAlgorithm) -> Result<(), Rejection> {
        let key = config.auth.secret().ok_or(Untrusted::UnknownKey)?.expose().as_bytes();
        let hash = algorithm.hash();
        // The configuration refuses such a secret. Checked again here, because this is where it
        // would be used.
        if key.len() < hash.length() {
            return Err(Untrusted::UnknownKey.into());
        }
        let mac = config.verifier.hmac(hash, key, self.token.signing_input.as_bytes());
        // The length is compared as well: a backend that returns an empty MAC must not match an
        // empty signature.
        match mac.is_of(hash) && bool::from(mac.as_bytes().ct_eq(&self.token.signature)) {
            true => Ok(()),
            false => Err(Untrusted::Signature.into()),
        }
    }
}

/// A verified ID Token.
///
/// An `IdToken` can be obtained only by passing every check, so it does not implement
/// `Deserialize`. Its `Debug` output contains no personal data.
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
    /// Returns the token as it was received, for example to send it as an `id_token_hint` later.
    #[must_use]
    pub const fn compact(&self) -> &CompactIdToken {
        &self.compact
    }

    /// Returns `sub`, the identifier of the authenticated person, byte for byte as received.
    ///
    /// It is unique within the issuer and never reassigned ([OIDC Core 2]).
    ///
    /// [OIDC Core 2]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.2
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.expose()
    }

    /// Returns `iss`, the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns `aud`: the client id and any other audiences that are configured as trusted.
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.audiences.iter().map(String::as_str)
    }

    /// Returns `iat`, the time at which the token was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Returns `exp`, the time from which the token must no longer be accepted as proof.
    ///
    /// It does not limit how long a session may last.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Returns `auth_time`, the time at which the person was authenticated, if the provider sent it.
    #[must_use]
    pub const fn auth_time(&self) -> Option<Timestamp> {
        self.auth_time
    }

    /// Returns `acr`, the authentication context class, if it is present and a string.
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// Returns the values of `amr`, the authentication methods, without interpreting them.
    ///
    /// The iterator is empty if the claim is absent or not an array of strings.
    pub fn amr(&self) -> impl Iterator<Item = &str> {
        self.amr.iter().map(String::as_str)
    }

    /// Returns whether the person was compared with the one that the request named.
    #[must_use]
    pub const fn person(&self) -> Person {
        self.person
    }

    /// Returns the irregularities of the token that were tolerated.
    #[must_use]
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Returns all claims as the JSON object that was signed.
    #[must_use]
    pub fn claims_text(&self) -> &str {
        self.claims.expose()
    }

    /// Returns the name and the JSON text of each claim, in the order of the signed object.
    pub fn iter_claims(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        json::fields(self.claims.expose())
    }

    /// Deserializes all claims into a type of the caller.
    ///
    /// # Errors
    ///
    /// Returns [`ClaimsError`] if the claims do not fit the type.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimsError> {
        Ok(json::read(self.claims.expose())?)
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
