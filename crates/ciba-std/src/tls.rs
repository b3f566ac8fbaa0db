//! Certificate authorities, and the causes of failed handshakes.

use std::{error::Error, fmt};

use ciba_core::fault::{Cause, CertificateProblem, TlsAlert};
use rustls::{
    CertificateError, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Parses the certificates in a PEM text, to be trusted as authorities.
///
/// # Errors
///
/// [`CaError`] if there is no certificate in it, or one that cannot be used.
pub fn read_authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CaError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| CaError)?;
    // HTTP libraries skip certificates that they cannot read, and fail at the first connection.
    for certificate in &certificates {
        RootCertStore::empty().add(certificate.clone()).map_err(|_| CaError)?;
    }
    if certificates.is_empty() { Err(CaError) } else { Ok(certificates) }
}

/// The error for a PEM text without a usable certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaError;

impl fmt::Display for CaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no usable certificate in the PEM text")
    }
}

impl Error for CaError {}

/// Returns the cause for an error of rustls.
#[must_use]
pub fn tls_cause(error: &rustls::Error) -> Cause {
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
