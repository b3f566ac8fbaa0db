//! Changes to ID Tokens.

use ciba_core::jose::JwsAlgorithm;
use serde_json::Value;

use crate::keys::TestKey;

/// A change to ID Tokens: claims, header, key, signature or serialization. Several edits of one
/// token are applied in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum IdTokenEdit {
    /// Sets a claim to a value of any type.
    Set(String, Value),
    /// Sets a claim to the time of issue plus this many seconds.
    SetTime(String, i64),
    /// Appends text to a string claim, for example a slash to `iss`.
    Append(String, String),
    /// Turns a claim into an array of its value and these strings, for example `aud`.
    Array(String, Vec<String>),
    /// Removes a claim.
    Remove(String),
    /// Inserts raw text after the opening brace of the claims, for duplicates and unusual numbers.
    RawClaims(String),
    /// Sets a header member, `alg`, `kid` and `typ` included. The key and the algorithm that sign
    /// stay the same.
    Header(String, Value),
    /// Removes a header member.
    RemoveHeader(String),
    /// Inserts raw text after the opening brace of the header.
    RawHeader(String),
    /// Signs with another algorithm and the provider's published key for it.
    Algorithm(JwsAlgorithm),
    /// Signs with a key, published or not, and an algorithm that fits it. The header has the `kid`
    /// of that key.
    Key(TestKey, JwsAlgorithm),
    /// Leaves the signature empty and writes `alg` as given (`none`, `None`, `nOnE`).
    Unsigned(String),
    /// Replaces the signature by an HS256 MAC with this key.
    Mac(MacKey),
    /// XORs every byte of the signature with this one.
    XorSignature(u8),
    /// Replaces the signature by these bytes.
    Signature(Vec<u8>),
    /// Encodes an ECDSA signature in DER, where RFC 7518 section 3.4 requires fixed width.
    DerSignature,
    /// Truncates the signature to this many bytes.
    CutSignature(usize),
    /// Flips one bit in the first possible character of a segment: 0 is the header, 1 the claims, 2
    /// the signature.
    FlipBit(usize),
    /// Changes the serialized token, after all other edits.
    Shape(TokenShape),
}

impl IdTokenEdit {
    /// Sets a claim.
    #[must_use]
    pub fn set(claim: &str, value: impl Into<Value>) -> Self {
        Self::Set(claim.to_owned(), value.into())
    }

    /// Sets a claim to the time of issue plus `offset_seconds`.
    #[must_use]
    pub fn set_time(claim: &str, offset_seconds: i64) -> Self {
        Self::SetTime(claim.to_owned(), offset_seconds)
    }

    /// Appends text to a string claim.
    #[must_use]
    pub fn append(claim: &str, text: &str) -> Self {
        Self::Append(claim.to_owned(), text.to_owned())
    }

    /// Turns a claim into an array of its value and `more`.
    #[must_use]
    pub fn array(claim: &str, more: &[&str]) -> Self {
        Self::Array(claim.to_owned(), more.iter().map(|&text| text.to_owned()).collect())
    }

    /// Removes a claim.
    #[must_use]
    pub fn remove(claim: &str) -> Self {
        Self::Remove(claim.to_owned())
    }

    /// Sets a header member.
    #[must_use]
    pub fn header(member: &str, value: impl Into<Value>) -> Self {
        Self::Header(member.to_owned(), value.into())
    }

    /// Removes a header member.
    #[must_use]
    pub fn remove_header(member: &str) -> Self {
        Self::RemoveHeader(member.to_owned())
    }
}

/// The key of a forged MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacKey {
    /// The JWK of the signing key, as serialized in the key set.
    PublicJwk,
    /// The modulus of the published RSA key, or the point of an elliptic-curve key.
    PublicNumbers,
    /// The client's secret, if it has one.
    ClientSecret,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// The serialization of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenShape {
    /// Without the signature segment and its dot.
    TwoSegments,
    /// With this many additional segments.
    ExtraSegments(usize),
    /// With a dot at the end.
    TrailingDot,
    /// With `=` padding in every segment.
    Padded,
    /// With a line break in the middle of the claims segment.
    LineBreak,
    /// With a space at the end.
    TrailingSpace,
    /// In JWS JSON serialization, as a string.
    JsonSerialization,
    /// Any string.
    Raw(String),
}
