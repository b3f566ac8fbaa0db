//! Unknown members with any names and values: a flow whose answers contain them, saved and resumed
//! at every step, ends as without them (ruling 28). An independent reader in this file decides what
//! is JSON.
//!
//! In this workspace `serde_json` is built with `raw_value` and `arbitrary_precision`, so its
//! private names have a meaning.
#![allow(missing_docs)]

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    AuthRequest, Authentication, ClientAuth, ClientConfig, ClientId, DeliveryMode, Entropy,
    Failure, Flow, Hint, Issuer, Output, ProviderMetadata, Timestamp,
    http::{Body, Endpoint, Headers, Response, Url},
    jose::{JwsAlgorithm, KeySet},
    json::JsonObject,
    notification::{Notification, NotificationVerdict},
};
use ciba_tests::fake_crypto::{self, FakeCrypto};
use proptest::prelude::*;
use serde_json::{Value, json};

const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
const ISSUER: &str = "https://op.example";
const ID: &str = "id-of-this-request-0123456789";

/// Names with a meaning to serde, to its formats or to JavaScript.
const MAGIC: [&str; 9] = [
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
    "$__serde_private_content",
    "$__toml_private_datetime",
    "$__serde_spanned_private_value",
    "$serde_json::private::Other",
    "__proto__",
    "$text",
    "",
];

/// Reads JSON according to RFC 8259, recursively. Returns the rest after a value.
fn value(text: &[u8]) -> Option<&[u8]> {
    let text = blank(text);
    match text.first()? {
        b'{' => {
            list(&text[1..], b'}', |text| value(blank(string(blank(text))?).strip_prefix(b":")?))
        }
        b'[' => list(&text[1..], b']', value),
        b'"' => string(text),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        b'n' => text.strip_prefix(b"null"),
        _ => {
            let text = text.strip_prefix(b"-").unwrap_or(text);
            let mut text = text.strip_prefix(b"0").or_else(|| digits(text))?;
            if let Some(fraction) = text.strip_prefix(b".") {
                text = digits(fraction)?;
            }
            match text.first() {
                Some(b'e' | b'E') => digits(match text.get(1)? {
                    b'+' | b'-' => &text[2..],
                    _ => &text[1..],
                }),
                _ => Some(text),
            }
        }
    }
}

fn list<'a>(
    text: &'a [u8],
    end: u8,
    item: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let mut rest = blank(text);
    if rest.first() == Some(&end) {
        return Some(&rest[1..]);
    }
    loop {
        rest = blank(item(rest)?);
        match rest.split_first()? {
            (b',', after) => rest = after,
            (byte, after) if *byte == end => return Some(after),
            _ => return None,
        }
    }
}

fn blank(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|byte| !b" \t\r\n".contains(byte)).unwrap_or(text.len())..]
}

fn digits(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (length > 0).then(|| &text[length..])
}

fn string(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'u', a, b, c, d, rest @ ..]
                if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                rest
            }
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', rest @ ..] => rest,
            [b'\\' | 0..=0x1f, ..] | [] => return None,
            [_, rest @ ..] => rest,
        };
    }
}

fn is_json(text: &str) -> bool {
    value(text.as_bytes()).is_some_and(|rest| blank(rest).is_empty())
}

/// Returns a name: a special one, sometimes with escapes, or any other.
fn name() -> impl Strategy<Value = String> {
    let spelled = |name: String| serde_json::to_string(&name).unwrap();
    let magic =
        (prop::sample::select(&MAGIC[..]), any::<bool>()).prop_map(move |(name, is_escaped)| {
            let name = spelled(name.to_owned());
            if is_escaped { name.replace('$', "\\u0024").replace('_', "\\u005F") } else { name }
        });
    prop_oneof![3 => magic, 1 => "z.{0,6}".prop_map(spelled), 1 => Just("\"\\ud83d\\ude00\"".to_owned())]
}

/// Returns the text of a JSON value, with white space where it is allowed.
fn json_text() -> impl Strategy<Value = String> {
    let text = |text: String| serde_json::to_string(&text).unwrap();
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
        ".{0,12}".prop_map(text),
        // What a private name would be read as: JSON in a string, nested and malformed.
        "[\\[{\"\\\\}\\]0-9:,-]{0,12}".prop_map(text),
        Just("\"{\\\"$serde_json::private::RawValue\\\":\\\"[[[[\\\"}\"".to_owned()),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let members = prop::collection::vec((name(), "[ \t\r\n]{0,2}", inner.clone()), 0..4);
        let object = members.prop_map(|members| {
            let members: Vec<_> = members
                .iter()
                .map(|(name, gap, value)| format!("{name}{gap}:{gap}{value}"))
                .collect();
            format!("{{{}}}", members.join(" , "))
        });
        let array =
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(",\n")));
        prop_oneof![2 => object, 1 => array]
    })
}

/// What every object of the provider contains in addition: nothing, or one unknown member.
#[derive(Debug, Clone, Default)]
struct Extra(Option<(String, String)>);

impl Extra {
    /// Returns the object with it.
    fn put(&self, object: &Value) -> String {
        let text = object.to_string();
        let Some((name, value)) = &self.0 else { return text };
        let separator = if text == "{}" { "" } else { "," };
        format!("{}{separator}{name}:{value}}}", &text[..text.len() - 1])
    }

    fn jws(&self, header: &Value, claims: &Value) -> String {
        let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(self.put(part))).join(".");
        let signature =
            URL_SAFE_NO_PAD.encode(fake_crypto::sign(&fake_crypto::key(1), input.as_bytes()));
        format!("{input}.{signature}")
    }

    fn config(&self, mode: DeliveryMode) -> Arc<ClientConfig> {
        let document = self.put(&json!({
            "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/jwks"), "token_endpoint": format!("{ISSUER}/token"),
            "backchannel_authentication_endpoint": format!("{ISSUER}/ciba"),
            "backchannel_token_delivery_modes_supported": ["poll", "ping", "push"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
        }));
        let provider =
            ProviderMetadata::from_json(&Issuer::parse(ISSUER).unwrap(), document.as_bytes());
        let mut builder =
            ClientConfig::builder(provider.unwrap(), ClientId::new("client-1").unwrap())
                .client_auth(ClientAuth::ClientSecretPost {
                    secret: "a secret of the client".into(),
                })
                .delivery(mode)
                .id_token_algorithm(JwsAlgorithm::EdDsa)
                .verifier(Arc::new(FakeCrypto));
        if mode != DeliveryMode::Poll {
            builder =
                builder.notification_endpoint(Url::parse("https://client.example/notify").unwrap());
        }
        builder.build().unwrap()
    }

    fn keys(&self) -> KeySet {
        let jwk = self.put(&fake_crypto::jwk("k", &fake_crypto::key(1)));
        let set = self.put(&json!({ "keys": ["the key"] })).replacen("\"the key\"", &jwk, 1);
        KeySet::pinned(&Issuer::parse(ISSUER).unwrap(), set.as_bytes(), &FakeCrypto).unwrap()
    }

    fn tokens(&self, at: Timestamp, mode: DeliveryMode) -> String {
        let mut claims = json!({
            "iss": ISSUER, "sub": "person", "aud": "client-1", "iat": at.unix_secs(), "exp": at.unix_secs() + 300,
        });
        let mut answer = json!({"access_token": "access", "token_type": "Bearer"});
        if mode == DeliveryMode::Push {
            claims["urn:openid:params:jwt:claim:auth_req_id"] = ID.into();
            claims["at_hash"] = fake_crypto::half_hash("access").into();
            answer["auth_req_id"] = ID.into();
        }
        answer["id_token"] = self.jws(&json!({"alg": "EdDSA", "kid": "k"}), &claims).into();
        self.put(&answer)
    }
}

/// One run: how it ended, and the times of its requests.
struct Life {
    result: Result<Box<Authentication>, Failure>,
    requests: Vec<(Endpoint, Timestamp)>,
    acknowledged: JsonObject,
}

/// Runs a flow that is saved and resumed before every output and after every answer.
fn live(mode: DeliveryMode, extra: &Extra, is_denied: bool) -> Life {
    let config = extra.config(mode);
    let mut now = START;
    let request = AuthRequest::new(Hint::Login("somebody".into()));
    let mut flow =
        Flow::start(Arc::clone(&config), request, Entropy::from_bytes([1; 32]), now).unwrap();
    let (mut requests, mut token, mut acknowledged, mut has_notified) =
        (Vec::new(), None, JsonObject::default(), false);
    for seed in 2..60 {
        let saved = flow.snapshot();
        flow = Flow::resume(Arc::clone(&config), saved.as_bytes(), now)
            .expect("the saved state can be resumed")
            .in_memory();
        if let Some(found) = flow.acknowledgement() {
            acknowledged = found.extra.clone();
        }
        match flow.poll(now, Entropy::from_bytes([seed; 32])) {
            Output::Transmit(transmit) => {
                requests.push((transmit.endpoint(), now));
                let polls =
                    requests.iter().filter(|(endpoint, _)| *endpoint == Endpoint::Token).count();
                let sending = flow.begin(transmit, now).expect("it is in time");
                let body = String::from_utf8_lossy(sending.request().body.expose()).into_owned();
                let (status, body) = match requests.last().unwrap().0 {
                    Endpoint::BackchannelAuthentication => {
                        let named = body
                            .split('&')
                            .find_map(|pair| pair.strip_prefix("client_notification_token="));
                        token = named.map(str::to_owned);
                        (
                            200,
                            extra
                                .put(&json!({"auth_req_id": ID, "expires_in": 300, "interval": 5})),
                        )
                    }
                    _ if polls == 1 => (400, extra.put(&json!({"error": "authorization_pending"}))),
                    _ if is_denied => (400, extra.put(&json!({"error": "access_denied"}))),
                    _ => (200, extra.tokens(now, mode)),
                };
                flow.handle(sending.answered(Response::json(status, body)), now).unwrap();
            }
            Output::KeySet(request) => flow.handle(request.found(extra.keys()), now).unwrap(),
            Output::Wait(wait) => {
                if let Some(token) =
                    token.as_ref().filter(|_| mode != DeliveryMode::Poll && !has_notified)
                {
                    has_notified = true;
                    let body = match mode {
                        DeliveryMode::Push if is_denied => {
                            extra.put(&json!({"auth_req_id": ID, "error": "access_denied"}))
                        }
                        DeliveryMode::Push => extra.tokens(now, mode),
                        DeliveryMode::Ping | DeliveryMode::Poll => {
                            extra.put(&json!({ "auth_req_id": ID }))
                        }
                    };
                    let authorization = format!("Bearer {token}");
                    let fields = [
                        ("Authorization", authorization.as_str()),
                        ("Content-Type", "application/json"),
                    ];
                    let headers: Headers = fields.into_iter().collect();
                    let call =
                        Notification::receive("POST", &headers, Body::from(body.as_str())).unwrap();
                    assert!(
                        matches!(flow.notify(&call, now).verdict(), NotificationVerdict::Accepted),
                        "the notification is taken"
                    );
                } else {
                    now = wait.until();
                }
            }
            Output::Key(_) => panic!("a secret needs no key"),
            Output::Save(_) | Output::Done => break,
        }
    }
    Life { result: flow.finish(), requests, acknowledged }
}

fn outcome(result: &Result<Box<Authentication>, Failure>) -> String {
    match result {
        Ok(found) => {
            format!("{:?} {} {:?}", found.subject().ok(), found.scope(), found.received_at())
        }
        Err(failure) => format!("{failure:?} {failure}"),
    }
}

/// Returns a value without white space between its tokens, according to the reader above.
fn compact(text: &str) -> String {
    let (mut rest, mut out) = (text.as_bytes(), Vec::new());
    while let Some(byte) = rest.first() {
        let after = if *byte == b'"' { string(rest).unwrap() } else { &rest[1..] };
        if !b" \t\r\n".contains(byte) {
            out.extend_from_slice(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
    String::from_utf8(out).unwrap()
}

fn ends_as_without(name: &str, json: &str) {
    assert!(is_json(&format!("{{{name}:{json}}}")), "{name}: {json}");
    let extra = Extra(Some((name.to_owned(), json.to_owned())));
    let said: String = serde_json::from_str(name).unwrap();
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping, DeliveryMode::Push] {
        for is_denied in [false, true] {
            let (with, without) =
                (live(mode, &extra, is_denied), live(mode, &Extra::default(), is_denied));
            assert_eq!(outcome(&with.result), outcome(&without.result), "{mode:?} {name}: {json}");
            assert_eq!(with.result.is_ok(), !is_denied, "{mode:?}");
            assert_eq!(with.requests, without.requests, "{mode:?} {name}: {json}");
            let kept = compact(json);
            assert_eq!(with.acknowledged.json(&said), Some(&*kept), "{mode:?}");
            match &with.result {
                Ok(found) => {
                    assert_eq!(found.extra().json(&said), Some(&*kept), "{mode:?}");
                    let token = found.id_token().unwrap();
                    let claim =
                        token.iter_claims().find(|(name, _)| *name == said).map(|(_, value)| value);
                    assert_eq!(claim, Some(json), "{mode:?}: the claim as it was signed");
                    // Claims are read unchanged, or an error says that this is not possible.
                    if let Ok(claims) = found.claims::<Value>() {
                        assert!(claims.get("sub").is_some(), "{claims}");
                    }
                }
                Err(failure) => {
                    let answer = failure.server_answer().expect("denied by an answer");
                    assert_eq!(answer.extra().json(&said), Some(&*kept), "{mode:?}");
                }
            }
        }
    }
}

/// REQ-TOK-09
/// REQ-ACK-18
/// REQ-SEC-24b
#[test]
fn member_names_that_are_special_to_serde_json_have_no_meaning_anywhere() {
    for name in MAGIC.iter().take(2).map(|name| serde_json::to_string(name).unwrap()) {
        for json in [r#""{\"a\":1}""#, r#""[[[""#, "17"] {
            ends_as_without(&name, json);
            ends_as_without("\"unknown\"", &format!("{{{name}:{json}}}"));
            ends_as_without(
                "\"unknown\"",
                &format!("[[{{\"y\": {{{name}:{json},{name}:{json}}}}}]]"),
            );
        }
    }
}

/// REQ-SEC-24b
/// REQ-IDT-21
#[test]
fn an_object_is_never_read_as_a_number_or_a_string() {
    for (name, inner) in [("Number", "\"1\""), ("RawValue", "\"1\""), ("RawValue", "\"\\\"x\\\"\"")]
    {
        let object = format!("{{\"$serde_json::private::{name}\":{inner}}}");
        let acknowledgement = format!("{{\"auth_req_id\":\"{ID}\",\"expires_in\":{object}}}");
        let mut flow = Flow::start(
            Extra::default().config(DeliveryMode::Poll),
            AuthRequest::new(Hint::Login("somebody".into())),
            Entropy::from_bytes([1; 32]),
            START,
        )
        .unwrap();
        let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([2; 32])) else {
            panic!()
        };
        let sending = flow.begin(transmit, START).expect("it is in time");
        flow.handle(sending.answered(Response::json(200, acknowledgement)), START).unwrap();
        assert!(matches!(flow.finish(), Err(Failure::ProviderMisbehaved(_))), "{object}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// REQ-TOK-09
    /// REQ-ACK-17
    /// REQ-ACK-18
    /// REQ-SEC-24b
    #[test]
    fn an_unknown_member_does_not_change_the_outcome(name in name(), json in json_text()) {
        // Claims are also read by other code, so numbers that no double can hold are rejected
        // there.
        let is_finite = serde_json::from_str::<String>(&name).is_ok() && no_huge_number(&json);
        prop_assume!(is_finite);
        ends_as_without(&name, &json);
    }

    /// REQ-SEC-24a
    #[test]
    fn the_reader_accepts_valid_json_and_nothing_else(text in "[\\[\\]{}\",:0-9eE\\\\u+. \n-]{0,24}|[ -~]{0,16}", inner in json_text()) {
        for text in [format!("{{\"a\":{text}}}"), format!("{{\"a\":{inner}}}"), format!("{{\"a\":{inner}{text}}}")] {
            let ours = JsonObject::from_json(&text);
            let is_repeated = matches!(ours, Err(ciba_core::fault::Fault::DuplicateMember));
            // A name with a lone surrogate is not accepted.
            let is_ours = is_json(&text) && !text.contains("\\u");
            if is_ours {
                prop_assert!(ours.is_ok() || is_repeated, "{}", text);
            }
            if ours.is_ok() {
                prop_assert!(is_json(&text), "{}", text);
            }
        }
    }
}

/// Returns whether a double can hold each number of a text.
fn no_huge_number(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let Some(byte) = rest.first() {
        let after = match byte {
            b'"' => string(rest).unwrap(),
            b'-' | b'0'..=b'9' => {
                let after = value(rest).unwrap();
                let number = std::str::from_utf8(&rest[..rest.len() - after.len()]).unwrap();
                if number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    return false;
                }
                after
            }
            _ => &rest[1..],
        };
        rest = after;
    }
    true
}
