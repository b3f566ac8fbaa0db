//! The certificate authorities to trust.

use ciba_std::{Authorities, CaError, read_authorities};
use reqwest::{Certificate, Client, ClientBuilder};

/// Returns a builder that trusts the certificate authorities of the platform.
pub fn platform_roots() -> ClientBuilder {
    Client::builder()
}

/// Returns a function that makes builders which trust the certificate authorities of the platform
/// **and** those in a PEM text.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn platform_roots_and(
    pem: &[u8],
) -> Result<impl Fn() -> ClientBuilder + Clone + Send + Sync + use<>, CaError> {
    let extra = certificates(pem)?;
    Ok(move || platform_roots().tls_certs_merge(extra.clone()))
}

/// Returns a function that makes builders which trust the certificate authorities in a PEM text
/// **and no others**, for a provider with an authority of its own.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn only_authorities(
    pem: &[u8],
) -> Result<impl Fn() -> ClientBuilder + Clone + Send + Sync + use<>, CaError> {
    let only = certificates(pem)?;
    Ok(move || Client::builder().tls_certs_only(only.clone()))
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, CaError> {
    let authorities = read_authorities(pem)?;
    let read = authorities.iter().map(|der| Certificate::from_der(der).map_err(|_| CaError));
    read.collect()
}

/// Returns a function that makes builders which trust these authorities.
pub(crate) fn trusting(
    authorities: &Authorities,
) -> Result<Box<dyn Fn() -> ClientBuilder + Send + Sync>, CaError> {
    Ok(match authorities {
        Authorities::Platform => Box::new(platform_roots),
        Authorities::Extra(pem) => Box::new(platform_roots_and(pem)?),
        Authorities::Only(pem) => Box::new(only_authorities(pem)?),
    })
}
