//! The public keys that a machine requests.

use alloc::{string::String, sync::Arc};
use core::time::Duration;

use super::{
    input::{Answer, Input},
    ticket::Ticket,
};
use crate::{fault::ExchangeProblem, jose::KeySet, time::Timestamp};

/// A request for the public keys of the issuer. If dropped, the machine asks again.
#[must_use = "answer it with a key set"]
#[derive(Debug)]
pub struct KeySetRequest {
    issuer: Arc<str>,
    key_id: Option<String>,
    refresh: Option<u64>,
    within: Option<Duration>,
    was_fetched: bool,
    ticket: Ticket,
}

impl KeySetRequest {
    pub(super) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub(crate) fn new(
        issuer: Arc<str>,
        key_id: Option<String>,
        refresh: Option<u64>,
        ticket: Ticket,
    ) -> Self {
        Self { issuer, key_id, refresh, within: None, was_fetched: false, ticket }
    }

    /// Creates a request whose answer nothing waits for.
    pub(crate) fn ahead(issuer: Arc<str>, within: Duration, ticket: Ticket) -> Self {
        Self {
            issuer,
            key_id: None,
            refresh: None,
            within: Some(within),
            was_fetched: false,
            ticket,
        }
    }

    /// Uses up the one fetch that a request may cause. Returns `false` if it was already used.
    pub(crate) const fn takes_its_fetch(&mut self) -> bool {
        // One fetch for each question, so that a loop over lookups ends.
        !core::mem::replace(&mut self.was_fetched, true)
    }

    /// Returns how long the answer may take if the flow asks ahead of time, while it waits for the
    /// person, or `None` if it needs the keys now.
    ///
    /// Nothing depends on the answer to an early request; it only makes the keys available, for
    /// example in a [`JwksCache`](crate::JwksCache), before the flow asks for them again.
    /// [`JwksCache::lookup`](crate::JwksCache::lookup) observes the limit. The flow does not wait
    /// for the answer and continues at the next call of [`Flow::poll`](crate::Flow::poll).
    #[must_use]
    pub const fn within(&self) -> Option<Duration> {
        self.within
    }

    /// Returns the issuer of the keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the requested key id, if the token names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the flow waits for the answer. It continues without keys that it requests early.
    pub(super) const fn blocks(&self) -> bool {
        self.within.is_none()
    }

    /// Returns `true` if the previous set was not sufficient, so that a newer one is required.
    // REQ-JWKS-09
    #[must_use]
    pub const fn wants_refresh(&self) -> bool {
        self.refresh.is_some()
    }

    /// Returns the generation of the set that was not sufficient.
    pub(crate) const fn stale_generation(&self) -> Option<u64> {
        self.refresh
    }

    /// Answers with a key set. The flow rejects one of another issuer.
    pub fn found(self, keys: KeySet) -> Input {
        Input { ticket: self.ticket, answer: Answer::Keys(keys) }
    }

    /// Answers that no newer set than the insufficient one is available before an instant. The flow
    /// waits and asks again.
    pub fn later(self, until: Timestamp) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysLater(until) }
    }

    /// Answers that the key set could not be fetched. The flow waits and asks again, within its
    /// limits.
    pub fn unavailable(self, why: ExchangeProblem) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysUnavailable(why) }
    }
}
