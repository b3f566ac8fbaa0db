//! The answers of a real provider are read with the outcomes they had: acknowledgements, pending
//! and terminal errors, and tokens with the keys that signed them.

use std::{collections::BTreeMap, fs, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, ClientSecret, Entropy, Flow, Hint, Issuer,
    JwksCache, Lookup, Output, ProviderMetadata, Timestamp,
    http::{Headers, Response},
    jose::JwsAlgorithm,
};
use ciba_tests::scenario::{authenticated, of_failure};
use serde_json::{Value, json};

const ISSUER: &str = "https://127.0.0.1:9400";

fn response(recorded: &Value) -> Response {
    let fields = recorded["headers"].as_object().into_iter().flatten();
    let headers: Headers =
        fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect();
    let body = match recorded.get("body") {
        Some(body) => body.to_string(),
        None => recorded["text"].as_str().unwrap_or_default().to_owned(),
    };
    Response::new(
        u16::try_from(recorded["status"].as_u64().unwrap()).unwrap(),
        headers,
        body.into_bytes(),
    )
}

/// Returns a segment of a token as JSON, or null if there is none.
fn segment(token: &str, at: usize) -> Value {
    let bytes = token.split('.').nth(at).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Returns the client of a record: its id, its secret, the algorithm of its ID Tokens.
fn client(record: &Value) -> (String, String, JwsAlgorithm) {
    let basic = record["request"]["headers"]["authorization"]
        .as_str()
        .and_then(|header| header.strip_prefix("Basic "));
    let basic = basic
        .and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok())
        .unwrap_or_default();
    let (id, secret) = basic
        .split_once(':')
        .unwrap_or(("secret-basic", "a secret of some forty characters, or more"));
    let token = record["response"]["body"]["id_token"].as_str().unwrap_or_default();
    let (header, claims) = (segment(token, 0), segment(token, 1));
    let algorithm =
        header["alg"].as_str().and_then(JwsAlgorithm::from_name).unwrap_or(JwsAlgorithm::Rs256);
    (claims["aud"].as_str().unwrap_or(id).to_owned(), secret.to_owned(), algorithm)
}

/// Delivers one answer to a flow and returns the outcome.
fn replay(record: &Value, discovery: &[u8], keys: &[u8]) -> String {
    let (id, secret, algorithm) = client(record);
    let issuer = Issuer::parse(ISSUER).unwrap();
    let metadata = ProviderMetadata::from_json(&issuer, discovery).unwrap();
    let config: Arc<ClientConfig> =
        ClientConfig::builder(metadata, ClientId::new(id.as_str()).unwrap())
            .client_auth(ClientAuth::ClientSecretPost { secret: ClientSecret::new(secret) })
            .id_token_algorithm(algorithm)
            .build()
            .unwrap();
    let at = Timestamp::from_unix_secs(record["at"].as_u64().unwrap());
    let begun = Timestamp::from_unix_secs(at.unix_secs() - 5);
    let mut cache = JwksCache::new(&config);
    assert!(cache.preload(keys, begun, begun), "the recorded key set is accepted");
    let request = AuthRequest::new(Hint::Login("alice".into()));
    let mut draws = 0;
    let mut entropy = || {
        draws += 1;
        Entropy::from_bytes([draws; 32])
    };
    let mut flow = Flow::start(config, request, entropy(), begun).unwrap();
    let mut now = begun;
    let begins = record["request"]["path"] == "/backchannel";
    let mut sent = 0;
    loop {
        let input = match flow.poll(now, entropy()) {
            Output::Transmit(transmit) => {
                sent += 1;
                let sending = flow.begin(transmit, now).expect("it is in time");
                if sent == 1 && !begins {
                    let auth_req_id = record["request"]["params"]["auth_req_id"]
                        .as_str()
                        .filter(|id| !id.is_empty());
                    let body = json!({"auth_req_id": auth_req_id.unwrap_or("x"), "expires_in": 120, "interval": 5});
                    let headers = [("content-type", "application/json")].into_iter().collect();
                    sending.answered(Response::new(200, headers, body.to_string().into_bytes()))
                } else {
                    assert_eq!(sent, if begins { 1 } else { 2 }, "one answer is played");
                    sending.answered(response(&record["response"]))
                }
            }
            Output::Wait(wait) if sent == 1 && !begins => {
                now = wait.until().max(at);
                continue;
            }
            Output::Wait(wait) => return format!("waits: {}", wait.reason().name()),
            Output::KeySet(mut request) => match cache.lookup(&mut request, now) {
                Lookup::Ready(keys) => request.found(keys),
                _ => request.unavailable(ciba_core::fault::Cause::Unknown.into()),
            },
            Output::Key(operation) => operation.unavailable(),
            Output::Save(_) | Output::Done => {
                return flow
                    .finish()
                    .map_or_else(|failure| of_failure(&failure), |found| authenticated(&found));
            }
        };
        flow.handle(input, now).unwrap();
    }
}

/// Returns the outcome that the specifications require for a record.
fn shown(record: &Value) -> String {
    let (answer, begins) = (&record["response"], record["request"]["path"] == "/backchannel");
    let (status, body) = (&answer["status"], &answer["body"]);
    match (body["error"].as_str(), body["id_token"].as_str()) {
        (Some("authorization_pending"), _) => "waits: interval".into(),
        (Some(code @ "access_denied"), _) => format!("denied {status} {code}"),
        (Some(code @ "expired_token"), _) => format!("expired {status} {code}"),
        (Some(code), _) => format!("refused {status} {code}"),
        (None, _) if status == 200 && begins => "waits: interval".into(),
        // A token bound to a key that this client does not have (RFC 6749 7.1: a token of an
        // unknown type is not used).
        (None, Some(_)) if body["token_type"] == "DPoP" => "provider_misbehaved token: token_type is not Bearer".into(),
        (None, Some(token)) if token.split('.').count() == 5 => "untrusted unexpected-encryption".into(),
        (None, Some(token)) => format!("authenticated {}", segment(token, 1)["sub"].as_str().unwrap()),
        // The provider's HTML page, for an `Accept` that this client never sends.
        (None, None) => {
            "provider_misbehaved backchannel: its status is not expected here, and no error code explains it".into()
        }
    }
}

/// OPM-POL-19
#[test]
fn every_recorded_response_leads_to_its_recorded_outcome() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/recordings/oidc-provider-responses.json");
    let recordings: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let records = recordings["records"].as_array().unwrap();
    let document = |name: &str| {
        let record = records.iter().find(|record| record["name"] == name).unwrap();
        record["response"]["body"].to_string().into_bytes()
    };
    let (discovery, keys) = (document("discovery"), document("jwks"));
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<String, usize>::new());
    for record in records {
        let ciba = match record["request"]["path"].as_str() {
            Some("/backchannel") => true,
            Some("/token") => record["request"]["params"]["grant_type"] != "refresh_token",
            _ => false,
        };
        if !ciba {
            continue;
        }
        let (shown, read) = (shown(record), replay(record, &discovery, &keys));
        *counts.entry(shown.split(' ').next().unwrap().to_owned()).or_default() += 1;
        if shown != read {
            wrong.push(format!("{}: shows {shown:?}, read as {read:?}", record["name"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.values().sum::<usize>() > 190 && counts["authenticated"] > 20, "{counts:?}");
}
