//! HTTP messages as small types without dependencies, because the core is `no_std`.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::fmt;

use zeroize::Zeroizing;

use crate::{
    secret::{Body, make_room},
    url::Url,
};

/// The method of a [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, for metadata and key sets.
    Get,
    /// POST, for forms.
    Post,
}

impl Method {
    /// Returns the name of the method, as in an HTTP request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// HTTP header fields in order. Names are compared case-insensitively.
///
/// Values may be credentials, so they are wiped on drop, and `Debug` shows only the names.
// REQ-SEC-04
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// All names and values in one buffer: a response has a dozen fields, and every poll gets one.
    text: Zeroizing<String>,
    fields: Vec<Field>,
}

/// Where the name and the value of a field end. The name begins where the previous field ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Field {
    name_end: usize,
    value_end: usize,
}

impl Headers {
    /// Creates an empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        make_room(&mut self.text, name.len().saturating_add(value.len()));
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.fields.push(Field { name_end, value_end: self.text.len() });
    }

    /// Returns the first value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns all values of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Returns all fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.fields.iter().map(move |field| {
            let begin = core::mem::replace(&mut start, field.value_end);
            let part = |range| self.text.get(range).unwrap_or_default();
            (part(begin..field.name_end), part(field.name_end..field.value_end))
        })
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        fields.into_iter().for_each(|(name, value)| headers.push(name, value));
        headers
    }
}

/// A complete HTTP request for the adapter to send: method, URL, header fields and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL to send it to.
    pub url: Url,
    /// The header fields. The adapter adds only the fields that HTTP itself requires.
    pub headers: Headers,
    /// The body, which is empty for GET.
    pub body: Body,
}

impl Request {
    /// Creates a GET request that accepts JSON.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::get_accepting(url, "application/json")
    }

    /// Creates a GET request with the given `Accept` value.
    #[must_use]
    pub fn get_accepting(url: Url, accept: &str) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: [("accept", accept)].into_iter().collect(),
            body: Body::default(),
        }
    }

    /// Creates a POST request with a form that accepts JSON ([CIBA Core 7.1]).
    ///
    /// [CIBA Core 7.1]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1
    // REQ-AREQ-01, REQ-AREQ-02
    #[must_use]
    pub fn post_form(url: Url, form: Body) -> Self {
        let headers =
            [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")];
        Self { method: Method::Post, url, headers: headers.into_iter().collect(), body: form }
    }
}

/// An HTTP response with any status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
    /// The complete body. An adapter that receives more than the limit of the exchange sets
    /// [`Self::truncated`].
    pub body: Body,
    /// Whether the body exceeded the limit and was cut off.
    pub truncated: bool,
}

impl Response {
    /// Creates a response whose body was read completely.
    #[must_use]
    pub fn new(status: u16, headers: Headers, body: impl Into<Body>) -> Self {
        Self { status, headers, body: body.into(), truncated: false }
    }

    /// Creates a response with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Body>) -> Self {
        Self::new(status, [("content-type", "application/json")].into_iter().collect(), body)
    }

    /// Returns the media type in lower case, without parameters, or `None` if there is no
    /// `Content-Type` field.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        // Parameters such as `charset` do not matter: JSON is UTF-8.
        let value = self.headers.get("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().to_string())
    }

    /// Whether the body is compressed or otherwise encoded (RFC 9110 section 8.4). Requests never
    /// ask for an encoding.
    pub(crate) fn is_encoded(&self) -> bool {
        // A field may occur several times, and each may list several codings (RFC 9110 section
        // 5.3).
        let codings = self.headers.all("content-encoding").flat_map(|value| value.split(','));
        codings
            .map(str::trim)
            .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
    }
}
