//! Ping mode in a service on axum:
//! `cargo run --example notifications_axum --features tower -- ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT`,
//! with a client secret in the variable `CLIENT_SECRET`. It listens behind a proxy that terminates
//! TLS and forwards the notification endpoint to port 8080.
//!
//! To try it with `ciba op` on one machine, register the client with `ciba op --clients FILE`, with
//! the endpoint `http://127.0.0.1:8080/ciba/notify`, and begin the client with
//! `dangerously_allow_loopback_http`.

use std::{env, error::Error, sync::Arc, time::Duration};

use axum::Router;
use ciba_reqwest::{AuthRequest, Client, DeliveryMode, Inbox, NotificationService};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

/// How long a caller may take for the head of a request.
const HEAD: Duration = Duration::from_secs(3);
/// How long a connection may last, with its one request.
const CONNECTION: Duration = Duration::from_secs(13);
/// How many connections there may be at once.
const CONNECTIONS: usize = 256;

/// All that the notification endpoint takes.
pub fn app(inbox: Inbox) -> Router {
    Router::new().route_service("/ciba/notify", NotificationService::new(inbox))
}

/// Serves the endpoint. Anyone can reach it, so a caller that sends nothing must not hold a
/// connection; `axum::serve` would wait for it.
pub async fn serve(listener: TcpListener, app: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: it passes.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let app = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
            let _ = timeout(CONNECTION, http.serve_connection(TokioIo::new(stream), app)).await;
            drop(place);
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, client_id, hint, endpoint] = &arguments[..] else {
        return Err(
            "usage: notifications_axum ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT".into()
        );
    };

    // Once per process: the inbox, the endpoint that fills it, and the driver that has it.
    let inbox = Inbox::default();
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    tokio::spawn(serve(listener, app(inbox.clone())));

    let client = Client::builder(issuer, client_id)
        .client_secret(env::var("CLIENT_SECRET")?)
        .notified(DeliveryMode::Ping, endpoint, &inbox)
        .watch(|event| println!("{event:?}"))
        .connect()
        .await?;

    // Once per person.
    let authentication = client.authenticate(AuthRequest::login(hint.as_str())).await?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
