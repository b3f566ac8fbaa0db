//! The imported public keys of an issuer.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    bounds,
    crypto::{VerificationKey, Verifier},
    fault::Fault,
    issuer::Issuer,
    jose::{JwsAlgorithm, UnusableKey, jwk},
    json::Object,
};

/// The public keys of one issuer, each imported for every algorithm that it fits.
///
/// A `KeySet` belongs to one issuer. It is created by that issuer's
/// [`JwksCache`](crate::JwksCache) or by [`KeySet::pinned`]. Cloning is cheap.
#[derive(Clone)]
pub struct KeySet(Arc<Keys>);

struct Keys {
    issuer: Arc<str>,
    generation: u64,
    keys: Vec<Key>,
    shows_secrets: bool,
    /// Whether the document holds more keys than are read.
    is_cut: bool,
}

/// A key of the document, usable or not. Unusable keys are kept so that an error can name the
/// reason.
struct Key {
    key_id: Option<String>,
    kind: String,
    imported: Result<Vec<Imported>, UnusableKey>,
}

type Imported = (JwsAlgorithm, Arc<dyn VerificationKey>);

impl Key {
    fn new(entry: jwk::Entry, is_mixed: bool, verifier: &dyn Verifier) -> Self {
        let imported = entry.key.and_then(|jwk| import(&jwk, is_mixed, verifier));
        Self { key_id: entry.key_id, kind: entry.kind, imported }
    }
}

/// Imports a key for every algorithm it fits. If none is left, returns the reason of the last.
fn import(
    jwk: &jwk::PublicJwk,
    is_mixed: bool,
    verifier: &dyn Verifier,
) -> Result<Vec<Imported>, UnusableKey> {
    // The key may be meant for encryption (REQ-JWKS-16).
    if is_mixed && !jwk.has_use {
        return Err(UnusableKey::Unmarked);
    }
    let mut reason = UnusableKey::Algorithm;
    let mut imported = Vec::with_capacity(jwk.algorithms.len());
    for algorithm in jwk.algorithms.iter().copied() {
        match verifier.import(jwk.key.borrow(), algorithm) {
            Ok(key) => imported.push((algorithm, key)),
            Err(rejected) => reason = UnusableKey::Rejected(rejected),
        }
    }
    if imported.is_empty() { Err(reason) } else { Ok(imported) }
}

/// One key of a set, for display: its name, and whether it can be used.
#[derive(Debug, Clone, Copy)]
pub struct PublishedKey<'a> {
    key: &'a Key,
}

impl<'a> PublishedKey<'a> {
    /// Returns `kid`, if present.
    #[must_use]
    pub fn key_id(self) -> Option<&'a str> {
        self.key.key_id.as_deref()
    }

    /// Returns `kty`, followed by `crv` if there is one, truncated for display. Empty if they
    /// cannot be read.
    #[must_use]
    pub fn kind(self) -> &'a str {
        &self.key.kind
    }

    /// Returns the algorithms that the key can verify.
    ///
    /// # Errors
    ///
    /// Returns [`UnusableKey`] if it can verify none.
    pub fn algorithms(self) -> Result<impl Iterator<Item = JwsAlgorithm> + 'a, UnusableKey> {
        match &self.key.imported {
            Ok(imported) => Ok(imported.iter().map(|(algorithm, _)| *algorithm)),
            Err(reason) => Err(*reason),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.imported.as_ref().err();
        f.debug_struct("Key")
            .field("kind", &self.kind)
            .field("unusable", &reason)
            .finish_non_exhaustive()
    }
}

impl KeySet {
    /// Imports a fixed key set, for a provider without `jwks_uri`.
    ///
    /// # Errors
    ///
    /// Returns [`Fault`] if the document is not a key set. Keys that cannot be used do not cause an
    /// error; they are skipped.
    // REQ-JWKS-23
    pub fn pinned(
        issuer: &Issuer,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        Self::import(issuer.shared(), 0, document, verifier)
    }

    /// Reads a key set (RFC 7517 section 5) and imports every usable key for every algorithm it
    /// fits.
    ///
    /// Keys of unknown kinds, malformed keys and keys rejected by the backend are skipped one by
    /// one. In a set that also holds encryption keys, only keys marked `use: sig` are used.
    // Ruling 4, REQ-JWKS-03, REQ-JWKS-16.
    pub(crate) fn import(
        issuer: Arc<str>,
        generation: u64,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        // RFC 8259 section 8.1 allows readers to ignore a byte order mark.
        let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
        let document = Object::parse(document)?;
        let keys = document
            .get("keys")
            .filter(|keys| !keys.is_null())
            .ok_or(Fault::MissingMember("keys"))?;
        let mut keys = keys.items().ok_or(Fault::WrongType("keys"))?;
        let entries: Vec<_> =
            // Importing a key costs arithmetic, so the number is bounded.
            keys.by_ref().take(bounds::KEYS_IN_SET).map(|key| jwk::read(key.json())).collect();
        let is_cut = keys.next().is_some();
        let shows_secrets = entries.iter().any(|entry| entry.shows_secret);
        // OIDC Discovery 3: in a set for both purposes, `use` tells the keys apart.
        let is_mixed =
            entries.iter().any(|entry| matches!(entry.key, Err(UnusableKey::Encryption)));
        let keys = entries.into_iter().map(|entry| Key::new(entry, is_mixed, verifier)).collect();
        Ok(Self(Arc::new(Keys { issuer, generation, keys, shows_secrets, is_cut })))
    }

    /// Returns the issuer of the keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Returns whether the document contained private or symmetric keys, which a provider must not
    /// publish ([OIDC Discovery 3]).
    ///
    /// Their secret members are ignored, but everyone who fetched the set can sign with them, so
    /// report this to the provider.
    ///
    /// [OIDC Discovery 3]: https://openid.net/specs/openid-connect-discovery-1_0.html#rfc.section.3
    // REQ-JWKS-04
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.0.shows_secrets
    }

    /// The number of the fetch by which the cache obtained the set.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Returns the keys that fit algorithm and key id, in order. Without a key id, all keys that
    /// fit the algorithm are returned.
    // Ruling 4.
    pub(crate) fn candidates<'a>(
        &'a self,
        algorithm: JwsAlgorithm,
        key_id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a dyn VerificationKey> {
        self.0
            .keys
            .iter()
            .filter(move |key| key_id.is_none_or(|wanted| key.key_id.as_deref() == Some(wanted)))
            .flat_map(move |key| {
                let imported = key.imported.iter().flatten();
                imported.filter(move |(known, _)| *known == algorithm).map(|(_, key)| &**key)
            })
    }

    /// Explains why no key fits although one is published that could be meant: the key with the
    /// given id or, without a key id, the first unusable key.
    // Ruling 32.
    pub(crate) fn why_none(
        &self,
        algorithm: JwsAlgorithm,
        key_id: Option<&str>,
    ) -> Option<UnusableKey> {
        let meant = self
            .0
            .keys
            .iter()
            .filter(|key| key_id.is_none_or(|wanted| key.key_id.as_deref() == Some(wanted)));
        let mut reasons = meant.filter_map(|key| match &key.imported {
            Err(reason) => Some(*reason),
            Ok(imported) if imported.iter().any(|(known, _)| *known == algorithm) => None,
            // Without a key id, a key of another algorithm was not meant.
            Ok(_) => key_id.map(|_| UnusableKey::OtherAlgorithm),
        });
        // The key that was meant may be among those that were not read.
        reasons.next().or_else(|| self.0.is_cut.then_some(UnusableKey::TooMany))
    }

    /// Returns every key of the document in order, usable or not. At most 200 keys are read.
    pub fn keys(&self) -> impl Iterator<Item = PublishedKey<'_>> {
        self.0.keys.iter().map(|key| PublishedKey { key })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usable = self.0.keys.iter().filter(|key| key.imported.is_ok()).count();
        write!(f, "KeySet({usable} keys of {})", self.0.issuer)
    }
}

#[cfg(test)]
impl KeySet {
    /// A set of keys that were imported elsewhere.
    pub(crate) fn of(
        issuer: &str,
        keys: Vec<(Option<&str>, JwsAlgorithm, Arc<dyn VerificationKey>)>,
    ) -> Self {
        let imported = |(key_id, algorithm, key): (Option<&str>, _, _)| Key {
            key_id: key_id.map(Into::into),
            kind: String::new(),
            imported: Ok(alloc::vec![(algorithm, key)]),
        };
        let keys = keys.into_iter().map(imported).collect();
        Self(Arc::new(Keys {
            issuer: issuer.into(),
            generation: 0,
            keys,
            shows_secrets: false,
            is_cut: false,
        }))
    }
}
