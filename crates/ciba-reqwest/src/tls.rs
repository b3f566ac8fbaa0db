//! Whose certificates are trusted.

use std::{error::Error, fmt};

use ciba_core::{Cause, CertificateProblem, TlsAlert};
use reqwest::{Certificate, Client, ClientBuilder};
use rustls::CertificateError;

/// A builder with the platform's roots.
pub fn platform_roots() -> ClientBuilder {
    Client::builder()
}

/// A builder that trusts the certificates of a PEM file and no others: for a provider with a CA of
/// its own.
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
