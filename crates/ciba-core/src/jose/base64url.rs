//! Base64url as JOSE uses it (RFC 7515 2): without padding, and one spelling for each value.

use alloc::{string::String, vec::Vec};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Refuses padding, white space, other alphabets and trailing bits that are not zero, so that two texts never stand
/// for the same bytes.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// The bytes a text stands for; `None` when it is not strict base64url.
pub(crate) fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// The text for some bytes.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    STRICT.encode(bytes)
}

/// As [`encode`], appended to a text.
pub(crate) fn encode_onto(bytes: impl AsRef<[u8]>, text: &mut String) {
    STRICT.encode_string(bytes, text);
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0xff, 0xfe, 0xfb]] {
            assert_eq!(decode(encode(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(encode([0xff, 0xfe, 0xfb]), "__77");
        let mut text = "head.".to_string();
        encode_onto(b"foob", &mut text);
        assert_eq!(text, "head.Zm9vYg");
    }

    #[test]
    fn refuses_every_second_spelling() {
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
