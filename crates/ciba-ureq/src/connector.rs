//! ureq's resolver, connector and transports, which note how far an exchange has come, and ask once
//! more, when only the request is left to write, whether it may be sent.

use std::{io, net::SocketAddr};

use ureq::{
    config::{Config, IpFamily},
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

/// ureq's own resolver, used where a connection is made.
#[derive(Debug, Default)]
pub(crate) struct NotingResolver(DefaultResolver);

impl Resolver for NotingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // ureq resolves before it looks for a kept connection, each time in a thread of its own.
        // Without a proxy, only the connector needs the addresses.
        if config.proxy().is_none() {
            return Ok(self.empty());
        }
        reach(Mark::Resolving);
        let found = self.0.resolve(uri, config, timeout)?;
        reach(Mark::Connecting);
        Ok(found)
    }
}

/// Returns the addresses of a server that is connected to without a proxy.
fn addresses(details: &ConnectionDetails<'_>) -> Result<ResolvedSocketAddrs, ureq::Error> {
    let resolver = DefaultResolver::default();
    if let Some(address) =
        literal(details.uri).filter(|_| details.config.ip_family() == IpFamily::Any)
    {
        let mut only = resolver.empty();
        only.push(address);
        return Ok(only);
    }
    resolver.resolve(details.uri, details.config, details.timeout)
}

/// Returns the address of a URI whose host is an IP address, which needs no resolver.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    Some(SocketAddr::new(host.parse().ok()?, uri.port_u16().unwrap_or(default)))
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
        let mut details = ConnectionDetails { request_level: false, ..copy(details) };
        if details.config.proxy().is_none() {
            reach(Mark::Resolving);
            details.addrs = addresses(&details)?;
        }
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
