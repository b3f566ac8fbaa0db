//! The first hour of a user: the examples of the front page and common mistakes, with both
//! adapters. `cargo xtask consumers` runs the code of the pages itself.
#![allow(missing_docs)]

use std::{
    error::Error as _,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use ciba_core::{
    AuthRequest, Event, Flow, Person, SoftwareKey, Timestamp,
    config::{ConfigError, Lacking},
    http::Url,
    jose::JwsAlgorithm,
    providers::idura,
};
use ciba_reqwest::{AuthenticateError, ConnectError, DriveError, Origin, http::DiscoverError};
use ciba_std::{ClientBuilder, Connect, FileSaver, FileSaverError};
use ciba_test_op::{
    Behaviour, Client, Provider, ProviderConfig, RunningServer, Server, TestKey, User, VirtualClock,
};

const ID: &str = "my-client";
const PERSON: &str = "196802020575";

/// A provider over TLS with one client, and a virtual clock.
struct Place {
    server: RunningServer,
    clock: VirtualClock,
    pem: &'static str,
}

impl Place {
    fn generic() -> Self {
        Self::new(TestKey::ClientP256, |issuer| {
            ProviderConfig::generic(issuer)
                .user(User::new("+46700000000", Behaviour::Approve(Some(1))))
        })
    }

    fn idura() -> Self {
        Self::new(TestKey::ClientRsa, |issuer| ProviderConfig::idura(issuer))
    }

    fn new(key: TestKey, config: impl FnOnce(&str) -> ProviderConfig) -> Self {
        let pem = key.private_pem();
        let registered = SoftwareKey::from_pem(pem).unwrap().public_jwk();
        let client = Client::with_key(ID, serde_json::from_str(&registered).unwrap());
        let clock = VirtualClock::jumping(Timestamp::from_unix_secs(1_893_456_000));
        let provider = |issuer: &str| Provider::new(config(issuer).client(client)).unwrap();
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let server = Server::start_tls(address, clock.clone(), provider).unwrap();
        Self { server, clock, pem }
    }

    fn domain(&self) -> String {
        self.server.issuer().trim_start_matches("https://").to_owned()
    }

    /// The options that a test adds to the code of the front page.
    fn with<A: Connect>(&self, builder: ClientBuilder<A>) -> ClientBuilder<A> {
        builder.only_authorities(self.server.ca_pem().unwrap()).clock(self.clock.clone())
    }

    fn key(&self) -> SoftwareKey {
        SoftwareKey::from_pem(self.pem).unwrap()
    }

    fn is_clean(&self) {
        let report = self.server.provider().report();
        assert!(report.is_clean(), "{report}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn asynchronously(
    builder: ClientBuilder<ciba_reqwest::Reqwest>,
) -> Result<ciba_reqwest::Client, ConnectError> {
    runtime().block_on(builder.connect())
}

#[test]
fn the_first_example_authenticates_in_three_statements() {
    let place = Place::generic();
    let request = || AuthRequest::login("+46700000000").binding_message("W4SCT");
    runtime().block_on(async {
        let builder = ciba_reqwest::Client::builder(place.server.issuer(), ID);
        let client = place.with(builder).private_key(place.key()).connect().await.unwrap();
        let authentication = client.authenticate(request()).await.unwrap();
        assert!(!authentication.subject().unwrap().is_empty());
    });
    let builder = ciba_ureq::Client::builder(place.server.issuer(), ID);
    let client = place.with(builder).private_key(place.key()).connect().unwrap();
    let authentication = client.authenticate(request()).unwrap();
    assert!(!authentication.subject().unwrap().is_empty());
    place.is_clean();
}

#[test]
fn the_idura_client_applies_its_preset_and_accepts_typed_requests() {
    let place = Place::idura();
    let request = || {
        idura::SwedishBankId::phone_authentication(
            PERSON.parse().unwrap(),
            idura::CallInitiator::Company,
            "Example Bank support, case 4711",
        )
    };
    // A rule of the preset: Swedish BankID requires a binding message, however the request was
    // built.
    let silent = || {
        AuthRequest::login(format!("sub:ssn:{PERSON}").as_str()).acr_values([idura::SWEDISH_BANKID])
    };
    runtime().block_on(async {
        let builder = ciba_reqwest::Client::idura(&place.domain(), ID);
        let client = place.with(builder).private_key(place.key()).connect().await.unwrap();
        let authentication = client.authenticate(request()).await.unwrap();
        assert!(matches!(authentication.person(), Person::Compared(_)));
        let refused = client.authenticate(silent()).await.unwrap_err();
        assert!(matches!(refused, AuthenticateError::Request(_)), "{refused:?}");
    });
    let builder = ciba_ureq::Client::idura(&place.domain(), ID);
    let client = place.with(builder).private_key(place.key()).connect().unwrap();
    let authentication = client.authenticate(request()).unwrap();
    assert!(matches!(authentication.person(), Person::Compared(_)));
    let refused = client.authenticate(silent()).unwrap_err();
    assert!(matches!(refused, AuthenticateError::Request(_)), "{refused:?}");
    place.is_clean();
}

#[test]
fn a_watcher_sees_the_flow_without_naming_its_type() {
    let place = Place::generic();
    let builder = place.with(ciba_ureq::Client::builder(place.server.issuer(), ID));
    let client = builder.private_key(place.key()).watch(|_| unreachable!()).connect().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let watching = client.watching(move |event| sees.lock().unwrap().push(event.clone()));
    watching.authenticate(AuthRequest::login("+46700000000")).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().any(|event| matches!(event, Event::Acknowledgement(_))), "{seen:?}");

    let mut counted = 0;
    let request = AuthRequest::login("+46700000000");
    let mut count = ciba_ureq::on_event(|_| counted += 1);
    client.driver().authenticate(request, &mut count).unwrap();
    assert_eq!(counted, seen.len());
}

/// A mistake: what is wrong, where it originates, and the error.
type Case<A> = (&'static str, ClientBuilder<A>, Origin, fn(&ConnectError) -> bool);

fn cases<A: Connect>(place: &Place, other: &Place) -> Vec<Case<A>> {
    let issuer = place.server.issuer();
    let begin = |issuer: &str| place.with(ClientBuilder::<A>::new(issuer, ID));
    let known = || begin(&issuer).private_key(place.key());
    let nowhere = Url::parse(&format!("{issuer}/nowhere")).unwrap();
    let rsa = SoftwareKey::from_pem(other.pem).unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        format!("https://{}", listener.local_addr().unwrap())
    };
    vec![
        ("an issuer that is no URL", begin("op.example"), Origin::Configuration, |error| {
            matches!(error, ConnectError::Url(_))
        }),
        (
            "plain http that was not allowed",
            begin("http://127.0.0.1:1"),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Url(_)),
        ),
        (
            "no credential",
            begin(&issuer),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Config(found) if found.iter().any(|one| matches!(one, ConfigError::Missing { member: "token_endpoint_auth_method" }))),
        ),
        (
            "an algorithm that the provider does not take",
            begin(&issuer)
                .private_key(rsa.clone())
                .configure(|config| config.id_token_algorithm(JwsAlgorithm::Hs512)),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Config(_)),
        ),
        (
            "requests signed with another algorithm than the key's",
            known().configure(|config| config.signed_requests(JwsAlgorithm::EdDsa, None)),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Config(_)),
        ),
        (
            "a certificate that was not given",
            known().configure(|config| config.certificate_bound_tokens()),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Lacking(Lacking::Certificate)),
        ),
        (
            "authorities that are none",
            known().only_authorities("not PEM"),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Http(_)),
        ),
        (
            "the authority of another provider",
            known().only_authorities(other.server.ca_pem().unwrap()),
            Origin::Network,
            |error| matches!(error, ConnectError::Discover(DiscoverError::Unreachable { .. })),
        ),
        ("a provider that is not there", begin(&closed), Origin::Network, |error| {
            matches!(error, ConnectError::Discover(DiscoverError::Unreachable { .. }))
        }),
        ("no metadata", begin(&format!("{issuer}/nowhere")), Origin::Provider, |error| {
            matches!(error, ConnectError::Discover(DiscoverError::Metadata(_)))
        }),
        (
            "no keys",
            known().configure(move |config| config.jwks_uri(nowhere)),
            Origin::Provider,
            |error| matches!(error, ConnectError::Keys(_)),
        ),
        (
            "a file that is not there",
            ClientBuilder::from_file("/nowhere/client.json"),
            Origin::Configuration,
            |error| matches!(error, ConnectError::File { .. }),
        ),
        (
            "a file without a client",
            ClientBuilder::from_json("{}"),
            Origin::Configuration,
            |error| matches!(error, ConnectError::Config(_)),
        ),
    ]
}

#[test]
fn a_connect_error_tells_configuration_from_provider_and_network() {
    let (place, other) = (Place::generic(), Place::idura());
    for (name, builder, origin, is) in cases::<ciba_ureq::Ureq>(&place, &other) {
        let error = builder.connect().unwrap_err();
        assert!(is(&error) && error.origin() == origin, "{name}: {error:?}");
    }
    for (name, builder, origin, is) in cases::<ciba_reqwest::Reqwest>(&place, &other) {
        let error = asynchronously(builder).unwrap_err();
        assert!(is(&error) && error.origin() == origin, "{name}: {error:?}");
    }
}

#[test]
fn a_driver_refuses_a_flow_of_another_configuration() {
    let place = Place::generic();
    let clients = [(); 2].map(|()| {
        let builder = place.with(ciba_ureq::Client::builder(place.server.issuer(), ID));
        builder.private_key(place.key()).connect().unwrap()
    });
    let [one, two] = clients.each_ref().map(|client| client.driver());
    let flow = one.start(AuthRequest::login("+46700000000")).unwrap();
    let resumed = two.resume(flow.snapshot().as_bytes()).unwrap();
    let flow = ciba_ureq::SharedFlow::new(flow);
    assert!(matches!(two.drive(&flow, &mut ()), Err(DriveError::AnotherConfiguration)));
    let flow = ciba_ureq::SharedFlow::new(resumed);
    two.drive(&flow, &mut ()).unwrap();
    flow.finish().unwrap();

    let [one, two] = [(); 2].map(|()| {
        let builder = place.with(ciba_reqwest::Client::builder(place.server.issuer(), ID));
        asynchronously(builder.private_key(place.key())).unwrap()
    });
    let flow = one.driver().start(AuthRequest::login("+46700000000")).unwrap();
    let flow = ciba_reqwest::SharedFlow::new(flow);
    let driven = runtime().block_on(two.driver().drive(&flow, &mut ()));
    assert!(matches!(driven, Err(DriveError::AnotherConfiguration)));
    place.is_clean();
}

/// A directory that is removed on drop.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("ciba-first-hour-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_client_is_read_from_the_file_of_its_registration() {
    let place = Place::generic();
    let directory = Directory::new("registration");
    let write = |name: &str, text: &str| fs::write(directory.0.join(name), text).unwrap();
    write("key.pem", place.pem);
    write("ca.pem", place.server.ca_pem().unwrap());
    let mut client = serde_json::json!({
        "issuer": place.server.issuer(),
        "client_id": ID,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "RS256",
        "backchannel_token_delivery_mode": "poll",
        "jwks": { "keys": [serde_json::from_str::<serde_json::Value>(&place.key().public_jwk()).unwrap()] },
        "key_file": "key.pem",
        "dpop_key_file": "key.pem",
        "ca_file": directory.0.join("ca.pem"),
    });
    write("client.json", &client.to_string());
    let file = directory.0.join("client.json");
    let read = ciba_ureq::Client::from_file(&file).clock(place.clock.clone());
    let bound = read.connect().unwrap().authenticate(AuthRequest::login("+46700000000")).unwrap();
    assert_eq!(bound.token_type(), "DPoP");
    let read = ciba_reqwest::Client::from_file(&file).clock(place.clock.clone());
    let client_read = asynchronously(read).unwrap();
    runtime().block_on(client_read.authenticate(AuthRequest::login("+46700000000"))).unwrap();
    place.is_clean();

    // A client that is registered for a profile is held to its rules: this one breaks some.
    client["profile"] = "fapi-ciba".into();
    write("client.json", &client.to_string());
    let error = ciba_ureq::Client::from_file(&file).connect().unwrap_err();
    let ConnectError::Config(found) = &error else { panic!("{error:?}") };
    assert!(found.to_string().contains("FAPI"), "{error}");
    client.as_object_mut().unwrap().remove("profile");

    // A public key that does not belong to the private key is detected before anything is sent.
    let other = SoftwareKey::from_pem(TestKey::ClientRsa.private_pem()).unwrap().public_jwk();
    client["jwks"]["keys"][0] = serde_json::from_str(&other).unwrap();
    write("client.json", &client.to_string());
    let error = ciba_ureq::Client::from_file(&file).connect().unwrap_err();
    assert!(matches!(error, ConnectError::Config(_)), "{error:?}");
}

#[test]
fn an_unusable_member_of_a_registration_is_named() {
    let refused = |members: &str, expected: &str| {
        let json = format!(r#"{{"client_id":"a","token_endpoint_auth_method":"none"{members}}}"#);
        let error = ciba_ureq::Client::from_json(&json).connect().unwrap_err();
        let ConnectError::Config(found) = error else { panic!("{json}: {error:?}") };
        let named: Vec<_> = found.iter().map(ConfigError::member).collect();
        assert_eq!(named, [expected], "{json}");
    };
    for member in [
        "provider",
        "profile",
        "key_file",
        "dpop_key_file",
        "client_secret_file",
        "ca_file",
        "cert_file",
        "cert_key_file",
        "issuer",
        "token_endpoint_auth_signing_alg",
    ] {
        for value in ["7", "true", "{}", r#"["ca.pem"]"#] {
            let issuer = match member {
                "issuer" => "",
                _ => r#","issuer":"https://127.0.0.1:1""#,
            };
            refused(&format!(r#"{issuer},"{member}":{value}"#), member);
        }
    }
    let issuer = r#","issuer":"https://127.0.0.1:1""#;
    refused("", "issuer");
    // A misspelt option would not apply.
    refused(&format!(r#"{issuer},"require_auth_tme":true"#), "require_auth_tme");
    refused(&format!(r#"{issuer},"keyfile":"key.pem""#), "keyfile");
    refused(
        &format!(r#"{issuer},"id_token_encrypted_response_alg":"RSA-OAEP""#),
        "id_token_encrypted_response_alg",
    );
    let harmless = r#","client_name":"A","subject_type":"pairwise","x_mine":1,"ca_file":7"#;
    refused(&format!("{issuer}{harmless}"), "ca_file");
    refused(&format!(r#"{issuer},"cert_file":"a.pem""#), "cert_key_file");
    refused(&format!(r#"{issuer},"cert_key_file":"a.pem""#), "cert_file");
}

/// None of them is opened: a pipe would block, and a device has no end.
#[cfg(unix)]
#[test]
fn only_regular_files_of_at_most_a_mebibyte_are_read() {
    let directory = Directory::new("irregular");
    let pipe = directory.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = directory.0.join("long");
    fs::write(&long, vec![b' '; 1024 * 1024 + 1]).unwrap();
    let binary = directory.0.join("binary");
    fs::write(&binary, b"\xff").unwrap();
    let refused = |builder: ClientBuilder<ciba_ureq::Ureq>, expected: &Path, why: &str| {
        let ConnectError::File { path, source } = builder.connect().unwrap_err() else {
            panic!("{} was read", expected.display())
        };
        assert_eq!((path.as_path(), source.to_string().as_str()), (expected, why));
    };
    let irregular = "it is not a regular file";
    for (path, why) in [
        (pipe.as_path(), irregular),
        (Path::new("/dev/zero"), irregular),
        (&directory.0, irregular),
        (&long, "it is longer than 1 MiB"),
    ] {
        refused(ciba_ureq::Client::from_file(path), path, why);
        for member in ["key_file", "dpop_key_file", "client_secret_file", "ca_file"] {
            let client = serde_json::json!({
                "issuer": "https://127.0.0.1:1", "client_id": ID, member: path,
            });
            refused(ciba_ureq::Client::from_json(&client.to_string()), path, why);
        }
    }
    refused(ciba_ureq::Client::from_file(&binary), &binary, "it is not UTF-8");
    let client = serde_json::json!({
        "issuer": "https://127.0.0.1:1", "client_id": ID, "client_secret_file": binary,
    });
    refused(ciba_ureq::Client::from_json(&client.to_string()), &binary, "it is not UTF-8");
}

#[test]
fn a_client_saves_each_flow_before_a_person_is_asked() {
    /// A store to which nothing can be written.
    struct Full;

    impl ciba_ureq::Saver for Full {
        fn save(&self, _: &ciba_core::Snapshot) -> std::io::Result<()> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
    }

    let place = Place::generic();
    let builder = place.with(ciba_ureq::Client::builder(place.server.issuer(), ID));
    let client = builder.private_key(place.key()).saver(|| Ok(Box::new(Full))).connect().unwrap();
    let request = || AuthRequest::login("+46700000000");
    let error = client.authenticate(request()).unwrap_err();
    let is_unsaved = matches!(error, AuthenticateError::Drive(DriveError::Save(_)));
    assert!(is_unsaved, "{error:?}");
    // Another saver is for the flows of another client only.
    let directory = Directory::new("saving");
    let path = directory.0.join("flow.json");
    let saver = FileSaver::create(&path).unwrap();
    client.saving(move || Ok(Box::new(saver.clone()))).authenticate(request()).unwrap();
    // A saver that cannot be made ends it before anything is sent.
    let taken = path.clone();
    let client = client.saving(move || Ok(Box::new(FileSaver::create(&taken)?)));
    let error = client.authenticate(request()).unwrap_err();
    assert!(matches!(error, AuthenticateError::Saver(_)), "{error:?}");
    assert!(error.source().unwrap().is::<FileSaverError>(), "{error:?}");
    assert!(FileSaver::open(&path).is_ok());
    client.authenticate(request()).unwrap_err();
    place.is_clean();
}

#[test]
fn a_client_resumes_what_was_saved() {
    let place = Place::generic();
    let directory = Directory::new("resumes");
    let saved = |name: &str, flow: Flow| {
        let path = directory.0.join(name);
        FileSaver::create(&path).unwrap().save(&flow.snapshot()).unwrap();
        path
    };
    let builder = place.with(ciba_ureq::Client::builder(place.server.issuer(), ID));
    let client = builder.private_key(place.key()).connect().unwrap();
    let begun = || client.driver().start(AuthRequest::login("+46700000000")).unwrap();
    client.resume(begun().snapshot().as_bytes()).unwrap();
    let error = client.resume(b"{}").unwrap_err();
    assert!(matches!(error, AuthenticateError::Resume(_)), "{error:?}");
    let path = saved("ureq.json", begun());
    client.resume_file(FileSaver::open(&path).unwrap()).unwrap();
    // Resumed again, the old result would look like a new one.
    assert!(!path.exists());

    let builder = place.with(ciba_reqwest::Client::builder(place.server.issuer(), ID));
    let client = asynchronously(builder.private_key(place.key())).unwrap();
    let begun = || client.driver().start(AuthRequest::login("+46700000000")).unwrap();
    runtime().block_on(async {
        client.resume(begun().snapshot().as_bytes()).await.unwrap();
        let error = client.resume(b"{}").await.unwrap_err();
        assert!(matches!(error, AuthenticateError::Resume(_)), "{error:?}");
        let path = saved("reqwest.json", begun());
        client.resume_file(FileSaver::open(&path).unwrap()).await.unwrap();
        assert!(!path.exists());
    });
    place.is_clean();
}

/// The authority of the provider is none of the platform's.
#[test]
fn an_extra_authority_is_trusted_in_addition_to_those_of_the_platform() {
    let place = Place::generic();
    let pem = || place.server.ca_pem().unwrap();
    let builder = ciba_ureq::Client::builder(place.server.issuer(), ID).clock(place.clock.clone());
    builder.private_key(place.key()).extra_authorities(pem()).connect().unwrap();
    let builder =
        ciba_reqwest::Client::builder(place.server.issuer(), ID).clock(place.clock.clone());
    asynchronously(builder.private_key(place.key()).extra_authorities(pem())).unwrap();
    let builder = ciba_ureq::Client::builder(place.server.issuer(), ID).clock(place.clock.clone());
    let error = builder.private_key(place.key()).connect().unwrap_err();
    assert_eq!(error.origin(), Origin::Network, "{error:?}");
    place.is_clean();
}
