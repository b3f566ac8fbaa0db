//! Chunked bodies (RFC 9112 section 7.1).

use super::{
    limits::{LARGEST_BODY, LARGEST_HEAD, MOST_FIELDS},
    received::NoRequest,
};

/// The longest line with the size of a chunk, including extensions.
const LONGEST_LINE: usize = 4 * 1024;
/// The largest number of bytes besides the body. The largest body may come in chunks of one byte.
const LARGEST_FRAMING: usize = 6 * LARGEST_BODY + LARGEST_HEAD;

/// A body that is being assembled. Extensions and trailers are ignored.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    body: Vec<u8>,
    next: Next,
    /// The number of bytes besides the body.
    framing: usize,
}

/// What comes next.
#[derive(Debug, Default)]
enum Next {
    /// The size of a chunk.
    #[default]
    Size,
    /// This many bytes of a chunk.
    Data(usize),
    /// The end of the line after a chunk.
    End,
    Trailers,
}

impl Chunked {
    /// Consumes the available part from the front of `bytes`. Returns the body when it is complete;
    /// what follows it stays.
    pub(super) fn take(&mut self, bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, NoRequest> {
        loop {
            let before = bytes.len();
            match self.next {
                Next::Size => match chunk_size(bytes)? {
                    None => return Ok(None),
                    Some((line, 0)) => {
                        bytes.drain(..line);
                        self.next = Next::Trailers;
                    }
                    Some((line, size)) => {
                        if self.body.len().saturating_add(size) > LARGEST_BODY {
                            return Err(NoRequest::Refused(413));
                        }
                        bytes.drain(..line);
                        self.next = Next::Data(size);
                    }
                },
                Next::Data(left) => {
                    let size = left.min(bytes.len());
                    self.body.extend(bytes.drain(..size));
                    self.next = if size == left { Next::End } else { Next::Data(left - size) };
                    if size < left {
                        return Ok(None);
                    }
                    continue;
                }
                Next::End if bytes.len() < 2 => return Ok(None),
                Next::End => {
                    if bytes.drain(..2).ne(*b"\r\n") {
                        return Err(NoRequest::Refused(400));
                    }
                    self.next = Next::Size;
                }
                Next::Trailers => {
                    return match trailers(bytes)? {
                        None => Ok(None),
                        Some(length) => {
                            bytes.drain(..length);
                            Ok(Some(std::mem::take(&mut self.body)))
                        }
                    };
                }
            }
            self.framing = self.framing.saturating_add(before - bytes.len());
            if self.framing > LARGEST_FRAMING {
                return Err(NoRequest::Refused(413));
            }
        }
    }
}

/// The length of the line and of the chunk after it; `None` while the line is incomplete.
fn chunk_size(bytes: &[u8]) -> Result<Option<(usize, usize)>, NoRequest> {
    let malformed = || NoRequest::Refused(400);
    // The parser below takes a line without digits for a zero.
    if bytes.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
        return Err(malformed());
    }
    match httparse::parse_chunk_size(bytes).map_err(|_| malformed())? {
        httparse::Status::Partial if bytes.len() > LONGEST_LINE => Err(malformed()),
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete((line, size)) => {
            // Other parsers would end the line at a line feed inside an extension.
            let ends = bytes.iter().take(line).filter(|byte| **byte == b'\n').count();
            if line > LONGEST_LINE || ends != 1 {
                return Err(malformed());
            }
            let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST_BODY);
            Ok(Some((line, size.ok_or(NoRequest::Refused(413))?)))
        }
    }
}

/// The length of the trailer section with its empty line; `None` while it is incomplete.
fn trailers(bytes: &[u8]) -> Result<Option<usize>, NoRequest> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((length, _))) if length <= LARGEST_HEAD => Ok(Some(length)),
        Ok(httparse::Status::Partial) if bytes.len() <= LARGEST_HEAD => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(NoRequest::Refused(431)),
        Err(_) => Err(NoRequest::Refused(400)),
    }
}
