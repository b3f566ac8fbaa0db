//! Why calls of the notification endpoint are refused.

use ciba_core::notification::{BadNotification, NotificationVerdict};

/// Why a call of the notification endpoint was refused. It is shown to the person at the terminal;
/// the caller only gets the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Path,
    Method,
    Authorization,
    BearerToken,
    AuthReqId,
    MediaType,
    TooLarge,
    Malformed,
    Unusable,
    NotTaken,
}

impl Refusal {
    /// Why the flow accepted nothing; `None` if it did.
    pub(super) const fn of(said: NotificationVerdict) -> Option<Self> {
        Some(match said {
            NotificationVerdict::Accepted | NotificationVerdict::Known => return None,
            NotificationVerdict::Unauthorized => Self::BearerToken,
            NotificationVerdict::AnotherRequest => Self::AuthReqId,
            NotificationVerdict::UnsupportedMediaType => Self::MediaType,
            NotificationVerdict::TooLarge => Self::TooLarge,
            NotificationVerdict::Unusable => Self::Unusable,
            NotificationVerdict::Unsaved | NotificationVerdict::NotReady => Self::NotTaken,
            _ => Self::Malformed,
        })
    }

    /// Why what was received is no notification.
    pub(super) const fn of_bad(bad: BadNotification) -> Self {
        match bad {
            BadNotification::Method => Self::Method,
            BadNotification::TooLarge => Self::TooLarge,
            _ => Self::Authorization,
        }
    }

    /// Its name in JSON, and a sentence about the call.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Path => ("path", "it went to another path than --notification-path"),
            Self::Method => ("method", "its method was not POST"),
            Self::Authorization => ("authorization", "it had no usable bearer token"),
            Self::BearerToken => {
                ("bearer_token", "its bearer token is not the one that this request handed out")
            }
            Self::AuthReqId => ("auth_req_id", "its auth_req_id is not that of this request"),
            Self::MediaType => ("media_type", "its media type was not application/json"),
            Self::TooLarge => ("too_large", "it was too large"),
            Self::Malformed => ("malformed", "it was not a JSON object with an auth_req_id"),
            Self::Unusable => ("unusable", "what it delivers cannot be used"),
            Self::NotTaken => {
                ("not_taken", "it could not be taken in or saved, and the provider may try again")
            }
        }
    }
}
