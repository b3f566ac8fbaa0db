//! The reasons for which a published key cannot be used.

use core::fmt;

use crate::crypto::KeyRejected;

/// The reason for which a key published by an issuer is not used to verify signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnusableKey {
    /// The key is not a JSON object with unique member names.
    NotAnObject,
    /// A member is missing or has a value that cannot be read.
    Member {
        /// The name of the member.
        name: &'static str,
        /// What is wrong with the member.
        fault: KeyMemberFault,
    },
    /// `kty` names a kind of key that is not supported.
    Kind,
    /// `crv` names a curve that is not supported.
    Curve,
    /// `use` says that the key is for encryption.
    Encryption,
    /// `use` has a value other than `sig`.
    Use,
    /// `key_ops` does not allow the key to verify signatures, or contradicts itself or `use`
    /// ([RFC 7517 section 4.3]).
    ///
    /// [RFC 7517 section 4.3]: https://www.rfc-editor.org/rfc/rfc7517#section-4.3
    Operations,
    /// `alg` names an algorithm that is not supported or that does not fit the key.
    Algorithm,
    /// The key is for an algorithm other than the expected one.
    OtherAlgorithm,
    /// The set also holds encryption keys, and this key is not marked `use: sig`
    /// ([OIDC Discovery 3]).
    ///
    /// [OIDC Discovery 3]: https://openid.net/specs/openid-connect-discovery-1_0.html#rfc.section.3
    Unmarked,
    /// The set has more than 200 keys, and only the first 200 are read.
    TooMany,
    /// The key is symmetric and must not be published.
    Symmetric,
    /// The cryptography backend rejects the key.
    Rejected(KeyRejected),
}

/// What is wrong with a member of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyMemberFault {
    /// It is missing.
    Missing,
    /// It is not a string.
    NotText,
    /// It is not base64.
    NotBase64,
    /// It is empty or too long for the key.
    Length,
}

impl UnusableKey {
    pub(crate) const fn missing(name: &'static str) -> Self {
        Self::Member { name, fault: KeyMemberFault::Missing }
    }

    pub(crate) const fn not_text(name: &'static str) -> Self {
        Self::Member { name, fault: KeyMemberFault::NotText }
    }

    pub(crate) const fn not_base64(name: &'static str) -> Self {
        Self::Member { name, fault: KeyMemberFault::NotBase64 }
    }

    pub(crate) const fn length(name: &'static str) -> Self {
        Self::Member { name, fault: KeyMemberFault::Length }
    }
}

impl fmt::Display for UnusableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("it is not a JSON object with unique member names"),
            Self::Member { name, fault } => write!(f, "its `{name}` {fault}"),
            Self::Kind => f.write_str("its kind (`kty`) is not supported"),
            Self::Curve => f.write_str("its curve (`crv`) is not supported"),
            Self::Encryption => f.write_str("it is for encryption (`use`)"),
            Self::Use => f.write_str("its `use` is not `sig`"),
            Self::Operations => f.write_str("its `key_ops` do not let it verify signatures"),
            Self::Algorithm => f.write_str("its `alg` is not supported or does not fit its kind"),
            Self::OtherAlgorithm => {
                f.write_str("it is for an algorithm other than the expected one")
            }
            Self::Unmarked => {
                f.write_str("it has no `use`, in a set that also holds encryption keys")
            }
            Self::TooMany => {
                f.write_str("the set has more than 200 keys, and only the first 200 are read")
            }
            Self::Symmetric => f.write_str("it is symmetric"),
            Self::Rejected(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for KeyMemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::NotText => "is not a string",
            Self::NotBase64 => "is not base64",
            Self::Length => "is empty or too long",
        })
    }
}

impl core::error::Error for UnusableKey {}
