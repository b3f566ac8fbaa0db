//! Estimates how hard a notification token is to guess.

/// The number of characters allowed in a bearer token (RFC 6750 2.1): the largest possible alphabet.
const MOST_CHARACTERS: usize = 68;
/// Shorter repetitions occur by chance.
const SHORTEST_REPETITION: usize = 4;
/// A UUID of version 4 has 32 hexadecimal digits, of which six bits are fixed (RFC 9562 5.4).
const UUID_BITS: f64 = 122.0;

/// The largest entropy in bits that a token of this length can have.
///
/// Numbers without leading zeros are sometimes a character shorter (`BigInteger.toString(32)`,
/// base58) without having less entropy. Therefore one more character is counted, here and below.
pub(crate) fn most_bits(text: &str) -> f64 {
    bits(MOST_CHARACTERS, text.len() + 1)
}

/// The entropy in bits of a token if its characters are random, from the alphabet it appears to use.
///
/// 16 random bytes in hexadecimal digits, base32 or base64 have at least 128 bits, whichever
/// characters they happen to lack. Sequences, repetitions and short tokens have fewer.
pub(crate) fn likely_bits(text: &str) -> f64 {
    let text = text.trim_end_matches('=');
    if is_uuid(text) {
        return UUID_BITS;
    }
    let characters: Vec<u8> = text.bytes().filter(|byte| byte.is_ascii_alphanumeric()).collect();
    // Hyphens between groups of digits have no entropy; in base64url they are characters like others.
    let alphabet = alphabet(text, &characters);
    let length = if alphabet == 64 { text.len() } else { characters.len() };
    let mut distinct = characters.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let size = alphabet as f64;
    let usual = size * (1.0 - (1.0 - 1.0 / size).powf(length as f64));
    // Far fewer distinct characters than expected: the alphabet is smaller.
    let alphabet = if (distinct.len() as f64) < 0.6 * usual { distinct.len() } else { alphabet };
    let new = new_characters(text.as_bytes());
    // A few repetitions are chance. If they prevail, only new characters count.
    bits(alphabet, if new * 2 <= text.len() { new.min(length) } else { length + 1 })
}

fn bits(alphabet: usize, length: usize) -> f64 {
    (alphabet.max(1) as f64).log2() * length as f64
}

/// The size of the smallest common alphabet with these letters and digits.
fn alphabet(text: &str, characters: &[u8]) -> usize {
    if text.contains(['_', '~', '+', '/']) {
        return 64;
    }
    let has = |is: fn(&u8) -> bool| characters.iter().any(is);
    let hexadecimal = characters.iter().all(u8::is_ascii_hexdigit);
    match (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase)) {
        (true, true) => 64,
        (false, false) => 10,
        _ if hexadecimal => 16,
        // Base32 and other alphabets with letters of one case.
        _ => 32,
    }
}

/// The number of characters that neither repeat earlier ones nor continue a sequence.
fn new_characters(text: &[u8]) -> usize {
    let (mut new, mut at) = (0, 0);
    while at < text.len() {
        let repeated = longest_repetition(text, at);
        let counted = longest_run(text, at);
        match repeated.max(counted) {
            length if length >= SHORTEST_REPETITION => at += length,
            _ => {
                new += 1;
                at += 1;
            }
        }
    }
    new
}

/// The number of characters from `at` on that occur before.
fn longest_repetition(text: &[u8], at: usize) -> usize {
    let common =
        |from: usize| text[from..].iter().zip(&text[at..]).take_while(|(a, b)| a == b).count();
    (0..at).map(common).max().unwrap_or(0)
}

/// The number of characters from `at` on with the same step: `3456`, `dcba`, `1111`.
fn longest_run(text: &[u8], at: usize) -> usize {
    let Some([first, second]) = text.get(at..at + 2) else { return 0 };
    let step = second.wrapping_sub(*first);
    if !matches!(step, 0 | 1 | 255) {
        return 0;
    }
    1 + text[at..].windows(2).take_while(|pair| pair[1].wrapping_sub(pair[0]) == step).count()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };

    use super::*;
    use crate::ids::Ids;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn base32(bytes: &[u8]) -> String {
        let bits: Vec<u8> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
        let digit =
            |five: &[u8]| five.iter().fold(0, |value, bit| value << 1 | bit) << (5 - five.len());
        bits.chunks(5)
            .map(|five| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(digit(five))]))
            .collect()
    }

    #[test]
    fn sixteen_random_bytes_suffice_in_every_alphabet() {
        let mut ids = Ids::new(7);
        for _ in 0..2_000 {
            let bytes = ids.bytes();
            let decimal: String = ids
                .bytes()
                .iter()
                .chain(&ids.bytes())
                .map(|byte| char::from(b'0' + byte % 10))
                .collect();
            for length in [16, 20, 32] {
                let bytes = &bytes[..length];
                let hexadecimal = hex(bytes);
                for text in [
                    URL_SAFE_NO_PAD.encode(bytes),
                    STANDARD.encode(bytes),
                    hexadecimal.to_uppercase(),
                    base32(bytes).to_lowercase(),
                    base32(bytes),
                    hexadecimal,
                    decimal[..39].to_owned(),
                ] {
                    assert!(likely_bits(&text) >= 128.0, "{text}: {}", likely_bits(&text));
                }
            }
            let short = URL_SAFE_NO_PAD.encode(&bytes[..15]);
            assert!(likely_bits(&short) < 128.0 && most_bits(&short) < 128.0, "{short}");
            for short in [short[1..].to_owned(), base32(&bytes[..15]), hex(&bytes[..15])] {
                assert!(likely_bits(&short) < 128.0, "{short}");
            }
            // A number whose first digit happened to be a zero.
            for number in [
                &hex(&bytes[..16])[1..],
                &base32(&bytes[..16])[1..],
                &URL_SAFE_NO_PAD.encode(&bytes[..16])[1..],
            ] {
                assert!(likely_bits(number) >= 128.0 && most_bits(number) >= 128.0, "{number}");
            }
            assert!(likely_bits(&ids.uuid()) < 128.0);
        }
    }

    #[test]
    fn a_pattern_of_any_length_has_too_little_entropy() {
        let digits = "0123456789".repeat(8);
        let same = "7".repeat(100);
        let word = "correct-horse".repeat(10);
        let hexadecimal = "deadbeef".repeat(16);
        let two = "0110100110010110100101100110100110010110011010010110100110010110";
        for text in [
            "a",
            "7",
            "",
            "====",
            &digits,
            &same,
            &word,
            &hexadecimal,
            two,
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            "1234567890123456789012345678901234567890",
            "98765432109876543210987654321098765432109876543210",
            "111122223333444455556666777788889999",
            "314159265358979323846",
            "a1b2c3d4e5",
            "c3a1-4f5b-9d2e-8a7c",
        ] {
            assert!(likely_bits(text) < 128.0, "{text}: {}", likely_bits(text));
        }
    }

    #[test]
    fn sixteen_bytes_repeated_count_as_sixteen_bytes() {
        let token = "9f86d081884c7d659a2feaa0c55ad015".repeat(2);
        assert!(likely_bits(&token) >= 128.0);
    }
}
