//! Addresses of requests in the form of reqwest.

use std::sync::{Arc, PoisonError, RwLock};

use ciba_core::http::Url;

/// The number of addresses that are remembered. A provider has a handful of endpoints.
const REMEMBERED: usize = 16;

/// The last addresses, parsed. Parsing one costs as much as building the rest of a request, and
/// every poll of every flow goes to the same endpoint. Clones share what they remember.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Arc<RwLock<Vec<(Url, reqwest::Url)>>>);

impl Addresses {
    /// Returns an address as reqwest has it, or `None` if reqwest does not accept it.
    pub(crate) fn of(&self, url: &Url) -> Option<reqwest::Url> {
        // A panic elsewhere while the lock was held leaves a consistent table.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, parsed)) = known.iter().find(|(known, _)| known == url) {
            return Some(parsed.clone());
        }
        drop(known);
        let parsed = reqwest::Url::parse(url.as_str()).ok()?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.remove(0);
        }
        known.push((url.clone(), parsed.clone()));
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_addresses_are_remembered_unchanged() {
        let addresses = Addresses::default();
        for number in (0..2 * REMEMBERED).chain(0..3) {
            let url = Url::parse(&format!("https://op.example/{number}?a=%20")).expect("a URL");
            assert_eq!(addresses.of(&url).expect("accepted").as_str(), url.as_str());
            assert_eq!(addresses.of(&url).expect("accepted").as_str(), url.as_str());
        }
        assert_eq!(addresses.0.read().expect("not poisoned").len(), REMEMBERED);
    }
}
