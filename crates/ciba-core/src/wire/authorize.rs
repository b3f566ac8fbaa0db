//! The response of the backchannel authentication endpoint (CIBA Core 7.3 and 13).

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::{
    bounds,
    endpoint::Endpoint,
    fault::Fault,
    json::Object,
    secret::AuthReqId,
    time::Timestamp,
    wire::{
        Deviation, ErrorCode, JsonObject, Misbehaviour, Response, ServerAnswer,
        number::{self, Interval},
        server_answer::Content,
    },
};

/// The provider's acknowledgement of an authentication request ([CIBA Core 7.3]).
///
/// The `auth_req_id` is not part of it; the flow keeps it.
///
/// Serializes with `expires_in` and `interval` in whole seconds, and without `deviations` if there
/// are none.
///
/// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// The lifetime of the request, counted from when it was sent, and at most 24 hours.
    #[serde(serialize_with = "whole_seconds")]
    pub expires_in: Duration,
    /// The initial polling interval, which is 5 seconds if the provider named none.
    // Ruling 1.
    #[serde(serialize_with = "whole_seconds")]
    pub interval: Duration,
    /// The members that the protocol does not define, as received, for example Idura's
    /// `bindingMessage` for Norway.
    pub extra: JsonObject,
    /// The deviations from the specification that were tolerated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

impl Acknowledgement {
    /// Returns interval and lifetime.
    pub(crate) const fn pace(&self) -> (Duration, Duration) {
        (self.interval, self.expires_in)
    }
}

fn whole_seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(duration.as_secs())
}

/// The meaning of a response of the backchannel endpoint.
#[derive(Debug)]
pub(crate) enum AuthorizeReply {
    Acknowledgement(AuthReqId, Acknowledgement),
    /// An OAuth error, or 401, 408, 425, 429 or 503 without one.
    // Ruling 36.
    Refused(Box<ServerAnswer>),
    /// 400 with `use_dpop_nonce`: the request was refused before it was processed, so nobody was
    /// prompted (RFC 9449 section 8).
    // REQ-POP-10
    NonceDemanded(Box<ServerAnswer>),
    /// A 5xx that leaves the outcome open: the person may have been prompted.
    Indeterminate(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

/// Interprets a response of the backchannel authentication endpoint.
///
/// An OAuth error decides whatever the status is, with one exception: a 5xx with an unspecific code
/// says no more than its status, because the provider may have failed after prompting the person.
// REQ-ACK-23, REQ-AERR-02, ruling 39.
pub(crate) fn process(response: &Response, now: Timestamp) -> AuthorizeReply {
    let keep = |error| {
        Box::new(ServerAnswer::new(Endpoint::BackchannelAuthentication, response, error, now))
    };
    let misbehaved = |fault| {
        AuthorizeReply::Misbehaved(Misbehaviour {
            fault,
            endpoint: Endpoint::BackchannelAuthentication,
            answer: Some(keep(None)),
        })
    };
    // Redirects are never followed, and an OAuth error in one does not count (REQ-AERR-18).
    if (300..400).contains(&response.status) {
        return misbehaved(Fault::Redirect);
    }
    let content = match Content::read(response) {
        Content::Error(error) => {
            // Keycloak answers 503 with `server_error` if the device took too long, that is, after
            // the prompt (REQ-AERR-17).
            let says_nothing = matches!(error.code, ErrorCode::ServerError | ErrorCode::Unknown(_));
            // Only exactly this answer: the request is repeated, and a person must not be prompted
            // twice.
            if response.status == 400 && error.code == ErrorCode::UseDpopNonce {
                return AuthorizeReply::NonceDemanded(keep(Some(error)));
            }
            let answer = keep(Some(error));
            return match says_nothing && (500..600).contains(&response.status) {
                true => AuthorizeReply::Indeterminate(answer),
                false => AuthorizeReply::Refused(answer),
            };
        }
        Content::Object(object) => Ok(object),
        Content::Unusable(fault) => Err(fault),
    };
    match (response.status, content) {
        // A 401 means that client authentication failed, even without a body. Gateways and some
        // providers send none.
        (401 | 408 | 425 | 429 | 503, _) => AuthorizeReply::Refused(keep(None)),
        (500..600, _) => AuthorizeReply::Indeterminate(keep(None)),
        (200, Ok(object)) => match acknowledged(object) {
            Ok((id, acknowledged)) => AuthorizeReply::Acknowledgement(id, acknowledged),
            Err(fault) => misbehaved(fault),
        },
        (200, Err(fault)) | (_, Err(fault @ (Fault::TooLarge | Fault::ContentCoding))) => {
            misbehaved(fault)
        }
        (_, _) => misbehaved(Fault::Status),
    }
}

/// Whether a string can be an `auth_req_id`, in an acknowledgement or a notification.
// REQ-ACK-05, REQ-ACK-06
pub(crate) fn is_auth_req_id(id: &str) -> bool {
    let printable = id.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    !id.is_empty() && id.len() <= bounds::AUTH_REQ_ID_BYTES && printable
}

/// Reads an acknowledgement (CIBA Core 7.3).
fn acknowledged(mut object: Object) -> Result<(AuthReqId, Acknowledgement), Fault> {
    const ID: &str = "auth_req_id";
    const LIFETIME: &str = "expires_in";
    let mut deviations = Vec::new();

    // In a success, `Content::read` returns an object only if `error` is absent, null or empty.
    if object.take("error").is_some() {
        deviations.push(Deviation::EmptyError);
    }
    let id = object.take_text(ID)?.ok_or(Fault::MissingMember(ID))?;
    if !is_auth_req_id(&id) {
        return Err(Fault::BadMember(ID));
    }
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        deviations.push(Deviation::AuthReqIdAlphabet);
    }
    // 128 bits in an alphabet of 64 characters take 22 of them.
    if id.len() < 22 {
        deviations.push(Deviation::ShortAuthReqId);
    }

    let lifetime = object.take(LIFETIME).ok_or(Fault::MissingMember(LIFETIME))?;
    let lifetime = number::whole(lifetime)
        .filter(|whole| whole.seconds > 0)
        .ok_or(Fault::BadMember(LIFETIME))?;
    if lifetime.was_text {
        deviations.push(Deviation::LifetimeWasText);
    }
    let given = Duration::from_secs(lifetime.seconds);
    let expires_in = bounds::LIFETIME.clamp(given);
    if expires_in != given {
        deviations.push(Deviation::LifetimeClamped);
    }

    // `take` treats `null` as absent, but an explicit `null` is worth reporting.
    let interval_was_null = object.is_null("interval");
    let interval = match object.take("interval").map(number::interval) {
        None if !interval_was_null => bounds::DEFAULT_INTERVAL,
        None | Some(Interval::Unusable) => {
            deviations.push(Deviation::IntervalUnusable);
            bounds::DEFAULT_INTERVAL
        }
        Some(Interval::Adjusted(interval)) => {
            deviations.push(Deviation::IntervalAdjusted);
            interval
        }
        Some(Interval::AsGiven(interval)) => interval,
    };

    Ok((
        AuthReqId::from(id),
        Acknowledgement { expires_in, interval, extra: object.rest(), deviations },
    ))
}

#[cfg(test)]
mod tests;
