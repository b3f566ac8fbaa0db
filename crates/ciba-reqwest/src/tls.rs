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
    let (certificates, is_extra) = match authorities {
        Authorities::Platform => (Vec::new(), true),
        Authorities::Extra(pem) => (certificates(pem)?, true),
        Authorities::Only(pem) => (certificates(pem)?, false),
    };
    Ok(move || match (certificates.clone(), is_extra) {
        (none, true) if none.is_empty() => platform_roots(),
        (extra, true) => platform_roots().tls_certs_merge(extra),
        (only, false) => Client::builder().tls_certs_only(only),
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, CaError> {
    let authorities = read_authorities(pem)?;
    let read = authorities.iter().map(|der| Certificate::from_der(der).map_err(|_| CaError));
    read.collect()
}
