//! Sanitizes untrusted text for display on a terminal or in a log.

use alloc::string::String;

/// Returns `true` if a character is visible and does not affect the characters around it.
///
/// Returns `false` for every character that controls a terminal, reorders other characters, breaks
/// the line or is invisible, so that two different strings can look the same: control and format
/// characters (general categories `Cc` and `Cf`, which include bidirectional controls and tag
/// characters), line and paragraph separators, default-ignorable characters such as variation
/// selectors and fillers, private-use characters, and noncharacters.
///
/// JSON output for a terminal can escape these characters; [`plain`] replaces each with a space.
///
/// # Examples
///
/// ```
/// use ciba_core::text::is_plain;
///
/// assert!("Zoë Åkesson, 東京 ✓".chars().all(is_plain));
/// for hidden in ['\u{1b}', '\u{61c}', '\u{200b}', '\u{202e}', '\u{feff}', '\u{e0041}'] {
///     assert!(!is_plain(hidden));
/// }
/// ```
#[must_use]
pub fn is_plain(c: char) -> bool {
    // The last two code points of each plane are noncharacters.
    !(c.is_control()
        || u32::from(c) & 0xfffe == 0xfffe
        || NOT_PLAIN.iter().any(|(first, last)| (*first..=*last).contains(&c)))
}

/// Returns the string with each character that is not [plain](is_plain) replaced by a space.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(plain_char).collect()
}

/// Like [`plain`], but truncates the result to at most `most` bytes.
// REQ-AERR-15
pub(crate) fn plain_at_most(text: &str, most: usize) -> String {
    // Nearly every text of a provider is this, and the table need not be searched for it.
    if text.len() <= most && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    let mut out = String::new();
    for c in text.chars().map(plain_char) {
        // Only whole characters, because a part of one is not UTF-8.
        if out.len().saturating_add(c.len_utf8()) > most {
            break;
        }
        out.push(c);
    }
    out
}

fn plain_char(c: char) -> char {
    // Not removed, because that would join the words around it.
    if is_plain(c) { c } else { ' ' }
}

/// The ranges of `Cf`, `Zl`, `Zp`, `Co`, `Default_Ignorable_Code_Point` and
/// `Noncharacter_Code_Point`, merged, as of Unicode 16, without the control characters and the last
/// two code points of each plane, which `is_plain` tests itself.
// `Bidi_Control` is a subset of `Cf`. The tests compare the table with the properties.
const NOT_PLAIN: [(char, char); 29] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{ffffd}'),
    ('\u{100000}', '\u{10fffd}'),
];
