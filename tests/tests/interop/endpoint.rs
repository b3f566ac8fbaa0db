//! The notification endpoints: those of the adapters' examples, each behind a TLS terminator with a
//! certificate of the run's authority.
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    thread,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version,
};
use tokio::{io::copy_bidirectional, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::clients::{in_run, port, runtime};

#[allow(dead_code, unreachable_pub)]
#[path = "../../../crates/ciba-reqwest/examples/notifications_axum.rs"]
mod axum_example;
#[allow(dead_code, unreachable_pub)]
#[path = "../../../crates/ciba-ureq/examples/notifications_blocking.rs"]
mod blocking_example;

/// The inbox behind the notification endpoint at this address, the same for all flows of the
/// process.
pub(crate) fn reqwest(endpoint: &str) -> ciba_reqwest::Inbox {
    static INBOX: OnceLock<ciba_reqwest::Inbox> = OnceLock::new();
    let start = || {
        let inbox = ciba_reqwest::Inbox::default();
        let app = axum_example::app(inbox.clone());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        terminate_tls(port(endpoint), listener.local_addr().expect("an address"));
        thread::spawn(move || {
            runtime().block_on(async {
                listener.set_nonblocking(true).expect("a socket");
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum_example::serve(listener, app).await;
            })
        });
        inbox
    };
    INBOX.get_or_init(start).clone()
}

/// Like [`reqwest`].
pub(crate) fn ureq(endpoint: &str) -> ciba_ureq::Inbox {
    static INBOX: OnceLock<ciba_ureq::Inbox> = OnceLock::new();
    let start = || {
        let inbox = ciba_ureq::Inbox::default();
        let filled = inbox.clone();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        terminate_tls(port(endpoint), listener.local_addr().expect("an address"));
        thread::spawn(move || {
            blocking_example::serve(listener, filled).expect("the endpoint is served")
        });
        inbox
    };
    INBOX.get_or_init(start).clone()
}

/// Terminates TLS on one port and forwards the content.
fn terminate_tls(port: u16, behind: SocketAddr) {
    let chain = CertificateDer::pem_file_iter(in_run("notify.pem")).expect("a certificate");
    let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
    let key = fs::read(in_run("notify.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key).expect("a key"))
        .expect("the key is that of the certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener =
        TcpListener::bind(("127.0.0.1", port)).expect("the port that the provider was told");
    thread::spawn(move || {
        runtime().block_on(async {
            listener.set_nonblocking(true).expect("a socket");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((caller, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(behind).await?;
                    for stream in [&caller, &server] {
                        stream.set_nodelay(true)?;
                    }
                    let (mut caller, mut server) = (acceptor.accept(caller).await?, server);
                    copy_bidirectional(&mut caller, &mut server).await
                });
            }
        });
    });
}
