//! The public keys of one issuer, imported.

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

/// An issuer's keys, imported once for every algorithm each of them fits. Cheap to clone.
///
/// It knows its issuer, and is made only by that issuer's [`JwksCache`](crate::JwksCache) or by
/// [`KeySet::pinned`].
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

/// A key of the document, usable or not: what cannot be used is kept by name, so that it can be
/// said why.
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

/// For every algorithm the key fits. The reason is the last one, when no algorithm is left.
fn import(
    jwk: &jwk::PublicJwk,
    is_mixed: bool,
    verifier: &dyn Verifier,
) -> Result<Vec<Imported>, UnusableKey> {
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

/// One key of a set, for people: what it is called, and whether it can be used.
#[derive(Debug, Clone, Copy)]
pub struct PublishedKey<'a> {
    key: &'a Key,
}

impl<'a> PublishedKey<'a> {
    /// `kid`, when it is there.
    #[must_use]
    pub fn key_id(self) -> Option<&'a str> {
        self.key.key_id.as_deref()
    }

    /// `kty`, and `crv` when there is one, cut to a length that can be shown; empty when they
    /// cannot be read.
    #[must_use]
    pub fn kind(self) -> &'a str {
        &self.key.kind
    }

    /// The algorithms that the key verifies.
    ///
    /// # Errors
    ///
    /// [`UnusableKey`]: why it verifies none.
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
    /// A fixed set for a provider without `jwks_uri` (REQ-JWKS-23).
    ///
    /// # Errors
    ///
    /// [`Fault`] when the document is not a key set at all; keys that cannot be used are skipped
    /// one by one.
    pub fn pinned(
        issuer: &Issuer,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        Self::import(issuer.shared(), 0, document, verifier)
    }

    /// Reads a key set (RFC 7517 5) and imports every usable key for every algorithm it fits.
    ///
    /// Keys of unknown kind, malformed keys and keys the backend rejects are skipped one by one
    /// (ruling 4, REQ-JWKS-03). In a set that also holds encryption keys only keys marked
    /// `use: sig` count (REQ-JWKS-16).
    pub(crate) fn import(
        issuer: Arc<str>,
        generation: u64,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        // RFC 8259 8.1 lets readers ignore a byte order mark.
        let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
        let document = Object::parse(document)?;
        let keys = document
            .get("keys")
            .filter(|keys| !keys.is_null())
            .ok_or(Fault::MissingMember("keys"))?;
        let mut keys = keys.items().ok_or(Fault::WrongType("keys"))?;
        let entries: Vec<_> =
            keys.by_ref().take(bounds::KEYS_IN_SET).map(|key| jwk::read(key.json())).collect();
        let is_cut = keys.next().is_some();
        let shows_secrets = entries.iter().any(|entry| entry.shows_secret);
        let is_mixed =
            entries.iter().any(|entry| matches!(entry.key, Err(UnusableKey::Encryption)));
        let keys = entries.into_iter().map(|entry| Key::new(entry, is_mixed, verifier)).collect();
        Ok(Self(Arc::new(Keys { issuer, generation, keys, shows_secrets, is_cut })))
    }

    /// Whose keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether the document held private or symmetric keys, which no provider may publish (OIDC
    /// Discovery 3). They were not used as such, but anyone who fetched the set can sign with them:
    /// worth reporting to the provider (REQ-JWKS-04).
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.0.shows_secrets
    }

    /// Counts the fetches of its cache.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation
    }

    /// The keys that fit algorithm and key id, in order: all that fit when the token names none
    /// (ruling 4).
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

    /// Why no key fits algorithm and key id although one is published that could be meant: the key
    /// of that id, or, when the token names none, the first that cannot be used (ruling 32).
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
            Ok(_) => key_id.map(|_| UnusableKey::OtherAlgorithm),
        });
        reasons.next().or_else(|| self.0.is_cut.then_some(UnusableKey::TooMany))
    }

    /// Every key of the document, usable or not, in order; two hundred at most.
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
