//! RSA-OAEP, ECDH and AES for the aws-lc-rs backend.

use alloc::sync::Arc;
use core::fmt;

use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, UnparsedPublicKey},
    cipher::{self, DecryptingKey, DecryptionContext, UnboundCipherKey},
    key_wrap::{self, KeyEncryptionKey, KeyWrap as _},
    rsa::{
        OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
        PrivateDecryptingKey,
    },
};
use zeroize::Zeroizing;

use super::{
    Decrypter, DecryptionFailed, DecryptionKey, KeyRejected, OwnedPublicKey, PrivateKey, PublicKey,
    rules::{coordinates, rsa_private},
};
use crate::{
    crypto::entropy::Entropy,
    jose::{Curve, KeyManagement, der},
    secret::SecretBytes,
};

pub(super) fn import(
    key: PrivateKey<'_>,
    algorithm: KeyManagement,
) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
    // aws-lc-rs ignores bytes that follow a document, so they are rejected here.
    if matches!(key, PrivateKey::Pkcs8(document) if !der::is_one_sequence(document)) {
        return Err(KeyRejected::WrongKind);
    }
    match algorithm {
        KeyManagement::RsaOaep256 => rsa(key, algorithm, &OAEP_SHA256_MGF1SHA256),
        KeyManagement::RsaOaepSha1 => rsa(key, algorithm, &OAEP_SHA1_MGF1SHA1),
        KeyManagement::EcdhEs | KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw => {
            ecdh(key, algorithm)
        }
    }
}

fn rsa(
    key: PrivateKey<'_>,
    algorithm: KeyManagement,
    padding: &'static OaepAlgorithm,
) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
    let (document, public) = rsa_private(key)?;
    let key = PrivateDecryptingKey::from_pkcs8(&der::rsa_pkcs8(document))
        .and_then(|key| OaepPrivateDecryptingKey::new(key).map_err(Into::into))
        .map_err(|_| KeyRejected::Malformed)?;
    Ok(Arc::new(RsaPrivate { key, padding, public, algorithm }))
}

fn ecdh(
    key: PrivateKey<'_>,
    algorithm: KeyManagement,
) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
    let imported = |key, curve| Arc::new(EcPrivate { key, curve, algorithm });
    Ok(match key {
        PrivateKey::Pkcs8(document) => {
            let read = |curve| {
                agreement::PrivateKey::from_private_key_der(of_curve(curve), document)
                    .map(|key| imported(key, Some(curve)))
            };
            let found = Curve::ALL.into_iter().find_map(|curve| read(curve).ok());
            found.ok_or(KeyRejected::WrongKind)?
        }
        PrivateKey::Ec { curve, d } => imported(
            agreement::PrivateKey::from_private_key(of_curve(curve), d)
                .map_err(|_| KeyRejected::Malformed)?,
            Some(curve),
        ),
        PrivateKey::X25519(d) => imported(
            agreement::PrivateKey::from_private_key(&agreement::X25519, d)
                .map_err(|_| KeyRejected::Malformed)?,
            None,
        ),
        PrivateKey::Pkcs1(_) | PrivateKey::Ed25519(_) => return Err(KeyRejected::WrongKind),
    })
}

const fn of_curve(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
        Curve::P521 => &agreement::ECDH_P521,
    }
}

struct RsaPrivate {
    key: OaepPrivateDecryptingKey,
    padding: &'static OaepAlgorithm,
    public: OwnedPublicKey,
    algorithm: KeyManagement,
}

impl DecryptionKey for RsaPrivate {
    fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    fn unwrap_key(
        &self,
        encrypted_key: &[u8],
        _: Entropy,
    ) -> Result<SecretBytes, DecryptionFailed> {
        if encrypted_key.len() != self.key.key_size_bytes() {
            return Err(DecryptionFailed);
        }
        let mut out = Zeroizing::new(alloc::vec![0; self.key.min_output_size()]);
        let key = self.key.decrypt(self.padding, encrypted_key, &mut out, None);
        key.map(|key| SecretBytes::new(&*key)).map_err(|_| DecryptionFailed)
    }

    fn agree(&self, _: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
        Err(DecryptionFailed)
    }

    fn public_key(&self) -> OwnedPublicKey {
        self.public.clone()
    }
}

struct EcPrivate {
    key: agreement::PrivateKey,
    /// The NIST curve, or `None` for X25519.
    curve: Option<Curve>,
    algorithm: KeyManagement,
}

impl DecryptionKey for EcPrivate {
    fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    fn unwrap_key(&self, _: &[u8], _: Entropy) -> Result<SecretBytes, DecryptionFailed> {
        Err(DecryptionFailed)
    }

    fn agree(&self, ephemeral: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
        let (algorithm, point) = match (ephemeral, self.curve) {
            (PublicKey::Ec { curve, x, y }, Some(own)) if curve == own => {
                // Concatenated, so a wrong width would shift one coordinate into the other.
                if x.len() != curve.width() || y.len() != curve.width() {
                    return Err(DecryptionFailed);
                }
                (of_curve(curve), [&[4], x, y].concat())
            }
            (PublicKey::X25519 { x }, None) => (&agreement::X25519, x.to_vec()),
            _ => return Err(DecryptionFailed),
        };
        // Parsing checks that the point is on the curve, and X25519 fails for a shared secret of
        // zero.
        agreement::agree(
            &self.key,
            UnparsedPublicKey::new(algorithm, point),
            DecryptionFailed,
            |secret| Ok(SecretBytes::new(secret)),
        )
    }

    fn public_key(&self) -> OwnedPublicKey {
        // Computing it fails for no key that was imported. An empty one would match no other.
        let point = self.key.compute_public_key();
        let point = point.as_ref().map(AsRef::as_ref).unwrap_or_default();
        match self.curve {
            Some(curve) => coordinates(curve, point),
            None => OwnedPublicKey::X25519 { x: point.to_vec() },
        }
    }
}

/// Implements `Debug` for private keys, showing only the algorithm.
macro_rules! debug_algorithm {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.algorithm)
            }
        }
    )*};
}

debug_algorithm!(RsaPrivate, EcPrivate);

/// AES by aws-lc-rs.
pub(super) struct Aes;

impl Decrypter for Aes {
    fn unwrap_aes(&self, key: &[u8], wrapped: &[u8]) -> Result<SecretBytes, DecryptionFailed> {
        let cipher = match key.len() {
            16 => &key_wrap::AES_128,
            32 => &key_wrap::AES_256,
            _ => return Err(DecryptionFailed),
        };
        let key = KeyEncryptionKey::new(cipher, key).map_err(|_| DecryptionFailed)?;
        let mut out = Zeroizing::new(alloc::vec![0; wrapped.len()]);
        let unwrapped = key.unwrap(wrapped, &mut out).map_err(|_| DecryptionFailed)?;
        Ok(SecretBytes::new(&*unwrapped))
    }

    fn open_gcm(
        &self,
        key: &[u8],
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptionFailed> {
        let cipher = match key.len() {
            16 => &aead::AES_128_GCM,
            32 => &aead::AES_256_GCM,
            _ => return Err(DecryptionFailed),
        };
        let key = LessSafeKey::new(UnboundKey::new(cipher, key).map_err(|_| DecryptionFailed)?);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data)
            .map(drop)
            .map_err(|_| DecryptionFailed)
    }

    fn decrypt_cbc(
        &self,
        key: &[u8],
        iv: &[u8; 16],
        data: &mut [u8],
    ) -> Result<(), DecryptionFailed> {
        let cipher = match key.len() {
            16 => &cipher::AES_128,
            32 => &cipher::AES_256,
            _ => return Err(DecryptionFailed),
        };
        let key = UnboundCipherKey::new(cipher, key).and_then(DecryptingKey::cbc);
        key.and_then(|key| key.decrypt(data, DecryptionContext::Iv128((*iv).into())).map(drop))
            .map_err(|_| DecryptionFailed)
    }
}
