//! The members of a private JWK in a file, before it is imported for an algorithm.

use alloc::string::String;

use zeroize::Zeroizing;

use super::file_error::KeyFileError;
use crate::{
    bounds,
    crypto::{KeyRejected, OwnedPublicKey, PrivateKey},
    jose::{KeyMemberFault, der, jwk},
    json::{Object, Raw},
};

/// A private JWK whose common members were read.
pub(super) struct JwkFile {
    pub(super) key_id: Option<String>,
    /// `alg`.
    pub(super) algorithm: Option<String>,
    pub(super) public: OwnedPublicKey,
    /// The members that were not read yet.
    pub(super) members: Object,
}

impl JwkFile {
    /// Reads the text of one JWK that has a private part.
    pub(super) fn read(jwk: &str) -> Result<Self, KeyFileError> {
        // Bounded before it is parsed.
        if jwk.len() > bounds::KEY_FILE_BYTES {
            return Err(KeyFileError::Malformed);
        }
        let jwk = jwk.trim_start_matches('\u{feff}');
        let mut members =
            Object::parse(jwk.as_bytes()).map_err(|_| match jwk.contains("-----BEGIN ") {
                true => KeyFileError::Pem,
                false => KeyFileError::Malformed,
            })?;
        let not_text = |name| KeyFileError::Member { name, fault: KeyMemberFault::NotText };
        let mut text = |name| members.take_text(name).map_err(|_| not_text(name));
        let (key_id, algorithm) = (text("kid")?, text("alg")?);
        // A symmetric key is a client secret and belongs elsewhere.
        if text("k")?.map(Zeroizing::new).is_some() {
            return Err(KeyFileError::Symmetric);
        }
        // A common mistake: the whole set instead of one key.
        if members.get("kty").is_none() && members.get("keys").is_some() {
            return Err(KeyFileError::Set);
        }
        let public = jwk::public_key(&mut members)?;
        if members.get("d").is_none_or(Raw::is_null) {
            return Err(KeyFileError::NotPrivate);
        }
        Ok(Self { key_id, algorithm, public, members })
    }

    /// Passes the private numbers to a backend.
    pub(super) fn import<T>(
        &mut self,
        import: impl FnOnce(PrivateKey<'_>) -> Result<T, KeyRejected>,
    ) -> Result<T, KeyFileError> {
        let members = &mut self.members;
        let imported = match &self.public {
            OwnedPublicKey::Ec { curve, .. } => {
                let d = jwk::scalar(members, "d", *curve)?;
                import(PrivateKey::Ec { curve: *curve, d: &d })
            }
            OwnedPublicKey::Ed25519 { .. } => {
                import(PrivateKey::Ed25519(&jwk::bytes(members, "d")?))
            }
            OwnedPublicKey::X25519 { .. } => import(PrivateKey::X25519(&jwk::bytes(members, "d")?)),
            OwnedPublicKey::Rsa { n, e } => {
                let d = jwk::bytes(members, "d")?;
                // The backends do not factor a modulus, and RFC 7518 section 6.3.2 allows all of
                // these or none.
                if ["p", "q", "dp", "dq", "qi"].iter().any(|name| members.get(name).is_none()) {
                    return Err(KeyFileError::PrimesMissing);
                }
                let mut part = |name| jwk::bytes(members, name);
                let (p, q, dp, dq, qi) =
                    (part("p")?, part("q")?, part("dp")?, part("dq")?, part("qi")?);
                let document = der::rsa_private_key([n, e, &d, &p, &q, &dp, &dq, &qi]);
                import(PrivateKey::Pkcs1(&document))
            }
        };
        Ok(imported?)
    }
}
