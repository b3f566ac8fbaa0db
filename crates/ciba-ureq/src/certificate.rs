//! The client certificate (RFC 8705) in TLS settings.

use std::sync::Arc;

use ciba_std::{CertificateError, ClientCertificate};
use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};

use crate::tls::{built_in, copy};

/// TLS settings like the given ones, with a client certificate.
pub(crate) fn with_certificate(
    tls: &TlsConfig,
    certificate: &ClientCertificate,
) -> Result<TlsConfig, CertificateError> {
    let provider = crypto(tls).ok_or(CertificateError::Refused)?;
    // ureq would find out at the first connection, and panic.
    certificate.check(&provider)?;
    let chain: Vec<_> =
        certificate.chain().iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    // ureq has no name for the kind of a key in DER.
    let key = PrivateKey::from_pem(certificate.to_pem().as_bytes())
        .map_err(|_| CertificateError::Unreadable)?;
    let shown = ClientCert::new_with_certs(&chain, key);
    Ok(copy(tls).unversioned_rustls_crypto_provider(provider).client_cert(Some(shown)).build())
}

/// What ureq itself would take.
fn crypto(tls: &TlsConfig) -> Option<Arc<CryptoProvider>> {
    let given = tls.unversioned_rustls_crypto_provider().clone();
    given.or_else(|| CryptoProvider::get_default().cloned()).or_else(built_in)
}
