//! The ID Token: RS256, 25 claims, about 700 bytes of payload.

use ciba_core::{
    Entropy, Issuer, SoftwareKey, Timestamp,
    crypto::{AwsLcRs, VerificationKey},
    evidence::IdTokenContext,
    expect::Expectations,
    jose::{JwsAlgorithm, KeySet},
};
use serde_json::json;

use crate::{Backend, CLIENT_ID, ISSUER, NOW};

/// The test key that signs.
pub const KEY_PEM: &str = include_str!("../../tests/data/keys/rsa-2048.pkcs8.pem");

/// A signed token and what is needed to check it.
pub struct Fixture {
    /// The compact token.
    pub compact: String,
    /// The key set document of the issuer.
    pub key_set: String,
    /// `header.payload`.
    pub signing_input: Vec<u8>,
    /// The bare signature.
    pub signature: Vec<u8>,
    /// The signing key.
    pub key: SoftwareKey,
}

/// The claims: 25 of them, as a broker for eIDs sends them.
#[must_use]
pub fn claims() -> serde_json::Value {
    json!({
        "iss": ISSUER, "aud": CLIENT_ID, "sub": "{bb9c2364-dfae-44f3-bcfd-999053d94f9e}",
        "iat": NOW - 2, "nbf": NOW - 2, "exp": NOW + 1198,
        "identityscheme": "sebankid", "authenticationtype": "urn:grn:authn:se:bankid",
        "authenticationmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:SoftwarePKI",
        "authenticationinstant": "2030-01-01T00:00:08.361Z", "nameidentifier": "bb9c2364dfae44f3bcfd999053d94f9e",
        "sessionindex": "b65f11b6-eba7-4882-900a-5f2d93a38dba", "ssn": "196802020575", "name": "Terne Paulsen",
        "givenname": "Terne", "given_name": "Terne", "surname": "Paulsen", "family_name": "Paulsen",
        "ipaddress": "185.157.134.134", "country": "SE", "birthdate": "1968-02-02", "locale": "sv-SE",
        "acr": "urn:grn:authn:se:bankid", "amr": ["swk"], "auth_time": NOW - 3,
    })
}

/// Signs the token once.
#[must_use]
pub fn fixture() -> Fixture {
    let key = SoftwareKey::import_pem(KEY_PEM, JwsAlgorithm::Rs256, &AwsLcRs)
        .expect("the test key is valid");
    let claims = claims();
    assert_eq!(claims.as_object().map(serde_json::Map::len), Some(25));
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": key.key_id()});
    let signing_input = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = key
        .sign_message(signing_input.as_bytes(), Entropy::from_bytes([7; 32]))
        .expect("the key signs");
    Fixture {
        compact: format!("{signing_input}.{}", encode(&signature)),
        key_set: format!("{{\"keys\":[{}]}}", key.public_jwk()),
        signing_input: signing_input.into_bytes(),
        signature,
        key,
    }
}

impl Fixture {
    /// The issuer's keys, imported by a backend.
    #[must_use]
    pub fn keys(&self, backend: Backend) -> KeySet {
        let issuer = Issuer::parse(ISSUER).expect("a valid issuer");
        KeySet::pinned(&issuer, self.key_set.as_bytes(), &*backend.verifier())
            .expect("a valid key set")
    }

    /// The bare key of a backend: the floor every validation is compared with.
    #[must_use]
    pub fn bare(&self, backend: Backend) -> std::sync::Arc<dyn VerificationKey> {
        let key = self.key.public_key();
        backend.verifier().import(key.borrow(), JwsAlgorithm::Rs256).expect("a valid key")
    }
}

/// The context of a poll-mode ID Token without hashes.
#[must_use]
pub fn context(expectations: &Expectations) -> IdTokenContext<'_> {
    IdTokenContext::new(expectations, Timestamp::from_unix_secs(NOW))
}

fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |group, (at, byte)| group | u32::from(*byte) << (16 - 8 * at));
        for at in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(group >> (18 - 6 * at) & 63) as usize]));
        }
    }
    out
}
