//! Which requests share a connection, and the effect of a dead connection on a flow, with both
//! adapters. The scenarios (`scenarios/connections.rs`) cover HTTP/2 and client certificates.
#![allow(missing_docs)]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use ciba_core::{
    AuthRequest, ClientAuth, ClientConfig, ClientId, Failure, Hint, Issuer, ProviderMetadata,
    Timestamp,
    http::{LoopbackHttp, Request, Url},
    secret::LoginHint,
};
use ciba_std::Clock as _;
use ciba_test_op::VirtualClock;

const INTERVAL: Duration = Duration::from_secs(5);

/// What the provider does with the connection of a token request or of a fetch of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Answers and keeps it open.
    Keeps,
    /// Answers and closes it without an announcement.
    ClosesAfter,
    /// Answers and announces that it closes it.
    Says,
    /// Closes it instead of answering.
    ClosesBefore,
    /// Closes it in the middle of the answer.
    BreaksOff,
}

#[derive(Clone, Debug)]
struct Seen {
    connection: usize,
    path: String,
    at: Timestamp,
}

/// A provider with a script for each token request, which denies at the end.
struct Op {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Op {
    fn start(script: &[Does], clock: &Arc<VirtualClock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback socket");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (shared, clock) = (Arc::clone(&seen), Arc::clone(clock));
        let script: Arc<[Does]> = script.into();
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (seen, clock, script) =
                    (Arc::clone(&shared), Arc::clone(&clock), Arc::clone(&script));
                thread::spawn(move || serve(connection, stream, &script, &seen, &clock));
            }
        });
        Self { address, seen }
    }

    fn config(&self) -> Arc<ClientConfig> {
        let base = format!("http://{}", self.address);
        let url = |path: &str| {
            Url::parse_with(&format!("{base}{path}"), LoopbackHttp::DangerouslyAllowed)
                .expect("it is one")
        };
        let issuer =
            Issuer::parse_with(&base, LoopbackHttp::DangerouslyAllowed).expect("it is one");
        let mut provider = ProviderMetadata::by_hand(issuer);
        provider.backchannel_authentication_endpoint = Some(url("/authenticate"));
        provider.token_endpoint = Some(url("/token"));
        provider.jwks_uri = Some(url("/keys"));
        ClientConfig::builder(provider, ClientId::new("app").expect("it is one"))
            .client_auth(ClientAuth::None)
            .build()
            .expect("a configuration")
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

fn serve(
    connection: usize,
    mut stream: TcpStream,
    script: &[Does],
    seen: &Mutex<Vec<Seen>>,
    clock: &VirtualClock,
) {
    while let Some(path) = read_request(&mut stream) {
        let polls = {
            let mut seen = seen.lock().expect("no panic");
            seen.push(Seen { connection, path: path.clone(), at: clock.now() });
            seen.iter().filter(|seen| seen.path == "/token").count()
        };
        let (does, status, body) = match path.as_str() {
            "/authenticate" => {
                (Does::Keeps, 200, r#"{"auth_req_id":"a-1","expires_in":600,"interval":5}"#)
            }
            "/keys" => (Does::Keeps, 200, r#"{"keys":[]}"#),
            _ => match script.get(polls - 1) {
                Some(does) => (*does, 400, r#"{"error":"authorization_pending"}"#),
                None => (Does::Keeps, 400, r#"{"error":"access_denied"}"#),
            },
        };
        let says = if does == Does::Says { "connection: close\r\n" } else { "" };
        let answer = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\n{says}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = match does {
            Does::ClosesBefore => return,
            Does::BreaksOff => &answer.as_bytes()[..answer.len() - 5],
            Does::Keeps | Does::ClosesAfter | Does::Says => answer.as_bytes(),
        };
        if stream.write_all(sent).is_err() || does != Does::Keeps {
            return;
        }
    }
}

/// Returns the path of the next request on a connection.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    stream.read_exact(&mut vec![0; length.unwrap_or(0)]).ok()?;
    assert!(!head.to_ascii_lowercase().contains("\nconnection: close"), "{head}");
    head.split(' ').nth(1).map(str::to_owned)
}

fn request() -> AuthRequest {
    AuthRequest::new(Hint::Login(LoginHint::new("ada")))
}

type Drive = fn(&Arc<ClientConfig>, Arc<VirtualClock>) -> Failure;

/// Runs it with both adapters.
const ADAPTERS: [(&str, Drive); 2] = [("reqwest", over_reqwest), ("ureq", over_ureq)];

fn over_reqwest(config: &Arc<ClientConfig>, clock: Arc<VirtualClock>) -> Failure {
    use ciba_reqwest::{AuthenticateError, Driver, HttpClient, http::platform_roots};

    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let http = HttpClient::new(platform_roots).expect("a client");
    let driver = Driver::builder(Arc::clone(config), http).clock(clock).build().unwrap();
    match runtime.block_on(driver.authenticate(request(), &mut ())) {
        Err(AuthenticateError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn over_ureq(config: &Arc<ClientConfig>, clock: Arc<VirtualClock>) -> Failure {
    use ciba_ureq::{AuthenticateError, Driver, HttpClient, http::platform_roots};

    let http = HttpClient::new(platform_roots).expect("a client");
    let driver = Driver::builder(Arc::clone(config), http).clock(clock).build().unwrap();
    match driver.authenticate(request(), &mut ()) {
        Err(AuthenticateError::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn run(script: &[Does], drive: Drive) -> (Failure, Vec<Seen>) {
    let clock = Arc::new(VirtualClock::default());
    let op = Op::start(script, &clock);
    let failure = drive(&op.config(), clock);
    (failure, op.seen())
}

fn polls(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| seen.path == "/token").collect()
}

#[test]
fn polls_and_keys_share_a_connection_and_the_authentication_request_has_its_own() {
    for (name, drive) in ADAPTERS {
        let (failure, seen) = run(&[Does::Keeps; 3], drive);
        assert!(matches!(failure, Failure::Denied(_)), "{name}: {failure:?}");
        let own =
            seen.iter().find(|seen| seen.path == "/authenticate").expect("it came").connection;
        let on_it = seen.iter().filter(|seen| seen.connection == own).count();
        assert_eq!(on_it, 1, "{name}: {seen:?}");
        let others = seen.iter().filter(|seen| seen.connection != own);
        assert!(others.clone().all(|seen| seen.connection == 1 - own), "{name}: {seen:?}");
        assert_eq!((polls(&seen).len(), others.count()), (4, 5), "{name}: {seen:?}");
    }
}

#[test]
fn a_connection_that_dies_loses_no_login_and_causes_no_early_poll() {
    use Does::{BreaksOff, ClosesAfter, ClosesBefore, Keeps, Says};

    for script in [
        &[ClosesAfter; 6][..],
        &[Says; 6],
        &[Keeps, ClosesBefore, Keeps, ClosesBefore],
        &[Keeps, BreaksOff, Keeps],
        &[ClosesBefore, ClosesAfter, BreaksOff, Keeps, ClosesAfter],
    ] {
        for (name, drive) in ADAPTERS {
            let (failure, seen) = run(script, drive);
            // Every poll of the script and the one that is denied arrived exactly once. A request
            // repeated by a lower layer would have used up a line of the script unnoticed.
            assert!(matches!(failure, Failure::Denied(_)), "{name} {script:?}: {failure:?}");
            let polls = polls(&seen);
            assert_eq!(polls.len(), script.len() + 1, "{name} {script:?}: {seen:?}");
            for pair in polls.windows(2) {
                let between = pair[1].at.since(pair[0].at);
                assert!(between >= INTERVAL, "{name} {script:?}: {between:?}");
            }
            let prompts = seen.iter().filter(|seen| seen.path == "/authenticate").count();
            assert_eq!(prompts, 1, "{name} {script:?}");
        }
    }
}

/// The purpose of a caller's own exchange is unknown, so it may be one that must not be lost.
#[test]
fn an_exchange_of_the_caller_uses_a_separate_connection() {
    ciba_tests::adapters::each(|adapter| {
        let op = Op::start(&[], &Arc::new(VirtualClock::default()));
        let http = adapter.http();
        let address = format!("http://{}/keys", op.address);
        let url = Url::parse_with(&address, LoopbackHttp::DangerouslyAllowed).expect("it is one");
        for _ in 0..2 {
            http.exchange(&Request::get(url.clone()), Duration::from_secs(20), 100)
                .expect("it is there");
        }
        let connections: Vec<_> = op.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, [0, 1], "{adapter:?}");
    });
}

/// After a loss, all kept connections may be dead.
#[test]
fn new_connections_are_made_after_a_loss() {
    for (name, drive) in ADAPTERS {
        let (_, seen) = run(&[Does::Keeps, Does::ClosesBefore, Does::Keeps, Does::Keeps], drive);
        let connections: Vec<_> = polls(&seen).iter().map(|seen| seen.connection).collect();
        assert_eq!(connections[0], connections[1], "{name}: {connections:?}");
        let after = &connections[1..];
        for (number, connection) in after.iter().enumerate() {
            assert!(!after[..number].contains(connection), "{name}: {connections:?}");
        }
    }
}
