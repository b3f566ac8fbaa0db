//! Whose certificates are trusted.

use std::{error::Error, fmt, sync::Arc};

use ciba_core::{Cause, CertificateProblem, TlsAlert};
use rustls::{CertificateError, RootCertStore, crypto::CryptoProvider, pki_types::CertificateDer};
use ureq::{
    Agent,
    config::ConfigBuilder,
    tls::{PemItem, RootCerts, TlsConfig, TlsConfigBuilder, parse_pem},
    typestate::AgentScope,
};

/// A builder with the platform's roots.
#[must_use]
pub fn platform_roots() -> ConfigBuilder<AgentScope> {
    roots(RootCerts::PlatformVerifier)
}

/// A builder that trusts the certificates of a PEM file and no others: for a provider with a CA of
/// its own.
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

/// A PEM file without a certificate that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaError;

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no usable certificate in the PEM text")
    }
}

impl Error for CaError {}

/// What rustls says, as a cause.
pub(crate) fn cause(error: &rustls::Error) -> Cause {
    match error {
        rustls::Error::AlertReceived(alert) => {
            let alert = TlsAlert(u8::from(*alert));
            if alert.is_about_client_certificate() {
                Cause::ClientCertificate(alert)
            } else {
                Cause::TlsAlert(alert)
            }
        }
        rustls::Error::InvalidCertificate(problem) => {
            Cause::Certificate(certificate_problem(problem))
        }
        _ => Cause::Tls,
    }
}

fn certificate_problem(problem: &CertificateError) -> CertificateProblem {
    match problem {
        CertificateError::UnknownIssuer => CertificateProblem::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateProblem::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateProblem::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateProblem::WrongName
        }
        CertificateError::Revoked => CertificateProblem::Revoked,
        // rustls has no variant of its own for this one.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            CertificateProblem::CaAsEndEntity
        }
        _ => CertificateProblem::Other,
    }
}
