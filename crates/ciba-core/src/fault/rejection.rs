//! A failed check with its evidence: what was found and what was expected. Of a value that may be
//! personal data, only the type is kept.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::{fmt, time::Duration};

use super::Untrusted;
use crate::{text, time::Timestamp};

/// A failed check with its evidence. The response that failed it is not passed to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    check: Untrusted,
    detail: Option<Box<Detail>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detail {
    pub(crate) member: Cow<'static, str>,
    pub(crate) found: Found,
    pub(crate) expected: Option<Expected>,
    pub(crate) because: Option<Box<str>>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// The member is missing.
    Missing,
    /// The value has another JSON type, which is named here.
    AnotherType(&'static str),
    /// A string as received, with control characters replaced by spaces, truncated to 256 bytes.
    Text(Box<str>),
    /// Several strings, at most eight of them.
    Texts(Vec<Box<str>>),
    /// A time.
    Time(Timestamp),
    /// A number that is a time in milliseconds, although times are in seconds.
    Milliseconds(u64),
    /// A number that is not a valid time: negative, or later than the year 9999.
    OutOfRange,
    /// A value other than the expected one. It may be personal data, so it is not kept.
    AnotherValue,
}

/// What a check expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This string.
    Text(Box<str>),
    /// One of these strings, of which at most eight are kept.
    OneOf(Vec<Box<str>>),
    /// A time no earlier than this one.
    NotBefore(Timestamp),
    /// A time no later than this one.
    NotAfter(Timestamp),
    /// A time later than that of this claim.
    LaterThan(&'static str),
}

/// The maximum length of a string that is kept as evidence, and the maximum number of them.
const TEXT_BYTES: usize = 256;
const TEXTS: usize = 8;

impl Found {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(bounded(text))
    }

    pub(crate) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Texts(several(texts))
    }
}

/// The names of JSON types in evidence.
pub(crate) const TYPES: [&str; 8] = [
    "null",
    "boolean",
    "number",
    "negative number",
    "fraction",
    "string",
    "array of strings",
    "object or array",
];

impl Expected {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(bounded(text))
    }

    pub(crate) fn one_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::OneOf(several(texts))
    }
}

fn bounded(text: &str) -> Box<str> {
    text::plain_at_most(text, TEXT_BYTES).into_boxed_str()
}

fn several<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Box<str>> {
    // Bounded, because a failure is saved and logged, and its content is a stranger's.
    texts.into_iter().take(TEXTS).map(bounded).collect()
}

impl From<Untrusted> for Rejection {
    fn from(check: Untrusted) -> Self {
        Self { check, detail: None }
    }
}

impl Untrusted {
    /// Creates the rejection of this check for a member, with the value that was found.
    pub(crate) fn at(self, member: impl Into<Cow<'static, str>>, found: Found) -> Rejection {
        let detail = Detail { member: member.into(), found, expected: None, because: None };
        Rejection { check: self, detail: Some(Box::new(detail)) }
    }
}

impl Rejection {
    /// Adds what was expected.
    pub(crate) fn expecting(mut self, expected: Expected) -> Self {
        // Without a detail, there is no value to which the expectation could refer.
        if let Some(detail) = &mut self.detail {
            detail.expected = Some(expected);
        }
        self
    }

    /// Adds an explanation.
    pub(crate) fn because(mut self, why: &str) -> Self {
        if let Some(detail) = &mut self.detail {
            detail.because = Some(bounded(why));
        }
        self
    }

    pub(crate) fn detail(&self) -> Option<&Detail> {
        self.detail.as_deref()
    }

    /// Returns the check that failed.
    #[must_use]
    pub const fn check(&self) -> Untrusted {
        self.check
    }

    /// Returns the claim or header member that was checked.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        self.detail.as_ref().map(|detail| &*detail.member)
    }

    /// Returns what was found.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        self.detail.as_ref().map(|detail| &detail.found)
    }

    /// Returns what was expected.
    #[must_use]
    pub fn expected(&self) -> Option<&Expected> {
        self.detail.as_ref().and_then(|detail| detail.expected.as_ref())
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Detail { member, found, expected, because }) = self.detail.as_deref() else {
            return self.check.fmt(f);
        };
        // Only one check is made outside of an ID Token.
        let what = match self.check {
            Untrusted::DiscoveryIssuer => "the metadata document",
            _ => "the ID Token",
        };
        match (found, expected) {
            // A token without a key id is valid, so this is not reported as the problem.
            (Found::Missing, _) if member == "kid" => self.check.fmt(f),
            (Found::Missing, _) => write!(f, "{what} has no {member}"),
            (Found::AnotherType(kind), _) => {
                write!(f, "{member} of {what} has the wrong type: {kind}")
            }
            (Found::OutOfRange, _) => {
                write!(f, "{member} of {what} is out of range: it is not a time in seconds")
            }
            (Found::Milliseconds(number), _) => {
                write!(
                    f,
                    "{member} of {what} is in milliseconds ({number}), but must be in seconds"
                )
            }
            (Found::Time(time), Some(Expected::NotBefore(limit))) => {
                write!(f, "{}: {member} is {} s too early", self.check, seconds(limit.since(*time)))
            }
            (Found::Time(time), Some(Expected::NotAfter(limit))) => {
                write!(f, "{}: {member} is {} s too late", self.check, seconds(time.since(*limit)))
            }
            (_, Some(Expected::LaterThan(other))) => {
                write!(f, "{}: {member} is not later than {other}", self.check)
            }
            (Found::AnotherValue, _) => write!(f, "{} ({member})", self.check),
            (found, None) => write!(f, "{}: {member} is {found}", self.check),
            (found, Some(expected)) => {
                write!(f, "{}: {member} is {found}, expected {expected}", self.check)
            }
        }?;
        because.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
    }
}

/// Whole seconds, rounded up.
const fn seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(if time.subsec_nanos() > 0 { 1 } else { 0 })
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::AnotherType(kind) => write!(f, "of type {kind}"),
            Self::Text(text) if text.is_empty() => f.write_str("empty"),
            Self::Text(text) => f.write_str(text),
            Self::Texts(texts) if texts.is_empty() => f.write_str("an empty list"),
            Self::Texts(texts) => list(f, texts),
            Self::Time(time) => time.fmt(f),
            Self::Milliseconds(number) => write!(f, "{number}"),
            Self::OutOfRange => f.write_str("out of range"),
            Self::AnotherValue => f.write_str("another value"),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::OneOf(texts) => {
                f.write_str(if texts.len() > 1 { "one of " } else { "" })?;
                list(f, texts)
            }
            Self::NotBefore(time) => write!(f, "{time} or later"),
            Self::NotAfter(time) => write!(f, "{time} or earlier"),
            Self::LaterThan(claim) => write!(f, "later than {claim}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, texts: &[Box<str>]) -> fmt::Result {
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            f.write_str(", ")?;
        }
        f.write_str(text)?;
    }
    Ok(())
}

impl core::error::Error for Rejection {}
