//! ureq's resolver, connector and transports, which note how far an exchange has come, and ask once
//! more, when only the request is left to write, whether it may be sent.

use std::{io, net::SocketAddr};

use ureq::{
    Proxy,
    config::{Config, IpFamily},
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};

use crate::{
    details::copy,
    progress::{Mark, is_connecting, left, mark, pass, reach, while_connecting},
};

/// ureq's own resolver, used where a connection is made.
#[derive(Debug, Default)]
pub(crate) struct NotingResolver<R = DefaultResolver>(R);

impl<R: Resolver> Resolver for NotingResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // ureq resolves before it looks for a kept connection, each time in a thread of its own,
        // and not in the time for connecting. The connector asks for the addresses that it needs.
        if !is_connecting() {
            return Ok(self.empty());
        }
        reach(Mark::Resolving);
        let mut found = self.empty();
        match literal(uri).filter(|_| config.ip_family() == IpFamily::Any) {
            Some(address) => found.push(address),
            None => found = self.0.resolve(uri, config, left(timeout)?)?,
        }
        reach(Mark::Connecting);
        Ok(found)
    }
}

/// Returns the address of a URI whose host is an IP address, which needs no resolver.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    DefaultResolver::host_and_port(uri.scheme()?, uri.authority()?)?.parse().ok()
}

#[cfg(feature = "rustls-no-provider")]
type Underlying = crate::wire::WireConnector;
#[cfg(not(feature = "rustls-no-provider"))]
type Underlying = ureq::unversioned::transport::DefaultConnector;

/// ureq's own connector, with its transports wrapped.
#[derive(Debug, Default)]
pub(crate) struct NotingConnector<C = Underlying>(C);

impl<C: Connector<Out = Box<dyn Transport>>> Connector for NotingConnector<C> {
    type Out = NotingTransport;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<NotingTransport>, ureq::Error> {
        #[cfg(feature = "rustls-no-provider")]
        let for_proxy = is_connecting().then(|| for_proxy(details.config));
        #[cfg(not(feature = "rustls-no-provider"))]
        let for_proxy: Option<Config> = None;
        let made = while_connecting(details, || {
            // All requests of an agent have the same TLS configuration and differ in their
            // time-outs only. ureq would build a new configuration for each request that has
            // settings of its own, and never resume a session.
            let mut details = ConnectionDetails {
                config: for_proxy.as_ref().unwrap_or(details.config),
                request_level: for_proxy.is_some(),
                ..copy(details)
            };
            let ConnectionDetails { uri, config, resolver, timeout, .. } = details;
            // A proxy usually finds the server. The connection to a proxy comes with its addresses.
            let finds = |proxy: &Proxy| !proxy.resolve_target() && !proxy.is_no_proxy(uri);
            if details.addrs.is_empty() && !config.proxy().is_some_and(finds) {
                details.addrs = resolver.resolve(uri, config, timeout)?;
            }
            details.timeout = left(timeout)?;
            details.now = (details.current_time)();
            reach(Mark::Connecting);
            self.0.connect(&details, chained)
        });
        // What was written so far made a tunnel through a proxy, which uses this connector too, and
        // was no part of the request. If the proxy's name was not found or the proxy failed, that
        // remains the mark.
        if !matches!(mark(), Mark::Resolving | Mark::Tunnelling) || made.is_ok() {
            reach(Mark::Connecting);
        }
        Ok(made?.map(NotingTransport))
    }
}

/// Returns the settings of the connection to a proxy, which are those of the connection to the
/// provider except for the client certificate.
#[cfg(feature = "rustls-no-provider")]
fn for_proxy(config: &Config) -> Config {
    Config::builder()
        .tls_config(crate::tls::copy(config.tls_config()).build())
        .proxy(None)
        .no_delay(config.no_delay())
        .input_buffer_size(config.input_buffer_size())
        .output_buffer_size(config.output_buffer_size())
        .build()
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
        self.0.transmit_output(amount, left(timeout)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let came = self.0.await_input(left(timeout)?)?;
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex, PoisonError},
        time::{Duration, Instant},
    };

    use ureq::{
        Error, Timeout,
        unversioned::transport::{ConnectProxyConnector, Either, LazyBuffers, time},
    };

    use super::*;

    /// What each step of a connection was given, and a clock that only the steps move.
    #[derive(Debug, Clone)]
    struct Steps(Arc<Mutex<(Instant, Taken)>>);

    type Taken = Vec<(&'static str, u64)>;

    impl Steps {
        fn now(&self) -> Instant {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0
        }

        fn step(&self, name: &'static str, given: NextTimeout, takes: u64) {
            let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            steps.0 += Duration::from_secs(takes);
            steps.1.push((name, given.after.as_secs()));
        }

        fn taken(&self) -> Taken {
            let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
            // ureq writes the head of a request in parts.
            taken.dedup();
            taken
        }
    }

    /// Finds a name in as many seconds.
    #[derive(Debug)]
    struct Names(Steps, u64);

    impl Resolver for Names {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            timeout: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            self.0.step("name", timeout, self.1);
            let mut found = self.empty();
            found.push(([192, 0, 2, 1], 443).into());
            Ok(found)
        }
    }

    /// Connects in three seconds. ureq's own part makes tunnels through it.
    #[derive(Debug, Clone)]
    struct Sockets(Steps);

    impl Connector for Sockets {
        type Out = Box<dyn Transport>;

        fn connect(
            &self,
            details: &ConnectionDetails<'_>,
            chained: Option<()>,
        ) -> Result<Option<Self::Out>, Error> {
            let tunnel = ConnectProxyConnector::default().connect(details, chained)?;
            Ok(Some(match tunnel {
                Some(Either::B(tunnel)) => tunnel,
                _ => {
                    assert_eq!(details.addrs.len(), 1);
                    self.0.step("connect", details.timeout, 3);
                    Box::new(Socket(self.0.clone(), LazyBuffers::new(1024, 1024)))
                }
            }))
        }
    }

    /// Grants a tunnel in two seconds.
    #[derive(Debug)]
    struct Socket(Steps, LazyBuffers);

    impl Transport for Socket {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.1
        }

        fn transmit_output(&mut self, _: usize, timeout: NextTimeout) -> Result<(), Error> {
            self.0.step("write", timeout, 0);
            Ok(())
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
            self.0.step("read", timeout, 2);
            let granted = b"HTTP/1.1 200 OK\r\n\r\n";
            self.1.input_append_buf()[..granted.len()].copy_from_slice(granted);
            self.1.input_appended(granted.len());
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            true
        }
    }

    fn connect(uri: &str, proxy: Option<Proxy>, name_takes: u64) -> (Steps, Result<(), Error>) {
        let steps = Steps(Arc::new(Mutex::new((Instant::now(), Vec::new()))));
        let connector = Arc::new(NotingConnector(Sockets(steps.clone())));
        let again = Arc::clone(&connector);
        let clock = steps.clone();
        let (uri, config) = (uri.parse().unwrap(), Config::builder().proxy(proxy).build());
        let resolver = NotingResolver(Names(steps.clone(), name_takes));
        let limit = NextTimeout {
            after: Duration::from_secs(10).into(),
            reason: Timeout::Connect,
            ..NextTimeout::default()
        };
        let details = ConnectionDetails {
            uri: &uri,
            // Before the connector is called, nothing is resolved.
            addrs: resolver.resolve(&uri, &config, limit).unwrap(),
            config: &config,
            request_level: false,
            resolver: &resolver,
            now: time::Instant::Exact(steps.now()),
            timeout: limit,
            current_time: Arc::new(move || time::Instant::Exact(clock.now())),
            run_connector: Arc::new(move |details| {
                Ok(Box::new(again.connect(details, None)?.unwrap()))
            }),
            register_shutdown: Arc::new(|_| Ok(())),
        };
        let made = connector.connect(&details, None).map(drop);
        assert!(!is_connecting());
        (steps, made)
    }

    #[test]
    fn all_steps_of_a_connection_share_one_time_out() {
        let proxy = || Proxy::builder(ureq::ProxyProtocol::Http).host("proxy.test").port(3128);
        let built = |proxy: ureq::ProxyBuilder| Some(proxy.build().unwrap());
        let op = "https://op.test/";
        let direct = &[("name", 10), ("connect", 6)][..];
        let tunnelled = &[("name", 10), ("connect", 6), ("write", 3), ("read", 3)][..];
        let resolved = &[("name", 10), ("name", 8), ("connect", 6), ("write", 3), ("read", 3)][..];
        for (uri, proxy, name_takes, expected) in [
            (op, None, 4, direct),
            (op, built(proxy()), 4, tunnelled),
            (op, built(proxy().no_proxy("op.test")), 4, direct),
            (op, built(proxy().resolve_target(true)), 2, resolved),
            ("https://192.0.2.1/", None, 4, &[("connect", 10)]),
        ] {
            let (steps, made) = connect(uri, proxy, name_takes);
            assert!(made.is_ok(), "{made:?}");
            assert_eq!(steps.taken(), expected);
        }
        // For ureq, a time-out of zero is none.
        for (proxy, name_takes, expected) in [
            (None, 10, &[("name", 10)][..]),
            (None, 11, &[("name", 10)]),
            (built(proxy()), 10, &[("name", 10)]),
            (built(proxy()), 7, &[("name", 10), ("connect", 3)]),
        ] {
            let (steps, made) = connect(op, proxy, name_takes);
            assert!(matches!(made, Err(Error::Timeout(Timeout::Connect))), "{made:?}");
            assert_eq!(steps.taken(), expected);
        }
    }
}
