//! Certificates and their private keys, in PEM.

use std::path::Path;

use ciba_core::{SoftwareKey, keys::KeyFileError};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{
    key::why,
    read::{open, secret},
};
use crate::{backend::backend, exit::Stop};

/// A certificate, the chain above it and its private key, all in PEM.
pub(crate) struct Pair {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Pair {
    /// Reads both files, and checks that they belong together.
    pub(crate) fn read(
        (certificate, certificate_option): (&Path, &str),
        (key, key_option): (&Path, &str),
    ) -> Result<Self, Stop> {
        let (_, bytes) = open(certificate, certificate_option)?;
        let chain = unescaped(bytes);
        let private = unescaped(secret(key, key_option)?);
        let unusable = |option: &str, path: &Path, why: &str| {
            Stop::usage(format!("the file of {option} cannot be used: {} {why}", path.display()))
        };
        let certificates =
            certificates(&chain).map_err(|why| unusable(certificate_option, certificate, &why))?;
        let read = PrivateKeyDer::from_pem_slice(&private);
        let read = read.map_err(|_| unusable(key_option, key, &no_key(&private)))?;
        pairs(&certificates, &read)
            .map_err(|why| unusable(certificate_option, certificate, why))?;
        Ok(Self { chain, key: private })
    }

    /// The certificates and the key, decoded.
    pub(crate) fn decoded(&self) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        Some((certificates(&self.chain).ok()?, PrivateKeyDer::from_pem_slice(&self.key).ok()?))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(no_certificate(pem)),
    }
}

/// What a file without a PEM certificate holds instead.
pub(crate) fn no_certificate(bytes: &[u8]) -> String {
    match SoftwareKey::import_file(bytes, None, &backend()) {
        Err(KeyFileError::Certificate) if !has_pem(bytes) => {
            "is a certificate in DER, but PEM is required (openssl x509 -inform DER -in FILE -out NEW)".to_owned()
        }
        Err(KeyFileError::KeyStore) => {
            "is a key store, and its certificate is needed in PEM (openssl pkcs12 -in FILE -nokeys -out NEW)".to_owned()
        }
        Err(KeyFileError::Utf16) => "is in UTF-16, and UTF-8 is needed".to_owned(),
        Ok(_) | Err(KeyFileError::Encrypted | KeyFileError::OpenSsh | KeyFileError::Der) => {
            "holds a private key and no certificate".to_owned()
        }
        Err(_) => "holds no certificate in PEM".to_owned(),
    }
}

/// What a file without a PEM private key holds instead.
fn no_key(bytes: &[u8]) -> String {
    match SoftwareKey::import_file(bytes, None, &backend()) {
        Ok(_) => "is a JWK, and PEM is needed".to_owned(),
        Err(KeyFileError::Malformed | KeyFileError::Rejected(_)) => {
            "holds no private key in PEM (PKCS#8, PKCS#1 or SEC1, not encrypted)".to_owned()
        }
        Err(error) => format!("holds no private key in PEM: {}", why(error)),
    }
}

/// Checks that the key belongs to the first certificate. Pairs of an unknown kind are accepted.
fn pairs(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), &'static str> {
    let provider = aws_lc_rs::default_provider();
    let pair = |certificates: &[CertificateDer<'static>]| {
        CertifiedKey::from_der(certificates.to_vec(), key.clone_key(), &provider)
    };
    match pair(chain) {
        Err(rustls::Error::InconsistentKeys(_)) => {}
        _ => return Ok(()),
    }
    let is_further_down = chain.iter().skip(1).any(|one| pair(std::slice::from_ref(one)).is_ok());
    Err(match is_further_down {
        true => {
            "begins with the certificate of an authority: the client's own has to come first, the chain above it after it"
        }
        false => "is the certificate of another key than the one that is given with it",
    })
}

fn has_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// Restores the line breaks of PEM in which they are written as `\\n`, as in environment variables
/// and JSON, and removes a byte order mark.
pub(crate) fn unescaped(bytes: Vec<u8>) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    match std::str::from_utf8(&bytes) {
        Ok(text) if has_pem(&bytes) && text.contains("\\n") => text
            .replace("\\r\\n", "\n")
            .replace("\\n", "\n")
            .trim_matches(['"', '\''])
            .as_bytes()
            .to_vec(),
        _ => bytes,
    }
}
