//! The loopback server, byte by byte and in virtual time.
#![allow(missing_docs)]

mod support;

use std::{
    io::{ErrorKind, Read as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use ciba_core::Timestamp;
use ciba_test_op::{
    Act, Clock as _, Closing, Endpoint, Rule, RunningServer, Script, ScriptedAnswer, Server,
    SystemClock, VirtualClock,
};
use support::{LOOPBACK, START, begin, clock, connect, provider, send_poll, start};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const HOST: &str = "Host: localhost\r\n";

fn scripted(act: Act) -> RunningServer {
    let server = start(&clock(), |config| config);
    server.provider().script(Script::new().every(Endpoint::Discovery, act));
    server
}

/// Waits, without a sleep of its own, until the server waits for an instant.
fn due(server: &RunningServer) -> Timestamp {
    loop {
        if let Some(due) = server.next_due() {
            return due;
        }
        thread::yield_now();
    }
}

#[test]
fn one_connection_carries_many_requests_and_pipelined_ones_in_their_order() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    let first = wire.get(DISCOVERY, HOST);
    assert_eq!((first.status, first.header("content-type")), (200, Some("application/json")));
    assert_eq!(first.json()["issuer"], server.issuer());
    wire.send(&format!(
        "GET /nothing HTTP/1.1\r\n{HOST}\r\nGET {DISCOVERY} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"
    ));
    assert_eq!(wire.receive().unwrap().status, 404);
    let last = wire.receive().unwrap();
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(wire.rest().is_empty());
    assert_eq!(server.provider().exchanges().len(), 3);
}

#[test]
fn a_head_request_has_the_length_but_no_body() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    wire.send(&format!("HEAD {DISCOVERY} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"));
    let all = String::from_utf8(wire.rest()).unwrap();
    assert!(all.contains("content-length: ") && all.ends_with("\r\n\r\n"), "{all}");
}

#[test]
fn unreadable_requests_are_refused_and_never_reach_the_provider() {
    let server = start(&clock(), |config| config);
    let (long, half) = ("a".repeat(70_000), "a".repeat(0x8_0000));
    let chunked =
        |body: &str| format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n{body}");
    let table = [
        (
            format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            501,
        ),
        (
            format!("POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (format!("POST / HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
        (chunked("\r\n"), 400),
        (chunked("x\r\n"), 400),
        (chunked("-1\r\n"), 400),
        (chunked("3\nabc\r\n0\r\n\r\n"), 400),
        (chunked("3\r\nabcd\r\n0\r\n\r\n"), 400),
        (chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), 400),
        (chunked("0\r\nno trailer\r\n\r\n"), 400),
        (chunked("100001\r\n"), 413),
        (chunked("ffffffffffffffff\r\n"), 413),
        (chunked(&format!("80000\r\n{half}\r\n80000\r\n{half}\r\n1\r\n")), 413),
        (chunked(&format!("1;{long}")), 400),
        (chunked(&format!("0\r\nA: {long}\r\n\r\n")), 431),
        (chunked(&format!("0\r\n{}", "a: b\r\n".repeat(200))), 431),
        (format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 1048577\r\n\r\n"), 413),
        (format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 99999999999999999999999\r\n\r\n"), 413),
        (format!("POST / HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400),
        (format!("POST / HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{HOST}X: {long}\r\n\r\n"), 431),
        (format!("GET /{long}"), 431),
        (format!("GET / HTTP/1.1\r\n{HOST}{}\r\n", "a: b\r\n".repeat(200)), 431),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET relative HTTP/1.1\r\n{HOST}\r\n"), 400),
        ("\u{16}\u{3}\u{1} this is no HTTP\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in table {
        let mut wire = connect(&server);
        wire.send(&request);
        let answer = wire.receive().unwrap();
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close")),
            "{request:.80}"
        );
        assert!(wire.rest().is_empty());
    }
    assert!(server.provider().exchanges().is_empty());
}

#[test]
fn a_request_may_arrive_in_pieces_in_absolute_form_and_with_expect_continue() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    for piece in
        ["GE", "T http://localhost/nothing?a=b HT", "TP/1.1\r\nHost: localhost\r", "\n\r\n"]
    {
        wire.send(piece);
    }
    assert_eq!(wire.receive().unwrap().status, 404);
    wire.send(&format!(
        "POST /nothing HTTP/1.1\r\n{HOST}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    ));
    assert_eq!(wire.receive().unwrap().status, 100);
    wire.send("a=b");
    assert_eq!(wire.receive().unwrap().status, 404);
    let provider = server.provider();
    let [first, second] = provider.exchanges() else { panic!("two requests") };
    assert_eq!((first.path.as_str(), second.body.expose()), ("/nothing", &b"a=b"[..]));
}

/// RFC 9112 7.1
#[test]
fn a_body_may_come_in_chunks_with_extensions_and_trailers() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    let head = format!(
        "POST {} HTTP/1.1\r\n{HOST}Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: Chunked\r\n\r\n",
        support::path(&server, Endpoint::Backchannel)
    );
    let form = "client_id=app&client_secret=open+sesame&scope=openid&login_hint=approve";
    let ones: String = form.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    let (front, back) = form.split_at(20);
    let bodies = [
        format!("{:x}\r\n{form}\r\n0\r\n\r\n", form.len()),
        format!(
            "{:04X} ; name=\"a;b\" ;flag\r\n{front}\r\n{:x}\r\n{back}\r\n000\r\n\r\n",
            front.len(),
            back.len()
        ),
        format!("{ones}0;last\r\nDigest: none\r\nX-Trace: 1\r\n\r\n"),
    ];
    // All on one connection: what follows a body is the next request.
    for body in &bodies {
        wire.send(&format!("{head}{body}"));
        assert_eq!(wire.receive().unwrap().status, 200, "{body:.60}");
    }
    wire.send(&bodies.iter().map(|body| format!("{head}{body}")).collect::<String>());
    for _ in &bodies {
        assert_eq!(wire.receive().unwrap().status, 200);
    }
    // Byte by byte, so that no piece ends where a part does.
    for byte in format!("{head}{}", bodies[1]).chars() {
        wire.send(byte.encode_utf8(&mut [0; 4]));
    }
    assert_eq!(wire.receive().unwrap().status, 200);
    let provider = server.provider();
    assert!(provider.exchanges().iter().all(|exchange| exchange.body.expose() == form.as_bytes()));
    assert!(provider.report().is_clean() && provider.exchanges().len() == 7);
}

#[test]
fn the_report_is_read_on_this_machine_at_any_time_as_json() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    let host = format!("Host: {}\r\n", server.address());
    let url = server.report_url();
    let path = url.strip_prefix(&server.issuer()).unwrap();
    let clean = wire.get(path, &host);
    assert_eq!((clean.status, clean.header("content-type")), (200, Some("application/json")));
    assert_eq!(
        (&clean.json()["clean"], &clean.json()["requests"]),
        (&serde_json::json!(true), &serde_json::json!({}))
    );
    let address = server.address().to_string();
    let backchannel = support::path(&server, Endpoint::Backchannel);
    for secret in ["wrong", "open sesame"] {
        wire.form(
            &address,
            &backchannel,
            &[("client_id", "app"), ("client_secret", secret), ("scope", "openid")],
        );
    }
    let report = wire.get(path, &host).json();
    assert_eq!(
        (&report["clean"], &report["mistakes"]),
        (&serde_json::json!(false), &serde_json::json!(2))
    );
    let rules: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].clone())
        .collect();
    assert_eq!(rules, ["credential", "hint"]);
    assert_eq!(report["findings"][1]["client_id"], "app");
    let of = |client: &str| wire_report(&server, &format!("{path}?client_id={client}"), &host);
    assert_eq!(
        (&of("app")["mistakes"], &of("other")["mistakes"]),
        (&serde_json::json!(2), &serde_json::json!(0))
    );
    for (fields, status) in [
        ("Host: evil.example\r\n".to_owned(), 403),
        (format!("{host}Origin: https://evil.example\r\n"), 403),
    ] {
        assert_eq!(connect(&server).get(path, &fields).status, status);
    }
    assert_eq!(connect(&server).form(&address, path, &[]).status, 405);
}

fn wire_report(server: &RunningServer, path: &str, host: &str) -> serde_json::Value {
    connect(server).get(path, host).json()
}

#[test]
fn the_drop_fault_closes_after_the_request_without_a_byte() {
    for act in [Act::DropBefore, Act::DropAfter] {
        let server = scripted(act);
        let mut wire = connect(&server);
        wire.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
        assert_eq!(wire.rest(), b"");
        let provider = server.provider();
        assert!(provider.exchanges()[0].lost && provider.exchanges()[0].ended == Some(START));
    }
}

/// Polls on a connection that the server ends in this way, and says what the client sees of a second
/// poll on it: nothing but an end of the connection, or an error.
fn polls_twice(closing: Closing) -> (RunningServer, Result<usize, ErrorKind>) {
    let server = start(&clock(), |config| config);
    server.provider().script(Script::new().every(Endpoint::Token, Act::Close(closing)));
    let mut wire = connect(&server);
    let acknowledgement = begin(&server, &mut wire, &[("login_hint", "approve")]);
    send_poll(&server, &mut wire, &acknowledgement);
    let pending = wire.receive().unwrap();
    assert_eq!(pending.json()["error"], "authorization_pending");
    let says_so = pending.header("connection") == Some("close");
    assert_eq!(says_so, closing == Closing::Announced, "{closing:?}");
    if matches!(closing, Closing::AtNextByte | Closing::InNextRequest | Closing::GoAway) {
        send_poll(&server, &mut wire, &acknowledgement);
        while server.provider().exchanges().len() < 3 {
            thread::yield_now();
        }
    }
    let seen = wire.stream.read(&mut [0]).map_err(|error| error.kind());
    (server, seen)
}

#[test]
fn a_poll_on_a_kept_connection_that_ends_is_recorded_and_not_served() {
    for closing in Closing::ALL {
        let (server, seen) = polls_twice(closing);
        let resets = matches!(closing, Closing::InNextRequest | Closing::GoAway);
        assert_eq!(seen, if resets { Err(ErrorKind::ConnectionReset) } else { Ok(0) });
        let provider = server.provider();
        let polls: Vec<_> =
            provider.exchanges().iter().filter(|it| it.endpoint == Endpoint::Token).collect();
        let [served, unserved @ ..] = &polls[..] else { panic!("{closing:?}: no poll") };
        assert!(!served.unserved && served.status == Some(400));
        let meets =
            matches!(closing, Closing::AtNextByte | Closing::InNextRequest | Closing::GoAway);
        assert_eq!(unserved.len(), usize::from(meets), "{closing:?}");
        for poll in unserved {
            assert!(poll.unserved && poll.lost && poll.ended.is_some() && poll.status.is_none());
            assert_eq!((poll.transaction, poll.connection), (Some(1), served.connection));
        }
        let report = provider.report();
        assert!(report.requests.contains(&(Endpoint::Token, 1)), "{report}");
        // It came at once: the judge looks at it, too.
        let rules: Vec<_> = report.violations.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules.contains(&Rule::TooEarly), meets, "{closing:?}: {report}");
    }
}

#[test]
fn the_drop_inside_fault_announces_the_whole_body_and_sends_a_part() {
    let server = scripted(Act::DropInside(10));
    let mut wire = connect(&server);
    wire.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    let all = String::from_utf8(wire.rest()).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert!(length.parse::<usize>().unwrap() > 10 && body.len() == 10, "{all}");
}

#[test]
fn an_endless_body_ends_when_the_client_disconnects() {
    let server = scripted(Act::Endless);
    let mut wire = connect(&server);
    wire.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    let head = wire.receive().unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, None));
    let mut left = 4 * 1024 * 1024;
    let mut piece = vec![0; 65_536];
    while left > 0 {
        left -= std::io::Read::read(&mut wire.stream, &mut piece).unwrap().min(left);
    }
    drop(wire);
    // What the client sends next, on whatever connection, finds the exchange ended.
    connect(&server).get("/nothing", HOST);
    assert!(server.provider().exchanges()[0].ended.is_some());
}

#[test]
fn a_dripping_body_is_paced_by_the_configured_clock() {
    let time = clock();
    let server = start(&time, |config| config);
    let answer = ScriptedAnswer::json(200, "0123456789");
    let script = Script::new()
        .every(Endpoint::Discovery, Act::Answer(answer))
        .every(Endpoint::Discovery, Act::Drip { bytes_per_second: 4 });
    server.provider().script(script);
    let mut wire = connect(&server);
    wire.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    for second in 1..=2 {
        let until = START.saturating_add(Duration::from_secs(second));
        while due(&server) != until {
            thread::yield_now();
        }
        time.advance_to(until);
    }
    assert_eq!(wire.receive().unwrap().body, b"0123456789");
    assert_eq!(time_of_end(&server, 0), Some(START.saturating_add(Duration::from_secs(2))));
    // The connection is still good.
    assert_eq!(wire.get("/nothing", HOST).status, 404);
}

#[test]
fn a_jumping_clock_advances_only_to_a_response_that_is_due() {
    let time = VirtualClock::jumping(START);
    let server = start(&time, |config| config);
    let hour = Duration::from_secs(3_600);
    let script = Script::new().nth(Endpoint::Discovery, 1, Act::Delay(hour)).nth(
        Endpoint::Discovery,
        2,
        Act::HoldForever,
    );
    server.provider().script(script);
    assert_eq!(connect(&server).get(DISCOVERY, HOST).status, 200);
    assert_eq!(time_of_end(&server, 0), Some(START.saturating_add(hour)));
    // An answer that never comes is no reason to move.
    let mut held = connect(&server);
    held.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    while server.provider().exchanges().len() < 2 {
        thread::yield_now();
    }
    time.drain();
    assert_eq!(time.now(), START.saturating_add(hour));
    // A driver that waits moves it no further than it has to.
    let until = time.now().saturating_add(Duration::from_secs(5));
    assert_eq!((time.idle(until), time.now()), (Duration::ZERO, until));
}

fn time_of_end(server: &RunningServer, exchange: usize) -> Option<Timestamp> {
    server.provider().exchanges()[exchange].ended
}

#[test]
fn a_delayed_response_is_sent_at_its_time_on_the_shared_clock() {
    let time = clock();
    let server = start(&time, |config| config);
    let delay = Duration::from_secs(25);
    server.provider().script(Script::new().every(Endpoint::Discovery, Act::Delay(delay)));
    let mut wire = connect(&server);
    wire.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    assert_eq!(due(&server), START.saturating_add(delay));
    time.advance(Duration::from_secs(24));
    assert_eq!(time_of_end(&server, 0), None);
    time.advance(Duration::from_secs(1));
    assert_eq!(wire.receive().unwrap().status, 200);
    assert_eq!(time_of_end(&server, 0), Some(START.saturating_add(delay)));
    assert_eq!(server.next_due(), None);
}

#[test]
fn a_long_poll_is_answered_at_the_decision() {
    let server = start(&clock(), |mut config| {
        config.long_polling = Some(Duration::from_secs(30));
        config
    });
    let mut wire = connect(&server);
    let acknowledgement = begin(&server, &mut wire, &[("login_hint", "manual")]);
    send_poll(&server, &mut wire, &acknowledgement);
    due(&server);
    assert!(server.provider().approve(1, START));
    let answer = wire.receive().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["id_token"].is_string());
    assert!(
        !server.provider().violations().iter().any(|violation| violation.rule == Rule::Overlap)
    );
}

#[test]
fn polls_overlap_while_the_first_is_open_but_not_after_the_client_dropped_it() {
    for gives_up in [false, true] {
        let server = start(&clock(), |config| config);
        let mut wire = connect(&server);
        let acknowledgement = begin(&server, &mut wire, &[("login_hint", "manual")]);
        server.provider().script(Script::new().nth(
            Endpoint::Token,
            1,
            Act::Delay(Duration::from_secs(60)),
        ));
        send_poll(&server, &mut wire, &acknowledgement);
        while server.provider().exchanges().len() < 2 {
            thread::yield_now();
        }
        let mut open = Some(wire);
        if gives_up {
            open = None;
        }
        let mut second = connect(&server);
        send_poll(&server, &mut second, &acknowledgement);
        assert_eq!(second.receive().unwrap().status, 400);
        let overlap =
            server.provider().violations().iter().any(|violation| violation.rule == Rule::Overlap);
        assert_eq!(overlap, !gives_up);
        drop(open);
    }
}

#[test]
fn addresses_that_others_can_reach_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0"] {
        let started = Server::start(address.parse().unwrap(), SystemClock, |_| {
            unreachable!("nothing is built")
        });
        assert_eq!(started.unwrap_err().kind(), ErrorKind::InvalidInput, "{address}");
    }
}

#[test]
fn stopping_ends_idle_hanging_and_waiting_connections() {
    let server = scripted(Act::HoldForever);
    let address = server.address();
    let mut idle = connect(&server);
    assert_eq!(idle.get("/nothing", HOST).status, 404);
    let mut half = connect(&server);
    half.send("GET /half HTTP/1.1\r\nHost");
    let mut held = connect(&server);
    held.send(&format!("GET {DISCOVERY} HTTP/1.1\r\n{HOST}\r\n"));
    while server.provider().exchanges().len() < 2 {
        thread::yield_now();
    }
    server.stop();
    for mut wire in [idle, half, held] {
        assert_eq!(wire.rest(), b"");
    }
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn dropping_the_server_stops_it_and_frees_the_port() {
    let server = start(&clock(), |config| config);
    let address = server.address();
    assert_eq!(connect(&server).get("/nothing", HOST).status, 404);
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_issuer_is_the_address_it_listens_at_and_may_have_a_path() {
    let server = Server::start(LOOPBACK, clock(), |issuer| {
        provider(ciba_test_op::ProviderConfig::generic(format!("{issuer}/tenant")))
    })
    .unwrap();
    assert_eq!(server.issuer(), format!("http://{}/tenant", server.address()));
    let mut wire = connect(&server);
    assert_eq!(wire.get(&format!("/tenant{DISCOVERY}"), HOST).json()["issuer"], server.issuer());
    let own = format!("Host: {}\r\n", server.address());
    assert_eq!(wire.get("/tenant/phone", &own).status, 200);
}
