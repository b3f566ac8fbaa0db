//! The ready client: its registration, the directory that describes it, and the command line that
//! uses it.

use std::{
    fs, io,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use ciba_core::{
    ClientSecret, DeliveryMode, Profile, SoftwareKey, config::AuthMethod, jose::JwsAlgorithm,
    json::JsonObject, providers::idura,
};
use ciba_test_op::{Client, ClientAuthentication, ClientCertificate, Personality, RunningServer};
use serde_json::json;
use tokio::net::TcpSocket;

use crate::{
    args::{FAPI_CIBA, Op, needs_certificate, needs_secret},
    exit::Stop,
    files::{private_file, private_key, secret_file},
    key,
    wording::{quoted, reason},
};

/// The path of the notification endpoint, the same as the default of `ciba authenticate`.
const PATH: &str = "/ciba/notify";
/// The user code in the command line that is printed.
const USER_CODE: &str = "1234";

/// The ready client of one run.
pub(super) struct Ready {
    id: &'static str,
    personality: Personality,
    profile: Profile,
    pub(super) tls: bool,
    auth: AuthMethod,
    delivery: DeliveryMode,
    /// Where it listens for notifications.
    listen: Option<Port>,
    signs: Option<JwsAlgorithm>,
    user_codes: bool,
    key: Option<SoftwareKey>,
    secret: Option<ClientSecret>,
    /// Created before the provider starts. The authority of the provider issues all other
    /// certificates.
    self_signed: Option<ClientCertificate>,
    folder: ClientFolder,
}

impl Ready {
    /// Chooses defaults and creates the keys. `tls` says whether other clients need TLS.
    pub(super) fn new(options: &Op, tls: bool) -> Result<Self, Stop> {
        let fapi = options.profile == FAPI_CIBA;
        let signs = options.signed_request.or(fapi.then_some(JwsAlgorithm::Es256));
        if signs.is_some_and(JwsAlgorithm::is_symmetric) {
            return Err(Stop::usage(
                "--signed-request takes no MAC: requests are signed with a private key",
            ));
        }
        let delivery = options.delivery;
        let is_usual = delivery == DeliveryMode::Poll
            && options.client_auth == AuthMethod::PrivateKeyJwt
            && signs.is_none()
            && !options.user_codes
            && !fapi;
        if options.personality == Personality::Idura && !is_usual {
            return Err(Stop::usage(
                "--personality idura goes with polling and private_key_jwt only: Idura offers nothing else",
            ));
        }
        if fapi && delivery == DeliveryMode::Push {
            return Err(Stop::usage("--profile fapi-ciba takes no push: FAPI-CIBA 5.2.2 item 3"));
        }
        if fapi && options.client_auth == AuthMethod::None {
            return Err(Stop::usage(
                "--profile fapi-ciba takes no public client: FAPI-CIBA 5.2.2 item 1",
            ));
        }
        if fapi && needs_secret(options.client_auth) {
            return Err(Stop::usage(
                "--profile fapi-ciba takes no client secret: FAPI1A 5.2.2 item 14",
            ));
        }
        let (id, algorithm) = match options.personality {
            // The only algorithm that Idura documents.
            Personality::Idura => ("urn:my:application:identifier:4711", JwsAlgorithm::Rs256),
            _ => ("test-client", signs.unwrap_or(JwsAlgorithm::Es256)),
        };
        let folder = ClientFolder::open(options.client_dir.clone())?;
        let needs_key = options.client_auth == AuthMethod::PrivateKeyJwt || signs.is_some();
        let self_signed = options.client_auth == AuthMethod::SelfSignedTlsClientAuth;
        let made = self_signed
            .then(|| ClientCertificate::self_signed(id))
            .transpose()
            .map_err(|_| no_certificate())?;
        Ok(Self {
            id,
            personality: options.personality,
            profile: options.profile,
            tls: tls || fapi || needs_certificate(options.client_auth),
            auth: options.client_auth,
            delivery,
            listen: (delivery != DeliveryMode::Poll).then(Port::find).transpose()?,
            signs,
            user_codes: options.user_codes,
            key: needs_key.then(|| folder.key(algorithm)).transpose()?,
            secret: needs_secret(options.client_auth).then(|| folder.secret()).transpose()?,
            self_signed: made,
            folder,
        })
    }

    /// Its registration.
    pub(super) fn client(&self) -> Result<Client, Stop> {
        let public = self.key.as_ref().map(key::public_jwk).transpose()?;
        let secret =
            || self.secret.clone().ok_or_else(|| Stop::bug("the ready client has no secret"));
        let authentication = match self.auth {
            AuthMethod::ClientSecretBasic => {
                ClientAuthentication::ClientSecretBasic { secret: secret()?, raw: false }
            }
            AuthMethod::ClientSecretPost => {
                ClientAuthentication::ClientSecretPost { secret: secret()? }
            }
            AuthMethod::ClientSecretJwt => ClientAuthentication::ClientSecretJwt {
                secret: secret()?,
                algorithm: JwsAlgorithm::Hs256,
            },
            AuthMethod::PrivateKeyJwt => ClientAuthentication::PrivateKeyJwt {
                keys: public.clone().into_iter().collect(),
                algorithms: Vec::new(),
            },
            AuthMethod::None => ClientAuthentication::None,
            AuthMethod::TlsClientAuth => {
                ClientAuthentication::TlsClientAuth { subject: self.subject() }
            }
            AuthMethod::SelfSignedTlsClientAuth => ClientAuthentication::SelfSignedTlsClientAuth {
                certificates: self.self_signed.iter().map(|made| made.der.clone()).collect(),
            },
        };
        let mut client = Client::new(self.id, authentication);
        client.keys = public.into_iter().collect();
        client.request_signing_alg = self.signs;
        client.user_code = self.user_codes;
        client.delivery = self.delivery;
        client.notification_endpoint = self.notification_endpoint();
        if self.profile == FAPI_CIBA {
            client.id_token_alg = JwsAlgorithm::Es256;
            client.certificate_bound = true;
        }
        Ok(client)
    }

    fn subject(&self) -> String {
        format!("CN={}", self.id)
    }

    fn notification_endpoint(&self) -> Option<String> {
        let scheme = if self.tls { "https" } else { "http" };
        self.listen.as_ref().map(|port| format!("{scheme}://{}{PATH}", port.address))
    }

    /// Whether it uses a client certificate.
    fn is_certified(&self) -> bool {
        needs_certificate(self.auth) || self.profile == FAPI_CIBA
    }

    /// Writes `client.json`, in the members of a registration, and the files that it names. The names
    /// are relative, so that the directory can be moved.
    pub(super) fn describe(&self, server: &RunningServer) -> Result<(), Stop> {
        let folder = &self.folder;
        let public = self.key.as_ref().map(key::public_jwk).transpose()?;
        let certificate = match &self.self_signed {
            Some(made) => Some(made.clone()),
            None if self.is_certified() => {
                Some(server.client_certificate(self.id).map_err(|_| no_certificate())?)
            }
            None => None,
        };
        let endpoint = match &self.listen {
            Some(_) if self.tls => {
                Some(server.endpoint_certificate().map_err(|_| no_certificate())?)
            }
            _ => None,
        };
        let mut client = json!({
            "software_id": SOFTWARE,
            "issuer": server.issuer(),
            "client_id": self.id,
            "token_endpoint_auth_method": self.auth.name(),
            "id_token_signed_response_alg": self.id_token_alg().name(),
            "backchannel_token_delivery_mode": self.delivery.name(),
        });
        let mut set = |member: &str, value: serde_json::Value| client[member] = value;
        let grants: &[&str] = match self.delivery {
            DeliveryMode::Push => &["refresh_token"],
            _ => &["urn:openid:params:grant-type:ciba", "refresh_token"],
        };
        set("grant_types", json!(grants));
        if let (AuthMethod::PrivateKeyJwt, Some(key)) = (self.auth, &self.key) {
            set("token_endpoint_auth_signing_alg", json!(key.algorithm().name()));
        }
        if let Some(algorithm) = self.signs {
            set("backchannel_authentication_request_signing_alg", json!(algorithm.name()));
        }
        if let Some(endpoint) = self.notification_endpoint() {
            set("backchannel_client_notification_endpoint", json!(endpoint));
        }
        if self.user_codes {
            set("backchannel_user_code_parameter", json!(true));
        }
        if self.personality == Personality::Idura {
            set("provider", json!("idura"));
        }
        if self.auth == AuthMethod::TlsClientAuth {
            set("tls_client_auth_subject_dn", json!(self.subject()));
        }
        if self.profile == FAPI_CIBA {
            set("tls_client_certificate_bound_access_tokens", json!(true));
            set("profile", json!(self.profile.name()));
        }
        if let Some(public) = public {
            set("jwks", json!({ "keys": [public] }));
            set("key_file", json!(KEY));
        }
        if self.secret.is_some() {
            set("client_secret_file", json!(SECRET));
        }
        for (member, name, content) in [
            ("ca_file", CA, server.ca_pem()),
            ("cert_file", CERTIFICATE, certificate.as_ref().map(|made| &*made.certificate_pem)),
            ("cert_key_file", CERTIFICATE_KEY, certificate.as_ref().map(|made| &*made.key_pem)),
            ("listen_cert_file", ENDPOINT, endpoint.as_ref().map(|made| &*made.certificate_pem)),
            ("listen_key_file", ENDPOINT_KEY, endpoint.as_ref().map(|made| &*made.key_pem)),
        ] {
            // A file of an earlier run would be out of date.
            folder.replace(name, content)?;
            if content.is_some() {
                set(member, json!(name));
            }
        }
        let path = folder.file(CLIENT);
        fs::write(&path, format!("{client:#}\n")).map_err(|error| unwritable(&path, &error))
    }

    fn id_token_alg(&self) -> JwsAlgorithm {
        if self.profile == FAPI_CIBA { JwsAlgorithm::Es256 } else { JwsAlgorithm::Rs256 }
    }

    /// The command line that uses the client.
    pub(super) fn command(&self, issuer: &str) -> String {
        let file = |name: &str| self.folder.file(name).display().to_string();
        let mut words =
            vec!["ciba".to_owned(), "authenticate".into(), "--issuer".into(), issuer.into()];
        let mut add = |text: &[&str]| words.extend(text.iter().map(|text| quoted(text)));
        if self.tls {
            add(&["--ca-cert", &file(CA)]);
        } else {
            add(&["--allow-http-loopback"]);
        }
        add(&["--client-id", self.id]);
        if self.auth != AuthMethod::PrivateKeyJwt {
            add(&["--client-auth", self.auth.name()]);
        }
        if self.key.is_some() {
            add(&["--key", &file(KEY)]);
        }
        if self.secret.is_some() {
            add(&["--client-secret-file", &file(SECRET)]);
        }
        if let Some(algorithm) = self.signs {
            add(&["--signed-request", algorithm.name()]);
        }
        if self.is_certified() {
            add(&["--cert", &file(CERTIFICATE), "--cert-key", &file(CERTIFICATE_KEY)]);
        }
        if self.profile == FAPI_CIBA {
            add(&["--profile", self.profile.name()]);
        }
        // Without it, the command would warn about a client that signs with another algorithm.
        if self.profile == FAPI_CIBA || self.key.is_some() {
            add(&["--id-token-alg", self.id_token_alg().name()]);
        }
        if let Some(Port { address, .. }) = &self.listen {
            add(&[
                "--delivery",
                self.delivery.name(),
                "--listen",
                &address.to_string(),
                "--notification-path",
                PATH,
            ]);
            if self.tls {
                add(&["--listen-cert", &file(ENDPOINT), "--listen-key", &file(ENDPOINT_KEY)]);
            }
        }
        match self.personality {
            Personality::Idura => {
                add(&["--provider", "idura", "--acr-values", idura::SWEDISH_BANKID]);
                add(&[
                    "--login-hint",
                    "sub:ssn:196802020575",
                    "--binding-message",
                    "Example Bank support, case 4711",
                ]);
            }
            _ if self.user_codes => {
                add(&["--login-hint", &format!("user-code:{USER_CODE}"), "--user-code", USER_CODE]);
                add(&["--binding-message", "W4SCT"]);
            }
            _ => add(&["--login-hint", "approve", "--binding-message", "W4SCT"]),
        }
        words.join(" ")
    }
}

/// A port for the client's notification endpoint, free until the client listens there.
struct Port {
    address: SocketAddr,
    /// Bound and not listening, it keeps the port out of the pool of free ports. On Linux a listener
    /// that asks for this port can still bind it; elsewhere it might not, so nothing is held there.
    _held: Option<TcpSocket>,
}

impl Port {
    fn find() -> Result<Self, Stop> {
        let bound = TcpSocket::new_v4().and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            Ok((socket.local_addr()?, socket))
        });
        let (address, socket) = bound.map_err(|error| {
            Stop::usage(format!("no port is free for a notification endpoint: {}", reason(&error)))
        })?;
        Ok(Self { address, _held: cfg!(target_os = "linux").then_some(socket) })
    }
}

fn no_certificate() -> Stop {
    Stop::bug("a certificate could not be made")
}

/// The `software_id` of a client that this command has written. Only such a client is replaced.
const SOFTWARE: &str = "ciba op";
const CLIENT: &str = "client.json";
const KEY: &str = "key.jwk";
const SECRET: &str = "secret";
const CA: &str = "ca.pem";
const CERTIFICATE: &str = "cert.pem";
const CERTIFICATE_KEY: &str = "cert-key.pem";
const ENDPOINT: &str = "listen.pem";
const ENDPOINT_KEY: &str = "listen-key.pem";

/// The directory of the ready client: that of `--client-dir`, or a temporary one.
struct ClientFolder {
    path: PathBuf,
    temporary: bool,
}

impl ClientFolder {
    fn open(chosen: Option<PathBuf>) -> Result<Self, Stop> {
        let (path, temporary) = match chosen {
            Some(path) => (std::path::absolute(&path).unwrap_or(path), false),
            None => {
                let random = getrandom::u64()
                    .map_err(|_| Stop::bug("the operating system gives no random bytes"))?;
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
            Stop::usage(format!(
                "the directory {} cannot be created: {}",
                path.display(),
                reason(&error)
            ))
        })?;
        let folder = Self { path, temporary };
        folder.is_replaceable()?;
        Ok(folder)
    }

    /// Refuses a directory with a client that is not one of an earlier run, whose files would be
    /// replaced.
    fn is_replaceable(&self) -> Result<(), Stop> {
        let path = self.file(CLIENT);
        let names = [CLIENT, CA, CERTIFICATE, CERTIFICATE_KEY, ENDPOINT, ENDPOINT_KEY];
        let Some(first) = names.into_iter().find(|name| self.file(name).exists()) else {
            return Ok(());
        };
        let written = fs::read_to_string(&path).ok();
        let members = written.and_then(|text| JsonObject::from_json(&text).ok());
        let software: Option<String> =
            members.and_then(|members| members.get("software_id").ok().flatten());
        match software.as_deref() {
            Some(SOFTWARE) => Ok(()),
            _ => Err(Stop::usage(format!(
                "the file {} was not written by `ciba op` and would be replaced: move it, or use another --client-dir",
                self.file(first).display()
            ))),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The client's private key: that of an earlier run, or a new one.
    fn key(&self, algorithm: JwsAlgorithm) -> Result<SoftwareKey, Stop> {
        let path = self.file(KEY);
        if !path.exists() {
            let jwk = key::new_jwk(algorithm)?;
            let written =
                private_file(&path).and_then(|mut file| writeln!(file, "{}", jwk.expose()));
            written.map_err(|error| unwritable(&path, &error))?;
        }
        let key = private_key(&path, "--client-dir", None)?;
        if key.algorithm() != algorithm {
            return Err(Stop::usage(format!(
                "the key file {} is for {} and this provider wants {algorithm}: remove it, or use another --client-dir",
                path.display(),
                key.algorithm()
            )));
        }
        Ok(key)
    }

    /// The client's secret: that of an earlier run, or a new one of 256 random bits.
    fn secret(&self) -> Result<ClientSecret, Stop> {
        let path = self.file(SECRET);
        if !path.exists() {
            let mut random = [0_u8; 32];
            getrandom::fill(&mut random)
                .map_err(|_| Stop::bug("the operating system gives no random bytes"))?;
            let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            let written = private_file(&path).and_then(|mut file| writeln!(file, "{text}"));
            written.map_err(|error| unwritable(&path, &error))?;
        }
        secret_file(&path, "--client-dir")
    }

    /// Replaces the file of an earlier run; without content, removes it.
    fn replace(&self, name: &str, content: Option<&str>) -> Result<(), Stop> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(unwritable(&path, &error));
            }
            _ => {}
        }
        let Some(content) = content else { return Ok(()) };
        let written = private_file(&path).and_then(|mut file| file.write_all(content.as_bytes()));
        written.map_err(|error| unwritable(&path, &error))
    }
}

impl Drop for ClientFolder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Stop {
    Stop::usage(format!("{} cannot be written: {}", path.display(), reason(error)))
}
