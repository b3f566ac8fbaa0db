//! The client: the only type that most programs need.

use std::{ops::Deref, path::Path, sync::Arc};

use ciba_core::{AuthRequest, Authentication, Event, Failure, SoftwareKey};
use ciba_std::{
    Adapter, ClientBase, ClientBuilder, Connect, ConnectError, Driving, Parts, SavedFlow, Setup,
};
use ureq::{config::ConfigBuilder, typestate::AgentScope};

use crate::{
    AuthenticateError, Driver, HttpClient, SharedFlow, Signer, Ureq, http::discover, shared::Store,
};

/// Authenticates persons at one provider. Clones share connections and keys.
///
/// It dereferences to [`ClientBase`], which returns the driver, for stopping or cancelling a flow,
/// and the same client with another watcher or other savers.
#[derive(Debug, Clone)]
pub struct Client(ClientBase<Ureq>);

impl Client {
    /// Begins a client at the provider with this issuer URL.
    pub fn builder(issuer: impl Into<String>, client_id: impl Into<String>) -> ClientBuilder<Ureq> {
        ClientBuilder::new(issuer, client_id)
    }

    /// Begins a client at Idura Verify, as [`ClientBuilder::idura`].
    pub fn idura(domain: &str, client_id: impl Into<String>) -> ClientBuilder<Ureq> {
        ClientBuilder::idura(domain, client_id)
    }

    /// Begins a client from a configuration file, as [`ClientBuilder::from_file`].
    pub fn from_file(path: impl AsRef<Path>) -> ClientBuilder<Ureq> {
        ClientBuilder::from_file(path)
    }

    /// Begins a client from a registration, as [`ClientBuilder::from_json`].
    pub fn from_json(json: &str) -> ClientBuilder<Ureq> {
        ClientBuilder::from_json(json)
    }

    /// Requests the authentication of a person and waits for the result.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub fn authenticate(
        &self,
        request: impl Into<AuthRequest>,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = self.driver().start(request.into())?;
        self.finish(&self.share(flow)?)
    }

    /// Resumes a saved flow and waits for the result. Later states are saved by the client's saver,
    /// if it has one.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`], [`AuthenticateError::Resume`] if the snapshot cannot be resumed.
    pub fn resume(&self, snapshot: &[u8]) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = self.driver().resume(snapshot)?;
        self.finish(&self.share(flow)?)
    }

    /// Resumes the flow that [`FileSaver::open`](crate::FileSaver::open) found in a file and waits
    /// for the result. Later states are saved in the same file, not by the client's saver.
    ///
    /// The file is removed when the flow is over: the result is returned once, and a program that
    /// resumes whatever it finds does not take an old result for a new one. The file stays if it
    /// cannot be removed, if the flow keeps its tokens to be resumed later
    /// (`SharedFlow::keeps_tokens`), or if another process continues it
    /// ([`Failure::Superseded`](crate::Failure::Superseded)).
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`], [`AuthenticateError::Resume`] if the flow cannot be resumed.
    pub fn resume_file(&self, saved: SavedFlow) -> Result<Box<Authentication>, AuthenticateError> {
        let file = saved.saver.clone();
        let flow = self.driver().resume(&saved.snapshot)?;
        let flow = SharedFlow::with_saver(flow, saved.saver);
        self.driver().drive(&flow, &mut |event: &Event| self.event(event))?;
        let keeps_tokens = flow.keeps_tokens();
        let result = flow.finish().map_err(AuthenticateError::Failed);
        if !keeps_tokens && !matches!(result, Err(AuthenticateError::Failed(Failure::Superseded))) {
            // The result must not be lost to a file that cannot be removed.
            let _removed = file.remove();
        }
        result
    }

    fn finish(&self, flow: &SharedFlow) -> Result<Box<Authentication>, AuthenticateError> {
        self.driver().drive(flow, &mut |event: &Event| self.event(event))?;
        flow.finish().map_err(AuthenticateError::Failed)
    }
}

impl Deref for Client {
    type Target = ClientBase<Ureq>;

    fn deref(&self) -> &ClientBase<Ureq> {
        &self.0
    }
}

impl From<ClientBase<Ureq>> for Client {
    fn from(base: ClientBase<Ureq>) -> Self {
        Self(base)
    }
}

impl Adapter for Ureq {
    type HttpClient = HttpClient;
    type Signer = dyn Signer;
    type Attachment = Store;

    fn has_certificate(http: &HttpClient) -> bool {
        http.lines.has_certificate()
    }
}

impl Driving for Ureq {
    type Driver = Driver;
}

impl Connect for Ureq {
    type HttpBuilder = ConfigBuilder<AgentScope>;
    type Client = Client;
    type Connecting = Result<Client, ConnectError>;

    fn signer(key: SoftwareKey) -> Arc<dyn Signer> {
        Arc::new(key)
    }

    fn connect(setup: Result<Setup, ConnectError>, parts: Parts<Self>) -> Self::Connecting {
        let setup = setup?;
        let discovery = setup.discovery()?;
        let http = http(&parts)?;
        let config = setup.configure(discover(&http, &discovery)?)?;
        let client = parts.into_client(config, http)?;
        client.driver().fetch_keys()?;
        Ok(client)
    }
}

fn http(parts: &Parts<Ureq>) -> Result<HttpClient, ConnectError> {
    let change = Arc::clone(&parts.http);
    #[cfg(feature = "rustls-no-provider")]
    let trusting = crate::tls::trusting(&parts.authorities).map_err(ConnectError::http)?;
    #[cfg(not(feature = "rustls-no-provider"))]
    let trusting = ureq::Agent::config_builder;
    let client = HttpClient::new(move || change(trusting())).map_err(ConnectError::http)?;
    #[cfg(feature = "rustls-no-provider")]
    if let Some(certificate) = &parts.certificate {
        return client.with_certificate(certificate.clone()).map_err(ConnectError::http);
    }
    Ok(client)
}
