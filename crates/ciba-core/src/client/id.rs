//! The client id.

use alloc::sync::Arc;
use core::str::FromStr;

use super::config_error::ConfigError;

/// A client id: non-empty, with visible ASCII characters and spaces ([RFC 6749 appendix A.1]).
///
/// [RFC 6749 appendix A.1]: https://www.rfc-editor.org/rfc/rfc6749#appendix-A.1
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// Creates a client id as issued by the provider.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Invalid`] if it is empty or has other characters.
    pub fn new(id: impl AsRef<str>) -> Result<Self, ConfigError> {
        let id = id.as_ref();
        if id.is_empty() || !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(ConfigError::Invalid {
                member: "client_id",
                reason: "it is empty or not printable ASCII",
            });
        }
        Ok(Self(id.into()))
    }

    /// Returns the client id as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = ConfigError;

    fn from_str(id: &str) -> Result<Self, ConfigError> {
        Self::new(id)
    }
}
