//! The error of an invalid request.

use alloc::string::String;
use core::fmt;

/// The error of a request that was rejected before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A parameter is invalid.
    Parameter {
        /// The name of the parameter.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A header field is invalid.
    Header {
        /// The name of the field.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The configured [`Profile`](crate::Profile) does not allow the request.
    Profile {
        /// The clause that is violated.
        clause: &'static str,
        /// What is missing or wrong.
        reason: &'static str,
    },
    /// The client secret has expired.
    // REQ-META-24
    SecretExpired,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { name, reason } => write!(f, "{name} cannot be sent: {reason}"),
            Self::Header { name, reason } => {
                write!(f, "the header field {name} cannot be sent: {reason}")
            }
            Self::Profile { clause, reason } => {
                write!(f, "the request violates {clause}: {reason}")
            }
            Self::SecretExpired => f.write_str("the client secret has expired"),
        }
    }
}

impl core::error::Error for RequestError {}
