//! A client without real cryptography, a clock that jumps, and random bytes that count: what
//! driving needs.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode, Entropy,
    Hint, Issuer, Policy, ProviderMetadata, Timestamp,
    crypto::{Digest, Hash, KeyRejected, PublicKey, VerificationKey, Verifier},
    http::{Headers, LoopbackHttp, Url},
    jose::JwsAlgorithm,
    secret::LoginHint,
};

/// Mixes bytes well enough to tell inputs apart, and knows no key.
#[derive(Debug)]
struct Mixer;

impl Verifier for Mixer {
    fn import(
        &self,
        _: PublicKey<'_>,
        _: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    fn digest(&self, _: Hash, data: &[u8]) -> Digest {
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        let mut out = Vec::new();
        for round in 0..4_u8 {
            for byte in data.iter().chain(&[round]) {
                state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
            }
            out.extend(state.to_le_bytes());
        }
        Digest::new(&out)
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        self.digest(hash, &[key, data].concat())
    }
}

pub fn config(base: &str, auth: ClientAuth) -> Arc<ClientConfig> {
    builder(base, auth).build().unwrap()
}

/// A client that polls by a policy of its own.
pub fn polling(base: &str, policy: Policy) -> Arc<ClientConfig> {
    builder(base, ClientAuth::None).policy(policy).build().unwrap()
}

/// A client that is notified.
pub fn notified(base: &str, mode: DeliveryMode, policy: Policy) -> Arc<ClientConfig> {
    let builder = builder(base, ClientAuth::None).delivery(mode).policy(policy);
    builder
        .notification_endpoint(Url::parse("https://client.example/ciba/notify").unwrap())
        .build()
        .unwrap()
}

/// A policy by which a flow in ping mode asks when it was pinged and not before.
pub fn without_backstop() -> Policy {
    let mut policy = Policy::default();
    policy.ping_backstop = false;
    policy
}

fn builder(base: &str, auth: ClientAuth) -> ClientConfigBuilder {
    let url = |path: &str| {
        Url::parse_with(format!("{base}{path}").as_str(), LoopbackHttp::DangerouslyAllowed).unwrap()
    };
    let issuer = Issuer::parse_with(base, LoopbackHttp::DangerouslyAllowed).unwrap();
    let mut provider = ProviderMetadata::by_hand(issuer);
    provider.backchannel_authentication_endpoint = Some(url("/authenticate"));
    provider.token_endpoint = Some(url("/token"));
    provider.jwks_uri = Some(url("/keys"));
    provider.userinfo_endpoint = Some(url("/userinfo"));
    provider.revocation_endpoint = Some(url("/revoke"));
    let builder = ClientConfig::builder(provider, ClientId::new("client").unwrap());
    builder.client_auth(auth).verifier(Arc::new(Mixer))
}

pub fn request() -> AuthRequest {
    AuthRequest::new(Hint::Login(LoginHint::new("somebody")))
}

pub const ACKNOWLEDGED: &str =
    r#"{"auth_req_id":"1c266114-a1be-4252-8ad1-04986c5b9ac1","expires_in":120,"interval":5}"#;
pub const PENDING: &str = r#"{"error":"authorization_pending"}"#;
pub const DENIED: &str = r#"{"error":"access_denied"}"#;

pub const AUTH_REQ_ID: &str = "1c266114-a1be-4252-8ad1-04986c5b9ac1";

/// The token that an authentication request hands to the provider for its notifications.
pub fn notification_token(request: &str) -> String {
    let after =
        request.split("client_notification_token=").nth(1).expect("a request in ping or push mode");
    after.split('&').next().unwrap().to_owned()
}

/// The body of a ping.
pub fn ping(id: &str) -> String {
    format!(r#"{{"auth_req_id":"{id}"}}"#)
}

/// The fields of a notification.
pub fn fields(token: &str) -> Headers {
    [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())]
        .into_iter()
        .collect()
}

/// Time passes only by waiting, and then at once.
#[derive(Clone)]
pub struct Jumping(Arc<AtomicU64>);

impl Jumping {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    pub fn read(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst))
    }

    pub fn jump(&self, until: Timestamp) {
        self.0.fetch_max(until.unix_millis(), Ordering::SeqCst);
    }
}

/// Never the same bytes twice, and none at all when told so.
#[derive(Clone, Default)]
pub struct Counting {
    drawn: Arc<AtomicU64>,
    limit: Option<u64>,
}

impl Counting {
    pub fn failing_after(limit: u64) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    pub fn next(&self) -> Option<Entropy> {
        let count = self.drawn.fetch_add(1, Ordering::SeqCst);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        self.limit.is_none_or(|limit| count < limit).then(|| Entropy::from_bytes(bytes))
    }
}

/// The `jti` of a JWS signing input.
pub fn jti(signing_input: &[u8]) -> String {
    let text = std::str::from_utf8(signing_input).unwrap();
    let payload = base64_url(text.split('.').nth(1).unwrap());
    let after = payload.split("\"jti\":\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

fn base64_url(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = 0_u32;
    let mut held = 0;
    let mut out = Vec::new();
    for byte in text.bytes() {
        let digit = alphabet.iter().position(|known| *known == byte).unwrap();
        bits = (bits << 6) | u32::try_from(digit).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).unwrap());
        }
    }
    String::from_utf8(out).unwrap()
}
