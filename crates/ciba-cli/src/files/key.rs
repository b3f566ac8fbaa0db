//! Private keys.

use std::path::Path;

use ciba_core::{SoftwareKey, jose::JwsAlgorithm, keys::KeyFileError};

use super::read::secret;
use crate::{backend::backend, exit::Stop};

/// Reads a private key: a JWK when it looks like one, else PEM.
pub(crate) fn private_key(
    path: &Path,
    option: &str,
    algorithm: Option<JwsAlgorithm>,
) -> Result<SoftwareKey, Stop> {
    let shown = path.display();
    SoftwareKey::import_file(&secret(path, option)?, algorithm, &backend()).map_err(|error| {
        Stop::usage(format!("the key file {shown} cannot be used: {}", why(error)))
    })
}

/// What keeps a key file from being used.
pub(super) fn why(error: KeyFileError) -> String {
    match error {
        KeyFileError::Rejected(why) => why.to_string(),
        other => other.to_string(),
    }
}
