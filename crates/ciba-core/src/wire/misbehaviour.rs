//! Misbehaviour of a provider, with the response that shows it.

use alloc::boxed::Box;
use core::fmt;

use super::ServerAnswer;
use crate::{endpoint::Endpoint, fault::Fault};

/// A response that cannot be used, with what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misbehaviour {
    /// What is wrong with the response.
    pub fault: Fault,
    /// The endpoint that sent it.
    pub endpoint: Endpoint,
    /// The response, as far as it may be kept.
    pub answer: Option<Box<ServerAnswer>>,
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint {
            Endpoint::Discovery | Endpoint::KeySet if self.fault == Fault::Status => {
                write!(f, "the provider did not return {}", self.endpoint)
            }
            Endpoint::Discovery | Endpoint::KeySet => {
                write!(f, "{} cannot be used: {}", self.endpoint, self.fault)
            }
            Endpoint::Notification => {
                write!(f, "the provider's notification cannot be used: {}", self.fault)
            }
            Endpoint::BackchannelAuthentication
            | Endpoint::Token
            | Endpoint::UserInfo
            | Endpoint::Revocation => {
                write!(f, "the answer of {} cannot be used: {}", self.endpoint, self.fault)
            }
        }
    }
}

impl core::error::Error for Misbehaviour {}
