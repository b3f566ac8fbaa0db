//! A client that is nothing but a socket, so that every byte can be looked at.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use ciba_core::{ClientSecret, Timestamp};
use ciba_test_op::{
    Client, ClientAuthentication, Provider, ProviderConfig, RunningServer, Server, VirtualClock,
};

pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
pub const START: Timestamp = Timestamp::from_unix_secs(1_893_456_000);
/// So that a test which would hang fails.
const PATIENCE: Duration = Duration::from_secs(20);
pub const GRANT: &str = "urn:openid:params:grant-type:ciba";

pub fn clock() -> VirtualClock {
    VirtualClock::new(START)
}

/// A provider with one client that sends its secret in the body.
pub fn provider(config: ProviderConfig) -> Provider {
    let authentication =
        ClientAuthentication::ClientSecretPost { secret: ClientSecret::new("open sesame") };
    Provider::new(config.client(Client::new("app", authentication))).unwrap()
}

pub fn start(
    clock: &VirtualClock,
    change: impl FnOnce(ProviderConfig) -> ProviderConfig,
) -> RunningServer {
    Server::start(LOOPBACK, clock, |issuer| provider(change(ProviderConfig::generic(issuer))))
        .unwrap()
}

/// One connection.
pub struct Wire<S> {
    pub stream: S,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub fn connect(server: &RunningServer) -> Wire<TcpStream> {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Wire::new(stream)
}

impl<S: Read + Write> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
        self.stream.flush().unwrap();
    }

    /// The next answer, by its `Content-Length`; an error when the connection ends before it is
    /// whole.
    pub fn receive(&mut self) -> io::Result<Answer> {
        let mut answer = self.receive_message()?;
        answer.status = answer.head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(answer)
    }

    fn receive_message(&mut self) -> io::Result<Answer> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let rest = self.buffer.split_off(end);
        let head = String::from_utf8(std::mem::replace(&mut self.buffer, rest)).unwrap();
        let mut answer = Answer { status: 0, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        answer.body = std::mem::replace(&mut self.buffer, rest);
        Ok(answer)
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.buffer.extend(&piece[..read]);
                Ok(())
            }
        }
    }

    /// A request, by its `Content-Length`: its head and its body.
    pub fn receive_request(&mut self) -> (String, Vec<u8>) {
        let whole = self.receive_message().unwrap();
        (whole.head, whole.body)
    }

    /// Everything until the connection ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill().is_ok() {}
        std::mem::take(&mut self.buffer)
    }

    pub fn get(&mut self, path: &str, fields: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\n{fields}\r\n"));
        self.receive().unwrap()
    }

    pub fn send_form(&mut self, host: &str, path: &str, parameters: &[(&str, &str)]) {
        let form = ciba_test_op::Incoming::post(path, parameters.iter().copied());
        let form = std::str::from_utf8(form.body.expose()).unwrap().to_owned();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ));
    }

    pub fn form(&mut self, host: &str, path: &str, parameters: &[(&str, &str)]) -> Answer {
        self.send_form(host, path, parameters);
        self.receive().unwrap()
    }
}

/// The path of an endpoint.
pub fn path(server: &RunningServer, endpoint: ciba_test_op::Endpoint) -> String {
    let url = server.provider().endpoint_url(endpoint);
    url.strip_prefix(&server.issuer()).unwrap().to_owned()
}

/// Begins an authentication and gives back the acknowledgement.
pub fn begin<S: Read + Write>(
    server: &RunningServer,
    wire: &mut Wire<S>,
    more: &[(&str, &str)],
) -> serde_json::Value {
    let parameters = [("client_id", "app"), ("client_secret", "open sesame"), ("scope", "openid")];
    let usual =
        parameters.into_iter().filter(|(name, _)| !more.iter().any(|(changed, _)| changed == name));
    let parameters: Vec<_> = usual.chain(more.iter().copied()).collect();
    let host = server.address().to_string();
    let answer = wire.form(&host, &path(server, ciba_test_op::Endpoint::Backchannel), &parameters);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub fn send_poll<S: Read + Write>(
    server: &RunningServer,
    wire: &mut Wire<S>,
    acknowledgement: &serde_json::Value,
) {
    let id = acknowledgement["auth_req_id"].as_str().unwrap();
    let parameters = [
        ("client_id", "app"),
        ("client_secret", "open sesame"),
        ("grant_type", GRANT),
        ("auth_req_id", id),
    ];
    wire.send_form(
        &server.address().to_string(),
        &path(server, ciba_test_op::Endpoint::Token),
        &parameters,
    );
}
