//! ureq's resolver, connector and transports, which note how far an exchange has come, and ask once
//! more, when only the request is left to write, whether it may be sent.

use std::io;

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};

use crate::{
    details::copy,
    progress::{Mark, mark, pass, reach},
};

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
        reach(Mark::Resolving);
        let found = self.0.resolve(uri, config, timeout)?;
        reach(Mark::Connecting);
        Ok(found)
    }
}

#[cfg(feature = "rustls-no-provider")]
type Underlying = crate::wire::WireConnector;
#[cfg(not(feature = "rustls-no-provider"))]
type Underlying = ureq::unversioned::transport::DefaultConnector;

/// ureq's own connector, with its transports wrapped.
#[derive(Debug, Default)]
pub(crate) struct NotingConnector(Underlying);

impl Connector for NotingConnector {
    type Out = NotingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<NotingTransport>, ureq::Error> {
        // All requests of an agent have the same TLS configuration and differ in their time-outs
        // only. ureq would build a new configuration for each request that has settings of its own,
        // and never resume a session.
        let details = ConnectionDetails { request_level: false, ..copy(details) };
        reach(Mark::Connecting);
        let made = self.0.connect(&details, chained);
        // What was written so far made a tunnel through a proxy, which uses this connector too, and
        // was no part of the request. If the proxy's name was not found or the proxy failed, that
        // remains the mark.
        if !matches!(mark(), Mark::Resolving | Mark::Tunnelling) || made.is_ok() {
            reach(Mark::Connecting);
        }
        Ok(made?.map(NotingTransport))
    }
}

/// A connection that is ready for a request: all that is written to it belongs to one.
#[derive(Debug)]
pub(crate) struct NotingTransport(Box<dyn Transport>);

impl Transport for NotingTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        // Asked here and not in the connector, which is not called for a kept connection.
        if !matches!(mark(), Mark::Writing | Mark::Reading) {
            pass().map_err(io::Error::other)?;
        }
        reach(Mark::Writing);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.0.await_input(timeout)?;
        if came {
            reach(Mark::Reading);
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
