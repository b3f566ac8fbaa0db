//! Notifications between a restart and the first drive of their flow.

use std::{
    io,
    sync::{Arc, Mutex},
};

use ciba_core::{
    ClientConfig, DeliveryMode, Entropy, Failure, Flow, Output, Snapshot,
    http::{Headers, Response},
    notification::{Notification, NotificationVerdict},
};
use ciba_tests::adapters::{Driver, Inbox, Saver, each};

use crate::{
    START, Standing,
    client::{
        ACKNOWLEDGED, AUTH_REQ_ID, DENIED, fields, notification_token, notified, ping, request,
        without_backstop,
    },
    support::{Server, answer},
};

/// Keeps the last state.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Option<Snapshot>>>);

impl Saver for Disk {
    fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        *self.0.lock().unwrap() = Some(snapshot.clone());
        Ok(())
    }
}

/// Returns a flow that was acknowledged before the restart, and its notification token.
fn before(config: &Arc<ClientConfig>, number: u8) -> (Snapshot, String) {
    let mut flow =
        Flow::start(Arc::clone(config), request(), Entropy::from_bytes([number; 32]), START)
            .unwrap();
    let Output::Transmit(transmit) = flow.poll(START, Entropy::from_bytes([number; 32])) else {
        panic!("a request")
    };
    let sending = flow.begin(transmit, START).unwrap();
    let token = notification_token(&String::from_utf8_lossy(sending.request().body.expose()));
    let headers: Headers = [("content-type", "application/json")].into_iter().collect();
    flow.handle(sending.answered(Response::new(200, headers, ACKNOWLEDGED)), START).unwrap();
    (flow.snapshot(), token)
}

/// Returns the answers to a ping: before its body is read, and of the inbox.
fn call(inbox: &Inbox, token: &str) -> (u16, u16) {
    let (headers, body) = (fields(token), ping(AUTH_REQ_ID));
    let first = inbox.first_look("POST", &headers).map_or_else(|reply| reply.status, |()| 204);
    (first, inbox.receive("POST", &headers, body.as_str().into(), START).status)
}

/// REQ-PING-12
#[test]
fn a_ping_between_a_restart_and_the_first_drive_is_not_refused_and_not_lost() {
    each(|adapter| {
        let server = Server::start([answer(400, "", DENIED)]);
        let config = notified(&server.url(""), DeliveryMode::Ping, without_backstop());
        let ((saved, token), (_, stranger)) = (before(&config, 1), before(&config, 2));
        let inbox = adapter.inbox();
        assert_eq!(call(&inbox, &token), (401, 401), "there was no announcement");
        inbox.not_ready();
        assert_eq!(call(&inbox, &token), (503, 503));
        assert_eq!(call(&inbox, "short"), (401, 401), "no flow has such a token");

        let disk = Disk::default();
        let flow = Flow::resume(Arc::clone(&config), saved.as_bytes(), START).unwrap();
        let flow = adapter.saved_flow(flow, disk.clone());
        inbox.register(&flow, START).unwrap();
        assert_eq!(call(&inbox, &token), (204, 204));
        assert_eq!(call(&inbox, &stranger), (503, 503));
        inbox.ready();
        assert_eq!(call(&inbox, &stranger), (401, 401));
        let kept = disk.0.lock().unwrap().clone().expect("it is saved before it is acknowledged");
        let mut resumed = Flow::resume(Arc::clone(&config), kept.as_bytes(), START).unwrap();
        let notification =
            Notification::receive("POST", &fields(&token), ping(AUTH_REQ_ID).as_str().into())
                .unwrap();
        assert_ne!(
            resumed.notify(&notification, START).verdict(),
            NotificationVerdict::Unauthorized
        );

        // No time passes, so the ping caused the request.
        let driver = Driver::new(&config, adapter.http()).with_clock(Standing).with_inbox(&inbox);
        driver.drive(&flow, &mut ()).unwrap();
        assert_eq!(server.requests().len(), 1);
        assert_eq!(call(&inbox, &token), (204, 204), "it is over, and remembered");
        assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    });
}

#[test]
fn a_registered_flow_without_a_reference_is_evicted() {
    each(|adapter| {
        let config = notified("http://127.0.0.1:9", DeliveryMode::Ping, without_backstop());
        let inbox = adapter.inbox_for(1);
        for number in 1..4 {
            let (saved, token) = before(&config, number);
            let flow =
                adapter.flow(Flow::resume(Arc::clone(&config), saved.as_bytes(), START).unwrap());
            inbox.register(&flow, START).unwrap();
            inbox.register(&flow, START).unwrap();
            drop(flow);
            assert_eq!(call(&inbox, &token), (401, 401));
        }
    });
}
