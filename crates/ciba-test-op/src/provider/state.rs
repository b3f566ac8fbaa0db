//! What the provider knows: its configuration, its scripts and its records.

use std::collections::{BTreeMap, HashMap, VecDeque};

use ciba_core::{Issuer, Timestamp, http::LoopbackHttp};

use super::{
    acts::Acts,
    issued::{AccessToken, RefreshToken},
    key_set::Keys,
    records::Records,
    transaction::Transaction,
};
use crate::{
    client::Client,
    config::{ConfigError, ProviderConfig},
    findings::Findings,
    ids::Ids,
    judge::{Exchange, Violation},
    message::{Endpoint, ExchangeId, Reply},
    notification::Notified,
    report::Report,
    script::{KeySetEdit, Script},
};

/// An OpenID provider without sockets or clock.
///
/// Pass requests to [`Self::handle`] and carry out each [`Reply`]. The provider records every
/// request and judges the clients: [`Self::report`].
#[derive(Debug)]
pub struct Provider {
    pub(super) config: ProviderConfig,
    pub(super) ids: Ids,
    pub(super) keys: Keys,
    pub(super) script: Script,
    pub(super) hint_scripts: Vec<(String, Script)>,
    /// The number of messages of each endpoint since the script was installed.
    pub(super) counts: BTreeMap<Endpoint, u32>,
    pub(super) transactions: Records,
    /// The `jti` of every assertion that has not expired.
    pub(super) assertions: HashMap<(String, String), Used>,
    /// The `jti` of every signed request that has not expired.
    pub(super) request_objects: HashMap<(String, String), u64>,
    /// The key and the `jti` of every DPoP proof that may still be accepted.
    pub(super) proofs: HashMap<(String, String), u64>,
    /// The nonce that DPoP proofs need.
    pub(super) dpop_nonce: Option<String>,
    pub(super) access_tokens: VecDeque<AccessToken>,
    /// Hints of authentication requests whose answer was never sent, and when they are evicted.
    pub(super) lost_requests: VecDeque<(String, Timestamp)>,
    /// Whether the current request reaches only the judge, not the provider.
    pub(super) unseen: bool,
    /// The client that the current request authenticates or names.
    pub(super) caller: Option<String>,
    pub(super) refresh_tokens: VecDeque<RefreshToken>,
    pub(super) exchanges: Vec<Exchange>,
    /// The number of requests that each endpoint received.
    pub(super) seen: BTreeMap<Endpoint, usize>,
    pub(super) findings: Findings,
    pub(super) notified: Vec<Notified>,
    pub(super) held: HashMap<ExchangeId, Held>,
    pub(super) revision: u64,
    /// When records were evicted last.
    pub(super) forgot: Timestamp,
}

/// An answer that was not sent yet.
#[derive(Debug)]
pub(super) enum Held {
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

/// A `jti` that was used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// When its assertion expires, in Unix seconds.
    pub(super) until: u64,
    /// Whether only the judge saw the request (`Act::DropBefore`): the provider still accepts the
    /// assertion.
    pub(super) unseen: bool,
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
            proofs: HashMap::new(),
            dpop_nonce: None,
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

    pub(super) fn record_limit(&self) -> usize {
        self.config.record_limit.max(1)
    }

    pub(super) fn exchange(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let at = self.exchanges.binary_search_by_key(&id, |exchange| exchange.id).ok()?;
        self.exchanges.get_mut(at)
    }
}
