//! The token response: F-17, F-21, F-28.

use serde_json::{Value, json};

use super::entry::{Fault, fault};
use crate::{
    message::Endpoint::Token,
    script::{Act, Amendment, Script},
};

pub(super) fn faults() -> Vec<Fault> {
    let amend = |amendment| Script::new().token_response(amendment);
    let remove = |name| amend(Amendment::new().remove(name));
    let set = |name, value: Value| amend(Amendment::new().set(name, value));
    let from_third = |act| Script::new().nth(Token, 3, act);
    let nested = format!("\"extra\":{}{},", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        fault("tokens-no-access-token", "F-17", "no access_token", remove("access_token")),
        fault("tokens-no-token-type", "F-17", "no token_type", remove("token_type")),
        fault("tokens-no-id-token", "F-17", "no id_token", remove("id_token")),
        fault("tokens-no-lifetime", "F-17", "no expires_in", remove("expires_in")),
        fault(
            "tokens-odd-case-type",
            "F-17",
            "token_type bEaReR",
            set("token_type", json!("bEaReR")),
        ),
        fault("tokens-mac-type", "F-17", "token_type mac", set("token_type", json!("mac"))),
        fault(
            "tokens-digit-lifetime",
            "F-17",
            "expires_in is a string of digits",
            set("expires_in", json!("600")),
        ),
        fault(
            "tokens-negative-lifetime",
            "F-17",
            "expires_in is negative",
            set("expires_in", json!(-1)),
        ),
        fault(
            "tokens-null-members",
            "F-17",
            "scope and refresh_token are null",
            amend(Amendment::new().set("scope", Value::Null).set("refresh_token", Value::Null)),
        ),
        fault(
            "tokens-null-access-token",
            "F-17",
            "access_token is null",
            set("access_token", Value::Null),
        ),
        fault(
            "tokens-empty-access-token",
            "F-17",
            "access_token is empty",
            set("access_token", json!("")),
        ),
        fault("tokens-number-id-token", "F-17", "id_token is a number", set("id_token", json!(1))),
        fault(
            "tokens-narrower-scope",
            "F-17",
            "less scope than asked for",
            set("scope", json!("openid")),
        ),
        fault(
            "tokens-wider-scope",
            "F-17",
            "more scope than asked for",
            set("scope", json!("openid email payments")),
        ),
        fault(
            "tokens-odd-refresh-token",
            "F-17",
            "a refresh token of punctuation",
            set("refresh_token", json!("a +/=%~:@")),
        ),
        fault(
            "tokens-long-refresh-token",
            "F-17",
            "a refresh token of 8 KiB",
            set("refresh_token", json!("r".repeat(8192))),
        ),
        fault(
            "tokens-duplicate-member",
            "F-17",
            "two access tokens",
            amend(Amendment::new().raw_members("\"access_token\":\"another\",")),
        ),
        fault(
            "tokens-html",
            "F-17",
            "text/html around valid JSON",
            amend(Amendment::new().media_type("text/html")),
        ),
        fault("tokens-cut", "F-17", "half a response", amend(Amendment::new().truncate(100))),
        fault(
            "tokens-trailing",
            "F-17",
            "bytes after the object",
            amend(Amendment::new().append("x")),
        ),
        fault("tokens-created", "F-17", "201 instead of 200", amend(Amendment::new().status(201))),
        fault(
            "tokens-dropped-after",
            "F-21",
            "the tokens are lost before the first byte",
            from_third(Act::DropAfter),
        ),
        fault(
            "tokens-dropped-inside",
            "F-21",
            "the tokens are lost inside the body",
            from_third(Act::DropInside(100)),
        ),
        fault(
            "tokens-held",
            "F-21",
            "the tokens are decided on and never sent",
            Script::new().nth(Token, 3, Act::Delay(std::time::Duration::from_secs(3600))),
        ),
        fault("tokens-endless", "F-28", "a token response without end", from_third(Act::Endless)),
        fault(
            "tokens-drip",
            "F-28",
            "a token response of one byte a second",
            from_third(Act::Drip { bytes_per_second: 1 }),
        ),
        fault(
            "tokens-nested",
            "F-28",
            "a member nested 100,000 deep",
            amend(Amendment::new().raw_members(&nested)),
        ),
    ]
}
