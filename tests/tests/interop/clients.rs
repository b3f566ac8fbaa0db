//! What `interop/config.mjs` says about the clients it registered, as configurations.
use std::{env, fs, path::PathBuf, sync::Arc};

use ciba_core::{
    BasicEncoding, ClientAuth, ClientConfig, ClientId, ClientSecret, DeliveryMode, FapiCiba, Profile, ProviderMetadata,
    SoftwareKey, Url,
    crypto::{KeyImporter, Verifier},
    jose::JwsAlgorithm,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    method: String,
    alg: Option<String>,
    /// The algorithm of its requests.
    signed: Option<String>,
    id_token_alg: String,
    key: Option<serde_json::Value>,
    secret: Option<String>,
    pub(crate) notification_endpoint: Option<String>,
    user_codes: bool,
    /// The name of its certificate; its tokens are bound to it then.
    pub(crate) certificate: Option<String>,
    /// The SHA-256 hash of the certificate, as the tokens name it.
    pub(crate) thumbprint: Option<String>,
}

impl Client {
    /// The client of this name, in which `*` stands for the adapter's.
    pub(crate) fn named(name: &str, adapter: &str) -> Self {
        let text = fs::read(in_run("clients.json")).expect("the clients are there");
        let clients: Vec<Self> = serde_json::from_slice(&text).expect("a list of clients");
        let name = name.replace('*', adapter);
        clients.into_iter().find(|client| client.client_id == name).expect("a registered client")
    }

    /// The names of all that are called like this.
    pub(crate) fn names(wanted: fn(&str) -> bool) -> Vec<String> {
        let text = fs::read(in_run("clients.json")).expect("the clients are there");
        let clients: Vec<Self> = serde_json::from_slice(&text).expect("a list of clients");
        clients.into_iter().map(|client| client.client_id).filter(|name| wanted(name)).collect()
    }

    pub(crate) fn config(
        &self,
        metadata: ProviderMetadata,
        verifier: Arc<dyn Verifier>,
        importer: &dyn KeyImporter,
    ) -> (Arc<ClientConfig>, Option<SoftwareKey>) {
        let secret = || ClientSecret::new(self.secret.clone().expect("a client secret"));
        let signs = self.alg.as_deref().or(self.signed.as_deref());
        let algorithm = || algorithm(signs.expect("an algorithm"));
        let key = self
            .key
            .as_ref()
            .map(|jwk| SoftwareKey::from_jwk(&jwk.to_string(), Some(algorithm()), importer).expect("a private key"));
        let key_id = || key.as_ref().map(|key| Arc::from(key.key_id()));
        let auth = match self.method.as_str() {
            "private_key_jwt" => ClientAuth::PrivateKeyJwt { algorithm: algorithm(), key_id: key_id() },
            "client_secret_jwt" => ClientAuth::ClientSecretJwt { secret: secret(), algorithm: algorithm() },
            "client_secret_basic" => {
                ClientAuth::ClientSecretBasic { secret: secret(), encoding: BasicEncoding::Encoded }
            }
            "client_secret_post" => ClientAuth::ClientSecretPost { secret: secret() },
            "tls_client_auth" => ClientAuth::TlsClientAuth,
            "self_signed_tls_client_auth" => ClientAuth::SelfSignedTlsClientAuth,
            "none" => ClientAuth::None,
            other => panic!("a method that is not built: {other}"),
        };
        let mut builder = ClientConfig::builder(metadata, ClientId::new(&self.client_id).expect("a client id"))
            .client_auth(auth)
            .id_token_algorithm(crate::clients::algorithm(&self.id_token_alg))
            .verifier(verifier);
        if let Some(endpoint) = &self.notification_endpoint {
            let endpoint = Url::parse(endpoint.as_str()).expect("an address");
            builder = builder.delivery(DeliveryMode::Ping).notification_endpoint(endpoint);
        }
        if let Some(name) = &self.signed {
            builder = builder.signed_requests(crate::clients::algorithm(name), key_id());
        }
        if self.certificate.is_some() {
            builder = builder.certificate_bound_tokens();
        }
        if self.user_codes {
            builder = builder.user_codes();
        }
        if self.client_id.starts_with("fapi-") {
            builder = builder.profile(Profile::FapiCiba(FapiCiba::Id1));
        }
        (builder.build().expect("a configuration"), key)
    }
}

fn algorithm(name: &str) -> JwsAlgorithm {
    JwsAlgorithm::from_name(name).expect("a known algorithm")
}

pub(crate) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask interop"))
}

/// A file that was made for this run.
pub(crate) fn in_run(file: &str) -> PathBuf {
    PathBuf::from(variable("CIBA_INTEROP_RUN")).join(file)
}

pub(crate) fn port(address: &str) -> u16 {
    let port = address.rsplit(':').next().and_then(|rest| rest.split('/').next());
    port.and_then(|port| port.parse().ok()).expect("an address with a port")
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
