//! A JSON value in the form in which it was received.

use alloc::borrow::Cow;

use super::scan::{Scanner, unescape};

/// The text of one JSON value, known to be well-formed but not interpreted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(super) &'a str);

impl<'a> Raw<'a> {
    /// Parses a text that holds exactly one value.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.is_done().then_some(Self(value))
    }

    /// Returns the JSON text.
    pub(crate) const fn json(self) -> &'a str {
        self.0
    }

    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Returns the content of a string, or `None` if it contains a lone surrogate.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        unescape(self.0.strip_prefix('"')?.strip_suffix('"')?)
    }

    /// Returns the text of a number.
    pub(crate) fn number(self) -> Option<&'a str> {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(self.0)
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Returns the items of an array.
    pub(crate) fn items(self) -> Option<Items<'a>> {
        // The text was scanned before, so this only finds the parts again.
        let mut scanner = Scanner::new(self.0);
        let has_more = scanner.open(b'[')?;
        Some(Items { scanner, has_more })
    }

    /// Returns the members of an object in order. Names may repeat.
    pub(crate) fn members(self) -> Option<Fields<'a>> {
        let mut scanner = Scanner::new(self.0);
        let has_more = scanner.open(b'{')?;
        Some(Fields { scanner, has_more })
    }

    /// Returns the first member with the given name, unless it is `null`.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        self.members()?
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }
}

/// The items of an array.
pub(crate) struct Items<'a> {
    scanner: Scanner<'a>,
    has_more: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_more {
            return None;
        }
        let value = self.scanner.value()?;
        self.has_more = self.scanner.more(b'[')?;
        Some(Raw(value))
    }
}

/// The members of an object.
pub(crate) struct Fields<'a> {
    scanner: Scanner<'a>,
    has_more: bool,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.has_more {
            return None;
        }
        // The scanner has rejected every name with a lone surrogate.
        let name = unescape(self.scanner.name()?)?;
        let value = self.scanner.value()?;
        self.has_more = self.scanner.more(b'{')?;
        Some((name, Raw(value)))
    }
}
