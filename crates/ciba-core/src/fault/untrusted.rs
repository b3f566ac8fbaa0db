//! The checks, one variant each, in the order of OIDC Core 3.1.3.7 where that defines one.

use crate::named::named;

named! {
    /// A check of a response. If it fails, no part of the response is passed to the caller.
    ///
    /// The checks of the ID Token are those of [OIDC Core 3.1.3.7]; see also [CIBA Core 10.3.1].
    ///
    /// [OIDC Core 3.1.3.7]: https://openid.net/specs/openid-connect-core-1_0.html#rfc.section.3.1.3.7
    /// [CIBA Core 10.3.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.3.1
    // REQ-TOK-11
    #[non_exhaustive]
    pub enum Untrusted {
        /// The metadata document names another issuer.
        // REQ-DISC-04
        DiscoveryIssuer = "discovery-issuer" => "the metadata document is for another issuer",
        /// The ID Token does not consist of three parts in strict base64url, or its header is not a
        /// JSON object.
        // REQ-IDT-01, REQ-IDT-02
        TokenForm = "token-form" => "the ID Token is not a compact JWS",
        /// The ID Token is encrypted, although no encryption was registered.
        // REQ-IDT-35
        UnexpectedEncryption = "unexpected-encryption"
            => "the ID Token is encrypted, but no encryption was registered",
        /// The encrypted token does not consist of five parts in strict base64url with the lengths
        /// that its algorithms require, or its header cannot be read.
        // REQ-JWE-02, REQ-JWE-08, REQ-JWE-10, REQ-JWE-12
        EncryptedForm = "encrypted-form" => "the encrypted ID Token is malformed",
        /// `alg` or `enc` is not the registered one, or the content is compressed.
        // REQ-JWE-01, REQ-JWE-14
        Encryption = "encryption" => "the ID Token is not encrypted with the registered algorithms",
        /// The token cannot be decrypted. The reason is not known: a wrong key, padding or tag all
        /// look like this.
        // REQ-JWE-16
        Decryption = "decryption" => "the ID Token cannot be decrypted",
        /// `alg` is not the registered algorithm.
        // REQ-IDT-03, REQ-IDT-04
        Algorithm = "algorithm" => "the ID Token is not signed with the registered algorithm",
        /// The header names a critical extension.
        // REQ-IDT-08
        CriticalHeader = "critical-header"
            => "the ID Token requires a header extension that is not supported",
        /// `typ` is that of another kind of token.
        // REQ-IDT-10
        TokenType = "token-type" => "the token is of another type",
        /// No key of the issuer fits, even after a refresh.
        // REQ-JWKS-09
        UnknownKey = "unknown-key"
            => "the ID Token is signed with a key that the issuer does not publish",
        /// The key is published but cannot be used.
        // REQ-JWKS-03
        UnusableKey = "unusable-key"
            => "the ID Token is signed with a key that the issuer publishes but that cannot be used",
        /// No fitting key verifies the signature.
        // REQ-IDT-06
        Signature = "signature" => "the signature of the ID Token does not verify",
        /// The payload is not a JSON object with unique member names.
        // REQ-IDT-31, REQ-SEC-24
        ClaimsForm = "claims-form" => "the claims of the ID Token are malformed",
        /// The token is a logout token or another token of the same issuer.
        // REQ-IDT-33
        TokenKind = "token-kind" => "the token is not an ID Token",
        /// `iss` is not the issuer.
        // REQ-IDT-11
        Issuer = "issuer" => "the ID Token is from another issuer",
        /// `aud` does not contain the client id.
        // REQ-IDT-12
        Audience = "audience" => "the ID Token is for another client",
        /// `aud` contains an audience that is not trusted.
        // REQ-IDT-13
        ExtraAudience = "extra-audience"
            => "the ID Token is also for an audience that is not trusted",
        /// `azp` is not the client id, or is missing although there are several audiences.
        // REQ-IDT-14
        AuthorizedParty = "authorized-party" => "the ID Token was issued to another party",
        /// `sub` is missing or empty.
        // REQ-IDT-15
        Subject = "subject" => "the ID Token has no subject",
        /// `sub` is not the expected one.
        // REQ-IDT-16, REQ-IDT-17
        ExpectedSubject = "expected-subject" => "the ID Token is about another subject",
        /// `exp` is missing, not a date, in the past, or not after `iat`.
        // REQ-IDT-18, REQ-IDT-36
        Expiry = "expiry" => "the ID Token has expired or has no usable expiry",
        /// `iat` is missing, not a date, in the future or too old.
        // REQ-IDT-19
        IssuedAt = "issued-at" => "the ID Token was not issued recently",
        /// `nbf` is in the future or not a date.
        // REQ-IDT-20
        NotBefore = "not-before" => "the ID Token is not valid yet",
        /// `nonce` is not the one that was sent, or is present although none was sent.
        // REQ-IDT-23
        Nonce = "nonce" => "the ID Token has an unexpected nonce",
        /// `acr` is missing or not one of the requested values.
        // REQ-IDT-24
        Acr = "acr" => "the authentication context class is not the requested one",
        /// `auth_time` is missing, in the future or too old.
        // REQ-IDT-25
        AuthTime = "auth-time" => "the time of authentication is missing or not acceptable",
        /// `at_hash` does not match the access token.
        // REQ-IDT-26
        AccessTokenHash = "access-token-hash" => "the ID Token belongs to another access token",
        /// The `rt_hash` claim does not match the refresh token.
        // REQ-IDT-27
        RefreshTokenHash = "refresh-token-hash" => "the ID Token belongs to another refresh token",
        /// The `auth_req_id` claim is that of another request.
        // REQ-IDT-27
        AuthReqId = "auth-req-id" => "the ID Token belongs to another authentication request",
        /// A claim that the caller expects is missing or different.
        // REQ-IDT-39
        ExpectedClaim = "expected-claim"
            => "a claim that the application expects is missing or different",
        /// The national id in the token is not the one in the hint.
        AnotherPerson = "another-person"
            => "the person who approved is not the person named by the request",
        /// Something that was requested was not granted, or `authorization_details` were granted
        /// that were not requested ([RFC 9396 section 7]).
        ///
        /// [RFC 9396 section 7]: https://www.rfc-editor.org/rfc/rfc9396#section-7
        NotGranted = "not-granted"
            => "the provider granted something other than what was requested",
        /// The eID that was used is not the requested one.
        AnotherEid = "another-eid" => "the eID that was used is not the requested one",
    }
}

impl core::error::Error for Untrusted {}
