//! Metadata and key sets (DSC).

use ciba_core::{fault::Fault, jose::JwsAlgorithm};
use ciba_test_op::{
    Act, Amendment, Endpoint, IdTokenEdit, KeySetEdit, Script, ScriptedAnswer, TestKey,
};
use ciba_tests::{
    drivers::run,
    scenario::{Requests, polls},
};
use serde_json::json;

use crate::{APPROVED, id_token, keys, metadata, plain, row};

/// OPM-DSC-01
/// OPM-DSC-05
/// OPM-DSC-06
/// OPM-DSC-07
/// OPM-DSC-08
#[test]
fn metadata_that_cannot_be_trusted_or_used_stops_before_any_request() {
    let answer = |answer| Script::new().every(Endpoint::Discovery, Act::Answer(answer));
    let modes = "backchannel_token_delivery_modes_supported";
    run(vec![
        metadata("another issuer", Amendment::new().set("issuer", "https://op.example.evil"))
            .ends("metadata: untrusted discovery-issuer", Requests::NONE),
        metadata("a slash more", Amendment::new().append_to("issuer", "/"))
            .ends("metadata: untrusted discovery-issuer", Requests::NONE),
        metadata(
            "no backchannel endpoint",
            Amendment::new().remove("backchannel_authentication_endpoint"),
        )
        .ends("config: missing backchannel_authentication_endpoint", Requests::NONE),
        metadata("no poll mode", Amendment::new().set(modes, json!(["ping", "push"]))).ends(
            "config: not listed in backchannel_token_delivery_modes_supported",
            Requests::NONE,
        ),
        metadata(
            "no RS256",
            Amendment::new()
                .set("id_token_signing_alg_values_supported", json!(["PS256", "ES256"])),
        )
        .ends("config: not listed in id_token_signing_alg_values_supported", Requests::NONE),
        metadata("plain http", Amendment::new().set("token_endpoint", "http://op.example/token"))
            .ends("metadata: token_endpoint is not an https URL that can be used", Requests::NONE),
        row("html", answer(ScriptedAnswer::html(200)))
            .ends("metadata: its media type is not application/json", Requests::NONE),
        row("array", answer(ScriptedAnswer::json(200, "[]")))
            .ends("metadata: it is not a JSON object", Requests::NONE),
        metadata("truncated", Amendment::new().truncate(60))
            .ends("metadata: it is not a JSON object", Requests::NONE),
        row("endless", Script::new().every(Endpoint::Discovery, Act::Endless))
            .ends("metadata: it is too large", Requests::NONE),
    ]);
}

/// OPM-DSC-02
/// OPM-DSC-03
#[test]
fn metadata_below_a_path_and_without_browser_members_is_accepted() {
    let mut with_path = plain("issuer with path and slash");
    with_path.issuer_path = "/tenant/one/";
    let mut no_slash = plain("issuer with path");
    no_slash.issuer_path = "/tenant";
    let browser = ["authorization_endpoint", "response_types_supported", "registration_endpoint"];
    let bare = browser.iter().fold(Amendment::new(), |amendment, member| amendment.remove(member));
    run(vec![with_path, no_slash, metadata("no browser members", bare)]);
}

/// OPM-DSC-09
/// OPM-DSC-10
/// OPM-DSC-11
#[test]
fn key_sets_with_unusable_keys_still_verify() {
    let strange = vec![
        json!({"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AAAA"}),
        json!({"kty": "EC", "crv": "P-999", "kid": "curve", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "alg": "XS256", "kid": "alg", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "nonsense"}),
        json!(17),
    ];
    let several = vec![TestKey::StrangerRsa.public_jwk(JwsAlgorithm::Rs256)];
    run(vec![
        keys("unusable keys", KeySetEdit::Prepend(strange)),
        id_token("no kid, one key fits", IdTokenEdit::remove_header("kid")),
        row(
            "no kid, several fit",
            Script::new()
                .id_token(IdTokenEdit::remove_header("kid"))
                .keys(KeySetEdit::Prepend(several)),
        ),
    ]);
}

/// OPM-DSC-12
/// OPM-DSC-13
#[test]
fn changed_keys_are_fetched_again_and_no_tokens_are_returned_without_keys() {
    let every = |act| Script::new().every(Endpoint::KeySet, act);
    let misbehaved = |fault: Fault| format!("provider_misbehaved key_set: {fault}");
    let labelled = |label| every(Act::Amend(Amendment::new().media_type(label)));
    let once = |answer| Script::new().nth(Endpoint::KeySet, 1, Act::Answer(answer));
    run(vec![
        row(
            "rotated just before signing",
            Script::new().nth(Endpoint::Token, 3, Act::Keys(KeySetEdit::RotateAtOnce)),
        )
        .ends(APPROVED, polls(3).keys(2)),
        // Behind a cache, for example: the signing key is published after a while (ruling 31).
        row(
            "published late",
            (1..4).fold(Script::new(), |script, nth| {
                script.nth(
                    Endpoint::KeySet,
                    nth,
                    Act::Answer(ScriptedAnswer::json(200, r#"{"keys":[]}"#)),
                )
            }),
        )
        .ends(APPROVED, polls(3).keys(4)),
        row("never published", every(Act::Answer(ScriptedAnswer::json(200, r#"{"keys":[]}"#))))
            .ends("untrusted unknown-key", polls(3).keys(6)),
        row("away once", once(ScriptedAnswer::status(503))).ends(APPROVED, polls(3).keys(2)),
        row("html once", once(ScriptedAnswer::html(200))).ends(APPROVED, polls(3).keys(2)),
        // The content decides, not the media type.
        row("as text/plain", labelled("text/plain")),
        row("as a key set", labelled("application/jwk-set+json")),
        row("without a label", labelled("")),
        // Temporary failures are retried for two minutes.
        row("503 forever", every(Act::Answer(ScriptedAnswer::status(503))))
            .ends("indeterminate", polls(3).keys(13)),
        row("429 forever", every(Act::Answer(ScriptedAnswer::status(429))))
            .ends("indeterminate", polls(3).keys(13)),
        row("dropped forever", every(Act::DropBefore)).ends("indeterminate", polls(3).keys(13)),
        // Permanent failures are retried three times, after the two prefetches.
        row("html forever", every(Act::Answer(ScriptedAnswer::html(200))))
            .ends(&misbehaved(Fault::NotJson), polls(3).keys(5)),
        row("not a key set", every(Act::Answer(ScriptedAnswer::json(200, "{}"))))
            .ends(&misbehaved(Fault::MissingMember("keys")), polls(3).keys(5)),
        row("404 forever", every(Act::Answer(ScriptedAnswer::status(404))))
            .ends(&misbehaved(Fault::Status), polls(3).keys(5)),
        row("406 forever", every(Act::Answer(ScriptedAnswer::status(406))))
            .ends(&misbehaved(Fault::Status), polls(3).keys(5)),
    ]);
}
