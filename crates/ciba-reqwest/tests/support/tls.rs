//! A TLS server on a loopback socket with a certificate made to measure.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ProtocolVersion, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
};

/// What its certificate is like.
pub enum Certificate {
    Good,
    ForAnotherHost,
    Expired,
}

pub struct TlsServer {
    address: SocketAddr,
    pub ca: String,
    handshakes: Receiver<Option<ProtocolVersion>>,
    requests: Arc<AtomicUsize>,
}

impl TlsServer {
    pub fn start(certificate: Certificate, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut root = CertificateParams::new([]).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let host = if matches!(certificate, Certificate::ForAnotherHost) { "other.test" } else { "localhost" };
        let mut leaf = CertificateParams::new([host.to_owned()]).unwrap();
        if matches!(certificate, Certificate::Expired) {
            leaf.not_before = date_time_ymd(2020, 1, 1);
            leaf.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&requests);
        let (sender, handshakes) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                let mut request = [0; 4096];
                let came = stream.read(&mut request);
                let _ = sender.send(came.is_ok().then(|| stream.conn.protocol_version()).flatten());
                if came.is_ok_and(|length| length > 0) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
                    );
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        Self { address, ca: root.pem(), handshakes, requests }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// The TLS version of the next connection; `None` when the handshake failed.
    pub fn handshake(&self) -> Option<ProtocolVersion> {
        self.handshakes.recv().unwrap()
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
