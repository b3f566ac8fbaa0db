//! The form of a signature in a JWS (RFC 7518 section 3).

use alloc::vec::Vec;
use core::fmt;

use super::{JwsAlgorithm, der};

/// Converts an ECDSA signature from DER to the form that JWS requires: R and S with fixed width
/// ([RFC 7518 section 3.4]).
///
/// Most key management services return DER (`ECDSA-Sig-Value`, [RFC 3279 section 2.2.3]), as do
/// OpenSSL and the PKCS#11 wrappers built on it. Missing or superfluous leading zero octets are
/// corrected.
///
/// # Errors
///
/// Returns [`NotEcdsaDer`] if the bytes are not such a signature, or not one on the algorithm's
/// curve. A signature that already has the fixed width is an error too, because it is not DER.
///
/// # Examples
///
/// ```
/// use ciba_core::jose::{JwsAlgorithm, ecdsa_from_der};
///
/// let der = [0x30, 0x06, 0x02, 0x01, 0x05, 0x02, 0x01, 0x07];
/// let signature = ecdsa_from_der(&der, JwsAlgorithm::Es256)?;
/// assert_eq!((signature.len(), signature[31], signature[63]), (64, 5, 7));
/// # Ok::<(), ciba_core::jose::NotEcdsaDer>(())
/// ```
///
/// [RFC 7518 section 3.4]: https://www.rfc-editor.org/rfc/rfc7518#section-3.4
/// [RFC 3279 section 2.2.3]: https://www.rfc-editor.org/rfc/rfc3279#section-2.2.3
pub fn ecdsa_from_der(signature: &[u8], algorithm: JwsAlgorithm) -> Result<Vec<u8>, NotEcdsaDer> {
    let width = algorithm.curve().ok_or(NotEcdsaDer)?.width();
    let (r, s) = der::read_ecdsa_signature(signature).ok_or(NotEcdsaDer)?;
    let mut fixed = Vec::with_capacity(width.saturating_mul(2));
    for number in [r, s] {
        // Neither R nor S is ever zero (FIPS 186-5 section 6.4).
        let start = number.iter().position(|octet| *octet != 0).ok_or(NotEcdsaDer)?;
        let digits = number.get(start..).unwrap_or_default();
        let zeros = width.checked_sub(digits.len()).ok_or(NotEcdsaDer)?;
        fixed.resize(fixed.len().saturating_add(zeros), 0);
        fixed.extend_from_slice(digits);
    }
    Ok(fixed)
}

/// The error returned if bytes are not a DER-encoded ECDSA signature on the expected curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEcdsaDer;

impl fmt::Display for NotEcdsaDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature is not an ECDSA signature in DER, or is on another curve")
    }
}

impl core::error::Error for NotEcdsaDer {}

/// The error of a signature whose length does not match its algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureLength {
    /// The algorithm.
    pub algorithm: JwsAlgorithm,
    /// The length of the signature that was received, in bytes.
    pub found: usize,
    /// Whether the signature can be read as an ECDSA signature in DER; see [`ecdsa_from_der`].
    pub is_der: bool,
}

impl SignatureLength {
    /// Checks the length of a signature returned by a signer.
    pub(crate) fn check(signature: &[u8], algorithm: JwsAlgorithm) -> Result<(), Self> {
        let found = signature.len();
        let (least, most) = lengths(algorithm);
        if (least..=most).contains(&found) {
            return Ok(());
        }
        Err(Self { algorithm, found, is_der: der::read_ecdsa_signature(signature).is_some() })
    }
}

/// Returns the minimum and maximum length of a signature in bytes.
const fn lengths(algorithm: JwsAlgorithm) -> (usize, usize) {
    match algorithm {
        // RSA keys have 2048 to 8192 bits.
        JwsAlgorithm::Rs256
        | JwsAlgorithm::Rs384
        | JwsAlgorithm::Rs512
        | JwsAlgorithm::Ps256
        | JwsAlgorithm::Ps384
        | JwsAlgorithm::Ps512 => (256, 1024),
        JwsAlgorithm::Es256 | JwsAlgorithm::EdDsa => (64, 64),
        JwsAlgorithm::Es384 => (96, 96),
        JwsAlgorithm::Es512 => (132, 132),
        JwsAlgorithm::Hs256 => (32, 32),
        JwsAlgorithm::Hs384 => (48, 48),
        JwsAlgorithm::Hs512 => (64, 64),
    }
}

impl fmt::Display for SignatureLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, found, is_der } = self;
        match lengths(*algorithm) {
            (least, most) if least == most => {
                write!(f, "a signature of {algorithm} must have {least} bytes, but has {found}")?
            }
            (least, most) => write!(
                f,
                "a signature of {algorithm} must have {least} to {most} bytes, but has {found}"
            )?,
        }
        match is_der {
            true => f.write_str("; it is in DER, convert it with `jose::ecdsa_from_der`"),
            false => Ok(()),
        }
    }
}

impl core::error::Error for SignatureLength {}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString as _, vec};

    use proptest::prelude::*;

    use super::*;

    /// Encodes a number in DER, without leading zeros except one that keeps it positive.
    fn integer(number: &[u8]) -> Vec<u8> {
        let digits: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
        let sign = digits.first().is_none_or(|octet| *octet >= 0x80);
        let digits = if sign { [&[0], &digits[..]].concat() } else { digits };
        [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
    }

    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let content = [integer(r), integer(s)].concat();
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
        [head, content].concat()
    }

    fn numbers(width: usize) -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        // Leading zeros are the error-prone case, so half of the numbers have some.
        let number = move || {
            (0..width, prop::collection::vec(any::<u8>(), width)).prop_map(
                move |(zeros, mut number)| {
                    if zeros < width / 2 {
                        number[..zeros].fill(0);
                    }
                    number[width - 1] |= 1;
                    number
                },
            )
        };
        (number(), number())
    }

    proptest! {
        /// REQ-AUTH-20b
        #[test]
        fn every_signature_written_in_der_is_read_back(small in numbers(32), medium in numbers(48), large in numbers(66)) {
            for (algorithm, (r, s)) in [
                (JwsAlgorithm::Es256, small),
                (JwsAlgorithm::Es384, medium),
                (JwsAlgorithm::Es512, large),
            ] {
                prop_assert_eq!(ecdsa_from_der(&der(&r, &s), algorithm), Ok([r, s].concat()));
            }
        }

        #[test]
        fn no_input_causes_a_panic(bytes: Vec<u8>) {
            for algorithm in JwsAlgorithm::ALL {
                let _ = ecdsa_from_der(&bytes, algorithm);
                let _ = SignatureLength::check(&bytes, algorithm);
            }
        }
    }

    #[test]
    fn bytes_other_than_an_ecdsa_signature_in_der_are_refused() {
        let good = der(&[0x85; 32], &[7; 32]);
        assert!(ecdsa_from_der(&good, JwsAlgorithm::Es256).is_ok());
        for (bytes, why) in [
            (vec![], "nothing"),
            (vec![0x85; 64], "fixed width already"),
            (good[..good.len() - 1].to_vec(), "cut"),
            ([&good[..], &[0]].concat(), "something behind it"),
            (der(&[1; 33], &[7; 32]), "a number of another curve"),
            (der(&[0], &[7; 32]), "zero"),
            (vec![0x30, 3, 2, 1, 5], "one number"),
            (vec![0x30, 9, 2, 1, 5, 2, 1, 7, 2, 1, 1], "three numbers"),
            (vec![0x30, 4, 2, 0, 2, 0], "empty numbers"),
            (vec![0x30, 6, 2, 1, 0x85, 2, 1, 7], "a negative number"),
        ] {
            assert_eq!(ecdsa_from_der(&bytes, JwsAlgorithm::Es256), Err(NotEcdsaDer), "{why}");
        }
        let wide = der(&[1; 67], &[7; 66]);
        assert_eq!(ecdsa_from_der(&wide, JwsAlgorithm::Es512), Err(NotEcdsaDer), "67 octets");
        for algorithm in [JwsAlgorithm::EdDsa, JwsAlgorithm::Rs256, JwsAlgorithm::Hs256] {
            assert_eq!(ecdsa_from_der(&good, algorithm), Err(NotEcdsaDer), "{algorithm}");
        }
    }

    #[test]
    fn a_wrong_length_reports_the_expected_and_the_found_length() {
        let check = |bytes: &[u8], algorithm| SignatureLength::check(bytes, algorithm);
        for (algorithm, good) in [
            (JwsAlgorithm::Es256, 64),
            (JwsAlgorithm::Es384, 96),
            (JwsAlgorithm::Es512, 132),
            (JwsAlgorithm::EdDsa, 64),
            (JwsAlgorithm::Rs256, 256),
            (JwsAlgorithm::Ps512, 1024),
            (JwsAlgorithm::Hs256, 32),
        ] {
            assert_eq!(check(&vec![1; good], algorithm), Ok(()));
            assert!(
                check(&[], algorithm).is_err() && check(&vec![1; good + 1], algorithm).is_err()
                    || good == 256
            );
        }
        let der = der(&[0x85; 32], &[0x85; 32]);
        let found = check(&der, JwsAlgorithm::Es256).unwrap_err();
        assert_eq!(
            found.to_string(),
            "a signature of ES256 must have 64 bytes, but has 72; it is in DER, convert it with `jose::ecdsa_from_der`"
        );
        let found = check(&[1; 12], JwsAlgorithm::Ps256).unwrap_err();
        assert_eq!(
            found.to_string(),
            "a signature of PS256 must have 256 to 1024 bytes, but has 12"
        );
    }
}
