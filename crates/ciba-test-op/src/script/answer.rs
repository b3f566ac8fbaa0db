//! Answers written by a test, and changes to the provider's own.

use serde_json::Value;

/// A complete HTTP answer written by a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedAnswer {
    /// Status code.
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

impl ScriptedAnswer {
    /// Creates an answer without header fields and body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Creates an answer with a body of a media type.
    #[must_use]
    pub fn raw(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), media_type.into())],
            body: body.into(),
        }
    }

    /// Creates a JSON answer. The body may be invalid JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::raw(status, "application/json", body)
    }

    /// Creates an OAuth error response with this `error` code.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::json(status, serde_json::json!({ "error": code }).to_string())
    }

    /// Creates an HTML page, as proxies send it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<!DOCTYPE html><html><body><h1>{status}</h1><p>The proxy is sorry.</p></body></html>"
        );
        Self::raw(status, "text/html; charset=utf-8", page)
    }

    /// Creates a redirect to `location`.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Changes to the provider's own answer, applied in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Amendment {
    /// Members of the JSON object to set. Existing ones keep their position.
    pub set: Vec<(String, Value)>,
    /// Text to append to string members, for example a slash to `issuer`.
    pub append_to: Vec<(String, String)>,
    /// Members to remove.
    pub remove: Vec<String>,
    /// Raw text to insert after the opening brace, for duplicate members and for numbers that no
    /// serializer writes: `"expires_in":1e3,`.
    pub raw_members: Option<String>,
    /// Bytes to append to the body.
    pub append: Vec<u8>,
    /// The length to truncate the body to.
    pub truncate: Option<usize>,
    /// Replaces the status code.
    pub status: Option<u16>,
    /// Replaces the media type. An empty string removes the header field.
    pub media_type: Option<String>,
    /// Header fields to add.
    pub headers: Vec<(String, String)>,
}

impl Amendment {
    /// Creates an amendment that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member of the JSON object.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set.push((name.to_owned(), value.into()));
        self
    }

    /// Appends text to a string member.
    #[must_use]
    pub fn append_to(mut self, name: &str, text: &str) -> Self {
        self.append_to.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Removes a member.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        self.remove.push(name.to_owned());
        self
    }

    /// Inserts raw text after the opening brace.
    #[must_use]
    pub fn raw_members(mut self, text: &str) -> Self {
        self.raw_members = Some(text.to_owned());
        self
    }

    /// Appends bytes to the body.
    #[must_use]
    pub fn append(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.append = bytes.into();
        self
    }

    /// Truncates the body. The answer is complete on the wire: its length is the shorter one.
    #[must_use]
    pub fn truncate(mut self, length: usize) -> Self {
        self.truncate = Some(length);
        self
    }

    /// Replaces the status code.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Replaces the media type. An empty string removes the header field.
    #[must_use]
    pub fn media_type(mut self, media_type: &str) -> Self {
        self.media_type = Some(media_type.to_owned());
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
