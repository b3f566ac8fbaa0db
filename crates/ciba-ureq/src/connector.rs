//! A resolver and a connector that note how far an exchange came: whether any byte of the request
//! left, or of an answer came; and that ask once more, when nothing but the request is left to
//! write, whether it may still leave.

use std::{
    cell::{Cell, RefCell},
    io,
};

use ciba_std::{Gate, Withheld};
use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};

/// How far an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// No address is known yet.
    Resolving,
    /// A connection through a proxy is being made, and failed so far.
    Tunnelling,
    /// A connection is being made, with TLS.
    Connecting,
    /// Bytes of the request may have left.
    Writing,
    /// Bytes of an answer came.
    Reading,
}

thread_local! {
    /// ureq does all its writing in the thread that called it, so a mark per thread is a mark per
    /// exchange.
    static MARK: Cell<Mark> = const { Cell::new(Mark::Resolving) };
    /// Says whether the request of this thread's exchange may still leave.
    static GATE: RefCell<Option<Gate>> = const { RefCell::new(None) };
}

/// Carries out exchanges whose requests leave only if the gate says so right before their first
/// byte: a connection that takes its time, or a machine that is suspended during it, must not make
/// a request late that was in time when it was begun.
pub(crate) fn while_allowed<T>(gate: Gate, exchange: impl FnOnce() -> T) -> T {
    /// Takes the gate away again, also when something panics.
    struct Within;

    impl Drop for Within {
        fn drop(&mut self) {
            GATE.set(None);
        }
    }

    GATE.set(Some(gate));
    let _within = Within;
    exchange()
}

/// Asks the gate, which is not held meanwhile.
fn pass() -> Result<(), Withheld> {
    GATE.with_borrow(Clone::clone).map_or(Ok(()), |gate| gate.pass())
}

/// Before an exchange.
pub(crate) fn begin() {
    MARK.set(Mark::Resolving);
}

/// The connection through a proxy could not be made.
pub(crate) fn tunnel_failed() {
    if MARK.get() != Mark::Resolving {
        MARK.set(Mark::Tunnelling);
    }
}

/// How far this thread's last exchange came.
pub(crate) fn mark() -> Mark {
    MARK.get()
}

/// ureq's own resolver.
#[derive(Debug, Default)]
pub(crate) struct NotingResolver(DefaultResolver);

impl Resolver for NotingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        MARK.set(Mark::Resolving);
        let found = self.0.resolve(uri, config, timeout)?;
        MARK.set(Mark::Connecting);
        Ok(found)
    }
}

#[cfg(feature = "rustls-no-provider")]
type Underlying = crate::wire::WireConnector;
#[cfg(not(feature = "rustls-no-provider"))]
type Underlying = ureq::unversioned::transport::DefaultConnector;

/// ureq's own connector, its transports wrapped.
#[derive(Debug, Default)]
pub(crate) struct NotingConnector(Underlying);

impl Connector for NotingConnector {
    type Out = NotingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<NotingTransport>, ureq::Error> {
        // All requests of an agent have the same TLS configuration, only time-outs differ. Taken
        // for the request's own it would be built anew each time, and sessions never resumed.
        let details = ConnectionDetails { request_level: false, ..copy(details) };
        MARK.set(Mark::Connecting);
        let made = self.0.connect(&details, chained);
        // What was written until here built a tunnel through a proxy (which goes through this
        // connector too); no request. A proxy whose name is not found stays at that, and so does
        // one that does not make the connection.
        if !matches!(MARK.get(), Mark::Resolving | Mark::Tunnelling) || made.is_ok() {
            MARK.set(Mark::Connecting);
        }
        Ok(made?.map(NotingTransport))
    }
}

/// [`ConnectionDetails`] cannot be cloned.
pub(crate) fn copy<'a>(details: &ConnectionDetails<'a>) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: details.addrs.clone(),
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: details.current_time.clone(),
        run_connector: details.run_connector.clone(),
        register_shutdown: details.register_shutdown.clone(),
    }
}

/// A connection, ready for a request: everything that is written to it belongs to one.
#[derive(Debug)]
pub(crate) struct NotingTransport(Box<dyn Transport>);

impl Transport for NotingTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        // Over a kept connection nothing was connected, and through a proxy nothing resolved either.
        if !matches!(MARK.get(), Mark::Writing | Mark::Reading) {
            pass().map_err(io::Error::other)?;
        }
        MARK.set(Mark::Writing);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.0.await_input(timeout)?;
        if came {
            MARK.set(Mark::Reading);
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
