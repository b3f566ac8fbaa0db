//! The client certificate (RFC 8705), with its private key.

use std::{error::Error, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Identity;
use zeroize::Zeroizing;

/// A certificate that authenticates the client in the TLS handshake, with its chain and its private
/// key.
#[derive(Clone)]
pub struct ClientCertificate(Identity);

impl ClientCertificate {
    /// From the text of PEM files: the certificate, then the chain above it if any, and the private
    /// key (PKCS#8, PKCS#1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Unreadable`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        // reqwest reads both from one text, and would not mind if the two were swapped.
        let holds =
            |pem: &[u8], label: &[u8]| pem.windows(label.len()).any(|window| window == label);
        if !holds(chain, b"-----BEGIN CERTIFICATE-----") || !holds(key, b"PRIVATE KEY-----") {
            return Err(CertificateError::Unreadable);
        }
        let pem = Zeroizing::new([chain, b"\n", key].concat());
        Identity::from_pem(&pem).map(Self).map_err(|_| CertificateError::Unreadable)
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

    pub(crate) fn into_identity(self) -> Identity {
        self.0
    }
}

/// reqwest reads PEM only.
fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let inside = Zeroizing::new(STANDARD.encode(der));
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", *inside))
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
