//! Answers of the token endpoint (POL).

use ciba_core::{DeliveryMode, Policy};
use ciba_test_op::{
    Act, Amendment, Endpoint, NotificationEdit, ProviderConfig, Rule, Script, ScriptedAnswer,
    SpeedReference,
};
use ciba_tests::drivers::run;
use ciba_tests::scenario::{Scenario, polls};
use std::time::Duration;

use crate::{APPROVED, gaps, plain, row, third, tokens};

/// OPM-POL-01
/// OPM-POL-02
/// OPM-POL-03
/// OPM-POL-04
/// OPM-POL-05
#[test]
fn polls_keep_the_interval_and_slow_down_is_permanent() {
    let slow_down = |n| {
        Script::new().nth(Endpoint::Token, n, Act::Answer(ScriptedAnswer::error(400, "slow_down")))
    };
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
            assert!(
                found.iter().zip(expected).all(|(found, expected)| found >= expected),
                "{found:?}"
            );
        }
    };
    run(vec![
        plain("twice pending").provider(strict(5)).check(at_least(&[5_000; 3])),
        plain("interval 31").provider(strict(31)).check(at_least(&[31_000; 3])),
        row("slow_down", slow_down(2))
            .provider(strict(5))
            .check(at_least(&[5_000, 5_000, 10_000, 10_000]))
            .ends(APPROVED, polls(4).keys(1)),
        row("slow_down thrice", slow_down(1).and(slow_down(2)).and(slow_down(4)))
            .provider(strict(5))
            .check(at_least(&[5_000, 10_000, 15_000, 15_000, 20_000, 20_000]))
            .ends(APPROVED, polls(6).keys(1)),
    ]);
}

/// OPM-POL-06
/// OPM-POL-07
/// OPM-POL-08
/// OPM-POL-09
#[test]
fn terminal_errors_of_the_token_endpoint_end_the_flow_with_their_error_code() {
    let refused = [
        "invalid_request",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "nobody_defined_this",
    ];
    let mut rows = vec![
        plain("really denied").hint("deny").ends("denied 400 access_denied", polls(3)),
        third("access_denied", ScriptedAnswer::error(400, "access_denied"))
            .ends("denied 400 access_denied", polls(3)),
        third("expired_token", ScriptedAnswer::error(400, "expired_token"))
            .ends("expired 400 expired_token", polls(3)),
    ];
    for code in refused {
        rows.push(
            third(code, ScriptedAnswer::error(400, code))
                .ends(&format!("refused 400 {code}"), polls(3)),
        );
    }
    run(rows);
}

/// OPM-POL-10
#[test]
fn a_flow_that_stays_pending_ends_at_the_deadline() {
    run(vec![plain("never").hint("never").ends("expired", polls(23))]);
}

/// OPM-POL-11
/// OPM-POL-12
/// OPM-POL-13
/// OPM-POL-15
#[test]
fn a_failing_token_endpoint_is_not_asked_again_before_the_interval() {
    let second = |act| Script::new().nth(Endpoint::Token, 2, act);
    let answer = |answer| second(Act::Answer(answer));
    let calm = |row: Scenario, second: u128| {
        row.check(move |provider, _| {
            let found = gaps(provider);
            assert!(found[2] >= second && found.iter().all(|gap| *gap >= 5_000), "{found:?}");
        })
        .ends(APPROVED, polls(4).keys(1))
    };
    let error = |status| ScriptedAnswer::error(status, "server_error");
    run(vec![
        calm(
            row("503, 20 s", answer(ScriptedAnswer::status(503).header("retry-after", "20"))),
            20_000,
        ),
        calm(
            row("429, 20 s", answer(ScriptedAnswer::status(429).header("retry-after", "20"))),
            20_000,
        ),
        // The second poll comes at 00:00:10.
        calm(
            row(
                "503, a date",
                answer(
                    ScriptedAnswer::status(503)
                        .header("retry-after", "Tue, 01 Jan 2030 00:00:31 GMT"),
                ),
            ),
            // With a store that fails at first the poll is up to three seconds later.
            17_000,
        ),
        calm(
            row("503, 1 s", answer(ScriptedAnswer::status(503).header("retry-after", "1"))),
            5_000,
        ),
        calm(row("500", answer(ScriptedAnswer::status(500))), 5_000),
        calm(row("500 with error", answer(error(500))), 5_000),
        calm(row("503", answer(ScriptedAnswer::status(503))), 5_000),
        calm(row("503 with error", answer(error(503))), 5_000),
        calm(row("429", answer(ScriptedAnswer::status(429))), 5_000),
        calm(row("429 with error", answer(error(429))), 5_000),
        calm(row("html 502", answer(ScriptedAnswer::html(502))), 5_000),
        calm(row("dropped", second(Act::DropBefore)), 5_000),
        // The provider notices late that the client has given up, so arrivals are compared.
        row("no answer", second(Act::HoldForever))
            .client(|builder| {
                let mut policy = Policy::default();
                policy.token_timeout = Duration::from_millis(200);
                builder.policy(policy)
            })
            .check(|provider, _| {
                let polls = provider
                    .exchanges()
                    .iter()
                    .filter(|exchange| exchange.endpoint == Endpoint::Token);
                let arrived: Vec<_> = polls.map(|exchange| exchange.arrived).collect();
                assert!(
                    arrived.windows(2).all(|pair| pair[1].since(pair[0]).as_secs() >= 5),
                    "{arrived:?}"
                );
            })
            .ends(APPROVED, polls(4).keys(1)),
        calm(row("broken off", second(Act::DropInside(5))), 5_000).ends(APPROVED, polls(3).keys(1)),
        row("dropped forever", Script::new().every(Endpoint::Token, Act::DropBefore))
            .ends("indeterminate", polls(5)),
    ]);
}

/// OPM-POL-30
#[test]
fn no_delay_requested_by_the_provider_loses_a_login() {
    let asked = |seconds: u64| Amendment::new().set("interval", seconds);
    let first =
        |name: &str, answer| row(name, Script::new().nth(Endpoint::Token, 1, Act::Answer(answer)));
    let mut rows = Vec::new();
    for mode in [DeliveryMode::Poll, DeliveryMode::Ping] {
        let mut late = |rule, row: Scenario| {
            let mut row = row
                .mode(mode)
                .hint("approve-after:0")
                .ends("authenticated user-approve-after:0", polls(2).keys(1));
            // The provider asked for a longer wait than there is time.
            row.breaks = Option::into_iter(rule).collect();
            if mode == DeliveryMode::Ping {
                // The ping is lost; the backstop polls after a minute.
                row.script = row.script.notification(NotificationEdit::Withhold);
                row.answers = Vec::new();
            }
            rows.push(row);
        };
        for status in [429, 500, 502, 503, 504] {
            late(
                Some(Rule::BeforeRetryAfter),
                first(
                    &format!("{status}"),
                    ScriptedAnswer::status(status).header("retry-after", "600"),
                ),
            );
        }
        for (name, field) in [("seconds", "86400"), ("a date", "Tue, 01 Jan 2030 01:00:00 GMT")] {
            late(
                Some(Rule::BeforeRetryAfter),
                first(name, ScriptedAnswer::html(502).header("retry-after", field)),
            );
            for code in ["authorization_pending", "slow_down"] {
                late(
                    Some(Rule::BeforeRetryAfter),
                    first(
                        &format!("{code}, {name}"),
                        ScriptedAnswer::error(400, code).header("retry-after", field),
                    ),
                );
            }
        }
        let body = r#"{"error":"slow_down","interval":3600}"#;
        late(None, first("an interval in an error", ScriptedAnswer::json(400, body)));
        let mut once = row("an interval", Script::new().acknowledgement(asked(3600))).mode(mode);
        once = once
            .hint("approve-after:0")
            .ends("authenticated user-approve-after:0", polls(1).keys(1));
        if mode == DeliveryMode::Ping {
            once.script = once.script.notification(NotificationEdit::Withhold);
            once.answers = Vec::new();
        }
        rows.push(once);
    }
    run(rows);
}

/// OPM-POL-31
#[test]
fn the_outcome_is_unknown_at_the_deadline_without_usable_answers() {
    let every = |act| Script::new().every(Endpoint::Token, act);
    let mut rows = Vec::new();
    for (status, code) in [
        (500, None),
        (503, None),
        (502, Some("upstream")),
        (429, None),
        (500, Some("server_error")),
    ] {
        let answer = code.map_or_else(
            || ScriptedAnswer::status(status),
            |code| ScriptedAnswer::error(status, code),
        );
        let words = code.map(|code| format!(" {code}")).unwrap_or_default();
        let mut row = row(format!("{status}{words}"), every(Act::Answer(answer)));
        row.expected = format!("indeterminate {status}{words}");
        (row.requests.polls, row.requests.keys) = (6, 0);
        rows.push(row);
    }
    run(rows);
}

/// REQ-POLL-11
#[test]
fn tokens_whose_answer_was_lost_are_reported_as_lost_and_not_as_refused() {
    let lost = |act| Script::new().nth(Endpoint::Token, 3, act);
    let tampered = |status| {
        Script::new()
            .token_response(Amendment::new().status(status).truncate(0).media_type("text/html"))
    };
    run(vec![
        row("dropped after", lost(Act::DropAfter))
            .ends("indeterminate 400 invalid_grant", polls(4)),
        row("broken off", lost(Act::DropInside(100)))
            .ends("indeterminate 400 invalid_grant", polls(4)),
        // The provider has issued the tokens, but a gateway answers 5xx. (503 would mean that nothing
        // was done.)
        row("500 in place of the tokens", tampered(500))
            .ends("indeterminate 400 invalid_grant", polls(4)),
        row("502 in place of the tokens", tampered(502))
            .ends("indeterminate 400 invalid_grant", polls(4)),
        row("504 in place of the tokens", tampered(504))
            .ends("indeterminate 400 invalid_grant", polls(4)),
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
fn unusable_token_responses_end_the_flow() {
    let misbehaved = |fault: &str| format!("provider_misbehaved token: {fault}");
    let ends = |row: Scenario, fault: &str| row.ends(&misbehaved(fault), polls(3));
    let status = "its status is not expected here, and no error code explains it";
    let mut rows = vec![
        ends(third("400 and nothing", ScriptedAnswer::status(400)), status),
        ends(third("404 html", ScriptedAnswer::html(404)), status),
        ends(
            tokens("no access_token", Amendment::new().remove("access_token")),
            "access_token is missing",
        ),
        ends(
            tokens("no token_type", Amendment::new().remove("token_type")),
            "token_type is missing",
        ),
        ends(
            tokens("DPoP", Amendment::new().set("token_type", "DPoP")),
            "token_type is not Bearer",
        ),
        ends(tokens("no id_token", Amendment::new().remove("id_token")), "id_token is missing"),
        ends(tokens("truncated", Amendment::new().truncate(40)), "it is not a JSON object"),
        ends(
            tokens("html", Amendment::new().media_type("text/html")),
            "its media type is not application/json",
        ),
        ends(
            row("endless", Script::new().nth(Endpoint::Token, 3, Act::Endless)),
            "it is too large",
        )
        .client(|builder| {
            let mut policy = Policy::default();
            policy.max_token_response = 65_536;
            builder.policy(policy)
        }),
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
#[test]
fn unusual_token_responses_are_accepted_unchanged() {
    let refresh = "a b+c%20:@~/=\"";
    let mut rows = vec![
        tokens("bEaReR", Amendment::new().set("token_type", "bEaReR")),
        tokens("no scope, no expires_in", Amendment::new().remove("scope").remove("expires_in"))
            .check(|_, found| {
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
        tokens("refresh_token", Amendment::new().set("refresh_token", refresh)).check(
            move |_, found| {
                let kept = found
                    .and_then(|found| found.refresh_token())
                    .map(|token| token.expose().to_owned());
                assert_eq!(kept.as_deref(), Some(refresh));
            },
        ),
    ];
    for raw in ["-1", "1.5", "\"600\"", "\"x\"", "null"] {
        let amendment =
            Amendment::new().remove("expires_in").raw_members(&format!("\"expires_in\":{raw},"));
        rows.push(tokens(&format!("expires_in {raw}"), amendment));
    }
    run(rows);
}
