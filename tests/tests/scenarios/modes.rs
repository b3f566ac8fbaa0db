//! The three delivery modes, combined with everything that may happen in each and with every client
//! authentication.

use std::time::Duration;

use ciba_core::{DeliveryMode, jose::JwsAlgorithm, named};
use ciba_test_op::{
    Act, Bearer, Endpoint, IdTokenEdit, KeySetEdit, Moment, NotificationEdit, Script,
    ScriptedAnswer,
};
use ciba_tests::{
    drivers::{at_every_save, run},
    scenario::{Auth, Scenario, polls},
};

use crate::{APPROVED, AUTH_REQ_ID, gaps, row};

named! {
    /// What happens to an authentication.
    enum Happens {
        Approve = "approve",
        Deny = "deny",
        Expire = "expire",
        SlowDown = "slow_down",
        Unavailable = "unavailable",
        KeyRotated = "key_rotated",
        AcknowledgementLost = "acknowledgement_lost",
        Overtakes = "overtakes",
        Duplicate = "duplicate",
        Forged = "forged",
        Withheld = "withheld",
        ProviderLies = "provider_lies",
    }
}

use Happens::{
    AcknowledgementLost, Approve, Deny, Duplicate, Expire, Forged, KeyRotated, Overtakes,
    ProviderLies, SlowDown, Unavailable, Withheld,
};

const NO_ENDPOINT: &str =
    "a poll client registers no notification endpoint, so that there is none to call (REQ-META-05)";
const NO_POLL: &str =
    "slow_down is an answer to a token request, and a push client makes none (CIBA 11)";

/// The outcome of a pair, or why it does not exist.
fn cell(mode: DeliveryMode, happens: Happens) -> Result<Scenario, &'static str> {
    use DeliveryMode::{Ping, Poll, Push};
    let with = |script| row(format!("{happens:?} in {mode:?} mode"), script).mode(mode);
    let plain = || with(Script::new());
    let nth = |endpoint, n, act| with(Script::new().nth(endpoint, n, act));
    let error = |code| Act::Answer(ScriptedAnswer::error(400, code));
    let unavailable = || Act::Answer(ScriptedAnswer::status(503));
    let notified = |edit| Script::new().notification(edit);
    let copies = || notified(NotificationEdit::Copies(2));
    let untrusted = "untrusted auth-req-id";
    let lie = IdTokenEdit::set(AUTH_REQ_ID, "another");
    Ok(match (happens, mode) {
        (Approve, _) => plain(),

        (Deny, Poll) => plain().hint("deny").ends("denied 400 access_denied", polls(3)),
        (Deny, Ping) => plain().hint("deny").ends("denied 400 access_denied", polls(1)),
        (Deny, Push) => plain().hint("deny").ends("denied access_denied", polls(0)),

        (Expire, Poll) => plain().hint("never").ends("expired", polls(23)),
        // The backstop polls after a minute, and shortly before the end.
        (Expire, Ping) => plain().hint("never").ends("expired", polls(2)).answers(&[]),
        // CIBA 12 requires no push for it, so one may have been lost.
        (Expire, Push) => plain().hint("never").ends("indeterminate", polls(0)).answers(&[]),

        (SlowDown, Poll) => {
            calm(nth(Endpoint::Token, 2, error("slow_down")), 2).ends(APPROVED, polls(4).keys(1))
        }
        (SlowDown, Ping) => {
            calm(nth(Endpoint::Token, 1, error("slow_down")), 1).ends(APPROVED, polls(2).keys(1))
        }
        (SlowDown, Push) => return Err(NO_POLL),

        (Unavailable, Poll) => {
            nth(Endpoint::Token, 2, unavailable()).ends(APPROVED, polls(4).keys(1))
        }
        (Unavailable, Ping) => {
            nth(Endpoint::Token, 1, unavailable()).ends(APPROVED, polls(2).keys(1))
        }
        (Unavailable, Push) => {
            nth(Endpoint::KeySet, 1, unavailable()).ends(APPROVED, polls(0).keys(2))
        }

        // The prefetched keys are the old ones.
        (KeyRotated, Poll) => nth(Endpoint::Token, 3, Act::Keys(KeySetEdit::RotateAtOnce))
            .ends(APPROVED, polls(3).keys(2)),
        (KeyRotated, Ping) => nth(Endpoint::Notification, 1, Act::Keys(KeySetEdit::RotateAtOnce))
            .ends(APPROVED, polls(1).keys(2)),
        (KeyRotated, Push) => nth(Endpoint::Notification, 1, Act::Keys(KeySetEdit::RotateAtOnce))
            .ends(APPROVED, polls(0).keys(2)),

        (AcknowledgementLost, Poll) => {
            with(Script::new().every(Endpoint::Backchannel, Act::DropAfter))
                .ends("indeterminate", polls(0))
        }
        (AcknowledgementLost, Ping | Push) => {
            with(Script::new().every(Endpoint::Backchannel, Act::DropAfter))
        }

        (Overtakes | Duplicate | Forged | Withheld, Poll) => return Err(NO_ENDPOINT),
        (Overtakes, Ping | Push) => {
            let late = Act::Delay(Duration::from_secs(2));
            with(
                notified(NotificationEdit::At(Moment::Overtaking))
                    .every(Endpoint::Backchannel, late),
            )
        }
        (Duplicate, Ping | Push) => {
            let later = Act::Delay(Duration::from_secs(30));
            with(copies().nth(Endpoint::Notification, 2, later)).answers(&[204, 204])
        }
        (Forged, Ping | Push) => {
            let first = copies().nth_notification(1, NotificationEdit::At(Moment::Acknowledgement));
            with(first.nth_notification(1, NotificationEdit::Bearer(Bearer::Appended)))
                .answers(&[401, 204])
        }
        // The backstop polls for it.
        (Withheld, Ping) => with(notified(NotificationEdit::Withhold)).answers(&[]),
        (Withheld, Push) => {
            with(notified(NotificationEdit::Withhold)).ends("indeterminate", polls(0)).answers(&[])
        }

        (ProviderLies, Poll) => with(Script::new().id_token(lie)).ends(untrusted, polls(3).keys(1)),
        (ProviderLies, Ping) => with(Script::new().id_token(lie)).ends(untrusted, polls(1).keys(1)),
        (ProviderLies, Push) => {
            with(Script::new().pushed_id_token(lie)).ends(untrusted, polls(0).keys(1))
        }
    })
}

/// After `slow_down`, the n-th answer, there are ten seconds between token requests.
fn calm(row: Scenario, n: usize) -> Scenario {
    row.check(move |provider, _| {
        let found = gaps(provider);
        assert!(found[n..].iter().all(|gap| *gap >= 10_000), "{found:?}");
    })
}

/// OPM-PNG-05
/// OPM-PNG-06
/// OPM-PNG-14
/// OPM-PSH-03
/// OPM-PSH-08
#[test]
fn every_outcome_in_every_mode_is_as_expected_and_breaks_no_rule() {
    let mut excused = Vec::new();
    let mut rows = Vec::new();
    for mode in DeliveryMode::ALL {
        for happens in Happens::ALL {
            match cell(mode, happens) {
                Ok(row) => rows.push(row),
                Err(reason) => excused.push((mode, happens, reason)),
            }
        }
    }
    assert_eq!(rows.len() + excused.len(), 36, "every pair is run or excused");
    assert_eq!(
        excused,
        [
            (DeliveryMode::Poll, Overtakes, NO_ENDPOINT),
            (DeliveryMode::Poll, Duplicate, NO_ENDPOINT),
            (DeliveryMode::Poll, Forged, NO_ENDPOINT),
            (DeliveryMode::Poll, Withheld, NO_ENDPOINT),
            (DeliveryMode::Push, SlowDown, NO_POLL),
        ]
    );
    run(rows);
}

/// Ruling 26, in one mode: a store that fails at any save loses no login and causes no second prompt.
fn at_a_failing_store(mode: DeliveryMode) {
    // Few polls, because the saves of consecutive polls are of the same kind.
    let is_short = |row: &Scenario| row.expected != "expired" || mode != DeliveryMode::Poll;
    let rows: Vec<_> = Happens::ALL
        .into_iter()
        .filter_map(|happens| cell(mode, happens).ok())
        .filter(is_short)
        .collect();
    assert!(rows.len() > 6);
    at_every_save(&rows);
}

/// REQ-AREQ-30a
#[test]
fn a_store_that_fails_at_any_save_loses_nothing_in_poll_mode() {
    at_a_failing_store(DeliveryMode::Poll);
}

/// REQ-AREQ-30a
#[test]
fn a_store_that_fails_at_any_save_loses_nothing_in_ping_mode() {
    at_a_failing_store(DeliveryMode::Ping);
}

/// REQ-AREQ-30a
#[test]
fn a_store_that_fails_at_any_save_loses_nothing_in_push_mode() {
    at_a_failing_store(DeliveryMode::Push);
}

/// OPM-DSC-04
/// OPM-REQ-12
/// OPM-TLS-02
#[test]
fn every_client_authentication_works_in_every_mode() {
    let all = [
        Auth::Key(JwsAlgorithm::Es256),
        Auth::Basic,
        Auth::Post,
        Auth::SecretJwt(JwsAlgorithm::Hs256),
        Auth::None,
        Auth::Certificate,
        Auth::SelfSigned,
    ];
    let mut rows = Vec::new();
    for mode in DeliveryMode::ALL {
        for auth in all {
            let row =
                row(format!("{auth:?} in {mode:?} mode"), Script::new()).mode(mode).auth(auth);
            rows.push(match auth {
                Auth::Certificate | Auth::SelfSigned => row.check(shows_its_certificate),
                _ => row,
            });
        }
    }
    assert_eq!(rows.len(), 21);
    run(rows);
}

/// A client that authenticates with a certificate sends its id and no other credential.
fn shows_its_certificate(provider: &ciba_test_op::Provider, _: Option<&ciba_core::Authentication>) {
    let authenticated = [Endpoint::Backchannel, Endpoint::Token];
    for exchange in provider.exchanges() {
        if !authenticated.contains(&exchange.endpoint) {
            assert_eq!(exchange.certificate, None, "shown to {:?}", exchange.endpoint);
            continue;
        }
        assert!(
            exchange.certificate.is_some() && exchange.origin.is_some(),
            "{:?}",
            exchange.endpoint
        );
        assert_eq!(exchange.parameter("client_id").as_deref(), Some("client-1"));
        for name in ["client_assertion", "client_assertion_type", "client_secret"] {
            assert_eq!(exchange.parameter(name), None);
        }
        assert_eq!(exchange.headers.get("authorization"), None);
    }
}
