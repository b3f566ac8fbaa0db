//! TLS with a certificate authority that is created for each run: for the server, for client
//! certificates, and for notification endpoints.

use std::{
    fmt, io,
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, RootCertStore,
    ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version,
};

use super::lock::lock;
use crate::message::PeerCertificate;

/// The authorities that a listener names when it requests a client certificate
/// ([`certificate_authorities`](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.4)).
///
/// The handshake succeeds with any certificate or none. The provider judges what was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamedAuthorities {
    /// The authority of this run.
    Own,
    /// An empty list. Some clients then do not present their certificate.
    None,
}

/// A certificate of a client or of its notification endpoint, with its key. **For tests only.**
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientCertificate {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl ClientCertificate {
    /// Creates a self-signed certificate.
    ///
    /// # Errors
    ///
    /// Fails if no certificate can be created.
    pub fn self_signed(common_name: &str) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = parameters(common_name)?.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self::new(&certificate, &key))
    }

    pub(super) fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let der = certificate.der().to_vec();
        Self { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), der }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

fn parameters(common_name: &str) -> io::Result<CertificateParams> {
    let mut client = CertificateParams::new([]).map_err(io::Error::other)?;
    client.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client.distinguished_name = rcgen::DistinguishedName::new();
    client.distinguished_name.push(DnType::CommonName, common_name);
    Ok(client)
}

/// The certificate authority of one run.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> io::Result<Self> {
        let mut authority = CertificateParams::new([]).map_err(io::Error::other)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        authority.distinguished_name.push(DnType::CommonName, "Test authority of one run");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(authority, key).map(Self).map_err(io::Error::other)
    }

    /// The certificate of the authority.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn client(&self, common_name: &str) -> io::Result<ClientCertificate> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate =
            parameters(common_name)?.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(ClientCertificate::new(&certificate, &key))
    }

    /// The certificate of a server on this machine.
    pub(super) fn local(&self, common_name: &str) -> io::Result<(rcgen::Certificate, KeyPair)> {
        let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
        let mut server = CertificateParams::new(names).map_err(io::Error::other)?;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = server.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok((certificate, key))
    }

    /// The configuration of a server with TLS 1.2 and 1.3. With authorities to name, it requests a
    /// client certificate.
    pub(super) fn server(
        &self,
        asks: Option<NamedAuthorities>,
        protocols: &[&str],
    ) -> io::Result<(Arc<ServerConfig>, Option<Peers>)> {
        let (certificate, key) = self.local("Test provider")?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;

        let provider = Arc::new(aws_lc_rs::default_provider());
        let peers = asks.map(|named| self.peers(named, &provider)).transpose()?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(io::Error::other)?;
        let builder = match &peers {
            Some(peers) => builder.with_client_cert_verifier(Arc::new(peers.clone())),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok((Arc::new(config), peers))
    }

    fn peers(&self, named: NamedAuthorities, provider: &Arc<CryptoProvider>) -> io::Result<Peers> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).map_err(io::Error::other)?;
        let own =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let own = own.build().map_err(io::Error::other)?;
        let named = match named {
            NamedAuthorities::Own => own.root_hint_subjects().to_vec(),
            NamedAuthorities::None => Vec::new(),
        };
        Ok(Peers { own, named })
    }
}

/// Accepts any client certificate, and tells which come from the authority of the run.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    own: Arc<dyn ClientCertVerifier>,
    named: Vec<DistinguishedName>,
}

impl Peers {
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Option<PeerCertificate> {
        let (first, rest) = chain.split_first()?;
        let trusted = self.own.verify_client_cert(first, rest, UnixTime::now()).is_ok();
        Some(PeerCertificate { der: first.to_vec(), trusted })
    }
}

impl ClientCertVerifier for Peers {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.named
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.own.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.own.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own.supported_verify_schemes()
    }
}

/// The trusted authorities of notification endpoints.
#[derive(Default)]
pub(super) struct Trust(Mutex<Vec<CertificateDer<'static>>>);

impl Trust {
    pub(super) fn add(&self, pem: &str) -> io::Result<()> {
        let found: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(io::Error::other)?;
        if found.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        lock(&self.0).extend(found);
        Ok(())
    }

    /// The client side of a connection.
    pub(super) fn session(&self, host: &str) -> io::Result<ClientConnection> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(lock(&self.0).iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
    }
}
