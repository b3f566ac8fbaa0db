//! What a driver reports about a flow.

use crate::{
    ask::{Endpoint, Wait},
    wire::authorize::Acknowledged,
};

/// Something a driver did or is about to do, for progress displays and logs. Ignoring events is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request is about to be sent.
    Requesting {
        /// Where to.
        endpoint: Endpoint,
        /// Counts the requests to this endpoint, from 1.
        attempt: u32,
    },
    /// The provider took the authentication request and asks the person (CIBA 7.3).
    Acknowledged(Acknowledged),
    /// A notification for this flow was accepted (CIBA 10.2, 10.3).
    Notified,
    /// Nothing happens before an instant.
    Waiting(Wait),
}
