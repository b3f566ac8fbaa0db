//! The protected header of a JWS (RFC 7515 4). Keys and addresses of keys in it are never looked at (REQ-IDT-09).

use alloc::string::{String, ToString};
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::{
    error::{Expected, Rejection, Untrusted},
    jose::{
        JwsAlgorithm,
        object::{Name, Names, Skip},
        scalar::Scalar,
    },
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
    /// Reads a decoded header: UTF-8 without byte order mark, one JSON object, no member name twice (REQ-IDT-02).
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let text = core::str::from_utf8(bytes).map_err(|_| Untrusted::TokenForm)?;
        let header: Self = serde_json::from_str(text).map_err(|_| Untrusted::TokenForm)?;
        match header.kid {
            None | Some(Scalar::Text(_)) => Ok(header),
            ref other => Err(Untrusted::TokenForm.at("kid", Scalar::kind(other.as_ref()))),
        }
    }

    /// The checks that need no key, in order: algorithm, critical extensions (REQ-IDT-03, REQ-IDT-04, REQ-IDT-08).
    pub(crate) fn demand(&self, algorithm: JwsAlgorithm) -> Result<(), Rejection> {
        let named = self.alg.as_ref().and_then(Scalar::text).and_then(JwsAlgorithm::from_name);
        if named != Some(algorithm) {
            let found = Scalar::open(self.alg.as_ref());
            return Err(Untrusted::Algorithm.at("alg", found).expecting(Expected::text(algorithm.name())));
        }
        // No extension is implemented, so any list is refused, a malformed or empty one too. `b64` only works through
        // `crit` (RFC 7797 6); without it, it is taken for what its author meant.
        if self.crit || !matches!(self.b64, None | Some(Scalar::Bool(true))) {
            return Err(Untrusted::CriticalHeader.into());
        }
        Ok(())
    }

    /// Whether `typ` is absent or that of a plain JWT, in any case, with or without `application/` (REQ-IDT-10).
    pub(crate) fn is_plain_jwt(&self) -> bool {
        match &self.typ {
            None => true,
            Some(Scalar::Text(typ)) => typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt"),
            Some(_) => false,
        }
    }

    /// A token of another type.
    pub(crate) fn of_another_type(&self) -> Rejection {
        Untrusted::TokenType.at("typ", Scalar::open(self.typ.as_ref())).expecting(Expected::text("JWT"))
    }

    /// The key id.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.kid.as_ref().and_then(Scalar::text).map(ToString::to_string)
    }
}

impl<'de> Deserialize<'de> for Header<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Header<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut header = Header { alg: None, kid: None, typ: None, b64: None, crit: false };
                let mut names = Names::new();
                while let Some(Name(name)) = map.next_key()? {
                    match &*name {
                        "alg" => header.alg = Some(map.next_value()?),
                        "kid" => header.kid = Some(map.next_value()?),
                        "typ" => header.typ = Some(map.next_value()?),
                        "b64" => header.b64 = Some(map.next_value()?),
                        other => {
                            header.crit |= other == "crit";
                            map.next_value::<Skip>()?;
                        }
                    }
                    names.push(name);
                }
                match names.are_unique() {
                    true => Ok(header),
                    false => Err(A::Error::custom("a member name twice")),
                }
            }
        }

        deserializer.deserialize_map(Read)
    }
}
