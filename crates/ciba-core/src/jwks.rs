//! The issuer's keys, fetched on demand and cached: a second small machine, one per issuer, shared
//! by all flows.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    ask::{Answer, Fate, Input, KeySetRequest, Misuse, MisuseReason, Sending, Ticket, Transmit},
    bounds,
    client::ClientConfig,
    crypto::{Hash, Verifier},
    elapsed::{Clock, Moment},
    endpoint::Endpoint,
    fault::{Cause, Fault, Trouble},
    issuer::Issuer,
    jose::KeySet,
    time::Timestamp,
    url::Url,
    wire::{Request, Response},
};

/// The key set of one issuer, for one cryptography backend. Keep it under a lock that is never held
/// across I/O.
///
/// One fetch at a time (REQ-JWKS-10); one whose answer does not come within its time-out counts as
/// failed. A set is fresh for ten minutes, or for as long as `Cache-Control: max-age` says within
/// one minute and a day; while it cannot be fetched anew it serves for another hour (REQ-JWKS-12).
#[derive(Debug)]
pub struct JwksCache {
    config: Arc<ClientConfig>,
    clock: Clock,
    /// Marks this issuer's tickets, so that an answer meant for another issuer's cache is refused.
    serial: u64,
    /// Counts the fetches, and is the counter of their tickets.
    fetches: u32,
    /// Counts the sets that were held, brought along ones included.
    generation: u64,
    fetching: Option<Fetching>,
    held: Option<Held>,
    /// When the last forced refresh succeeded and how many did, if no regular fetch did since.
    forced: Option<(Moment, u32)>,
    /// When a fetch failed and why, if none succeeded since.
    failed: Option<(Moment, Trouble)>,
}

#[derive(Debug)]
struct Fetching {
    counter: u64,
    limit: Moment,
    forced: bool,
    fate: Fate,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    document: Box<[u8]>,
    fetched_at: Timestamp,
    fresh_until: Moment,
    /// How long it serves while it cannot be fetched again.
    serves_until: Moment,
    /// The last fetch that was asked for when it came: answers to earlier ones, and to itself, are
    /// no news.
    asked: u64,
}

/// What a look-up says.
#[must_use = "answer the flow's question with it"]
#[derive(Debug)]
pub enum Lookup {
    /// Here are the keys: [`KeySetRequest::found`].
    Ready(KeySet),
    /// Fetch them: perform the exchange, give the input to [`JwksCache::handle`], look up again.
    Fetch(Transmit),
    /// Another caller is fetching, or a refresh is not due yet: answer [`KeySetRequest::later`],
    /// the flow will ask again.
    Later(Timestamp),
    /// No set can be had now, and why: [`KeySetRequest::unavailable`], the flow will ask again.
    Unavailable(Trouble),
}

/// How soon to look again while another caller is fetching.
const GLANCE: Duration = Duration::from_millis(250);

impl JwksCache {
    /// An empty cache for the issuer of this configuration.
    #[must_use]
    pub fn new(config: &Arc<ClientConfig>) -> Self {
        let digest = config.verifier.digest(Hash::Sha256, config.issuer.as_str().as_bytes());
        Self {
            config: Arc::clone(config),
            clock: Clock::starting(Timestamp::EPOCH),
            serial: digest.as_bytes().first_chunk().copied().map_or(0, u64::from_be_bytes),
            fetches: 0,
            generation: 0,
            fetching: None,
            held: None,
            forced: None,
            failed: None,
        }
    }

    /// The keys for a request, or what to do to get them. A request about another issuer finds
    /// nothing here.
    ///
    /// A request is worth one fetch: when what it brought is of no use, the next look-up says
    /// [`Lookup::Unavailable`].
    pub fn lookup(&mut self, request: &mut KeySetRequest, now: Timestamp) -> Lookup {
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        if request.issuer() != self.config.issuer.as_str() {
            return Lookup::Unavailable(Cause::Local.into());
        }
        match &self.fetching {
            // Its caller gave up.
            Some(fetching) if fetching.fate.dropped().is_some() => {
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
            Some(stale) => self.newer_than(stale),
            None => self.fresh(moment),
        };
        if let Some(keys) = wanted {
            return Lookup::Ready(keys);
        }
        if self.fetching.is_some() {
            return Lookup::Later(now.saturating_add(GLANCE));
        }
        let retry =
            if request.wants_refresh() { bounds::FORCED_KEYS_RETRY } else { bounds::KEYS_RETRY };
        if let Some((_, why)) = self.failed.filter(|(failed, _)| moment.since(*failed) < retry) {
            return self.make_do(request, why, moment);
        }
        let forced = request.wants_refresh();
        if let Some((last, count)) = self.forced.filter(|_| forced) {
            let spacing = bounds::FORCED_REFRESH_SPACING
                .saturating_mul(count)
                .min(bounds::FORCED_REFRESH_MOST);
            let due = last.plus(spacing);
            if moment < due {
                return Lookup::Later(self.clock.wall_at(due));
            }
        }
        if !request.takes_its_fetch() {
            return Lookup::Unavailable(Cause::Unknown.into());
        }
        self.fetch(moment, forced, request.within())
    }

    fn fetch(&mut self, moment: Moment, forced: bool, within: Option<Duration>) -> Lookup {
        let Some(url) = &self.config.jwks_uri else {
            return Lookup::Unavailable(Cause::Local.into());
        };
        let timeout = self.config.policy.fetch_timeout;
        let timeout = within.map_or(timeout, |within| within.min(timeout));
        self.fetches = self.fetches.wrapping_add(1);
        let limit = moment.plus(timeout).plus(bounds::LOST_AFTER);
        let (ticket, fate) = Ticket::new(self.serial, u64::from(self.fetches));
        self.fetching = Some(Fetching { counter: u64::from(self.fetches), limit, forced, fate });
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

    /// What serves when a fetch has just failed: the old set for a while, unless it is known not to
    /// serve.
    fn make_do(&self, request: &KeySetRequest, why: Trouble, moment: Moment) -> Lookup {
        let usable = |held: &&Held| moment < held.serves_until;
        match self.held.as_ref().filter(usable) {
            Some(held) if !request.wants_refresh() => Lookup::Ready(held.keys.clone()),
            _ => Lookup::Unavailable(why),
        }
    }

    fn newer_than(&self, generation: u64) -> Option<KeySet> {
        self.held
            .as_ref()
            .filter(|held| held.keys.generation() > generation)
            .map(|held| held.keys.clone())
    }

    fn fresh(&self, moment: Moment) -> Option<KeySet> {
        self.held.as_ref().filter(|held| moment < held.fresh_until).map(|held| held.keys.clone())
    }

    /// The request of a fetch, at the instant of sending. `None` when its time is up, or for a
    /// transmission of another machine.
    pub fn begin(&mut self, transmit: Transmit, now: Timestamp) -> Option<Sending> {
        let _ = self.clock.observe(now);
        let Ticket { serial, counter, .. } = *transmit.ticket();
        let is_wanted = self.fetching.as_ref().is_some_and(|fetching| {
            serial == self.serial
                && counter == fetching.counter
                && self.clock.moment() < fetching.limit
        });
        is_wanted.then(|| transmit.begin())
    }

    /// Takes the outcome of a fetch. One that comes after its time is used all the same when it is
    /// good and nothing newer is there, and ignored otherwise.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the input is not of a fetch of this cache; nothing changed.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        if input.ticket.serial != self.serial || input.ticket.counter > u64::from(self.fetches) {
            return Err(Misuse { input: Box::new(input), reason: MisuseReason::ForeignTicket });
        }
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        let Input { ticket, answer } = input;
        let asked = ticket.counter;
        ticket.is_answered();
        let fetching = self.fetching.take_if(|fetching| fetching.counter == asked);
        let is_news = self.held.as_ref().is_none_or(|held| held.asked < asked);
        let keys = match &answer {
            Answer::Response(_, response) => self.import(response).map(|keys| (keys, response)),
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
                self.held = Some(Held {
                    keys,
                    document: response.body.expose().into(),
                    fetched_at: now,
                    fresh_until: moment.plus(age),
                    serves_until: moment.plus(age).plus(bounds::KEY_SET_STALE),
                    asked,
                });
                match fetching {
                    Some(Fetching { forced: true, .. }) => {
                        let count = self.forced.map_or(0, |(_, count)| count);
                        self.forced = Some((moment, count.saturating_add(1)));
                    }
                    Some(_) => self.forced = None,
                    // Late: whether it was forced is not known any more, so nothing is allowed that
                    // was not before.
                    None => {}
                }
            }
            Ok(_) => {}
            Err(why) if fetching.is_some() => self.failed = Some((moment, why)),
            Err(_) => {}
        }
        Ok(())
    }

    fn import(&self, response: &Response) -> Result<KeySet, Trouble> {
        read(response, |document| self.read(document))
    }

    /// A set of the next generation.
    fn read(&self, document: &[u8]) -> Result<KeySet, Fault> {
        let generation = self.generation.saturating_add(1);
        KeySet::import(self.config.issuer.shared(), generation, document, &*self.config.verifier)
    }

    /// Puts a key set document in that was fetched earlier, for example by another process; it
    /// counts as fetched at `fetched_at`, and is replaced by what a fetch that is under way brings.
    /// Says whether it was taken: it has to be a key set, newer than what is held, and neither from
    /// the future nor so old that it could not serve any more.
    #[must_use]
    pub fn preload(&mut self, document: &[u8], fetched_at: Timestamp, now: Timestamp) -> bool {
        let _ = self.clock.observe(now);
        let age = now.since(fetched_at);
        let is_newer = self.held.as_ref().is_none_or(|held| held.fetched_at < fetched_at);
        let moment = self.clock.moment();
        let left =
            bounds::KEY_SET_DEFAULT_AGE.saturating_add(bounds::KEY_SET_STALE).saturating_sub(age);
        if document.len() > bounds::KEY_SET_BYTES || fetched_at > now || !is_newer || left.is_zero()
        {
            return false;
        }
        let Ok(keys) = self.read(document) else { return false };
        self.generation = keys.generation();
        self.failed = None;
        self.held = Some(Held {
            keys,
            document: document.into(),
            fetched_at,
            fresh_until: moment.plus(bounds::KEY_SET_DEFAULT_AGE.saturating_sub(age)),
            serves_until: moment.plus(left),
            asked: u64::from(self.fetches),
        });
        true
    }

    /// The last good key set document as it was fetched, and when.
    #[must_use]
    pub fn export(&self) -> Option<(Vec<u8>, Timestamp)> {
        self.held.as_ref().map(|held| (held.document.to_vec(), held.fetched_at))
    }
}

/// Fetches a key set once, outside of any flow: to look at what an issuer publishes.
///
/// Flows use a [`JwksCache`]. Send [`Self::request`], give the answer to [`Self::process`].
#[derive(Debug, Clone)]
pub struct KeySetDocument {
    issuer: Issuer,
    address: Url,
}

impl KeySetDocument {
    /// The key set of an issuer, at its `jwks_uri`.
    #[must_use]
    pub const fn new(issuer: Issuer, address: Url) -> Self {
        Self { issuer, address }
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::get_accepting(self.address.clone(), ACCEPTED)
    }

    /// How long to wait for the answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// The most bytes to read.
    #[must_use]
    pub const fn max_response(&self) -> usize {
        bounds::KEY_SET_BYTES
    }

    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`Trouble`]: the answer holds no key set. Keys that cannot be used are no error;
    /// [`KeySet::keys`] lists them.
    pub fn process(&self, response: &Response, verifier: &dyn Verifier) -> Result<KeySet, Trouble> {
        read(response, |document| KeySet::pinned(&self.issuer, document, verifier))
    }
}

/// What is asked for; what comes is judged by its content (ruling 31).
const ACCEPTED: &str = "application/jwk-set+json, application/json";

fn read(
    response: &Response,
    keys: impl FnOnce(&[u8]) -> Result<KeySet, Fault>,
) -> Result<KeySet, Trouble> {
    let fault = match response.status {
        200 if response.truncated => Fault::TooLarge,
        200 if response.is_encoded() => Fault::ContentCoding,
        200 => match keys(response.body.expose()) {
            Ok(keys) => return Ok(keys),
            Err(fault) => fault,
        },
        300..400 => Fault::Redirect,
        _ => Fault::Status,
    };
    Err(Trouble::Unusable { fault, status: response.status })
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

    /// Two issuers in one application: what the cache of one asked for says nothing to the other,
    /// so that no issuer's keys come to stand for another's.
    ///
    /// REQ-JWKS-20
    #[test]
    fn an_answer_for_another_issuers_cache_is_refused_and_comes_back() {
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

    /// A document that says which one it is.
    fn set(name: &str) -> alloc::string::String {
        alloc::format!(r#"{{"keys":[],"name":"{name}"}}"#)
    }

    fn held(cache: &JwksCache) -> Option<alloc::string::String> {
        cache.export().map(|(document, _)| alloc::string::String::from_utf8(document).unwrap())
    }

    /// What was brought along while a fetch is under way serves meanwhile; what the fetch brings
    /// takes its place, and is newer for a flow that found the other of no use.
    ///
    /// REQ-JWKS-09
    #[test]
    fn a_set_brought_along_does_not_hide_what_a_fetch_under_way_brings() {
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
        assert_eq!(held(&cache), Some(set("fetched")));
        assert!(matches!(cache.lookup(&mut newer, at(2)), Lookup::Ready(_)));
    }

    /// Only what is under way is newer than what was brought along, not an answer that everybody
    /// had given up.
    ///
    /// REQ-JWKS-12
    #[test]
    fn a_late_answer_does_not_replace_a_set_brought_along_after_its_request() {
        let (mut cache, mut first) = cache("https://ours.example");
        let Lookup::Fetch(transmit) = cache.lookup(&mut first, at(0)) else { panic!() };
        let sending = cache.begin(transmit, at(0)).unwrap();
        assert!(cache.preload(set("brought").as_bytes(), at(100), at(100)));
        assert!(matches!(cache.lookup(&mut first, at(100)), Lookup::Ready(_)));
        cache.handle(sending.answered(Response::json(200, set("late"))), at(101)).unwrap();
        assert_eq!(held(&cache), Some(set("brought")));
    }

    /// What was fetched long ago serves through an outage no longer than if it had been fetched
    /// here.
    ///
    /// REQ-JWKS-12
    #[test]
    fn a_set_brought_along_counts_from_when_it_was_fetched() {
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
