//! A flow, a provider and a clock in simulated time, with a reference model that computes
//! independently when the next token request is due. Every step checks the rules that always hold;
//! see [`Sim::poll`] and [`Sim::deliver`].
//!
//! Two time lines are kept. The *spacing* line counts every step forward of the clock through all
//! crashes: no request may be early on it. The *client's* line goes back when an older snapshot is
//! resumed: deadlines are kept on it.

mod answers;
mod end;
mod mirror;
mod mirrored;
mod notifications;
mod questions;
mod setup;
mod store;

use std::{sync::Arc, time::Duration};

use ciba_core::{
    AuthRequest, ClientConfig, DeliveryMode, Entropy, Flow, JwksCache, KeyOperation, KeySetRequest,
    Output, Sending, Stage, Timestamp, Transmit, Wait,
    http::{Endpoint, Response},
    machine::{KeyPurpose, WaitReason},
};
use serde_json::Value;

use self::mirror::{Grant, Kind, Mirror, OpenQuestion, Outcome, PING_PAUSE};
pub use self::setup::{Setup, client, request};
pub use self::store::Fails;
use self::store::{Store, is_for_the_store};
use crate::model::{Provider, Say};

/// The wall clock at the start of a simulation: 2030-01-01T00:00:00Z, in milliseconds.
pub const START: u64 = 1_893_456_000_000;
/// The maximum jitter, in milliseconds.
pub const JITTER: u64 = 250;
const GRACE: u64 = 60_000;

/// The output of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// An exchange with an endpoint.
    Transmit(Endpoint),
    /// A signature is requested.
    Key,
    /// Keys are requested.
    KeySet,
    /// Wait.
    Wait(Wait),
    /// A save that did not succeed.
    Save,
    /// The end.
    Done,
}

/// A question of the flow that has not been answered.
#[derive(Debug)]
pub struct Asked {
    /// The number of the question in the simulation.
    pub id: u64,
    /// The question.
    pub question: Question,
}

/// The kinds of question.
#[derive(Debug)]
pub enum Question {
    /// An exchange that has not begun.
    Transmit(Transmit),
    /// An exchange that has begun, with the answer of the provider once it was performed.
    Sent {
        /// The request, which takes the answer.
        sending: Sending,
        /// The response, with its meaning for the next request.
        response: Option<(Response, Option<Say>)>,
    },
    /// A signature.
    Key(KeyOperation),
    /// Keys.
    KeySet(KeySetRequest),
}

/// What happens to the caller that polls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// It saves when asked to.
    Saves,
    /// It is dropped, at the latest while it holds the question.
    Abandons,
    /// The process dies before it saves or does anything.
    Dies,
}

/// The simulation.
#[derive(Debug)]
pub struct Sim {
    /// The configuration.
    pub config: Arc<ClientConfig>,
    /// The flow.
    pub flow: Flow,
    /// The provider.
    pub op: Provider,
    /// The keys of the issuer.
    pub cache: JwksCache,
    /// The open question, as far as the caller knows.
    pub open: Option<Asked>,
    /// Questions that were left unanswered.
    pub left: Vec<Asked>,
    /// Whether keys requested ahead of time were not available, so that the flow wakes up to
    /// request them again.
    pub keys_missed: bool,
    /// When token requests were sent, in milliseconds since the start, on the provider's clock.
    pub sends: Vec<u64>,
    setup: Setup,
    wall: u64,
    elapsed: u64,
    entropy: u64,
    ids: u64,
    mirror: Mirror,
    store: Store,
    spacing: u64,
    spacing_wall: u64,
    /// On the spacing line: the earliest moment of the next token request.
    not_before: u64,
    /// Whether an authentication request may have been sent.
    prompted: bool,
    /// On the spacing line: when the last token request ended.
    ended: Option<u64>,
    polls_without_time: u32,
    /// Since when keys may have been requested and held back for a save.
    keys_since: Option<u64>,
    processes: u32,
    /// The notification token, which the provider knows once the request arrived.
    token: Option<String>,
    /// The number of token requests that did not wait for the interval, because of a notification.
    skips: u32,
    /// The clocks before they were last observed. A rejected call does not observe them.
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
    /// Panics if a flow cannot be started with the setup.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let config = setup.config();
        let mut request = request();
        if let Some(seconds) = setup.requested_expiry {
            request = request.requested_expiry(Duration::from_secs(seconds));
        }
        Self::with(setup, config, request)
    }

    /// Starts a flow with another configuration or request.
    ///
    /// # Panics
    ///
    /// Panics if the request cannot be sent.
    #[must_use]
    pub fn with(setup: Setup, config: Arc<ClientConfig>, request: AuthRequest) -> Self {
        let mut counter = 0;
        let now = Timestamp::from_unix_millis(START);
        let flow = Flow::start(Arc::clone(&config), request, entropy(&mut counter), now)
            .expect("it can be sent")
            .durable();
        let mirror = Mirror { wall: START, ..Mirror::default() };
        let first: Value = serde_json::from_slice(flow.snapshot().as_bytes()).expect("JSON");
        let token = first["mailbox"]["token"].as_str().map(str::to_owned);
        assert_eq!(
            token.is_some(),
            setup.delivery != DeliveryMode::Poll,
            "a notification token without need, or none"
        );
        Self {
            token,
            cache: JwksCache::new(&config),
            op: Provider::new(setup.interval.clone(), setup.expires_in.into()),
            store: Store::new(&flow.snapshot(), &mirror),
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
            keys_missed: false,
            sends: Vec::new(),
            spacing: 0,
            spacing_wall: START,
            not_before: 0,
            ended: None,
            prompted: false,
            polls_without_time: 0,
            keys_since: None,
            processes: 0,
            skips: 0,
            unobserved: (START, 0, START, 0),
        }
    }

    /// Returns the setup of the simulation.
    #[must_use]
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Returns the time of the client's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.wall)
    }

    /// Returns the milliseconds since the start, on the provider's clock.
    #[must_use]
    pub const fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Returns the notification token, or `None` in poll mode.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.token.clone()
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

    /// Sets the client's clock forward or back without letting time pass.
    pub fn set_clock(&mut self, by: i64) {
        self.wall = self.wall.saturating_add_signed(by);
    }

    /// Returns 32 bytes that were never used before.
    pub fn entropy(&mut self) -> Entropy {
        entropy(&mut self.entropy)
    }

    fn observe(&mut self) {
        self.unobserved = (self.mirror.wall, self.mirror.moment, self.spacing_wall, self.spacing);
        self.mirror.moment += self.wall.saturating_sub(self.mirror.wall);
        self.mirror.wall = self.wall;
        self.spacing += self.wall.saturating_sub(self.spacing_wall);
        self.spacing_wall = self.wall;
    }

    /// Polls, checks everything that always holds, and saves the state before an output is
    /// performed. If the save fails and must stop the caller, no question is open afterwards.
    ///
    /// # Panics
    ///
    /// Panics if a rule is broken.
    pub fn poll(&mut self) -> Said {
        self.poll_as(Caller::Saves)
    }

    /// Like [`Self::poll`], but then the process dies before it saves or does anything.
    pub fn poll_and_die(&mut self) {
        let _ = self.poll_as(Caller::Dies);
        self.open = None;
        self.crash();
    }

    fn poll_as(&mut self, caller: Caller) -> Said {
        let persist = caller != Caller::Dies;
        self.observe();
        self.hear_of_a_drop();
        self.expire_held();
        self.expire_open();
        self.polls_without_time += 1;
        assert!(
            self.polls_without_time < 40,
            "polls without end while no time passes: {:?}",
            self.flow
        );
        let revision = self.flow.revision();
        let mut is_kept_now = false;
        let mut saves = 0;
        let output = loop {
            match self.poll_flow() {
                Output::Save(save) => {
                    self.is_held_back();
                    match caller {
                        Caller::Saves => is_kept_now = self.keep(save),
                        Caller::Abandons => {
                            self.abandon(&save);
                            return Said::Save;
                        }
                        Caller::Dies => return Said::Save,
                    }
                    saves += 1;
                    // One for the question, and one for keys requested ahead of time if the store
                    // fails.
                    assert!(saves <= 2, "saves without end: {:?}", self.flow);
                }
                output => break output,
            }
        };
        assert!(self.flow.revision() >= revision, "the revision went back");
        self.ids += 1;
        let id = self.ids;
        let is_held = matches!(&output, Output::Wait(wait) if is_for_the_store(wait));
        if is_held {
            self.is_held_back();
        }
        let said = match output {
            Output::Transmit(transmit) => {
                let endpoint = transmit.endpoint();
                let kind =
                    if endpoint == Endpoint::Token { Kind::Token } else { Kind::Authentication };
                if kind == Kind::Token {
                    self.token_request_is_due(persist);
                } else {
                    assert!(self.mirror.moment < self.not_after(), "a prompt that comes too late");
                    assert!(
                        !self.prompted,
                        "an authentication request is repeated though one may have left"
                    );
                }
                if persist && kind == Kind::Token {
                    self.sends.push(self.elapsed);
                }
                self.is_handed_out(id, kind, Question::Transmit(transmit));
                Said::Transmit(endpoint)
            }
            Output::Key(operation) => {
                self.is_handed_out(id, Kind::Signature, Question::Key(operation));
                Said::Key
            }
            Output::KeySet(request) => {
                self.is_handed_out(id, Kind::Keys, Question::KeySet(request));
                Said::KeySet
            }
            Output::Wait(wait) => {
                self.wait_is_right(&wait);
                Said::Wait(wait)
            }
            Output::Save(_) => unreachable!("saved above"),
            Output::Done => {
                assert_eq!((self.flow.stage(), self.flow.wake_at()), (Stage::Settled, None));
                Said::Done
            }
        };
        if let (Some(grant), Stage::Pending | Stage::Redeeming) =
            (&self.mirror.grant, self.flow.stage())
        {
            let deadline = (self.mirror.wall + grant.deadline).saturating_sub(self.mirror.moment);
            assert_eq!(self.flow.expires_at(), Some(Timestamp::from_unix_millis(deadline)));
        }
        if is_kept_now {
            self.stands_for_what_is_kept();
        }
        if !is_held {
            self.keys_since = None;
        }
        self.store.is_behind |= said == Said::Transmit(Endpoint::Token) && !self.is_saved();
        said
    }

    /// Polls once. A question for keys ahead of time is left open, because nothing waits for the
    /// answer.
    fn poll_flow(&mut self) -> Output {
        let (revision, now) = (self.flow.revision(), self.now());
        let (entropy, was_pending) = (self.entropy(), self.flow.stage() == Stage::Pending);
        let output = self.flow.poll(now, entropy);
        self.was_saved_before(&output);
        match output {
            Output::KeySet(request) if request.within().is_some() => {
                assert_eq!(
                    self.flow.stage(),
                    Stage::Pending,
                    "the keys are requested ahead of time"
                );
                assert!(!was_pending || self.flow.revision() == revision, "it is not worth a save");
                self.ids += 1;
                self.left.push(Asked { id: self.ids, question: Question::KeySet(request) });
                let entropy = self.entropy();
                let output = self.flow.poll(now, entropy);
                self.was_saved_before(&output);
                output
            }
            output => output,
        }
    }

    /// On the client's line: the moment from which no authentication request is sent.
    fn not_after(&self) -> u64 {
        u64::try_from(self.setup.policy.prompt_within.as_millis()).expect("short")
    }

    /// The maximum time for a signature or a key set.
    fn local(&self) -> u64 {
        u64::try_from(self.setup.policy.local_timeout.as_millis()).expect("short")
    }

    fn grant(&self) -> &Grant {
        self.mirror.grant.as_ref().expect("there is a grant once token requests are made")
    }

    /// Checks the rules for the moment at which a token request is sent.
    fn token_request_is_due(&mut self, leaves: bool) {
        let grant = self.grant();
        let moment = self.mirror.moment;
        assert!(!self.mirror.redeemed, "a token request after a 200");
        assert!(moment < grant.deadline, "a token request at or after the deadline");
        assert!(self.mirror.moment >= grant.due.0, "{} ms early", grant.due.0 - self.mirror.moment);
        assert_ne!(self.setup.delivery, DeliveryMode::Push, "a token request in push mode");
        if self.spacing < self.not_before {
            assert!(grant.pinged, "{} ms early", self.not_before - self.spacing);
            assert!(
                self.ended.is_none_or(|ended| self.spacing >= ended + PING_PAUSE),
                "a request right after another"
            );
            self.skips += u32::from(leaves);
            assert!(
                self.skips <= 6,
                "notifications skipped more waits than the first and five others"
            );
        }
    }

    fn wait_is_right(&mut self, wait: &Wait) {
        let now = self.now();
        assert!(wait.until() > now, "a wait that is already over causes a busy loop");
        let wake_at = self.flow.wake_at().expect("a waiting flow wakes up");
        assert_eq!(
            wait.until(),
            wake_at.max(now.saturating_add(Duration::from_millis(1))),
            "{:?}",
            self.flow
        );
        let due =
            self.mirror.moment + u64::try_from(wait.until().since(now).as_millis()).expect("short");
        let is_held = self.mirror.open.is_some_and(|open| open.is_held);
        assert_eq!(is_for_the_store(wait), is_held, "only what is held back waits for the store");
        let (low, high) = match (self.mirror.open, self.flow.stage()) {
            (_, stage) if is_held => {
                assert_eq!(stage, Stage::Authorizing, "a login is held back by its store");
                assert!(!self.prompted, "a login is held back by its store");
                (self.mirror.moment, self.mirror.moment + 1000)
            }
            (Some(open), _) => {
                (if open.kind == Kind::Keys { self.mirror.moment } else { open.limit }, open.limit)
            }
            (None, Stage::Pending) => {
                let grant = self.grant();
                let ends = grant.ends(self.setup.delivery);
                let low = if self.keys_missed { self.mirror.moment } else { grant.due.0 };
                (low.min(ends), grant.due.1.min(ends))
            }
            (None, Stage::Adrift) => {
                assert!(
                    matches!(wait.reason(), WaitReason::Adrift | WaitReason::Setback(_)),
                    "{wait:?}"
                );
                let (_, until) = self.mirror.adrift.expect("it is adrift");
                (until, until)
            }
            // A few seconds of back-off before the request is retried.
            (None, Stage::Authorizing) => (self.mirror.moment, self.mirror.moment + 9_000),
            _ => (self.mirror.moment, u64::MAX),
        };
        assert!(
            (low..=high).contains(&due),
            "waits until {due}, and not within {low}..={high}: {wait:?}"
        );
        if matches!(wait.reason(), WaitReason::InFlight) {
            assert!(self.mirror.open.is_some(), "the flow waits for an answer that cannot arrive");
        }
    }

    /// Continues like a well-behaved caller until the flow makes a token request, is over, or `say`
    /// is used up: signs, finds keys, waits. The authentication request is answered.
    pub fn run(&mut self) -> Said {
        loop {
            match self.poll() {
                Said::Transmit(Endpoint::BackchannelAuthentication) => {
                    self.answer(Say::Pending(None, None))
                }
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
                said @ (Said::Transmit(_) | Said::Save | Said::Done) => return said,
            }
        }
    }

    /// Like [`Self::run`], after the open question was answered.
    pub fn run_open(&mut self) -> Said {
        if let Some(asked) = self.open.take() {
            match asked.question {
                Question::Transmit(_) | Question::Sent { .. } => self.deliver(asked),
                Question::Key(_) => self.sign(asked),
                Question::KeySet(_) => self.find_keys(asked, true),
            }
        }
        self.run()
    }
}
