//! A connector that notes whether any byte of a request left.

use std::cell::Cell;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

thread_local! {
    /// ureq does all its writing in the thread that called it, so a mark per thread is a mark per exchange.
    static WROTE: Cell<bool> = const { Cell::new(false) };
}

/// Clears the mark, before an exchange.
pub(crate) fn forget() {
    WROTE.set(false);
}

/// Whether a byte of this thread's last request may have left.
pub(crate) fn wrote() -> bool {
    WROTE.get()
}

/// ureq's own connector, its transports wrapped.
#[derive(Debug, Default)]
pub(crate) struct NotingConnector(DefaultConnector);

impl Connector for NotingConnector {
    type Out = NotingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<NotingTransport>, ureq::Error> {
        // All requests of an agent have the same TLS configuration, only time-outs differ. Taken for the request's own it
        // would be built anew each time, and sessions never resumed.
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        let made = self.0.connect(&details, chained);
        // What was written until here built a tunnel through a proxy (which goes through this connector too); no request.
        forget();
        Ok(made?.map(NotingTransport))
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
        WROTE.set(true);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}
