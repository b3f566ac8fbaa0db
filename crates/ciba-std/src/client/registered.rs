//! A client from its registration, in JSON or a file.

use std::{io, path::Path};

use ciba_core::{
    ClientSecret, Profile, SoftwareKey,
    config::{ConfigError, ConfigErrors, Registration},
    crypto,
    keys::KeyFileError,
    providers,
};

use super::{ClientBuilder, Connect, ConnectError, Setup};
use crate::files;

/// The longest file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

impl<A: Connect> ClientBuilder<A> {
    /// Begins a client from the JSON of a [`Registration`](ciba_core::config::Registration) with
    /// the member `issuer`. Further members are optional: `key_file`, `dpop_key_file` (as
    /// [`Self::dpop_key`]), `client_secret_file`, `ca_file` (as [`Self::only_authorities`]),
    /// `cert_file` and `cert_key_file` are paths relative to the current directory, `provider` is
    /// the name of a preset, and `profile` that of a [`Profile`]. Registered client metadata without an effect here and members whose names begin
    /// with `x_` are ignored. Any other member is an error of [`Self::connect`], because it may be a
    /// misspelt option.
    ///
    /// The files are regular files of at most 1 MiB. A member whose value cannot be used is an
    /// error of [`Self::connect`].
    pub fn from_json(json: &str) -> Self {
        read(json, Path::new(""))
    }

    /// Begins a client from a file with the JSON of [`Self::from_json`], such as the `client.json`
    /// that `ciba op --client-dir` writes. Paths in it are relative to the directory of the file.
    pub fn from_file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        match text(path) {
            Ok(json) => read(&json, path.parent().unwrap_or(Path::new(""))),
            Err(error) => Self::of(Err(error)),
        }
    }
}

fn file(path: &Path) -> Result<Vec<u8>, ConnectError> {
    files::read(path, LONGEST).map_err(|source| ConnectError::File { path: path.into(), source })
}

fn text(path: &Path) -> Result<String, ConnectError> {
    String::from_utf8(file(path)?).map_err(|_| {
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        ConnectError::File { path: path.into(), source }
    })
}

/// Reads a registration and the files it names, relative to a directory.
fn read<A: Connect>(json: &str, directory: &Path) -> ClientBuilder<A> {
    begin(json, directory).unwrap_or_else(|error| ClientBuilder::of(Err(error)))
}

fn begin<A: Connect>(json: &str, directory: &Path) -> Result<ClientBuilder<A>, ConnectError> {
    let registration = Registration::from_json(json).map_err(ConfigErrors::from)?;
    registration.check_members()?;
    let get = |member: &'static str| registration.get::<String>(member).map_err(ConfigErrors::from);
    let named = |member: &'static str| get(member).map(|path| Some(directory.join(path?)));
    let missing = |member: &'static str| ConfigErrors::from(ConfigError::Missing { member });
    let issuer = registration.issuer().map_err(ConfigErrors::from)?;
    let issuer = issuer.ok_or_else(|| missing("issuer"))?;
    let id = registration.client_id().as_str().to_owned();
    let mut builder = ClientBuilder::of(Ok(Setup::new(issuer, id)));
    let algorithm = registration.signing_algorithm().map_err(ConfigErrors::from)?;
    if let Some(path) = named("key_file")? {
        let importer = crypto::default_importer().ok_or(KeyFileError::NoCryptography)?;
        let key = file(&path)?;
        builder = builder.private_key(SoftwareKey::import_file(&key, algorithm, importer)?);
    }
    if let Some(path) = named("dpop_key_file")? {
        let importer = crypto::default_importer().ok_or(KeyFileError::NoCryptography)?;
        let key = SoftwareKey::import_file(&file(&path)?, None, importer)?;
        builder = builder.dpop_key(key);
    }
    if let Some(path) = named("client_secret_file")? {
        // The line break at the end of the file is not part of the secret.
        let secret = ClientSecret::new(text(&path)?.trim_end_matches(['\r', '\n']));
        builder = builder.client_secret(secret);
    }
    if let Some(path) = named("ca_file")? {
        builder = builder.only_authorities(file(&path)?);
    }
    match (named("cert_file")?, named("cert_key_file")?) {
        (None, None) => {}
        (Some(_), None) => return Err(missing("cert_key_file").into()),
        (None, Some(_)) => return Err(missing("cert_file").into()),
        #[cfg(feature = "rustls")]
        (Some(chain), Some(key)) => {
            let key = file(&key)?;
            let certificate = crate::ClientCertificate::from_pem(&file(&chain)?, &key);
            builder = builder.certificate(certificate.map_err(ConnectError::http)?);
        }
        #[cfg(not(feature = "rustls"))]
        (Some(_), Some(_)) => {
            return Err(invalid("cert_file", "this build has no client certificates"));
        }
    }
    if let Some(name) = get("provider")? {
        let preset = providers::named(&name)
            .ok_or_else(|| invalid("provider", "there is no preset of that name"))?;
        builder = builder.preset(preset);
    }
    // Without it, a client that is registered for a profile would not be held to its rules.
    if let Some(name) = get("profile")? {
        let profile = Profile::from_name(&name)
            .ok_or_else(|| invalid("profile", "there is no profile of that name"))?;
        builder = builder.configure(move |config| config.profile(profile));
    }
    Ok(builder.set(|setup| setup.registration = Some(registration)))
}

fn invalid(member: &'static str, reason: &'static str) -> ConnectError {
    ConfigErrors::from(ConfigError::Invalid { member, reason }).into()
}
