//! A JWS that has not been signed yet, and a writer for the JSON in it.

use alloc::{string::String, sync::Arc};
use core::fmt::{self, Write as _};

use crate::jose::{JwsAlgorithm, base64url};

/// The signing input of a JWT, without the signature. It does not implement `Debug`, because it
/// contains hints, user codes and tokens in clear text.
// REQ-SIGN-20
pub(crate) struct UnsignedJwt {
    /// `header.payload`, both base64url-encoded.
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
        // Enough for an assertion, so that it is allocated once.
        let mut input = String::with_capacity(512);
        base64url::encode_onto(header.finish(), &mut input);
        input.push('.');
        base64url::encode_onto(claims.finish(), &mut input);
        Self { signing_input: input, algorithm, key_id }
    }

    /// As [`Self::new`], with a header that is encoded already, for a key without an id.
    pub(crate) fn with_header(header: &str, claims: JsonWriter, algorithm: JwsAlgorithm) -> Self {
        let mut input = String::with_capacity(1024);
        input.push_str(header);
        input.push('.');
        base64url::encode_onto(claims.finish(), &mut input);
        Self { signing_input: input, algorithm, key_id: None }
    }
}

/// Joins a signing input and its signature to a compact JWS.
pub(crate) fn complete(mut signing_input: String, signature: &[u8]) -> String {
    // Appended to what was signed, which is not encoded again.
    signing_input.push('.');
    base64url::encode_onto(signature, &mut signing_input);
    signing_input
}

/// Writes a JSON object into one string, without an intermediate value: a client assertion is made
/// for every request, so writing it must be cheap.
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

    /// Writes a member whose value is already JSON.
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
        // Looks at every byte rather than stop at the first, so that the compiler can take many at
        // a time.
        if value.bytes().fold(false, |any, byte| any | needs_escape(byte)) {
            value.chars().for_each(|c| self.escaped(c));
        } else {
            self.0.push_str(value);
        }
        self.0.push('"');
    }

    fn escaped(&mut self, c: char) {
        match c {
            '"' => self.0.push_str("\\\""),
            '\\' => self.0.push_str("\\\\"),
            '\0'..='\u{1f}' => self.write(format_args!("\\u{:04x}", u32::from(c))),
            c => self.0.push(c),
        }
    }

    #[cfg_attr(not(test), expect(clippy::expect_used, reason = "the invariant is stated"))]
    fn write(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string never fails");
    }
}

/// The characters that JSON escapes are all ASCII, and no byte of another character looks like one.
const fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}
