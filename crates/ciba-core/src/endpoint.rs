//! The endpoints of exchanges.

use crate::named::named;

named! {
    /// The endpoint of an exchange.
    #[non_exhaustive]
    pub enum Endpoint {
        /// The provider's metadata document.
        Discovery = "discovery" => "the metadata document",
        /// The provider's key set (`jwks_uri`).
        KeySet = "key_set" => "the key set",
        /// The backchannel authentication endpoint ([CIBA Core 7]).
        ///
        /// [CIBA Core 7]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7
        BackchannelAuthentication = "backchannel_authentication"
            => "the backchannel authentication endpoint",
        /// The token endpoint ([CIBA Core 10.1]).
        ///
        /// [CIBA Core 10.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.1
        Token = "token" => "the token endpoint",
        /// The UserInfo endpoint ([OIDC Core 5.3]).
        ///
        /// [OIDC Core 5.3]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.5.3
        UserInfo = "userinfo" => "the UserInfo endpoint",
        /// The revocation endpoint ([RFC 7009]).
        ///
        /// [RFC 7009]: https://www.rfc-editor.org/rfc/rfc7009
        Revocation = "revocation" => "the revocation endpoint",
        /// The client's notification endpoint, which the provider calls ([CIBA Core 9]).
        ///
        /// [CIBA Core 9]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.9
        Notification = "notification" => "the notification endpoint",
    }
}
