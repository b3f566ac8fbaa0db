//! The provider's metadata.

use ciba_core::{Discovery, Issuer, ProviderMetadata, metadata::DiscoveryAddress};
use ciba_std::{DiscoverError, Terms};

use crate::HttpClient;

/// Fetches a provider's metadata and checks that it is this issuer's.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used.
pub fn discover(
    http: &HttpClient,
    issuer: Issuer,
    address: DiscoveryAddress,
) -> Result<ProviderMetadata, DiscoverError> {
    discover_with(http, &Discovery::new(issuer, address))
}

/// Fetches a provider's metadata as [`discover`] does, with the settings of the [`Discovery`], for
/// example header fields.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used.
pub fn discover_with(
    http: &HttpClient,
    discovery: &Discovery,
) -> Result<ProviderMetadata, DiscoverError> {
    let (line, request) = (http.lines.anonymous(), discovery.request());
    let response = line.attempt(&request, &Terms::from(discovery));
    let response = response.map_err(|(how, source)| DiscoverError::Unreachable { how, source })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
