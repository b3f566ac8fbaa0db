//! The provider: a function of its state, a request and the time.

mod acts;
mod answer;
mod authenticate;
mod backchannel;
mod documents;
mod judging;
mod notify;
mod parts;
mod records;
mod refresh;
mod request_object;
mod token;
mod transaction;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use ciba_core::{
    Issuer, Timestamp,
    http::{LoopbackHttp, Response},
};

use self::{
    acts::Acts,
    documents::Keys,
    parts::{Parameters, Refusal},
    records::{AccessToken, Records},
    refresh::RefreshToken,
    token::Outcome,
    transaction::Record,
};
use crate::{
    client::Client,
    config::{ConfigError, ProviderConfig},
    faults::{self, Fault},
    findings::Findings,
    ids::Ids,
    judge::{Exchange, Violation},
    message::{Endpoint, ExchangeId, FOREVER, Incoming, PeerCertificate, Reply},
    notification::Notified,
    report::Report,
    script::{Decision, KeySetEdit, Script},
};

pub use transaction::{Transaction, TransactionState};

/// An OpenID provider without sockets or clock.
///
/// Pass requests to [`Self::handle`] and carry out each [`Reply`]. The provider records every
/// request and judges the clients: [`Self::report`].
#[derive(Debug)]
pub struct Provider {
    config: ProviderConfig,
    ids: Ids,
    keys: Keys,
    script: Script,
    hint_scripts: Vec<(String, Script)>,
    /// The number of messages of each endpoint since the script was installed.
    counts: BTreeMap<Endpoint, u32>,
    transactions: Records,
    /// The `jti` of every assertion that has not expired.
    assertions: HashMap<(String, String), authenticate::Used>,
    /// The `jti` of every signed request that has not expired.
    request_objects: HashMap<(String, String), u64>,
    access_tokens: VecDeque<AccessToken>,
    /// Hints of authentication requests whose answer was never sent, and when they are evicted.
    lost_requests: VecDeque<(String, Timestamp)>,
    /// Whether the current request reaches only the judge, not the provider.
    unseen: bool,
    /// The client that the current request authenticates or names.
    caller: Option<String>,
    refresh_tokens: VecDeque<RefreshToken>,
    exchanges: Vec<Exchange>,
    /// The number of requests that each endpoint received.
    seen: BTreeMap<Endpoint, usize>,
    findings: Findings,
    notified: Vec<Notified>,
    held: HashMap<ExchangeId, Held>,
    revision: u64,
    /// When records were evicted last.
    forgot: Timestamp,
}

/// An answer that was not sent yet.
#[derive(Debug)]
enum Held {
    /// Its content is decided.
    Delayed {
        reply: Reply,
        until: Timestamp,
        /// The transaction whose client has to comply with the answer once it is sent.
        tells: Option<usize>,
    },
    /// It waits for the user.
    Undecided { at: usize, acts: Acts, until: Timestamp },
    /// It is never sent.
    Forever,
}

impl Provider {
    /// Creates a provider.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] if the issuer, a duration or a client is invalid.
    pub fn new(config: ProviderConfig) -> Result<Self, ConfigError> {
        Issuer::parse_with(config.issuer.as_str(), LoopbackHttp::DangerouslyAllowed)
            .map_err(|_| ConfigError::Issuer)?;
        let durations = [config.expires_in, config.id_token_lifetime, config.access_token_lifetime];
        let whole = |duration: &core::time::Duration| {
            duration.as_secs() > 0 && duration.subsec_nanos() == 0
        };
        if !durations.iter().chain(&config.interval).all(whole) {
            return Err(ConfigError::Duration);
        }
        let mut provider = Self {
            ids: Ids::new(config.seed),
            keys: Keys::new(),
            script: Script::new(),
            hint_scripts: Vec::new(),
            counts: BTreeMap::new(),
            transactions: Records::default(),
            assertions: HashMap::new(),
            request_objects: HashMap::new(),
            access_tokens: VecDeque::new(),
            lost_requests: VecDeque::new(),
            unseen: false,
            caller: None,
            refresh_tokens: VecDeque::new(),
            exchanges: Vec::new(),
            seen: BTreeMap::new(),
            findings: Findings::default(),
            notified: Vec::new(),
            held: HashMap::new(),
            revision: 0,
            forgot: Timestamp::from_unix_secs(0),
            config: ProviderConfig { clients: Vec::new(), ..config.clone() },
        };
        config.clients.into_iter().try_for_each(|client| provider.register(client))?;
        Ok(provider)
    }

    /// Returns the issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Registers a client.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] if the id is empty or already registered, or the client could never
    /// authenticate.
    pub fn register(&mut self, client: Client) -> Result<(), ConfigError> {
        if client.id.is_empty() || self.config.clients.iter().any(|known| known.id == client.id) {
            return Err(ConfigError::ClientId(client.id));
        }
        if !client.can_authenticate() {
            return Err(ConfigError::Authentication(client.id));
        }
        if let Some(bytes) = client.missing_secret_bytes() {
            return Err(ConfigError::ShortSecret { id: client.id, bytes });
        }
        if !client.can_be_notified() {
            return Err(ConfigError::Delivery(client.id));
        }
        if !client.can_sign_requests() {
            return Err(ConfigError::RequestSigning(client.id));
        }
        if self.config.fapi_ciba && !client.fits_fapi_ciba() {
            return Err(ConfigError::Profile(client.id));
        }
        if client.id_token_alg.is_symmetric() && client.secret().is_none() {
            return Err(ConfigError::IdTokenAlgorithm(client.id));
        }
        self.config.clients.push(client);
        Ok(())
    }

    /// Also serves the endpoints at another origin, where client certificates are requested, and adds
    /// it to the metadata.
    pub fn offer_mutual_tls(&mut self, origin: impl Into<String>) {
        self.config.mutual_tls = Some(origin.into());
    }

    /// Replaces the script. Messages are counted from 1 again.
    pub fn script(&mut self, script: Script) {
        self.script = script;
        self.counts.clear();
    }

    /// Sets a script for the transactions of one hint, in addition to the general one.
    pub fn script_for_hint(&mut self, hint: &str, script: Script) {
        self.hint_scripts.retain(|(known, _)| known != hint);
        self.hint_scripts.push((hint.to_owned(), script));
    }

    /// Changes the keys permanently.
    pub fn edit_keys(&mut self, edit: KeySetEdit) {
        self.keys.edit(edit);
    }

    /// Handles a request. Its answer counts as sent at once. If the reply is [`Reply::Hold`], call
    /// [`Self::resume`] later.
    pub fn handle(&mut self, request: impl Into<Incoming>, now: Timestamp) -> Reply {
        let (id, reply) = self.begin(request, now);
        self.end_unless_held(id, reply, now)
    }

    /// Resumes a held request: at the time in [`Reply::Hold`], or when [`Self::revision`] changed.
    pub fn resume(&mut self, exchange: ExchangeId, now: Timestamp) -> Reply {
        let reply = self.proceed(exchange, now);
        self.end_unless_held(exchange, reply, now)
    }

    fn end_unless_held(&mut self, id: ExchangeId, reply: Reply, now: Timestamp) -> Reply {
        if !matches!(reply, Reply::Hold { .. }) {
            self.end(id, now);
        }
        reply
    }

    /// Handles a request whose answer takes time to send. Call [`Self::end`] when it was sent.
    pub fn begin(&mut self, request: impl Into<Incoming>, now: Timestamp) -> (ExchangeId, Reply) {
        let request = request.into();
        let (id, endpoint) = self.record(&request, now);
        *self.seen.entry(endpoint).or_default() += 1;
        let reply = self.answer(id, endpoint, &request, now);
        self.note(id, &reply);
        (id, reply)
    }

    /// Records a request that arrived on a connection which the server was already closing: the
    /// judge looks at it, and the provider neither acts upon it nor answers.
    pub fn unserved(&mut self, request: impl Into<Incoming>, now: Timestamp) {
        let request = request.into();
        let (id, endpoint) = self.record(&request, now);
        self.settle(now);
        self.unseen = true;
        self.judge_only(id, endpoint, &request, now);
        if let Some(exchange) = self.exchange(id) {
            (exchange.unserved, exchange.lost) = (true, true);
        }
        self.end(id, now);
    }

    fn record(&mut self, request: &Incoming, now: Timestamp) -> (ExchangeId, Endpoint) {
        let endpoint = self.endpoint_at(&request.path);
        self.forget(now);
        let id = ExchangeId(self.exchanges.last().map_or(1, |last| last.id.0 + 1));
        self.exchanges.push(Exchange {
            id,
            endpoint,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            certificate: request.certificate.as_ref().map(PeerCertificate::thumbprint),
            origin: request.origin.clone(),
            body: request.body.clone(),
            arrived: now,
            ended: None,
            status: None,
            error: None,
            lost: false,
            unserved: false,
            connection: request.connection,
            transaction: None,
        });
        self.caller = authenticate::claimed(request);
        (id, endpoint)
    }

    /// As [`Self::resume`], for requests of [`Self::begin`].
    pub fn proceed(&mut self, exchange: ExchangeId, now: Timestamp) -> Reply {
        self.settle(now);
        let hold = |until| Reply::Hold { exchange, until };
        let reply = match self.held.remove(&exchange) {
            None | Some(Held::Forever) => {
                self.held.insert(exchange, Held::Forever);
                hold(FOREVER)
            }
            Some(Held::Delayed { reply, until, tells }) if now < until => {
                self.held.insert(exchange, Held::Delayed { reply, until, tells });
                hold(until)
            }
            Some(Held::Delayed { reply, tells, .. }) => {
                if let (Some(response), Some(at)) = (reply.answer(), tells) {
                    self.transactions[at].pace.answered(response, self.config.habits.pending, now);
                }
                reply
            }
            Some(Held::Undecided { at, acts, until }) => {
                match self.redeem(at, &acts.id_token, false, now) {
                    Outcome::Undecided(_) if now < until => {
                        self.held.insert(exchange, Held::Undecided { at, acts, until });
                        hold(until)
                    }
                    Outcome::Undecided(response) | Outcome::Answer(response) => {
                        self.leave_token_endpoint(exchange, at, &acts, response, now)
                    }
                }
            }
        };
        self.note(exchange, &reply);
        reply
    }

    /// Reports that the last byte of an answer was sent, or that its connection was closed.
    pub fn end(&mut self, exchange: ExchangeId, now: Timestamp) {
        let counts = self.config.speed_reference;
        let was_held = self.held.remove(&exchange).is_some();
        let Some(known) = self.exchange(exchange).filter(|known| known.ended.is_none()) else {
            return;
        };
        known.ended = Some(now);
        known.lost |= was_held;
        let (endpoint, number) = (known.endpoint, known.transaction);
        let record = number.and_then(|number| self.transactions.get_mut(number - 1));
        match (record, endpoint) {
            (Some(record), Endpoint::Token) => record.pace.ended(exchange, now, counts),
            (Some(record), _) => {
                record.pace.acknowledged(now, counts);
                record.acknowledged_at(now);
                self.revision += 1;
            }
            (None, _) => {}
        }
    }

    /// Returns a number that changes whenever there may be an answer to a held request.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the transactions in the order they began. They are remembered for
    /// [`ProviderConfig::memory`] after their end.
    #[must_use]
    pub fn transactions(&self, now: Timestamp) -> Vec<Transaction> {
        self.transactions.iter().map(|record| record.public(now)).collect()
    }

    /// Returns the word pairs that the user chooses from, one of them the right one. Empty for a
    /// transaction without words.
    #[must_use]
    pub fn word_choices(&self, transaction: usize) -> Vec<String> {
        let record = transaction.checked_sub(1).and_then(|at| self.transactions.get(at));
        record
            .and_then(|record| record.words.as_deref())
            .map(Self::word_choices_of)
            .unwrap_or_default()
    }

    /// Approves in the user's place. Returns whether there was anything to decide.
    pub fn approve(&mut self, transaction: usize, now: Timestamp) -> bool {
        self.decide(transaction, Decision::Approve, now)
    }

    /// Denies in the user's place. Returns whether there was anything to decide.
    pub fn deny(&mut self, transaction: usize, now: Timestamp) -> bool {
        self.decide(transaction, Decision::Deny, now)
    }

    fn decide(&mut self, transaction: usize, decision: Decision, now: Timestamp) -> bool {
        let record = transaction.checked_sub(1).and_then(|at| self.transactions.get_mut(at));
        let open = |record: &&mut Record| {
            !record.redeemed
                && !record.dead
                && now < record.expires
                && (record.decided.is_none() || record.pending_left > 0)
        };
        let Some(record) = record.filter(open) else { return false };
        record.decided = Some(decision);
        record.pending_left = 0;
        record.scheduled = None;
        record.decided_at(now);
        self.revision += 1;
        true
    }

    /// Returns the recorded requests, in the order they arrived. If there are more than
    /// [`ProviderConfig::record_limit`], the oldest are evicted; the findings about them stay.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Returns the first 10,000 findings, mistakes and advice, in order.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.findings.kept
    }

    /// Returns the report about the clients so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let own = [Endpoint::Phone, Endpoint::Report];
        let seen = self.seen.iter().filter(|(endpoint, _)| !own.contains(endpoint));
        Report {
            violations: self.findings.kept.clone(),
            unlisted: self.findings.unlisted(),
            requests: seen.map(|(endpoint, count)| (*endpoint, *count)).collect(),
            transactions: self.transactions.begun(),
            redeemed: self.transactions.redeemed(),
        }
    }

    fn answer(
        &mut self,
        id: ExchangeId,
        endpoint: Endpoint,
        request: &Incoming,
        now: Timestamp,
    ) -> Reply {
        self.settle(now);
        let about = (endpoint == Endpoint::Token).then(|| self.transaction_of(request)).flatten();
        let acts = self.acts(endpoint, about, request);
        self.look_at_query(endpoint, request);
        self.unseen = acts.drop_before;
        if acts.drop_before || acts.hold_forever {
            self.judge_only(id, endpoint, request, now);
        }
        if acts.drop_before {
            return Reply::Drop;
        }
        if acts.hold_forever {
            self.held.insert(id, Held::Forever);
            return Reply::Hold { exchange: id, until: FOREVER };
        }
        if let (Some(decision), Some(at)) = (acts.decide, about) {
            self.decide(at + 1, decision, now);
        }
        if endpoint != Endpoint::KeySet {
            acts.keys.iter().for_each(|edit| self.keys.edit(edit.clone()));
        }
        match endpoint {
            // Browsers and tools may send this first. It breaks no rule (RFC 9110 section 9.3.7).
            _ if request.method == "OPTIONS" => {
                let allow = [("allow", taken(endpoint))].into_iter().collect();
                self.leave(id, &acts, Response::new(204, allow, ""), now)
            }
            Endpoint::Token => self.answer_token_request(id, request, acts, now),
            Endpoint::Backchannel => self.answer_authentication_request(id, request, &acts, now),
            _ => {
                let is_document = matches!(endpoint, Endpoint::Discovery | Endpoint::KeySet);
                let own = match endpoint {
                    _ if is_document && !matches!(request.method.as_str(), "GET" | "HEAD") => {
                        self.refused(&Refusal::method("GET, HEAD"))
                    }
                    Endpoint::Discovery => self.metadata(),
                    Endpoint::KeySet => self.key_set(&acts),
                    Endpoint::UserInfo => self
                        .user_info(request, now)
                        .unwrap_or_else(|refusal| self.refused(&refusal)),
                    Endpoint::Authorization => {
                        let reason = "this endpoint is not supported: the provider asks users on their phones";
                        Refusal::error(400, "unsupported_response_type", reason).response()
                    }
                    Endpoint::Trap => {
                        self.trapped(request);
                        Refusal::error(404, "not_found", "a trap").response()
                    }
                    _ => Refusal::error(404, "not_found", "there is no such endpoint").response(),
                };
                let response = acts
                    .answer
                    .as_ref()
                    .map_or_else(|| acts.amended(own), |scripted| scripted.response());
                self.leave(id, &acts, response, now)
            }
        }
    }

    fn key_set(&mut self, acts: &Acts) -> Response {
        // A rotation is permanent; other edits are for this answer only.
        for edit in &acts.keys {
            let is_rotation = matches!(
                edit,
                KeySetEdit::PublishNext
                    | KeySetEdit::SignWithNext
                    | KeySetEdit::RetireOld
                    | KeySetEdit::RotateAtOnce
            );
            if is_rotation {
                self.keys.edit(edit.clone());
            }
        }
        self.keys.document(&acts.keys)
    }

    /// Collects what the scripts say about the next message of an endpoint.
    fn acts(&mut self, endpoint: Endpoint, about: Option<usize>, request: &Incoming) -> Acts {
        let mut acts = Acts::default();
        let of_endpoint = self.counts.entry(endpoint).or_default();
        *of_endpoint += 1;
        let count = match about {
            None => *of_endpoint,
            Some(at) => {
                self.transactions[at].requests += 1;
                self.transactions[at].requests
            }
        };
        acts.take(&self.script, endpoint, count);
        match about {
            Some(at) => acts.take(&self.transactions[at].script, endpoint, count),
            None if endpoint == Endpoint::Backchannel => {
                let hint = hint_of(request);
                for (known, script) in &self.hint_scripts {
                    if Some(known) == hint.as_ref() {
                        acts.take(script, endpoint, count);
                    }
                }
                if let Some(fault) = hint.as_deref().and_then(fault_of) {
                    acts.take(&fault.script, endpoint, count);
                }
            }
            None => {}
        }
        acts
    }

    /// The transaction that a token request names, whichever client sent it.
    fn transaction_of(&self, request: &Incoming) -> Option<usize> {
        let parameters = Parameters::read(request).ok()?;
        let id = parameters.get("auth_req_id")?;
        self.transactions.position(|record| record.auth_req_id == id)
    }
}

/// The methods that an endpoint supports.
const fn taken(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Token | Endpoint::Backchannel => "POST",
        Endpoint::UserInfo => "GET, POST",
        _ => "GET, HEAD",
    }
}

/// The fault that a hint asks for: `fault:NAME`.
fn fault_of(hint: &str) -> Option<Fault> {
    faults::named(hint.strip_prefix("fault:")?.split(':').next()?)
}

fn hint_of(request: &Incoming) -> Option<String> {
    let parameters = Parameters::read(request).ok()?;
    let names = ["login_hint", "login_hint_token", "id_token_hint"];
    let plain = names.into_iter().find_map(|name| parameters.get(name)).map(str::to_owned);
    plain.or_else(|| {
        let signed = crate::jws::parse(parameters.get("request")?)?;
        names.into_iter().find_map(|name| signed.text(name)).map(str::to_owned)
    })
}
