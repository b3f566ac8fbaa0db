//! Notifications that arrive before the acknowledgement, or instead of it.

use super::*;

/// REQ-PING-14a
/// REQ-PING-14b
#[test]
fn a_notification_that_overtakes_the_acknowledgement_counts_when_the_acknowledgement_names_the_same_request()
 {
    for restarted in [false, true] {
        for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
            for id in [ID, OTHER_ID] {
                let (mut case, ticket) = Case::asked(mode);
                let body = if mode == DeliveryMode::Ping {
                    json!({"auth_req_id": ID})
                } else {
                    push(case.now)
                };
                assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
                assert_eq!(case.notify(&body), NotificationVerdict::Known);
                if restarted {
                    let saved = case.flow.snapshot();
                    case.flow =
                        Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), case.now)
                            .unwrap()
                            .in_memory();
                } else {
                    case.advance(Duration::from_secs(1));
                    case.acknowledge(ticket, id);
                }
                let is_ours = restarted || id == ID;
                match (mode, is_ours) {
                    (DeliveryMode::Ping, true) => {
                        let at = case.now;
                        let (_, ticket) = case.next_request().expect("due at once");
                        assert_eq!(case.now, at);
                        let body = tokens(case.now);
                        case.answer(ticket, 200, &body);
                        assert_eq!(case.verdict(), Ok(()));
                    }
                    (_, true) => assert_eq!(case.verdict(), Ok(())),
                    (_, false) => {
                        assert_eq!(case.flow.stage(), Stage::Pending);
                        assert!(
                            matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Notification)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn a_bounded_number_of_early_notifications_with_different_ids_is_kept() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    for number in 0..3 {
        assert_eq!(
            case.notify(&json!({"auth_req_id": format!("{number}")})),
            NotificationVerdict::Accepted
        );
    }
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    for number in 3..100 {
        assert_eq!(
            case.notify(&json!({"auth_req_id": format!("{number}")})),
            NotificationVerdict::Unauthorized
        );
    }
    case.acknowledge(ticket, ID);
    let at = case.now;
    assert!(case.next_request().is_some());
    assert_eq!(case.now, at, "ours is one of them");
}

/// REQ-AREQ-30a
#[test]
fn a_lost_acknowledgement_leaves_ping_and_push_adrift_until_a_notification_names_the_request() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        for restarted in [false, true] {
            let (mut case, ticket) = Case::asked(mode);
            if restarted {
                let saved = case.flow.snapshot();
                case.flow =
                    Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), case.now)
                        .unwrap()
                        .in_memory();
            } else {
                case.flow
                    .handle(ticket.unanswered(Unanswered::Lost(Cause::Unknown)), case.now)
                    .unwrap();
            }
            assert_eq!(case.flow.stage(), Stage::Adrift);
            assert!(
                matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Adrift)
            );
            case.advance(Duration::from_secs(599));
            let body = if mode == DeliveryMode::Ping {
                json!({"auth_req_id": ID})
            } else {
                push(case.now)
            };
            assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
            assert_eq!(case.notify(&body), NotificationVerdict::Known);
            assert_eq!(case.notify(&json!({"auth_req_id": OTHER_ID})).reply().status, 401);
            if mode == DeliveryMode::Ping {
                let (request, ticket) = case.next_request().unwrap();
                assert_eq!(parameter(&request, "auth_req_id").as_deref(), Some(ID));
                let body = tokens(case.now);
                case.answer(ticket, 200, &body);
            }
            assert_eq!(case.verdict(), Ok(()), "{mode:?}");
        }
    }
}

/// REQ-AREQ-30a
#[test]
fn a_flow_adrift_ends_with_an_unknown_outcome_and_repeats_no_request() {
    for (asked, lasts) in [(None, 600), (Some(90), 90)] {
        let mut request = AuthRequest::new(Hint::Login("somebody".into()));
        if let Some(seconds) = asked {
            request = request.requested_expiry(Duration::from_secs(seconds));
        }
        let mut case = Case::with(DeliveryMode::Ping, Policy::default(), request);
        let (_, ticket) = case.next_request().unwrap();
        // An answer of a gateway shows as little as none.
        case.answer(ticket, 502, "");
        assert!(case.next_request().is_none());
        assert_eq!(case.now.since(START).as_secs(), lasts);
        let Err(Failure::Indeterminate(reason)) = case.flow.finish() else { panic!() };
        assert_eq!(reason.lost, LostAnswer::AuthenticationRequest);
        assert_eq!(reason.answer.unwrap().status(), 502);
    }
}

#[test]
fn a_late_acknowledgement_ends_the_state_adrift() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Push);
    case.advance(Duration::from_secs(31));
    assert!(matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Adrift));
    case.acknowledge(ticket, ID);
    assert_eq!(case.flow.stage(), Stage::Pending);
    assert_eq!(case.flow.acknowledgement().unwrap().expires_in, Duration::from_secs(300));
    assert_eq!(case.notify(&json!({"auth_req_id": OTHER_ID})), NotificationVerdict::AnotherRequest);
    let body = push(case.now);
    assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
    assert_eq!(case.verdict(), Ok(()));
}

/// If the requested lifetime applies, it does so whenever the acknowledgement arrives, and after a
/// restart.
#[test]
fn a_requested_expiry_also_applies_to_a_late_acknowledgement() {
    for (counts, is_late, is_restarted, lasts) in [
        (true, false, false, 60),
        (true, true, false, 60),
        (true, true, true, 60),
        (false, true, false, 300),
        (false, true, true, 300),
    ] {
        let config = builder(DeliveryMode::Ping, Policy::default());
        let config = if counts { config.requested_expiry_counts() } else { config };
        let request = AuthRequest::new(Hint::Login("somebody".into()))
            .requested_expiry(Duration::from_secs(60));
        let mut case = Case::of(config.build().unwrap(), request);
        let (_, ticket) = case.next_request().unwrap();
        if is_late {
            case.advance(Duration::from_secs(31));
            assert!(
                matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Adrift)
            );
        }
        if is_restarted {
            resume(&mut case, |_| {});
        }
        case.acknowledge(ticket, ID);
        assert_eq!(case.flow.acknowledgement().unwrap().expires_in, Duration::from_secs(lasts));
        assert_eq!(case.flow.expires_at(), Some(START.saturating_add(Duration::from_secs(lasts))));
    }
}

/// Returns a flow resumed from its snapshot, with changes.
fn resume(case: &mut Case, edit: impl FnOnce(&mut Value)) {
    let mut saved: Value = serde_json::from_slice(case.flow.snapshot().as_bytes()).unwrap();
    edit(&mut saved);
    let text = saved.to_string();
    case.flow = Flow::resume(Arc::clone(case.flow.config()), text.as_bytes(), case.now)
        .unwrap()
        .in_memory();
}

/// Only the provider has the notification token, so a report that the request was not sent is
/// wrong.
///
/// REQ-AREQ-30a
#[test]
fn a_request_that_a_notification_answers_is_not_sent_again() {
    for is_early in [true, false] {
        for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
            let (mut case, ticket) = Case::asked(mode);
            let body = if mode == DeliveryMode::Ping {
                json!({"auth_req_id": ID})
            } else {
                push(case.now)
            };
            if is_early {
                assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
            }
            case.flow
                .handle(ticket.unanswered(Unanswered::NotSent(Cause::Unknown)), case.now)
                .unwrap();
            if !is_early {
                assert_eq!(case.notify(&body), NotificationVerdict::Accepted);
            }
            if mode == DeliveryMode::Ping {
                let (request, ticket) = case.next_request().unwrap();
                assert!(request.url.as_str().ends_with("/token"), "the person was prompted twice");
                let body = tokens(case.now);
                case.answer(ticket, 200, &body);
            }
            assert_eq!(case.verdict(), Ok(()));
        }
    }
}

#[test]
fn an_answer_of_the_token_endpoint_is_not_a_late_acknowledgement() {
    let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
    let saved = case.flow.snapshot();
    case.acknowledge(ticket, ID);
    let (_, ticket) = case.next_request().unwrap();
    case.flow = Flow::resume(Arc::clone(case.flow.config()), saved.as_bytes(), case.now)
        .unwrap()
        .in_memory();
    case.answer(ticket, 400, PENDING);
    assert_eq!(case.flow.stage(), Stage::Adrift);
}

/// REQ-ACK-06
#[test]
fn an_invalid_auth_req_id_of_a_notification_is_not_adopted() {
    for id in ["a\nb", &"x".repeat(8193), "\u{e9}"] {
        let (mut case, ticket) = Case::asked(DeliveryMode::Ping);
        case.flow.handle(ticket.unanswered(Unanswered::Lost(Cause::Unknown)), case.now).unwrap();
        assert_eq!(case.notify(&json!({"auth_req_id": id})), NotificationVerdict::Malformed);
        assert_eq!(case.flow.stage(), Stage::Adrift);
    }
}

/// REQ-PUSH-19
#[test]
fn no_snapshot_makes_a_push_client_request_tokens() {
    for in_flight in [false, true] {
        let mut case = Case::acknowledged(DeliveryMode::Push);
        resume(&mut case, |saved| {
            saved["phase"]["pending"]["due"] = json!(0);
            saved["phase"]["pending"]["in_flight"] = json!(in_flight);
        });
        assert!(case.next_request().is_none(), "in flight: {in_flight}");
    }
}

#[test]
fn a_wait_for_a_notification_is_named_after_a_restart_and_after_the_backstop() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let mut case = Case::acknowledged(mode);
        resume(&mut case, |_| ());
        assert!(
            matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Notification)
        );
    }
    let mut case = Case::acknowledged(DeliveryMode::Ping);
    let (_, ticket) = case.next_request().unwrap();
    case.answer(ticket, 400, PENDING);
    assert!(
        matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Notification)
    );
    assert_eq!(case.ping(), NotificationVerdict::Accepted);
    let (_, ticket) = case.next_request().unwrap();
    case.answer(ticket, 400, PENDING);
    assert!(matches!(case.poll(), Output::Wait(wait) if *wait.reason() == WaitReason::Interval));
}
