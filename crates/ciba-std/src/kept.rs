//! Which requests may go over a kept connection.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ciba_core::http::{Headers, Url};

/// How long an idle connection is kept. Load balancers close idle connections after 30 s or more,
/// and some firewalls drop them silently.
pub const KEPT_IDLE: Duration = Duration::from_secs(20);

/// The number of idle connections that are kept for each host. If more flows poll at the same
/// moment, the others need a handshake each.
pub const KEPT_PER_HOST: usize = 128;

/// The number of origins that are remembered. A provider has few.
const ORIGINS: usize = 64;

/// How far a server may deviate from the time-out that it announces.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Decides whether a kept connection to an origin may be used. Clones share their knowledge.
///
/// A request that is written to a connection while the server closes it is lost, and sent again
/// after its interval. Two rules keep this from happening again and again:
/// - if a server announces how long it keeps an idle connection (`Keep-Alive: timeout=5`), no kept
///   connection is used around that time. Five seconds is a common time-out and the usual polling
///   interval;
/// - after a loss, no kept connection is used until those that are idle now are closed, because a
///   firewall or a restarted server breaks all of them at once.
#[derive(Debug, Clone, Default)]
pub struct KeptConnections(Arc<Mutex<Vec<Origin>>>);

#[derive(Debug)]
struct Origin {
    scheme: &'static str,
    host: String,
    port: u16,
    /// When the server may close the connection that was used last.
    closing: Range<Instant>,
    /// No kept connection is used before this time.
    distrusted: Instant,
}

impl KeptConnections {
    /// Returns whether a request to this address may go over a kept connection now.
    #[must_use]
    pub fn may_use(&self, url: &Url) -> bool {
        self.may_use_at(url, Instant::now())
    }

    /// Notes that an answer arrived over a kept connection.
    pub fn answered(&self, url: &Url, headers: &Headers) {
        self.answered_at(url, headers, Instant::now());
    }

    /// Notes that a request over a kept connection was lost.
    pub fn lost(&self, url: &Url) {
        self.lost_at(url, Instant::now());
    }

    fn may_use_at(&self, url: &Url, now: Instant) -> bool {
        let origins = self.lock();
        let known = origins.iter().find(|origin| origin.is_of(url));
        known.is_none_or(|origin| now >= origin.distrusted && !origin.closing.contains(&now))
    }

    fn answered_at(&self, url: &Url, headers: &Headers, now: Instant) {
        let timeout = headers.get("keep-alive").and_then(timeout);
        let closing = timeout.map_or(now..now, |timeout| {
            now + timeout.saturating_sub(TOLERANCE)..now + timeout + TOLERANCE
        });
        // Most servers announce nothing. They need no entry.
        let mut origins = self.lock();
        if let Some(origin) = origins.iter_mut().find(|origin| origin.is_of(url)) {
            origin.closing = closing;
        } else if !closing.is_empty() {
            remember(&mut origins, Origin { closing, ..Origin::new(url, now) });
        }
    }

    fn lost_at(&self, url: &Url, now: Instant) {
        let mut origins = self.lock();
        match origins.iter_mut().find(|origin| origin.is_of(url)) {
            Some(origin) => origin.distrusted = now + KEPT_IDLE,
            None => remember(
                &mut origins,
                Origin { distrusted: now + KEPT_IDLE, ..Origin::new(url, now) },
            ),
        }
    }

    /// A panic elsewhere while the lock was held leaves a consistent table.
    fn lock(&self) -> MutexGuard<'_, Vec<Origin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origin {
    fn new(url: &Url, now: Instant) -> Self {
        Self {
            scheme: url.scheme(),
            host: url.host().to_owned(),
            port: url.port(),
            closing: now..now,
            distrusted: now,
        }
    }

    fn is_of(&self, url: &Url) -> bool {
        self.port == url.port() && self.scheme == url.scheme() && self.host == url.host()
    }
}

/// Adds an origin and evicts the oldest if the table is full. At worst, a request for the evicted
/// origin is lost on a dead connection and sent again.
fn remember(origins: &mut Vec<Origin>, origin: Origin) {
    if origins.len() >= ORIGINS {
        origins.remove(0);
    }
    origins.push(origin);
}

/// Parses the time-out in a header field `Keep-Alive`. Clamped to an hour, far longer than
/// connections are kept.
fn timeout(field: &str) -> Option<Duration> {
    let seconds = field.split(',').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then_some(value)
    })?;
    seconds.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("an address")
    }

    fn announcing(value: &str) -> Headers {
        [("keep-alive", value)].into_iter().collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_connection_is_dropped_before_the_announced_idle_time_out() {
        for (value, free, taken) in [
            ("timeout=5", [0, 3, 7], [4, 5]),
            ("max=100, Timeout = 5", [0, 3, 7], [4, 5]),
            ("timeout=1", [2, 3, 4], [0, 1]),
        ] {
            let (kept, url, now) =
                (KeptConnections::default(), url("https://op.example/token"), Instant::now());
            kept.answered_at(&url, &announcing(value), now);
            for after in free {
                assert!(kept.may_use_at(&url, now + after * SECOND), "{value} {after}");
            }
            for after in taken {
                assert!(!kept.may_use_at(&url, now + after * SECOND), "{value} {after}");
            }
            kept.answered_at(&url, &Headers::default(), now);
            assert!(kept.may_use_at(&url, now + 5 * SECOND), "{value}");
        }
    }

    #[test]
    fn no_connection_from_before_a_loss_is_used() {
        let (kept, now) = (KeptConnections::default(), Instant::now());
        let (lost, other) = (url("https://op.example/token"), url("https://op.example:444/token"));
        kept.lost_at(&lost, now);
        kept.answered_at(&lost, &Headers::default(), now + SECOND);
        assert!(!kept.may_use_at(&url("https://op.example/jwks"), now + SECOND));
        assert!(kept.may_use_at(&other, now + SECOND));
        assert!(kept.may_use_at(&lost, now + KEPT_IDLE));
    }

    #[test]
    fn a_response_without_a_time_out_changes_nothing() {
        let (kept, url, now) =
            (KeptConnections::default(), url("https://a.example"), Instant::now());
        for value in ["", "timeout", "timeout=", "timeout=-1", "max=5", "timeout=5s"] {
            kept.answered_at(&url, &announcing(value), now);
            assert!(kept.may_use_at(&url, now + 5 * SECOND), "{value}");
        }
        assert!(kept.lock().is_empty());
    }

    #[test]
    fn no_more_origins_than_the_limit_are_remembered() {
        let (kept, now) = (KeptConnections::default(), Instant::now());
        for number in 0..2 * ORIGINS {
            kept.lost_at(&url(&format!("https://op{number}.example")), now);
        }
        assert_eq!(kept.lock().len(), ORIGINS);
        assert!(!kept.may_use_at(&url(&format!("https://op{}.example", 2 * ORIGINS - 1)), now));
    }
}
