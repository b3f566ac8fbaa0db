//! Base64url as JOSE uses it (RFC 7515 section 2): unpadded, with exactly one encoding per value.

use alloc::{string::String, vec::Vec};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

/// Rejects padding, white space, other alphabets and non-zero trailing bits, so that no two strings
/// decode to the same bytes.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Decodes strict base64url, or returns `None`.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// Like [`STRICT`], but accepts non-zero trailing bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes a number in a key, padded or not, in either base64 alphabet.
///
/// Must not be used for anything that is signed or compared as a string, where a second encoding
/// would be a second value.
// Ruling 32: publishers write numbers in all of these ways.
pub(crate) fn decode_number(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Some publishers pad, and some use the standard alphabet.
    let digits = text.trim_end_matches('=').bytes();
    let digits: Zeroizing<Vec<u8>> = Zeroizing::new(
        digits
            .map(|digit| match digit {
                b'+' => b'-',
                b'/' => b'_',
                other => other,
            })
            .collect(),
    );
    LENIENT.decode(digits.as_slice()).ok().map(Zeroizing::new)
}

/// Encodes bytes.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    STRICT.encode(bytes)
}

/// Encodes bytes and appends them to a string.
pub(crate) fn encode_onto(bytes: impl AsRef<[u8]>, text: &mut String) {
    STRICT.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn base64url_is_read_back() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0xff, 0xfe, 0xfb]] {
            assert_eq!(decode(encode(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(encode([0xff, 0xfe, 0xfb]), "__77");
        let mut text = "head.".to_string();
        encode_onto(b"foob", &mut text);
        assert_eq!(text, "head.Zm9vYg");
    }

    /// REQ-JWKS-14a
    #[test]
    fn a_number_of_a_key_is_read_in_every_spelling_publishers_use() {
        for text in ["__79", "//79", "__79=", "_/79=="] {
            assert_eq!(
                decode_number(text).map(|bytes| bytes.to_vec()),
                Some(alloc::vec![0xff, 0xfe, 0xfd]),
                "{text}"
            );
        }
        assert_eq!(decode_number("Zh==").map(|bytes| bytes.to_vec()), Some(b"f".to_vec()));
        for text in ["Z", "=", "Zg==Zg", "Zm 9v", "Zm9v\n", "Zm9vé", "-1.5"] {
            let read = decode_number(text).map(|bytes| bytes.to_vec());
            assert!(read.as_ref().is_none_or(Vec::is_empty), "{text}: {read:?}");
        }
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for (text, why) in [
            ("Zg==", "padding"),
            ("Zg=", "padding"),
            ("Zm9v\n", "a line break at the end"),
            ("Zm 9v", "white space"),
            (" Zm9v", "white space"),
            ("//77", "the other alphabet"),
            ("Zh", "trailing bits that are not zero"),
            ("Zm9", "trailing bits that are not zero"),
            ("Z", "a lone character"),
            ("Zm9vé", "not ASCII"),
            ("Zm9v\0", "a zero character"),
        ] {
            assert_eq!(decode(text), None, "{why}");
        }
    }
}
