//! The faults of a response, and the causes for which an exchange had none.

use core::fmt;

mod cause;
mod rejection;
mod untrusted;

pub(crate) use cause::write_reason;
pub use cause::{Cause, CertificateProblem, TlsAlert, Trouble};
pub(crate) use rejection::{Detail, TYPES};
pub use rejection::{Expected, Found, Rejection};
pub use untrusted::Untrusted;

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// It is a redirect, which is never followed.
    // REQ-AERR-18
    Redirect,
    /// The status is unexpected, and there is no `error` member.
    Status,
    /// The media type is not `application/json`.
    MediaType,
    /// It is compressed or otherwise encoded, although no encoding was requested.
    ContentCoding,
    /// It is longer than the limit of the exchange.
    TooLarge,
    /// It is not exactly one UTF-8 JSON object.
    NotJson,
    /// A member name occurs twice.
    // Ruling 7.
    DuplicateMember,
    /// A required member is missing.
    MissingMember(&'static str),
    /// A member has the wrong JSON type.
    WrongType(&'static str),
    /// A member has a value that cannot be used.
    BadMember(&'static str),
    /// A notification contains tokens, but the client is registered for ping mode.
    AnotherMode,
}

impl Fault {
    /// Returns the snake_case name, for machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::MediaType => "media_type",
            Self::ContentCoding => "content_coding",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::DuplicateMember => "duplicate_member",
            Self::MissingMember(_) => "missing_member",
            Self::WrongType(_) => "wrong_type",
            Self::BadMember(_) => "bad_member",
            Self::AnotherMode => "another_mode",
        }
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect => f.write_str("it is a redirect"),
            Self::Status => {
                f.write_str("its status is not expected here, and no error code explains it")
            }
            Self::MediaType => f.write_str("its media type is not application/json"),
            Self::ContentCoding => {
                f.write_str("it is compressed, although no encoding was requested")
            }
            Self::TooLarge => f.write_str("it is too large"),
            Self::NotJson => f.write_str("it is not a JSON object"),
            Self::DuplicateMember => f.write_str("a member name occurs twice"),
            Self::MissingMember(name) => write!(f, "{name} is missing"),
            Self::WrongType(name) => write!(f, "{name} has the wrong type"),
            Self::BadMember("error") => f.write_str("it contains both an error and tokens"),
            Self::BadMember("token_type") => f.write_str("token_type is not Bearer"),
            Self::BadMember("expires_in") => {
                f.write_str("expires_in is not a positive number of seconds")
            }
            Self::BadMember("auth_req_id") => {
                f.write_str("auth_req_id is empty, too long or not printable ASCII")
            }
            Self::BadMember(name @ ("access_token" | "id_token" | "refresh_token")) => {
                write!(f, "{name} is empty")
            }
            Self::BadMember(name) if name.ends_with("_endpoint") || *name == "jwks_uri" => {
                write!(f, "{name} is not an https URL that can be used")
            }
            Self::BadMember(name) => write!(f, "{name} has a value that cannot be used"),
            Self::AnotherMode => {
                f.write_str("it delivers tokens, but this client is registered for ping mode")
            }
        }
    }
}
