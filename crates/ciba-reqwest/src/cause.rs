//! Why an exchange had no answer: the errors of reqwest and of the libraries below it as a
//! [`Cause`].

use std::io;

use ciba_core::{fault::Cause, http::Unanswered};
use ciba_std::{Withheld, io_cause, sources};

/// Decides whether the request was sent.
///
/// Errors of the connector (name, TCP, proxy tunnel, TLS) and of a request that could not be built
/// occur before the first byte. After a TLS alert about the client certificate, the request was not
/// read: under TLS 1.3 a server verifies the certificate while the client already writes its
/// request, and reads nothing after refusing. For all other errors it is unknown, and also if a
/// write failed before the alert was read: hyper reads before it writes, and cannot be told to read
/// again.
pub(crate) fn unanswered(error: &reqwest::Error) -> Unanswered {
    let cause = cause(error);
    let is_before_an_answer = !error.is_body() && !error.is_decode();
    let is_unread = matches!(cause, Cause::ClientCertificate(_)) && is_before_an_answer;
    if error.is_connect() || error.is_builder() || is_unread || cause == Cause::Withheld {
        Unanswered::NotSent(cause)
    } else {
        Unanswered::Lost(cause)
    }
}

fn cause(error: &reqwest::Error) -> Cause {
    if error.is_builder() {
        return Cause::Local;
    }
    if sources(error).any(|link| link.is::<Withheld>()) {
        return Cause::Withheld;
    }
    // These errors have no public types.
    let says = |what: &str| sources(error).any(|link| link.to_string().starts_with(what));
    if says("tunnel error: proxy authorization required") {
        return Cause::ProxyCredentials;
    }
    if says("tunnel error") || says("SOCKS error") || says("error connecting to socks proxy") {
        return Cause::Proxy;
    }
    if error.is_dns() {
        return Cause::Name;
    }
    #[cfg(feature = "rustls-no-provider")]
    if let Some(error) = sources(error).find_map(|link| link.downcast_ref::<rustls::Error>()) {
        return ciba_std::tls_cause(error);
    }
    let is_connecting = error.is_connect();
    if error.is_timeout() {
        return if is_connecting { Cause::ConnectTimeout } else { Cause::Timeout };
    }
    let hyper = sources(error).find_map(|link| link.downcast_ref::<hyper::Error>());
    if let Some(error) = hyper {
        if error.is_parse() {
            // `is_parse_too_large` exists only with hyper's server. A test checks the message.
            let is_too_large = error.to_string().contains("too large");
            return if is_too_large { Cause::TooLarge } else { Cause::NotHttp };
        }
        if error.is_incomplete_message() {
            return Cause::Closed;
        }
    }
    let io = sources(error).filter_map(|link| link.downcast_ref::<io::Error>()).last();
    io.map_or(Cause::Unknown, |error| io_cause(error.kind(), is_connecting))
}
