//! The notification endpoint as a `tower::Service`.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf as _;
use ciba_core::notification::{
    BadNotification, Notification, NotificationReply, NotificationVerdict,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use crate::{Clock, Inbox, SystemClock, http::headers};

/// The notification endpoint as a `tower::Service`, for axum, hyper and others.
///
/// Mount it for one path and all methods: it answers every method itself. It never redirects. Make
/// sure that nothing in front of it does, such as path normalization: a provider does not follow
/// redirects, and its notification would be lost. It reads at most as much of a body as a
/// notification may have, and nothing unless the call has the token of a flow in the inbox.
///
/// A service cannot limit how long a caller takes to send a request or how many connections there
/// are; the server has to. The endpoint is public, so set both limits, as
/// `examples/notifications_axum.rs` does: 3 s for the head of a request, 10 s more for its body,
/// 256 connections. `axum::serve` has neither limit.
///
/// ```
/// # use ciba_reqwest::{Inbox, NotificationService};
/// let inbox = Inbox::default(); // the one that the drivers have
/// let app: axum::Router = axum::Router::new().route_service("/ciba/notify", NotificationService::new(inbox));
/// ```
#[derive(Clone)]
pub struct NotificationService {
    inbox: Inbox,
    clock: Arc<dyn Clock>,
}

impl NotificationService {
    /// Creates a service that passes notifications to this inbox.
    #[must_use]
    pub fn new(inbox: Inbox) -> Self {
        Self { inbox, clock: Arc::new(SystemClock) }
    }

    /// Takes the time from this clock. Use the clock of the drivers.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    async fn answer<B: Body>(self, request: Request<B>) -> NotificationReply {
        let (head, body) = request.into_parts();
        let (method, headers) = (head.method.as_str(), headers(&head.headers));
        if let Err(reply) = self.inbox.first_look(method, &headers) {
            return reply;
        }
        if usize::try_from(body.size_hint().lower())
            .map_or(true, |length| length > Notification::MAX_BODY)
        {
            return BadNotification::TooLarge.reply();
        }
        match read(body).await {
            Some(body) => self.inbox.receive(method, &headers, body, self.clock.now()).await,
            None => NotificationVerdict::Malformed.reply(),
        }
    }
}

impl<B> Service<Request<B>> for NotificationService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(response(service.answer(request).await)) })
    }
}

/// Reads a body, at most one byte more than a notification may have. `None` if it broke off.
async fn read<B: Body>(body: B) -> Option<ciba_core::http::Body> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(mut data) = frame.ok()?.into_data() else { continue };
        while data.has_remaining() {
            let room = Notification::MAX_BODY + 1 - read.len();
            let chunk = data.chunk();
            let taken = chunk.len().min(room);
            read.extend_from_slice(&chunk[..taken]);
            if taken == room {
                return Some(read.into());
            }
            data.advance(taken);
        }
    }
    Some(read.into())
}

fn response(reply: NotificationReply) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some((name, value)) = reply.header {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

impl fmt::Debug for NotificationService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotificationService").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}
