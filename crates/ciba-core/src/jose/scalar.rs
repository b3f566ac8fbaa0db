//! The value of one member of a token: a scalar, an array of strings, or something else.

use alloc::{borrow::Cow, vec::Vec};
use core::time::Duration;

use zeroize::Zeroize as _;

use crate::{fault::Found, json::Raw, time::Timestamp};

/// A JSON value read without an expected type. The check that uses the value reports a wrong type.
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// A non-negative integer.
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    /// An array that contains only strings.
    Texts(Vec<Cow<'a, str>>),
    /// An object, or an array that contains something other than strings.
    Other,
}

impl<'a> Scalar<'a> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null
            | Self::Bool(_)
            | Self::Whole(_)
            | Self::Negative(_)
            | Self::Fraction(_)
            | Self::Texts(_)
            | Self::Other => None,
        }
    }

    /// Wipes the strings that it owns.
    pub(crate) fn wipe(&mut self) {
        let wipe = |text: &mut Cow<'_, str>| {
            // A borrowed string is part of the payload, whose owner wipes it.
            if let Cow::Owned(text) = text {
                text.zeroize();
            }
        };
        match self {
            Self::Text(text) => wipe(text),
            Self::Texts(texts) => texts.iter_mut().for_each(wipe),
            Self::Null
            | Self::Bool(_)
            | Self::Whole(_)
            | Self::Negative(_)
            | Self::Fraction(_)
            | Self::Other => {}
        }
    }

    pub(crate) fn read(value: Raw<'a>) -> Self {
        if value.is_null() {
            Self::Null
        } else if let Some(flag) = value.boolean() {
            Self::Bool(flag)
        } else if let Some(text) = value.text() {
            Self::Text(text)
        } else if let Some(digits) = value.number() {
            number(digits)
        } else {
            let texts = value.items().and_then(|items| items.map(Raw::text).collect());
            texts.map_or(Self::Other, Self::Texts)
        }
    }
}

/// Values as evidence of a failed check.
impl Scalar<'_> {
    /// Shows the string of a member that holds no personal data. An array is shown by its type.
    pub(crate) fn open_text(value: Option<&Self>) -> Found {
        match value {
            Some(Scalar::Text(text)) => Found::text(text),
            other => Self::kind(other),
        }
    }

    /// Shows the string or array of strings of a member that holds no personal data.
    pub(crate) fn open(value: Option<&Self>) -> Found {
        match value {
            Some(Scalar::Text(text)) => Found::text(text),
            Some(Scalar::Texts(texts)) => Found::texts(texts.iter().map(AsRef::as_ref)),
            other => Self::kind(other),
        }
    }

    /// Shows only whether a member that may hold personal data is present, and its type if that is
    /// not a string.
    pub(crate) fn closed(value: Option<&Self>) -> Found {
        match value {
            Some(Scalar::Text(_)) => Found::AnotherValue,
            other => Self::kind(other),
        }
    }

    /// Shows whether a member is present, and its type. `null` counts as absent.
    // Ruling 33.
    pub(crate) fn kind(value: Option<&Self>) -> Found {
        Found::AnotherType(match value {
            None | Some(Scalar::Null) => return Found::Missing,
            Some(Scalar::Bool(_)) => "boolean",
            Some(Scalar::Whole(_)) => "number",
            Some(Scalar::Negative(_)) => "negative number",
            Some(Scalar::Fraction(_)) => "fraction",
            Some(Scalar::Text(_)) => "string",
            Some(Scalar::Texts(_)) => "array of strings",
            Some(Scalar::Other) => "object or array",
        })
    }

    /// Describes a value that is not a date: milliseconds if reading it so gives a time near `now`,
    /// otherwise a number out of range, otherwise its type.
    pub(crate) fn no_date(value: Option<&Self>, now: Timestamp) -> Found {
        // A year around now: a number of seconds is never near now if it is read as milliseconds.
        const NEAR: Duration = Duration::from_secs(366 * 24 * 3600);
        match value {
            Some(Scalar::Whole(number)) => {
                let meant = Timestamp::from_unix_millis(*number);
                let is_near = meant.since(now) < NEAR && now.since(meant) < NEAR;
                if is_near { Found::Milliseconds(*number) } else { Found::OutOfRange }
            }
            Some(Scalar::Negative(_) | Scalar::Fraction(_)) => Found::OutOfRange,
            other => Self::kind(other),
        }
    }
}

fn number<'a>(digits: &str) -> Scalar<'a> {
    // First, because every whole number also parses as a fraction, with a loss.
    let whole = || digits.parse().ok().map(Scalar::Whole);
    // A `-0` is not a negative number, so it is read as a fraction.
    let negative = || digits.parse().ok().filter(|number| *number < 0).map(Scalar::Negative);
    let fraction = || digits.parse().ok().map(Scalar::Fraction);
    whole().or_else(negative).or_else(fraction).unwrap_or(Scalar::Other)
}
