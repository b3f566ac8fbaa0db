//! The client: for most programs the only type they need.

use std::{fmt, path::Path, sync::Arc};

use ciba_core::{AuthRequest, Authentication, Event, Flow, SoftwareKey};
use ciba_std::{Adapter, ClientBuilder, ConnectError, NewSaver, OnEvent, Parts, Setup};
use ureq::{config::ConfigBuilder, typestate::AgentScope};

use crate::{
    AuthenticateError, Driver, HttpClient, Inbox, Saver, SharedFlow, Signer, adapter::Ureq,
    http::discover_with,
};

/// Authenticates people at one provider. Clones share connections and keys.
///
/// For everything beyond that, such as a wait that can be stopped, see [`Self::driver`].
#[derive(Clone)]
pub struct Client {
    driver: Driver,
    saver: Option<NewSaver<Ureq>>,
    watch: Option<OnEvent>,
}

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

    /// Asks the provider to authenticate a person, and waits for the result.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError`].
    pub fn authenticate(
        &self,
        request: impl Into<AuthRequest>,
    ) -> Result<Box<Authentication>, AuthenticateError> {
        let flow = self.shared(self.driver.start(request.into())?);
        let mut watch = |event: &Event| self.watch.iter().for_each(|watch| watch(event));
        self.driver.drive(&flow, &mut watch)?;
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

impl Adapter for Ureq {
    type Http = ConfigBuilder<AgentScope>;
    type Signer = dyn Signer;
    type Inbox = Inbox;
    type Saver = dyn Saver;
    type Connecting = Result<Client, ConnectError>;

    fn signer(key: SoftwareKey) -> Arc<dyn Signer> {
        Arc::new(key)
    }

    fn connect(setup: Result<Setup, ConnectError>, parts: Parts<Self>) -> Self::Connecting {
        let setup = setup?;
        let discovery = setup.discovery()?;
        let (change, roots) = (Arc::clone(&parts.http), roots(parts.authorities.as_deref())?);
        let http = HttpClient::new(move || change(roots())).map_err(ConnectError::http)?;
        #[cfg(feature = "rustls-no-provider")]
        let http = match &parts.certificate {
            Some(shown) => http.with_certificate(shown.clone()).map_err(ConnectError::http)?,
            None => http,
        };
        let config = setup.configure(discover_with(&http, &discovery)?)?;
        let driver = Driver::new(config, http).with_parts(&parts);
        if let Some(lacking) = driver.lacks() {
            return Err(lacking.into());
        }
        driver.fetch_keys()?;
        Ok(Client { driver, saver: parts.saver, watch: parts.watch })
    }
}

type Roots = Box<dyn Fn() -> ConfigBuilder<AgentScope> + Send + Sync>;

/// Makes settings that trust the given authorities, or those of the platform.
fn roots(authorities: Option<&[u8]>) -> Result<Roots, ConnectError> {
    #[cfg(feature = "rustls-no-provider")]
    return match authorities {
        Some(pem) => Ok(Box::new(crate::http::with_ca(pem).map_err(ConnectError::http)?)),
        None => Ok(Box::new(crate::http::platform_roots)),
    };
    #[cfg(not(feature = "rustls-no-provider"))]
    {
        let _ = authorities;
        Ok(Box::new(ureq::Agent::config_builder))
    }
}
