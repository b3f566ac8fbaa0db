//! HTTP/2 on one connection. Each stream is answered by a thread of its own, like a connection with
//! HTTP/1.1; this file carries what the threads write.

use std::{
    future::poll_fn,
    io,
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use ciba_core::http::{Headers, Response};
use h2::{
    Ping, Reason, RecvStream, SendStream,
    server::{Builder, Connection, SendResponse},
};
use tokio::{
    net::TcpStream as AsyncStream,
    runtime::{self, Runtime},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    carrier::{Carrier, Length, Then},
    limits::LARGEST_BODY,
    listener::Listener,
    lock::lock,
    shared::{Serving, Shared},
};
use crate::message::{Closing, Incoming};

/// The protocol that a TLS handshake ended with.
pub(super) enum Spoken {
    Http1(Box<rustls::StreamOwned<rustls::ServerConnection, TcpStream>>),
    Http2(Box<Session>),
}

/// A connection that speaks HTTP/2.
pub(super) struct Session {
    runtime: Runtime,
    stream: TlsStream<AsyncStream>,
}

/// Carries out the handshake.
pub(super) fn accept(config: &Arc<rustls::ServerConfig>, socket: TcpStream) -> io::Result<Spoken> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    socket.set_nonblocking(true)?;
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let stream =
        runtime.block_on(async { acceptor.accept(AsyncStream::from_std(socket)?).await })?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return Ok(Spoken::Http2(Box::new(Session { runtime, stream })));
    }
    let (socket, session) = stream.into_inner();
    let socket = socket.into_std()?;
    socket.set_nonblocking(false)?;
    Ok(Spoken::Http1(Box::new(rustls::StreamOwned::new(session, socket))))
}

/// What a stream asks of its connection.
enum Order {
    End(Closing),
    /// Send a GOAWAY frame and close it, whatever its streams wait for.
    GoAway,
    /// Close it as it is.
    Break,
}

/// What the streams of a connection share.
#[derive(Clone)]
struct Streams {
    shared: Arc<Shared>,
    how: Arc<Listener>,
    /// The number of the connection.
    number: u64,
    orders: mpsc::UnboundedSender<Order>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

/// Serves a connection until it ends.
pub(super) fn run(spoken: Session, shared: &Arc<Shared>, how: &Arc<Listener>, number: u64) {
    let Session { runtime, stream } = spoken;
    let (orders, received) = mpsc::unbounded_channel();
    let threads = Arc::<Mutex<Vec<_>>>::default();
    let streams = Streams {
        shared: Arc::clone(shared),
        how: Arc::clone(how),
        number,
        orders,
        threads: Arc::clone(&threads),
    };
    runtime.block_on(async {
        if let Ok(connection) = Builder::new().handshake(stream).await {
            carry(connection, streams, received).await;
        }
    });
    // Ends the tasks, which tells the threads that their client is gone.
    drop(runtime);
    let threads = std::mem::take(&mut *lock(&threads));
    for thread in threads {
        let _ = thread.join();
    }
}

async fn carry(
    mut connection: Connection<TlsStream<AsyncStream>, Bytes>,
    streams: Streams,
    mut received: mpsc::UnboundedReceiver<Order>,
) {
    let mut closing = None;
    loop {
        tokio::select! {
            // Orders come first: what a stream ordered before its answer was flushed holds for every
            // request that the client sends after that answer.
            biased;
            order = received.recv() => match order {
                None | Some(Order::Break) => return,
                // Closed once the frame is sent. NO_ERROR, because clients are inclined to repeat the
                // requests of such a connection.
                Some(Order::GoAway) => connection.abrupt_shutdown(Reason::NO_ERROR),
                Some(Order::End(Closing::Announced)) => connection.graceful_shutdown(),
                Some(Order::End(how)) => {
                    closing = Some(how);
                    if how == Closing::AtOnce {
                        // The client has read the whole answer once it acknowledges a second ping:
                        // the first one may overtake the body, which is flushed with it. A request
                        // that arrives meanwhile is not served.
                        let Some(mut ping) = connection.ping_pong() else { return };
                        let orders = streams.orders.clone();
                        tokio::spawn(async move {
                            for _ in 0..2 {
                                let _ = ping.ping(Ping::opaque()).await;
                            }
                            let _ = orders.send(Order::Break);
                        });
                    }
                }
            },
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                // A refused stream leaves the connection as it is.
                let unserved = match closing {
                    Some(Closing::InNextRequest) => closing.take(),
                    other => other,
                };
                tokio::spawn(serve(streams.clone(), request, respond, unserved));
            }
        }
    }
}

/// Tells the thread of a stream that its client is gone.
struct Guard(Arc<AtomicBool>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Answers one request.
async fn serve(
    streams: Streams,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    unserved: Option<Closing>,
) {
    let Some(request) = incoming(&streams, request).await else {
        return respond.send_reset(Reason::ENHANCE_YOUR_CALM);
    };
    if let Some(closing) = unserved {
        streams.shared.unserved(request);
        let order = match closing {
            Closing::InNextRequest => return respond.send_reset(Reason::REFUSED_STREAM),
            Closing::GoAway => Order::GoAway,
            Closing::Announced | Closing::AtOnce | Closing::AtNextByte => Order::Break,
        };
        let _ = streams.orders.send(order);
        return;
    }
    let gone = Guard(Arc::default());
    let Some(number) = streams.shared.register_stream(&gone.0) else { return };
    let (parts, mut written) = mpsc::channel(1);
    let (shared, spawned) = (Arc::clone(&streams.shared), parts.clone());
    let thread = thread::Builder::new().name(format!("ciba-test-op {number}")).spawn(move || {
        let serving = Serving::new(&shared, number);
        let then = serving.serve(&mut Stream(parts), request, true);
        let _ = spawned.blocking_send(Part::Then(then));
    });
    match thread {
        Ok(thread) => lock(&streams.threads).push(thread),
        Err(_) => return,
    }
    let mut sending: Option<SendStream<Bytes>> = None;
    loop {
        let part = tokio::select! {
            part = written.recv() => part,
            _ = poll_fn(|context| match &mut sending {
                None => respond.poll_reset(context),
                Some(sending) => sending.poll_reset(context),
            }) => return,
        };
        let kept = match (part, &mut sending) {
            (Some(Part::Head(head)), None) => match respond.send_response(head, false) {
                Ok(stream) => {
                    sending = Some(stream);
                    true
                }
                Err(_) => false,
            },
            (Some(Part::Body(bytes)), Some(sending)) => send(sending, bytes).await,
            (Some(Part::Then(then)), sending) => {
                return end(&streams, then, sending.take(), &mut respond);
            }
            _ => false,
        };
        if !kept {
            return;
        }
    }
}

/// Ends a stream after its answer, or without one.
fn end(
    streams: &Streams,
    then: Then,
    sending: Option<SendStream<Bytes>>,
    respond: &mut SendResponse<Bytes>,
) {
    let closing = match then {
        Then::Break => {
            return match sending {
                Some(mut sending) => sending.send_reset(Reason::INTERNAL_ERROR),
                None => respond.send_reset(Reason::INTERNAL_ERROR),
            };
        }
        Then::Next => None,
        Then::Close => Some(Closing::Announced),
        Then::End(closing) => Some(closing),
    };
    if let Some(mut sending) = sending {
        let _ = sending.send_data(Bytes::new(), true);
    }
    if let Some(closing) = closing {
        let _ = streams.orders.send(Order::End(closing));
    }
}

/// Sends bytes as far as the client lets them through. False when it does not any more.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes) -> bool {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(Ok(capacity)) => {
                let piece = bytes.split_to(capacity.min(bytes.len()));
                if stream.send_data(piece, false).is_err() {
                    return false;
                }
            }
            _ => return false,
        }
    }
    true
}

/// Reads a whole request; `None` if it is too large or breaks off.
async fn incoming(streams: &Streams, request: http::Request<RecvStream>) -> Option<Incoming> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.ok()?;
        body.extend_from_slice(&piece);
        if body.len() > LARGEST_BODY {
            return None;
        }
        stream.flow_control().release_capacity(piece.len()).ok()?;
    }
    let mut headers: Headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    if let Some(authority) = head.uri.authority().filter(|_| headers.get("host").is_none()) {
        headers.push("host", authority.as_str());
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut request = Incoming::new(head.method.as_str(), target, headers, body);
    request.connection = Some(streams.number);
    request.is_http2 = true;
    request.origin.clone_from(&streams.how.origin);
    Some(request)
}

/// What the thread of a stream writes.
enum Part {
    Head(http::Response<()>),
    Body(Bytes),
    Then(Then),
}

struct Stream(mpsc::Sender<Part>);

impl Stream {
    fn write(&self, part: Part) -> io::Result<()> {
        self.0.blocking_send(part).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Carrier for Stream {
    fn head(&mut self, response: &Response, length: Length, _: bool) -> io::Result<()> {
        let mut head = http::Response::builder().status(response.status);
        // Fields of one connection have no place in HTTP/2 (RFC 9113 8.2.2).
        let own = |name: &str| ["connection", "transfer-encoding", "keep-alive"].contains(&name);
        for (name, value) in response.headers.iter().filter(|(name, _)| !own(name)) {
            head = head.header(name, value);
        }
        if matches!(length, Length::Known) && response.headers.get("content-length").is_none() {
            head = head.header("content-length", response.body.len());
        }
        let head = head.body(()).map_err(io::Error::other)?;
        self.write(Part::Head(head))
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(Part::Body(Bytes::copy_from_slice(bytes)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
