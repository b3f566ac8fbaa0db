//! The provider behind a loopback socket.

mod clock;
mod connection;
mod http;
#[cfg(feature = "tls")]
mod tls;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use ciba_core::Timestamp;

pub use self::clock::{Clock, SystemClock, VirtualClock};
use self::connection::Shared;
use crate::{phone::Phone, provider::Provider};

/// Starts providers behind loopback sockets.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A provider behind a loopback socket. It stops when this is dropped.
pub struct RunningServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    issuer: String,
    ca_pem: Option<String>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at a loopback address and serves a provider there over HTTP/1.1, one thread a connection. Port 0 takes
    /// a free port. The address is bound first, because the issuer contains the port; the closure gets the issuer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] when the address is not a loopback address: the provider protects nothing.
    /// Otherwise what the operating system says about the address.
    pub fn start(
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        RunningServer::new(listener, Security::Plain, None, clock, provider)
    }

    /// The same over TLS 1.2 and 1.3, with a certificate for `127.0.0.1`, `::1` and `localhost` from a certificate
    /// authority made for this run ([`RunningServer::ca_pem`]).
    ///
    /// # Errors
    ///
    /// As [`Self::start`], and when no certificate can be made.
    #[cfg(feature = "tls")]
    pub fn start_tls(
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        let (config, ca_pem) = tls::configuration()?;
        RunningServer::new(listener, Security::Tls(config), Some(ca_pem), clock, provider)
    }
}

/// What protects the connections.
enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ServerConfig>),
}

impl Security {
    const fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let reason = "the test provider listens at loopback addresses only: it protects nothing";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    TcpListener::bind(address)
}

impl RunningServer {
    fn new(
        listener: TcpListener,
        security: Security,
        ca_pem: Option<String>,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let scheme = security.scheme();
        let provider = provider(&format!("{scheme}://{address}"));
        let issuer = provider.issuer().to_owned();
        let phone = Phone::new(scheme, address, &issuer);
        let shared = Arc::new(Shared::new(provider, clock, phone, security));
        let accepting = Arc::clone(&shared);
        let listening = thread::Builder::new()
            .name("ciba-test-op".to_owned())
            .spawn(move || connection::accept(&listener, &accepting))?;
        Ok(Self { shared, address, issuer, ca_pem, listening: Some(listening) })
    }

    /// The provider's issuer identifier: `http://127.0.0.1:PORT`, unless the closure chose another one.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate a client has to trust, in PEM; `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The provider: to script it, to decide in a person's place, to read its report. No request is answered while the
    /// guard is held.
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.shared.provider()
    }

    /// The next instant at which an answer that is being held becomes due, if there is one. Whoever moves a
    /// [`VirtualClock`] has to move it there for the answer to leave.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.shared.next_due()
    }

    /// Stops: closes the socket and every connection, and returns when all threads have ended.
    pub fn stop(self) {}
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.shared.stop();
        // The listening thread looks up at a connection only.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
