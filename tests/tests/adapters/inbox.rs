//! Notifications: from the endpoint through the inbox to the flow, and their answers.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use ciba_core::{
    DeliveryMode, Entropy, Event, Failure, Flow, Policy, Snapshot, Stage,
    config::Lacking,
    http::Headers,
    notification::{Notification, NotificationVerdict},
};
use ciba_tests::adapters::{Saver, each};
use ciba_ureq::DriveError;

use crate::{
    START,
    client::{
        ACKNOWLEDGED, AUTH_REQ_ID, DENIED, PENDING, fields, notified, ping, request,
        without_backstop,
    },
    driver,
    party::Party,
    support::{Act, Server, answer},
};

impl Party {
    /// Returns the verdict on a notification of a flow resumed from the last saved state.
    fn notified_when_resumed(&self, disk: &Disk, token: &str, body: &str) -> NotificationVerdict {
        let kept = disk.kept.lock().unwrap().clone().unwrap();
        let mut resumed = Flow::resume(Arc::clone(&self.config), kept.as_bytes(), START).unwrap();
        resumed
            .notify(&Notification::receive("POST", &fields(token), body.into()).unwrap(), START)
            .verdict()
    }
}

fn denial(id: &str) -> String {
    format!(r#"{{"auth_req_id":"{id}","error":"access_denied"}}"#)
}

/// REQ-PING-22
/// REQ-PING-03
/// REQ-PING-05
/// REQ-PING-12
/// REQ-PING-13a
/// OPM-PNG-02
/// OPM-PNG-03
/// OPM-PNG-04
/// OPM-PNG-09
/// OPM-PNG-11
/// OPM-PNG-12
#[test]
fn every_call_is_answered_as_the_table_says_without_a_body() {
    each(|adapter| {
        let party = Party::new(
            adapter,
            [answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)],
            DeliveryMode::Ping,
        );
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();

        let good = fields(&token);
        let with = |name: &'static str, value: &str| {
            let others = good
                .iter()
                .filter(|(known, _)| *known != name)
                .map(|(name, value)| (name, value.to_owned()));
            others.chain([(name, value.to_owned())]).collect::<Headers>()
        };
        let without = [("content-type", "application/json")].into_iter().collect::<Headers>();
        let twice: Headers = good.iter().chain(good.iter()).collect();
        let stranger = format!("{}{}", &"A".repeat(22), &token[22..]);
        let large = "[".repeat(20 * 1024);
        let huge = " ".repeat(Notification::MAX_BODY + 1);
        let right = ping(AUTH_REQ_ID);
        let wrong = ping("another");
        let table = [
            ("GET", good.clone(), right.as_str(), 405),
            ("HEAD", good.clone(), "", 405),
            ("PUT", good.clone(), &right, 405),
            ("GET", without.clone(), "", 405),
            ("POST", without.clone(), &right, 401),
            ("POST", twice, &right, 401),
            ("POST", with("authorization", "Basic YTpi"), &right, 401),
            ("POST", with("authorization", "Bearer "), &right, 401),
            ("POST", with("authorization", &format!("Bearer {token}x")), &right, 401),
            (
                "POST",
                with("authorization", &format!("Bearer {}", &token[..token.len() - 1])),
                &right,
                401,
            ),
            ("POST", with("authorization", &format!("Bearer {stranger}")), &right, 401),
            ("POST", with("authorization", "Bearer short"), &right, 401),
            ("POST", without, &huge, 401),
            ("POST", good.clone(), &huge, 413),
            ("POST", good.clone(), &large, 413),
            ("POST", with("content-type", "text/plain"), &right, 415),
            ("POST", with("content-type", "application/x-www-form-urlencoded"), &right, 415),
            ("POST", good.clone(), "", 400),
            ("POST", good.clone(), "no json", 400),
            ("POST", good.clone(), "[]", 400),
            ("POST", good.clone(), "{}", 400),
            ("POST", good.clone(), r#"{"auth_req_id":""}"#, 400),
            ("POST", good.clone(), r#"{"auth_req_id":7}"#, 400),
            ("POST", good.clone(), &wrong, 401),
        ];
        for (method, headers, body, status) in table {
            let reply = party.call(method, &headers, body);
            let header = match status {
                401 => Some(("www-authenticate", "Bearer")),
                405 => Some(("allow", "POST")),
                _ => None,
            };
            let shown = &body[..body.len().min(40)];
            assert_eq!(
                (reply.status, reply.header),
                (status, header),
                "{method} {headers:?} {shown}"
            );
        }
        assert_eq!(
            (party.server.requests().len(), party.flow.stage()),
            (1, Stage::Pending),
            "one of them did something"
        );

        let reply = party.call("POST", &good, &right);
        assert_eq!((reply.status, reply.header), (204, None));
        drive.ends().unwrap();
    });
}

/// REQ-PING-08
/// REQ-POLL-25
/// REQ-PING-09
/// OPM-PNG-01
/// OPM-PNG-14
#[test]
fn a_ping_wakes_the_drive_and_only_the_token_endpoint_is_trusted() {
    each(|adapter| {
        let party = Party::new(
            adapter,
            [answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)],
            DeliveryMode::Ping,
        );
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        assert_eq!(party.post(&token, &ping(AUTH_REQ_ID)), 204);
        drive.ends().unwrap();
        assert_eq!(drive.events.recv(), Ok(Event::Notified));
        assert_eq!(party.server.requests().len(), 2);
        assert!(matches!(party.flow.finish(), Err(Failure::Denied(_))));
    });
}

/// REQ-PUSH-19
/// REQ-PUSH-21
#[test]
fn a_pushed_refusal_ends_the_flow_without_a_token_request() {
    each(|adapter| {
        let party = Party::new(adapter, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Push);
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        assert_eq!(party.post(&token, &denial(AUTH_REQ_ID)), 204);
        drive.ends().unwrap();
        assert_eq!(party.server.requests().len(), 1);
        assert!(matches!(party.flow.finish(), Err(Failure::Denied(_))));
    });
}

/// REQ-PING-07
/// REQ-PING-15
#[test]
fn a_notification_is_answered_at_once_while_the_token_endpoint_hangs() {
    each(|adapter| {
        let party = Party::new(
            adapter,
            [answer(200, "", ACKNOWLEDGED), Act::Stall(Vec::new())],
            DeliveryMode::Ping,
        );
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        assert_eq!(party.post(&token, &ping(AUTH_REQ_ID)), 204);
        party.requests(2);
        for _ in 0..5 {
            let before = Instant::now();
            assert_eq!(party.post(&token, &ping(AUTH_REQ_ID)), 204);
            assert!(before.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(party.server.requests().len(), 2);
    });
}

/// Keeps the last state, unless told to fail.
#[derive(Clone, Default)]
struct Disk {
    kept: Arc<Mutex<Option<Snapshot>>>,
    is_full: Arc<AtomicBool>,
}

impl Saver for Disk {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::Error::other("disk full"));
        }
        *self.kept.lock().unwrap() = Some(snapshot.clone());
        Ok(())
    }
}

/// REQ-PUSH-16
#[test]
fn a_notification_is_acknowledged_only_after_it_is_saved() {
    each(|adapter| {
        for (mode, body) in
            [(DeliveryMode::Ping, ping(AUTH_REQ_ID)), (DeliveryMode::Push, denial(AUTH_REQ_ID))]
        {
            let disk = Disk::default();
            let party = Party::saved(adapter, disk.clone(), [Act::Stall(Vec::new())], mode);
            let _drive = party.drive();
            let token = party.token();

            disk.is_full.store(true, Ordering::SeqCst);
            assert_eq!(party.post(&token, &body), 503);
            assert_eq!(party.post(&token, &body), 503, "it was not saved since");
            disk.is_full.store(false, Ordering::SeqCst);
            assert_eq!(party.post(&token, &body), 204);

            assert_eq!(
                party.notified_when_resumed(&disk, &token, &body),
                NotificationVerdict::Known
            );
        }
    });
}

/// A push that ends the flow leaves no drive that could save it later.
///
/// REQ-PUSH-16
#[test]
fn a_pushed_outcome_is_saved_before_the_drive_ends() {
    each(|adapter| {
        let disk = Disk::default();
        let party = Party::saved(
            adapter,
            disk.clone(),
            [answer(200, "", ACKNOWLEDGED)],
            DeliveryMode::Push,
        );
        let (mut drive, body) = (party.drive(), denial(AUTH_REQ_ID));
        let token = party.token();
        drive.waits();
        disk.is_full.store(true, Ordering::SeqCst);
        assert_eq!(party.post(&token, &body), 503);
        drive.ends().unwrap();
        disk.is_full.store(false, Ordering::SeqCst);
        party.drive().ends().unwrap();
        assert_eq!(party.notified_when_resumed(&disk, &token, &body), NotificationVerdict::Known);
    });
}

/// Delays the second save until it is released, and checks that saves never overlap.
#[derive(Clone)]
struct Gate {
    disk: Disk,
    saves: Arc<AtomicUsize>,
    is_saving: Arc<AtomicBool>,
    reached: Sender<()>,
    open: Arc<Mutex<Receiver<()>>>,
}

impl Saver for Gate {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        assert!(!self.is_saving.swap(true, Ordering::SeqCst), "two saves at once");
        if self.saves.fetch_add(1, Ordering::SeqCst) == 1 {
            self.reached.send(()).unwrap();
            self.open.lock().unwrap().recv().unwrap();
        }
        self.disk.save(snapshot)?;
        self.is_saving.store(false, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_notification_that_comes_during_a_save_is_saved_after_it() {
    each(|adapter| {
        let ((reached, reaching), (opening, open)) = (channel(), channel());
        let gate = Gate {
            disk: Disk::default(),
            saves: Arc::default(),
            is_saving: Arc::default(),
            reached,
            open: Arc::new(Mutex::new(open)),
        };
        let acts = [answer(200, "", ACKNOWLEDGED), Act::Stall(Vec::new())];
        let party = Party::saved(adapter, gate.clone(), acts, DeliveryMode::Ping);
        let _drive = party.drive();
        reaching.recv_timeout(Duration::from_secs(20)).expect("a second save");
        let (token, body) = (party.token(), ping(AUTH_REQ_ID));
        let status = thread::scope(|scope| {
            let post = scope.spawn(|| party.post(&token, &body));
            opening.send(()).unwrap();
            post.join().unwrap()
        });
        assert_eq!(status, 204);
        assert_eq!(
            party.notified_when_resumed(&gate.disk, &token, &body),
            NotificationVerdict::Known
        );
    });
}

/// REQ-PING-15
/// REQ-PUSH-18
/// OPM-PNG-05
#[test]
fn a_notification_for_a_finished_flow_is_acknowledged_without_effect() {
    each(|adapter| {
        for (mode, first) in
            [(DeliveryMode::Ping, ping(AUTH_REQ_ID)), (DeliveryMode::Push, denial(AUTH_REQ_ID))]
        {
            let party =
                Party::new(adapter, [answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)], mode);
            let mut drive = party.drive();
            let token = party.token();
            drive.waits();
            assert_eq!(party.post(&token, &first), 204);
            drive.ends().unwrap();
            let sent = party.server.requests().len();
            assert_eq!(party.post(&token, &first), 204);
            assert_eq!(party.post(&token, &ping("another")), 401);
            assert!(matches!(party.flow.clone().finish(), Err(Failure::Denied(_))));
            assert_eq!(party.post(&token, &first), 204, "the result was accepted");
            for (seconds, status) in [(180, 204), (181, 401)] {
                let now = START.saturating_add(Duration::from_secs(seconds));
                let reply =
                    party.inbox.receive("POST", &fields(&token), first.as_str().into(), now);
                assert_eq!(reply.status, status, "{seconds} s");
            }
            assert_eq!(party.server.requests().len(), sent);
        }
    });
}

#[test]
fn notifications_reach_a_flow_between_two_drives_but_not_a_dropped_flow() {
    each(|adapter| {
        let party = Party::new(
            adapter,
            [answer(200, "", ACKNOWLEDGED), answer(400, "", DENIED)],
            DeliveryMode::Ping,
        );
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        drive.stopped();
        assert_eq!(party.post(&token, &ping(AUTH_REQ_ID)), 204);
        assert_eq!(party.server.requests().len(), 1, "there is no drive");
        party.drive().ends().unwrap();
        assert_eq!(party.server.requests().len(), 2, "it polls immediately");

        let party = Party::new(adapter, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Ping);
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        drive.stopped();
        let Party { inbox, flow, .. } = party;
        drop(flow);
        assert_eq!(
            inbox.receive("POST", &fields(&token), ping(AUTH_REQ_ID).as_str().into(), START).status,
            401
        );
    });
}

/// A push whose first save fails is accepted when repeated, although no drive is left.
#[test]
fn a_push_that_was_not_saved_is_accepted_when_repeated() {
    each(|adapter| {
        let disk = Disk::default();
        let party = Party::saved(
            adapter,
            disk.clone(),
            [answer(200, "", ACKNOWLEDGED)],
            DeliveryMode::Push,
        );
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        disk.is_full.store(true, Ordering::SeqCst);
        assert_eq!(party.post(&token, &denial(AUTH_REQ_ID)), 503);
        drive.ends().unwrap();
        assert_eq!(party.post(&token, &denial(AUTH_REQ_ID)), 503);
        disk.is_full.store(false, Ordering::SeqCst);
        assert_eq!(party.post(&token, &denial(AUTH_REQ_ID)), 204);
        assert_eq!(
            party.notified_when_resumed(&disk, &token, &denial(AUTH_REQ_ID)),
            NotificationVerdict::Known
        );
    });
}

/// REQ-SEC-07
/// REQ-PING-13b
/// OPM-PNG-15
#[test]
fn a_notification_with_the_token_of_one_flow_and_the_id_of_another_is_refused() {
    each(|adapter| {
        let inbox = adapter.inbox();
        let other = ACKNOWLEDGED.replace(AUTH_REQ_ID, "another");
        let acts = |acknowledged: &str| [answer(200, "", acknowledged), answer(400, "", PENDING)];
        let one = Party::at(adapter, &inbox, 1, acts(ACKNOWLEDGED), DeliveryMode::Ping);
        let two = Party::at(adapter, &inbox, 2, acts(&other), DeliveryMode::Ping);
        let (mut drive_one, mut drive_two) = (one.drive(), two.drive());
        let (token_one, token_two) = (one.token(), two.token());
        drive_one.waits();
        drive_two.waits();
        assert_ne!(token_one, token_two);
        assert_eq!(one.post(&token_one, &ping("another")), 401);
        assert_eq!(one.post(&token_two, &ping(AUTH_REQ_ID)), 401);
        let mixed = format!("{}{}", &token_one[..22], &token_two[22..]);
        assert_eq!(one.post(&mixed, &ping(AUTH_REQ_ID)), 401);
        assert_eq!((one.server.requests().len(), two.server.requests().len()), (1, 1));
        assert_eq!(one.post(&token_two, &ping("another")), 204);
        two.requests(2);
        assert_eq!(one.server.requests().len(), 1);
        drive_one.stopped();
        drive_two.stopped();
    });
}

#[test]
fn a_flow_that_waits_for_notifications_is_not_driven_without_an_inbox_or_with_a_full_one() {
    each(|adapter| {
        for (mode, policy, refused) in [
            (DeliveryMode::Push, Policy::default(), true),
            (DeliveryMode::Ping, without_backstop(), true),
            (DeliveryMode::Ping, Policy::default(), false),
        ] {
            let server = Server::start([answer(400, "", r#"{"error":"unknown_user_id"}"#)]);
            let config = notified(&server.url(""), mode, policy);
            let driver = driver(adapter, &config);
            assert_eq!(driver.lacks(), refused.then_some(Lacking::Inbox), "{mode:?}");
            if !refused {
                let flow = Flow::start(
                    Arc::clone(&config),
                    request(),
                    Entropy::from_bytes([1; 32]),
                    START,
                )
                .unwrap();
                driver.drive(&adapter.flow(flow), &mut ()).unwrap();
            }
            assert_eq!(server.connections(), usize::from(!refused));
        }

        let inbox = adapter.inbox_for(1);
        let one =
            Party::at(adapter, &inbox, 1, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Push);
        let two =
            Party::at(adapter, &inbox, 2, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Push);
        let mut drive = one.drive();
        drive.waits();
        assert!(matches!(two.drive().ends(), Err(DriveError::InboxFull)));
        assert_eq!(two.server.connections(), 0);
        drive.stopped();
        let mut drive = two.drive();
        drive.waits();
        drive.stopped();
    });
}

#[test]
fn a_full_inbox_evicts_finished_flows_first() {
    each(|adapter| {
        let inbox = adapter.inbox_for(1);
        let mut tokens = Vec::new();
        for number in 1..=2 {
            let party = Party::at(
                adapter,
                &inbox,
                number,
                [answer(200, "", ACKNOWLEDGED)],
                DeliveryMode::Push,
            );
            let mut drive = party.drive();
            let token = party.token();
            drive.waits();
            assert_eq!(party.post(&token, &denial(AUTH_REQ_ID)), 204);
            drive.ends().unwrap();
            tokens.push((party, token));
        }
        let mut answered = Vec::new();
        for (party, token) in &tokens {
            answered.push(party.post(token, &denial(AUTH_REQ_ID)));
        }
        answered.sort_unstable();
        assert_eq!(answered, [204, 401]);
    });
}

#[test]
fn cancelling_ends_the_drive() {
    each(|adapter| {
        let party = Party::new(adapter, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Push);
        let mut drive = party.drive();
        drive.waits();
        party.flow.cancel(START);
        drive.ends().unwrap();
        assert!(matches!(party.flow.finish(), Err(Failure::Abandoned)));
    });
}

/// REQ-PING-20
#[test]
fn ten_thousand_unknown_tokens_are_not_kept_and_cause_no_request() {
    each(|adapter| {
        let party = Party::new(adapter, [answer(200, "", ACKNOWLEDGED)], DeliveryMode::Ping);
        let mut drive = party.drive();
        let token = party.token();
        drive.waits();
        let before = format!("{:?}", party.inbox);
        for number in 0..10_000 {
            let stranger = format!("{number:022}{}", &token[22..]);
            assert_eq!(party.post(&stranger, &ping(AUTH_REQ_ID)), 401);
        }
        assert_eq!((format!("{:?}", party.inbox), party.server.requests().len()), (before, 1));
        drive.stopped();
    });
}
