//! In-memory private keys, which are read from PEM or a JWK and perform key operations.

mod decryption;
mod file_error;
mod jwk_file;

use alloc::{format, string::String, sync::Arc, vec::Vec};
use core::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::{
    ask::{Input, KeyOperation, KeyTask},
    bounds,
    crypto::{
        Hash, KeyImporter, KeyRejected, OwnedPublicKey, PrivateKey, SigningFailed, SigningKey,
        default_importer, entropy::Entropy,
    },
    jose::{Curve, JwsAlgorithm, base64url, der, jwk, thumbprint},
    secret::PrivateJwk,
};

use jwk_file::JwkFile;

pub use decryption::SoftwareDecryptionKey;
pub use file_error::KeyFileError;

/// An in-memory private key, imported for one algorithm.
#[derive(Debug, Clone)]
pub struct SoftwareKey {
    key: Arc<dyn SigningKey>,
    key_id: Arc<str>,
    /// Whether the key id was given. If so, the key signs under no other id.
    is_named: bool,
}

/// The error of a key that did not perform an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SoftwareKeyError {
    /// The operation names a key id other than that of this key.
    AnotherKey,
    /// The operation is for an algorithm other than the one for which this key was imported.
    AnotherAlgorithm,
    /// The backend cannot sign.
    Failed(SigningFailed),
}

impl fmt::Display for SoftwareKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnotherKey => "the key has an id other than the requested one",
            Self::AnotherAlgorithm => "the key is for an algorithm other than the requested one",
            Self::Failed(_) => "the key cannot sign",
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

impl SoftwareKey {
    /// Reads a private key from PEM in PKCS#8, PKCS#1 or SEC1.
    ///
    /// An EC or Ed25519 key has one algorithm; an RSA key signs with RS256. Use
    /// [`Self::import_pem`] to choose another algorithm or backend.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyFileError> {
        Self::import_any_pem(pem, default_importer().ok_or(KeyFileError::NoCryptography)?)
    }

    /// Reads a private JWK.
    ///
    /// The algorithm follows from its `alg` or from the kind of key; an RSA key without an `alg`
    /// signs with RS256. Use [`Self::import_jwk`] to choose another algorithm or backend.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private JWK.
    pub fn from_jwk(jwk: &str) -> Result<Self, KeyFileError> {
        Self::import_any_jwk(jwk, default_importer().ok_or(KeyFileError::NoCryptography)?)
    }

    /// Reads a key file, like [`Self::from_jwk`] or [`Self::from_pem`].
    ///
    /// # Errors
    ///
    /// Like [`Self::import_file`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, KeyFileError> {
        Self::import_file(bytes, None, default_importer().ok_or(KeyFileError::NoCryptography)?)
    }

    /// Reads a key file, which is a JWK ([`Self::import_jwk`]) or PEM ([`Self::import_pem`]). A byte
    /// order mark is ignored.
    ///
    /// If `algorithm` is `None`, it follows from the `alg` of a JWK or from the kind of key. RSA
    /// keys without an `alg` are imported for RS256.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`]. Each unsupported format has its own variant: encrypted keys, DER,
    /// key stores, OpenSSH, UTF-16.
    pub fn import_file(
        bytes: &[u8],
        algorithm: Option<JwsAlgorithm>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let text = match core::str::from_utf8(bytes) {
            // UTF-16 without a byte order mark can be valid UTF-8 that contains zero bytes.
            Ok(text) if !bytes.contains(&0) => text,
            _ => return Err(der::told_apart(bytes).into()),
        };
        let text = text.trim_start_matches('\u{feff}').trim_ascii();
        // PEM begins with dashes or with text, a JWK with a brace.
        match (text.starts_with('{'), algorithm) {
            (true, Some(_)) => Self::import_jwk(text, algorithm, importer),
            (true, None) => Self::import_any_jwk(text, importer),
            (false, Some(algorithm)) => Self::import_pem(text, algorithm, importer),
            (false, None) => Self::import_any_pem(text, importer),
        }
    }

    /// Imports a JWK for its algorithm, or for RS256 if it fits several.
    fn import_any_jwk(jwk: &str, importer: &dyn KeyImporter) -> Result<Self, KeyFileError> {
        match Self::import_jwk(jwk, None, importer) {
            Err(KeyFileError::AlgorithmUnknown) => {
                Self::import_jwk(jwk, Some(JwsAlgorithm::Rs256), importer)
            }
            read => read,
        }
    }

    /// Imports PEM for the algorithm of its kind of key.
    fn import_any_pem(pem: &str, importer: &dyn KeyImporter) -> Result<Self, KeyFileError> {
        // Each curve has one algorithm, so the first that accepts the key is the right one.
        use JwsAlgorithm::{EdDsa, Es256, Es384, Es512, Rs256};
        [Rs256, Es256, Es384, Es512, EdDsa]
            .into_iter()
            .map(|algorithm| Self::import_pem(pem, algorithm, importer))
            .find(|read| !matches!(read, Err(KeyFileError::Rejected(KeyRejected::WrongKind))))
            // No algorithm was named, so `WrongKind` would be misleading.
            .unwrap_or(Err(KeyRejected::Malformed.into()))
    }

    /// Reads PEM in PKCS#8, PKCS#1 or SEC1. Line breaks may be written as `\n`, as is common in
    /// environment variables.
    ///
    /// The key id is the thumbprint ([RFC 7638]). The key signs under any key id until
    /// [`Self::with_key_id`] sets one.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private key for the algorithm.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn import_pem(
        pem: &str,
        algorithm: JwsAlgorithm,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let unescaped = unescaped(pem);
        let (label, der) = read_pem(unescaped.as_ref().map_or(pem, |text| text.as_str()))?;
        let key = match label {
            "PRIVATE KEY" => PrivateKey::Pkcs8(&der),
            "RSA PRIVATE KEY" => PrivateKey::Pkcs1(&der),
            "EC PRIVATE KEY" => return Self::from_sec1(&der, algorithm, importer),
            other => return Err(refused(other)),
        };
        let imported = importer.import_private(key, algorithm).map_err(|reason| match key {
            PrivateKey::Pkcs8(document) if der::is_of_other_kind(document) => {
                KeyFileError::Unsupported
            }
            _ => KeyFileError::Rejected(reason),
        });
        Ok(Self::new(imported?, None, importer))
    }

    /// Reads an `ECPrivateKey`. If it contains a public key, it must match the private key.
    fn from_sec1(
        document: &[u8],
        algorithm: JwsAlgorithm,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let file =
            der::read_ec_private_key(document).ok_or(match der::is_on_other_curve(document) {
                true => KeyFileError::Unsupported,
                false => KeyFileError::Malformed,
            })?;
        let key =
            importer.import_private(PrivateKey::Ec { curve: file.curve, d: file.d }, algorithm)?;
        // A private key that belongs to another public key would sign in vain.
        if let (Some(point), OwnedPublicKey::Ec { x, y, .. }) = (file.point, key.public_key()) {
            // SEC1 section 2.3.3: after 4 both coordinates follow, after 2 and 3 only x, for an
            // even and an odd y.
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

    /// Reads a private JWK.
    ///
    /// If `algorithm` is `None`, the `alg` of the JWK is used or, without one, the only algorithm of
    /// its kind of key. The key id is that of the JWK or, without one, the thumbprint
    /// ([RFC 7638]).
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private key for the algorithm.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn import_jwk(
        jwk: &str,
        algorithm: Option<JwsAlgorithm>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let mut file = JwkFile::read(jwk)?;
        if !jwk::may_sign(&mut file.members) {
            return Err(KeyFileError::NotForSigning);
        }
        let algorithm = match (algorithm, file.algorithm.as_deref()) {
            (Some(algorithm), _) => algorithm,
            (None, Some(name)) => {
                JwsAlgorithm::from_name(name).ok_or(KeyRejected::UnsupportedAlgorithm)?
            }
            (None, None) => match jwk::fitting(&file.public) {
                [only] => *only,
                _ => return Err(KeyFileError::AlgorithmUnknown),
            },
        };
        let key = file.import(|key| importer.import_private(key, algorithm))?;
        // Otherwise the client would register a public key for which it cannot sign.
        if key.public_key() != file.public {
            return Err(KeyFileError::Rejected(KeyRejected::Malformed));
        }
        Ok(Self::new(key, file.key_id, importer))
    }

    /// Generates a key pair, which for RS* and PS* is an RSA key of 2048 bits. Also returns the
    /// private JWK, which is the only way to store the key.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected::UnsupportedAlgorithm`] for HMAC algorithms and for algorithms that the
    /// backend does not support.
    pub fn generate(
        algorithm: JwsAlgorithm,
        entropy: Entropy,
        importer: &dyn KeyImporter,
    ) -> Result<(Self, PrivateJwk), KeyRejected> {
        if let Some(curve) = algorithm.curve() {
            let d = generated_scalar(curve, entropy, importer);
            let key = importer.import_private(PrivateKey::Ec { curve, d: &d }, algorithm)?;
            return Ok(Self::with_private_members(key, &[("d", &d)], importer));
        }
        match algorithm {
            JwsAlgorithm::EdDsa => {
                let seed = Zeroizing::new(entropy.into_bytes());
                let key = importer.import_private(PrivateKey::Ed25519(&*seed), algorithm)?;
                Ok(Self::with_private_members(key, &[("d", &*seed)], importer))
            }
            JwsAlgorithm::Hs256 | JwsAlgorithm::Hs384 | JwsAlgorithm::Hs512 => {
                Err(KeyRejected::UnsupportedAlgorithm)
            }
            _ => {
                let document = importer.generate_rsa(entropy)?;
                let key =
                    importer.import_private(PrivateKey::Pkcs1(document.expose()), algorithm)?;
                // Read back from the document, because a `SigningKey` never shows them.
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
        // The JWK contains a `kid`, so the key has to behave like one read from it.
        key.is_named = true;
        let jwk = private_jwk(&key.public_jwk(), members);
        (key, jwk)
    }

    fn new(key: Arc<dyn SigningKey>, key_id: Option<String>, importer: &dyn KeyImporter) -> Self {
        let is_named = key_id.is_some();
        let key_id = key_id.unwrap_or_else(|| thumbprint(key.public_key().borrow(), importer));
        Self { key, key_id: key_id.into(), is_named }
    }

    /// Sets the key id under which the key is registered. It then signs under no other id.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: key_id.into(), is_named: true, ..self }
    }

    /// Returns the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> JwsAlgorithm {
        self.key.algorithm()
    }

    /// Returns the key id, which is that of the JWK or the thumbprint ([RFC 7638]).
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Returns the numbers of the public key.
    #[must_use]
    pub fn public_key(&self) -> OwnedPublicKey {
        self.key.public_key()
    }

    /// Returns the public key as a JWK with `kid`, `alg` and `use`, without any private member.
    // REQ-META-15
    #[must_use]
    pub fn public_jwk(&self) -> String {
        jwk::write_public(self.key.public_key().borrow(), self.algorithm(), &self.key_id)
    }

    /// Signs a message. The signature has the form that JWS requires.
    ///
    /// # Errors
    ///
    /// Returns [`SigningFailed`] if the backend cannot sign.
    pub fn sign_message(&self, message: &[u8], entropy: Entropy) -> Result<Vec<u8>, SigningFailed> {
        self.key.sign(message, entropy)
    }

    /// Signs the message of a key operation.
    ///
    /// # Errors
    ///
    /// Returns [`SoftwareKeyError`] if the operation is for another algorithm, if it names a key id
    /// other than that of this key (set by the `kid` of its JWK or [`Self::with_key_id`]), or if the
    /// backend cannot sign.
    pub fn sign(
        &self,
        operation: &KeyOperation,
        entropy: Entropy,
    ) -> Result<Vec<u8>, SoftwareKeyError> {
        // A signature under another id would be refused by the provider, which looks the key up by
        // it.
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

    /// Performs a key operation. If this key cannot perform it, the answer is that the key is
    /// unavailable.
    pub fn answer(&self, operation: KeyOperation, entropy: Entropy) -> Input {
        match self.sign(&operation, entropy) {
            Ok(signature) => operation.answered(signature),
            Err(error) => operation.failed(&error),
        }
    }
}

/// Returns a private scalar for a curve. The probability that it is out of range is at most 2^-32.
fn generated_scalar(
    curve: Curve,
    entropy: Entropy,
    importer: &dyn KeyImporter,
) -> Zeroizing<Vec<u8>> {
    let seed = Zeroizing::new(entropy.into_bytes());
    // The full capacity at once: a reallocation would leave a copy of the key behind.
    let mut d = Zeroizing::new(Vec::with_capacity(128));
    d.extend_from_slice(importer.digest(Hash::Sha512, &*seed).as_bytes());
    if curve == Curve::P521 {
        // One block of SHA-512 is two octets too short. HMAC keyed with the seed is independent of
        // its hash.
        d.extend_from_slice(importer.hmac(Hash::Sha512, &*seed, b"P-521").as_bytes());
        // The scalar has 521 bits, so only one bit of its first octet can be set.
        if let Some(first) = d.first_mut() {
            *first &= 1;
        }
    }
    d.truncate(curve.width());
    d
}

/// Adds the private members to a public JWK.
fn private_jwk(public: &str, members: &[(&str, &[u8])]) -> PrivateJwk {
    // Large enough for an RSA key, because a reallocation would leave a copy behind.
    let mut jwk = Zeroizing::new(String::with_capacity(4096));
    jwk.push_str(public.strip_suffix('}').unwrap_or(public));
    for (name, bytes) in members {
        let member = Zeroizing::new(format!(
            r#","{name}":"{}""#,
            &*Zeroizing::new(base64url::encode(bytes))
        ));
        jwk.push_str(&member);
    }
    jwk.push('}');
    PrivateJwk::new(jwk.as_str())
}

/// Returns the error for a block of PEM that is not a private key.
fn refused(label: &str) -> KeyFileError {
    match label {
        "ENCRYPTED PRIVATE KEY" => KeyFileError::Encrypted,
        "PUBLIC KEY" | "RSA PUBLIC KEY" => KeyFileError::NotPrivate,
        "CERTIFICATE" => KeyFileError::Certificate,
        "OPENSSH PRIVATE KEY" => KeyFileError::OpenSsh,
        _ => KeyFileError::Malformed,
    }
}

/// Restores PEM that is kept on one line, as in environment variables and JSON, with line breaks
/// written as `\n` and possibly in quotes.
fn unescaped(pem: &str) -> Option<Zeroizing<String>> {
    // Bounded before the copy is made.
    if pem.len() > bounds::KEY_FILE_BYTES || !pem.contains("\\n") {
        return None;
    }
    let mut text = Zeroizing::new(String::with_capacity(pem.len()));
    for piece in pem.split("\\n") {
        text.push_str(piece.strip_suffix("\\r").unwrap_or(piece));
        text.push('\n');
    }
    Some(text)
}

/// Returns the label and the content of the first block with a private key or, if there is none, of
/// the first block. Files can start with `EC PARAMETERS` or certificates.
fn read_pem(pem: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyFileError> {
    if pem.len() > bounds::KEY_FILE_BYTES {
        return Err(KeyFileError::Malformed);
    }
    let blocks = || pem.split("-----BEGIN ").skip(1).filter_map(|block| block.split_once("-----"));
    // Files from `openssl ecparam` begin with `EC PARAMETERS`, and bundles with certificates.
    let private = blocks().find(|(label, _)| label.ends_with("PRIVATE KEY"));
    let (label, rest) = private.or_else(|| blocks().next()).ok_or_else(|| {
        match pem.trim_start_matches('\u{feff}').trim_ascii_start().starts_with('{') {
            true => KeyFileError::Jwk,
            false => KeyFileError::Malformed,
        }
    })?;
    let (body, _) =
        rest.split_once(&format!("-----END {label}-----")).ok_or(KeyFileError::Malformed)?;
    // The older form of encryption keeps the label and adds a header (RFC 1421).
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

    /// REQ-AUTH-16b
    #[test]
    fn a_key_with_an_id_signs_only_under_it_and_one_without_under_any() {
        const ES256: JwsAlgorithm = JwsAlgorithm::Es256;
        let operation = |algorithm, key_id: Option<&str>| {
            let (ticket, _) = Ticket::new(1, 1);
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
        let read = |jwk: &str| SoftwareKey::import_jwk(jwk, None, &RustCrypto).unwrap();
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
                assert_eq!(
                    signed,
                    if fits { Ok(()) } else { Err(SoftwareKeyError::AnotherKey) },
                    "{named:?}"
                );
            }
            let signed = key.sign(&operation(JwsAlgorithm::EdDsa, None), entropy());
            assert_eq!(signed, Err(SoftwareKeyError::AnotherAlgorithm));
        }
    }
}
