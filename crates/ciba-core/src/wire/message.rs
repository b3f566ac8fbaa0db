//! HTTP messages as small types of our own, because core is `no_std`.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use zeroize::Zeroize as _;

use crate::{secret::Body, url::Url};

/// The method of a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, for metadata and key sets.
    Get,
    /// POST of a form.
    Post,
}

impl Method {
    /// The name as it stands in an HTTP request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// Header fields in their order. Names are compared without case. `Debug` shows the names only;
/// values may be credentials and are wiped on drop (REQ-SEC-04).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field behind those that are there.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every value of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A request for the adapter to send, whole: method, address, header fields and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to send it.
    pub url: Url,
    /// Header fields; the adapter adds only what HTTP itself needs.
    pub headers: Headers,
    /// The body; empty for GET.
    pub body: Body,
}

impl Request {
    /// A GET that accepts JSON.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::get_accepting(url, "application/json")
    }

    /// A GET that accepts these media types.
    #[must_use]
    pub fn get_accepting(url: Url, accept: &str) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: [("accept", accept)].into_iter().collect(),
            body: Body::default(),
        }
    }

    /// A POST of a form that accepts JSON (CIBA 7.1, REQ-AREQ-01, REQ-AREQ-02).
    #[must_use]
    pub fn post_form(url: Url, form: Body) -> Self {
        let headers =
            [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")];
        Self { method: Method::Post, url, headers: headers.into_iter().collect(), body: form }
    }
}

/// An answer: any status is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// All header fields.
    pub headers: Headers,
    /// The body, complete. An adapter that meets more than the exchange's limit sets
    /// [`Self::truncated`].
    pub body: Body,
    /// Whether the body was longer than the limit and was cut.
    pub truncated: bool,
}

impl Response {
    /// An answer whose body was read to its end.
    #[must_use]
    pub fn new(status: u16, headers: Headers, body: impl Into<Body>) -> Self {
        Self { status, headers, body: body.into(), truncated: false }
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Body>) -> Self {
        Self::new(status, [("content-type", "application/json")].into_iter().collect(), body)
    }

    /// The media type without parameters, in lower case; `None` without a `Content-Type` field.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().to_string())
    }

    /// Whether the body is compressed or otherwise encoded (RFC 9110 section 8.4). Nothing of that
    /// kind is asked for.
    pub(crate) fn is_encoded(&self) -> bool {
        let codings = self.headers.all("content-encoding").flat_map(|value| value.split(','));
        codings
            .map(str::trim)
            .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
    }
}
