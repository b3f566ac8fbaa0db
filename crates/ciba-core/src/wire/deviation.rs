//! What was odd about an answer and ended no flow.

use core::fmt;

/// Declares each deviation once: its name in snapshots and scripts, and a sentence.
macro_rules! deviations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $text:literal;)*) => {
        /// Something odd in an acknowledgement or a token response that ends no flow: a deviation
        /// of the provider worth reporting to its operator.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Deviation {
            $($(#[$doc])* $variant,)*
        }

        impl Deviation {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name for scripts and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl fmt::Display for Deviation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)*
                })
            }
        }
    };
}

deviations! {
    /// `interval` was null, zero, negative, or not a number: 5 s are used.
    IntervalUnusable = "interval_unusable": "interval cannot be used, so the usual one is kept";
    /// `interval` was a fraction, below one second, a digit string or huge: it was rounded, read or
    /// clamped.
    IntervalAdjusted = "interval_adjusted":
        "interval is not a whole number of seconds within the bounds, so it was adjusted";
    /// `expires_in` was a digit string.
    LifetimeWasText = "lifetime_was_text": "expires_in is a text";
    /// `expires_in` was clamped to 24 hours.
    LifetimeClamped = "lifetime_clamped": "expires_in is longer than a day, so it was cut";
    /// `auth_req_id` has fewer than 22 characters and so cannot hold 128 bits (CIBA 7.3).
    ShortAuthReqId = "short_auth_req_id": "auth_req_id is so short that it might be guessed";
    /// `auth_req_id` has characters outside the alphabet of CIBA 7.3.
    AuthReqIdAlphabet = "auth_req_id_alphabet": "auth_req_id has characters it must not have";
    /// `error` was present in a successful answer, and empty.
    EmptyError = "empty_error": "error is present and empty in an answer of success, so it was ignored";
    /// `refresh_token` was empty or not a string: there is none.
    RefreshTokenUnusable = "refresh_token_unusable":
        "refresh_token is empty or not a string, so the result has no refresh token";
    /// `scope` was not a string: it counts as absent.
    ScopeUnusable = "scope_unusable":
        "scope is not a string, so the provider did not say which scope it granted";
    /// `authorization_details` of the token response was not a list: none were granted.
    DetailsUnusable = "authorization_details_unusable":
        "authorization_details is not a list, so the provider did not say which it granted";
    /// `expires_in` of the token response was no lifetime: the lifetime is unknown.
    TokenLifetimeUnusable = "token_lifetime_unusable":
        "expires_in is not a number of seconds, so the lifetime of the access token is unknown";
    /// `id_token` was empty or not a string where none is needed: there is none.
    IdTokenUnusable = "id_token_unusable": "id_token is empty or not a string, so the result has no ID Token";
    /// `auth_time` of the ID Token, which was not asked for, was not a date or lay in the future
    /// (in milliseconds, perhaps).
    AuthTimeUnusable = "auth_time_unusable": "auth_time of the ID Token is not a date in the past, so it was ignored";
    /// `acr` of the ID Token, which was not asked for, was not a string.
    AcrUnusable = "acr_unusable": "acr of the ID Token is not a string, so it was ignored";
    /// `amr` of the ID Token was not a list of strings.
    AmrUnusable = "amr_unusable": "amr of the ID Token is not a list of strings, so it was ignored";
    /// `at_hash` of an ID Token from the token endpoint was not a string.
    AtHashUnusable = "at_hash_unusable": "at_hash of the ID Token is not a string, so it was ignored";
    /// The `rt_hash` claim of an ID Token from the token endpoint was not a string.
    RtHashUnusable = "rt_hash_unusable": "the rt_hash claim of the ID Token is not a string, so it was ignored";
    /// The `auth_req_id` claim of an ID Token from the token endpoint was not a string.
    AuthReqIdClaimUnusable = "auth_req_id_claim_unusable":
        "the auth_req_id claim of the ID Token is not a string, so it was ignored";
}

impl Deviation {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|deviation| deviation.name() == name)
    }
}
