//! Requests to a notification endpoint (CIBA Core 9): the checks that need no flow, and the replies.
//! `notifications` decides whether a flow accepts one.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use crate::{
    jose::base64url,
    secret::Body,
    wire::{Headers, Response},
};

/// A request to the notification endpoint that passed the first checks: a POST with exactly one
/// bearer token and a body of limited length. The body has not been read yet.
pub struct Notification {
    pub(super) bearer: Zeroizing<String>,
    /// Media type and body, in the form of a response without a status.
    pub(super) message: Response,
}

/// The reply to a notification: a status and at most one header field. There is never a body, so
/// that the reply does not reveal what was wrong.
// REQ-PING-03, REQ-PING-13
#[must_use = "the provider waits for the reply"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotificationReply {
    /// The status, which is never 3xx ([CIBA Core 10.2]).
    ///
    /// [CIBA Core 10.2]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.10.2
    // REQ-PING-06
    pub status: u16,
    /// The header field to send with it.
    pub header: Option<(&'static str, &'static str)>,
}

impl NotificationReply {
    const fn new(status: u16) -> Self {
        // RFC 9110 sections 15.5.2 and 15.5.6 require these two.
        let header = match status {
            401 => Some(("www-authenticate", "Bearer")),
            405 => Some(("allow", "POST")),
            _ => None,
        };
        Self { status, header }
    }
}

/// The reason for which a request is rejected before a flow is involved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadNotification {
    /// The method is not POST: status 405.
    Method,
    /// There is not exactly one `Authorization` header with a bearer token: status 401.
    Authorization,
    /// The body is longer than [`Notification::MAX_BODY`]: status 413.
    TooLarge,
}

impl BadNotification {
    /// Returns the reply.
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
    /// The maximum length of the body in bytes, which applies to a push. A ping may have 16 KiB.
    // REQ-PING-20
    pub const MAX_BODY: usize = 256 * 1024;

    /// Checks the method, the `Authorization` header and the length of the body.
    ///
    /// # Errors
    ///
    /// Returns [`BadNotification`], which contains the reply.
    // REQ-PING-04, REQ-PING-20
    pub fn receive(method: &str, headers: &Headers, body: Body) -> Result<Self, BadNotification> {
        if method != "POST" {
            return Err(BadNotification::Method);
        }
        let mut fields = headers.all("authorization");
        // Two fields could be read differently by a proxy and by this code (REQ-PING-04).
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(BadNotification::Authorization);
        };
        let bearer = bearer_token(field).ok_or(BadNotification::Authorization)?;
        // After the token, so that a request without one is answered the same whatever its length
        // is.
        if body.len() > Self::MAX_BODY {
            return Err(BadNotification::TooLarge);
        }
        // The other fields are not needed, and may hold more of a stranger's text.
        let media_type = headers.get("content-type").map(|value| ("content-type", value));
        let message = Response::new(0, media_type.into_iter().collect(), body);
        Ok(Self { bearer: Zeroizing::new(bearer.into()), message })
    }

    /// Returns the key by which to look up the flow. If it is `None`, the bearer token was not
    /// issued by this crate: reply with [`NotificationVerdict::Unauthorized`].
    #[must_use]
    pub fn key(&self) -> Option<NotificationKey> {
        NotificationKey::of(&self.bearer)
    }
}

/// The key by which a notification is routed to its flow: the first part of the notification token.
///
/// It is random, not secret, and known before anything is sent. The rest of the token authenticates
/// the notification, and only the flow compares it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationKey([u8; Self::BYTES]);

impl NotificationKey {
    pub(super) const BYTES: usize = 16;
    /// The length of the key in base64url.
    const TEXT: usize = 22;

    /// Returns the key as bytes, for an index or a database.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Returns the key of a token. For a foreign token it is `None` or a key that no flow has.
    pub(super) fn of(token: &str) -> Option<Self> {
        let bytes = base64url::decode(token.get(..Self::TEXT)?)?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for NotificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotificationKey(..)")
    }
}

/// Reads a bearer `Authorization` header: the scheme in any case, spaces, then a b64token (RFC 6750
/// section 2.1).
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

/// The verdict of a flow on a notification.
#[must_use = "answer the notification; if it was accepted, save the flow first"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotificationVerdict {
    /// It is authentic, and the flow has taken it. Save the flow, answer 204, poll the flow.
    Accepted,
    /// It is authentic but contains nothing new: 204.
    // REQ-PING-15, REQ-PUSH-18
    Known,
    /// The bearer token is not that of this flow, or it is too late: 401, without an explanation.
    Unauthorized,
    /// The bearer token is that of this flow, but the `auth_req_id` is not: 401, like
    /// [`Self::Unauthorized`].
    AnotherRequest,
    /// The body is not `application/json`: 415.
    UnsupportedMediaType,
    /// The body is longer than allowed for a ping: 413.
    TooLarge,
    /// The body is not a notification: 400. The flow is unchanged.
    Malformed,
    /// It is authentic, but its content cannot be used: 400. The flow has ended with the reason; save
    /// and poll it.
    Unusable,
    /// The flow has taken it but could not be saved: 503. The code that saves uses this verdict; a
    /// flow does not.
    Unsaved,
    /// The endpoint is starting and does not know all its flows yet: 503. The owner of the endpoint
    /// uses this verdict; a flow does not.
    NotReady,
}

impl NotificationVerdict {
    /// Returns the reply.
    pub const fn reply(self) -> NotificationReply {
        NotificationReply::new(match self {
            Self::Accepted | Self::Known => 204,
            // The same status, so that a caller who guesses tokens learns nothing from it.
            Self::Unauthorized | Self::AnotherRequest => 401,
            Self::UnsupportedMediaType => 415,
            Self::TooLarge => 413,
            Self::Malformed | Self::Unusable => 400,
            // The only two for which it helps to send the notification again.
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
    fn exactly_one_bearer_token_is_required_with_the_scheme_in_any_case() {
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
    fn every_verdict_has_its_status_and_no_body() {
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
