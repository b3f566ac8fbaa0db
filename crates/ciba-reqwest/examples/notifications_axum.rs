//! Ping mode in a service on axum: `cargo run --example notifications_axum --features tower -- ISSUER CLIENT_ID LOGIN_HINT
//! NOTIFICATION_ENDPOINT`, with a client secret in the variable `CLIENT_SECRET`. It listens behind a proxy that terminates
//! TLS and hands the notification endpoint on to port 8080.

use std::{env, error::Error, future::IntoFuture as _};

use axum::Router;
use ciba_reqwest::{Driver, HttpClient, Inbox, Keys, NotificationService, ciba_core::*, discover, platform_roots};

/// All that the notification endpoint takes.
pub fn app(inbox: Inbox) -> Router {
    Router::new().route_service("/ciba/notify", NotificationService::new(inbox))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, client_id, hint, endpoint] = &arguments[..] else {
        return Err("usage: notifications_axum ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT".into());
    };

    // Once per process: the inbox, the endpoint that fills it, and the driver that has it.
    let inbox = Inbox::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    tokio::spawn(axum::serve(listener, app(inbox.clone())).into_future());

    let http = HttpClient::new(platform_roots())?;
    let provider = discover(&http, Issuer::parse(issuer)?, DiscoveryAddress::OpenId).await?;
    let secret = env::var("CLIENT_SECRET")?;
    let config = ClientConfig::builder(provider, ClientId::new(client_id)?)
        .client_auth(ClientAuth::ClientSecretBasic { secret: secret.into(), encoding: BasicEncoding::Encoded })
        .delivery(DeliveryMode::Ping)
        .notification_endpoint(Url::parse(endpoint.as_str())?)
        .build()?;
    let driver = Driver::new(http, Keys::new(&config)).with_inbox(inbox);

    // Once per person.
    let request = AuthRequest::new(Hint::Login(hint.as_str().into()));
    let authentication = driver.authenticate(&config, request, &mut |event: &Event| println!("{event:?}")).await?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
