//! A ping means "ask now" (CIBA 10.2).

use super::*;

/// REQ-PING-20
#[test]
fn a_ping_has_at_most_16_kib_and_its_token_is_checked_first() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let body = |length: usize| {
        let text = json!({"auth_req_id": ID, "more": ""}).to_string();
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(length - text.len())))
    };
    let call = case.call(&case.token, "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now).verdict(), NotificationVerdict::TooLarge);
    let call = case.call("foreign", "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now).verdict(), NotificationVerdict::Unauthorized);
    let call = case.call(&case.token, "application/json", &body(16 * 1024));
    assert_eq!(case.flow.notify(&call, case.now).verdict(), NotificationVerdict::Accepted);
}

/// REQ-TOK-32
/// REQ-POLL-25
/// REQ-PING-01
/// REQ-PING-05
/// REQ-PING-08
/// REQ-PING-11
/// OPM-PNG-01
#[test]
fn a_ping_is_answered_204_and_the_token_request_follows_at_once() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    case.advance(Duration::from_secs(1));
    let Output::Wait(wait) = case.poll() else { panic!("nothing is due") };
    assert_eq!(*wait.reason(), WaitReason::Notification);
    let body =
        json!({"auth_req_id": ID, "token_type": "ignored", "id_token": null, "error": "ignored"});
    let answer = case.notify(&body);
    assert_eq!(
        (answer, answer.reply().status, answer.reply().header),
        (NotificationVerdict::Accepted, 204, None)
    );
    let (at, (request, ticket)) = (case.now, case.next_request().unwrap());
    assert_eq!(case.now, at, "the rest of the interval need not be waited for");
    assert_eq!(request.url.as_str(), format!("{ISSUER}/token"));
    assert_eq!(parameter(&request, "auth_req_id").as_deref(), Some(ID));
    let body = tokens(case.now);
    case.answer(ticket, 200, &body);
    assert_eq!(case.verdict(), Ok(()));
}

/// Tokens in a ping are never accepted. They show that the provider takes this client for one in
/// push mode, and that every token request would fail: a waiting flow ends with this reason, and a
/// flow with a request in flight uses its answer.
///
/// REQ-PING-19a
/// OPM-PNG-08
#[test]
fn tokens_in_a_ping_are_never_used_and_end_a_waiting_flow() {
    for member in ["access_token", "id_token", "refresh_token"] {
        let body = json!({"auth_req_id": ID, member: "smuggled"});
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        let verdict = case.notify(&body);
        assert_eq!(
            (verdict, verdict.reply().status),
            (NotificationVerdict::Unusable, 400),
            "{member}"
        );
        case.restart();
        let Err(Failure::ProviderMisbehaved(misbehaviour)) = case.verdict() else {
            panic!("{member}")
        };
        assert_eq!(
            (misbehaviour.fault, misbehaviour.endpoint),
            (Fault::AnotherMode, Endpoint::Notification)
        );
        let error = json!({"auth_req_id": ID, member: "smuggled", "error": "access_denied"});
        assert_eq!(
            Case::acknowledged(DeliveryMode::Ping).notify(&error),
            NotificationVerdict::Unusable
        );

        let mut case = Case::acknowledged(DeliveryMode::Ping);
        assert_eq!(case.ping(), NotificationVerdict::Accepted);
        let (_, ticket) = case.next_request().unwrap();
        assert_eq!(case.notify(&body).reply().status, 204);
        let tokens = tokens(case.now);
        case.answer(ticket, 200, &tokens);
        assert!(case.next_request().is_none(), "no further request");
        assert_eq!(case.flow.finish().unwrap().access_token().expose(), "access");
    }
}

/// REQ-PING-15
/// REQ-PING-17
/// OPM-PNG-13
#[test]
fn repeated_pings_in_one_wait_have_no_further_effect() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    let revision = case.flow.revision();
    for _ in 0..5 {
        assert_eq!(case.ping(), NotificationVerdict::Known);
    }
    assert_eq!(case.flow.revision(), revision, "nothing to save");
    for _ in 0..3 {
        let (_, ticket) = case.next_request().unwrap();
        let at = case.now;
        case.answer(ticket, 400, PENDING);
        let (_, ticket) = case.next_request().unwrap();
        let waited = case.now.since(at);
        assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
        case.answer(ticket, 400, PENDING);
    }
}

/// Ruling 30: the provider announces a result, so the rest of the interval is skipped, but it
/// cannot make the client poll without pause.
/// REQ-PING-15
/// REQ-PING-17
/// OPM-PNG-18
#[test]
fn a_ping_after_a_pending_answer_skips_that_wait_too_at_most_five_times() {
    const PAUSE: Duration = Duration::from_secs(2);
    for late in [Duration::ZERO, Duration::from_secs(1), PAUSE, Duration::from_secs(3)] {
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        assert_eq!(case.ping(), NotificationVerdict::Accepted);
        let (_, mut ticket) = case.next_request().unwrap();
        for skipped in 0..8 {
            case.answer(ticket, 400, PENDING);
            let ended = case.now;
            case.advance(late);
            let heeded = skipped < 5;
            let answer =
                if heeded { NotificationVerdict::Accepted } else { NotificationVerdict::Known };
            assert_eq!(
                (case.ping(), case.ping()),
                (answer, NotificationVerdict::Known),
                "{skipped}"
            );
            // A restart does not reset the count.
            case.restart();
            (_, ticket) = case.next_request().unwrap();
            let waited = case.now.since(ended);
            match heeded {
                true => assert_eq!(waited, late.max(PAUSE)),
                false => assert!(waited >= Duration::from_secs(5), "{waited:?}"),
            }
        }
    }
}

/// If the interval applies after a ping as well, no ping shortens it once a request was made.
#[test]
fn the_interval_applies_after_a_ping_if_configured() {
    let policy = || {
        let mut policy = Policy::default();
        policy.ping_keeps_interval = true;
        policy
    };
    let mut case =
        Case::with(DeliveryMode::Ping, policy(), AuthRequest::new(Hint::Login("somebody".into())));
    let (request, ticket) = case.next_request().expect("the authentication request");
    case.token =
        parameter(&request, "client_notification_token").expect("there is a notification token");
    case.acknowledge(ticket, ID);
    case.advance(Duration::from_secs(1));
    // Nothing was asked yet, so there is no interval to respect.
    let first = case.now;
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    let (_, mut ticket) = case.next_request().unwrap();
    assert_eq!(case.now, first);
    for _ in 0..4 {
        case.answer(ticket, 400, PENDING);
        let ended = case.now;
        case.advance(Duration::from_secs(3));
        let _ = case.ping();
        case.restart();
        (_, ticket) = case.next_request().unwrap();
        let waited = case.now.since(ended);
        assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
    }
}

/// Waits that do not follow a pending answer are not shortened: the provider has a problem, or
/// asked for the wait.
/// REQ-PING-17
#[test]
fn a_later_ping_skips_no_wait_after_a_failure() {
    for (status, answer, wait) in [(503, "", 5), (400, r#"{"error":"slow_down"}"#, 10)] {
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        assert_eq!(case.ping(), NotificationVerdict::Accepted);
        let (_, ticket) = case.next_request().unwrap();
        case.answer(ticket, status, answer);
        let ended = case.now;
        assert_eq!(case.ping(), NotificationVerdict::Known);
        assert!(case.next_request().is_some());
        assert!(case.now.since(ended) >= Duration::from_secs(wait));
    }
}

/// OPM-PNG-16
#[test]
fn a_ping_during_a_request_makes_one_more_after_a_pending_answer_and_never_two_at_once() {
    for (status, answer, soon) in
        [(400, PENDING, true), (400, r#"{"error":"slow_down"}"#, false), (503, "", false)]
    {
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        let (_, ticket) = case.next_request().expect("the backstop polls");
        assert_eq!(case.ping(), NotificationVerdict::Accepted);
        assert!(
            matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::InFlight)
        );
        let at = case.now;
        case.answer(ticket, status, answer);
        let (_, ticket) = case.next_request().unwrap();
        assert_eq!(case.now.since(at) == Duration::from_secs(2), soon, "{answer}");
        let at = case.now;
        // The next one as well, while that request is in flight.
        assert_eq!(
            (case.ping(), case.ping()),
            (NotificationVerdict::Accepted, NotificationVerdict::Known)
        );
        case.answer(ticket, 400, PENDING);
        let (_, ticket) = case.next_request().unwrap();
        assert_eq!(case.now.since(at), Duration::from_secs(2));
        let at = case.now;
        case.answer(ticket, 400, PENDING);
        assert!(case.next_request().is_some());
        assert!(case.now.since(at) >= Duration::from_secs(5), "there was no call");
    }
}

/// Pings during a downtime are lost, so a resumed flow polls once, as soon as its interval allows.
/// REQ-PING-16
#[test]
fn a_resumed_flow_polls_once_as_soon_as_its_interval_allows() {
    let seconds = |case: &Case| case.now.since(START).as_secs();
    for backstop in [true, false] {
        for (down, asks_at) in [(1, 5), (3, 5), (5, 5), (43, 43), (200, 200)] {
            let mut policy = Policy::default();
            policy.ping_backstop = backstop;
            let mut case = Case::with(
                DeliveryMode::Ping,
                policy,
                AuthRequest::new(Hint::Login("somebody".into())),
            );
            let (_, ticket) = case.next_request().unwrap();
            case.acknowledge(ticket, ID);
            case.advance(Duration::from_secs(down));
            case.restart();
            let (_, ticket) = case.next_request().expect("it asks");
            assert_eq!(seconds(&case), asks_at);
            case.answer(ticket, 400, PENDING);
            let asked = seconds(&case);
            let is_asked = case.next_request().is_some();
            let next = is_asked.then(|| seconds(&case));
            assert_eq!(
                next,
                backstop.then(|| (asked + 60).min(295)),
                "and then it waits for the ping again"
            );
        }
    }
    // The wait that the provider asked for is respected.
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let (_, ticket) = case.next_request().unwrap();
    case.answer_after(ticket, 503, 50);
    let at = case.now;
    case.restart();
    assert!(case.next_request().is_some());
    assert!(case.now.since(at) >= Duration::from_secs(50));
}

/// REQ-PING-16
/// REQ-POLL-24
/// OPM-PNG-06
#[test]
fn a_flow_without_a_ping_polls_every_minute_and_once_shortly_before_the_deadline() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let mut asked = Vec::new();
    while let Some((_, ticket)) = case.next_request() {
        asked.push(case.now.since(START).as_secs());
        case.answer(ticket, 400, PENDING);
    }
    assert_eq!(asked, [60, 120, 180, 240, 295]);
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));

    // With an interval beyond the deadline one request remains, as in poll mode (ruling 1).
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    case.answer(
        ticket,
        200,
        &json!({"auth_req_id": ID, "expires_in": 300, "interval": 4000}).to_string(),
    );
    let (_, ticket) = case.next_request().expect("one chance");
    assert_eq!(case.now.since(START).as_secs(), 295);
    case.answer(ticket, 400, PENDING);
    assert!(case.next_request().is_none());

    let mut policy = Policy::default();
    policy.ping_backstop = false;
    let mut case =
        Case::with(DeliveryMode::Ping, policy, AuthRequest::new(Hint::Login("somebody".into())));
    let (_, ticket) = case.next_request().unwrap();
    case.acknowledge(ticket, ID);
    assert!(case.next_request().is_none());
    // No request was made, so the outcome is unknown.
    let failure = case.flow.finish().unwrap_err();
    assert!(matches!(failure, Failure::Indeterminate(why) if why.lost == LostAnswer::Notification));
}
