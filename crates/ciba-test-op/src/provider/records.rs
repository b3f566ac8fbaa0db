//! What the provider remembers, and when records are evicted. The index of a record never changes.

use std::{
    collections::BTreeMap,
    ops::{Index, IndexMut},
};

use ciba_core::Timestamp;
use serde_json::Value;

use super::{Held, Provider, hint_of, transaction::Record};
use crate::{
    judge::Exchange,
    message::{ExchangeId, Incoming, Reply},
};

/// The transactions in the order they began. The index of each stays valid until it is evicted.
#[derive(Debug, Default)]
pub(super) struct Records {
    known: BTreeMap<usize, Record>,
    begun: usize,
    /// The number of evicted transactions that ended with tokens issued.
    redeemed: usize,
}

impl Records {
    /// The number of transactions that were ever begun.
    pub(super) const fn begun(&self) -> usize {
        self.begun
    }

    /// The number of transactions that ended with tokens issued, including evicted ones.
    pub(super) fn redeemed(&self) -> usize {
        self.redeemed + self.iter().filter(|record| record.has_tokens_out()).count()
    }

    /// The number of transactions that are known.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn push(&mut self, record: Record) {
        self.known.insert(self.begun, record);
        self.begun += 1;
    }

    pub(super) fn get(&self, at: usize) -> Option<&Record> {
        self.known.get(&at)
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Record> {
        self.known.get_mut(&at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.known.values()
    }

    /// Iterates over the transactions with their indices.
    pub(super) fn places_mut(&mut self) -> impl Iterator<Item = (usize, &mut Record)> {
        self.known.iter_mut().map(|(at, record)| (*at, record))
    }

    /// The index of the first that matches.
    pub(super) fn position(&self, fits: impl Fn(&Record) -> bool) -> Option<usize> {
        self.known.iter().find(|(_, record)| fits(record)).map(|(at, _)| *at)
    }

    /// Evicts those that do not stay.
    pub(super) fn retain(&mut self, mut stays: impl FnMut(usize, &Record) -> bool) {
        let redeemed = &mut self.redeemed;
        self.known.retain(|at, record| {
            let stays = stays(*at, record);
            *redeemed += usize::from(!stays && record.has_tokens_out());
            stays
        });
    }
}

impl Index<usize> for Records {
    type Output = Record;

    fn index(&self, at: usize) -> &Record {
        &self.known[&at]
    }
}

impl IndexMut<usize> for Records {
    fn index_mut(&mut self, at: usize) -> &mut Record {
        self.known
            .get_mut(&at)
            .unwrap_or_else(|| unreachable!("an index that is in use is not evicted"))
    }
}

/// An issued access token.
#[derive(Debug)]
pub(super) struct AccessToken {
    pub(super) token: String,
    pub(super) client_id: String,
    pub(super) subject: String,
    /// The certificate it is bound to.
    pub(super) bound: Option<String>,
    pub(super) until: Timestamp,
}

impl Provider {
    pub(super) fn record_limit(&self) -> usize {
        self.config.record_limit.max(1)
    }

    /// Evicts what has been over for longer than [`ProviderConfig::memory`], and the oldest records if
    /// there are too many. The judge's findings and counts stay.
    ///
    /// [`ProviderConfig::memory`]: crate::ProviderConfig::memory
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.forget_exchanges();
        let memory = self.config.memory;
        if now.since(self.forgot) < memory / 16 {
            return;
        }
        self.forgot = now;
        let remembered = |end: Timestamp| now < end.saturating_add(memory);
        let held = self.held_places();
        self.transactions.retain(|at, record| {
            let is_used = held.contains(&at) || record.is_to_be_told();
            is_used || remembered(record.expires.max(record.pace.deadline))
        });
        self.access_tokens.retain(|known| remembered(known.until));
        self.refresh_tokens.retain(|known| now < known.until);
        self.lost_requests.retain(|(_, until)| now < *until);
    }

    /// Evicts closed exchanges first, a quarter of the limit at once, so that not every request moves
    /// all of them.
    fn forget_exchanges(&mut self) {
        let most = self.record_limit();
        if self.exchanges.len() < most {
            return;
        }
        let old = self.exchanges.len() - (most - most.div_ceil(4));
        let mut at = 0;
        self.exchanges.retain(|exchange| {
            at += 1;
            at > old || exchange.ended.is_none()
        });
        let too_many = (self.exchanges.len() + 1).saturating_sub(most);
        for gone in self.exchanges.drain(..too_many) {
            self.held.remove(&gone.id);
        }
    }

    /// The transactions that held requests and unanswered notifications still need.
    fn held_places(&self) -> Vec<usize> {
        let place = |held: &Held| match held {
            Held::Delayed { tells, .. } => *tells,
            Held::Undecided { at, .. } => Some(*at),
            Held::Forever => None,
        };
        let told = self.notified.iter().filter(|notified| notified.answered.is_none());
        self.held
            .values()
            .filter_map(place)
            .chain(told.map(|notified| notified.outbound.transaction - 1))
            .collect()
    }

    /// Whether there is room for another transaction. Evicts those that are over if necessary.
    pub(super) fn has_room(&mut self, now: Timestamp) -> bool {
        let most = self.record_limit();
        if self.transactions.len() >= most {
            let held = self.held_places();
            let goes_on = |record: &Record| {
                record.is_to_be_told()
                    || !record.has_tokens_out() && !record.dead && now < record.expires
            };
            self.transactions.retain(|at, record| held.contains(&at) || goes_on(record));
        }
        self.transactions.len() < most
    }

    pub(super) fn hand_out(&mut self, token: AccessToken) {
        if self.access_tokens.len() >= self.record_limit() {
            self.access_tokens.pop_front();
        }
        self.access_tokens.push_back(token);
    }

    /// Remembers the hint of a request whose answer is never sent.
    pub(super) fn lose(&mut self, request: &Incoming, now: Timestamp) {
        let Some(hint) = hint_of(request) else { return };
        self.lost_requests.retain(|(known, _)| *known != hint);
        if self.lost_requests.len() >= self.record_limit() {
            self.lost_requests.pop_front();
        }
        let until = now.saturating_add(self.config.expires_in).saturating_add(self.config.memory);
        self.lost_requests.push_back((hint, until));
    }

    /// Records the outcome of a request.
    pub(super) fn note(&mut self, id: ExchangeId, reply: &Reply) {
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

    pub(super) fn exchange(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let at = self.exchanges.binary_search_by_key(&id, |exchange| exchange.id).ok()?;
        self.exchanges.get_mut(at)
    }
}
