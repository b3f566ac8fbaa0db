//! The claims of an ID Token, read in a single pass over the payload.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

use crate::{
    expect::{Expectations, TRUST_FRAMEWORK},
    fault::Untrusted,
    jose::scalar::Scalar,
    json::{self, JsonError, Raw},
    time::Timestamp,
};

/// The largest accepted NumericDate: the end of the year 9999.
// A larger value is most likely in milliseconds. Read as seconds, it would make a token that
// practically never expires.
const MOST_SECONDS: u64 = 253_402_300_799;

/// An error reading claims into a type. Contains no claim values, because they are personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimsError {
    /// There is no ID Token. This happens only if the client is configured without `openid`.
    NoIdToken,
    /// The claims do not fit the type.
    Shape {
        /// The column of the JSON text of the claims at which deserialization failed, counted
        /// from 1.
        column: usize,
    },
    /// A claim has a name that `serde_json` reserves for itself; see [`JsonError::ReservedName`].
    /// The JSON text of the claims is still available.
    ReservedName,
}

impl From<JsonError> for ClaimsError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Shape { column } => Self::Shape { column },
            JsonError::ReservedName => Self::ReservedName,
        }
    }
}

impl fmt::Display for ClaimsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIdToken => f.write_str("there is no ID Token"),
            Self::Shape { column } => {
                write!(f, "the claims do not fit the type (at column {column})")
            }
            Self::ReservedName => f.write_str("a claim has a name that is reserved by serde_json"),
        }
    }
}

impl core::error::Error for ClaimsError {}

macro_rules! known_claims {
    ($($field:ident = $name:literal;)*) => {
        /// The claims that checks read, each as it was found, and those the caller expects.
        #[derive(Default)]
        pub(crate) struct Claims<'a> {
            $(pub(super) $field: Option<Scalar<'a>>,)*
            others: Vec<(Cow<'a, str>, Scalar<'a>)>,
        }

        impl<'a> Claims<'a> {
            fn known(&mut self, name: &str) -> Option<&mut Option<Scalar<'a>>> {
                match name {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }

            /// Wipes the strings that were allocated to resolve escapes.
            fn wipe(&mut self) {
                let known = [$(&mut self.$field,)*].into_iter().flatten();
                known.chain(self.others.iter_mut().map(|(_, value)| value)).for_each(Scalar::wipe);
            }

            /// Returns a claim that a check reads or that the caller expects.
            pub(crate) fn get(&self, name: &str) -> Option<&Scalar<'a>> {
                match name {
                    $($name => self.$field.as_ref(),)*
                    _ => self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value),
                }
            }
        }
    };
}

known_claims! {
    iss = "iss";
    sub = "sub";
    aud = "aud";
    azp = "azp";
    exp = "exp";
    iat = "iat";
    nbf = "nbf";
    auth_time = "auth_time";
    nonce = "nonce";
    acr = "acr";
    amr = "amr";
    at_hash = "at_hash";
    rt_hash = "urn:openid:params:jwt:claim:rt_hash";
    auth_req_id = "urn:openid:params:jwt:claim:auth_req_id";
    events = "events";
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Returns the trust framework of `verified_claims`, or that of each of its elements.
fn trust_framework<'a>(verified: Raw<'a>) -> Scalar<'a> {
    let name = |verified: Raw<'a>| only(only(verified, "verification")?, "trust_framework")?.text();
    let named = match verified.items() {
        Some(items) => items.map(name).collect::<Option<_>>().map(Scalar::Texts),
        None => name(verified).map(Scalar::Text),
    };
    named.unwrap_or(Scalar::Other)
}

/// Returns the member with this name, if there is exactly one.
// Of two, another reader of the token might take the other one.
fn only<'a>(object: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    let mut found = object.members()?.filter(|(known, _)| known == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

impl<'a> Claims<'a> {
    /// Reads a payload: one JSON object without duplicate names. The checks judge the types of the
    /// values.
    // REQ-IDT-31, REQ-SEC-24
    pub(crate) fn parse(text: &'a str, expectations: &Expectations) -> Result<Self, Untrusted> {
        let mut claims = Self::default();
        let read = json::strict_members(text, |name, value| {
            if name == "verified_claims" && expectations.trust_framework.is_some() {
                claims.others.push((Cow::Borrowed(TRUST_FRAMEWORK), trust_framework(value)));
            }
            if let Some(slot) = claims.known(name) {
                *slot = Some(Scalar::read(value));
            // Every other claim stays in the payload and is only read if the application asks for
            // it.
            } else if expectations.look_at(name) {
                claims.others.push((name.clone(), Scalar::read(value)));
            }
        });
        read.map(|()| claims).ok_or(Untrusted::ClaimsForm)
    }

    pub(super) fn acr(&self) -> Option<&str> {
        self.acr.as_ref().and_then(Scalar::text)
    }

    pub(super) fn amr(&self) -> Vec<String> {
        match &self.amr {
            Some(Scalar::Texts(values)) => {
                values.iter().map(|value| value.as_ref().into()).collect()
            }
            // An unreadable `amr` counts as absent and is reported as a deviation.
            _ => Vec::new(),
        }
    }
}

impl<'a> Scalar<'a> {
    /// Reads a NumericDate: a possibly fractional number of seconds, from zero to the end of the
    /// year 9999.
    // REQ-IDT-21
    pub(crate) fn date(&self) -> Option<Timestamp> {
        match *self {
            Self::Whole(seconds) if seconds <= MOST_SECONDS => {
                Some(Timestamp::from_unix_secs(seconds))
            }
            // In range the product is less than 2^48 and not negative, so the cast only truncates a
            // fraction of a millisecond.
            Self::Fraction(seconds) if (0.0..=MOST_SECONDS as f64).contains(&seconds) => {
                Some(Timestamp::from_unix_millis((seconds * 1000.0) as u64))
            }
            _ => None,
        }
    }
}
