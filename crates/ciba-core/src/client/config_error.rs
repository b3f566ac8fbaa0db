//! What is wrong with a configuration: everything at once, each by the name of its member
//! (REQ-META-27).

use alloc::{string::String, vec::Vec};
use core::fmt;

/// One thing that is wrong with a configuration; nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something needed is neither configured nor in the provider's metadata.
    Missing {
        /// The member of the metadata, or the setting.
        member: &'static str,
    },
    /// The provider's metadata does not list what the client is configured for. Where the metadata
    /// is known to be wrong,
    /// [`ClientConfigBuilder::dangerously_ignore_metadata`](crate::ClientConfigBuilder::dangerously_ignore_metadata)
    /// helps.
    NotListed {
        /// The member of the metadata.
        member: &'static str,
        /// What is not in it.
        value: String,
    },
    /// A setting the chosen [`Profile`](crate::Profile) takes away.
    Profile {
        /// The member of the client metadata, or the setting.
        member: &'static str,
        /// The clause it breaks.
        clause: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// No cryptography backend is compiled in and none was given to
    /// [`ClientConfigBuilder::verifier`](crate::ClientConfigBuilder::verifier).
    NoCryptography,
    /// A setting that cannot be used.
    Invalid {
        /// The member of the client metadata, or the setting.
        member: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl ConfigError {
    /// The member or setting it is about.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Missing { member }
            | Self::NotListed { member, .. }
            | Self::Profile { member, .. }
            | Self::Invalid { member, .. } => member,
            Self::NoCryptography => "verifier",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { member } => write!(f, "{member} is missing"),
            Self::NotListed { member, value } if value == "true" => {
                write!(f, "the provider's metadata does not set {member} to true")
            }
            Self::NotListed { member, value } => write!(f, "the provider does not list {value} in {member}"),
            Self::Profile { member, clause, reason } => write!(f, "{member} breaks {clause}: {reason}"),
            Self::NoCryptography => f.write_str(
                "no cryptography backend: enable the feature `aws-lc-rs` or `rustcrypto` (with `rustcrypto-rsa` for RS256) of \
                 ciba-core, ciba-reqwest or ciba-ureq, or give the configuration a verifier",
            ),
            Self::Invalid { member, reason } => write!(f, "{member} cannot be used: {reason}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(super) const fn new(findings: Vec<ConfigError>) -> Self {
        Self(findings)
    }

    /// The findings, in the order in which they were made.
    pub fn iter(&self) -> core::slice::Iter<'_, ConfigError> {
        self.0.iter()
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
