//! The claims of a UserInfo answer, and their checks (OIDC Core 5.3).

use alloc::borrow::Cow;
use core::fmt;

use serde::de::DeserializeOwned;

use crate::{
    client::ClientConfig,
    fault::{Expected, Found, Rejection, Untrusted},
    id_token::ClaimsError,
    jose::{JwsAlgorithm, KeySet, compact::Compact, header::Header, scalar::Scalar},
    json,
    secret::SecretText,
    time::Timestamp,
};

/// The claims that the UserInfo endpoint returned about the authenticated person
/// ([OIDC Core 5.3.2]).
///
/// They are about the person of the ID Token: another `sub` is refused. Its `Debug` output contains
/// no personal data.
///
/// [OIDC Core 5.3.2]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.5.3.2
pub struct UserInfo {
    claims: SecretText,
    subject: SecretText,
    is_signed: bool,
}

impl UserInfo {
    /// Returns `sub`, which is that of the ID Token.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.expose()
    }

    /// Returns whether the claims were signed by the provider. Otherwise only the TLS connection
    /// vouches for them.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// Returns all claims as a JSON object, as received.
    #[must_use]
    pub fn claims_text(&self) -> &str {
        self.claims.expose()
    }

    /// Returns the name and the JSON text of each claim, in order.
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

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo").field("is_signed", &self.is_signed).finish_non_exhaustive()
    }
}

/// Checks a plain answer.
pub(crate) fn plain(claims: SecretText, subject: &str) -> Result<UserInfo, Rejection> {
    let found = Known::parse(claims.expose())?;
    let subject = found.subject(subject)?;
    drop(found);
    Ok(UserInfo { claims, subject, is_signed: false })
}

/// Returns the key id of a signed answer, if its header is acceptable.
// Before any key is looked up: a token with another algorithm must not cause a fetch.
pub(crate) fn inspect(
    token: &str,
    algorithm: JwsAlgorithm,
) -> Result<Option<alloc::string::String>, Rejection> {
    let token = Compact::split(token)?;
    Ok(header(&token, algorithm)?.key_id())
}

/// Checks a signed answer: signature, `iss`, `aud`, times and `sub`.
// REQ-TOK-34
pub(crate) fn signed(
    config: &ClientConfig,
    token: &str,
    algorithm: JwsAlgorithm,
    keys: &KeySet,
    subject: &str,
    received_at: Timestamp,
) -> Result<UserInfo, Rejection> {
    let token = Compact::split(token)?;
    let key_id = header(&token, algorithm)?.key_id();
    // Keys of another issuer are ignored even if they could verify the signature.
    if keys.issuer() != config.issuer.as_str() {
        return Err(Untrusted::UnknownKey.into());
    }
    token.verify(algorithm, key_id.as_deref(), keys)?;
    let claims = SecretText::from_utf8(token.payload).ok_or(Untrusted::ClaimsForm)?;
    let found = Known::parse(claims.expose())?;
    found.issuer(config)?;
    found.audience(config)?;
    found.times(config, received_at)?;
    let subject = found.subject(subject)?;
    drop(found);
    Ok(UserInfo { claims, subject, is_signed: true })
}

fn header<'a>(token: &'a Compact<'_>, algorithm: JwsAlgorithm) -> Result<Header<'a>, Rejection> {
    let header = Header::parse(&token.header)?;
    header.demand(algorithm)?;
    match header.is_plain_jwt() {
        true => Ok(header),
        false => Err(header.of_another_type()),
    }
}

/// The claims that are checked.
#[derive(Default)]
struct Known<'a> {
    iss: Option<Scalar<'a>>,
    aud: Option<Scalar<'a>>,
    sub: Option<Scalar<'a>>,
    exp: Option<Scalar<'a>>,
    nbf: Option<Scalar<'a>>,
    /// Only logout tokens and security event tokens have it.
    events: Option<Scalar<'a>>,
}

impl<'a> Known<'a> {
    /// Reads one JSON object without duplicate names.
    fn parse(text: &'a str) -> Result<Self, Rejection> {
        let mut known = Self::default();
        let read = json::strict_members(text, |name, value| {
            let slot = match &**name {
                "iss" => &mut known.iss,
                "aud" => &mut known.aud,
                "sub" => &mut known.sub,
                "exp" => &mut known.exp,
                "nbf" => &mut known.nbf,
                "events" => &mut known.events,
                _ => return,
            };
            *slot = Some(Scalar::read(value));
        });
        read.ok_or(Untrusted::ClaimsForm)?;
        Ok(known)
    }

    /// `sub` is present and that of the ID Token, byte for byte (OIDC Core 5.3.2).
    // REQ-TOK-34b
    fn subject(&self, expected: &str) -> Result<SecretText, Rejection> {
        match self.sub.as_ref().and_then(Scalar::text).filter(|subject| !subject.is_empty()) {
            Some(subject) if subject == expected => Ok(SecretText::from(subject)),
            // What was found is not kept, because it identifies a person.
            Some(_) => Err(Untrusted::ExpectedSubject.at("sub", Found::AnotherValue)),
            None => Err(Untrusted::Subject.at("sub", Scalar::closed(self.sub.as_ref()))),
        }
    }

    fn issuer(&self, config: &ClientConfig) -> Result<(), Rejection> {
        // A logout token has a valid `iss`, `aud` and `sub` as well.
        if self.events.as_ref().is_some_and(|events| !matches!(events, Scalar::Null)) {
            return Err(Untrusted::TokenKind.into());
        }
        match self.iss.as_ref().and_then(Scalar::text) {
            Some(issuer) if issuer == config.issuer.as_str() => Ok(()),
            _ => Err(Untrusted::Issuer
                .at("iss", Scalar::open_text(self.iss.as_ref()))
                .expecting(Expected::text(config.issuer.as_str()))),
        }
    }

    /// `aud` contains the client id, and only audiences that are trusted.
    fn audience(&self, config: &ClientConfig) -> Result<(), Rejection> {
        let ours = config.client_id.as_str();
        let is_trusted = |audience: &str| {
            audience == ours || config.id_token.trusted_audiences.iter().any(|t| t == audience)
        };
        let refused = |check: Untrusted| {
            let found = Scalar::open(self.aud.as_ref());
            Err(check.at("aud", found).expecting(Expected::text(ours)))
        };
        match &self.aud {
            Some(Scalar::Text(audience)) if &**audience == ours => Ok(()),
            Some(Scalar::Texts(audiences)) if audiences.iter().any(|one| &**one == ours) => {
                match audiences.iter().all(|one| is_trusted(one)) {
                    true => Ok(()),
                    false => refused(Untrusted::ExtraAudience),
                }
            }
            _ => refused(Untrusted::Audience),
        }
    }

    /// `exp` and `nbf` are optional here, but apply if they are present.
    fn times(&self, config: &ClientConfig, now: Timestamp) -> Result<(), Rejection> {
        let skew = config.id_token.skew;
        let present = |claim: &'_ Option<Scalar<'a>>| {
            claim.as_ref().is_some_and(|value| !matches!(value, Scalar::Null))
        };
        if present(&self.exp) {
            let exp = self.exp.as_ref();
            let expires_at = exp.and_then(Scalar::date);
            let expires_at =
                expires_at.ok_or_else(|| Untrusted::Expiry.at("exp", Scalar::no_date(exp, now)))?;
            if expires_at.saturating_add(skew) <= now {
                return Err(Untrusted::Expiry
                    .at("exp", Found::Time(expires_at))
                    .expecting(Expected::NotBefore(now)));
            }
        }
        if present(&self.nbf) {
            let nbf = self.nbf.as_ref();
            let begins = nbf.and_then(Scalar::date);
            let begins =
                begins.ok_or_else(|| Untrusted::NotBefore.at("nbf", Scalar::no_date(nbf, now)))?;
            if begins > now.saturating_add(skew) {
                return Err(Untrusted::NotBefore
                    .at("nbf", Found::Time(begins))
                    .expecting(Expected::NotAfter(now)));
            }
        }
        Ok(())
    }
}

impl Drop for Known<'_> {
    fn drop(&mut self) {
        // Strings that were allocated to resolve escapes are personal data.
        let known = [
            &mut self.iss,
            &mut self.aud,
            &mut self.sub,
            &mut self.exp,
            &mut self.nbf,
            &mut self.events,
        ];
        known.into_iter().flatten().for_each(Scalar::wipe);
    }
}
