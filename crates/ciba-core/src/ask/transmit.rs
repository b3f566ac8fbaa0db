//! An HTTP exchange that a machine requests.

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

/// An HTTP exchange to perform, with its rules.
///
/// [`Flow::begin`](crate::Flow::begin) or [`JwksCache::begin`](crate::JwksCache::begin) returns the
/// request itself at the instant of sending. Send it once, do not follow redirects, accept any
/// status, and read at most [`Self::max_response`] bytes. If dropped, the request counts as not
/// sent.
///
/// A request cannot be sent without asking the machine at that instant, because only a [`Sending`]
/// gives it out:
///
/// ```compile_fail,E0599
/// # fn send(_: &ciba_core::http::Request) {}
/// fn perform(transmit: ciba_core::Transmit) {
///     send(transmit.request());
/// }
/// ```
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

    /// Sets whether the client presents its certificate on the connection.
    pub(crate) const fn presenting_certificate(mut self, presents: bool) -> Self {
        self.presents_certificate = presents;
        self
    }

    /// Returns the endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Returns the number of this request among those to the endpoint, counted from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the URL of the request.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.request.url
    }

    /// Returns how long to wait for the complete response. One second later, the machine counts the
    /// exchange as lost.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the maximum length of the body in bytes. A longer body is cut off there and marked as
    /// truncated.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        self.max_response
    }

    /// Returns `true` if the client must present its certificate on the connection
    /// ([RFC 8705 section 2]). Otherwise it must not.
    ///
    /// [RFC 8705 section 2]: https://www.rfc-editor.org/rfc/rfc8705#section-2
    // REQ-AUTH-24, REQ-POP-21
    #[must_use]
    pub const fn presents_certificate(&self) -> bool {
        self.presents_certificate
    }

    /// Returns `true` if the request must be the first one on its connection.
    ///
    /// This is so for the authentication request: the peer may have closed a kept connection
    /// unnoticed, a request written to it is lost, and this one must not be repeated.
    #[must_use]
    pub const fn needs_fresh_connection(&self) -> bool {
        matches!(self.endpoint, Endpoint::BackchannelAuthentication)
    }

    pub(crate) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Answers that no connection could be established, so the request was not sent. Dropping the
    /// `Transmit` has the same effect, but without the cause.
    pub fn not_sent(self, cause: Cause) -> Input {
        Input { ticket: self.ticket, answer: Answer::Unanswered(Unanswered::NotSent(cause)) }
    }

    /// Marks the request as possibly sent from now on.
    pub(crate) fn begin(mut self) -> Sending {
        // From here on a drop means lost, because the caller has the bytes.
        self.ticket.begins();
        Sending(self)
    }
}

/// A request that is being sent, which takes the outcome.
///
/// If dropped, the exchange counts as lost, because the request may have been sent.
#[must_use = "send it and answer with the outcome"]
#[derive(Debug)]
pub struct Sending(Transmit);

impl Sending {
    /// Returns the request to send.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.0.request
    }

    /// Returns the rules of the exchange.
    pub const fn transmit(&self) -> &Transmit {
        &self.0
    }

    /// Returns the identity of the request, for [`Flow::may_send`](crate::Flow::may_send).
    #[must_use]
    pub const fn id(&self) -> SendingId {
        SendingId { serial: self.0.ticket.serial, counter: self.0.ticket.counter }
    }

    /// Answers with a response of any status.
    pub fn answered(self, response: Response) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Response(self.0.endpoint, response) }
    }

    /// Answers that there was no response.
    pub fn unanswered(self, how: Unanswered) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Unanswered(how) }
    }
}

/// The identity of the request of a [`Sending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingId {
    pub(crate) serial: u64,
    pub(crate) counter: u64,
}
