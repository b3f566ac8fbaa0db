//! The client's own machine against the provider, in simulated time: nobody sleeps, nothing
//! listens.

use std::sync::Arc;

use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientId, DeliveryMode, Entropy,
    Failure, Flow, Hint, Issuer, JwksCache, Lookup, Output, ProviderMetadata, Sending, SoftwareKey,
    Timestamp,
    crypto::RustCrypto,
    fault::Cause,
    http::{Body, Unanswered},
    jose::JwsAlgorithm,
    providers::idura,
};
use ciba_test_op::{Client, Endpoint, Provider, ProviderConfig, Reply, TestKey};

const ISSUER: &str = "https://op.example";

struct Run {
    provider: Provider,
    now: Timestamp,
    draws: u32,
    /// What the provider said with its pending answers, repetitions left out.
    progress: Vec<String>,
    /// What an agent has to read out.
    words: Option<String>,
}

impl Run {
    fn new(config: ProviderConfig) -> Self {
        let client =
            Client::with_key("client-1", TestKey::ClientP256.public_jwk(JwsAlgorithm::Es256));
        let provider = Provider::new(config.client(client)).unwrap();
        Self {
            provider,
            now: Timestamp::from_unix_secs(1_893_456_000),
            draws: 0,
            progress: Vec::new(),
            words: None,
        }
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
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.draws.to_be_bytes());
        Entropy::from_bytes(bytes)
    }

    fn exchange(&mut self, sending: Sending) -> ciba_core::Input {
        let gives_up = self.now.saturating_add(sending.transmit().timeout());
        let limit = sending.transmit().max_response();
        let (exchange, mut reply) = self.provider.begin(sending.request(), self.now);
        while let Reply::Hold { until, .. } = reply {
            if until > gives_up {
                break;
            }
            self.now = until;
            reply = self.provider.proceed(exchange, until);
        }
        let answer = match reply {
            Reply::Answer(response) | Reply::Close { response, .. } => Some(response),
            Reply::Drip { response, bytes_per_second } => {
                let seconds = u64::try_from(response.body.len() / bytes_per_second).unwrap();
                self.now = self.now.saturating_add(std::time::Duration::from_secs(seconds));
                Some(response).filter(|_| self.now <= gives_up)
            }
            Reply::Endless(mut response) => {
                response.body = Body::new(
                    response.body.expose().iter().copied().cycle().take(limit).collect::<Vec<_>>(),
                );
                response.truncated = true;
                Some(response)
            }
            Reply::Hold { .. } => None,
            Reply::Drop | Reply::DropInside { .. } => {
                self.provider.end(exchange, self.now);
                return sending.unanswered(Unanswered::Lost(Cause::Unknown));
            }
        };
        let input = match answer {
            Some(response) => sending.answered(response),
            None => {
                self.now = gives_up;
                sending.unanswered(Unanswered::Lost(Cause::Unknown))
            }
        };
        self.provider.end(exchange, self.now);
        input
    }

    fn authenticate(&mut self, request: AuthRequest) -> Result<Box<Authentication>, Failure> {
        let config = self.config();
        let key = SoftwareKey::import_pem(
            TestKey::ClientP256.private_pem(),
            JwsAlgorithm::Es256,
            &RustCrypto,
        )
        .unwrap();
        let mut cache = JwksCache::new(&config);
        let mut flow = Flow::start(config, request, self.entropy(), self.now).unwrap();
        loop {
            let entropy = self.entropy();
            let input = match flow.poll(self.now, entropy) {
                Output::Save(_) => unreachable!("the flow is in memory"),
                Output::Transmit(transmit) => {
                    let sending = flow.begin(transmit, self.now).unwrap();
                    self.exchange(sending)
                }
                Output::Key(operation) => key.answer(operation, self.entropy()),
                Output::KeySet(mut request) => match cache.lookup(&mut request, self.now) {
                    Lookup::Ready(keys) => request.found(keys),
                    Lookup::Fetch(transmit) => {
                        let sending = cache.begin(transmit, self.now).unwrap();
                        let input = self.exchange(sending);
                        cache.handle(input, self.now).unwrap();
                        match cache.lookup(&mut request, self.now) {
                            Lookup::Ready(keys) => request.found(keys),
                            _ => request.unavailable(Cause::Unknown.into()),
                        }
                    }
                    Lookup::Later(until) => request.later(until),
                    Lookup::Unavailable(why) => request.unavailable(why),
                },
                Output::Wait(wait) => {
                    let told = wait
                        .progress()
                        .filter(|text| self.progress.last().is_none_or(|last| last != text));
                    self.progress.extend(told.map(str::to_owned));
                    self.words = flow.acknowledgement().and_then(idura::words_to_read_out);
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
    assert_eq!(authentication.subject(), Ok("user-approve"));
    let report = run.provider.report();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.redeemed, 1);
    let polls = run
        .provider
        .exchanges()
        .iter()
        .filter(|exchange| exchange.endpoint == Endpoint::Token)
        .count();
    assert_eq!(polls, 3);
}

#[test]
fn each_hint_leads_to_its_outcome() {
    for (hint, expected) in [
        ("deny", "denied"),
        ("never", "expired"),
        ("nobody", "refused"),
        ("deny-after:0:x", "denied"),
    ] {
        let mut run = Run::new(ProviderConfig::generic(ISSUER));
        let failure = run.authenticate(asking(hint)).unwrap_err();
        assert_eq!(failure.name(), expected, "{hint}");
        let report = run.provider.report();
        assert!(report.is_clean(), "{hint}: {report}");
    }
}

#[test]
fn the_swedish_caller_of_the_idura_documentation_is_authenticated() {
    let mut run = Run::new(ProviderConfig::idura(ISSUER));
    let person = idura::SwedishPersonalNumber::parse("196802020575").unwrap();
    let message = "Confirm that you are calling Example Bank";
    let request =
        idura::SwedishBankId::phone_authentication(person, idura::CallInitiator::Company, message)
            .into_request();
    let authentication = run.authenticate(request).unwrap();
    assert_eq!(authentication.claims::<serde_json::Value>().unwrap()["ssn"], "196802020575");
    let texts = [
        "awaiting first user interaction",
        "awaiting user request acknowledgement",
        "awaiting user identification",
    ];
    assert_eq!(run.progress, texts, "the agent sees how far the person is");
    assert_eq!(run.words, None);
    assert!(run.provider.report().is_clean(), "{}", run.provider.report());
}

/// The words travel from the provider to the agent, who reads them out; the person picks them on
/// the phone.
#[test]
fn a_norwegian_caller_learns_the_words_that_the_person_must_pick() {
    let mut run = Run::new(ProviderConfig::idura(ISSUER));
    let person = idura::NorwegianNationalId::parse("01019010046").unwrap();
    let authentication =
        run.authenticate(idura::NorwegianBankId::caller_authentication(person).into_request());
    assert_eq!(
        authentication.unwrap().claims::<serde_json::Value>().unwrap()["socialno"],
        "01019010046"
    );
    let words = run.words.clone().expect("two words");
    assert_eq!(words.split(' ').count(), 2);
    let transaction = &run.provider.transactions(run.now)[0];
    assert_eq!(transaction.words.as_deref(), Some(words.as_str()));
    assert!(run.provider.word_choices(transaction.number).contains(&words));
    assert!(run.provider.report().is_clean(), "{}", run.provider.report());
}

#[test]
fn a_flow_ends_and_breaks_no_rule_under_every_named_fault() {
    for fault in
        ciba_test_op::faults::all().iter().filter(|fault| !fault.name.starts_with("discovery-"))
    {
        // Key sets are fetched once for many flows, so only a script reaches them; the others are
        // chosen by the hint.
        let mut run = Run::new(ProviderConfig::generic(ISSUER));
        let hint = format!("fault:{}", fault.name);
        if fault.name.starts_with("jwks-") {
            run.provider.script(fault.script.clone());
        }
        let started = run.now;
        let result = run.authenticate(asking(&hint));
        assert!(run.now.since(started) < std::time::Duration::from_secs(1_000), "{}", fault.name);
        let report = run.provider.report();
        // An interval that grew past the deadline does not take away the last poll.
        assert!(report.is_clean(), "{}: {result:?}: {report}", fault.name);
        if fault.menu == "F-20" {
            assert!(matches!(result, Err(Failure::Untrusted { .. })), "{}: {result:?}", fault.name);
        }
        if fault.menu == "F-12" && fault.name.starts_with("token-") {
            assert!(result.is_ok(), "{}: {result:?}", fault.name);
        }
        let fetched_trap =
            run.provider.exchanges().iter().any(|exchange| exchange.endpoint == Endpoint::Trap);
        assert!(!fetched_trap, "{}", fault.name);
    }
}
