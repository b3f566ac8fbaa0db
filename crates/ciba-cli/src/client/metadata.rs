//! The metadata document of `--metadata`.

use std::path::Path;

use ciba_core::{
    Issuer, ProviderMetadata, http::LoopbackHttp, json::JsonObject, metadata::MetadataError,
};

use crate::{exit::Stop, files::read};

/// Reads a metadata document from a file. Without an issuer in the options the document's own is
/// used, because the file is trusted.
pub(crate) fn metadata_file(
    path: &Path,
    issuer: Option<&Issuer>,
    loopback: LoopbackHttp,
) -> Result<Result<ProviderMetadata, MetadataError>, Stop> {
    let shown = path.display();
    let document = read(path, "--metadata")?;
    let issuer = match issuer {
        Some(issuer) => issuer.clone(),
        None => {
            let document = JsonObject::from_json(&String::from_utf8_lossy(&document))
                .map_err(|_| Stop::usage(format!("the metadata file {shown} is not JSON")))?;
            let named: Option<String> = document.get("issuer").ok().flatten();
            let named = named
                .ok_or_else(|| Stop::usage(format!("the metadata file {shown} names no issuer")))?;
            Issuer::parse_with(&named, loopback).map_err(|error| {
                Stop::usage(format!(
                    "the issuer in the metadata file {shown} cannot be used: {error}"
                ))
            })?
        }
    };
    match ProviderMetadata::from_json(&issuer, &document) {
        Err(MetadataError::Unusable(found)) => {
            Err(Stop::usage(format!("the metadata file {shown} cannot be used: {}", found.fault)))
        }
        other => Ok(other),
    }
}
