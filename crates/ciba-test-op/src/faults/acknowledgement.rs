//! The answer of the backchannel endpoint: F-04 to F-08.

use std::time::Duration;

use serde_json::{Value, json};

use super::entry::{Fault, fault};
use crate::{
    message::Endpoint::Backchannel,
    script::{Act, Amendment, Script, ScriptedAnswer},
};

pub(super) fn faults() -> Vec<Fault> {
    let mut faults = malformed();
    faults.extend(intervals());
    faults.extend(errors());
    faults.extend(lost());
    faults
}

fn malformed() -> Vec<Fault> {
    let amend = |amendment| Script::new().acknowledgement(amendment);
    let set = |name, value: Value| amend(Amendment::new().set(name, value));
    let raw =
        |name: &'static str, text: &str| amend(Amendment::new().remove(name).raw_members(text));
    let expiry = |name, summary, value| fault(name, "F-04", summary, set("expires_in", value));
    let id = |name, summary, value| fault(name, "F-04", summary, set("auth_req_id", value));
    let answer = |answer| Script::new().every(Backchannel, Act::Answer(answer));
    vec![
        fault("ack-no-id", "F-04", "no auth_req_id", amend(Amendment::new().remove("auth_req_id"))),
        id("ack-number-id", "auth_req_id is a number", json!(17)),
        id("ack-null-id", "auth_req_id is null", Value::Null),
        id("ack-object-id", "auth_req_id is an object", json!({})),
        id("ack-empty-id", "auth_req_id is empty", json!("")),
        fault(
            "ack-no-expiry",
            "F-04",
            "no expires_in",
            amend(Amendment::new().remove("expires_in")),
        ),
        expiry("ack-zero-expiry", "expires_in is 0", json!(0)),
        expiry("ack-negative-expiry", "expires_in is negative", json!(-120)),
        expiry("ack-digit-expiry", "expires_in is a string of digits", json!("120")),
        expiry("ack-word-expiry", "expires_in is a word", json!("soon")),
        expiry("ack-null-expiry", "expires_in is null", Value::Null),
        fault(
            "ack-fraction-expiry",
            "F-04",
            "expires_in has a fraction",
            raw("expires_in", "\"expires_in\":119.5,"),
        ),
        fault(
            "ack-huge-expiry",
            "F-04",
            "expires_in is 1e300",
            raw("expires_in", "\"expires_in\":1e300,"),
        ),
        fault(
            "ack-duplicate-member",
            "F-04",
            "two ids",
            amend(Amendment::new().raw_members("\"auth_req_id\":\"x\",")),
        ),
        fault("ack-array", "F-04", "an array", answer(ScriptedAnswer::json(200, "[]"))),
        fault("ack-empty", "F-04", "no body", answer(ScriptedAnswer::json(200, ""))),
        fault("ack-html", "F-04", "a page", answer(ScriptedAnswer::html(200))),
        fault(
            "ack-no-media-type",
            "F-04",
            "no Content-Type",
            amend(Amendment::new().media_type("")),
        ),
        fault(
            "ack-text",
            "F-04",
            "text/html around valid JSON",
            amend(Amendment::new().media_type("text/html")),
        ),
        fault(
            "ack-trailing",
            "F-04",
            "bytes after the object",
            amend(Amendment::new().append("{}")),
        ),
        fault("ack-cut", "F-04", "half an object", amend(Amendment::new().truncate(20))),
        fault("ack-created", "F-04", "201 instead of 200", amend(Amendment::new().status(201))),
        fault(
            "ack-extra-members",
            "F-04",
            "undefined members",
            set("bindingMessage", json!("BLUE FOX")),
        ),
    ]
}

fn intervals() -> Vec<Fault> {
    let set = |value: Value| Script::new().acknowledgement(Amendment::new().set("interval", value));
    let interval = |name, summary, value| fault(name, "F-05", summary, set(value));
    vec![
        interval("interval-31", "interval is 31", json!(31)),
        interval("interval-1", "interval is 1", json!(1)),
        interval("interval-zero", "interval is 0", json!(0)),
        interval("interval-negative", "interval is negative", json!(-5)),
        interval("interval-digits", "interval is a string of digits", json!("7")),
        interval("interval-word", "interval is a word", json!("often")),
        interval("interval-null", "interval is null", Value::Null),
        interval("interval-fraction", "interval has a fraction", json!(2.5)),
        interval("interval-huge", "interval is a thousand million", json!(1_000_000_000)),
        interval("interval-beyond-expiry", "interval is longer than the lifetime", json!(500)),
    ]
}

fn errors() -> Vec<Fault> {
    let answer = |answer| Script::new().every(Backchannel, Act::Answer(answer));
    let described = |text: &str| {
        ScriptedAnswer::json(
            400,
            json!({ "error": "invalid_request", "error_description": text }).to_string(),
        )
    };
    vec![
        fault(
            "ack-error-200",
            "F-06",
            "an error object with status 200",
            answer(ScriptedAnswer::error(200, "access_denied")),
        ),
        fault(
            "ack-error-status",
            "F-06",
            "a known code with an unusual status",
            answer(ScriptedAnswer::error(418, "unknown_user_id")),
        ),
        fault(
            "ack-unknown-code",
            "F-06",
            "an undefined error code",
            answer(ScriptedAnswer::error(400, "expired_id_token_hint")),
        ),
        fault("ack-400-empty", "F-06", "400 without a body", answer(ScriptedAnswer::status(400))),
        fault("ack-502-html", "F-06", "502 with a page", answer(ScriptedAnswer::html(502))),
        fault(
            "ack-control-characters",
            "F-06",
            "control characters in error_description",
            answer(described("\u{1b}[31mred\r\n\u{7}")),
        ),
        fault(
            "ack-long-description",
            "F-06",
            "a megabyte of error_description",
            answer(described(&"x".repeat(1 << 20))),
        ),
        fault(
            "ack-unknown-user",
            "F-06",
            "unknown_user_id",
            answer(ScriptedAnswer::error(400, "unknown_user_id")),
        ),
        fault(
            "ack-denied",
            "F-06",
            "403 access_denied",
            answer(ScriptedAnswer::error(403, "access_denied")),
        ),
        fault(
            "ack-invalid-client",
            "F-06",
            "401 invalid_client with a challenge",
            answer(
                ScriptedAnswer::error(401, "invalid_client")
                    .header("www-authenticate", "Basic realm=\"op\""),
            ),
        ),
    ]
}

fn lost() -> Vec<Fault> {
    let every = |act| Script::new().every(Backchannel, act);
    let redirect = |status| every(Act::Answer(ScriptedAnswer::redirect(status, "/trap")));
    vec![
        fault(
            "ack-slow",
            "F-07",
            "the acknowledgement comes after 25 s",
            every(Act::Delay(Duration::from_secs(25))),
        ),
        fault(
            "ack-dropped-before",
            "F-07",
            "closed before the request was acted on",
            every(Act::DropBefore),
        ),
        fault("ack-dropped-after", "F-07", "closed before the answer", every(Act::DropAfter)),
        fault("ack-dropped-inside", "F-07", "closed inside the answer", every(Act::DropInside(12))),
        fault("ack-never", "F-07", "no acknowledgement, ever", every(Act::HoldForever)),
        fault(
            "ack-503",
            "F-07",
            "503 with Retry-After",
            every(Act::Answer(ScriptedAnswer::status(503).header("retry-after", "1"))),
        ),
        fault("ack-redirect-302", "F-08", "302 to another place", redirect(302)),
        fault("ack-redirect-307", "F-08", "307 to another place", redirect(307)),
        fault("ack-redirect-308", "F-08", "308 to another place", redirect(308)),
        fault("ack-endless", "F-28", "an acknowledgement without end", every(Act::Endless)),
        fault(
            "ack-drip",
            "F-28",
            "an acknowledgement of one byte a second",
            every(Act::Drip { bytes_per_second: 1 }),
        ),
    ]
}
