//! The provider's metadata.

use ciba_core::{Discovery, ProviderMetadata};
use ciba_std::{DiscoverError, Terms};

use crate::{HttpClient, cause::unanswered};

/// Fetches a provider's metadata and checks that it is this issuer's.
///
/// # Errors
///
/// [`DiscoverError`]; nothing of the document is used.
pub async fn discover(
    http: &HttpClient,
    discovery: &Discovery,
) -> Result<ProviderMetadata, DiscoverError> {
    let (line, request) = (http.lines.anonymous(), discovery.request());
    let response = line.attempt(&request, None, &Terms::from(discovery)).await;
    let response = response.map_err(|error| DiscoverError::Unreachable {
        how: unanswered(&error),
        source: error.without_url().into(),
    })?;
    discovery.process(&response).map_err(DiscoverError::Metadata)
}
