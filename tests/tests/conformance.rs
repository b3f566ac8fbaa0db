//! One suite for all cryptography backends: each verifies what the other signs, and both reject the
//! same inputs.

use std::{fs, path::PathBuf, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ciba_core::{
    Entropy, SoftwareKey,
    crypto::{
        AwsLcRs, Hash, KeyImporter, KeyRejected, OwnedPublicKey, PrivateKey, PublicKey, RustCrypto,
        SigningKey, VerificationKey, Verifier as _,
    },
    jose::{Curve, JwsAlgorithm},
};
use serde_json::Value;

const BACKENDS: [&dyn KeyImporter; 2] = [&RustCrypto, &AwsLcRs];

/// Every asymmetric algorithm, with a key file for it and the length of its signatures.
const ALGORITHMS: [(JwsAlgorithm, &str, usize); 10] = [
    (JwsAlgorithm::Rs256, "rsa-2048.pkcs8.pem", 256),
    (JwsAlgorithm::Rs384, "rsa-2048.pkcs8.pem", 256),
    (JwsAlgorithm::Rs512, "rsa-3072-e3.pkcs8.pem", 384),
    (JwsAlgorithm::Ps256, "rsa-2048.pkcs8.pem", 256),
    (JwsAlgorithm::Ps384, "rsa-3072-e3.pkcs8.pem", 384),
    (JwsAlgorithm::Ps512, "rsa-2048.pkcs8.pem", 256),
    (JwsAlgorithm::Es256, "ec-p256.pkcs8.pem", 64),
    (JwsAlgorithm::Es384, "ec-p384.pkcs8.pem", 96),
    (JwsAlgorithm::Es512, "ec-p521.pkcs8.pem", 132),
    (JwsAlgorithm::EdDsa, "ed25519.pkcs8.pem", 64),
];

fn file(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "data", "keys", name].iter().collect();
    fs::read_to_string(path).expect("the file is in the repository")
}

fn pkcs8(name: &str) -> Vec<u8> {
    let body: String = file(name).lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).expect("PEM")
}

fn entropy(seed: u8) -> Entropy {
    Entropy::from_bytes([seed; 32])
}

fn private(importer: &dyn KeyImporter, name: &str, algorithm: JwsAlgorithm) -> Arc<dyn SigningKey> {
    importer.import_private(PrivateKey::Pkcs8(&pkcs8(name)), algorithm).expect("it fits")
}

fn public(
    importer: &dyn KeyImporter,
    key: &OwnedPublicKey,
    algorithm: JwsAlgorithm,
) -> Arc<dyn VerificationKey> {
    importer.import(key.borrow(), algorithm).expect("it fits")
}

/// REQ-AUTH-21
/// REQ-IDT-07a
#[test]
fn each_backend_verifies_what_the_other_signs() {
    let long = [0x5a; 3000];
    for (algorithm, name, length) in ALGORITHMS {
        for signer in BACKENDS {
            let key = private(signer, name, algorithm);
            assert_eq!(key.algorithm(), algorithm);
            for message in [&b""[..], b"eyJhbGciOiJFUzI1NiJ9.e30", &long] {
                let signature = key.sign(message, entropy(1)).expect("it signs");
                assert_eq!(signature.len(), length, "{algorithm} by {signer:?}");
                for verifier in BACKENDS {
                    let verdict =
                        public(verifier, &key.public_key(), algorithm).verify(message, &signature);
                    assert_eq!(verdict, Ok(()), "{algorithm} by {signer:?} for {verifier:?}");
                }
            }
        }
    }
}

#[test]
fn backends_see_the_same_public_key_in_a_private_one() {
    for (algorithm, name, _) in ALGORITHMS {
        let [one, other] = BACKENDS.map(|importer| private(importer, name, algorithm).public_key());
        assert_eq!(one, other, "{algorithm}");
    }
}

/// REQ-AUTH-21
#[test]
fn r_and_s_keep_their_leading_zeros() {
    // 600 signatures of ES256 have a leading zero with a probability of 99 percent, and with ES512
    // every second number has one. The signatures of this backend are always the same.
    for (algorithm, name, width, rounds) in [
        (JwsAlgorithm::Es256, "ec-p256.pkcs8.pem", 32, 0_u32..600),
        (JwsAlgorithm::Es512, "ec-p521.pkcs8.pem", 66, 0..16),
    ] {
        let key = private(&RustCrypto, name, algorithm);
        let verifier = public(&AwsLcRs, &key.public_key(), algorithm);
        let mut short = 0;
        for round in rounds {
            let signature = key.sign(&round.to_be_bytes(), entropy(1)).expect("it signs");
            assert_eq!(signature.len(), 2 * width);
            if signature[0] == 0 || signature[width] == 0 {
                short += 1;
                assert_eq!(verifier.verify(&round.to_be_bytes(), &signature), Ok(()));
            }
        }
        assert!(short > 0, "{algorithm}");
    }
}

/// REQ-IDT-07a
#[test]
fn only_the_exact_signature_verifies() {
    let message = b"eyJhbGciOiJFUzI1NiJ9.e30";
    for (algorithm, name, length) in ALGORITHMS {
        let key = private(&RustCrypto, name, algorithm);
        let signature = key.sign(message, entropy(1)).expect("it signs");
        for verifier in BACKENDS {
            let key = public(verifier, &key.public_key(), algorithm);
            let refused = |signature: &[u8], what: &str| {
                assert!(
                    key.verify(message, signature).is_err(),
                    "{algorithm} of {verifier:?} takes {what}"
                );
            };
            for at in 0..length {
                let mut flipped = signature.clone();
                flipped[at] ^= 1 << (at % 8);
                refused(&flipped, "a flipped bit");
            }
            refused(&signature[1..], "a signature without its first octet");
            refused(&signature[..length - 1], "a signature without its last octet");
            refused(&[&signature[..], &[0]].concat(), "an octet behind the signature");
            refused(&[&[0], &signature[..]].concat(), "an octet before the signature");
            refused(&[], "nothing");
            refused(&vec![0; length], "zeros");
            refused(&vec![0xff; length], "ones");
            assert!(key.verify(b"another message", &signature).is_err());
        }
    }
}

/// Encodes a DER integer.
fn integer(number: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|octet| *octet == 0).collect();
    let sign: &[u8] = if digits[0] >= 0x80 { &[0] } else { &[] };
    [&[2, u8::try_from(sign.len() + digits.len()).expect("short")], sign, &digits].concat()
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// Returns the sum of two numbers of the same width, and whether it is too wide for it.
fn sum(one: &[u8], other: &[u8]) -> (Vec<u8>, bool) {
    let mut carry = 0;
    let mut digits: Vec<u8> = Vec::new();
    for (one, other) in one.iter().zip(other).rev() {
        let digit = u16::from(*one) + u16::from(*other) + carry;
        digits.push(digit.to_be_bytes()[1]);
        carry = digit >> 8;
    }
    digits.reverse();
    (digits, carry != 0)
}

/// The example of RFC 7515 appendix A.4: a private key on P-521 and a token that it signed.
///
/// REQ-IDT-07a
/// REQ-AUTH-21
#[test]
fn the_es512_example_of_rfc_7515_verifies_and_its_key_signs() {
    const JWK: &str = r#"{"kty":"EC","crv":"P-521",
        "x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        "d":"AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"}"#;
    const TOKEN: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
        AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt\
        AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let (input, signature) = TOKEN.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    for importer in BACKENDS {
        let key = SoftwareKey::import_jwk(JWK, None, importer).expect("a private key");
        assert_eq!(key.algorithm(), JwsAlgorithm::Es512);
        let own = key.sign_message(input.as_bytes(), entropy(1)).expect("it signs");
        for verifier in BACKENDS {
            let public = public(verifier, &key.public_key(), JwsAlgorithm::Es512);
            assert_eq!(public.verify(input.as_bytes(), &signature), Ok(()), "{verifier:?}");
            assert_eq!(public.verify(input.as_bytes(), &own), Ok(()), "{verifier:?}");
            assert!(public.verify(b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZB", &signature).is_err());
        }
    }
}

/// The vectors of RFC 6979 appendix A.2.7 for SHA-512. A nonce that is cut to 512 bits, or to whole
/// octets, gives other signatures.
///
/// REQ-SEC-21
#[test]
fn the_pure_backend_signs_on_p_521_as_rfc_6979_does() {
    let d = hex(
        "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538",
    );
    let key = RustCrypto
        .import_private(PrivateKey::Ec { curve: Curve::P521, d: &d }, JwsAlgorithm::Es512)
        .expect("a scalar");
    for (message, r, s) in [
        (
            "sample",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
            "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
        ),
        (
            "test",
            "013E99020ABF5CEE7525D16B69B229652AB6BDF2AFFCAEF38773B4B7D08725F10CDB93482FDCC54EDCEE91ECA4166B2A7C6265EF0CE2BD7051B7CEF945BABD47EE6D",
            "01FBD0013C674AA79CB39849527916CE301C66EA7CE8B80682786AD60F98F7E78A19CA69EFF5C57400E3B3A0AD66CE0978214D13BAF4E9AC60752F7B155E2DE4DCE3",
        ),
    ] {
        let signature = key.sign(message.as_bytes(), entropy(1)).expect("it signs");
        assert_eq!(signature, [hex(r), hex(s)].concat(), "{message}");
        let verifier = public(&AwsLcRs, &key.public_key(), JwsAlgorithm::Es512);
        assert_eq!(verifier.verify(message.as_bytes(), &signature), Ok(()), "{message}");
    }
}

/// REQ-IDT-07a
#[test]
fn ecdsa_signatures_are_two_numbers_in_range_and_not_der() {
    for (algorithm, name, length) in ALGORITHMS {
        let order = match algorithm {
            JwsAlgorithm::Es256 => {
                "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
            }
            JwsAlgorithm::Es384 => {
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973"
            }
            JwsAlgorithm::Es512 => {
                "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409"
            }
            _ => continue,
        };
        let order = hex(order);
        let zero = vec![0; length / 2];
        let key = private(&RustCrypto, name, algorithm);
        let signature = key.sign(b"message", entropy(1)).expect("it signs");
        let (r, s) = signature.split_at(length / 2);
        let numbers = [integer(r), integer(s)].concat();
        let head = match u8::try_from(numbers.len()).expect("short") {
            short @ ..0x80 => vec![0x30, short],
            long => vec![0x30, 0x81, long],
        };
        let der = [head, numbers].concat();
        // The same number modulo n. P-521 leaves room for it in seven unused bits.
        let (wide, is_too_wide) = sum(r, &order);
        for verifier in BACKENDS {
            let key = public(verifier, &key.public_key(), algorithm);
            assert_eq!(key.verify(b"message", &signature), Ok(()));
            for (what, refused) in [
                ("DER", der.clone()),
                ("r = 0", [&zero, s].concat()),
                ("s = 0", [r, &zero].concat()),
                ("r = n", [&order, s].concat()),
                ("s = n", [r, &order].concat()),
                ("r + n", [&wide, s].concat()),
                ("both swapped", [s, r].concat()),
            ] {
                // It is another number then.
                if what == "r + n" && is_too_wide {
                    continue;
                }
                assert!(
                    key.verify(b"message", &refused).is_err(),
                    "{algorithm} of {verifier:?} takes {what}"
                );
            }
        }
    }
}

/// REQ-IDT-07b
#[test]
fn pss_salts_have_the_length_of_the_hash() {
    let document: Value = serde_json::from_str(&file("pss-salts.json")).expect("JSON");
    for test in document["tests"].as_array().expect("tests") {
        let algorithm =
            JwsAlgorithm::from_name(test["alg"].as_str().expect("a name")).expect("known");
        let key = private(&RustCrypto, "rsa-2048.pkcs8.pem", algorithm).public_key();
        let signature =
            URL_SAFE_NO_PAD.decode(test["signature"].as_str().expect("a text")).expect("base64url");
        for verifier in BACKENDS {
            let verdict = public(verifier, &key, algorithm).verify(b"message", &signature).is_ok();
            assert_eq!(
                Some(verdict),
                test["valid"].as_bool(),
                "{verifier:?} {} {}",
                test["alg"],
                test["salt"]
            );
        }
    }
}

/// REQ-JWKS-06
/// REQ-AUTH-20b
#[test]
fn an_algorithm_accepts_only_its_own_key_type() {
    for (_, name, _) in ALGORITHMS {
        let owner = ALGORITHMS.iter().find(|(_, other, _)| *other == name).expect("itself").0;
        let key = private(&RustCrypto, name, owner).public_key();
        for algorithm in JwsAlgorithm::ALL {
            let fits = match &key {
                OwnedPublicKey::Rsa { .. } => algorithm.name().starts_with(['R', 'P']),
                OwnedPublicKey::Ec { .. } | OwnedPublicKey::Ed25519 { .. } => algorithm == owner,
                OwnedPublicKey::X25519 { .. } => false,
            };
            for importer in BACKENDS {
                let theirs = importer.import(key.borrow(), algorithm);
                let ours = importer.import_private(PrivateKey::Pkcs8(&pkcs8(name)), algorithm);
                assert_eq!(
                    (theirs.is_ok(), ours.is_ok()),
                    (fits, fits),
                    "{name} for {algorithm} with {importer:?}"
                );
                if !fits {
                    assert_eq!(
                        theirs.err(),
                        Some(KeyRejected::WrongKind),
                        "{name} for {algorithm} with {importer:?}"
                    );
                    assert_eq!(
                        ours.err(),
                        Some(KeyRejected::WrongKind),
                        "{name} for {algorithm} with {importer:?}"
                    );
                }
            }
        }
    }
}

/// Returns an odd number of this many bits.
fn odd(bits: usize) -> Vec<u8> {
    let mut number = vec![0xff; bits.div_ceil(8)];
    number[0] = 0xff >> ((8 - bits % 8) % 8);
    number
}

/// REQ-IDT-07c
/// REQ-JWKS-13a
/// REQ-JWKS-13c
/// REQ-AUTH-20a
#[test]
fn rsa_keys_must_have_2048_to_8192_bits_and_an_odd_exponent_of_at_least_3() {
    let even: Vec<u8> = [&odd(2040)[..], &[2]].concat();
    for (n, e, fits) in [
        (odd(2048), &[1, 0, 1][..], true),
        (odd(2048), &[3], true),
        (odd(2056), &[3], true),
        (odd(8192), &[1, 0, 1], true),
        (odd(2047), &[1, 0, 1], false),
        (odd(1024), &[1, 0, 1], false),
        (odd(8193), &[1, 0, 1], false),
        (odd(16384), &[1, 0, 1], false),
        (even, &[1, 0, 1], false),
        (odd(2048), &[1], false),
        (odd(2048), &[2], false),
        (odd(2048), &[1, 0, 0], false),
        (odd(2048), &[], false),
        (Vec::new(), &[3], false),
        (odd(2048), &[1, 0, 0, 0, 0, 1], false),
    ] {
        for importer in BACKENDS {
            for algorithm in [JwsAlgorithm::Rs256, JwsAlgorithm::Ps512] {
                let key = importer.import(PublicKey::Rsa { n: &n, e }, algorithm);
                let expected = (!fits).then_some(KeyRejected::OutOfRange);
                assert_eq!(key.err(), expected, "{} octets, e {e:?} with {importer:?}", n.len());
            }
        }
    }
    for importer in BACKENDS {
        let key = importer
            .import_private(PrivateKey::Pkcs8(&pkcs8("rsa-1024.pkcs8.pem")), JwsAlgorithm::Rs256);
        assert_eq!(key.err(), Some(KeyRejected::OutOfRange), "{importer:?}");
    }
}

/// REQ-JWKS-14a
/// REQ-JWKS-14b
#[test]
fn points_must_have_full_width_and_lie_on_the_curve() {
    for (algorithm, name, _) in ALGORITHMS {
        let OwnedPublicKey::Ec { curve, x, y } = private(&RustCrypto, name, algorithm).public_key()
        else {
            continue;
        };
        let zero = vec![0; curve.width()];
        let mut off = y.clone();
        off[curve.width() - 1] ^= 1;
        let padded = [&[0], &x[..]].concat();
        for importer in BACKENDS {
            for (x, y) in [
                (&x[1..], &y[..]),
                (&padded, &y),
                (&x, &y[1..]),
                (&x, &off),
                (&zero, &zero),
                (&[], &[]),
            ] {
                let key = importer.import(PublicKey::Ec { curve, x, y }, algorithm);
                assert_eq!(
                    key.err(),
                    Some(KeyRejected::Malformed),
                    "{algorithm} with {importer:?}"
                );
            }
        }
    }
}

/// Returns every encoding of a point whose order divides the cofactor, except for the sign bit.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// REQ-JWKS-14c
#[test]
fn ed25519_keys_must_have_32_octets_and_no_small_order() {
    let good = private(&RustCrypto, "ed25519.pkcs8.pem", JwsAlgorithm::EdDsa).public_key();
    let OwnedPublicKey::Ed25519 { x } = good else { panic!("an Ed25519 key") };
    let mut refused = vec![Vec::new(), x[1..].to_vec(), [&x[..], &[0]].concat()];
    for digits in SMALL_ORDER {
        let mut point: Vec<u8> = (0..64)
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal"))
            .collect();
        refused.push(point.clone());
        point[31] ^= 0x80;
        refused.push(point);
    }
    for importer in BACKENDS {
        for x in &refused {
            let key = importer.import(PublicKey::Ed25519 { x }, JwsAlgorithm::EdDsa);
            assert_eq!(key.err(), Some(KeyRejected::Malformed), "{x:?} with {importer:?}");
        }
    }
}

fn is_taken(importer: &dyn KeyImporter, x: &[u8; 32]) -> bool {
    let key = importer.import(PublicKey::Ed25519 { x }, JwsAlgorithm::EdDsa);
    key.map(drop)
        .map_err(|error| assert_eq!(error, KeyRejected::Malformed, "{x:?} with {importer:?}"))
        .is_ok()
}

/// REQ-JWKS-14c
#[test]
fn ed25519_keys_must_be_points_in_their_canonical_encoding() {
    let mut taken = 0;
    for first in 0..=255_u8 {
        // RFC 8032 5.1.3: y is smaller than p = 2^255 - 19. From 0xed on, these are p, p + 1, … p +
        // 18.
        let mut large = [0xff; 32];
        (large[0], large[31]) = (first, 0x7f);
        let mut any: [u8; 32] =
            RustCrypto.digest(Hash::Sha256, &[first]).as_bytes().try_into().expect("32 octets");
        for _ in 0..2 {
            for x in [&large, &any] {
                let [one, other] = BACKENDS.map(|importer| is_taken(importer, x));
                assert_eq!(one, other, "{x:?}");
                assert!(!one || x != &large || first < 0xed, "{x:?} is not canonical");
            }
            taken += u32::from(is_taken(&AwsLcRs, &any));
            large[31] ^= 0x80;
            any[31] ^= 0x80;
        }
    }
    assert!((150..350).contains(&taken), "about every second y is that of a point: {taken} of 512");
}

#[test]
fn private_numbers_out_of_range_are_refused() {
    let zero = [0; 66];
    let ones = [0xff; 66];
    // 521 bits, which is more than the order of P-521.
    let mut bits = ones;
    bits[0] = 1;
    for importer in BACKENDS {
        for (curve, algorithm) in [
            (Curve::P256, JwsAlgorithm::Es256),
            (Curve::P384, JwsAlgorithm::Es384),
            (Curve::P521, JwsAlgorithm::Es512),
        ] {
            let width = curve.width();
            let long = if curve == Curve::P521 { &bits[..] } else { &[1; 49][..width + 1] };
            for d in [&zero[..width], &ones[..width], &[1; 66][..width - 1], long, &[]] {
                let key = importer.import_private(PrivateKey::Ec { curve, d }, algorithm);
                assert_eq!(
                    key.err(),
                    Some(KeyRejected::Malformed),
                    "{algorithm} with {importer:?}"
                );
            }
        }
        for seed in [&[1; 31][..], &[1; 33], &[]] {
            let key = importer.import_private(PrivateKey::Ed25519(seed), JwsAlgorithm::EdDsa);
            assert_eq!(
                key.err(),
                Some(KeyRejected::Malformed),
                "{} octets with {importer:?}",
                seed.len()
            );
        }
    }
}

/// REQ-SEC-21
#[test]
fn signatures_of_the_pure_backend_depend_on_key_and_message_only() {
    for (algorithm, name, _) in ALGORITHMS {
        let key = private(&RustCrypto, name, algorithm);
        let [one, two] = [1, 2].map(|seed| key.sign(b"message", entropy(seed)).expect("it signs"));
        assert_eq!(
            one == two,
            !algorithm.name().starts_with("PS"),
            "{algorithm}: blinding does not show, a salt does"
        );
        let again = key.sign(b"message", entropy(1)).expect("it signs");
        assert_eq!(one, again, "{algorithm}: nothing but the entropy is random");
    }
    let key = private(&RustCrypto, "ec-p256.pkcs8.pem", JwsAlgorithm::Es256);
    let [one, two] =
        [&b"one"[..], b"two"].map(|message| key.sign(message, entropy(1)).expect("it signs"));
    assert_ne!(one[..32], two[..32], "no nonce serves two messages");
}

#[test]
fn all_backends_compute_the_same_hashes() {
    let known = [
        (Hash::Sha256, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"),
        (Hash::Sha384, "ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP_W-2AhgcroefMI1i67KE0yCWn"),
        (
            Hash::Sha512,
            "3a81oZNherrMQXNJriBBMRLm-k6JqX6iCp7u5ktV05ohkpkqJ0_BqDa6PCOj_uu9RU1EI2Q86A4qmslPpUyknw",
        ),
    ];
    for (hash, digest) in known {
        for importer in BACKENDS {
            assert_eq!(URL_SAFE_NO_PAD.encode(importer.digest(hash, b"abc").as_bytes()), digest);
        }
        let long = [0xaa; 200];
        for key in [&b""[..], b"key", &long] {
            let [one, other] = BACKENDS.map(|importer| importer.hmac(hash, key, b"message"));
            assert_eq!(one.as_bytes(), other.as_bytes());
        }
    }
}

/// REQ-SEC-03
#[test]
fn debug_of_a_key_shows_no_key_material() {
    for importer in BACKENDS {
        for (algorithm, name, _) in ALGORITHMS {
            let shown = format!("{:?}", private(importer, name, algorithm));
            assert!(shown.len() < 40 && !shown.contains(['[', '{']), "{shown}");
        }
    }
    let document = pkcs8("ec-p256.pkcs8.pem");
    assert_eq!(format!("{:?}", PrivateKey::Pkcs8(&document)), "PrivateKey(..)");
}
