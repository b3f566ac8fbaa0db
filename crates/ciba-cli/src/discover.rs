//! `ciba discover`: what a provider offers for CIBA, and what would not work with the given client.

use ciba_core::{
    DeliveryMode, ProviderMetadata,
    fault::ExchangeProblem,
    jose::{JwsAlgorithm, KeySet, PublishedKey},
    text::plain,
};
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::{
    args::{Client, Discover, Format, Provider},
    backend::backend,
    client::{Prepared, cannot_work, issuer, loopback, metadata_file},
    exit::Stop,
    output::{Reporter, line},
    run::Attempt,
    stdio::try_put,
    transport::{HttpLibrary, Settings},
};

pub(crate) async fn run(options: Discover) -> Result<u8, Stop> {
    let Discover { target, mut client, report } = options;
    if let Some(target) = target {
        client.issuer = Some(target);
    }
    let client = client.complete()?;
    let wanted = issuer(&client)?;
    let prepared = Prepared::incomplete(&client)?;
    let http = Settings::of(&client, report.trace)?.open(client.transport.unwrap_or_default())?;
    let at_hand = match &client.metadata {
        Some(path) => Some(metadata_file(path, wanted.as_ref(), loopback(&client))?),
        None => None,
    };
    let mut attempt =
        Attempt::begin(Reporter::new(report, false, client.notifications.mode()), None)?;
    attempt.reporter().know(prepared.known(&client));
    let metadata = match attempt.metadata(prepared.discovery(), at_hand, &*http).await {
        Ok(metadata) => metadata,
        Err(code) => return Ok(code),
    };
    let keys = Keys::fetch(&prepared, &metadata, &*http).await;
    let mut problems = prepared.findings(&metadata)?;
    // If the algorithm is unknown, that is the finding; nothing is concluded from the assumed one.
    let names_none = client.id_token_alg.is_none()
        && problems.iter().any(|problem| problem.contains("--id-token-alg"));
    if !names_none {
        problems.extend(keys.problem(prepared.id_token_algorithm()));
    }
    let with_client = describes_client(&client);
    let told = match report.output {
        Format::Json => try_put(&json(prepared.provider, &metadata, &keys, &problems)),
        Format::Text => {
            try_put(text(prepared.provider, &metadata, &keys, &problems, with_client).trim_end())
        }
    };
    told.map_err(|error| Stop::untold(&error))?;
    if with_client && !problems.is_empty() {
        return Err(match (report.output, &problems[..]) {
            (Format::Json, problems) => cannot_work(&plain(&problems.join("; "))),
            // The findings are listed above.
            (Format::Text, [_]) => cannot_work("see what is named above"),
            (Format::Text, problems) => {
                cannot_work(&format!("see the {} findings above", problems.len()))
            }
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

/// The provider's keys, as far as they could be fetched.
enum Keys {
    /// No address is known.
    Nowhere,
    Unavailable(ExchangeProblem),
    Fetched(KeySet),
}

/// A key: its id, its kind, and what it can be used for or why it cannot.
type Listed<'a> = (Option<&'a str>, &'a str, Result<Vec<&'static str>, String>);

impl Keys {
    async fn fetch(
        prepared: &Prepared,
        metadata: &ProviderMetadata,
        http: &dyn HttpLibrary,
    ) -> Self {
        let Some((document, request)) = prepared.key_set(metadata) else { return Self::Nowhere };
        let answer = http.exchange(request, document.timeout(), document.max_response()).await;
        let read = match answer {
            Ok(response) => document.process(&response, &backend()),
            Err(how) => Err(how.cause().into()),
        };
        read.map_or_else(Self::Unavailable, Self::Fetched)
    }

    /// What is wrong with them for a client whose ID Tokens are signed with this algorithm. A temporary
    /// failure is no finding.
    fn problem(&self, algorithm: JwsAlgorithm) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Unavailable(problem) if problem.may_pass() => None,
            Self::Unavailable(problem) => Some(format!("the key set cannot be used: {problem}")),
            Self::Fetched(_) if algorithm.is_symmetric() => None,
            Self::Fetched(keys) => {
                let mut usable = keys.keys().filter_map(|key| key.algorithms().ok()).flatten();
                let none = format!(
                    "no published key can verify id tokens that are signed with {algorithm}"
                );
                if usable.any(|known| known == algorithm) { None } else { Some(none) }
            }
        }
    }

    /// Each key: its id, its kind, and what it can be used for or why it cannot.
    fn listed(&self) -> Vec<Listed<'_>> {
        let Self::Fetched(keys) = self else { return Vec::new() };
        let algorithms = |key: PublishedKey<'_>| match key.algorithms() {
            Ok(algorithms) => Ok(algorithms.map(JwsAlgorithm::name).collect()),
            Err(reason) => Err(reason.to_string()),
        };
        keys.keys().map(|key| (key.key_id(), key.kind(), algorithms(key))).collect()
    }

    fn json(&self) -> Option<serde_json::Value> {
        let Self::Fetched(_) = self else { return None };
        let key = |(id, kind, algorithms): Listed<'_>| match algorithms {
            Ok(algorithms) => json!({"kid": id, "kind": kind, "algorithms": algorithms}),
            Err(reason) => json!({"kid": id, "kind": kind, "not_usable": reason}),
        };
        Some(self.listed().into_iter().map(key).collect())
    }

    fn text(&self) -> String {
        let problem = match self {
            Self::Nowhere => return String::new(),
            Self::Unavailable(problem) => {
                return format!("\nThe provider's keys could not be fetched: {problem}\n");
            }
            Self::Fetched(keys) => match (keys.keys().next(), keys.shows_secrets()) {
                (None, _) => "  (none)\n",
                (Some(_), true) => {
                    "  (the set shows private or symmetric keys, which must not be published)\n"
                }
                (Some(_), false) => "",
            },
        };
        let mut text = format!("\nKeys of the provider:\n{problem}");
        for (id, kind, algorithms) in self.listed() {
            let id = id.map_or_else(|| "(no kid)".to_owned(), plain);
            let use_of = match algorithms {
                Ok(algorithms) => algorithms.join(" "),
                Err(reason) => format!("not usable: {reason}"),
            };
            text.push_str(&format!("  - {id}  {}  {use_of}\n", plain(kind)));
        }
        text
    }
}

/// The lists that may have values which this command does not support.
const PARTLY_KNOWN: [&str; 4] = [
    "backchannel_token_delivery_modes_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "backchannel_authentication_request_signing_alg_values_supported",
    "id_token_signing_alg_values_supported",
];

fn is_known(member: &str, value: &str) -> bool {
    if member == PARTLY_KNOWN[0] {
        return DeliveryMode::from_name(value).is_some();
    }
    JwsAlgorithm::from_name(value).is_some()
}

/// The values of each list that cannot be used here.
fn not_usable(metadata: &ProviderMetadata) -> serde_json::Map<String, serde_json::Value> {
    let strangers = |member: &'static str| {
        let listed = metadata.listed(member).unwrap_or_default().iter();
        let strangers: Vec<&String> = listed.filter(|value| !is_known(member, value)).collect();
        (!strangers.is_empty()).then(|| (member.to_owned(), json!(strangers)))
    };
    PARTLY_KNOWN.into_iter().filter_map(strangers).collect()
}

/// The members that are shown in both formats, with their values.
fn members(metadata: &ProviderMetadata) -> Vec<(&'static str, serde_json::Value)> {
    let listed = |member: &'static str| (member, json!(metadata.listed(member)));
    let url =
        |url: &Option<ciba_core::http::Url>| json!(url.as_ref().map(ciba_core::http::Url::as_str));
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
        listed("backchannel_token_delivery_modes_supported"),
        ("token_endpoint_auth_methods_supported", json!(metadata.auth_methods)),
        listed("token_endpoint_auth_signing_alg_values_supported"),
        listed("backchannel_authentication_request_signing_alg_values_supported"),
        listed("id_token_signing_alg_values_supported"),
        ("backchannel_user_code_parameter_supported", json!(metadata.user_code_supported)),
        ("tls_client_certificate_bound_access_tokens", json!(metadata.certificate_bound_tokens)),
        ("mtls_endpoint_aliases", aliases),
        ("grant_types_supported", json!(metadata.grant_types)),
        ("scopes_supported", json!(metadata.scopes)),
        ("acr_values_supported", json!(metadata.acr_values)),
        ("authorization_details_types_supported", json!(metadata.authorization_details_types)),
    ]
}

/// What the event `discovered` says.
#[derive(Serialize)]
struct Discovered<'a> {
    provider: &'static str,
    provider_options: Vec<String>,
    #[serde(flatten, serialize_with = "as_map")]
    members: Vec<(&'static str, serde_json::Value)>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    not_usable: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<serde_json::Value>,
    problems: &'a [String],
}

fn as_map<S: Serializer>(
    members: &[(&'static str, serde_json::Value)],
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(members.iter().map(|(name, value)| (name, value)))
}

fn json(
    provider: Provider,
    metadata: &ProviderMetadata,
    keys: &Keys,
    problems: &[String],
) -> String {
    line(
        "discovered",
        Discovered {
            provider: provider.name(),
            provider_options: provider.stands_for(),
            members: members(metadata),
            not_usable: not_usable(metadata),
            keys: keys.json(),
            problems,
        },
    )
}

fn text(
    provider: Provider,
    metadata: &ProviderMetadata,
    keys: &Keys,
    problems: &[String],
    with_client: bool,
) -> String {
    let mut text = String::new();
    for (name, value) in members(metadata) {
        let shown = match &value {
            serde_json::Value::Null => "(not published)".to_owned(),
            serde_json::Value::String(text) => plain(text),
            serde_json::Value::Array(items) => {
                let shown = |item: &str| match PARTLY_KNOWN.contains(&name) && !is_known(name, item)
                {
                    true => format!("{} (not usable here)", plain(item)),
                    false => plain(item),
                };
                let items: Vec<String> =
                    items.iter().filter_map(|item| item.as_str().map(shown)).collect();
                if items.is_empty() { "(an empty list)".to_owned() } else { items.join(" ") }
            }
            serde_json::Value::Object(members) => {
                let members = members
                    .iter()
                    .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
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
    text.push_str(&keys.text());
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
