//! The public keys of one issuer, imported.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    bounds,
    crypto::{VerificationKey, Verifier},
    error::Fault,
    issuer::Issuer,
    jose::{JwsAlgorithm, jwk},
    json,
};

/// An issuer's keys, imported once for every algorithm each of them fits. Cheap to clone.
///
/// It knows its issuer, and is made only by that issuer's [`JwksCache`](crate::JwksCache) or by [`KeySet::pinned`].
#[derive(Clone)]
pub struct KeySet(Arc<Keys>);

struct Keys {
    issuer: Arc<str>,
    generation: u64,
    keys: Vec<ImportedKey>,
    shows_secrets: bool,
}

struct ImportedKey {
    key_id: Option<String>,
    algorithms: Vec<(JwsAlgorithm, Arc<dyn VerificationKey>)>,
}

impl ImportedKey {
    fn new(jwk: jwk::PublicJwk, verifier: &dyn Verifier) -> Self {
        let import = |algorithm: JwsAlgorithm| Some((algorithm, verifier.import(jwk.key.borrow(), algorithm).ok()?));
        Self { algorithms: jwk.algorithms.iter().copied().filter_map(import).collect(), key_id: jwk.key_id }
    }
}

impl KeySet {
    /// A fixed set for a provider without `jwks_uri` (REQ-JWKS-23).
    ///
    /// # Errors
    ///
    /// [`Fault`] when the document is not a key set at all; keys that cannot be used are skipped one by one.
    pub fn pinned(issuer: &Issuer, document: &[u8], verifier: &dyn Verifier) -> Result<Self, Fault> {
        Self::import(issuer.shared(), 0, document, verifier)
    }

    /// Reads a key set (RFC 7517 5) and imports every usable key for every algorithm it fits.
    ///
    /// Keys of unknown kind, malformed keys and keys the backend rejects are skipped one by one (ruling 4, REQ-JWKS-03). In a
    /// set that also holds encryption keys only keys marked `use: sig` count (REQ-JWKS-16).
    pub(crate) fn import(
        issuer: Arc<str>,
        generation: u64,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        let members = json::raw_members(document)?;
        let keys = members.iter().find(|(name, _)| name == "keys").ok_or(Fault::MissingMember("keys"))?;
        let keys = json::raw_items(keys.1).ok_or(Fault::BadMember("keys"))?;
        let mut is_mixed = false;
        let mut shows_secrets = false;
        let mut usable = Vec::new();
        for key in keys.into_iter().take(bounds::KEYS_IN_SET) {
            let (found, shows_secret) = jwk::read(key.get());
            shows_secrets |= shows_secret;
            match found {
                jwk::Found::Signing(key) => usable.push(key),
                jwk::Found::Encryption => is_mixed = true,
                jwk::Found::Unusable => {}
            }
        }
        let keys = usable
            .into_iter()
            .filter(|key| key.has_use || !is_mixed)
            .map(|key| ImportedKey::new(key, verifier))
            .filter(|key| !key.algorithms.is_empty())
            .collect();
        Ok(Self(Arc::new(Keys { issuer, generation, keys, shows_secrets })))
    }

    /// Whose keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Whether the document held private or symmetric keys, which no provider may publish (OIDC Discovery 3). They were
    /// not used as such, but whoever fetched the set can sign with them: worth telling the provider (REQ-JWKS-04).
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.0.shows_secrets
    }

    /// Counts the fetches of its cache.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation
    }

    /// The keys that fit algorithm and key id, in order: all that fit when the token names none (ruling 4).
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
                key.algorithms.iter().filter(move |(known, _)| *known == algorithm).map(|(_, key)| &**key)
            })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys of {})", self.0.keys.len(), self.0.issuer)
    }
}

#[cfg(test)]
impl KeySet {
    /// A set of keys that were imported elsewhere.
    pub(crate) fn of(issuer: &str, keys: Vec<(Option<&str>, JwsAlgorithm, Arc<dyn VerificationKey>)>) -> Self {
        let imported = |(key_id, algorithm, key): (Option<&str>, _, _)| ImportedKey {
            key_id: key_id.map(Into::into),
            algorithms: alloc::vec![(algorithm, key)],
        };
        let keys = keys.into_iter().map(imported).collect();
        Self(Arc::new(Keys { issuer: issuer.into(), generation: 0, keys, shows_secrets: false }))
    }
}
