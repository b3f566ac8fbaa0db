//! The notification endpoint over HTTP, on a blocking server as in the example.
#![allow(missing_docs)]

#[path = "../../ciba-reqwest/tests/support/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/notifications_blocking.rs"]
mod example;
#[path = "../../ciba-reqwest/tests/support/mod.rs"]
mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc::channel},
    thread,
    time::{Duration, SystemTime},
};

use ciba_ureq::{
    Driver, HttpClient, Inbox, SharedFlow,
    ciba_core::{DeliveryMode, Event, Failure, Flow, Stage},
    entropy::{EntropySource as _, SystemEntropy},
    http::platform_roots,
};
use client::{
    ACKNOWLEDGED, AUTH_REQ_ID, DENIED, notification_token, notified, ping, request,
    without_backstop,
};
use support::{Server, answer};

fn serve(inbox: Inbox) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || example::serve(listener, inbox));
    address
}

fn call(address: SocketAddr, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: client.example\r\nconnection: close\r\n{fields}"
    );
    let _ = stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert_eq!(body, "", "a body");
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase())
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n")
}

/// REQ-PING-06
/// REQ-PING-22
/// REQ-FAPI-29
/// REQ-SEC-17
/// OPM-PNG-12
#[test]
fn the_endpoint_answers_as_its_table_says_and_never_redirects() {
    // In between, keys that cannot be had while the person decides stop nothing.
    let acts = [answer(200, "", ACKNOWLEDGED), answer(500, "", ""), answer(400, "", DENIED)];
    let op = Server::start(acts);
    let config = notified(&op.url(""), DeliveryMode::Ping, without_backstop());
    let inbox = Inbox::default();
    let http = HttpClient::new(|| platform_roots().proxy(None)).unwrap();
    let driver = Driver::builder(Arc::clone(&config), http).inbox(&inbox).build().unwrap();
    let now = SystemTime::now().into();
    let flow = SharedFlow::new(
        Flow::start(config, request(), SystemEntropy.draw().unwrap(), now).unwrap(),
    );
    let (sender, events) = channel();
    let driven = flow.clone();
    let drive = thread::spawn(move || {
        driver.drive(&driven, &mut |event: &Event| drop(sender.send(event.clone())))
    });
    while !matches!(events.recv().unwrap(), Event::Waiting(_)) {}
    let token = notification_token(&op.requests()[0]);

    let address = serve(inbox);
    let (good, right) = (bearer(&token), ping(AUTH_REQ_ID));
    let wrong = bearer(&format!("{token}x"));
    let huge = " ".repeat(300 * 1024);
    for (method, path, fields, body, status, field) in [
        ("GET", "/ciba/notify", good.as_str(), "", 405, "\r\nallow: post"),
        ("HEAD", "/ciba/notify", &good, "", 405, "\r\nallow: post"),
        ("PUT", "/ciba/notify", &good, &right, 405, "\r\nallow: post"),
        ("POST", "/ciba/notify", "", &right, 401, "\r\nwww-authenticate: bearer"),
        ("POST", "/ciba/notify", &wrong, &right, 401, "\r\nwww-authenticate: bearer"),
        ("POST", "/ciba/notify", &good, &ping("another"), 401, "\r\nwww-authenticate: bearer"),
        ("POST", "/ciba/notify", &good, &huge, 413, ""),
        ("POST", "/ciba/notify", &good, "[]", 400, ""),
        ("POST", "/ciba/notify/", &good, &right, 404, ""),
        ("POST", "//ciba/notify", &good, &right, 404, ""),
    ] {
        let (got, head) = call(address, method, path, fields, body);
        assert_eq!(got, status, "{method} {path} {}", &body[..body.len().min(30)]);
        assert!(head.contains(field), "{head}");
    }
    assert_eq!(
        (op.requests().len(), flow.stage()),
        (2, Stage::Pending),
        "one of them did something"
    );
    assert!(op.requests()[1].starts_with("GET /keys "), "the keys, once");

    assert_eq!(call(address, "POST", "/ciba/notify", &good, &right).0, 204);
    drive.join().unwrap().unwrap();
    assert_eq!(call(address, "POST", "/ciba/notify", &good, &right).0, 204);
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(op.requests().len(), 3);
}

/// Callers who announce a body and send none hold up nobody, and get their answer before they send
/// it.
///
/// REQ-PING-20
/// OPM-PSH-05
#[test]
fn the_body_of_an_unauthenticated_call_is_not_read() {
    let address = serve(Inbox::default());
    let open: Vec<TcpStream> = (0..40)
        .map(|n| {
            let mut stream = TcpStream::connect(address).unwrap();
            // Half of them do not even finish the head.
            let end = if n % 2 == 0 { "\r\n" } else { "" };
            let fields = bearer(&"A".repeat(65));
            write!(
                stream,
                "POST /ciba/notify HTTP/1.1\r\nhost: c\r\n{fields}content-length: 1000\r\n{end}"
            )
            .unwrap();
            stream
        })
        .collect();
    assert_eq!(
        call(address, "POST", "/ciba/notify", &bearer(&"B".repeat(65)), &ping(AUTH_REQ_ID)).0,
        401
    );
    for mut stream in open.into_iter().step_by(2) {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }
}
