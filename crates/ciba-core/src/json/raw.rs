//! One JSON value as it was received.

use alloc::borrow::Cow;

use super::scan::{Scanner, unescape};

/// The text of one JSON value, known to be well-formed. Nothing in it has been interpreted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(super) &'a str);

impl<'a> Raw<'a> {
    /// Reads a text that holds one value and nothing else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.is_done().then_some(Self(value))
    }

    /// Its JSON text.
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

    /// What a string says. One with half of a surrogate pair in it says nothing.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        unescape(self.0.strip_prefix('"')?.strip_suffix('"')?)
    }

    /// The digits of a number.
    pub(crate) fn number(self) -> Option<&'a str> {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(self.0)
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// The items of an array.
    pub(crate) fn items(self) -> Option<Items<'a>> {
        let mut scanner = Scanner::new(self.0);
        let has_more = scanner.open(b'[')?;
        Some(Items { scanner, has_more })
    }

    /// The members of an object, as they stand there: names may repeat.
    pub(crate) fn members(self) -> Option<Fields<'a>> {
        let mut scanner = Scanner::new(self.0);
        let has_more = scanner.open(b'{')?;
        Some(Fields { scanner, has_more })
    }

    /// The first member of that name, unless it is `null`.
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
        let name = unescape(self.scanner.name()?)?;
        let value = self.scanner.value()?;
        self.has_more = self.scanner.more(b'{')?;
        Some((name, Raw(value)))
    }
}
