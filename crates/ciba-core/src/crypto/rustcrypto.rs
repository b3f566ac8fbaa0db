//! The RustCrypto backend: pure Rust, `no_std`, available on every target. RS* and PS* are in
//! `rustcrypto_rsa`.

use alloc::{sync::Arc, vec::Vec};
use core::fmt;

use hmac::{EagerHash, Hmac, KeyInit as _, Mac as _};
use p256::{
    ecdsa::signature::{Signer as _, Verifier as _},
    pkcs8::DecodePrivateKey as _,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::{
    BadSignature, Decrypter, DecryptionKey, Digest, Hash, KeyImporter, KeyRejected, OwnedPublicKey,
    PrivateKey, PublicKey, SigningFailed, SigningKey, VerificationKey, Verifier,
    rules::{coordinates, ed25519_point, uncompressed},
    rustcrypto_decrypt::Aes,
};
use crate::{
    crypto::entropy::Entropy,
    jose::{Curve, JwsAlgorithm, KeyManagement},
    secret::Body,
};

/// Cryptography by the RustCrypto crates.
///
/// It supports ES256, ES384, ES512, EdDSA (with strict verification), HMAC and SHA-2, ECDH-ES and
/// AES for decryption, and with the feature `rustcrypto-rsa` also RS*, PS* and RSA-OAEP. ECDSA
/// signatures are deterministic ([RFC 6979]).
///
/// Services that sign or decrypt with RSA should prefer the feature `aws-lc-rs`, whose backend
/// signs four times as fast and runs in constant time ([RUSTSEC-2023-0071] concerns the `rsa` crate).
///
/// [RUSTSEC-2023-0071]: https://rustsec.org/advisories/RUSTSEC-2023-0071
/// [RFC 6979]: https://www.rfc-editor.org/rfc/rfc6979
// REQ-SEC-20, REQ-SEC-21
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl Verifier for RustCrypto {
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        match (algorithm, key) {
            (JwsAlgorithm::Es256, PublicKey::Ec { curve: Curve::P256, x, y }) => {
                let key =
                    p256::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed(Curve::P256, x, y)?);
                Ok(Arc::new(Es256Public(key.map_err(|_| KeyRejected::Malformed)?)))
            }
            (JwsAlgorithm::Es384, PublicKey::Ec { curve: Curve::P384, x, y }) => {
                let key =
                    p384::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed(Curve::P384, x, y)?);
                Ok(Arc::new(Es384Public(key.map_err(|_| KeyRejected::Malformed)?)))
            }
            (JwsAlgorithm::Es512, PublicKey::Ec { curve: Curve::P521, x, y }) => {
                let key =
                    p521::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed(Curve::P521, x, y)?);
                Ok(Arc::new(Es512Public(key.map_err(|_| KeyRejected::Malformed)?)))
            }
            (JwsAlgorithm::EdDsa, PublicKey::Ed25519 { x }) => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(ed25519_point(x)?)
                    .map_err(|_| KeyRejected::Malformed)?;
                Ok(Arc::new(EdDsaPublic(key)))
            }
            #[cfg(feature = "rustcrypto-rsa")]
            (algorithm, PublicKey::Rsa { n, e }) if is_rsa(algorithm) => {
                super::rustcrypto_rsa::import(n, e, algorithm)
            }
            #[cfg(not(feature = "rustcrypto-rsa"))]
            (algorithm, PublicKey::Rsa { .. }) if is_rsa(algorithm) => {
                Err(KeyRejected::UnsupportedAlgorithm)
            }
            _ => Err(KeyRejected::WrongKind),
        }
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        match hash {
            Hash::Sha256 => Digest::new(&Sha256::digest(data)),
            Hash::Sha384 => Digest::new(&Sha384::digest(data)),
            Hash::Sha512 => Digest::new(&Sha512::digest(data)),
        }
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        match hash {
            Hash::Sha256 => mac::<Sha256>(key, data),
            Hash::Sha384 => mac::<Sha384>(key, data),
            Hash::Sha512 => mac::<Sha512>(key, data),
        }
    }

    fn decrypter(&self) -> Option<&dyn Decrypter> {
        Some(&Aes)
    }
}

impl KeyImporter for RustCrypto {
    fn import_private(
        &self,
        key: PrivateKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        match (algorithm, key) {
            (JwsAlgorithm::Es256, PrivateKey::Pkcs8(der)) => {
                let key = p256::ecdsa::SigningKey::from_pkcs8_der(der)
                    .map_err(|_| KeyRejected::WrongKind)?;
                Ok(Arc::new(Es256Private(key)))
            }
            (JwsAlgorithm::Es256, PrivateKey::Ec { curve: Curve::P256, d })
                // `from_slice` may accept shorter input, which a JWK must not have (RFC 7518
                // section 6.2.2).
                if d.len() == Curve::P256.width() =>
            {
                let key =
                    p256::ecdsa::SigningKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
                Ok(Arc::new(Es256Private(key)))
            }
            (JwsAlgorithm::Es384, PrivateKey::Pkcs8(der)) => {
                let key = p384::ecdsa::SigningKey::from_pkcs8_der(der)
                    .map_err(|_| KeyRejected::WrongKind)?;
                Ok(Arc::new(Es384Private(key)))
            }
            (JwsAlgorithm::Es384, PrivateKey::Ec { curve: Curve::P384, d })
                if d.len() == Curve::P384.width() =>
            {
                let key =
                    p384::ecdsa::SigningKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
                Ok(Arc::new(Es384Private(key)))
            }
            (JwsAlgorithm::Es512, PrivateKey::Pkcs8(der)) => {
                let key = p521::ecdsa::SigningKey::from_pkcs8_der(der)
                    .map_err(|_| KeyRejected::WrongKind)?;
                Ok(Arc::new(Es512Private(key)))
            }
            (JwsAlgorithm::Es512, PrivateKey::Ec { curve: Curve::P521, d })
                if d.len() == Curve::P521.width() =>
            {
                let key =
                    p521::ecdsa::SigningKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
                Ok(Arc::new(Es512Private(key)))
            }
            (JwsAlgorithm::EdDsa, PrivateKey::Pkcs8(der)) => {
                let key = ed25519_dalek::SigningKey::from_pkcs8_der(der)
                    .map_err(|_| KeyRejected::WrongKind)?;
                Ok(Arc::new(EdDsaPrivate(key)))
            }
            (JwsAlgorithm::EdDsa, PrivateKey::Ed25519(seed)) => {
                let seed = seed.try_into().map_err(|_| KeyRejected::Malformed)?;
                Ok(Arc::new(EdDsaPrivate(ed25519_dalek::SigningKey::from_bytes(seed))))
            }
            (JwsAlgorithm::Es256, PrivateKey::Ec { curve: Curve::P256, .. })
            | (JwsAlgorithm::Es384, PrivateKey::Ec { curve: Curve::P384, .. })
            | (JwsAlgorithm::Es512, PrivateKey::Ec { curve: Curve::P521, .. }) => {
                Err(KeyRejected::Malformed)
            }
            #[cfg(feature = "rustcrypto-rsa")]
            (algorithm, PrivateKey::Pkcs8(_) | PrivateKey::Pkcs1(_)) if is_rsa(algorithm) => {
                super::rustcrypto_rsa::import_private(key, algorithm)
            }
            #[cfg(not(feature = "rustcrypto-rsa"))]
            (algorithm, PrivateKey::Pkcs8(_) | PrivateKey::Pkcs1(_)) if is_rsa(algorithm) => {
                Err(KeyRejected::UnsupportedAlgorithm)
            }
            _ => Err(KeyRejected::WrongKind),
        }
    }

    fn import_decryption(
        &self,
        key: PrivateKey<'_>,
        algorithm: KeyManagement,
    ) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
        if !algorithm.is_rsa() {
            return super::rustcrypto_decrypt::import(key, algorithm);
        }
        #[cfg(feature = "rustcrypto-rsa")]
        return super::rustcrypto_rsa::import_decryption(key, algorithm);
        #[cfg(not(feature = "rustcrypto-rsa"))]
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    #[cfg(feature = "rustcrypto-rsa")]
    fn generate_rsa(&self, entropy: Entropy) -> Result<Body, KeyRejected> {
        super::rustcrypto_rsa::generate(entropy)
    }

    #[cfg(not(feature = "rustcrypto-rsa"))]
    fn generate_rsa(&self, _: Entropy) -> Result<Body, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }
}

const fn is_rsa(algorithm: JwsAlgorithm) -> bool {
    matches!(
        algorithm,
        JwsAlgorithm::Rs256
            | JwsAlgorithm::Rs384
            | JwsAlgorithm::Rs512
            | JwsAlgorithm::Ps256
            | JwsAlgorithm::Ps384
            | JwsAlgorithm::Ps512
    )
}

fn mac<D: EagerHash>(key: &[u8], data: &[u8]) -> Digest {
    // HMAC accepts keys of any length, so this never fails. The empty digest would match no hash.
    let Ok(mut mac) = Hmac::<D>::new_from_slice(key) else { return Digest::new(&[]) };
    mac.update(data);
    Digest::new(&mac.finalize().into_bytes())
}

/// Declares the verification key and the signing key of ECDSA on one curve.
macro_rules! ecdsa {
    ($public:ident, $private:ident, $curve:ident, $module:ident, $algorithm:ident) => {
        struct $public($module::ecdsa::VerifyingKey);

        impl VerificationKey for $public {
            fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
                // Exactly R and S with full width, neither of them zero (RFC 7518 section 3.4).
                let signature =
                    $module::ecdsa::Signature::from_slice(signature).map_err(|_| BadSignature)?;
                self.0.verify(message, &signature).map_err(|_| BadSignature)
            }
        }

        impl fmt::Debug for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($public), "(..)"))
            }
        }

        struct $private($module::ecdsa::SigningKey);

        impl SigningKey for $private {
            fn algorithm(&self) -> JwsAlgorithm {
                JwsAlgorithm::$algorithm
            }

            fn sign(&self, message: &[u8], _: Entropy) -> Result<Vec<u8>, SigningFailed> {
                let signature: $module::ecdsa::Signature =
                    self.0.try_sign(message).map_err(|_| SigningFailed)?;
                Ok(signature.to_vec())
            }

            fn public_key(&self) -> OwnedPublicKey {
                coordinates(Curve::$curve, self.0.verifying_key().to_sec1_point(false).as_bytes())
            }
        }

        impl fmt::Debug for $private {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($private), "(..)"))
            }
        }
    };
}

ecdsa!(Es256Public, Es256Private, P256, p256, Es256);
ecdsa!(Es384Public, Es384Private, P384, p384, Es384);
ecdsa!(Es512Public, Es512Private, P521, p521, Es512);

struct EdDsaPublic(ed25519_dalek::VerifyingKey);

impl VerificationKey for EdDsaPublic {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let signature =
            ed25519_dalek::Signature::from_slice(signature).map_err(|_| BadSignature)?;
        // Rejects points of small order, under which one signature is valid for many messages.
        self.0.verify_strict(message, &signature).map_err(|_| BadSignature)
    }
}

impl fmt::Debug for EdDsaPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EdDsaPublic(..)")
    }
}

struct EdDsaPrivate(ed25519_dalek::SigningKey);

impl SigningKey for EdDsaPrivate {
    fn algorithm(&self) -> JwsAlgorithm {
        JwsAlgorithm::EdDsa
    }

    fn sign(&self, message: &[u8], _: Entropy) -> Result<Vec<u8>, SigningFailed> {
        Ok(self.0.try_sign(message).map_err(|_| SigningFailed)?.to_vec())
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::Ed25519 { x: self.0.verifying_key().to_bytes().to_vec() }
    }
}

impl fmt::Debug for EdDsaPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EdDsaPrivate(..)")
    }
}
