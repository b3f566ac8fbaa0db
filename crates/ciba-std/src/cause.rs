//! Why an exchange had no answer.

use std::{error::Error, io, iter};

use ciba_core::fault::Cause;

/// Returns the cause for an I/O error. `is_connecting` says that nothing of the request was written
/// yet.
#[must_use]
pub const fn io_cause(kind: io::ErrorKind, is_connecting: bool) -> Cause {
    match kind {
        io::ErrorKind::ConnectionRefused => Cause::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => Cause::NoRoute,
        // The TCP connection existed, so the TLS handshake broke off.
        _ if is_connecting => Cause::Tls,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotConnected => Cause::Closed,
        _ => Cause::Unknown,
    }
}

/// Returns an error and its sources, outermost first, including the error that an [`io::Error`] was
/// created from, which [`Error::source`] skips.
pub fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Withheld;

    #[test]
    fn the_cause_of_an_io_error_is_among_its_sources() {
        let outer = io::Error::other(io::Error::other(Withheld));
        assert!(sources(&outer).any(|error| error.is::<Withheld>()));
        assert_eq!(sources(&outer).count(), 3);
    }

    #[test]
    fn a_broken_connection_is_a_broken_handshake_before_the_request_is_written() {
        assert_eq!(io_cause(io::ErrorKind::ConnectionReset, true), Cause::Tls);
        assert_eq!(io_cause(io::ErrorKind::ConnectionReset, false), Cause::Closed);
        assert_eq!(io_cause(io::ErrorKind::ConnectionRefused, true), Cause::Refused);
    }
}
