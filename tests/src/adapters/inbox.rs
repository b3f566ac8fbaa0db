//! The inbox, and the keys of the provider.

use std::sync::Arc;

use ciba_core::{
    ClientConfig, Event, Input, KeySetRequest, Timestamp,
    http::{Body, Headers},
    jose::KeySet,
    notification::NotificationReply,
};
use ciba_ureq::{Clock, DriveError};

use super::{Adapter, HttpClient, Of, SharedFlow, block_on};

/// Routes notifications to their flows.
#[derive(Debug, Clone)]
pub struct Inbox(pub(super) Of<ciba_reqwest::Inbox, ciba_ureq::Inbox>);

impl Adapter {
    /// Creates an inbox.
    #[must_use]
    pub fn inbox(self) -> Inbox {
        Inbox(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Inbox::default()),
            Self::Ureq => Of::Ureq(ciba_ureq::Inbox::default()),
        })
    }

    /// Creates an inbox for at most this many flows.
    #[must_use]
    pub fn inbox_for(self, flows: usize) -> Inbox {
        Inbox(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Inbox::with_capacity(flows)),
            Self::Ureq => Of::Ureq(ciba_ureq::Inbox::with_capacity(flows)),
        })
    }

    /// Creates keys of the provider that are fetched when a flow requests them.
    #[must_use]
    pub fn keys(self, config: &Arc<ClientConfig>) -> Keys {
        Keys(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Keys::new(config)),
            Self::Ureq => Of::Ureq(ciba_ureq::Keys::new(config)),
        })
    }

    /// Creates keys of a provider without keys, so that none are fetched while a flow waits.
    ///
    /// # Panics
    ///
    /// Never: the empty set is a valid set.
    #[must_use]
    pub fn no_keys(self, config: &Arc<ClientConfig>) -> Keys {
        let none = br#"{"keys":[]}"#;
        let keys = KeySet::pinned(config.issuer(), none, &**config.verifier()).expect("a key set");
        Keys(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Keys::pinned(keys)),
            Self::Ureq => Of::Ureq(ciba_ureq::Keys::pinned(keys)),
        })
    }
}

impl Inbox {
    /// Handles a call of the notification endpoint.
    pub fn receive(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> NotificationReply {
        match &self.0 {
            Of::Reqwest(inbox) => block_on(inbox.receive(method, headers, body, now)),
            Of::Ureq(inbox) => inbox.receive(method, headers, body, now),
        }
    }

    /// Checks such a call before its body is read.
    ///
    /// # Errors
    ///
    /// Returns the answer if it is rejected.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.first_look(method, headers),
            Of::Ureq(inbox) => inbox.first_look(method, headers),
        }
    }

    /// Adds a flow that is not driven yet.
    ///
    /// # Errors
    ///
    /// Returns an error if it is full.
    pub fn register(&self, flow: &SharedFlow, now: Timestamp) -> Result<(), DriveError> {
        match self.0.as_ref().and(flow.0.as_ref()) {
            Of::Reqwest((inbox, flow)) => inbox.register(flow, now),
            Of::Ureq((inbox, flow)) => inbox.register(flow, now),
        }
    }

    /// Declares that all flows have been added.
    pub fn ready(&self) {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.ready(),
            Of::Ureq(inbox) => inbox.ready(),
        }
    }

    /// Declares that flows are still being added.
    pub fn not_ready(&self) {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.not_ready(),
            Of::Ureq(inbox) => inbox.not_ready(),
        }
    }
}

/// The keys of the provider.
#[derive(Debug)]
pub struct Keys(pub(super) Of<ciba_reqwest::Keys, ciba_ureq::Keys>);

impl Keys {
    /// Answers the question of a flow.
    pub fn answer(&self, request: KeySetRequest, http: &HttpClient, clock: &dyn Clock) -> Input {
        match self.0.as_ref().and(http.0.as_ref()) {
            Of::Reqwest((keys, http)) => {
                block_on(http.find_keys(keys, request, clock, &mut |_: &Event| ()))
            }
            Of::Ureq((keys, http)) => http.find_keys(keys, request, clock, &mut |_: &Event| ()),
        }
    }
}
