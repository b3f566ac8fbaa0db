//! Why the private key could not be used.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::{bounds, jose::SignatureLength, text};

/// Why a key operation brought no signature that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProblem {
    /// What the signer said about it, including its sources; bounded, without control characters.
    Signer(Box<str>),
    /// The signature has a length that the algorithm's signatures do not have. It was not sent.
    Length(SignatureLength),
    /// No signature came in time, or no reason was given.
    Unknown,
}

impl KeyProblem {
    /// The words of a signer: those of its error and of its sources.
    pub(crate) fn of(error: &(dyn core::error::Error + 'static)) -> Self {
        let mut words = String::new();
        let mut next = Some(error);
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
    /// To be kept with a failure, when there is something to say.
    pub(crate) fn known(self) -> Option<Box<Self>> {
        (self != Self::Unknown).then(|| Box::new(self))
    }
}

impl fmt::Display for KeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signer(words) => f.write_str(words),
            Self::Length(length) => length.fmt(f),
            Self::Unknown => f.write_str("no signature came"),
        }
    }
}

impl core::error::Error for KeyProblem {}
