//! `application/x-www-form-urlencoded` (RFC 6749 appendix B).

use alloc::string::String;

use crate::secret::Body;

/// A form being built; encodes as it goes and never joins raw strings.
#[derive(Default)]
pub(crate) struct Form(String);

impl Form {
    /// Adds a parameter; an empty value is left out (REQ-AREQ-05).
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        let _ = (name, value);
        todo!()
    }

    /// The body.
    pub(crate) fn into_body(self) -> Body {
        Body::from(self.0)
    }
}

/// One name or value, encoded: letters, digits, `*`, `-`, `.`, `_` stay, a space becomes `+` (ruling 8).
pub(crate) fn encode(text: &str) -> String {
    let _ = text;
    todo!()
}
