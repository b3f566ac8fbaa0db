//! Whose certificates are trusted.

use ciba_std::{CaError, read_authorities};
use reqwest::{Certificate, Client, ClientBuilder};

/// A builder with the platform's roots.
pub fn platform_roots() -> ClientBuilder {
    Client::builder()
}

/// Returns a function that makes builders which trust the certificates of a PEM file and no others:
/// for a provider with a CA of its own.
///
/// # Errors
///
/// When there is no certificate in it, or one that cannot be read.
pub fn with_ca(
    pem: &[u8],
) -> Result<impl Fn() -> ClientBuilder + Clone + Send + Sync + use<>, CaError> {
    let roots = read_authorities(pem)?;
    let roots = roots.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>();
    let roots = roots.map_err(|_| CaError)?;
    Ok(move || Client::builder().tls_certs_only(roots.clone()))
}
