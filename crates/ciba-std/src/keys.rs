//! The provider's public keys, shared by all flows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ciba_core::{
    ClientConfig, Event, Input, JwksCache, KeySetRequest, Lookup, Sending, Timestamp,
    fault::ExchangeProblem, jose::KeySet,
};

use crate::Clock;

/// The public keys of one issuer. Create one value for each configuration, shared by all its flows.
#[derive(Debug)]
pub struct Keys(Source);

#[derive(Debug)]
enum Source {
    /// Never locked during an exchange or an `await`.
    Fetched(Box<Mutex<JwksCache>>),
    Pinned(KeySet),
}

impl Keys {
    /// Creates keys that are fetched on demand and cached for as long as the provider allows.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        Self(Source::Fetched(Box::new(Mutex::new(JwksCache::new(config)))))
    }

    /// Creates a fixed set, for a provider that publishes none.
    #[must_use]
    pub const fn pinned(keys: KeySet) -> Self {
        Self(Source::Pinned(keys))
    }

    /// Takes a document that another process fetched and [`Self::export`] returned. Returns whether
    /// it is used.
    #[must_use]
    pub fn preload(&self, document: &[u8], fetched_at: Timestamp, now: Timestamp) -> bool {
        match &self.0 {
            Source::Fetched(cache) => lock(cache).preload(document, fetched_at, now),
            Source::Pinned(_) => false,
        }
    }

    /// Returns the last good document and when it was fetched.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        match &self.0 {
            Source::Fetched(cache) => lock(cache).export(),
            Source::Pinned(_) => None,
        }
    }

    /// Takes one step towards the answer to a flow's question. Send the request that it returns,
    /// pass the outcome to [`Self::fetched`], and ask again with the same question. If many flows
    /// ask at once, one fetches and the others are told to ask again shortly. If the request is
    /// dropped, the next flow that asks fetches.
    pub fn step(
        &self,
        mut question: KeySetRequest,
        clock: &dyn Clock,
        progress: &mut dyn FnMut(&Event),
    ) -> KeyStep {
        let cache = match &self.0 {
            Source::Fetched(cache) => cache,
            Source::Pinned(keys) => return KeyStep::Answer(question.found(keys.clone())),
        };
        loop {
            let looked_up = lock(cache).lookup(&mut question, clock.now());
            let transmit = match looked_up {
                Lookup::Ready(keys) => return KeyStep::Answer(question.found(keys)),
                Lookup::Later(until) => return KeyStep::Answer(question.later(until)),
                Lookup::Unavailable(why) => return KeyStep::Answer(question.unavailable(why)),
                Lookup::Fetch(transmit) => transmit,
            };
            progress(&Event::requesting(&transmit));
            let begun = lock(cache).begin(transmit, clock.now());
            if let Some(sending) = begun {
                return KeyStep::Fetch(sending, question);
            }
        }
    }

    /// Returns a fetch that is due before any flow asks for the keys, if there is one. Pass its
    /// outcome to [`Self::fetched`] and ask again.
    ///
    /// # Errors
    ///
    /// [`ExchangeProblem`] if the keys are unavailable now. A flow would ask again.
    pub fn prefetch(&self, clock: &dyn Clock) -> Result<Option<Sending>, ExchangeProblem> {
        let Source::Fetched(cache) = &self.0 else { return Ok(None) };
        loop {
            let looked_up = lock(cache).prefetch(clock.now());
            let transmit = match looked_up {
                Lookup::Fetch(transmit) => transmit,
                Lookup::Unavailable(why) => return Err(why),
                // Another caller is fetching.
                Lookup::Ready(_) | Lookup::Later(_) => return Ok(None),
            };
            let begun = lock(cache).begin(transmit, clock.now());
            if begun.is_some() {
                return Ok(begun);
            }
        }
    }

    /// Takes the outcome of a fetch.
    pub fn fetched(&self, answer: Input, clock: &dyn Clock) {
        if let Source::Fetched(cache) = &self.0 {
            // The cache asked for this fetch, so it has nothing to refuse.
            let _ = lock(cache).handle(answer, clock.now());
        }
    }
}

/// A step towards the answer to a flow's question for keys.
#[derive(Debug)]
#[must_use = "the flow waits for the answer"]
pub enum KeyStep {
    /// The answer, for [`Flow::handle`](ciba_core::Flow::handle).
    Answer(Input),
    /// A request to send, and the question to ask again after it.
    Fetch(Sending, KeySetRequest),
}

/// A panic elsewhere while the lock was held leaves an old set at worst.
fn lock(cache: &Mutex<JwksCache>) -> MutexGuard<'_, JwksCache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
