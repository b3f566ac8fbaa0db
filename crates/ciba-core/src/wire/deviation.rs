//! Irregularities in responses that do not end a flow.

use crate::named::named;

named! {
    /// An irregularity in an acknowledgement or a token response that was tolerated.
    ///
    /// A deviation does not end the flow, but is worth reporting to the operator of the
    /// provider.
    #[non_exhaustive]
    pub enum Deviation {
        /// `interval` was null, zero, negative or not a number. The default of 5 seconds is used.
        IntervalUnusable = "interval_unusable"
            => "interval is not a positive number, so the default is used",
        /// `interval` was a fraction, less than one second, a string of digits or too large. It was
        /// rounded, parsed or clamped.
        IntervalAdjusted = "interval_adjusted"
            => "interval is not a whole number of seconds within the limits, so it was adjusted",
        /// `expires_in` was a string of digits.
        LifetimeWasText = "lifetime_was_text" => "expires_in is a string",
        /// `expires_in` was clamped to 24 hours.
        LifetimeClamped = "lifetime_clamped"
            => "expires_in is more than 24 hours, so it was clamped",
        /// `auth_req_id` has fewer than 22 characters, so it cannot have 128 bits of entropy
        /// ([CIBA Core 7.3]).
        ///
        /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
        ShortAuthReqId = "short_auth_req_id" => "auth_req_id is so short that it might be guessed",
        /// `auth_req_id` has characters outside of the alphabet of [CIBA Core 7.3].
        ///
        /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
        AuthReqIdAlphabet = "auth_req_id_alphabet"
            => "auth_req_id has characters that are not allowed",
        /// A successful response has an `error` member, which is empty.
        EmptyError = "empty_error"
            => "error is present but empty in a successful response, so it was ignored",
        /// `refresh_token` was empty or not a string, so it counts as absent.
        RefreshTokenUnusable = "refresh_token_unusable"
            => "refresh_token is empty or not a string, so the result has no refresh token",
        /// `scope` was not a string, so it counts as absent.
        ScopeUnusable = "scope_unusable"
            => "scope is not a string, so the granted scope is unknown",
        /// `authorization_details` of the token response was not an array, so none count as
        /// granted.
        DetailsUnusable = "authorization_details_unusable"
            => "authorization_details is not an array, so the granted details are unknown",
        /// `expires_in` of the token response was not a lifetime, so the lifetime is unknown.
        TokenLifetimeUnusable = "token_lifetime_unusable"
            => "expires_in is not a number of seconds, so the lifetime of the access token is unknown",
        /// `id_token` was empty or not a string in a response that needs none, so it counts as
        /// absent.
        IdTokenUnusable = "id_token_unusable"
            => "id_token is empty or not a string, so the result has no ID Token",
        /// `auth_time` of the ID Token, which was not requested, was not a date or was in the
        /// future, possibly because it was in milliseconds.
        AuthTimeUnusable = "auth_time_unusable"
            => "auth_time of the ID Token is not a date in the past, so it was ignored",
        /// `acr` of the ID Token, which was not requested, was not a string.
        AcrUnusable = "acr_unusable" => "acr of the ID Token is not a string, so it was ignored",
        /// `amr` of the ID Token was not an array of strings.
        AmrUnusable = "amr_unusable"
            => "amr of the ID Token is not an array of strings, so it was ignored",
        /// `at_hash` of an ID Token from the token endpoint was not a string.
        AtHashUnusable = "at_hash_unusable"
            => "at_hash of the ID Token is not a string, so it was ignored",
        /// The `rt_hash` claim of an ID Token from the token endpoint was not a string.
        RtHashUnusable = "rt_hash_unusable"
            => "the rt_hash claim of the ID Token is not a string, so it was ignored",
        /// The `auth_req_id` claim of an ID Token from the token endpoint was not a string.
        AuthReqIdClaimUnusable = "auth_req_id_claim_unusable"
            => "the auth_req_id claim of the ID Token is not a string, so it was ignored",
    }
}
