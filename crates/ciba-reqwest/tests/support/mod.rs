//! A server on a loopback socket that answers as it is told and remembers what reached it. Both
//! adapters' tests use it.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

mod port;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, LazyLock, Mutex},
    thread,
    time::Duration,
};

pub use port::Port;

/// What the server does with one connection; after the last one it closes what comes.
#[derive(Clone)]
pub enum Act {
    /// Reads the request and sends these bytes.
    Answer(Vec<u8>),
    /// Reads the request and resets the connection.
    Reset,
    /// Reads the request, sends these bytes and nothing more until the client hangs up.
    Stall(Vec<u8>),
    /// Reads the request, sends a head and then as many bytes of body as the client takes, at most
    /// so many.
    Flood { head: Vec<u8>, most: usize },
}

pub fn answer(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Answer(
        format!(
            "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// For what happens at once unless something is broken.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    connections: usize,
    flooded: Option<usize>,
}

pub struct Server {
    address: SocketAddr,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Server {
    pub fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<(Mutex<Seen>, Condvar)>::default();
        let acts: Vec<Act> = acts.into_iter().collect();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let mut acts = acts.into_iter();
            for stream in listener.incoming().map_while(Result::ok) {
                shared.0.lock().unwrap().connections += 1;
                let act = acts.next();
                let shared = Arc::clone(&shared);
                thread::spawn(move || act.map(|act| act.perform(stream, &shared)));
            }
        });
        Self { address, seen }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests that came, each as head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.0.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.0.lock().unwrap().connections
    }

    /// How many bytes of body the client took before it hung up.
    pub fn flooded(&self) -> usize {
        let (seen, over) = &*self.seen;
        let guard = seen.lock().unwrap();
        let over = over.wait_timeout_while(guard, PATIENCE, |seen| seen.flooded.is_none()).unwrap();
        over.0.flooded.expect("the client neither took everything nor hung up")
    }

    /// Returns when so many requests have come.
    pub fn wait_for(&self, requests: usize) {
        let (seen, came) = &*self.seen;
        let guard = seen.lock().unwrap();
        let (_seen, late) = came
            .wait_timeout_while(guard, PATIENCE, |seen| seen.requests.len() < requests)
            .unwrap();
        assert!(!late.timed_out(), "the request never came");
    }
}

impl Act {
    fn perform(self, mut stream: TcpStream, seen: &(Mutex<Seen>, Condvar)) {
        let resets = matches!(self, Self::Reset);
        let Some(request) = read_request(&mut stream, resets) else { return };
        seen.0.lock().unwrap().requests.push(request);
        seen.1.notify_all();
        match self {
            Self::Answer(bytes) => drop(stream.write_all(&bytes)),
            // A byte was left unread, so closing resets.
            Self::Reset => {}
            Self::Stall(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.read(&mut [0]);
            }
            Self::Flood { head, most } => {
                let _ = stream.write_all(&head);
                let block = [b'x'; 64 * 1024];
                let mut sent = 0;
                while sent < most
                    && stream.write_all(&block[..block.len().min(most - sent)]).is_ok()
                {
                    sent += block.len();
                }
                seen.0.lock().unwrap().flooded = Some(sent.min(most));
                seen.1.notify_all();
            }
        }
    }
}

/// Reads one request; with `but_one` its last byte has come and stays in the socket.
fn read_request(stream: &mut TcpStream, but_one: bool) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length: usize = length.unwrap_or(0);
    let mut body = vec![0; length - usize::from(but_one)];
    stream.read_exact(&mut body).ok()?;
    if but_one {
        let _ = stream.peek(&mut [0]);
    }
    request.extend(body);
    String::from_utf8(request).ok()
}

/// An address where nobody listens.
pub fn closed_port() -> SocketAddr {
    static CLOSED: LazyLock<Port> = LazyLock::new(Port::new);
    CLOSED.address()
}
