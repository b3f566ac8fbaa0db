//! Private keys in memory: read once from PEM or a JWK, and answering key operations.

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    ask::{Input, KeyOperation, KeyTask},
    crypto::{Hash, KeyImporter, KeyRejected, OwnedPublicKey, PrivateKey, SigningFailed, SigningKey},
    entropy::Entropy,
    jose::{Curve, JwsAlgorithm, base64url, der, jwk, thumbprint},
    json::Object,
    secret::PrivateJwk,
};

/// The largest key file that is read, in bytes.
const LONGEST_FILE: usize = 64 * 1024;

/// A private key in memory, imported for one algorithm.
#[derive(Debug, Clone)]
pub struct SoftwareKey {
    key: Arc<dyn SigningKey>,
    key_id: Arc<str>,
    /// Whether somebody gave it its id: then it signs under no other.
    is_named: bool,
}

/// Why a key did not carry out an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoftwareKeyError {
    /// The operation names another key id than the one this key has.
    AnotherKey,
    /// The operation is for another algorithm than the one this key was imported for.
    AnotherAlgorithm,
    /// The backend could not sign.
    Failed(SigningFailed),
}

impl fmt::Display for SoftwareKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnotherKey => "the key has another id than the one that was asked for",
            Self::AnotherAlgorithm => "the key is for another algorithm than the one that was asked for",
            Self::Failed(_) => "the key could not sign",
        })
    }
}

impl core::error::Error for SoftwareKeyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(reason) => Some(reason),
            Self::AnotherKey | Self::AnotherAlgorithm => None,
        }
    }
}

/// Why a key file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Not PEM of a kind that is read (PKCS#8, PKCS#1, SEC1), or not a well-formed JWK.
    Malformed,
    /// Of another kind than RSA, EC and Ed25519, or on another curve than P-256 and P-384.
    Unsupported,
    /// A JWK Set, where one key is needed.
    Set,
    /// An RSA key in a JWK without its primes and what follows from them (`p`, `q`, `dp`, `dq`, `qi`).
    PrimesMissing,
    /// Encrypted: decrypt it first.
    Encrypted,
    /// A public key, where a private key is needed.
    NotPrivate,
    /// A certificate, where a private key is needed.
    Certificate,
    /// A symmetric key, where a key pair is needed.
    Symmetric,
    /// A JWK that says it is for something else than signing (`use`, `key_ops`; RFC 7517 4.2, 4.3).
    NotForSigning,
    /// Nothing says which algorithm to use.
    AlgorithmUnknown,
    /// The backend does not take it.
    Rejected(KeyRejected),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the key is neither PEM (PKCS#8, PKCS#1, SEC1) nor a well-formed JWK"),
            Self::Unsupported => f.write_str("the key is of a kind or on a curve that is not supported"),
            Self::Set => f.write_str("this is a set of keys, and one key is needed"),
            Self::PrimesMissing => f.write_str("the key is an RSA key without p, q, dp, dq or qi, which are needed"),
            Self::Encrypted => f.write_str("the key is encrypted; decrypt it first"),
            Self::NotPrivate => f.write_str("the key is a public key, and a private key is needed"),
            Self::Certificate => f.write_str("this is a certificate, and its private key is needed"),
            Self::Symmetric => f.write_str("the key is symmetric, and a key pair is needed"),
            Self::NotForSigning => f.write_str("the key says it is for something else than signing"),
            Self::AlgorithmUnknown => f.write_str("the key fits several algorithms, so one has to be named"),
            Self::Rejected(_) => f.write_str("the key cannot be used"),
        }
    }
}

impl core::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Rejected(reason) => Some(reason),
            Self::Malformed
            | Self::Unsupported
            | Self::Set
            | Self::PrimesMissing
            | Self::Encrypted
            | Self::NotPrivate
            | Self::Certificate
            | Self::Symmetric
            | Self::NotForSigning
            | Self::AlgorithmUnknown => None,
        }
    }
}

impl From<KeyRejected> for KeyFileError {
    fn from(reason: KeyRejected) -> Self {
        Self::Rejected(reason)
    }
}

impl SoftwareKey {
    /// Reads PEM: PKCS#8, PKCS#1 or SEC1. The key id is the RFC 7638 thumbprint, which nobody gave it: it signs under any id;
    /// see [`Self::with_key_id`].
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn from_pem(pem: &str, algorithm: JwsAlgorithm, importer: &dyn KeyImporter) -> Result<Self, KeyFileError> {
        let (label, der) = read_pem(pem)?;
        let key = match label {
            "PRIVATE KEY" => PrivateKey::Pkcs8(&der),
            "RSA PRIVATE KEY" => PrivateKey::Pkcs1(&der),
            "EC PRIVATE KEY" => return Self::from_sec1(&der, algorithm, importer),
            "ENCRYPTED PRIVATE KEY" => return Err(KeyFileError::Encrypted),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => return Err(KeyFileError::NotPrivate),
            "CERTIFICATE" => return Err(KeyFileError::Certificate),
            _ => return Err(KeyFileError::Malformed),
        };
        let imported = importer.import_private(key, algorithm).map_err(|reason| match key {
            PrivateKey::Pkcs8(document) if der::is_of_other_kind(document) => KeyFileError::Unsupported,
            _ => KeyFileError::Rejected(reason),
        });
        Ok(Self::new(imported?, None, importer))
    }

    /// Reads `ECPrivateKey`; a public key in it has to be the one of the private key.
    fn from_sec1(document: &[u8], algorithm: JwsAlgorithm, importer: &dyn KeyImporter) -> Result<Self, KeyFileError> {
        let file = der::read_ec_private_key(document).ok_or(match der::is_on_other_curve(document) {
            true => KeyFileError::Unsupported,
            false => KeyFileError::Malformed,
        })?;
        let key = importer.import_private(PrivateKey::Ec { curve: file.curve, d: file.d }, algorithm)?;
        if let (Some(point), OwnedPublicKey::Ec { x, y, .. }) = (file.point, key.public_key()) {
            let sign = if y.last().is_some_and(|octet| octet & 1 == 1) { 3 } else { 2 };
            let is_its_own = match point.split_first() {
                Some((4, coordinates)) => coordinates == [x, y].concat(),
                Some((compressed, coordinate)) => *compressed == sign && coordinate == x,
                None => false,
            };
            if !is_its_own {
                return Err(KeyFileError::Malformed);
            }
        }
        Ok(Self::new(key, None, importer))
    }

    /// Reads a private JWK. `algorithm` wins; without one the JWK's `alg` decides, else the only algorithm its kind has. The
    /// key id is the JWK's own, else the RFC 7638 thumbprint.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`].
    pub fn from_jwk(
        jwk: &str,
        algorithm: Option<JwsAlgorithm>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        if jwk.len() > LONGEST_FILE {
            return Err(KeyFileError::Malformed);
        }
        let mut members = Object::parse(jwk.as_bytes()).map_err(|_| KeyFileError::Malformed)?;
        let mut text = |name| members.take_text(name).map_err(|_| KeyFileError::Malformed);
        let (key_id, named) = (text("kid")?, text("alg")?);
        if text("k")?.map(Zeroizing::new).is_some() {
            return Err(KeyFileError::Symmetric);
        }
        if members.get("kty").is_none() && members.get("keys").is_some() {
            return Err(KeyFileError::Set);
        }
        if !jwk::is_supported(&members) {
            return Err(KeyFileError::Unsupported);
        }
        let public = jwk::public_key(&mut members).ok_or(KeyFileError::Malformed)?;
        if members.get("d").is_none() {
            return Err(KeyFileError::NotPrivate);
        }
        let d = jwk::secret_bytes(&mut members, "d").ok_or(KeyFileError::Malformed)?;
        if !jwk::may_sign(&mut members) {
            return Err(KeyFileError::NotForSigning);
        }
        let algorithm = match (algorithm, named) {
            (Some(algorithm), _) => algorithm,
            (None, Some(name)) => JwsAlgorithm::from_name(&name).ok_or(KeyRejected::UnsupportedAlgorithm)?,
            (None, None) => match jwk::fitting(&public) {
                [only] => *only,
                _ => return Err(KeyFileError::AlgorithmUnknown),
            },
        };
        let key = match &public {
            OwnedPublicKey::Ec { curve, .. } => {
                importer.import_private(PrivateKey::Ec { curve: *curve, d: &d }, algorithm)
            }
            OwnedPublicKey::Ed25519 { .. } => importer.import_private(PrivateKey::Ed25519(&d), algorithm),
            OwnedPublicKey::Rsa { n, e } => {
                if ["p", "q", "dp", "dq", "qi"].iter().any(|name| members.get(name).is_none()) {
                    return Err(KeyFileError::PrimesMissing);
                }
                let mut part = |name| jwk::secret_bytes(&mut members, name).ok_or(KeyFileError::Malformed);
                let (p, q, dp, dq, qi) = (part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?);
                let document = der::rsa_private_key([n, e, &d, &p, &q, &dp, &dq, &qi]);
                importer.import_private(PrivateKey::Pkcs1(&document), algorithm)
            }
        }?;
        if key.public_key() != public {
            return Err(KeyFileError::Rejected(KeyRejected::Malformed));
        }
        Ok(Self::new(key, key_id, importer))
    }

    /// Makes a new key pair: RSA of 2048 bits for RS* and PS*. Gives the private JWK too, which is the only way to keep it.
    ///
    /// # Errors
    ///
    /// [`KeyRejected::UnsupportedAlgorithm`] for HMAC algorithms and for what the backend does not have.
    pub fn generate(
        algorithm: JwsAlgorithm,
        entropy: Entropy,
        importer: &dyn KeyImporter,
    ) -> Result<(Self, PrivateJwk), KeyRejected> {
        match algorithm {
            JwsAlgorithm::Es256 | JwsAlgorithm::Es384 => {
                let curve = if algorithm == JwsAlgorithm::Es256 { Curve::P256 } else { Curve::P384 };
                // One block of SHA-512 is enough for both curves; a scalar out of range has a chance of 2^-32 at most.
                let seed = Zeroizing::new(entropy.into_bytes());
                let mut d = Zeroizing::new(importer.digest(Hash::Sha512, &*seed).as_bytes().to_vec());
                d.truncate(curve.width());
                let key = importer.import_private(PrivateKey::Ec { curve, d: &d }, algorithm)?;
                Ok(Self::with_private_members(key, &[("d", &d)], importer))
            }
            JwsAlgorithm::EdDsa => {
                let seed = Zeroizing::new(entropy.into_bytes());
                let key = importer.import_private(PrivateKey::Ed25519(&*seed), algorithm)?;
                Ok(Self::with_private_members(key, &[("d", &*seed)], importer))
            }
            JwsAlgorithm::Hs256 | JwsAlgorithm::Hs384 | JwsAlgorithm::Hs512 => Err(KeyRejected::UnsupportedAlgorithm),
            _ => {
                let document = importer.generate_rsa(entropy)?;
                let key = importer.import_private(PrivateKey::Pkcs1(document.expose()), algorithm)?;
                let [_, _, d, p, q, dp, dq, qi] =
                    der::read_rsa_private_key(document.expose()).ok_or(KeyRejected::Malformed)?;
                let members = [("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)];
                Ok(Self::with_private_members(key, &members, importer))
            }
        }
    }

    fn with_private_members(
        key: Arc<dyn SigningKey>,
        members: &[(&str, &[u8])],
        importer: &dyn KeyImporter,
    ) -> (Self, PrivateJwk) {
        let mut key = Self::new(key, None, importer);
        // As in the JWK.
        key.is_named = true;
        let public = key.public_jwk();
        let mut jwk = Zeroizing::new(String::with_capacity(4096));
        jwk.push_str(public.strip_suffix('}').unwrap_or(&public));
        for (name, bytes) in members {
            let member = Zeroizing::new(format!(r#","{name}":"{}""#, &*Zeroizing::new(base64url::encode(bytes))));
            jwk.push_str(&member);
        }
        jwk.push('}');
        (key, PrivateJwk::new(jwk.as_str()))
    }

    fn new(key: Arc<dyn SigningKey>, key_id: Option<String>, importer: &dyn KeyImporter) -> Self {
        let is_named = key_id.is_some();
        let key_id = key_id.unwrap_or_else(|| thumbprint(key.public_key().borrow(), importer));
        Self { key, key_id: key_id.into(), is_named }
    }

    /// The same key under the id it is registered with; it does nothing under another one.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: key_id.into(), is_named: true, ..self }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> JwsAlgorithm {
        self.key.algorithm()
    }

    /// The key id: the JWK's own, or the RFC 7638 thumbprint.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key's numbers.
    #[must_use]
    pub fn public_key(&self) -> OwnedPublicKey {
        self.key.public_key()
    }

    /// The public key as a JWK with `kid`, `alg` and `use`, nothing private in it (REQ-META-15).
    #[must_use]
    pub fn public_jwk(&self) -> String {
        jwk::write_public(self.key.public_key().borrow(), self.algorithm(), &self.key_id)
    }

    /// Signs a message; the result has the form JWS wants.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] when the backend could not sign.
    pub fn sign_message(&self, message: &[u8], entropy: Entropy) -> Result<Vec<u8>, SigningFailed> {
        self.key.sign(message, entropy)
    }

    /// The signature a key operation asks for.
    ///
    /// # Errors
    ///
    /// [`SoftwareKeyError`]: the operation is for another algorithm, or names another key than this one, which has an id of
    /// its own (`kid` of its JWK, [`Self::with_key_id`]); or the backend could not sign.
    pub fn sign(&self, operation: &KeyOperation, entropy: Entropy) -> Result<Vec<u8>, SoftwareKeyError> {
        if self.is_named && operation.key_id().is_some_and(|named| named != self.key_id()) {
            return Err(SoftwareKeyError::AnotherKey);
        }
        match operation.task() {
            KeyTask::Sign(task) if task.algorithm() == self.algorithm() => {
                self.sign_message(task.message(), entropy).map_err(SoftwareKeyError::Failed)
            }
            KeyTask::Sign(_) => Err(SoftwareKeyError::AnotherAlgorithm),
        }
    }

    /// Carries out a key operation; one this key cannot do is answered as unavailable.
    pub fn answer(&self, operation: KeyOperation, entropy: Entropy) -> Input {
        match self.sign(&operation, entropy) {
            Ok(signature) => operation.answered(signature),
            Err(_) => operation.unavailable(),
        }
    }
}

/// The label and the content of the first block with a private key, or of the first block at all: files can begin with
/// `EC PARAMETERS` or certificates.
fn read_pem(pem: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyFileError> {
    if pem.len() > LONGEST_FILE {
        return Err(KeyFileError::Malformed);
    }
    let blocks = || pem.split("-----BEGIN ").skip(1).filter_map(|block| block.split_once("-----"));
    let private = blocks().find(|(label, _)| label.ends_with("PRIVATE KEY"));
    let (label, rest) = private.or_else(|| blocks().next()).ok_or(KeyFileError::Malformed)?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----")).ok_or(KeyFileError::Malformed)?;
    if body.contains("ENCRYPTED") {
        return Err(KeyFileError::Encrypted);
    }
    let mut text = Zeroizing::new(String::with_capacity(body.len()));
    text.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
    let content = STANDARD.decode(text.as_bytes()).map_err(|_| KeyFileError::Malformed)?;
    Ok((label, Zeroizing::new(content)))
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use super::*;
    use crate::{
        ask::{KeyPurpose, Ticket},
        crypto::RustCrypto,
    };

    /// REQ-AUTH-16
    #[test]
    fn a_key_signs_under_its_own_id_and_one_without_an_id_under_any() {
        const ES256: JwsAlgorithm = JwsAlgorithm::Es256;
        let operation = |algorithm, key_id: Option<&str>| {
            let ticket = Ticket { serial: 1, counter: 1 };
            KeyOperation::sign(
                b"message".to_vec(),
                algorithm,
                KeyPurpose::ClientAssertion,
                key_id.map(Into::into),
                ticket,
            )
        };
        let entropy = || Entropy::from_bytes([3; 32]);
        let (generated, jwk) = SoftwareKey::generate(ES256, entropy(), &RustCrypto).unwrap();
        let read = |jwk: &str| SoftwareKey::from_jwk(jwk, None, &RustCrypto).unwrap();
        let own = String::from(generated.key_id());
        let nameless = jwk.expose().replace(r#""kid""#, r#""not-a-kid""#);
        for (key, own) in [
            (generated, Some(own.as_str())),
            (read(jwk.expose()), Some(own.as_str())),
            (read(&nameless).with_key_id("one"), Some("one")),
            (read(&nameless), None),
        ] {
            for named in [None, Some(own.unwrap_or("any")), Some("another")] {
                let fits = named.is_none() || own.is_none() || named == own;
                let signed = key.sign(&operation(ES256, named), entropy()).map(drop);
                assert_eq!(signed, if fits { Ok(()) } else { Err(SoftwareKeyError::AnotherKey) }, "{named:?}");
            }
            let signed = key.sign(&operation(JwsAlgorithm::EdDsa, None), entropy());
            assert_eq!(signed, Err(SoftwareKeyError::AnotherAlgorithm));
        }
    }
}
