//! The nonce that a server provides for DPoP proofs (RFC 9449 section 8.1).

use alloc::string::String;

use super::Headers;
use crate::bounds;

/// The header field with the nonce.
const FIELD: &str = "dpop-nonce";

/// A nonce as a server provided it. It is opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DpopNonce(String);

impl DpopNonce {
    /// Returns the nonce of a response, if it has exactly one that can be used.
    // REQ-POP-08
    pub(crate) fn of(headers: &Headers) -> Option<Self> {
        let mut all = headers.all(FIELD);
        match (all.next(), all.next()) {
            (Some(value), None) => Self::new(value),
            // With two, it is unknown which one the server expects.
            _ => None,
        }
    }

    /// Returns the nonce if it is `1*NQCHAR` and not too long.
    pub(crate) fn new(value: &str) -> Option<Self> {
        let is_nqchar = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        let fits = (1..=bounds::DPOP_NONCE_BYTES).contains(&value.len());
        (fits && value.bytes().all(is_nqchar)).then(|| Self(value.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-POP-08d
    #[test]
    fn a_nonce_is_one_field_of_nqchar_with_bounded_length() {
        let longest = "a".repeat(bounds::DPOP_NONCE_BYTES);
        let too_long = "a".repeat(bounds::DPOP_NONCE_BYTES + 1);
        for (values, usable) in [
            (&["eyJ7S_zG.eyJH0-Z.HX4w-7v"][..], true),
            (&["!#$%&'()*+,-./:;<=>?@[]^_`{|}~"][..], true),
            (&[longest.as_str()][..], true),
            (&[too_long.as_str()][..], false),
            (&[][..], false),
            (&[""][..], false),
            (&["a b"][..], false),
            (&["a\"b"][..], false),
            (&["a\\b"][..], false),
            (&["a\u{7f}"][..], false),
            (&["é"][..], false),
            (&["one", "two"][..], false),
            (&["one", "one"][..], false),
        ] {
            let headers: Headers = values.iter().map(|value| ("DPoP-Nonce", *value)).collect();
            let nonce = DpopNonce::of(&headers);
            assert_eq!(nonce.is_some(), usable, "{values:?}");
            if let Some(nonce) = nonce {
                assert_eq!(nonce.as_str(), values[0]);
            }
        }
    }
}
