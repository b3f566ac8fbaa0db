//! The provider's metadata.

use ciba_core::{Discovery, DiscoveryAddress, Issuer, ProviderMetadata};

use crate::{DiscoverError, HttpClient, http::unanswered};

/// Fetches a provider's metadata and checks that it is this issuer's.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used then.
pub async fn discover(
    http: &HttpClient,
    issuer: Issuer,
    address: DiscoveryAddress,
) -> Result<ProviderMetadata, DiscoverError> {
    let discovery = Discovery::new(issuer, address);
    let request = discovery.request();
    let exchange = http.anonymous().attempt(&request, discovery.timeout(), discovery.max_response());
    let response = exchange
        .await
        .map_err(|error| DiscoverError::Unreachable { how: unanswered(&error), source: error.without_url().into() })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
