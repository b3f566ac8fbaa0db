//! The clients that a provider's program registered (`clients.json`), as configurations.
use std::{env, fs, path::PathBuf, sync::Arc};

use ciba_core::{
    ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, ClientSecret, DeliveryMode, Profile,
    ProviderMetadata, SoftwareKey,
    config::{BasicEncoding, FapiCiba},
    crypto::{KeyImporter, Verifier},
    http::Url,
    jose::JwsAlgorithm,
    providers,
};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Client {
    /// The name in the cases, if it differs from the identifier.
    name: Option<String>,
    pub(crate) client_id: String,
    /// The provider at which it is registered, if the program has several.
    issuer: Option<String>,
    /// The preset of the provider.
    pub(crate) preset: Option<String>,
    pub(crate) method: String,
    pub(crate) alg: Option<String>,
    /// The algorithm of its requests.
    signed: Option<String>,
    pub(crate) id_token_alg: String,
    pub(crate) key: Option<serde_json::Value>,
    secret: Option<String>,
    /// Whether the provider does not decode identifier and secret in HTTP Basic.
    #[serde(default)]
    pub(crate) raw_basic: bool,
    pub(crate) notification_endpoint: Option<String>,
    /// Push, where the endpoint is for pushes.
    delivery: Option<String>,
    user_codes: bool,
    /// Whether the FAPI-CIBA profile applies.
    #[serde(default)]
    fapi: bool,
    /// The name of its certificate, to which its tokens are bound.
    pub(crate) certificate: Option<String>,
    /// The SHA-256 hash of the certificate, as the tokens name it.
    pub(crate) thumbprint: Option<String>,
}

impl Client {
    /// Returns the client of this name, in which `*` stands for the name of the adapter.
    pub(crate) fn named(name: &str, adapter: &str) -> Self {
        let name = name.replace('*', adapter);
        Self::all().into_iter().find(|client| client.name() == name).expect("a registered client")
    }

    /// Returns the names of all clients that match.
    pub(crate) fn names(wanted: fn(&str) -> bool) -> Vec<String> {
        Self::all()
            .iter()
            .map(|client| client.name().to_owned())
            .filter(|name| wanted(name))
            .collect()
    }

    fn all() -> Vec<Self> {
        let text = fs::read(in_run("clients.json")).expect("the clients are there");
        serde_json::from_slice(&text).expect("a list of clients")
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }

    pub(crate) fn issuer(&self) -> String {
        self.issuer.clone().unwrap_or_else(|| variable("CIBA_INTEROP_ISSUER"))
    }

    pub(crate) fn delivery(&self) -> DeliveryMode {
        match (&self.notification_endpoint, self.delivery.as_deref()) {
            (None, _) => DeliveryMode::Poll,
            (Some(_), Some("push")) => DeliveryMode::Push,
            (Some(_), _) => DeliveryMode::Ping,
        }
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    pub(crate) fn config(
        &self,
        metadata: ProviderMetadata,
        verifier: Arc<dyn Verifier>,
        importer: &dyn KeyImporter,
        configure: fn(ClientConfigBuilder) -> ClientConfigBuilder,
    ) -> (Arc<ClientConfig>, Option<SoftwareKey>) {
        let secret = || ClientSecret::new(self.secret.clone().expect("a client secret"));
        let signs = self.alg.as_deref().or(self.signed.as_deref());
        let algorithm = || algorithm(signs.expect("an algorithm"));
        let key = self.key.as_ref().map(|jwk| {
            SoftwareKey::import_jwk(&jwk.to_string(), Some(algorithm()), importer)
                .expect("a private key")
        });
        let key_id = || key.as_ref().map(|key| Arc::from(key.key_id()));
        let auth = match self.method.as_str() {
            "private_key_jwt" => {
                ClientAuth::PrivateKeyJwt { algorithm: algorithm(), key_id: key_id() }
            }
            "client_secret_jwt" => {
                ClientAuth::ClientSecretJwt { secret: secret(), algorithm: algorithm() }
            }
            "client_secret_basic" => {
                let encoding =
                    if self.raw_basic { BasicEncoding::Raw } else { BasicEncoding::Encoded };
                ClientAuth::ClientSecretBasic { secret: secret(), encoding }
            }
            "client_secret_post" => ClientAuth::ClientSecretPost { secret: secret() },
            "tls_client_auth" => ClientAuth::TlsClientAuth,
            "self_signed_tls_client_auth" => ClientAuth::SelfSignedTlsClientAuth,
            "none" => ClientAuth::None,
            other => panic!("an unsupported method: {other}"),
        };
        let client_id = ClientId::new(&self.client_id).expect("a client id");
        let builder = match &self.preset {
            Some(name) => providers::named(name)
                .expect("a preset")
                .client(metadata, client_id)
                .expect("addresses"),
            None => ClientConfig::builder(metadata, client_id),
        };
        let mut builder = builder
            .client_auth(auth)
            .id_token_algorithm(crate::clients::algorithm(&self.id_token_alg))
            .verifier(verifier);
        if let Some(endpoint) = &self.notification_endpoint {
            let endpoint = Url::parse(endpoint.as_str()).expect("an address");
            builder = builder.delivery(self.delivery()).notification_endpoint(endpoint);
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
        if self.fapi {
            builder = builder.profile(Profile::FapiCiba(FapiCiba::Id1));
        }
        (configure(builder).build().expect("a configuration"), key)
    }
}

fn algorithm(name: &str) -> JwsAlgorithm {
    JwsAlgorithm::from_name(name).expect("a known algorithm")
}

pub(crate) fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this through cargo xtask interop"))
}

/// Returns the path of a file that was made for this run.
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
