//! The provider itself: a function of its state, a request and an instant.

mod acts;
mod answer;
mod authenticate;
mod backchannel;
mod documents;
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

use ciba_core::{Issuer, LoopbackHttp, Response, Timestamp};

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
    judge::{Exchange, Rule, Severity, Violation},
    message::{Endpoint, ExchangeId, FOREVER, Incoming, PeerCertificate, Reply},
    notification::Notified,
    report::Report,
    script::{Decision, KeySetEdit, Script},
};

pub use transaction::{Transaction, TransactionState};

/// An OpenID provider without sockets or clock.
///
/// Give it requests with [`Self::handle`] and do with each [`Reply`] what it says. It keeps a
/// record of every request and judges the client: [`Self::violations`].
#[derive(Debug)]
pub struct Provider {
    config: ProviderConfig,
    ids: Ids,
    keys: Keys,
    script: Script,
    hint_scripts: Vec<(String, Script)>,
    /// Messages of each endpoint since the script was given.
    counts: BTreeMap<Endpoint, u32>,
    transactions: Records,
    /// The `jti` of every assertion, until it expires.
    assertions: HashMap<(String, String), authenticate::Used>,
    /// The `jti` of every signed request, until it expires.
    request_objects: HashMap<(String, String), u64>,
    access_tokens: VecDeque<AccessToken>,
    /// Hints of authentication requests whose answer never left, and when they are forgotten.
    lost_requests: VecDeque<(String, Timestamp)>,
    /// Whether the request being answered never reaches the provider, only the judge.
    unseen: bool,
    /// The client that sent the request being answered, or says it did.
    caller: Option<String>,
    refresh_tokens: VecDeque<RefreshToken>,
    exchanges: Vec<Exchange>,
    /// How many requests each endpoint saw.
    seen: BTreeMap<Endpoint, usize>,
    findings: Findings,
    notified: Vec<Notified>,
    held: HashMap<ExchangeId, Held>,
    revision: u64,
    /// When what is over was looked through last.
    forgot: Timestamp,
}

/// An answer that has not left yet.
#[derive(Debug)]
enum Held {
    /// What it says is decided.
    Delayed {
        reply: Reply,
        until: Timestamp,
        /// The transaction whose client is held to the answer once it leaves.
        tells: Option<usize>,
    },
    /// It waits for the person.
    Undecided { at: usize, acts: Acts, until: Timestamp },
    /// It never leaves.
    Forever,
}

impl Provider {
    /// Builds a provider.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the issuer, a duration or a client cannot work.
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

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Adds a client.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the id is empty or taken, or the client could never authenticate.
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

    /// Serves the endpoints also at another origin, where clients are asked for certificates, and
    /// names it in the metadata.
    pub fn offer_mutual_tls(&mut self, origin: impl Into<String>) {
        self.config.mutual_tls = Some(origin.into());
    }

    /// Replaces the script; messages are counted from here.
    pub fn script(&mut self, script: Script) {
        self.script = script;
        self.counts.clear();
    }

    /// A script for the transactions of one hint, behind the general one.
    pub fn script_for_hint(&mut self, hint: &str, script: Script) {
        self.hint_scripts.retain(|(known, _)| known != hint);
        self.hint_scripts.push((hint.to_owned(), script));
    }

    /// Changes the keys for good.
    pub fn edit_keys(&mut self, edit: KeySetEdit) {
        self.keys.edit(edit);
    }

    /// Takes a request. An answer counts as having left at once; a reply that is held is taken up
    /// again by [`Self::resume`].
    pub fn handle(&mut self, request: impl Into<Incoming>, now: Timestamp) -> Reply {
        let (id, reply) = self.begin(request, now);
        self.end_unless_held(id, reply, now)
    }

    /// Takes a held request up again: at its instant, or when [`Self::revision`] moved.
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

    /// Takes a request whose answer takes time to leave: call [`Self::end`] when it has left.
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

    /// As [`Self::resume`], for requests taken with [`Self::begin`].
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

    /// The last byte of an answer left, or its connection was closed.
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

    /// Moves whenever a held request may be answerable.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Every transaction that is known, in the order they began: until [`ProviderConfig::memory`]
    /// after their end.
    #[must_use]
    pub fn transactions(&self, now: Timestamp) -> Vec<Transaction> {
        self.transactions.iter().map(|record| record.public(now)).collect()
    }

    /// The word pairs a person picks from, the right one among them; none for a transaction without
    /// words.
    #[must_use]
    pub fn word_choices(&self, transaction: usize) -> Vec<String> {
        let record = transaction.checked_sub(1).and_then(|at| self.transactions.get(at));
        record
            .and_then(|record| record.words.as_deref())
            .map(Self::word_choices_of)
            .unwrap_or_default()
    }

    /// The person says yes. Says whether there was anything to decide.
    pub fn approve(&mut self, transaction: usize, now: Timestamp) -> bool {
        self.decide(transaction, Decision::Approve, now)
    }

    /// The person says no. Says whether there was anything to decide.
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

    /// Every request, in the order they came. The oldest are forgotten when there are more than
    /// [`ProviderConfig::record_limit`]; what was wrong with them is not.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// The rules that clients broke and all advice, in the order it happened: the first 10,000.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.findings.kept
    }

    /// What there is to say about the clients so far.
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
            // What a browser or a tool asks beforehand carries nothing, and breaks no rule (RFC
            // 9110 9.3.7).
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
                        let reason =
                            "nobody is sent here: this provider asks people on their phones";
                        Refusal::error(400, "unsupported_response_type", reason).response()
                    }
                    Endpoint::Trap => {
                        self.trapped(request);
                        Refusal::error(404, "not_found", "a trap").response()
                    }
                    _ => Refusal::error(404, "not_found", "nothing is here").response(),
                };
                let response = acts
                    .answer
                    .as_ref()
                    .map_or_else(|| acts.amended(own), |scripted| scripted.response());
                self.leave(id, &acts, response, now)
            }
        }
    }

    /// Judges a request that the provider never answers and does not act on.
    fn judge_only(
        &mut self,
        id: ExchangeId,
        endpoint: Endpoint,
        request: &Incoming,
        now: Timestamp,
    ) {
        let refusal = match endpoint {
            Endpoint::Token if refresh::is_refresh(request) => {
                self.check_refresh(request, now).err()
            }
            Endpoint::Token => match self.claim(id, request, now) {
                Ok((at, _)) => {
                    let number = self.transactions[at].number;
                    if let Some(exchange) = self.exchange(id) {
                        exchange.transaction = Some(number);
                    }
                    None
                }
                Err(refusal) => Some(refusal),
            },
            Endpoint::Backchannel => {
                let refusal = self.backchannel(request, now).err();
                self.lose(request, now);
                refusal
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.refused(&refusal);
        }
    }

    fn key_set(&mut self, acts: &Acts) -> Response {
        // A rotation stays; other edits are for this answer.
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

    /// Everything the scripts say about the next message of an endpoint.
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

    /// The transaction a token request names, whoever sent it.
    fn transaction_of(&self, request: &Incoming) -> Option<usize> {
        let parameters = Parameters::read(request).ok()?;
        let id = parameters.get("auth_req_id")?;
        self.transactions.position(|record| record.auth_req_id == id)
    }

    fn refused(&mut self, refusal: &Refusal) -> Response {
        if let Some(rule) = refusal.rule {
            self.broke(rule, &refusal.reason);
        }
        refusal.response()
    }

    /// Parameters of the protocol do not belong into a URL; a query of another kind does no harm
    /// where documents are fetched.
    fn look_at_query(&mut self, endpoint: Endpoint, request: &Incoming) {
        let Some(query) = &request.query else { return };
        let secret =
            |pair: &str| SECRET_PARAMETERS.contains(&pair.split('=').next().unwrap_or_default());
        let broken = match endpoint {
            Endpoint::Backchannel | Endpoint::Token => true,
            Endpoint::Phone | Endpoint::Report | Endpoint::Unknown | Endpoint::Notification => {
                false
            }
            _ => query.split('&').any(secret),
        };
        if broken {
            self.broke(Rule::ParametersInUrl, "there are parameters in the URL");
        }
    }

    /// Following a redirect to a document is no mistake by itself; carrying a form or credentials
    /// there is one.
    fn trapped(&mut self, request: &Incoming) {
        let carries = request.method != "GET" || request.headers.get("authorization").is_some();
        let severity = if carries { Severity::Mistake } else { Severity::Advice };
        self.say(Rule::Trap, severity, "only a followed redirect or key URL leads here");
    }

    /// Records a violation by the request that is being answered.
    fn broke(&mut self, rule: Rule, reason: &str) {
        self.say(rule, rule.usual_severity(), reason);
    }

    fn say(&mut self, rule: Rule, severity: Severity, reason: &str) {
        if let Some(exchange) = self.exchanges.last() {
            let (exchange, endpoint, at) = (exchange.id, exchange.endpoint, exchange.arrived);
            let (client_id, reason) = (self.caller.clone(), reason.to_owned());
            self.findings.push(Violation {
                rule,
                severity,
                client_id,
                exchange,
                endpoint,
                at,
                reason,
            });
        }
    }
}

/// The methods an endpoint takes.
const fn taken(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Token | Endpoint::Backchannel => "POST",
        Endpoint::UserInfo => "GET, POST",
        _ => "GET, HEAD",
    }
}

/// Parameters that must not stand in any URL.
const SECRET_PARAMETERS: [&str; 10] = [
    "access_token",
    "refresh_token",
    "token",
    "client_secret",
    "client_assertion",
    "client_notification_token",
    "auth_req_id",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
];

/// The fault of the catalogue that a hint asks for: `fault:NAME`.
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
