//! The token endpoint before the decision, and terminal answers: F-08, F-10 to F-16, F-29.

use std::time::Duration;

use super::entry::{Fault, fault};
use crate::{
    message::{Closing, Endpoint::Token},
    script::{Act, Script, ScriptedAnswer},
};

pub(super) fn faults() -> Vec<Fault> {
    let mut faults = slowing();
    faults.extend(outages());
    faults.extend(closings());
    faults.extend(endings());
    faults
}

fn error(code: &str) -> ScriptedAnswer {
    ScriptedAnswer::error(400, code)
}

/// An unusual answer to the second poll.
fn second(answer: ScriptedAnswer) -> Script {
    Script::new().nth(Token, 2, Act::Answer(answer))
}

fn slowing() -> Vec<Fault> {
    let slow_down = |count| Script::new().answers(Token, vec![error("slow_down"); count]);
    let retry =
        |status, value: &str| second(ScriptedAnswer::status(status).header("retry-after", value));
    let pending = error("authorization_pending").header("retry-after", "20");
    vec![
        fault("slow-down-once", "F-10", "slow_down on the first poll", slow_down(1)),
        fault("slow-down-twice", "F-10", "slow_down on two polls", slow_down(2)),
        fault("slow-down-five-times", "F-10", "slow_down on five polls", slow_down(5)),
        fault("retry-after-503", "F-11", "503 with Retry-After 20", retry(503, "20")),
        fault("retry-after-429", "F-11", "429 with Retry-After 20", retry(429, "20")),
        fault(
            "retry-after-slow-down",
            "F-11",
            "slow_down with Retry-After 30",
            second(error("slow_down").header("retry-after", "30")),
        ),
        fault("retry-after-pending", "F-11", "pending with Retry-After 20", second(pending)),
        fault(
            "retry-after-past-date",
            "F-11",
            "503 with a date of 1994",
            retry(503, "Sun, 06 Nov 1994 08:49:37 GMT"),
        ),
        fault(
            "retry-after-malformed",
            "F-11",
            "503 with a malformed Retry-After",
            retry(503, "in a while"),
        ),
        fault(
            "retry-after-huge",
            "F-11",
            "503 with a Retry-After of 10^18 seconds",
            retry(503, "1000000000000000000"),
        ),
        fault("429-bare", "F-11", "429 without anything", second(ScriptedAnswer::status(429))),
        fault(
            "pending-for-ever",
            "F-14",
            "pending until the end",
            Script::new().every(Token, Act::Answer(error("authorization_pending"))),
        ),
    ]
}

fn outages() -> Vec<Fault> {
    let nth = |act| Script::new().nth(Token, 2, act);
    let delay = |seconds| nth(Act::Delay(Duration::from_secs(seconds)));
    let redirect = |status| second(ScriptedAnswer::redirect(status, "/trap"));
    vec![
        fault("token-redirect-302", "F-08", "302 to another place", redirect(302)),
        fault("token-redirect-307", "F-08", "307 to another place", redirect(307)),
        fault("token-redirect-308", "F-08", "308 to another place", redirect(308)),
        fault(
            "token-server-error",
            "F-12",
            "500 with a page, once",
            second(ScriptedAnswer::html(500)),
        ),
        fault(
            "token-proxy-error",
            "F-12",
            "502 with a page, once",
            second(ScriptedAnswer::html(502)),
        ),
        fault(
            "token-gateway-timeout",
            "F-12",
            "504 with a page, once",
            second(ScriptedAnswer::html(504)),
        ),
        fault(
            "token-server-error-code",
            "F-12",
            "500 with error server_error, once",
            second(ScriptedAnswer::error(500, "server_error")),
        ),
        fault("token-slow", "F-13", "a poll is answered after 29 s", delay(29)),
        fault("token-too-slow", "F-13", "a poll is answered after 35 s", delay(35)),
        fault("token-held", "F-13", "a poll is never answered", nth(Act::HoldForever)),
        fault(
            "token-dropped",
            "F-13",
            "the connection closes before a poll is acted on",
            nth(Act::DropBefore),
        ),
        fault(
            "token-drip",
            "F-28",
            "pending, one byte a second",
            nth(Act::Drip { bytes_per_second: 1 }),
        ),
    ]
}

/// Connections that the client may have kept for the next poll.
fn closings() -> Vec<Fault> {
    let every = |closing| Script::new().every(Token, Act::Close(closing));
    [
        (
            Closing::Announced,
            "connection-closed",
            "the connection ends with each answer, which says so",
        ),
        (
            Closing::AtOnce,
            "connection-closed-at-once",
            "the connection ends right after each answer",
        ),
        (
            Closing::AtNextByte,
            "connection-closed-at-next-byte",
            "the connection ends while the next request is written",
        ),
        (
            Closing::InNextRequest,
            "connection-closed-in-request",
            "the connection ends after the next request was read",
        ),
        (
            Closing::GoAway,
            "connection-closed-by-goaway",
            "the connection ends after the next request was read, with GOAWAY over HTTP/2",
        ),
    ]
    .map(|(closing, name, summary)| fault(name, "F-29", summary, every(closing)))
    .into()
}

fn endings() -> Vec<Fault> {
    let third = |answer| Script::new().nth(Token, 3, Act::Answer(answer));
    let end = |name, menu, summary, code| fault(name, menu, summary, third(error(code)));
    let first = |code| Script::new().nth(Token, 1, Act::Answer(error(code)));
    vec![
        end(
            "token-invalid-request",
            "F-15",
            "invalid_request on the third poll",
            "invalid_request",
        ),
        end("token-invalid-grant", "F-15", "invalid_grant on the third poll", "invalid_grant"),
        end(
            "token-unauthorized-client",
            "F-15",
            "unauthorized_client on the third poll",
            "unauthorized_client",
        ),
        end(
            "token-unsupported-grant",
            "F-15",
            "unsupported_grant_type on the third poll",
            "unsupported_grant_type",
        ),
        end(
            "token-transaction-failed",
            "F-15",
            "transaction_failed on the third poll",
            "transaction_failed",
        ),
        end(
            "token-unknown-code",
            "F-15",
            "an undefined error code on the third poll",
            "out_of_coffee",
        ),
        fault(
            "token-400-bare",
            "F-15",
            "400 without an error on the third poll",
            third(ScriptedAnswer::status(400)),
        ),
        fault(
            "token-404",
            "F-15",
            "404 with a page on the third poll",
            third(ScriptedAnswer::html(404)),
        ),
        fault(
            "token-error-200",
            "F-06",
            "an error object with status 200",
            third(ScriptedAnswer::error(200, "access_denied")),
        ),
        fault(
            "token-denied-401",
            "F-06",
            "access_denied with status 401",
            third(ScriptedAnswer::error(401, "access_denied")),
        ),
        end("token-denied", "F-16", "access_denied on the third poll", "access_denied"),
        fault(
            "token-expired-early",
            "F-16",
            "expired_token on the first poll",
            first("expired_token"),
        ),
    ]
}
