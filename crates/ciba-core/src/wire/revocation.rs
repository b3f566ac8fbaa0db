//! The revocation of a token (RFC 7009).

use alloc::boxed::Box;

use crate::{
    endpoint::Endpoint,
    fault::Fault,
    time::Timestamp,
    wire::{
        ErrorCode, Misbehaviour, Response, ServerAnswer,
        form::Form,
        server_answer::{Content, is_passing_status},
    },
};

/// The type of a token, which helps the provider to find it (RFC 7009 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenTypeHint {
    AccessToken,
    RefreshToken,
}

impl TokenTypeHint {
    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// Writes the parameters of a request, except for client authentication.
pub(crate) fn request(token: &str, hint: TokenTypeHint, form: &mut Form) {
    form.push("token", token);
    form.push("token_type_hint", hint.name());
}

/// The meaning of a response of the revocation endpoint.
#[derive(Debug)]
pub(crate) enum RevocationReply {
    /// The token is not valid any more, or never was.
    Revoked,
    /// 408, 425, 429 or 5xx: the token is still valid, and the request may be repeated.
    Busy(Box<ServerAnswer>),
    /// Any other OAuth error. The token is still valid.
    Error(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

/// Interprets a response.
pub(crate) fn process(response: &Response, now: Timestamp) -> RevocationReply {
    let endpoint = Endpoint::Revocation;
    let keep = |error| Box::new(ServerAnswer::new(endpoint, response, error, now));
    let misbehaved = |fault| {
        RevocationReply::Misbehaved(Misbehaviour { fault, endpoint, answer: Some(keep(None)) })
    };
    match response.status {
        // RFC 7009 section 2.2: the status says everything, the body is ignored. It is also the
        // answer for a token that the provider does not know.
        200 => return RevocationReply::Revoked,
        300..400 => return misbehaved(Fault::Redirect),
        _ => {}
    }
    let may_pass = is_passing_status(response.status);
    match Content::read(response) {
        Content::Error(error) => {
            // An unspecific code says no more than the status.
            let is_unspecific = matches!(
                error.code,
                ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable | ErrorCode::Unknown(_)
            );
            let is_busy = may_pass && is_unspecific;
            let answer = keep(Some(error));
            match is_busy {
                true => RevocationReply::Busy(answer),
                false => RevocationReply::Error(answer),
            }
        }
        Content::Object(_) | Content::Unusable(_) if may_pass => RevocationReply::Busy(keep(None)),
        Content::Object(_) | Content::Unusable(_) if response.status == 401 => {
            RevocationReply::Error(keep(None))
        }
        Content::Object(_) | Content::Unusable(_) => misbehaved(Fault::Status),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::wire::Headers;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    /// RFC 7009 section 2.2: the status decides, and a token that is not known counts as revoked.
    #[test]
    fn the_status_of_an_answer_decides_whether_the_token_is_revoked() {
        let describe = |status, body: &str| {
            let mut response = Response::json(status, body);
            response.headers.push("retry-after", "7");
            match process(&response, NOW) {
                RevocationReply::Revoked => "revoked".to_string(),
                RevocationReply::Busy(answer) => {
                    assert_eq!(answer.retry_after().map(|wait| wait.as_secs()), Some(7));
                    "busy".to_string()
                }
                RevocationReply::Error(answer) => {
                    answer.code().map_or("refused", ErrorCode::name).to_string()
                }
                RevocationReply::Misbehaved(misbehaviour) => misbehaviour.fault.name().to_string(),
            }
        };
        for (status, body, expected) in [
            (200, "", "revoked"),
            (200, "not json", "revoked"),
            (200, r#"{"error":"invalid_request"}"#, "revoked"),
            (503, "", "busy"),
            (429, "<html>", "busy"),
            (500, r#"{"error":"server_error"}"#, "busy"),
            (503, r#"{"error":"unsupported_token_type"}"#, "unsupported_token_type"),
            (400, r#"{"error":"unsupported_token_type"}"#, "unsupported_token_type"),
            (401, r#"{"error":"invalid_client"}"#, "invalid_client"),
            (401, "", "refused"),
            (403, "", "status"),
            (204, "", "status"),
            (302, "", "redirect"),
        ] {
            assert_eq!(describe(status, body), expected, "{status} {body}");
        }
        let mut endless = Response::new(200, Headers::new(), "x");
        endless.truncated = true;
        assert!(matches!(process(&endless, NOW), RevocationReply::Revoked));
    }
}
