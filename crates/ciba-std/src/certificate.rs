//! The client certificate (RFC 8705), with its private key.

use std::{error::Error, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use zeroize::{Zeroize as _, Zeroizing};

/// A certificate that authenticates the client in the TLS handshake
/// ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)), with its chain and its private key.
///
/// The key is wiped on drop.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientCertificate {
    /// Parses PEM text: the certificate, followed by its chain if there is one, and the private
    /// key (PKCS#8, PKCS#1 or SEC 1, not encrypted).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Unreadable`] if there is no certificate or no private key in it.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| CertificateError::Unreadable)?;
        if chain.is_empty() {
            return Err(CertificateError::Unreadable);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::Unreadable)?;
        Ok(Self { chain, key })
    }

    /// Takes DER: the certificate, followed by its chain if there is one, and the private key in
    /// PKCS#8.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Unreadable`] if there is no certificate or no private key in it.
    pub fn from_der<C: AsRef<[u8]>>(
        chain: impl IntoIterator<Item = C>,
        key: &[u8],
    ) -> Result<Self, CertificateError> {
        let chain: Vec<_> = chain
            .into_iter()
            .map(|certificate| CertificateDer::from(certificate.as_ref().to_vec()))
            .collect();
        if chain.is_empty() || key.is_empty() {
            return Err(CertificateError::Unreadable);
        }
        Ok(Self { chain, key: PrivatePkcs8KeyDer::from(key.to_vec()).into() })
    }

    /// Returns the certificate, followed by its chain.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Returns the private key.
    #[must_use]
    pub const fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// Checks that TLS can be set up with it. Without this check, HTTP libraries fail at the first
    /// connection, some of them with a panic.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Refused`] if not.
    pub fn check(&self, provider: &Arc<CryptoProvider>) -> Result<(), CertificateError> {
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), provider)
            .map(drop)
            .map_err(|_| CertificateError::Refused)
    }

    /// Returns certificates and key as one PEM text, for HTTP libraries that accept nothing else.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut pem = Zeroizing::new(String::new());
        for certificate in &self.chain {
            armor(&mut pem, "CERTIFICATE", certificate);
        }
        let label = match &self.key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        armor(&mut pem, label, self.key.secret_der());
        pem
    }
}

/// Appends one PEM object.
fn armor(pem: &mut Zeroizing<String>, label: &str, der: &[u8]) {
    let inside = Zeroizing::new(STANDARD.encode(der));
    // Enough capacity from the start: a string that grows leaves a copy of the key that is not
    // wiped.
    let mut grown = Zeroizing::new(String::with_capacity(
        pem.len() + inside.len() + 2 * label.len() + "-----BEGIN -----\n\n-----END -----\n".len(),
    ));
    for part in [pem, "-----BEGIN ", label, "-----\n", &inside, "\n-----END ", label, "-----\n"] {
        grown.push_str(part);
    }
    *pem = grown;
}

impl Clone for ClientCertificate {
    fn clone(&self) -> Self {
        Self { chain: self.chain.clone(), key: self.key.clone_key() }
    }
}

impl Drop for ClientCertificate {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}

/// Why a client certificate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no certificate, or no private key in a supported format.
    Unreadable,
    /// TLS cannot be set up with it: the key does not belong to the certificate or is of an
    /// unsupported type, or TLS cannot be set up at all.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a certificate and not a key; the PEM reader does not look inside.
    fn made() -> ClientCertificate {
        ClientCertificate::from_der([b"leaf".as_slice(), b"issuer"], b"key")
            .expect("both are there")
    }

    #[test]
    fn the_pem_text_holds_the_chain_and_the_key() {
        let pem = made().to_pem();
        let again = ClientCertificate::from_pem(pem.as_bytes(), pem.as_bytes()).expect("both");
        assert_eq!(again.chain(), made().chain());
        assert_eq!(again.key().secret_der(), b"key");
    }

    #[test]
    fn a_chain_without_key_and_a_key_without_chain_are_refused() {
        let pem = made().to_pem();
        let at = pem.find("-----BEGIN PRIVATE KEY").expect("it is there");
        let (chain, key) = pem.as_bytes().split_at(at);
        assert!(ClientCertificate::from_pem(chain, key).is_ok());
        assert!(ClientCertificate::from_pem(key, chain).is_err());
        assert!(ClientCertificate::from_pem(chain, chain).is_err());
        let none: [&[u8]; 0] = [];
        assert!(ClientCertificate::from_der(none, b"key").is_err());
        assert!(ClientCertificate::from_der([b"leaf"], b"").is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", made()), "ClientCertificate(..)");
    }
}
