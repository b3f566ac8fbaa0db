//! Providers that close connections which a client may keep (OPM-POL-32).

use std::{collections::BTreeSet, time::Duration};

use ciba_core::{DeliveryMode, Policy};
use ciba_test_op::{Act, Closing, Endpoint, Exchange, Provider, Script};
use ciba_tests::{
    drivers::{self, run},
    scenario::{Auth, Outcome, Requests, Scenario, Transport, polls},
};

use crate::{APPROVED, row};

const INTERVAL: Duration = Duration::from_secs(5);

/// Every connection is closed in this way after its first answer.
fn closes(closing: Closing) -> Script {
    [Endpoint::Discovery, Endpoint::KeySet, Endpoint::Backchannel, Endpoint::Token]
        .into_iter()
        .fold(Script::new(), |script, endpoint| script.every(endpoint, Act::Close(closing)))
}

fn token_requests(provider: &Provider) -> Vec<&Exchange> {
    provider.exchanges().iter().filter(|it| it.endpoint == Endpoint::Token).collect()
}

/// No prompt is repeated; no poll is early, also if the one before it met a connection that was
/// being closed; and no poll repeats another one, whose assertion it would have.
fn calm(row: Scenario) -> Scenario {
    row.check(|provider, _| {
        let all = provider.exchanges().iter();
        let prompts = all.filter(|it| it.endpoint == Endpoint::Backchannel);
        assert_eq!(prompts.count(), 1);
        let polls = token_requests(provider);
        for pair in polls.windows(2) {
            let ended = pair[0].ended.expect("it is over");
            assert!(pair[1].arrived.since(ended) >= INTERVAL, "{polls:?}");
        }
        let mut assertions = BTreeSet::new();
        for assertion in polls.iter().filter_map(|poll| poll.parameter("client_assertion")) {
            assert!(assertions.insert(assertion), "a poll was sent twice");
        }
    })
}

/// The same without TLS, with it, with HTTP/2, and with a client certificate, whose connections are
/// kept apart.
fn everywhere(name: &str, script: &Script) -> Vec<Scenario> {
    let one = |how: &str| calm(row(format!("{name}, {how}"), script.clone()));
    let certified = one("client certificate").auth(Auth::SelfSigned);
    let two = one("http2").over(Transport::Http2);
    vec![one("http"), one("https").over(Transport::Https), two, certified]
}

/// OPM-POL-32
#[test]
fn a_kept_connection_that_ends_loses_no_login_and_repeats_no_request() {
    let mut rows = Vec::new();
    for closing in Closing::ALL {
        rows.extend(everywhere(&format!("{closing:?}"), &closes(closing)));
    }
    assert_eq!(rows.len(), 20);
    run(rows);
}

/// The connection ends while a poll waits for its answer: a stream is refused (RST_STREAM), the
/// connection announces its end (GOAWAY) or is closed.
///
/// OPM-POL-32
#[test]
fn a_poll_that_meets_the_end_of_a_kept_connection_counts_as_lost() {
    for closing in [Closing::AtNextByte, Closing::InNextRequest, Closing::GoAway] {
        // Only after polls: a client that has lost a request keeps no connection for a while.
        let script = Script::new().every(Endpoint::Token, Act::Close(closing));
        for (adapter, drive, offers) in [
            ("reqwest", drivers::reqwest as fn(&Scenario) -> Outcome, true),
            ("ureq", drivers::ureq, false),
        ] {
            for (transport, two) in [(Transport::Https, false), (Transport::Http2, offers)] {
                let row = calm(row(format!("{closing:?}"), script.clone()).over(transport));
                let row = row.check(move |provider, _| {
                    let polls = token_requests(provider);
                    let lost: Vec<_> = polls.iter().filter(|poll| poll.unserved).collect();
                    let is_met = lost.iter().any(|poll| poll.is_http2 == two);
                    assert!(is_met, "{closing:?} met no poll of {adapter}: {polls:?}");
                });
                assert_eq!(drive(&row).result, APPROVED, "{closing:?} {transport:?} [{adapter}]");
            }
        }
    }
}

/// OPM-POL-32
#[test]
fn a_kept_connection_that_ends_does_not_affect_a_delivery() {
    let mut rows = Vec::new();
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        for closing in Closing::ALL {
            let name = format!("{closing:?} in {mode:?} mode");
            rows.push(calm(row(name, closes(closing)).mode(mode)));
        }
    }
    run(rows);
}

/// OPM-POL-32
#[test]
fn a_poll_that_fails_on_a_kept_connection_is_repeated_after_the_interval() {
    let mut rows = Vec::new();
    for (name, act) in [
        ("not acted upon", Act::DropBefore),
        ("no answer", Act::DropAfter),
        ("half an answer", Act::DropInside(5)),
    ] {
        // The first poll finds the connection of the key set or makes one; the second one reuses it.
        let script = Script::new().nth(Endpoint::Token, 2, act.clone());
        let count = if act == Act::DropBefore { 4 } else { 3 };
        rows.extend(
            everywhere(name, &script)
                .into_iter()
                .map(|row| row.ends(APPROVED, polls(count).keys(1))),
        );
    }
    run(rows);
}

/// REQ-AREQ-30a
#[test]
fn an_authentication_request_has_a_fresh_connection_and_token_requests_share_one() {
    for row in everywhere("kept", &Script::new()) {
        let row = row.check(|provider, _| {
            let on = |endpoint: Endpoint| -> Vec<_> {
                let of_endpoint = provider.exchanges().iter().filter(|it| it.endpoint == endpoint);
                of_endpoint.map(|exchange| exchange.connection.expect("it is known")).collect()
            };
            let (prompts, polls) = (on(Endpoint::Backchannel), on(Endpoint::Token));
            let first = provider.exchanges().iter().find(|it| it.connection == Some(prompts[0]));
            assert_eq!(first.map(|exchange| exchange.endpoint), Some(Endpoint::Backchannel));
            assert_eq!(BTreeSet::from_iter(&polls).len(), 1, "{polls:?}");
            assert_ne!(polls[0], prompts[0], "a connection that is used once");
        });
        for (adapter, outcome) in
            [("reqwest", drivers::reqwest(&row)), ("ureq", drivers::ureq(&row))]
        {
            let (result, requests) = (outcome.result.as_str(), outcome.requests());
            assert_eq!(
                (result, requests),
                (APPROVED, polls(3).keys(1)),
                "{} [{adapter}]",
                row.name
            );
        }
    }
}

#[test]
fn only_kept_connections_are_http2_and_only_where_both_sides_offer_it() {
    for (transport, two) in
        [(Transport::Http, false), (Transport::Https, false), (Transport::Http2, true)]
    {
        for (adapter, drive, offers) in [
            ("reqwest", drivers::reqwest as fn(&Scenario) -> Outcome, true),
            ("ureq", drivers::ureq, false),
        ] {
            let row = row("version", Script::new()).over(transport).check(move |provider, _| {
                for exchange in provider.exchanges() {
                    let is_kept = exchange.endpoint != Endpoint::Backchannel;
                    assert_eq!(
                        exchange.is_http2,
                        two && offers && is_kept,
                        "{adapter}: {exchange:?}"
                    );
                }
            });
            assert_eq!(drive(&row).result, APPROVED, "{adapter} over {transport:?}");
        }
    }
}

/// OPM-POL-10
/// OPM-POL-29
/// OPM-DSC-01
#[test]
fn limits_and_time_outs_hold_over_http2() {
    let second = |act| Script::new().nth(Endpoint::Token, 2, act);
    let policy = |row: Scenario| {
        row.client(|builder| {
            let mut policy = Policy::default();
            policy.max_token_response = 65_536;
            policy.token_timeout = Duration::from_millis(200);
            builder.policy(policy)
        })
        .over(Transport::Http2)
    };
    run(vec![
        policy(row("endless tokens", second(Act::Endless)))
            .ends("provider_misbehaved token: it is too large", polls(2)),
        policy(row("held", second(Act::HoldForever))).ends(APPROVED, polls(4).keys(1)),
        row("endless metadata", Script::new().every(Endpoint::Discovery, Act::Endless))
            .over(Transport::Http2)
            .ends("metadata: it is too large", Requests::NONE),
        row("endless keys", Script::new().every(Endpoint::KeySet, Act::Endless))
            .over(Transport::Http2)
            .ends("provider_misbehaved key_set: it is too large", polls(3).keys(5)),
    ]);
}

/// RFC 8705: a connection carries the certificate of the client, so that one without it is another
/// connection.
#[test]
fn requests_with_and_without_the_client_certificate_share_no_connection() {
    for (adapter, drive) in
        [("reqwest", drivers::reqwest as fn(&Scenario) -> Outcome), ("ureq", drivers::ureq)]
    {
        let row =
            row("certificate", Script::new()).auth(Auth::SelfSigned).check(move |provider, _| {
                let mut with = BTreeSet::new();
                let mut without = BTreeSet::new();
                for exchange in provider.exchanges() {
                    let set = if exchange.certificate.is_some() { &mut with } else { &mut without };
                    set.insert(exchange.connection.expect("it is known"));
                }
                // The authentication request has its own connection, and the polls share another one.
                assert_eq!(with.len(), 2, "{adapter}: {with:?}");
                // Metadata and keys share the third.
                assert_eq!(without.len(), 1, "{adapter}: {without:?}");
                assert!(with.is_disjoint(&without), "{adapter}");
            });
        assert_eq!(drive(&row).result, APPROVED, "{adapter}");
    }
}
