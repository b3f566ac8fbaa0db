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

/// Returns a function that makes builders which trust these certificate authorities.
///
/// With [`Authorities::Extra`], the platform's authorities are read once, from its store, and
/// certificates are verified by rustls: further rules of the platform, such as its own revocation
/// lists, do not apply.
///
/// # Errors
///
/// [`CaError`] if the text has no certificate, or one that cannot be read.
pub fn trusting(
    authorities: &Authorities,
) -> Result<impl Fn() -> ConfigBuilder<AgentScope> + Clone + Send + Sync + use<>, CaError> {
    let certificates = match authorities {
        Authorities::Platform => RootCerts::PlatformVerifier,
        Authorities::Extra(pem) => {
            let mut all = read_authorities(pem)?;
            // Certificates of the platform that cannot be read are skipped, as by the platform
            // verifier.
            all.extend(rustls_native_certs::load_native_certs().certs);
            specific_roots(&all)
        }
        Authorities::Only(pem) => specific_roots(&read_authorities(pem)?),
    };
    Ok(move || roots(certificates.clone()))
}

fn specific_roots(authorities: &[CertificateDer<'_>]) -> RootCerts {
    let certificates: Vec<_> =
        authorities.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    RootCerts::new_with_certs(&certificates)
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
