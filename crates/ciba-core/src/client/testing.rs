//! Helpers for tests of configurations and credentials: metadata, a working builder, and a trivial
//! backend.

use alloc::sync::Arc;

use super::{ClientConfig, ClientConfigBuilder, ClientId};
use crate::{
    client::ClientAuth,
    crypto::{Digest, Hash, KeyRejected, PublicKey, VerificationKey, Verifier},
    issuer::Issuer,
    jose::JwsAlgorithm,
    url::Url,
    wire::metadata::ProviderMetadata,
};

/// A backend whose digests differ if their inputs do, without any cryptography.
#[derive(Debug)]
pub(crate) struct ToyVerifier;

impl Verifier for ToyVerifier {
    fn import(
        &self,
        _: PublicKey<'_>,
        _: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        let mut out = [0; 64];
        for chunk in out.chunks_mut(8) {
            for byte in data {
                state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
            }
            chunk.copy_from_slice(&state.to_be_bytes());
        }
        let length = match hash {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        Digest::new(&out[..length])
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        self.digest(hash, &[key, b"|", data].concat())
    }
}

pub(crate) const ISSUER: &str = "https://op.example/t1/";

pub(crate) fn metadata() -> ProviderMetadata {
    let mut metadata = ProviderMetadata::by_hand(Issuer::parse(ISSUER).unwrap());
    metadata.backchannel_authentication_endpoint =
        Some(Url::parse("https://op.example/ciba").unwrap());
    metadata.token_endpoint = Some(Url::parse("https://op.example/token").unwrap());
    metadata.jwks_uri = Some(Url::parse("https://op.example/jwks").unwrap());
    metadata
}

pub(crate) fn private_key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: Some("key-1".into()) }
}

/// A builder that can be built without further options.
pub(crate) fn builder_from(metadata: ProviderMetadata) -> ClientConfigBuilder {
    ClientConfig::builder(metadata, ClientId::new("client-1").unwrap())
        .client_auth(private_key_jwt())
        .verifier(Arc::new(ToyVerifier))
}

pub(crate) fn builder() -> ClientConfigBuilder {
    builder_from(metadata())
}
