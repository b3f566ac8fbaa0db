//! What keeps a drive safe is decided by the machine: an embedding that leaves something out, drops
//! a question in the middle or has a store that fails still prompts nobody twice. One test for each
//! decision; the adapters only perform.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/client.rs"]
mod client;
#[path = "embedding/superseded.rs"]
mod superseded;

use std::{sync::Arc, time::Duration};

use ciba_core::{
    ClientAuth, ClientConfig, DeliveryMode, Entropy, Event, Failure, Flow, Input, JwksCache,
    KeySetRequest, Lookup, Output, Policy, Sending, Stage, Timestamp, Transmit,
    config::{Equipment, Lacking},
    error::Setback,
    fault::Cause,
    http::{Endpoint, Headers, Response},
    jose::JwsAlgorithm,
    machine::{Events, Save, Unsaved, WaitReason},
    notification::{Notification, NotificationVerdict, Receiving, Routes},
};
use client::{
    ACKNOWLEDGED, AUTH_REQ_ID, config, fields, notification_token, notified, ping, request,
    without_backstop,
};

const START: Timestamp = Timestamp::from_unix_secs(1_800_000_000);
const BASE: &str = "http://127.0.0.1:9";

fn after(seconds: u64) -> Timestamp {
    START.saturating_add(Duration::from_secs(seconds))
}

fn entropy(byte: u8) -> Entropy {
    Entropy::from_bytes([byte; 32])
}

fn start(config: &Arc<ClientConfig>) -> Flow {
    Flow::start(Arc::clone(config), request(), entropy(7), START).unwrap()
}

fn key_jwt() -> ClientAuth {
    ClientAuth::PrivateKeyJwt { algorithm: JwsAlgorithm::Es256, key_id: None }
}

fn transmit(flow: &mut Flow, now: Timestamp) -> Transmit {
    match flow.poll(now, entropy(1)) {
        Output::Transmit(transmit) => transmit,
        other => panic!("{other:?}"),
    }
}

fn save(flow: &mut Flow, now: Timestamp) -> Save {
    match flow.poll(now, entropy(1)) {
        Output::Save(save) => save,
        other => panic!("{other:?}"),
    }
}

fn sending(flow: &mut Flow, now: Timestamp) -> Sending {
    let transmit = transmit(flow, now);
    flow.begin(transmit, now).expect("it was asked for just now")
}

fn json(status: u16, body: &str) -> Response {
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    Response::new(status, headers, body)
}

/// A flow that is kept by a store and waits for the person, with its notification token.
fn waiting(mode: DeliveryMode) -> (Flow, String) {
    let config = notified(BASE, mode, Policy::default());
    let mut flow = start(&config).durable();
    let first = save(&mut flow, START);
    flow.handle(first.saved(), START).unwrap();
    let sending = sending(&mut flow, START);
    let token = notification_token(&String::from_utf8_lossy(sending.request().body.expose()));
    flow.handle(sending.answered(json(200, ACKNOWLEDGED)), START).unwrap();
    (flow, token)
}

fn received(token: &str, body: &str) -> Notification {
    Notification::receive("POST", &fields(token), body.into()).unwrap()
}

fn denial() -> String {
    format!(r#"{{"auth_req_id":"{AUTH_REQ_ID}","error":"access_denied"}}"#)
}

/// Decisions 1 and 9: what a configuration needs is known before anything is saved or sent.
#[test]
fn the_configuration_names_what_a_driver_lacks() {
    let poll = |auth| config(BASE, auth);
    let none = Equipment::default();
    let all = Equipment { certificate: true, signer: true, dpop_key: true, inbox: true };
    for (config, lacks, has) in [
        (
            poll(ClientAuth::TlsClientAuth),
            Some(Lacking::Certificate),
            Equipment { certificate: true, ..none },
        ),
        (poll(key_jwt()), Some(Lacking::Signer), Equipment { signer: true, ..none }),
        (
            notified(BASE, DeliveryMode::Push, Policy::default()),
            Some(Lacking::Inbox),
            Equipment { inbox: true, ..none },
        ),
        (
            notified(BASE, DeliveryMode::Ping, without_backstop()),
            Some(Lacking::Inbox),
            Equipment { inbox: true, ..none },
        ),
        // The backstop polls it at times anyway.
        (notified(BASE, DeliveryMode::Ping, Policy::default()), None, none),
        (poll(ClientAuth::None), None, none),
    ] {
        assert_eq!(config.lacks(none), lacks);
        assert_eq!((config.lacks(has), config.lacks(all)), (None, None));
    }
}

/// Decision 2, the store: a durable flow hands nothing out that its store does not hold.
#[test]
fn a_durable_flow_cannot_act_before_it_is_saved() {
    let config = config(BASE, ClientAuth::None);
    let mut flow = start(&config).durable();
    // Dropped: what was written is not known, so it is asked again with a higher revision.
    let first = save(&mut flow, START);
    let revision = first.snapshot().revision();
    drop(first);
    let second = save(&mut flow, START);
    assert!(second.snapshot().revision() > revision);
    // Failed: the person may not be prompted, and the flow waits for the store.
    flow.handle(second.failed(), START).unwrap();
    let Output::Wait(wait) = flow.poll(START, entropy(1)) else { panic!("the store is away") };
    assert!(matches!(wait.reason(), WaitReason::Setback(Setback::NotSaved)), "{wait:?}");
    let third = save(&mut flow, wait.until());
    // While it is under way nothing is handed out.
    let Output::Wait(pause) = flow.poll(wait.until(), entropy(1)) else { panic!("a save is open") };
    assert_eq!(*pause.reason(), WaitReason::InFlight);
    flow.handle(third.saved(), wait.until()).unwrap();
    assert_eq!(transmit(&mut flow, wait.until()).endpoint(), Endpoint::BackchannelAuthentication);
}

/// Decision 2, the instant of sending: the request is only had from `begin`, which says no.
#[test]
fn no_request_is_handed_out_after_a_cancel_or_too_late() {
    let config = config(BASE, ClientAuth::None);
    for cancels in [true, false] {
        let mut flow = start(&config);
        let transmit = transmit(&mut flow, START);
        let now = if cancels { START } else { after(90) };
        if cancels {
            flow.cancel(now);
        }
        assert!(flow.begin(transmit, now).is_none());
        assert!(matches!(flow.poll(now, entropy(2)), Output::Done));
        let failure = flow.finish().unwrap_err();
        let is_right = if cancels {
            failure == Failure::Abandoned
        } else {
            matches!(failure, Failure::Unreachable(_))
        };
        assert!(is_right, "{failure:?}");
    }
    // And once more while the connection is made.
    let mut flow = start(&config);
    let id = sending(&mut flow, START).id();
    assert!(!flow.may_send(id, after(90)), "nobody sends it, and it is late");
}

/// Decision 2, between the two: what `poll` hands out may be sent at that instant, however long the
/// store kept it back.
#[test]
fn a_request_delayed_too_long_by_a_slow_store_is_not_handed_out() {
    let in_time = |now: Timestamp, flow: &mut Flow| {
        for turn in 0..20 {
            match flow.poll(now, entropy(turn)) {
                Output::Transmit(transmit) => {
                    let endpoint = transmit.endpoint();
                    assert!(flow.begin(transmit, now).is_some(), "{endpoint:?} after {now}");
                    return Some(endpoint);
                }
                Output::Key(operation) => {
                    flow.handle(operation.answered(vec![1; 64]), now).unwrap();
                }
                Output::Save(save) => flow.handle(save.saved(), now).unwrap(),
                Output::KeySet(_) => {}
                Output::Wait(_) | Output::Done => return None,
            }
        }
        panic!("it does not come to rest")
    };
    // The authentication request: until its signatures are stale (30 s), its limit has passed
    // (60 s), and it is too late to prompt anybody (90 s).
    for auth in [ClientAuth::None, key_jwt()] {
        for seconds in [0, 29, 31, 59, 61, 89, 90, 91, 4000] {
            let mut flow = start(&config(BASE, auth.clone())).durable();
            let save = loop {
                match flow.poll(START, entropy(3)) {
                    Output::Save(save) => break save,
                    Output::Key(operation) => {
                        flow.handle(operation.answered(vec![1; 64]), START).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            };
            flow.handle(save.saved(), after(seconds)).unwrap();
            let sent = in_time(after(seconds), &mut flow);
            assert!(sent.is_none() || seconds < 90, "a person is prompted after {seconds} s");
            assert!(sent.is_some() || seconds > 0, "there was time");
        }
    }
    // A token request: until the deadline of the acknowledgement, 120 s.
    for seconds in [0, 20, 50, 113, 114, 115, 116, 120, 4000] {
        let (mut flow, _) = waiting(DeliveryMode::Ping);
        let mut now = START;
        let save = loop {
            match flow.poll(now, entropy(3)) {
                Output::Save(save) if flow.stage() == Stage::Redeeming => break save,
                Output::Save(save) => flow.handle(save.saved(), now).unwrap(),
                Output::Wait(wait) => now = wait.until(),
                Output::KeySet(_) => {}
                other => panic!("{other:?}"),
            }
        };
        now = now.saturating_add(Duration::from_secs(seconds));
        flow.handle(save.saved(), now).unwrap();
        let sent = in_time(now, &mut flow);
        assert!(sent.is_some() || seconds > 0, "there was time");
    }
}

/// Decision 3, a question that is still held: a request that never began was not sent, however long
/// its driver keeps it.
#[test]
fn a_request_that_never_began_times_out_as_not_sent() {
    let mut flow = start(&config(BASE, ClientAuth::None));
    let first = transmit(&mut flow, START);
    let Output::Wait(wait) = flow.poll(START, entropy(2)) else { panic!("it is handed out") };
    // Too late to try it again in time for the person, who was not prompted.
    assert!(matches!(flow.poll(wait.until(), entropy(2)), Output::Done));
    assert!(flow.begin(first, wait.until()).is_none(), "the caller was told that it was not sent");
    assert!(matches!(flow.finish(), Err(Failure::Unreachable(_))));
}

/// Decision 3: the next poll goes on as if what is true had been said.
#[test]
fn a_dropped_output_is_answered_truthfully_at_the_next_poll() {
    let config = config(BASE, key_jwt());
    let signed = |flow: &mut Flow| {
        let Output::Key(operation) = flow.poll(START, entropy(3)) else { panic!("a signature") };
        flow.handle(operation.answered(vec![1; 64]), START).unwrap();
    };

    // A key that was not used is asked again at once, however often, and does not count as away.
    let mut flow = start(&config);
    for answered in [false, true, false, true, false, true] {
        let Output::Key(operation) = flow.poll(START, entropy(3)) else { panic!("at once") };
        if answered {
            drop(operation.answered(vec![1; 64]));
        } else {
            drop(operation);
        }
    }
    signed(&mut flow);

    // An exchange that never began is not sent: it is tried again, after a pause.
    drop(transmit(&mut flow, START));
    let Output::Wait(wait) = flow.poll(START, entropy(3)) else { panic!("it is tried again") };
    assert!(matches!(wait.reason(), WaitReason::Setback(_)), "{wait:?}");
    assert_eq!(flow.stage(), Stage::Authorizing);

    // One that had begun may have arrived, with or without an answer that was given away.
    for answered in [false, true] {
        let mut flow = start(&config);
        signed(&mut flow);
        let sending = sending(&mut flow, START);
        if answered {
            drop(sending.answered(json(200, ACKNOWLEDGED)));
        } else {
            drop(sending);
        }
        assert!(matches!(flow.poll(START, entropy(4)), Output::Done));
        assert!(matches!(flow.finish(), Err(Failure::Indeterminate(_))));
    }

    // A save may have been written or not: it is asked again, whether it was answered or not.
    let mut flow = start(&config).durable();
    let first = save(&mut flow, START);
    let revision = first.snapshot().revision();
    drop(first.saved());
    assert!(save(&mut flow, START).snapshot().revision() > revision);
}

/// A flow that has tokens and no keys.
fn asks_for_keys(config: &Arc<ClientConfig>) -> (Flow, KeySetRequest, Timestamp) {
    let tokens =
        r#"{"access_token":"a","token_type":"Bearer","id_token":"eyJhbGciOiJSUzI1NiJ9.e30.AA"}"#;
    let (mut flow, mut now, mut counter) = (start(config), START, 1);
    loop {
        counter += 1;
        match flow.poll(now, entropy(counter)) {
            Output::Transmit(transmit) => {
                let body = match transmit.endpoint() {
                    Endpoint::BackchannelAuthentication => ACKNOWLEDGED,
                    _ => tokens,
                };
                let sending = flow.begin(transmit, now).unwrap();
                flow.handle(sending.answered(json(200, body)), now).unwrap();
            }
            Output::Wait(wait) => now = wait.until(),
            Output::KeySet(request) if request.within().is_some() => {}
            Output::KeySet(request) => return (flow, request, now),
            other => panic!("{other:?}"),
        }
    }
}

/// Decisions 3 and 4: a question for keys that is dropped is asked again; and one question causes
/// one fetch, though another was due by the time that the first one failed.
#[test]
fn a_request_for_keys_causes_one_fetch_and_is_made_again_when_dropped() {
    let config = config(BASE, ClientAuth::None);
    let (mut flow, request, now) = asks_for_keys(&config);
    drop(request);
    let Output::KeySet(mut request) = flow.poll(now, entropy(9)) else { panic!("at once") };

    let mut cache = JwksCache::new(&config);
    let Lookup::Fetch(transmit) = cache.lookup(&mut request, now) else { panic!("a fetch") };
    let late = now.saturating_add(Duration::from_secs(3600));
    let failed: Input = transmit.not_sent(Cause::Refused);
    cache.handle(failed, now).unwrap();
    let next = cache.lookup(&mut request, late);
    assert!(matches!(next, Lookup::Unavailable(_)), "{next:?}");
    // Another question may fetch.
    let (_, mut another, _) = asks_for_keys(&config);
    let next = cache.lookup(&mut another, late);
    assert!(matches!(next, Lookup::Fetch(_)), "{next:?}");
}

/// Decision 5: one save at a time, each newer than the one before, and none after the end.
#[test]
fn only_newer_states_are_saved_and_none_after_the_end() {
    let (mut flow, token) = waiting(DeliveryMode::Push);
    let first = save(&mut flow, START);
    // A notification has to wait for the save that is under way.
    let mut receipt = flow.notify(&received(&token, &denial()), START);
    assert!(matches!(flow.acknowledge(&mut receipt, START), Receiving::Wait(_)));
    // So has a driver that stops: the state that it wants saved may be newer.
    assert!(matches!(flow.unsaved(START), Unsaved::Wait(_)), "two saves at once");
    let revision = first.snapshot().revision();
    flow.handle(first.saved(), START).unwrap();
    let Receiving::Save(second) = flow.acknowledge(&mut receipt, START) else { panic!("a save") };
    assert!(second.snapshot().revision() > revision);
    flow.handle(second.saved(), START).unwrap();
    let said = flow.acknowledge(&mut receipt, START);
    assert!(matches!(said, Receiving::Reply(NotificationVerdict::Accepted)), "{said:?}");
    // The end is kept. Whoever waited for it may have removed it meanwhile.
    let mut again = flow.notify(&received(&token, &denial()), START);
    assert!(matches!(flow.acknowledge(&mut again, START), Receiving::Reply(_)));
    flow.advance_revision();
    assert!(matches!(flow.unsaved(START), Unsaved::Nothing));
    assert!(matches!(flow.poll(START, entropy(2)), Output::Done));
}

/// Decision 5, a stop: the last answer is saved although the save of a notification is in progress.
#[test]
fn a_driver_that_stops_during_a_save_saves_the_last_answer_after_it() {
    for fails in [true, false] {
        let (mut flow, token) = waiting(DeliveryMode::Ping);
        let mut now = START;
        let sending = loop {
            match flow.poll(now, entropy(3)) {
                Output::Save(save) => flow.handle(save.saved(), now).unwrap(),
                Output::Wait(wait) => now = wait.until(),
                Output::KeySet(_) => {}
                Output::Transmit(transmit) => break flow.begin(transmit, now).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        let mut receipt = flow.notify(&received(&token, &ping(AUTH_REQ_ID)), now);
        let Receiving::Save(slow) = flow.acknowledge(&mut receipt, now) else { panic!("a save") };
        let denied = json(400, r#"{"error":"access_denied"}"#);
        flow.handle(sending.answered(denied), now).unwrap();
        let Unsaved::Wait(until) = flow.unsaved(now) else { panic!("the end is not saved") };
        assert!(until > now);
        flow.handle(if fails { slow.failed() } else { slow.saved() }, now).unwrap();
        let Unsaved::Save(last) = flow.unsaved(now) else { panic!("the end is not saved") };
        flow.handle(last.saved(), now).unwrap();
        assert!(matches!(flow.unsaved(now), Unsaved::Nothing));
    }
}

/// Decision 2, notifications: none is acknowledged that was not saved.
#[test]
fn a_notification_is_not_acknowledged_before_it_is_saved() {
    for (mode, body) in [(DeliveryMode::Ping, ping(AUTH_REQ_ID)), (DeliveryMode::Push, denial())] {
        let (mut flow, token) = waiting(mode);
        for fails in [true, false] {
            let mut receipt = flow.notify(&received(&token, &body), START);
            let Receiving::Save(save) = flow.acknowledge(&mut receipt, START) else {
                panic!("{mode:?}: it is saved first")
            };
            let answer = if fails { save.failed() } else { save.saved() };
            flow.handle(answer, START).unwrap();
            let Receiving::Reply(said) = flow.acknowledge(&mut receipt, START) else {
                panic!("{mode:?}: one save for one notification")
            };
            assert_eq!(said.reply().status, if fails { 503 } else { 204 }, "{mode:?}");
        }
    }
}

/// Decisions 6 and 7: a flow whose end is not kept stays in the table, since a repeated push makes
/// another save; once it is kept, its key alone is remembered.
#[test]
fn a_key_is_spent_once_the_end_is_saved() {
    for is_saved in [false, true] {
        let (mut flow, token) = waiting(DeliveryMode::Push);
        let key = flow.notification_key().unwrap();
        assert!(flow.spent_key().is_none(), "it is not over");
        let (mut routes, shared) = (Routes::with_capacity(1), Arc::new(()));
        routes.begin(key, &shared, START).unwrap();
        let mut receipt = flow.notify(&received(&token, &denial()), START);
        let Receiving::Save(save) = flow.acknowledge(&mut receipt, START) else { panic!("a save") };
        let answer = if is_saved { save.saved() } else { save.failed() };
        flow.handle(answer, START).unwrap();
        routes.end(&key, &shared, flow.spent_key());
        let (flows, spent) = routes.len();
        assert_eq!((flows, spent), if is_saved { (0, 1) } else { (1, 0) }, "{is_saved}");
        let found = routes.find(&received(&token, &denial()));
        assert_eq!(found.is_some(), !is_saved, "the flow itself answers as long as it must");
        // Its result is taken before this notification was acknowledged.
        let said = routes.after_flow(&receipt, &received(&token, &denial()), START);
        assert_eq!(said.reply().status, if is_saved { 204 } else { 503 });
    }
}

/// Decision 7: a flow that is driven is never evicted, one that is gone goes first, and what is not
/// loaded yet is not refused for good.
#[test]
fn a_full_table_evicts_flows_that_are_not_driven() {
    let keys: Vec<_> = (1..=3)
        .map(|number| {
            let config = notified(BASE, DeliveryMode::Push, Policy::default());
            let flow = Flow::start(config, request(), entropy(number), START).unwrap();
            flow.notification_key().unwrap()
        })
        .collect();
    let flows = [Arc::new(1), Arc::new(2), Arc::new(3)];
    let mut routes = Routes::with_capacity(1);
    routes.begin(keys[0], &flows[0], START).unwrap();
    assert!(routes.begin(keys[1], &flows[1], START).is_err(), "it is driven");
    assert_eq!(routes.len(), (1, 0));
    routes.end(&keys[0], &flows[0], None);
    assert_eq!(routes.len(), (1, 0), "it may be driven again");
    routes.begin(keys[1], &flows[1], START).unwrap();

    // One for one, and the one whose last drive ended first.
    let mut routes = Routes::with_capacity(2);
    for at in [1, 0] {
        routes.begin(keys[at], &flows[at], START).unwrap();
    }
    routes.end(&keys[1], &flows[1], None);
    routes.end(&keys[0], &flows[0], None);
    routes.begin(keys[2], &flows[2], START).unwrap();
    assert_eq!(routes.len(), (2, 0));
    routes.end(&keys[2], &flows[2], None);
    routes.begin(keys[0], &flows[0], START).unwrap();
    assert_eq!(routes.len(), (2, 0), "it was still there");

    // One that is gone goes before one that is between two drives.
    let mut routes = Routes::with_capacity(2);
    let gone = Arc::new(0);
    routes.begin(keys[0], &flows[0], START).unwrap();
    routes.end(&keys[0], &flows[0], None);
    routes.begin(keys[1], &gone, START).unwrap();
    drop(gone);
    routes.begin(keys[2], &flows[2], START).unwrap();
    routes.end(&keys[2], &flows[2], None);
    assert_eq!(routes.len(), (2, 0));

    let stranger = received(&"A".repeat(65), "{}");
    assert_eq!(routes.without_flow(&stranger, START), NotificationVerdict::Unauthorized);
    routes.set_loading(true);
    assert_eq!(routes.without_flow(&stranger, START), NotificationVerdict::NotReady);
}

/// Decision 8: every event once in a drive, and nothing of an earlier one.
#[test]
fn each_event_is_reported_once() {
    let config = config(BASE, ClientAuth::None);
    let mut flow = start(&config);
    let mut events = Events::new(&mut flow);
    let told = |events: &mut Events, flow: &mut Flow, now| {
        let output = flow.poll(now, entropy(1));
        let told: Vec<_> = events.after(flow, &output).collect();
        (told, output)
    };
    let (first, output) = told(&mut events, &mut flow, START);
    let Output::Transmit(transmit) = output else { panic!("{output:?}") };
    assert_eq!(first, [Event::requesting(&transmit)]);
    let sending = flow.begin(transmit, START).unwrap();
    flow.handle(sending.answered(json(200, ACKNOWLEDGED)), START).unwrap();
    let (mut told_of, mut waits) = (Vec::new(), 0);
    for _ in 0..4 {
        let (events, output) = told(&mut events, &mut flow, START);
        told_of.extend(events);
        waits += usize::from(matches!(output, Output::Wait(_)));
    }
    assert!(waits >= 3, "it waits and waits");
    assert!(matches!(&told_of[..], [Event::Acknowledgement(_), Event::Waiting(_)]), "{told_of:?}");
    let mut events = Events::new(&mut flow);
    let (again, _) = told(&mut events, &mut flow, START);
    assert!(matches!(&again[..], [Event::Waiting(_)]), "{again:?}");
}
