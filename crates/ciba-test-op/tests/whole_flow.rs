//! The client's own machine against the provider, in simulated time: nobody sleeps, nothing listens.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientId, DeliveryMode, Entropy, Failure, Flow, Hint,
    Issuer, JwksCache, Lookup, Output, ProviderMetadata, SoftwareKey, Timestamp, Transmit, crypto::RustCrypto,
    jose::JwsAlgorithm, providers::idura,
};
use ciba_test_op::{Client, Endpoint, Provider, ProviderConfig, Reply, Script, TestKey};

const ISSUER: &str = "https://op.example";

struct Run {
    provider: Provider,
    now: Timestamp,
    draws: u8,
}

impl Run {
    fn new(config: ProviderConfig) -> Self {
        let client = Client::with_key("client-1", TestKey::ClientP256.public_jwk(JwsAlgorithm::Es256));
        let provider = Provider::new(config.client(client)).unwrap();
        Self { provider, now: Timestamp::from_unix_secs(1_893_456_000), draws: 0 }
    }

    fn config(&mut self) -> Arc<ClientConfig> {
        let request = ciba_test_op::Incoming::get("/.well-known/openid-configuration");
        let document = self.provider.handle(request, self.now).into_answer().unwrap();
        let issuer = Issuer::parse(ISSUER).unwrap();
        let metadata = ProviderMetadata::from_json(&issuer, document.body.expose()).unwrap();
        let key_id = Some(TestKey::ClientP256.key_id().into());
        ClientConfig::builder(metadata, ClientId::new("client-1").unwrap())
            .delivery(DeliveryMode::Poll)
            .client_auth(ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id })
            .build()
            .unwrap()
    }

    fn entropy(&mut self) -> Entropy {
        self.draws += 1;
        Entropy::from_bytes([self.draws; 32])
    }

    fn exchange(&mut self, transmit: Transmit) -> ciba_core::Input {
        let (request, ticket) = transmit.into_parts();
        match self.provider.handle(&request, self.now) {
            Reply::Answer(response) => ticket.answered(response),
            _ => ticket.unanswered(ciba_core::Unanswered::Lost),
        }
    }

    fn authenticate(&mut self, request: AuthRequest) -> Result<Box<Authentication>, Failure> {
        let config = self.config();
        let key = SoftwareKey::from_pem(TestKey::ClientP256.private_pem(), JwsAlgorithm::Es256, &RustCrypto).unwrap();
        let mut cache = JwksCache::new(&config);
        let mut flow = Flow::start(config, request, self.entropy(), self.now).unwrap();
        loop {
            let entropy = self.entropy();
            let input = match flow.poll(self.now, entropy) {
                Output::Transmit(transmit) => self.exchange(transmit),
                Output::Key(operation) => key.answer(operation, self.entropy()),
                Output::KeySet(request) => match cache.lookup(&request, self.now) {
                    Lookup::Ready(keys) => request.found(keys),
                    Lookup::Fetch(transmit) => {
                        let input = self.exchange(transmit);
                        cache.handle(input, self.now).unwrap();
                        match cache.lookup(&request, self.now) {
                            Lookup::Ready(keys) => request.found(keys),
                            _ => request.unavailable(),
                        }
                    }
                    Lookup::Later(until) => request.later(until),
                    Lookup::Unavailable => request.unavailable(),
                },
                Output::Wait(wait) => {
                    self.now = wait.until();
                    continue;
                }
                Output::Done => return flow.finish(),
            };
            flow.handle(input, self.now).unwrap();
        }
    }
}

fn asking(hint: &str) -> AuthRequest {
    AuthRequest::new(Hint::Login(hint.into())).binding_message("W4SCT")
}

#[test]
fn an_approval_ends_in_tokens_and_breaks_no_rule() {
    let mut run = Run::new(ProviderConfig::generic(ISSUER));
    let authentication = run.authenticate(asking("approve")).unwrap();
    assert_eq!(authentication.subject(), Some("user-approve"));
    let report = run.provider.report();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.redeemed, 1);
    let polls = run.provider.exchanges().iter().filter(|exchange| exchange.endpoint == Endpoint::Token).count();
    assert_eq!(polls, 3);
}

#[test]
fn people_steered_by_their_hint_end_as_the_hint_says() {
    for (hint, expected) in
        [("deny", "denied"), ("never", "expired"), ("nobody", "refused"), ("deny-after:0:x", "denied")]
    {
        let mut run = Run::new(ProviderConfig::generic(ISSUER));
        let failure = run.authenticate(asking(hint)).unwrap_err();
        assert_eq!(failure.name(), expected, "{hint}");
        let report = run.provider.report();
        assert!(report.is_clean(), "{hint}: {report}");
    }
}

#[test]
fn the_swedish_caller_of_the_idura_page_is_authenticated() {
    let mut run = Run::new(ProviderConfig::idura(ISSUER));
    let person = idura::SwedishPersonalNumber::parse("196802020575").unwrap();
    let message = "Confirm that you are calling Example Bank";
    let request =
        idura::SwedishBankId::phone_authentication(person, idura::CallInitiator::Company, message).into_request();
    let authentication = run.authenticate(request).unwrap();
    assert_eq!(authentication.claims::<serde_json::Value>().unwrap()["ssn"], "196802020575");
    assert!(run.provider.report().is_clean(), "{}", run.provider.report());
}

#[test]
fn every_named_fault_has_a_script() {
    for fault in ciba_test_op::faults::all() {
        assert_ne!(fault.script, Script::new(), "{}", fault.name);
        assert_eq!(ciba_test_op::faults::named(fault.name).map(|found| found.name), Some(fault.name));
    }
}
