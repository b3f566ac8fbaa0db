//! What carries an answer, and what happens to the connection then.

use std::io;

use ciba_core::http::Response;

use crate::message::Closing;

/// What carries an answer: a connection with HTTP/1.1, or a stream of one with HTTP/2.
pub(super) trait Carrier {
    fn head(&mut self, response: &Response, length: Length, keep_alive: bool) -> io::Result<()>;

    fn body(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Sends what was written so far.
    fn flush(&mut self) -> io::Result<()>;
}

/// How the length of an answer's body is sent.
#[derive(Clone, Copy)]
pub(super) enum Length {
    Known,
    /// The body ends with the connection.
    Unknown,
}

/// What happens to the connection.
pub(super) enum Then {
    Next,
    /// Close it orderly.
    Close,
    /// Drop it.
    Break,
    /// Close it although the client may want to keep it.
    End(Closing),
}

/// Sends a whole answer.
pub(super) fn answer(
    carrier: &mut impl Carrier,
    response: &Response,
    method: &str,
    keep_alive: bool,
) -> Then {
    let body = match bodyless(method, response.status) {
        true => b"",
        false => response.body.expose(),
    };
    let head = carrier.head(response, Length::Known, keep_alive);
    match head.and_then(|()| carrier.body(body)).and_then(|()| carrier.flush()) {
        Ok(()) if keep_alive && !says_close(response) => Then::Next,
        Ok(()) => Then::Close,
        Err(_) => Then::Break,
    }
}

/// Whether this answer announces the end of the connection.
pub(super) fn says_close(response: &Response) -> bool {
    response.headers.all("connection").any(|value| value.eq_ignore_ascii_case("close"))
}

/// Whether an answer to this method with this status has no body.
fn bodyless(method: &str, status: u16) -> bool {
    method == "HEAD" || matches!(status, 100..=199 | 204 | 304)
}
