//! What a provider is made of: its address, its clients, the people it knows, its habits.

use core::{fmt, time::Duration};

use ciba_core::DeliveryMode;

use crate::{client::Client, habits::Habits};

/// Everything a [`Provider`](crate::Provider) is built from. Start with [`ProviderConfig::generic`]
/// or [`ProviderConfig::idura`] and change what the test is about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderConfig {
    /// The issuer: scheme, host, port and an optional path. Endpoints lie below it.
    pub issuer: String,
    /// Whose habits it has.
    pub personality: Personality,
    /// What it wants and does beside what the specifications say. Nothing.
    pub habits: Habits,
    /// The registered clients.
    pub clients: Vec<Client>,
    /// The people it knows, beside those that steer themselves (`approve`, `deny`, …).
    pub users: Vec<User>,
    /// Lifetime of a transaction. 120 s.
    pub expires_in: Duration,
    /// The `interval` it names; `None` names none and enforces 5 s (OP-33).
    pub interval: Option<Duration>,
    /// How many token requests are answered with `authorization_pending` before the decision shows;
    /// in ping and push mode, after how many intervals the person decides. 2.
    pub pending_answers: u32,
    /// What too-early polls are measured from.
    pub speed_reference: SpeedReference,
    /// What a too-early poll leads to, beside the recorded violation.
    pub too_early: TooEarly,
    /// Whether, and for how long at most, a token request is held until a decision (OP-47).
    pub long_polling: Option<Duration>,
    /// How much earlier than the interval allows a poll may come: clients with a steady timer are
    /// off by their machine's jitter. 100 ms.
    pub interval_tolerance: Duration,
    /// How `requested_expiry` is taken (OP-23).
    pub requested_expiry: RequestedExpiry,
    /// The longest lifetime that `requested_expiry` leads to; a longer one is cut to it, and the
    /// judge says so. An hour.
    pub longest_expiry: Duration,
    /// Lifetime of ID Tokens. 300 s; Idura 1200 s.
    pub id_token_lifetime: Duration,
    /// Lifetime of access tokens. 600 s; Idura 120 s.
    pub access_token_lifetime: Duration,
    /// The longest binding message accepted, in characters (OP-22). 64; Idura 1125.
    pub binding_message_limit: usize,
    /// Scopes it knows (OP-17).
    pub scopes: Vec<String>,
    /// The delivery modes it names in its metadata. All three; Idura poll.
    pub delivery_modes: Vec<DeliveryMode>,
    /// Whether a ping allows a token request before its time (OP-51). It does; at Keycloak it does
    /// not.
    pub ping_skips_interval: bool,
    /// Whether a `client_notification_token` from a poll client is refused, as Keycloak does, and
    /// not ignored (OP-20).
    pub refuses_needless_notification_token: bool,
    /// The error code for a signed request that is wrong: `invalid_request`, or
    /// `invalid_request_object` (OP-26).
    pub request_object_error: &'static str,
    /// Scheme, host and port of the listener that asks for client certificates, and which clients
    /// that show one have to use (RFC 8705 5). A server with such a listener sets it.
    pub mutual_tls: Option<String>,
    /// Whether it holds clients to FAPI-CIBA, Implementer's Draft 1: confidential clients with keys
    /// or certificates, PS256 and ES256, signed requests of at most an hour, tokens bound to
    /// certificates, no push.
    pub fapi_ciba: bool,
    /// How often a notification that was not accepted is tried again, every 5 s; never after 401 or
    /// a redirect (OP-55). 0.
    pub notification_retries: u32,
    /// How far ahead of the provider's clock `iat` and `nbf` of an assertion may be. 10 s.
    pub clock_tolerance: Duration,
    /// How long transactions and access tokens stay known after their end, as expired or redeemed.
    /// 600 s. Afterwards they are forgotten, and a later use counts as one of an id that was never
    /// issued.
    pub memory: Duration,
    /// How many of each are known at most: requests with their bodies, transactions, access tokens.
    /// 20,000, and never less than 1. The oldest are forgotten first; transactions only when they
    /// are over, and while there are so many that go on, authentication requests are answered with
    /// 503. What the judge found is never forgotten.
    pub record_limit: usize,
    /// Where ids and tokens come from: equal seeds give equal values. They are predictable and
    /// protect nothing.
    pub seed: u64,
}

impl ProviderConfig {
    /// A provider that does what the specifications say, with the defaults of
    /// `spec/provider-side.md` section 13.
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
            fapi_ciba: false,
            clock_tolerance: Duration::from_secs(10),
            memory: Duration::from_secs(600),
            record_limit: 20_000,
            seed: 1,
        }
    }

    /// A provider that answers as Idura Verify does: `/ciba/bc-authorize`, `/oauth2/token`, RS256,
    /// Swedish and Norwegian BankID by `acr_values`, hints `sub:ssn:<number>`. Three pending texts,
    /// then the person approves.
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

    /// A generic provider that holds its clients to FAPI-CIBA (OP-66, OP-67).
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

    /// Adds a person.
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

    /// Sets how many token requests are answered as pending before the decision shows.
    #[must_use]
    pub fn pending_answers(mut self, count: u32) -> Self {
        self.pending_answers = count;
        self
    }

    /// Sets the seed of ids and tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// Whose habits a provider has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Personality {
    /// What the specifications say.
    #[default]
    Generic,
    /// Idura Verify (`spec/providers.md` part A).
    Idura,
}

/// A person the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The hint that finds this person.
    pub hint: String,
    /// The `sub` in tokens.
    pub subject: String,
    /// Full name.
    pub name: String,
    /// What the person does.
    pub behaviour: Behaviour,
    /// The code that proves the person consents to being asked (CIBA 7.1.2); `None` for a person
    /// without one.
    pub user_code: Option<String>,
}

impl User {
    /// A person found by `hint`, whose `sub` is derived from it.
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

/// What a person does when the phone asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Behaviour {
    /// Approves; the token endpoint says pending so many times first (`None`: as the provider is
    /// configured).
    Approve(Option<u32>),
    /// Says no; the token endpoint says pending so many times first.
    Deny(Option<u32>),
    /// Never answers: pending until the transaction expires.
    Never,
    /// Waits for a decision through the phone page, [`Provider::approve`](crate::Provider::approve)
    /// or [`Provider::deny`](crate::Provider::deny).
    Manual,
    /// Is not known: `unknown_user_id`.
    Unknown,
}

/// What too-early polls are measured from (OP-44).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SpeedReference {
    /// The arrival of the previous request.
    #[default]
    PreviousArrival,
    /// The end of the previous reply, as the certification suite does. The acknowledgement counts
    /// as one.
    PreviousReply,
}

/// What a too-early poll leads to. It is recorded as a violation in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TooEarly {
    /// Nothing more.
    Recorded,
    /// `slow_down`, and an interval that is 5 s longer for good (OP-44).
    #[default]
    SlowDown,
    /// So many are forgiven, the next is `invalid_request` and the end of the transaction (OP-45).
    Death(u32),
}

/// What `requested_expiry` leads to (OP-23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RequestedExpiry {
    /// It becomes `expires_in`.
    #[default]
    Honoured,
    /// It changes nothing.
    Ignored,
    /// Half of it becomes `expires_in`.
    Shortened,
}

/// Why a provider cannot be built, or a client not be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not an https URL (or http on a loopback address) without query and fragment.
    Issuer,
    /// Two clients have this id, or the id is empty.
    ClientId(String),
    /// The client's authentication cannot work: no usable key, or an algorithm of the wrong kind.
    Authentication(String),
    /// A ping or push client without a notification endpoint, or a client with one that is neither
    /// https nor http on a loopback address.
    Delivery(String),
    /// The client's secret is shorter than the hash of the algorithm it is the key of (RFC 7518
    /// 3.2).
    ShortSecret {
        /// The client.
        id: String,
        /// How many bytes it needs to have.
        bytes: usize,
    },
    /// The client is one that FAPI-CIBA does not allow.
    Profile(String),
    /// The client's signed requests would not be signed by an asymmetric algorithm, or no
    /// registered key is for it.
    RequestSigning(String),
    /// The algorithm of the client's ID Tokens is symmetric, which this provider does not offer.
    IdTokenAlgorithm(String),
    /// A lifetime or interval is zero, or not whole seconds.
    Duration,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer => {
                f.write_str("the issuer is not an https URL, nor http on a loopback address")
            }
            Self::ClientId(id) => write!(f, "the client id {id:?} is empty or taken"),
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
            Self::Profile(id) => write!(f, "the client {id:?} is not allowed by FAPI-CIBA"),
            Self::RequestSigning(id) => write!(f, "the client {id:?} could never sign a request"),
            Self::IdTokenAlgorithm(id) => {
                write!(f, "the client {id:?} wants ID Tokens in a symmetric algorithm")
            }
            Self::Duration => f.write_str("lifetimes and intervals are whole seconds above zero"),
        }
    }
}

impl core::error::Error for ConfigError {}
