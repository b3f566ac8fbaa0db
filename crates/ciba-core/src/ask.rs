//! What a machine asks of its caller and how the answer finds its way back.
//!
//! Every [`Output`] that wants an answer owns a ticket: the only value from which the matching
//! [`Input`] can be made. A ticket is not `Clone` and has no constructor, so an answer cannot be
//! given twice, or to nothing. A ticket that is dropped answers as well: the machine learns at its
//! next step whether something had begun.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use crate::{
    error::{Cause, KeyProblem, Setback, Trouble},
    jose::{JwsAlgorithm, KeySet, SignatureLength},
    snapshot::Snapshot,
    time::Timestamp,
    url::Url,
    wire::{Request, Response},
};

/// What the caller has to do next. Exhaustive on purpose: a caller that ignored an instruction
/// would hang.
#[must_use = "an output that nobody carries out stops the flow"]
#[derive(Debug)]
pub enum Output {
    /// Save the state of a durable flow, before what follows from it.
    Save(Save),
    /// Send one HTTP request and give back whatever comes.
    Transmit(Transmit),
    /// Use a private key.
    Key(KeyOperation),
    /// Find the issuer's public keys, usually in a shared [`JwksCache`](crate::JwksCache).
    KeySet(KeySetRequest),
    /// Do nothing before an instant.
    Wait(Wait),
    /// The flow is over: take the result with [`Flow::finish`](crate::Flow::finish).
    Done,
}

impl Output {
    /// The number of its question, if the flow waits for the answer.
    pub(crate) const fn counter(&self) -> Option<u64> {
        match self {
            Self::Transmit(transmit) => Some(transmit.ticket.counter),
            Self::Key(operation) => Some(operation.ticket.counter),
            Self::KeySet(request) if request.within.is_none() => Some(request.ticket.counter),
            Self::Save(_) | Self::KeySet(_) | Self::Wait(_) | Self::Done => None,
        }
    }
}

/// A state to save. Dropped, it counts as given up: it may have been written, or may still be.
#[must_use = "say whether it was saved"]
#[derive(Debug)]
pub struct Save {
    snapshot: Snapshot,
    limit: Duration,
    is_needed: bool,
    ticket: Ticket,
}

impl Save {
    pub(crate) const fn new(
        snapshot: Snapshot,
        limit: Duration,
        is_needed: bool,
        ticket: Ticket,
    ) -> Self {
        Self { snapshot, limit, is_needed, ticket }
    }

    /// What to write, over a state with a lower [revision](Snapshot::revision) only.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// How long it may take; later the flow counts it as failed.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the flow goes no further without it: true while the authentication request may still
    /// be sent, since a flow that is resumed from an older state would prompt the person again.
    /// When it is false and the store fails, the flow goes on without it: no older state prompts
    /// anybody, and what the provider grants may exist only in memory.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.is_needed
    }

    /// It is durable.
    pub fn saved(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(true) }
    }

    /// It could not be saved, or nobody knows.
    pub fn failed(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::Saved(false) }
    }
}

/// Whose question it is and which one. Dropped without an answer, it leaves what is true then in
/// its [`Fate`].
pub(crate) struct Ticket {
    /// The machine: 64 random bits a flow draws at its start, or a cache's own.
    pub(crate) serial: u64,
    /// Counts the machine's questions.
    pub(crate) counter: u64,
    fate: Fate,
    /// What a drop means from here on; nothing once it was answered.
    when_dropped: Option<Dropped>,
}

impl Ticket {
    /// A ticket, and what the machine keeps of it to learn what becomes of the question.
    pub(crate) fn new(serial: u64, counter: u64) -> (Self, Fate) {
        let fate = Fate::default();
        (Self { serial, counter, fate: fate.clone(), when_dropped: Some(Dropped::Untouched) }, fate)
    }

    /// From here on a request may have left.
    fn begins(&mut self) {
        self.when_dropped = Some(Dropped::Begun);
    }

    /// The machine took the answer: the drop that follows says nothing.
    pub(crate) fn is_answered(mut self) {
        self.when_dropped = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(how) = self.when_dropped {
            self.fate.0.store(how.code(), Ordering::Release);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:x}, {})", self.serial, self.counter)
    }
}

/// What became of a question that nobody answered: one byte, shared by the question and the machine
/// that asked, so that a caller's future or thread may end anywhere without a lock, a clock or a
/// guard of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fate(Arc<AtomicU8>);

/// How far a question had come when it was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Nothing had happened.
    Untouched,
    /// A request may have left.
    Begun,
}

impl Dropped {
    /// Zero is a question that is still held, or was answered.
    const fn code(self) -> u8 {
        match self {
            Self::Untouched => 1,
            Self::Begun => 2,
        }
    }
}

impl Fate {
    /// Whether the question was dropped, and how far it had come.
    pub(crate) fn dropped(&self) -> Option<Dropped> {
        let code = self.0.load(Ordering::Acquire);
        [Dropped::Untouched, Dropped::Begun].into_iter().find(|how| how.code() == code)
    }
}

/// The endpoint an exchange is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// The provider's metadata document.
    Discovery,
    /// The provider's key set (`jwks_uri`).
    KeySet,
    /// The backchannel authentication endpoint (CIBA 7).
    BackchannelAuthentication,
    /// The token endpoint (CIBA 10.1).
    Token,
    /// Our own notification endpoint, which a provider calls (CIBA 9).
    Notification,
}

impl Endpoint {
    /// A lower-case name with underscores, for logs and machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::KeySet => "key_set",
            Self::BackchannelAuthentication => "backchannel_authentication",
            Self::Token => "token",
            Self::Notification => "notification",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "the metadata document",
            Self::KeySet => "the key set",
            Self::BackchannelAuthentication => "the backchannel authentication endpoint",
            Self::Token => "the token endpoint",
            Self::Notification => "the notification endpoint",
        })
    }
}

/// One HTTP exchange that is due, and the rules for it.
///
/// The request itself comes from the machine at the instant of sending, from
/// [`Flow::begin`](crate::Flow::begin) or [`JwksCache::begin`](crate::JwksCache::begin). Send it
/// once, follow no redirect, take any status as an answer, read at most [`Self::max_response`]
/// bytes. Dropped, it counts as not sent.
#[must_use = "a request that is dropped counts as not sent"]
#[derive(Debug)]
pub struct Transmit {
    request: Request,
    endpoint: Endpoint,
    attempt: u32,
    timeout: Duration,
    max_response: usize,
    presents_certificate: bool,
    ticket: Ticket,
}

impl Transmit {
    pub(crate) fn new(
        request: Request,
        endpoint: Endpoint,
        attempt: u32,
        timeout: Duration,
        max_response: usize,
        ticket: Ticket,
    ) -> Self {
        Self {
            request,
            endpoint,
            attempt,
            timeout,
            max_response,
            presents_certificate: false,
            ticket,
        }
    }

    /// The same over a connection on which the client shows its certificate.
    pub(crate) const fn presenting_certificate(mut self, presents: bool) -> Self {
        self.presents_certificate = presents;
        self
    }

    /// The endpoint it is for.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Counts the requests to this endpoint, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The address it goes to.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.request.url
    }

    /// How long to wait for the whole answer. One second later the flow counts the exchange as
    /// lost.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The most bytes of body to read. A longer body is cut there and marked as truncated.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        self.max_response
    }

    /// Whether the client's certificate is shown on this connection (RFC 8705 2, REQ-AUTH-24). On
    /// any other it is not (REQ-POP-21).
    #[must_use]
    pub const fn presents_certificate(&self) -> bool {
        self.presents_certificate
    }

    /// Whether it has to go over a connection that nothing was sent over yet: true for the
    /// authentication request. A kept connection may have been closed by the other side unnoticed;
    /// a request written to it is lost, and this one may not be repeated.
    #[must_use]
    pub const fn needs_fresh_connection(&self) -> bool {
        matches!(self.endpoint, Endpoint::BackchannelAuthentication)
    }

    pub(crate) const fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The connection could not be made, so there was nothing to begin. A drop says the same
    /// without the cause.
    pub fn not_sent(self, cause: Cause) -> Input {
        Input { ticket: self.ticket, answer: Answer::Unanswered(Unanswered::NotSent(cause)) }
    }

    /// From here on a drop means that the request may have left.
    pub(crate) fn begin(mut self) -> Sending {
        self.ticket.begins();
        Sending(self)
    }
}

/// A request that is to be sent now, and takes the outcome. Dropped, it counts as lost: the request
/// may have left.
#[must_use = "send it, and say what became of it"]
#[derive(Debug)]
pub struct Sending(Transmit);

impl Sending {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.0.request
    }

    /// The rules for it.
    #[must_use]
    pub const fn transmit(&self) -> &Transmit {
        &self.0
    }

    /// Which request it is, for [`Flow::may_send`](crate::Flow::may_send).
    #[must_use]
    pub const fn id(&self) -> SendingId {
        SendingId { serial: self.0.ticket.serial, counter: self.0.ticket.counter }
    }

    /// An answer came, of whatever status.
    pub fn answered(self, response: Response) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Response(self.0.endpoint, response) }
    }

    /// No answer came.
    pub fn unanswered(self, how: Unanswered) -> Input {
        Input { ticket: self.0.ticket, answer: Answer::Unanswered(how) }
    }
}

/// Which request a [`Sending`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendingId {
    pub(crate) serial: u64,
    pub(crate) counter: u64,
}

/// Whether the request left, and why there is no answer. The two are different facts: after
/// [`Self::Lost`] a person may already have been prompted. The cause changes no decision; it is
/// there for diagnosis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The provider certainly did not get the request: name, connection or TLS handshake failed.
    NotSent(Cause),
    /// Anything else: time-out, reset, an answer that broke off.
    Lost(Cause),
}

impl Unanswered {
    /// Why there is no answer.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::NotSent(cause) | Self::Lost(cause) => cause,
        }
    }
}

/// A use of a private key, for software keys, a KMS or an HSM. Dropped, it counts as interrupted:
/// nothing counts against the key, and the next poll asks anew, with a fresh `jti`.
#[must_use = "answer it with a signature"]
#[derive(Debug)]
pub struct KeyOperation {
    task: KeyTask,
    purpose: KeyPurpose,
    key_id: Option<Arc<str>>,
    ticket: Ticket,
}

/// What to do with the private key.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyTask {
    /// Sign [`SigningTask::message`] with [`SigningTask::algorithm`].
    Sign(SigningTask),
}

/// A signature to make.
pub struct SigningTask {
    message: Vec<u8>,
    algorithm: JwsAlgorithm,
}

impl SigningTask {
    /// The bytes to sign: a JWS signing input (RFC 7515 5.1).
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The algorithm to sign with.
    #[must_use]
    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }
}

impl fmt::Debug for SigningTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningTask({}, {} bytes)", self.algorithm, self.message.len())
    }
}

/// What the result of a key operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPurpose {
    /// A client assertion (RFC 7523).
    ClientAssertion,
    /// A signed authentication request (CIBA 7.1.1).
    RequestObject,
}

impl KeyOperation {
    pub(crate) fn sign(
        message: Vec<u8>,
        algorithm: JwsAlgorithm,
        purpose: KeyPurpose,
        key_id: Option<Arc<str>>,
        ticket: Ticket,
    ) -> Self {
        Self { task: KeyTask::Sign(SigningTask { message, algorithm }), purpose, key_id, ticket }
    }

    /// What to do.
    #[must_use]
    pub const fn task(&self) -> &KeyTask {
        &self.task
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> KeyPurpose {
        self.purpose
    }

    /// The key's id as configured.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The signature, in the form that JWS requires: ECDSA as R and S of fixed width, never DER
    /// (RFC 7518 3.4); see [`ecdsa_from_der`](crate::jose::ecdsa_from_der).
    ///
    /// A signature whose length is not one of the algorithm's is not sent: the operation counts as
    /// failed, and the failure says what was wrong.
    pub fn answered(self, signature: Vec<u8>) -> Input {
        let KeyTask::Sign(task) = &self.task;
        let answer = match SignatureLength::check(&signature, task.algorithm) {
            Ok(()) => Answer::Signature(signature),
            Err(length) => Answer::KeyUnavailable(KeyProblem::Length(length)),
        };
        Input { ticket: self.ticket, answer }
    }

    /// The key cannot be used, for a reason that the failure of the flow will have as its source.
    /// No secrets belong in it.
    pub fn failed(self, error: &(dyn core::error::Error + 'static)) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::of(error)) }
    }

    /// The key cannot be used: service down, access refused, or a task this signer does not know.
    pub fn unavailable(self) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeyUnavailable(KeyProblem::Unknown) }
    }
}

/// A question for the issuer's public keys. Dropped, it is asked again.
#[must_use = "answer it with a key set"]
#[derive(Debug)]
pub struct KeySetRequest {
    issuer: Arc<str>,
    key_id: Option<String>,
    refresh: Option<u64>,
    within: Option<Duration>,
    was_fetched: bool,
    ticket: Ticket,
}

impl KeySetRequest {
    pub(crate) fn new(
        issuer: Arc<str>,
        key_id: Option<String>,
        refresh: Option<u64>,
        ticket: Ticket,
    ) -> Self {
        Self { issuer, key_id, refresh, within: None, was_fetched: false, ticket }
    }

    /// A question that nothing waits for.
    pub(crate) fn ahead(issuer: Arc<str>, within: Duration, ticket: Ticket) -> Self {
        Self {
            issuer,
            key_id: None,
            refresh: None,
            within: Some(within),
            was_fetched: false,
            ticket,
        }
    }

    /// Takes the one fetch that a question is worth; false when it had it.
    pub(crate) const fn takes_its_fetch(&mut self) -> bool {
        !core::mem::replace(&mut self.was_fetched, true)
    }

    /// How long the answer may take when the flow asks ahead of time, while it waits for the
    /// person; `None` when it needs the keys now.
    ///
    /// Nothing depends on the answer: it only means that the keys are at hand, for example in a
    /// [`JwksCache`](crate::JwksCache), when the flow asks for them again.
    /// [`JwksCache::lookup`](crate::JwksCache::lookup) keeps within the time. The flow does not
    /// wait for the answer and continues when [`Flow::poll`](crate::Flow::poll) is called next.
    #[must_use]
    pub const fn within(&self) -> Option<Duration> {
        self.within
    }

    /// Whose keys.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key id that is looked for, when the token names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the set that was found before did not help, so that a newer one is needed
    /// (REQ-JWKS-09).
    #[must_use]
    pub const fn wants_refresh(&self) -> bool {
        self.refresh.is_some()
    }

    /// The generation of the set that did not serve.
    pub(crate) const fn stale_generation(&self) -> Option<u64> {
        self.refresh
    }

    /// A key set. One of another issuer is refused by the flow.
    pub fn found(self, keys: KeySet) -> Input {
        Input { ticket: self.ticket, answer: Answer::Keys(keys) }
    }

    /// No newer set than the one that did not help is available before this instant: the flow waits
    /// and asks again.
    pub fn later(self, until: Timestamp) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysLater(until) }
    }

    /// The key set could not be fetched. The flow waits and asks again, within its limits.
    pub fn unavailable(self, why: Trouble) -> Input {
        Input { ticket: self.ticket, answer: Answer::KeysUnavailable(why) }
    }
}

/// Nothing to do before an instant.
#[must_use = "wait until the instant, then poll again"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    until: Timestamp,
    because: WaitReason,
    progress: Option<Arc<str>>,
}

impl Wait {
    /// The one place where waits are made: always in the future of `now`.
    pub(crate) fn new(
        until: Timestamp,
        now: Timestamp,
        because: WaitReason,
        progress: Option<Arc<str>>,
    ) -> Self {
        Self { until: until.max(now.saturating_add(Duration::from_millis(1))), because, progress }
    }

    /// The instant; always later than the `now` of the call that returned it.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &WaitReason {
        &self.because
    }

    /// What the provider said in its last pending answer, control characters removed (CIBA 11;
    /// Idura reports progress this way). Untrusted text for a person's eyes; never decide on it.
    #[must_use]
    pub fn progress(&self) -> Option<&str> {
        self.progress.as_deref()
    }
}

/// Why a flow waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// An output is being carried out and its answer has not come yet.
    InFlight,
    /// The interval between token requests (CIBA 7.3).
    Interval,
    /// The provider answered `slow_down`, so the interval grew (CIBA 11).
    SlowDown,
    /// A notification is expected (CIBA 10.2, 10.3).
    Notification,
    /// The acknowledgement was lost; a notification may still name the request.
    Adrift,
    /// Something went wrong that the flow is handling.
    Setback(Setback),
}

impl WaitReason {
    /// A lower-case name with underscores, for machine-readable output.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Interval => "interval",
            Self::SlowDown => "slow_down",
            Self::Notification => "notification",
            Self::Adrift => "adrift",
            Self::Setback(setback) => setback.name(),
        }
    }
}

/// The answer to an output, made from its ticket only.
#[must_use = "hand it to the machine that asked"]
pub struct Input {
    pub(crate) ticket: Ticket,
    pub(crate) answer: Answer,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.answer {
            Answer::Response(_, response) => return write!(f, "Input(status {})", response.status),
            Answer::Unanswered(how) => return write!(f, "Input({how:?})"),
            Answer::Signature(_) => "signature",
            Answer::KeyUnavailable(_) => "key unavailable",
            Answer::KeyInterrupted => "key interrupted",
            Answer::Keys(_) => "keys",
            Answer::KeysLater(_) => "keys later",
            Answer::Saved(true) => "saved",
            Answer::Saved(false) => "not saved",
            Answer::KeysUnavailable(why) => return write!(f, "Input(keys unavailable, {why:?})"),
        };
        write!(f, "Input({kind})")
    }
}

/// What an [`Input`] carries.
pub(crate) enum Answer {
    /// Of an endpoint: an answer that comes late cannot be told by the phase it meets.
    Response(Endpoint, Response),
    Unanswered(Unanswered),
    Signature(Vec<u8>),
    KeyUnavailable(KeyProblem),
    KeyInterrupted,
    Keys(KeySet),
    KeysLater(Timestamp),
    KeysUnavailable(Trouble),
    /// Of a store: whether the state is kept.
    Saved(bool),
}
