//! The scenario table: every row runs in simulated time, through both adapters and through the toy adapter, and has to
//! end the same way after the same number of requests, without the provider finding fault with the client.

use std::time::Duration;

use ciba_core::{AuthRequest, Hint, Policy, jose::JwsAlgorithm};
use ciba_test_op::{
    Act, Amendment, Endpoint, IdTokenEdit, KeySetEdit, MacKey, ProviderConfig, Script, ScriptedAnswer, SpeedReference,
    TestKey, TokenShape,
};
use ciba_tests::{
    drivers::run,
    scenario::{Auth, Scenario},
};
use serde_json::{Value, json};

const APPROVED: &str = "authenticated user-approve";

fn row(name: impl Into<String>, script: Script) -> Scenario {
    Scenario::new(name, script)
}

fn plain(name: impl Into<String>) -> Scenario {
    row(name, Script::new())
}

fn ack(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().acknowledgement(amendment))
}

fn ack_answer(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Backchannel, 1, Act::Answer(answer)))
}

/// The third poll is answered like this.
fn third(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Token, 3, Act::Answer(answer)))
}

fn tokens(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().token_response(amendment))
}

fn id_token(name: &str, edit: IdTokenEdit) -> Scenario {
    row(name, Script::new().id_token(edit))
}

fn keys(name: &str, edit: KeySetEdit) -> Scenario {
    row(name, Script::new().keys(edit))
}

fn metadata(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().metadata(amendment))
}

/// The gaps between the end of an answer and the next token request, in milliseconds; the first counts from the
/// acknowledgement.
fn gaps(provider: &ciba_test_op::Provider) -> Vec<u128> {
    let seen: Vec<_> = provider
        .exchanges()
        .iter()
        .filter(|exchange| matches!(exchange.endpoint, Endpoint::Backchannel | Endpoint::Token))
        .collect();
    let gap = |pair: &[&ciba_test_op::Exchange]| pair[1].arrived.since(pair[0].ended.expect("it is over")).as_millis();
    seen.windows(2).map(gap).collect()
}

// ---- authentication of the client, algorithms

/// OPM-REQ-01
/// OPM-REQ-10
/// OPM-REQ-11
/// OPM-REQ-13
/// OPM-POL-28
#[test]
fn every_client_authentication_is_accepted_and_no_assertion_is_sent_twice() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Ps256, Rs256};
    let keys = [Es256, Es384, EdDsa, Rs256, Ps256].map(Auth::Key);
    let macs = [Hs256, Hs384, Hs512].map(Auth::SecretJwt);
    let others = [Auth::Basic, Auth::Post, Auth::None];
    let all = keys.into_iter().chain(macs).chain(others);
    run(all.map(|auth| plain(format!("{auth:?}")).auth(auth)).collect());
}

#[test]
fn id_tokens_of_every_algorithm_are_verified() {
    use JwsAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let all = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, EdDsa];
    run(all.map(|algorithm| plain(format!("{algorithm}")).id_token_alg(algorithm)).into());
}

// ---- DSC

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
            .ends("metadata: untrusted discovery-issuer", [0; 3]),
        metadata("no backchannel endpoint", Amendment::new().remove("backchannel_authentication_endpoint"))
            .ends("config: missing backchannel_authentication_endpoint", [0; 3]),
        metadata("no poll mode", Amendment::new().set(modes, json!(["ping", "push"])))
            .ends("config: not listed in backchannel_token_delivery_modes_supported", [0; 3]),
        metadata("plain http", Amendment::new().set("token_endpoint", "http://op.example/token"))
            .ends("metadata: token_endpoint cannot be used", [0; 3]),
        row("html", answer(ScriptedAnswer::html(200))).ends("metadata: its media type is not application/json", [0; 3]),
        row("array", answer(ScriptedAnswer::json(200, "[]"))).ends("metadata: it is not a JSON object", [0; 3]),
        metadata("truncated", Amendment::new().truncate(60)).ends("metadata: it is not a JSON object", [0; 3]),
        row("endless", Script::new().every(Endpoint::Discovery, Act::Endless))
            .ends("metadata: it is too large", [0; 3]),
    ]);
}

/// OPM-DSC-02
/// OPM-DSC-03
#[test]
fn metadata_behind_a_path_and_without_browser_members_is_taken() {
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
fn key_sets_with_strange_company_still_verify() {
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
            Script::new().id_token(IdTokenEdit::remove_header("kid")).keys(KeySetEdit::Prepend(several)),
        ),
    ]);
}

/// OPM-DSC-12
/// OPM-DSC-13
#[test]
fn keys_that_move_are_fetched_anew_and_keys_that_are_away_end_without_tokens() {
    let every = |act| Script::new().every(Endpoint::KeySet, act);
    let away = "unreachable Endpoint(KeySet)";
    let once = |answer| Script::new().nth(Endpoint::KeySet, 1, Act::Answer(answer));
    run(vec![
        row("rotated just before signing", Script::new().nth(Endpoint::Token, 3, Act::Keys(KeySetEdit::RotateAtOnce))),
        row("away once", once(ScriptedAnswer::status(503))).ends(APPROVED, [1, 3, 2]),
        row("html once", once(ScriptedAnswer::html(200))).ends(APPROVED, [1, 3, 2]),
        row("503 for ever", every(Act::Answer(ScriptedAnswer::status(503)))).ends(away, [1, 3, 11]),
        row("html for ever", every(Act::Answer(ScriptedAnswer::html(200)))).ends(away, [1, 3, 11]),
        row("dropped for ever", every(Act::DropBefore)).ends(away, [1, 3, 11]),
    ]);
}

// ---- ACK

/// OPM-ACK-01
/// OPM-ACK-02
/// OPM-ACK-10
/// OPM-ACK-12
/// OPM-ACK-14
#[test]
fn acknowledgements_that_cannot_be_used_lead_to_no_token_request() {
    let mut rows = vec![
        ack("no auth_req_id", Amendment::new().remove("auth_req_id"))
            .ends("provider_misbehaved backchannel: auth_req_id is missing", [1, 0, 0]),
        ack("null for an auth_req_id", Amendment::new().set("auth_req_id", Value::Null))
            .ends("provider_misbehaved backchannel: auth_req_id is missing", [1, 0, 0]),
        ack("no expires_in", Amendment::new().remove("expires_in"))
            .ends("provider_misbehaved backchannel: expires_in is missing", [1, 0, 0]),
    ];
    for (name, value) in [("a number", json!(7)), ("an object", json!({})), ("empty", json!(""))] {
        rows.push(
            ack(&format!("auth_req_id {name}"), Amendment::new().set("auth_req_id", value))
                .ends("provider_misbehaved backchannel: auth_req_id cannot be used", [1, 0, 0]),
        );
    }
    for media_type in ["text/html", ""] {
        rows.push(
            ack(&format!("media type {media_type:?}"), Amendment::new().media_type(media_type))
                .ends("provider_misbehaved backchannel: its media type is not application/json", [1, 0, 0]),
        );
    }
    for body in ["[]", "null", "", "{\"auth_req_id\":\"1c266114-a1be\",\"expi"] {
        rows.push(
            ack_answer(&format!("body {body:?}"), ScriptedAnswer::json(200, body))
                .ends("provider_misbehaved backchannel: it is not a JSON object", [1, 0, 0]),
        );
    }
    rows.push(
        ack("trailing bytes", Amendment::new().append("{}"))
            .ends("provider_misbehaved backchannel: it is not a JSON object", [1, 0, 0]),
    );
    run(rows);
}

/// OPM-ACK-03
/// OPM-ACK-04
/// OPM-ACK-05
/// OPM-ACK-06
#[test]
fn a_refusal_of_the_authentication_request_is_told_with_its_code_and_not_tried_again() {
    let codes = [
        "unknown_user_id",
        "expired_id_token_hint",
        "invalid_id_token_hint",
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "expired_login_hint_token",
        "missing_user_code",
        "invalid_user_code",
        "invalid_binding_message",
    ];
    let mut rows: Vec<_> = codes
        .iter()
        .map(|code| ack_answer(code, ScriptedAnswer::error(400, code)).ends(&format!("refused 400 {code}"), [1, 0, 0]))
        .collect();
    let invalid_client = || ScriptedAnswer::error(401, "invalid_client");
    rows.push(ack_answer("401", invalid_client()).ends("refused 401 invalid_client", [1, 0, 0]));
    rows.push(
        ack_answer("401 with challenge", invalid_client().header("www-authenticate", "Basic realm=\"op\""))
            .ends("refused 401 invalid_client", [1, 0, 0]),
    );
    rows.push(plain("really unknown").hint("nobody").ends("refused 400 unknown_user_id", [1, 0, 0]));
    run(rows);
}

/// OPM-ACK-07
/// OPM-ACK-08
#[test]
fn an_interval_that_is_absent_or_odd_never_makes_polls_faster_than_five_seconds() {
    let mut rows = vec![plain("absent")];
    for raw in ["0", "-3", "null", "\"three\"", "true", "[]", "1e400"] {
        rows.push(ack(&format!("interval {raw}"), Amendment::new().raw_members(&format!("\"interval\":{raw},"))));
    }
    let faster = |least: u128| {
        move |provider: &ciba_test_op::Provider, _: Option<&ciba_core::Authentication>| {
            assert!(gaps(provider).into_iter().all(|gap| gap >= least), "{:?}", gaps(provider));
        }
    };
    let mut rows: Vec<_> = rows.into_iter().map(|row| row.check(faster(5_000))).collect();
    // What can be read as a number is one: rounded up, never down (REQ-ACK-14), and at least once before the end.
    for raw in ["2.5", "\"3\""] {
        let amendment = Amendment::new().raw_members(&format!("\"interval\":{raw},"));
        rows.push(ack(&format!("interval {raw}"), amendment).check(faster(3_000)));
    }
    for raw in ["1e3", "1000000000"] {
        let amendment = Amendment::new().raw_members(&format!("\"interval\":{raw},"));
        rows.push(ack(&format!("interval {raw}"), amendment).ends("expired", [1, 1, 0]));
    }
    run(rows);
}

/// OPM-ACK-09
#[test]
fn a_lifetime_that_is_no_lifetime_is_refused_and_a_huge_one_is_no_overflow() {
    let mut rows = vec![
        ack("expires_in null", Amendment::new().set("expires_in", Value::Null))
            .ends("provider_misbehaved backchannel: expires_in is missing", [1, 0, 0]),
    ];
    for raw in ["0", "-1", "true", "\"soon\""] {
        let amendment = Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(
            ack(&format!("expires_in {raw}"), amendment)
                .ends("provider_misbehaved backchannel: expires_in cannot be used", [1, 0, 0]),
        );
    }
    for raw in ["9007199254740993", "18446744073709551616", "1e30"] {
        let amendment = Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(ack(&format!("expires_in {raw}"), amendment));
    }
    run(rows);
}

/// OPM-ACK-11
/// OPM-ACK-13
/// OPM-ACK-15
#[test]
fn unusual_and_legal_acknowledgements_are_taken() {
    run(vec![
        ack("charset", Amendment::new().media_type("application/json;charset=UTF-8")),
        ack("upper case", Amendment::new().media_type("APPLICATION/JSON")),
        ack("more members", Amendment::new().set("extra", json!({"deep": [1, null]})).set("links", json!([]))),
        ack("4 KiB", Amendment::new().set("auth_req_id", "a".repeat(4096)))
            .check(|provider, _| {
                let sent = provider.exchanges().iter().filter(|exchange| exchange.endpoint == Endpoint::Token);
                for exchange in sent {
                    assert_eq!(exchange.parameter("auth_req_id"), Some("a".repeat(4096)), "returned unchanged");
                }
            })
            .ends("refused 400 invalid_grant", [1, 1, 0])
            // The provider gave out another one.
            .breaks(ciba_test_op::Rule::AuthReqId),
    ]);
}

/// OPM-ACK-16
/// OPM-ACK-17
/// OPM-ACK-18
#[test]
fn an_authentication_request_is_sent_once_whatever_comes_back() {
    let every = |act| Script::new().every(Endpoint::Backchannel, act);
    let tiny = |mut policy: Policy| {
        policy.authentication_timeout = Duration::from_millis(200);
        policy
    };
    run(vec![
        ack_answer("503", ScriptedAnswer::status(503)).ends("refused 503", [1, 0, 0]),
        ack_answer("429", ScriptedAnswer::status(429).header("retry-after", "1")).ends("refused 429", [1, 0, 0]),
        row("dropped before", every(Act::DropBefore)).ends("indeterminate", [1, 0, 0]),
        row("dropped after", every(Act::DropAfter)).ends("indeterminate", [1, 0, 0]),
        row("broken off", every(Act::DropInside(10))).ends("indeterminate", [1, 0, 0]),
        row("held for ever", every(Act::HoldForever))
            .client(move |builder| builder.policy(tiny(Policy::default())))
            .ends("indeterminate", [1, 0, 0]),
        ack_answer("307", ScriptedAnswer::redirect(307, "/trap"))
            .ends("provider_misbehaved backchannel: it is a redirect", [1, 0, 0]),
        ack_answer("308", ScriptedAnswer::redirect(308, "https://elsewhere.example/bc"))
            .ends("provider_misbehaved backchannel: it is a redirect", [1, 0, 0]),
        ack_answer("502", ScriptedAnswer::html(502)).ends("indeterminate 502", [1, 0, 0]),
        ack_answer("400 and nothing", ScriptedAnswer::status(400)).ends(
            "provider_misbehaved backchannel: its status means nothing here and it has no error member",
            [1, 0, 0],
        ),
    ]);
}

// ---- POL

/// OPM-POL-01
/// OPM-POL-02
/// OPM-POL-03
/// OPM-POL-04
/// OPM-POL-05
#[test]
fn polls_keep_the_interval_from_the_acknowledgement_on_and_slow_down_for_good() {
    let slow_down = |n| Script::new().nth(Endpoint::Token, n, Act::Answer(ScriptedAnswer::error(400, "slow_down")));
    let strict = |interval: u64| {
        move |issuer: &str| {
            let mut config = ProviderConfig::generic(issuer).interval(interval);
            config.speed_reference = SpeedReference::PreviousReply;
            config.expires_in = Duration::from_secs(300);
            config
        }
    };
    let at_least = |expected: &'static [u128]| {
        move |provider: &ciba_test_op::Provider, _: Option<&ciba_core::Authentication>| {
            let found = gaps(provider);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(found, expected)| found >= expected), "{found:?}");
        }
    };
    run(vec![
        plain("twice pending").provider(strict(5)).check(at_least(&[5_000; 3])),
        plain("interval 31").provider(strict(31)).check(at_least(&[31_000; 3])),
        row("slow_down", slow_down(2))
            .provider(strict(5))
            .check(at_least(&[5_000, 5_000, 10_000, 10_000]))
            .ends(APPROVED, [1, 4, 1]),
        row("slow_down thrice", slow_down(1).and(slow_down(2)).and(slow_down(4)))
            .provider(strict(5))
            .check(at_least(&[5_000, 10_000, 15_000, 15_000, 20_000, 20_000]))
            .ends(APPROVED, [1, 6, 1]),
    ]);
}

/// OPM-POL-06
/// OPM-POL-07
/// OPM-POL-08
/// OPM-POL-09
#[test]
fn terminal_errors_of_the_token_endpoint_end_the_flow_with_their_code() {
    let refused =
        ["invalid_request", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "nobody_defined_this"];
    let mut rows = vec![
        plain("really denied").hint("deny").ends("denied 400 access_denied", [1, 3, 0]),
        third("access_denied", ScriptedAnswer::error(400, "access_denied")).ends("denied 400 access_denied", [1, 3, 0]),
        third("expired_token", ScriptedAnswer::error(400, "expired_token"))
            .ends("expired 400 expired_token", [1, 3, 0]),
    ];
    for code in refused {
        rows.push(third(code, ScriptedAnswer::error(400, code)).ends(&format!("refused 400 {code}"), [1, 3, 0]));
    }
    run(rows);
}

/// OPM-POL-10
#[test]
fn pending_for_ever_ends_at_the_deadline() {
    run(vec![plain("never").hint("never").ends("expired", [1, 23, 0])]);
}

/// OPM-POL-11
/// OPM-POL-12
/// OPM-POL-13
/// OPM-POL-15
#[test]
fn a_token_endpoint_in_trouble_is_asked_again_not_before_the_interval_is_over() {
    let second = |act| Script::new().nth(Endpoint::Token, 2, act);
    let answer = |answer| second(Act::Answer(answer));
    let calm = |row: Scenario, second: u128| {
        row.check(move |provider, _| {
            let found = gaps(provider);
            assert!(found[2] >= second && found.iter().all(|gap| *gap >= 5_000), "{found:?}");
        })
        .ends(APPROVED, [1, 4, 1])
    };
    let error = |status| ScriptedAnswer::error(status, "server_error");
    run(vec![
        calm(row("503, 20 s", answer(ScriptedAnswer::status(503).header("retry-after", "20"))), 20_000),
        calm(row("429, 20 s", answer(ScriptedAnswer::status(429).header("retry-after", "20"))), 20_000),
        calm(row("503, 1 s", answer(ScriptedAnswer::status(503).header("retry-after", "1"))), 5_000),
        calm(row("500", answer(ScriptedAnswer::status(500))), 5_000),
        calm(row("500 with error", answer(error(500))), 5_000),
        calm(row("503", answer(ScriptedAnswer::status(503))), 5_000),
        calm(row("503 with error", answer(error(503))), 5_000),
        calm(row("429", answer(ScriptedAnswer::status(429))), 5_000),
        calm(row("429 with error", answer(error(429))), 5_000),
        calm(row("html 502", answer(ScriptedAnswer::html(502))), 5_000),
        calm(row("dropped", second(Act::DropBefore)), 5_000),
        calm(row("broken off", second(Act::DropInside(5))), 5_000).ends(APPROVED, [1, 3, 1]),
        row("dropped for ever", Script::new().every(Endpoint::Token, Act::DropBefore)).ends("expired", [1, 5, 0]),
    ]);
}

/// OPM-POL-16
#[test]
fn a_long_poll_is_waited_for_and_the_interval_counts_from_its_answer() {
    let held = Script::new().nth(Endpoint::Token, 1, Act::Delay(Duration::from_secs(35)));
    run(vec![row("held 35 s", held).check(|provider, _| {
        assert!(gaps(provider).iter().all(|gap| *gap >= 5_000), "{:?}", gaps(provider));
    })]);
}

/// OPM-POL-14
/// OPM-POL-17
/// OPM-POL-18
/// OPM-POL-19
/// OPM-POL-21
/// OPM-POL-26
/// OPM-POL-29
#[test]
fn token_answers_that_cannot_be_used_are_the_end() {
    let misbehaved = |fault: &str| format!("provider_misbehaved token: {fault}");
    let ends = |row: Scenario, fault: &str| row.ends(&misbehaved(fault), [1, 3, 0]);
    let status = "its status means nothing here and it has no error member";
    let mut rows = vec![
        ends(third("400 and nothing", ScriptedAnswer::status(400)), status),
        ends(third("404 html", ScriptedAnswer::html(404)), status),
        ends(tokens("no access_token", Amendment::new().remove("access_token")), "access_token is missing"),
        ends(tokens("no token_type", Amendment::new().remove("token_type")), "token_type is missing"),
        ends(tokens("DPoP", Amendment::new().set("token_type", "DPoP")), "token_type cannot be used"),
        ends(tokens("no id_token", Amendment::new().remove("id_token")), "id_token is missing"),
        ends(tokens("truncated", Amendment::new().truncate(40)), "it is not a JSON object"),
        ends(tokens("html", Amendment::new().media_type("text/html")), "its media type is not application/json"),
        ends(row("endless", Script::new().nth(Endpoint::Token, 3, Act::Endless)), "it is too large").client(
            |builder| {
                let mut policy = Policy::default();
                policy.max_token_response = 65_536;
                builder.policy(policy)
            },
        ),
    ];
    for code in [302, 307, 308] {
        let name = code.to_string();
        rows.push(ends(third(&name, ScriptedAnswer::redirect(code, "/trap")), "it is a redirect"));
    }
    run(rows);
}

/// OPM-POL-20
/// OPM-POL-22
/// OPM-POL-23
/// OPM-POL-24
/// OPM-POL-25
/// OPM-POL-27
#[test]
fn unusual_token_answers_are_taken_as_they_are() {
    let refresh = "a b+c%20:@~/=\"";
    let mut rows = vec![
        tokens("bEaReR", Amendment::new().set("token_type", "bEaReR")),
        tokens("no scope, no expires_in", Amendment::new().remove("scope").remove("expires_in")).check(|_, found| {
            if let Some(found) = found {
                assert_eq!((found.scope(), found.expires_at()), ("openid", None));
            }
        }),
        tokens("narrower", Amendment::new().set("scope", "openid")).check(|_, found| {
            assert_eq!(found.and_then(|found| found.granted_scope()), Some("openid"));
        }),
        tokens("wider", Amendment::new().set("scope", "openid payments")).check(|_, found| {
            assert_eq!(found.and_then(|found| found.granted_scope()), Some("openid payments"));
        }),
        tokens("refresh_token", Amendment::new().set("refresh_token", refresh)).check(move |_, found| {
            let kept = found.and_then(|found| found.refresh_token()).map(|token| token.expose().to_owned());
            assert_eq!(kept.as_deref(), Some(refresh));
        }),
    ];
    for raw in ["-1", "1.5", "\"600\"", "\"x\"", "null"] {
        let amendment = Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(tokens(&format!("expires_in {raw}"), amendment));
    }
    run(rows);
}

// ---- IDT

/// The keys may have changed under the same id, so they are fetched once more, and nothing else is.
fn refreshed(row: Scenario, check: &str) -> Scenario {
    row.ends(&format!("untrusted {check}"), [1, 3, 2])
}

fn untrusted(row: Scenario, check: &str) -> Scenario {
    row.ends(&format!("untrusted {check}"), [1, 3, 1])
}

/// OPM-IDT-01
/// OPM-IDT-02
/// OPM-IDT-03
/// OPM-IDT-05
/// OPM-IDT-06
/// OPM-IDT-07
/// OPM-IDT-08
/// OPM-IDT-09
/// OPM-IDT-10
/// OPM-IDT-11
/// OPM-IDT-18
/// OPM-IDT-20
/// OPM-IDT-21
#[test]
fn id_tokens_with_wrong_claims_are_rejected_and_nothing_follows() {
    let auth_req_id = "urn:openid:params:jwt:claim:auth_req_id";
    let edit = |check: &str, edit: IdTokenEdit| untrusted(id_token(&format!("{edit:?}"), edit), check);
    let set = |check: &str, claim: &str, value: Value| edit(check, IdTokenEdit::set(claim, value));
    let raw = |check: &str, claim: &str, text: &str| {
        let script = Script::new()
            .id_token(IdTokenEdit::remove(claim))
            .id_token(IdTokenEdit::RawClaims(format!("\"{claim}\":{text},")));
        untrusted(row(format!("{claim} {text}"), script), check)
    };
    run(vec![
        set("issuer", "iss", json!("https://op.examplex")),
        set("audience", "aud", json!("client-1x")),
        edit("audience", IdTokenEdit::remove("aud")),
        set("extra-audience", "aud", json!(["client-1", "stranger"])),
        set("audience", "aud", json!([])),
        set("audience", "aud", json!([1, null])),
        edit("expiry", IdTokenEdit::set_time("exp", -360)),
        edit("issued-at", IdTokenEdit::set_time("iat", -604_800)),
        edit("issued-at", IdTokenEdit::remove("iat")),
        untrusted(
            row(
                "iat in an hour",
                Script::new().id_token(IdTokenEdit::set_time("iat", 3600)).id_token(IdTokenEdit::set_time("exp", 7200)),
            ),
            "issued-at",
        ),
        edit("not-before", IdTokenEdit::set_time("nbf", 3600)),
        edit("subject", IdTokenEdit::remove("sub")),
        set("subject", "sub", json!("")),
        set("access-token-hash", "at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        set("auth-req-id", auth_req_id, json!("another")),
        set("expiry", "exp", json!("1893456300")),
        set("expiry", "exp", json!(true)),
        raw("claims-form", "exp", "1e400"),
        raw("claims-form", "exp", "NaN"),
        set("issued-at", "iat", json!("1893456000")),
    ]);
}

/// OPM-IDT-04
/// OPM-IDT-19
#[test]
fn id_tokens_with_an_audience_list_or_without_optional_claims_are_taken() {
    run(vec![
        id_token("aud list", IdTokenEdit::set("aud", json!(["client-1"]))),
        id_token("no at_hash", IdTokenEdit::remove("at_hash")),
    ]);
}

/// OPM-IDT-12
/// OPM-IDT-13
/// OPM-IDT-14
/// OPM-IDT-15
/// OPM-IDT-16
/// OPM-IDT-17
/// OPM-IDT-22
/// OPM-IDT-23
/// OPM-IDT-24
/// OPM-IDT-26
#[test]
fn id_tokens_with_wrong_signatures_headers_or_shapes_are_rejected_and_nothing_follows() {
    use JwsAlgorithm::{Es256, Ps256, Rs256};
    let edit = |check: &str, edit: IdTokenEdit| untrusted(id_token(&format!("{edit:?}"), edit), check);
    let early = |check: &str, change: IdTokenEdit| edit(check, change).ends(&format!("untrusted {check}"), [1, 3, 0]);
    let after_refresh = |change: IdTokenEdit| refreshed(id_token(&format!("{change:?}"), change), "signature");
    let shape = |shape: TokenShape| early("token-form", IdTokenEdit::Shape(shape));
    let es256 = |row: Scenario| row.id_token_alg(Es256);
    let stranger = TestKey::StrangerRsa.public_jwk(Rs256);
    let embedded = |member: &str, value: Value| {
        let script = Script::new()
            .id_token(IdTokenEdit::Key(TestKey::StrangerRsa, Rs256))
            .id_token(IdTokenEdit::header("kid", TestKey::ProviderRsa.key_id()))
            .id_token(IdTokenEdit::header(member, value));
        refreshed(row(format!("embedded {member}"), script), "signature")
    };
    let mut rows = vec![
        early("algorithm", IdTokenEdit::Unsigned("none".into())),
        early("algorithm", IdTokenEdit::Unsigned("nOnE".into())),
        after_refresh(IdTokenEdit::XorSignature(0x5a)),
        early("algorithm", IdTokenEdit::Algorithm(Rs256)).id_token_alg(Ps256),
        early("algorithm", IdTokenEdit::Mac(MacKey::PublicJwk)),
        early("algorithm", IdTokenEdit::Mac(MacKey::PublicNumbers)),
        early("algorithm", IdTokenEdit::Mac(MacKey::ClientSecret)).auth(Auth::Post),
        embedded("jwk", stranger),
        embedded("jku", json!("https://op.example/trap")),
        embedded("x5u", json!("https://op.example/trap")),
        embedded("x5c", json!(["AAAA"])),
        early("critical-header", IdTokenEdit::header("crit", json!(["b64"]))),
        early("critical-header", IdTokenEdit::header("crit", json!(["exp"]))),
        shape(TokenShape::TwoSegments),
        shape(TokenShape::ExtraSegments(1)),
        shape(TokenShape::ExtraSegments(3)),
        shape(TokenShape::Padded),
        shape(TokenShape::LineBreak),
        shape(TokenShape::TrailingBlank),
        shape(TokenShape::TrailingDot),
        es256(after_refresh(IdTokenEdit::DerSignature)),
        es256(after_refresh(IdTokenEdit::CutSignature(63))),
        es256(after_refresh(IdTokenEdit::Signature(vec![0; 64]))),
        refreshed(keys("keys for encryption", KeySetEdit::SetMembers(member("use", json!("enc")))), "unknown-key"),
        refreshed(keys("keys of another alg", KeySetEdit::SetMembers(member("alg", json!("RS512")))), "unknown-key"),
    ];
    for (alg, enc) in [("RSA1_5", "A128CBC-HS256"), ("dir", "A256GCM"), ("RSA-OAEP-256", "A256GCM")] {
        let header = json!({"alg": alg, "enc": enc}).to_string();
        rows.push(early("unexpected-encryption", IdTokenEdit::Shape(TokenShape::Raw(jwe(&header)))));
    }
    run(rows);
}

fn jwe(header: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("{}.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", URL_SAFE_NO_PAD.encode(header))
}

fn member(name: &str, value: Value) -> serde_json::Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

// ---- REQ

/// OPM-REQ-02
/// OPM-REQ-03
/// OPM-REQ-08
/// OPM-REQ-14
#[test]
fn requests_are_what_the_provider_demands() {
    let base = || AuthRequest::new(Hint::Login("approve".into()));
    run(vec![
        plain("scopes").request(move || base().scope("profile").scope("email")).check(|provider, _| {
            let begun = provider.exchanges().iter().find(|exchange| exchange.endpoint == Endpoint::Backchannel);
            let begun = begun.expect("there is one");
            let scope = begun.parameter("scope").unwrap_or_default();
            let mut scopes: Vec<_> = scope.split(' ').collect();
            scopes.sort_unstable();
            assert_eq!(scopes, ["email", "openid", "profile"]);
            let hints = ["login_hint", "login_hint_token", "id_token_hint"];
            assert_eq!(hints.iter().filter(|hint| begun.parameter(hint).is_some()).count(), 1);
        }),
        plain("requested_expiry").request(move || base().requested_expiry(Duration::from_secs(60))).check(
            |provider, _| {
                let begun = provider.exchanges().iter().find(|exchange| exchange.endpoint == Endpoint::Backchannel);
                assert_eq!(begun.and_then(|begun| begun.parameter("requested_expiry")).as_deref(), Some("60"));
            },
        ),
        plain("requested_expiry 0")
            .request(move || base().requested_expiry(Duration::ZERO))
            .ends("request: requested_expiry cannot be sent: it is not a positive whole number of seconds", [0; 3]),
    ]);
}
