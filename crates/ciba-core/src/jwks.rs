//! The issuer's keys, fetched as seldom as possible: a second small machine, one per issuer, shared by all flows.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    ask::{Answer, Endpoint, Input, KeySetRequest, Ticket, Transmit},
    bounds,
    client::ClientConfig,
    elapsed::{Clock, Moment},
    error::{Misuse, MisuseReason},
    jose::KeySet,
    time::Timestamp,
    wire::{Request, Response},
};

/// The key set of one issuer, for one cryptography backend. Keep it under a lock that is never held across I/O.
///
/// One fetch at a time (REQ-JWKS-10); one whose answer does not come within its time-out counts as failed. A set is fresh for
/// ten minutes, or for as long as `Cache-Control: max-age` says within one minute and a day; while it cannot be fetched
/// anew it serves for another hour (REQ-JWKS-12).
#[derive(Debug)]
pub struct JwksCache {
    config: Arc<ClientConfig>,
    clock: Clock,
    /// Counts the fetches, and is the counter of their tickets.
    fetches: u32,
    fetching: Option<Fetching>,
    held: Option<Held>,
    /// When the last forced refresh succeeded, if no regular fetch did since.
    forced: Option<Moment>,
    /// When a fetch failed, if none succeeded since.
    failed: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
struct Fetching {
    counter: u64,
    limit: Moment,
    forced: bool,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    document: Box<[u8]>,
    fetched_at: Timestamp,
    fresh_until: Moment,
}

/// What a look-up says.
#[must_use = "answer the flow's question with it"]
#[derive(Debug)]
pub enum Lookup {
    /// Here are the keys: [`KeySetRequest::found`].
    Ready(KeySet),
    /// Fetch them: perform the exchange, give the input to [`JwksCache::handle`], look up again.
    Fetch(Transmit),
    /// Somebody else is fetching, or a refresh is not due yet: answer [`KeySetRequest::later`], the flow will ask again.
    Later(Timestamp),
    /// No set can be had now: [`KeySetRequest::unavailable`], the flow will ask again.
    Unavailable,
}

/// The serial of every cache's tickets; a flow draws its own at random.
const SERIAL: u64 = 0;
/// How soon to look again while somebody else is fetching.
const GLANCE: Duration = Duration::from_millis(250);
/// How soon a fetch that failed may be tried again.
const RETRY: Duration = Duration::from_secs(1);
/// The same for a forced one: whoever sends tokens with key ids nobody knows decides how many there are (REQ-JWKS-10).
const FORCED_RETRY: Duration = Duration::from_secs(10);

impl JwksCache {
    /// An empty cache for the issuer of this configuration.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        Self {
            config: Arc::clone(config),
            clock: Clock::starting(Timestamp::EPOCH),
            fetches: 0,
            fetching: None,
            held: None,
            forced: None,
            failed: None,
        }
    }

    /// The keys for a request, or what to do to get them. A request about another issuer finds nothing here.
    pub fn lookup(&mut self, request: &KeySetRequest, now: Timestamp) -> Lookup {
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        if request.issuer() != self.config.issuer.as_str() {
            return Lookup::Unavailable;
        }
        if self.fetching.is_some_and(|fetching| moment >= fetching.limit) {
            self.fetching = None;
            self.failed = Some(moment);
        }
        let wanted = match request.stale_generation() {
            Some(stale) => self.newer_than(stale),
            None => self.fresh(moment),
        };
        if let Some(keys) = wanted {
            return Lookup::Ready(keys);
        }
        if self.fetching.is_some() {
            return Lookup::Later(now.saturating_add(GLANCE));
        }
        let retry = if request.wants_refresh() { FORCED_RETRY } else { RETRY };
        if self.failed.is_some_and(|failed| moment.since(failed) < retry) {
            return self.make_do(request, moment);
        }
        let forced = request.wants_refresh();
        if let Some(last) = self.forced.filter(|_| forced) {
            let due = last.plus(bounds::FORCED_REFRESH_SPACING);
            if moment < due {
                return Lookup::Later(self.clock.wall_at(due));
            }
        }
        self.fetch(moment, forced)
    }

    fn fetch(&mut self, moment: Moment, forced: bool) -> Lookup {
        let Some(url) = &self.config.jwks_uri else { return Lookup::Unavailable };
        let timeout = self.config.policy.fetch_timeout;
        self.fetches = self.fetches.wrapping_add(1);
        let limit = moment.plus(timeout).plus(bounds::LOST_AFTER);
        self.fetching = Some(Fetching { counter: u64::from(self.fetches), limit, forced });
        let ticket = Ticket { serial: SERIAL, counter: u64::from(self.fetches) };
        let request = Request::get(url.clone());
        let transmit = Transmit::new(request, Endpoint::KeySet, self.fetches, timeout, bounds::KEY_SET_BYTES, ticket);
        Lookup::Fetch(transmit)
    }

    /// What serves when a fetch has just failed: the old set for a while, unless it is known not to serve.
    fn make_do(&self, request: &KeySetRequest, moment: Moment) -> Lookup {
        let usable = |held: &&Held| moment < held.fresh_until.plus(bounds::KEY_SET_STALE);
        match self.held.as_ref().filter(usable) {
            Some(held) if !request.wants_refresh() => Lookup::Ready(held.keys.clone()),
            _ => Lookup::Unavailable,
        }
    }

    fn newer_than(&self, generation: u64) -> Option<KeySet> {
        self.held.as_ref().filter(|held| held.keys.generation() > generation).map(|held| held.keys.clone())
    }

    fn fresh(&self, moment: Moment) -> Option<KeySet> {
        self.held.as_ref().filter(|held| moment < held.fresh_until).map(|held| held.keys.clone())
    }

    /// Takes the outcome of a fetch. One that comes after its time is used all the same when it is good and nothing newer
    /// is there, and ignored otherwise.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the input is not of a fetch of this cache; nothing changed.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        if input.ticket.serial != SERIAL || input.ticket.counter > u64::from(self.fetches) {
            return Err(Misuse { input: Box::new(input), reason: MisuseReason::ForeignTicket });
        }
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        let fetching = self.fetching.filter(|fetching| fetching.counter == input.ticket.counter);
        if fetching.is_some() {
            self.fetching = None;
        }
        let generation = input.ticket.counter;
        let response = if let Answer::Response(response) = &input.answer { Some(response) } else { None };
        let keys = response.and_then(|response| Some((self.import(response, generation)?, response)));
        match keys {
            Some((keys, response)) if self.newer_than(generation.saturating_sub(1)).is_none() => {
                let age = max_age(response).map_or(bounds::KEY_SET_DEFAULT_AGE, |age| bounds::KEY_SET_AGE.clamp(age));
                self.hold(keys, response.body.expose(), moment, now, age);
                match fetching {
                    Some(Fetching { forced: true, .. }) => self.forced = Some(moment),
                    Some(_) => self.forced = None,
                    // Late: whether it was forced is not known any more, so nothing is allowed that was not before.
                    None => {}
                }
            }
            Some(_) => {}
            None if fetching.is_some() => self.failed = Some(moment),
            None => {}
        }
        Ok(())
    }

    fn import(&self, response: &Response, generation: u64) -> Option<KeySet> {
        let media_type = response.media_type();
        let is_json = matches!(media_type.as_deref(), Some("application/json" | "application/jwk-set+json"));
        if response.status != 200 || response.truncated || !is_json {
            return None;
        }
        let document = response.body.expose();
        KeySet::import(self.config.issuer.shared(), generation, document, &*self.config.verifier).ok()
    }

    fn hold(&mut self, keys: KeySet, document: &[u8], fetched: Moment, fetched_at: Timestamp, age: Duration) {
        let fresh_until = fetched.plus(age);
        self.held = Some(Held { keys, document: document.into(), fetched_at, fresh_until });
        self.failed = None;
    }

    /// Puts a key set document in that was fetched earlier, for example by another process; it counts as fetched at
    /// `fetched_at`. Says whether it was taken: it has to be a key set, not from the future, and newer than what is held.
    #[must_use]
    pub fn preload(&mut self, document: &[u8], fetched_at: Timestamp, now: Timestamp) -> bool {
        let _ = self.clock.observe(now);
        let age = now.since(fetched_at);
        let is_newer = self.held.as_ref().is_none_or(|held| held.fetched_at < fetched_at);
        if document.len() > bounds::KEY_SET_BYTES || fetched_at > now || !is_newer {
            return false;
        }
        self.fetches = self.fetches.wrapping_add(1);
        let issuer = self.config.issuer.shared();
        let Ok(keys) = KeySet::import(issuer, u64::from(self.fetches), document, &*self.config.verifier) else {
            return false;
        };
        let left = bounds::KEY_SET_DEFAULT_AGE.saturating_sub(age);
        self.hold(keys, document, self.clock.moment(), fetched_at, left);
        true
    }

    /// The last good key set document as it was fetched, and when.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        self.held.as_ref().map(|held| (held.document.to_vec(), held.fetched_at))
    }
}

/// `max-age` of `Cache-Control`; `no-store` and `no-cache` count as zero.
fn max_age(response: &Response) -> Option<Duration> {
    let mut age = None;
    for directive in response.headers.all("cache-control").flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            age = seconds.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    age
}
