//! Notifications as data: what the provider sends to a client's endpoint, and how that may go
//! wrong.

use core::fmt;

use ciba_core::{Body, Headers, Timestamp};

/// Counts the notifications of a provider, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(pub u64);

/// A notification that is due. After sending it to the client, report the answer with
/// [`Provider::notification_answered`](crate::Provider::notification_answered).
#[must_use = "a notification that nobody carries never arrives"]
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outbound {
    /// Its number.
    pub id: NotificationId,
    /// The transaction it is about, from 1.
    pub transaction: usize,
    /// The method; `POST` unless a script says otherwise.
    pub method: String,
    /// The client's notification endpoint.
    pub url: String,
    /// Header fields in their order; a field may come twice.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// From when it was due.
    pub due: Timestamp,
}

/// Shows neither bearer token nor tokens; the URL may hold one, too.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, transaction, method, due, .. } = self;
        f.debug_struct("Outbound")
            .field("id", id)
            .field("transaction", transaction)
            .field("method", method)
            .field("due", due)
            .finish_non_exhaustive()
    }
}

/// A notification that left, and what came back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Notified {
    /// What was sent.
    pub outbound: Outbound,
    /// When it left.
    pub sent: Timestamp,
    /// When the answer came, or it was given up; `None` while it is on its way.
    pub answered: Option<Timestamp>,
    /// The status of the answer; `None` when there was none.
    pub status: Option<u16>,
    pub(crate) expected: Expected,
    /// How often it may still be tried.
    pub(crate) retries: u32,
}

/// What a client may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// 200 or 204; 503 when it could not save what it was told.
    Accepted,
    /// 401.
    Unauthorized,
    /// 405.
    MethodNotAllowed,
    /// A status of 400 to 499.
    Refused,
    /// Anything but a redirect and a server error.
    NoMatter,
}

/// A change to notifications. Steps for [`Endpoint::Notification`](crate::Endpoint::Notification)
/// count the notifications of each transaction, from 1; those beyond [`Self::Copies`] do not exist.
/// They are read when the transaction begins.
///
/// Of the other acts, [`Act::Amend`](crate::Act::Amend) changes the body (tokens are signed
/// before), [`Act::IdToken`](crate::Act::IdToken) a pushed ID Token,
/// [`Act::Delay`](crate::Act::Delay) lets it leave later, and [`Act::Keys`](crate::Act::Keys)
/// changes the provider's keys just before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotificationEdit {
    /// It never leaves.
    Withhold,
    /// When it leaves.
    At(Moment),
    /// So many of them in all; 1 unless this is said. Equal ones are equal to the byte.
    Copies(u32),
    /// What it says for its bearer token.
    Bearer(Bearer),
    /// An `auth_req_id` that was never issued.
    UnknownId,
    /// The `auth_req_id` of another live transaction, whatever comes first; one that was never
    /// issued when there is none.
    OtherId,
    /// Another method.
    Method(String),
    /// Text behind the endpoint's URL: a slash, a query.
    UrlSuffix(String),
    /// The whole body, valid or not.
    Body(Vec<u8>),
    /// A push of this error, whatever the person decided.
    Error(String),
}

/// When a notification leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Moment {
    /// Before the acknowledgement leaves: the person has decided by then, unless the bearer token
    /// is a wrong one. Delay the acknowledgement ([`Act::Delay`](crate::Act::Delay)) over sockets,
    /// or both are on their way at the same time.
    Overtaking,
    /// As soon as the acknowledgement has left, decided or not.
    Acknowledgement,
    /// When the person has decided and the acknowledgement has left.
    #[default]
    Decided,
    /// When the transaction has expired.
    Expired,
}

/// What a notification says for its bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bearer {
    /// One character more.
    Appended,
    /// One character less.
    Truncated,
    /// The case of one letter changed.
    OtherCase,
    /// No `Authorization` field.
    Missing,
    /// The token of another live transaction; a random one when there is none.
    OtherTransaction,
    /// No token behind the scheme.
    Empty,
    /// The token in the Basic scheme.
    Basic,
    /// Two `Authorization` fields.
    Twice,
    /// The token in the query instead of the field.
    InQuery,
    /// The right token behind `bearer` (RFC 9110 11.1: the scheme knows no case).
    LowerCase,
    /// The right token behind `BEARER`.
    UpperCase,
    /// The right token after two spaces: valid by RFC 6750 2.1, and refused by many. Either answer
    /// is accepted.
    TwoBlanks,
}

impl Bearer {
    pub(crate) const fn is_right(self) -> bool {
        matches!(self, Self::LowerCase | Self::UpperCase | Self::TwoBlanks)
    }

    /// The `Authorization` fields; `other` is another transaction's token.
    pub(crate) fn fields(this: Option<Self>, token: &str, other: &str) -> Vec<String> {
        let plain = format!("Bearer {token}");
        let Some(this) = this else { return vec![plain] };
        match this {
            Self::Appended => vec![format!("{plain}A")],
            Self::Truncated => vec![format!("Bearer {}", &token[..token.len().saturating_sub(1)])],
            Self::OtherCase => {
                let at = token.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
                let flip = |(n, c): (usize, char)| match (n == at, c.is_ascii_uppercase()) {
                    (true, true) => c.to_ascii_lowercase(),
                    (true, false) => c.to_ascii_uppercase(),
                    (false, _) => c,
                };
                vec![format!("Bearer {}", token.char_indices().map(flip).collect::<String>())]
            }
            Self::Missing | Self::InQuery => Vec::new(),
            Self::OtherTransaction => vec![format!("Bearer {other}")],
            Self::Empty => vec!["Bearer ".to_owned()],
            Self::Basic => vec![format!("Basic {token}")],
            Self::Twice => vec![plain.clone(), plain],
            Self::LowerCase => vec![format!("bearer {token}")],
            Self::UpperCase => vec![format!("BEARER {token}")],
            Self::TwoBlanks => vec![format!("Bearer  {token}")],
        }
    }
}
