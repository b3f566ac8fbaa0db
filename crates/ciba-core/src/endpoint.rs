//! The endpoints of exchanges.

use core::fmt;

/// The endpoint of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The provider's metadata document.
    Discovery,
    /// The provider's key set (`jwks_uri`).
    KeySet,
    /// The backchannel authentication endpoint ([CIBA Core 7]).
    ///
    /// [CIBA Core 7]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7
    BackchannelAuthentication,
    /// The token endpoint ([CIBA Core 10.1]).
    ///
    /// [CIBA Core 10.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.1
    Token,
    /// The client's notification endpoint, which the provider calls ([CIBA Core 9]).
    ///
    /// [CIBA Core 9]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.9
    Notification,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 5] = [
        Self::Discovery,
        Self::KeySet,
        Self::BackchannelAuthentication,
        Self::Token,
        Self::Notification,
    ];

    /// Returns the snake_case name, for logs and machine-readable output.
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
