//! The reasons for which a private key could not be used.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::{bounds, jose::SignatureLength, text};

/// The reason for which a key operation returned no usable signature.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// The message of the signer's error and its sources, truncated, without control characters.
    Signer(Box<str>),
    /// The length of the signature does not match the algorithm. It was not sent.
    Length(SignatureLength),
    /// No signature was returned in time, or no reason was given.
    Unknown,
}

impl KeyProblem {
    /// Collects the messages of a signer's error and its sources.
    pub(crate) fn of(error: &(dyn core::error::Error + 'static)) -> Self {
        let mut words = String::new();
        let mut next = Some(error);
        // Bounded, because a chain of sources may be long, or lead back to itself.
        while let Some(error) = next.filter(|_| words.len() < bounds::TEXT_BYTES) {
            if !words.is_empty() {
                words.push_str(": ");
            }
            words.push_str(&alloc::format!("{error}"));
            next = error.source();
        }
        Self::Signer(text::plain_at_most(&words, bounds::TEXT_BYTES).into_boxed_str())
    }
}

impl KeyProblem {
    /// Returns the problem to keep with a failure, unless it is unknown.
    pub(crate) fn known(self) -> Option<Box<Self>> {
        (self != Self::Unknown).then(|| Box::new(self))
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signer(words) => f.write_str(words),
            Self::Length(length) => length.fmt(f),
            Self::Unknown => f.write_str("no signature was returned"),
        }
    }
}

impl core::error::Error for KeyProblem {}
