//! Notifications as data: what the provider sends to a client's endpoint, and how a script changes
//! it.

use core::fmt;

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
};

/// The number of a notification, in the order of sending, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(pub u64);

/// A notification that is due.
///
/// Send it to the client and report the answer to
/// [`Provider::notification_answered`](crate::Provider::notification_answered).
#[must_use = "a notification that is not sent never arrives"]
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
    /// The header fields, in order. A field may occur twice.
    pub headers: Headers,
    /// The body.
    pub body: Body,
    /// When it became due.
    pub due: Timestamp,
}

// Neither the headers nor the body nor the URL: all of them may hold a token.
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

/// A notification that was sent, and its answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Notified {
    /// What was sent.
    pub outbound: Outbound,
    /// When it was sent.
    pub sent: Timestamp,
    /// When the answer arrived or the attempt failed; `None` before that.
    pub answered: Option<Timestamp>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    pub(crate) expected: Expected,
    /// The number of attempts left.
    pub(crate) retries: u32,
}

/// The answers that are correct for a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// 200 or 204; 503 if the client could not save the notification.
    Accepted,
    /// 401.
    Unauthorized,
    /// 405.
    MethodNotAllowed,
    /// A status of 400 to 499.
    Refused,
    /// Anything except a redirect and a server error.
    NoMatter,
}

/// A change to notifications.
///
/// Steps for [`Endpoint::Notification`](crate::Endpoint::Notification) count the notifications of
/// each transaction, from 1 to [`Self::Copies`]. The script is read when the transaction begins.
///
/// Of the other acts, [`Act::Amend`](crate::Act::Amend) changes the body (after the tokens are
/// signed), [`Act::IdToken`](crate::Act::IdToken) a pushed ID Token,
/// [`Act::Delay`](crate::Act::Delay) sends it later, and [`Act::Keys`](crate::Act::Keys) changes the
/// provider's keys just before it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotificationEdit {
    /// Never sends it.
    Withhold,
    /// Sends it at another moment.
    At(Moment),
    /// Sends this many in total; 1 by default. Those that no step tells apart are identical.
    Copies(u32),
    /// Changes the bearer token.
    Bearer(Bearer),
    /// Names an `auth_req_id` that was never issued.
    UnknownId,
    /// Names the `auth_req_id` of another live transaction, or one that was never issued if there is
    /// no other transaction.
    OtherId,
    /// Replaces the method.
    Method(String),
    /// Appends text to the endpoint's URL, for example a slash or a query.
    UrlSuffix(String),
    /// Replaces the body by these bytes, valid or not.
    Body(Vec<u8>),
    /// Pushes this error, whatever the user decided.
    Error(String),
}

/// The moment at which a notification is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Moment {
    /// Before the acknowledgement. The user has decided by then, unless the bearer token is wrong.
    /// With a server, also delay the acknowledgement ([`Act::Delay`](crate::Act::Delay)): otherwise
    /// both are under way at the same time.
    Overtaking,
    /// As soon as the acknowledgement was sent, whether the user has decided or not.
    Acknowledgement,
    /// When the user has decided and the acknowledgement was sent.
    #[default]
    Decided,
    /// When the transaction has expired.
    Expired,
}

/// The bearer token of a notification, where it is not simply the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bearer {
    /// The token with an additional character.
    Appended,
    /// The token without its last character.
    Truncated,
    /// The token with the case of one letter changed.
    OtherCase,
    /// No `Authorization` field.
    Missing,
    /// The token of another live transaction, or a random one if there is no other transaction.
    OtherTransaction,
    /// The scheme without a token.
    Empty,
    /// The token with the Basic scheme.
    Basic,
    /// Two `Authorization` fields.
    Twice,
    /// The token in the query of the URL, and no `Authorization` field.
    InQuery,
    /// The right token after `bearer`: the scheme is case-insensitive ([RFC 9110 section
    /// 11.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)).
    LowerCase,
    /// The right token after `BEARER`.
    UpperCase,
    /// The right token after two spaces: valid according to [RFC 6750 section
    /// 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1), but refused by many implementations.
    /// The judge accepts either answer.
    TwoSpaces,
}

impl Bearer {
    pub(crate) const fn is_right(self) -> bool {
        matches!(self, Self::LowerCase | Self::UpperCase | Self::TwoSpaces)
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
            Self::TwoSpaces => vec![format!("Bearer  {token}")],
        }
    }
}
