//! Properties that hold for every response, whatever a provider sends.

use alloc::{format, string::String, vec, vec::Vec};

use proptest::prelude::*;

use super::{
    ErrorCode, Headers, Response,
    authorize::{self, AuthorizeReply},
    retry_after::retry_after,
    token::{self, TokenReply, TokenRules},
};
use crate::{bounds, fault::Fault, time::Timestamp};

/// Member names with a meaning, and some without.
const NAMES: &[&str] = &[
    "auth_req_id",
    "expires_in",
    "interval",
    "error",
    "error_description",
    "access_token",
    "token_type",
    "id_token",
    "refresh_token",
    "scope",
    "x",
    "\\u0065rror",
];
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "1",
    "5",
    "-1",
    "0.5",
    "120",
    "120.0",
    "1e400",
    "-1e400",
    "18446744073709551616",
    "\"\"",
    "\"120\"",
    "\"Bearer\"",
    "\"a.b.c\"",
    "\"access_denied\"",
    "\"slow_down\"",
    "\"authorization_pending\"",
    "\"server_error\"",
    "\"x y\"",
    "\"\\u0000\"",
    "[]",
    "{}",
    "[[]]",
    "{\"a\":1e999}",
];

fn body() -> impl Strategy<Value = Vec<u8>> {
    let member = (prop::sample::select(NAMES), prop::sample::select(VALUES));
    let object = prop::collection::vec(member, 0..6).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    });
    prop_oneof![8 => object, 1 => any::<Vec<u8>>(), 1 => Just(b"<html>".to_vec())]
}

prop_compose! {
    fn response()(
        status in prop_oneof![Just(200_u16), Just(400), Just(429), Just(503), 0_u16..1000],
        media_type in prop::sample::select(vec!["application/json", "APPLICATION/JSON;a=b", "text/html", "", "\u{e5}"]),
        later in prop::sample::select(vec!["", "7", "-1", "Tue, 01 Jan 2030 00:00:20 GMT", "\u{e5}, 1"]),
        truncated in prop::bool::weighted(0.05),
        body in body(),
    ) -> Response {
        let headers: Headers = [("content-type", media_type), ("retry-after", later)].into_iter().collect();
        let mut response = Response::new(status, headers, body);
        response.truncated = truncated;
        response
    }
}

fn is_json(response: &Response) -> bool {
    !response.truncated
        && response.media_type().is_some_and(|media_type| media_type == "application/json")
}

/// Outside 2xx the media type does not matter, because an error grants nothing.
fn is_readable(response: &Response) -> bool {
    is_json(response) || (response.status >= 300 && !response.truncated)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// REQ-ACK-01
    /// REQ-ACK-10
    /// REQ-AERR-18
    /// REQ-SEC-11
    #[test]
    fn every_accepted_acknowledgement_is_within_bounds(response in response(), millis: u64) {
        match authorize::process(&response, Timestamp::from_unix_millis(millis)) {
            AuthorizeReply::Acknowledgement(id, acknowledged) => {
                prop_assert!(response.status == 200 && is_json(&response) && !id.expose().is_empty());
                prop_assert!((bounds::LIFETIME.least..=bounds::LIFETIME.most).contains(&acknowledged.expires_in));
                prop_assert!((bounds::INTERVAL.least..=bounds::INTERVAL.most).contains(&acknowledged.interval));
                prop_assert!(acknowledged.extra.json("error").is_none_or(|error| error == "null"));
            }
            AuthorizeReply::Refused(answer) => {
                prop_assert!(answer.code().is_some() || matches!(response.status, 401 | 408 | 425 | 429 | 503));
                prop_assert!(!(300..400).contains(&response.status));
            }
            AuthorizeReply::NonceDemanded(answer) => {
                prop_assert!(answer.code() == Some(&ErrorCode::UseDpopNonce) && response.status == 400);
            }
            AuthorizeReply::Indeterminate(answer) => {
                let says_nothing = matches!(answer.code(), None | Some(ErrorCode::ServerError | ErrorCode::Unknown(_)));
                prop_assert!(says_nothing && (500..600).contains(&response.status));
            }
            AuthorizeReply::Misbehaved(misbehaviour) => {
                prop_assert!(misbehaviour.answer.is_some_and(|answer| answer.code().is_none()));
                prop_assert!(!matches!(response.status, 408 | 425 | 429 | 500..600));
            }
        }
    }

    /// REQ-TOK-01
    /// REQ-TOK-30
    /// REQ-POLL-22
    /// REQ-SEC-11
    #[test]
    fn a_token_response_ends_the_flow_unless_it_says_to_continue(
        response in response(), id_token_required: bool, assume_bearer: bool, millis: u64,
    ) {
        let rules = TokenRules { id_token_required, bound_to_key: false, assume_bearer, bearer_words: &[], scope_lists: assume_bearer, pending_errors: &[] };
        match token::process(&response, rules, Timestamp::from_unix_millis(millis)) {
            TokenReply::Tokens(tokens) => {
                prop_assert!(response.status == 200 && is_json(&response) && !tokens.access_token.expose().is_empty());
                prop_assert!(tokens.token_type.eq_ignore_ascii_case("bearer"));
                prop_assert!(tokens.id_token.is_some() || !id_token_required);
            }
            TokenReply::Pending(pacing) | TokenReply::SlowDown(pacing) => {
                prop_assert!(is_readable(&response));
                prop_assert!(pacing.interval.is_none_or(|interval| interval >= bounds::INTERVAL.least));
                prop_assert!(pacing.retry_after.is_none_or(|delay| delay <= bounds::RETRY_AFTER.most));
            }
            TokenReply::Busy(answer) => {
                prop_assert_eq!(answer.status(), response.status);
                prop_assert!(matches!(response.status, 408 | 425 | 429 | 500..600));
            }
            TokenReply::NonceDemanded(answer) => {
                prop_assert!(answer.code() == Some(&ErrorCode::UseDpopNonce) && matches!(response.status, 400 | 401));
            }
            TokenReply::Error(answer) => {
                prop_assert!(response.status == 401 || answer.code().is_some() && is_readable(&response));
            }
            TokenReply::Misbehaved(misbehaviour) => {
                prop_assert!(!matches!(response.status, 408 | 425 | 429 | 500..600));
                prop_assert_eq!(misbehaviour.fault == Fault::Redirect, (300..400).contains(&response.status));
            }
        }
    }

    /// REQ-POLL-14
    #[test]
    fn a_delay_is_bounded_for_every_field_value(text in "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT|.*", millis: u64) {
        let headers: Headers = [("retry-after", text)].into_iter().collect();
        let delay = retry_after(&headers, Timestamp::from_unix_millis(millis));
        prop_assert!(delay.is_none_or(|delay| delay <= bounds::RETRY_AFTER.most));
    }
}
