//! The body of a request, which asks the gate before it is sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use ciba_std::{Gate, Withheld};
use http_body::{Body, Frame, SizeHint};

/// A body that is handed out only if the gate lets the request pass. hyper polls it once the
/// connection is established, after it put the head into its buffer and before it writes any of it.
/// Over HTTP/2 the head may be sent before; a provider does nothing without the body. A refused
/// body closes the connection or resets the stream.
///
/// The gate belongs to the request and not to a connection, so it is asked for every connection: a
/// new one, a kept one, or one that became free while a new one was being made.
pub(crate) struct GatedBody {
    bytes: Option<Bytes>,
    gate: Option<Gate>,
}

impl GatedBody {
    pub(crate) const fn new(bytes: Bytes, gate: Option<Gate>) -> Self {
        Self { bytes: Some(bytes), gate }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Withheld;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Withheld>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        let passed = self.gate.as_ref().map_or(Ok(()), Gate::pass);
        Poll::Ready(Some(passed.map(|()| Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
