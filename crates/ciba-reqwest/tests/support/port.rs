//! A loopback port that nobody else takes.
#![allow(unreachable_pub, reason = "tests of several crates have this file")]

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
};

use tokio::net::TcpSocket;

/// A port at which nobody listens, for as long as this lives; whoever is told of it can.
///
/// To look for a free port and give it back is to lose it now and then: whoever takes any free port
/// gets it, also for a connection. A socket that is bound to it and does not listen keeps it from
/// them, and on Linux not from one that asks for this very port, as every listener of the standard
/// library and of tokio may (`SO_REUSEADDR`). Elsewhere the port is only free.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: Option<TcpSocket>,
}

impl Port {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        Self { address, _held: cfg!(target_os = "linux").then_some(socket) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}
