//! The provider behind a loopback socket.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ciba_core::Timestamp;

use crate::provider::Provider;

/// Where a server reads the time.
pub trait Clock: Send + Sync {
    /// The instant it is.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct VirtualClock(Mutex<Timestamp>);

impl VirtualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(now))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.saturating_add(by);
    }

    /// Sets it.
    pub fn set(&self, to: Timestamp) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to;
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Starts providers behind loopback sockets.
#[derive(Debug, Clone, Copy)]
pub struct Server;

/// A provider behind a loopback socket. Stops when dropped.
#[derive(Debug)]
pub struct RunningServer {
    provider: Arc<Mutex<Provider>>,
}

#[allow(clippy::todo, missing_docs, unused_variables, clippy::missing_errors_doc, clippy::must_use_candidate)]
impl Server {
    /// Binds first, because the issuer holds the port; the closure gets it.
    pub fn start(
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        todo!()
    }
    /// The same over TLS with a fresh certificate authority (feature `tls`).
    #[cfg(feature = "tls")]
    pub fn start_tls(
        address: SocketAddr,
        clock: Arc<dyn Clock>,
        provider: impl FnOnce(&str) -> Provider,
    ) -> io::Result<RunningServer> {
        todo!()
    }
}

#[allow(clippy::todo, missing_docs, clippy::must_use_candidate)]
impl RunningServer {
    pub fn issuer(&self) -> String {
        todo!()
    }
    pub fn ca_pem(&self) -> Option<&str> {
        todo!()
    }
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.provider.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    pub fn stop(self) {
        todo!()
    }
}
