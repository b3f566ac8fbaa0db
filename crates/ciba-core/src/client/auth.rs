//! Client authentication methods, which are the same at the backchannel and the token endpoint (CIBA
//! Core 4, 7.1 and 10.1).

use alloc::{string::String, sync::Arc};

use crate::{jose::JwsAlgorithm, named::named, secret::ClientSecret};

/// A client authentication method with its parameters.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `private_key_jwt` ([OIDC Core 9], [RFC 7523]). The signer holds the private key.
    ///
    /// [OIDC Core 9]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.9
    /// [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
    PrivateKeyJwt {
        /// The algorithm for which the key is registered.
        algorithm: JwsAlgorithm,
        /// The id of the key in the registered set. It is sent if it is known.
        // REQ-AUTH-16
        key_id: Option<Arc<str>>,
    },
    /// `client_secret_basic` ([RFC 6749 section 2.3.1]).
    ///
    /// [RFC 6749 section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    ClientSecretBasic {
        /// The secret.
        secret: ClientSecret,
        /// How client id and secret are encoded.
        encoding: BasicEncoding,
    },
    /// `client_secret_post` ([RFC 6749 section 2.3.1]).
    ///
    /// [RFC 6749 section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
    ClientSecretPost {
        /// The secret.
        secret: ClientSecret,
    },
    /// `client_secret_jwt` ([OIDC Core 9]).
    ///
    /// [OIDC Core 9]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.9
    ClientSecretJwt {
        /// The secret, whose UTF-8 octets are the HMAC key.
        // REQ-AUTH-22
        secret: ClientSecret,
        /// HS256, HS384 or HS512.
        algorithm: JwsAlgorithm,
    },
    /// `tls_client_auth` ([RFC 8705 section 2.1]): a certificate issued by a certificate authority,
    /// presented in the TLS handshake.
    ///
    /// [RFC 8705 section 2.1]: https://www.rfc-editor.org/rfc/rfc8705#section-2.1
    TlsClientAuth,
    /// `self_signed_tls_client_auth` ([RFC 8705 section 2.2]): a certificate whose key is registered.
    ///
    /// [RFC 8705 section 2.2]: https://www.rfc-editor.org/rfc/rfc8705#section-2.2
    SelfSignedTlsClientAuth,
    /// `none`: a public client, for providers that list this method.
    // Ruling 13.
    None,
}

impl ClientAuth {
    /// Returns the registered name of the method, as in `token_endpoint_auth_method`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::PrivateKeyJwt { .. } => AuthMethod::PrivateKeyJwt,
            Self::ClientSecretBasic { .. } => AuthMethod::ClientSecretBasic,
            Self::ClientSecretPost { .. } => AuthMethod::ClientSecretPost,
            Self::ClientSecretJwt { .. } => AuthMethod::ClientSecretJwt,
            Self::TlsClientAuth => AuthMethod::TlsClientAuth,
            Self::SelfSignedTlsClientAuth => AuthMethod::SelfSignedTlsClientAuth,
            Self::None => AuthMethod::None,
        }
        .name()
    }

    /// Returns the algorithm of the assertions, if the method uses assertions.
    #[must_use]
    pub const fn algorithm(&self) -> Option<JwsAlgorithm> {
        match self {
            Self::PrivateKeyJwt { algorithm, .. } | Self::ClientSecretJwt { algorithm, .. } => {
                Some(*algorithm)
            }
            Self::ClientSecretBasic { .. }
            | Self::ClientSecretPost { .. }
            | Self::TlsClientAuth
            | Self::SelfSignedTlsClientAuth
            | Self::None => None,
        }
    }

    /// Returns `true` if the client authenticates with its TLS certificate ([RFC 8705 section 2]).
    ///
    /// [RFC 8705 section 2]: https://www.rfc-editor.org/rfc/rfc8705#section-2
    #[must_use]
    pub const fn is_mutual_tls(&self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }

    /// Returns the client secret, if there is one.
    pub(crate) const fn secret(&self) -> Option<&ClientSecret> {
        match self {
            Self::ClientSecretBasic { secret, .. }
            | Self::ClientSecretPost { secret }
            | Self::ClientSecretJwt { secret, .. } => Some(secret),
            Self::PrivateKeyJwt { .. }
            | Self::TlsClientAuth
            | Self::SelfSignedTlsClientAuth
            | Self::None => None,
        }
    }
}

named! {
    /// A client authentication method by its registered name, without the parameters of
    /// [`ClientAuth`].
    pub enum AuthMethod {
        /// See [`ClientAuth::PrivateKeyJwt`].
        PrivateKeyJwt = "private_key_jwt",
        /// See [`ClientAuth::ClientSecretBasic`].
        ClientSecretBasic = "client_secret_basic",
        /// See [`ClientAuth::ClientSecretPost`].
        ClientSecretPost = "client_secret_post",
        /// See [`ClientAuth::ClientSecretJwt`].
        ClientSecretJwt = "client_secret_jwt",
        /// See [`ClientAuth::TlsClientAuth`].
        TlsClientAuth = "tls_client_auth",
        /// See [`ClientAuth::SelfSignedTlsClientAuth`].
        SelfSignedTlsClientAuth = "self_signed_tls_client_auth",
        /// See [`ClientAuth::None`].
        None = "none",
    }
}

named! {
    /// How `client_secret_basic` encodes client id and secret.
    // Ruling 8.
    #[derive(Default)]
    pub enum BasicEncoding {
        /// Form-encoded, as [RFC 6749 section 2.3.1] requires.
        ///
        /// [RFC 6749 section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        #[default]
        Encoded = "encoded",
        /// Not encoded, for servers that do not decode. Rejected if the client id contains a colon.
        Raw = "raw",
    }
}

/// The audience of a client assertion, which can differ per endpoint, or of a signed request.
// Ruling 8.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// The issuer, as a single string.
    // REQ-AUTH-10
    #[default]
    Issuer,
    /// The URL of the called endpoint.
    ///
    /// A discovered endpoint must have the scheme, host and port of the issuer; otherwise metadata
    /// could inject the audience of another provider. A configured endpoint may be anywhere.
    // REQ-AUTH-11, ruling 37.
    Endpoint,
    /// A fixed string.
    Text(String),
}
