//! The phone page, as a browser and as somebody's malicious page see it.
#![allow(missing_docs)]

mod support;

use std::net::TcpStream;

use ciba_core::ClientSecret;
use ciba_test_op::{
    Client, ClientAuthentication, Provider, ProviderConfig, RunningServer, Server, TransactionState,
};
use support::{Answer, LOOPBACK, Wire, begin, clock, connect, send_poll, start};

fn page(server: &RunningServer, wire: &mut Wire<TcpStream>) -> Answer {
    wire.get("/phone", &format!("Host: {}\r\n", server.address()))
}

fn tap(
    server: &RunningServer,
    wire: &mut Wire<TcpStream>,
    button: &str,
    parameters: &[(&str, &str)],
) -> Answer {
    wire.form(&server.address().to_string(), &format!("/phone/{button}"), parameters)
}

fn state(server: &RunningServer) -> TransactionState {
    server.provider().transactions(support::START)[0].state
}

#[test]
fn approving_on_the_page_ends_in_tokens() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    assert!(page(&server, &mut wire).text().contains("Nothing is waiting"));
    let acknowledgement =
        begin(&server, &mut wire, &[("login_hint", "manual"), ("binding_message", "W4SCT")]);
    let shown = page(&server, &mut wire);
    for text in [
        "<bdi>app</bdi>",
        "<bdi>W4SCT</bdi>",
        "120 seconds left",
        "name=transaction value=1",
        "http-equiv=refresh",
    ] {
        assert!(shown.text().contains(text), "{text}: {}", shown.text());
    }
    assert!(!shown.text().contains("<script"));
    assert_eq!(shown.header("cache-control"), Some("no-store"));

    let answer = tap(&server, &mut wire, "approve", &[("transaction", "1")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/phone")));
    assert!(page(&server, &mut wire).text().contains("Nothing is waiting"));
    send_poll(&server, &mut wire, &acknowledgement);
    let tokens = wire.receive().unwrap();
    assert_eq!(tokens.status, 200, "{}", tokens.text());
    assert!(tokens.json()["id_token"].is_string());
    // What people do is not the client's doing.
    assert!(
        server.provider().exchanges().iter().all(|exchange| !exchange.path.starts_with("/phone"))
    );
}

#[test]
fn denying_on_the_page_ends_in_access_denied_and_cannot_be_taken_back() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    let acknowledgement = begin(&server, &mut wire, &[("login_hint", "manual")]);
    assert_eq!(tap(&server, &mut wire, "deny", &[("transaction", "1")]).status, 303);
    assert_eq!(tap(&server, &mut wire, "approve", &[("transaction", "1")]).status, 409);
    send_poll(&server, &mut wire, &acknowledgement);
    assert_eq!(wire.receive().unwrap().json()["error"], "access_denied");
}

#[test]
fn text_of_a_client_is_escaped_on_the_page() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    begin(
        &server,
        &mut wire,
        &[("login_hint", "manual"), ("binding_message", "</p><script>alert('1&2\")</script>")],
    );
    let shown = page(&server, &mut wire);
    assert!(!shown.text().contains("<script"), "{}", shown.text());
    assert!(
        shown.text().contains("&lt;/p&gt;&lt;script&gt;alert(&#39;1&amp;2&quot;)&lt;/script&gt;"),
        "{}",
        shown.text()
    );
}

#[test]
fn other_hosts_and_origins_are_refused() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    begin(&server, &mut wire, &[("login_hint", "manual")]);
    let (own, port) = (server.address().to_string(), server.address().port());
    let evil = format!("evil.example:{port}");
    let host = |host: &str, more: &str| format!("Host: {host}\r\n{more}");
    let table = [
        (host(&own, ""), true),
        (host(&format!("localhost:{port}"), ""), true),
        (host(&own, &format!("Origin: http://{own}\r\n")), true),
        (
            host(
                &own,
                &format!("Origin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin\r\n"),
            ),
            true,
        ),
        (host(&evil, ""), false),
        (host("127.0.0.1", ""), false),
        (host("127.0.0.1:1", ""), false),
        (host(&format!("{own}.evil.example"), ""), false),
        (host(&own, "Origin: http://evil.example\r\n"), false),
        (host(&own, &format!("Origin: https://{own}\r\n")), false),
        (host(&own, "Origin: null\r\n"), false),
        (host(&own, "Sec-Fetch-Site: cross-site\r\n"), false),
        (host(&own, &format!("Origin: http://{own}\r\nOrigin: http://evil.example\r\n")), false),
    ];
    for (fields, welcome) in table {
        assert_eq!(wire.get("/phone", &fields).status, if welcome { 200 } else { 403 }, "{fields}");
        if !welcome {
            let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n\r\ntransaction=1";
            wire.send(&format!("POST /phone/approve HTTP/1.1\r\n{fields}{form}"));
            assert_eq!(wire.receive().unwrap().status, 403, "{fields}");
        }
    }
    assert_eq!(state(&server), TransactionState::Pending);
}

#[test]
fn a_decision_must_be_a_posted_form_that_names_a_waiting_request() {
    let server = start(&clock(), |config| config);
    let mut wire = connect(&server);
    begin(&server, &mut wire, &[("login_hint", "manual")]);
    let own = format!("Host: {}\r\n", server.address());
    assert_eq!(wire.get("/phone/approve?transaction=1", &own).status, 405);
    assert_eq!(wire.get("/phone/other", &own).status, 404);
    for media_type in ["Content-Type: text/plain\r\n", "Content-Type: application/json\r\n", ""] {
        wire.send(&format!("POST /phone/approve HTTP/1.1\r\n{own}{media_type}Content-Length: 13\r\n\r\ntransaction=1"));
        assert_eq!(wire.receive().unwrap().status, 415, "{media_type}");
    }
    for (parameters, status) in [
        (&[][..], 400),
        (&[("transaction", "one")], 400),
        (&[("transaction", "1"), ("transaction", "1")], 400),
        (&[("transaction", "2")], 409),
        (&[("transaction", "0")], 409),
    ] {
        assert_eq!(tap(&server, &mut wire, "approve", parameters).status, status, "{parameters:?}");
    }
    assert_eq!(state(&server), TransactionState::Pending);
}

/// Norwegian BankID: the person picks the pair of words that the agent reads out.
#[test]
fn picking_the_right_words_approves_and_the_wrong_ones_deny() {
    for right in [true, false] {
        let authentication =
            ClientAuthentication::ClientSecretPost { secret: ClientSecret::new("open sesame") };
        let time = clock();
        let server = Server::start(LOOPBACK, &time, |issuer| {
            Provider::new(ProviderConfig::idura(issuer).client(Client::new("app", authentication)))
                .unwrap()
        })
        .unwrap();
        let mut wire = connect(&server);
        let acknowledgement = begin(
            &server,
            &mut wire,
            &[
                ("login_hint", "sub:ssn:21038100155"),
                ("acr_values", "urn:grn:authn:no:bankid"),
                ("authorization_details", r#"[{"type":"customerServiceCall.v1"}]"#),
            ],
        );
        let read_out = acknowledgement["bindingMessage"].as_str().unwrap();
        let shown = page(&server, &mut wire);
        let choices: Vec<_> = shown.text().split("<button name=words value=\"").skip(1).collect();
        let choices: Vec<_> = choices.iter().map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(choices.len() == 3 && choices.contains(&read_out), "{choices:?}");

        assert_eq!(tap(&server, &mut wire, "approve", &[("transaction", "1")]).status, 400);
        let picked = choices.iter().find(|choice| (**choice == read_out) == right).unwrap();
        assert_eq!(
            tap(&server, &mut wire, "approve", &[("transaction", "1"), ("words", picked)]).status,
            303
        );
        send_poll(&server, &mut wire, &acknowledgement);
        let answer = wire.receive().unwrap().json();
        assert_eq!(
            (answer["id_token"].is_string(), answer["error"] == "access_denied"),
            (right, !right),
            "{answer}"
        );
    }
}
