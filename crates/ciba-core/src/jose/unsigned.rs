//! A JWS that is still to be signed, and the JSON inside it.

use alloc::{string::String, sync::Arc};
use core::fmt::{self, Write as _};

use crate::jose::{JwsAlgorithm, base64url};

/// A signed thing without its signature. No `Debug`: hints, user codes and tokens stand in it in
/// clear (REQ-SIGN-20).
pub(crate) struct UnsignedJwt {
    /// `header.payload`, both encoded.
    pub(crate) signing_input: String,
    pub(crate) algorithm: JwsAlgorithm,
    pub(crate) key_id: Option<Arc<str>>,
}

impl UnsignedJwt {
    pub(crate) fn new(
        typ: Option<&str>,
        claims: JsonWriter,
        algorithm: JwsAlgorithm,
        key_id: Option<Arc<str>>,
    ) -> Self {
        let mut header = JsonWriter::new();
        header.text("alg", algorithm.name());
        if let Some(key_id) = key_id.as_deref() {
            header.text("kid", key_id);
        }
        if let Some(typ) = typ {
            header.text("typ", typ);
        }
        let mut input = String::with_capacity(512);
        base64url::encode_onto(header.finish(), &mut input);
        input.push('.');
        base64url::encode_onto(claims.finish(), &mut input);
        Self { signing_input: input, algorithm, key_id }
    }
}

/// The compact JWS of a signing input and the signature over it.
pub(crate) fn complete(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    base64url::encode_onto(signature, &mut signing_input);
    signing_input
}

/// A JSON object, written in one go: an assertion is made for every request, so it should cost next
/// to nothing.
pub(crate) struct JsonWriter(String);

impl JsonWriter {
    pub(crate) fn new() -> Self {
        let mut text = String::with_capacity(256);
        text.push('{');
        Self(text)
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        self.write(format_args!("{value}"));
    }

    /// A member whose value is JSON text already.
    pub(crate) fn json(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.string(name);
        self.0.push(':');
    }

    fn string(&mut self, value: &str) {
        self.0.push('"');
        for c in value.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\0'..='\u{1f}' => self.write(format_args!("\\u{:04x}", u32::from(c))),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    #[cfg_attr(not(test), expect(clippy::expect_used, reason = "the invariant is stated"))]
    fn write(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes whatever is written to it");
    }
}
