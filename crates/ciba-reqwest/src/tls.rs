//! The certificate authorities to trust.

use ciba_std::{Authorities, CaError, read_authorities};
use reqwest::{Certificate, Client, ClientBuilder};

/// Returns a builder that trusts the certificate authorities of the platform.
pub fn platform_roots() -> ClientBuilder {
    Client::builder()
}

/// Returns a function that makes builders which trust these certificate authorities.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn trusting(
    authorities: &Authorities,
) -> Result<impl Fn() -> ClientBuilder + Clone + Send + Sync + use<>, CaError> {
    let (certificates, is_only) = match authorities {
        Authorities::Platform => (Vec::new(), false),
        Authorities::Extra(pem) => (certificates(pem)?, false),
        Authorities::Only(pem) => (certificates(pem)?, true),
    };
    Ok(move || match is_only {
        true => Client::builder().tls_certs_only(certificates.clone()),
        false => platform_roots().tls_certs_merge(certificates.clone()),
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, CaError> {
    let authorities = read_authorities(pem)?;
    let read = authorities.iter().map(|der| Certificate::from_der(der).map_err(|_| CaError));
    read.collect()
}
