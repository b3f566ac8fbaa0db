//! The errors of reading a key file.

use core::fmt;

use crate::{
    crypto::KeyRejected,
    jose::{KeyMemberFault, UnusableKey, der::NotText},
};

/// The error of a key file that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file is neither PEM of a supported kind (PKCS#8, PKCS#1, SEC1) nor a well-formed JWK.
    Malformed,
    /// The key is not an RSA, EC or Ed25519 key, or is on a curve other than P-256, P-384 and
    /// P-521.
    Unsupported,
    /// The file is a JWK Set, but a single key is required.
    Set,
    /// The file is a JWK with an RSA key that lacks the primes or the values derived from them (`p`,
    /// `q`, `dp`, `dq`, `qi`).
    PrimesMissing,
    /// A member of a JWK is missing or has a value that cannot be read.
    Member {
        /// The name of the member.
        name: &'static str,
        /// What is wrong with the member.
        fault: KeyMemberFault,
    },
    /// The text is JSON, but PEM is required:
    /// [`SoftwareKey::from_jwk`](super::SoftwareKey::from_jwk) reads a JWK, and
    /// [`SoftwareKey::from_file`](super::SoftwareKey::from_file) reads both.
    Jwk,
    /// The text is PEM, but a JWK is required:
    /// [`SoftwareKey::from_pem`](super::SoftwareKey::from_pem) reads PEM, and
    /// [`SoftwareKey::from_file`](super::SoftwareKey::from_file) reads both.
    Pem,
    /// The key is encrypted and must be decrypted first.
    Encrypted,
    /// The key is in DER, but PEM or a JWK is required.
    Der,
    /// The file is a PKCS#12 or Java key store, but a single key in PEM or a JWK is required.
    KeyStore,
    /// The key is in the OpenSSH format.
    OpenSsh,
    /// The file is in UTF-16 or UTF-32, but UTF-8 is required.
    Utf16,
    /// The key is a public key, but a private key is required.
    NotPrivate,
    /// The file is a certificate, but a private key is required.
    Certificate,
    /// The key is symmetric, but a key pair is required.
    Symmetric,
    /// The JWK is not meant for signing, according to `use` or `key_ops` ([RFC 7517 section 4.2],
    /// [RFC 7517 section 4.3]).
    ///
    /// [RFC 7517 section 4.2]: https://www.rfc-editor.org/rfc/rfc7517#section-4.2
    /// [RFC 7517 section 4.3]: https://www.rfc-editor.org/rfc/rfc7517#section-4.3
    NotForSigning,
    /// The JWK is not meant for decryption, according to `use` or `key_ops`.
    NotForDecryption,
    /// The key fits several algorithms, and none was named.
    AlgorithmUnknown,
    /// No cryptography backend is compiled in: enable the feature `aws-lc-rs` or `rustcrypto`.
    NoCryptography,
    /// The backend rejects the key.
    Rejected(KeyRejected),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the key is neither PEM (PKCS#8, PKCS#1, SEC1) nor a well-formed JWK"),
            Self::Unsupported => f.write_str("the key is of a kind or on a curve that is not supported"),
            Self::Set => f.write_str("this is a key set, but a single key is required"),
            Self::PrimesMissing => f.write_str("the key is an RSA key without p, q, dp, dq or qi, which are required"),
            Self::Member { name, fault } => write!(f, "`{name}` in the key {fault}"),
            Self::Jwk => f.write_str(
                "the key is a JWK, but PEM is required; SoftwareKey::from_jwk reads a JWK, and from_file reads both",
            ),
            Self::Pem => f.write_str(
                "the key is PEM, but a JWK is required; SoftwareKey::from_pem reads PEM, and from_file reads both",
            ),
            Self::Encrypted => f.write_str("the key is encrypted; decrypt it first (openssl pkey -in FILE -out NEW)"),
            Self::Der => {
                f.write_str("the key is in DER, but PEM is required (openssl pkey -inform DER -in FILE -out NEW)")
            }
            Self::KeyStore => f.write_str(
                "this is a key store, but its key is required in PEM (openssl pkcs12 -in FILE -nocerts -nodes -out NEW; convert a JKS file to PKCS#12 with keytool -importkeystore -deststoretype PKCS12)",
            ),
            Self::OpenSsh => f.write_str(
                "the key is in the OpenSSH format, but PKCS#8 is required (ssh-keygen -p -m PKCS8 -f COPY; it does not convert Ed25519 keys, so make a new one)",
            ),
            Self::Utf16 => f.write_str("the file is in UTF-16, but UTF-8 is required"),
            Self::NotPrivate => f.write_str("the key is a public key, but a private key is required"),
            Self::Certificate => f.write_str("this is a certificate, but its private key is required"),
            Self::Symmetric => f.write_str("the key is symmetric, but a key pair is required"),
            Self::NotForSigning => f.write_str("the key is not meant for signing"),
            Self::NotForDecryption => f.write_str("the key is not meant for decryption"),
            Self::AlgorithmUnknown => f.write_str("the key fits several algorithms, so one must be named"),
            Self::NoCryptography => f.write_str(
                "no cryptography backend: enable the feature `aws-lc-rs` or `rustcrypto` (with `rustcrypto-rsa` for RS256)",
            ),
            Self::Rejected(_) => f.write_str("the key cannot be used"),
        }
    }
}

impl core::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Rejected(reason) => Some(reason),
            Self::Malformed
            | Self::Unsupported
            | Self::Set
            | Self::PrimesMissing
            | Self::Member { .. }
            | Self::Jwk
            | Self::Pem
            | Self::Encrypted
            | Self::Der
            | Self::KeyStore
            | Self::OpenSsh
            | Self::Utf16
            | Self::NotPrivate
            | Self::Certificate
            | Self::Symmetric
            | Self::NotForSigning
            | Self::NotForDecryption
            | Self::AlgorithmUnknown
            | Self::NoCryptography => None,
        }
    }
}

impl From<UnusableKey> for KeyFileError {
    fn from(reason: UnusableKey) -> Self {
        match reason {
            UnusableKey::Member { name, fault } => Self::Member { name, fault },
            UnusableKey::Symmetric => Self::Symmetric,
            UnusableKey::Kind | UnusableKey::Curve => Self::Unsupported,
            UnusableKey::Rejected(reason) => Self::Rejected(reason),
            // The functions that read a single key return none of these.
            UnusableKey::NotAnObject
            | UnusableKey::Encryption
            | UnusableKey::Use
            | UnusableKey::Operations
            | UnusableKey::Algorithm
            | UnusableKey::OtherAlgorithm
            | UnusableKey::Unmarked
            | UnusableKey::TooMany => Self::Malformed,
        }
    }
}

impl From<KeyRejected> for KeyFileError {
    fn from(reason: KeyRejected) -> Self {
        Self::Rejected(reason)
    }
}

impl From<NotText> for KeyFileError {
    fn from(found: NotText) -> Self {
        match found {
            NotText::Utf16 => Self::Utf16,
            NotText::KeyStore => Self::KeyStore,
            NotText::Encrypted => Self::Encrypted,
            NotText::PrivateKey => Self::Der,
            NotText::PublicKey => Self::NotPrivate,
            NotText::Certificate => Self::Certificate,
            NotText::Unknown => Self::Malformed,
        }
    }
}
