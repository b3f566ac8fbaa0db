//! JSON text for a terminal.

use std::{borrow::Cow, fmt::Write as _};

use ciba_core::text::is_plain;

/// JSON text on one line for a terminal: characters that control the terminal or are invisible are
/// escaped. JSON allows them unescaped, in strings only.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// JSON text without the white space between its tokens.
pub(super) fn compact(json: &str) -> Cow<'_, str> {
    if !json.contains(|c: char| c.is_ascii_whitespace()) {
        return json.into();
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        in_string ^= *c == '"' && !is_escaped;
        is_escaped = in_string && *c == '\\' && !is_escaped;
        in_string || !c.is_ascii_whitespace()
    };
    json.chars().filter(is_kept).collect()
}
