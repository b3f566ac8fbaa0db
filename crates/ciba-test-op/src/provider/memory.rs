//! When records are evicted.

use ciba_core::Timestamp;

use super::{
    hint::hint_of,
    issued::AccessToken,
    state::{Held, Provider},
    transaction::Record,
};
use crate::message::Incoming;

impl Provider {
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
}
