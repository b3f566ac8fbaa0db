//! Finding a provider's metadata: where the document is and what of it may be believed (OIDC Discovery 4, RFC 8414 3).

use core::time::Duration;

use crate::{
    issuer::Issuer,
    wire::{
        Request, Response,
        metadata::{MetadataError, ProviderMetadata},
    },
};

/// One fetch of a metadata document. There is no fall-back from one address to the other by itself.
#[derive(Debug, Clone)]
pub struct Discovery {
    issuer: Issuer,
    address: DiscoveryAddress,
}

/// Where the document is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum DiscoveryAddress {
    /// `/.well-known/openid-configuration` behind the issuer (REQ-DISC-01).
    #[default]
    OpenId,
    /// `/.well-known/oauth-authorization-server` between host and path (REQ-DISC-02).
    OAuth,
}

impl Discovery {
    /// Prepares a fetch.
    #[must_use]
    pub const fn new(issuer: Issuer, address: DiscoveryAddress) -> Self {
        Self { issuer, address }
    }

    /// The request to send.
    #[must_use]
    pub fn request(&self) -> Request {
        let _ = (&self.issuer, self.address);
        todo!()
    }

    /// How long to wait for the answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The most bytes to read.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        crate::bounds::METADATA_BYTES
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`MetadataError`]; nothing of the document is used then.
    pub fn process(&self, response: &Response) -> Result<ProviderMetadata, MetadataError> {
        let _ = response;
        todo!()
    }
}
