//! Ping mode in threads, with tiny_http as the server: `cargo run --example notifications_blocking -- ISSUER CLIENT_ID
//! LOGIN_HINT NOTIFICATION_ENDPOINT`, with a client secret in the variable `CLIENT_SECRET`. It listens behind a proxy that
//! terminates TLS and hands the notification endpoint on to port 8080.

use std::{
    env,
    error::Error,
    io::{self, Read as _},
    thread,
    time::SystemTime,
};

use ciba_ureq::{Driver, HttpClient, Inbox, Keys, ciba_core::*, discover, platform_roots};
use tiny_http::{Header, Request, Response, Server};

/// All that the notification endpoint takes, besides a server and a thread or more.
pub fn answer(inbox: &Inbox, mut request: Request) -> io::Result<()> {
    if request.url() != "/ciba/notify" {
        return request.respond(Response::empty(404));
    }
    let method = request.method().to_string();
    let fields = request.headers().iter();
    let headers = fields.map(|header| (header.field.to_string(), header.value.to_string())).collect();
    let mut body = Vec::new();
    request.as_reader().take(Notification::MAX_BODY as u64 + 1).read_to_end(&mut body)?;
    let reply = inbox.receive(&method, &headers, body.into(), SystemTime::now().into());
    let mut response = Response::empty(reply.status);
    if let Some(header) = reply.header.and_then(|(name, value)| Header::from_bytes(name, value).ok()) {
        response.add_header(header);
    }
    request.respond(response)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [issuer, client_id, hint, endpoint] = &arguments[..] else {
        return Err("usage: notifications_blocking ISSUER CLIENT_ID LOGIN_HINT NOTIFICATION_ENDPOINT".into());
    };

    // Once per process: the inbox, the endpoint that fills it, and the driver that has it.
    let inbox = Inbox::new();
    let filled = inbox.clone();
    let server = Server::http("127.0.0.1:8080").map_err(|error| error.to_string())?;
    thread::spawn(move || {
        for request in server.incoming_requests() {
            if let Err(error) = answer(&filled, request) {
                eprintln!("a notification broke off: {error}");
            }
        }
    });

    let http = HttpClient::new(platform_roots())?;
    let provider = discover(&http, Issuer::parse(issuer)?, DiscoveryAddress::OpenId)?;
    let secret = env::var("CLIENT_SECRET")?;
    let config = ClientConfig::builder(provider, ClientId::new(client_id)?)
        .client_auth(ClientAuth::ClientSecretBasic { secret: secret.into(), encoding: BasicEncoding::Encoded })
        .delivery(DeliveryMode::Ping)
        .notification_endpoint(Url::parse(endpoint.as_str())?)
        .build()?;
    let driver = Driver::new(http, Keys::new(&config)).with_inbox(inbox);

    // Once per person.
    let request = AuthRequest::new(Hint::Login(hint.as_str().into()));
    let authentication = driver.authenticate(&config, request, &mut |event: &Event| println!("{event:?}"))?;
    println!("authenticated: {}", authentication.subject()?);
    Ok(())
}
