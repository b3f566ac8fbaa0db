//! The supported algorithms (RFC 7518 sections 4.1 and 5.1).

use crate::named::named;

named! {
    /// How the key that encrypts the content of a JWE is managed ([RFC 7518 section 4.1]). The
    /// name is the value of `alg`.
    ///
    /// `RSA1_5`, passwords (`PBES2-…`) and symmetric keys are not supported.
    ///
    /// [RFC 7518 section 4.1]: https://www.rfc-editor.org/rfc/rfc7518#section-4.1
    // REQ-JWE-04
    #[non_exhaustive]
    pub enum KeyManagement {
        /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
        RsaOaep256 = "RSA-OAEP-256",
        /// RSAES-OAEP with SHA-1 and MGF1 with SHA-1, for providers that offer nothing better.
        RsaOaepSha1 = "RSA-OAEP",
        /// Ephemeral-static key agreement, whose result is the content encryption key.
        EcdhEs = "ECDH-ES",
        /// Ephemeral-static key agreement, whose result unwraps the content encryption key with
        /// AES-128.
        EcdhEsA128Kw = "ECDH-ES+A128KW",
        /// Ephemeral-static key agreement, whose result unwraps the content encryption key with
        /// AES-256.
        EcdhEsA256Kw = "ECDH-ES+A256KW",
    }
}

named! {
    /// How the content of a JWE is encrypted ([RFC 7518 section 5.1]). The name is the value of
    /// `enc`.
    ///
    /// [RFC 7518 section 5.1]: https://www.rfc-editor.org/rfc/rfc7518#section-5.1
    // REQ-JWE-05
    #[non_exhaustive]
    pub enum ContentEncryption {
        /// AES-128 in CBC mode with HMAC SHA-256; the default if a client registers only `alg`
        /// ([OIDC Registration 2]).
        ///
        /// [OIDC Registration 2]: https://openid.net/specs/openid-connect-registration-1_0.html#rfc.section.2
        A128CbcHs256 = "A128CBC-HS256",
        /// AES-256 in CBC mode with HMAC SHA-512.
        A256CbcHs512 = "A256CBC-HS512",
        /// AES-128 in Galois/Counter mode.
        A128Gcm = "A128GCM",
        /// AES-256 in Galois/Counter mode.
        A256Gcm = "A256GCM",
    }
}

impl KeyManagement {
    /// Returns whether the algorithm requires an RSA key. The others require a key on P-256, P-384,
    /// P-521 or X25519.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::RsaOaep256 | Self::RsaOaepSha1)
    }
}

impl ContentEncryption {
    /// Returns the length of the content encryption key in octets.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A128CbcHs256 | Self::A256Gcm => 32,
            Self::A256CbcHs512 => 64,
        }
    }
}
