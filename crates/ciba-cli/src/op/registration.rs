//! The file of `--clients`: one client, or an array of them, in the members of OpenID Connect
//! client metadata.

mod members;

use std::path::Path;

use ciba_core::{ClientSecret, DeliveryMode, jose::JwsAlgorithm};
use ciba_test_op::{Client, ClientAuthentication};
use serde_json::Value;

use self::members::{Members, unknown};
use crate::{exit::Stop, files};

const CIBA: &str = "urn:openid:params:grant-type:ciba";
const REFRESH: &str = "refresh_token";
/// Registered grant types; a client may have those of other providers.
const GRANT_TYPES: [&str; 10] = [
    CIBA,
    REFRESH,
    "authorization_code",
    "implicit",
    "password",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];
const METHODS: [&str; 7] = [
    "private_key_jwt",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
];
const MODES: [&str; 3] = ["poll", "ping", "push"];

/// The clients of a file, and a sentence about each that has members without effect here.
pub(super) fn read(path: &Path) -> Result<(Vec<Client>, Vec<String>), Stop> {
    let shown = path.display();
    let bytes = files::read(path, "--clients")?;
    let wrong = |why: &str| Stop::usage(format!("the clients file {shown} cannot be used: {why}"));
    // The message of the JSON parser may quote a secret; line and column do not.
    let at = |error: &serde_json::Error| match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("it is not JSON at line {}, column {}", error.line(), error.column()),
    };
    let whole: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(&at(&error)))?;
    let entries: Vec<Members> = match whole {
        Value::Array(entries) if entries.iter().all(Value::is_object) => {
            serde_json::from_slice(&bytes)
        }
        Value::Object(_) => serde_json::from_slice(&bytes).map(|entry| vec![entry]),
        _ => {
            return Err(wrong(
                "it is not a client, or an array of clients, with `client_id` and the like",
            ));
        }
    }
    .map_err(|error| wrong(&at(&error)))?;
    let (mut clients, mut notes) = (Vec::new(), Vec::new());
    for members in &entries {
        let id = members.text("client_id").map_err(|why| wrong(&why))?;
        let id = id.ok_or_else(|| wrong("a client has no client_id"))?;
        let id = ciba_core::text::plain(id);
        let of_client = |why: String| wrong(&format!("client {id}: {why}"));
        let unused = members.check().map_err(of_client)?;
        clients.push(client(members).map_err(of_client)?);
        if !unused.is_empty() {
            notes
                .push(format!("Client {id}: this provider makes no use of {}.", unused.join(", ")));
        }
    }
    Ok((clients, notes))
}

fn client(members: &Members) -> Result<Client, String> {
    let algorithm = |member: &str| -> Result<Option<JwsAlgorithm>, String> {
        let Some(name) = members.text(member)? else { return Ok(None) };
        let known: Vec<&str> = JwsAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        JwsAlgorithm::from_name(name).map(Some).ok_or_else(|| unknown(member, name, &known))
    };
    let missing = |member: &str| format!("there is no {member}");
    let signing = algorithm("token_endpoint_auth_signing_alg")?;
    let secret = || {
        Ok::<_, String>(ClientSecret::new(
            members.text("client_secret")?.ok_or_else(|| missing("client_secret"))?,
        ))
    };
    let keys = members.keys("jwks")?;
    // Without a method, a client authenticates with Basic (OpenID Connect Registration 2).
    let method = members.text("token_endpoint_auth_method")?.unwrap_or("client_secret_basic");
    let authentication = match method {
        "private_key_jwt" => {
            let keys = keys.clone().ok_or_else(|| missing("jwks"))?;
            ClientAuthentication::PrivateKeyJwt { keys, algorithms: signing.into_iter().collect() }
        }
        "client_secret_jwt" => ClientAuthentication::ClientSecretJwt {
            secret: secret()?,
            algorithm: signing.unwrap_or(JwsAlgorithm::Hs256),
        },
        "client_secret_basic" => {
            ClientAuthentication::ClientSecretBasic { secret: secret()?, raw: false }
        }
        "client_secret_post" => ClientAuthentication::ClientSecretPost { secret: secret()? },
        "tls_client_auth" => {
            let subject = members.text("tls_client_auth_subject_dn")?;
            let subject = subject.ok_or_else(|| missing("tls_client_auth_subject_dn"))?.to_owned();
            ClientAuthentication::TlsClientAuth { subject }
        }
        "self_signed_tls_client_auth" => {
            ClientAuthentication::self_signed(keys.as_deref().unwrap_or_default())
        }
        "none" => ClientAuthentication::None,
        other => return Err(unknown("token_endpoint_auth_method", other, &METHODS)),
    };
    let mut client = Client::new(members.text("client_id")?.unwrap_or_default(), authentication);
    if let Some(algorithm) = algorithm("id_token_signed_response_alg")? {
        client = client.id_token_alg(algorithm);
    }
    client.keys = keys.unwrap_or_default();
    client.request_signing_alg = algorithm("backchannel_authentication_request_signing_alg")?;
    client.user_code = members.flag("backchannel_user_code_parameter")?;
    client.certificate_bound = members.flag("tls_client_certificate_bound_access_tokens")?;
    client.dpop_bound = members.flag("dpop_bound_access_tokens")?;
    let endpoint = members.text("backchannel_client_notification_endpoint")?;
    client.notification_endpoint = endpoint.map(str::to_owned);
    if let Some(mode) = members.text("backchannel_token_delivery_mode")? {
        let known = || unknown("backchannel_token_delivery_mode", mode, &MODES);
        client.delivery = DeliveryMode::from_name(mode).ok_or_else(known)?;
    }
    if let Some(grants) = members.texts("grant_types")? {
        if let Some(strange) = grants.iter().find(|grant| !GRANT_TYPES.contains(grant)) {
            return Err(unknown("grant_types", strange, &GRANT_TYPES));
        }
        // CIBA 4. A push client never asks the token endpoint.
        if client.delivery != DeliveryMode::Push && !grants.contains(&CIBA) {
            let mode = client.delivery.name();
            return Err(format!(
                "grant_types lacks {CIBA}, which delivery by {mode} needs (CIBA 4)"
            ));
        }
        client.refresh = grants.contains(&REFRESH);
    }
    Ok(client)
}
