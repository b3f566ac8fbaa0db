//! The provider's public keys, shared by all flows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ciba_core::{
    Cause, ClientConfig, Event, Input, JwksCache, KeySetRequest, Lookup, Timestamp, TransmitTicket, Trouble,
    Unanswered, jose::KeySet,
};

use crate::{Clock, HttpClient};

/// The keys of one issuer: one value per configuration, shared by all its flows.
#[derive(Debug)]
pub struct Keys(Source);

#[derive(Debug)]
enum Source {
    /// Never locked during an exchange.
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

    /// Puts in what another process fetched and [`Self::export`] gave out. Says whether it was taken.
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

    /// Answers a flow's question, with a fetch when one is due. Of many flows that ask at once one fetches; the others are
    /// told to ask again shortly.
    pub fn answer(
        &self,
        request: KeySetRequest,
        http: &HttpClient,
        clock: &dyn Clock,
        progress: &mut dyn FnMut(&Event),
    ) -> Input {
        self.find(&request, http, clock, progress).answer(request)
    }

    /// As [`Self::answer`], for a caller who keeps the request.
    pub(crate) fn find(
        &self,
        request: &KeySetRequest,
        http: &HttpClient,
        clock: &dyn Clock,
        progress: &mut dyn FnMut(&Event),
    ) -> Found {
        let cache = match &self.0 {
            Source::Fetched(cache) => cache,
            Source::Pinned(keys) => return Found::Here(keys.clone()),
        };
        let looked_up = lock(cache).lookup(request, clock.now());
        let transmit = match looked_up {
            Lookup::Ready(keys) => return Found::Here(keys),
            Lookup::Later(until) => return Found::Later(until),
            Lookup::Unavailable(why) => return Found::Nowhere(why),
            Lookup::Fetch(transmit) => transmit,
        };
        let requesting = Event::Requesting { endpoint: transmit.endpoint(), attempt: transmit.attempt() };
        let (timeout, max_response) = (transmit.timeout(), transmit.max_response());
        let (get, ticket) = transmit.into_parts();
        let mut fetch = Fetch { cache, clock, ticket: Some(ticket) };
        progress(&requesting);
        let answer = http.exchange(&get, timeout, max_response);
        fetch.end(|ticket| match answer {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        });
        let looked_up = lock(cache).lookup(request, clock.now());
        match looked_up {
            Lookup::Ready(keys) => Found::Here(keys),
            Lookup::Later(until) => Found::Later(until),
            Lookup::Unavailable(why) => Found::Nowhere(why),
            // What comes back as a fetch again was of no use the first time; whoever asks next does it.
            Lookup::Fetch(again) => {
                Fetch { cache, clock, ticket: Some(again.into_parts().1) }
                    .end(|ticket| ticket.unanswered(Unanswered::NotSent(Cause::Unknown)));
                Found::Nowhere(Cause::Unknown.into())
            }
        }
    }
}

/// What there is for a flow.
pub(crate) enum Found {
    Here(KeySet),
    Later(Timestamp),
    Nowhere(Trouble),
}

impl Found {
    pub(crate) fn answer(self, request: KeySetRequest) -> Input {
        match self {
            Self::Here(keys) => request.found(keys),
            Self::Later(until) => request.later(until),
            Self::Nowhere(why) => request.unavailable(why),
        }
    }
}

/// A fetch under way; if a panic ends it, it frees the way for the next one who asks.
struct Fetch<'a> {
    cache: &'a Mutex<JwksCache>,
    clock: &'a dyn Clock,
    ticket: Option<TransmitTicket>,
}

impl Fetch<'_> {
    fn end(&mut self, answer: impl FnOnce(TransmitTicket) -> Input) {
        if let Some(ticket) = self.ticket.take() {
            // It is this cache's own ticket, so there is nothing to refuse.
            let _ = lock(self.cache).handle(answer(ticket), self.clock.now());
        }
    }
}

impl Drop for Fetch<'_> {
    fn drop(&mut self) {
        self.end(|ticket| ticket.unanswered(Unanswered::Lost(Cause::Interrupted)));
    }
}

/// A panic elsewhere while the lock was held leaves at worst an old set behind.
fn lock(cache: &Mutex<JwksCache>) -> MutexGuard<'_, JwksCache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
