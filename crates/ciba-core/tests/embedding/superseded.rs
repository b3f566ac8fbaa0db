//! A flow that two processes have: ruling 44.

use super::*;

/// Ruling 44: a flow that another process continues stops and leaves notifications to it.
#[test]
fn a_flow_that_another_process_continues_does_nothing_more() {
    for mode in [DeliveryMode::Ping, DeliveryMode::Push] {
        let (mut flow, token) = waiting(mode);
        let superseded = save(&mut flow, START).superseded();
        flow.handle(superseded, START).unwrap();
        assert!(matches!(flow.unsaved(START), Unsaved::Nothing));
        assert!(matches!(flow.poll(START, entropy(2)), Output::Done));
        let called = received(&token, &denial());
        let mut receipt = flow.notify(&called, START);
        let said = flow.acknowledge(&mut receipt, START);
        assert!(matches!(said, Receiving::Reply(NotificationVerdict::Unsaved)), "{said:?}");
        let spent = flow.spent_key().expect("its notifications are still expected");
        assert_eq!(spent.notify(&called, START), NotificationVerdict::Unsaved);
        // Resumed by mistake, it does not replace the state of the other process.
        let config = Arc::clone(flow.config());
        let mut again = Flow::resume(config, flow.snapshot().as_bytes(), START).unwrap();
        assert!(matches!(again.poll(START, entropy(3)), Output::Done));
        for flow in [flow, again] {
            let failure = flow.finish().unwrap_err();
            assert_eq!((&failure, failure.may_start_over()), (&Failure::Superseded, false));
        }
    }
}

/// Ruling 44: whichever of two processes saves first prompts; the other one cannot, and writes that
/// one of them left behind replace nothing.
#[test]
fn of_two_processes_that_resumed_one_unsent_flow_only_the_first_to_save_prompts() {
    let config = config(BASE, ClientAuth::None);
    let resume = |bytes: &[u8], millis| {
        let now = START.saturating_add(Duration::from_millis(millis));
        Flow::resume(Arc::clone(&config), bytes, now).unwrap()
    };
    // Before it is polled: the state that the first poll saves says that the request is in flight.
    let unsent = start(&config).durable().snapshot();
    assert!(unsent.replaces(None));
    let mut stored = unsent.revision();
    // The time at which each resumes, in milliseconds; a clock may also have been set back.
    for (first, second) in [(10, 20), (20, 10), (0, 0), (3_000, 3_000)] {
        let mut processes = [first, second].map(|at| resume(unsent.as_bytes(), at));
        let [mine, other] = &mut processes;
        let [kept, refused] = [save(mine, after(4)), save(other, after(4))];
        assert!(kept.snapshot().replaces(Some(unsent.revision())));
        assert!(refused.snapshot().replaces(Some(unsent.revision())));
        stored = kept.snapshot().revision();
        assert!(!refused.snapshot().replaces(Some(stored)), "{first} {second}");
        mine.handle(kept.saved(), after(4)).unwrap();
        other.handle(refused.superseded(), after(4)).unwrap();
        assert!(matches!(other.poll(after(4), entropy(2)), Output::Done));
        let sending = sending(mine, after(4));
        mine.handle(sending.answered(json(200, ACKNOWLEDGED)), after(4)).unwrap();
        // Its own later states replace the first one.
        let next = save(mine, after(4));
        assert!(next.snapshot().replaces(Some(stored)));
        stored = next.snapshot().revision();
    }
    // An acknowledged flow prompts nobody, so the process that resumed it last continues it.
    let acknowledged = {
        let mut flow = resume(unsent.as_bytes(), 5_000);
        let kept = save(&mut flow, after(5));
        flow.handle(kept.saved(), after(5)).unwrap();
        let sending = sending(&mut flow, after(5));
        flow.handle(sending.answered(json(200, ACKNOWLEDGED)), after(5)).unwrap();
        flow.snapshot()
    };
    assert!(acknowledged.revision() > stored);
    let earlier = resume(acknowledged.as_bytes(), 6_000).snapshot();
    let later = resume(acknowledged.as_bytes(), 7_000).snapshot();
    assert!(later.replaces(Some(earlier.revision())) && !earlier.replaces(Some(later.revision())));
}

/// A flow in ping mode with a token request to send, and a save for a ping.
fn pinged_during_a_request() -> (Flow, Transmit, Save, Timestamp) {
    let (mut flow, token) = waiting(DeliveryMode::Ping);
    let (mut now, mut counter) = (START, 9);
    let transmit = loop {
        counter += 1;
        match flow.poll(now, entropy(counter)) {
            Output::Save(save) => flow.handle(save.saved(), now).unwrap(),
            Output::Wait(wait) => now = wait.until(),
            Output::Transmit(transmit) => break transmit,
            Output::KeySet(_) => {}
            other => panic!("{other:?}"),
        }
    };
    let mut receipt = flow.notify(&received(&token, &ping(AUTH_REQ_ID)), now);
    let Receiving::Save(save) = flow.acknowledge(&mut receipt, now) else { panic!("a save") };
    (flow, transmit, save, now)
}

/// Ruling 44: a request that has not begun is not sent, and the answer to one that has is not lost.
#[test]
fn a_flow_that_another_process_continues_loses_no_tokens() {
    let (mut flow, transmit, save, now) = pinged_during_a_request();
    flow.handle(save.superseded(), now).unwrap();
    assert!(flow.begin(transmit, now).is_none());
    assert_eq!(flow.finish().unwrap_err(), Failure::Superseded);

    let tokens =
        r#"{"access_token":"a","token_type":"Bearer","id_token":"eyJhbGciOiJSUzI1NiJ9.e30.AA"}"#;
    let pending = r#"{"error":"authorization_pending"}"#;
    for (status, body, stage) in [(200, tokens, Stage::Verifying), (400, pending, Stage::Settled)] {
        let (mut flow, transmit, save, now) = pinged_during_a_request();
        let sending = flow.begin(transmit, now).unwrap();
        flow.handle(save.superseded(), now).unwrap();
        assert_eq!(flow.stage(), Stage::Redeeming);
        flow.handle(sending.answered(json(status, body)), now).unwrap();
        assert_eq!(flow.stage(), stage);
        let output = flow.poll(now, entropy(2));
        match stage {
            Stage::Verifying => assert!(matches!(output, Output::KeySet(_)), "{output:?}"),
            _ => assert_eq!(flow.finish().unwrap_err(), Failure::Superseded),
        }
    }
}
