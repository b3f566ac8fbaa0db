//! The protected header of a JWE (RFC 7516 section 4). Claims in it are never used.
// REQ-JWE-18

use alloc::{string::String, vec::Vec};

use super::{ContentEncryption, KeyManagement};
use crate::{
    crypto::OwnedPublicKey,
    fault::{Expected, Rejection, Untrusted},
    jose::{
        base64url,
        jwk::{self, SECRET_MEMBERS},
        scalar::Scalar,
    },
    json::{self, Object, Raw},
};

/// What decryption needs from a header that names the configured algorithms.
pub(super) struct Header {
    pub(super) key_id: Option<String>,
    /// The ephemeral public key of ECDH-ES.
    pub(super) ephemeral: Option<OwnedPublicKey>,
    /// `apu`, decoded.
    pub(super) party_u: Vec<u8>,
    /// `apv`, decoded.
    pub(super) party_v: Vec<u8>,
}

impl Header {
    /// Reads a decoded header and runs the checks, in order: algorithms, critical extensions and
    /// compression, members of key agreement.
    // REQ-JWE-01b, REQ-JWE-14, REQ-JWE-15
    pub(super) fn read(
        bytes: &[u8],
        algorithm: KeyManagement,
        content: ContentEncryption,
    ) -> Result<Self, Rejection> {
        let text = core::str::from_utf8(bytes).map_err(|_| Untrusted::EncryptedForm)?;
        let (mut alg, mut enc, mut kid, mut cty) = (None, None, None, None);
        let (mut epk, mut apu, mut apv) = (None, None, None);
        let (mut crit, mut zip) = (false, false);
        let read = json::strict_members(text, |name, value| match &**name {
            // Present even if they are `null`: neither must be overlooked.
            "crit" => crit = true,
            "zip" => zip = true,
            // `null` counts as absent (ruling 33).
            _ if value.is_null() => {}
            "alg" => alg = Some(Scalar::read(value)),
            "enc" => enc = Some(Scalar::read(value)),
            "kid" => kid = Some(Scalar::read(value)),
            "cty" => cty = Some(Scalar::read(value)),
            "epk" => epk = Some(value),
            "apu" => apu = Some(Scalar::read(value)),
            "apv" => apv = Some(Scalar::read(value)),
            _ => {}
        });
        read.ok_or(Untrusted::EncryptedForm)?;
        for (name, found, expected) in
            [("alg", &alg, algorithm.name()), ("enc", &enc, content.name())]
        {
            if found.as_ref().and_then(Scalar::text) != Some(expected) {
                return Err(Untrusted::Encryption
                    .at(name, Scalar::open_text(found.as_ref()))
                    .expecting(Expected::text(expected)));
            }
        }
        // Compression turns a short token into a long one and tells its content by its length.
        if zip {
            return Err(Untrusted::Encryption.at("zip", crate::fault::Found::AnotherValue));
        }
        if crit {
            return Err(Untrusted::CriticalHeader.into());
        }
        let key_id = match kid {
            None => None,
            Some(Scalar::Text(text)) => Some(text.into_owned()),
            ref other => {
                return Err(Untrusted::EncryptedForm.at("kid", Scalar::kind(other.as_ref())));
            }
        };
        // REQ-JWE-03b
        let holds_jwt = cty.as_ref().is_none_or(|cty| {
            cty.text().is_some_and(|cty| {
                cty.eq_ignore_ascii_case("JWT") || cty.eq_ignore_ascii_case("application/jwt")
            })
        });
        if !holds_jwt {
            return Err(Untrusted::EncryptedForm.at("cty", Scalar::open_text(cty.as_ref())));
        }
        if algorithm.is_rsa() {
            let (party_u, party_v) = (Vec::new(), Vec::new());
            return Ok(Self { key_id, ephemeral: None, party_u, party_v });
        }
        let party = |name, value: Option<Scalar<'_>>| match &value {
            None => Ok(Vec::new()),
            Some(Scalar::Text(text)) => base64url::decode(&**text)
                .ok_or(Untrusted::EncryptedForm.at(name, Scalar::kind(value.as_ref()))),
            other => Err(Untrusted::EncryptedForm.at(name, Scalar::kind(other.as_ref()))),
        };
        let (party_u, party_v) = (party("apu", apu)?, party("apv", apv)?);
        let ephemeral = epk.and_then(ephemeral).ok_or_else(|| {
            Untrusted::EncryptedForm.at("epk", Scalar::kind(epk.map(Scalar::read).as_ref()))
        })?;
        Ok(Self { key_id, ephemeral: Some(ephemeral), party_u, party_v })
    }
}

/// Reads an ephemeral public key, which has no private members.
// REQ-JWE-08a. Whether it is on the curve of the recipient's key is found by the key operation.
fn ephemeral(value: Raw<'_>) -> Option<OwnedPublicKey> {
    let mut key = Object::parse(value.json().as_bytes()).ok()?;
    if SECRET_MEMBERS.iter().any(|name| key.get(name).is_some()) {
        return None;
    }
    jwk::exact_curve_point(&mut key)
}
