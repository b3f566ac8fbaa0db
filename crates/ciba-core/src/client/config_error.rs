//! The errors of a configuration, which are reported all at once.
// REQ-META-27

use alloc::{string::String, vec::Vec};
use core::fmt;

use crate::text::plain;

/// An error in a configuration. It was found before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A required value is neither configured nor in the provider's metadata.
    Missing {
        /// The member of the metadata, or the option.
        member: &'static str,
    },
    /// The provider's metadata does not list a configured value.
    ///
    /// If the metadata is known to be wrong, use
    /// [`ClientConfigBuilder::dangerously_ignore_metadata`](crate::ClientConfigBuilder::dangerously_ignore_metadata).
    NotListed {
        /// The member of the metadata.
        member: &'static str,
        /// The value that is not listed.
        value: String,
    },
    /// The chosen [`Profile`](crate::Profile) does not allow a value.
    Profile {
        /// The member of the client metadata, or the option.
        member: &'static str,
        /// The clause that is violated.
        clause: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// No cryptography backend is compiled in, and none was set with
    /// [`ClientConfigBuilder::verifier`](crate::ClientConfigBuilder::verifier).
    NoCryptography,
    /// A configuration file has a member that is not known. It may be misspelt, and the option that
    /// it should set would not apply.
    Unknown {
        /// The name of the member.
        member: String,
    },
    /// A value cannot be used.
    Invalid {
        /// The member of the client metadata, or the option.
        member: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
}

impl ConfigError {
    /// Returns the member or option that is wrong.
    #[must_use]
    pub fn member(&self) -> &str {
        match self {
            Self::Missing { member }
            | Self::NotListed { member, .. }
            | Self::Profile { member, .. }
            | Self::Invalid { member, .. } => member,
            Self::Unknown { member } => member,
            Self::NoCryptography => "verifier",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { member } => write!(f, "{member} is missing"),
            // The member is a flag and not a list.
            Self::NotListed { member, value } if value == "true" => {
                write!(f, "the provider's metadata does not set {member} to true")
            }
            Self::NotListed { member, value } => write!(f, "the provider does not list {value} in {member}"),
            Self::Profile { member, clause, reason } => write!(f, "{member} violates {clause}: {reason}"),
            Self::NoCryptography => f.write_str(
                "no cryptography backend: enable the feature `aws-lc-rs` or `rustcrypto` (with `rustcrypto-rsa` for RS256) of \
                 ciba-core, ciba-reqwest or ciba-ureq, or give the configuration a verifier",
            ),
            Self::Unknown { member } => {
                write!(f, "the member {} is not known; it may be misspelt", plain(member))
            }
            Self::Invalid { member, reason } => write!(f, "{member} cannot be used: {reason}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// All errors in a configuration. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(super) const fn new(findings: Vec<ConfigError>) -> Self {
        Self(findings)
    }

    /// Returns the errors in the order in which they were found.
    pub fn iter(&self) -> core::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(finding: ConfigError) -> Self {
        Self(alloc::vec![finding])
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = core::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}
