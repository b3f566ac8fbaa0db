//! The cache of an issuer's keys, which are fetched on demand: a second small state machine, one per
//! issuer and shared by all flows.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    ask::{
        Answer, DropMark, Input, KeySetRequest, Misuse, MisuseReason, Sending, Ticket, Transmit,
    },
    bounds,
    client::ClientConfig,
    crypto::{Hash, Verifier},
    elapsed::{Clock, Moment},
    endpoint::Endpoint,
    fault::{Cause, ExchangeProblem, Fault},
    issuer::Issuer,
    jose::KeySet,
    time::Timestamp,
    url::Url,
    wire::{Request, Response},
};

/// The cached key set of one issuer, for one cryptography backend.
///
/// Keep it behind a lock that is never held across I/O.
///
/// At most one fetch runs at a time. A fetch without a response within its timeout counts as failed.
/// A set is fresh for ten minutes, or for the time of `Cache-Control: max-age`, clamped to between
/// one minute and one day. While it cannot be fetched again, it is used for another hour.
// REQ-JWKS-10, REQ-JWKS-12
#[derive(Debug)]
pub struct JwksCache {
    config: Arc<ClientConfig>,
    clock: Clock,
    /// Part of the tickets of this issuer, so that answers for another issuer's cache are rejected.
    serial: u64,
    /// The number of fetches so far. It identifies the ticket of each fetch.
    fetches: u32,
    /// The number of sets held so far, including preloaded ones.
    generation: u64,
    fetching: Option<Fetching>,
    current: Option<CurrentSet>,
    /// When the last forced refresh succeeded, and how many succeeded in a row without a regular
    /// fetch.
    forced: Option<(Moment, u32)>,
    /// When the last fetch failed and why, if none has succeeded since.
    failed: Option<(Moment, ExchangeProblem)>,
}

#[derive(Debug)]
struct Fetching {
    counter: u64,
    limit: Moment,
    forced: bool,
    drop_mark: DropMark,
}

#[derive(Debug)]
struct CurrentSet {
    keys: KeySet,
    document: Box<[u8]>,
    fetched_at: Timestamp,
    fresh_until: Moment,
    /// Until when it may be used while it cannot be fetched again.
    serves_until: Moment,
    /// The number of the last fetch that had been started when this set arrived. Responses to that
    /// and to earlier fetches are not newer.
    asked: u64,
}

/// The result of a lookup.
#[must_use = "answer the flow's question with it"]
#[derive(Debug)]
pub enum Lookup {
    /// The keys are available: answer [`KeySetRequest::found`].
    Ready(KeySet),
    /// The keys must be fetched: perform the exchange, pass the input to [`JwksCache::handle`] and
    /// look up again.
    Fetch(Transmit),
    /// Another caller is fetching, or a refresh is not due yet: answer [`KeySetRequest::later`]. The
    /// flow will ask again.
    Later(Timestamp),
    /// No set is available now, for this reason: answer [`KeySetRequest::unavailable`]. The flow
    /// will ask again.
    Unavailable(ExchangeProblem),
}

/// The delay before looking again while another caller is fetching.
const GLANCE: Duration = Duration::from_millis(250);

impl JwksCache {
    /// Creates an empty cache for the issuer of a configuration.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        // Derived from the issuer, so that no randomness is needed and two issuers never share
        // tickets.
        let digest = config.verifier.digest(Hash::Sha256, config.issuer.as_str().as_bytes());
        Self {
            config: Arc::clone(config),
            // From the epoch, so that the first lookup never looks like a clock that was set back.
            clock: Clock::starting(Timestamp::EPOCH),
            serial: u64::from_be_bytes(digest.first()),
            fetches: 0,
            generation: 0,
            fetching: None,
            current: None,
            forced: None,
            failed: None,
        }
    }

    /// Returns the keys for a request, or what to do to obtain them.
    ///
    /// A request for the keys of another issuer is answered [`Lookup::Unavailable`], and so is a
    /// request whose fetch has already been used: each request may cause at most one fetch.
    pub fn lookup(&mut self, request: &mut KeySetRequest, now: Timestamp) -> Lookup {
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        // With the keys of another issuer, that issuer could sign this one's tokens (REQ-JWKS-20).
        if request.issuer() != self.config.issuer.as_str() {
            return Lookup::Unavailable(Cause::Local.into());
        }
        match &self.fetching {
            // The caller that started the fetch dropped it.
            Some(fetching) if fetching.drop_mark.dropped().is_some() => {
                // Otherwise one cancelled caller would keep all flows of the issuer waiting until
                // the timeout.
                self.fetching = None;
                self.failed = Some((moment, Cause::Interrupted.into()));
            }
            Some(fetching) if moment >= fetching.limit => {
                self.fetching = None;
                self.failed = Some((moment, Cause::Timeout.into()));
            }
            Some(_) | None => {}
        }
        let wanted = match request.stale_generation() {
            // A set that another flow has fetched since then is as good as a new fetch.
            Some(stale) => self.newer_than(stale),
            None => self.fresh(moment),
        };
        if let Some(keys) = wanted {
            return Lookup::Ready(keys);
        }
        // One fetch at a time for all flows of the issuer (REQ-JWKS-10).
        if self.fetching.is_some() {
            return Lookup::Later(now.saturating_add(GLANCE));
        }
        let retry =
            if request.wants_refresh() { bounds::FORCED_KEYS_RETRY } else { bounds::KEYS_RETRY };
        if let Some((_, why)) = self.failed.filter(|(failed, _)| moment.since(*failed) < retry) {
            // Checked before a new fetch: many flows that wait together must not hammer a provider
            // that is down.
            return self.make_do(request, why, moment);
        }
        let forced = request.wants_refresh();
        // Anyone who can deliver a token with an unknown key id can cause forced refreshes
        // (REQ-JWKS-10).
        if let Some((last, count)) = self.forced.filter(|_| forced) {
            let spacing = bounds::FORCED_REFRESH_SPACING
                .saturating_mul(count)
                .min(bounds::FORCED_REFRESH_MOST);
            let due = last.plus(spacing);
            if moment < due {
                return Lookup::Later(self.clock.wall_at(due));
            }
        }
        // A second fetch for the same question would bring the same again. The flow decides when to
        // ask again.
        if !request.takes_its_fetch() {
            return Lookup::Unavailable(Cause::Unknown.into());
        }
        self.fetch(moment, forced, request.within())
    }

    /// Looks up the keys before a flow requests them. Perform the exchange of a [`Lookup::Fetch`] and
    /// call this again.
    pub fn prefetch(&mut self, now: Timestamp) -> Lookup {
        // No flow asks, so the ticket is never answered.
        let (ticket, _) = Ticket::new(self.serial, 0);
        let mut request = KeySetRequest::new(self.config.issuer.shared(), None, None, ticket);
        self.lookup(&mut request, now)
    }

    fn fetch(&mut self, moment: Moment, forced: bool, within: Option<Duration>) -> Lookup {
        let Some(url) = &self.config.jwks_uri else {
            return Lookup::Unavailable(Cause::Local.into());
        };
        let timeout = self.config.policy.fetch_timeout;
        // A fetch ahead of time must be over before the flow has something else to do.
        let timeout = within.map_or(timeout, |within| within.min(timeout));
        self.fetches = self.fetches.wrapping_add(1);
        // A little after the timeout, so that the caller can still report the cause.
        let limit = moment.plus(timeout).plus(bounds::LOST_AFTER);
        let (ticket, drop_mark) = Ticket::new(self.serial, u64::from(self.fetches));
        self.fetching =
            Some(Fetching { counter: u64::from(self.fetches), limit, forced, drop_mark });
        let mut request = Request::get_accepting(url.clone(), ACCEPTED);
        for (name, value) in self.config.headers.iter() {
            request.headers.push(name, value);
        }
        let transmit = Transmit::new(
            request,
            Endpoint::KeySet,
            self.fetches,
            timeout,
            bounds::KEY_SET_BYTES,
            ticket,
        );
        Lookup::Fetch(transmit)
    }

    /// Returns what can be used after a failed fetch: the stale set for a while, unless the request
    /// needs a newer one.
    fn make_do(&self, request: &KeySetRequest, why: ExchangeProblem, moment: Moment) -> Lookup {
        let usable = |current: &&CurrentSet| moment < current.serves_until;
        match self.current.as_ref().filter(usable) {
            // A request for a newer set has seen this one fail, so the same set would not help.
            Some(current) if !request.wants_refresh() => Lookup::Ready(current.keys.clone()),
            _ => Lookup::Unavailable(why),
        }
    }

    fn newer_than(&self, generation: u64) -> Option<KeySet> {
        self.current
            .as_ref()
            .filter(|current| current.keys.generation() > generation)
            .map(|current| current.keys.clone())
    }

    fn fresh(&self, moment: Moment) -> Option<KeySet> {
        self.current
            .as_ref()
            .filter(|current| moment < current.fresh_until)
            .map(|current| current.keys.clone())
    }

    /// Returns the request of a fetch at the instant of sending, or `None` if its time is up or the
    /// transmission belongs to another machine.
    pub fn begin(&mut self, transmit: Transmit, now: Timestamp) -> Option<Sending> {
        let _ = self.clock.observe(now);
        let Ticket { serial, counter, .. } = *transmit.ticket();
        // A fetch whose time is up counts as failed, and another one may have started.
        let is_wanted = self.fetching.as_ref().is_some_and(|fetching| {
            serial == self.serial
                && counter == fetching.counter
                && self.clock.moment() < fetching.limit
        });
        is_wanted.then(|| transmit.begin())
    }

    /// Handles the outcome of a fetch.
    ///
    /// A response that arrives after the timeout is still used if it is valid and nothing newer is
    /// held; otherwise it is ignored.
    ///
    /// # Errors
    ///
    /// Returns [`Misuse`] if the input does not belong to a fetch of this cache. The cache is then
    /// unchanged.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        if input.ticket.serial != self.serial || input.ticket.counter > u64::from(self.fetches) {
            return Err(Misuse { input: Box::new(input), reason: MisuseReason::ForeignTicket });
        }
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        let Input { ticket, answer } = input;
        let asked = ticket.counter;
        ticket.mark_answered();
        let fetching = self.fetching.take_if(|fetching| fetching.counter == asked);
        // A response that overtook an older one must not be replaced by it.
        let is_news = self.current.as_ref().is_none_or(|current| current.asked < asked);
        let keys = match &answer {
            Answer::Response(_, response) => self.import(response).map(|keys| (keys, response)),
            // For a fetch it makes no difference whether it was sent.
            Answer::Unanswered(how) => Err(how.cause().into()),
            Answer::Signature(_)
            | Answer::KeyUnavailable(_)
            | Answer::KeyInterrupted
            | Answer::Keys(_)
            | Answer::KeysLater(_)
            | Answer::KeysUnavailable(_)
            | Answer::Saved(_) => Err(Cause::Unknown.into()),
        };
        match keys {
            Ok((keys, response)) if fetching.is_some() || is_news => {
                let age = max_age(response)
                    .map_or(bounds::KEY_SET_DEFAULT_AGE, |age| bounds::KEY_SET_AGE.clamp(age));
                self.generation = keys.generation();
                self.failed = None;
                self.current = Some(CurrentSet {
                    keys,
                    document: response.body.expose().into(),
                    fetched_at: now,
                    // On elapsed time, so that a wall clock that is set back does not keep old keys
                    // alive.
                    fresh_until: moment.plus(age),
                    serves_until: moment.plus(age).plus(bounds::KEY_SET_STALE),
                    asked,
                });
                match fetching {
                    Some(Fetching { forced: true, .. }) => {
                        let count = self.forced.map_or(0, |(_, count)| count);
                        self.forced = Some((moment, count.saturating_add(1)));
                    }
                    // A regular fetch means that no unknown key forced it, so the spacing starts
                    // again.
                    Some(_) => self.forced = None,
                    // A late response: it is no longer known whether its fetch was forced, so it does not
                    // change when the next forced refresh is allowed.
                    None => {}
                }
            }
            Ok(_) => {}
            Err(why) if fetching.is_some() => self.failed = Some((moment, why)),
            Err(_) => {}
        }
        Ok(())
    }

    fn import(&self, response: &Response) -> Result<KeySet, ExchangeProblem> {
        read(response, |document| self.read(document))
    }

    /// Reads a set as the next generation.
    fn read(&self, document: &[u8]) -> Result<KeySet, Fault> {
        let generation = self.generation.saturating_add(1);
        KeySet::import(self.config.issuer.shared(), generation, document, &*self.config.verifier)
    }

    /// Adds a key set document that was fetched before, for example by another process.
    ///
    /// It counts as fetched at `fetched_at`, and is replaced by the result of a fetch that is in
    /// progress. Returns whether it was accepted: it must be a valid key set, newer than the one
    /// that is held, not from the future, and not too old to be used.
    #[must_use]
    pub fn preload(&mut self, document: &[u8], fetched_at: Timestamp, now: Timestamp) -> bool {
        let _ = self.clock.observe(now);
        let age = now.since(fetched_at);
        let is_newer = self.current.as_ref().is_none_or(|current| current.fetched_at < fetched_at);
        let moment = self.clock.moment();
        // The age of a document from elsewhere is counted, but its `max-age` is not known, so the
        // default applies.
        let left =
            bounds::KEY_SET_DEFAULT_AGE.saturating_add(bounds::KEY_SET_STALE).saturating_sub(age);
        if document.len() > bounds::KEY_SET_BYTES || fetched_at > now || !is_newer || left.is_zero()
        {
            return false;
        }
        let Ok(keys) = self.read(document) else { return false };
        self.generation = keys.generation();
        self.failed = None;
        self.current = Some(CurrentSet {
            keys,
            document: document.into(),
            fetched_at,
            fresh_until: moment.plus(bounds::KEY_SET_DEFAULT_AGE.saturating_sub(age)),
            serves_until: moment.plus(left),
            asked: u64::from(self.fetches),
        });
        true
    }

    /// Returns the last valid key set document as it was fetched, and the time of the fetch.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        self.current.as_ref().map(|current| (current.document.to_vec(), current.fetched_at))
    }
}

/// A single fetch of a key set outside of a flow, to inspect what an issuer publishes.
///
/// Flows use a [`JwksCache`]. Send [`Self::request`] and pass the response to [`Self::process`].
#[derive(Debug, Clone)]
pub struct KeySetDocument {
    issuer: Issuer,
    address: Url,
}

impl KeySetDocument {
    /// Creates the fetch of the key set of an issuer, which is at its `jwks_uri`.
    #[must_use]
    pub const fn new(issuer: Issuer, address: Url) -> Self {
        Self { issuer, address }
    }

    /// Returns the request to send.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::get_accepting(self.address.clone(), ACCEPTED)
    }

    /// Returns the timeout of the request.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Returns the maximum length of the response in bytes.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        bounds::KEY_SET_BYTES
    }

    /// Reads the response.
    ///
    /// # Errors
    ///
    /// Returns [`ExchangeProblem`] if the response is not a key set. Keys that cannot be used do not cause
    /// an error; [`KeySet::keys`] lists them.
    pub fn process(
        &self,
        response: &Response,
        verifier: &dyn Verifier,
    ) -> Result<KeySet, ExchangeProblem> {
        read(response, |document| KeySet::pinned(&self.issuer, document, verifier))
    }
}

/// The `Accept` value. The response is judged by its content and not by its media type.
// Ruling 31.
const ACCEPTED: &str = "application/jwk-set+json, application/json";

fn read(
    response: &Response,
    keys: impl FnOnce(&[u8]) -> Result<KeySet, Fault>,
) -> Result<KeySet, ExchangeProblem> {
    let fault = match response.status {
        // A set that was cut off may lack exactly the key that is needed.
        200 if response.truncated => Fault::TooLarge,
        200 if response.is_encoded() => Fault::ContentCoding,
        200 => match keys(response.body.expose()) {
            Ok(keys) => return Ok(keys),
            Err(fault) => fault,
        },
        300..400 => Fault::Redirect,
        _ => Fault::Status,
    };
    Err(ExchangeProblem::Unusable { fault, status: response.status })
}

/// Returns `max-age` of `Cache-Control`. `no-store` and `no-cache` count as zero.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{client::testing, issuer::Issuer};

    fn cache(issuer: &str) -> (JwksCache, KeySetRequest) {
        let mut metadata = testing::metadata();
        metadata.issuer = Issuer::parse(issuer).unwrap();
        let config = testing::builder_from(metadata).build().unwrap();
        let cache = JwksCache::new(&config);
        let question = question(&cache);
        (cache, question)
    }

    fn question(cache: &JwksCache) -> KeySetRequest {
        let (ticket, _) = Ticket::new(7, 7);
        KeySetRequest::new(cache.config.issuer.shared(), None, None, ticket)
    }

    fn fetch(cache: &mut JwksCache, request: &mut KeySetRequest) -> Transmit {
        match cache.lookup(request, Timestamp::EPOCH) {
            Lookup::Fetch(transmit) => transmit,
            other => panic!("{other:?}"),
        }
    }

    /// An answer for the cache of one issuer is rejected by the cache of another, so that no issuer's
    /// keys can be used as another's.
    ///
    /// REQ-JWKS-20
    #[test]
    fn an_answer_for_the_cache_of_another_issuer_is_refused_and_returned() {
        let (mut ours, mut request) = cache("https://ours.example");
        let (mut theirs, mut their_request) = cache("https://theirs.example");
        let _open = fetch(&mut ours, &mut request);
        let foreign = fetch(&mut theirs, &mut their_request);
        let foreign = theirs
            .begin(foreign, Timestamp::EPOCH)
            .unwrap()
            .answered(Response::json(200, r#"{"keys":[]}"#));
        let misuse = ours.handle(foreign, Timestamp::EPOCH).unwrap_err();
        assert_eq!((misuse.reason, ours.export()), (MisuseReason::ForeignTicket, None));
        theirs.handle(*misuse.input, Timestamp::EPOCH).unwrap();
        assert!(theirs.export().is_some());
    }
    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_secs(1_893_456_000).saturating_add(Duration::from_secs(seconds))
    }

    /// A document that contains a name.
    fn set(name: &str) -> alloc::string::String {
        alloc::format!(r#"{{"keys":[],"name":"{name}"}}"#)
    }

    fn current(cache: &JwksCache) -> Option<alloc::string::String> {
        cache.export().map(|(document, _)| alloc::string::String::from_utf8(document).unwrap())
    }

    /// A preloaded set is used while a fetch is in progress. The result of the fetch replaces it, and
    /// is newer for a flow for which the preloaded set was not sufficient.
    ///
    /// REQ-JWKS-09
    #[test]
    fn a_provided_set_does_not_discard_the_result_of_a_running_fetch() {
        let (mut cache, mut first) = cache("https://ours.example");
        let Lookup::Fetch(transmit) = cache.lookup(&mut first, at(0)) else { panic!() };
        assert!(cache.preload(set("brought").as_bytes(), at(0), at(1)));
        let Lookup::Ready(brought) = cache.lookup(&mut first, at(1)) else { panic!() };
        let (ticket, _) = Ticket::new(7, 8);
        let mut newer = KeySetRequest::new(
            cache.config.issuer.shared(),
            None,
            Some(brought.generation()),
            ticket,
        );
        assert!(matches!(cache.lookup(&mut newer, at(1)), Lookup::Later(_)));
        let sending = cache.begin(transmit, at(1)).unwrap();
        cache.handle(sending.answered(Response::json(200, set("fetched"))), at(2)).unwrap();
        assert_eq!(current(&cache), Some(set("fetched")));
        assert!(matches!(cache.lookup(&mut newer, at(2)), Lookup::Ready(_)));
    }

    /// Only a fetch in progress is newer than a preloaded set, not a response to a fetch that has
    /// timed out.
    ///
    /// REQ-JWKS-12
    #[test]
    fn a_late_response_does_not_replace_a_set_provided_after_its_request() {
        let (mut cache, mut first) = cache("https://ours.example");
        let Lookup::Fetch(transmit) = cache.lookup(&mut first, at(0)) else { panic!() };
        let sending = cache.begin(transmit, at(0)).unwrap();
        assert!(cache.preload(set("brought").as_bytes(), at(100), at(100)));
        assert!(matches!(cache.lookup(&mut first, at(100)), Lookup::Ready(_)));
        cache.handle(sending.answered(Response::json(200, set("late"))), at(101)).unwrap();
        assert_eq!(current(&cache), Some(set("brought")));
    }

    /// A preloaded set is used during an outage no longer than if it had been fetched by this cache.
    ///
    /// REQ-JWKS-12
    #[test]
    fn the_age_of_a_provided_set_counts_from_when_it_was_fetched() {
        for (age, left) in [(4100, 100), (4199, 1), (4200, 0), (1_000_000, 0)] {
            let (mut cache, _) = cache("https://ours.example");
            let fetched_at = at(0).saturating_sub(Duration::from_secs(age));
            assert_eq!(cache.preload(set("old").as_bytes(), fetched_at, at(0)), left > 0, "{age}");
            for (now, serves) in [(0, left > 0), (left + 2, false)] {
                let mut first = question(&cache);
                let Lookup::Fetch(transmit) = cache.lookup(&mut first, at(now)) else {
                    panic!("{age} {now}")
                };
                let sending = cache.begin(transmit, at(now)).unwrap();
                cache.handle(sending.answered(Response::json(500, "")), at(now)).unwrap();
                assert_eq!(
                    matches!(cache.lookup(&mut first, at(now)), Lookup::Ready(_)),
                    serves,
                    "{age} {now}"
                );
            }
        }
    }
}
