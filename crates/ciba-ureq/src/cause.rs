//! Why an exchange brought no answer: what ureq and rustls say, as a [`Cause`].

use ciba_core::{fault::Cause, http::Unanswered};
use ciba_std::{Withheld, io_cause};
use ureq::Timeout;

use crate::connector::Mark;

/// Whether the request left is what the connector saw: ureq reports refused connections and answers
/// that broke off alike. A TLS alert about the client certificate comes before a server reads
/// anything: under TLS 1.3 it looks at the certificate when the client already writes its request,
/// and reads none of it after refusing. An alert that cannot be read any more, because the system
/// threw it away when the connection was reset, is as none: whether the request was read is not
/// known then.
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

/// What a connection through a proxy failed of, before any TLS with the provider.
fn proxy_cause(error: &ureq::Error) -> Cause {
    match error {
        ureq::Error::Timeout(_) => Cause::ConnectTimeout,
        // There is no type for the status; a test watches the words.
        ureq::Error::ConnectProxyFailed(why) if why.contains("407") => Cause::ProxyCredentials,
        _ => Cause::Proxy,
    }
}

/// An [`io::Error`] hides the error it was made from.
#[cfg(feature = "rustls-no-provider")]
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}
