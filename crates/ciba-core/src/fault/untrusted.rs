//! The numbered checks, one variant each, in the order of OIDC Core 3.1.3.7 as far as that has one.

use core::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $text:literal;)*) => {
        /// A check that can fail. Nothing of the answer reaches the caller then (REQ-TOK-11).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Untrusted {
            $($(#[$doc])* $variant,)*
        }

        impl Untrusted {
            /// Every check, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The check's kebab-case name, for machine-readable output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl fmt::Display for Untrusted {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)*
                })
            }
        }
    };
}

checks! {
    /// The metadata document names another issuer (REQ-DISC-04).
    DiscoveryIssuer = "discovery-issuer", "the metadata document is for another issuer";
    /// The ID Token is not three parts of strict base64url, or its header is not a JSON object
    /// (REQ-IDT-01, REQ-IDT-02).
    TokenForm = "token-form", "the id token is not a compact JWS";
    /// The ID Token is encrypted, and no encryption was registered (REQ-IDT-35).
    UnexpectedEncryption = "unexpected-encryption", "the id token is encrypted though no encryption was registered";
    /// Its `alg` is not the registered one (REQ-IDT-03, REQ-IDT-04).
    Algorithm = "algorithm", "the id token is not signed with the registered algorithm";
    /// It names a critical extension (REQ-IDT-08).
    CriticalHeader = "critical-header", "the id token demands a header extension that is not understood";
    /// Its `typ` is that of another kind of token (REQ-IDT-10).
    TokenType = "token-type", "the token is of another type";
    /// No key of the issuer fits, also after a refresh (REQ-JWKS-09).
    UnknownKey = "unknown-key", "the id token is signed with a key the issuer does not publish";
    /// The key is published, and cannot be used (REQ-JWKS-03).
    UnusableKey = "unusable-key", "the id token is signed with a key that the issuer publishes but that cannot be used";
    /// No fitting key verifies the signature (REQ-IDT-06).
    Signature = "signature", "the signature of the id token does not verify";
    /// The payload is not a JSON object with unique member names (REQ-IDT-31, REQ-SEC-24).
    ClaimsForm = "claims-form", "the claims of the id token are malformed";
    /// It is a logout token or another token of the same issuer (REQ-IDT-33).
    TokenKind = "token-kind", "the token is not an id token";
    /// `iss` is not the issuer (REQ-IDT-11).
    Issuer = "issuer", "the id token is from another issuer";
    /// `aud` does not contain the client id (REQ-IDT-12).
    Audience = "audience", "the id token is for another client";
    /// `aud` contains an audience that is not trusted (REQ-IDT-13).
    ExtraAudience = "extra-audience", "the id token is also for an audience that is not trusted";
    /// `azp` is not the client id, or is missing though there are several audiences (REQ-IDT-14).
    AuthorizedParty = "authorized-party", "the id token was issued to another party";
    /// `sub` is missing or empty (REQ-IDT-15).
    Subject = "subject", "the id token names no subject";
    /// `sub` is not the expected one (REQ-IDT-16, REQ-IDT-17).
    ExpectedSubject = "expected-subject", "the id token is about another subject";
    /// `exp` is missing, not a date, in the past, or not after `iat` (REQ-IDT-18, REQ-IDT-36).
    Expiry = "expiry", "the id token has expired or has no usable expiry";
    /// `iat` is missing, not a date, in the future or too old (REQ-IDT-19).
    IssuedAt = "issued-at", "the id token was not issued just now";
    /// `nbf` is in the future or not a date (REQ-IDT-20).
    NotBefore = "not-before", "the id token is not valid yet";
    /// `nonce` is there without having been asked for, or is not the one sent (REQ-IDT-23).
    Nonce = "nonce", "the id token has an unexpected nonce";
    /// `acr` is missing or not among those asked for (REQ-IDT-24).
    Acr = "acr", "the authentication context class is not the one asked for";
    /// `auth_time` is missing, in the future or too old (REQ-IDT-25).
    AuthTime = "auth-time", "the time of authentication is missing or not acceptable";
    /// `at_hash` does not match the access token (REQ-IDT-26).
    AccessTokenHash = "access-token-hash", "the id token belongs to another access token";
    /// The `rt_hash` claim does not match the refresh token (REQ-IDT-27).
    RefreshTokenHash = "refresh-token-hash", "the id token belongs to another refresh token";
    /// The `auth_req_id` claim is another request's (REQ-IDT-27).
    AuthReqId = "auth-req-id", "the id token belongs to another authentication request";
    /// A claim the caller expects is missing or different (REQ-IDT-39).
    ExpectedClaim = "expected-claim", "a claim the application expects is missing or different";
    /// The national id in the token is not the one that was hinted.
    AnotherPerson = "another-person", "the person who answered is not the person who was asked";
    /// Something that was asked for was not granted, or `authorization_details` were granted that
    /// were not asked for (RFC 9396 7).
    NotGranted = "not-granted", "the provider granted something else than what was asked for";
    /// The eID that was used is not the one asked for.
    AnotherEid = "another-eid", "another eID was used than the one asked for";
}

impl core::error::Error for Untrusted {}
