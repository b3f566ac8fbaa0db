//! A provider that we did not write, through both adapters. `cargo xtask interop` starts it and runs these tests.
//!
//! Every case runs in a thread of its own, because each has to wait at least one real interval. ciba-reqwest checks and
//! signs with RustCrypto, ciba-ureq with aws-lc-rs.
use std::{env, fs, sync::Arc, thread, time::Duration};

use ciba_core::{
    AuthRequest, Authentication, BasicEncoding, ClientAuth, ClientConfig, ClientId, ClientSecret, DeliveryMode,
    DiscoveryAddress, Failure, Hint, Issuer, LoginHint, ProviderMetadata, SoftwareKey,
    crypto::{AwsLcRs, KeyImporter, RustCrypto, Verifier},
    jose::JwsAlgorithm,
};
use serde::Deserialize;

/// What `interop/config.mjs` says about a client it registered.
#[derive(Deserialize)]
struct Client {
    client_id: String,
    method: String,
    alg: Option<String>,
    id_token_alg: String,
    key: Option<serde_json::Value>,
    secret: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Adapter {
    Reqwest,
    Ureq,
}

#[derive(Clone, Copy, Debug)]
enum Ends {
    Verified,
    Denied,
    Expired,
    UnknownUser,
}

/// A driver of one client, with the key set cache that its flows share.
enum Driver {
    Reqwest(ciba_reqwest::Driver),
    Ureq(ciba_ureq::Driver),
}

struct Party {
    config: Arc<ClientConfig>,
    driver: Driver,
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_client_authentication_and_algorithm_ends_in_verified_claims() {
    let clients = clients();
    let cases = clients.iter().map(|client| (client, "approve", Ends::Verified));
    run(&cases.collect::<Vec<_>>());
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn every_answer_of_a_person_ends_the_flow_as_it_should() {
    let clients = clients();
    let client = named(&clients, "private-key-jwt-es256");
    run(&[
        (client, "approve-later", Ends::Verified),
        (client, "deny", Ends::Denied),
        (client, "never", Ends::Expired),
        (client, "nobody", Ends::UnknownUser),
    ]);
}

#[test]
#[ignore = "needs a provider: cargo xtask interop"]
fn a_flow_survives_new_keys_of_the_provider() {
    let clients = clients();
    for name in ["private-key-jwt-es256", "client-secret-basic"] {
        for adapter in [Adapter::Reqwest, Adapter::Ureq] {
            let party = Party::new(named(&clients, name), adapter);
            // The first flow fills the cache with keys that are gone when the second one needs one.
            check(party.authenticate("approve"), "approve", Ends::Verified);
            check(party.authenticate("rotate"), "rotate", Ends::Verified);
            println!("{adapter:?}: {name}: rotate: as expected");
        }
    }
}

fn run(cases: &[(&Client, &str, Ends)]) {
    thread::scope(|scope| {
        for &(client, hint, ends) in cases {
            for adapter in [Adapter::Reqwest, Adapter::Ureq] {
                scope.spawn(move || {
                    check(Party::new(client, adapter).authenticate(hint), hint, ends);
                    println!("{adapter:?}: {}: {hint}: as expected", client.client_id);
                });
            }
        }
    });
}

fn check(result: Result<Box<Authentication>, Failure>, hint: &str, ends: Ends) {
    match (ends, result) {
        (Ends::Verified, Ok(authentication)) => assert_eq!(authentication.subject(), Some(hint)),
        (Ends::Denied, Err(Failure::Denied(_))) | (Ends::Expired, Err(Failure::Expired(_))) => {}
        (Ends::UnknownUser, Err(Failure::Refused(answer))) => {
            assert_eq!(answer.code().map(|code| code.name()), Some("unknown_user_id"));
        }
        (ends, result) => panic!("{hint} should end as {ends:?}, ended as {result:?}"),
    }
}

impl Party {
    fn new(client: &Client, adapter: Adapter) -> Self {
        let ca = fs::read(variable("CIBA_INTEROP_CA")).expect("the CA is there");
        let issuer = Issuer::parse(variable("CIBA_INTEROP_ISSUER")).expect("the issuer is an address");
        match adapter {
            Adapter::Reqwest => {
                let builder = ciba_reqwest::with_ca(&ca).expect("a CA");
                let http = ciba_reqwest::HttpClient::new(builder).expect("an HTTP client");
                let metadata = wait(ciba_reqwest::discover(&http, issuer, DiscoveryAddress::OpenId));
                let (config, key) = client.config(metadata.expect("metadata"), Arc::new(RustCrypto), &RustCrypto);
                let driver = ciba_reqwest::Driver::new(http, ciba_reqwest::Keys::new(&config));
                let driver = match key {
                    Some(key) => driver.with_signer(key),
                    None => driver,
                };
                Self { config, driver: Driver::Reqwest(driver) }
            }
            Adapter::Ureq => {
                let builder = ciba_ureq::with_ca(&ca).expect("a CA");
                let http = ciba_ureq::HttpClient::new(builder).expect("an HTTP client");
                let metadata = ciba_ureq::discover(&http, issuer, DiscoveryAddress::OpenId);
                let (config, key) = client.config(metadata.expect("metadata"), Arc::new(AwsLcRs), &AwsLcRs);
                let driver = ciba_ureq::Driver::new(http, ciba_ureq::Keys::new(&config));
                let driver = match key {
                    Some(key) => driver.with_signer(key),
                    None => driver,
                };
                Self { config, driver: Driver::Ureq(driver) }
            }
        }
    }

    fn authenticate(&self, hint: &str) -> Result<Box<Authentication>, Failure> {
        let mut request = AuthRequest::new(Hint::Login(LoginHint::new(hint))).binding_message("INTEROP");
        if hint == "never" {
            request = request.requested_expiry(Duration::from_secs(8));
        }
        match &self.driver {
            Driver::Reqwest(driver) => {
                wait(driver.authenticate(&self.config, request, &mut ())).map_err(|error| match error {
                    ciba_reqwest::AuthenticateError::Failed(failure) => failure,
                    other => panic!("{other}"),
                })
            }
            Driver::Ureq(driver) => driver.authenticate(&self.config, request, &mut ()).map_err(|error| match error {
                ciba_ureq::AuthenticateError::Failed(failure) => failure,
                other => panic!("{other}"),
            }),
        }
    }
}

impl Client {
    fn config(
        &self,
        metadata: ProviderMetadata,
        verifier: Arc<dyn Verifier>,
        importer: &dyn KeyImporter,
    ) -> (Arc<ClientConfig>, Option<SoftwareKey>) {
        let secret = || ClientSecret::new(self.secret.clone().expect("a client secret"));
        let algorithm = || algorithm(self.alg.as_deref().expect("an algorithm"));
        let key = self
            .key
            .as_ref()
            .map(|jwk| SoftwareKey::from_jwk(&jwk.to_string(), Some(algorithm()), importer).expect("a private key"));
        let auth = match self.method.as_str() {
            "private_key_jwt" => ClientAuth::PrivateKeyJwt {
                algorithm: algorithm(),
                key_id: key.as_ref().map(|key| Arc::from(key.key_id())),
            },
            "client_secret_jwt" => ClientAuth::ClientSecretJwt { secret: secret(), algorithm: algorithm() },
            "client_secret_basic" => {
                ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded }
            }
            "client_secret_post" => ClientAuth::ClientSecretPost { secret: secret() },
            "none" => ClientAuth::None,
            other => panic!("a method that is not built: {other}"),
        };
        let config = ClientConfig::builder(metadata, ClientId::new(&self.client_id).expect("a client id"))
            .delivery(DeliveryMode::Poll)
            .client_auth(auth)
            .id_token_algorithm(crate::algorithm(&self.id_token_alg))
            .verifier(verifier)
            .build()
            .expect("a configuration");
        (config, key)
    }
}

fn algorithm(name: &str) -> JwsAlgorithm {
    JwsAlgorithm::from_name(name).expect("a known algorithm")
}

fn clients() -> Vec<Client> {
    let text = fs::read(variable("CIBA_INTEROP_CLIENTS")).expect("the clients are there");
    serde_json::from_slice(&text).expect("a list of clients")
}

fn named<'a>(clients: &'a [Client], name: &str) -> &'a Client {
    clients.iter().find(|client| client.client_id == name).expect("a registered client")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask interop"))
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
