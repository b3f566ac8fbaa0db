//! A valid token, and ways to make it invalid.

use alloc::{
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use core::time::Duration;

use hmac::{KeyInit as _, Mac as _};
use p256::ecdsa::{
    Signature,
    signature::{Signer as _, Verifier as _},
};
use serde_json::{Map, Value, json};
use sha2::Digest as _;

use super::*;
use crate::{
    client::{
        ClientAuth,
        testing::{ISSUER, builder},
    },
    crypto::{BadSignature, Digest, Hash, KeyRejected, PublicKey, VerificationKey, Verifier},
    expect::{AcrRule, Expectations, Matching, Presence},
    fault::Found,
    jose::{base64url, verify_signature_only},
    secret::{AccessToken, AuthReqId, RefreshToken},
};

mod claims;
mod evidence;
mod form;
mod profile;

/// When the response of every test arrived, in seconds.
const NOW: u64 = 1_900_000_000;
const SECRET: &str =
    "a client secret of more than sixty-four octets, which is enough for every HMAC";

/// A backend with ES256 and SHA-2, directly from their crates.
#[derive(Debug)]
struct Backend;

#[derive(Debug)]
struct Es256Key(p256::ecdsa::VerifyingKey);

impl VerificationKey for Es256Key {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
        self.0.verify(message, &signature).map_err(|_| BadSignature)
    }
}

impl Verifier for Backend {
    fn import(
        &self,
        _: PublicKey<'_>,
        _: JwsAlgorithm,
    ) -> Result<Arc<dyn VerificationKey>, KeyRejected> {
        Err(KeyRejected::UnsupportedAlgorithm)
    }

    fn digest(&self, hash: Hash, data: &[u8]) -> Digest {
        match hash {
            Hash::Sha256 => Digest::new(&sha2::Sha256::digest(data)),
            Hash::Sha384 => Digest::new(&sha2::Sha384::digest(data)),
            Hash::Sha512 => Digest::new(&sha2::Sha512::digest(data)),
        }
    }

    fn hmac(&self, hash: Hash, key: &[u8], data: &[u8]) -> Digest {
        assert_eq!(hash, Hash::Sha256, "only HS256 is tested here");
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
        mac.update(data);
        Digest::new(&mac.finalize().into_bytes())
    }
}

/// The key with the given scalar.
fn key(scalar: u8) -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[scalar; 32]).unwrap()
}

fn public(scalar: u8) -> Arc<dyn VerificationKey> {
    Arc::new(Es256Key(*key(scalar).verifying_key()))
}

fn key_set() -> KeySet {
    KeySet::of(ISSUER, vec![(Some("k1"), JwsAlgorithm::Es256, public(1))])
}

fn config() -> Arc<ClientConfig> {
    builder().verifier(Arc::new(Backend)).id_token_algorithm(JwsAlgorithm::Es256).build().unwrap()
}

fn secret_config(secret: &str) -> Arc<ClientConfig> {
    let auth = ClientAuth::ClientSecretPost { secret: secret.into() };
    builder()
        .client_auth(auth)
        .verifier(Arc::new(Backend))
        .id_token_algorithm(JwsAlgorithm::Hs256)
        .build()
        .unwrap()
}

/// A valid token that can be modified.
struct Token {
    header: String,
    claims: Map<String, Value>,
}

fn token() -> Token {
    let claims = json!({
        "iss": ISSUER, "sub": "248289761001", "aud": "client-1", "iat": NOW, "exp": NOW + 300,
        "email_verified": "true", "c_hash": 5, "nested": {"a": [1, {"b": null}]},
    });
    let Value::Object(claims) = claims else { unreachable!() };
    Token { header: r#"{"alg":"ES256","kid":"k1"}"#.into(), claims }
}

impl Token {
    fn header(mut self, header: &str) -> Self {
        self.header = header.into();
        self
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.into(), value);
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.claims.remove(name).unwrap();
        self
    }

    fn signed(&self) -> String {
        signed(&self.header, Value::Object(self.claims.clone()).to_string().as_bytes(), 1)
    }

    fn verdict(&self) -> Result<IdToken, Untrusted> {
        validate(&self.signed(), &Expectations::default())
    }
}

fn signing_input(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    format!("{}.{}", base64url::encode(header), base64url::encode(payload))
}

fn with_signature(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", base64url::encode(signature))
}

fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, scalar: u8) -> String {
    let input = signing_input(header, payload);
    let signature: Signature = key(scalar).sign(input.as_bytes());
    with_signature(&input, &signature.to_bytes())
}

fn mac(header: &str, payload: impl AsRef<[u8]>, key: &[u8]) -> String {
    let input = signing_input(header, payload);
    with_signature(&input, Backend.hmac(Hash::Sha256, key, input.as_bytes()).as_bytes())
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_secs(seconds)
}

fn validate(compact: &str, expectations: &Expectations) -> Result<IdToken, Untrusted> {
    let verdict = config().validate_id_token(
        compact,
        Some(&key_set()),
        &IdTokenContext::new(expectations, at(NOW)),
    );
    verdict.map_err(|rejection| rejection.check())
}

/// A context without expectations that can be modified.
fn context() -> IdTokenContext<'static> {
    static NOTHING: Expectations = Expectations {
        trust_framework: None,
        acr_values: Vec::new(),
        acr: None,
        max_age: None,
        auth_time_required: false,
        subject: None,
        nonce: None,
        claims: Vec::new(),
        person: None,
        by_number: None,
        eid: None,
    };
    IdTokenContext::new(&NOTHING, at(NOW))
}

fn within(token: &Token, context: IdTokenContext<'_>) -> Result<IdToken, Untrusted> {
    let verdict = config().validate_id_token(&token.signed(), Some(&key_set()), &context);
    verdict.map_err(|rejection| rejection.check())
}

fn expecting(token: &Token, expectations: Expectations) -> Result<IdToken, Untrusted> {
    validate(&token.signed(), &expectations)
}

#[track_caller]
fn refused<E: Into<Rejection>>(result: Result<IdToken, E>, check: Untrusted) {
    assert_eq!(result.map(|_| "accepted").map_err(|error| error.into().check()), Err(check));
}
