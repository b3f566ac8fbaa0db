//! Encrypted tokens: JWE in compact serialization (RFC 7516, RFC 7518 sections 4 and 5).
//!
//! A token is decrypted only with the configured pair of algorithms. Everything that can be known
//! without the private key is checked before it is used.

mod alg;
mod content;
mod derive;
mod header;

use alloc::vec::Vec;

use crate::{
    bounds,
    crypto::{Entropy, Hash, OwnedPublicKey, Purpose, Verifier},
    fault::{Rejection, Untrusted},
    jose::base64url,
    secret::SecretBytes,
};

use self::header::Header;

pub use alg::{ContentEncryption, KeyManagement};

/// A JWE of the configured algorithms that has not been decrypted yet.
pub(crate) struct Jwe<'a> {
    algorithm: KeyManagement,
    content: ContentEncryption,
    header: Header,
    /// The encoded header as received; encoding it again could differ.
    // REQ-JWE-13
    aad: &'a str,
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

/// What the private key has to do before a JWE can be decrypted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needed<'a> {
    /// Decrypt this content encryption key with RSAES-OAEP.
    Unwrap(&'a [u8]),
    /// Compute the shared secret with this ephemeral public key.
    Agree(&'a OwnedPublicKey),
}

impl<'a> Jwe<'a> {
    /// Splits and decodes the five parts and runs all checks that need no key.
    // REQ-JWE-01, REQ-JWE-02, REQ-JWE-10, REQ-JWE-11, REQ-JWE-12
    pub(crate) fn read(
        compact: &'a str,
        algorithm: KeyManagement,
        content: ContentEncryption,
    ) -> Result<Self, Rejection> {
        // The limits bound the work before anything is decoded.
        if compact.len() > bounds::JWS_BYTES {
            return Err(Untrusted::EncryptedForm.into());
        }
        // Taken only as far as needed, so that a string of dots costs nothing.
        let mut parts = compact.splitn(6, '.');
        let mut next = || parts.next().ok_or(Untrusted::EncryptedForm);
        let (aad, encrypted_key, iv, ciphertext, tag) =
            (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() || aad.len() > bounds::JWS_HEADER_BYTES {
            return Err(Untrusted::EncryptedForm.into());
        }
        let decode = |part| base64url::decode(part).ok_or(Untrusted::EncryptedForm);
        let header = Header::read(&decode(aad)?, algorithm, content)?;
        let jwe = Self {
            algorithm,
            content,
            header,
            aad,
            encrypted_key: decode(encrypted_key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        };
        // Only direct key agreement transports no key.
        if jwe.encrypted_key.is_empty() != (algorithm == KeyManagement::EcdhEs)
            || jwe.encrypted_key.len() > bounds::ENCRYPTED_KEY_BYTES
            || !content.fits(&jwe.iv, &jwe.ciphertext, &jwe.tag)
        {
            return Err(Untrusted::EncryptedForm.into());
        }
        Ok(jwe)
    }

    /// Returns the key id that the header names.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// Returns what the private key has to do.
    pub(crate) fn needed(&self) -> Needed<'_> {
        match &self.header.ephemeral {
            Some(key) => Needed::Agree(key),
            None => Needed::Unwrap(&self.encrypted_key),
        }
    }

    /// Decrypts the content.
    ///
    /// `produced` is what the private key has produced: the content encryption key or the shared
    /// secret. If that failed, or if it is not a key of the right length, a random one is used in
    /// its place, so that the failure is that of a wrong tag.
    ///
    /// # Errors
    ///
    /// Returns [`Untrusted::Decryption`], whatever the reason is.
    // REQ-JWE-16
    pub(crate) fn open(
        mut self,
        produced: Option<&[u8]>,
        stand_in: &StandIn,
        verifier: &dyn Verifier,
    ) -> Result<SecretBytes, Rejection> {
        let failed = || Rejection::from(Untrusted::Decryption);
        let decrypter = verifier.decrypter().ok_or_else(failed)?;
        let length = self.content.key_length();
        let key = produced.and_then(|produced| match self.algorithm {
            KeyManagement::RsaOaep256 | KeyManagement::RsaOaepSha1 => {
                Some(SecretBytes::new(produced))
            }
            KeyManagement::EcdhEs => self.derive(produced, self.content.name(), length, verifier),
            KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw => {
                let wrapping = if self.algorithm == KeyManagement::EcdhEsA128Kw { 16 } else { 32 };
                let key = self.derive(produced, self.algorithm.name(), wrapping, verifier)?;
                decrypter.unwrap_aes(key.expose(), &self.encrypted_key).ok()
            }
        });
        let key = key.filter(|key| key.expose().len() == length);
        let key = key.unwrap_or_else(|| stand_in.key(length));
        let ciphertext = core::mem::take(&mut self.ciphertext);
        self.content
            .open(key.expose(), self.aad.as_bytes(), &self.iv, ciphertext, &self.tag, verifier)
            .ok_or_else(failed)
    }

    /// Derives a key from the shared secret.
    fn derive(
        &self,
        secret: &[u8],
        name: &str,
        length: usize,
        verifier: &dyn Verifier,
    ) -> Option<SecretBytes> {
        let expected = match &self.header.ephemeral {
            Some(OwnedPublicKey::Ec { curve, .. }) => curve.width(),
            _ => 32,
        };
        // The secret of X25519 is zero for ephemeral keys of small order.
        if secret.len() != expected || secret.iter().fold(0, |all, octet| all | octet) == 0 {
            return None;
        }
        let (apu, apv) = (&self.header.party_u, &self.header.party_v);
        derive::concat_kdf(secret, name, [apu, apv], length, verifier)
    }
}

/// A random key that takes the place of one that could not be unwrapped.
pub(crate) struct StandIn(SecretBytes);

impl StandIn {
    pub(crate) fn new(entropy: &Entropy, verifier: &dyn Verifier) -> Self {
        let seed = zeroize::Zeroizing::new(entropy.expand(verifier, Purpose::ContentKey));
        Self(SecretBytes::new(verifier.hmac(Hash::Sha512, &*seed, b"").as_bytes()))
    }

    fn key(&self, length: usize) -> SecretBytes {
        // As long as the longest content encryption key.
        SecretBytes::new(self.0.expose().get(..length).unwrap_or_default())
    }
}

#[cfg(all(test, feature = "rustcrypto"))]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    const EC: &str = concat!(
        r#"{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","#,
        r#""y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}"#,
    );

    /// A token with these parts after the header.
    fn token(header: &str, rest: &str) -> String {
        format!("{}.{rest}", base64url::encode(header))
    }

    fn check(compact: &str, algorithm: KeyManagement) -> Option<Untrusted> {
        Jwe::read(compact, algorithm, ContentEncryption::A128Gcm)
            .err()
            .map(|rejection| rejection.check())
    }

    /// An IV of 12 octets, a ciphertext and a tag of 16 octets.
    const REST: &str = "AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA";

    /// REQ-JWE-01b
    /// REQ-JWE-08a
    /// REQ-JWE-14
    /// REQ-JWE-15
    /// REQ-JWE-18
    #[test]
    fn a_header_is_checked_before_any_key_is_used() {
        use Untrusted::{CriticalHeader, EncryptedForm, Encryption};
        let header = |members: &str, epk: &str| {
            format!(r#"{{"alg":"ECDH-ES","enc":"A128GCM"{members},"epk":{epk}}}"#)
        };
        let other_curve = EC.replace("P-256", "P-521");
        let private = EC.replace("{", r#"{"d":"AA","#);
        let short = EC.replace("gI0GAILB", "gI0GAI");
        for (header, expected) in [
            (header("", EC), None),
            (header(r#","kid":"a","typ":"JWT","cty":"jwt","iss":"ignored""#, EC), None),
            (header("", EC).replace("ECDH-ES", "RSA1_5"), Some(Encryption)),
            (
                header(r#","p2c":2147483647"#, EC).replace("ECDH-ES", "PBES2-HS256+A128KW"),
                Some(Encryption),
            ),
            (header("", EC).replace("ECDH-ES", "dir"), Some(Encryption)),
            (header("", EC).replace("ECDH-ES", "ecdh-es"), Some(Encryption)),
            (header("", EC).replace("A128GCM", "A256GCM"), Some(Encryption)),
            (header("", EC).replace(r#""alg":"ECDH-ES","#, ""), Some(Encryption)),
            (header(r#","zip":"DEF""#, EC), Some(Encryption)),
            (header(r#","zip":null"#, EC), Some(Encryption)),
            (header(r#","crit":["x"]"#, EC), Some(CriticalHeader)),
            (header(r#","crit":null"#, EC), Some(CriticalHeader)),
            (header(r#","enc":"A128GCM""#, EC), Some(EncryptedForm)),
            (header(r#","kid":7"#, EC), Some(EncryptedForm)),
            (header(r#","cty":"json""#, EC), Some(EncryptedForm)),
            (header(r#","apu":"a=""#, EC), Some(EncryptedForm)),
            (header(r#","apv":[]"#, EC), Some(EncryptedForm)),
            (header("", "null"), Some(EncryptedForm)),
            (header("", r#""text""#), Some(EncryptedForm)),
            (header("", &other_curve), Some(EncryptedForm)),
            (header("", &private), Some(EncryptedForm)),
            (header("", &short), Some(EncryptedForm)),
            ("[]".into(), Some(EncryptedForm)),
        ] {
            let token = token(&header, &format!(".{REST}"));
            assert_eq!(check(&token, KeyManagement::EcdhEs), expected, "{header}");
        }
    }

    /// REQ-JWE-02
    /// REQ-JWE-10a
    /// REQ-JWE-10b
    /// REQ-JWE-12
    #[test]
    fn five_parts_of_the_right_lengths_are_required() {
        let form = Some(Untrusted::EncryptedForm);
        let header = format!(r#"{{"alg":"ECDH-ES","enc":"A128GCM","epk":{EC}}}"#);
        for (rest, expected) in [
            (format!(".{REST}"), None),
            (REST.into(), form),
            (format!("..{REST}"), form),
            (format!(".{REST}.AA"), form),
            // An encrypted key, although the key is agreed.
            (format!("AAAA.{REST}"), form),
            // An IV of 16 octets, a tag of 15 and of 12, padding, another alphabet.
            (".AAAAAAAAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA".into(), form),
            (".AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAA".into(), form),
            (".AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAA".into(), form),
            (format!(".{REST}="), form),
            (".AAAAAAAAAAAAAAAA.A+.AAAAAAAAAAAAAAAAAAAAAA".into(), form),
        ] {
            assert_eq!(check(&token(&header, &rest), KeyManagement::EcdhEs), expected, "{rest}");
        }
        let header = r#"{"alg":"RSA-OAEP-256","enc":"A128GCM"}"#;
        for (key, expected) in [("AAAA", None), ("", form), (&*"A".repeat(1368), form)] {
            let token = token(header, &format!("{key}.{REST}"));
            assert_eq!(check(&token, KeyManagement::RsaOaep256), expected, "{key}");
        }
        assert_eq!(check("{}", KeyManagement::RsaOaep256), form);
    }
}
