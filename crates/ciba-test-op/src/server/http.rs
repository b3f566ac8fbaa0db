//! HTTP/1.1 on one connection: parses requests and writes answers.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    thread,
    time::Duration,
};

use ciba_core::http::{Headers, Response};

use super::{
    carrier::{Carrier, Length},
    chunked::Chunked,
    limits::{GLANCE, LARGEST_BODY, LARGEST_HEAD, MOST_FIELDS},
    received::{NoRequest, Received},
    stream::Stream,
};
use crate::message::Incoming;

/// The number of bytes of a refused request that are read and ignored, so that the client receives
/// the answer.
const LINGER: usize = 2 * LARGEST_BODY;
const LONGEST_LINGER: Duration = Duration::from_millis(500);

/// One connection.
pub(super) struct Connection {
    stream: Stream,
    /// What was read and not used yet.
    buffer: Vec<u8>,
    /// If bytes are left in the socket: how many of them are in the buffer.
    peeked: Option<usize>,
    /// What was written and not sent yet.
    out: Vec<u8>,
}

impl Connection {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new(), peeked: None, out: Vec::new() }
    }

    /// The certificates that the client presented, its own first.
    #[cfg(feature = "tls")]
    pub(super) fn peer_certificates(&self) -> &[rustls::pki_types::CertificateDer<'static>] {
        match &self.stream {
            Stream::Plain(_) => &[],
            Stream::Tls(stream) => stream.conn.peer_certificates().unwrap_or_default(),
        }
    }

    /// Reads the next request.
    pub(super) fn receive(&mut self) -> Result<Received, NoRequest> {
        let (head, length) = loop {
            if let Some(found) = Head::parse(&self.buffer)? {
                break found;
            }
            if self.buffer.len() > LARGEST_HEAD {
                return Err(NoRequest::Refused(431));
            }
            self.fill()?;
        };
        let framing = head.framing()?;
        if head
            .headers
            .get("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let rest = self.buffer.split_off(length);
        self.buffer = rest;
        let body = match framing {
            Framing::Length(length) => self.receive_length(length)?,
            Framing::Chunked => self.receive_chunks()?,
        };
        let keep_alive = head.keep_alive();
        Ok(Received {
            request: Incoming::new(&head.method, &head.target, head.headers, body),
            keep_alive,
        })
    }

    fn receive_length(&mut self, length: usize) -> Result<Vec<u8>, NoRequest> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn receive_chunks(&mut self) -> Result<Vec<u8>, NoRequest> {
        let mut chunks = Chunked::default();
        loop {
            if let Some(body) = chunks.take(&mut self.buffer)? {
                return Ok(body);
            }
            self.fill()?;
        }
    }

    /// Waits until there is a byte of another request. Returns false if the client has closed.
    pub(super) fn has_more(&self) -> bool {
        let arrives = || self.stream.socket().peek(&mut [0]).is_ok_and(|count| count > 0);
        !self.buffer.is_empty() || arrives()
    }

    /// Closes the sending side.
    pub(super) fn finish_sending(&mut self) {
        #[cfg(feature = "tls")]
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.stream.socket().shutdown(Shutdown::Write);
    }

    /// Reads the next request and leaves its bytes in the socket, which therefore resets the
    /// connection when it is dropped. With TLS the bytes have to be taken out.
    pub(super) fn receive_and_leave(&mut self) -> Result<Received, NoRequest> {
        if matches!(self.stream, Stream::Plain(_)) {
            self.peeked = Some(0);
        }
        self.receive()
    }

    fn peek(&mut self, peeked: usize) -> Result<(), NoRequest> {
        let mut bytes = vec![0; LARGEST_HEAD];
        loop {
            let count = self.stream.socket().peek(&mut bytes)?;
            if count == 0 || peeked == bytes.len() {
                return Err(NoRequest::Closed);
            }
            if count > peeked {
                self.buffer.extend(&bytes[peeked..count]);
                self.peeked = Some(count);
                return Ok(());
            }
            // A peek does not wait for new bytes if there are old ones.
            thread::sleep(GLANCE);
        }
    }

    fn fill(&mut self) -> Result<(), NoRequest> {
        if let Some(peeked) = self.peeked {
            return self.peek(peeked);
        }
        let mut piece = [0; 8192];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(NoRequest::Closed),
                Ok(read) => {
                    self.buffer.extend(piece.iter().take(read));
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(NoRequest::Closed),
            }
        }
    }

    /// Sends bytes and flushes them.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Closes the connection after an answer and reads what the client still sends.
    pub(super) fn close(mut self) {
        self.finish_sending();
        let mut socket = self.stream.socket();
        let _ = socket.set_read_timeout(Some(LONGEST_LINGER));
        let (mut piece, mut left) = ([0; 8192], LINGER);
        while let Ok(read) = socket.read(&mut piece) {
            if read == 0 || left < read {
                break;
            }
            left -= read;
        }
    }
}

impl Carrier for Connection {
    fn head(&mut self, response: &Response, length: Length, keep_alive: bool) -> io::Result<()> {
        self.out.extend(head(response, length, keep_alive));
        Ok(())
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.extend(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.out);
        self.send(&bytes)
    }
}

/// Where the body of a request ends (RFC 9112 6.3).
enum Framing {
    Length(usize),
    Chunked,
}

/// The first lines of a request.
struct Head {
    method: String,
    target: String,
    headers: Headers,
    version: u8,
}

impl Head {
    /// Parses the head. Returns it with its length in bytes, or `None` while it is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, NoRequest> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= LARGEST_HEAD => length,
            Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
                return Err(NoRequest::Refused(431));
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(NoRequest::Refused(400)),
        };
        let target = request.path.unwrap_or_default();
        // The absolute form is for proxies, but every server has to accept it (RFC 9112 section
        // 3.2.2).
        let target = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => {
                rest.find(['/', '?']).map_or("/", |at| &rest[at..])
            }
            _ if target.starts_with('/') => target,
            _ => return Err(NoRequest::Refused(400)),
        };
        let fields = request.headers.iter();
        let head = Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: target.to_owned(),
            headers: fields
                .map(|field| (field.name, String::from_utf8_lossy(field.value)))
                .collect(),
            version: request.version.unwrap_or_default(),
        };
        if head.version == 1 && head.headers.all("host").count() != 1 {
            return Err(NoRequest::Refused(400));
        }
        Ok(Some((head, length)))
    }

    fn framing(&self) -> Result<Framing, NoRequest> {
        let mut lengths = self.headers.all("content-length");
        if self.headers.get("transfer-encoding").is_some() {
            // Two lengths, or a coding that HTTP/1.0 does not have, allow request smuggling.
            let is_clear = lengths.next().is_none() && self.version == 1;
            return self
                .transfer_coding()
                .filter(|_| is_clear)
                .unwrap_or(Err(NoRequest::Refused(400)));
        }
        let Some(length) = lengths.next() else { return Ok(Framing::Length(0)) };
        if lengths.next().is_some()
            || length.is_empty()
            || !length.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(NoRequest::Refused(400));
        }
        let length = length.parse().ok().filter(|length| *length <= LARGEST_BODY);
        length.map(Framing::Length).ok_or(NoRequest::Refused(413))
    }

    /// `None` if the end of the body is unknown.
    fn transfer_coding(&self) -> Option<Result<Framing, NoRequest>> {
        let fields = self.headers.all("transfer-encoding").flat_map(|field| field.split(','));
        let codings: Vec<&str> =
            fields.map(str::trim).filter(|coding| !coding.is_empty()).collect();
        let (last, inner) = codings.split_last()?;
        let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
        if !is_chunked(last) || inner.iter().any(|coding| is_chunked(coding)) {
            return None;
        }
        // The server did not announce that it supports compressed requests.
        Some(if inner.is_empty() { Ok(Framing::Chunked) } else { Err(NoRequest::Refused(501)) })
    }

    fn keep_alive(&self) -> bool {
        let says = |word: &str| {
            self.headers
                .all("connection")
                .flat_map(|value| value.split(','))
                .any(|it| it.trim().eq_ignore_ascii_case(word))
        };
        if self.version == 0 { says("keep-alive") } else { !says("close") }
    }
}

/// The head of an answer. Its own fields take precedence over those that are generated.
fn head(response: &Response, length: Length, keep_alive: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    let mut field = |name: &str, value: &str| {
        let plain = |text: &str| text.replace(['\r', '\n', '\0'], " ");
        head.push_str(&format!("{}: {}\r\n", plain(name), plain(value)));
    };
    for (name, value) in response.headers.iter() {
        field(name, value);
    }
    let own = |name: &str| response.headers.get(name).is_some();
    if matches!(length, Length::Known)
        && !own("content-length")
        && !own("transfer-encoding")
        && !matches!(response.status, 100..=199 | 204)
    {
        field("content-length", &response.body.len().to_string());
    }
    if !keep_alive && !own("connection") {
        field("connection", "close");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The reason phrase of a status, for traces.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        425 => "Too Early",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
