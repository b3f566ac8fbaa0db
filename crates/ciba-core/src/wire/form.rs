//! `application/x-www-form-urlencoded` (RFC 6749 appendix B).

use alloc::{string::String, vec::Vec};

use zeroize::Zeroizing;

use crate::secret::{Body, make_room};

/// A form under construction. Names and values are encoded as they are added, so a value cannot
/// inject a parameter. No unwiped copies of secrets are left in memory.
// REQ-SEC-04
#[derive(Default)]
pub(crate) struct Form(Zeroizing<String>);

impl Form {
    /// Adds a parameter. An empty value is omitted.
    // REQ-AREQ-05
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let length = encoded_length(name).saturating_add(encoded_length(value));
        make_room(&mut self.0, length.saturating_add(2));
        if !self.0.is_empty() {
            self.0.push('&');
        }
        encode_into(name, &mut self.0);
        self.0.push('=');
        encode_into(value, &mut self.0);
    }

    /// Returns the encoded body.
    pub(crate) fn into_body(mut self) -> Body {
        Body::from(core::mem::take(&mut *self.0))
    }
}

/// Encodes one name or value: letters, digits, `*`, `-`, `.` and `_` are kept, a space becomes `+`.
// Ruling 8.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(encoded_length(text));
    encode_into(text, &mut encoded);
    encoded
}

fn encode_into(text: &str, out: &mut String) {
    // In pieces: assertions and request objects are long, and hardly any of their bytes is encoded.
    for piece in text.split_inclusive(|c| !is_kept(c)) {
        let kept = piece.trim_end_matches(|c| !is_kept(c));
        out.push_str(kept);
        for byte in piece.bytes().skip(kept.len()) {
            if byte == b' ' {
                out.push('+');
            } else {
                out.extend(['%', hexadecimal(byte >> 4), hexadecimal(byte & 0x0f)]);
            }
        }
    }
}

/// An encoded byte is `%` and two digits.
fn encoded_length(text: &str) -> usize {
    text.chars().map(|c| if is_kept(c) { 1 } else { c.len_utf8().saturating_mul(3) }).sum()
}

const fn is_kept(c: char) -> bool {
    matches!(c, '*' | '-' | '.' | '_' | '0'..='9' | 'A'..='Z' | 'a'..='z')
}

/// Decodes the names and values of a form made by [`Form`], for display.
pub(crate) fn pairs(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |&byte| byte == b'=').map(decode);
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    })
}

fn decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    // Every escape was written by `encode_into`, so its digits are valid.
                    rest.next().and_then(|digit| char::from(digit).to_digit(16)).unwrap_or_default()
                };
                let (high, low) = (digit(), digit());
                u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or_default()
            }
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns an uppercase digit, as RFC 3986 section 2.1 recommends.
fn hexadecimal(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// REQ-AUTH-04
    /// REQ-AUTH-06
    /// REQ-AREQ-03
    #[test]
    fn the_form_encoding_vectors_of_appendix_b_2_match() {
        for (text, encoded) in [
            ("s6BhdRkqt3", "s6BhdRkqt3"),
            ("https://client.example.org/cb", "https%3A%2F%2Fclient.example.org%2Fcb"),
            ("p@ss:w%rd+1 £", "p%40ss%3Aw%25rd%2B1+%C2%A3"),
            ("a b", "a+b"),
            ("~-._*'", "%7E-._*%27"),
            (" %&+£€", "+%25%26%2B%C2%A3%E2%82%AC"),
        ] {
            assert_eq!(encode(text), encoded);
        }
    }

    /// REQ-AREQ-03
    /// REQ-AREQ-05
    #[test]
    fn values_cannot_inject_parameters_and_empty_ones_are_left_out() {
        let mut form = Form::default();
        form.push("a", "1&scope=x");
        form.push("empty", "");
        form.push("b c", "é=");
        assert_eq!(form.into_body().expose(), b"a=1%26scope%3Dx&b+c=%C3%A9%3D");
    }

    proptest! {
        /// REQ-AREQ-03
        #[test]
        fn an_independent_decoder_reads_back_what_was_pushed(pairs in prop::collection::vec((".*", ".+"), 0..6)) {
            let mut form = Form::default();
            for (name, value) in &pairs {
                form.push(name, value);
            }
            let body = form.into_body();
            let decoded: Vec<(String, String)> = ::url::form_urlencoded::parse(body.expose()).into_owned().collect();
            prop_assert_eq!(&decoded, &pairs);
            prop_assert_eq!(super::pairs(body.expose()).collect::<Vec<_>>(), pairs);
        }
    }
}
