//! How the client proves who it is, and the keys it signs with.

use ciba_core::{ClientAuth, ClientSecret, SoftwareKey, config::AuthMethod, jose::JwsAlgorithm};

use crate::{
    args::Client,
    exit::Stop,
    files::{private_key, secret, secret_file},
};

/// The environment variable that holds the client secret if no file does.
const SECRET_VARIABLE: &str = "CIBA_CLIENT_SECRET";

/// The method, and its key if it needs one.
pub(super) fn client_auth(options: &Client) -> Result<(ClientAuth, Option<SoftwareKey>), Stop> {
    let has_secret =
        options.client_secret_file.is_some() || std::env::var_os(SECRET_VARIABLE).is_some();
    let method = match (options.client_auth, &options.key) {
        (Some(method), _) => method,
        (None, Some(_)) => AuthMethod::PrivateKeyJwt,
        (None, None) if has_secret => AuthMethod::ClientSecretBasic,
        (None, None) if options.cert.is_some() => {
            return Err(Stop::usage(
                "--client-auth is missing: for --cert it is tls_client_auth, or self_signed_tls_client_auth",
            ));
        }
        (None, None) => {
            return Err(Stop::usage(format!(
                "nothing proves who the client is: give --key FILE, --client-secret-file FILE, {SECRET_VARIABLE}, or --client-auth none"
            )));
        }
    };
    let algorithm = options.alg;
    Ok(match method {
        AuthMethod::PrivateKeyJwt => {
            let path = options
                .key
                .as_deref()
                .ok_or_else(|| Stop::usage("private_key_jwt needs --key FILE"))?;
            let key = named(options, private_key(path, "--key", algorithm)?);
            let key_id = Some(key.key_id().into());
            (ClientAuth::PrivateKeyJwt { algorithm: key.algorithm(), key_id }, Some(key))
        }
        AuthMethod::ClientSecretJwt => {
            let algorithm = algorithm.unwrap_or(JwsAlgorithm::Hs256);
            (ClientAuth::ClientSecretJwt { secret: client_secret(options)?, algorithm }, None)
        }
        AuthMethod::ClientSecretBasic => {
            let encoding = options.basic.unwrap_or_default();
            (ClientAuth::ClientSecretBasic { secret: client_secret(options)?, encoding }, None)
        }
        AuthMethod::ClientSecretPost => {
            (ClientAuth::ClientSecretPost { secret: client_secret(options)? }, None)
        }
        AuthMethod::TlsClientAuth => (ClientAuth::TlsClientAuth, None),
        AuthMethod::SelfSignedTlsClientAuth => (ClientAuth::SelfSignedTlsClientAuth, None),
        AuthMethod::None => (ClientAuth::None, None),
    })
}

/// The key of signed requests: that of `--key`, which may also sign assertions.
pub(super) fn request_key(options: &Client, algorithm: JwsAlgorithm) -> Result<SoftwareKey, Stop> {
    let path =
        options.key.as_deref().ok_or_else(|| Stop::usage("--signed-request needs --key FILE"))?;
    if algorithm.is_symmetric() {
        return Err(Stop::usage(
            "--signed-request takes no MAC: requests are signed with a private key",
        ));
    }
    private_key(path, "--key", Some(algorithm)).map(|key| named(options, key))
}

/// The key under the id it is registered under.
fn named(options: &Client, key: SoftwareKey) -> SoftwareKey {
    match options.key_id.as_deref() {
        Some(key_id) => key.with_key_id(key_id),
        None => key,
    }
}

/// The secret, from its file or the environment.
fn client_secret(options: &Client) -> Result<ClientSecret, Stop> {
    match &options.client_secret_file {
        Some(path) => secret_file(path, "--client-secret-file"),
        None => match std::env::var(SECRET_VARIABLE) {
            Ok(text) => secret(&text),
            Err(std::env::VarError::NotPresent) => Err(Stop::usage(format!(
                "the client secret is missing: give --client-secret-file FILE or set {SECRET_VARIABLE}"
            ))),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Stop::usage(format!("{SECRET_VARIABLE} is not UTF-8")))
            }
        },
    }
}
