//! Every limit in one place: what a peer may choose, and what it is clamped to.

use core::time::Duration;

/// A range a peer's duration is clamped to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

impl Range {
    pub(crate) fn clamp(self, value: Duration) -> Duration {
        value.clamp(self.least, self.most)
    }
}

/// `interval` when the provider names none it means (CIBA 7.3, ruling 1).
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// What `interval` is clamped to; the upper end only keeps arithmetic small, the deadline comes
/// first.
pub(crate) const INTERVAL: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// What `slow_down` adds, for good (CIBA 11).
pub(crate) const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);
/// What `expires_in` of an acknowledgement is clamped to (ruling 2, REQ-ACK-10).
pub(crate) const LIFETIME: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// The longest lifetime of an access token that is believed: a hundred years.
pub(crate) const TOKEN_LIFETIME: Range =
    Range { least: Duration::ZERO, most: Duration::from_secs(3_155_760_000) };
/// The longest `Retry-After` that is believed; the deadline comes first.
pub(crate) const RETRY_AFTER: Range =
    Range { least: Duration::ZERO, most: Duration::from_secs(86_400) };
/// The longest back-off between token requests that were not answered (REQ-POLL-16).
pub(crate) const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// The most jitter that is added to a wait (REQ-POLL-05).
pub(crate) const JITTER: Duration = Duration::from_millis(250);
/// How long answers are still taken after the deadline.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// How long after its time-out an exchange counts as lost.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(1);
/// How many key operations in a row may bring no signature in time before a flow gives up.
pub(crate) const KEY_FAILURES: u32 = 3;
/// How many times to retry an authentication request that is known not to have been sent, and for
/// how long.
pub(crate) const SEND_ATTEMPTS: u32 = 3;
pub(crate) const SEND_WINDOW: Duration = Duration::from_secs(30);
/// How long after its start a flow may still send the authentication request (ruling 27).
pub(crate) const PROMPT_WITHIN: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// How long a flow whose acknowledgement was lost waits for a notification, unless a lifetime was
/// asked for.
pub(crate) const ADRIFT: Duration = Duration::from_secs(600);
/// The longest time between two polls of a flow in ping mode that gets no ping (REQ-PING-16).
pub(crate) const BACKSTOP: Duration = Duration::from_secs(60);
/// How many waits after pending answers pings skip besides the one the first ping skips, and how
/// long after the end of the last request (ruling 30).
pub(crate) const PING_SKIPS: u32 = 5;
pub(crate) const PING_PAUSE: Duration = Duration::from_secs(2);
/// The pause before the last request of all, when it does not wait for the interval (ruling 29).
pub(crate) const LAST_PAUSE: Duration = Duration::from_secs(2);
/// How long before the deadline a pending answer may lie and still show that the request expired,
/// although the request after it brought no usable answer.
pub(crate) const LATELY: Duration = Duration::from_secs(30);
/// How long after the deadline of its request an authentication that was received in time is still
/// handed out.
pub(crate) const EVIDENCE_AGE: Duration = Duration::from_secs(86_400);
/// The longest ping, in bytes (REQ-PING-20).
pub(crate) const PING_BYTES: usize = 16 * 1024;
/// How many notifications that overtake the acknowledgement are kept.
pub(crate) const EARLY_NOTIFICATIONS: usize = 4;
/// How long a save may take that no person's prompt depends on: a store that hangs must not cost a
/// login.
pub(crate) const UNNEEDED_SAVE: Duration = Duration::from_secs(10);
/// How soon a store that failed is tried again while the flow goes no further without it.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long a flow with tokens waits for the issuer's keys.
pub(crate) const KEYS_WINDOW: Duration = Duration::from_secs(120);
/// The shortest wait in which keys are asked for ahead of time.
pub(crate) const LEAST_AHEAD: Duration = Duration::from_secs(1);
/// How long they are fetched at most in ping mode, where a caller that does one thing at a time
/// would answer no ping meanwhile.
pub(crate) const AHEAD_OF_A_PING: Duration = Duration::from_secs(3);
/// How soon they are asked for again when they could not be had; grows by itself with each failure
/// up to the second number.
pub(crate) const AHEAD_AGAIN: Duration = Duration::from_secs(5);
pub(crate) const AHEAD_AGAIN_MOST: Duration = Duration::from_secs(60);
/// How long before the deadline the only poll of an over-long interval happens, at most.
pub(crate) const LAST_POLL: Duration = Duration::from_secs(5);
/// How many fetches in a row may bring what can never be read as a key set (ruling 31).
pub(crate) const UNREADABLE_KEY_SETS: u32 = 3;
/// How soon a fetch of keys that failed may be tried again.
pub(crate) const KEYS_RETRY: Duration = Duration::from_secs(1);
/// The same for a forced one, which anyone can cause by sending tokens with unknown key ids
/// (REQ-JWKS-10).
pub(crate) const FORCED_KEYS_RETRY: Duration = Duration::from_secs(10);
/// The spacing of forced key-set refreshes, which grows by itself with each of them in a row up to
/// the second number: a key that is published late is found soon (ruling 31), and keys that nobody
/// knows cost one fetch a minute (REQ-JWKS-10).
pub(crate) const FORCED_REFRESH_SPACING: Duration = Duration::from_secs(10);
pub(crate) const FORCED_REFRESH_MOST: Duration = Duration::from_secs(60);
/// How long a fetched key set is fresh, by default and at the limits (REQ-JWKS-12).
pub(crate) const KEY_SET_DEFAULT_AGE: Duration = Duration::from_secs(600);
pub(crate) const KEY_SET_AGE: Range =
    Range { least: Duration::from_secs(60), most: Duration::from_secs(86_400) };
/// How long a key set outlives its freshness while it cannot be fetched (REQ-JWKS-12).
pub(crate) const KEY_SET_STALE: Duration = Duration::from_secs(3600);
/// The longest `auth_req_id` (REQ-ACK-06).
pub(crate) const AUTH_REQ_ID_BYTES: usize = 8 * 1024;
/// The most keys read from a set (REQ-JWKS-19).
pub(crate) const KEYS_IN_SET: usize = 200;
/// The most keys tried for one signature (ruling 4).
pub(crate) const KEYS_TRIED: usize = 8;
/// The longest compact JWS that is taken apart, and its longest encoded header (certificates may be
/// in it).
pub(crate) const JWS_BYTES: usize = 16 * 1024 * 1024;
pub(crate) const JWS_HEADER_BYTES: usize = 64 * 1024;
/// The longest body of each kind of answer, in bytes.
pub(crate) const METADATA_BYTES: usize = 1024 * 1024;
pub(crate) const KEY_SET_BYTES: usize = 512 * 1024;
pub(crate) const ACKNOWLEDGEMENT_BYTES: usize = 256 * 1024;
/// Idura's tokens can carry photographs (ID-97); a caller may choose another limit.
pub(crate) const TOKEN_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// The longest text of a server that is kept for people.
pub(crate) const TEXT_BYTES: usize = 1024;
