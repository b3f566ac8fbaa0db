//! Published private keys, for tests only.

use core::fmt;
use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    Entropy,
    crypto::{Hash, OwnedPublicKey, PrivateKey, SigningKey},
    jose::{Curve, JwsAlgorithm},
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use crate::backend::{importer, verifier};

/// A private key that is published with this crate. **For tests only.**
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TestKey {
    /// The provider's RSA key, 2048 bits.
    ProviderRsa,
    /// The provider's next RSA key.
    ProviderRsaNext,
    /// The provider's P-256 key.
    ProviderP256,
    /// The provider's next P-256 key.
    ProviderP256Next,
    /// The provider's P-384 key.
    ProviderP384,
    /// The provider's next P-384 key.
    ProviderP384Next,
    /// The provider's P-521 key.
    ProviderP521,
    /// The provider's next P-521 key.
    ProviderP521Next,
    /// The provider's Ed25519 key.
    ProviderEd25519,
    /// The provider's next Ed25519 key.
    ProviderEd25519Next,
    /// A client's RSA key, 2048 bits.
    ClientRsa,
    /// A client's P-256 key.
    ClientP256,
    /// A client's P-384 key.
    ClientP384,
    /// A client's P-521 key.
    ClientP521,
    /// A client's Ed25519 key.
    ClientEd25519,
    /// An RSA key that the provider does not publish.
    StrangerRsa,
    /// A P-256 key that the provider does not publish.
    StrangerP256,
}

impl TestKey {
    /// Returns the private key, PKCS#8 in PEM.
    #[must_use]
    pub const fn private_pem(self) -> &'static str {
        match self {
            Self::ProviderRsa => include_str!("../keys/op-rsa.pem"),
            Self::ProviderRsaNext => include_str!("../keys/op-rsa-next.pem"),
            Self::ProviderP256 => include_str!("../keys/op-p256.pem"),
            Self::ProviderP256Next => include_str!("../keys/op-p256-next.pem"),
            Self::ProviderP384 => include_str!("../keys/op-p384.pem"),
            Self::ProviderP384Next => include_str!("../keys/op-p384-next.pem"),
            Self::ProviderP521 => include_str!("../keys/op-p521.pem"),
            Self::ProviderP521Next => include_str!("../keys/op-p521-next.pem"),
            Self::ProviderEd25519Next => include_str!("../keys/op-ed25519-next.pem"),
            Self::ProviderEd25519 => include_str!("../keys/op-ed25519.pem"),
            Self::ClientRsa => include_str!("../keys/client-rsa.pem"),
            Self::ClientP256 => include_str!("../keys/client-p256.pem"),
            Self::ClientP384 => include_str!("../keys/client-p384.pem"),
            Self::ClientP521 => include_str!("../keys/client-p521.pem"),
            Self::ClientEd25519 => include_str!("../keys/client-ed25519.pem"),
            Self::StrangerRsa => include_str!("../keys/stranger-rsa.pem"),
            Self::StrangerP256 => include_str!("../keys/stranger-p256.pem"),
        }
    }

    /// Returns the client's key for an algorithm, `None` for a symmetric algorithm.
    #[must_use]
    pub const fn client_for(algorithm: JwsAlgorithm) -> Option<Self> {
        match algorithm {
            JwsAlgorithm::Es256 => Some(Self::ClientP256),
            JwsAlgorithm::Es384 => Some(Self::ClientP384),
            JwsAlgorithm::Es512 => Some(Self::ClientP521),
            JwsAlgorithm::EdDsa => Some(Self::ClientEd25519),
            _ if algorithm.is_symmetric() => None,
            _ => Some(Self::ClientRsa),
        }
    }

    /// Returns the public key as a JWK with `kid` (its RFC 7638 thumbprint), `use` and `alg`.
    ///
    /// # Panics
    ///
    /// Panics if the algorithm does not fit this kind of key.
    #[must_use]
    pub fn public_jwk(self, algorithm: JwsAlgorithm) -> Value {
        let mut jwk = jwk_numbers(&self.signer(algorithm).public_key());
        jwk["kid"] = thumbprint(&jwk).into();
        jwk["use"] = "sig".into();
        jwk["alg"] = algorithm.name().into();
        jwk
    }

    /// Returns the key id: the RFC 7638 thumbprint.
    #[must_use]
    pub fn key_id(self) -> String {
        thumbprint(&jwk_numbers(&self.signer(self.usual_algorithm()).public_key()))
    }

    pub(crate) const fn usual_algorithm(self) -> JwsAlgorithm {
        match self {
            Self::ProviderRsa | Self::ProviderRsaNext | Self::ClientRsa | Self::StrangerRsa => {
                JwsAlgorithm::Rs256
            }
            Self::ProviderP256 | Self::ProviderP256Next | Self::ClientP256 | Self::StrangerP256 => {
                JwsAlgorithm::Es256
            }
            Self::ProviderP384 | Self::ProviderP384Next | Self::ClientP384 => JwsAlgorithm::Es384,
            Self::ProviderP521 | Self::ProviderP521Next | Self::ClientP521 => JwsAlgorithm::Es512,
            Self::ProviderEd25519 | Self::ProviderEd25519Next | Self::ClientEd25519 => {
                JwsAlgorithm::EdDsa
            }
        }
    }

    fn signer(self, algorithm: JwsAlgorithm) -> Arc<dyn SigningKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.private_pem().as_bytes())
            .expect("the key files of this crate are valid PEM");
        importer()
            .import_private(PrivateKey::Pkcs8(der.secret_pkcs8_der()), algorithm)
            .expect("the algorithm fits this kind of key")
    }

    /// Signs. Parses the key each time, which is slow but simple.
    pub(crate) fn sign(self, algorithm: JwsAlgorithm, message: &[u8], seed: [u8; 32]) -> Vec<u8> {
        self.signer(algorithm).sign(message, Entropy::from_bytes(seed)).expect("a test key signs")
    }
}

impl fmt::Display for TestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn jwk_numbers(key: &OwnedPublicKey) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match key {
        OwnedPublicKey::Rsa { n, e } => json!({ "kty": "RSA", "n": text(n), "e": text(e) }),
        OwnedPublicKey::Ec { curve, x, y } => {
            let name = match curve {
                Curve::P256 => "P-256",
                Curve::P384 => "P-384",
                Curve::P521 => "P-521",
            };
            json!({ "kty": "EC", "crv": name, "x": text(x), "y": text(y) })
        }
        OwnedPublicKey::Ed25519 { x } => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(x) }),
        OwnedPublicKey::X25519 { x } => json!({ "kty": "OKP", "crv": "X25519", "x": text(x) }),
    }
}

/// RFC 7638: the required members in lexicographic order, without whitespace.
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let names: &[&str] = match jwk["kty"].as_str() {
        Some("RSA") => &["e", "kty", "n"],
        Some("EC") => &["crv", "kty", "x", "y"],
        _ => &["crv", "kty", "x"],
    };
    let members: Vec<String> =
        names.iter().map(|name| format!("\"{name}\":{}", jwk[*name])).collect();
    let text = format!("{{{}}}", members.join(","));
    URL_SAFE_NO_PAD.encode(verifier().digest(Hash::Sha256, text.as_bytes()).as_bytes())
}
