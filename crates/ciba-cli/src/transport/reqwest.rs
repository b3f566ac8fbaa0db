//! `--transport reqwest`: asynchronous.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use ciba_core::{
    Discovery, Failure, ProviderMetadata, Snapshot,
    http::{Body, Headers, Request, Response, Unanswered},
    notification::{BadNotification, NotificationReply, NotificationVerdict},
    tokens::{CallFailure, UserInfo, UserInfoRequest},
};
use ciba_reqwest::{CallError, Driver, HttpClient, Inbox, Saver, SharedFlow, http::Authorities};

use super::{
    failure::undiscovered,
    library::{Drive, Driven, Halted, HttpLibrary},
    setup::{Files, no_tls, show, unusable_ca},
};
use crate::{exit::Stop, proxies::Proxies, signer::KeyRing, time::now, watcher::Watcher};

pub(super) struct Reqwest {
    http: HttpClient,
    inbox: Inbox,
    /// The driver of the one flow.
    driver: OnceLock<Arc<Driver>>,
}

impl Reqwest {
    pub(super) fn new(files: &Files<'_>, proxies: &Proxies, trace: bool) -> Result<Self, Stop> {
        // A machine without roots can still use plain http. They are looked for when TLS is needed
        // and are missing then, as with ureq.
        let has_roots = files.ca.is_some() || ciba_reqwest::http::platform_roots().build().is_ok();
        let roots: Box<dyn Fn() -> ciba_reqwest::reqwest::ClientBuilder + Send + Sync> =
            match &files.ca {
                Some((path, pem)) => Box::new(
                    ciba_reqwest::http::trusting(&Authorities::Only(pem.clone()))
                        .map_err(|_| unusable_ca(path, pem))?,
                ),
                None if has_roots => Box::new(ciba_reqwest::http::platform_roots),
                None => Box::new(|| ciba_reqwest::http::platform_roots().tls_certs_only([])),
            };
        let proxies = proxies.clone();
        let make = move || roots().no_proxy().proxy(proxies.for_reqwest());
        let mut http = HttpClient::new(make).map_err(|_| no_tls())?;
        if let Some(pem) = &files.certificate {
            let certificate = pem.certificate.clone();
            http = http.with_certificate(certificate).map_err(|error| pem.unusable(&error))?;
        }
        if trace {
            http = http.with_observer(show);
        }
        Ok(Self { http, inbox: Inbox::with_capacity(1), driver: OnceLock::new() })
    }
}

#[async_trait]
impl HttpLibrary for Reqwest {
    async fn discover(&self, discovery: Discovery) -> Result<ProviderMetadata, Failure> {
        let found = ciba_reqwest::http::discover(&self.http, &discovery).await;
        found.map_err(undiscovered)
    }

    async fn exchange(
        &self,
        request: Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        self.http.exchange(&request, timeout, max_response).await
    }

    async fn drive(&self, drive: Drive) -> Result<Driven, Halted> {
        let Drive { config, keys, flow, mut watcher, is_notified } = drive;
        // The key ring has the key for each purpose.
        let keys: Arc<KeyRing> = Arc::new(keys);
        let mut driver =
            Driver::builder(config, self.http.clone()).signer(keys.clone()).dpop_key(keys);
        if is_notified {
            driver = driver.inbox(&self.inbox);
        }
        let driver = driver.build().map_err(|lacking| Halted::Broken(lacking.to_string()))?;
        let driver = Arc::clone(self.driver.get_or_init(|| Arc::new(driver)));
        let flow = SharedFlow::with_saver(flow, watcher.clone());
        driver.drive(&flow, &mut watcher).await?;
        Ok(Driven::new(flow.stage(), flow.keeps_tokens(), flow.finish()))
    }

    async fn userinfo(&self, request: UserInfoRequest) -> Result<UserInfo, CallError> {
        // There are no tokens before a flow was driven.
        match self.driver.get() {
            Some(driver) => driver.call(request).await,
            None => Err(CallError::Failed(CallFailure::Abandoned)),
        }
    }

    fn first_look(&self, method: &str, headers: &Headers) -> Result<(), NotificationReply> {
        self.inbox.first_look(method, headers)
    }

    async fn acknowledge(
        &self,
        method: &str,
        headers: Headers,
        body: Body,
    ) -> Result<NotificationVerdict, BadNotification> {
        self.inbox.acknowledge(method, &headers, body, now()).await
    }
}

#[async_trait]
impl Saver for Watcher {
    async fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.save(snapshot)
    }
}
