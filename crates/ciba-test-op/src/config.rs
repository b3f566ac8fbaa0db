//! The configuration of a provider: its address, clients, users and behaviour.

use core::{fmt, time::Duration};

use ciba_core::{DeliveryMode, named};

use crate::{client::Client, habits::Habits};

/// The configuration of a [`Provider`](crate::Provider).
///
/// Start with [`ProviderConfig::generic`] or [`ProviderConfig::idura`] and change what the test needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderConfig {
    /// The issuer: scheme, host, port and an optional path. The endpoints are below it.
    pub issuer: String,
    /// The kind of provider it behaves like.
    pub personality: Personality,
    /// Its deviations from the specifications. None by default.
    pub habits: Habits,
    /// The registered clients.
    pub clients: Vec<Client>,
    /// The users it knows, besides those whose hint says what they do (`approve`, `deny`, …).
    pub users: Vec<User>,
    /// The lifetime of a transaction. Default: 120 s.
    pub expires_in: Duration,
    /// The `interval` in acknowledgements, in whole seconds. Default: `None`, which sends none and
    /// enforces 5 s.
    // OP-33
    pub interval: Option<Duration>,
    /// The number of token requests that are answered with `authorization_pending` before the
    /// decision. In ping and push mode, the number of intervals before the decision. Default: 2.
    pub pending_answers: u32,
    /// The time from which the interval of polls counts.
    pub speed_reference: SpeedReference,
    /// The consequence of an early poll, besides the recorded violation.
    pub too_early: TooEarly,
    /// The longest time that a token request is held until there is a decision. Default: `None`, no
    /// long polling.
    // OP-47
    pub long_polling: Option<Duration>,
    /// How much earlier than the interval allows a poll may arrive, because timers have jitter.
    /// Default: 100 ms.
    pub interval_tolerance: Duration,
    /// The effect of `requested_expiry`.
    // OP-23
    pub requested_expiry: RequestedExpiry,
    /// The longest lifetime that `requested_expiry` can lead to. Longer values are reduced to it, and
    /// the judge notes them. Default: one hour.
    pub longest_expiry: Duration,
    /// The lifetime of ID Tokens. Default: 300 s; Idura 1,200 s.
    pub id_token_lifetime: Duration,
    /// The lifetime of access tokens. Default: 600 s; Idura 120 s.
    pub access_token_lifetime: Duration,
    /// The longest accepted binding message, in characters. Default: 64; Idura 1,125.
    // OP-22
    pub binding_message_limit: usize,
    /// The scopes it knows.
    // OP-17
    pub scopes: Vec<String>,
    /// The delivery modes in its metadata. Default: all three; Idura only poll.
    pub delivery_modes: Vec<DeliveryMode>,
    /// Whether a ping allows a token request before the interval is over. Default: `true`; Keycloak
    /// does not allow it.
    // OP-51
    pub ping_skips_interval: bool,
    /// Whether a `client_notification_token` from a poll client is refused, as by Keycloak, instead of
    /// ignored.
    // OP-20
    pub refuses_needless_notification_token: bool,
    /// The error code for an invalid signed request: `invalid_request` or `invalid_request_object`.
    // OP-26
    pub request_object_error: &'static str,
    /// The scheme, host and port of the listener that requests client certificates, which clients
    /// with a certificate must use ([RFC 8705 section
    /// 5](https://www.rfc-editor.org/rfc/rfc8705#section-5)). A server with such a listener sets it.
    pub mutual_tls: Option<String>,
    /// The nonces that it demands in DPoP proofs. Default: none.
    pub dpop_nonces: DpopNonces,
    /// Whether it enforces FAPI-CIBA, Implementer's Draft 1: confidential clients with keys or
    /// certificates, PS256 and ES256, signed requests that are valid for at most an hour,
    /// certificate-bound tokens, no push.
    pub fapi_ciba: bool,
    /// How often a notification that was not accepted is repeated, every 5 s; never after 401 or a
    /// redirect. Default: 0.
    // OP-55
    pub notification_retries: u32,
    /// How far ahead of the provider's clock `iat` and `nbf` of an assertion may be. Default: 10 s.
    pub clock_tolerance: Duration,
    /// How long transactions and access tokens are remembered after their end, as expired or
    /// redeemed. Default: 600 s. After that, their use is treated like that of an id which was never
    /// issued.
    pub memory: Duration,
    /// The largest number of recorded requests, of transactions and of access tokens, each. At least
    /// 1; default: 20,000. The oldest are evicted first. Transactions are evicted only when they are
    /// over; while this many are not, authentication requests are answered with 503. The judge's
    /// findings are never evicted.
    pub record_limit: usize,
    /// The seed of ids and tokens. Equal seeds give equal values: they are predictable and protect
    /// nothing.
    pub seed: u64,
}

impl ProviderConfig {
    /// Creates a provider that behaves as specified.
    // The defaults are those of spec/provider-side.md, section 13.
    #[must_use]
    pub fn generic(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            personality: Personality::Generic,
            habits: Habits::default(),
            clients: Vec::new(),
            users: Vec::new(),
            expires_in: Duration::from_secs(120),
            interval: None,
            pending_answers: 2,
            speed_reference: SpeedReference::PreviousArrival,
            too_early: TooEarly::SlowDown,
            long_polling: None,
            interval_tolerance: Duration::from_millis(100),
            requested_expiry: RequestedExpiry::Honoured,
            longest_expiry: Duration::from_secs(3_600),
            id_token_lifetime: Duration::from_secs(300),
            access_token_lifetime: Duration::from_secs(600),
            binding_message_limit: 64,
            scopes: [
                "openid",
                "profile",
                "email",
                "phone",
                "address",
                "offline_access",
                "payments",
            ]
            .map(str::to_owned)
            .to_vec(),
            delivery_modes: vec![DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push],
            notification_retries: 0,
            ping_skips_interval: true,
            refuses_needless_notification_token: false,
            request_object_error: "invalid_request",
            mutual_tls: None,
            dpop_nonces: DpopNonces::None,
            fapi_ciba: false,
            clock_tolerance: Duration::from_secs(10),
            memory: Duration::from_secs(600),
            record_limit: 20_000,
            seed: 1,
        }
    }

    /// Creates a provider that behaves like Idura Verify: `/ciba/bc-authorize`, `/oauth2/token`,
    /// RS256, Swedish and Norwegian BankID by `acr_values`, hints `sub:ssn:<number>`. After three
    /// pending answers the user approves.
    #[must_use]
    pub fn idura(issuer: impl Into<String>) -> Self {
        Self {
            personality: Personality::Idura,
            pending_answers: 3,
            id_token_lifetime: Duration::from_secs(1200),
            access_token_lifetime: Duration::from_secs(120),
            binding_message_limit: 1125,
            delivery_modes: vec![DeliveryMode::Poll],
            ..Self::generic(issuer)
        }
    }

    /// Creates a generic provider that enforces FAPI-CIBA.
    // OP-66, OP-67
    #[must_use]
    pub fn fapi_ciba(issuer: impl Into<String>) -> Self {
        Self {
            fapi_ciba: true,
            delivery_modes: vec![DeliveryMode::Poll, DeliveryMode::Ping],
            ..Self::generic(issuer)
        }
    }

    /// Adds a client.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// Adds a user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Sets the `interval` of acknowledgements, in whole seconds.
    #[must_use]
    pub fn interval(mut self, seconds: u64) -> Self {
        self.interval = Some(Duration::from_secs(seconds));
        self
    }

    /// Sets the number of token requests that are answered as pending before the decision.
    #[must_use]
    pub fn pending_answers(mut self, count: u32) -> Self {
        self.pending_answers = count;
        self
    }

    /// Sets the nonces that it demands in DPoP proofs.
    #[must_use]
    pub fn dpop_nonces(mut self, nonces: DpopNonces) -> Self {
        self.dpop_nonces = nonces;
        self
    }

    /// Sets the seed of ids and tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

named! {
    /// The kind of provider that a provider behaves like.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Personality {
        /// As the specifications say.
        #[default]
        Generic = "generic",
        /// Like Idura Verify.
        Idura = "idura",
    }
}

/// A user the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The hint that identifies the user.
    pub hint: String,
    /// The `sub` in tokens.
    pub subject: String,
    /// The full name.
    pub name: String,
    /// What the user does when asked.
    pub behaviour: Behaviour,
    /// The user code, a secret that the user gives to clients which may start an authentication
    /// ([CIBA Core 7.1.2](https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.1.2)).
    /// `None` for a user without one.
    pub user_code: Option<String>,
}

impl User {
    /// Creates a user who is identified by `hint` and whose `sub` is `user-` and the hint.
    #[must_use]
    pub fn new(hint: impl Into<String>, behaviour: Behaviour) -> Self {
        let hint = hint.into();
        Self {
            subject: format!("user-{hint}"),
            name: "Test Person".to_owned(),
            hint,
            behaviour,
            user_code: None,
        }
    }

    /// Sets the full name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the user code.
    #[must_use]
    pub fn user_code(mut self, user_code: impl Into<String>) -> Self {
        self.user_code = Some(user_code.into());
        self
    }

    /// Sets the `sub`.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }
}

/// What a user does when asked to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Behaviour {
    /// Approves after this many pending answers of the token endpoint; `None` for
    /// [`ProviderConfig::pending_answers`].
    Approve(Option<u32>),
    /// Denies after this many pending answers of the token endpoint; `None` for
    /// [`ProviderConfig::pending_answers`].
    Deny(Option<u32>),
    /// Never answers: pending until the transaction expires.
    Never,
    /// Waits for a decision through the phone page, [`Provider::approve`](crate::Provider::approve)
    /// or [`Provider::deny`](crate::Provider::deny).
    Manual,
    /// Is unknown: the request is refused with `unknown_user_id`.
    Unknown,
}

named! {
    /// The nonces that a provider demands in DPoP proofs
    /// ([RFC 9449 section 8](https://www.rfc-editor.org/rfc/rfc9449#section-8)).
    // F-24
    #[derive(Default)]
    #[non_exhaustive]
    pub enum DpopNonces {
        /// None.
        #[default]
        None = "none",
        /// One nonce for as long as the provider runs, which every answer repeats.
        Stable = "stable",
        /// A new one in every answer. Only the newest is accepted, so flows that run at the same time
        /// take it from each other.
        EveryAnswer = "every-answer",
    }
}

/// The time from which the interval of polls counts.
// OP-44
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SpeedReference {
    /// The arrival of the previous request.
    #[default]
    PreviousArrival,
    /// The end of the previous answer, as in the certification suite. The acknowledgement counts as
    /// one.
    PreviousReply,
}

/// The consequence of an early poll. It is recorded as a violation in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TooEarly {
    /// Nothing more.
    Recorded,
    /// `slow_down`, and an interval that is 5 s longer from then on.
    // OP-44
    #[default]
    SlowDown,
    /// After this many early polls, the next one is answered with `invalid_request` and ends the
    /// transaction.
    // OP-45
    Death(u32),
}

/// The effect of `requested_expiry`.
// OP-23
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequestedExpiry {
    /// It becomes `expires_in`.
    #[default]
    Honoured,
    /// It has no effect.
    Ignored,
    /// Half of it becomes `expires_in`.
    Shortened,
}

/// A provider cannot be built, or a client cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not an https URL, or http URL on a loopback address, without query and fragment.
    Issuer,
    /// Two clients have this id, or it is empty.
    ClientId(String),
    /// The client with this id could never authenticate: it has no usable key or an algorithm of the
    /// wrong kind.
    Authentication(String),
    /// The client with this id uses ping or push and has no notification endpoint, or its
    /// notification endpoint is neither https nor http on a loopback address.
    Delivery(String),
    /// The client's secret is shorter than the hash of its HMAC algorithm ([RFC 7518 section
    /// 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
    ShortSecret {
        /// The client id.
        id: String,
        /// The number of bytes the secret needs.
        bytes: usize,
    },
    /// FAPI-CIBA does not allow the client with this id.
    Profile(String),
    /// The client with this id could never sign a request: the registered algorithm is symmetric, or
    /// no registered key fits it.
    RequestSigning(String),
    /// The ID Tokens of the client with this id have a symmetric algorithm, and the client has no
    /// secret.
    IdTokenAlgorithm(String),
    /// A lifetime or interval is zero or not a whole number of seconds.
    Duration,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer => f.write_str(
                "the issuer is neither an https URL nor an http URL on a loopback address",
            ),
            Self::ClientId(id) => write!(f, "the client id {id:?} is empty or already registered"),
            Self::Authentication(id) => write!(f, "the client {id:?} could never authenticate"),
            Self::Delivery(id) => {
                write!(
                    f,
                    "the notification endpoint of client {id:?} does not fit its delivery mode"
                )
            }
            Self::ShortSecret { id, bytes } => write!(
                f,
                "the secret of client {id:?} is shorter than the {bytes} bytes its HMAC algorithm needs (RFC 7518 3.2)"
            ),
            Self::Profile(id) => write!(f, "FAPI-CIBA does not allow the client {id:?}"),
            Self::RequestSigning(id) => write!(f, "the client {id:?} could never sign a request"),
            Self::IdTokenAlgorithm(id) => {
                write!(
                    f,
                    "the ID Tokens of client {id:?} have a symmetric algorithm, and it has no secret"
                )
            }
            Self::Duration => {
                f.write_str("a lifetime or interval is not a positive number of whole seconds")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
