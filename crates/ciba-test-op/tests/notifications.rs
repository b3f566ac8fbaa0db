//! The server sends notifications with its own HTTP client.
#![allow(missing_docs)]

mod support;

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use ciba_core::ClientSecret;
use ciba_test_op::{
    Client, ClientAuthentication, NotificationEdit, Notified, Rule, RunningServer, Script,
    TransactionState, VirtualClock,
};
use support::{LOOPBACK, Wire, begin, clock, connect, start};

const TOKEN: (&str, &str) =
    ("client_notification_token", "Gc2hbWVsZXNzLXN0YW5kaW4tc2VjcmV0LWZvci10ZXN0cy0wMTIz");

/// An endpoint that answers what it is told, and what it got: the head and the body.
struct Endpoint {
    address: SocketAddr,
    received: mpsc::Receiver<(String, Vec<u8>)>,
}

fn endpoint(answers: &'static [&'static str]) -> Endpoint {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut wire = Wire::new(stream);
            let got = wire.receive_request();
            wire.stream.write_all(answer.as_bytes()).unwrap();
            sender.send(got).unwrap();
        }
    });
    Endpoint { address, received }
}

fn provider_for(clock: &VirtualClock, endpoint: &str, push: bool) -> RunningServer {
    let secret =
        ClientAuthentication::ClientSecretPost { secret: ClientSecret::new("open sesame") };
    let client = Client::new("notified", secret);
    let client = if push { client.push(endpoint) } else { client.ping(endpoint) };
    start(clock, |config| config.client(client))
}

fn ask(server: &RunningServer, hint: &str) -> serde_json::Value {
    let mut wire = connect(server);
    begin(server, &mut wire, &[("client_id", "notified"), ("login_hint", hint), TOKEN])
}

/// Waits until everything that left is answered, and so many have.
fn answered(server: &RunningServer, count: usize) -> Vec<Notified> {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let provider = server.provider();
        if provider.notified().len() >= count && provider.notifications_under_way() == 0 {
            return provider.notified().to_vec();
        }
        drop(provider);
        assert!(Instant::now() < patience);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_ping_is_sent_at_the_decision_and_its_response_is_recorded() {
    let time = clock();
    let endpoint = endpoint(&["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"]);
    let server = provider_for(&time, &format!("http://{}/cb?flow=1", endpoint.address), false);
    let id = ask(&server, "approve")["auth_req_id"].clone();
    let due = server.provider().next_notification().unwrap();
    time.advance_to(due);
    let notified = answered(&server, 1);
    assert_eq!((notified[0].status, notified[0].sent), (Some(204), due));
    let (head, body) = endpoint.received.recv().unwrap();
    assert!(head.starts_with("POST /cb?flow=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("authorization: Bearer {}\r\n", TOKEN.1)), "{head}");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&body).unwrap(),
        serde_json::json!({ "auth_req_id": id })
    );
    assert!(server.provider().report().is_clean());
}

#[test]
fn a_push_that_is_accepted_counts_as_delivered() {
    let time = clock();
    let endpoint = endpoint(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]);
    let server = provider_for(&time, &format!("http://{}/cb", endpoint.address), true);
    ask(&server, "manual");
    assert!(server.provider().approve(1, ciba_test_op::Clock::now(&time)));
    answered(&server, 1);
    assert!(endpoint.received.recv().unwrap().1.starts_with(b"{"));
    let now = ciba_test_op::Clock::now(&time);
    assert_eq!(server.provider().transactions(now)[0].state, TransactionState::Delivered);
}

#[test]
fn a_redirect_is_reported_and_not_followed() {
    let endpoint = endpoint(&["HTTP/1.1 308 Permanent Redirect\r\nlocation: /cb/\r\n\r\n"]);
    let server = provider_for(&clock(), &format!("http://{}/cb", endpoint.address), false);
    ask(&server, "approve-after:0");
    assert_eq!(answered(&server, 1)[0].status, Some(308));
    let broken: Vec<_> =
        server.provider().violations().iter().map(|violation| violation.rule).collect();
    assert_eq!(broken, [Rule::NotificationRedirect]);
}

#[test]
fn no_other_machine_is_called_and_a_malformed_response_counts_as_none() {
    let server = provider_for(&clock(), "https://192.0.2.1/cb", false);
    ask(&server, "approve-after:0");
    assert_eq!(answered(&server, 1)[0].status, None);
    let endpoint = endpoint(&["nonsense\r\n\r\n"]);
    let server = provider_for(&clock(), &format!("http://{}/cb", endpoint.address), false);
    ask(&server, "approve-after:0");
    assert_eq!(answered(&server, 1)[0].status, None);
}

#[test]
fn copies_are_sent_concurrently_and_one_that_hangs_delays_no_other() {
    let silent = TcpListener::bind(LOOPBACK).unwrap();
    let server =
        provider_for(&clock(), &format!("http://{}/cb", silent.local_addr().unwrap()), false);
    server.provider().script(Script::new().notification(NotificationEdit::Copies(5)));
    ask(&server, "approve-after:0");
    let held: Vec<_> = (0..5).map(|_| silent.accept().unwrap()).collect();
    assert_eq!(server.provider().notifications_under_way(), 5);
    drop(held);
    assert!(answered(&server, 5).iter().all(|notified| notified.status.is_none()));
}

#[test]
fn stopping_does_not_wait_for_an_endpoint_that_hangs() {
    let silent = TcpListener::bind(LOOPBACK).unwrap();
    let server =
        provider_for(&clock(), &format!("http://{}/cb", silent.local_addr().unwrap()), false);
    ask(&server, "approve-after:0");
    let _held = silent.accept().unwrap();
    let before = Instant::now();
    server.stop();
    assert!(before.elapsed() < Duration::from_secs(4));
}
