//! The protected header of a JWS (RFC 7515 section 4). Keys and key addresses in it (`jwk`, `jku`,
//! `x5c`, `x5u`) are ignored.
// REQ-IDT-09

use alloc::string::{String, ToString};

use crate::{
    fault::{Expected, Rejection, Untrusted},
    jose::{JwsAlgorithm, scalar::Scalar},
    json,
};

/// The members of a header that this crate reads.
pub(crate) struct Header<'a> {
    alg: Option<Scalar<'a>>,
    kid: Option<Scalar<'a>>,
    typ: Option<Scalar<'a>>,
    b64: Option<Scalar<'a>>,
    /// Whether `crit` is present, with any value.
    crit: bool,
}

impl<'a> Header<'a> {
    /// Reads a decoded header: one JSON object in UTF-8 without a byte order mark and without
    /// duplicate names.
    // REQ-IDT-02
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let text = core::str::from_utf8(bytes).map_err(|_| Untrusted::TokenForm)?;
        let mut header = Header { alg: None, kid: None, typ: None, b64: None, crit: false };
        let read = json::strict_members(text, |name, value| match &**name {
            // Present even if it is `null`: a critical extension must not be overlooked.
            "crit" => header.crit = true,
            // `null` counts as absent (ruling 33).
            _ if value.is_null() => {}
            "alg" => header.alg = Some(Scalar::read(value)),
            "kid" => header.kid = Some(Scalar::read(value)),
            "typ" => header.typ = Some(Scalar::read(value)),
            "b64" => header.b64 = Some(Scalar::read(value)),
            _ => {}
        });
        read.ok_or(Untrusted::TokenForm)?;
        match header.kid {
            None | Some(Scalar::Text(_)) => Ok(header),
            ref other => Err(Untrusted::TokenForm.at("kid", Scalar::kind(other.as_ref()))),
        }
    }

    /// Runs the checks that need no key, in order: algorithm, then critical extensions.
    // REQ-IDT-03, REQ-IDT-04, REQ-IDT-08
    pub(crate) fn demand(&self, algorithm: JwsAlgorithm) -> Result<(), Rejection> {
        // Compared with the configuration and never chosen from the token, so `none` or a MAC
        // cannot be substituted.
        let named = self.alg.as_ref().and_then(Scalar::text).and_then(JwsAlgorithm::from_name);
        if named != Some(algorithm) {
            let found = Scalar::open_text(self.alg.as_ref());
            return Err(Untrusted::Algorithm
                .at("alg", found)
                .expecting(Expected::text(algorithm.name())));
        }
        // No extension is implemented, so any list is rejected, including a malformed or empty one.
        // `b64` without `crit` has no effect (RFC 7797 section 6), but its author meant the payload
        // to be read differently, so it is rejected as well.
        if self.crit || !matches!(self.b64, None | Some(Scalar::Bool(true))) {
            return Err(Untrusted::CriticalHeader.into());
        }
        Ok(())
    }

    /// Whether `typ` is absent or names a plain JWT, ignoring case, with or without
    /// `application/`.
    // REQ-IDT-10
    pub(crate) fn is_plain_jwt(&self) -> bool {
        match &self.typ {
            None => true,
            Some(Scalar::Text(typ)) => {
                typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt")
            }
            Some(_) => false,
        }
    }

    /// Returns the rejection of a token of another type.
    pub(crate) fn of_another_type(&self) -> Rejection {
        Untrusted::TokenType
            .at("typ", Scalar::open_text(self.typ.as_ref()))
            .expecting(Expected::text("JWT"))
    }

    /// Returns the key id.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.kid.as_ref().and_then(Scalar::text).map(ToString::to_string)
    }
}
