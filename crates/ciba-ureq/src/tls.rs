//! Whose certificates are trusted.

use std::{error::Error, fmt};

use rustls::{RootCertStore, pki_types::CertificateDer};
use ureq::{
    Agent,
    config::ConfigBuilder,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
    typestate::AgentScope,
};

/// A builder with the platform's roots.
#[must_use]
pub fn platform_roots() -> ConfigBuilder<AgentScope> {
    roots(RootCerts::PlatformVerifier)
}

/// A builder that trusts the certificates of a PEM file and no others: for a provider with a CA of its own.
///
/// # Errors
///
/// When there is no certificate in it, or one that cannot be read.
pub fn with_ca(pem: &[u8]) -> Result<ConfigBuilder<AgentScope>, CaError> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| CaError)? {
            // ureq would skip one it cannot read, and fail at the first connection.
            let der = CertificateDer::from(certificate.der());
            RootCertStore::empty().add(der).map_err(|_| CaError)?;
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(CaError);
    }
    Ok(roots(RootCerts::new_with_certs(&certificates)))
}

fn roots(roots: RootCerts) -> ConfigBuilder<AgentScope> {
    Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build())
}

/// A PEM file without a certificate that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaError;

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no usable certificate in the PEM text")
    }
}

impl Error for CaError {}
