//! The aws-lc-rs backend: three to four times as fast as RustCrypto, but requires a C library.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, panic::AssertUnwindSafe};

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, Ed25519KeyPair,
        KeyPair as _, ParsedPublicKey, RsaEncoding, RsaParameters, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};

use super::{
    BadSignature, Decrypter, DecryptionKey, Digest, Hash, KeyImporter, KeyRejected, OwnedPublicKey,
    PrivateKey, PublicKey, SigningFailed, SigningKey, VerificationKey, Verifier,
    aws_lc_rs_decrypt::Aes,
    rules::{check_rsa, coordinates, ed25519_point, rsa_private},
};
use crate::{
    crypto::entropy::Entropy,
    jose::{Curve, JwsAlgorithm, KeyManagement, der},
    secret::Body,
};

/// Cryptography by aws-lc-rs.
///
/// It supports everything that [`RustCrypto`](crate::crypto::RustCrypto) does. It uses its own
/// source of randomness for signing and ignores the entropy of a key operation.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwsLcRs;

impl Verifier for AwsLcRs {
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        let (algorithm, bytes): (&'static dyn VerificationAlgorithm, Vec<u8>) =
            match (algorithm, key) {
                (_, PublicKey::Ec { curve, x, y }) if algorithm.curve().is_some() => {
                    // Concatenated below, so a wrong width would shift one coordinate into the
                    // other.
                    if x.len() != curve.width() || y.len() != curve.width() {
                        return Err(KeyRejected::Malformed);
                    }
                    let fits = ecdsa(algorithm)
                        .filter(|ecdsa| ecdsa.curve == curve)
                        .ok_or(KeyRejected::WrongKind)?;
                    (fits.verification, [&[4], x, y].concat())
                }
                (JwsAlgorithm::EdDsa, PublicKey::Ed25519 { x }) => {
                    (&signature::ED25519, ed25519_point(x)?.to_vec())
                }
                (_, PublicKey::Rsa { n, e }) => {
                    let parameters = rsa_parameters(algorithm).ok_or(KeyRejected::WrongKind)?;
                    check_rsa(n, e)?;
                    (parameters, der::rsa_public_key(n, e))
                }
                _ => return Err(KeyRejected::WrongKind),
            };
        let key =
            UnparsedPublicKey::new(algorithm, bytes).parse().map_err(|_| KeyRejected::Malformed)?;
        Ok(Arc::new(Public(AssertUnwindSafe(key))))
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        let algorithm = match hash {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        Digest::new(digest::digest(algorithm, data).as_ref())
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        let algorithm = match hash {
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
            Hash::Sha512 => hmac::HMAC_SHA512,
        };
        Digest::new(hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref())
    }

    fn decrypter(&self) -> Option<&dyn Decrypter> {
        Some(&Aes)
    }
}

impl KeyImporter for AwsLcRs {
    fn import_private(
        &self,
        key: PrivateKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        // aws-lc-rs ignores bytes that follow a document, so they are rejected here.
        if matches!(key, PrivateKey::Pkcs8(document) if !der::is_one_sequence(document)) {
            return Err(KeyRejected::WrongKind);
        }
        if let Some(ecdsa) = ecdsa(algorithm) {
            let pair = match key {
                PrivateKey::Pkcs8(der) => EcdsaKeyPair::from_pkcs8(ecdsa.signing, der)
                    .map_err(|_| KeyRejected::WrongKind)?,
                PrivateKey::Ec { curve, d } if curve == ecdsa.curve && d.len() == curve.width() => {
                    let der = der::ec_private_key(curve, d);
                    EcdsaKeyPair::from_private_key_der(ecdsa.signing, &der)
                        .map_err(|_| KeyRejected::Malformed)?
                }
                PrivateKey::Ec { curve, .. } if curve == ecdsa.curve => {
                    return Err(KeyRejected::Malformed);
                }
                _ => return Err(KeyRejected::WrongKind),
            };
            return Ok(Arc::new(EcPrivate { pair, curve: ecdsa.curve, algorithm }));
        }
        if rsa_encoding(algorithm).is_some() {
            let (document, _) = rsa_private(key)?;
            let pair = RsaKeyPair::from_der(document).map_err(|_| KeyRejected::Malformed)?;
            return Ok(Arc::new(RsaPrivate { pair, algorithm }));
        }
        let pair = match (algorithm, key) {
            (JwsAlgorithm::EdDsa, PrivateKey::Pkcs8(der)) => {
                // A version 1 document has no public key to check (RFC 8410 section 7).
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map_err(|_| KeyRejected::WrongKind)?
            }
            (JwsAlgorithm::EdDsa, PrivateKey::Ed25519(seed)) => {
                // Unchecked: a seed comes without a public key. The caller compares the derived one
                // with that of the JWK.
                Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyRejected::Malformed)?
            }
            _ => return Err(KeyRejected::WrongKind),
        };
        Ok(Arc::new(EdPrivate(pair)))
    }

    fn import_decryption(
        &self,
        key: PrivateKey<'_>,
        algorithm: KeyManagement,
    ) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
        super::aws_lc_rs_decrypt::import(key, algorithm)
    }

    fn generate_rsa(&self, _: Entropy) -> Result<Body, KeyRejected> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)
            .map_err(|_| KeyRejected::UnsupportedAlgorithm)?;
        let document =
            AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyRejected::Malformed)?;
        der::read_rsa_pkcs8(document.as_ref()).map(Body::new).ok_or(KeyRejected::Malformed)
    }
}

/// The parameters of aws-lc-rs for ECDSA on one curve with fixed-width signatures.
struct Ecdsa {
    curve: Curve,
    signing: &'static EcdsaSigningAlgorithm,
    verification: &'static EcdsaVerificationAlgorithm,
}

const fn ecdsa(algorithm: JwsAlgorithm) -> Option<Ecdsa> {
    Some(match algorithm {
        JwsAlgorithm::Es256 => Ecdsa {
            curve: Curve::P256,
            signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            verification: &signature::ECDSA_P256_SHA256_FIXED,
        },
        JwsAlgorithm::Es384 => Ecdsa {
            curve: Curve::P384,
            signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            verification: &signature::ECDSA_P384_SHA384_FIXED,
        },
        JwsAlgorithm::Es512 => Ecdsa {
            curve: Curve::P521,
            signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            verification: &signature::ECDSA_P521_SHA512_FIXED,
        },
        _ => return None,
    })
}

const fn rsa_parameters(algorithm: JwsAlgorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        JwsAlgorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        JwsAlgorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        JwsAlgorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        JwsAlgorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        JwsAlgorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        JwsAlgorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn rsa_encoding(algorithm: JwsAlgorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        JwsAlgorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        JwsAlgorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        JwsAlgorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        JwsAlgorithm::Ps256 => &signature::RSA_PSS_SHA256,
        JwsAlgorithm::Ps384 => &signature::RSA_PSS_SHA384,
        JwsAlgorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

/// A parsed public key.
// `AssertUnwindSafe` is sound because the key is immutable, as are the statics it points to;
// aws-lc-rs does not declare this for its trait objects.
struct Public(AssertUnwindSafe<ParsedPublicKey>);

impl VerificationKey for Public {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.0.verify_sig(message, signature).map_err(|_| BadSignature)
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLcRsPublic(..)")
    }
}

struct EcPrivate {
    pair: EcdsaKeyPair,
    curve: Curve,
    algorithm: JwsAlgorithm,
}

impl SigningKey for EcPrivate {
    fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8], _: Entropy) -> Result<Vec<u8>, SigningFailed> {
        let signature = self.pair.sign(&SystemRandom::new(), message).map_err(|_| SigningFailed)?;
        Ok(signature.as_ref().to_vec())
    }

    fn public_key(&self) -> OwnedPublicKey {
        coordinates(self.curve, self.pair.public_key().as_ref())
    }
}

struct RsaPrivate {
    pair: RsaKeyPair,
    algorithm: JwsAlgorithm,
}

impl SigningKey for RsaPrivate {
    fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8], _: Entropy) -> Result<Vec<u8>, SigningFailed> {
        // An RSA signature is as long as the modulus.
        let mut signature = alloc::vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        let encoding = rsa_encoding(self.algorithm).ok_or(SigningFailed)?;
        self.pair.sign(encoding, &random, message, &mut signature).map_err(|_| SigningFailed)?;
        Ok(signature)
    }

    fn public_key(&self) -> OwnedPublicKey {
        let (n, e) = der::read_rsa_public_key(self.pair.public_key().as_ref()).unwrap_or_default();
        OwnedPublicKey::Rsa { n: n.to_vec(), e: e.to_vec() }
    }
}

struct EdPrivate(Ed25519KeyPair);

impl SigningKey for EdPrivate {
    fn algorithm(&self) -> JwsAlgorithm {
        JwsAlgorithm::EdDsa
    }

    fn sign(&self, message: &[u8], _: Entropy) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.0.try_sign(message).map_err(|_| SigningFailed)?.as_ref().to_vec())
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::Ed25519 { x: self.0.public_key().as_ref().to_vec() }
    }
}

/// Implements `Debug` for private keys, showing only the algorithm.
macro_rules! debug_algorithm {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.algorithm())
            }
        }
    )*};
}

debug_algorithm!(EcPrivate, RsaPrivate, EdPrivate);
