//! The notification endpoint of one flow: a small server that passes each call to the flow and
//! returns the flow's answer.
//!
//! It never redirects, and answers every path but its own with 404.

mod places;

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use ciba_core::{
    DeliveryMode,
    http::{Body, Headers, LoopbackHttp, Url},
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
use rustls::{ServerConfig, crypto::aws_lc_rs};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use self::places::{Place, Places};
use crate::{
    args::Notifications, exit::Stop, files::Pair, transport::HttpLibrary, watcher::Watcher,
    wording::reason,
};

/// The path of the notification endpoint unless an option names another.
const USUAL_PATH: &str = "/ciba/notify";
/// How long one connection may last, including its handshake and its one request.
const CONNECTION: Duration = Duration::from_secs(30);
/// How long the body of a request may take once its head is known to be for a flow.
const BODY: Duration = Duration::from_secs(10);
/// How long a call may wait until the flow is driven, for example while metadata is fetched. A
/// provider waits about as long for an answer.
const READY: Duration = Duration::from_secs(3);
/// How long answers may still take when the flow is over.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// The options of the notification endpoint; no socket is open yet.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
}

impl Endpoint {
    /// Reads the options. `None` in poll mode, and if the mode needs an endpoint and no option
    /// describes one.
    pub(crate) fn of(
        options: &Notifications,
        loopback: LoopbackHttp,
    ) -> Result<Option<Self>, Stop> {
        let Notifications { listen, notification_path, listen_cert, listen_key, .. } = options;
        if options.mode() == DeliveryMode::Poll {
            let given = [
                ("--listen", listen.is_some()),
                ("--notification-path", notification_path.is_some()),
                ("--listen-cert", listen_cert.is_some()),
                ("--listen-key", listen_key.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((option, _)) => Err(Stop::usage(format!(
                    "{option} is for --delivery ping or push: in poll mode no notifications arrive"
                ))),
                None => Ok(None),
            };
        }
        let Some(address) = *listen else { return Ok(None) };
        if address.port() == 0 {
            return Err(Stop::usage(
                "--listen needs a port that is not 0: that of the registered notification endpoint",
            ));
        }
        let tls = match (listen_cert, listen_key) {
            (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
            (None, None)
                if address.ip().is_loopback() && loopback == LoopbackHttp::DangerouslyAllowed =>
            {
                None
            }
            (None, None) => {
                return Err(Stop::usage(
                    "--listen needs --listen-cert FILE and --listen-key FILE: plain http is for a loopback address with --allow-http-loopback",
                ));
            }
            (Some(_), None) => {
                return Err(Stop::usage("--listen-key is missing: --listen-cert needs it"));
            }
            (None, Some(_)) => {
                return Err(Stop::usage("--listen-cert is missing: --listen-key needs it"));
            }
        };
        let path = notification_path.as_deref().unwrap_or(USUAL_PATH);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let unusable =
            |why: &str| Stop::usage(format!("--notification-path cannot be used: {why}"));
        if !path.starts_with('/') {
            return Err(unusable("it does not begin with a slash"));
        }
        let url = Url::parse_with(&format!("{scheme}://{address}{path}"), loopback);
        let url = url.map_err(|error| unusable(&error.to_string()))?;
        if url.query().is_some() {
            return Err(unusable("it has a query"));
        }
        Ok(Some(Self { url, address, tls }))
    }

    /// Opens the socket; calls are not answered before [`Listening::serve`].
    pub(crate) async fn open(&self) -> Result<Listening, Stop> {
        let listener = TcpListener::bind(self.address).await.map_err(|error| {
            Stop::usage(format!("--listen cannot be used: at {}: {}", self.address, reason(&error)))
        })?;
        Ok(Listening {
            listener,
            tls: self.tls.clone().map(TlsAcceptor::from),
            path: self.url.path().into(),
        })
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Stop> {
    let pair = Pair::read((certificate, "--listen-cert"), (key, "--listen-key"))?;
    let unusable = || {
        let (certificate, key) = (certificate.display(), key.display());
        Stop::usage(format!(
            "TLS cannot be set up with the certificate {certificate} and the key {key}"
        ))
    };
    let (chain, private) = pair.decoded().ok_or_else(unusable)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Stop::bug("TLS cannot be set up on this machine"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|_| unusable())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why a call of the notification endpoint was refused. It is shown to the person at the terminal;
/// the caller only gets the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Path,
    Method,
    Authorization,
    BearerToken,
    AuthReqId,
    MediaType,
    TooLarge,
    Malformed,
    Unusable,
    NotTaken,
}

impl Refusal {
    /// Why the flow accepted nothing; `None` if it did.
    const fn of(said: NotificationVerdict) -> Option<Self> {
        Some(match said {
            NotificationVerdict::Accepted | NotificationVerdict::Known => return None,
            NotificationVerdict::Unauthorized => Self::BearerToken,
            NotificationVerdict::AnotherRequest => Self::AuthReqId,
            NotificationVerdict::UnsupportedMediaType => Self::MediaType,
            NotificationVerdict::TooLarge => Self::TooLarge,
            NotificationVerdict::Unusable => Self::Unusable,
            NotificationVerdict::Unsaved | NotificationVerdict::NotReady => Self::NotTaken,
            _ => Self::Malformed,
        })
    }

    const fn of_bad(bad: BadNotification) -> Self {
        match bad {
            BadNotification::Method => Self::Method,
            BadNotification::TooLarge => Self::TooLarge,
            _ => Self::Authorization,
        }
    }

    /// Its name in JSON, and a sentence about the call.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Path => ("path", "it went to another path than --notification-path"),
            Self::Method => ("method", "its method was not POST"),
            Self::Authorization => ("authorization", "it had no usable bearer token"),
            Self::BearerToken => {
                ("bearer_token", "its bearer token is not the one that this request handed out")
            }
            Self::AuthReqId => ("auth_req_id", "its auth_req_id is not that of this request"),
            Self::MediaType => ("media_type", "its media type was not application/json"),
            Self::TooLarge => ("too_large", "it was too large"),
            Self::Malformed => ("malformed", "it was not a JSON object with an auth_req_id"),
            Self::Unusable => ("unusable", "what it delivers cannot be used"),
            Self::NotTaken => {
                ("not_taken", "it could not be taken in or saved, and the provider may try again")
            }
        }
    }
}

/// What answers calls.
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
        // No flow is known before that, and a provider need not repeat a call that was refused.
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
                // Most likely out of file descriptors, which passes.
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
    /// Closes it once the answers that are being sent have left.
    pub(crate) async fn close(self) {
        let _ = self.closing.send(true);
        let _ = self.task.await;
    }
}

/// Serves one request and closes the connection: a provider that reused it could lose a
/// notification on it.
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
