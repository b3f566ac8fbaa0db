//! The client's own machine in ping and push mode against the provider, in simulated time, under
//! every named fault.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientId, DeliveryMode, Entropy,
    Failure, Flow, Hint, Input, Issuer, JwksCache, Lookup, Output, ProviderMetadata, Sending,
    SoftwareKey, Timestamp,
    crypto::RustCrypto,
    fault::Cause,
    http::{Unanswered, Url},
    jose::JwsAlgorithm,
    notification::Notification,
};
use ciba_test_op::{
    Client, Endpoint, FOREVER, Incoming, Provider, ProviderConfig, Reply, Report, TestKey, faults,
};

const ISSUER: &str = "https://op.example";
const ENDPOINT: &str = "https://app.example/cb";
const ES256: JwsAlgorithm = JwsAlgorithm::Es256;

struct Run {
    provider: Provider,
    now: Timestamp,
    draws: u32,
}

impl Run {
    fn new(mode: DeliveryMode) -> Self {
        let client = Client::with_key("client-1", TestKey::ClientP256.public_jwk(ES256));
        let client =
            if mode == DeliveryMode::Push { client.push(ENDPOINT) } else { client.ping(ENDPOINT) };
        let provider = Provider::new(ProviderConfig::generic(ISSUER).client(client)).unwrap();
        Self { provider, now: Timestamp::from_unix_secs(1_893_456_000), draws: 0 }
    }

    fn config(&mut self, mode: DeliveryMode) -> Arc<ClientConfig> {
        let request = Incoming::get("/.well-known/openid-configuration");
        let document = self.provider.handle(request, self.now).into_answer().unwrap();
        let metadata =
            ProviderMetadata::from_json(&Issuer::parse(ISSUER).unwrap(), document.body.expose())
                .unwrap();
        ClientConfig::builder(metadata, ClientId::new("client-1").unwrap())
            .delivery(mode)
            .notification_endpoint(Url::parse(ENDPOINT).unwrap())
            .client_auth(ClientAuth::PrivateKeyJwt {
                algorithm: ES256,
                key_id: Some(TestKey::ClientP256.key_id().into()),
            })
            .build()
            .unwrap()
    }

    fn entropy(&mut self) -> Entropy {
        self.draws += 1;
        let mut bytes = [0; 32];
        for (at, chunk) in bytes.chunks_mut(4).enumerate() {
            let mixed =
                self.draws.wrapping_mul(0x9e37_79b9).rotate_left(u32::try_from(at).unwrap() * 5);
            chunk.copy_from_slice(&mixed.to_be_bytes());
        }
        Entropy::from_bytes(bytes)
    }

    /// Carries everything that is due.
    fn notify(&mut self, flow: &mut Flow) {
        for outbound in self.provider.notifications(self.now) {
            let got =
                Notification::receive(&outbound.method, &outbound.headers, outbound.body.clone());
            let reply = match got {
                Ok(notification) => match flow.spent_key() {
                    Some(spent) => spent.notify(&notification, self.now).reply(),
                    None => flow.notify(&notification, self.now).verdict().reply(),
                },
                Err(bad) => bad.reply(),
            };
            self.provider.notification_answered(outbound.id, Some(reply.status), self.now);
        }
    }

    /// Moves on, at most to `until`, and only to the next notification when one falls due before.
    fn pass(&mut self, flow: &mut Flow, until: Timestamp) {
        let next = self.provider.next_notification().filter(|next| *next <= until);
        self.now = self.now.max(next.unwrap_or(until));
        self.notify(flow);
    }

    fn exchange(&mut self, flow: &mut Flow, sending: Sending) -> Input {
        let gives_up = self.now.saturating_add(sending.transmit().timeout());
        let (exchange, mut reply) = self.provider.begin(sending.request(), self.now);
        while let Reply::Hold { until, .. } = reply {
            if until == FOREVER || until > gives_up {
                break;
            }
            while self.now < until {
                self.pass(flow, until);
            }
            reply = self.provider.proceed(exchange, self.now);
        }
        self.provider.end(exchange, self.now);
        match reply {
            Reply::Answer(response) => sending.answered(response),
            _ => sending.unanswered(Unanswered::Lost(Cause::Unknown)),
        }
    }

    fn authenticate(
        &mut self,
        mode: DeliveryMode,
        hint: &str,
    ) -> Result<Box<Authentication>, Failure> {
        let config = self.config(mode);
        let key =
            SoftwareKey::import_pem(TestKey::ClientP256.private_pem(), ES256, &RustCrypto).unwrap();
        let mut cache = JwksCache::new(&config);
        let request = AuthRequest::new(Hint::Login(hint.into())).scope("openid offline_access");
        let entropy = self.entropy();
        let mut flow = Flow::start(config, request, entropy, self.now).unwrap();
        loop {
            let entropy = self.entropy();
            let input = match flow.poll(self.now, entropy) {
                Output::Save(_) => unreachable!("the flow is in memory"),
                Output::Transmit(transmit) => {
                    let sending = flow.begin(transmit, self.now).unwrap();
                    self.exchange(&mut flow, sending)
                }
                Output::Key(operation) => key.answer(operation, self.entropy()),
                Output::KeySet(mut request) => {
                    if let Lookup::Fetch(transmit) = cache.lookup(&mut request, self.now) {
                        let sending = cache.begin(transmit, self.now).unwrap();
                        let input = self.exchange(&mut flow, sending);
                        cache.handle(input, self.now).unwrap();
                    }
                    match cache.lookup(&mut request, self.now) {
                        Lookup::Ready(keys) => request.found(keys),
                        Lookup::Later(until) => request.later(until),
                        _ => request.unavailable(Cause::Unknown.into()),
                    }
                }
                Output::Wait(wait) => {
                    self.pass(&mut flow, wait.until());
                    continue;
                }
                Output::Done => break,
            };
            flow.handle(input, self.now).unwrap();
        }
        // What comes afterwards.
        while let Some(next) = self.provider.next_notification() {
            self.now = self.now.max(next);
            self.notify(&mut flow);
        }
        flow.finish()
    }
}

fn run(mode: DeliveryMode, hint: &str) -> (String, Report) {
    let mut run = Run::new(mode);
    let ended = run.authenticate(mode, hint);
    (
        ended.map_or_else(|failure| failure.name().to_owned(), |_| "authenticated".to_owned()),
        run.provider.report(),
    )
}

#[test]
fn each_hint_leads_to_its_outcome() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        // In push mode nobody can tell silence from a push that was lost.
        let silence = if mode == DeliveryMode::Push { "indeterminate" } else { "expired" };
        for (hint, expected) in
            [("approve", "authenticated"), ("deny", "denied"), ("never", silence)]
        {
            let (ended, report) = run(mode, hint);
            assert_eq!(ended, expected, "{mode:?} {hint}");
            assert!(report.is_clean(), "{mode:?} {hint}: {report}");
        }
    }
}

#[test]
fn a_flow_ends_and_breaks_no_rule_under_every_fault_of_a_ping() {
    let mut wrong = Vec::new();
    for fault in faults::ping() {
        let (ended, report) = run(DeliveryMode::Ping, &format!("fault:{}", fault.name));
        let expected = match fault.name {
            "ping-then-denied" => "denied",
            // It takes this client for one it pushes to.
            "ping-with-tokens" => "provider_misbehaved",
            _ => "authenticated",
        };
        let fetches = report
            .requests
            .iter()
            .find(|(endpoint, _)| *endpoint == Endpoint::Token)
            .map(|(_, count)| *count);
        let once = [
            "notification-twice",
            "notification-five-times",
            "notification-overtakes",
            "bearer-lower-case",
        ];
        if ended != expected
            || !report.is_clean()
            || once.contains(&fault.name) && fetches > Some(2)
        {
            wrong.push(format!("{}: {ended}, {report}", fault.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_flow_ends_and_breaks_no_rule_under_every_fault_of_a_push() {
    let mut wrong = Vec::new();
    for fault in faults::push() {
        let (ended, report) = run(DeliveryMode::Push, &format!("fault:{}", fault.name));
        let expected = match fault.name {
            "push-denied" => "denied",
            "push-failed" | "push-unknown-error" => "refused",
            // What is malformed or names no request changes nothing, and nothing better comes.
            "notification-late"
            | "notification-withheld"
            | "bearer-only-forged"
            | "push-no-auth-req-id" => "indeterminate",
            "push-expired" => "expired",
            // It is about this request and cannot be used: the provider's fault, and not the
            // person's (ruling 23).
            "push-bare" | "push-error-and-tokens" | "push-no-access-token" | "push-no-id-token" => {
                "provider_misbehaved"
            }
            "push-twice-with-other-tokens" => "authenticated",
            name if name.starts_with("push-") => "untrusted",
            _ => "authenticated",
        };
        if ended != expected || !report.is_clean() {
            wrong.push(format!("{}: {ended}, {report}", fault.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
