//! The faults of a response, and the causes for which an exchange had none.

use core::fmt;

mod cause;
mod rejection;
mod untrusted;

pub(crate) use cause::write_reason;
pub use cause::{Cause, CertificateProblem, ExchangeProblem, TlsAlert};
pub(crate) use rejection::{Detail, TYPES};
pub use rejection::{Expected, Found, Rejection};
pub use untrusted::Untrusted;

use crate::named::named;

named! {
    /// What is wrong with a response.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Fault {
        /// It is a redirect, which is never followed.
        // REQ-AERR-18
        Redirect = "redirect" => "it is a redirect",
        /// The status is unexpected, and there is no `error` member.
        Status = "status" => "its status is not expected here, and no error code explains it",
        /// The media type is not `application/json`.
        MediaType = "media_type" => "its media type is not application/json",
        /// It is compressed or otherwise encoded, although no encoding was requested.
        ContentCoding = "content_coding" => "it is compressed, although no encoding was requested",
        /// It is longer than the limit of the exchange.
        TooLarge = "too_large" => "it is too large",
        /// It is not exactly one UTF-8 JSON object.
        NotJson = "not_json" => "it is not a JSON object",
        /// A member name occurs twice.
        // Ruling 7.
        DuplicateMember = "duplicate_member" => "a member name occurs twice",
        /// A UserInfo answer is not `application/jwt`, although a signed one was registered.
        NotSigned = "not_signed" => "it is not signed, although signed answers were registered",
        /// A notification contains tokens, but the client is registered for ping mode.
        AnotherMode = "another_mode"
            => "it delivers tokens, but this client is registered for ping mode",
        /// The tokens are not bound to the client's key, although the request had a DPoP proof:
        /// `token_type` is not `DPoP` ([RFC 9449 section 5]).
        ///
        /// [RFC 9449 section 5]: https://www.rfc-editor.org/rfc/rfc9449#section-5
        // REQ-POP-11
        NotBound = "not_bound"
            => "token_type is not DPoP, although the tokens are to be bound to a key",
        /// It demands a DPoP nonce and provides none that can be used ([RFC 9449 section 8]).
        ///
        /// [RFC 9449 section 8]: https://www.rfc-editor.org/rfc/rfc9449#section-8
        // REQ-POP-08
        NonceMissing = "nonce_missing"
            => "it demands a DPoP nonce and provides none that can be used",
        /// It demands a DPoP nonce although the proof contained the one that it had just provided
        /// ([RFC 9449 section 8]).
        ///
        /// [RFC 9449 section 8]: https://www.rfc-editor.org/rfc/rfc9449#section-8
        // REQ-TOK-26
        NonceRefused = "nonce_refused"
            => "it demands a DPoP nonce again, for a proof with the nonce that it had provided",
    } copied with {
        /// A required member is missing.
        MissingMember(name: &'static str) = "missing_member" => ("{name} is missing"),
        /// A member has the wrong JSON type.
        WrongType(name: &'static str) = "wrong_type" => ("{name} has the wrong type"),
        /// A member has a value that cannot be used.
        BadMember(name: &'static str) = "bad_member" => ("{}", BadMember(name)),
    }
}

/// The member names to which saved faults refer.
const MEMBERS: [&str; 10] = [
    "auth_req_id",
    "expires_in",
    "interval",
    "access_token",
    "token_type",
    "id_token",
    "refresh_token",
    "scope",
    "error",
    "keys",
];

impl Fault {
    /// Returns the fault with the given name, of the given member if it is about one.
    pub(crate) fn from_name(name: &str, member: Option<&str>) -> Option<Self> {
        let Some(member) = member else { return Self::without_data(name) };
        // A fault holds a static string, so only known member names can be restored.
        let member = MEMBERS.into_iter().find(|known| *known == member).unwrap_or("a member");
        let about: [Self; Self::WITH_DATA] =
            [Self::MissingMember(member), Self::WrongType(member), Self::BadMember(member)];
        about.into_iter().find(|fault| fault.name() == name)
    }

    /// Returns the member that is wrong.
    #[must_use]
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::MissingMember(name) | Self::WrongType(name) | Self::BadMember(name) => Some(name),
            _ => None,
        }
    }
}

/// A member with a value that cannot be used.
struct BadMember<'a>(&'a str);

impl fmt::Display for BadMember<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "error" => f.write_str("it contains both an error and tokens"),
            "token_type" => f.write_str("token_type is not Bearer"),
            "expires_in" => f.write_str("expires_in is not a positive number of seconds"),
            "auth_req_id" => f.write_str("auth_req_id is empty, too long or not printable ASCII"),
            name @ ("access_token" | "id_token" | "refresh_token") => write!(f, "{name} is empty"),
            name if name.ends_with("_endpoint") || name == "jwks_uri" => {
                write!(f, "{name} is not an https URL that can be used")
            }
            name => write!(f, "{name} has a value that cannot be used"),
        }
    }
}
