//! What the settings of reqwest cannot turn off.
#![allow(missing_docs)]

#[path = "support/tls.rs"]
mod server;

use std::time::Duration;

use ciba_reqwest::{
    HttpClient,
    ciba_core::http::{Body, Request, Unanswered, Url},
    http::platform_roots,
};
use rustls::version::{TLS12, TLS13};
use server::{Certificate, TlsServer};

/// REQ-SEC-01c
#[tokio::test]
async fn verification_cannot_be_turned_off() {
    let server = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    let make = || {
        platform_roots()
            .tls_danger_accept_invalid_certs(true)
            .tls_danger_accept_invalid_hostnames(true)
            .no_proxy()
    };
    let request =
        Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("secret=sentinel"));
    let client = HttpClient::new(make).unwrap();
    let refused = client.exchange(&request, Duration::from_secs(20), 1024).await;
    assert!(matches!(refused, Err(Unanswered::NotSent(_))));
    assert_eq!((server.handshake(), server.requests()), (None, 0));
}
