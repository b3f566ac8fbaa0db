//! The scenario table. Every row runs with the core, with both adapters and with the toy adapter, in
//! simulated time. It must end in the same way after the same number of requests, and the client must
//! break no rule.

mod acknowledgement;
mod client;
mod connections;
mod dpop;
mod granted;
mod id_token;
mod idura;
mod lenient;
mod metadata;
mod modes;
mod notified;
mod persons;
mod polling;
mod presets;
mod signed;

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use ciba_test_op::{Act, Amendment, Endpoint, IdTokenEdit, KeySetEdit, Script, ScriptedAnswer};
use ciba_tests::scenario::Scenario;

const AUTH_REQ_ID: &str = "urn:openid:params:jwt:claim:auth_req_id";
const APPROVED: &str = "authenticated user-approve";

fn row(name: impl Into<String>, script: Script) -> Scenario {
    Scenario::new(name, script)
}

fn plain(name: impl Into<String>) -> Scenario {
    row(name, Script::new())
}

fn ack(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().acknowledgement(amendment))
}

fn ack_answer(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Backchannel, 1, Act::Answer(answer)))
}

/// Answers the third poll like this.
fn third(name: &str, answer: ScriptedAnswer) -> Scenario {
    row(name, Script::new().nth(Endpoint::Token, 3, Act::Answer(answer)))
}

fn tokens(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().token_response(amendment))
}

fn id_token(name: &str, edit: IdTokenEdit) -> Scenario {
    row(name, Script::new().id_token(edit))
}

fn keys(name: &str, edit: KeySetEdit) -> Scenario {
    row(name, Script::new().keys(edit))
}

fn metadata(name: &str, amendment: Amendment) -> Scenario {
    row(name, Script::new().metadata(amendment))
}

/// The gaps between the end of an answer and the next token request, in milliseconds; the first
/// counts from the acknowledgement.
fn gaps(provider: &ciba_test_op::Provider) -> Vec<u128> {
    let seen: Vec<_> = provider
        .exchanges()
        .iter()
        .filter(|exchange| matches!(exchange.endpoint, Endpoint::Backchannel | Endpoint::Token))
        .collect();
    let gap = |pair: &[&ciba_test_op::Exchange]| {
        pair[1].arrived.since(pair[0].ended.expect("it is over")).as_millis()
    };
    seen.windows(2).map(gap).collect()
}

/// Another host, which no client may connect to.
struct Elsewhere(TcpListener);

impl Elsewhere {
    fn new() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback socket"))
    }

    /// A URL on this host.
    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.0.local_addr().expect("it is bound"))
    }

    /// The number of connections that were ever made to it.
    fn connections(&self) -> usize {
        self.0.set_nonblocking(true).expect("a socket");
        std::iter::from_fn(|| self.0.accept().ok()).count()
    }
}

#[test]
fn the_other_host_counts_every_connection() {
    let elsewhere = Elsewhere::new();
    assert_eq!(elsewhere.connections(), 0);
    for _ in 0..2 {
        drop(
            TcpStream::connect(elsewhere.0.local_addr().expect("it is bound")).expect("it listens"),
        );
    }
    assert_eq!(elsewhere.connections(), 2);
}
