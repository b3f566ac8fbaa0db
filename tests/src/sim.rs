//! A flow, a provider and a clock in simulated time, with a mirror that computes by itself when the next token request is
//! due. Every step checks the rules that always hold; see [`Sim::poll`] and [`Sim::deliver`].
//!
//! Two lines of elapsed time are kept. The *spacing* line counts every step forward of the clock through all crashes: no
//! request may be early on it. The *client's* line goes back with a snapshot that is resumed: deadlines are kept on it.

mod answers;
mod mirror;

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, Authentication, Because, ClientAuth, ClientConfig, ClientConfigBuilder, ClientId, DeliveryMode,
    Endpoint, Entropy, Failure, Flow, Hint, Issuer, JwksCache, KeyOperation, KeySetRequest, Output, Policy,
    ProviderMetadata, Request, Response, Stage, Timestamp, TransmitTicket, Url, Wait, jose::JwsAlgorithm,
};
use serde_json::Value;

use self::mirror::{Grant, Kind, Mirror, OpenQuestion, Outcome};
use crate::{
    cheap::Cheap,
    model::{CLIENT_ID, ISSUER, Provider, Say},
};

/// The wall clock at the start of a simulation: 2030-01-01T00:00:00Z, in milliseconds.
pub const START: u64 = 1_893_456_000_000;
/// The most jitter, in milliseconds.
pub const JITTER: u64 = 250;
const GRACE: u64 = 60_000;
const LOCAL: u64 = 60_000;

/// What differs between simulations.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `interval` as the provider writes it.
    pub interval: Value,
    /// The interval that is in force then, in milliseconds.
    pub effective_interval: u64,
    /// `expires_in`, in seconds.
    pub expires_in: u64,
    /// The client's choices.
    pub policy: Policy,
    /// How results are delivered.
    pub delivery: DeliveryMode,
}

impl Setup {
    /// Poll mode, an interval and a lifetime in seconds.
    #[must_use]
    pub fn new(interval: u64, expires_in: u64) -> Self {
        Self {
            interval: interval.into(),
            effective_interval: interval * 1000,
            expires_in,
            policy: Policy::default(),
            delivery: DeliveryMode::Poll,
        }
    }
}

/// A configuration with the cheap backend, for the reference provider; finish it with `build`.
///
/// # Panics
///
/// Never: the constants are well-formed.
pub fn client(issuer: &str) -> ClientConfigBuilder {
    let url = |text: &str| Url::parse(text).expect("well-formed");
    let mut metadata = ProviderMetadata::by_hand(Issuer::parse(issuer).expect("well-formed"));
    metadata.backchannel_authentication_endpoint = Some(url("https://op.example/ciba"));
    metadata.token_endpoint = Some(url("https://op.example/token"));
    metadata.jwks_uri = Some(url("https://op.example/jwks"));
    metadata.user_code_supported = true;
    ClientConfig::builder(metadata, ClientId::new(CLIENT_ID).expect("well-formed"))
        .client_auth(ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::EdDsa, key_id: Some("client-key".into()) })
        .id_token_algorithm(JwsAlgorithm::EdDsa)
        .verifier(Arc::new(Cheap))
}

/// The request of every simulation.
pub fn request() -> AuthRequest {
    AuthRequest::new(Hint::Login("login-hint-sentinel".into()))
}

/// What a poll said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An exchange with an endpoint is to be performed.
    Transmit(Endpoint),
    /// A signature is wanted.
    Key,
    /// Keys are wanted.
    KeySet,
    /// Wait.
    Wait(Wait),
    /// It is over.
    Done,
}

/// A question of the flow that has not been answered.
#[derive(Debug)]
pub struct Asked {
    /// Counts the questions of a simulation.
    pub id: u64,
    /// What was asked.
    pub question: Question,
}

/// The kinds of question.
#[derive(Debug)]
pub enum Question {
    /// An exchange, and the provider's answer once it was performed.
    Transmit {
        /// Takes the answer.
        ticket: TransmitTicket,
        /// What to send.
        request: Request,
        /// Where to.
        endpoint: Endpoint,
        /// What came back, with what it means for the next request.
        response: Option<(Response, Option<Say>)>,
    },
    /// A signature.
    Key(KeyOperation),
    /// Keys.
    KeySet(KeySetRequest),
}

/// Everything together.
#[derive(Debug)]
pub struct Sim {
    /// The configuration.
    pub config: Arc<ClientConfig>,
    /// The flow.
    pub flow: Flow,
    /// The provider.
    pub op: Provider,
    /// The issuer's keys.
    pub cache: JwksCache,
    /// The question that is open, as far as the caller knows.
    pub open: Option<Asked>,
    /// Questions that were left unanswered.
    pub left: Vec<Asked>,
    /// When token requests were sent, in milliseconds since the start, on the provider's clock.
    pub sends: Vec<u64>,
    setup: Setup,
    wall: u64,
    elapsed: u64,
    entropy: u64,
    ids: u64,
    mirror: Mirror,
    saved: (Vec<u8>, Mirror, u64),
    spacing: u64,
    spacing_wall: u64,
    /// On the spacing line: no token request before it.
    not_before: u64,
    /// Whether an authentication request may have left.
    prompted: bool,
    polls_without_time: u32,
    lives: u32,
    /// The clocks before the last look at them: a call that is refused has not looked.
    unobserved: (u64, u64, u64, u64),
}

fn entropy(counter: &mut u64) -> Entropy {
    *counter += 1;
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&counter.to_le_bytes());
    Entropy::from_bytes(bytes)
}

impl Sim {
    /// Starts a flow.
    ///
    /// # Panics
    ///
    /// When the setup is not one a flow can be started with.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let config = client(ISSUER).policy(setup.policy.clone()).delivery(setup.delivery).build().expect("valid");
        Self::with(setup, config, request())
    }

    /// Starts a flow with another configuration or request.
    ///
    /// # Panics
    ///
    /// When the request cannot be sent.
    #[must_use]
    pub fn with(setup: Setup, config: Arc<ClientConfig>, request: AuthRequest) -> Self {
        let mut counter = 0;
        let now = Timestamp::from_unix_millis(START);
        let flow = Flow::start(Arc::clone(&config), request, entropy(&mut counter), now).expect("it can be sent");
        let mirror = Mirror { wall: START, line: 0, open: None, grant: None, redeemed: false };
        Self {
            cache: JwksCache::new(&config),
            op: Provider::new(setup.interval.clone(), setup.expires_in.into()),
            saved: (flow.snapshot().as_bytes().to_vec(), mirror.clone(), flow.revision()),
            flow,
            config,
            setup,
            mirror,
            wall: START,
            elapsed: 0,
            entropy: counter,
            ids: 0,
            open: None,
            left: Vec::new(),
            sends: Vec::new(),
            spacing: 0,
            spacing_wall: START,
            not_before: 0,
            prompted: false,
            polls_without_time: 0,
            lives: 0,
            unobserved: (START, 0, START, 0),
        }
    }

    /// What the client's clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.wall)
    }

    /// Milliseconds since the start, on the provider's clock.
    #[must_use]
    pub const fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Lets time pass.
    pub fn advance(&mut self, millis: u64) {
        self.wall += millis;
        self.elapsed += millis;
        if millis > 0 {
            self.polls_without_time = 0;
        }
    }

    /// Lets time pass until an instant on the client's clock.
    pub fn advance_to(&mut self, until: Timestamp) {
        self.advance(until.unix_millis().saturating_sub(self.wall));
    }

    /// Sets the client's clock forward or back; no time passes.
    pub fn set_clock(&mut self, by: i64) {
        self.wall = self.wall.saturating_add_signed(by);
    }

    /// Thirty-two bytes that were never used.
    pub fn entropy(&mut self) -> Entropy {
        entropy(&mut self.entropy)
    }

    fn observe(&mut self) {
        self.unobserved = (self.mirror.wall, self.mirror.line, self.spacing_wall, self.spacing);
        self.mirror.line += self.wall.saturating_sub(self.mirror.wall);
        self.mirror.wall = self.wall;
        self.spacing += self.wall.saturating_sub(self.spacing_wall);
        self.spacing_wall = self.wall;
    }

    /// Polls, checks everything that always holds, and saves what is to be saved before an output is carried out.
    ///
    /// # Panics
    ///
    /// When a rule is broken.
    pub fn poll(&mut self) -> Said {
        self.poll_as(true)
    }

    /// As [`Self::poll`], and then the process dies before it could save or do anything.
    pub fn poll_and_die(&mut self) {
        let _ = self.poll_as(false);
        self.open = None;
        self.crash();
    }

    fn poll_as(&mut self, persist: bool) -> Said {
        self.observe();
        self.expire_open();
        self.polls_without_time += 1;
        assert!(self.polls_without_time < 40, "polls without end while no time passes: {:?}", self.flow);
        let (revision, now) = (self.flow.revision(), self.now());
        let entropy = self.entropy();
        let output = self.flow.poll(now, entropy);
        assert!(self.flow.revision() >= revision, "the revision went back");
        self.ids += 1;
        let id = self.ids;
        let line = self.mirror.line;
        let asked = |sim: &mut Self, kind, limit, question| {
            assert!(sim.mirror.open.is_none(), "a question is open and another is asked");
            sim.mirror.open = Some(OpenQuestion { id, kind, sent: line, limit });
            sim.left.extend(sim.open.take());
            sim.open = Some(Asked { id, question });
        };
        let said = match output {
            Output::Transmit(transmit) => {
                let endpoint = transmit.endpoint();
                let mut limit = line + u64::try_from(transmit.timeout().as_millis()).expect("short") + 1000;
                let kind = if endpoint == Endpoint::Token { Kind::Token } else { Kind::Authentication };
                if kind == Kind::Token {
                    self.token_request_is_due();
                    limit = limit.min(self.grant().deadline + GRACE);
                } else {
                    assert!(!self.prompted, "an authentication request is repeated though one may have left");
                }
                let (request, ticket) = transmit.into_parts();
                if persist && kind == Kind::Token {
                    self.sends.push(self.elapsed);
                }
                asked(self, kind, limit, Question::Transmit { ticket, request, endpoint, response: None });
                Said::Transmit(endpoint)
            }
            Output::Key(operation) => {
                // A signature that is not there at the deadline is not wanted any more.
                let deadline = self.mirror.grant.as_ref().map_or(u64::MAX, |grant| grant.deadline);
                asked(self, Kind::Signature, deadline.min(line + LOCAL), Question::Key(operation));
                Said::Key
            }
            Output::KeySet(request) => {
                asked(self, Kind::Keys, line + LOCAL, Question::KeySet(request));
                Said::KeySet
            }
            Output::Wait(wait) => {
                self.wait_is_right(&wait);
                Said::Wait(wait)
            }
            Output::Done => {
                assert_eq!((self.flow.stage(), self.flow.wake_at()), (Stage::Settled, None));
                Said::Done
            }
        };
        if persist {
            self.save_if_changed();
        }
        said
    }

    fn grant(&self) -> &Grant {
        self.mirror.grant.as_ref().expect("there is a grant once token requests are made")
    }

    /// The rules for the moment a token request is sent.
    fn token_request_is_due(&self) {
        let grant = self.grant();
        assert!(!self.mirror.redeemed, "a token request after a 200");
        assert!(self.mirror.line < grant.deadline, "a token request at or after the deadline");
        assert!(self.mirror.line >= grant.due.0, "{} ms early", grant.due.0 - self.mirror.line);
        assert!(self.spacing >= self.not_before, "{} ms early", self.not_before - self.spacing);
        assert_ne!(self.setup.delivery, DeliveryMode::Push, "a token request in push mode");
    }

    fn wait_is_right(&mut self, wait: &Wait) {
        let now = self.now();
        assert!(wait.until() > now, "a wait that is already over is a busy loop");
        let wake_at = self.flow.wake_at().expect("a flow that waits wakes");
        assert_eq!(wait.until(), wake_at.max(now.saturating_add(Duration::from_millis(1))), "{:?}", self.flow);
        let due = self.mirror.line + u64::try_from(wait.until().since(now).as_millis()).expect("short");
        let (low, high) = match (self.mirror.open, self.flow.stage()) {
            (Some(open), _) => (if open.kind == Kind::Keys { self.mirror.line } else { open.limit }, open.limit),
            (None, Stage::Pending) => {
                let grant = self.grant();
                (grant.due.0.min(grant.deadline), grant.due.1.min(grant.deadline))
            }
            _ => (self.mirror.line, u64::MAX),
        };
        assert!((low..=high).contains(&due), "waits until {due}, and not within {low}..={high}: {wait:?}");
        if matches!(wait.because(), Because::InFlight) {
            assert!(self.mirror.open.is_some(), "waits for an answer that cannot come");
        }
    }

    /// What the flow concludes from an open question whose time is up.
    fn expire_open(&mut self) {
        let Some(open) = self.mirror.open.filter(|open| self.mirror.line >= open.limit) else { return };
        self.mirror.open = None;
        if open.kind == Kind::Token && self.flow.stage() == Stage::Redeeming {
            self.ended(&Outcome::Lost { waited: self.mirror.line - open.sent }, open.sent);
        }
    }

    fn ended(&mut self, outcome: &Outcome, sent: u64) {
        let line = self.mirror.line;
        let Some(grant) = &mut self.mirror.grant else { return };
        grant.ended(outcome, sent, line, &self.setup.policy);
        // The shortest wait of all rules, counted on the line that no crash sets back.
        let from_send = matches!(self.setup.policy.interval_reference, ciba_core::IntervalReference::Send);
        let since_send = if from_send { line - sent } else { 0 };
        self.not_before = self.spacing + grant.interval.saturating_sub(since_send);
        if let Outcome::Answer(Say::Pending(asked, _) | Say::SlowDown(asked, _) | Say::Busy(_, asked)) = outcome {
            self.not_before = self.not_before.max(self.spacing + asked.unwrap_or(0) * 1000);
        }
    }

    fn save_if_changed(&mut self) {
        if self.flow.revision() != self.saved.2 {
            self.save();
        }
    }

    /// Saves the flow; whatever can be resumed from it is the same every time.
    ///
    /// # Panics
    ///
    /// When a snapshot does not survive a round trip.
    pub fn save(&mut self) {
        let snapshot = self.flow.snapshot().as_bytes().to_vec();
        let now = Timestamp::from_unix_millis(self.mirror.wall);
        let resume = |bytes: &[u8]| Flow::resume(Arc::clone(&self.config), bytes, now).expect("it resumes");
        let once = resume(&snapshot).snapshot();
        let twice = resume(once.as_bytes()).snapshot();
        let content = |bytes: &[u8]| {
            let mut content: Value = serde_json::from_slice(bytes).expect("JSON");
            content["counter"] = Value::Null;
            content
        };
        assert_eq!(content(once.as_bytes()), content(twice.as_bytes()), "a snapshot changes by being resumed");
        self.saved = (snapshot, self.mirror.clone(), self.flow.revision());
    }

    /// The process dies, and another one goes on from what was saved last.
    ///
    /// # Panics
    ///
    /// When the snapshot cannot be resumed.
    pub fn crash(&mut self) {
        self.lives += 1;
        self.left.extend(self.open.take());
        self.mirror = self.saved.1.clone();
        self.observe();
        self.flow = Flow::resume(Arc::clone(&self.config), &self.saved.0, self.now()).expect("it resumes");
        if let Some(open) = self.mirror.open.take().filter(|open| open.kind == Kind::Token) {
            let _ = open;
            let line = self.mirror.line;
            self.ended(&Outcome::Resumed, line);
        }
        self.polls_without_time = 0;
    }

    /// Goes on as a well-behaved caller until the flow asks for a token request, is over, or `say` is used up: signs,
    /// finds keys, waits. The authentication request is answered.
    pub fn run(&mut self) -> Said {
        loop {
            match self.poll() {
                Said::Transmit(Endpoint::BackchannelAuthentication) => self.answer(Say::Pending(None, None)),
                Said::Key => {
                    if let Some(asked) = self.open.take() {
                        self.sign(asked);
                    }
                }
                Said::KeySet => {
                    if let Some(asked) = self.open.take() {
                        self.find_keys(asked, true);
                    }
                }
                Said::Wait(wait) => self.advance_to(wait.until()),
                said @ (Said::Transmit(_) | Said::Done) => return said,
            }
        }
    }

    /// As [`Self::run`], after carrying out what is open.
    pub fn run_open(&mut self) -> Said {
        if let Some(asked) = self.open.take() {
            match asked.question {
                Question::Transmit { .. } => self.deliver(asked),
                Question::Key(_) => self.sign(asked),
                Question::KeySet(_) => self.find_keys(asked, true),
            }
        }
        self.run()
    }

    /// The result; it is what it should be: tokens only when they are genuine.
    ///
    /// # Errors
    ///
    /// The flow's failure.
    ///
    /// # Panics
    ///
    /// When tokens are accepted that the provider did not issue as genuine.
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        let result = self.flow.finish();
        if let Ok(authentication) = &result {
            assert!(self.op.is_genuine(authentication.access_token().expose()), "forged tokens were accepted");
        }
        result
    }
}
