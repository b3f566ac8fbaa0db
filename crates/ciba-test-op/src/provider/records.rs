//! The transactions that the provider remembers. The index of a record never changes.

use std::{
    collections::BTreeMap,
    ops::{Index, IndexMut},
};

use super::transaction::Record;

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
