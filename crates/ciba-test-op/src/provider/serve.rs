//! Handles requests: what the scripts say about each, the endpoint that answers it, and the time at
//! which the answer is sent.

use ciba_core::{Timestamp, http::Response};
use serde_json::Value;

use super::{
    acts::Acts,
    authenticate::claimed,
    hint::{fault_of, hint_of},
    parameters::Parameters,
    refusal::Refusal,
    state::{Held, Provider},
    token::Outcome,
    transaction::Record,
};
use crate::{
    judge::Exchange,
    message::{Endpoint, ExchangeId, FOREVER, Incoming, PeerCertificate, Reply},
    script::{Decision, KeySetEdit},
};

impl Provider {
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
            is_http2: request.is_http2,
            transaction: None,
        });
        self.caller = claimed(request);
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

    /// Records the outcome of a request.
    fn note(&mut self, id: ExchangeId, reply: &Reply) {
        let Some(exchange) = self.exchange(id) else { return };
        let response = match reply {
            Reply::Answer(response)
            | Reply::Close { response, .. }
            | Reply::Drip { response, .. }
            | Reply::Endless(response) => Some(response),
            Reply::DropInside { .. } | Reply::Drop => {
                exchange.lost = true;
                None
            }
            Reply::Hold { .. } => None,
        };
        let Some(response) = response else { return };
        exchange.status = Some(response.status);
        let body: Value = serde_json::from_slice(response.body.expose()).unwrap_or_default();
        exchange.error = body["error"].as_str().map(str::to_owned);
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
                    Endpoint::Revocation => {
                        self.revoke(request, now).unwrap_or_else(|refusal| self.refused(&refusal))
                    }
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
        Endpoint::Token | Endpoint::Backchannel | Endpoint::Revocation => "POST",
        Endpoint::UserInfo => "GET, POST",
        _ => "GET, HEAD",
    }
}
