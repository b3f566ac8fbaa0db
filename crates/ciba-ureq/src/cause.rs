//! Why an exchange had no answer: the errors of ureq and rustls as a [`Cause`].

use ciba_core::{fault::Cause, http::Unanswered};
use ciba_std::{Withheld, io_cause};
use ureq::Timeout;

use crate::progress::Mark;

/// Decides whether the request was sent by what the connector noted: ureq's errors do not tell a
/// refused connection from an answer that broke off.
///
/// After a TLS alert about the client certificate, the request was not read: under TLS 1.3 a server
/// verifies the certificate while the client already writes its request, and reads nothing after
/// refusing. If the system discarded the alert because the connection was reset, it is unknown
/// whether the request was read.
pub(crate) fn unanswered(error: &ureq::Error, mark: Mark) -> Unanswered {
    let cause = cause(error, mark);
    let is_unread = matches!(cause, Cause::ClientCertificate(_)) && mark != Mark::Reading;
    match mark {
        Mark::Writing | Mark::Reading if !is_unread => Unanswered::Lost(cause),
        Mark::Resolving | Mark::Tunnelling | Mark::Connecting | Mark::Writing | Mark::Reading => {
            Unanswered::NotSent(cause)
        }
    }
}

fn cause(error: &ureq::Error, mark: Mark) -> Cause {
    #[cfg(feature = "rustls-no-provider")]
    if let Some(error) = tls_error(error) {
        return ciba_std::tls_cause(error);
    }
    if mark == Mark::Tunnelling {
        return proxy_cause(error);
    }
    match error {
        ureq::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<Withheld>()) => {
            Cause::Withheld
        }
        ureq::Error::HostNotFound => Cause::Name,
        ureq::Error::Io(_) if mark == Mark::Resolving => Cause::Name,
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => Cause::ConnectTimeout,
        ureq::Error::Timeout(_) => Cause::Timeout,
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => Cause::Proxy,
        ureq::Error::LargeResponseHeader(..) => Cause::TooLarge,
        ureq::Error::Protocol(_) => Cause::NotHttp,
        ureq::Error::Tls(_) | ureq::Error::TlsRequired => Cause::Tls,
        ureq::Error::Http(_) | ureq::Error::BadUri(_) => Cause::Local,
        ureq::Error::Io(error) => io_cause(error.kind(), mark == Mark::Connecting),
        _ => Cause::Unknown,
    }
}

/// Returns why a connection through a proxy failed, before any TLS with the provider.
fn proxy_cause(error: &ureq::Error) -> Cause {
    match error {
        ureq::Error::Timeout(_) => Cause::ConnectTimeout,
        // The status is only in the message; a test checks the message.
        ureq::Error::ConnectProxyFailed(why) if why.contains("407") => Cause::ProxyCredentials,
        _ => Cause::Proxy,
    }
}

/// Returns the error of rustls, which an [`io::Error`] may hide.
#[cfg(feature = "rustls-no-provider")]
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}
