//! Every kind of key file, read by both backends: what one signs the other verifies.
#![cfg(all(feature = "rustcrypto-rsa", feature = "aws-lc-rs"))]
#![allow(missing_docs)]

use ciba_core::{
    Entropy, KeyFileError, SoftwareKey,
    crypto::{AwsLcRs, KeyImporter, KeyRejected, RustCrypto},
    jose::JwsAlgorithm,
};

const RSA_PKCS8: &str = include_str!("../../../tests/data/keys/rsa-2048.pkcs8.pem");
const RSA_PKCS1: &str = include_str!("../../../tests/data/keys/rsa-2048.pkcs1.pem");
const RSA_1024: &str = include_str!("../../../tests/data/keys/rsa-1024.pkcs8.pem");
const P256_SEC1: &str = include_str!("../../../tests/data/keys/ec-p256.sec1.pem");
const P256_PKCS8: &str = include_str!("../../../tests/data/keys/ec-p256.pkcs8.pem");
const P384_SEC1: &str = include_str!("../../../tests/data/keys/ec-p384.sec1.pem");
const P384_PKCS8: &str = include_str!("../../../tests/data/keys/ec-p384.pkcs8.pem");
const ED25519: &str = include_str!("../../../tests/data/keys/ed25519.pkcs8.pem");

const ENCRYPTED: [&str; 2] = [
    include_str!("../../../tests/data/keys/ec-p256.encrypted.pem"),
    include_str!("../../../tests/data/keys/rsa-2048.encrypted-pkcs1.pem"),
];
const PUBLIC: [&str; 2] = [
    include_str!("../../../tests/data/keys/ec-p256.public.pem"),
    include_str!("../../../tests/data/keys/ec-p256.certificate.pem"),
];

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

/// REQ-AUTH-20
#[test]
fn each_file_is_read_for_the_algorithms_of_its_kind_and_no_other() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
    let files: [(&str, &[JwsAlgorithm]); 7] = [
        (RSA_PKCS8, &rsa),
        (RSA_PKCS1, &rsa),
        (P256_SEC1, &[Es256]),
        (P256_PKCS8, &[Es256]),
        (P384_SEC1, &[Es384]),
        (P384_PKCS8, &[Es384]),
        (ED25519, &[EdDsa]),
    ];
    for backend in BACKENDS {
        for (pem, fitting) in files {
            for algorithm in JwsAlgorithm::ALL {
                match SoftwareKey::from_pem(pem, algorithm, backend) {
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
        let short = SoftwareKey::from_pem(RSA_1024, Rs256, backend).unwrap_err();
        assert!(matches!(short, KeyFileError::Rejected(_)), "{short:?}");
    }
}

#[test]
fn a_generated_key_is_read_back_from_its_jwk() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Rs256};
    for backend in BACKENDS {
        for algorithm in [Es256, Es384, EdDsa, Rs256] {
            let (key, jwk) = SoftwareKey::generate(algorithm, entropy(), backend).unwrap();
            for reader in BACKENDS {
                let again = SoftwareKey::from_jwk(jwk.expose(), None, reader).unwrap();
                assert_eq!((again.key_id(), again.algorithm()), (key.key_id(), algorithm));
                assert_eq!(again.public_key(), key.public_key());
                cross_check(&again);
            }
            let public = SoftwareKey::from_jwk(&key.public_jwk(), None, backend).unwrap_err();
            assert_eq!(public, KeyFileError::NotPrivate);
        }
    }
}

#[test]
fn files_that_hold_no_usable_private_key_say_why() {
    for backend in BACKENDS {
        let read = |pem: &str| SoftwareKey::from_pem(pem, JwsAlgorithm::Es256, backend).unwrap_err();
        for pem in ENCRYPTED {
            assert_eq!(read(pem), KeyFileError::Encrypted);
        }
        for pem in PUBLIC {
            assert_eq!(read(pem), KeyFileError::NotPrivate);
        }
        let cut = &P256_PKCS8[..P256_PKCS8.len() - 10];
        let long = "-".repeat(1 << 20);
        for pem in ["", "-----BEGIN PRIVATE KEY-----", cut, &long, "-----BEGIN X-----\nAA==\n-----END X-----"] {
            assert_eq!(read(pem), KeyFileError::Malformed);
        }
        let symmetric = SoftwareKey::from_jwk(r#"{"kty":"oct","k":"AAAA"}"#, None, backend).unwrap_err();
        assert_eq!(symmetric, KeyFileError::Symmetric);
    }
}
