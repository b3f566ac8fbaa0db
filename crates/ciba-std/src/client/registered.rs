//! A client from its registration, in JSON or a file.

use std::path::Path;

use ciba_core::{
    ClientSecret, SoftwareKey,
    config::{ConfigErrors, Registration},
    crypto,
    keys::KeyFileError,
    providers,
};

use super::{ClientBuilder, Connect, ConnectError, Setup};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

impl<A: Connect> ClientBuilder<A> {
    /// Begins a client from the JSON of a [`Registration`](ciba_core::config::Registration) with
    /// the member `issuer`. Further members are optional: `key_file`, `client_secret_file`,
    /// `ca_file` (as [`Self::only_authorities`]), `cert_file` and `cert_key_file` are paths
    /// relative to the current directory, and `provider` is the name of a preset.
    pub fn from_json(json: &str) -> Self {
        read(json, Path::new(""))
    }

    /// Begins a client from a file with the JSON of [`Self::from_json`], such as the `client.json`
    /// that `ciba op --client-dir` writes. Paths in it are relative to the directory of the file.
    pub fn from_file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        match file(path) {
            Ok(json) => {
                let json = String::from_utf8_lossy(&json);
                read(&json, path.parent().unwrap_or(Path::new("")))
            }
            Err(error) => Self::of(Err(error)),
        }
    }
}

/// Reads a file.
fn file(path: &Path) -> Result<Vec<u8>, ConnectError> {
    let read = std::fs::metadata(path).and_then(|about| match about.len() > LONGEST {
        true => Err(std::io::Error::other("it is longer than 1 MiB")),
        false => std::fs::read(path),
    });
    read.map_err(|source| ConnectError::File { path: path.into(), source })
}

/// Reads a registration and the files it names, relative to a directory.
fn read<A: Connect>(json: &str, directory: &Path) -> ClientBuilder<A> {
    begin(json, directory).unwrap_or_else(|error| ClientBuilder::of(Err(error)))
}

fn begin<A: Connect>(json: &str, directory: &Path) -> Result<ClientBuilder<A>, ConnectError> {
    let registration = Registration::from_json(json).map_err(ConfigErrors::from)?;
    let named = |member: &str| {
        registration.text(member).map(|path| file(&directory.join(path))).transpose()
    };
    let issuer = registration.issuer().unwrap_or_default();
    let id = registration.client_id().as_str().to_owned();
    let mut builder = ClientBuilder::of(Ok(Setup::new(issuer, id)));
    if let Some(key) = named("key_file")? {
        let importer = crypto::default_importer().ok_or(KeyFileError::NoCryptography)?;
        let algorithm = registration.signing_algorithm();
        builder = builder.private_key(SoftwareKey::import_file(&key, algorithm, importer)?);
    }
    if let Some(secret) = named("client_secret_file")? {
        // The line break at the end of the file is not part of the secret.
        let secret = String::from_utf8_lossy(&secret);
        let secret = ClientSecret::new(secret.trim_end_matches(['\r', '\n']));
        builder = builder.client_secret(secret);
    }
    if let Some(pem) = named("ca_file")? {
        builder = builder.only_authorities(pem);
    }
    #[cfg(feature = "rustls")]
    if let (Some(chain), Some(key)) = (named("cert_file")?, named("cert_key_file")?) {
        let certificate = crate::ClientCertificate::from_pem(&chain, &key);
        builder = builder.certificate(certificate.map_err(ConnectError::http)?);
    }
    let preset = registration.text("provider");
    builder = match preset.as_deref().map(|name| (name, providers::named(name))) {
        None => builder,
        Some((_, Some(preset))) => builder.preset(preset),
        Some((_, None)) => {
            let error = ciba_core::config::ConfigError::Invalid {
                member: "provider",
                reason: "there is no preset of that name",
            };
            return Err(ConfigErrors::from(error).into());
        }
    };
    Ok(builder.set(|setup| setup.registration = Some(registration)))
}
