//! The server of the notification endpoint: passes each call to the flow and returns the flow's
//! answer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use ciba_core::{
    http::{Body, Headers},
    notification::{BadNotification, Notification, NotificationReply, NotificationVerdict},
};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    endpoint::Endpoint,
    places::{Place, Places},
    refusal::Refusal,
};
use crate::{exit::Stop, transport::HttpLibrary, watcher::Watcher, wording::reason};

/// How long one connection may last, including its handshake and its one request.
const CONNECTION: Duration = Duration::from_secs(30);
/// How long the body of a request may take once its head is known to be for a flow.
const BODY: Duration = Duration::from_secs(10);
/// How long a call may wait until the flow is driven, for example while metadata is fetched. A
/// provider waits about as long for an answer.
const READY: Duration = Duration::from_secs(3);
/// How long answers may still take when the flow is over.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// Answers calls.
#[derive(Clone)]
struct Desk {
    inbox: Arc<dyn HttpLibrary>,
    watcher: Watcher,
    path: Arc<str>,
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>, place: &Place) -> NotificationReply {
        match self.decide(request, place).await {
            Ok(reply) => reply,
            Err((reply, refusal)) => {
                self.watcher.reporter().notification_refused(reply.status, refusal);
                reply
            }
        }
    }

    async fn decide(
        &self,
        request: Request<Incoming>,
        place: &Place,
    ) -> Result<NotificationReply, (NotificationReply, Refusal)> {
        place.is_heard();
        let (head, body) = request.into_parts();
        if head.uri.path() != &*self.path {
            return Err((NotificationReply { status: 404, header: None }, Refusal::Path));
        }
        let (method, headers) = (head.method.as_str(), fields(&head.headers));
        if let Err(bad) = Notification::receive(method, &headers, Body::default()) {
            return Err((bad.reply(), Refusal::of_bad(bad)));
        }
        // Before that, there is no flow to compare the token with, and a provider need not repeat a
        // call that was refused.
        if timeout(READY, self.watcher.driven()).await.is_err() {
            return Err((NotificationVerdict::NotReady.reply(), Refusal::NotTaken));
        }
        if let Err(reply) = self.inbox.first_look(method, &headers) {
            let refusal =
                if reply.status == 401 { Refusal::BearerToken } else { Refusal::NotTaken };
            return Err((reply, refusal));
        }
        place.is_known();
        let body = match timeout(BODY, Limited::new(body, Notification::MAX_BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes().to_vec(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Err((BadNotification::TooLarge.reply(), Refusal::TooLarge));
            }
            Ok(Err(_)) | Err(_) => {
                return Err((NotificationVerdict::Malformed.reply(), Refusal::Malformed));
            }
        };
        match self.inbox.acknowledge(method, headers, body.into()).await {
            Ok(said) => {
                Refusal::of(said).map_or(Ok(said.reply()), |refusal| Err((said.reply(), refusal)))
            }
            Err(bad) => Err((bad.reply(), Refusal::of_bad(bad))),
        }
    }
}

/// An open endpoint.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    path: Arc<str>,
}

impl Listening {
    /// Opens the socket; calls are not answered before [`Self::serve`].
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self, Stop> {
        let listener = TcpListener::bind(endpoint.address).await.map_err(|error| {
            Stop::usage(format!(
                "--listen cannot be used: at {}: {}",
                endpoint.address,
                reason(&error)
            ))
        })?;
        Ok(Self {
            listener,
            tls: endpoint.tls.clone().map(TlsAcceptor::from),
            path: endpoint.url.path().into(),
        })
    }

    /// Answers calls: with 503 while the flow is not driven yet.
    pub(crate) fn serve(self, inbox: Arc<dyn HttpLibrary>, watcher: Watcher) -> Serving {
        let (closing, closed) = watch::channel(false);
        let desk = Desk { inbox, watcher, path: Arc::clone(&self.path) };
        let task = tokio::spawn(self.accept(desk, closed));
        Serving { closing, task }
    }

    async fn accept(self, desk: Desk, mut closed: watch::Receiver<bool>) {
        let places = Places::default();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = closed.changed() => break,
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((stream, peer)) = accepted else {
                // Most likely out of file descriptors, which is temporary.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Some(place) = places.take(peer.ip()).map(Arc::new) else { continue };
            let (desk, acceptor, closed) = (desk.clone(), self.tls.clone(), closed.clone());
            connections.spawn(async move {
                let _ = stream.set_nodelay(true);
                let caller = Arc::clone(&place);
                let served = async {
                    match acceptor {
                        None => converse(stream, desk, caller, closed).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, desk, caller, closed).await;
                            }
                        }
                    }
                };
                tokio::select! {
                    _ = timeout(CONNECTION, served) => {}
                    () = place.left() => {}
                }
            });
        }
        drop(self.listener);
        let answered = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(LAST_ANSWER, answered).await;
    }
}

/// An endpoint that answers.
pub(crate) struct Serving {
    closing: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Serving {
    /// Closes it when the answers that are being sent are complete.
    pub(crate) async fn close(self) {
        let _ = self.closing.send(true);
        let _ = self.task.await;
    }
}

/// Serves one request and closes the connection. If a provider reused the connection, a notification
/// could be lost on it.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    desk: Desk,
    place: Arc<Place>,
    mut closed: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let (desk, place) = (desk.clone(), Arc::clone(&place));
        async move { Ok::<_, Infallible>(response(desk.answer(request, &place).await)) }
    });
    let connection =
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closed.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn fields(fields: &HeaderMap) -> Headers {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn response(reply: NotificationReply) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some((name, value)) = reply.header {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
