//! The provider's public keys, shared by all flows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ciba_core::{
    ClientConfig, Event, Input, JwksCache, KeySetRequest, Lookup, Timestamp, Transmit,
    fault::Trouble, jose::KeySet,
};

use crate::{Clock, HttpClient};

/// The keys of one issuer: one value per configuration, shared by all its flows.
#[derive(Debug)]
pub struct Keys(Source);

#[derive(Debug)]
enum Source {
    /// Never locked across an await.
    Fetched(Box<Mutex<JwksCache>>),
    Pinned(KeySet),
}

impl Keys {
    /// Fetched on demand and cached for as long as the provider allows.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        Self(Source::Fetched(Box::new(Mutex::new(JwksCache::new(config)))))
    }

    /// A fixed set, for a provider that publishes none.
    #[must_use]
    pub const fn pinned(keys: KeySet) -> Self {
        Self(Source::Pinned(keys))
    }

    /// Puts in what another process fetched and [`Self::export`] gave out. Says whether it was
    /// taken.
    #[must_use]
    pub fn preload(&self, document: &[u8], fetched_at: Timestamp, now: Timestamp) -> bool {
        match &self.0 {
            Source::Fetched(cache) => lock(cache).preload(document, fetched_at, now),
            Source::Pinned(_) => false,
        }
    }

    /// The last good document and when it was fetched.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        match &self.0 {
            Source::Fetched(cache) => lock(cache).export(),
            Source::Pinned(_) => None,
        }
    }

    /// Answers a flow's question, with a fetch when one is due. Of many flows that ask at once one
    /// fetches; the others are told to ask again shortly.
    ///
    /// Dropping the future in the middle of a fetch frees the way for the next one who asks.
    pub async fn answer(
        &self,
        mut request: KeySetRequest,
        http: &HttpClient,
        clock: &dyn Clock,
        progress: &mut (dyn FnMut(&Event) + Send),
    ) -> Input {
        let cache = match &self.0 {
            Source::Fetched(cache) => cache,
            Source::Pinned(keys) => return request.found(keys.clone()),
        };
        loop {
            let looked_up = lock(cache).lookup(&mut request, clock.now());
            let transmit = match looked_up {
                Lookup::Ready(keys) => return request.found(keys),
                Lookup::Later(until) => return request.later(until),
                Lookup::Unavailable(why) => return request.unavailable(why),
                Lookup::Fetch(transmit) => transmit,
            };
            progress(&Event::requesting(&transmit));
            fetch(cache, transmit, http, clock).await;
        }
    }

    /// Fetches the keys before a flow asks for them.
    ///
    /// # Errors
    ///
    /// [`Trouble`] when they cannot be had now; a flow would ask again.
    pub async fn prefetch(&self, http: &HttpClient, clock: &dyn Clock) -> Result<(), Trouble> {
        let Source::Fetched(cache) = &self.0 else { return Ok(()) };
        loop {
            let looked_up = lock(cache).prefetch(clock.now());
            match looked_up {
                Lookup::Fetch(transmit) => fetch(cache, transmit, http, clock).await,
                Lookup::Unavailable(why) => return Err(why),
                // Another caller is fetching.
                Lookup::Ready(_) | Lookup::Later(_) => return Ok(()),
            }
        }
    }
}

async fn fetch(cache: &Mutex<JwksCache>, transmit: Transmit, http: &HttpClient, clock: &dyn Clock) {
    let begun = lock(cache).begin(transmit, clock.now());
    if let Some(sending) = begun {
        let answer = http.perform(sending).await;
        // It is this cache's own, so there is nothing to refuse.
        let _ = lock(cache).handle(answer, clock.now());
    }
}

/// A panic elsewhere while the lock was held leaves at worst an old set behind.
fn lock(cache: &Mutex<JwksCache>) -> MutexGuard<'_, JwksCache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
