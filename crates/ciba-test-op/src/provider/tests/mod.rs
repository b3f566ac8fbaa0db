//! The rules of `spec/provider-side.md`, one test each, in simulated time; and the judge against
//! clients that break them.

mod authentication;
mod idura;
mod memory;
mod notify;
mod polling;
mod refresh;
mod request;
mod signed;

use std::time::Duration;

use ciba_core::{ClientSecret, Timestamp, http::Response, jose::JwsAlgorithm};
use serde_json::{Map, Value, json};

use super::Provider;
use crate::{
    client::{Client, ClientAuthentication},
    config::ProviderConfig,
    judge::Rule,
    jws::{self, Draft},
    keys::TestKey,
    message::{Endpoint, ExchangeId, Incoming, Reply},
    script::IdTokenEdit,
};

const ISSUER: &str = "https://op.example";
const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const GRANT: &str = "urn:openid:params:grant-type:ciba";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SECRET: &str = "open sesame";

/// A provider, the time, and a client that does what it is told.
struct Bench {
    provider: Provider,
    now: Timestamp,
}

fn post_client(id: &str) -> Client {
    Client::new(id, ClientAuthentication::ClientSecretPost { secret: ClientSecret::new(SECRET) })
}

fn bench() -> Bench {
    bench_with(|config| config)
}

fn bench_with(change: impl FnOnce(ProviderConfig) -> ProviderConfig) -> Bench {
    // Simulated time has no jitter.
    let exact =
        ProviderConfig { interval_tolerance: Duration::ZERO, ..ProviderConfig::generic(ISSUER) };
    let config = change(exact.client(post_client("app")).client(post_client("other")));
    Bench { provider: Provider::new(config).unwrap(), now: START }
}

impl Bench {
    fn path(&self, endpoint: Endpoint) -> String {
        self.provider.endpoint_url(endpoint)[ISSUER.len()..].to_owned()
    }

    fn send(&mut self, request: Incoming) -> Response {
        let answer = self.provider.handle(request, self.now).into_answer().unwrap();
        // RFC 9110 15.5.2, whatever was wrong.
        assert!(
            answer.status != 401 || answer.headers.get("www-authenticate").is_some(),
            "a 401 without a challenge"
        );
        answer
    }

    fn post(&mut self, endpoint: Endpoint, parameters: &[(&str, &str)]) -> (u16, Value) {
        let request = Incoming::post(&self.path(endpoint), parameters.iter().copied());
        read(&self.send(request))
    }

    /// An authentication request of `app`, with parameters that replace or add to the usual ones;
    /// an empty one removes.
    fn ask(&mut self, change: &[(&str, &str)]) -> (u16, Value) {
        let usual = [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("scope", "openid"),
            ("login_hint", "approve"),
        ];
        let kept = usual
            .into_iter()
            .filter(|(name, _)| !change.iter().any(|(changed, _)| changed == name));
        let parameters: Vec<_> =
            kept.chain(change.iter().copied()).filter(|(_, value)| !value.is_empty()).collect();
        self.post(Endpoint::Backchannel, &parameters)
    }

    fn begin(&mut self, hint: &str) -> String {
        let (status, body) = self.ask(&[("login_hint", hint)]);
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    fn poll_request(&self, auth_req_id: &str) -> Incoming {
        let parameters = [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("grant_type", GRANT),
            ("auth_req_id", auth_req_id),
        ];
        Incoming::post(&self.path(Endpoint::Token), parameters)
    }

    /// A poll after so many seconds.
    fn poll(&mut self, auth_req_id: &str, after: u64) -> (u16, Value) {
        self.pass(after);
        let request = self.poll_request(auth_req_id);
        read(&self.send(request))
    }

    /// The error of a poll after so many seconds.
    fn poll_error(&mut self, auth_req_id: &str, after: u64) -> String {
        self.poll(auth_req_id, after).1["error"].as_str().unwrap_or("none").to_owned()
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    /// The rules broken so far, each once and in order, and forgets them.
    fn broken(&mut self) -> Vec<Rule> {
        let mut rules: Vec<Rule> =
            self.provider.findings.kept.drain(..).map(|violation| violation.rule).collect();
        rules.dedup();
        rules
    }
}

fn read(response: &Response) -> (u16, Value) {
    (response.status, serde_json::from_slice(response.body.expose()).unwrap_or_default())
}

fn claims_of(tokens: &Value) -> Map<String, Value> {
    jws::parse(tokens["id_token"].as_str().unwrap()).unwrap().claims
}

fn held(reply: &Reply) -> (ExchangeId, Timestamp) {
    match reply {
        Reply::Hold { exchange, until } => (*exchange, *until),
        other => panic!("not held: {other:?}"),
    }
}
