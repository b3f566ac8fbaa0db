//! The issuer identifier (OIDC Discovery 3, RFC 8414 section 2).

use alloc::{string::String, sync::Arc};
use core::{fmt, str::FromStr};

use crate::url::{LoopbackHttp, Url, UrlError};

/// An issuer identifier ([OIDC Discovery 3], [RFC 8414 section 2]): an https URL of at most 2 KiB
/// without query and fragment.
///
/// It is stored and compared byte for byte.
///
/// [OIDC Discovery 3]: https://openid.net/specs/openid-connect-discovery-1_0.html#rfc.section.3
/// [RFC 8414 section 2]: https://www.rfc-editor.org/rfc/rfc8414#section-2
// REQ-DISC-04, REQ-DISC-05
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer(Arc<str>);

/// The maximum length in bytes, which leaves room for the metadata URL derived from it.
const LONGEST: usize = 2048;

impl Issuer {
    /// Parses an issuer. The string is kept unchanged, including a trailing slash.
    ///
    /// # Errors
    ///
    /// Returns [`UrlError`] if it is not an https URL, is too long, or has a query or fragment.
    pub fn parse(text: impl Into<String>) -> Result<Self, UrlError> {
        Self::parse_with(text, LoopbackHttp::Refused)
    }

    /// Like [`Self::parse`], but can also accept `http` URLs of loopback addresses, for tests.
    ///
    /// # Errors
    ///
    /// Like [`Self::parse`].
    pub fn parse_with(text: impl Into<String>, loopback: LoopbackHttp) -> Result<Self, UrlError> {
        let text = text.into();
        if text.len() > LONGEST {
            return Err(UrlError::TooLong);
        }
        let url = Url::parse_with(&text, loopback)?;
        if url.query().is_some() {
            return Err(UrlError::Query);
        }
        Ok(Self(text.into()))
    }

    /// Returns the issuer as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a URL has the scheme, host and port of the issuer.
    pub(crate) fn is_origin_of(&self, url: &Url) -> bool {
        // Whether http is allowed was decided when the issuer was parsed.
        Url::parse_with(&self.0, LoopbackHttp::DangerouslyAllowed).is_ok_and(|own| {
            own.scheme() == url.scheme()
                && own.host().eq_ignore_ascii_case(url.host())
                && own.port() == url.port()
        })
    }

    pub(crate) fn loopback(&self) -> LoopbackHttp {
        if self.0.starts_with("http:") {
            LoopbackHttp::DangerouslyAllowed
        } else {
            LoopbackHttp::Refused
        }
    }

    /// Splits into the origin and the path, without one trailing slash.
    pub(crate) fn without_slash(&self) -> (&str, &str) {
        let authority = self.0.find("://").map_or(0, |at| at.saturating_add("://".len()));
        let path_start = self
            .0
            .get(authority..)
            .and_then(|rest| rest.find('/'))
            .map(|at| at.saturating_add(authority));
        let (origin, path) = self.0.split_at(path_start.unwrap_or(self.0.len()));
        // OIDC Discovery 4: a trailing slash is removed before the suffix is appended.
        (origin, path.strip_suffix('/').unwrap_or(path))
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl FromStr for Issuer {
    type Err = UrlError;

    /// Like [`Self::parse`].
    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.0)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-DISC-05
    #[test]
    fn an_issuer_is_an_https_url_without_query_and_fragment() {
        for text in [
            "https://op.example",
            "https://op.example/",
            "https://op.example:8443/realms/a",
            "https://op.example/a//",
        ] {
            assert_eq!(Issuer::parse(text).unwrap().as_str(), text);
        }
        for (text, error) in [
            ("http://op.example", UrlError::Scheme),
            ("https://op.example?x=1", UrlError::Query),
            ("https://op.example/?", UrlError::Query),
            ("https://op.example#f", UrlError::Fragment),
            ("op.example", UrlError::Scheme),
        ] {
            assert_eq!(Issuer::parse(text), Err(error));
        }
        assert_eq!(
            Issuer::parse(alloc::format!("https://op.example/{}", "a".repeat(3000))),
            Err(UrlError::TooLong)
        );
        assert!(
            Issuer::parse_with("http://127.0.0.1:9/op", LoopbackHttp::DangerouslyAllowed).is_ok()
        );
        assert!(Issuer::parse("http://127.0.0.1:9/op").is_err());
    }
}
