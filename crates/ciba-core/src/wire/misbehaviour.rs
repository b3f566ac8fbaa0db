//! What a provider must not do, with the answer that shows it.

use alloc::boxed::Box;
use core::fmt;

use super::ServerAnswer;
use crate::{endpoint::Endpoint, fault::Fault};

/// An answer that cannot be used, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misbehaviour {
    /// Which rule it breaks.
    pub fault: Fault,
    /// The endpoint that gave it.
    pub endpoint: Endpoint,
    /// The answer, as far as it may be kept.
    pub answer: Option<Box<ServerAnswer>>,
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.endpoint {
            Endpoint::Discovery | Endpoint::KeySet if self.fault == Fault::Status => {
                write!(f, "the provider did not give {}", self.endpoint)
            }
            Endpoint::Discovery | Endpoint::KeySet => {
                write!(f, "{} cannot be used: {}", self.endpoint, self.fault)
            }
            Endpoint::Notification => {
                write!(f, "the provider's notification cannot be used: {}", self.fault)
            }
            _ => write!(f, "the answer of {} cannot be used: {}", self.endpoint, self.fault),
        }
    }
}

impl core::error::Error for Misbehaviour {}
