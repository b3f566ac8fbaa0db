//! Metadata and key set: F-01 to F-03, F-08, F-28.

use std::time::Duration;

use ciba_core::jose::JwsAlgorithm;
use serde_json::{Map, Value, json};

use super::entry::{Fault, fault};
use crate::{
    keys::TestKey,
    message::Endpoint::{Discovery, KeySet},
    script::{Act, Amendment, IdTokenEdit, KeySetEdit, Script, ScriptedAnswer},
};

pub(super) fn faults() -> Vec<Fault> {
    let mut faults = metadata();
    faults.extend(keys());
    faults.extend(key_set_service());
    faults
}

fn metadata() -> Vec<Fault> {
    let amend = |amendment| Script::new().metadata(amendment);
    let set = |name, value: Value| amend(Amendment::new().set(name, value));
    let remove = |name| amend(Amendment::new().remove(name));
    let answer = |answer| Script::new().every(Discovery, Act::Answer(answer));
    let nested = |depth| format!("{{\"issuer\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    vec![
        fault(
            "discovery-other-issuer",
            "F-01",
            "metadata of another issuer",
            set("issuer", json!("https://op.example/x")),
        ),
        fault(
            "discovery-slash-issuer",
            "F-01",
            "metadata of the issuer with an additional slash",
            amend(Amendment::new().append_to("issuer", "/")),
        ),
        fault("discovery-no-issuer", "F-01", "metadata without issuer", remove("issuer")),
        fault(
            "discovery-http-endpoint",
            "F-01",
            "a token endpoint over plain http",
            set("token_endpoint", json!("http://op.example/token")),
        ),
        fault(
            "discovery-no-backchannel",
            "F-01",
            "metadata without backchannel endpoint",
            remove("backchannel_authentication_endpoint"),
        ),
        fault(
            "discovery-no-token-endpoint",
            "F-01",
            "metadata without token endpoint",
            remove("token_endpoint"),
        ),
        fault(
            "discovery-push-only",
            "F-01",
            "only push is delivered",
            set("backchannel_token_delivery_modes_supported", json!(["push"])),
        ),
        fault(
            "discovery-empty-modes",
            "F-01",
            "an empty list of delivery modes",
            set("backchannel_token_delivery_modes_supported", json!([])),
        ),
        fault(
            "discovery-duplicate-member",
            "F-01",
            "two issuers in one document",
            amend(Amendment::new().raw_members("\"issuer\":\"https://op.example/x\",")),
        ),
        fault(
            "discovery-html",
            "F-01",
            "a page instead of metadata",
            answer(ScriptedAnswer::html(200)),
        ),
        fault(
            "discovery-array",
            "F-01",
            "an array instead of metadata",
            answer(ScriptedAnswer::json(200, "[]")),
        ),
        fault(
            "discovery-cut",
            "F-01",
            "metadata cut in the middle",
            amend(Amendment::new().truncate(60)),
        ),
        fault(
            "discovery-5-megabytes",
            "F-01",
            "five megabytes of spaces after the metadata",
            amend(Amendment::new().append(vec![b' '; 5 << 20])),
        ),
        fault(
            "discovery-redirect",
            "F-08",
            "a redirect instead of metadata",
            answer(ScriptedAnswer::redirect(302, "/trap")),
        ),
        fault(
            "discovery-nested",
            "F-28",
            "metadata nested 100,000 deep",
            answer(ScriptedAnswer::json(200, nested(100_000))),
        ),
        fault(
            "discovery-endless",
            "F-28",
            "metadata without end",
            Script::new().every(Discovery, Act::Endless),
        ),
        fault(
            "discovery-unavailable-once",
            "F-12",
            "503 for the first metadata request",
            Script::new().answers(Discovery, [ScriptedAnswer::status(503)]),
        ),
    ]
}

fn keys() -> Vec<Fault> {
    let prepend = |keys: Vec<Value>| Script::new().keys(KeySetEdit::Prepend(keys));
    let members = |value: Value| {
        let Value::Object(members) = value else { return Script::new() };
        Script::new().keys(KeySetEdit::SetMembers(members))
    };
    let remove = |name: &str| Script::new().keys(KeySetEdit::RemoveMember(name.to_owned()));
    let stranger = || {
        let mut jwk = TestKey::StrangerRsa.public_jwk(JwsAlgorithm::Rs256);
        jwk["kid"] = TestKey::ProviderRsa.key_id().into();
        jwk
    };
    let short = || {
        let mut jwk = Map::new();
        jwk.insert("kty".into(), "RSA".into());
        jwk.insert("kid".into(), "short".into());
        jwk.insert("e".into(), "AQAB".into());
        jwk.insert("n".into(), "w".repeat(171).into());
        Value::Object(jwk)
    };
    let off_curve = json!({ "kty": "EC", "crv": "P-256", "kid": "off", "x": "A".repeat(43), "y": "B".repeat(42) + "A" });
    vec![
        fault(
            "jwks-unknown-keys",
            "F-02",
            "keys of unknown kinds before the usable ones",
            prepend(vec![
                json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA" }),
                json!({ "kty": "EC", "crv": "P-999", "kid": "crv", "x": "AA", "y": "AA" }),
                json!({ "kty": "RSA", "alg": "RS999", "kid": "alg", "n": "AA", "e": "AQAB" }),
                json!("no object"),
            ]),
        ),
        fault(
            "jwks-invalid-point",
            "F-02",
            "a point that is not on its curve before the usable keys",
            prepend(vec![off_curve]),
        ),
        fault(
            "jwks-short-rsa",
            "F-02",
            "a 1024-bit RSA key before the usable keys",
            prepend(vec![short()]),
        ),
        fault(
            "jwks-duplicate-kid",
            "F-02",
            "a foreign key with the same kid before the usable keys",
            prepend(vec![stranger()]),
        ),
        fault(
            "jwks-secret-key",
            "F-02",
            "a symmetric key before the usable keys",
            prepend(vec![json!({ "kty": "oct", "alg": "HS256", "kid": "oct", "k": "c2VjcmV0" })]),
        ),
        fault(
            "jwks-private-member",
            "F-02",
            "private members in every key",
            members(json!({ "d": "AA" })),
        ),
        fault(
            "jwks-for-encryption",
            "F-02",
            "every key is marked for encryption",
            members(json!({ "use": "enc" })),
        ),
        fault(
            "jwks-other-alg",
            "F-02",
            "every key is marked for an unrequested algorithm",
            members(json!({ "alg": "RS512" })),
        ),
        fault("jwks-no-alg", "F-02", "no key names its algorithm", remove("alg")),
        fault("jwks-no-use", "F-02", "no key names its use", remove("use")),
        fault(
            "jwks-no-kid",
            "F-02",
            "neither keys nor tokens have a kid",
            remove("kid").id_token(IdTokenEdit::remove_header("kid")),
        ),
        fault(
            "jwks-empty",
            "F-02",
            "no keys at all",
            Script::new().keys(KeySetEdit::Replace(Vec::new())),
        ),
    ]
}

fn key_set_service() -> Vec<Fault> {
    let answer = |answer| Script::new().every(KeySet, Act::Answer(answer));
    let rotated =
        Script::new().nth(crate::message::Endpoint::Token, 1, Act::Keys(KeySetEdit::RotateAtOnce));
    vec![
        fault(
            "jwks-down",
            "F-03",
            "the key set is unavailable",
            answer(ScriptedAnswer::status(503)),
        ),
        fault(
            "jwks-down-once",
            "F-03",
            "the key set is unavailable once",
            Script::new().answers(KeySet, [ScriptedAnswer::status(503)]),
        ),
        fault(
            "jwks-slow",
            "F-03",
            "the key set comes after five seconds",
            Script::new().every(KeySet, Act::Delay(Duration::from_secs(5))),
        ),
        fault(
            "jwks-html",
            "F-03",
            "a page instead of the key set",
            answer(ScriptedAnswer::html(200)),
        ),
        fault(
            "jwks-rotated",
            "F-03",
            "keys change at once, just before the token is signed",
            rotated,
        ),
        fault(
            "jwks-unknown-kid",
            "F-03",
            "tokens name a key that is never published",
            Script::new().id_token(IdTokenEdit::Key(TestKey::StrangerRsa, JwsAlgorithm::Rs256)),
        ),
        fault(
            "jwks-redirect",
            "F-08",
            "a redirect instead of the key set",
            answer(ScriptedAnswer::redirect(307, "/trap")),
        ),
        fault(
            "jwks-endless",
            "F-28",
            "a key set without end",
            Script::new().every(KeySet, Act::Endless),
        ),
    ]
}
