//! Sends notifications to the clients' endpoints: a small HTTP client without redirects and
//! connection reuse.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::Arc,
    thread,
    time::Duration,
};

use ciba_core::http::{LoopbackHttp, Url};

use super::{
    limits::{LARGEST_HEAD, MOST_FIELDS, REST},
    shared::Shared,
};
use crate::{message::FOREVER, notification::Outbound};

/// How long connecting and each read may take, in real time (section 13 of spec/provider-side.md).
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends due notifications until the server stops. Each has its own thread, so that an endpoint that
/// hangs does not delay the others.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut threads: Vec<thread::JoinHandle<()>> = Vec::new();
    while !shared.stopping() {
        let now = shared.now();
        let mut provider = shared.provider();
        let due = provider.notifications(now);
        let next = provider.next_notification();
        drop(provider);
        threads.retain(|thread| !thread.is_finished());
        for outbound in due {
            let own = Arc::clone(shared);
            let spawned =
                thread::Builder::new().name("ciba-test-op notification".to_owned()).spawn({
                    let outbound = outbound.clone();
                    move || {
                        let status = send(&own, &outbound).ok();
                        let now = own.now();
                        own.provider().notification_answered(outbound.id, status, now);
                    }
                });
            match spawned {
                Ok(thread) => threads.push(thread),
                Err(_) => shared.provider().notification_answered(outbound.id, None, now),
            }
        }
        shared.wait_until(next.unwrap_or(FOREVER), REST);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Sends a notification and returns the status of the answer.
fn send(shared: &Shared, outbound: &Outbound) -> io::Result<u16> {
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let url = Url::parse_with(&outbound.url, LoopbackHttp::DangerouslyAllowed).map_err(wrong)?;
    let socket = TcpStream::connect_timeout(&loopback(&url)?, PATIENCE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let Some(_registered) = shared.outgoing(&socket) else {
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    let request = request(&url, outbound);
    if url.scheme() == "http" {
        return talk(socket, &request);
    }
    #[cfg(feature = "tls")]
    {
        let session = shared.trust().session(url.host().trim_matches(['[', ']']))?;
        talk(rustls::StreamOwned::new(session, socket), &request)
    }
    #[cfg(not(feature = "tls"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// The loopback address of the URL. The provider connects to no other address.
fn loopback(url: &Url) -> io::Result<SocketAddr> {
    let host = url.host().trim_matches(['[', ']']);
    let mut addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, url.port())],
        Err(_) => (host, url.port()).to_socket_addrs()?.collect(),
    };
    addresses.retain(|address| address.ip().is_loopback());
    // Test servers usually listen on IPv4.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn request(url: &Url, outbound: &Outbound) -> Vec<u8> {
    let behind_scheme = url.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let (authority, target) = match behind_scheme.find(['/', '?']) {
        Some(at) => behind_scheme.split_at(at),
        None => (behind_scheme, "/"),
    };
    let slash = if target.starts_with('/') { "" } else { "/" };
    let body = outbound.body.expose();
    let mut head = format!(
        "{} {slash}{target} HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {}\r\nconnection: close\r\n",
        outbound.method,
        body.len()
    );
    for (name, value) in outbound.headers.iter() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(body);
    bytes
}

fn talk(mut stream: impl Read + Write, request: &[u8]) -> io::Result<u16> {
    // A client may answer and close before it has read everything.
    let sent = stream.write_all(request).and_then(|()| stream.flush());
    let mut bytes = Vec::new();
    loop {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        match response.parse(&bytes) {
            Ok(httparse::Status::Complete(length)) => match response.code {
                Some(100..=199) => drop(bytes.drain(..length)),
                Some(status) => return Ok(status),
                None => return Err(io::ErrorKind::InvalidData.into()),
            },
            Ok(httparse::Status::Partial) if bytes.len() <= LARGEST_HEAD => {
                let mut piece = [0; 4096];
                match stream.read(&mut piece)? {
                    0 => {
                        return Err(sent
                            .err()
                            .unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()));
                    }
                    read => bytes.extend(piece.iter().take(read)),
                }
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
