//! The DER structures that translate between a JWK, PEM file or certificate and a backend: RSA keys
//! (RFC 8017 appendix A.1), EC private keys (RFC 5915), and the public key in a certificate
//! (RFC 5280 section 4.1).

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::{crypto::OwnedPublicKey, jose::Curve};

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// `[0]`, explicit.
const PARAMETERS: u8 = 0xa0;
/// `[1]`, explicit.
const PUBLIC_KEY: u8 = 0xa1;
/// `[0]`, implicit.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
const ATTRIBUTES: u8 = 0xa0;

/// `rsaEncryption` with its NULL parameters (RFC 8017 appendix A.1).
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
const RSA_ENCRYPTION: &[u8] =
    &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

const P256_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384_OID: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521_OID: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC_OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519_OID: &[u8] = &[0x2b, 0x65, 0x70];
const X25519_OID: &[u8] = &[0x2b, 0x65, 0x6e];

/// Writes one element: tag, length, content.
fn element(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let length = content.len().to_be_bytes();
    let significant =
        length.iter().position(|byte| *byte != 0).and_then(|at| length.get(at..)).unwrap_or(&[0]);
    match significant {
        // DER requires the short form wherever it fits (X.690 section 10.1).
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A length has at most eight octets on every platform.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
}

/// Writes a non-negative big-endian integer in minimal form: leading zeros are dropped, and one is
/// added if the first bit is set.
fn integer(bytes: &[u8], out: &mut Vec<u8>) {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    let mut content = Zeroizing::new(Vec::with_capacity(digits.len().saturating_add(1)));
    if digits.first().is_none_or(|byte| *byte >= 0x80) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    element(INTEGER, &content, out);
}

fn sequence_of_integers(integers: &[&[u8]]) -> Vec<u8> {
    // Allocated once, because a reallocation would leave a copy of a private key behind.
    let room = integers.iter().map(|bytes| bytes.len().saturating_add(6)).sum();
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    for bytes in integers {
        integer(bytes, &mut content);
    }
    // Tag and length of an element take at most six bytes for these sizes.
    let mut out = Vec::with_capacity(room.saturating_add(6));
    element(SEQUENCE, &content, &mut out);
    out
}

/// Writes an `RSAPublicKey`.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn rsa_public_key(n: &[u8], e: &[u8]) -> Vec<u8> {
    sequence_of_integers(&[n, e])
}

/// Reads an `RSAPublicKey` and returns modulus and exponent.
pub(crate) fn read_rsa_public_key(mut input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    let (n, e) = (take(INTEGER, &mut content)?, take(INTEGER, &mut content)?);
    // The zero octet that keeps a DER integer positive is not part of a JWK number.
    Some((n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e)))
}

/// The numbers of an RSA private key in the order of `RSAPrivateKey`: n, e, d, p, q, dp, dq, qi.
pub(crate) type RsaNumbers<'a> = [&'a [u8]; 8];

/// Writes an `RSAPrivateKey` with two primes.
pub(crate) fn rsa_private_key(numbers: RsaNumbers<'_>) -> Zeroizing<Vec<u8>> {
    let [n, e, d, p, q, dp, dq, qi] = numbers;
    // Version 0 means two primes (RFC 8017 appendix A.1.2).
    Zeroizing::new(sequence_of_integers(&[&[0], n, e, d, p, q, dp, dq, qi]))
}

/// Writes an `ECPrivateKey` with its curve.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn ec_private_key(curve: Curve, d: &[u8]) -> Zeroizing<Vec<u8>> {
    let oid = match curve {
        Curve::P256 => P256_OID,
        Curve::P384 => P384_OID,
        Curve::P521 => P521_OID,
    };
    let mut content = Zeroizing::new(Vec::with_capacity(d.len().saturating_add(32)));
    // The version (RFC 5915 section 3).
    integer(&[1], &mut content);
    element(OCTET_STRING, d, &mut content);
    let mut parameters = Vec::new();
    element(OBJECT_IDENTIFIER, oid, &mut parameters);
    element(PARAMETERS, &parameters, &mut content);
    let mut out = Zeroizing::new(Vec::with_capacity(content.len().saturating_add(6)));
    element(SEQUENCE, &content, &mut out);
    out
}

/// Takes one element with the given tag from the front of the input.
fn take<'a>(tag: u8, input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (found, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..0x80 => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            // DER has one encoding for each length. A second one could hide bytes from another
            // parser.
            let is_minimal = digits.first().is_some_and(|digit| *digit != 0) && digits.len() <= 4;
            let length = digits
                .iter()
                .try_fold(0_usize, |sum, digit| sum.checked_mul(256)?.checked_add((*digit).into()));
            (length.filter(|length| is_minimal && *length >= 0x80)?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    // Checked after the length, so that the input advances only over a whole element.
    if *found != tag {
        return None;
    }
    *input = rest;
    Some(content)
}

/// The content of an `ECPrivateKey`.
pub(crate) struct EcPrivateKey<'a> {
    pub(crate) curve: Curve,
    pub(crate) d: &'a [u8],
    /// The public key as a SEC1 point, if present. The caller must check that it belongs to `d`.
    pub(crate) point: Option<&'a [u8]>,
}

/// Reads an `ECPrivateKey`, which is the content of a SEC1 PEM file.
pub(crate) fn read_ec_private_key(mut input: &[u8]) -> Option<EcPrivateKey<'_>> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    take(INTEGER, &mut content).filter(|version| *version == [1])?;
    let d = take(OCTET_STRING, &mut content)?;
    let mut parameters = take(PARAMETERS, &mut content)?;
    let curve = curve(take(OBJECT_IDENTIFIER, &mut parameters)?)?;
    let point = match content {
        [] => None,
        _ => {
            let mut bits = take(PUBLIC_KEY, &mut content)?;
            // The first octet counts the unused bits of the last one, which must be zero.
            let point = take(BIT_STRING, &mut bits)?.strip_prefix(&[0])?;
            bits.is_empty().then_some(Some(point))?
        }
    };
    let is_whole = content.is_empty() && parameters.is_empty() && d.len() == curve.width();
    is_whole.then_some(EcPrivateKey { curve, d, point })
}

fn curve(oid: &[u8]) -> Option<Curve> {
    match oid {
        P256_OID => Some(Curve::P256),
        P384_OID => Some(Curve::P384),
        P521_OID => Some(Curve::P521),
        _ => None,
    }
}

/// Reads the public key in a certificate, if it is of a supported kind. The rest of the certificate
/// is ignored.
pub(crate) fn read_certificate_key(mut input: &[u8]) -> Option<OwnedPublicKey> {
    let mut certificate = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    let mut body = take(SEQUENCE, &mut certificate)?;
    // The version has the same tag as EC parameters. Only version 1 certificates omit it.
    let _version = take(PARAMETERS, &mut body);
    take(INTEGER, &mut body)?;
    // Signature algorithm, issuer, validity, subject.
    for _ in 0..4 {
        take(SEQUENCE, &mut body)?;
    }
    let mut info = take(SEQUENCE, &mut body)?;
    let mut algorithm = take(SEQUENCE, &mut info)?;
    let (unused, mut key) = take(BIT_STRING, &mut info)?.split_first()?;
    // Every supported key consists of whole octets.
    if *unused != 0 {
        return None;
    }
    match take(OBJECT_IDENTIFIER, &mut algorithm)? {
        RSA_OID => {
            let (n, e) = read_rsa_public_key(key)?;
            Some(OwnedPublicKey::Rsa { n: n.into(), e: e.into() })
        }
        EC_OID => {
            let curve = curve(take(OBJECT_IDENTIFIER, &mut algorithm)?)?;
            // Certificates with compressed points are rare, and a JWK needs both coordinates.
            key = key.strip_prefix(&[0x04])?;
            let (x, y) =
                key.split_at_checked(curve.width()).filter(|(_, y)| y.len() == curve.width())?;
            Some(OwnedPublicKey::Ec { curve, x: x.into(), y: y.into() })
        }
        ED25519_OID if key.len() == 32 => Some(OwnedPublicKey::Ed25519 { x: key.into() }),
        _ => None,
    }
}

/// Reads an `RSAPrivateKey` with two primes.
pub(crate) fn read_rsa_private_key(mut input: &[u8]) -> Option<RsaNumbers<'_>> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    take(INTEGER, &mut content).filter(|version| *version == [0])?;
    let mut numbers: RsaNumbers<'_> = [&[]; 8];
    for number in &mut numbers {
        let digits = take(INTEGER, &mut content)?;
        *number = digits.strip_prefix(&[0]).unwrap_or(digits);
    }
    content.is_empty().then_some(numbers)
}

/// Returns the `RSAPrivateKey` in a PKCS#8 document (RFC 5208). A key restricted to PSS or to
/// encryption is not accepted.
#[cfg(any(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
pub(crate) fn read_rsa_pkcs8(mut input: &[u8]) -> Option<&[u8]> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    take(INTEGER, &mut content).filter(|version| *version == [0])?;
    take(SEQUENCE, &mut content).filter(|algorithm| *algorithm == RSA_ENCRYPTION)?;
    let key = take(OCTET_STRING, &mut content)?;
    // Attributes may follow. They have no effect on the key.
    if !content.is_empty() {
        take(ATTRIBUTES, &mut content)?;
    }
    content.is_empty().then_some(key)
}

/// Writes the PKCS#8 document of an `RSAPrivateKey`.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn rsa_pkcs8(key: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut content = Zeroizing::new(Vec::with_capacity(key.len().saturating_add(32)));
    integer(&[0], &mut content);
    element(SEQUENCE, RSA_ENCRYPTION, &mut content);
    element(OCTET_STRING, key, &mut content);
    let mut out = Zeroizing::new(Vec::with_capacity(content.len().saturating_add(6)));
    element(SEQUENCE, &content, &mut out);
    out
}

/// Returns the private key in a PKCS#8 document of an X25519 key (RFC 8410 section 7).
pub(crate) fn read_x25519_pkcs8(mut input: &[u8]) -> Option<&[u8]> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    // Version 2 has the public key as well, which is not needed.
    take(INTEGER, &mut content).filter(|version| matches!(version, [0 | 1]))?;
    let mut algorithm = take(SEQUENCE, &mut content)?;
    take(OBJECT_IDENTIFIER, &mut algorithm).filter(|oid| *oid == X25519_OID)?;
    let mut key = take(OCTET_STRING, &mut content)?;
    take(OCTET_STRING, &mut key).filter(|d| d.len() == 32 && key.is_empty())
}

/// Whether a PKCS#8 document names an unsupported kind of key or an unsupported curve.
pub(crate) fn is_of_other_kind(mut input: &[u8]) -> bool {
    let mut named = || {
        let mut content = take(SEQUENCE, &mut input)?;
        take(INTEGER, &mut content)?;
        let mut algorithm = take(SEQUENCE, &mut content)?;
        let kind = take(OBJECT_IDENTIFIER, &mut algorithm)?;
        Some(match kind {
            RSA_OID | ED25519_OID => true,
            EC_OID => curve(take(OBJECT_IDENTIFIER, &mut algorithm)?).is_some(),
            _ => false,
        })
    };
    named() == Some(false)
}

/// Whether an `ECPrivateKey` names an unsupported curve.
pub(crate) fn is_on_other_curve(mut input: &[u8]) -> bool {
    let mut named = || {
        let mut content = take(SEQUENCE, &mut input)?;
        take(INTEGER, &mut content)?;
        take(OCTET_STRING, &mut content)?;
        let mut parameters = take(PARAMETERS, &mut content)?;
        take(OBJECT_IDENTIFIER, &mut parameters).map(curve)
    };
    named() == Some(None)
}

/// Reads an `ECDSA-Sig-Value` (RFC 3279 section 2.2.3) and returns R and S. Negative numbers are
/// rejected: DER writes a leading zero before a positive number whose first bit is set.
pub(crate) fn read_ecdsa_signature(mut input: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut content = take(SEQUENCE, &mut input).filter(|_| input.is_empty())?;
    let mut number = || {
        take(INTEGER, &mut content)
            .filter(|digits| digits.first().is_some_and(|octet| *octet < 0x80))
    };
    let (r, s) = (number()?, number()?);
    content.is_empty().then_some((r, s))
}

/// The kinds of files that are not UTF-8 strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotText {
    Utf16,
    KeyStore,
    Encrypted,
    PrivateKey,
    PublicKey,
    Certificate,
    Unknown,
}

/// Identifies a key file that is not a UTF-8 string.
pub(crate) fn told_apart(bytes: &[u8]) -> NotText {
    let has_zeros = bytes.iter().take(64).any(|byte| *byte == 0);
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, 0, 0xfe, 0xff, ..] => NotText::Utf16,
        // The two older Java key stores, and a PKCS#12 store in BER, version 3.
        [0xfe, 0xed, 0xfe, 0xed, ..]
        | [0xce, 0xce, 0xce, 0xce, ..]
        | [SEQUENCE, 0x80, INTEGER, 1, 3, ..] => NotText::KeyStore,
        [SEQUENCE, ..] => document_told_apart(bytes).unwrap_or(NotText::Unknown),
        // UTF-16 without a byte order mark: every other octet of ASCII text is zero.
        [0, _, ..] | [_, 0, ..] if has_zeros => NotText::Utf16,
        _ => NotText::Unknown,
    }
}

fn document_told_apart(mut input: &[u8]) -> Option<NotText> {
    let mut content = take(SEQUENCE, &mut input)?;
    if let Some(version) = take(INTEGER, &mut content) {
        // PFX (RFC 7292 section 4) has version 3, followed by a sequence; keys have version 0 or 1.
        let is_store = *version == [3] && take(SEQUENCE, &mut content).is_some();
        let is_key = matches!(version, [0 | 1]);
        return match (is_store, is_key) {
            (true, _) => Some(NotText::KeyStore),
            (false, true) => Some(NotText::PrivateKey),
            // Otherwise these are the two integers of an RSA public key.
            (false, false) => Some(NotText::PublicKey),
        };
    }
    let mut first = take(SEQUENCE, &mut content)?;
    // The two others begin with an algorithm, and a certificate with its version or number.
    Some(match take(OBJECT_IDENTIFIER, &mut first) {
        None => NotText::Certificate,
        Some(_) if take(OCTET_STRING, &mut content).is_some() => NotText::Encrypted,
        Some(_) => NotText::PublicKey,
    })
}

/// Whether a document is exactly one sequence without trailing bytes.
#[cfg(feature = "aws-lc-rs")]
pub(crate) fn is_one_sequence(mut input: &[u8]) -> bool {
    take(SEQUENCE, &mut input).is_some() && input.is_empty()
}
