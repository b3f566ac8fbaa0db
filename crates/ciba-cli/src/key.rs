//! `ciba key`: private keys, and their public parts to register at a provider.

use std::{fs, io::Write as _, path::PathBuf};

use ciba_core::{SoftwareKey, jose::JwsAlgorithm, keys::PrivateJwk};
use serde_json::{Value, json};

use crate::{
    args::Key,
    backend::backend,
    entropy::entropy,
    exit::Stop,
    files::{private_file, private_key},
    stdio::try_put,
    wording::reason,
};

pub(crate) fn run(command: Key) -> Result<u8, Stop> {
    match command {
        Key::New { alg, out } => new(alg, out),
        Key::Public { files, alg } => public(&files, alg),
    }
}

fn new(algorithm: JwsAlgorithm, out: Option<PathBuf>) -> Result<u8, Stop> {
    let jwk = new_jwk(algorithm)?;
    let jwk = jwk.expose();
    let Some(path) = out else {
        return shown(jwk);
    };
    let shown = path.display();
    let mut file = private_file(&path).map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::AlreadyExists {
            "it is there already, and a key is never overwritten".to_owned()
        } else {
            reason(&error)
        };
        Stop::usage(format!("the key file {shown} cannot be written: {why}"))
    })?;
    let written = file
        .write_all(jwk.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(&path);
        Stop::usage(format!("the key file {shown} cannot be written: {}", reason(&error)))
    })?;
    Ok(0)
}

/// Generates a private key as a JWK with `kid` and `alg`.
pub(crate) fn new_jwk(algorithm: JwsAlgorithm) -> Result<PrivateJwk, Stop> {
    let made = SoftwareKey::generate(algorithm, entropy()?, &backend());
    made.map(|(_, jwk)| jwk).map_err(|_| Stop::bug("the key could not be made"))
}

fn public(files: &[PathBuf], algorithm: Option<JwsAlgorithm>) -> Result<u8, Stop> {
    let mut keys: Vec<Value> = Vec::new();
    for path in files {
        let key = private_key(path, "`key public`", algorithm)?;
        keys.push(public_jwk(&key)?);
    }
    let set = serde_json::to_string_pretty(&json!({ "keys": keys }))
        .map_err(|error| Stop::bug(error.to_string()))?;
    shown(&set)
}

/// Writes a key to standard output. A key that could not be written is an error.
fn shown(text: &str) -> Result<u8, Stop> {
    try_put(text).map(|()| 0).map_err(|error| Stop::untold(&error))
}

pub(crate) fn public_jwk(key: &SoftwareKey) -> Result<Value, Stop> {
    serde_json::from_str(&key.public_jwk())
        .map_err(|_| Stop::bug("a public key came out as no JSON"))
}
