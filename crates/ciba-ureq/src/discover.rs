//! The provider's metadata.

use ciba_core::{Discovery, Issuer, ProviderMetadata, metadata::DiscoveryAddress};

use crate::{
    HttpClient,
    http::{DiscoverError, Terms},
};

/// Fetches a provider's metadata and checks that it is this issuer's.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used then.
pub fn discover(
    http: &HttpClient,
    issuer: Issuer,
    address: DiscoveryAddress,
) -> Result<ProviderMetadata, DiscoverError> {
    discover_with(http, &Discovery::new(issuer, address))
}

/// Fetches a provider's metadata as [`discover`] does, with what was set on the [`Discovery`]:
/// header fields, for example.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used then.
pub fn discover_with(
    http: &HttpClient,
    discovery: &Discovery,
) -> Result<ProviderMetadata, DiscoverError> {
    let request = discovery.request();
    let terms = Terms {
        is_kept: true,
        timeout: discovery.timeout(),
        max_response: discovery.max_response(),
    };
    let exchange = http.anonymous().explained(&request, &terms);
    let response = exchange.map_err(|(how, source)| DiscoverError::Unreachable { how, source })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
