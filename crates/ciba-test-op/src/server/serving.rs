//! Serves one request: passes it to the provider and carries out the reply.

use std::time::Duration;

use ciba_core::{Timestamp, http::Response};

use super::{
    carrier::{self, Carrier, Length, Then, answer},
    limits::REST,
    shared::Serving,
};
use crate::message::{Closing, ExchangeId, FOREVER, Incoming, Reply};

/// The number of bytes of an endless body that are written at once.
const PIECE: usize = 64 * 1024;

impl Serving<'_> {
    pub(super) fn serve(
        &self,
        carrier: &mut impl Carrier,
        request: Incoming,
        keep_alive: bool,
    ) -> Then {
        let method = request.method.clone();
        if self.shared.phone.is_for(&request) {
            let now = self.shared.now();
            let response = self.shared.phone.answer(&mut self.shared.provider(), &request, now);
            return answer(carrier, &response, &method, keep_alive);
        }
        self.shared.end_abandoned();
        let (exchange, mut reply, mut revision) = self.begin(request);
        loop {
            match reply {
                Reply::Hold { exchange: held, until } => {
                    if !self.wait(until, || self.shared.provider().revision() != revision) {
                        self.end();
                        return Then::Break;
                    }
                    debug_assert_eq!(
                        held, exchange,
                        "the provider holds the exchange that it was given"
                    );
                    let now = self.shared.now();
                    let mut provider = self.shared.provider();
                    reply = provider.proceed(exchange, now);
                    revision = provider.revision();
                }
                // The exchange ends before its last byte is sent: otherwise the client could send its
                // next request on another connection before this thread reports the end.
                Reply::Answer(response) => {
                    self.end();
                    return answer(carrier, &response, &method, keep_alive);
                }
                Reply::Close { response, closing } => {
                    self.end();
                    let keep_alive = keep_alive && closing != Closing::Announced;
                    return match answer(carrier, &response, &method, keep_alive) {
                        Then::Next | Then::Close => Then::End(closing),
                        then => then,
                    };
                }
                Reply::Drop => {
                    self.end();
                    return Then::Break;
                }
                Reply::DropInside { response, sent } => {
                    let body = response.body.expose();
                    self.end();
                    let _ = carrier
                        .head(&response, Length::Known, keep_alive)
                        .and_then(|()| carrier.body(&body[..sent.min(body.len())]))
                        .and_then(|()| carrier.flush());
                    return Then::Break;
                }
                Reply::Drip { response, bytes_per_second } => {
                    return self.drip(carrier, &response, bytes_per_second, keep_alive);
                }
                Reply::Endless(response) => return self.pour(carrier, &response),
            }
        }
    }

    /// The third value is the revision that the reply belongs to.
    fn begin(&self, request: Incoming) -> (ExchangeId, Reply, u64) {
        let now = self.shared.now();
        let mut provider = self.shared.provider();
        let (exchange, reply) = provider.begin(request, now);
        let revision = provider.revision();
        drop(provider);
        self.entry(|entry| entry.exchange = Some(exchange));
        (exchange, reply, revision)
    }

    /// Waits until a time or until `enough` is true. Returns false if the client is gone.
    fn wait(&self, until: Timestamp, enough: impl Fn() -> bool) -> bool {
        self.entry(|entry| (entry.slow, entry.due) = (true, (until != FOREVER).then_some(until)));
        let answered = loop {
            if self.client_gone() {
                break false;
            }
            if self.shared.now() >= until || enough() {
                break true;
            }
            self.shared.clock.hold_until(until, REST);
        };
        self.entry(|entry| entry.due = None);
        answered
    }

    fn drip(
        &self,
        carrier: &mut impl Carrier,
        response: &Response,
        rate: usize,
        keep_alive: bool,
    ) -> Then {
        let mut pieces = response.body.expose().chunks(rate.max(1)).peekable();
        if pieces.peek().is_none() {
            self.end();
        }
        let head = carrier.head(response, Length::Known, keep_alive);
        if head.and_then(|()| carrier.flush()).is_err() {
            return self.broken();
        }
        while let Some(piece) = pieces.next() {
            let due = self.shared.now().saturating_add(Duration::from_secs(1));
            if pieces.peek().is_none() {
                self.end();
            }
            if carrier.body(piece).and_then(|()| carrier.flush()).is_err()
                || (pieces.peek().is_some() && !self.wait(due, || false))
            {
                return self.broken();
            }
        }
        if keep_alive && !carrier::says_close(response) { Then::Next } else { Then::Close }
    }

    fn pour(&self, carrier: &mut impl Carrier, response: &Response) -> Then {
        self.entry(|entry| entry.slow = true);
        let body = match response.body.expose() {
            b"" => b" ",
            body => body,
        };
        let piece = body.repeat(PIECE.div_ceil(body.len()));
        let mut sent = carrier.head(response, Length::Unknown, false);
        while sent.is_ok() {
            sent = carrier.body(&piece).and_then(|()| carrier.flush());
        }
        self.broken()
    }

    fn broken(&self) -> Then {
        self.end();
        Then::Break
    }
}
