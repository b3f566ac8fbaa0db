//! The issuer identifier (OIDC Discovery 3, RFC 8414 2).

use alloc::{string::String, sync::Arc};
use core::fmt;

use crate::url::{LoopbackHttp, Url, UrlError};

/// An issuer: an https URL without query and fragment, kept and compared byte for byte (REQ-DISC-04, REQ-DISC-05).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer(Arc<str>);

impl Issuer {
    /// Checks the form; the text itself is kept as it is, a trailing slash included.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when it is not an https URL, or has a query or fragment.
    pub fn parse(text: impl Into<String>) -> Result<Self, UrlError> {
        Self::parse_with(text, LoopbackHttp::Refused)
    }

    /// As [`Self::parse`], and takes `http` to a loopback address when told so; for tests.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_with(text: impl Into<String>, loopback: LoopbackHttp) -> Result<Self, UrlError> {
        let text = text.into();
        let url = Url::parse_with(&text, loopback)?;
        if url.query().is_some() {
            return Err(UrlError::Query);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
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
