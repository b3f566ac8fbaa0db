//! The profile of Idura Verify, `spec/providers.md` part A.

use super::*;
use crate::config::{Behaviour, User};

const SWEDISH: [(&str, &str); 6] = [
    ("login_hint", "sub:ssn:196802020575"),
    ("acr_values", "urn:grn:authn:se:bankid"),
    ("binding_message", "Hej från banken"),
    ("authorization_details", r#"[{"type":"phoneAuth","callInitiator":"RP"}]"#),
    ("scope", "openid"),
    ("client_id", "urn:app:1"),
];
const NORWEGIAN: [(&str, &str); 6] = [
    ("login_hint", "sub:ssn:01017512345"),
    ("acr_values", "urn:grn:authn:no:bankid"),
    ("binding_message", ""),
    ("authorization_details", r#"[{"type":"customerServiceCall.v1"}]"#),
    ("scope", "openid"),
    ("client_id", "urn:app:1"),
];

fn idura() -> Bench {
    let config = ProviderConfig::idura(ISSUER).client(post_client("urn:app:1"));
    let manual = User::new("sub:ssn:01017512346", Behaviour::Manual);
    Bench { provider: Provider::new(config.user(manual)).unwrap(), now: START }
}

fn poll(bench: &mut Bench, id: &str, after: u64) -> (u16, Value) {
    bench.pass(after);
    let parameters = [
        ("client_id", "urn:app:1"),
        ("client_secret", SECRET),
        ("grant_type", GRANT),
        ("auth_req_id", id),
    ];
    bench.post(Endpoint::Token, &parameters)
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[test]
fn swedish_bankid_reports_three_progress_messages_and_then_the_person() {
    let mut bench = idura();
    assert_eq!(bench.path(Endpoint::Backchannel), "/ciba/bc-authorize");
    assert_eq!(bench.path(Endpoint::Token), "/oauth2/token");
    let (status, ack) = bench.ask(&SWEDISH);
    assert_eq!((status, &ack["expires_in"], ack.get("interval")), (200, &json!(120), None));
    let id = ack["auth_req_id"].as_str().unwrap();
    assert!(is_uuid(id));
    for text in [
        "awaiting first user interaction",
        "awaiting user request acknowledgement",
        "awaiting user identification",
    ] {
        let (status, body) = poll(&mut bench, id, 5);
        assert_eq!((status, &body["error"]), (400, &json!("authorization_pending")));
        assert_eq!(body["error_description"], text);
    }
    let (status, tokens) = poll(&mut bench, id, 5);
    assert_eq!((status, &tokens["expires_in"]), (200, &json!(120)));
    assert!(is_uuid(tokens["access_token"].as_str().unwrap()));
    assert_eq!(tokens.as_object().unwrap().len(), 4, "no scope, no refresh token");
    let claims = claims_of(&tokens);
    for absent in ["nonce", "auth_time", "acr", "amr", "azp", "at_hash", "jti"] {
        assert!(!claims.contains_key(absent), "{absent}");
    }
    let subject = claims["sub"].as_str().unwrap();
    assert!(is_uuid(subject.strip_prefix('{').unwrap().strip_suffix('}').unwrap()));
    assert_eq!(claims["nameidentifier"], subject.replace(['{', '}', '-'], ""));
    assert_eq!(
        (&claims["ssn"], &claims["identityscheme"]),
        (&json!("196802020575"), &json!("sebankid"))
    );
    assert_eq!(claims["authenticationtype"], "urn:grn:authn:se:bankid");
    assert_eq!(claims["authenticationinstant"], "2030-01-01T00:00:20.000Z");
    let issued = bench.now.unix_secs();
    assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(issued), &json!(issued + 1200)));
    assert_eq!(bench.broken(), []);
}

#[test]
fn norwegian_bankid_returns_two_words_for_the_person_to_pick() {
    let mut bench = idura();
    let (status, ack) = bench.ask(&NORWEGIAN);
    assert_eq!((status, &ack["expires_in"], &ack["interval"]), (200, &json!(900), &json!(3)));
    let words = ack["bindingMessage"].as_str().unwrap();
    assert_eq!(words.split(' ').count(), 2);
    let choices = bench.provider.word_choices(1);
    assert_eq!(choices.len(), 3);
    assert_eq!(choices.iter().filter(|pair| *pair == words).count(), 1);
    let id = ack["auth_req_id"].as_str().unwrap();
    for _ in 0..3 {
        let body = poll(&mut bench, id, 3).1;
        assert_eq!(body["error_description"], "User has not yet granted authorization");
    }
    let claims = claims_of(&poll(&mut bench, id, 3).1);
    assert_eq!(
        (&claims["socialno"], &claims["identityscheme"]),
        (&json!("01017512345"), &json!("nobankid-oidc"))
    );
    assert!(claims["authenticationtype"].as_str().unwrap().starts_with("urn:grn:authn:no:bankid"));
    assert_eq!(bench.broken(), []);
}

#[test]
fn each_eid_enforces_its_own_rules() {
    let mut bench = idura();
    for (base, change) in [
        (&SWEDISH, ("binding_message", "")),
        (&SWEDISH, ("authorization_details", "")),
        (&SWEDISH, ("authorization_details", r#"[{"type":"phoneAuth","callInitiator":"rp"}]"#)),
        (&SWEDISH, ("acr_values", "")),
        (&SWEDISH, ("login_hint", "+4712345678")),
        (&NORWEGIAN, ("binding_message", "Hei")),
        (&NORWEGIAN, ("authorization_details", r#"[{"type":"phoneAuth","callInitiator":"RP"}]"#)),
    ] {
        let parameters = base.map(|pair| if pair.0 == change.0 { change } else { pair });
        assert_eq!(bench.ask(&parameters).0, 400, "{change:?}");
    }
}

#[test]
fn a_refusal_is_reported_with_the_error_that_idura_uses() {
    let mut bench = idura();
    let parameters = NORWEGIAN.map(|pair| {
        if pair.0 == "login_hint" { ("login_hint", "sub:ssn:01017512346") } else { pair }
    });
    let (_, ack) = bench.ask(&parameters);
    let id = ack["auth_req_id"].as_str().unwrap();
    assert_eq!(poll(&mut bench, id, 3).1["error"], "authorization_pending");
    assert!(bench.provider.deny(1, bench.now));
    let body = poll(&mut bench, id, 3).1;
    assert_eq!(
        (&body["error"], &body["error_description"]),
        (&json!("access_denied"), &json!("user declined"))
    );
}
