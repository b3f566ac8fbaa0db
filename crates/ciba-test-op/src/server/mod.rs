//! The provider behind a loopback socket.

mod chunked;
mod clock;
mod connection;
mod http;
mod notifier;
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

pub use self::clock::VirtualClock;
use self::connection::{Listener, Shared};
#[cfg(feature = "tls")]
pub use self::tls::{ClientCertificate, NamedAuthorities};
use crate::{phone::Phone, provider::Provider};
use ciba_std::Clock;

/// Starts providers behind loopback sockets.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A provider behind a loopback socket. It stops when this is dropped.
pub struct RunningServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    issuer: String,
    #[cfg(feature = "tls")]
    authority: Option<(tls::Authority, String)>,
    /// Every address a thread listens at, which looks up at a connection only.
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens at a loopback address and serves a provider there over HTTP/1.1, one thread a
    /// connection. Port 0 takes a free port. The address is bound first, because the issuer
    /// contains the port; the closure gets the issuer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] when the address is not a loopback address: the provider
    /// protects nothing. Otherwise what the operating system says about the address.
    pub fn start(
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        RunningServer::new(listener, Security::Plain, None, clock, provider)
    }

    /// The same over TLS 1.2 and 1.3, with a certificate for `127.0.0.1`, `::1` and `localhost`
    /// from a certificate authority made for this run ([`RunningServer::ca_pem`]).
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
        Self::secure(address, None, clock, provider)
    }

    /// The same, and a second listener at another port that asks for client certificates
    /// ([`RunningServer::client_certificate`] makes one). The metadata name it in
    /// `mtls_endpoint_aliases`.
    ///
    /// # Errors
    ///
    /// As [`Self::start_tls`].
    #[cfg(feature = "tls")]
    pub fn start_mutual_tls(
        address: SocketAddr,
        named: NamedAuthorities,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        Self::secure(address, Some(named), clock, provider)
    }

    #[cfg(feature = "tls")]
    fn secure(
        address: SocketAddr,
        named: Option<NamedAuthorities>,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        let authority = tls::Authority::new()?;
        let (config, _) = authority.server(None)?;
        let alias = match named {
            None => None,
            Some(named) => {
                let listener = bind(SocketAddr::new(address.ip(), 0))?;
                let (config, peers) = authority.server(Some(named))?;
                Some((listener, Security::Tls(config, peers)))
            }
        };
        let mut server =
            RunningServer::new(listener, Security::Tls(config, None), alias, clock, provider)?;
        let pem = authority.pem();
        server.authority = Some((authority, pem));
        Ok(server)
    }
}

/// What protects the connections.
enum Security {
    Plain,
    #[cfg(feature = "tls")]
    /// And who is asked for a certificate, if anyone.
    Tls(Arc<rustls::ServerConfig>, Option<tls::Peers>),
}

impl Security {
    const fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(..) => "https",
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
        alias: Option<(TcpListener, Security)>,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let scheme = security.scheme();
        let mut provider = provider(&format!("{scheme}://{address}"));
        let mut listeners = vec![(listener, Listener { security, origin: None })];
        if let Some((listener, security)) = alias {
            let origin = format!("{}://{}", security.scheme(), listener.local_addr()?);
            provider.offer_mutual_tls(origin.clone());
            listeners.push((listener, Listener { security, origin: Some(origin) }));
        }
        let issuer = provider.issuer().to_owned();
        let phone = Phone::new(scheme, address, &issuer);
        let shared = Arc::new(Shared::new(provider, clock, phone));
        let mut server = Self {
            shared: Arc::clone(&shared),
            address,
            issuer,
            #[cfg(feature = "tls")]
            authority: None,
            addresses: Vec::new(),
            threads: Vec::new(),
        };
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        for (listener, how) in listeners {
            let (at, accepting) = (listener.local_addr()?, Arc::clone(&shared));
            let how = Arc::new(how);
            let spawned = thread("ciba-test-op")
                .spawn(move || connection::accept(&listener, &how, &accepting))?;
            server.addresses.push(at);
            server.threads.push(spawned);
        }
        server.threads.push(thread("ciba-test-op notifier").spawn(move || notifier::run(&shared))?);
        Ok(server)
    }

    /// The provider's issuer identifier: `http://127.0.0.1:PORT`, unless the closure chose another
    /// one.
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
        #[cfg(feature = "tls")]
        return self.authority.as_ref().map(|(_, pem)| pem.as_str());
        #[cfg(not(feature = "tls"))]
        None
    }

    /// A client's certificate from the authority of this run, with this common name and nothing
    /// else for its subject.
    ///
    /// # Errors
    ///
    /// When the server runs without TLS, or no certificate can be made.
    #[cfg(feature = "tls")]
    pub fn client_certificate(&self, common_name: &str) -> io::Result<ClientCertificate> {
        let (authority, _) = self.authority.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        authority.client(common_name)
    }

    /// A certificate for a notification endpoint on this machine, from the authority of this run,
    /// which is trusted from now on: for `127.0.0.1`, `::1` and `localhost`.
    ///
    /// # Errors
    ///
    /// As [`Self::client_certificate`].
    #[cfg(feature = "tls")]
    pub fn endpoint_certificate(&self) -> io::Result<ClientCertificate> {
        let (authority, pem) = self.authority.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let (certificate, key) = authority.local("Notification endpoint")?;
        self.shared.trust().add(pem)?;
        Ok(ClientCertificate::new(&certificate, &key))
    }

    /// Trusts the certificates in a PEM text, when notifications are sent over TLS.
    ///
    /// # Errors
    ///
    /// When there is no certificate in it.
    #[cfg(feature = "tls")]
    pub fn trust_notification_endpoints(&self, ca_pem: &str) -> io::Result<()> {
        self.shared.trust().add(ca_pem)
    }

    /// Where the judge's report is to be had as JSON at any time, for clients on this machine
    /// (`GET`; see [`Report::to_json`](crate::Report::to_json)). `?client_id=app` leaves the
    /// findings about other clients out.
    #[must_use]
    pub fn report_url(&self) -> String {
        self.provider().endpoint_url(crate::Endpoint::Report)
    }

    /// The provider: to script it, to decide in a person's place, to read its report. No request is
    /// answered while the guard is held.
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.shared.provider()
    }

    /// The next instant at which an answer that is being held becomes due, if there is one. A
    /// [`VirtualClock`] has to be moved there for the answer to leave. Notifications are separate:
    /// [`Provider::next_notification`] says when the next one is sent,
    /// [`Provider::notifications_under_way`] whether one is.
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
        for address in &self.addresses {
            let _ = TcpStream::connect_timeout(address, Duration::from_secs(1));
        }
        for thread in self.threads.drain(..) {
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
