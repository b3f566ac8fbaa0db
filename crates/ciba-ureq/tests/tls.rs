//! What the settings of ureq cannot turn off.
#![allow(missing_docs)]

use ciba_ureq::{
    HttpClient,
    http::Unverified,
    ureq::{Agent, tls::TlsConfig},
};

/// REQ-SEC-01c
#[test]
fn verification_cannot_be_turned_off() {
    let builder = || {
        Agent::config_builder().tls_config(TlsConfig::builder().disable_verification(true).build())
    };
    assert_eq!(HttpClient::new(builder).unwrap_err(), Unverified);
}
