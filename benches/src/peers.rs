//! Other libraries, from their published crates, validating the same token with every check they
//! have for it on: signature, issuer, audience, expiry. Their keys are imported beforehand, as ours
//! are.

use std::str::FromStr as _;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use openidconnect::{
    ClientId, IssuerUrl, Nonce, NonceVerifier,
    core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet},
};
use serde::Deserialize;

use crate::{CLIENT_ID, ISSUER, NOW, token::Fixture};

/// The claims a caller would read, typed; the rest is skipped, which is in the peer's favour.
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// Subject.
    pub sub: String,
    /// The national id.
    pub ssn: String,
    /// The name.
    pub name: String,
}

/// jsonwebtoken on the backend this crate was built for.
pub struct JsonWebToken {
    key: DecodingKey,
    validation: Validation,
}

impl JsonWebToken {
    /// Sets it up.
    #[must_use]
    pub fn new(fixture: &Fixture) -> Self {
        let set: serde_json::Value = serde_json::from_str(&fixture.key_set).expect("JSON");
        let part = |name: &str| set["keys"][0][name].as_str().expect("a public RSA key").to_owned();
        let key = DecodingKey::from_rsa_components(&part("n"), &part("e")).expect("a valid key");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[CLIENT_ID]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        // Its clock cannot be set, so the token has to be in the future of the machine's clock and
        // `nbf` is let through.
        validation.leeway = 200_000_000;
        Self { key, validation }
    }

    /// Validates the token.
    ///
    /// # Panics
    ///
    /// When the token does not pass.
    #[must_use]
    pub fn validate(&self, compact: &str) -> Claims {
        decode::<Claims>(compact, &self.key, &self.validation).expect("the token is valid").claims
    }
}

/// Takes any nonce: CIBA has none.
struct NoNonce;

impl NonceVerifier for NoNonce {
    fn verify(self, _: Option<&Nonce>) -> Result<(), String> {
        Ok(())
    }
}

/// openidconnect (its one backend: the rsa crate).
pub struct OpenIdConnect {
    verifier: CoreIdTokenVerifier<'static>,
}

impl OpenIdConnect {
    /// Sets it up.
    #[must_use]
    pub fn new(fixture: &Fixture) -> Self {
        let keys: CoreJsonWebKeySet = serde_json::from_str(&fixture.key_set).expect("a key set");
        let issuer = IssuerUrl::new(ISSUER.to_owned()).expect("a valid issuer");
        let verifier = CoreIdTokenVerifier::new_public_client(
            ClientId::new(CLIENT_ID.to_owned()),
            issuer,
            keys,
        );
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
        Self { verifier: verifier.set_time_fn(move || now.into()) }
    }

    /// Validates the token; gives back the length of the subject.
    ///
    /// # Panics
    ///
    /// When the token does not pass.
    #[must_use]
    pub fn validate(&self, compact: &str) -> usize {
        let token = CoreIdToken::from_str(compact).expect("an ID Token");
        token.claims(&self.verifier, NoNonce).expect("the token is valid").subject().len()
    }
}

/// The backend jsonwebtoken was built with: it takes one for a whole process.
pub const JSONWEBTOKEN_BACKEND: &str =
    if cfg!(feature = "peers-aws-lc-rs") { "aws-lc-rs" } else { "RustCrypto" };
