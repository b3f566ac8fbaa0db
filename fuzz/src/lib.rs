//! What the fuzz targets share: a client, a way to take values out of the fuzzer's bytes, and a
//! cryptography backend that is fast and easily satisfied, so that the fuzzer gets past it.
use std::sync::Arc;

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, ClientSecret, DeliveryMode, Discovery,
    Entropy, Flow, Hint, Issuer, Timestamp,
    config::BasicEncoding,
    crypto::{
        BadSignature, Decrypter, DecryptionFailed, DecryptionKey, Digest, Hash, KeyImporter,
        KeyRejected, OwnedPublicKey, PrivateKey, PublicKey, SigningKey, VerificationKey, Verifier,
    },
    http::{Body, Response, Url},
    jose::{Curve, JwsAlgorithm, KeyManagement, KeySet},
    keys::SoftwareDecryptionKey,
    metadata::DiscoveryAddress,
    secret::{LoginHint, SecretBytes},
};

/// When every flow here starts: the instant of the recorded answers in the corpora.
pub const START: Timestamp = Timestamp::from_unix_secs(1_795_328_451);

/// The issuer of the recorded answers.
pub const ISSUER: &str = "https://127.0.0.1:9400";

/// A key set with one key for every kind; the backend below takes any numbers.
pub const KEYS: &str = r#"{"keys":[
{"kty":"EC","use":"sig","kid":"op-g1-es256","alg":"ES256","crv":"P-256","x":"4kf6duApSQ0EjQQ8FM7ZQLT2PMn6SMalTkgw_JsFYCw","y":"PGWI8Zjq9FJ7zrzvsuQ_-LnKuXI2kOT9TcYoOfT_-n8"},
{"kty":"EC","use":"sig","kid":"op-g1-es512","alg":"ES512","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"},
{"kty":"OKP","use":"sig","kid":"op-g1-eddsa","alg":"EdDSA","crv":"Ed25519","x":"PAo8UlrQtvMa1SiSZ5SnI2W6iT0eRBLuAzbwO9Rt9hg"}]}"#;

/// Accepts every key, and every signature whose first byte is even.
#[derive(Debug)]
pub struct Lenient;

#[derive(Debug)]
struct LenientKey;

impl Verifier for Lenient {
    fn import(
        &self,
        _: PublicKey<'_>,
        _: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        Ok(Arc::new(LenientKey))
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        self.hmac(hash, &[], data)
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        let length = match hash {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        };
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        for byte in key.iter().chain(&[0]).chain(data) {
            state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let bytes: Vec<u8> = (0..length).map(|at| (state.rotate_left(at * 7) >> 3) as u8).collect();
        Digest::new(&bytes)
    }

    fn decrypter(&self) -> Option<&dyn Decrypter> {
        Some(self)
    }
}

/// Whether a byte of a secret or of a tag is even, as in a signature.
fn passes(first: Option<&u8>) -> Result<(), DecryptionFailed> {
    first.is_some_and(|byte| byte % 2 == 0).then_some(()).ok_or(DecryptionFailed)
}

/// "Decrypts" to the ciphertext itself.
impl Decrypter for Lenient {
    fn unwrap_aes(&self, _: &[u8], wrapped: &[u8]) -> Result<SecretBytes, DecryptionFailed> {
        passes(wrapped.first())?;
        Ok(SecretBytes::new(&wrapped[..wrapped.len().saturating_sub(8)]))
    }

    fn open_gcm(
        &self,
        _: &[u8],
        _: &[u8; 12],
        _: &[u8],
        _: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), DecryptionFailed> {
        passes(tag.first())
    }

    fn decrypt_cbc(&self, _: &[u8], _: &[u8; 16], data: &mut [u8]) -> Result<(), DecryptionFailed> {
        passes(data.first())
    }
}

impl KeyImporter for Lenient {
    fn import_private(
        &self,
        _: PrivateKey<'_>,
        _: JwsAlgorithm,
    ) -> Result<Arc<dyn SigningKey>, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    fn import_decryption(
        &self,
        _: PrivateKey<'_>,
        algorithm: KeyManagement,
    ) -> Result<Arc<dyn DecryptionKey>, KeyRejected> {
        Ok(Arc::new(LenientPrivateKey(algorithm)))
    }

    fn generate_rsa(&self, _: Entropy) -> Result<Body, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }
}

#[derive(Debug)]
struct LenientPrivateKey(KeyManagement);

impl DecryptionKey for LenientPrivateKey {
    fn algorithm(&self) -> KeyManagement {
        self.0
    }

    fn unwrap_key(&self, key: &[u8], _: Entropy) -> Result<SecretBytes, DecryptionFailed> {
        passes(key.first())?;
        Ok(SecretBytes::new(key))
    }

    fn agree(&self, ephemeral: PublicKey<'_>) -> Result<SecretBytes, DecryptionFailed> {
        match ephemeral {
            PublicKey::Ec { x, .. } | PublicKey::X25519 { x } => Ok(SecretBytes::new(x)),
            PublicKey::Rsa { .. } | PublicKey::Ed25519 { .. } => Err(DecryptionFailed),
        }
    }

    fn public_key(&self) -> OwnedPublicKey {
        OwnedPublicKey::Ec { curve: Curve::P256, x: vec![1; 32], y: vec![1; 32] }
    }
}

/// A private key of the backend above, which answers to any key id.
pub fn decryption_key(algorithm: KeyManagement) -> SoftwareDecryptionKey {
    // The numbers are those that the backend reports for every key.
    let one = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{one}","y":"{one}","d":"{one}"}}"#);
    SoftwareDecryptionKey::import_jwk(&jwk, Some(algorithm), &Lenient).expect("it takes any key")
}

impl VerificationKey for LenientKey {
    fn verify(&self, _: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if signature.first().is_some_and(|byte| byte % 2 == 0) { Ok(()) } else { Err(BadSignature) }
    }
}

/// Whether an answer of the token endpoint is a 200 after which nothing is asked any more. One that
/// names an error is not: a known code decides whatever the status says (REQ-TOK-13), so nothing
/// may be decided yet.
pub fn is_final(status: u16, body: &[u8]) -> bool {
    let body = serde_json::from_slice::<serde_json::Value>(body);
    status == 200 && !body.is_ok_and(|body| body.get("error").is_some())
}

/// The fuzzer's bytes, taken from the front; when they are used up everything is zero.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Two bytes.
    pub fn number(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }

    /// As many bytes as the next one says.
    pub fn some(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (some, rest) = self.0.split_at(length);
        self.0 = rest;
        some
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A poll client of the recorded provider that expects ES256.
pub fn config() -> Arc<ClientConfig> {
    config_for(DeliveryMode::Poll)
}

/// The same client with any delivery mode.
pub fn config_for(delivery: DeliveryMode) -> Arc<ClientConfig> {
    let auth = ClientAuth::ClientSecretBasic {
        secret: ClientSecret::new("a secret of no consequence, long enough"),
        encoding: BasicEncoding::Encoded,
    };
    with_auth(auth, delivery)
}

/// The same client, with a private key that the caller holds.
pub fn config_with_key(delivery: DeliveryMode) -> Arc<ClientConfig> {
    with_auth(ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: None }, delivery)
}

fn with_auth(auth: ClientAuth, delivery: DeliveryMode) -> Arc<ClientConfig> {
    let issuer = Issuer::parse(ISSUER).expect("the issuer is an https address");
    let document = format!(
        r#"{{"issuer":"{ISSUER}","jwks_uri":"{ISSUER}/jwks","token_endpoint":"{ISSUER}/token",
        "backchannel_authentication_endpoint":"{ISSUER}/backchannel",
        "backchannel_token_delivery_modes_supported":["poll","ping","push"],
        "token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported":["ES256"],
        "id_token_signing_alg_values_supported":["ES256"]}}"#
    );
    let provider = Discovery::new(issuer, DiscoveryAddress::OpenId)
        .process(&Response::json(200, document))
        .expect("the document is this issuer's");
    let mut builder =
        ClientConfig::builder(provider, ClientId::new("poll-pkjwt-es256").expect("a client id"));
    if delivery != DeliveryMode::Poll {
        let url = Url::parse("https://client.example/notifications").expect("an https address");
        builder = builder.delivery(delivery).notification_endpoint(url);
    }
    builder
        .client_auth(auth)
        .id_token_algorithm(JwsAlgorithm::Es256)
        .verifier(Arc::new(Lenient))
        .build()
        .expect("the configuration is valid")
}

/// A flow that has not sent anything.
pub fn flow(config: Arc<ClientConfig>) -> Flow {
    let request = AuthRequest::new(Hint::Login(LoginHint::new("alice"))).binding_message("W4SCT");
    Flow::start(config, request, entropy(1), START).expect("the request is valid")
}

/// Entropy that differs from call to call.
pub fn entropy(counter: u64) -> Entropy {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&counter.to_le_bytes());
    Entropy::from_bytes(bytes)
}

/// The notification token of a flow in ping or push mode, which only the provider is told; empty in
/// poll mode.
pub fn notification_token(flow: &Flow) -> String {
    let saved = String::from_utf8_lossy(flow.snapshot().as_bytes()).into_owned();
    let token = saved.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    token.unwrap_or_default().to_owned()
}

/// The provider's keys.
pub fn keys() -> KeySet {
    let issuer = Issuer::parse(ISSUER).expect("the issuer is an https address");
    KeySet::pinned(&issuer, KEYS.as_bytes(), &Lenient).expect("the document is a key set")
}

/// Saves a flow after an answer and goes on with it: it is the same flow, and what it kept of the
/// answer is the same, byte for byte, whatever the answer held.
pub fn resumes_alike(flow: &Flow, config: Arc<ClientConfig>, now: Timestamp) {
    let saved = flow.snapshot();
    let resumed =
        Flow::resume(config.clone(), saved.as_bytes(), now).expect("what was saved can be resumed");
    let again = Flow::resume(config, resumed.snapshot().as_bytes(), now).expect("and once more");
    for found in [&resumed, &again] {
        assert_eq!(
            flow.acknowledgement(),
            found.acknowledgement(),
            "what was acknowledged changed at rest"
        );
    }
    assert_eq!(
        (resumed.stage(), resumed.wake_at()),
        (again.stage(), again.wake_at()),
        "saving is not stable"
    );
}
