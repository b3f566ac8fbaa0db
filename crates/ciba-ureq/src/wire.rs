//! The transport below TLS. A server that refuses a client certificate sends an alert and closes
//! the connection at once. Later writes of this side then fail, and the alert has to be read all
//! the same.

use std::{cell::Cell, io, time::Duration};

use ureq::{
    Timeout,
    http::Uri,
    tls::TlsProvider,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, RustlsConnector,
        Transport,
    },
};

use crate::{
    details::copy,
    progress::{Mark, mark, reach},
};

/// How long a server has after the handshake to refuse the client certificate.
const VERDICT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    /// Every read is performed.
    Always,
    /// The next read is performed.
    Once,
    /// Reads time out at once.
    NoMore,
}

thread_local! {
    /// The transport cannot be reached through the TLS above it. ureq reads and writes in the
    /// thread that called it.
    static LISTENING: Cell<Listening> = const { Cell::new(Listening::Always) };
    /// Whether the last operation was a write.
    static WROTE_LAST: Cell<bool> = const { Cell::new(false) };
}

/// ureq's own connector, in two halves.
#[derive(Debug, Default)]
pub(crate) struct WireConnector {
    /// For everything but TLS with rustls.
    whole: DefaultConnector,
    tls: RustlsConnector,
}

impl Connector for WireConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Box<dyn Transport>>, ureq::Error> {
        let tls = details.config.tls_config();
        let Some(below) = below_tls(details.uri).filter(|_| tls.provider() == TlsProvider::Rustls)
        else {
            return self.whole.connect(details, chained);
        };
        let wire = self.whole.connect(&ConnectionDetails { uri: &below, ..copy(details) }, chained);
        let is_proxied =
            details.config.proxy().is_some_and(|proxy| !proxy.is_no_proxy(details.uri));
        let wire = wire.inspect_err(|_| {
            // The name of the proxy itself was not found: that remains the mark.
            if is_proxied && mark() != Mark::Resolving {
                reach(Mark::Tunnelling);
            }
        })?;
        let Some(made) = self.tls.connect(details, wire.map(Wire::new))? else { return Ok(None) };
        let mut made: Box<dyn Transport> = Box::new(made);
        // Under TLS 1.3 the client sends the last message of a handshake, and the server verifies
        // its certificate only then. The server's next message is a session ticket or an alert.
        // Nothing of the request was written yet, so it counts as not sent whatever goes wrong.
        // Linux keeps what arrived before a connection was reset; other systems discard what was
        // not read by then.
        if tls.client_cert().is_some() && WROTE_LAST.get() {
            hear_verdict(&mut *made)?;
        }
        Ok(Some(made))
    }
}

/// Returns an address for which ureq makes the connection below TLS and adds nothing to it. All
/// other properties of the connection, such as the proxy, depend on host and port only.
fn below_tls(uri: &Uri) -> Option<Uri> {
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let authority = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(443));
    Uri::builder().scheme("http").authority(authority).path_and_query("/").build().ok()
}

/// Waits for the server's next message, so that a refused certificate is known before the request
/// is written.
fn hear_verdict(made: &mut dyn Transport) -> Result<(), ureq::Error> {
    LISTENING.set(Listening::Once);
    let heard = made.await_input(NextTimeout { after: VERDICT.into(), ..NextTimeout::default() });
    LISTENING.set(Listening::Always);
    match heard {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        Err(error) if is_timeout(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_timeout(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<ureq::Error>())
            .map_or(error.kind() == io::ErrorKind::TimedOut, is_timeout),
        _ => false,
    }
}

/// A connection that reports a failed write only when there is nothing left to read: rustls would
/// not read after it.
#[derive(Debug)]
struct Wire {
    connection: Box<dyn Transport>,
    failed: Option<ureq::Error>,
}

impl Wire {
    fn new(connection: Box<dyn Transport>) -> Self {
        Self { connection, failed: None }
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        WROTE_LAST.set(true);
        if self.failed.is_some() {
            return Ok(());
        }
        match self.connection.transmit_output(amount, timeout) {
            Err(error) if is_closed(&error) => {
                self.failed = Some(error);
                Ok(())
            }
            done => done,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        WROTE_LAST.set(false);
        match LISTENING.get() {
            Listening::Always => {}
            Listening::Once => LISTENING.set(Listening::NoMore),
            Listening::NoMore => return Err(ureq::Error::Timeout(Timeout::Connect)),
        }
        match self.connection.await_input(timeout) {
            Ok(true) => Ok(true),
            end => self.failed.take().map_or(end, Err),
        }
    }

    fn is_open(&mut self) -> bool {
        self.failed.is_none() && self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}

/// Returns whether the other side closed the connection, so that no read blocks any more.
fn is_closed(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error, ureq::Error::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}
