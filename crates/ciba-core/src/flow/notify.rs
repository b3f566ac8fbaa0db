//! Something that arrived unasked at a notification endpoint (CIBA 9): the first look, which needs
//! no flow, and what is answered. Whether a flow takes it is in `mailbox`.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use super::notifications::NotificationKey;
use crate::{
    secret::Body,
    wire::{Headers, Response},
};

/// A call of the notification endpoint that passed the first look: a POST with exactly one bearer
/// token and a bounded body. Nothing of the body has been read.
pub struct Notification {
    pub(super) bearer: Zeroizing<String>,
    /// Its media type and body, in the form of an answer without a status.
    pub(super) message: Response,
}

/// What to answer: a status, at most one header field, and never a body, so that nothing tells
/// which part was wrong (REQ-PING-03, REQ-PING-13).
#[must_use = "the provider waits for it"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotificationReply {
    /// The status; never 3xx (CIBA 9, REQ-PING-06).
    pub status: u16,
    /// A header field that goes with it.
    pub header: Option<(&'static str, &'static str)>,
}

impl NotificationReply {
    const fn new(status: u16) -> Self {
        let header = match status {
            401 => Some(("www-authenticate", "Bearer")),
            405 => Some(("allow", "POST")),
            _ => None,
        };
        Self { status, header }
    }
}

/// A call that is refused before any flow is looked at; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadNotification {
    /// Not a POST: 405.
    Method,
    /// Not exactly one `Authorization` header with a bearer token: 401.
    Authorization,
    /// The body is longer than [`Notification::MAX_BODY`]: 413.
    TooLarge,
}

impl BadNotification {
    /// What to answer.
    pub const fn reply(self) -> NotificationReply {
        NotificationReply::new(match self {
            Self::Method => 405,
            Self::Authorization => 401,
            Self::TooLarge => 413,
        })
    }
}

impl fmt::Display for BadNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the notification is not a POST",
            Self::Authorization => "the notification has no usable bearer token",
            Self::TooLarge => "the notification is too large",
        })
    }
}

impl core::error::Error for BadNotification {}

impl Notification {
    /// The longest body, in bytes: a push carries tokens. A ping may have 16 KiB (REQ-PING-20).
    pub const MAX_BODY: usize = 256 * 1024;

    /// The first look: method, the one `Authorization` header, size (REQ-PING-04, REQ-PING-20).
    ///
    /// # Errors
    ///
    /// [`BadNotification`], which knows what to answer.
    pub fn receive(method: &str, headers: &Headers, body: Body) -> Result<Self, BadNotification> {
        if method != "POST" {
            return Err(BadNotification::Method);
        }
        let mut fields = headers.all("authorization");
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(BadNotification::Authorization);
        };
        let bearer = bearer_token(field).ok_or(BadNotification::Authorization)?;
        if body.len() > Self::MAX_BODY {
            return Err(BadNotification::TooLarge);
        }
        let media_type = headers.get("content-type").map(|value| ("content-type", value));
        let message = Response::new(0, media_type.into_iter().collect(), body);
        Ok(Self { bearer: Zeroizing::new(bearer.into()), message })
    }

    /// The key to look its flow up by; `None` when the bearer token is none of ours: answer
    /// [`NotificationVerdict::Unauthorized`].
    #[must_use]
    pub fn key(&self) -> Option<NotificationKey> {
        NotificationKey::of(&self.bearer)
    }
}

/// The token of a bearer `Authorization` header: scheme in any case, spaces, then b64token (RFC
/// 6750 2.1).
fn bearer_token(field: &str) -> Option<&str> {
    let (scheme, rest) = field.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(fits))
        .then_some(token)
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notification(bearer of {} bytes, {:?})", self.bearer.len(), self.message.body)
    }
}

/// What a flow says to a notification.
#[must_use = "answer the notification, and save the flow first when it was accepted"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotificationVerdict {
    /// It is authentic, and the flow owns it now: save the flow, answer 204, poll the flow.
    Accepted,
    /// It is authentic and says nothing new: 204 (REQ-PING-15, REQ-PUSH-18).
    Known,
    /// Its bearer token is not that of this flow, or too late: 401, without a word about why.
    Unauthorized,
    /// Its bearer token is that of this flow, and its `auth_req_id` is not: 401, as
    /// [`Self::Unauthorized`].
    AnotherRequest,
    /// Its body is not `application/json`: 415.
    UnsupportedMediaType,
    /// Its body is longer than a ping's may be: 413.
    TooLarge,
    /// Its body is no notification: 400. Nothing changed.
    Malformed,
    /// It is authentic, and what it delivers cannot be used: 400, and the flow is over, with the
    /// reason. Save the flow and poll it.
    Unusable,
    /// The flow took it and could not be saved: 503. The code that saves answers this; no flow
    /// does.
    Unsaved,
    /// The endpoint is starting and does not know all its flows yet: 503. The owner of the endpoint
    /// answers this; no flow does.
    NotReady,
}

impl NotificationVerdict {
    /// What to answer.
    pub const fn reply(self) -> NotificationReply {
        NotificationReply::new(match self {
            Self::Accepted | Self::Known => 204,
            Self::Unauthorized | Self::AnotherRequest => 401,
            Self::UnsupportedMediaType => 415,
            Self::TooLarge => 413,
            Self::Malformed | Self::Unusable => 400,
            Self::Unsaved | Self::NotReady => 503,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-PING-04a
    /// REQ-PING-04b
    /// OPM-PNG-03
    /// OPM-PNG-10
    /// OPM-PNG-11
    #[test]
    fn exactly_one_bearer_token_in_any_case_is_needed() {
        let one = |value: &str| [("Authorization", value)].into_iter().collect::<Headers>();
        let receive =
            |headers: &Headers| Notification::receive("POST", headers, Body::default()).map(|_| ());
        for good in ["Bearer abc", "bearer abc==", "BEARER   a-._~+/9"] {
            assert_eq!(receive(&one(good)), Ok(()), "{good}");
        }
        for bad in [
            "Basic abc",
            "Bearer",
            "Bearer ",
            "Bearer  ",
            "Bearer ==",
            "Bearer a b",
            "Bearer a,b",
            "abc",
        ] {
            assert_eq!(receive(&one(bad)), Err(BadNotification::Authorization), "{bad}");
        }
        assert_eq!(receive(&Headers::new()), Err(BadNotification::Authorization));
        let two =
            [("authorization", "Bearer a"), ("Authorization", "Bearer a")].into_iter().collect();
        assert_eq!(receive(&two), Err(BadNotification::Authorization));
    }

    /// REQ-PING-20
    #[test]
    fn a_body_over_the_limit_is_refused_before_it_is_read() {
        let headers = [("authorization", "Bearer abc")].into_iter().collect();
        let body = |length| Body::new(alloc::vec![b'['; length]);
        assert!(Notification::receive("POST", &headers, body(Notification::MAX_BODY)).is_ok());
        let refused =
            Notification::receive("POST", &headers, body(Notification::MAX_BODY + 1)).map(|_| ());
        assert_eq!(refused, Err(BadNotification::TooLarge));
        assert_eq!(BadNotification::TooLarge.reply().status, 413);
    }

    /// REQ-PING-03
    /// OPM-PNG-12
    #[test]
    fn every_reply_has_its_status_and_no_body_to_tell_more() {
        assert_eq!(
            NotificationVerdict::Unauthorized.reply().header,
            Some(("www-authenticate", "Bearer"))
        );
        assert_eq!(
            NotificationVerdict::Unauthorized.reply(),
            BadNotification::Authorization.reply()
        );
        for method in ["GET", "HEAD", "PUT", "post", ""] {
            let refused =
                Notification::receive(method, &Headers::new(), Body::default()).map(|_| ());
            assert_eq!(refused, Err(BadNotification::Method), "{method}");
        }
        assert_eq!(
            BadNotification::Method.reply(),
            NotificationReply { status: 405, header: Some(("allow", "POST")) }
        );
    }
}
