//! UserInfo (OIDC Core 5.3).

use alloc::{boxed::Box, format, string::String};

use zeroize::Zeroizing;

use crate::{
    endpoint::Endpoint,
    fault::Fault,
    secret::{AccessToken, SecretText},
    time::Timestamp,
    url::Url,
    wire::{
        ErrorCode, Misbehaviour, Request, Response, ServerAnswer, challenge,
        server_answer::{Content, is_passing_status},
    },
};

/// The media type of a signed answer (OIDC Core 5.3.2).
const JWT: &str = "application/jwt";

/// Makes the request. The access token is only in the `Authorization` field (RFC 6750 section 2.1).
// REQ-TOK-33, REQ-TOK-34a, REQ-FAPI-17
pub(crate) fn request(url: Url, token: &AccessToken, is_signed: bool) -> Request {
    let mut request = match is_signed {
        true => Request::get_accepting(url, JWT),
        false => Request::get(url),
    };
    let value = Zeroizing::new(format!("Bearer {}", token.expose()));
    request.headers.push("authorization", &*value);
    request
}

/// The meaning of a response of the UserInfo endpoint.
pub(crate) enum UserInfoReply {
    /// The claims, signed or not as was registered. Nothing of them is checked yet.
    Claims(SecretText),
    /// 408, 425, 429 or 5xx: the request may be repeated.
    Busy(Box<ServerAnswer>),
    /// The request was refused, for example because the access token has expired.
    Error(Box<ServerAnswer>),
    Misbehaved(Misbehaviour),
}

/// Interprets a response. `is_signed` says whether a signed answer was registered.
pub(crate) fn process(response: &Response, is_signed: bool, now: Timestamp) -> UserInfoReply {
    let endpoint = Endpoint::UserInfo;
    let keep = |error| {
        let mut answer = ServerAnswer::new(endpoint, response, error, now);
        // A resource names its error in the challenge and often has no body (RFC 6750 section 3).
        if answer.code.is_none() {
            answer.code =
                challenge::error(&response.headers).map(|name| ErrorCode::from_name(&name));
        }
        Box::new(answer)
    };
    let misbehaved = |fault| {
        UserInfoReply::Misbehaved(Misbehaviour { fault, endpoint, answer: Some(keep(None)) })
    };
    match response.status {
        200 => match claims(response, is_signed) {
            Ok(claims) => UserInfoReply::Claims(claims),
            Err(fault) => misbehaved(fault),
        },
        300..400 => misbehaved(Fault::Redirect),
        status if is_passing_status(status) => UserInfoReply::Busy(keep(None)),
        status => match Content::read(response) {
            Content::Error(error) if status >= 400 => UserInfoReply::Error(keep(Some(error))),
            _ if matches!(status, 401 | 403) => UserInfoReply::Error(keep(None)),
            Content::Error(_) | Content::Object(_) | Content::Unusable(_) => {
                misbehaved(Fault::Status)
            }
        },
    }
}

fn claims(response: &Response, is_signed: bool) -> Result<SecretText, Fault> {
    if response.truncated {
        return Err(Fault::TooLarge);
    }
    if response.is_encoded() {
        return Err(Fault::ContentCoding);
    }
    // A plain answer proves nothing that a signed one was registered for, and a signed answer that
    // was not registered has no algorithm to be checked with (REQ-TOK-34).
    let media_type: Option<String> = response.media_type();
    match (is_signed, media_type.as_deref()) {
        (true, Some(JWT)) | (false, Some("application/json")) => {}
        (true, _) => return Err(Fault::NotSigned),
        (false, _) => return Err(Fault::MediaType),
    }
    SecretText::from_utf8(Zeroizing::new(response.body.expose().into())).ok_or(Fault::NotJson)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;
    use crate::wire::Headers;

    const NOW: Timestamp = Timestamp::from_unix_secs(1_893_456_000);

    fn answer(status: u16, media_type: &str, challenge: &str, body: &str) -> Response {
        let mut headers: Headers = [("content-type", media_type)].into_iter().collect();
        if !challenge.is_empty() {
            headers.push("www-authenticate", challenge);
        }
        Response::new(status, headers, body)
    }

    /// REQ-TOK-33
    /// REQ-FAPI-17
    /// OPM-REF-05
    #[test]
    fn the_access_token_is_in_the_authorization_field_and_nowhere_else() {
        let url = Url::parse("https://op.example/userinfo?tenant=1").unwrap();
        for is_signed in [false, true] {
            let request = request(url.clone(), &AccessToken::new("sentinel"), is_signed);
            assert_eq!(request.headers.get("authorization"), Some("Bearer sentinel"));
            assert_eq!(request.url, url);
            assert!(request.body.is_empty());
            assert_eq!(request.method.name(), "GET");
            let accepted = if is_signed { JWT } else { "application/json" };
            assert_eq!(request.headers.get("accept"), Some(accepted));
        }
    }

    /// REQ-TOK-34c
    #[test]
    fn an_answer_is_taken_only_in_the_registered_form_and_an_error_has_its_code() {
        let (json, token) = ("application/json", r#"Bearer error="invalid_token""#);
        for (status, media_type, challenge, is_signed, expected) in [
            (200, json, "", false, "claims"),
            (200, "application/json; charset=utf-8", "", false, "claims"),
            (200, JWT, "", true, "claims"),
            (200, json, "", true, "not_signed"),
            (200, JWT, "", false, "media_type"),
            (200, "text/html", "", false, "media_type"),
            (401, "text/plain", token, false, "invalid_token"),
            (401, "text/plain", "", false, "refused"),
            (403, json, r#"Bearer error="insufficient_scope""#, true, "insufficient_scope"),
            (503, json, "", false, "busy"),
            (302, json, "", false, "redirect"),
            (404, json, "", false, "status"),
            (201, json, "", false, "status"),
        ] {
            let response = answer(status, media_type, challenge, "{}");
            let meaning = match process(&response, is_signed, NOW) {
                UserInfoReply::Claims(_) => "claims".to_string(),
                UserInfoReply::Busy(_) => "busy".to_string(),
                UserInfoReply::Error(answer) => {
                    answer.code().map_or("refused", ErrorCode::name).to_string()
                }
                UserInfoReply::Misbehaved(misbehaviour) => misbehaviour.fault.name().to_string(),
            };
            assert_eq!(meaning, expected, "{status} {media_type} {challenge} {is_signed}");
        }
        let mut cut = answer(200, json, "", "{}");
        cut.truncated = true;
        assert!(matches!(process(&cut, false, NOW), UserInfoReply::Misbehaved(_)));
    }
}
