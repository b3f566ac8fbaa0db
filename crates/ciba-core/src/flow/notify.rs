//! Something that arrived unasked at a notification endpoint (CIBA 9). A poll client expects nothing there, so its flows
//! take nothing (REQ-META-05); the first look, which needs no flow, does not depend on the delivery mode.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use super::Flow;
use crate::{secret::Body, time::Timestamp, wire::Headers};

/// The longest notification body (REQ-PING-20).
const LONGEST_BODY: usize = 16 * 1024;

/// A call of the notification endpoint that passed the first look: a POST with exactly one bearer token and a bounded
/// body. Nothing of the body has been read.
pub struct Notification {
    bearer: Zeroizing<String>,
    body: Body,
}

/// A call that is refused before any flow is looked at. Answer its status; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadNotification {
    /// Not a POST: 405.
    Method,
    /// Not exactly one `Authorization` header with a bearer token: 401.
    Authorization,
    /// The body is longer than 16 KiB: 413.
    TooLarge,
}

impl BadNotification {
    /// The status to answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Authorization => 401,
            Self::TooLarge => 413,
        }
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
    /// The first look: method, the one `Authorization` header, size (REQ-PING-04, REQ-PING-20).
    ///
    /// # Errors
    ///
    /// [`BadNotification`] with the status to answer.
    pub fn receive(method: &str, headers: &Headers, body: Body) -> Result<Self, BadNotification> {
        if method != "POST" {
            return Err(BadNotification::Method);
        }
        let mut fields = headers.all("authorization");
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(BadNotification::Authorization);
        };
        let bearer = bearer_token(field).ok_or(BadNotification::Authorization)?;
        if body.len() > LONGEST_BODY {
            return Err(BadNotification::TooLarge);
        }
        Ok(Self { bearer: Zeroizing::new(bearer.into()), body })
    }
}

/// The token of a bearer `Authorization` header: scheme in any case, blanks, then b64token (RFC 6750 2.1).
fn bearer_token(field: &str) -> Option<&str> {
    let (scheme, rest) = field.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let body = token.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (scheme.eq_ignore_ascii_case("bearer") && !body.is_empty() && body.bytes().all(fits)).then_some(token)
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notification(bearer of {} bytes, {:?})", self.bearer.len(), self.body)
    }
}

/// What a flow says to a notification.
#[must_use = "answer the notification with its status"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Acknowledgement {
    /// The notification is not for this flow: 401, without a word about why.
    Unauthorized,
}

impl Acknowledgement {
    /// The status to answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
        }
    }
}

impl Flow {
    /// Takes something that arrived unasked. A flow in poll mode accepts no notification and stays as it is.
    pub fn notify(&mut self, notification: &Notification, now: Timestamp) -> Acknowledgement {
        let _ = notification;
        self.observe(now);
        Acknowledgement::Unauthorized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REQ-PING-04
    #[test]
    fn exactly_one_bearer_token_in_any_case_is_needed() {
        let one = |value: &str| [("Authorization", value)].into_iter().collect::<Headers>();
        let receive = |headers: &Headers| Notification::receive("POST", headers, Body::default()).map(|_| ());
        for good in ["Bearer abc", "bearer abc==", "BEARER   a-._~+/9"] {
            assert_eq!(receive(&one(good)), Ok(()), "{good}");
        }
        for bad in ["Basic abc", "Bearer", "Bearer ", "Bearer ==", "Bearer a b", "Bearer a,b", "abc"] {
            assert_eq!(receive(&one(bad)), Err(BadNotification::Authorization), "{bad}");
        }
        assert_eq!(receive(&Headers::new()), Err(BadNotification::Authorization));
        let two = [("authorization", "Bearer a"), ("Authorization", "Bearer a")].into_iter().collect();
        assert_eq!(receive(&two), Err(BadNotification::Authorization));
    }
}
