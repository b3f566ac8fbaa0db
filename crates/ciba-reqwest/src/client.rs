//! The client: for most programs the only type they need.

use std::{fmt, path::Path, pin::Pin, sync::Arc};

use ciba_core::{AuthRequest, Authentication, Event, Flow, SoftwareKey};
use ciba_std::{Adapter, ClientBuilder, ConnectError, NewSaver, OnEvent, Parts, Setup};

use crate::{
    AuthenticateError, Driver, HttpClient, Inbox, Saver, SharedFlow, Signer, adapter::Reqwest,
    http::discover_with,
};

/// Authenticates people at one provider. Clones share connections and keys.
///
/// For everything beyond that, such as a flow that continues after a restart, see [`Self::driver`].
#[derive(Clone)]
pub struct Client {
    driver: Driver,
    saver: Option<NewSaver<Reqwest>>,
    watch: Option<OnEvent>,
}

impl Client {
    /// Begins a client at the provider with this issuer URL.
    pub fn builder(
        issuer: impl Into<String>,
        client_id: impl Into<String>,
    ) -> ClientBuilder<Reqwest> {
        ClientBuilder::new(issuer, client_id)
    }

    /// Begins a client at Idura Verify, as [`ClientBuilder::idura`].
    pub fn idura(domain: &str, client_id: impl Into<String>) -> ClientBuilder<Reqwest> {
        ClientBuilder::idura(domain, client_id)
    }

    /// Begins a client from a configuration file, as [`ClientBuilder::from_file`].
    pub fn from_file(path: impl AsRef<Path>) -> ClientBuilder<Reqwest> {
        ClientBuilder::from_file(path)
    }

    /// Begins a client from a registration, as [`ClientBuilder::from_json`].
    pub fn from_json(json: &str) -> ClientBuilder<Reqwest> {
        ClientBuilder::from_json(json)
    }

    /// Asks the provider to authenticate a person, and waits for the result.
    ///
    /// Dropping the future abandons the flow.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub async fn authenticate(
        &self,
        request: impl Into<AuthRequest>,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = self.shared(self.driver.start(request.into())?);
        let mut watch = |event: &Event| self.watch.iter().for_each(|watch| watch(event));
        self.driver.drive(&flow, &mut watch).await?;
        flow.finish().map_err(AuthenticateError::Failed)
    }

    /// Returns the same client with another watcher, for example one for the screen of one person.
    #[must_use]
    pub fn watching(&self, watch: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self { watch: Some(Arc::new(watch)), ..self.clone() }
    }

    /// Returns the driver, which starts, drives and resumes flows.
    #[must_use]
    pub const fn driver(&self) -> &Driver {
        &self.driver
    }

    /// The flow, saved when the client has a saver.
    fn shared(&self, flow: Flow) -> SharedFlow {
        match &self.saver {
            Some(new) => SharedFlow::with_saver(flow, new()),
            None => SharedFlow::new(flow),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("driver", &self.driver).finish_non_exhaustive()
    }
}

impl Adapter for Reqwest {
    type Http = reqwest::ClientBuilder;
    type Signer = dyn Signer;
    type Inbox = Inbox;
    type Saver = dyn Saver;
    type Connecting = Pin<Box<dyn Future<Output = Result<Client, ConnectError>> + Send>>;

    fn signer(key: SoftwareKey) -> Arc<dyn Signer> {
        Arc::new(key)
    }

    fn connect(setup: Result<Setup, ConnectError>, parts: Parts<Self>) -> Self::Connecting {
        Box::pin(async move {
            let setup = setup?;
            let discovery = setup.discovery()?;
            let http = http(&parts)?;
            let config = setup.configure(discover_with(&http, &discovery).await?)?;
            let driver = Driver::new(config, http).with_parts(&parts);
            driver.lacks().map_or(Ok(()), Err)?;
            driver.fetch_keys().await?;
            Ok(Client { driver, saver: parts.saver, watch: parts.watch })
        })
    }
}

fn http(parts: &Parts<Reqwest>) -> Result<HttpClient, ConnectError> {
    let change = Arc::clone(&parts.http);
    #[cfg(feature = "rustls-no-provider")]
    if let Some(pem) = &parts.authorities {
        let roots = crate::http::with_ca(pem).map_err(ConnectError::http)?;
        let client = HttpClient::new(move || change(roots())).map_err(ConnectError::http)?;
        return certified(client, parts);
    }
    let client = HttpClient::new(move || change(reqwest::Client::builder()));
    certified(client.map_err(ConnectError::http)?, parts)
}

/// With the client certificate, if there is one.
fn certified(client: HttpClient, parts: &Parts<Reqwest>) -> Result<HttpClient, ConnectError> {
    #[cfg(feature = "rustls-no-provider")]
    if let Some(certificate) = parts.certificate.clone() {
        return client.with_certificate(certificate).map_err(ConnectError::http);
    }
    let _ = parts;
    Ok(client)
}
