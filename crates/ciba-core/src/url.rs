//! A strict URL: what two parsers could read differently is refused.

use alloc::string::String;
use core::fmt;

/// Whether `http` to a loopback address is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LoopbackHttp {
    /// Never (the default).
    #[default]
    Refused,
    /// For tests on one's own machine: `127.0.0.0/8`, `[::1]` and `localhost`.
    DangerouslyAllowed,
}

/// An absolute URL: https (or loopback http behind a switch), a plain ASCII host or IP literal, no user info, no fragment,
/// no dot segments, no backslash, no percent-encoded host (REQ-DISC-16, REQ-SEC-02).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
}

/// Why a text is not accepted as a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UrlError {
    /// Not https, nor allowed loopback http.
    Scheme,
    /// The host is missing, is not plain ASCII, or is not a valid name or address.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// There is user information.
    UserInfo,
    /// There is a fragment.
    Fragment,
    /// There is a query where none may be.
    Query,
    /// A character that has no place in a URL, a backslash, or a malformed percent-encoding.
    Character,
    /// A `.` or `..` segment, plain or encoded.
    DotSegment,
    /// Longer than 8 KiB.
    TooLong,
}

impl Url {
    /// Reads an https URL.
    ///
    /// # Errors
    ///
    /// [`UrlError`] names the first rule that is broken.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Self::parse_with(text, LoopbackHttp::Refused)
    }

    /// Reads an https URL, or an http URL to a loopback address when that is allowed.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_with(text: &str, loopback: LoopbackHttp) -> Result<Self, UrlError> {
        let _ = (text, loopback);
        todo!()
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        todo!()
    }

    /// Host without port; brackets of an IPv6 literal included.
    #[must_use]
    pub fn host(&self) -> &str {
        todo!()
    }

    /// The port, the scheme's default when none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        todo!()
    }

    /// The path, beginning with a slash; `/` when none is written.
    #[must_use]
    pub fn path(&self) -> &str {
        todo!()
    }

    /// The query without its question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        todo!()
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.text)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL is not https",
            Self::Host => "the URL has no valid host",
            Self::Port => "the URL has no valid port",
            Self::UserInfo => "the URL has user information",
            Self::Fragment => "the URL has a fragment",
            Self::Query => "the URL has a query",
            Self::Character => "the URL has a character that must not be there",
            Self::DotSegment => "the URL has a dot segment",
            Self::TooLong => "the URL is too long",
        })
    }
}

impl core::error::Error for UrlError {}
