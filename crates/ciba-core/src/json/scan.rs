//! A non-recursive scanner for JSON text (RFC 8259) that gives no member name a special meaning.
//!
//! `serde_json` interprets two member names as instructions if its features `raw_value` and
//! `arbitrary_precision` are enabled, and any crate of a program can enable them for all. Untrusted
//! text is therefore split by this module.
// Ruling 28.

use alloc::{borrow::Cow, string::String};
use core::ops::Range;

/// The maximum nesting depth.
// REQ-SEC-24
pub(super) const DEEPEST: u32 = 64;

/// The prefix of the names to which `serde_json` gives a meaning.
const PRIVATE: &str = "$serde_json::private::";

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// How many more levels of nesting are allowed.
    depth: u32,
    /// Whether to reject strings with lone surrogates and numbers that are not finite as `f64`, at
    /// any depth.
    strict: bool,
    /// Whether a member name with a meaning to `serde_json` was seen.
    private_name: bool,
    /// The position of the last name or value.
    last: Range<usize>,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: DEEPEST, strict: false, private_name: false, last: 0..0 }
    }

    /// Creates a scanner that rejects what parsers read differently: lone surrogates and numbers
    /// out of range (RFC 7493).
    pub(super) const fn strict(text: &'a str) -> Self {
        let mut scanner = Self::new(text);
        scanner.strict = true;
        scanner
    }

    /// Whether a member name with a meaning to `serde_json` was seen at any depth.
    pub(super) const fn saw_private_name(&self) -> bool {
        self.private_name
    }

    /// Returns the position of the last name or value.
    pub(super) fn last(&self) -> Option<Range<u32>> {
        Some(u32::try_from(self.last.start).ok()?..u32::try_from(self.last.end).ok()?)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Consumes the next byte if it is the given one, and returns whether it was.
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Whether only white space is left.
    pub(super) fn is_done(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// Enters an object or array. Returns whether it is non-empty.
    pub(super) fn open(&mut self, bracket: u8) -> Option<bool> {
        self.space();
        if !self.eat(bracket) {
            return None;
        }
        // Nothing here recurses, but the readers of the text may.
        self.depth = self.depth.checked_sub(1)?;
        self.space();
        let is_empty = self.eat(closing(bracket));
        // An empty one has just been left again.
        self.depth += u32::from(is_empty);
        Some(!is_empty)
    }

    /// Advances after a member or item. Returns whether another one follows.
    pub(super) fn more(&mut self, bracket: u8) -> Option<bool> {
        self.space();
        if self.eat(b',') {
            return Some(true);
        }
        if !self.eat(closing(bracket)) {
            return None;
        }
        self.depth += 1;
        Some(false)
    }

    /// Consumes a member name and the colon. Returns the name without its quotes.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        self.space();
        let (name, is_text) = self.string()?;
        self.last = self.at - 1 - name.len()..self.at - 1;
        self.space();
        // A name with a lone surrogate cannot be compared with others, so it is not accepted.
        let is_name = is_text && self.eat(b':');
        self.private_name |= is_name && is_private(name);
        is_name.then_some(name)
    }

    /// Consumes one value and returns its text.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        self.space();
        let start = self.at;
        // A stack with one bit for each open bracket: 1 for an object, 0 for an array. `DEEPEST` is at
        // most 64.
        let (mut open, mut objects) = (0_u32, 0_u64);
        loop {
            let mut has_ended = true;
            self.space();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    if self.open(bracket)? {
                        objects = objects << 1 | u64::from(bracket == b'{');
                        open += 1;
                        has_ended = false;
                        if bracket == b'{' {
                            self.name()?;
                        }
                    }
                }
                b'"' => {
                    let (_, is_text) = self.string()?;
                    if self.strict && !is_text {
                        return None;
                    }
                }
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => return None,
            }
            while has_ended && open > 0 {
                let is_object = objects & 1 == 1;
                if self.more(if is_object { b'{' } else { b'[' })? {
                    if is_object {
                        self.name()?;
                    }
                    has_ended = false;
                } else {
                    objects >>= 1;
                    open -= 1;
                }
            }
            if has_ended {
                self.last = start..self.at;
                return self.text.get(start..self.at);
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        // Whatever follows must be a separator, which the caller checks.
        rest.starts_with(word).then(|| self.at += word.len())
    }

    /// Consumes a string. Returns it without its quotes, and whether it has no lone surrogate.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        if !self.eat(b'"') {
            return None;
        }
        let start = self.at;
        let mut is_text = true;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some((self.text.get(start..self.at - 1)?, is_text)),
                b'\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    match escaped {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => is_text &= self.unit()?,
                        _ => return None,
                    }
                }
                // RFC 8259 section 7: control characters must be escaped.
                0..=0x1f => return None,
                _ => {}
            }
        }
    }

    /// Consumes the digits of a `\u` escape, and the second half of a surrogate pair. Returns
    /// whether they form a character.
    fn unit(&mut self) -> Option<bool> {
        let first = self.hex()?;
        if !(0xd800..0xe000).contains(&first) {
            return Some(true);
        }
        // Only a high surrogate begins a pair.
        let is_pair = first < 0xdc00 && self.text.get(self.at..)?.starts_with("\\u");
        if !is_pair {
            return Some(false);
        }
        let before = self.at;
        self.at += 2;
        let second = self.hex()?;
        if (0xdc00..0xe000).contains(&second) {
            return Some(true);
        }
        // The second escape may start a pair of its own.
        self.at = before;
        Some(false)
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self
            .text
            // Also `None` if the range ends inside a character.
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.eat(b'-');
        // No leading zeros (RFC 8259 section 6).
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at)?;
        (!self.strict || text.parse::<f64>().is_ok_and(f64::is_finite)).then_some(())
    }
}

const fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

fn is_private(name: &str) -> bool {
    match name.as_bytes().first() {
        // Other names are not unescaped, because they cannot begin with `$`.
        Some(b'$' | b'\\') => unescape(name).is_some_and(|name| name.starts_with(PRIVATE)),
        _ => false,
    }
}

/// Unescapes the content of a scanned string. Returns `None` if it has a lone surrogate.
pub(super) fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    let Some((plain, _)) = inner.split_once('\\') else { return Some(inner.into()) };
    let mut text = String::with_capacity(inner.len());
    text.push_str(plain);
    let mut rest = inner.get(plain.len()..)?;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escaped.chars();
        text.push(match chars.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => character(&mut chars)?,
            // The scanner has rejected every escape except `\"`, `\\` and `\/`.
            other => other,
        });
        rest = chars.as_str();
    }
    text.push_str(rest);
    Some(text.into())
}

fn character(chars: &mut core::str::Chars<'_>) -> Option<char> {
    let mut unit =
        || (0..4).try_fold(0_u32, |value, _| Some(value << 4 | chars.next()?.to_digit(16)?));
    let first = unit()?;
    if !(0xd800..0xdc00).contains(&first) {
        // `None` for a low surrogate, which stands alone here.
        return char::from_u32(first);
    }
    // The backslash and the `u` of the second escape.
    let is_pair = chars.next() == Some('\\') && chars.next() == Some('u');
    let mut unit =
        || (0..4).try_fold(0_u32, |value, _| Some(value << 4 | chars.next()?.to_digit(16)?));
    let second =
        is_pair.then(&mut unit).flatten().filter(|second| (0xdc00..0xe000).contains(second))?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}
