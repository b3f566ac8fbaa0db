//! A ping: ask now (CIBA 10.2).

use super::*;

/// REQ-PING-20
#[test]
fn a_ping_has_16_kib_and_a_wrong_token_is_found_before_its_size() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let body = |length: usize| {
        let text = json!({"auth_req_id": ID, "more": ""}).to_string();
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(length - text.len())))
    };
    let call = case.call(&case.token, "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::TooLarge);
    let call = case.call("foreign", "application/json", &body(16 * 1024 + 1));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::Unauthorized);
    let call = case.call(&case.token, "application/json", &body(16 * 1024));
    assert_eq!(case.flow.notify(&call, case.now), Acknowledgement::Accepted);
}

/// REQ-TOK-32
/// REQ-POLL-25
/// REQ-PING-01
/// REQ-PING-05
/// REQ-PING-08
/// REQ-PING-11
/// OPM-PNG-01
/// OPM-PNG-08
#[test]
fn a_ping_is_answered_204_and_the_token_request_follows_at_once() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    case.advance(Duration::from_secs(1));
    let Output::Wait(wait) = case.poll() else { panic!("nothing is due") };
    assert_eq!(*wait.because(), Because::Notification);
    let body = json!({"auth_req_id": ID, "access_token": "ignored", "id_token": "ignored", "error": "ignored"});
    let answer = case.notify(&body);
    assert_eq!((answer, answer.reply().status, answer.reply().header), (Acknowledgement::Accepted, 204, None));
    let (at, (request, ticket)) = (case.now, case.next_request().unwrap());
    assert_eq!(case.now, at, "the rest of the interval need not be waited for");
    assert_eq!(request.url.as_str(), format!("{ISSUER}/token"));
    assert_eq!(parameter(&request, "auth_req_id").as_deref(), Some(ID));
    let body = tokens(case.now);
    case.answer(ticket, 200, &body);
    assert_eq!(case.verdict(), Ok(()));
}

/// REQ-PING-15
/// REQ-PING-17
/// OPM-PNG-13
#[test]
fn only_the_first_ping_skips_the_wait_and_then_the_interval_counts() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    assert_eq!(case.ping(), Acknowledgement::Accepted);
    let revision = case.flow.revision();
    for _ in 0..5 {
        assert_eq!(case.ping(), Acknowledgement::Known);
    }
    assert_eq!(case.flow.revision(), revision, "nothing to save");
    for _ in 0..3 {
        let (_, ticket) = case.next_request().unwrap();
        case.answer(ticket, 400, PENDING);
        let at = case.now;
        assert_eq!(case.ping(), Acknowledgement::Known);
        let (_, ticket) = case.next_request().unwrap();
        let waited = case.now.since(at);
        assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
        case.answer(ticket, 400, PENDING);
    }
}

/// OPM-PNG-16
#[test]
fn a_ping_during_a_request_makes_one_more_after_a_pending_answer_and_never_two_at_once() {
    for (status, answer, at_once) in [(400, PENDING, true), (400, r#"{"error":"slow_down"}"#, false), (503, "", false)]
    {
        let mut case = Case::acknowledged(DeliveryMode::Ping);
        let (_, ticket) = case.next_request().expect("the backstop asks by itself");
        assert_eq!(case.ping(), Acknowledgement::Accepted);
        assert!(matches!(case.poll(), Output::Wait(wait) if *wait.because() == Because::InFlight));
        let at = case.now;
        case.answer(ticket, status, answer);
        let (_, ticket) = case.next_request().unwrap();
        assert_eq!(case.now == at, at_once, "{answer}");
        let at = case.now;
        case.answer(ticket, 400, PENDING);
        assert!(case.next_request().is_some());
        assert!(case.now.since(at) >= Duration::from_secs(5), "skipped once only");
    }
}

/// REQ-PING-16
/// REQ-POLL-24
/// OPM-PNG-06
#[test]
fn without_a_ping_a_flow_asks_every_minute_and_once_shortly_before_the_deadline() {
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let mut asked = Vec::new();
    while let Some((_, ticket)) = case.next_request() {
        asked.push(case.now.since(START).as_secs());
        case.answer(ticket, 400, PENDING);
    }
    assert_eq!(asked, [60, 120, 180, 240, 295]);
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));

    // An interval that reaches past the deadline leaves one request, as in poll mode (ruling 1).
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    case.answer(ticket, 200, &json!({"auth_req_id": ID, "expires_in": 300, "interval": 4000}).to_string());
    let (_, ticket) = case.next_request().expect("one chance");
    assert_eq!(case.now.since(START).as_secs(), 295);
    case.answer(ticket, 400, PENDING);
    assert!(case.next_request().is_none());

    let mut policy = Policy::default();
    policy.ping_backstop = false;
    let mut case = Case::with(DeliveryMode::Ping, policy, AuthRequest::new(Hint::Login("somebody".into())));
    let (_, ticket) = case.next_request().unwrap();
    case.acknowledge(ticket, ID);
    assert!(case.next_request().is_none());
    assert!(matches!(case.flow.finish(), Err(Failure::Expired(None))));
}
