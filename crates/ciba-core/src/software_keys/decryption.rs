//! In-memory private keys that decrypt.

use alloc::{string::String, sync::Arc};

use super::{JwkFile, KeyFileError, generated_scalar, private_jwk, read_pem, refused, unescaped};
use crate::{
    crypto::{
        DecryptionKey, Entropy, KeyImporter, KeyRejected, OwnedPublicKey, PrivateKey, Purpose,
        Verifier, default_importer,
    },
    fault::{Rejection, Untrusted},
    jose::{
        ContentEncryption, Curve, KeyManagement, der,
        jwe::{Jwe, Needed, StandIn},
        jwk, thumbprint,
    },
    secret::{PrivateJwk, SecretBytes},
};

/// An in-memory private key that decrypts, imported for one key management algorithm.
///
/// Use a key of its own for it, never one that signs ([OIDC Registration 2]).
///
/// [OIDC Registration 2]: https://openid.net/specs/openid-connect-registration-1_0.html#rfc.section.2
// REQ-JWE-20
#[derive(Debug, Clone)]
pub struct SoftwareDecryptionKey {
    key: Arc<dyn DecryptionKey>,
    key_id: Arc<str>,
    /// Whether the key id was given. If so, the key decrypts under no other id.
    is_named: bool,
}

impl SoftwareDecryptionKey {
    /// Reads a key file, which is a JWK or PEM, like [`Self::import_file`].
    ///
    /// # Errors
    ///
    /// Like [`Self::import_file`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, KeyFileError> {
        Self::import_file(bytes, None, default_importer().ok_or(KeyFileError::NoCryptography)?)
    }

    /// Reads a key file, which is a JWK or PEM in PKCS#8, PKCS#1 or SEC1. A byte order mark is
    /// ignored.
    ///
    /// If `algorithm` is `None`, it follows from the `alg` of a JWK or from the kind of key:
    /// RSA-OAEP-256 for RSA, ECDH-ES for keys on a NIST curve or X25519.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the file is not a supported private key for the algorithm.
    pub fn import_file(
        bytes: &[u8],
        algorithm: Option<KeyManagement>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let text = match core::str::from_utf8(bytes) {
            // UTF-16 without a byte order mark can be valid UTF-8 that contains zero bytes.
            Ok(text) if !bytes.contains(&0) => text,
            _ => return Err(der::told_apart(bytes).into()),
        };
        let text = text.trim_start_matches('\u{feff}').trim_ascii();
        match (text.starts_with('{'), algorithm) {
            (true, _) => Self::import_jwk(text, algorithm, importer),
            (false, Some(algorithm)) => Self::import_pem(text, algorithm, importer),
            (false, None) => match Self::import_pem(text, KeyManagement::RsaOaep256, importer) {
                Err(KeyFileError::Rejected(KeyRejected::WrongKind)) => {
                    Self::import_pem(text, KeyManagement::EcdhEs, importer)
                }
                read => read,
            },
        }
    }

    /// Reads PEM in PKCS#8, PKCS#1 or SEC1. The key id is the thumbprint ([RFC 7638]). The key
    /// decrypts under any key id until [`Self::with_key_id`] sets one.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private key for the algorithm.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn import_pem(
        pem: &str,
        algorithm: KeyManagement,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let unescaped = unescaped(pem);
        let (label, document) = read_pem(unescaped.as_ref().map_or(pem, |text| text.as_str()))?;
        let key = match label {
            "PRIVATE KEY" => match der::read_x25519_pkcs8(&document) {
                Some(key) => PrivateKey::X25519(key),
                None => PrivateKey::Pkcs8(&document),
            },
            "RSA PRIVATE KEY" => PrivateKey::Pkcs1(&document),
            "EC PRIVATE KEY" => {
                let file = der::read_ec_private_key(&document).ok_or(KeyFileError::Malformed)?;
                PrivateKey::Ec { curve: file.curve, d: file.d }
            }
            other => return Err(refused(other)),
        };
        Ok(Self::new(importer.import_decryption(key, algorithm)?, None, importer))
    }

    /// Reads a private JWK.
    ///
    /// If `algorithm` is `None`, it follows as for [`Self::import_file`]. The key id is that of the
    /// JWK or, without one, the thumbprint ([RFC 7638]).
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] if the text is not a supported private key for the algorithm, or if
    /// `use` or `key_ops` say that it is not for decryption.
    ///
    /// [RFC 7638]: https://www.rfc-editor.org/rfc/rfc7638
    pub fn import_jwk(
        jwk: &str,
        algorithm: Option<KeyManagement>,
        importer: &dyn KeyImporter,
    ) -> Result<Self, KeyFileError> {
        let mut file = JwkFile::read(jwk)?;
        if !jwk::may_decrypt(&mut file.members) {
            return Err(KeyFileError::NotForDecryption);
        }
        let algorithm = match (algorithm, file.algorithm.as_deref(), &file.public) {
            (Some(algorithm), ..) => algorithm,
            (None, Some(name), _) => {
                KeyManagement::from_name(name).ok_or(KeyRejected::UnsupportedAlgorithm)?
            }
            (None, None, OwnedPublicKey::Rsa { .. }) => KeyManagement::RsaOaep256,
            (None, None, _) => KeyManagement::EcdhEs,
        };
        let key = file.import(|key| importer.import_decryption(key, algorithm))?;
        // Otherwise the provider would encrypt with a public key for which there is no private one.
        if key.public_key() != file.public {
            return Err(KeyFileError::Rejected(KeyRejected::Malformed));
        }
        Ok(Self::new(key, file.key_id, importer))
    }

    /// Generates a key pair: RSA with 2048 bits for RSA-OAEP, otherwise a key on P-256. Also
    /// returns the private JWK, which is the only way to store the key.
    ///
    /// # Errors
    ///
    /// Returns [`KeyRejected::UnsupportedAlgorithm`] for algorithms that the backend does not
    /// support.
    pub fn generate(
        algorithm: KeyManagement,
        entropy: Entropy,
        importer: &dyn KeyImporter,
    ) -> Result<(Self, PrivateJwk), KeyRejected> {
        let named = |key| Self { is_named: true, ..Self::new(key, None, importer) };
        if algorithm.is_rsa() {
            let document = importer.generate_rsa(entropy)?;
            let key =
                importer.import_decryption(PrivateKey::Pkcs1(document.expose()), algorithm)?;
            let [_, _, d, p, q, dp, dq, qi] =
                der::read_rsa_private_key(document.expose()).ok_or(KeyRejected::Malformed)?;
            let members = [("d", d), ("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qi", qi)];
            let key = named(key);
            let jwk = private_jwk(&key.public_jwk(), &members);
            return Ok((key, jwk));
        }
        let d = generated_scalar(Curve::P256, entropy, importer);
        let key = PrivateKey::Ec { curve: Curve::P256, d: &d };
        let key = named(importer.import_decryption(key, algorithm)?);
        let jwk = private_jwk(&key.public_jwk(), &[("d", &d)]);
        Ok((key, jwk))
    }

    fn new(
        key: Arc<dyn DecryptionKey>,
        key_id: Option<String>,
        importer: &dyn KeyImporter,
    ) -> Self {
        let is_named = key_id.is_some();
        let key_id = key_id.unwrap_or_else(|| thumbprint(key.public_key().borrow(), importer));
        Self { key, key_id: key_id.into(), is_named }
    }

    /// Sets the key id under which the key is registered. It then decrypts under no other id.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<Arc<str>>) -> Self {
        Self { key_id: key_id.into(), is_named: true, ..self }
    }

    /// Returns the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> KeyManagement {
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

    /// Returns the public key as a JWK with `kid`, `alg` and `use` (`enc`), without any private
    /// member.
    // REQ-META-16
    #[must_use]
    pub fn public_jwk(&self) -> String {
        let key = self.key.public_key();
        jwk::write_public_for(key.borrow(), self.algorithm().name(), "enc", &self.key_id)
    }

    /// Decrypts a JWE in compact serialization ([RFC 7516 section 7.1]) whose `alg` is the algorithm
    /// of this key and whose `enc` is `content`.
    ///
    /// The result proves nothing: anyone who knows the public key can encrypt. If it is a token,
    /// its signature and claims have to be checked next.
    ///
    /// `entropy` blinds the private-key operation and makes the key that takes the place of one
    /// that cannot be unwrapped.
    ///
    /// # Errors
    ///
    /// Returns a [`Rejection`]:
    ///
    /// - [`Untrusted::EncryptedForm`], [`Untrusted::Encryption`] or [`Untrusted::CriticalHeader`]
    ///   for a token that is malformed or encrypted otherwise; the private key is not used.
    /// - [`Untrusted::Decryption`] for a token that names another key or cannot be decrypted. The
    ///   error is the same whatever the reason is.
    ///
    /// [RFC 7516 section 7.1]: https://www.rfc-editor.org/rfc/rfc7516#section-7.1
    pub fn open(
        &self,
        compact: &str,
        content: ContentEncryption,
        entropy: Entropy,
        verifier: &dyn Verifier,
    ) -> Result<SecretBytes, Rejection> {
        let jwe = Jwe::read(compact, self.algorithm(), content)?;
        if self.is_named && jwe.key_id().is_some_and(|named| named != self.key_id()) {
            return Err(Untrusted::Decryption.into());
        }
        let stand_in = StandIn::new(&entropy, verifier);
        let blinding = Entropy::from_bytes(entropy.expand(verifier, Purpose::Blinding));
        let produced = match jwe.needed() {
            Needed::Unwrap(encrypted_key) => self.key.unwrap_key(encrypted_key, blinding),
            Needed::Agree(ephemeral) => self.key.agree(ephemeral.borrow()),
        };
        // A failure is not reported here, but makes the decryption fail like a wrong tag.
        let produced = produced.ok();
        jwe.open(produced.as_ref().map(SecretBytes::expose), &stand_in, verifier)
    }
}
