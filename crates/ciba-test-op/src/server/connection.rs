//! Accepts connections and serves the requests of each.

use std::{
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use ciba_core::http::Response;

#[cfg(feature = "http2")]
use super::http2::{self, Spoken};
use super::{
    carrier::{Then, answer},
    http::Connection,
    limits::REST,
    listener::{Listener, Security},
    received::NoRequest,
    shared::{Serving, Shared},
    stream::Stream,
};
use crate::message::{Closing, Incoming};

/// Accepts connections until the server stops, then waits for their threads.
pub(super) fn accept(listener: &TcpListener, how: &Arc<Listener>, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    loop {
        let accepted = listener.accept();
        if shared.stopping() {
            break;
        }
        let Ok((socket, _)) = accepted else {
            // Most likely out of file descriptors, which is temporary.
            thread::sleep(REST);
            continue;
        };
        threads.retain(|thread: &thread::JoinHandle<()>| !thread.is_finished());
        let Some(number) = shared.register(&socket, how.security.scheme() == "https") else {
            continue;
        };
        let (own, how) = (Arc::clone(shared), Arc::clone(how));
        let spawned =
            thread::Builder::new().name(format!("ciba-test-op {number}")).spawn(move || {
                let serving = Serving::new(&own, number);
                run(&serving, socket, &how, &own);
            });
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(_) => shared.remove(number),
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn run(serving: &Serving<'_>, socket: TcpStream, how: &Arc<Listener>, shared: &Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    #[cfg(not(feature = "http2"))]
    let _ = shared;
    let stream = match &how.security {
        Security::Plain => Stream::Plain(socket),
        #[cfg(feature = "http2")]
        Security::Tls(config, _) if config.alpn_protocols.len() > 1 => {
            match http2::accept(config, socket) {
                Ok(Spoken::Http1(stream)) => Stream::Tls(stream),
                Ok(Spoken::Http2(session)) => {
                    return http2::run(*session, shared, how, serving.number);
                }
                Err(_) => return,
            }
        }
        #[cfg(feature = "tls")]
        Security::Tls(config, _) => match rustls::ServerConnection::new(Arc::clone(config)) {
            Ok(session) => Stream::Tls(Box::new(rustls::StreamOwned::new(session, socket))),
            Err(_) => return,
        },
    };
    let mut connection = Connection::new(stream);
    loop {
        let then = match connection.receive() {
            Ok(mut received) => {
                complete(serving, &mut received.request, &connection, how);
                let keep_alive = received.keep_alive;
                serving.serve(&mut connection, received.request, keep_alive)
            }
            Err(NoRequest::Closed) => Then::Break,
            Err(NoRequest::Refused(status)) => {
                let response = Response::new(
                    status,
                    [("cache-control", "no-store")].into_iter().collect(),
                    Vec::new(),
                );
                answer(&mut connection, &response, "GET", false)
            }
        };
        match then {
            Then::Next => {}
            Then::Close => return connection.close(),
            Then::Break => return,
            Then::End(closing) => return close_early(serving, connection, how, closing),
        }
    }
}

/// Closes a connection that the client may keep for its next request.
fn close_early(
    serving: &Serving<'_>,
    mut connection: Connection,
    how: &Listener,
    closing: Closing,
) {
    let received = match closing {
        Closing::Announced => return connection.close(),
        Closing::AtOnce => return connection.finish_sending(),
        Closing::AtNextByte => {
            if !connection.has_more() {
                return;
            }
            serving.entry(|entry| entry.arriving = true);
            connection.finish_sending();
            connection.receive()
        }
        Closing::InNextRequest | Closing::GoAway => connection.receive_and_leave(),
    };
    if let Ok(mut received) = received {
        complete(serving, &mut received.request, &connection, how);
        serving.shared.unserved(received.request);
    }
}

/// Adds to a request what the connection knows.
fn complete(
    serving: &Serving<'_>,
    request: &mut Incoming,
    connection: &Connection,
    how: &Listener,
) {
    request.origin.clone_from(&how.origin);
    request.connection = Some(serving.number);
    #[cfg(feature = "tls")]
    if let Security::Tls(_, Some(peers)) = &how.security {
        request.certificate = peers.judge(connection.peer_certificates());
    }
    #[cfg(not(feature = "tls"))]
    let _ = connection;
}
