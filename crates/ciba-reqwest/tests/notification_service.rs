//! The notification endpoint over HTTP, mounted into axum as in the example.
#![allow(missing_docs)]

#[path = "support/client.rs"]
mod client;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/notifications_axum.rs"]
mod example;
mod support;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::Router;
use ciba_reqwest::{
    Driver, HttpClient, Inbox, NotificationService, SharedFlow,
    ciba_core::{DeliveryMode, Event, Failure, Flow, Stage, notification::Notification},
    entropy::{EntropySource as _, SystemEntropy},
    http::platform_roots,
};
use client::{
    ACKNOWLEDGED, AUTH_REQ_ID, DENIED, notification_token, notified, ping, request,
    without_backstop,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use support::{Server, answer};
use tokio::{net::TcpListener, sync::mpsc::unbounded_channel, task::spawn_blocking};
use tower_service::Service as _;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example::serve(listener, app));
    address
}

/// Sends these bytes and gives the status and the head of the answer.
async fn call(address: SocketAddr, bytes: String) -> (u16, String) {
    call_and(address, bytes, |_| {}).await
}

async fn call_and(address: SocketAddr, bytes: String, then: fn(&TcpStream)) -> (u16, String) {
    let answer = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        then(&stream);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    });
    let answer = answer.await.unwrap();
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert_eq!(body, "", "a body");
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase())
}

fn written(method: &str, path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: client.example\r\nconnection: close\r\n{fields}content-length: {length}\r\n\r\n{body}"
    )
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n")
}

/// REQ-PING-06
/// REQ-PING-22
/// REQ-FAPI-29
/// REQ-SEC-17
/// OPM-PNG-12
#[tokio::test]
async fn the_mounted_endpoint_answers_as_its_table_says_and_never_redirects() {
    // In between, keys that cannot be had while the person decides stop nothing.
    let acts = [answer(200, "", ACKNOWLEDGED), answer(500, "", ""), answer(400, "", DENIED)];
    let op = Arc::new(Server::start(acts));
    let config = notified(&op.url(""), DeliveryMode::Ping, without_backstop());
    let inbox = Inbox::default();
    let http = HttpClient::new(|| platform_roots().no_proxy()).unwrap();
    let driver = Driver::builder(Arc::clone(&config), http).inbox(&inbox).build().unwrap();
    let now = SystemTime::now().into();
    let flow = SharedFlow::new(
        Flow::start(config, request(), SystemEntropy.draw().unwrap(), now).unwrap(),
    );
    let (sender, mut events) = unbounded_channel();
    let driven = flow.clone();
    let drive = tokio::spawn(async move {
        driver.drive(&driven, &mut |event: &Event| drop(sender.send(event.clone()))).await
    });
    while !matches!(events.recv().await.unwrap(), Event::Waiting(_)) {}
    let token = notification_token(&op.requests()[0]);

    let address = serve(example::app(inbox.clone())).await;
    let nested =
        serve(Router::new().nest_service("/ciba/notify", NotificationService::new(inbox))).await;
    let (good, right) = (bearer(&token), ping(AUTH_REQ_ID));
    let wrong = bearer(&format!("{token}x"));
    // What is too long is not read to its end, so no more of it is sent: closing would reset the
    // connection.
    let declared = format!(
        "POST /ciba/notify HTTP/1.1\r\nhost: c\r\nconnection: close\r\n{good}content-length: 300000\r\n\r\n"
    );
    let chunked = format!(
        "POST /ciba/notify HTTP/1.1\r\nhost: c\r\nconnection: close\r\n{good}transfer-encoding: chunked\r\n\r\n"
    );
    let length = Notification::MAX_BODY + 1;
    let endless = format!("{chunked}{length:x}\r\n{}", " ".repeat(length));
    for (bytes, status, field) in [
        (written("GET", "/ciba/notify", &good, ""), 405, "\r\nallow: post"),
        (written("HEAD", "/ciba/notify", &good, ""), 405, "\r\nallow: post"),
        (written("PUT", "/ciba/notify", &good, &right), 405, "\r\nallow: post"),
        (written("DELETE", "/ciba/notify", "", ""), 405, "\r\nallow: post"),
        (written("POST", "/ciba/notify", "", &right), 401, "\r\nwww-authenticate: bearer"),
        (
            written("POST", &format!("/ciba/notify?access_token={token}"), "", &right),
            401,
            "\r\nwww-authenticate: bearer",
        ),
        (written("POST", "/ciba/notify", &wrong, &right), 401, "\r\nwww-authenticate: bearer"),
        (
            written("POST", "/ciba/notify", &good, &ping("another")),
            401,
            "\r\nwww-authenticate: bearer",
        ),
        (declared, 413, ""),
        (endless, 413, ""),
        (
            written("POST", "/ciba/notify", &good.replace("application/json", "text/html"), &right),
            415,
            "",
        ),
        (written("POST", "/ciba/notify", &good, "[]"), 400, ""),
        (written("POST", "/ciba/notify/", &good, &right), 404, ""),
        (written("POST", "//ciba/notify", &good, &right), 404, ""),
    ] {
        let (got, head) = call(address, bytes.clone()).await;
        assert_eq!(got, status, "{}", &bytes[..bytes.len().min(60)]);
        assert!(head.contains(field), "{head}");
    }
    let hang_up = |stream: &TcpStream| stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(call_and(address, format!("{chunked}100\r\n{{"), hang_up).await.0, 400);
    assert_eq!(
        (op.requests().len(), flow.stage()),
        (2, Stage::Pending),
        "one of them did something"
    );
    assert!(op.requests()[1].starts_with("GET /keys "), "the keys, once");

    // Mounted over everything below it, a trailing slash is the endpoint too.
    assert_eq!(call(nested, written("GET", "/ciba/notify/", &good, "")).await.0, 405);
    assert_eq!(call(nested, written("POST", "/ciba/notify/", &good, &right)).await.0, 204);
    drive.await.unwrap().unwrap();
    assert_eq!(call(address, written("POST", "/ciba/notify", &good, &right)).await.0, 204);
    assert!(matches!(flow.finish(), Err(Failure::Denied(_))));
    assert_eq!(op.requests().len(), 3);
}

/// A call without the token of a flow is answered before its body is there.
///
/// REQ-PING-20
/// REQ-PUSH-01
/// OPM-PSH-05
#[tokio::test]
async fn the_body_of_an_unauthenticated_call_is_not_read() {
    let address = serve(example::app(Inbox::default())).await;
    let token = "A".repeat(65);
    for fields in [String::new(), bearer(&token), bearer("short")] {
        let head = format!(
            "POST /ciba/notify HTTP/1.1\r\nhost: c\r\n{fields}content-length: 1000\r\n\r\n"
        );
        let answer = spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        });
        assert_eq!(answer.await.unwrap(), "HTTP/1.1 401");
    }
}

/// Without a router: whatever calls, the service itself answers.
///
/// REQ-PING-06
/// REQ-PING-22
#[tokio::test]
async fn the_service_can_be_served_by_hyper_directly() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = NotificationService::new(Inbox::default());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let endpoint = endpoint.clone();
            let service =
                service_fn(move |call: hyper::Request<Incoming>| endpoint.clone().call(call));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    let (token, body) = (bearer(&"A".repeat(65)), ping(AUTH_REQ_ID));
    let old = |fields: &str, body: &str| format!("POST / HTTP/1.0\r\n{fields}\r\n{body}");
    for (bytes, status) in [
        (written("OPTIONS", "*", &token, ""), 405),
        (written("TRACE", "/", &token, ""), 405),
        (written("HEAD", "/", &token, ""), 405),
        (written("POST", "http://client.example/ciba/notify/", &token, &body), 401),
        (written("POST", "/..//%2e%2e", &token, &body), 401),
        (written("POST", "/", &[&*token, &*token].concat(), &body), 401),
        (written("POST", "/", "authorization: Bearer \u{e9}\u{1f511}\r\n", &body), 401),
        (written("POST", "/", "authorization:\r\n", &body), 401),
        (
            written(
                "POST",
                "/",
                &format!("authorization: Bearer {}\r\n", "A".repeat(60_000)),
                &body,
            ),
            401,
        ),
        (old(&token, ""), 401),
        (old(&token, &body), 401),
        (old("", ""), 401),
    ] {
        assert_eq!(
            call(address, bytes.clone()).await.0,
            status,
            "{}",
            &bytes.chars().take(60).collect::<String>()
        );
    }
}
