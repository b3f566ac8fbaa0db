//! All limits in one place: constants, and ranges to which values chosen by a peer are clamped.

use core::time::Duration;

/// A range to which a duration chosen by a peer is clamped.
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

/// The `interval` if the provider names none (CIBA Core 7.3).
// Ruling 1.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// The range of `interval`.
// The maximum only keeps the arithmetic small; the deadline comes first.
pub(crate) const INTERVAL: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// What each `slow_down` adds to the interval permanently (CIBA Core 11).
pub(crate) const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);
/// The range of `expires_in` in an acknowledgement.
// Ruling 2, REQ-ACK-10.
pub(crate) const LIFETIME: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// The range of the lifetime of an access token: at most a hundred years.
pub(crate) const TOKEN_LIFETIME: Range =
    Range { least: Duration::ZERO, most: Duration::from_secs(3_155_760_000) };
/// The range of `Retry-After`.
// The maximum only keeps the arithmetic small; the deadline comes first.
pub(crate) const RETRY_AFTER: Range =
    Range { least: Duration::ZERO, most: Duration::from_secs(86_400) };
/// The maximum back-off between token requests without a usable answer.
// REQ-POLL-16
pub(crate) const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// The maximum jitter added to a wait.
// REQ-POLL-05
pub(crate) const JITTER: Duration = Duration::from_millis(250);
/// How long after the deadline answers are still accepted.
pub(crate) const GRACE: Duration = Duration::from_secs(60);
/// How long after its timeout an exchange counts as lost.
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(1);
/// The number of consecutive key operations without a signature after which a flow gives up.
pub(crate) const KEY_FAILURES: u32 = 3;
/// How many times to retry an authentication request that is known not to have been sent, and for
/// how long.
pub(crate) const SEND_ATTEMPTS: u32 = 3;
pub(crate) const SEND_WINDOW: Duration = Duration::from_secs(30);
/// The range of the time after its start in which a flow may send the authentication request.
// Ruling 27.
pub(crate) const PROMPT_WITHIN: Range =
    Range { least: Duration::from_secs(1), most: Duration::from_secs(86_400) };
/// How long a flow whose acknowledgement was lost waits for a notification, unless a lifetime was
/// requested.
pub(crate) const ADRIFT: Duration = Duration::from_secs(600);
/// The maximum time between two polls of a flow in ping mode without a ping.
// REQ-PING-16
pub(crate) const BACKSTOP: Duration = Duration::from_secs(60);
/// How many waits after pending answers pings can skip in addition to the first one, and the
/// minimum time after the end of the last request.
// Ruling 30.
pub(crate) const PING_SKIPS: u32 = 5;
pub(crate) const PING_PAUSE: Duration = Duration::from_secs(2);
/// The minimum pause before the very last request, which does not wait for the interval.
// Ruling 29.
pub(crate) const LAST_PAUSE: Duration = Duration::from_secs(2);
/// How recent before the deadline a pending answer must be to show that the request expired although
/// later requests brought no usable answer.
// Ruling 40.
pub(crate) const LATELY: Duration = Duration::from_secs(30);
/// How long after the deadline of its request an authentication that was received in time is still
/// returned.
pub(crate) const EVIDENCE_AGE: Duration = Duration::from_secs(86_400);
/// The maximum length of a ping in bytes.
// REQ-PING-20
pub(crate) const PING_BYTES: usize = 16 * 1024;
/// The number of notifications kept if they arrive before the acknowledgement.
pub(crate) const EARLY_NOTIFICATIONS: usize = 4;
/// How long a save may take if no prompt depends on it.
// A store that hangs must not cost a login.
pub(crate) const UNNEEDED_SAVE: Duration = Duration::from_secs(10);
/// The delay before a save is tried again after one that failed. A flow that does not need the save
/// continues meanwhile.
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long a flow with tokens waits for the keys of the issuer.
pub(crate) const KEYS_WINDOW: Duration = Duration::from_secs(120);
/// The minimum wait in which keys are fetched ahead of time.
pub(crate) const LEAST_AHEAD: Duration = Duration::from_secs(1);
/// How long fetching keys ahead of time may take in ping mode.
// A caller that does one thing at a time would not answer a ping in the meantime.
pub(crate) const AHEAD_OF_A_PING: Duration = Duration::from_secs(3);
/// The delay before fetching keys ahead of time is retried. It grows by itself with each failure, up
/// to the second value.
pub(crate) const AHEAD_AGAIN: Duration = Duration::from_secs(5);
pub(crate) const AHEAD_AGAIN_MOST: Duration = Duration::from_secs(60);
/// The maximum time before the deadline of the last poll, if the interval is longer.
pub(crate) const LAST_POLL: Duration = Duration::from_secs(5);
/// The number of consecutive fetches that return something that can never be read as a key set,
/// after which the flow ends.
// Ruling 31.
pub(crate) const UNREADABLE_KEY_SETS: u32 = 3;
/// The delay before a failed fetch of keys may be retried.
pub(crate) const KEYS_RETRY: Duration = Duration::from_secs(1);
/// The same for a forced refresh.
// Anyone can cause one by sending tokens with unknown key ids (REQ-JWKS-10).
pub(crate) const FORCED_KEYS_RETRY: Duration = Duration::from_secs(10);
/// The spacing of forced key set refreshes. It grows by itself with each consecutive one, up to the
/// second value.
// A key that is published late is found soon (ruling 31), and unknown key ids cost at most one fetch
// per minute (REQ-JWKS-10).
pub(crate) const FORCED_REFRESH_SPACING: Duration = Duration::from_secs(10);
pub(crate) const FORCED_REFRESH_MOST: Duration = Duration::from_secs(60);
/// How long a fetched key set is fresh: the default and the range.
// REQ-JWKS-12
pub(crate) const KEY_SET_DEFAULT_AGE: Duration = Duration::from_secs(600);
pub(crate) const KEY_SET_AGE: Range =
    Range { least: Duration::from_secs(60), most: Duration::from_secs(86_400) };
/// How long a stale key set may be used while it cannot be fetched.
// REQ-JWKS-12
pub(crate) const KEY_SET_STALE: Duration = Duration::from_secs(3600);
/// The maximum length of an `auth_req_id` in bytes.
// REQ-ACK-06
pub(crate) const AUTH_REQ_ID_BYTES: usize = 8 * 1024;
/// The maximum length of a DPoP nonce in bytes. RFC 9449 sets none; some providers encrypt their
/// state into it.
// REQ-POP-08
pub(crate) const DPOP_NONCE_BYTES: usize = 2048;
/// How long a provider is expected to accept a DPoP proof. RFC 9449 section 11.1 leaves it to the
/// provider: seconds or minutes.
pub(crate) const PROOF_LIFETIME: Duration = Duration::from_secs(60);
/// The maximum number of keys read from a set.
// REQ-JWKS-19
pub(crate) const KEYS_IN_SET: usize = 200;
/// The maximum number of keys tried for one signature.
// Ruling 4.
pub(crate) const KEYS_TRIED: usize = 8;
/// The maximum length of a compact JWS, and of its encoded header, which may contain certificates.
pub(crate) const JWS_BYTES: usize = 16 * 1024 * 1024;
pub(crate) const JWS_HEADER_BYTES: usize = 64 * 1024;
/// The maximum length of the encrypted key of a JWE, in bytes.
// The longest is that of RSA with 8192 bits.
pub(crate) const ENCRYPTED_KEY_BYTES: usize = 1024;
/// The maximum length of a key file in bytes.
pub(crate) const KEY_FILE_BYTES: usize = 64 * 1024;
/// The maximum length of each kind of response body, in bytes.
pub(crate) const METADATA_BYTES: usize = 1024 * 1024;
pub(crate) const KEY_SET_BYTES: usize = 512 * 1024;
pub(crate) const ACKNOWLEDGEMENT_BYTES: usize = 256 * 1024;
/// The default; callers can choose another limit.
// Idura's tokens can contain photographs (ID-97).
pub(crate) const TOKEN_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// The maximum length of a UserInfo answer.
// Claims can contain photographs, as in ID Tokens.
pub(crate) const USER_INFO_BYTES: usize = 4 * 1024 * 1024;
/// The maximum length of an answer of the revocation endpoint, of which only errors are read.
pub(crate) const REVOCATION_BYTES: usize = 64 * 1024;
/// How many times a call with tokens is made if it has no usable answer, and for how long.
pub(crate) const CALL_ATTEMPTS: u32 = 3;
pub(crate) const CALL_WINDOW: Duration = Duration::from_secs(30);
/// The maximum length of a string of the provider that is kept for display, in bytes.
pub(crate) const TEXT_BYTES: usize = 1024;
