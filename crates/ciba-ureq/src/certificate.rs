//! The client certificate (RFC 8705) in ureq's TLS settings.

use std::sync::Arc;

use ciba_std::{CertificateError, ClientCertificate};
use rustls::crypto::CryptoProvider;
use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};

use crate::tls::{built_in, copy};

/// Returns a copy of TLS settings with a client certificate.
pub(crate) fn with_certificate(
    tls: &TlsConfig,
    certificate: &ClientCertificate,
) -> Result<TlsConfig, CertificateError> {
    let provider = crypto(tls).ok_or(CertificateError::Refused)?;
    // With an unusable certificate, ureq would panic at the first connection.
    certificate.check(&provider)?;
    let chain: Vec<_> =
        certificate.chain().iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    // ureq's constructor for DER needs the kind of the key; the one for PEM finds it.
    let key = PrivateKey::from_pem(certificate.to_pem().as_bytes())
        .map_err(|_| CertificateError::Unreadable)?;
    let shown = ClientCert::new_with_certs(&chain, key);
    Ok(copy(tls).unversioned_rustls_crypto_provider(provider).client_cert(Some(shown)).build())
}

/// Returns the cryptography provider that ureq would use.
fn crypto(tls: &TlsConfig) -> Option<Arc<CryptoProvider>> {
    let given = tls.unversioned_rustls_crypto_provider().clone();
    given.or_else(|| CryptoProvider::get_default().cloned()).or_else(built_in)
}
