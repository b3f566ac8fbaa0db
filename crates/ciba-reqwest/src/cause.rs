//! Why an exchange brought no answer: what reqwest and the libraries beneath it say, as a
//! [`Cause`].

use std::io;

use ciba_core::{fault::Cause, http::Unanswered};
use ciba_std::{Withheld, io_cause, sources};

/// Errors of the connector (name, TCP, proxy tunnel, TLS) and of a request that could not even be
/// built come before the first byte. So does a TLS alert about the client certificate: under TLS
/// 1.3 a server looks at the certificate when the client already writes its request, and reads none
/// of it after refusing. Of all others it is not known; nor when the alert was not read, because a
/// write failed first: hyper reads before it writes, but nothing here can make it read after.
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
    // There are no types for these outside of the library.
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
            // `is_parse_too_large` is there only with hyper's server, so it is known by its words;
            // a test watches them.
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
