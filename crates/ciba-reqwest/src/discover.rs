//! The provider's metadata.

use ciba_core::{Discovery, Issuer, ProviderMetadata, metadata::DiscoveryAddress};

use crate::{
    HttpClient,
    cause::unanswered,
    http::{Connection, DiscoverError},
};

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
    discover_with(http, &Discovery::new(issuer, address)).await
}

/// Fetches a provider's metadata as [`discover`] does, with what was set on the [`Discovery`]:
/// header fields, for example.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used then.
pub async fn discover_with(
    http: &HttpClient,
    discovery: &Discovery,
) -> Result<ProviderMetadata, DiscoverError> {
    let request = discovery.request();
    let exchange = http.anonymous().attempt(
        &request,
        Connection::Kept,
        None,
        discovery.timeout(),
        discovery.max_response(),
    );
    let response = exchange.await.map_err(|error| DiscoverError::Unreachable {
        how: unanswered(&error),
        source: error.without_url().into(),
    })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
