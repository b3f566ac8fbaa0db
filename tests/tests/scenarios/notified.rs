//! Notifications: the client's answers, and what it accepts (PNG, PSH).

use std::time::Duration;

use ciba_core::{AuthRequest, DeliveryMode, Hint, Policy};
use ciba_test_op::{
    Act, Amendment, Bearer, Endpoint, IdTokenEdit, Moment, NotificationEdit, ProviderConfig,
    Script, ScriptedAnswer,
};
use ciba_tests::{
    drivers::run,
    scenario::{Protection, Scenario, polls},
};
use serde_json::json;

use crate::{APPROVED, AUTH_REQ_ID, gaps, row};

fn ping(name: impl Into<String>, script: Script) -> Scenario {
    row(name, script).mode(DeliveryMode::Ping)
}

fn push(name: impl Into<String>, script: Script) -> Scenario {
    row(name, script).mode(DeliveryMode::Push)
}

/// A notification changed like this.
fn edited(edit: NotificationEdit) -> Script {
    Script::new().notification(edit)
}

/// A client without a backstop, so that only notifications lead to token requests.
fn waits(row: Scenario) -> Scenario {
    row.client(|builder| {
        let mut policy = Policy::default();
        policy.ping_backstop = false;
        builder.policy(policy)
    })
}

/// The only notification is refused and has no effect, so the user's decision stays unknown.
fn refused(status: u16, row: Scenario) -> Scenario {
    waits(row).ends("indeterminate", polls(0)).answers(&[status])
}

/// OPM-PNG-01
/// OPM-PNG-13
#[test]
fn a_ping_leads_to_one_token_request_at_once_and_then_the_interval_counts() {
    let early = || edited(NotificationEdit::At(Moment::Acknowledgement));
    run(vec![
        // The backstop polls after 60 s, and the ping arrives two seconds later.
        ping("in the middle of an interval", Script::new())
            .provider(|issuer| ProviderConfig::generic(issuer).interval(31))
            .check(|provider, _| {
                let ping = provider.notified().first().expect("there is one").sent;
                let polls = provider
                    .exchanges()
                    .iter()
                    .filter(|exchange| exchange.endpoint == Endpoint::Token);
                let polls: Vec<_> = polls.map(|exchange| exchange.arrived).collect();
                assert!(
                    polls.len() == 2 && polls[0] < ping && polls[1] >= ping,
                    "{polls:?} {ping:?}"
                );
                // Not within two seconds of the end of the last one.
                assert!(polls[1].since(ping) < Duration::from_secs(1), "{polls:?} {ping:?}");
            })
            .ends(APPROVED, polls(2).keys(1)),
        ping("before the decision", early())
            .check(|provider, _| {
                let found = gaps(provider);
                assert!(found[0] == 0 && found[1..].iter().all(|gap| *gap >= 5_000), "{found:?}");
            })
            .ends(APPROVED, polls(3).keys(1)),
    ]);
}

/// OPM-PNG-02
/// OPM-PNG-03
/// OPM-PNG-04
/// OPM-PNG-09
/// OPM-PNG-11
/// OPM-PNG-12
#[test]
fn a_call_that_is_not_a_ping_of_this_request_is_refused() {
    let mut rows = Vec::new();
    for bearer in [
        Bearer::Appended,
        Bearer::Truncated,
        Bearer::OtherCase,
        Bearer::Missing,
        Bearer::OtherTransaction,
        Bearer::Empty,
        Bearer::Basic,
        Bearer::Twice,
        Bearer::InQuery,
    ] {
        rows.push(refused(
            401,
            ping(format!("{bearer:?}"), edited(NotificationEdit::Bearer(bearer))),
        ));
    }
    rows.push(refused(401, ping("unknown id", edited(NotificationEdit::UnknownId))));
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        rows.push(refused(405, ping(method, edited(NotificationEdit::Method(method.into())))));
    }
    for body in
        ["auth_req_id=1", "[]", "null", "", "{}", r#"{"auth_req_id":""}"#, r#"{"auth_req_id":1}"#]
    {
        rows.push(refused(
            400,
            ping(format!("body {body}"), edited(NotificationEdit::Body(body.into()))),
        ));
    }
    let twice = Amendment::new().raw_members("\"auth_req_id\":\"other\",");
    rows.push(refused(400, ping("two ids", Script::new().payload(twice))));
    let form = Amendment::new().media_type("application/x-www-form-urlencoded");
    rows.push(refused(415, ping("a form", Script::new().payload(form))));
    let huge = NotificationEdit::Body(vec![b'['; 1024 * 1024]);
    rows.push(refused(413, ping("a megabyte", edited(huge))));
    rows.push(refused(404, ping("another path", edited(NotificationEdit::UrlSuffix("/".into())))));
    run(rows);
}

/// REQ-PING-04a
/// REQ-PING-04b
/// OPM-PNG-08
/// OPM-PNG-10
#[test]
fn an_unusual_ping_is_accepted_and_delivers_no_tokens() {
    let more = Amendment::new().set("token_type", "Bearer").set("deep", json!([{"a": null}]));
    let bearer = |bearer| edited(NotificationEdit::Bearer(bearer));
    run(vec![
        waits(ping("bearer", bearer(Bearer::LowerCase))),
        waits(ping("BEARER", bearer(Bearer::UpperCase))),
        // Row PNG-11 would refuse it; REQ-PING-04 and RFC 6750 2.1 allow any number of spaces.
        waits(ping("two spaces", bearer(Bearer::TwoSpaces))),
        waits(ping(
            "charset",
            Script::new().payload(Amendment::new().media_type("application/json;charset=UTF-8")),
        )),
        waits(ping("more members", Script::new().payload(more))),
    ]);
}

/// A ping client accepts no tokens from a notification, and ends with the reason instead of waiting
/// for nothing.
///
/// REQ-PING-19a
#[test]
fn tokens_pushed_to_a_ping_client_end_the_flow_with_the_reason() {
    let ended = |name, member: &'static str, value: &'static str| {
        let smuggled = Amendment::new().set(member, value);
        waits(ping(name, Script::new().payload(smuggled)))
            .ends(
                "provider_misbehaved notification: it delivers tokens, but this client is registered for ping mode",
                polls(0),
            )
            .answers(&[400])
    };
    run(vec![
        ended("an access token", "access_token", "smuggled-access-token"),
        ended("an ID Token", "id_token", "e30.e30.e30"),
        ended("a refresh token", "refresh_token", "smuggled-refresh-token"),
    ]);
}

/// OPM-PNG-06
#[test]
fn the_rules_of_polling_apply_without_a_ping() {
    let withheld = |code| {
        let answer = Act::Answer(ScriptedAnswer::error(400, code));
        edited(NotificationEdit::Withhold).nth(Endpoint::Token, 1, answer)
    };
    run(vec![
        ping("slow_down", withheld("slow_down"))
            .check(|provider, _| {
                let found = gaps(provider);
                assert!(found[0] >= 5_000 && found[1] >= 10_000, "{found:?}");
            })
            .ends(APPROVED, polls(2).keys(1))
            .answers(&[]),
        ping("expired_token", withheld("expired_token"))
            .ends("expired 400 expired_token", polls(1))
            .answers(&[]),
    ]);
}

/// OPM-PNG-07
#[test]
fn a_ping_without_the_required_certificate_does_not_arrive() {
    let closed = |row: Scenario| {
        let mut row = row.protection(Protection::MutualTls);
        row.answers = vec![None];
        row
    };
    run(vec![
        closed(waits(ping("no request", Script::new()))).ends("indeterminate", polls(0)),
        closed(ping("the backstop asks", Script::new())),
    ]);
}

/// OPM-PNG-16
#[test]
fn a_ping_during_a_token_request_overlaps_nothing_and_redeems_once() {
    let held = || Act::Delay(Duration::from_secs(10));
    // The backstop polls after 60 s.
    let tokens = edited(NotificationEdit::At(Moment::Decided))
        .nth(Endpoint::Notification, 1, Act::Delay(Duration::from_secs(55)))
        .nth(Endpoint::Token, 1, held());
    let pending = Script::new().nth(Endpoint::Token, 1, held());
    run(vec![
        ping("and the answer is the tokens", tokens),
        // The decision, and with it the ping, is after 62 s.
        ping("and the answer is pending", pending)
            .provider(|issuer| ProviderConfig::generic(issuer).interval(31))
            .check(|provider, _| {
                let found = gaps(provider);
                assert_eq!(found[1], 2_000, "another request follows soon after the answer");
            })
            .ends(APPROVED, polls(2).keys(1)),
    ]);
}

/// REQ-PING-10
/// REQ-PUSH-26
#[test]
fn a_late_notification_is_recognised_for_a_minute() {
    let late = |by| {
        edited(NotificationEdit::At(Moment::Expired)).nth(
            Endpoint::Notification,
            1,
            Act::Delay(Duration::from_secs(by)),
        )
    };
    run(vec![
        waits(ping("a ping 30 s late", late(30))).ends("indeterminate", polls(0)),
        waits(ping("a ping 90 s late", late(90))).ends("indeterminate", polls(0)).answers(&[401]),
        // Late tokens are accepted.
        push("a push 30 s late", late(30)),
        push("a push 90 s late", late(90)).ends("indeterminate", polls(0)).answers(&[401]),
    ]);
}

/// OPM-PSH-01
#[test]
fn a_push_is_acknowledged_verified_and_delivered_once() {
    let request = || {
        AuthRequest::new(Hint::Login("approve".into()))
            .scope("offline_access")
            .binding_message("W4SCT")
    };
    let whole = |provider: &ciba_test_op::Provider, found: Option<&ciba_core::Authentication>| {
        let found = found.expect("delivered");
        assert!(found.refresh_token().is_some() && found.id_token().is_some());
        assert_eq!(
            provider
                .exchanges()
                .iter()
                .filter(|exchange| exchange.endpoint == Endpoint::Token)
                .count(),
            0
        );
    };
    let copies = edited(NotificationEdit::Copies(3));
    let other = Act::Amend(Amendment::new().set("access_token", "another-access-token"));
    let later = Act::Delay(Duration::from_secs(1));
    run(vec![
        push("once", Script::new()).request(request).check(whole),
        push("three times", copies.clone()).request(request).check(whole).answers(&[204; 3]),
        push(
            "again with other tokens",
            copies.nth(Endpoint::Notification, 2, other).nth(Endpoint::Notification, 2, later),
        )
        .request(request)
        .repeats_as("untrusted access-token-hash")
        .check(|_, found| {
            let token = found.map(|found| found.access_token().expose().to_owned());
            assert_ne!(token.as_deref(), Some("another-access-token"));
        })
        .answers(&[204; 3]),
    ]);
}

/// OPM-PSH-02
/// OPM-PSH-03
/// OPM-PSH-04
/// OPM-PSH-07
#[test]
fn pushed_tokens_without_a_binding_to_this_request_are_discarded() {
    let rt_hash = "urn:openid:params:jwt:claim:rt_hash";
    let wrong = "AAAAAAAAAAAAAAAAAAAAAA";
    let untrusted = |check: &str, fetches, script| {
        push(format!("{check}: {script:?}"), script)
            .request(|| {
                AuthRequest::new(Hint::Login("approve".into()))
                    .scope("offline_access")
                    .binding_message("A")
            })
            .ends(&format!("untrusted {check}"), polls(0).keys(fetches))
    };
    let edit = |check, edit| untrusted(check, 1, Script::new().pushed_id_token(edit));
    let amend = |check, amendment| untrusted(check, 1, Script::new().payload(amendment));
    run(vec![
        edit("auth-req-id", IdTokenEdit::remove(AUTH_REQ_ID)),
        edit("auth-req-id", IdTokenEdit::set(AUTH_REQ_ID, "another")),
        edit("access-token-hash", IdTokenEdit::remove("at_hash")),
        edit("access-token-hash", IdTokenEdit::set("at_hash", wrong)),
        edit("refresh-token-hash", IdTokenEdit::remove(rt_hash)),
        edit("refresh-token-hash", IdTokenEdit::set(rt_hash, wrong)),
        edit("audience", IdTokenEdit::set("aud", "another-client")),
        amend("access-token-hash", Amendment::new().set("access_token", "another-access-token")),
        amend("refresh-token-hash", Amendment::new().set("refresh_token", "another-refresh-token")),
        amend("refresh-token-hash", Amendment::new().remove("refresh_token")),
        untrusted("signature", 2, Script::new().pushed_id_token(IdTokenEdit::XorSignature(0x5a))),
        untrusted(
            "algorithm",
            0,
            Script::new().pushed_id_token(IdTokenEdit::Unsigned("none".into())),
        ),
    ]);
}

/// OPM-PSH-05
/// OPM-PSH-08
#[test]
fn a_forged_or_malformed_push_is_refused_without_a_token_request() {
    let mut rows = Vec::new();
    let bare = ["access_token", "token_type", "expires_in", "id_token", "refresh_token"];
    for bearer in [Bearer::Appended, Bearer::Missing, Bearer::OtherTransaction, Bearer::Twice] {
        rows.push(refused(
            401,
            push(format!("{bearer:?}"), edited(NotificationEdit::Bearer(bearer))),
        ));
    }
    let unnamed = Amendment::new().remove("auth_req_id");
    rows.push(refused(400, push("no auth_req_id", Script::new().payload(unnamed))));
    // The provider delivers only once, so an unusable delivery ends the flow with the reason.
    for (name, amendment, why) in [
        (
            "as in a ping",
            bare.into_iter().fold(Amendment::new(), Amendment::remove),
            "access_token is missing",
        ),
        ("no access token", Amendment::new().remove("access_token"), "access_token is missing"),
        ("no ID Token", Amendment::new().remove("id_token"), "id_token is missing"),
        (
            "tokens and an error",
            Amendment::new().set("error", "access_denied"),
            "it contains both an error and tokens",
        ),
    ] {
        let row = push(name, Script::new().payload(amendment));
        rows.push(
            row.ends(&format!("provider_misbehaved notification: {why}"), polls(0)).answers(&[400]),
        );
    }
    run(rows);
}

/// OPM-PSH-06
#[test]
fn a_pushed_error_is_acknowledged_and_ends_the_flow() {
    let error = |code: &str| push(code, edited(NotificationEdit::Error(code.into())));
    run(vec![
        error("access_denied").ends("denied access_denied", polls(0)),
        error("expired_token").ends("expired expired_token", polls(0)),
        error("transaction_failed").ends("refused transaction_failed", polls(0)),
        error("nobody_defined_this").ends("refused nobody_defined_this", polls(0)),
    ]);
}

/// OPM-PNG-17
#[test]
fn the_notification_token_is_compared_in_constant_time_only() {
    let source = include_str!("../../../crates/ciba-core/src/flow/notifications.rs");
    assert!(
        source.contains("self.token.expose().as_bytes().ct_eq(notification.bearer.as_bytes())")
    );
    let uses = source.matches("notification.bearer").count();
    assert_eq!(uses, 1, "the bearer token is compared in one place");
}
