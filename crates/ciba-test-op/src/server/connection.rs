//! Serves connections: passes requests to the provider and carries out its replies.

use std::{
    collections::HashMap,
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

#[cfg(feature = "http2")]
use std::sync::atomic::{AtomicBool, Ordering};

use ciba_core::{Timestamp, http::Response};

#[cfg(feature = "http2")]
use super::http2::{self, Spoken};
use super::{
    Security,
    clock::{Agenda, Plans, ServerClock},
    http::{self, Connection, Length, NoRequest, Stream},
    lock,
};
use crate::{
    message::{Closing, ExchangeId, FOREVER, Incoming, Reply},
    phone::Phone,
    provider::Provider,
};

/// How long a thread that holds an answer sleeps before it checks for a decision and for a client
/// that closed the connection.
pub(super) const REST: Duration = Duration::from_millis(10);
/// A short wait, for example to see whether a connection was closed.
pub(super) const GLANCE: Duration = Duration::from_millis(1);
const MOST_CONNECTIONS: usize = 1024;
/// The number of bytes of an endless body that are written at once.
const PIECE: usize = 64 * 1024;

/// The state that all threads of a server share.
pub(super) struct Shared {
    provider: Mutex<Provider>,
    clock: ServerClock,
    phone: Phone,
    open: Mutex<Open>,
    #[cfg(feature = "tls")]
    trust: super::tls::Trust,
}

/// How one of the server's sockets is served.
pub(super) struct Listener {
    pub(super) security: Security,
    /// Its scheme, host and port, unless it is the main socket.
    pub(super) origin: Option<String>,
}

/// The open connections. The lock is never held while waiting for the provider.
#[derive(Default)]
struct Open {
    stopping: bool,
    counter: u64,
    connections: HashMap<u64, Entry>,
}

/// How the server notices that a client is gone.
enum Link {
    /// The connection is closed.
    Socket {
        socket: TcpStream,
        /// Whether the connection is encrypted.
        encrypted: bool,
    },
    /// The stream of an HTTP/2 connection is reset, or the connection is closed.
    #[cfg(feature = "http2")]
    Stream(Arc<AtomicBool>),
}

/// One open connection, or stream of one.
struct Entry {
    link: Link,
    /// The exchange whose answer was not sent yet.
    exchange: Option<ExchangeId>,
    /// Whether that takes time, so that the client may close the connection before.
    slow: bool,
    /// When it continues.
    due: Option<Timestamp>,
    /// Whether a request is arriving that is not recorded yet. Simulated time must not move, or the
    /// request would be recorded as later than it is.
    arriving: bool,
}

impl Shared {
    pub(super) fn new(provider: Provider, clock: ServerClock, phone: Phone) -> Self {
        Self {
            provider: Mutex::new(provider),
            clock,
            phone,
            open: Mutex::default(),
            #[cfg(feature = "tls")]
            trust: super::tls::Trust::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn wait_until(&self, until: Timestamp, at_most: Duration) {
        self.clock.wait_until(until, at_most);
    }

    #[cfg(feature = "tls")]
    pub(super) const fn trust(&self) -> &super::tls::Trust {
        &self.trust
    }

    pub(super) fn stopping(&self) -> bool {
        lock(&self.open).stopping
    }

    /// Closes this outgoing connection when the server stops, until the returned value is dropped.
    pub(super) fn outgoing(&self, socket: &TcpStream) -> Option<Serving<'_>> {
        self.register(socket, false).map(|number| Serving { shared: self, number })
    }

    pub(super) fn provider(&self) -> MutexGuard<'_, Provider> {
        lock(&self.provider)
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        lock(&self.open).connections.values().filter_map(|entry| entry.due).min()
    }

    /// Closes every connection, which ends the threads that read, write or hold an answer.
    pub(super) fn stop(&self) {
        let mut open = lock(&self.open);
        open.stopping = true;
        for entry in open.connections.values() {
            if let Some(socket) = entry.link.socket() {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
    }

    fn register(&self, socket: &TcpStream, encrypted: bool) -> Option<u64> {
        let socket = socket.try_clone().ok()?;
        self.enter(Link::Socket { socket, encrypted })
    }

    /// Registers a stream, whose client is gone once the flag is set.
    #[cfg(feature = "http2")]
    pub(super) fn register_stream(&self, gone: &Arc<AtomicBool>) -> Option<u64> {
        self.enter(Link::Stream(Arc::clone(gone)))
    }

    /// Records a request that arrived on a connection that was already closing.
    pub(super) fn unserved(&self, request: Incoming) {
        let now = self.clock.now();
        self.provider().unserved(request, now);
    }

    fn enter(&self, link: Link) -> Option<u64> {
        let mut open = lock(&self.open);
        if open.stopping || open.connections.len() >= MOST_CONNECTIONS {
            return None;
        }
        open.counter += 1;
        let number = open.counter;
        let entry = Entry { link, exchange: None, slow: false, due: None, arriving: false };
        open.connections.insert(number, entry);
        Some(number)
    }

    /// Ends the exchanges whose clients closed the connection while their answers were held, so that
    /// the next request of such a client does not overlap them.
    fn end_abandoned(&self) {
        let mut ended = Vec::new();
        for entry in lock(&self.open).connections.values_mut().filter(|entry| entry.slow) {
            if gone(&entry.link) {
                ended.extend(entry.exchange.take());
            }
        }
        let now = self.clock.now();
        for exchange in ended {
            self.provider().end(exchange, now);
        }
    }
}

impl Agenda for Shared {
    fn plans(&self, now: Timestamp) -> Plans {
        let held = self.next_due();
        let arriving = lock(&self.open).connections.values().any(|entry| entry.arriving);
        let provider = self.provider();
        let notified = provider.next_notification();
        let answered = provider.notified().len() - provider.notifications_under_way();
        Plans {
            busy: arriving || provider.is_notifying(now) || held.is_some_and(|due| due <= now),
            next: held.into_iter().chain(notified).min().unwrap_or(FOREVER),
            answered,
        }
    }
}

impl Link {
    const fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Socket { socket, .. } => Some(socket),
            #[cfg(feature = "http2")]
            Self::Stream(_) => None,
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Socket { socket, encrypted } => {
                Self::Socket { socket: socket.try_clone()?, encrypted: *encrypted }
            }
            #[cfg(feature = "http2")]
            Self::Stream(gone) => Self::Stream(Arc::clone(gone)),
        })
    }
}

/// Whether a client has closed a connection on which it was waiting for an answer. With TLS,
/// `close_notify` is a record like any other, and such a client has no reason to send another one.
fn gone(link: &Link) -> bool {
    let (socket, encrypted) = match link {
        Link::Socket { socket, encrypted } => (socket, *encrypted),
        #[cfg(feature = "http2")]
        Link::Stream(gone) => return gone.load(Ordering::Acquire),
    };
    let _ = socket.set_read_timeout(Some(GLANCE));
    match socket.peek(&mut [0]) {
        Ok(0) => true,
        Ok(_) => encrypted,
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
        ),
    }
}

/// Accepts connections until the server stops, then waits for their threads.
pub(super) fn accept(listener: &TcpListener, how: &Arc<Listener>, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    loop {
        let accepted = listener.accept();
        if lock(&shared.open).stopping {
            break;
        }
        let Ok((socket, _)) = accepted else {
            // Most likely out of file descriptors, which is temporary.
            thread::sleep(REST);
            continue;
        };
        threads.retain(|thread: &thread::JoinHandle<()>| !thread.is_finished());
        let Some(number) = shared.register(&socket, how.security.scheme() == "https") else {
            continue;
        };
        let (own, how) = (Arc::clone(shared), Arc::clone(how));
        let spawned =
            thread::Builder::new().name(format!("ciba-test-op {number}")).spawn(move || {
                let serving = Serving { shared: &own, number };
                serving.run(socket, &how, &own);
            });
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(_) => drop(lock(&shared.open).connections.remove(&number)),
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// A connection that is being served, removed from the list on drop.
pub(super) struct Serving<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let entry = lock(&self.shared.open).connections.remove(&self.number);
        if let Some(exchange) = entry.and_then(|entry| entry.exchange) {
            let now = self.shared.clock.now();
            self.shared.provider().end(exchange, now);
        }
    }
}

/// What happens to the connection.
pub(super) enum Then {
    Next,
    /// Close it orderly.
    Close,
    /// Drop it.
    Break,
    /// Close it although the client may want to keep it.
    End(Closing),
}

/// What carries an answer: a connection with HTTP/1.1, or a stream of one with HTTP/2.
pub(super) trait Carrier {
    fn head(&mut self, response: &Response, length: Length, keep_alive: bool) -> io::Result<()>;

    fn body(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Sends what was written so far.
    fn flush(&mut self) -> io::Result<()>;
}

impl<'a> Serving<'a> {
    #[cfg(feature = "http2")]
    pub(super) const fn new(shared: &'a Shared, number: u64) -> Self {
        Self { shared, number }
    }
}

impl Serving<'_> {
    fn run(&self, socket: TcpStream, how: &Arc<Listener>, shared: &Arc<Shared>) {
        let _ = socket.set_nodelay(true);
        #[cfg(not(feature = "http2"))]
        let _ = shared;
        let stream = match &how.security {
            Security::Plain => Stream::Plain(socket),
            #[cfg(feature = "http2")]
            Security::Tls(config, _) if config.alpn_protocols.len() > 1 => {
                match http2::accept(config, socket) {
                    Ok(Spoken::Http1(stream)) => Stream::Tls(stream),
                    Ok(Spoken::Http2(session)) => {
                        return http2::run(*session, shared, how, self.number);
                    }
                    Err(_) => return,
                }
            }
            #[cfg(feature = "tls")]
            Security::Tls(config, _) => match rustls::ServerConnection::new(Arc::clone(config)) {
                Ok(session) => Stream::Tls(Box::new(rustls::StreamOwned::new(session, socket))),
                Err(_) => return,
            },
        };
        let mut connection = Connection::new(stream);
        loop {
            let then = match connection.receive() {
                Ok(mut received) => {
                    self.complete(&mut received.request, &connection, how);
                    let keep_alive = received.keep_alive;
                    self.serve(&mut connection, received.request, keep_alive)
                }
                Err(NoRequest::Closed) => Then::Break,
                Err(NoRequest::Refused(status)) => {
                    let response = Response::new(
                        status,
                        [("cache-control", "no-store")].into_iter().collect(),
                        Vec::new(),
                    );
                    answer(&mut connection, &response, "GET", false)
                }
            };
            match then {
                Then::Next => {}
                Then::Close => return connection.close(),
                Then::Break => return,
                Then::End(closing) => return self.close_early(connection, how, closing),
            }
        }
    }

    /// Closes a connection that the client may keep for its next request.
    fn close_early(&self, mut connection: Connection, how: &Listener, closing: Closing) {
        let received = match closing {
            Closing::Announced => return connection.close(),
            Closing::AtOnce => return connection.finish_sending(),
            Closing::AtNextByte => {
                if !connection.has_more() {
                    return;
                }
                self.entry(|entry| entry.arriving = true);
                connection.finish_sending();
                connection.receive()
            }
            Closing::InNextRequest => connection.receive_and_leave(),
        };
        if let Ok(mut received) = received {
            self.complete(&mut received.request, &connection, how);
            self.shared.unserved(received.request);
        }
    }

    /// Adds to a request what the connection knows.
    fn complete(&self, request: &mut Incoming, connection: &Connection, how: &Listener) {
        request.origin.clone_from(&how.origin);
        request.connection = Some(self.number);
        #[cfg(feature = "tls")]
        if let Security::Tls(_, Some(peers)) = &how.security {
            request.certificate = peers.judge(connection.peer_certificates());
        }
        #[cfg(not(feature = "tls"))]
        let _ = connection;
    }

    pub(super) fn serve(
        &self,
        carrier: &mut impl Carrier,
        request: Incoming,
        keep_alive: bool,
    ) -> Then {
        let method = request.method.clone();
        if self.shared.phone.is_for(&request) {
            let now = self.shared.clock.now();
            let response = self.shared.phone.answer(&mut self.shared.provider(), &request, now);
            return answer(carrier, &response, &method, keep_alive);
        }
        self.shared.end_abandoned();
        let (exchange, mut reply, mut revision) = self.begin(request);
        loop {
            match reply {
                Reply::Hold { exchange: held, until } => {
                    if !self.wait(until, || self.shared.provider().revision() != revision) {
                        self.end();
                        return Then::Break;
                    }
                    debug_assert_eq!(
                        held, exchange,
                        "the provider holds the exchange that it was given"
                    );
                    let now = self.shared.clock.now();
                    let mut provider = self.shared.provider();
                    reply = provider.proceed(exchange, now);
                    revision = provider.revision();
                }
                // The exchange ends before its last byte is sent: otherwise the client could send its
                // next request on another connection before this thread reports the end.
                Reply::Answer(response) => {
                    self.end();
                    return answer(carrier, &response, &method, keep_alive);
                }
                Reply::Close { response, closing } => {
                    self.end();
                    let keep_alive = keep_alive && closing != Closing::Announced;
                    return match answer(carrier, &response, &method, keep_alive) {
                        Then::Next | Then::Close => Then::End(closing),
                        then => then,
                    };
                }
                Reply::Drop => {
                    self.end();
                    return Then::Break;
                }
                Reply::DropInside { response, sent } => {
                    let body = response.body.expose();
                    self.end();
                    let _ = carrier
                        .head(&response, Length::Known, keep_alive)
                        .and_then(|()| carrier.body(&body[..sent.min(body.len())]))
                        .and_then(|()| carrier.flush());
                    return Then::Break;
                }
                Reply::Drip { response, bytes_per_second } => {
                    return self.drip(carrier, &response, bytes_per_second, keep_alive);
                }
                Reply::Endless(response) => return self.pour(carrier, &response),
            }
        }
    }

    /// The third value is the revision that the reply belongs to.
    fn begin(&self, request: Incoming) -> (ExchangeId, Reply, u64) {
        let now = self.shared.clock.now();
        let mut provider = self.shared.provider();
        let (exchange, reply) = provider.begin(request, now);
        let revision = provider.revision();
        drop(provider);
        self.entry(|entry| entry.exchange = Some(exchange));
        (exchange, reply, revision)
    }

    /// Reports the end of the exchange, unless it was found abandoned.
    fn end(&self) {
        let exchange = self.entry(|entry| {
            (entry.slow, entry.due) = (false, None);
            if let Some(socket) = entry.link.socket() {
                // `gone` has set a short timeout.
                let _ = socket.set_read_timeout(None);
            }
            entry.exchange.take()
        });
        if let Some(exchange) = exchange.flatten() {
            let now = self.shared.clock.now();
            self.shared.provider().end(exchange, now);
        }
    }

    fn entry<T>(&self, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        lock(&self.shared.open).connections.get_mut(&self.number).map(change)
    }

    /// Waits until a time or until `enough` is true. Returns false if the client is gone.
    fn wait(&self, until: Timestamp, enough: impl Fn() -> bool) -> bool {
        self.entry(|entry| (entry.slow, entry.due) = (true, (until != FOREVER).then_some(until)));
        let answered = loop {
            if self.client_gone() {
                break false;
            }
            if self.shared.clock.now() >= until || enough() {
                break true;
            }
            self.shared.clock.hold_until(until, REST);
        };
        self.entry(|entry| entry.due = None);
        answered
    }

    fn client_gone(&self) -> bool {
        let open = lock(&self.shared.open);
        let link = match open.connections.get(&self.number) {
            Some(entry) if !open.stopping && entry.exchange.is_some() => entry.link.try_clone(),
            _ => return true,
        };
        drop(open);
        link.map_or(true, |link| gone(&link))
    }

    fn drip(
        &self,
        carrier: &mut impl Carrier,
        response: &Response,
        rate: usize,
        keep_alive: bool,
    ) -> Then {
        let mut pieces = response.body.expose().chunks(rate.max(1)).peekable();
        if pieces.peek().is_none() {
            self.end();
        }
        let head = carrier.head(response, Length::Known, keep_alive);
        if head.and_then(|()| carrier.flush()).is_err() {
            return self.broken();
        }
        while let Some(piece) = pieces.next() {
            let due = self.shared.clock.now().saturating_add(Duration::from_secs(1));
            if pieces.peek().is_none() {
                self.end();
            }
            if carrier.body(piece).and_then(|()| carrier.flush()).is_err()
                || (pieces.peek().is_some() && !self.wait(due, || false))
            {
                return self.broken();
            }
        }
        if keep_alive && !http::says_close(response) { Then::Next } else { Then::Close }
    }

    fn pour(&self, carrier: &mut impl Carrier, response: &Response) -> Then {
        self.entry(|entry| entry.slow = true);
        let body = match response.body.expose() {
            b"" => b" ",
            body => body,
        };
        let piece = body.repeat(PIECE.div_ceil(body.len()));
        let mut sent = carrier.head(response, Length::Unknown, false);
        while sent.is_ok() {
            sent = carrier.body(&piece).and_then(|()| carrier.flush());
        }
        self.broken()
    }

    fn broken(&self) -> Then {
        self.end();
        Then::Break
    }
}

fn answer(carrier: &mut impl Carrier, response: &Response, method: &str, keep_alive: bool) -> Then {
    let body = match http::bodyless(method, response.status) {
        true => b"",
        false => response.body.expose(),
    };
    let head = carrier.head(response, Length::Known, keep_alive);
    match head.and_then(|()| carrier.body(body)).and_then(|()| carrier.flush()) {
        Ok(()) if keep_alive && !http::says_close(response) => Then::Next,
        Ok(()) => Then::Close,
        Err(_) => Then::Break,
    }
}
