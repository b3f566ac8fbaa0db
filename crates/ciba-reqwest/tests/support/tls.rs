//! A TLS server on a loopback socket with a certificate made to measure.
#![allow(dead_code, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

/// What its certificate is like.
pub enum Certificate {
    Good,
    ForAnotherHost,
    Expired,
    /// A certificate authority's, signed by the root.
    Authority,
}

/// What it says about client certificates. Both take those of its own CA.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    No,
    /// Names its CA and ends the handshake without a certificate.
    Demanding,
    /// Names no CA and goes on without a certificate.
    Politely,
    /// As politely, and drops the connection without a word when a request comes.
    ThenDrops,
}

/// A client certificate of the server's CA.
pub struct ClientIdentity {
    pub certificate: String,
    pub key: String,
    pub certificate_der: Vec<u8>,
    pub key_der: Vec<u8>,
}

pub struct TlsServer {
    address: SocketAddr,
    pub ca: String,
    pub clients: [ClientIdentity; 2],
    /// What each connection that got through the handshake showed.
    peers: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
    handshakes: Receiver<Option<ProtocolVersion>>,
    requests: Arc<AtomicUsize>,
}

impl TlsServer {
    pub fn start(certificate: Certificate, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::asking(Asks::No, certificate, versions)
    }

    pub fn asking(
        asks: Asks,
        certificate: Certificate,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut root = CertificateParams::new([]).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let host = if matches!(certificate, Certificate::ForAnotherHost) {
            "other.test"
        } else {
            "localhost"
        };
        let mut leaf = CertificateParams::new([host.to_owned()]).unwrap();
        if matches!(certificate, Certificate::Expired) {
            leaf.not_before = date_time_ymd(2020, 1, 1);
            leaf.not_after = date_time_ymd(2021, 1, 1);
        }
        if matches!(certificate, Certificate::Authority) {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![leaf.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = match asks {
            Asks::No => WebPkiClientVerifier::no_client_auth(),
            Asks::Demanding => verifier.build().unwrap(),
            Asks::Politely | Asks::ThenDrops => {
                verifier.clear_root_hint_subjects().allow_unauthenticated().build().unwrap()
            }
        };
        let config =
            ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = Arc::new(
            config.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap(),
        );
        let clients = ["one", "two"].map(|name| {
            let params = CertificateParams::new([format!("{name}.client.test")]).unwrap();
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &root).unwrap();
            ClientIdentity {
                certificate: certificate.pem(),
                key: key.serialize_pem(),
                certificate_der: certificate.der().to_vec(),
                key_der: key.serialize_der(),
            }
        });

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&requests);
        let peers = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&peers);
        let (sender, handshakes) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                if asks == Asks::ThenDrops {
                    drop_unread(&mut stream);
                    continue;
                }
                let mut request = [0; 4096];
                let came = stream.read(&mut request);
                if came.is_ok() {
                    let shown = stream.conn.peer_certificates().and_then(|chain| chain.first());
                    seen.lock().unwrap().push(shown.map(|certificate| certificate.to_vec()));
                }
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
        Self { address, ca: root.pem(), clients, peers, handshakes, requests }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }

    /// The address of a host in front of it, where something happens before each connection gets
    /// through: between the moment at which a client begins to connect and the one at which it can
    /// write its request.
    pub fn behind(&self, happens: impl Fn() + Send + 'static) -> String {
        let (front, server) = (TcpListener::bind("127.0.0.1:0").unwrap(), self.address);
        let port = front.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in front.incoming().map_while(Result::ok) {
                happens();
                let server = TcpStream::connect(server).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let (mut from, mut to) = (server, client);
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        });
        format!("https://localhost:{port}")
    }

    /// The TLS version of the next connection; `None` when the handshake failed.
    pub fn handshake(&self) -> Option<ProtocolVersion> {
        self.handshakes.recv().unwrap()
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The certificate that each connection showed, of those that got through the handshake.
    pub fn peers(&self) -> Vec<Option<Vec<u8>>> {
        self.peers.lock().unwrap().clone()
    }
}

/// The handshake, and no answer to what comes after it.
fn drop_unread(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
    while stream.conn.is_handshaking() && stream.conn.complete_io(&mut stream.sock).is_ok() {}
    while stream.conn.wants_write() && stream.conn.write_tls(&mut stream.sock).is_ok() {}
    // What is there unread makes the system reset the connection instead of closing it.
    if stream.conn.process_new_packets().is_ok_and(|state| state.plaintext_bytes_to_read() == 0) {
        let _ = stream.sock.peek(&mut [0]);
    }
}
