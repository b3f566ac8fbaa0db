//! The provider itself: a function of its state, a request and an instant.

use ciba_core::Timestamp;

use crate::{
    config::{Client, ConfigError, ProviderConfig},
    judge::{Exchange, Report, Violation},
    message::{Endpoint, ExchangeId, Incoming, Reply},
    script::{KeySetEdit, Script},
};

/// An OpenID provider without sockets or clock.
#[derive(Debug)]
pub struct Provider {
    config: ProviderConfig,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionState {
    /// Nobody has decided.
    Pending,
    /// The person said yes; tokens were not fetched yet.
    Approved,
    /// The person said no.
    Denied,
    /// Tokens were handed out.
    Redeemed,
    /// The time is over.
    Expired,
    /// Refused for good.
    Dead,
}

/// One authentication that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// Its number, from 1.
    pub number: usize,
    /// Whose.
    pub client_id: String,
    /// Where it stands.
    pub state: TransactionState,
    /// What the person is shown.
    pub binding_message: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
}

#[allow(clippy::todo, missing_docs, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Provider {
    pub fn new(config: ProviderConfig) -> Result<Self, ConfigError> {
        Ok(Self { config })
    }
    pub fn issuer(&self) -> &str {
        &self.config.issuer
    }
    pub fn endpoint_url(&self, endpoint: Endpoint) -> String {
        todo!()
    }
    pub fn register(&mut self, client: Client) -> Result<(), ConfigError> {
        todo!()
    }
    pub fn script(&mut self, script: Script) {
        todo!()
    }
    pub fn script_for_hint(&mut self, hint: &str, script: Script) {
        todo!()
    }
    pub fn edit_keys(&mut self, edit: KeySetEdit) {
        todo!()
    }
    pub fn handle(&mut self, request: impl Into<Incoming>, now: Timestamp) -> Reply {
        todo!()
    }
    pub fn resume(&mut self, exchange: ExchangeId, now: Timestamp) -> Reply {
        todo!()
    }
    pub fn begin(&mut self, request: impl Into<Incoming>, now: Timestamp) -> (ExchangeId, Reply) {
        todo!()
    }
    pub fn proceed(&mut self, exchange: ExchangeId, now: Timestamp) -> Reply {
        todo!()
    }
    pub fn end(&mut self, exchange: ExchangeId, now: Timestamp) {
        todo!()
    }
    pub fn revision(&self) -> u64 {
        todo!()
    }
    pub fn transactions(&self, now: Timestamp) -> Vec<Transaction> {
        todo!()
    }
    pub fn approve(&mut self, transaction: usize, now: Timestamp) -> bool {
        todo!()
    }
    pub fn deny(&mut self, transaction: usize, now: Timestamp) -> bool {
        todo!()
    }
    pub fn exchanges(&self) -> &[Exchange] {
        todo!()
    }
    pub fn violations(&self) -> &[Violation] {
        todo!()
    }
    pub fn report(&self) -> Report {
        todo!()
    }
}
