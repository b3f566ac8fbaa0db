//! What the threads of a server share: the provider, the clock, and the open connections.

use std::{
    collections::HashMap,
    io,
    net::{Shutdown, TcpStream},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

#[cfg(feature = "http2")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ciba_core::Timestamp;

#[cfg(feature = "tls")]
use super::tls::Trust;
use super::{
    clock::{Agenda, Plans, ServerClock},
    limits::GLANCE,
    lock::lock,
};
use crate::{
    message::{ExchangeId, FOREVER, Incoming},
    phone::Phone,
    provider::Provider,
};

const MOST_CONNECTIONS: usize = 1024;

/// The state that all threads of a server share.
pub(super) struct Shared {
    provider: Mutex<Provider>,
    pub(super) clock: ServerClock,
    pub(super) phone: Phone,
    open: Mutex<Open>,
    #[cfg(feature = "tls")]
    trust: Trust,
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
pub(super) struct Entry {
    link: Link,
    /// The exchange whose answer was not sent yet.
    pub(super) exchange: Option<ExchangeId>,
    /// Whether that takes time, so that the client may close the connection before.
    pub(super) slow: bool,
    /// When it continues.
    pub(super) due: Option<Timestamp>,
    /// Whether a request is arriving that is not recorded yet. Simulated time must not move, or the
    /// request would be recorded as later than it is.
    pub(super) arriving: bool,
}

impl Shared {
    pub(super) fn new(provider: Provider, clock: ServerClock, phone: Phone) -> Self {
        Self {
            provider: Mutex::new(provider),
            clock,
            phone,
            open: Mutex::default(),
            #[cfg(feature = "tls")]
            trust: Trust::default(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn wait_until(&self, until: Timestamp, at_most: Duration) {
        self.clock.wait_until(until, at_most);
    }

    #[cfg(feature = "tls")]
    pub(super) const fn trust(&self) -> &Trust {
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

    pub(super) fn register(&self, socket: &TcpStream, encrypted: bool) -> Option<u64> {
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

    /// Removes a connection that is not served.
    pub(super) fn remove(&self, number: u64) {
        drop(lock(&self.open).connections.remove(&number));
    }

    /// Ends the exchanges whose clients closed the connection while their answers were held, so that
    /// the next request of such a client does not overlap them.
    pub(super) fn end_abandoned(&self) {
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

/// A connection that is being served, removed from the list on drop.
pub(super) struct Serving<'a> {
    pub(super) shared: &'a Shared,
    pub(super) number: u64,
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

impl<'a> Serving<'a> {
    pub(super) const fn new(shared: &'a Shared, number: u64) -> Self {
        Self { shared, number }
    }
}

impl Serving<'_> {
    pub(super) fn entry<T>(&self, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        lock(&self.shared.open).connections.get_mut(&self.number).map(change)
    }

    /// Reports the end of the exchange, unless it was found abandoned.
    pub(super) fn end(&self) {
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

    /// Whether the client is gone, or the exchange was ended as abandoned.
    pub(super) fn client_gone(&self) -> bool {
        let open = lock(&self.shared.open);
        let link = match open.connections.get(&self.number) {
            Some(entry) if !open.stopping && entry.exchange.is_some() => entry.link.try_clone(),
            _ => return true,
        };
        drop(open);
        link.map_or(true, |link| gone(&link))
    }
}
