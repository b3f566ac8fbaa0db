//! Whose certificates are trusted.

use std::{error::Error, fmt};

use reqwest::{Certificate, Client, ClientBuilder};

/// A builder with the platform's roots.
pub fn platform_roots() -> ClientBuilder {
    Client::builder()
}

/// A builder that trusts the certificates of a PEM file and no others: for a provider with a CA of its own.
///
/// # Errors
///
/// When there is no certificate in it, or one that cannot be read.
pub fn with_ca(pem: &[u8]) -> Result<ClientBuilder, CaError> {
    let roots = Certificate::from_pem_bundle(pem).map_err(|_| CaError)?;
    if roots.is_empty() {
        return Err(CaError);
    }
    Ok(Client::builder().tls_certs_only(roots))
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
