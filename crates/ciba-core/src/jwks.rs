//! The issuer's keys, fetched as seldom as possible: a second small machine, one per issuer, shared by all flows.

use alloc::{sync::Arc, vec::Vec};

use crate::{
    ask::{Input, KeySetRequest, Transmit},
    client::ClientConfig,
    error::Misuse,
    jose::KeySet,
    time::Timestamp,
};

/// The key set of one issuer. Keep it under a lock that is never held across I/O.
#[derive(Debug)]
pub struct JwksCache {
    config: Arc<ClientConfig>,
}

/// What a look-up says.
#[must_use]
#[derive(Debug)]
pub enum Lookup {
    /// Here are the keys: [`KeySetRequest::found`].
    Ready(KeySet),
    /// Fetch them: perform the exchange, hand the input to [`JwksCache::handle`], look up again.
    Fetch(Transmit),
    /// Somebody else is fetching, or a refresh is not due yet: look up again then, or answer [`KeySetRequest::later`].
    Later(Timestamp),
    /// The set could not be fetched: [`KeySetRequest::unavailable`].
    Unavailable,
}

impl JwksCache {
    /// An empty cache for the issuer of this configuration.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        Self { config: Arc::clone(config) }
    }

    /// The keys for a request, or what to do to get them.
    pub fn lookup(&mut self, request: &KeySetRequest, now: Timestamp) -> Lookup {
        let _ = (request, now, &self.config);
        todo!()
    }

    /// Takes the outcome of a fetch.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the input is not of this cache's last fetch.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        let _ = (input, now);
        todo!()
    }

    /// Puts a key set document in, for example from a file another process wrote with [`Self::export`].
    pub fn preload(&mut self, document: &[u8], fetched_at: Timestamp) -> bool {
        let _ = (document, fetched_at);
        todo!()
    }

    /// The last good key set document as it was fetched, and when.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        todo!()
    }
}
