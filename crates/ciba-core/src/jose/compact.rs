//! The compact serialization of a JWS (RFC 7515 sections 3.1 and 5.2): splitting, decoding and
//! verifying it.

use alloc::{string::ToString as _, vec::Vec};

use zeroize::Zeroizing;

use crate::{
    bounds,
    fault::{Found, Rejection, Untrusted},
    jose::{JwsAlgorithm, KeySet, base64url, header::Header},
};

/// The parts of a compact JWS. The signature has not been verified yet.
pub(crate) struct Compact<'a> {
    /// The input of the signature: header and payload as they were received.
    pub(crate) signing_input: &'a str,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Zeroizing<Vec<u8>>,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// Splits and decodes the three parts. A JWE, which has five parts, gets an error of its own.
    // REQ-IDT-01, REQ-IDT-35
    pub(crate) fn split(compact: &'a str) -> Result<Self, Rejection> {
        // The limits bound the work before anything is decoded.
        if compact.len() > bounds::JWS_BYTES {
            return Err(Untrusted::TokenForm.into());
        }
        let mut dots = compact.match_indices('.').map(|(at, _)| at);
        let (Some(first), Some(second)) = (dots.next(), dots.next()) else {
            return Err(Untrusted::TokenForm.into());
        };
        // Counted only as far as needed, so that a string of dots costs nothing.
        match dots.take(3).count() {
            0 => {}
            2 => return Err(Untrusted::UnexpectedEncryption.into()),
            _ => return Err(Untrusted::TokenForm.into()),
        }
        // The header is parsed before the signature is verified, so its size is an attacker's
        // choice.
        if first > bounds::JWS_HEADER_BYTES {
            return Err(Untrusted::TokenForm.into());
        }
        let part = |from: usize, to: usize| compact.get(from..to).and_then(base64url::decode);
        let header = part(0, first).ok_or(Untrusted::TokenForm)?;
        let payload =
            Zeroizing::new(part(first.saturating_add(1), second).ok_or(Untrusted::TokenForm)?);
        let signature =
            part(second.saturating_add(1), compact.len()).ok_or(Untrusted::TokenForm)?;
        // The signature covers the encoded parts as received; encoding them again could differ.
        let signing_input = compact.get(..second).unwrap_or_default();
        Ok(Self { signing_input, header, payload, signature })
    }

    /// Tries the keys that fit, at most [`bounds::KEYS_TRIED`] of them.
    // Ruling 4: several keys fit if the token names no key id, or an id that occurs twice.
    pub(crate) fn verify(
        &self,
        algorithm: JwsAlgorithm,
        key_id: Option<&str>,
        keys: &KeySet,
    ) -> Result<(), Rejection> {
        let why_none = keys.why_none(algorithm, key_id);
        let mut verdict =
            if why_none.is_some() { Untrusted::UnusableKey } else { Untrusted::UnknownKey };
        // Bounded, because every key costs a signature verification and anyone can send a token.
        for key in keys.candidates(algorithm, key_id).take(bounds::KEYS_TRIED) {
            match key.verify(self.signing_input.as_bytes(), &self.signature) {
                Ok(()) => return Ok(()),
                // A key that fits but does not verify is reported rather than a missing one.
                Err(_) => verdict = Untrusted::Signature,
            }
        }
        let rejection = verdict.at("kid", key_id.map_or(Found::Missing, Found::text));
        Err(match why_none.filter(|_| verdict == Untrusted::UnusableKey) {
            Some(why) => rejection.because(&why.to_string()),
            None => rejection,
        })
    }
}

/// Verifies the signature of a compact JWS with a key set and returns its payload.
///
/// Nothing else is checked: not the issuer, the audience, the times or the type of the token. The
/// returned payload therefore proves nothing about a person. For ID Tokens use
/// [`ClientConfig::validate_id_token`](crate::ClientConfig::validate_id_token).
///
/// The `alg` header must equal `algorithm`. The `typ` header is ignored.
///
/// # Errors
///
/// Returns the [`Rejection`] of the first check that fails, from [`Untrusted::TokenForm`] to
/// [`Untrusted::Signature`]. A key set never holds keys for a symmetric algorithm, which therefore
/// fails with [`Untrusted::UnknownKey`] or [`Untrusted::UnusableKey`].
pub fn verify_signature_only(
    compact: &str,
    algorithm: JwsAlgorithm,
    keys: &KeySet,
) -> Result<Vec<u8>, Rejection> {
    let mut token = Compact::split(compact)?;
    let header = Header::parse(&token.header)?;
    header.demand(algorithm)?;
    token.verify(algorithm, header.key_id().as_deref(), keys)?;
    Ok(core::mem::take(&mut token.payload))
}
