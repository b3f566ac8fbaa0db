//! Signature algorithms (RFC 7518 section 3, RFC 8037) and their properties.

use crate::{crypto::Hash, named::named};

named! {
    /// A JWS signature or MAC algorithm.
    ///
    /// There is no `none`, and the expected algorithm is always configured, never taken from a
    /// token. Names are those that headers and metadata use; `Ed25519` is read as [`Self::EdDsa`].
    #[non_exhaustive]
    pub enum JwsAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256; the default for ID Tokens ([OIDC Registration 2]).
        ///
        /// [OIDC Registration 2]: https://openid.net/specs/openid-connect-registration-1_0.html#rfc.section.2
        Rs256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Rs384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Rs512 = "RS512",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// RSASSA-PSS with SHA-384.
        Ps384 = "PS384",
        /// RSASSA-PSS with SHA-512.
        Ps512 = "PS512",
        /// ECDSA on P-256 with SHA-256; the default for new keys.
        Es256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
        /// ECDSA on P-521 with SHA-512.
        Es512 = "ES512",
        /// Ed25519, under the names `EdDSA` ([RFC 8037 section 3.1]) and `Ed25519` ([RFC 9864]).
        ///
        /// [RFC 8037 section 3.1]: https://www.rfc-editor.org/rfc/rfc8037#section-3.1
        /// [RFC 9864]: https://www.rfc-editor.org/rfc/rfc9864
        // Ruling 19: both names mean the same here.
        EdDsa = "EdDSA" | "Ed25519",
        /// HMAC with SHA-256, keyed with the client secret.
        Hs256 = "HS256",
        /// HMAC with SHA-384, keyed with the client secret.
        Hs384 = "HS384",
        /// HMAC with SHA-512, keyed with the client secret.
        Hs512 = "HS512",
    }
}

named! {
    /// A NIST elliptic curve. The name is the registered value of `crv`.
    pub enum Curve {
        /// P-256.
        P256 = "P-256",
        /// P-384.
        P384 = "P-384",
        /// P-521, whose numbers have 521 bits, in 66 octets.
        P521 = "P-521",
    }
}

impl JwsAlgorithm {
    /// Returns whether the algorithm is a MAC keyed with the client secret.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Returns the hash function of the algorithm, which `at_hash` and `rt_hash` use as well
    /// ([OIDC Core 3.1.3.6]). For Ed25519 this is SHA-512.
    ///
    /// [OIDC Core 3.1.3.6]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.3.6
    #[must_use]
    pub const fn hash(self) -> Hash {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 | Self::Hs256 => Hash::Sha256,
            Self::Rs384 | Self::Ps384 | Self::Es384 | Self::Hs384 => Hash::Sha384,
            // Ed25519 itself hashes with SHA-512 (RFC 8032 section 5.1).
            Self::Rs512 | Self::Ps512 | Self::Es512 | Self::EdDsa | Self::Hs512 => Hash::Sha512,
        }
    }

    /// Returns the curve of an ECDSA algorithm, `None` for every other algorithm.
    // REQ-AUTH-20, REQ-JWKS-06: each curve has one algorithm and each algorithm one curve.
    pub(crate) const fn curve(self) -> Option<Curve> {
        match self {
            Self::Es256 => Some(Curve::P256),
            Self::Es384 => Some(Curve::P384),
            Self::Es512 => Some(Curve::P521),
            _ => None,
        }
    }
}

impl Curve {
    /// Returns the width of a coordinate or scalar in octets.
    #[must_use]
    pub const fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            // 521 bits, not 512: seven bits of the first octet are always zero.
            Self::P521 => 66,
        }
    }
}
