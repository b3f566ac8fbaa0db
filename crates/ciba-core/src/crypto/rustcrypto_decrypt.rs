//! ECDH and AES for the RustCrypto backend.

use alloc::sync::Arc;
use core::fmt;

use aes::{Aes128, Aes256};
use aes_gcm::{
    Aes128Gcm, Aes256Gcm,
    aead::{AeadInOut, array::Array},
};
use aes_kw::{KwAes128, KwAes256};
use cbc::cipher::{BlockModeDecrypt, KeyInit, KeyIvInit, consts::U16};
use p256::pkcs8::DecodePrivateKey as _;
use zeroize::Zeroizing;

use super::{
    Decrypter, DecryptionFailed, DecryptionKey, KeyRejected, OwnedPublicKey, PrivateKey, PublicKey,
    rules::{coordinates, uncompressed},
};
use crate::{
    crypto::entropy::Entropy,
    jose::{Curve, KeyManagement},
    secret::SecretBytes,
};

/// Imports a private key for ECDH-ES.
pub(super) fn import(
    key: PrivateKey<'_>,
    algorithm: KeyManagement,
) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
    Ok(match key {
        PrivateKey::Pkcs8(der) => match p256::SecretKey::from_pkcs8_der(der) {
            Ok(key) => Arc::new(P256Private { key, algorithm }),
            Err(_) => {
                if let Ok(key) = p384::SecretKey::from_pkcs8_der(der) {
                    return Ok(Arc::new(P384Private { key, algorithm }));
                }
                let key = p521::SecretKey::from_pkcs8_der(der);
                Arc::new(P521Private { key: key.map_err(|_| KeyRejected::WrongKind)?, algorithm })
            }
        },
        // `from_slice` may accept shorter input, which a JWK must not have.
        PrivateKey::Ec { curve, d } if d.len() != curve.width() => {
            return Err(KeyRejected::Malformed);
        }
        PrivateKey::Ec { curve: Curve::P256, d } => {
            let key = p256::SecretKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
            Arc::new(P256Private { key, algorithm })
        }
        PrivateKey::Ec { curve: Curve::P384, d } => {
            let key = p384::SecretKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
            Arc::new(P384Private { key, algorithm })
        }
        PrivateKey::Ec { curve: Curve::P521, d } => {
            let key = p521::SecretKey::from_slice(d).map_err(|_| KeyRejected::Malformed)?;
            Arc::new(P521Private { key, algorithm })
        }
        PrivateKey::X25519(d) => {
            let d: Zeroizing<[u8; 32]> =
                Zeroizing::new(d.try_into().map_err(|_| KeyRejected::Malformed)?);
            Arc::new(X25519Private { key: x25519_dalek::StaticSecret::from(*d), algorithm })
        }
        PrivateKey::Pkcs1(_) | PrivateKey::Ed25519(_) => return Err(KeyRejected::WrongKind),
    })
}

/// Declares the private key of ECDH on one curve.
macro_rules! ecdh {
    ($name:ident, $curve:ident, $module:ident) => {
        struct $name {
            key: $module::SecretKey,
            algorithm: KeyManagement,
        }

        impl DecryptionKey for $name {
            fn algorithm(&self) -> KeyManagement {
                self.algorithm
            }

            fn unwrap_key(&self, _: &[u8], _: Entropy) -> Result<SecretBytes, DecryptionFailed> {
                Err(DecryptionFailed)
            }

            fn agree(&self, ephemeral: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
                let PublicKey::Ec { curve: Curve::$curve, x, y } = ephemeral else {
                    return Err(DecryptionFailed);
                };
                let point = uncompressed(Curve::$curve, x, y).map_err(|_| DecryptionFailed)?;
                // Fails for a point that is not on the curve.
                let ephemeral =
                    $module::PublicKey::from_sec1_bytes(&point).map_err(|_| DecryptionFailed)?;
                let shared = $module::ecdh::diffie_hellman(
                    self.key.to_nonzero_scalar(),
                    ephemeral.as_affine(),
                );
                Ok(SecretBytes::new(shared.raw_secret_bytes().to_vec()))
            }

            fn public_key(&self) -> OwnedPublicKey {
                let point = self.key.public_key().to_sec1_bytes();
                coordinates(Curve::$curve, &point)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

ecdh!(P256Private, P256, p256);
ecdh!(P384Private, P384, p384);
ecdh!(P521Private, P521, p521);

struct X25519Private {
    key: x25519_dalek::StaticSecret,
    algorithm: KeyManagement,
}

impl DecryptionKey for X25519Private {
    fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    fn unwrap_key(&self, _: &[u8], _: Entropy) -> Result<SecretBytes, DecryptionFailed> {
        Err(DecryptionFailed)
    }

    fn agree(&self, ephemeral: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
        let PublicKey::X25519 { x } = ephemeral else { return Err(DecryptionFailed) };
        let x: [u8; 32] = x.try_into().map_err(|_| DecryptionFailed)?;
        let shared = self.key.diffie_hellman(&x25519_dalek::PublicKey::from(x));
        // A point of small order makes the secret zero, whatever the private key is.
        if !shared.was_contributory() {
            return Err(DecryptionFailed);
        }
        Ok(SecretBytes::new(shared.as_bytes().to_vec()))
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::X25519 { x: x25519_dalek::PublicKey::from(&self.key).to_bytes().to_vec() }
    }
}

impl fmt::Debug for X25519Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Private(..)")
    }
}

/// AES by the RustCrypto crates.
pub(super) struct Aes;

impl Decrypter for Aes {
    fn unwrap_aes(&self, key: &[u8], wrapped: &[u8]) -> Result<SecretBytes, DecryptionFailed> {
        // The shortest key that can be wrapped has two blocks of eight octets.
        let length = wrapped.len().checked_sub(8).filter(|length| *length >= 16);
        let mut out = Zeroizing::new(alloc::vec![0; length.ok_or(DecryptionFailed)?]);
        let unwrapped = match key.len() {
            16 => KwAes128::new_from_slice(key)
                .map_err(|_| DecryptionFailed)?
                .unwrap_key(wrapped, &mut out)
                .map(drop),
            32 => KwAes256::new_from_slice(key)
                .map_err(|_| DecryptionFailed)?
                .unwrap_key(wrapped, &mut out)
                .map(drop),
            _ => return Err(DecryptionFailed),
        };
        unwrapped.map_err(|_| DecryptionFailed)?;
        Ok(SecretBytes::new(core::mem::take(&mut *out)))
    }

    fn open_gcm(
        &self,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptionFailed> {
        let (nonce, tag) = (Array(*nonce), Array(*tag));
        let opened = match key.len() {
            16 => Aes128Gcm::new_from_slice(key)
                .map_err(|_| DecryptionFailed)?
                .decrypt_inout_detached(&nonce, aad, data.into(), &tag),
            32 => Aes256Gcm::new_from_slice(key)
                .map_err(|_| DecryptionFailed)?
                .decrypt_inout_detached(&nonce, aad, data.into(), &tag),
            _ => return Err(DecryptionFailed),
        };
        opened.map_err(|_| DecryptionFailed)
    }

    fn decrypt_cbc(
        &self,
        key: &[u8],
        iv: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), DecryptionFailed> {
        let (blocks, rest) = Array::<u8, U16>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(DecryptionFailed);
        }
        match key.len() {
            16 => cbc::Decryptor::<Aes128>::new_from_slices(key, iv)
                .map_err(|_| DecryptionFailed)?
                .decrypt_blocks(blocks),
            32 => cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
                .map_err(|_| DecryptionFailed)?
                .decrypt_blocks(blocks),
            _ => return Err(DecryptionFailed),
        }
        Ok(())
    }
}
