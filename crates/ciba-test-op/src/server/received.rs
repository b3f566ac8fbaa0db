//! A request that arrived, or the reason why there is none.

use std::io;

use crate::message::Incoming;

/// A request, and whether the client may send another one on this connection.
pub(super) struct Received {
    pub(super) request: Incoming,
    pub(super) keep_alive: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The connection was closed or broke.
    Closed,
    /// The request is invalid: answer with this status and close.
    Refused(u16),
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}
