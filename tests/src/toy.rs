//! A minimal adapter: a loop, blocking HTTP over `std::net`, TLS by rustls, and a notification
//! endpoint. Most of it is HTTP. It is not for production: it shows what an embedding needs, and runs
//! the same scenarios as the real adapters.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ciba_core::{
    Authentication, Entropy, Failure, Flow, Input, JwksCache, KeyOperation, KeySetRequest, Lookup,
    Output, Sending, Timestamp, Transmit,
    fault::Cause,
    http::{Body, Headers, Method, Request, Response, Unanswered},
    notification::{Notification, NotificationReply, NotificationVerdict, Receiving, SpentKey},
};
use ciba_test_op::ClientCertificate;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

/// A flow that one thread drives while another one passes notifications to it.
#[derive(Debug)]
pub struct Shared(Mutex<State>);

#[derive(Debug)]
enum State {
    Driven(Box<Flow>),
    Over(Option<SpentKey>),
}

impl Shared {
    /// Wraps a new flow.
    #[must_use]
    pub fn new(flow: Flow) -> Self {
        Self(Mutex::new(State::Driven(Box::new(flow.in_memory()))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flow<T>(&self, at: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        match &mut *self.lock() {
            State::Driven(flow) => Some(at(flow)),
            State::Over(_) => None,
        }
    }

    /// Cancels the flow.
    pub fn cancel(&self, now: Timestamp) {
        self.flow(|flow| flow.cancel(now));
    }

    /// Takes the flow out and keeps what answers late notifications.
    fn finish(&self) -> Result<Box<Authentication>, Failure> {
        let mut state = self.lock();
        let spent = match &*state {
            State::Driven(flow) => flow.spent_key(),
            State::Over(_) => None,
        };
        match std::mem::replace(&mut *state, State::Over(spent)) {
            State::Driven(flow) => flow.finish(),
            State::Over(_) => Err(Failure::Abandoned),
        }
    }

    /// Answers a call of the notification endpoint. `sleep_until` of [`Self::drive`] has to return
    /// early after it.
    pub fn receive(
        &self,
        method: &str,
        headers: &Headers,
        body: Body,
        now: Timestamp,
    ) -> NotificationReply {
        let notification = match Notification::receive(method, headers, body) {
            Ok(notification) => notification,
            Err(bad) => return bad.reply(),
        };
        match &mut *self.lock() {
            State::Driven(flow) => {
                let mut receipt = flow.notify(&notification, now);
                match flow.acknowledge(&mut receipt, now) {
                    Receiving::Reply(verdict) => verdict.reply(),
                    Receiving::Save(_) | Receiving::Wait(_) => {
                        unreachable!("the flow is in memory")
                    }
                }
            }
            State::Over(Some(spent)) => spent.notify(&notification, now).reply(),
            State::Over(None) => NotificationVerdict::Unauthorized.reply(),
        }
    }

    /// Drives the flow to its end.
    ///
    /// # Errors
    ///
    /// The failure of the flow.
    ///
    /// # Panics
    ///
    /// Panics if an input does not belong to the flow, which this loop rules out.
    pub fn drive(
        &self,
        http: &ToyHttp,
        cache: &mut JwksCache,
        sign: impl Fn(KeyOperation, Entropy) -> Input,
        mut entropy: impl FnMut() -> Entropy,
        now: impl Fn() -> Timestamp,
        sleep_until: impl Fn(Timestamp),
    ) -> Result<Box<Authentication>, Failure> {
        loop {
            let input = match self.flow(|flow| flow.poll(now(), entropy())).unwrap_or(Output::Done)
            {
                Output::Done => return self.finish(),
                Output::Wait(wait) => {
                    sleep_until(wait.until());
                    continue;
                }
                Output::Save(_) => unreachable!("the flow is in memory"),
                Output::Transmit(transmit) => {
                    let begin = |transmit| {
                        let at = now();
                        self.flow(|flow| flow.begin(transmit, at)).flatten()
                    };
                    match http.perform(transmit, begin) {
                        Some(input) => input,
                        None => continue,
                    }
                }
                Output::Key(operation) => sign(operation, entropy()),
                Output::KeySet(request) => find_keys(request, http, cache, &now),
            };
            self.flow(|flow| flow.handle(input, now()).expect("the ticket belongs to the flow"));
        }
    }
}

/// Answers a request for keys, with a fetch if one is due.
fn find_keys(
    mut request: KeySetRequest,
    http: &ToyHttp,
    cache: &mut JwksCache,
    now: impl Fn() -> Timestamp,
) -> Input {
    loop {
        match cache.lookup(&mut request, now()) {
            Lookup::Ready(keys) => return request.found(keys),
            Lookup::Later(until) => return request.later(until),
            Lookup::Unavailable(why) => return request.unavailable(why),
            Lookup::Fetch(transmit) => {
                if let Some(input) = http.perform(transmit, |transmit| cache.begin(transmit, now()))
                {
                    cache.handle(input, now()).expect("the input belongs to the cache");
                }
            }
        }
    }
}

/// Performs exchanges: without TLS, or with TLS and with or without the client certificate.
#[derive(Debug)]
pub struct ToyHttp {
    anonymous: Option<Arc<ClientConfig>>,
    certified: Option<Arc<ClientConfig>>,
}

/// A stream, and the host and target of its URL.
type Connection<'a> = (Box<dyn Wire>, &'a str, &'a str);

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl ToyHttp {
    /// Creates a client that trusts this authority and has this certificate.
    ///
    /// # Panics
    ///
    /// Panics if one of them cannot be read.
    #[must_use]
    pub fn new(ca_pem: Option<&str>, certificate: Option<&ClientCertificate>) -> Self {
        let builder = || {
            let mut roots = RootCertStore::empty();
            let ca = CertificateDer::from_pem_slice(ca_pem.unwrap_or_default().as_bytes())
                .expect("a certificate");
            roots.add(ca).expect("a certificate");
            let provider = Arc::new(aws_lc_rs::default_provider());
            let builder =
                ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            builder.expect("a usable provider").with_root_certificates(roots)
        };
        let certified = certificate.map(|shown| {
            let key = PrivateKeyDer::from_pem_slice(shown.key_pem.as_bytes()).expect("a key");
            let chain = vec![CertificateDer::from(shown.der.clone())];
            Arc::new(
                builder().with_client_auth_cert(chain, key).expect("a certificate and its key"),
            )
        });
        Self { anonymous: ca_pem.map(|_| Arc::new(builder().with_no_client_auth())), certified }
    }

    /// Carries out one exchange. The request is begun once there is a connection. Returns `None` if it
    /// was too late for it.
    pub fn perform(
        &self,
        transmit: Transmit,
        begin: impl FnOnce(Transmit) -> Option<Sending>,
    ) -> Option<Input> {
        let (shows, timeout) = (transmit.presents_certificate(), transmit.timeout());
        let (most, url) = (transmit.max_response(), transmit.url().clone());
        let Some(connection) = self.connect(url.as_str(), shows, timeout) else {
            return Some(transmit.not_sent(Cause::Unknown));
        };
        let sending = begin(transmit)?;
        Some(match talk(connection, sending.request(), most) {
            Some(response) => sending.answered(response),
            None => sending.unanswered(Unanswered::Lost(Cause::Unknown)),
        })
    }

    /// Connects to the host of a URL. Also returns the host and the target.
    fn connect<'a>(&self, url: &'a str, shows: bool, timeout: Duration) -> Option<Connection<'a>> {
        let (scheme, rest) = url.split_once("://")?;
        let (host, target) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let address = host.to_socket_addrs().ok()?.next()?;
        let stream = TcpStream::connect_timeout(&address, timeout).ok()?;
        stream.set_read_timeout(Some(timeout)).ok()?;
        if scheme == "http" {
            return Some((Box::new(stream), host, target));
        }
        let config = if shows { &self.certified } else { &self.anonymous };
        let name = ServerName::from(address.ip());
        let session = ClientConnection::new(Arc::clone(config.as_ref()?), name).ok()?;
        Some((Box::new(StreamOwned::new(session, stream)), host, target))
    }

    /// Sends a request on a new connection and returns the answer.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub fn exchange(
        &self,
        request: &Request,
        (timeout, most): (Duration, usize),
    ) -> Result<Response, Unanswered> {
        let connected = self.connect(request.url.as_str(), false, timeout);
        let connection = connected.ok_or(Unanswered::NotSent(Cause::Unknown))?;
        talk(connection, request, most).ok_or(Unanswered::Lost(Cause::Unknown))
    }
}

/// Sends a request on a connection and returns the answer.
fn talk(
    (mut stream, host, target): Connection<'_>,
    request: &Request,
    most: usize,
) -> Option<Response> {
    let method = if request.method == Method::Post { "POST" } else { "GET" };
    let body = request.body.expose();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in request.headers.iter() {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body))
        .and_then(|()| stream.flush())
        .ok()?;
    let (head, headers, body, truncated) = message(&mut *stream, most)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response::new(status, headers, body);
    response.truncated = truncated;
    Some(response)
}

/// Reads an HTTP message: its first line, its header fields, at most `most` bytes of its body, and
/// whether there is more.
fn message(
    stream: &mut (impl Read + ?Sized),
    most: usize,
) -> Option<(String, Headers, Vec<u8>, bool)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 16_384]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        read(stream, &mut bytes, &mut piece).filter(|more| *more)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let first = lines.next()?.to_owned();
    let headers: Headers =
        lines.filter_map(|line| line.split_once(':')).map(|(n, v)| (n.trim(), v.trim())).collect();
    let length: Option<usize> =
        headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = bytes.split_off(end);
    while body.len() <= most && length.is_none_or(|length| body.len() < length) {
        if !read(stream, &mut body, &mut piece)? {
            length.is_none().then_some(())?;
            break;
        }
    }
    let truncated = body.len() > most;
    body.truncate(most);
    Some((first, headers, body, truncated))
}

fn read(stream: &mut (impl Read + ?Sized), into: &mut Vec<u8>, piece: &mut [u8]) -> Option<bool> {
    let count = stream.read(piece).ok()?;
    into.extend_from_slice(&piece[..count]);
    Some(count > 0)
}

/// Answers one call of a notification endpoint at `path`, with 404 at other paths and if `receive`
/// returns `None`.
pub fn answer(
    mut stream: impl Read + Write,
    path: &str,
    receive: impl Fn(&str, &Headers, Body) -> Option<NotificationReply>,
) {
    // Closing with unread bytes would reset the connection, and the answer could be lost.
    let Some((head, headers, mut body, _)) = message(&mut stream, 8 * Notification::MAX_BODY)
    else {
        return;
    };
    body.truncate(Notification::MAX_BODY + 1);
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let here = target.split('?').next() == Some(path);
    let reply = if here { receive(method, &headers, body.into()) } else { None };
    let (status, field) = reply.map_or((404, None), |reply| (reply.status, reply.header));
    let field = field.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} -\r\n{field}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.flush();
}
