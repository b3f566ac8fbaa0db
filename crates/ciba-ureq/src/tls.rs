//! The certificate authorities to trust, and the rest of ureq's TLS settings.

use std::sync::Arc;

use ciba_std::{Authorities, CaError, read_authorities};
use rustls::{crypto::CryptoProvider, pki_types::CertificateDer};
use ureq::{
    Agent,
    config::ConfigBuilder,
    tls::{Certificate, RootCerts, TlsConfig, TlsConfigBuilder},
    typestate::AgentScope,
};

/// Returns a builder that trusts the certificate authorities of the platform.
#[must_use]
pub fn platform_roots() -> ConfigBuilder<AgentScope> {
    roots(RootCerts::PlatformVerifier)
}

/// Returns a function that makes builders which trust the certificate authorities of the platform
/// **and** those in a PEM text.
///
/// The platform's authorities are read once, from its store, and certificates are verified by
/// rustls: further rules of the platform, such as its own revocation lists, do not apply.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn platform_roots_and(
    pem: &[u8],
) -> Result<impl Fn() -> ConfigBuilder<AgentScope> + Clone + Send + Sync + use<>, CaError> {
    let mut authorities = read_authorities(pem)?;
    // Certificates of the platform that cannot be read are skipped, as by the platform verifier.
    authorities.extend(rustls_native_certs::load_native_certs().certs);
    Ok(specific_roots(&authorities))
}

/// Returns a function that makes builders which trust the certificate authorities in a PEM text
/// **and no others**, for a provider with an authority of its own.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn only_authorities(
    pem: &[u8],
) -> Result<impl Fn() -> ConfigBuilder<AgentScope> + Clone + Send + Sync + use<>, CaError> {
    Ok(specific_roots(&read_authorities(pem)?))
}

fn specific_roots(
    authorities: &[CertificateDer<'_>],
) -> impl Fn() -> ConfigBuilder<AgentScope> + Clone + Send + Sync + use<> {
    let certificates: Vec<_> =
        authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let certificates = RootCerts::new_with_certs(&certificates);
    move || roots(certificates.clone())
}

fn roots(roots: RootCerts) -> ConfigBuilder<AgentScope> {
    Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build())
}

/// Returns the settings with the cryptography provider of this crate's features, if they have none
/// and ureq would find none.
pub(crate) fn completed(tls: &TlsConfig) -> Option<TlsConfig> {
    let has_one = tls.unversioned_rustls_crypto_provider().is_some()
        || CryptoProvider::get_default().is_some();
    if has_one || cfg!(feature = "rustls") {
        return None;
    }
    Some(copy(tls).unversioned_rustls_crypto_provider(built_in()?).build())
}

/// Returns a copy of settings, to be changed.
pub(crate) fn copy(tls: &TlsConfig) -> TlsConfigBuilder {
    let copy = TlsConfig::builder()
        .provider(tls.provider())
        .root_certs(tls.root_certs().clone())
        .use_sni(tls.use_sni());
    match tls.unversioned_rustls_crypto_provider() {
        Some(provider) => copy.unversioned_rustls_crypto_provider(Arc::clone(provider)),
        None => copy,
    }
}

/// Returns the cryptography provider of this crate's features.
pub(crate) fn built_in() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "rustls")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "rustls-aws-lc-rs", not(feature = "rustls")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "rustls", feature = "rustls-aws-lc-rs")))]
    None
}

/// Returns a function that makes builders which trust these authorities.
pub(crate) fn trusting(
    authorities: &Authorities,
) -> Result<Box<dyn Fn() -> ConfigBuilder<AgentScope> + Send + Sync>, CaError> {
    Ok(match authorities {
        Authorities::Platform => Box::new(platform_roots),
        Authorities::Extra(pem) => Box::new(platform_roots_and(pem)?),
        Authorities::Only(pem) => Box::new(only_authorities(pem)?),
    })
}
