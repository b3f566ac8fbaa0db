//! Whose certificates are trusted.

use std::sync::Arc;

use ciba_std::{CaError, read_authorities};
use rustls::crypto::CryptoProvider;
use ureq::{
    Agent,
    config::ConfigBuilder,
    tls::{Certificate, RootCerts, TlsConfig, TlsConfigBuilder},
    typestate::AgentScope,
};

/// A builder with the platform's roots.
#[must_use]
pub fn platform_roots() -> ConfigBuilder<AgentScope> {
    roots(RootCerts::PlatformVerifier)
}

/// Returns a function that makes builders which trust the certificates of a PEM file and no others:
/// for a provider with a CA of its own.
///
/// # Errors
///
/// When there is no certificate in it, or one that cannot be read.
pub fn with_ca(
    pem: &[u8],
) -> Result<impl Fn() -> ConfigBuilder<AgentScope> + Clone + Send + Sync + use<>, CaError> {
    let authorities = read_authorities(pem)?;
    let certificates: Vec<_> =
        authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let certificates = RootCerts::new_with_certs(&certificates);
    Ok(move || roots(certificates.clone()))
}

fn roots(roots: RootCerts) -> ConfigBuilder<AgentScope> {
    Agent::config_builder().tls_config(TlsConfig::builder().root_certs(roots).build())
}

/// The same settings with the cryptography provider of this crate, where they have none and ureq
/// would find none by itself.
pub(crate) fn completed(tls: &TlsConfig) -> Option<TlsConfig> {
    let has_one = tls.unversioned_rustls_crypto_provider().is_some()
        || CryptoProvider::get_default().is_some();
    if has_one || cfg!(feature = "rustls") {
        return None;
    }
    Some(copy(tls).unversioned_rustls_crypto_provider(built_in()?).build())
}

/// A copy of settings, to be changed.
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

/// The provider that the features of this crate bring.
pub(crate) fn built_in() -> Option<Arc<CryptoProvider>> {
    #[cfg(feature = "rustls")]
    return Some(Arc::new(rustls::crypto::ring::default_provider()));
    #[cfg(all(feature = "rustls-aws-lc-rs", not(feature = "rustls")))]
    return Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    #[cfg(not(any(feature = "rustls", feature = "rustls-aws-lc-rs")))]
    None
}
