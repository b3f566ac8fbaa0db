//! How answers are created and sent: the request, the scripts, and what the judge expects then.

use ciba_core::{Timestamp, http::Response};

use super::{
    acts::Acts,
    pace::Pace,
    refresh::is_refresh,
    state::{Held, Provider},
    token::Outcome,
};
use crate::message::{Endpoint, ExchangeId, Incoming, Reply};

impl Provider {
    /// Judges a request that the provider neither acts upon nor answers.
    pub(super) fn judge_only(
        &mut self,
        id: ExchangeId,
        endpoint: Endpoint,
        request: &Incoming,
        now: Timestamp,
    ) {
        let refusal = match endpoint {
            Endpoint::Token if is_refresh(request) => self.check_refresh(request, now).err(),
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

    pub(super) fn answer_authentication_request(
        &mut self,
        id: ExchangeId,
        request: &Incoming,
        acts: &Acts,
        now: Timestamp,
    ) -> Reply {
        let own = self.backchannel(request, now);
        let (response, record) = match (own, &acts.answer) {
            // The request is judged, but does not begin a transaction.
            (own, Some(scripted)) => {
                if let Err(refusal) = own {
                    self.refused(&refusal);
                }
                (scripted.response(), None)
            }
            (Ok((response, record)), None) => (acts.amended(response), Some(record)),
            (Err(refusal), None) => (self.refused(&refusal), None),
        };
        if let Some(mut record) = record {
            let lifetime = record.expires.since(record.started);
            record.pace = Pace::told(&response, now, lifetime, self.config.speed_reference);
            record.asked = id;
            if let Some(exchange) = self.exchange(id) {
                exchange.transaction = Some(record.number);
            }
            self.plan(&mut record);
            self.transactions.push(record);
            self.revision += 1;
        }
        if acts.lose_the_answer() {
            self.lose(request, now);
        }
        self.leave(id, acts, response, now)
    }

    pub(super) fn answer_token_request(
        &mut self,
        id: ExchangeId,
        request: &Incoming,
        acts: Acts,
        now: Timestamp,
    ) -> Reply {
        if is_refresh(request) {
            let response = self.answer_refresh_request(id, request, &acts, now);
            return self.leave(id, &acts, response, now);
        }
        let claimed = self.claim(id, request, now);
        let (at, too_early) = match claimed {
            Ok(claimed) => claimed,
            Err(refusal) => {
                let response = self.refused(&refusal);
                let response =
                    acts.answer.as_ref().map_or(response, |scripted| scripted.response());
                return self.leave(id, &acts, response, now);
            }
        };
        let number = self.transactions[at].number;
        if let Some(exchange) = self.exchange(id) {
            exchange.transaction = Some(number);
        }
        if let Some(scripted) = &acts.answer {
            let response = scripted.response();
            return self.leave_token_endpoint(id, at, &acts, response, now);
        }
        match self.redeem(at, &acts.id_token, too_early, now) {
            Outcome::Answer(response) => self.leave_token_endpoint(id, at, &acts, response, now),
            Outcome::Undecided(response) => {
                let expires = self.transactions[at].expires;
                match self.config.long_polling {
                    Some(patience) => {
                        let decides =
                            self.transactions[at].scheduled.map_or(expires, |(decides, _)| decides);
                        let until = now.saturating_add(patience).min(expires).min(decides);
                        self.held.insert(id, Held::Undecided { at, acts, until });
                        Reply::Hold { exchange: id, until }
                    }
                    None => self.leave_token_endpoint(id, at, &acts, response, now),
                }
            }
        }
    }

    /// Sends an answer of the token endpoint. The client has to comply with it if it can have
    /// arrived.
    pub(super) fn leave_token_endpoint(
        &mut self,
        id: ExchangeId,
        at: usize,
        acts: &Acts,
        response: Response,
        now: Timestamp,
    ) -> Reply {
        let is_success = response.status == 200 && acts.answer.is_none();
        let response = if is_success { acts.amended(response) } else { response };
        // The client has to comply only with what it has certainly read, from the time at which it
        // can have read it. It may not wait for the end of a body that is sent slowly.
        let reply = self.leave(id, acts, response.clone(), now);
        if let Some(Held::Delayed { tells, .. }) = self.held.get_mut(&id) {
            *tells = Some(at);
        } else if reply.answer().is_some() {
            self.transactions[at].pace.answered(&response, self.config.habits.pending, now);
        }
        reply
    }

    pub(super) fn leave(
        &mut self,
        id: ExchangeId,
        acts: &Acts,
        response: Response,
        now: Timestamp,
    ) -> Reply {
        // Only where there was a proof, so that the first one of a client lacks it.
        let is_proven =
            self.exchange(id).is_some_and(|exchange| exchange.headers.get("dpop").is_some());
        let response =
            if is_proven && acts.answer.is_none() { self.with_nonce(response) } else { response };
        let reply = acts.delivered(response);
        let until = acts.leaves_at(now);
        if until > now {
            self.held.insert(id, Held::Delayed { reply, until, tells: None });
            return Reply::Hold { exchange: id, until };
        }
        reply
    }
}
