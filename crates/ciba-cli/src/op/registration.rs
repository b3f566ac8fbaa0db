//! The file of `--clients`: one client, or an array of them, in the members of OpenID Connect client metadata.

use std::path::Path;

use ciba_core::{ClientSecret, DeliveryMode, jose::JwsAlgorithm};
use ciba_test_op::{Client, ClientAuthentication};
use serde::Deserialize;
use serde_json::Value;

use crate::{client, exit::Stop};

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Entry>),
    One(Box<Entry>),
}

/// What is read of a client; other members may be there.
#[derive(Deserialize)]
struct Entry {
    client_id: String,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    token_endpoint_auth_signing_alg: Option<String>,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    jwks: Option<KeySet>,
    #[serde(default)]
    id_token_signed_response_alg: Option<String>,
    #[serde(default)]
    backchannel_token_delivery_mode: Option<String>,
    #[serde(default)]
    backchannel_client_notification_endpoint: Option<String>,
    #[serde(default)]
    backchannel_authentication_request_signing_alg: Option<String>,
    #[serde(default)]
    backchannel_user_code_parameter: bool,
    #[serde(default)]
    tls_client_auth_subject_dn: Option<String>,
    #[serde(default)]
    tls_client_certificate_bound_access_tokens: bool,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Client>, Stop> {
    let shown = path.display();
    let read: OneOrMany = serde_json::from_slice(&client::read(path, "--clients")?).map_err(|_| {
        Stop::usage(format!(
            "the clients file {shown} is not a client, or an array of clients, with `client_id` and the like"
        ))
    })?;
    let entries = match read {
        OneOrMany::Many(entries) => entries,
        OneOrMany::One(entry) => vec![*entry],
    };
    let wrong = |why| Stop::usage(format!("the clients file {shown} cannot be used: {why}"));
    entries.into_iter().map(Entry::client).collect::<Result<_, _>>().map_err(wrong)
}

impl Entry {
    fn client(self) -> Result<Client, String> {
        let id = crate::output::plain(&self.client_id);
        let algorithm = |name: Option<String>| match name {
            Some(name) => match JwsAlgorithm::from_name(&name) {
                Some(algorithm) => Ok(Some(algorithm)),
                None => Err(format!("client {id} names an algorithm that is not known")),
            },
            None => Ok(None),
        };
        let signing = algorithm(self.token_endpoint_auth_signing_alg)?;
        let secret =
            self.client_secret.map(ClientSecret::new).ok_or_else(|| format!("client {id} has no client_secret"));
        let keys = self.jwks.map(|jwks| jwks.keys);
        let authentication = match self.token_endpoint_auth_method.as_deref().unwrap_or("client_secret_basic") {
            "private_key_jwt" => {
                let keys = keys.clone().ok_or_else(|| format!("client {id} has no jwks"))?;
                ClientAuthentication::PrivateKeyJwt { keys, algorithms: signing.into_iter().collect() }
            }
            "client_secret_jwt" => ClientAuthentication::ClientSecretJwt {
                secret: secret?,
                algorithm: signing.unwrap_or(JwsAlgorithm::Hs256),
            },
            "client_secret_basic" => ClientAuthentication::ClientSecretBasic { secret: secret?, raw: false },
            "client_secret_post" => ClientAuthentication::ClientSecretPost { secret: secret? },
            "tls_client_auth" => ClientAuthentication::TlsClientAuth {
                subject: self
                    .tls_client_auth_subject_dn
                    .ok_or_else(|| format!("client {id} has no tls_client_auth_subject_dn"))?,
            },
            "self_signed_tls_client_auth" => ClientAuthentication::self_signed(keys.as_deref().unwrap_or_default()),
            "none" => ClientAuthentication::None,
            _ => return Err(format!("client {id} has a token_endpoint_auth_method this provider does not offer")),
        };
        let mut client = Client::new(self.client_id, authentication);
        if let Some(algorithm) = algorithm(self.id_token_signed_response_alg)? {
            client = client.id_token_alg(algorithm);
        }
        client.keys = keys.unwrap_or_default();
        client.request_signing_alg = algorithm(self.backchannel_authentication_request_signing_alg)?;
        client.user_code = self.backchannel_user_code_parameter;
        client.certificate_bound = self.tls_client_certificate_bound_access_tokens;
        client.notification_endpoint = self.backchannel_client_notification_endpoint;
        if let Some(mode) = self.backchannel_token_delivery_mode {
            client.delivery = DeliveryMode::from_name(&mode)
                .ok_or_else(|| format!("client {id} has a backchannel_token_delivery_mode that is not known"))?;
        }
        Ok(client)
    }
}
