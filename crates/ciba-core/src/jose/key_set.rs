//! The public keys of one issuer, imported.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;

use crate::{
    crypto::{VerificationKey, Verifier},
    error::Fault,
    issuer::Issuer,
    jose::JwsAlgorithm,
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
}

struct ImportedKey {
    key_id: Option<String>,
    algorithms: Vec<(JwsAlgorithm, Arc<dyn VerificationKey>)>,
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

    /// Reads a key set and imports every usable key.
    pub(crate) fn import(
        issuer: Arc<str>,
        generation: u64,
        document: &[u8],
        verifier: &dyn Verifier,
    ) -> Result<Self, Fault> {
        let _ = (issuer, generation, document, verifier);
        todo!()
    }

    /// Whose keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
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
        Self(Arc::new(Keys { issuer: issuer.into(), generation: 0, keys: keys.into_iter().map(imported).collect() }))
    }
}
