//! An adapter in some sixty lines: blocking HTTP over `std::net` and a loop by hand. It has no TLS and is no example for
//! production; it shows how little an embedding needs, and runs the same scenarios as the real ones.

use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use ciba_core::{
    Authentication, Entropy, Failure, Flow, Headers, Input, JwksCache, Lookup, Method, Output, Request, Response,
    SoftwareKey, Timestamp, Transmit, Unanswered,
};

/// Drives a flow to its end.
///
/// # Errors
///
/// As the flow ended.
///
/// # Panics
///
/// When an answer is given to the wrong question, which this loop never does.
pub fn drive(
    mut flow: Flow,
    cache: &mut JwksCache,
    key: Option<&SoftwareKey>,
    mut entropy: impl FnMut() -> Entropy,
    now: impl Fn() -> Timestamp,
    sleep_until: impl Fn(Timestamp),
) -> Result<Box<Authentication>, Failure> {
    loop {
        let input = match flow.poll(now(), entropy()) {
            Output::Done => return flow.finish(),
            Output::Wait(wait) => {
                sleep_until(wait.until());
                continue;
            }
            Output::Transmit(transmit) => perform(transmit),
            Output::Key(operation) => match key {
                Some(key) => key.answer(operation, entropy()),
                None => operation.unavailable(),
            },
            Output::KeySet(request) => {
                let mut found = cache.lookup(&request, now());
                if let Lookup::Fetch(transmit) = found {
                    cache.handle(perform(transmit), now()).expect("the cache's own ticket");
                    found = cache.lookup(&request, now());
                }
                match found {
                    Lookup::Ready(keys) => request.found(keys),
                    Lookup::Later(until) => request.later(until),
                    Lookup::Fetch(_) | Lookup::Unavailable => request.unavailable(),
                }
            }
        };
        flow.handle(input, now()).expect("the flow's own ticket");
    }
}

/// Carries one exchange out.
pub fn perform(transmit: Transmit) -> Input {
    let (timeout, most) = (transmit.timeout(), transmit.max_response());
    let (request, ticket) = transmit.into_parts();
    match exchange(&request, timeout, most) {
        Ok(response) => ticket.answered(response),
        Err(how) => ticket.unanswered(how),
    }
}

/// One request on a connection of its own, and its answer.
///
/// # Errors
///
/// [`Unanswered`].
pub fn exchange(request: &Request, timeout: Duration, most: usize) -> Result<Response, Unanswered> {
    let (host, target) = split(request.url.as_str()).ok_or(Unanswered::NotSent)?;
    let address = host.to_socket_addrs().ok().and_then(|mut found| found.next()).ok_or(Unanswered::NotSent)?;
    let mut stream = TcpStream::connect_timeout(&address, timeout).map_err(|_| Unanswered::NotSent)?;
    let method = if request.method == Method::Post { "POST" } else { "GET" };
    let body = request.body.expose();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in request.headers.iter() {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    let lost = |_| Unanswered::Lost;
    stream.set_read_timeout(Some(timeout)).map_err(lost)?;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).map_err(lost)?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 16_384]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        read(&mut stream, &mut bytes, &mut piece)?.then_some(()).ok_or(Unanswered::Lost)?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or(Unanswered::Lost)?;
    let headers: Headers = lines.filter_map(|line| line.split_once(':')).map(|(n, v)| (n.trim(), v.trim())).collect();
    let length: Option<usize> = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = bytes.split_off(end);
    while body.len() <= most && length.is_none_or(|length| body.len() < length) {
        if !read(&mut stream, &mut body, &mut piece)? {
            length.is_none().then_some(()).ok_or(Unanswered::Lost)?;
            break;
        }
    }
    let truncated = body.len() > most;
    body.truncate(most);
    let mut response = Response::new(status, headers, body);
    response.truncated = truncated;
    Ok(response)
}

fn read(stream: &mut TcpStream, into: &mut Vec<u8>, piece: &mut [u8]) -> Result<bool, Unanswered> {
    let count = stream.read(piece).map_err(|_| Unanswered::Lost)?;
    into.extend_from_slice(&piece[..count]);
    Ok(count > 0)
}

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    Some(rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)))
}
