//! Whom the adapter trusts.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/tls.rs"]
mod server;

use std::time::Duration;

use ciba_ureq::{
    HttpClient, Unverified,
    ciba_core::{Body, Request, Response, Unanswered, Url},
    platform_roots,
    ureq::{Agent, config::ConfigBuilder, tls::TlsConfig, typestate::AgentScope},
    with_ca,
};
use rustls::{
    ProtocolVersion,
    version::{TLS12, TLS13},
};
use server::{Certificate, TlsServer};

fn exchange(builder: ConfigBuilder<AgentScope>, server: &TlsServer) -> Result<Response, Unanswered> {
    let request = Request::post_form(Url::parse(&server.url()).unwrap(), Body::from("secret=sentinel"));
    let client = HttpClient::new(builder.proxy(None)).unwrap();
    client.exchange(&request, Duration::from_secs(20), 1024)
}

/// REQ-SEC-01
/// OPM-TLS-01
#[test]
fn a_certificate_that_does_not_verify_ends_it_before_anything_is_sent() {
    for certificate in [Certificate::ForAnotherHost, Certificate::Expired] {
        let server = TlsServer::start(certificate, &[&TLS12, &TLS13]);
        let builder = with_ca(server.ca.as_bytes()).unwrap();
        assert_eq!(exchange(builder, &server), Err(Unanswered::NotSent));
        assert_eq!((server.handshake(), server.requests()), (None, 0));
    }
    let unknown = TlsServer::start(Certificate::Good, &[&TLS12, &TLS13]);
    assert_eq!(exchange(platform_roots(), &unknown), Err(Unanswered::NotSent));
    assert_eq!((unknown.handshake(), unknown.requests()), (None, 0));
}

/// REQ-SEC-01
/// OPM-TLS-03
#[test]
fn a_given_ca_is_trusted_over_both_versions_and_the_newer_is_preferred() {
    for (versions, expected) in [
        (&[&TLS12][..], ProtocolVersion::TLSv1_2),
        (&[&TLS13], ProtocolVersion::TLSv1_3),
        (&[&TLS12, &TLS13], ProtocolVersion::TLSv1_3),
    ] {
        let server = TlsServer::start(Certificate::Good, versions);
        let response = exchange(with_ca(server.ca.as_bytes()).unwrap(), &server).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!((server.handshake(), server.requests()), (Some(expected), 1));
    }
}

/// REQ-SEC-01
#[test]
fn verification_cannot_be_turned_off() {
    let builder = Agent::config_builder().tls_config(TlsConfig::builder().disable_verification(true).build());
    assert_eq!(HttpClient::new(builder).unwrap_err(), Unverified);
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    for text in ["", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = with_ca(text.as_bytes()).map(|builder| HttpClient::new(builder).is_err());
        assert!(refused.unwrap_or(true), "{text:?}");
    }
}
