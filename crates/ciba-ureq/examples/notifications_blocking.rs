//! Ping mode in a blocking program:
//! `cargo run --example notifications_blocking -- ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT`,
//! with a client secret in the variable `CLIENT_SECRET`. It listens behind a proxy that terminates
//! TLS and forwards the notification endpoint to port 8080.
//!
//! To try it with `ciba op` on one machine, register the client with `ciba op --clients FILE`, with
//! the endpoint `http://127.0.0.1:8080/ciba/notify`, and begin the client with
//! `dangerously_allow_loopback_http`.
//!
//! The server is hyper in a thread of its own: anyone can reach the endpoint, and hyper bounds how
//! long a caller may take. Each notification is given to the inbox in a thread of a pool, where it
//! may wait for a store.

use std::{
    convert::Infallible,
    env,
    error::Error,
    io,
    net::TcpListener,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use ciba_ureq::{
    AuthRequest, Client, DeliveryMode, Inbox,
    ciba_core::{
        http::Headers,
        notification::{BadNotification, Notification, NotificationReply, NotificationVerdict},
    },
};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// How long a caller may take for the head of a request, and then for its body.
const HEAD: Duration = Duration::from_secs(3);
const BODY: Duration = Duration::from_secs(10);
/// How many connections there may be at once.
const CONNECTIONS: usize = 256;

/// Serves the notification endpoint in the calling thread.
pub fn serve(listener: TcpListener, inbox: Inbox) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = Arc::clone(&room).acquire_owned().await.map_err(io::Error::other)?;
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: it passes.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let inbox = inbox.clone();
            let service = service_fn(move |request| {
                let inbox = inbox.clone();
                async move { Ok::<_, Infallible>(response(answer(inbox, request).await)) }
            });
            tokio::spawn(async move {
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
                drop(place);
            });
        }
    })
}

/// All that a call takes: the first look, its body, and the inbox.
async fn answer(inbox: Inbox, request: Request<Incoming>) -> NotificationReply {
    let (head, body) = request.into_parts();
    if head.uri.path() != "/ciba/notify" {
        return NotificationReply { status: 404, header: None };
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Headers =
        head.headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    let method = head.method.to_string();
    // A body is read only for a known flow, and only for so long.
    if let Err(reply) = inbox.first_look(&method, &headers) {
        return reply;
    }
    let body = match timeout(BODY, Limited::new(body, Notification::MAX_BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes().to_vec(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return BadNotification::TooLarge.reply();
        }
        Ok(Err(_)) | Err(_) => return NotificationVerdict::Malformed.reply(),
    };
    let received = spawn_blocking(move || {
        inbox.receive(&method, &headers, body.into(), SystemTime::now().into())
    });
    received.await.unwrap_or(NotificationVerdict::Unsaved.reply())
}

fn response(reply: NotificationReply) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some((name, value)) = reply.header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, client_id, hint, endpoint] = &arguments[..] else {
        return Err(
            "usage: notifications_blocking ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT"
                .into(),
        );
    };

    // Once per process: the inbox, the endpoint that fills it, and the driver that has it.
    let inbox = Inbox::default();
    let filled = inbox.clone();
    let listener = TcpListener::bind("127.0.0.1:8080")?;
    thread::spawn(move || serve(listener, filled));

    let client = Client::builder(issuer, client_id)
        .client_secret(env::var("CLIENT_SECRET")?)
        .notified(DeliveryMode::Ping, endpoint, &inbox)
        .watch(|event| println!("{event:?}"))
        .connect()?;

    // Once per person.
    let authentication = client.authenticate(AuthRequest::login(hint.as_str()))?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
