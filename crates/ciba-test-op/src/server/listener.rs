//! How each of the server's sockets is served.

#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
use super::tls::Peers;

/// How one of the server's sockets is served.
pub(super) struct Listener {
    pub(super) security: Security,
    /// Its scheme, host and port, unless it is the main socket.
    pub(super) origin: Option<String>,
}

/// What protects the connections.
pub(super) enum Security {
    Plain,
    /// With the verifier of client certificates, if they are requested.
    #[cfg(feature = "tls")]
    Tls(Arc<rustls::ServerConfig>, Option<Peers>),
}

impl Security {
    pub(super) const fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "tls")]
            Self::Tls(..) => "https",
        }
    }
}
