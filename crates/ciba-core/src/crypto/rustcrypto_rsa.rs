//! RS*, PS* and RSA-OAEP for the RustCrypto backend.
//!
//! Every private-key operation is blinded: only the `…_with_rng` methods are called, with a
//! generator that is seeded from the caller's entropy. RUSTSEC-2023-0071 does not affect
//! verification, which uses public keys only.
// REQ-SEC-20

use alloc::{sync::Arc, vec::Vec};
use core::{convert::Infallible, fmt};

use rsa::{
    BoxedUint, PrivateKey as RsaPrivate, PublicKey as RsaPublic,
    pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _},
    rand_core::{TryCryptoRng, TryRng},
    traits::PublicKeyParts as _,
};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroize as _;

use super::{
    BadSignature, DecryptionFailed, DecryptionKey, KeyRejected, OwnedPublicKey, PrivateKey,
    PublicKey, SigningFailed, SigningKey, VerificationKey,
    rules::{check_rsa, rsa_document},
};
use crate::{
    crypto::entropy::Entropy,
    jose::{JwsAlgorithm, KeyManagement},
    secret::{Body, SecretBytes},
};

/// The padding and hash for which an RSA key was imported.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    Pkcs1Sha256,
    Pkcs1Sha384,
    Pkcs1Sha512,
    PssSha256,
    PssSha384,
    PssSha512,
}

impl Scheme {
    const fn of(algorithm: JwsAlgorithm) -> Result<Self, KeyRejected> {
        Ok(match algorithm {
            JwsAlgorithm::Rs256 => Self::Pkcs1Sha256,
            JwsAlgorithm::Rs384 => Self::Pkcs1Sha384,
            JwsAlgorithm::Rs512 => Self::Pkcs1Sha512,
            JwsAlgorithm::Ps256 => Self::PssSha256,
            JwsAlgorithm::Ps384 => Self::PssSha384,
            JwsAlgorithm::Ps512 => Self::PssSha512,
            _ => return Err(KeyRejected::WrongKind),
        })
    }
}

pub(super) fn import(
    n: &[u8],
    e: &[u8],
    algorithm: JwsAlgorithm,
) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
    let scheme = Scheme::of(algorithm)?;
    // Before the backend parses the numbers, so that their size is bounded.
    check_rsa(n, e)?;
    let number = |bytes: &[u8]| {
        let bits =
            u32::try_from(bytes.len().saturating_mul(8)).map_err(|_| KeyRejected::OutOfRange)?;
        BoxedUint::from_be_slice(bytes, bits).map_err(|_| KeyRejected::Malformed)
    };
    let key = RsaPublic::new(number(n)?, number(e)?).map_err(|_| KeyRejected::OutOfRange)?;
    Ok(Arc::new(Public { key, scheme }))
}

pub(super) fn import_private(
    key: PrivateKey<'_>,
    algorithm: JwsAlgorithm,
) -> Result<Arc<dyn SigningKey>, KeyRejected> {
    let scheme = Scheme::of(algorithm)?;
    Ok(Arc::new(Private { key: read(key)?, scheme, algorithm }))
}

/// Imports a private key for RSA-OAEP.
pub(super) fn import_decryption(
    key: PrivateKey<'_>,
    algorithm: KeyManagement,
) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
    Ok(Arc::new(Decrypting { key: read(key)?, algorithm }))
}

fn read(key: PrivateKey<'_>) -> Result<RsaPrivate, KeyRejected> {
    let key = RsaPrivate::from_pkcs1_der(rsa_document(key)?).map_err(|_| KeyRejected::Malformed)?;
    // Decoding does not check that the numbers belong together.
    key.validate().map_err(|_| KeyRejected::Malformed)?;
    check_rsa(&key.n_bytes(), &key.e_bytes())?;
    Ok(key)
}

/// Generates a key of 2048 bits from the caller's entropy.
pub(super) fn generate(entropy: Entropy) -> Result<Body, KeyRejected> {
    let key = RsaPrivate::new(&mut Stream::seeded(entropy), 2048)
        .map_err(|_| KeyRejected::UnsupportedAlgorithm)?;
    let der = key.to_pkcs1_der().map_err(|_| KeyRejected::Malformed)?;
    Ok(Body::new(der.as_bytes()))
}

struct Public {
    key: RsaPublic,
    scheme: Scheme,
}

impl Private {
    fn sign_blinded(&self, message: &[u8], rng: &mut Stream) -> Result<Vec<u8>, SigningFailed> {
        match self.scheme {
            Scheme::Pkcs1Sha256 => self.key.pkcs1v15_sign_with_rng::<Sha256, _>(rng, message),
            Scheme::Pkcs1Sha384 => self.key.pkcs1v15_sign_with_rng::<Sha384, _>(rng, message),
            Scheme::Pkcs1Sha512 => self.key.pkcs1v15_sign_with_rng::<Sha512, _>(rng, message),
            Scheme::PssSha256 => self.key.pss_sign_with_rng::<Sha256, _>(rng, message),
            Scheme::PssSha384 => self.key.pss_sign_with_rng::<Sha384, _>(rng, message),
            Scheme::PssSha512 => self.key.pss_sign_with_rng::<Sha512, _>(rng, message),
        }
        .map_err(|_| SigningFailed)
    }
}

impl VerificationKey for Public {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        // The salt must have the length of the hash (RFC 7518 section 3.5).
        match self.scheme {
            Scheme::Pkcs1Sha256 => self.key.pkcs1v15_verify::<Sha256>(message, signature),
            Scheme::Pkcs1Sha384 => self.key.pkcs1v15_verify::<Sha384>(message, signature),
            Scheme::Pkcs1Sha512 => self.key.pkcs1v15_verify::<Sha512>(message, signature),
            Scheme::PssSha256 => self.key.pss_verify::<Sha256>(message, signature),
            Scheme::PssSha384 => self.key.pss_verify::<Sha384>(message, signature),
            Scheme::PssSha512 => self.key.pss_verify::<Sha512>(message, signature),
        }
        .map_err(|_| BadSignature)
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublic({:?})", self.scheme)
    }
}

struct Private {
    key: RsaPrivate,
    scheme: Scheme,
    algorithm: JwsAlgorithm,
}

impl SigningKey for Private {
    fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8], entropy: Entropy) -> Result<Vec<u8>, SigningFailed> {
        self.sign_blinded(message, &mut Stream::seeded(entropy))
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::Rsa { n: self.key.n_bytes().to_vec(), e: self.key.e_bytes().to_vec() }
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPrivate({:?})", self.scheme)
    }
}

/// A key that decrypts.
struct Decrypting {
    key: RsaPrivate,
    algorithm: KeyManagement,
}

impl DecryptionKey for Decrypting {
    fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    fn unwrap_key(
        &self,
        encrypted_key: &[u8],
        entropy: Entropy,
    ) -> Result<SecretBytes, DecryptionFailed> {
        let rng = &mut Stream::seeded(entropy);
        // The hash of the padding is that of MGF1 as well (RFC 7518 section 4.3).
        // REQ-JWE-06
        let key = match self.algorithm {
            KeyManagement::RsaOaep256 => {
                self.key.oaep_decrypt_with_rng::<Sha256, _>(rng, encrypted_key)
            }
            KeyManagement::RsaOaepSha1 => {
                self.key.oaep_decrypt_with_rng::<Sha1, _>(rng, encrypted_key)
            }
            KeyManagement::EcdhEs | KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw => {
                return Err(DecryptionFailed);
            }
        };
        key.map(SecretBytes::new).map_err(|_| DecryptionFailed)
    }

    fn agree(&self, _: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
        Err(DecryptionFailed)
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::Rsa { n: self.key.n_bytes().to_vec(), e: self.key.e_bytes().to_vec() }
    }
}

impl fmt::Debug for Decrypting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPrivate({})", self.algorithm)
    }
}

/// A generator that expands the caller's entropy to as many bytes as an operation needs: SHA-256
/// over the seed and a counter.
struct Stream {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl Stream {
    fn seeded(entropy: Entropy) -> Self {
        Self { seed: entropy.into_bytes(), counter: 0, block: [0; 32], used: 32 }
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.block.len() {
            // Not a general-purpose generator: it only has to be unpredictable for one operation.
            let mut hash = Sha256::new();
            // Separates this use of the seed from others.
            hash.update(b"ciba blinding");
            hash.update(self.seed);
            hash.update(self.counter.to_be_bytes());
            self.block = hash.finalize().into();
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for slot in out {
            *slot = self.byte();
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

impl Drop for Stream {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{RustCrypto, Verifier as _};

    /// REQ-SEC-20
    #[test]
    fn every_signature_draws_a_blinding_factor_as_long_as_the_modulus() {
        let mut seeds = 0_u8..;
        let mut stream = || Stream::seeded(Entropy::from_bytes([seeds.next().unwrap(); 32]));
        let key = RsaPrivate::new(&mut stream(), 2048).unwrap();
        for algorithm in JwsAlgorithm::ALL {
            let Ok(scheme) = Scheme::of(algorithm) else { continue };
            let hash = RustCrypto.digest(algorithm.hash(), b"");
            let salt = if algorithm.name().starts_with('P') { hash.as_bytes().len() } else { 0 };
            let mut stream = stream();
            Private { key: key.clone(), scheme, algorithm }
                .sign_blinded(b"message", &mut stream)
                .unwrap();
            let drawn = usize::try_from(stream.counter).unwrap() * 32 - (32 - stream.used);
            assert!(drawn >= 256 + salt, "{algorithm} drew {drawn} octets");
        }
    }
}
