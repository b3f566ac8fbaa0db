//! The transport below TLS. A server that refuses a client certificate says so in an alert and
//! closes the connection at once; what this side still writes then fails, and the alert must be
//! read all the same.

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

use crate::connector::{self, copy};

/// How long a server has after the handshake to say what it thinks of the client certificate.
const VERDICT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listening {
    /// Reads as they are asked for.
    Always,
    /// One more read.
    Once,
    /// No more, as if nothing came.
    NoMore,
}

thread_local! {
    /// A transport cannot be reached through the TLS above it; ureq does all its reading and
    /// writing in the thread that called it.
    static LISTENING: Cell<Listening> = const { Cell::new(Listening::Always) };
    /// Whether the last that was done was a write.
    static WROTE_LAST: Cell<bool> = const { Cell::new(false) };
}

/// ureq's own connector, in two halves.
#[derive(Debug, Default)]
pub(crate) struct WireConnector {
    /// For all but rustls, which it has too.
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
            if is_proxied {
                connector::tunnel_failed();
            }
        })?;
        let Some(made) = self.tls.connect(details, wire.map(Wire::new))? else { return Ok(None) };
        let mut made: Box<dyn Transport> = Box::new(made);
        // Under TLS 1.3 the client has the last word in a handshake, and the server looks at its
        // certificate only then. What comes first is a session ticket or an alert. Nothing of the
        // request was written yet, so whatever is wrong, it is unsent. Linux keeps what came before
        // a connection was reset; other systems throw away what was not read by then.
        if tls.client_cert().is_some() && WROTE_LAST.get() {
            hear_verdict(&mut *made)?;
        }
        Ok(Some(made))
    }
}

/// The address of the connection that TLS is spoken over, which ureq is to make and leave as it is.
/// Everything else about the connection, such as the proxy, depends on host and port alone.
fn below_tls(uri: &Uri) -> Option<Uri> {
    if uri.scheme_str() != Some("https") {
        return None;
    }
    let authority = format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(443));
    Uri::builder().scheme("http").authority(authority).path_and_query("/").build().ok()
}

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

/// A connection that says that a write failed only when there is nothing left to read: rustls would
/// not read on after it.
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

/// Closed by the other side, so that no read waits any more.
fn is_closed(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error, ureq::Error::Io(error) if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset))
}
