//! The header fields of `--header`.

use ciba_core::{Discovery, Issuer, metadata::DiscoveryAddress};

use crate::{exit::Stop, pair::pair_of};

/// Parses and checks the header fields of `--header`.
pub(super) fn headers(pairs: &[String]) -> Result<Vec<(String, String)>, Stop> {
    let nowhere = Issuer::parse("https://nowhere.invalid")
        .map_err(|_| Stop::bug("an issuer cannot be read"))?;
    let nowhere = Discovery::new(nowhere, DiscoveryAddress::OpenId);
    let mut headers = Vec::new();
    for pair in pairs {
        let (name, value) = pair_of("--header", pair)?;
        nowhere.clone().header(name, value).map_err(|error| Stop::usage(error.to_string()))?;
        headers.push((name.to_owned(), value.to_owned()));
    }
    Ok(headers)
}
