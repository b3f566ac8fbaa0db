//! The provider's metadata.

use ciba_core::{Discovery, ProviderMetadata};
use ciba_std::{DiscoverError, Terms};

use crate::HttpClient;

/// Fetches a provider's metadata and checks that it is this issuer's.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used.
pub fn discover(
    http: &HttpClient,
    discovery: &Discovery,
) -> Result<ProviderMetadata, DiscoverError> {
    let (line, request) = (http.lines.anonymous(), discovery.request());
    let response = line.attempt(&request, &Terms::from(discovery));
    let response = response.map_err(|(how, source)| DiscoverError::Unreachable { how, source })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
