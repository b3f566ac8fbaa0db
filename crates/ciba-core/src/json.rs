//! The JSON objects of the protocol: UTF-8, exactly one object, no duplicate member names.
// Rulings 6, 7 and 28.

use alloc::{borrow::Cow, vec::Vec};

mod members;
mod object;
mod raw;
mod saved;
mod scan;
mod serialize;
#[cfg(test)]
mod tests;

pub(crate) use members::read;
pub use members::{JsonError, JsonObject};
pub(crate) use object::Object;
pub(crate) use raw::Raw;
pub(crate) use saved::{SavedJson, SavedJsonObject};
use scan::{Scanner, unescape};

/// Returns the name and the JSON text of each member of a text that is known to be an object.
pub(crate) fn fields(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    Raw(object).members().into_iter().flatten().map(|(name, value)| (name, value.json()))
}

/// Reads the members of an object in a token in a single pass and passes each to `each`.
///
/// Returns `None` unless the text is exactly one object without duplicate names that every JSON
/// parser reads alike (RFC 7493).
// REQ-IDT-31, REQ-SEC-24
pub(crate) fn strict_members<'a>(
    text: &'a str,
    mut each: impl FnMut(&Cow<'a, str>, Raw<'a>),
) -> Option<()> {
    let mut scanner = Scanner::strict(text);
    let mut names = Names::new();
    let mut has_more = scanner.open(b'{')?;
    while has_more {
        let name = unescape(scanner.name()?)?;
        let value = scanner.value()?;
        each(&name, Raw(value));
        names.0.push(name);
        has_more = scanner.more(b'{')?;
    }
    (scanner.is_done() && names.are_unique()).then_some(())
}

/// The member names of one object, collected to find duplicates.
// Sorted at the end: comparing each name with all previous ones would be quadratic.
struct Names<'a>(Vec<Cow<'a, str>>);

impl Names<'_> {
    fn new() -> Self {
        Self(Vec::with_capacity(32))
    }

    /// Whether no name occurs twice, including names that are equal only after unescaping.
    // Ruling 7.
    fn are_unique(mut self) -> bool {
        self.0.sort_unstable_by(|a, b| {
            a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
        });
        !self.0.windows(2).any(|pair| pair.first() == pair.last())
    }
}
