//! `ciba op`: the test provider behind a loopback socket, with a client that is ready to use.

mod registration;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use ciba_core::{SoftwareKey, jose::JwsAlgorithm, providers::idura};
use ciba_test_op::{Client, Endpoint, Provider, ProviderConfig, RunningServer, Server, SystemClock};
use serde_json::json;

use crate::{
    args::{Op, Personality},
    client::private_key,
    exit::Stop,
    key,
    output::{put, put_error, quoted},
    signals::Signals,
    state_file::{private_file, reason},
};

pub(crate) async fn run(options: Op) -> Result<u8, Stop> {
    if !options.listen.ip().is_loopback() {
        return Err(Stop::usage("--listen takes a loopback address only: the test provider protects nothing"));
    }
    let registered = options.clients.as_deref().map(registration::read).transpose()?.unwrap_or_default();
    let folder = ClientFolder::open(options.client_dir.clone())?;
    let algorithm = match options.personality {
        Personality::Generic => JwsAlgorithm::Es256,
        // The only algorithm Idura documents.
        Personality::Idura => JwsAlgorithm::Rs256,
    };
    let key = folder.key(algorithm)?;
    let client_id = match options.personality {
        Personality::Generic => "test-client",
        Personality::Idura => "urn:my:application:identifier:4711",
    };
    let mut signals = Signals::new().map_err(|_| Stop::bug("signals cannot be listened to"))?;

    let mut clients = vec![Client::with_key(client_id, key::public_jwk(&key)?)];
    clients.extend(registered);
    let server = start(&options, clients)?;
    let issuer = server.issuer();
    folder.describe(&issuer, client_id, &key, server.ca_pem())?;
    let phone = server.provider().endpoint_url(Endpoint::Phone);
    put_error(&format!("A test provider is running; it protects nothing. The person's phone is at\n  {phone}"));
    put_error(&format!("Authenticate somebody there with\n  {}", folder.command(&options, &issuer, client_id)));
    if options.personality == Personality::Generic {
        put_error(
            "--login-hint says what the person does: approve, approve-after:2, deny, never, or manual (tap on the phone page).",
        );
    }
    put_error("Ctrl-C ends it and tells what the clients did wrong.");
    put(&format!("READY {issuer}"));

    signals.next().await;
    let report = server.provider().report();
    put_error(&format!("\n{report}"));
    server.stop();
    Ok(0)
}

fn start(options: &Op, clients: Vec<Client>) -> Result<RunningServer, Stop> {
    let clock = Arc::new(SystemClock);
    let mut wrong = None;
    let provider = |issuer: &str| {
        let base = match options.personality {
            Personality::Generic => ProviderConfig::generic(issuer),
            Personality::Idura => ProviderConfig::idura(issuer).interval(3),
        };
        let config = clients.into_iter().fold(base.clone(), ProviderConfig::client);
        Provider::new(config).unwrap_or_else(|error| {
            wrong = Some(error.to_string());
            Provider::new(base).expect("a provider without clients can always be built")
        })
    };
    let server = if options.tls {
        Server::start_tls(options.listen, clock, provider)
    } else {
        Server::start(options.listen, clock, provider)
    };
    let server = server.map_err(|error| {
        Stop::usage(format!("the provider cannot listen at {}: {}", options.listen, reason(&error)))
    })?;
    match wrong {
        Some(wrong) => Err(Stop::usage(format!("the clients cannot be registered: {wrong}"))),
        None => Ok(server),
    }
}

/// The folder with the ready client: the one of `--client-dir`, or one that goes away at the end.
struct ClientFolder {
    path: PathBuf,
    temporary: bool,
}

impl ClientFolder {
    fn open(chosen: Option<PathBuf>) -> Result<Self, Stop> {
        let (path, temporary) = match chosen {
            Some(path) => (std::path::absolute(&path).unwrap_or(path), false),
            None => {
                let random = getrandom::u64().map_err(|_| Stop::bug("the operating system gives no random bytes"))?;
                (std::env::temp_dir().join(format!("ciba-op-{random:016x}")), true)
            }
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(!temporary);
        #[cfg(unix)]
        if temporary {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        }
        builder.create(&path).map_err(|error| {
            Stop::usage(format!("the folder {} cannot be made: {}", path.display(), reason(&error)))
        })?;
        Ok(Self { path, temporary })
    }

    /// The client's private key: the one that is there from an earlier run, or a new one.
    fn key(&self, algorithm: JwsAlgorithm) -> Result<SoftwareKey, Stop> {
        let path = self.path.join("key.jwk");
        if !path.exists() {
            let jwk = key::new_jwk(algorithm)?;
            let written = private_file(&path).and_then(|mut file| writeln!(file, "{}", jwk.expose()));
            written.map_err(|error| unwritable(&path, &error))?;
        }
        let key = private_key(&path, None)?;
        if key.algorithm() != algorithm {
            return Err(Stop::usage(format!(
                "the key file {} is for {} and this provider wants {algorithm}: remove it, or use another --client-dir",
                path.display(),
                key.algorithm()
            )));
        }
        Ok(key)
    }

    /// What a client needs to know, in the members of a registration.
    fn describe(&self, issuer: &str, client_id: &str, key: &SoftwareKey, ca: Option<&str>) -> Result<(), Stop> {
        let mut client = json!({
            "issuer": issuer,
            "client_id": client_id,
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": key.algorithm().name(),
            "id_token_signed_response_alg": "RS256",
            "backchannel_token_delivery_mode": "poll",
            "grant_types": ["urn:openid:params:grant-type:ciba"],
            "jwks": { "keys": [key::public_jwk(key)?] },
            "key_file": self.path.join("key.jwk"),
        });
        let certificate = self.path.join("ca.pem");
        match ca {
            Some(pem) => {
                client["ca_file"] = json!(certificate);
                fs::write(&certificate, pem).map_err(|error| unwritable(&certificate, &error))?;
            }
            // One of an earlier run over TLS would only mislead.
            None => drop(fs::remove_file(&certificate)),
        }
        let path = self.path.join("client.json");
        fs::write(&path, format!("{client:#}\n")).map_err(|error| unwritable(&path, &error))
    }

    /// The command line that uses the client.
    fn command(&self, options: &Op, issuer: &str, client_id: &str) -> String {
        let mut words = vec!["ciba".to_owned(), "authenticate".into(), "--issuer".into(), issuer.into()];
        let mut add = |text: &[&str]| words.extend(text.iter().map(|text| quoted(text)));
        if options.tls {
            add(&["--ca-cert", &self.path.join("ca.pem").display().to_string()]);
        } else {
            add(&["--allow-http-loopback"]);
        }
        add(&["--client-id", client_id, "--key", &self.path.join("key.jwk").display().to_string()]);
        match options.personality {
            Personality::Generic => add(&["--login-hint", "approve", "--binding-message", "W4SCT"]),
            Personality::Idura => {
                add(&["--provider", "idura", "--acr-values", idura::SWEDISH_BANKID]);
                add(&["--login-hint", "sub:ssn:196802020575", "--binding-message", "Example Bank support, case 4711"]);
            }
        }
        words.join(" ")
    }
}

impl Drop for ClientFolder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Stop {
    Stop::usage(format!("{} cannot be written: {}", path.display(), reason(error)))
}
