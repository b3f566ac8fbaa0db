//! A single exchange: it is sent once, follows no redirect and reads within its limit.

use std::time::Duration;

use ciba_core::{
    fault::Cause,
    http::{Body, LoopbackHttp, Request, Response, Unanswered, Url},
};
use ciba_tests::adapters::{Adapter, each};

use crate::support::{Act, Server, answer, closed_port};

const LIMIT: usize = 64 * 1024;

fn url(text: &str) -> Url {
    Url::parse_with(text, LoopbackHttp::DangerouslyAllowed).unwrap()
}

fn post(address: &str) -> Request {
    Request::post_form(url(address), Body::from("scope=openid&secret=sentinel"))
}

fn exchange(adapter: Adapter, request: &Request) -> Result<Response, Unanswered> {
    exchange_within(adapter, request, Duration::from_secs(20))
}

fn exchange_within(
    adapter: Adapter,
    request: &Request,
    timeout: Duration,
) -> Result<Response, Unanswered> {
    adapter.http().exchange(request, timeout, LIMIT)
}

/// REQ-SEC-09
/// REQ-AREQ-02
/// OPM-ACK-17
/// OPM-POL-17
#[test]
fn a_redirect_is_returned_as_a_response_and_not_followed() {
    each(|adapter| {
        for status in [301, 302, 303, 307, 308] {
            let other = Server::start([answer(200, "", "{}")]);
            let location = format!("location: {}\r\n", other.url("/other"));
            let server = Server::start([answer(status, &location, "{}")]);
            let response = exchange(adapter, &post(&server.url("/"))).unwrap();
            assert_eq!(response.status, status);
            assert_eq!(server.requests().len(), 1);
            assert_eq!(other.connections(), 0, "the other host was contacted");
        }
    });
}

#[test]
fn a_response_with_any_status_is_returned() {
    each(|adapter| {
        for status in [200, 204, 400, 401, 403, 404, 429, 500, 503] {
            let body = if status == 204 { "" } else { r#"{"error":"x"}"# };
            let server = Server::start([answer(status, "retry-after: 7\r\n", body)]);
            let response = exchange(adapter, &post(&server.url("/"))).unwrap();
            assert_eq!(response.status, status);
            assert_eq!(response.headers.get("Retry-After"), Some("7"));
            assert_eq!(response.body.expose(), body.as_bytes());
            assert!(!response.truncated);
            assert_eq!(server.requests().len(), 1, "sent again after {status}");
        }
    });
}

/// REQ-AREQ-02
#[test]
fn the_request_arrives_unchanged() {
    each(|adapter| {
        let server =
            Server::start([answer(200, "set-cookie: a=b\r\n", "{}"), answer(200, "", "{}")]);
        let client = adapter.http();
        let mut request = post(&server.url("/path?q=1"));
        request.headers.push("x-trace", "abc");
        for _ in 0..2 {
            client.exchange(&request, Duration::from_secs(20), LIMIT).unwrap();
        }
        for seen in server.requests() {
            let (head, body) = seen.split_once("\r\n\r\n").unwrap();
            let head = head.to_ascii_lowercase();
            assert!(head.starts_with("post /path?q=1 http/1.1\r\n"), "{head}");
            for field in [
                "accept: application/json",
                "content-type: application/x-www-form-urlencoded",
                "x-trace: abc",
            ] {
                assert!(head.lines().any(|line| line == field), "{field} is missing in {head}");
            }
            for field in ["cookie:", "accept-encoding:", "referer:"] {
                assert!(!head.contains(field), "{field} is in {head}");
            }
            assert_eq!(body, "scope=openid&secret=sentinel");
        }
    });
}

/// REQ-SEC-11
/// OPM-POL-29
#[test]
fn a_body_is_read_up_to_the_limit_only() {
    each(|adapter| {
        let fifty = 50 * 1024 * 1024;
        let with_length = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {fifty}\r\n\r\n"
        );
        let without =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
                .to_owned();
        for head in [with_length, without] {
            let server = Server::start([Act::Flood { head: head.into_bytes(), most: fifty }]);
            let response = exchange(adapter, &post(&server.url("/"))).unwrap();
            assert!(response.truncated);
            assert_eq!(response.body.len(), LIMIT);
            assert!(adapter.meanwhile(move || server.flooded()) < fifty, "all of it was accepted");
        }
        let exactly = "x".repeat(LIMIT);
        let server = Server::start([answer(200, "", &exactly)]);
        let response = exchange(adapter, &post(&server.url("/"))).unwrap();
        assert_eq!((response.truncated, response.body.len()), (false, LIMIT));
    });
}

/// OPM-POL-29
#[test]
fn a_compressed_body_stays_compressed() {
    each(|adapter| {
        let server =
            Server::start([answer(200, "content-encoding: gzip\r\n", "\u{1f}not really gzip")]);
        let response = exchange(adapter, &post(&server.url("/"))).unwrap();
        assert_eq!(response.body.expose(), "\u{1f}not really gzip".as_bytes());
        assert_eq!(response.headers.get("content-encoding"), Some("gzip"));
    });
}

/// REQ-AREQ-30a
/// OPM-ACK-16
#[test]
fn a_connection_reset_after_the_request_is_lost_and_not_retried() {
    each(|adapter| {
        let server = Server::start([Act::Reset, answer(200, "", "{}")]);
        assert_eq!(
            exchange(adapter, &post(&server.url("/"))),
            Err(Unanswered::Lost(Cause::Closed))
        );
        assert_eq!((server.requests().len(), server.connections()), (1, 1));
    });
}

/// REQ-AREQ-30a
/// OPM-ACK-16
#[test]
fn a_missing_or_truncated_response_is_lost() {
    each(|adapter| {
        let partial =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"
                .to_vec();
        for (act, cause) in [
            (Act::Stall(Vec::new()), Cause::Timeout),
            (Act::Stall(partial.clone()), Cause::Timeout),
            (Act::Answer(partial), Cause::Closed),
            (Act::Answer(b"HTTP/1.".to_vec()), Cause::Closed),
        ] {
            let server = Server::start([act, answer(200, "", "{}")]);
            let lost =
                exchange_within(adapter, &post(&server.url("/")), Duration::from_millis(300));
            assert_eq!(lost, Err(Unanswered::Lost(cause)));
            assert_eq!((server.requests().len(), server.connections()), (1, 1));
        }
    });
}

#[test]
fn a_response_that_is_not_http_is_lost() {
    each(|adapter| {
        let server = Server::start([Act::Answer(b"SSH-2.0-OpenSSH\r\n".to_vec())]);
        assert_eq!(
            exchange(adapter, &post(&server.url("/"))),
            Err(Unanswered::Lost(Cause::NotHttp))
        );
    });
}

/// REQ-AREQ-30a
/// REQ-AREQ-30b
#[test]
fn a_refused_connection_and_an_unknown_name_count_as_not_sent() {
    each(|adapter| {
        let refused = format!("http://{}/", closed_port());
        assert_eq!(exchange(adapter, &post(&refused)), Err(Unanswered::NotSent(Cause::Refused)));
        let unknown =
            Request::post_form(Url::parse("https://op.invalid/").unwrap(), Body::default());
        assert_eq!(exchange(adapter, &unknown), Err(Unanswered::NotSent(Cause::Name)));
    });
}

/// The proxy was contacted, the provider was not.
#[test]
fn a_proxy_that_refuses_the_tunnel_leaves_the_request_unsent() {
    each(|adapter| {
        let proxy = Server::start([answer(403, "", "")]);
        let request = Request::post_form(
            Url::parse("https://op.invalid/").unwrap(),
            Body::from("secret=sentinel"),
        );
        let client = adapter.http_through(&proxy.url(""));
        let refused = client.exchange(&request, Duration::from_secs(20), LIMIT);
        assert_eq!(refused, Err(Unanswered::NotSent(Cause::Proxy)));
        let [seen] = &proxy.requests()[..] else { panic!("one tunnel was asked for") };
        assert!(
            seen.starts_with("CONNECT op.invalid:443 ") && !seen.contains("sentinel"),
            "{seen}"
        );
    });
}

#[test]
fn a_response_head_that_is_too_large_is_reported_as_such() {
    each(|adapter| {
        let fields: String =
            (0..90).map(|n| format!("x-{n}: {}\r\n", "x".repeat(16 * 1024))).collect();
        let server = Server::start([answer(200, &fields, "{}")]);
        let lost = exchange(adapter, &post(&server.url("/")));
        assert_eq!(lost, Err(Unanswered::Lost(Cause::TooLarge)));
    });
}

/// Firewalls answer requests without a `User-Agent` with 403.
#[test]
fn every_request_has_the_user_agent_of_the_client() {
    each(|adapter| {
        let said = |seen: &str| {
            let head = seen.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
            let lines: Vec<_> = head
                .lines()
                .filter_map(|line| line.strip_prefix("user-agent: "))
                .map(str::to_owned)
                .collect();
            lines
        };
        let server =
            Server::start([answer(200, "", "{}"), answer(200, "", "{}"), answer(200, "", "{}")]);
        let client = || adapter.http();
        let own = client().with_user_agent("shop/1");
        let mut request = Request::get(url(&server.url("/")));
        let limit = Duration::from_secs(20);
        client().exchange(&request, limit, LIMIT).unwrap();
        own.exchange(&request, limit, LIMIT).unwrap();
        request.headers.push("User-Agent", "one/2");
        own.exchange(&request, limit, LIMIT).unwrap();
        let said: Vec<_> = server.requests().iter().map(|seen| said(seen)).collect();
        assert_eq!(said, [[ciba_ureq::http::USER_AGENT], ["shop/1"], ["one/2"]]);
    });
}

/// The builders may hold secrets: header fields, the password of a proxy.
#[test]
fn a_client_does_not_show_the_settings_of_its_builder() {
    use ciba_reqwest::reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    const SENTINEL: &str = "sentinel";
    let field = (HeaderName::from_static("x-api-key"), HeaderValue::from_static(SENTINEL));
    let fields: HeaderMap = [field].into_iter().collect();
    let roots = ciba_reqwest::http::platform_roots;
    let http = ciba_reqwest::HttpClient::new(move || roots().default_headers(fields.clone()));
    let mut shown = vec![format!("{:#?}", http.unwrap())];
    let roots = ciba_ureq::http::platform_roots;
    let http = ciba_ureq::HttpClient::new(move || roots().user_agent(SENTINEL)).unwrap();
    shown.push(format!("{http:#?}"));
    each(|adapter| {
        let http = adapter.http_through("http://user:sentinel@127.0.0.1:1");
        assert!(!format!("{http:#?}").contains(SENTINEL), "{http:#?}");
    });
    assert!(shown.iter().all(|shown| !shown.contains(SENTINEL)), "{shown:#?}");
}

/// A proxy would resolve loopback names itself, and see what plain HTTP carries.
#[test]
fn plain_http_bypasses_a_proxy() {
    each(|adapter| {
        let proxy = Server::start([answer(403, "", "")]);
        let server = Server::start([answer(200, "", "{}")]);
        let client = adapter.http_through(&proxy.url(""));
        let response =
            client.exchange(&post(&server.url("/")), Duration::from_secs(20), LIMIT).unwrap();
        assert_eq!((response.status, server.requests().len(), proxy.connections()), (200, 1, 0));
    });
}

/// The assumptions of several test programs.
#[test]
fn a_reserved_port_is_not_given_to_other_listeners() {
    use std::net::{TcpListener, TcpStream};

    let port = crate::support::Port::new();
    for _ in 0..2 {
        assert!(TcpStream::connect(port.address()).is_err(), "nothing listens");
        let others: Vec<_> = (0..64).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        assert!(others.iter().all(|other| other.local_addr().unwrap() != port.address()));
        let listener = TcpListener::bind(port.address()).unwrap();
        drop(TcpStream::connect(port.address()).unwrap());
        drop(listener);
    }
}
