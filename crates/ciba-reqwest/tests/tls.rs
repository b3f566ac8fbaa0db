//! Whom the adapter trusts.
#![allow(missing_docs)]

#[path = "support/tls.rs"]
mod server;

use std::time::Duration;

use ciba_reqwest::{
    HttpClient,
    ciba_core::{Body, Request, Response, Unanswered, Url},
    platform_roots,
    reqwest::ClientBuilder,
    with_ca,
};
use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};
use server::{Certificate, TlsServer};

async fn exchange(builder: ClientBuilder, server: &TlsServer) -> Result<Response, Unanswered> {
    let request = Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("secret=sentinel"));
    let client = HttpClient::new(builder.no_proxy()).unwrap();
    client.exchange(&request, Duration::from_secs(20), 1024).await
}

/// REQ-SEC-01
/// OPM-TLS-01
#[tokio::test]
async fn a_certificate_that_does_not_verify_ends_it_before_anything_is_sent() {
    for certificate in [Certificate::ForAnotherHost, Certificate::Expired] {
        let server = TlsServer::start(certificate, &[&TLS12, &TLS13]);
        let builder = with_ca(server.ca.as_bytes()).unwrap();
        assert_eq!(exchange(builder, &server).await, Err(Unanswered::NotSent));
        assert_eq!((server.handshake(), server.requests()), (None, 0));
    }
    let unknown = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    assert_eq!(exchange(platform_roots(), &unknown).await, Err(Unanswered::NotSent));
    assert_eq!((unknown.handshake(), unknown.requests()), (None, 0));
}

/// REQ-SEC-01
/// OPM-TLS-03
#[tokio::test]
async fn a_given_ca_is_trusted_over_both_versions_and_the_newer_is_preferred() {
    for (versions, expected) in [
        (&[&TLS12][..], ProtocolVersion::TLSv1_2),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12, &TLS13], ProtocolVersion::TLSv1_3),
    ] {
        let server = TlsServer::start(Certificate::Good, versions);
        let response = exchange(with_ca(server.ca.as_bytes()).unwrap(), &server).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!((server.handshake(), server.requests()), (Some(expected), 1));
    }
}

/// REQ-SEC-01
#[tokio::test]
async fn verification_cannot_be_turned_off() {
    let server = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    let builder = platform_roots().tls_danger_accept_invalid_certs(true).tls_danger_accept_invalid_hostnames(true);
    assert_eq!(exchange(builder, &server).await, Err(Unanswered::NotSent));
    assert_eq!((server.handshake(), server.requests()), (None, 0));
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = with_ca(text.as_bytes()).map(|builder| HttpClient::new(builder).is_err());
        assert!(refused.unwrap_or(true), "{text:?}");
    }
}
