//! A cryptography backend for tests that perform millions of operations: a "signature" is a
//! checksum of key and message. It is deterministic and fast, and protects nothing.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    crypto::{BadSignature, Digest, Hash, KeyRejected, PublicKey, VerificationKey, Verifier},
    jose::JwsAlgorithm,
};
use serde_json::{Value, json};

/// The backend. It supports EdDSA keys only; public and private key are the same 32 bytes.
#[derive(Debug)]
pub struct FakeCrypto;

#[derive(Debug)]
struct FakeKey([u8; 32]);

impl Verifier for FakeCrypto {
    fn import(
        &self,
        key: PublicKey<'_>,
        algorithm: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        match (key, algorithm) {
            (PublicKey::Ed25519 { x }, JwsAlgorithm::EdDsa) => {
                Ok(Arc::new(FakeKey(x.try_into().map_err(|_| KeyRejected::Malformed)?)))
            }
            _ => Err(KeyRejected::UnsupportedAlgorithm),
        }
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        let length = match hash {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        Digest::new(&checksum(&[data])[..length])
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        self.digest(hash, &checksum(&[key, data]))
    }
}

impl VerificationKey for FakeKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if sign(&self.0, message) == signature { Ok(()) } else { Err(BadSignature) }
    }
}

/// Computes FNV-1a over the parts, each preceded by its length, and expands it to 64 bytes.
fn checksum(parts: &[&[u8]]) -> [u8; 64] {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |byte: u8| state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.len().to_le_bytes().into_iter().for_each(&mut take);
        part.iter().copied().for_each(&mut take);
    }
    let mut out = [0; 64];
    for chunk in out.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    out
}

/// Returns the key with the given number.
#[must_use]
pub fn key(number: u8) -> [u8; 32] {
    [number; 32]
}

/// Returns the signature of a message.
#[must_use]
pub fn sign(key: &[u8; 32], message: &[u8]) -> Vec<u8> {
    checksum(&[key, message]).to_vec()
}

/// Returns the key as a JWK of a provider.
#[must_use]
pub fn jwk(key_id: &str, key: &[u8; 32]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id, "x": URL_SAFE_NO_PAD.encode(key)})
}

/// Returns a compact JWS of claims.
#[must_use]
pub fn jws(header: &Value, claims: &Value, key: &[u8; 32]) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(key, input.as_bytes()));
    format!("{input}.{signature}")
}

/// Returns the left half of the hash of a token, for `at_hash` with an EdDSA signature.
#[must_use]
pub fn half_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(FakeCrypto.digest(Hash::Sha512, token.as_bytes()).left_half())
}
