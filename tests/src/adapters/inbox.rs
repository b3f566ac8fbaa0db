//! The inbox and the provider's keys.

use std::sync::Arc;

use ciba_core::{
    ClientConfig, Event, Input, KeySetRequest, Timestamp,
    http::{Body, Headers},
    jose::KeySet,
    notification::NotificationReply,
};
use ciba_ureq::{Clock, DriveError};

use super::{Adapter, HttpClient, Of, SharedFlow, block_on};

/// Hands notifications to the flows they are for.
#[derive(Debug, Clone)]
pub struct Inbox(pub(super) Of<ciba_reqwest::Inbox, ciba_ureq::Inbox>);

impl Adapter {
    /// An inbox.
    #[must_use]
    pub fn inbox(self) -> Inbox {
        Inbox(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Inbox::new()),
            Self::Ureq => Of::Ureq(ciba_ureq::Inbox::new()),
        })
    }

    /// An inbox for so many flows.
    #[must_use]
    pub fn inbox_for(self, flows: usize) -> Inbox {
        Inbox(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Inbox::with_capacity(flows)),
            Self::Ureq => Of::Ureq(ciba_ureq::Inbox::with_capacity(flows)),
        })
    }

    /// The provider's keys, fetched when a flow asks for them.
    #[must_use]
    pub fn keys(self, config: &Arc<ClientConfig>) -> Keys {
        Keys(match self {
            Self::Reqwest => Of::Reqwest(ciba_reqwest::Keys::new(config)),
            Self::Ureq => Of::Ureq(ciba_ureq::Keys::new(config)),
        })
    }

    /// A provider that has no keys, so that none are fetched while a flow waits.
    ///
    /// # Panics
    ///
    /// Never: the empty set is a set.
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
    /// A call of the notification endpoint.
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

    /// The first look at such a call.
    ///
    /// # Errors
    ///
    /// The answer, when it is refused.
    pub fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.first_look(method, headers),
            Of::Ureq(inbox) => inbox.first_look(method, headers),
        }
    }

    /// Puts a flow in that is not driven yet.
    ///
    /// # Errors
    ///
    /// When it is full.
    pub fn register(&self, flow: &SharedFlow, now: Timestamp) -> Result<(), DriveError> {
        match self.0.as_ref().and(flow.0.as_ref()) {
            Of::Reqwest((inbox, flow)) => inbox.register(flow, now),
            Of::Ureq((inbox, flow)) => inbox.register(flow, now),
        }
    }

    /// All flows are in it.
    pub fn ready(&self) {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.ready(),
            Of::Ureq(inbox) => inbox.ready(),
        }
    }

    /// Not all flows are in it yet.
    pub fn not_ready(&self) {
        match &self.0 {
            Of::Reqwest(inbox) => inbox.not_ready(),
            Of::Ureq(inbox) => inbox.not_ready(),
        }
    }
}

/// The provider's keys.
#[derive(Debug)]
pub struct Keys(pub(super) Of<ciba_reqwest::Keys, ciba_ureq::Keys>);

impl Keys {
    /// Answers a flow's question.
    pub fn answer(&self, request: KeySetRequest, http: &HttpClient, clock: &dyn Clock) -> Input {
        match self.0.as_ref().and(http.0.as_ref()) {
            Of::Reqwest((keys, http)) => {
                block_on(http.find_keys(keys, request, clock, &mut |_: &Event| ()))
            }
            Of::Ureq((keys, http)) => http.find_keys(keys, request, clock, &mut |_: &Event| ()),
        }
    }
}
