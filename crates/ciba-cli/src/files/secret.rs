//! Client secrets.

use std::path::Path;

use ciba_core::ClientSecret;

use super::read::read_secret;
use crate::exit::Stop;

/// Reads a file with a client secret.
pub(crate) fn secret_file(path: &Path, option: &str) -> Result<ClientSecret, Stop> {
    let text = String::from_utf8(read_secret(path, option)?).map_err(|_| {
        Stop::usage(format!("the client secret file {} is not UTF-8", path.display()))
    })?;
    secret(&text)
}

/// A final line break is not part of the secret.
pub(crate) fn secret(text: &str) -> Result<ClientSecret, Stop> {
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(Stop::usage("the client secret is empty"));
    }
    Ok(ClientSecret::new(secret))
}
