//! The client certificate (RFC 8705), with its private key.

use std::{error::Error, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use ureq::tls::{ClientCert, PemItem, PrivateKey, TlsConfig, parse_pem};
use zeroize::Zeroizing;

use crate::tls::{built_in, copy};

/// A certificate that authenticates the client in the TLS handshake, with its chain and its private
/// key.
pub struct ClientCertificate {
    certificate: ClientCert,
    /// The same key again: of ureq's only its bytes can be read, not what they are.
    key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// From the text of PEM files: the certificate, then the chain above it if any, and the private
    /// key (PKCS#8, PKCS#1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Unreadable`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let mut certificates = Vec::new();
        for item in parse_pem(chain) {
            if let PemItem::Certificate(certificate) =
                item.map_err(|_| CertificateError::Unreadable)?
            {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(CertificateError::Unreadable);
        }
        let private = PrivateKey::from_pem(key).map_err(|_| CertificateError::Unreadable)?;
        Ok(Self {
            certificate: ClientCert::new_with_certs(&certificates, private),
            key: PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::Unreadable)?,
        })
    }

    /// From DER in memory: the certificate, then the chain above it if any, and the private key in
    /// PKCS#8.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Unreadable`].
    pub fn from_der<C: AsRef<[u8]>>(
        chain: impl IntoIterator<Item = C>,
        key: &[u8],
    ) -> Result<Self, CertificateError> {
        let mut certificates = String::new();
        for certificate in chain {
            certificates.push_str(&armour("CERTIFICATE", certificate.as_ref()));
        }
        Self::from_pem(certificates.as_bytes(), armour("PRIVATE KEY", key).as_bytes())
    }

    /// TLS settings like the given ones, with this certificate.
    pub(crate) fn show_in(&self, tls: &TlsConfig) -> Result<TlsConfig, CertificateError> {
        let provider = crypto(tls).ok_or(CertificateError::Refused)?;
        // ureq would find out at the first connection, and panic.
        let chain = self
            .certificate
            .certs()
            .iter()
            .map(|known| CertificateDer::from(known.der()).into_owned());
        CertifiedKey::from_der(chain.collect(), self.key.clone_key(), &provider)
            .map_err(|_| CertificateError::Refused)?;
        let copy = copy(tls).unversioned_rustls_crypto_provider(provider);
        Ok(copy.client_cert(Some(self.certificate.clone())).build())
    }
}

impl Clone for ClientCertificate {
    fn clone(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.clone_key() }
    }
}

/// ureq reads keys in PEM only.
fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let inside = Zeroizing::new(STANDARD.encode(der));
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", *inside))
}

/// What ureq itself would take.
fn crypto(tls: &TlsConfig) -> Option<Arc<CryptoProvider>> {
    let given = tls.unversioned_rustls_crypto_provider().clone();
    given.or_else(|| CryptoProvider::get_default().cloned()).or_else(built_in)
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}

/// A client certificate that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no certificate, or no private key that can be read.
    Unreadable,
    /// TLS cannot be set up with it: the key is not that of the certificate, or of a kind that is
    /// not supported; or it cannot be set up at all.
    Refused,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "no certificate with a private key that can be read",
            Self::Refused => "TLS cannot be set up with the client certificate and its key",
        })
    }
}

impl Error for CertificateError {}
