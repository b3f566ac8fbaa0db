//! `ciba discover`: what a provider offers for CIBA, and what of it would not work with the given client.

use ciba_core::{DeliveryMode, ProviderMetadata, jose::JwsAlgorithm};
use serde_json::json;

use crate::{
    args::{Client, Discover, Format, Provider},
    client::{Prepared, cannot_work, issuer, loopback, metadata_file},
    exit::Stop,
    output::{Line, Reporter, plain, try_put},
    run::Attempt,
    transport::Http,
};

pub(crate) async fn run(options: Discover) -> Result<u8, Stop> {
    let Discover { target, mut client, report } = options;
    if let Some(target) = target {
        client.issuer = Some(target);
    }
    let wanted = issuer(&client)?;
    let prepared = Prepared::incomplete(&client)?;
    let http = Http::of(&client)?;
    let at_hand = match &client.metadata {
        Some(path) => Some(metadata_file(path, wanted.as_ref(), loopback(&client))?),
        None => None,
    };
    let mut attempt = Attempt::begin(Reporter::new(report, false), None)?;
    attempt.reporter().know(prepared.known(&client));
    let metadata = match attempt.metadata(prepared.discovery(), at_hand, &http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let problems = prepared.findings(metadata.clone())?;
    let with_client = describes_client(&client);
    let told = match report.output {
        Format::Json => try_put(&json(prepared.provider, &metadata, &problems).finish()),
        Format::Text => try_put(text(prepared.provider, &metadata, &problems, with_client).trim_end()),
    };
    told.map_err(|error| Stop::untold(&error))?;
    if with_client && !problems.is_empty() {
        return Err(match (report.output, &problems[..]) {
            (Format::Json, problems) => cannot_work(&plain(&problems.join("; "))),
            // What speaks against it was said above.
            (Format::Text, [_]) => cannot_work("see what is named above"),
            (Format::Text, problems) => cannot_work(&format!("see the {} findings above", problems.len())),
        });
    }
    Ok(0)
}

/// Whether the options describe a client and not only a provider.
fn describes_client(client: &Client) -> bool {
    client.client_id.is_some()
        || client.client_auth.is_some()
        || client.key.is_some()
        || client.client_secret_file.is_some()
        || client.id_token_alg.is_some()
        || client.signed_request.is_some()
        || client.cert.is_some()
        || client.profile.is_some()
        || client.notifications.delivery.is_some()
}

fn names<T: Copy>(list: Option<&Vec<T>>, name: fn(T) -> &'static str) -> Option<Vec<&'static str>> {
    list.map(|list| list.iter().map(|item| name(*item)).collect())
}

/// What is shown, once for both formats: the member's name and its value.
fn members(metadata: &ProviderMetadata) -> Vec<(&'static str, serde_json::Value)> {
    let algorithms = |list: &Option<Vec<JwsAlgorithm>>| json!(names(list.as_ref(), JwsAlgorithm::name));
    let url = |url: &Option<ciba_core::Url>| json!(url.as_ref().map(ciba_core::Url::as_str));
    let aliases = &metadata.mtls_endpoint_aliases;
    let aliases = [
        ("backchannel_authentication_endpoint", &aliases.backchannel_authentication_endpoint),
        ("token_endpoint", &aliases.token_endpoint),
    ];
    let aliases: serde_json::Map<_, _> = aliases
        .into_iter()
        .filter_map(|(name, address)| Some((name.to_owned(), json!(address.as_ref()?.as_str()))))
        .collect();
    let aliases = if aliases.is_empty() { serde_json::Value::Null } else { aliases.into() };
    vec![
        ("issuer", json!(metadata.issuer.as_str())),
        ("backchannel_authentication_endpoint", url(&metadata.backchannel_authentication_endpoint)),
        ("token_endpoint", url(&metadata.token_endpoint)),
        ("jwks_uri", url(&metadata.jwks_uri)),
        (
            "backchannel_token_delivery_modes_supported",
            json!(names(metadata.delivery_modes.as_ref(), DeliveryMode::name)),
        ),
        ("token_endpoint_auth_methods_supported", json!(metadata.auth_methods)),
        ("token_endpoint_auth_signing_alg_values_supported", algorithms(&metadata.auth_signing_algs)),
        ("backchannel_authentication_request_signing_alg_values_supported", algorithms(&metadata.request_signing_algs)),
        ("id_token_signing_alg_values_supported", algorithms(&metadata.id_token_signing_algs)),
        ("backchannel_user_code_parameter_supported", json!(metadata.user_code_supported)),
        ("tls_client_certificate_bound_access_tokens", json!(metadata.certificate_bound_tokens)),
        ("mtls_endpoint_aliases", aliases),
        ("grant_types_supported", json!(metadata.grant_types)),
        ("scopes_supported", json!(metadata.scopes)),
        ("acr_values_supported", json!(metadata.acr_values)),
        ("authorization_details_types_supported", json!(metadata.authorization_details_types)),
    ]
}

fn json(provider: Provider, metadata: &ProviderMetadata, problems: &[String]) -> Line {
    let line = Line::new("discovered").with("provider", provider.name());
    let line = line.with("provider_options", provider.stands_for());
    let line = members(metadata).into_iter().fold(line, |line, (name, value)| line.with(name, value));
    line.with("problems", problems)
}

fn text(provider: Provider, metadata: &ProviderMetadata, problems: &[String], with_client: bool) -> String {
    let mut text = String::new();
    for (name, value) in members(metadata) {
        let shown = match &value {
            serde_json::Value::Null => "(not published)".to_owned(),
            serde_json::Value::String(text) => plain(text),
            serde_json::Value::Array(items) => {
                let items: Vec<String> = items.iter().filter_map(|item| item.as_str().map(plain)).collect();
                if items.is_empty() { "(nothing this command knows)".to_owned() } else { items.join(" ") }
            }
            serde_json::Value::Object(members) => {
                let members = members.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
                members.collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        text.push_str(&format!("{name:63}  {shown}\n"));
    }
    if let Some(preset) = provider.0 {
        text.push_str(&format!("\nSet for {} (--provider {}):\n", preset.product(), preset.name()));
        for option in provider.stands_for() {
            text.push_str(&format!("  - {option}\n"));
        }
    }
    let client = if with_client { "this client" } else { "a client that polls" };
    if problems.is_empty() {
        text.push_str(&format!("\nNothing speaks against {client}.\n"));
    } else {
        text.push_str(&format!("\nWould not work with {client}:\n"));
        for problem in problems {
            text.push_str(&format!("  - {}\n", plain(problem)));
        }
    }
    text
}
