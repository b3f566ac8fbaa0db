//! The server over HTTP/2.
#![cfg(feature = "http2")]
#![allow(missing_docs)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use ciba_test_op::{
    Act, Closing, Endpoint, Exchange, Incoming, ProviderConfig, RunningServer, Script, Server,
};
use h2::{Reason, client::SendRequest};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use support::{GRANT, LOOPBACK, clock, provider};
use tokio_rustls::TlsConnector;

struct Answer {
    status: u16,
    body: Vec<u8>,
}

/// One connection, driven by a task.
struct Client {
    requests: SendRequest<Bytes>,
    origin: String,
    /// Ends with the connection: with the reason of a GOAWAY frame that is an error.
    ended: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn connect(server: &RunningServer) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = server.ca_pem().unwrap();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let mut config = builder
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let socket = tokio::net::TcpStream::connect(server.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, connection) = h2::client::handshake(tls).await.unwrap();
        let ended = tokio::spawn(connection);
        Self { requests, origin: server.issuer(), ended }
    }

    async fn post(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Answer, h2::Error> {
        let form = Incoming::post(path, parameters.iter().copied());
        let request = http::Request::post(format!("{}{path}", self.origin))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(())
            .unwrap();
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, false)?;
        stream.send_data(Bytes::copy_from_slice(form.body.expose()), true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut answer = Answer { status: head.status.as_u16(), body: Vec::new() };
        while let Some(piece) = body.data().await {
            let piece = piece?;
            answer.body.extend_from_slice(&piece);
            body.flow_control().release_capacity(piece.len())?;
        }
        Ok(answer)
    }

    async fn begin(&self) -> String {
        let parameters = [
            ("client_id", "app"),
            ("client_secret", "open sesame"),
            ("scope", "openid"),
            ("login_hint", "approve"),
        ];
        let answer = self.post("/backchannel", &parameters).await.unwrap();
        assert_eq!(answer.status, 200);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        body["auth_req_id"].as_str().unwrap().to_owned()
    }

    async fn poll(&self, id: &str) -> Result<Answer, h2::Error> {
        let parameters = [
            ("client_id", "app"),
            ("client_secret", "open sesame"),
            ("grant_type", GRANT),
            ("auth_req_id", id),
        ];
        self.post("/token", &parameters).await
    }
}

fn start() -> RunningServer {
    let clock = clock();
    Server::start_http2(LOOPBACK, clock, |issuer| provider(ProviderConfig::generic(issuer)))
        .unwrap()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(test);
}

fn polls(server: &RunningServer) -> Vec<Exchange> {
    let provider = server.provider();
    provider.exchanges().iter().filter(|it| it.endpoint == Endpoint::Token).cloned().collect()
}

#[test]
fn one_connection_carries_many_requests_at_the_same_time() {
    run(async {
        let server = start();
        let client = Client::connect(&server).await;
        let id = client.begin().await;
        let (first, second) = tokio::join!(client.begin(), client.poll(&id));
        assert!(first != id && second.unwrap().status == 400);
        let provider = server.provider();
        let connection = provider.exchanges()[0].connection;
        assert!(connection.is_some() && provider.exchanges().len() == 3);
        assert!(provider.exchanges().iter().all(|exchange| exchange.connection == connection));
    });
}

#[test]
fn a_dropped_request_resets_its_stream_and_leaves_the_connection() {
    run(async {
        for act in [Act::DropBefore, Act::DropAfter, Act::DropInside(5)] {
            let server = start();
            server.provider().script(Script::new().nth(Endpoint::Token, 1, act));
            let client = Client::connect(&server).await;
            let id = client.begin().await;
            let error = client.poll(&id).await.map(|answer| answer.status).unwrap_err();
            assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
            assert_eq!(client.poll(&id).await.unwrap().status, 400);
        }
    });
}

#[test]
fn a_kept_connection_can_be_ended_in_each_scripted_way() {
    run(async {
        for closing in Closing::ALL {
            let server = start();
            server.provider().script(Script::new().nth(Endpoint::Token, 1, Act::Close(closing)));
            let client = Client::connect(&server).await;
            let id = client.begin().await;
            assert_eq!(client.poll(&id).await.unwrap().status, 400);
            match closing {
                // A GOAWAY frame without an error, or the end of the connection.
                Closing::Announced | Closing::AtOnce => {
                    let Client { requests, ended, .. } = client;
                    drop(requests);
                    let _ = ended.await.unwrap();
                    assert_eq!(polls(&server).len(), 1);
                }
                Closing::AtNextByte => {
                    assert!(client.poll(&id).await.is_err());
                    assert!(polls(&server)[1].unserved);
                }
                // The request may have been processed, and the connection is over.
                Closing::GoAway => {
                    let refused = client.poll(&id).await.map(|answer| answer.status).unwrap_err();
                    assert_ne!(refused.reason(), Some(Reason::REFUSED_STREAM));
                    assert!(polls(&server)[1].unserved);
                    assert!(client.poll(&id).await.is_err());
                    assert_eq!(polls(&server).len(), 2);
                }
                // The connection survives.
                _ => {
                    let refused = client.poll(&id).await.map(|answer| answer.status).unwrap_err();
                    assert_eq!(refused.reason(), Some(Reason::REFUSED_STREAM));
                    assert!(polls(&server)[1].unserved);
                    assert_eq!(client.poll(&id).await.unwrap().status, 400);
                }
            }
        }
    });
}

#[test]
fn stopping_the_server_ends_a_stream_that_never_gets_a_response() {
    run(async {
        let server = start();
        server.provider().script(Script::new().every(Endpoint::Token, Act::HoldForever));
        let client = Client::connect(&server).await;
        let id = client.begin().await;
        let held = client.poll(&id);
        let stops = async {
            while polls(&server).is_empty() {
                tokio::task::yield_now().await;
            }
            server.stop();
        };
        let (held, ()) = tokio::join!(held, stops);
        assert!(held.is_err());
    });
}
