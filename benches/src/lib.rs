//! What every benchmark measures: one ID Token of 25 claims, one flow like the Idura example, and
//! the peers that validate the same token.
//!
//! The keys here are test keys. All checks of each library are on; see `peers.rs` for how the peers
//! are set up.

pub mod flow;
pub mod peers;
pub mod token;

use std::sync::Arc;

use ciba_core::{
    ClientAuth, ClientConfig, ClientId, DeliveryMode, Issuer, ProviderMetadata,
    crypto::{AwsLcRs, KeyImporter, RustCrypto, Verifier},
    http::Url,
    jose::JwsAlgorithm,
};

/// The issuer of everything measured.
pub const ISSUER: &str = "https://op.example";
/// The client of everything measured.
pub const CLIENT_ID: &str = "urn:my:application:identifier:7714";
/// When everything happens, in seconds since the epoch.
pub const NOW: u64 = 1_893_456_010;

/// A cryptography backend under measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The default.
    RustCrypto,
    /// The fast one.
    AwsLcRs,
}

impl Backend {
    /// Both.
    pub const ALL: [Self; 2] = [Self::RustCrypto, Self::AwsLcRs];

    /// Its checking half.
    #[must_use]
    pub fn verifier(self) -> Arc<dyn Verifier> {
        match self {
            Self::RustCrypto => Arc::new(RustCrypto),
            Self::AwsLcRs => Arc::new(AwsLcRs),
        }
    }

    /// Its signing half.
    #[must_use]
    pub fn importer(self) -> Box<dyn KeyImporter> {
        match self {
            Self::RustCrypto => Box::new(RustCrypto),
            Self::AwsLcRs => Box::new(AwsLcRs),
        }
    }
}

/// A client of the measured issuer that authenticates with a private key.
#[must_use]
pub fn config(backend: Backend) -> Arc<ClientConfig> {
    let url = |path: &str| Url::parse(&format!("{ISSUER}{path}")).expect("a valid URL");
    let mut provider = ProviderMetadata::by_hand(Issuer::parse(ISSUER).expect("a valid issuer"));
    provider.backchannel_authentication_endpoint = Some(url("/ciba/bc-authorize"));
    provider.token_endpoint = Some(url("/oauth2/token"));
    provider.jwks_uri = Some(url("/.well-known/jwks"));
    ClientConfig::builder(provider, ClientId::new(CLIENT_ID).expect("a valid client id"))
        .delivery(DeliveryMode::Poll)
        .client_auth(ClientAuth::PrivateKeyJwt {
            algorithm: JwsAlgorithm::Es256,
            key_id: Some("827D9A3E98616495AC6FE171AE6DA3B3CA141921".into()),
        })
        .verifier(backend.verifier())
        .build()
        .expect("a valid configuration")
}
