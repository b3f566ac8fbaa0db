//! HTTP/1.1 over the standard library, in clear, to a provider on this machine: one connection for
//! each exchange.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
};

use ciba_core::{
    Input, Sending,
    fault::Cause,
    http::{Headers, Request, Response, Unanswered},
};

/// Carries out what a machine asks for.
pub fn http(sending: Sending) -> Input {
    match exchange(sending.request(), sending.transmit().max_response()) {
        Ok(response) => sending.answered(response),
        // A real program tells what certainly did not leave from what may have.
        Err(_) => sending.unanswered(Unanswered::Lost(Cause::Unknown)),
    }
}

/// Sends a request and reads the whole answer.
pub fn exchange(request: &Request, max_response: usize) -> io::Result<Response> {
    let rest = request.url.as_str().strip_prefix("http://").ok_or_else(malformed)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut head = format!(
        "{} /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
        request.method.name()
    );
    for (name, value) in request.headers.iter() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = request.body.expose();
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(host)?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024 + max_response as u64).read_to_end(&mut answer)?;
    response(&answer).ok_or_else(malformed)
}

fn response(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Headers::default();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.push(name.trim(), value.trim());
    }
    Some(Response::new(status, headers, answer[end + 4..].to_vec()))
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not an answer this program understands")
}
