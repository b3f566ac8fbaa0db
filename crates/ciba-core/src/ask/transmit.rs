//! One HTTP exchange that a machine asks for.

use core::time::Duration;

use super::{
    input::{Answer, Input, Unanswered},
    ticket::Ticket,
};
use crate::{
    endpoint::Endpoint,
    fault::Cause,
    url::Url,
    wire::{Request, Response},
};

/// One HTTP exchange that is due, and the rules for it.
///
/// The request itself comes from the machine at the instant of sending, from
/// [`Flow::begin`](crate::Flow::begin) or [`JwksCache::begin`](crate::JwksCache::begin). Send it
/// once, follow no redirect, take any status as an answer, read at most [`Self::max_response`]
/// bytes. Dropped, it counts as not sent.
#[must_use = "a request that is dropped counts as not sent"]
#[derive(Debug)]
pub struct Transmit {
    request: Request,
    endpoint: Endpoint,
    attempt: u32,
    timeout: Duration,
    max_response: usize,
    presents_certificate: bool,
    ticket: Ticket,
}

impl Transmit {
    pub(crate) fn new(
        request: Request,
        endpoint: Endpoint,
        attempt: u32,
        timeout: Duration,
        max_response: usize,
        ticket: Ticket,
    ) -> Self {
        Self {
            request,
            endpoint,
            attempt,
            timeout,
            max_response,
            presents_certificate: false,
            ticket,
        }
    }

    /// The same over a connection on which the client shows its certificate.
    pub(crate) const fn presenting_certificate(mut self, presents: bool) -> Self {
        self.presents_certificate = presents;
        self
    }

    /// The endpoint it is for.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Counts the requests to this endpoint, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The address it goes to.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.request.url
    }

    /// How long to wait for the whole answer. One second later the flow counts the exchange as
    /// lost.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The most bytes of body to read. A longer body is cut there and marked as truncated.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        self.max_response
    }

    /// Whether the client's certificate is shown on this connection (RFC 8705 2, REQ-AUTH-24). On
    /// any other it is not (REQ-POP-21).
    #[must_use]
    pub const fn presents_certificate(&self) -> bool {
        self.presents_certificate
    }

    /// Whether it has to go over a connection that nothing was sent over yet: true for the
    /// authentication request. A kept connection may have been closed by the other side unnoticed;
    /// a request written to it is lost, and this one may not be repeated.
    #[must_use]
    pub const fn needs_fresh_connection(&self) -> bool {
        matches!(self.endpoint, Endpoint::BackchannelAuthentication)
    }

    pub(crate) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The connection could not be made, so there was nothing to begin. A drop says the same
    /// without the cause.
    pub fn not_sent(self, cause: Cause) -> Input {
        Input { ticket: self.ticket, answer: Answer::Unanswered(Unanswered::NotSent(cause)) }
    }

    /// From here on a drop means that the request may have left.
    pub(crate) fn begin(mut self) -> Sending {
        self.ticket.begins();
        Sending(self)
    }
}

/// A request that is to be sent now, and takes the outcome. Dropped, it counts as lost: the request
/// may have left.
#[must_use = "send it, and say what became of it"]
#[derive(Debug)]
pub struct Sending(Transmit);

impl Sending {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.0.request
    }

    /// The rules for it.
    #[must_use]
    pub const fn transmit(&self) -> &Transmit {
        &self.0
    }

    /// Which request it is, for [`Flow::may_send`](crate::Flow::may_send).
    #[must_use]
    pub const fn id(&self) -> SendingId {
        SendingId { serial: self.0.ticket.serial, counter: self.0.ticket.counter }
    }

    /// An answer came, of whatever status.
    pub fn answered(self, response: Response) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Response(self.0.endpoint, response) }
    }

    /// No answer came.
    pub fn unanswered(self, how: Unanswered) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Unanswered(how) }
    }
}

/// Which request a [`Sending`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingId {
    pub(crate) serial: u64,
    pub(crate) counter: u64,
}
