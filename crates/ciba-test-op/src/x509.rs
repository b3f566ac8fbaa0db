//! As much of X.509 as it takes to read a certificate's subject.

use core::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::crypto::Hash;

use crate::backend::verifier;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const VERSION: u8 = 0xa0;

/// The subject as RFC 4514 writes it, the last name first. `None` for what is no certificate.
pub(crate) fn subject(der: &[u8]) -> Option<String> {
    let (certificate, _) = expect(der, SEQUENCE)?;
    let (mut body, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, rest)) = expect(body, VERSION) {
        body = rest;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        (_, _, body) = element(body)?;
    }
    let (mut names, _) = expect(body, SEQUENCE)?;
    let mut written = Vec::new();
    while !names.is_empty() {
        let (mut set, rest) = expect(names, SET)?;
        names = rest;
        let mut parts = Vec::new();
        while !set.is_empty() {
            let (pair, rest) = expect(set, SEQUENCE)?;
            set = rest;
            let (object, value) = expect(pair, OBJECT)?;
            let (_, value, _) = element(value)?;
            parts.push(format!(
                "{}={}",
                attribute(object)?,
                escape(core::str::from_utf8(value).ok()?)
            ));
        }
        written.push(parts.join("+"));
    }
    written.reverse();
    Some(written.join(","))
}

/// `x5t#S256` (RFC 8705 3.1).
pub(crate) fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(verifier().digest(Hash::Sha256, der).as_bytes())
}

/// Tag, content, and what is behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The short name of an attribute type, or its number with dots.
fn attribute(object: &[u8]) -> Option<String> {
    Some(
        match object {
            [0x55, 0x04, 0x03] => "CN",
            [0x55, 0x04, 0x06] => "C",
            [0x55, 0x04, 0x07] => "L",
            [0x55, 0x04, 0x08] => "ST",
            [0x55, 0x04, 0x0a] => "O",
            [0x55, 0x04, 0x0b] => "OU",
            _ => return dotted(object),
        }
        .to_owned(),
    )
}

fn dotted(object: &[u8]) -> Option<String> {
    let first = object.first()?;
    let mut text = format!("{}.{}", (first / 40).min(2), first - 40 * (first / 40).min(2));
    let mut number = 0_u64;
    for byte in &object[1..] {
        number = number.checked_mul(128)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let _ = write!(text, ".{number}");
            number = 0;
        }
    }
    Some(text)
}

fn escape(value: &str) -> String {
    let mut out = String::new();
    for (at, character) in value.char_indices() {
        let is_last = at + character.len_utf8() == value.len();
        if matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || at == 0 && matches!(character, ' ' | '#')
            || is_last && character == ' '
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}
