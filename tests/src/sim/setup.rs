//! The setup of a simulation: a client, its request and the answer of the provider.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Hint,
    Issuer, Policy, ProviderMetadata, http::Url, jose::JwsAlgorithm,
};
use serde_json::Value;

use crate::{
    fake_crypto::FakeCrypto,
    model::{CLIENT_ID, ISSUER},
};

/// The parameters in which simulations differ.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `interval` as the provider writes it.
    pub interval: Value,
    /// The resulting interval, in milliseconds.
    pub effective_interval: u64,
    /// `expires_in`, in seconds.
    pub expires_in: u64,
    /// The options of the client.
    pub policy: Policy,
    /// The delivery mode.
    pub delivery: DeliveryMode,
    /// Whether authentication requests are signed.
    pub signed_requests: bool,
    /// `requested_expiry`, in seconds.
    pub requested_expiry: Option<u64>,
}

impl Setup {
    /// Creates a setup in poll mode, with an interval and a lifetime in seconds.
    #[must_use]
    pub fn new(interval: u64, expires_in: u64) -> Self {
        Self {
            interval: interval.into(),
            effective_interval: interval * 1000,
            expires_in,
            policy: Policy::default(),
            delivery: DeliveryMode::Poll,
            signed_requests: false,
            requested_expiry: None,
        }
    }

    /// Changes the delivery mode.
    #[must_use]
    pub const fn delivered(mut self, delivery: DeliveryMode) -> Self {
        self.delivery = delivery;
        self
    }

    /// Returns the configuration of a client with this setup.
    ///
    /// # Panics
    ///
    /// Never: it is valid.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        let mut builder = client(ISSUER).policy(self.policy.clone()).delivery(self.delivery);
        if self.delivery != DeliveryMode::Poll {
            let url = Url::parse("https://client.example/notifications").expect("well-formed");
            builder = builder.notification_endpoint(url);
        }
        if self.signed_requests {
            builder = builder.signed_requests(JwsAlgorithm::EdDsa, Some("client-key".into()));
        }
        builder.build().expect("valid")
    }
}

/// Returns a configuration with the fake backend for the reference provider. Finish it with
/// `build`.
///
/// # Panics
///
/// Never: the constants are well-formed.
pub fn client(issuer: &str) -> ClientConfigBuilder {
    let url = |text: &str| Url::parse(text).expect("well-formed");
    let mut metadata = ProviderMetadata::by_hand(Issuer::parse(issuer).expect("well-formed"));
    metadata.backchannel_authentication_endpoint = Some(url("https://op.example/ciba"));
    metadata.token_endpoint = Some(url("https://op.example/token"));
    metadata.jwks_uri = Some(url("https://op.example/jwks"));
    metadata.user_code_supported = true;
    ClientConfig::builder(metadata, ClientId::new(CLIENT_ID).expect("well-formed"))
        .client_auth(ClientAuth::PrivateKeyJwt {
            algorithm: JwsAlgorithm::EdDsa,
            key_id: Some("client-key".into()),
        })
        .id_token_algorithm(JwsAlgorithm::EdDsa)
        .verifier(Arc::new(FakeCrypto))
}

/// The request of every simulation.
pub fn request() -> AuthRequest {
    AuthRequest::new(Hint::Login("login-hint-sentinel".into()))
}
