//! The public keys that a machine asks for.

use alloc::{string::String, sync::Arc};
use core::time::Duration;

use super::{
    input::{Answer, Input},
    ticket::Ticket,
};
use crate::{fault::Trouble, jose::KeySet, time::Timestamp};

/// A question for the issuer's public keys. Dropped, it is asked again.
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

    /// A question that nothing waits for.
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

    /// Takes the one fetch that a question is worth; false when it had it.
    pub(crate) const fn takes_its_fetch(&mut self) -> bool {
        !core::mem::replace(&mut self.was_fetched, true)
    }

    /// How long the answer may take when the flow asks ahead of time, while it waits for the
    /// person; `None` when it needs the keys now.
    ///
    /// Nothing depends on the answer: it only means that the keys are at hand, for example in a
    /// [`JwksCache`](crate::JwksCache), when the flow asks for them again.
    /// [`JwksCache::lookup`](crate::JwksCache::lookup) keeps within the time. The flow does not
    /// wait for the answer and continues when [`Flow::poll`](crate::Flow::poll) is called next.
    #[must_use]
    pub const fn within(&self) -> Option<Duration> {
        self.within
    }

    /// Whose keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key id that is looked for, when the token names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the flow waits for the answer; it goes on without the keys it asks for early.
    pub(super) const fn blocks(&self) -> bool {
        self.within.is_none()
    }

    /// Whether the set that was found before did not help, so that a newer one is needed
    /// (REQ-JWKS-09).
    #[must_use]
    pub const fn wants_refresh(&self) -> bool {
        self.refresh.is_some()
    }

    /// The generation of the set that did not serve.
    pub(crate) const fn stale_generation(&self) -> Option<u64> {
        self.refresh
    }

    /// A key set. One of another issuer is refused by the flow.
    pub fn found(self, keys: KeySet) -> Input {
        Input { ticket: self.ticket, answer: Answer::Keys(keys) }
    }

    /// No newer set than the one that did not help is available before this instant: the flow waits
    /// and asks again.
    pub fn later(self, until: Timestamp) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysLater(until) }
    }

    /// The key set could not be fetched. The flow waits and asks again, within its limits.
    pub fn unavailable(self, why: Trouble) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysUnavailable(why) }
    }
}
