//! Every kind of key file, read by both backends: what one signs the other verifies.
#![cfg(all(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
#![allow(missing_docs)]

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use ciba_core::{
    Entropy, SoftwareKey,
    crypto::{AwsLcRs, KeyImporter, KeyRejected, OwnedPublicKey, RustCrypto},
    jose::{JwsAlgorithm, KeyMemberFault},
    keys::KeyFileError,
};

const RSA_PKCS8: &str = include_str!("../../../tests/data/keys/rsa-2048.pkcs8.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/data/keys/rsa-2048.pkcs1.pem");
const RSA_1024: &str = include_str!("../../../tests/data/keys/rsa-1024.pkcs8.pem");
const P256_SEC1: &str = include_str!("../../../tests/data/keys/ec-p256.sec1.pem");
const P256_PKCS8: &str = include_str!("../../../tests/data/keys/ec-p256.pkcs8.pem");
const P384_SEC1: &str = include_str!("../../../tests/data/keys/ec-p384.sec1.pem");
const P384_PKCS8: &str = include_str!("../../../tests/data/keys/ec-p384.pkcs8.pem");
const P521_SEC1: &str = include_str!("../../../tests/data/keys/ec-p521.sec1.pem");
const P521_PKCS8: &str = include_str!("../../../tests/data/keys/ec-p521.pkcs8.pem");
const ED25519: &str = include_str!("../../../tests/data/keys/ed25519.pkcs8.pem");

const ENCRYPTED: [&str; 2] = [
    include_str!("../../../tests/data/keys/ec-p256.encrypted.pem"),
    include_str!("../../../tests/data/keys/rsa-2048.encrypted-pkcs1.pem"),
];
const PUBLIC: &str = include_str!("../../../tests/data/keys/ec-p256.public.pem");
const CERTIFICATE: &str = include_str!("../../../tests/data/keys/ec-p256.certificate.pem");
const ED448: &str = include_str!("../../../tests/data/keys/ed448.pkcs8.pem");
const SECP256K1: &str = include_str!("../../../tests/data/keys/ec-secp256k1.pkcs8.pem");

const BACKENDS: [&dyn KeyImporter; 2] = [&RustCrypto, &AwsLcRs];

fn entropy() -> Entropy {
    Entropy::from_bytes([9; 32])
}

fn cross_check(key: &SoftwareKey) {
    let signature = key.sign_message(b"message", entropy()).unwrap();
    for verifier in BACKENDS {
        let public = verifier.import(key.public_key().borrow(), key.algorithm()).unwrap();
        assert_eq!(public.verify(b"message", &signature), Ok(()), "{}", key.algorithm());
        assert!(public.verify(b"massage", &signature).is_err(), "{}", key.algorithm());
    }
}

/// REQ-AUTH-20b
#[test]
fn a_key_file_is_accepted_only_for_the_algorithms_of_its_key_type() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    let files: [(&str, &[JwsAlgorithm]); 9] = [
        (RSA_PKCS8, &rsa),
        (RSA_PKCS1, &rsa),
        (P256_SEC1, &[Es256]),
        (P256_PKCS8, &[Es256]),
        (P384_SEC1, &[Es384]),
        (P384_PKCS8, &[Es384]),
        (P521_SEC1, &[Es512]),
        (P521_PKCS8, &[Es512]),
        (ED25519, &[EdDsa]),
    ];
    for backend in BACKENDS {
        for (pem, fitting) in files {
            for algorithm in JwsAlgorithm::ALL {
                match SoftwareKey::import_pem(pem, algorithm, backend) {
                    Ok(key) => {
                        assert!(fitting.contains(&algorithm), "{backend:?} {algorithm}");
                        cross_check(&key);
                    }
                    Err(error) => {
                        assert!(!fitting.contains(&algorithm), "{backend:?} {algorithm} {error:?}");
                        assert_eq!(
                            error,
                            KeyFileError::Rejected(KeyRejected::WrongKind),
                            "{backend:?} {algorithm} {pem:.40}"
                        );
                    }
                }
            }
        }
        let short = SoftwareKey::import_pem(RSA_1024, Rs256, backend).unwrap_err();
        assert!(matches!(short, KeyFileError::Rejected(_)), "{short:?}");
    }
}

#[test]
fn the_algorithm_is_derived_from_the_key() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Ps256, Rs256};
    for (pem, algorithm) in [
        (RSA_PKCS8, Rs256),
        (RSA_PKCS1, Rs256),
        (P256_SEC1, Es256),
        (P256_PKCS8, Es256),
        (P384_SEC1, Es384),
        (P384_PKCS8, Es384),
        (P521_SEC1, Es512),
        (P521_PKCS8, Es512),
        (ED25519, EdDsa),
    ] {
        let key = SoftwareKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        cross_check(&key);
        let file = SoftwareKey::from_file(pem.as_bytes()).unwrap();
        assert_eq!(file.key_id(), key.key_id());
    }
    for (made_for, algorithm) in [(Es256, Es256), (Es512, Es512), (EdDsa, EdDsa), (Ps256, Ps256)] {
        let (_, jwk) = SoftwareKey::generate(made_for, entropy(), &AwsLcRs).unwrap();
        assert_eq!(SoftwareKey::from_jwk(jwk.expose()).unwrap().algorithm(), algorithm);
    }
    let (_, jwk) = SoftwareKey::generate(Ps256, entropy(), &AwsLcRs).unwrap();
    let unmarked = jwk.expose().replace(r#""alg""#, r#""not-an-alg""#);
    assert_eq!(SoftwareKey::from_jwk(&unmarked).unwrap().algorithm(), Rs256);
    assert_eq!(SoftwareKey::from_pem(PUBLIC).unwrap_err(), KeyFileError::NotPrivate);
    // The other form is named, and what reads it.
    let pem = SoftwareKey::from_jwk(P256_SEC1).unwrap_err();
    assert!(pem == KeyFileError::Pem && pem.to_string().contains("from_pem"), "{pem}");
    let jwk = SoftwareKey::from_pem(&format!("\n{unmarked}")).unwrap_err();
    assert!(jwk == KeyFileError::Jwk && jwk.to_string().contains("from_jwk"), "{jwk}");
    for neither in ["", "key", "[]"] {
        assert_eq!(SoftwareKey::from_jwk(neither).unwrap_err(), KeyFileError::Malformed);
        assert_eq!(SoftwareKey::from_pem(neither).unwrap_err(), KeyFileError::Malformed);
    }
}

#[test]
fn a_generated_key_is_read_back_from_its_jwk() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Rs256};
    for backend in BACKENDS {
        for algorithm in [Es256, Es384, Es512, EdDsa, Rs256] {
            let (key, jwk) = SoftwareKey::generate(algorithm, entropy(), backend).unwrap();
            for reader in BACKENDS {
                let again = SoftwareKey::import_jwk(jwk.expose(), None, reader).unwrap();
                assert_eq!((again.key_id(), again.algorithm()), (key.key_id(), algorithm));
                assert_eq!(again.public_key(), key.public_key());
                cross_check(&again);
            }
            let public = SoftwareKey::import_jwk(&key.public_jwk(), None, backend).unwrap_err();
            assert_eq!(public, KeyFileError::NotPrivate);
        }
    }
}

#[test]
fn a_file_without_a_usable_private_key_is_refused_with_the_reason() {
    for backend in BACKENDS {
        let read =
            |pem: &str| SoftwareKey::import_pem(pem, JwsAlgorithm::Es256, backend).unwrap_err();
        for pem in ENCRYPTED {
            assert_eq!(read(pem), KeyFileError::Encrypted);
        }
        assert_eq!(read(PUBLIC), KeyFileError::NotPrivate);
        assert_eq!(read(CERTIFICATE), KeyFileError::Certificate);
        for pem in [ED448, SECP256K1] {
            assert_eq!(read(pem), KeyFileError::Unsupported, "{backend:?} {pem:.40}");
        }
        let cut = &P256_PKCS8[..P256_PKCS8.len() - 10];
        let long = "-".repeat(1 << 20);
        for pem in [
            "",
            "-----BEGIN PRIVATE KEY-----",
            cut,
            &long,
            "-----BEGIN X-----\nAA==\n-----END X-----",
        ] {
            assert_eq!(read(pem), KeyFileError::Malformed);
        }
        let symmetric =
            SoftwareKey::import_jwk(r#"{"kty":"oct","k":"AAAA"}"#, None, backend).unwrap_err();
        assert_eq!(symmetric, KeyFileError::Symmetric);
    }
}

#[test]
fn a_jwk_that_is_not_a_usable_private_key_is_refused_with_the_reason() {
    use KeyMemberFault::{Length, Missing, NotBase64, NotText};
    let (_, ec) = SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &RustCrypto).unwrap();
    let (_, rsa) = SoftwareKey::generate(JwsAlgorithm::Rs256, entropy(), &RustCrypto).unwrap();
    let (ec, rsa) = (ec.expose(), rsa.expose());
    let without = |jwk: &str, name: &str| jwk.replace(&format!(r#""{name}":"#), r#""x-":"#);
    let bad = |jwk: &str, name: &str, value: &str| {
        let (head, tail) = jwk.split_once(&format!(r#""{name}":""#)).unwrap();
        format!(r#"{head}"{name}":{value}{}"#, tail.split_once('"').unwrap().1)
    };
    let member = |name, fault| KeyFileError::Member { name, fault };
    for (jwk, why) in [
        (format!(r#"{{"keys":[{ec}]}}"#), KeyFileError::Set),
        (r#"{"keys":[]}"#.to_owned(), KeyFileError::Set),
        (ec.replace("P-256", "P-521"), KeyFileError::Rejected(KeyRejected::WrongKind)),
        (ec.replace("P-256", "P-224"), KeyFileError::Unsupported),
        (ec.replace("P-256", "secp256k1"), KeyFileError::Unsupported),
        (
            r#"{"kty":"OKP","crv":"Ed448","x":"AAAA","d":"AAAA"}"#.to_owned(),
            KeyFileError::Unsupported,
        ),
        (ec.replace(r#""EC""#, r#""AKP""#), KeyFileError::Unsupported),
        (without(rsa, "p"), KeyFileError::PrimesMissing),
        (without(rsa, "qi"), KeyFileError::PrimesMissing),
        (without(rsa, "d"), KeyFileError::NotPrivate),
        (without(ec, "d"), KeyFileError::NotPrivate),
        (without(ec, "kty"), member("kty", Missing)),
        (without(ec, "x"), member("x", Missing)),
        (without(rsa, "e"), member("e", Missing)),
        (bad(ec, "y", "7"), member("y", NotText)),
        (bad(ec, "d", r#""no base64!""#), member("d", NotBase64)),
        (bad(ec, "d", &format!(r#""{}""#, "A".repeat(43))), member("d", Length)),
        (bad(ec, "x", &format!(r#""{}""#, "B".repeat(60))), member("x", Length)),
        (bad(rsa, "dq", "null"), member("dq", Missing)),
        (bad(rsa, "n", r#""""#), member("n", Length)),
        (bad(ec, "kid", "[]"), member("kid", NotText)),
    ] {
        for backend in BACKENDS {
            let algorithm =
                Some(if jwk.contains("RSA") { JwsAlgorithm::Rs256 } else { JwsAlgorithm::Es256 });
            assert_eq!(
                SoftwareKey::import_jwk(&jwk, algorithm, backend).map(drop),
                Err(why),
                "{backend:?}"
            );
        }
    }
}

/// The content of a PEM file.
fn der(pem: &str) -> Vec<u8> {
    let key = pem.split("-----BEGIN ").find(|block| block.contains("PRIVATE KEY-----")).unwrap();
    let lines = key.lines().skip(1).take_while(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

fn read_der(
    label: &str,
    der: &[u8],
    algorithm: JwsAlgorithm,
    backend: &dyn KeyImporter,
) -> Result<SoftwareKey, KeyFileError> {
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
    SoftwareKey::import_pem(&pem, algorithm, backend)
}

/// A document with something more at the end of its outermost sequence.
fn with_more_inside(der: &[u8], more: &[u8]) -> Vec<u8> {
    let header = if der[1] < 0x80 { 2 } else { 2 + usize::from(der[1] & 0x7f) };
    let content = [&der[header..], more].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = match length {
        [0, short] if short < 0x80 => vec![short],
        [0, one] => vec![0x81, one],
        [high, low] => vec![0x82, high, low],
    };
    [&[0x30], &length[..], &content].concat()
}

/// REQ-AUTH-20b
#[test]
fn a_pkcs8_document_must_name_its_key_type_and_have_no_trailing_bytes() {
    // Where the last octet of the object identifier rsaEncryption, and its parameters, NULL, are.
    const KIND: usize = 19;
    let good = der(RSA_PKCS8);
    assert_eq!(
        good[KIND - 10..=KIND + 2],
        [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]
    );
    let changed = |at: usize, octet: u8| {
        let mut document = good.clone();
        document[at] = octet;
        document
    };
    // A key usage, as some tools add it (RFC 5208 5).
    let attributes = [
        0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x31, 0x06, 0x03, 0x04, 0x00, 0x80,
        0x00, 0x00,
    ];
    let wrong = KeyFileError::Rejected(KeyRejected::WrongKind);
    let refused = [
        ("a key for PSS only", changed(KIND, 10), KeyFileError::Unsupported),
        ("a key for OAEP only", changed(KIND, 7), KeyFileError::Unsupported),
        ("other parameters", changed(KIND + 1, 2), wrong),
        ("another version", changed(6, 1), wrong),
        ("an octet behind it", [&good[..], &[0]].concat(), wrong),
        ("something behind the key", with_more_inside(&good, &[5, 0]), wrong),
        (
            "something behind the attributes",
            with_more_inside(&good, &[&attributes[..], &[5, 0]].concat()),
            wrong,
        ),
    ];
    for backend in BACKENDS {
        for algorithm in [JwsAlgorithm::Rs256, JwsAlgorithm::Ps256] {
            for (what, document, why) in &refused {
                let key = read_der("PRIVATE KEY", document, algorithm, backend).map(drop);
                assert_eq!(key, Err(*why), "{what} with {backend:?}");
            }
            cross_check(
                &read_der("PRIVATE KEY", &with_more_inside(&good, &attributes), algorithm, backend)
                    .unwrap(),
            );
        }
        for (pem, algorithm) in [
            (P256_PKCS8, JwsAlgorithm::Es256),
            (P384_PKCS8, JwsAlgorithm::Es384),
            (P521_PKCS8, JwsAlgorithm::Es512),
            (ED25519, JwsAlgorithm::EdDsa),
        ] {
            let key = read_der("PRIVATE KEY", &[&der(pem)[..], &[0]].concat(), algorithm, backend)
                .map(drop);
            assert_eq!(
                key,
                Err(KeyFileError::Rejected(KeyRejected::WrongKind)),
                "{algorithm} with {backend:?}"
            );
        }
    }
}

#[test]
fn a_public_key_stored_with_a_private_one_must_match_it() {
    for backend in BACKENDS {
        for (pem, algorithm, width) in [
            (P256_SEC1, JwsAlgorithm::Es256, 32),
            (P384_SEC1, JwsAlgorithm::Es384, 48),
            (P521_SEC1, JwsAlgorithm::Es512, 66),
        ] {
            let read = |document: &[u8]| read_der("EC PRIVATE KEY", document, algorithm, backend);
            let good = der(pem);
            let public = good.len() - 2 * width - 1;
            assert_eq!(good[public], 4, "an uncompressed point ends the document");
            cross_check(&read(&good).unwrap());
            for at in [public, public + 1, good.len() - 1] {
                let mut other = good.clone();
                other[at] ^= 1;
                assert_eq!(
                    read(&other).map(drop),
                    Err(KeyFileError::Malformed),
                    "octet {at} with {backend:?}"
                );
            }
            for more in [&[5, 0][..], &[0xa1, 0], &[0]] {
                assert!(read(&with_more_inside(&good, more)).is_err(), "{more:?} with {backend:?}");
            }
        }
    }
}

#[test]
fn a_jwk_for_another_use_than_signatures_is_refused() {
    let (_, jwk) = SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &RustCrypto).unwrap();
    let signs = r#""use":"sig""#;
    assert!(jwk.expose().contains(signs));
    for (members, reads) in [
        (signs, true),
        (r#""use":null"#, true),
        (r#""key_ops":["sign"]"#, true),
        (r#""use":"sig","key_ops":["sign","verify"]"#, true),
        (r#""use":"enc""#, false),
        (r#""use":"enc","key_ops":["sign"]"#, false),
        (r#""use":1"#, false),
        (r#""key_ops":["verify"]"#, false),
        (r#""key_ops":["deriveBits"]"#, false),
        (r#""key_ops":[]"#, true),
        (r#""key_ops":"sign""#, false),
    ] {
        for backend in BACKENDS {
            let key = SoftwareKey::import_jwk(&jwk.expose().replace(signs, members), None, backend)
                .map(drop);
            assert_eq!(
                key,
                if reads { Ok(()) } else { Err(KeyFileError::NotForSigning) },
                "{members}"
            );
        }
    }
}

/// A JWK with its numbers spelled otherwise.
fn respelled(jwk: &str, spell: &dyn Fn(Vec<u8>) -> String) -> String {
    let mut members: serde_json::Value = serde_json::from_str(jwk).unwrap();
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y"] {
        if let Some(number) = members.get_mut(name) {
            let bytes = URL_SAFE_NO_PAD.decode(number.as_str().unwrap()).unwrap();
            *number = spell(bytes).into();
        }
    }
    members.to_string()
}

#[test]
fn numbers_of_a_private_jwk_are_read_in_every_spelling_and_padded_to_their_width() {
    let padded = |bytes: Vec<u8>| STANDARD.encode([&[0], &bytes[..]].concat());
    let short = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(&bytes[usize::from(bytes[0] == 0)..]);
    let spellings: [&dyn Fn(Vec<u8>) -> String; 4] =
        [&|bytes| STANDARD.encode(bytes), &|bytes| URL_SAFE.encode(bytes), &short, &padded];
    let with_a_zero = (0..=255).find_map(|seed| {
        let seed = Entropy::from_bytes([seed; 32]);
        let (key, jwk) = SoftwareKey::generate(JwsAlgorithm::Es256, seed, &RustCrypto).unwrap();
        let OwnedPublicKey::Ec { x, y, .. } = key.public_key() else { panic!() };
        (x[0] == 0 || y[0] == 0).then_some((key, jwk))
    });
    let rsa = SoftwareKey::generate(JwsAlgorithm::Rs256, entropy(), &RustCrypto).unwrap();
    for (key, jwk) in [with_a_zero.unwrap(), rsa] {
        for (at, spell) in spellings.iter().enumerate() {
            for backend in BACKENDS {
                let read = SoftwareKey::import_jwk(
                    &respelled(jwk.expose(), spell),
                    Some(key.algorithm()),
                    backend,
                );
                let read = read.unwrap_or_else(|error| {
                    panic!("spelling {at} of {}: {error}", key.algorithm())
                });
                assert_eq!(read.public_key(), key.public_key());
                cross_check(&read);
            }
        }
    }
}

fn utf_16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// What somebody may have at hand instead of a key file is read, or named.
#[test]
fn a_key_file_of_every_format_is_accepted_or_refused_by_name() {
    const PKCS12: &[u8] = include_bytes!("../../../tests/data/keys/ec-p256.p12");
    const OPENSSH: &str = include_str!("../../../tests/data/keys/ec-p256.openssh");
    let jwk = SoftwareKey::generate(JwsAlgorithm::Es256, entropy(), &RustCrypto).unwrap().1;
    let jwk = jwk.expose();
    let escaped = |pem: &str, end: &str| pem.replace('\n', end).into_bytes();
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    let block = |label: &str, pem: &str| der(&pem.replace(label, "PRIVATE KEY"));
    let read: [(&str, Vec<u8>); 9] = [
        ("PEM", P256_PKCS8.into()),
        ("PEM with a byte order mark", marked(P256_PKCS8)),
        ("a JWK with a byte order mark", marked(jwk)),
        ("a JWK after empty lines", format!("\n\n{jwk}\n").into()),
        ("PEM with \\n", escaped(P256_PKCS8, "\\n")),
        ("PEM with \\r\\n", escaped(P256_SEC1, "\\r\\n")),
        ("PEM with \\n in quotes", format!("\"{}\"", P256_PKCS8.replace('\n', "\\n")).into()),
        ("PEM with line ends of Windows", escaped(P256_PKCS8, "\r\n")),
        ("PEM behind a certificate", format!("{CERTIFICATE}{P256_PKCS8}").into()),
    ];
    let named: [(&str, Vec<u8>, KeyFileError); 14] = [
        ("DER of PKCS#8", der(P256_PKCS8), KeyFileError::Der),
        ("DER of SEC1", der(P256_SEC1), KeyFileError::Der),
        ("DER of PKCS#1", der(RSA_PKCS1), KeyFileError::Der),
        ("DER, encrypted", block("ENCRYPTED PRIVATE KEY", ENCRYPTED[0]), KeyFileError::Encrypted),
        ("DER of a public key", block("PUBLIC KEY", PUBLIC), KeyFileError::NotPrivate),
        ("DER of a certificate", block("CERTIFICATE", CERTIFICATE), KeyFileError::Certificate),
        ("PKCS#12", PKCS12.into(), KeyFileError::KeyStore),
        (
            "a Java key store",
            [&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2][..], &[0; 40]].concat(),
            KeyFileError::KeyStore,
        ),
        ("OpenSSH", OPENSSH.into(), KeyFileError::OpenSsh),
        (
            "UTF-16LE",
            utf_16(&format!("\u{feff}{P256_PKCS8}"), u16::to_le_bytes),
            KeyFileError::Utf16,
        ),
        ("UTF-16BE", utf_16(&format!("\u{feff}{jwk}"), u16::to_be_bytes), KeyFileError::Utf16),
        ("UTF-16LE without a mark", utf_16(P256_PKCS8, u16::to_le_bytes), KeyFileError::Utf16),
        ("UTF-16BE without a mark", utf_16(P256_PKCS8, u16::to_be_bytes), KeyFileError::Utf16),
        ("something", vec![1, 2, 3, 0xff], KeyFileError::Malformed),
    ];
    for backend in BACKENDS {
        for (what, bytes) in &read {
            for algorithm in [None, Some(JwsAlgorithm::Es256)] {
                let key = SoftwareKey::import_file(bytes, algorithm, backend);
                assert_eq!(key.map(|key| key.algorithm()), Ok(JwsAlgorithm::Es256), "{what}");
            }
        }
        for (what, bytes, why) in &named {
            assert_eq!(
                SoftwareKey::import_file(bytes, None, backend).map(drop),
                Err(*why),
                "{what}"
            );
        }
        let rsa = SoftwareKey::import_file(RSA_PKCS8.as_bytes(), None, backend);
        assert_eq!(rsa.map(|key| key.algorithm()), Ok(JwsAlgorithm::Rs256));
    }
}
