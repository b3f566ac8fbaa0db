//! The endpoints an exchange is with.

use core::fmt;

/// The endpoint an exchange is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The provider's metadata document.
    Discovery,
    /// The provider's key set (`jwks_uri`).
    KeySet,
    /// The backchannel authentication endpoint (CIBA 7).
    BackchannelAuthentication,
    /// The token endpoint (CIBA 10.1).
    Token,
    /// Our own notification endpoint, which a provider calls (CIBA 9).
    Notification,
}

impl Endpoint {
    /// A lower-case name with underscores, for logs and machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::KeySet => "key_set",
            Self::BackchannelAuthentication => "backchannel_authentication",
            Self::Token => "token",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "the metadata document",
            Self::KeySet => "the key set",
            Self::BackchannelAuthentication => "the backchannel authentication endpoint",
            Self::Token => "the token endpoint",
            Self::Notification => "the notification endpoint",
        })
    }
}
