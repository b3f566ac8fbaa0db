//! Members that the protocol does not define, kept as the JSON text in which they were received.

use alloc::{borrow::Cow, string::String};
use core::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Raw, scan::Scanner};

/// The members of a JSON object that the protocol does not define, in the order they were received.
///
/// They are kept as JSON text, without the white space between tokens, and parsed on demand:
/// [`Self::get`] deserializes a member, [`Self::json`] returns its text. The text is wiped on drop.
/// `Debug` shows only the names.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonObject(Zeroizing<String>);

impl JsonObject {
    /// Builds an object from members that were parsed before.
    pub(super) fn of<'a>(
        members: impl Iterator<Item = (&'a str, &'a str)>,
        capacity: usize,
    ) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        for (name, value) in members {
            let before = if text.is_empty() { '{' } else { ',' };
            text.push(before);
            text.push('"');
            text.push_str(name);
            text.push_str("\":");
            push_compact(value, &mut text);
        }
        if !text.is_empty() {
            text.push('}');
        }
        // Not shrunk to fit: reallocating would leave an unwiped copy behind.
        Self(text)
    }

    /// Returns `true` if there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if there is a member with this name, even if it is `null`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Deserializes a member. Returns `None` if it is absent or `null`.
    ///
    /// # Errors
    ///
    /// Returns [`JsonError`] if the value does not fit the type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, JsonError> {
        self.find(name).filter(|value| !value.is_null()).map(|value| read(value.json())).transpose()
    }

    /// Returns the JSON text of a member.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&str> {
        self.find(name).map(Raw::json)
    }

    /// Returns the JSON text of the object with all members.
    #[must_use]
    pub fn as_json(&self) -> &str {
        if self.0.is_empty() { "{}" } else { &self.0 }
    }

    /// Returns the name and the JSON text of each member.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        self.fields().map(|(name, value)| (name, value.json()))
    }

    pub(crate) fn find(&self, name: &str) -> Option<Raw<'_>> {
        self.fields().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn fields(&self) -> impl Iterator<Item = (Cow<'_, str>, Raw<'_>)> {
        Raw(self.as_json()).members().into_iter().flatten()
    }
}

impl Default for JsonObject {
    fn default() -> Self {
        Self(Zeroizing::new(String::new()))
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields().map(|(name, _)| name)).finish()
    }
}

/// Appends JSON text without the white space between its tokens.
fn push_compact(json: &str, out: &mut String) {
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let (between, string) = rest.split_at(start);
        out.extend(between.split_ascii_whitespace());
        // The closing quote is the first quote that is not escaped by a backslash.
        // The opening quote counts as escaped, so that it is not taken for the closing one.
        let mut is_escaped = true;
        let end = string.bytes().position(|byte| {
            let is_end = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_end
        });
        let (string, after) =
            string.split_at(end.map_or(string.len(), |end| end.saturating_add(1)));
        out.push_str(string);
        rest = after;
    }
    out.extend(rest.split_ascii_whitespace());
}

/// An error deserializing JSON text. Does not contain the text, which may hold personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// The value does not fit the type.
    Shape {
        /// The byte at which deserialization failed, counted from 1.
        column: usize,
    },
    /// A member has a name that `serde_json` reserves for itself, and another crate of the program
    /// has enabled the feature (`raw_value` or `arbitrary_precision`) that gives it a meaning.
    /// Deserializing it could yield something other than what was received. The JSON text is still
    /// available.
    ReservedName,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { column } => {
                write!(f, "the value does not fit the type (at column {column})")
            }
            Self::ReservedName => f.write_str("a member has a name that is reserved by serde_json"),
        }
    }
}

impl core::error::Error for JsonError {}

/// Deserializes JSON text from an untrusted source.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    let mut scanner = Scanner::new(text);
    // Not JSON, or nested too deeply for a reader that recurses.
    if scanner.value().is_none() {
        return Err(JsonError::Shape { column: 1 });
    }
    if scanner.saw_private_name() && private_names_mean_something() {
        return Err(JsonError::ReservedName);
    }
    serde_json::from_str(text).map_err(|error| JsonError::Shape { column: error.column() })
}

/// Whether `serde_json` was built with a feature that gives a member name a meaning. Any crate of a
/// program can enable such a feature for all others.
fn private_names_mean_something() -> bool {
    const PROBES: [&str; 2] =
        [r#"{"$serde_json::private::RawValue":"0"}"#, r#"{"$serde_json::private::Number":"0"}"#];
    // An object deserializes to an object unless its member name has a special meaning.
    PROBES
        .iter()
        .any(|probe| !serde_json::from_str::<Value>(probe).is_ok_and(|value| value.is_object()))
}
