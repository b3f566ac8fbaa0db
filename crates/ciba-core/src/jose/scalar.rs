//! One member's value as tokens use them: a scalar, a list of texts, or something of no use.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::{fmt, time::Duration};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{
    error::Found,
    jose::object::{Name, Skip},
    time::Timestamp,
};

/// A value that is read without knowing its type: what is wrong with it is for the check that wants it to say.
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// A whole number from zero up.
    Whole(u64),
    Negative(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    /// A list with nothing but texts in it.
    Texts(Vec<Cow<'a, str>>),
    /// An object, or a list with something else than texts in it.
    Other,
}

impl Scalar<'_> {
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
}

/// A value as evidence in a failed check.
impl Scalar<'_> {
    /// A value of a member that says nothing about a person.
    pub(crate) fn open(value: Option<&Self>) -> Found {
        match value {
            Some(Scalar::Text(text)) => Found::text(text),
            Some(Scalar::Texts(texts)) => Found::texts(texts.iter().map(AsRef::as_ref)),
            other => Self::kind(other),
        }
    }

    /// A value that may say something about a person: only whether it is there, and its type where that is not a text.
    pub(crate) fn closed(value: Option<&Self>) -> Found {
        match value {
            Some(Scalar::Text(_)) => Found::AnotherValue,
            other => Self::kind(other),
        }
    }

    /// Whether it is there, and its type.
    pub(crate) fn kind(value: Option<&Self>) -> Found {
        Found::AnotherType(match value {
            None => return Found::Missing,
            Some(Scalar::Null) => "null",
            Some(Scalar::Bool(_)) => "boolean",
            Some(Scalar::Whole(_)) => "number",
            Some(Scalar::Negative(_)) => "negative number",
            Some(Scalar::Fraction(_)) => "fraction",
            Some(Scalar::Text(_)) => "string",
            Some(Scalar::Texts(_)) => "array of strings",
            Some(Scalar::Other) => "object or array",
        })
    }

    /// A date out of range: in milliseconds if that brings it near to `now`.
    pub(crate) fn instant(value: Option<&Self>, date: Timestamp, now: Timestamp) -> Found {
        const NEAR: Duration = Duration::from_secs(366 * 24 * 3600);
        match value {
            Some(Scalar::Whole(number)) if date > now => {
                let meant = Timestamp::from_unix_millis(*number);
                let is_near = meant.since(now) < NEAR && now.since(meant) < NEAR;
                if is_near { Found::Milliseconds(*number) } else { Found::Time(date) }
            }
            _ => Found::Time(date),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Whole(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Negative(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Fraction(value))
            }

            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(value)))
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(value.into())))
            }

            fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(value)))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(item) = seq.next_element::<Scalar<'de>>()? {
                    let Scalar::Text(text) = item else {
                        while seq.next_element::<Skip>()?.is_some() {}
                        return Ok(Scalar::Other);
                    };
                    texts.push(text);
                }
                Ok(Scalar::Texts(texts))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // With `serde_json/arbitrary_precision`, which another crate of a program may switch on for all, a
                // number arrives as an object of this one member.
                if let Some(Name(name)) = map.next_key()? {
                    if name == "$serde_json::private::Number" {
                        return Ok(map.next_value::<Scalar<'de>>()?.text().map_or(Scalar::Other, number));
                    }
                    map.next_value::<Skip>()?;
                }
                while map.next_entry::<Name<'_>, Skip>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Read)
    }
}

fn number<'a>(text: &str) -> Scalar<'a> {
    let whole = || text.parse().ok().map(Scalar::Whole);
    let negative = || text.parse().ok().map(Scalar::Negative);
    let fraction = || text.parse().ok().map(Scalar::Fraction);
    whole().or_else(negative).or_else(fraction).unwrap_or(Scalar::Other)
}
