//! The protected header of a JWS (RFC 7515 4). Keys and addresses of keys in it are never looked at
//! (REQ-IDT-09).

use alloc::string::{String, ToString};

use crate::{
    fault::{Expected, Rejection, Untrusted},
    jose::{JwsAlgorithm, scalar::Scalar},
    json,
};

/// What a header says, as far as anything here depends on it.
pub(crate) struct Header<'a> {
    alg: Option<Scalar<'a>>,
    kid: Option<Scalar<'a>>,
    typ: Option<Scalar<'a>>,
    b64: Option<Scalar<'a>>,
    /// Present, with whatever value.
    crit: bool,
}

impl<'a> Header<'a> {
    /// Reads a decoded header: UTF-8 without byte order mark, one JSON object, no member name twice
    /// (REQ-IDT-02).
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let text = core::str::from_utf8(bytes).map_err(|_| Untrusted::TokenForm)?;
        let mut header = Header { alg: None, kid: None, typ: None, b64: None, crit: false };
        let read = json::strict_members(text, |name, value| match &**name {
            // Even `null`: what is critical is not to be overlooked.
            "crit" => header.crit = true,
            // `null` is absence (ruling 33).
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

    /// The checks that need no key, in order: algorithm, critical extensions (REQ-IDT-03,
    /// REQ-IDT-04, REQ-IDT-08).
    pub(crate) fn demand(&self, algorithm: JwsAlgorithm) -> Result<(), Rejection> {
        let named = self.alg.as_ref().and_then(Scalar::text).and_then(JwsAlgorithm::from_name);
        if named != Some(algorithm) {
            let found = Scalar::open_text(self.alg.as_ref());
            return Err(Untrusted::Algorithm
                .at("alg", found)
                .expecting(Expected::text(algorithm.name())));
        }
        // No extension is implemented, so any list is refused, a malformed or empty one too. `b64`
        // only works through `crit` (RFC 7797 6); without it, it is taken for what its author
        // meant.
        if self.crit || !matches!(self.b64, None | Some(Scalar::Bool(true))) {
            return Err(Untrusted::CriticalHeader.into());
        }
        Ok(())
    }

    /// Whether `typ` is absent or that of a plain JWT, in any case, with or without `application/`
    /// (REQ-IDT-10).
    pub(crate) fn is_plain_jwt(&self) -> bool {
        match &self.typ {
            None => true,
            Some(Scalar::Text(typ)) => {
                typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt")
            }
            Some(_) => false,
        }
    }

    /// A token of another type.
    pub(crate) fn of_another_type(&self) -> Rejection {
        Untrusted::TokenType
            .at("typ", Scalar::open_text(self.typ.as_ref()))
            .expecting(Expected::text("JWT"))
    }

    /// The key id.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.kid.as_ref().and_then(Scalar::text).map(ToString::to_string)
    }
}
