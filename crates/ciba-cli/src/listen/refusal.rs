//! Why calls of the notification endpoint are refused.

use ciba_core::{
    named,
    notification::{BadNotification, NotificationVerdict},
};

named! {
    /// Why a call of the notification endpoint was refused. It is shown to the person at the
    /// terminal; the caller only gets the status.
    pub(crate) enum Refusal {
        Path = "path" => "it went to another path than --notification-path",
        Method = "method" => "its method was not POST",
        Authorization = "authorization" => "it had no usable bearer token",
        BearerToken = "bearer_token"
            => "its bearer token is not the one that this request handed out",
        AuthReqId = "auth_req_id" => "its auth_req_id is not that of this request",
        MediaType = "media_type" => "its media type was not application/json",
        TooLarge = "too_large" => "it was too large",
        Malformed = "malformed" => "it was not a JSON object with an auth_req_id",
        Unusable = "unusable" => "what it delivers cannot be used",
        NotTaken = "not_taken"
            => "it could not be taken in or saved, and the provider may try again",
    }
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
}
