//! A server over TLS whose certificate does not verify, or that refuses the client's.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener},
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs,
    server::WebPkiClientVerifier, version::TLS13,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Good,
    ForAnotherHost,
    Expired,
    NotYetValid,
    /// A certificate authority's.
    Authority,
}

#[derive(Debug)]
pub(crate) struct TlsServer {
    /// `https://localhost:PORT`.
    pub(crate) issuer: String,
    pub(crate) ca: String,
    /// A client certificate of an authority that the server does not know, and its key.
    pub(crate) stranger: (String, String),
}

impl TlsServer {
    /// A server that speaks TLS 1.3 only and says 404 to everything.
    pub(crate) fn start(certificate: Certificate, wants_clients: bool) -> Self {
        let authority = || {
            let mut root = CertificateParams::new([]).unwrap();
            root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap()
        };
        let (root, other) = (authority(), authority());
        let host =
            if certificate == Certificate::ForAnotherHost { "other.test" } else { "localhost" };
        let mut leaf = CertificateParams::new([host.to_owned()]).unwrap();
        match certificate {
            Certificate::Expired => {
                (leaf.not_before, leaf.not_after) =
                    (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
            }
            Certificate::NotYetValid => leaf.not_before = date_time_ymd(4000, 1, 1),
            Certificate::Authority => leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Certificate::Good | Certificate::ForAnotherHost => {}
        }
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let client_key = KeyPair::generate().unwrap();
        let client = CertificateParams::new(["client.test".to_owned()])
            .unwrap()
            .signed_by(&client_key, &other)
            .unwrap();

        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = if wants_clients {
            verifier.build().unwrap()
        } else {
            WebPkiClientVerifier::no_client_auth()
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .unwrap();
        let key = key.serialize_der().try_into().unwrap();
        let config = config
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![leaf.der().clone()], key);
        let config = Arc::new(config.unwrap());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let came = stream.read(&mut [0; 4096]);
                if came.is_err() {
                    // What the client still sends is taken, or the alert may be lost with the
                    // connection.
                    let _ = stream.sock.shutdown(Shutdown::Write);
                    let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
                }
                if came.is_ok_and(|length| length > 0) {
                    let _ = stream.write_all(
                        b"HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                    );
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        Self {
            issuer: format!("https://localhost:{port}"),
            ca: root.pem(),
            stranger: (client.pem(), client_key.serialize_pem()),
        }
    }
}
