//! Serves a provider on a loopback socket.

mod carrier;
mod chunked;
mod clock;
mod connection;
mod http;
#[cfg(feature = "http2")]
mod http2;
mod limits;
mod listener;
mod lock;
mod notifier;
mod received;
mod serving;
mod shared;
mod stream;
#[cfg(feature = "tls")]
mod tls;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, MutexGuard, Weak},
    thread::{self, JoinHandle},
    time::Duration,
};

use ciba_core::Timestamp;

pub use self::clock::{ServerClock, VirtualClock};
#[cfg(feature = "tls")]
pub use self::tls::{ClientCertificate, NamedAuthorities};
use self::{
    clock::Agenda,
    listener::{Listener, Security},
    shared::Shared,
};
use crate::{phone::Phone, provider::Provider};

/// Starts servers for providers on loopback sockets.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A server for a provider on a loopback socket. It stops on drop.
pub struct RunningServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    issuer: String,
    #[cfg(feature = "tls")]
    authority: Option<(tls::Authority, String)>,
    /// The addresses of the listening threads, which only a connection wakes.
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on a loopback address and serves a provider there over HTTP/1.1, with one thread per
    /// connection. Port 0 selects a free port. The closure receives the issuer, which contains the
    /// port.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::InvalidInput`] if the address is not a loopback address, because the
    /// provider protects nothing. Otherwise returns the error of the operating system.
    pub fn start(
        address: SocketAddr,
        clock: impl Into<ServerClock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        RunningServer::new(listener, Security::Plain, None, clock, provider)
    }

    /// As [`Self::start`] over TLS 1.2 and 1.3, with a certificate for `127.0.0.1`, `::1` and
    /// `localhost` from a certificate authority created for this run ([`RunningServer::ca_pem`]).
    ///
    /// # Errors
    ///
    /// As [`Self::start`], and if no certificate can be created.
    #[cfg(feature = "tls")]
    pub fn start_tls(
        address: SocketAddr,
        clock: impl Into<ServerClock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        Self::secure(address, None, &HTTP1, clock, provider)
    }

    /// As [`Self::start_tls`], and also speaks HTTP/2 with clients that offer it (ALPN).
    ///
    /// # Errors
    ///
    /// As [`Self::start_tls`].
    #[cfg(feature = "http2")]
    pub fn start_http2(
        address: SocketAddr,
        clock: impl Into<ServerClock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        Self::secure(address, None, &["h2", "http/1.1"], clock, provider)
    }

    /// As [`Self::start_tls`], with a second listener on another port that requests client
    /// certificates ([`RunningServer::client_certificate`] creates one). The metadata name it in
    /// `mtls_endpoint_aliases`.
    ///
    /// # Errors
    ///
    /// As [`Self::start_tls`].
    #[cfg(feature = "tls")]
    pub fn start_mutual_tls(
        address: SocketAddr,
        named: NamedAuthorities,
        clock: impl Into<ServerClock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        Self::secure(address, Some(named), &HTTP1, clock, provider)
    }

    #[cfg(feature = "tls")]
    fn secure(
        address: SocketAddr,
        named: Option<NamedAuthorities>,
        protocols: &[&str],
        clock: impl Into<ServerClock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        let listener = bind(address)?;
        let authority = tls::Authority::new()?;
        let (config, _) = authority.server(None, protocols)?;
        let alias = match named {
            None => None,
            Some(named) => {
                let listener = bind(SocketAddr::new(address.ip(), 0))?;
                let (config, peers) = authority.server(Some(named), protocols)?;
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

/// The protocols of a server that does not speak HTTP/2.
#[cfg(feature = "tls")]
const HTTP1: [&str; 1] = ["http/1.1"];

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let reason =
            "the test provider listens only on loopback addresses, because it protects nothing";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    TcpListener::bind(address)
}

impl RunningServer {
    fn new(
        listener: TcpListener,
        security: Security,
        alias: Option<(TcpListener, Security)>,
        clock: impl Into<ServerClock>,
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
        let clock = clock.into();
        let shared = Arc::new(Shared::new(provider, clock.clone(), phone));
        let agenda: Weak<dyn Agenda> = Arc::<Shared>::downgrade(&shared);
        clock.attach(agenda);
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

    /// Returns the issuer: `http://127.0.0.1:PORT`, unless the closure chose another one.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// Returns the address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the certificate that clients have to trust, in PEM; `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        #[cfg(feature = "tls")]
        return self.authority.as_ref().map(|(_, pem)| pem.as_str());
        #[cfg(not(feature = "tls"))]
        None
    }

    /// Creates a client certificate from the authority of this run. Its subject is only this common
    /// name.
    ///
    /// # Errors
    ///
    /// Fails if the server runs without TLS, or if no certificate can be created.
    #[cfg(feature = "tls")]
    pub fn client_certificate(&self, common_name: &str) -> io::Result<ClientCertificate> {
        let (authority, _) = self.authority.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        authority.client(common_name)
    }

    /// Creates a certificate of a notification endpoint for `127.0.0.1`, `::1` and `localhost`, from
    /// the authority of this run. The server trusts it from now on.
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

    /// Trusts the certificates in a PEM string when notifications are sent over TLS.
    ///
    /// # Errors
    ///
    /// Fails if it contains no certificate.
    #[cfg(feature = "tls")]
    pub fn trust_notification_endpoints(&self, ca_pem: &str) -> io::Result<()> {
        self.shared.trust().add(ca_pem)
    }

    /// Returns the URL of the judge's report as JSON, for `GET` requests from this machine (see
    /// [`Report::to_json`](crate::Report::to_json)). With `?client_id=app` it contains only the
    /// findings about that client.
    #[must_use]
    pub fn report_url(&self) -> String {
        self.provider().endpoint_url(crate::Endpoint::Report)
    }

    /// Locks the provider: to script it, to decide in the user's place, to read its report. No request
    /// is answered while the guard is held.
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.shared.provider()
    }

    /// Returns when the next held answer is due, if there is one. To have it sent, move a
    /// [`VirtualClock`] there. Notifications are separate: see [`Provider::next_notification`] and
    /// [`Provider::notifications_under_way`].
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.shared.next_due()
    }

    /// Closes the socket and every connection, and returns when all threads have ended.
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
